
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Pages that can not be answered at once.
 *
 * Long-poll: a reader who has found nothing waits for the first events.  The
 * request is held, and a deadline ends the wait.  Whatever ends it - events,
 * the deadline, a shutdown of the worker - the log is read once more and the
 * answer is that of any other read.  Who has waited for a while is parked, for
 * a request costs more to be made again than to be held a moment; before he is
 * answered, or looks in vain, his request is made again.
 *
 * History: what the log has lost the store is asked for, first; then, if there
 * is nothing, a reader may wait.
 */


#include "ngx_http_msgbus_args.h"
#include "ngx_http_msgbus_crowd.h"
#include "ngx_http_msgbus_deadline.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_jsonp.h"
#include "ngx_http_msgbus_page.h"
#include "ngx_http_msgbus_park.h"
#include "ngx_http_msgbus_query.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_wait.h"


/*
 * A cursor that may be another node's is judged after the next look at the
 * store: how often to ask for that, and how long to wait for it, ms
 */
#define NGX_HTTP_MSGBUS_JUDGE_PERIOD  50
#define NGX_HTTP_MSGBUS_JUDGE_LIMIT   3000

/*
 * While so many are held in this worker, others are parked at once: a crowd
 * that comes in one moment would take the memory of as many requests, of which
 * the allocator gives little back.
 */
#define NGX_HTTP_MSGBUS_WAIT_HELD     100


typedef struct {
    ngx_http_msgbus_reader_t       reader;
    ngx_http_msgbus_deadline_t     deadline;
} ngx_http_msgbus_wait_t;


/* all that is of no use to one who is parked */
typedef struct {
    ngx_http_msgbus_reader_hold_t  rh;
    ngx_msgbus_ask_t               ask;
    ngx_msgbus_page_t              page;
    ngx_msec_t                     until;
    ngx_msec_t                     judged;     /* or no longer waited for */
    unsigned                       admitted:1; /* to those who wait */
    unsigned                       last:1;     /* it answers with what it
                                                  finds */
    unsigned                       counted:1;  /* among those that are held */
} ngx_http_msgbus_wait_hold_t;


static ngx_int_t ngx_http_msgbus_wait_step(ngx_http_msgbus_wait_t *wait,
    ngx_int_t rc);
static ngx_int_t ngx_http_msgbus_wait_ask(ngx_http_msgbus_wait_hold_t *hold,
    ngx_http_msgbus_pass_t *pass);
static ngx_int_t ngx_http_msgbus_wait_park(ngx_http_msgbus_wait_t *wait,
    ngx_http_msgbus_pass_t *pass);
static void ngx_http_msgbus_wait_sent_away(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page);
static void ngx_http_msgbus_wait_tally(ngx_http_msgbus_wait_hold_t *hold,
    ngx_http_msgbus_pass_t *pass);
static ngx_uint_t ngx_http_msgbus_wait_goes_on(
    ngx_http_msgbus_wait_hold_t *hold, ngx_http_msgbus_pass_t *pass);
static void ngx_http_msgbus_wait_again(ngx_http_msgbus_wait_t *wait);
static ngx_uint_t ngx_http_msgbus_wait_may_park(ngx_http_msgbus_wait_t *wait);
static ngx_http_msgbus_wait_t *ngx_http_msgbus_wait_create(
    ngx_http_request_t *r);
static void ngx_http_msgbus_wait_init(ngx_http_msgbus_wait_t *wait);
static void ngx_http_msgbus_wait_wake_handler(ngx_msgbus_waiter_t *w,
    uint64_t from);
static void ngx_http_msgbus_wait_deadline_handler(
    ngx_http_msgbus_deadline_t *deadline);
static void ngx_http_msgbus_wait_write(ngx_http_msgbus_hold_t *hold);
static ngx_int_t ngx_http_msgbus_wait_off(ngx_http_msgbus_wait_t *wait);
static void ngx_http_msgbus_wait_exit(ngx_http_msgbus_reader_t *reader);
static void ngx_http_msgbus_wait_look(ngx_http_msgbus_wait_t *wait,
    ngx_uint_t last);
