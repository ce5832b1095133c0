
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Long-poll: a reader who has found nothing waits for the first events.
 *
 * The request is held, and a timer ends the wait.  Whatever ends it - events,
 * the timer, a shutdown of the worker - the log is read once more and the
 * answer is that of any other read.  An ordinary timer keeps the worker from
 * exiting under the reader.
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
    ngx_msec_t               until;
    ngx_msec_t               judged;       /* or no longer waited for */
} ngx_http_msgbus_wait_t;


static ngx_uint_t ngx_http_msgbus_wait_goes_on(ngx_http_msgbus_wait_t *wait,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page);
static void ngx_http_msgbus_wait_timer(ngx_http_msgbus_wait_t *wait,
    ngx_msgbus_page_t *page);
static ngx_int_t ngx_http_msgbus_wait_park(ngx_http_msgbus_wait_t *wait,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page);
static ngx_http_msgbus_wait_t *ngx_http_msgbus_wait_create(
    ngx_http_request_t *r);
static void ngx_http_msgbus_wait_release(ngx_http_msgbus_hold_t *hold);
static void ngx_http_msgbus_wait_wake_handler(ngx_msgbus_waiter_t *w,
    uint64_t from);
static void ngx_http_msgbus_wait_timer_handler(ngx_event_t *ev);
static void ngx_http_msgbus_wait_look(ngx_http_msgbus_wait_t *wait,
    ngx_uint_t last);
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
    ngx_msgbus_page_t *page)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_wait_t      *wait;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (r != r->main
        || r->method == NGX_HTTP_HEAD
        || r->post_action
        || ngx_exiting)
    {

        /*
         * a subrequest, a HEAD, a post_action, and whoever meets a shutdown do
         * not wait
         */

        return ngx_http_msgbus_page_send(r, pass, page);
    }

    if (lcf->max_waiters && ngx_msgbus_parked(lcf->bus) >= lcf->max_waiters) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "Too many readers wait");
    }

    wait = ngx_http_msgbus_wait_create(r);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_msgbus_wait_park(wait, pass, page);

    if (rc == NGX_OK) {
        return ngx_http_msgbus_wait_send(r, pass, page);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wait->until = ngx_current_msec + pass->wait;
    wait->judged = ngx_current_msec + NGX_HTTP_MSGBUS_JUDGE_LIMIT;

    ngx_http_msgbus_wait_timer(wait, page);

    return ngx_http_msgbus_hold(&wait->hold);
}


/* is there still something to wait for? */
static ngx_uint_t
ngx_http_msgbus_wait_goes_on(ngx_http_msgbus_wait_t *wait,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page)
{
    if (page->out || page->gap) {
        return 0;
    }

    if (page->unsure
        && (ngx_msec_int_t) (wait->judged - ngx_current_msec) > 0)
    {
        return 1;
    }

    return pass->wait && (ngx_msec_int_t) (wait->until - ngx_current_msec) > 0;
}


static void
ngx_http_msgbus_wait_timer(ngx_http_msgbus_wait_t *wait,
    ngx_msgbus_page_t *page)
{
    ngx_msec_int_t  ms;

    ms = (ngx_msec_int_t) (wait->until - ngx_current_msec);

    if (page->unsure) {
        ms = NGX_HTTP_MSGBUS_JUDGE_PERIOD;
    }

    ngx_add_timer(&wait->timer, (ngx_msec_t) ngx_max(ms, 1));
}


/*
 * Parks a reader for whom page has shown nothing, and looks once more: for
 * what was posted before the bus knew that somebody waits.  NGX_AGAIN: it
 * waits; NGX_OK: page has something; or NGX_ERROR.
 */
static ngx_int_t
ngx_http_msgbus_wait_park(ngx_http_msgbus_wait_t *wait,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page)
{
    ngx_http_request_t  *r;

    r = wait->hold.ctx->request;

    pass->query.latest = 0;
    pass->query.after = page->last_id;

    if (ngx_msgbus_park(wait->bus, &wait->waiter, &pass->query) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_msgbus_page(r, pass, page) == NGX_OK) {

        if (page->out == NULL && !page->gap) {
            pass->query.after = page->last_id;
            return NGX_AGAIN;
        }

        ngx_msgbus_unpark(wait->bus, &wait->waiter);
        return NGX_OK;
    }

    ngx_msgbus_unpark(wait->bus, &wait->waiter);
    return NGX_ERROR;
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
}


static void
ngx_http_msgbus_wait_wake_handler(ngx_msgbus_waiter_t *w, uint64_t from)
{
    ngx_http_msgbus_wait_t  *wait;

    wait = ngx_queue_data(w, ngx_http_msgbus_wait_t, waiter);

    ngx_http_msgbus_wait_look(wait, ngx_exiting);
}


static void
ngx_http_msgbus_wait_timer_handler(ngx_event_t *ev)
{
    ngx_http_msgbus_wait_t  *wait;

    wait = ev->data;

    ngx_msgbus_unpark(wait->bus, &wait->waiter);

    ngx_http_msgbus_wait_look(wait, 0);
}


/* not parked any more: answers, or parks again unless it is the last look */
static void
ngx_http_msgbus_wait_look(ngx_http_msgbus_wait_t *wait, ngx_uint_t last)
{
    ngx_int_t                rc;
    ngx_msgbus_page_t        page;
    ngx_http_request_t      *r;
    ngx_http_msgbus_pass_t  *pass;

    r = ngx_http_msgbus_hold_enter(&wait->hold);
    pass = &wait->hold.ctx->pass;

    rc = ngx_http_msgbus_page(r, pass, &page);

    if (rc != NGX_OK) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        goto done;
    }

    if (last || !ngx_http_msgbus_wait_goes_on(wait, pass, &page)) {
        rc = ngx_http_msgbus_wait_send(r, pass, &page);
        goto done;
    }

    /* hidden events, or another channel's with the same hash */

    rc = ngx_http_msgbus_wait_park(wait, pass, &page);

    if (rc == NGX_AGAIN) {
        ngx_http_msgbus_wait_timer(wait, &page);
        return;
    }

    rc = rc == NGX_OK ? ngx_http_msgbus_wait_send(r, pass, &page)
                      : NGX_HTTP_INTERNAL_SERVER_ERROR;

done:

    ngx_http_msgbus_hold_end(&wait->hold, rc);
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
