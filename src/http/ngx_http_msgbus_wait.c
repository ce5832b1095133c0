
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Pages that can not be answered at once.
 *
 * Long-poll: a reader who has found nothing waits for the first events.  The
 * request is held, and a timer ends the wait.  Whatever ends it - events,
 * the timer, a shutdown of the worker - the log is read once more and the
 * answer is that of any other read.  An ordinary timer keeps the worker from
 * exiting under the reader.
 *
 * History: what the log has lost the store is asked for, first; then, if there
 * is nothing, a reader may wait.
 */


#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_hold.h"
#include "ngx_http_msgbus_page.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_wait.h"


/*
 * A cursor that may be another node's is judged after the next look at the
 * store: how often to ask for that, and how long to wait for it, ms
 */
#define NGX_HTTP_MSGBUS_JUDGE_PERIOD  50
#define NGX_HTTP_MSGBUS_JUDGE_LIMIT   3000


typedef struct {
    ngx_http_msgbus_hold_t   hold;
    ngx_msgbus_waiter_t      waiter;
    ngx_event_t              timer;
    ngx_msgbus_t            *bus;
    ngx_msgbus_ask_t         ask;
    ngx_msgbus_page_t        page;
    ngx_msec_t               until;
    ngx_msec_t               judged;       /* or no longer waited for */
    unsigned                 admitted:1;   /* to those who wait */
    unsigned                 last:1;       /* it answers with what it finds */
} ngx_http_msgbus_wait_t;


static ngx_int_t ngx_http_msgbus_wait_step(ngx_http_msgbus_wait_t *wait,
    ngx_int_t rc);
static ngx_int_t ngx_http_msgbus_wait_ask(ngx_http_msgbus_wait_t *wait,
    ngx_http_msgbus_pass_t *pass);
static ngx_int_t ngx_http_msgbus_wait_park(ngx_http_msgbus_wait_t *wait,
    ngx_http_msgbus_pass_t *pass);
static ngx_uint_t ngx_http_msgbus_wait_goes_on(ngx_http_msgbus_wait_t *wait,
    ngx_http_msgbus_pass_t *pass);
static void ngx_http_msgbus_wait_timer(ngx_http_msgbus_wait_t *wait);
static ngx_http_msgbus_wait_t *ngx_http_msgbus_wait_create(
    ngx_http_request_t *r);
static void ngx_http_msgbus_wait_release(ngx_http_msgbus_hold_t *hold);
static void ngx_http_msgbus_wait_wake_handler(ngx_msgbus_waiter_t *w,
    uint64_t from);
static void ngx_http_msgbus_wait_timer_handler(ngx_event_t *ev);
static void ngx_http_msgbus_wait_look(ngx_http_msgbus_wait_t *wait);
static void ngx_http_msgbus_wait_ask_handler(ngx_msgbus_ask_t *ask);
static void ngx_http_msgbus_wait_go_on(ngx_http_msgbus_wait_t *wait,
    ngx_int_t rc);
static ngx_int_t ngx_http_msgbus_wait_send(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page);


static ngx_http_msgbus_hold_kind_t  ngx_http_msgbus_wait_kind = {
    sizeof(ngx_http_msgbus_wait_t),
    ngx_http_msgbus_wait_release,
    NULL,
    NULL
};


ngx_int_t
ngx_http_msgbus_wait(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_msgbus_page_t *page, ngx_int_t rc)
{
    ngx_uint_t               last;
    ngx_http_msgbus_wait_t  *wait;

    /*
     * a subrequest, a HEAD, a post_action, and whoever meets a shutdown do
     * not wait for events
     */

    last = r != r->main
           || r->method == NGX_HTTP_HEAD
           || r->post_action
           || ngx_exiting;

    if (rc == NGX_OK && last) {
        return ngx_http_msgbus_page_send(r, pass, page);
    }

    wait = ngx_http_msgbus_wait_create(r);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wait->page = *page;
    wait->last = last;
    wait->until = ngx_current_msec + pass->wait;
    wait->judged = ngx_current_msec + NGX_HTTP_MSGBUS_JUDGE_LIMIT;

    rc = ngx_http_msgbus_wait_step(wait, rc);

    return rc == NGX_AGAIN ? ngx_http_msgbus_hold(&wait->hold) : rc;
}