static void ngx_http_msgbus_wait_ask_handler(ngx_msgbus_ask_t *ask);
static void ngx_http_msgbus_wait_go_on(ngx_http_msgbus_wait_t *wait,
    ngx_int_t rc);
static ngx_http_msgbus_hold_t *ngx_http_msgbus_wait_held(
    ngx_http_msgbus_wait_t *wait);
static ngx_int_t ngx_http_msgbus_wait_asked(ngx_http_msgbus_wait_t *wait,
    ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass);
static ngx_http_msgbus_wait_hold_t *ngx_http_msgbus_wait_hold(
    ngx_http_msgbus_wait_t *wait);
static ngx_int_t ngx_http_msgbus_wait_send(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page);
static void ngx_http_msgbus_wait_leave(ngx_http_msgbus_wait_t *wait);
static void ngx_http_msgbus_wait_free(ngx_http_msgbus_reader_t *reader);
static void ngx_http_msgbus_wait_uncount(ngx_http_msgbus_wait_hold_t *hold);
static void ngx_http_msgbus_wait_release(ngx_http_msgbus_hold_t *hold);
static void ngx_http_msgbus_wait_destroy(ngx_http_msgbus_hold_t *hold);


static ngx_http_msgbus_hold_kind_t  ngx_http_msgbus_wait_hold_kind = {
    sizeof(ngx_http_msgbus_wait_hold_t),
    ngx_http_msgbus_wait_release,
    ngx_http_msgbus_wait_destroy,
    ngx_http_msgbus_wait_write
};


static ngx_http_msgbus_reader_kind_t  ngx_http_msgbus_wait_kind = {
    sizeof(ngx_http_msgbus_wait_t),
    &ngx_http_msgbus_wait_hold_kind,
    NULL,
    ngx_http_msgbus_wait_exit,
    ngx_http_msgbus_wait_free
};


/* of all who wait in this worker */
static ngx_http_msgbus_deadlines_t  ngx_http_msgbus_wait_deadlines;
static ngx_uint_t                   ngx_http_msgbus_waits_held;


ngx_int_t
ngx_http_msgbus_wait(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_msgbus_page_t *page, ngx_int_t rc)
{
    ngx_uint_t                    last;
    ngx_http_msgbus_wait_t       *wait;
    ngx_http_msgbus_wait_hold_t  *hold;

    /*
     * a subrequest, a HEAD, a post_action, and whoever meets a shutdown do
     * not wait for events
     */

    last = r != r->main
           || r->method == NGX_HTTP_HEAD
           || r->post_action
           || ngx_exiting;

    if (rc == NGX_OK && last) {
        ngx_http_msgbus_wait_sent_away(r, pass, page);

        return ngx_http_msgbus_page_send(r, pass, page);
    }

    wait = ngx_http_msgbus_wait_create(r);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pass->wait && !last
        && ngx_http_msgbus_reader_enter(&wait->reader) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    hold = ngx_http_msgbus_wait_hold(wait);

    hold->page = *page;
    hold->last = last;
    hold->until = ngx_current_msec + pass->wait;
    hold->judged = ngx_current_msec + NGX_HTTP_MSGBUS_JUDGE_LIMIT;

    rc = ngx_http_msgbus_wait_step(wait, rc);

    if (rc == NGX_AGAIN) {
        return ngx_http_msgbus_hold(&hold->rh.hold);
    }

    /* its request may go on, where an error_page leads: it waits no more */

    ngx_http_msgbus_hold_release(&hold->rh.hold);

    return rc;
}


/*
 * What comes of a page, read with this outcome: NGX_AGAIN, it waits, for the
 * store or for events; or what the request is to be finalized with.
 */
static ngx_int_t
ngx_http_msgbus_wait_step(ngx_http_msgbus_wait_t *wait, ngx_int_t rc)
{
    ngx_http_request_t           *r;
    ngx_http_msgbus_pass_t       *pass;
    ngx_http_msgbus_loc_conf_t   *lcf;
    ngx_http_msgbus_wait_hold_t  *hold;

    hold = ngx_http_msgbus_wait_hold(wait);
    r = hold->rh.hold.ctx->request;
    pass = &hold->rh.hold.ctx->pass;

    for ( ;; ) {

        if (rc == NGX_DECLINED) {
            return ngx_http_msgbus_wait_ask(hold, pass);
        }

        if (rc != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (!ngx_http_msgbus_wait_goes_on(hold, pass)) {
            pass->waited = hold->admitted;
            ngx_http_msgbus_wait_tally(hold, pass);

            return ngx_http_msgbus_wait_send(r, pass, &hold->page);
        }

        if (wait->reader.waiter.linked) {
            pass->query.after = hold->page.last_id;
            ngx_http_msgbus_wait_again(wait);

            return NGX_AGAIN;
        }

        lcf = wait->reader.topic->lcf;

        if (!hold->admitted
            && lcf->max_waiters
            && ngx_msgbus_parked(lcf->bus) >= lcf->max_waiters)
        {
            ngx_msgbus_count(lcf->bus, NGX_MSGBUS_COUNT_REFUSED, 1);

            return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                          "Too many readers wait");
        }

        if (!hold->admitted) {
            hold->admitted = 1;
            ngx_msgbus_count(lcf->bus, NGX_MSGBUS_COUNT_ACCEPTED, 1);
        }

        rc = ngx_http_msgbus_wait_park(wait, pass);
    }
}