/*
 * What comes of a page, read with this outcome: NGX_AGAIN, it waits, for the
 * store or for events; or what the request is to be finalized with.
 */
static ngx_int_t
ngx_http_msgbus_wait_step(ngx_http_msgbus_wait_t *wait, ngx_int_t rc)
{
    ngx_http_request_t          *r;
    ngx_http_msgbus_pass_t      *pass;
    ngx_http_msgbus_loc_conf_t  *lcf;

    r = wait->hold.ctx->request;
    pass = &wait->hold.ctx->pass;

    for ( ;; ) {

        if (rc == NGX_DECLINED) {
            return ngx_http_msgbus_wait_ask(wait, pass);
        }

        if (rc != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (!ngx_http_msgbus_wait_goes_on(wait, pass)) {
            return ngx_http_msgbus_wait_send(r, pass, &wait->page);
        }

        if (wait->waiter.linked) {
            pass->query.after = wait->page.last_id;
            ngx_http_msgbus_wait_timer(wait);

            return NGX_AGAIN;
        }

        lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

        if (!wait->admitted
            && lcf->max_waiters
            && ngx_msgbus_parked(lcf->bus) >= lcf->max_waiters)
        {
            return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                          "Too many readers wait");
        }

        wait->admitted = 1;

        rc = ngx_http_msgbus_wait_park(wait, pass);
    }
}


/* the store, for what the log has lost; as above */
static ngx_int_t
ngx_http_msgbus_wait_ask(ngx_http_msgbus_wait_t *wait,
    ngx_http_msgbus_pass_t *pass)
{
    ngx_int_t  rc;

    rc = ngx_msgbus_ask_page(wait->bus, &wait->page, &wait->ask);

    switch (rc) {

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_BUSY:
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "Too many readers ask the store");

    case NGX_ABORT:
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "The store does not answer");

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/*
 * Parks a reader for whom the page has shown nothing, and looks once more: for
 * what was posted before the bus knew that somebody waits.  If that is
 * something, or has to be asked for, he is parked no more.  As a page's read.
 */
static ngx_int_t
ngx_http_msgbus_wait_park(ngx_http_msgbus_wait_t *wait,
    ngx_http_msgbus_pass_t *pass)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = wait->hold.ctx->request;

    pass->query.latest = 0;
    pass->query.after = wait->page.last_id;
    pass->query.history = pass->history && pass->query.after;

    if (ngx_msgbus_park(wait->bus, &wait->waiter, &pass->query) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_msgbus_page(r, pass, &wait->page);

    if (rc != NGX_OK || wait->page.out || wait->page.gap) {
        ngx_msgbus_unpark(wait->bus, &wait->waiter);
    }

    return rc;
}


/* is there still something to wait for? */
static ngx_uint_t
ngx_http_msgbus_wait_goes_on(ngx_http_msgbus_wait_t *wait,
    ngx_http_msgbus_pass_t *pass)
{
    if (wait->last || wait->page.out || wait->page.gap) {
        return 0;
    }

    if (wait->page.unsure
        && (ngx_msec_int_t) (wait->judged - ngx_current_msec) > 0)
    {
        return 1;
    }

    return pass->wait && (ngx_msec_int_t) (wait->until - ngx_current_msec) > 0;
}


static void
ngx_http_msgbus_wait_timer(ngx_http_msgbus_wait_t *wait)
{
    ngx_msec_int_t  ms;

    ms = (ngx_msec_int_t) (wait->until - ngx_current_msec);

    if (wait->page.unsure) {
        ms = NGX_HTTP_MSGBUS_JUDGE_PERIOD;
    }

    ngx_add_timer(&wait->timer, (ngx_msec_t) ngx_max(ms, 1));
}


static ngx_http_msgbus_wait_t *
ngx_http_msgbus_wait_create(ngx_http_request_t *r)
{
    ngx_http_msgbus_wait_t      *wait;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    wait = ngx_http_msgbus_hold_create(r, &ngx_http_msgbus_wait_kind);
    if (wait == NULL) {
        return NULL;
    }

    wait->bus = lcf->bus;

    wait->waiter.handler = ngx_http_msgbus_wait_wake_handler;

    wait->timer.handler = ngx_http_msgbus_wait_timer_handler;
    wait->timer.data = wait;
    wait->timer.log = r->connection->log;

    wait->ask.handler = ngx_http_msgbus_wait_ask_handler;
    wait->ask.data = wait;

    return wait;
}


/* it may stand here or there */
static void
ngx_http_msgbus_wait_release(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_wait_t  *wait;

    wait = (ngx_http_msgbus_wait_t *) hold;

    ngx_msgbus_unpark(wait->bus, &wait->waiter);

    if (wait->timer.timer_set) {
        ngx_del_timer(&wait->timer);
    }

    ngx_msgbus_ask_forget(&wait->ask);
}


static void
ngx_http_msgbus_wait_wake_handler(ngx_msgbus_waiter_t *w, uint64_t from)
{
    ngx_http_msgbus_wait_t  *wait;

    wait = ngx_queue_data(w, ngx_http_msgbus_wait_t, waiter);

    wait->last = ngx_exiting;

    ngx_http_msgbus_wait_look(wait);
}


static void
ngx_http_msgbus_wait_timer_handler(ngx_event_t *ev)
{
    ngx_http_msgbus_wait_t  *wait;

    wait = ev->data;

    ngx_msgbus_unpark(wait->bus, &wait->waiter);

    ngx_http_msgbus_wait_look(wait);
}


/* not parked any more: there may be events, or it is time to answer */
static void
ngx_http_msgbus_wait_look(ngx_http_msgbus_wait_t *wait)
{
    ngx_http_request_t  *r;

    r = ngx_http_msgbus_hold_enter(&wait->hold);

    if (wait->timer.timer_set) {
        ngx_del_timer(&wait->timer);
    }

    ngx_http_msgbus_wait_go_on(wait,
                               ngx_http_msgbus_page(r, &wait->hold.ctx->pass,
                                                    &wait->page));
}


static void
ngx_http_msgbus_wait_ask_handler(ngx_msgbus_ask_t *ask)
{
    ngx_int_t                rc;
    ngx_http_msgbus_wait_t  *wait;

    wait = ask->data;

    (void) ngx_http_msgbus_hold_enter(&wait->hold);

    if (ask->rc == NGX_OK) {
        rc = ngx_msgbus_take_page(wait->bus, &wait->page, ask);

        ngx_http_msgbus_wait_go_on(wait, rc);
        return;
    }

    rc = ngx_http_msgbus_refuse(&wait->hold.ctx->pass,
                                NGX_HTTP_SERVICE_UNAVAILABLE,
                                ask->rc == NGX_ERROR
                                ? "The store does not answer"
                                : "The store can not read what is asked for");

    ngx_http_msgbus_hold_end(&wait->hold, rc);
}


/* answers, or waits again: for hidden events, or for another channel's */
static void
ngx_http_msgbus_wait_go_on(ngx_http_msgbus_wait_t *wait, ngx_int_t rc)
{
    rc = ngx_http_msgbus_wait_step(wait, rc);

    if (rc != NGX_AGAIN) {
        ngx_http_msgbus_hold_end(&wait->hold, rc);
    }
}


static ngx_int_t
ngx_http_msgbus_wait_send(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_msgbus_page_t *page)
{
    u_char     *p;
    ngx_str_t   applied;

    if (pass->prefer_wait) {
        p = ngx_pnalloc(r->pool, sizeof("wait=") + NGX_INT64_LEN);
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        applied.data = p;
        applied.len = ngx_sprintf(p, "wait=%M", pass->wait / 1000) - p;

        if (ngx_http_msgbus_add_header(r, "Preference-Applied", &applied)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_msgbus_page_send(r, pass, page);
}