/* the store, for what the log has lost; as above */
static ngx_int_t
ngx_http_msgbus_wait_ask(ngx_http_msgbus_wait_hold_t *hold,
    ngx_http_msgbus_pass_t *pass)
{
    ngx_int_t  rc;

    rc = ngx_msgbus_ask_page(hold->rh.reader->topic->lcf->bus, &hold->page,
                             &hold->ask);

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
    ngx_int_t                     rc;
    ngx_msgbus_t                 *bus;
    ngx_http_msgbus_wait_hold_t  *hold;

    bus = wait->reader.topic->lcf->bus;
    hold = ngx_http_msgbus_wait_hold(wait);

    pass->query.latest = 0;
    pass->query.after = hold->page.last_id;

    if (pass->query.after) {
        pass->query.history = pass->history;
    }

    if (ngx_msgbus_park(bus, &wait->reader.waiter, &pass->query) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_msgbus_page(hold->rh.hold.ctx->request, pass, &hold->page);

    if (rc != NGX_OK || hold->page.out || hold->page.gap) {
        ngx_msgbus_unpark(bus, &wait->reader.waiter);
    }

    return rc;
}


/* a worker that ends lets nobody wait: he counts as let in, as a stream does */
static void
ngx_http_msgbus_wait_sent_away(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page)
{
    ngx_msgbus_t                *bus;
    ngx_http_msgbus_loc_conf_t  *lcf;

    if (pass->wait == 0
        || page->out
        || page->gap
        || r != r->main
        || r->method == NGX_HTTP_HEAD
        || r->post_action)
    {
        return;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);
    bus = lcf->bus;

    ngx_msgbus_count(bus, NGX_MSGBUS_COUNT_ACCEPTED, 1);
    ngx_msgbus_count(bus, NGX_MSGBUS_COUNT_RELOAD, 1);
}


/* does it end without events, and before its time, as its worker has to? */
static void
ngx_http_msgbus_wait_tally(ngx_http_msgbus_wait_hold_t *hold,
    ngx_http_msgbus_pass_t *pass)
{
    if (ngx_exiting
        && pass->waited
        && hold->page.out == NULL
        && !hold->page.gap
        && (ngx_msec_int_t) (hold->until - ngx_current_msec) > 0)
    {
        ngx_msgbus_count(hold->rh.reader->topic->lcf->bus,
                         NGX_MSGBUS_COUNT_RELOAD, 1);
    }
}


/* is there still something to wait for? */
static ngx_uint_t
ngx_http_msgbus_wait_goes_on(ngx_http_msgbus_wait_hold_t *hold,
    ngx_http_msgbus_pass_t *pass)
{
    if (hold->last || hold->page.out || hold->page.gap) {
        return 0;
    }

    if (hold->page.unsure
        && (ngx_msec_int_t) (hold->judged - ngx_current_msec) > 0)
    {
        return 1;
    }

    return pass->wait && (ngx_msec_int_t) (hold->until - ngx_current_msec) > 0;
}


/* when to do something about a held reader: answer, judge, or park */
static void
ngx_http_msgbus_wait_again(ngx_http_msgbus_wait_t *wait)
{
    ngx_msec_int_t                ms, after;
    ngx_http_msgbus_wait_hold_t  *hold;

    hold = ngx_http_msgbus_wait_hold(wait);

    ms = (ngx_msec_int_t) (hold->until - ngx_current_msec);

    if (hold->page.unsure) {
        ms = NGX_HTTP_MSGBUS_JUDGE_PERIOD;

    } else if (ngx_http_msgbus_wait_may_park(wait)) {
        after = (ngx_msec_int_t) wait->reader.topic->lcf->park_after;
        ms = ngx_min(ms, after);

        if (!hold->counted) {
            hold->counted = 1;
            ngx_http_msgbus_waits_held++;
        }

        if (ngx_http_msgbus_waits_held > NGX_HTTP_MSGBUS_WAIT_HELD) {
            ngx_post_event(wait->reader.connection->write, &ngx_posted_events);
        }
    }

    ngx_http_msgbus_deadline_set(&ngx_http_msgbus_wait_deadlines,
                                 &wait->deadline,
                                 (ngx_msec_t) ngx_max(ms, 1));
}


/*
 * Not while the store is asked; and a cursor that is to be judged is not
 * forgotten about
 */
static ngx_uint_t
ngx_http_msgbus_wait_may_park(ngx_http_msgbus_wait_t *wait)
{
    ngx_http_msgbus_pass_t  *pass;

    pass = &wait->reader.by.hold->hold.ctx->pass;

    return wait->reader.topic->lcf->park
           && wait->reader.waiter.linked
           && !wait->reader.fixed
           && pass->query.asked == 0;
}


static ngx_http_msgbus_wait_t *
ngx_http_msgbus_wait_create(ngx_http_request_t *r)
{
    ngx_http_msgbus_wait_t  *wait;

    wait = (ngx_http_msgbus_wait_t *)
               ngx_http_msgbus_reader_create(r, &ngx_http_msgbus_wait_kind);

    if (wait == NULL) {
        return NULL;
    }

    ngx_http_msgbus_wait_deadlines.handler =
                                         ngx_http_msgbus_wait_deadline_handler;

    wait->reader.waiter.wake =
                           ngx_msgbus_wake(ngx_http_msgbus_wait_wake_handler,
                                           ngx_http_msgbus_crowd_soon);

    ngx_http_msgbus_wait_init(wait);

    return wait;
}


/* what it is held with */
static void
ngx_http_msgbus_wait_init(ngx_http_msgbus_wait_t *wait)
{
    ngx_http_msgbus_wait_hold_t  *hold;

    hold = ngx_http_msgbus_wait_hold(wait);

    hold->ask.handler = ngx_http_msgbus_wait_ask_handler;
    hold->ask.data = wait;
}


static void
ngx_http_msgbus_wait_wake_handler(ngx_msgbus_waiter_t *w, uint64_t from)
{
    (void) from;

    ngx_http_msgbus_wait_look((ngx_http_msgbus_wait_t *) w, ngx_exiting);
}


/* the end of the wait; or of the time in which its request is held */
static void
ngx_http_msgbus_wait_deadline_handler(ngx_http_msgbus_deadline_t *deadline)
{
    ngx_http_msgbus_wait_t  *wait;

    wait = ngx_queue_data(deadline, ngx_http_msgbus_wait_t, deadline);

    if (!wait->reader.parked
        && ngx_http_msgbus_wait_may_park(wait)
        && ngx_http_msgbus_wait_off(wait) != NGX_DONE)
    {
        return;
    }

    ngx_msgbus_unpark(wait->reader.topic->lcf->bus, &wait->reader.waiter);

    ngx_http_msgbus_wait_look(wait, 0);
}


/* there are many: it does not wait for its turn */
static void
ngx_http_msgbus_wait_write(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_wait_t         *wait;
    ngx_http_msgbus_reader_hold_t  *rh;

    rh = (ngx_http_msgbus_reader_hold_t *) hold;
    wait = (ngx_http_msgbus_wait_t *) rh->reader;

    if (ngx_http_msgbus_waits_held > NGX_HTTP_MSGBUS_WAIT_HELD
        && ngx_http_msgbus_wait_may_park(wait))
    {
        (void) ngx_http_msgbus_wait_off(wait);
    }
}


/* parks it, or tries to; NGX_DONE: its wait is over */
static ngx_int_t
ngx_http_msgbus_wait_off(ngx_http_msgbus_wait_t *wait)
{
    ngx_int_t                     rc;
    ngx_msec_int_t                ms;
    ngx_msgbus_query_t           *query;
    ngx_http_msgbus_wait_hold_t  *hold;

    hold = ngx_http_msgbus_wait_hold(wait);
    ms = (ngx_msec_int_t) (hold->until - ngx_current_msec);

    if (ms <= 0) {
        return NGX_DONE;
    }

    query = &hold->rh.hold.ctx->pass.query;

    wait->reader.after = query->after;
    wait->reader.recent = !query->history;

    rc = ngx_http_msgbus_park(&wait->reader);

    if (rc == NGX_OK) {
        ngx_http_msgbus_deadline_set(&ngx_http_msgbus_wait_deadlines,
                                     &wait->deadline, (ngx_msec_t) ms);

    } else if (rc == NGX_ABORT) {
        ngx_http_msgbus_wait_free(&wait->reader);

    } else if (!wait->deadline.node.data) {
        ngx_http_msgbus_wait_again(wait);
    }

    return rc;
}


static void
ngx_http_msgbus_wait_exit(ngx_http_msgbus_reader_t *reader)
{
    ngx_msgbus_unpark(reader->topic->lcf->bus, &reader->waiter);

    ngx_http_msgbus_wait_look((ngx_http_msgbus_wait_t *) reader, 1);
}


/*
 * No longer the bus's: there may be events, or it is time to answer; the last
 * time answers with whatever there is.
 */
static void
ngx_http_msgbus_wait_look(ngx_http_msgbus_wait_t *wait, ngx_uint_t last)
{
    ngx_http_request_t           *r;
    ngx_http_msgbus_hold_t       *held;
    ngx_http_msgbus_wait_hold_t  *hold;

    held = ngx_http_msgbus_wait_held(wait);
    if (held == NULL) {
        return;
    }

    hold = ngx_http_msgbus_wait_hold(wait);
    hold->last = last;

    r = ngx_http_msgbus_hold_enter(held);

    ngx_http_msgbus_deadline_unset(&ngx_http_msgbus_wait_deadlines,
                                   &wait->deadline);

    ngx_http_msgbus_wait_go_on(wait,
                               ngx_http_msgbus_page(r, &held->ctx->pass,
                                                    &hold->page));
}


static void
ngx_http_msgbus_wait_ask_handler(ngx_msgbus_ask_t *ask)
{
    ngx_int_t                     rc;
    ngx_http_msgbus_wait_t       *wait;
    ngx_http_msgbus_wait_hold_t  *hold;

    wait = ask->data;
    hold = ngx_http_msgbus_wait_hold(wait);

    (void) ngx_http_msgbus_hold_enter(&hold->rh.hold);

    if (ask->rc == NGX_OK) {
        rc = ngx_msgbus_take_page(wait->reader.topic->lcf->bus, &hold->page,
                                  ask);

        ngx_http_msgbus_wait_go_on(wait, rc);
        return;
    }

    rc = ngx_http_msgbus_refuse(&hold->rh.hold.ctx->pass,
                                NGX_HTTP_SERVICE_UNAVAILABLE,
                                ask->rc == NGX_ERROR
                                ? "The store does not answer"
                                : "The store can not read what is asked for");

    ngx_http_msgbus_hold_end(&hold->rh.hold, rc);
}


/* answers, or waits again: for hidden events, or for another channel's */
static void
ngx_http_msgbus_wait_go_on(ngx_http_msgbus_wait_t *wait, ngx_int_t rc)
{
    ngx_http_msgbus_wait_hold_t  *hold;

    hold = ngx_http_msgbus_wait_hold(wait);

    rc = ngx_http_msgbus_wait_step(wait, rc);

    if (rc != NGX_AGAIN) {
        ngx_http_msgbus_hold_end(&hold->rh.hold, rc);
    }
}


/* with a request, again perhaps; or NULL: there is no reader any more */
static ngx_http_msgbus_hold_t *
ngx_http_msgbus_wait_held(ngx_http_msgbus_wait_t *wait)
{
    ngx_msec_t                    until;
    ngx_http_request_t           *r;
    ngx_http_msgbus_hold_t       *held;
    ngx_http_msgbus_wait_hold_t  *hold;

    if (!wait->reader.parked) {
        return &wait->reader.by.hold->hold;
    }

    /* one that is not set has led here */

    until = wait->deadline.node.data
            ? ngx_http_msgbus_deadline_at(&wait->deadline) : ngx_current_msec;

    held = ngx_http_msgbus_unpark(&wait->reader);

    if (held == NULL) {
        ngx_http_msgbus_wait_free(&wait->reader);
        return NULL;
    }

    hold = ngx_http_msgbus_wait_hold(wait);

    hold->until = until;
    hold->judged = ngx_current_msec + NGX_HTTP_MSGBUS_JUDGE_LIMIT;
    hold->admitted = 1;

    ngx_http_msgbus_wait_init(wait);

    r = ngx_http_msgbus_hold_enter(held);

    if (ngx_http_msgbus_wait_asked(wait, r, &held->ctx->pass) != NGX_OK) {
        ngx_http_msgbus_hold_end(held, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NULL;
    }

    return held;
}


/* what it has asked for, found in its request as at the first time */
static ngx_int_t
ngx_http_msgbus_wait_asked(ngx_http_msgbus_wait_t *wait,
    ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass)
{
    ngx_str_t               *hide;
    ngx_http_msgbus_args_t   args;

    ngx_http_msgbus_reader_query(&wait->reader, &pass->query);

    pass->history = wait->reader.topic->query.history;

    hide = &pass->query.hide;

    if (hide->len) {
        hide->data = ngx_pstrdup(r->pool, hide);
        if (hide->data == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_msgbus_args(r, &args) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) ngx_http_msgbus_jsonp_callback(r, pass, &args);
    (void) ngx_http_msgbus_query_wait(r, pass, &args);

    return NGX_OK;
}


static ngx_http_msgbus_wait_hold_t *
ngx_http_msgbus_wait_hold(ngx_http_msgbus_wait_t *wait)
{
    return (ngx_http_msgbus_wait_hold_t *) wait->reader.by.hold;
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


static void
ngx_http_msgbus_wait_leave(ngx_http_msgbus_wait_t *wait)
{
    ngx_http_msgbus_reader_leave(&wait->reader);

    ngx_msgbus_unpark(wait->reader.topic->lcf->bus, &wait->reader.waiter);

    ngx_http_msgbus_deadline_unset(&ngx_http_msgbus_wait_deadlines,
                                   &wait->deadline);
}


static void
ngx_http_msgbus_wait_free(ngx_http_msgbus_reader_t *reader)
{
    ngx_http_msgbus_wait_leave((ngx_http_msgbus_wait_t *) reader);
    ngx_http_msgbus_reader_free(reader);
}


static void
ngx_http_msgbus_wait_uncount(ngx_http_msgbus_wait_hold_t *hold)
{
    if (hold->counted) {
        hold->counted = 0;
        ngx_http_msgbus_waits_held--;
    }
}


/* it may stand here or there */
static void
ngx_http_msgbus_wait_release(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_reader_hold_t  *rh;

    rh = (ngx_http_msgbus_reader_hold_t *) hold;

    ngx_http_msgbus_wait_uncount((ngx_http_msgbus_wait_hold_t *) hold);
    ngx_msgbus_ask_forget(&((ngx_http_msgbus_wait_hold_t *) hold)->ask);

    if (rh->reader) {
        ngx_http_msgbus_wait_leave((ngx_http_msgbus_wait_t *) rh->reader);
    }
}


static void
ngx_http_msgbus_wait_destroy(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_reader_hold_t  *rh;

    rh = (ngx_http_msgbus_reader_hold_t *) hold;

    if (rh->reader) {
        ngx_http_msgbus_wait_free(rh->reader);
        rh->reader = NULL;
    }
}
