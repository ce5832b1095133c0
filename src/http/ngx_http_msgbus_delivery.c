
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a stream delivers, and when.
 *
 * The reader is the bus's before the log is read for the first time, and stays
 * so: whatever comes after a read wakes it.  Everything that is sent is a
 * frame, at most one at a time; what comes while one waits for the client is
 * left in the log, and counted: it is that which closes a slow reader, and
 * not memory that it would take.  So an idle stream has no buffer at all, and
 * no timer of its own: what is held for it counts a hundred thousand times.
 * Once there is nothing to send, not even its request is needed.
 */


#include "ngx_http_msgbus_crowd.h"
#include "ngx_http_msgbus_delivery.h"
#include "ngx_http_msgbus_park.h"


/* frames that one stream sends before others have their turn */
#define NGX_HTTP_MSGBUS_FRAMES  8


static ngx_int_t ngx_http_msgbus_delivery_hello(
    ngx_http_msgbus_delivery_t *dl);
static void ngx_http_msgbus_delivery_wake_handler(ngx_msgbus_waiter_t *w,
    uint64_t from);
static ngx_int_t ngx_http_msgbus_delivery_as_others(
    ngx_http_msgbus_delivery_t *dl);
static void ngx_http_msgbus_delivery_ping_handler(
    ngx_http_msgbus_ping_t *ping);
static void ngx_http_msgbus_delivery_hold_write(ngx_http_msgbus_hold_t *hold);
static void ngx_http_msgbus_delivery_write(ngx_http_msgbus_reader_t *reader);
static void ngx_http_msgbus_delivery_done(ngx_http_msgbus_delivery_t *dl,
    ngx_int_t rc);
static ngx_int_t ngx_http_msgbus_delivery_go_on(
    ngx_http_msgbus_delivery_t *dl);
static ngx_int_t ngx_http_msgbus_delivery_next(
    ngx_http_msgbus_delivery_t *dl);
static ngx_int_t ngx_http_msgbus_delivery_take(ngx_http_msgbus_delivery_t *dl,
    ngx_msgbus_frame_t *frame);
static ngx_int_t ngx_http_msgbus_delivery_ask(ngx_http_msgbus_delivery_t *dl);
static void ngx_http_msgbus_delivery_past_handler(
    ngx_http_msgbus_past_t *past);
static ngx_uint_t ngx_http_msgbus_delivery_asks(
    ngx_http_msgbus_delivery_t *dl);
static ngx_int_t ngx_http_msgbus_delivery_ping(
    ngx_http_msgbus_delivery_t *dl);
static ngx_int_t ngx_http_msgbus_delivery_count(
    ngx_http_msgbus_delivery_t *dl);
static void ngx_http_msgbus_delivery_query(ngx_http_msgbus_delivery_t *dl,
    ngx_msgbus_query_t *query);
static ngx_msgbus_frame_t *ngx_http_msgbus_delivery_frame(
    ngx_http_msgbus_delivery_t *dl, ngx_msgbus_query_t *query);
static ngx_int_t ngx_http_msgbus_delivery_set(ngx_http_msgbus_delivery_t *dl,
    ngx_msgbus_frame_t *frame);
static ngx_int_t ngx_http_msgbus_delivery_backlog(
    ngx_http_msgbus_delivery_t *dl);
static void ngx_http_msgbus_delivery_idle(ngx_http_msgbus_delivery_t *dl);
static ngx_msgbus_frame_t *ngx_http_msgbus_delivery_sends(
    ngx_http_msgbus_delivery_t *dl);
static ngx_msgbus_t *ngx_http_msgbus_delivery_bus(
    ngx_http_msgbus_delivery_t *dl);
static ngx_http_msgbus_hold_t *ngx_http_msgbus_delivery_held(
    ngx_http_msgbus_delivery_t *dl);
static void ngx_http_msgbus_delivery_end(ngx_http_msgbus_delivery_t *dl,
    ngx_int_t rc);
static void ngx_http_msgbus_delivery_exit(ngx_http_msgbus_reader_t *reader);
static void ngx_http_msgbus_delivery_leave(ngx_http_msgbus_delivery_t *dl);
static void ngx_http_msgbus_delivery_free(ngx_http_msgbus_reader_t *reader);
static void ngx_http_msgbus_delivery_release(ngx_http_msgbus_hold_t *hold);
static void ngx_http_msgbus_delivery_destroy(ngx_http_msgbus_hold_t *hold);


static ngx_http_msgbus_hold_kind_t  ngx_http_msgbus_delivery_hold = {
    sizeof(ngx_http_msgbus_reader_hold_t),
    ngx_http_msgbus_delivery_release,
    ngx_http_msgbus_delivery_destroy,
    ngx_http_msgbus_delivery_hold_write
};


static ngx_http_msgbus_reader_kind_t  ngx_http_msgbus_delivery_kind = {
    sizeof(ngx_http_msgbus_delivery_t),
    &ngx_http_msgbus_delivery_hold,
    ngx_http_msgbus_delivery_write,
    ngx_http_msgbus_delivery_exit,
    ngx_http_msgbus_delivery_free
};


ngx_http_msgbus_delivery_t *
ngx_http_msgbus_delivery_create(ngx_http_request_t *r)
{
    ngx_http_msgbus_delivery_t  *dl;

    dl = (ngx_http_msgbus_delivery_t *)
             ngx_http_msgbus_reader_create(r, &ngx_http_msgbus_delivery_kind);

    if (dl == NULL || ngx_http_msgbus_reader_enter(&dl->reader) != NGX_OK) {
        return NULL;
    }

    dl->reader.waiter.wake =
                       ngx_msgbus_wake(ngx_http_msgbus_delivery_wake_handler,
                                       ngx_http_msgbus_crowd_soon);
    dl->reader.waiter.stays = 1;

    return dl;
}


ngx_int_t
ngx_http_msgbus_delivery_begin(ngx_http_msgbus_delivery_t *dl)
{
    ngx_int_t                    rc;
    ngx_msgbus_query_t           query;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = dl->reader.topic->lcf;

    /*
     * Parked first and read then: what is posted before the read is read,
     * what is posted after it wakes.
     */

    ngx_http_msgbus_delivery_query(dl, &query);

    if (ngx_msgbus_park(lcf->bus, &dl->reader.waiter, &query) != NGX_OK) {
        return NGX_ERROR;
    }

    dl->reader.listed = 1;
    dl->reader.behind = 1;

    ngx_http_msgbus_ping_start(&lcf->pings, &dl->ping, lcf->ping,
                               ngx_http_msgbus_delivery_ping_handler);

    if (ngx_http_msgbus_delivery_backlog(dl) == NGX_ERROR
        || ngx_http_msgbus_transport_open(&dl->reader,
                                          &dl->backlog->transport)
           == NGX_ERROR
        || ngx_http_msgbus_delivery_hello(dl) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_msgbus_delivery_go_on(dl);

    if (rc == NGX_OK) {
        ngx_http_msgbus_delivery_idle(dl);
    }

    return rc;
}


ngx_int_t
ngx_http_msgbus_delivery_close(ngx_http_msgbus_delivery_t *dl)
{
    ngx_http_msgbus_hold_release(&dl->reader.by.hold->hold);

    if (ngx_http_msgbus_delivery_sends(dl)) {

        /* cut in an event: rather no end than a false one */

        return NGX_ERROR;
    }

    return ngx_http_msgbus_transport_end(&dl->reader);
}


/*
 * Read at once, whether the client takes the header or not: what "latest" is
 * does not depend on how fast he reads.
 */
static ngx_int_t
ngx_http_msgbus_delivery_hello(ngx_http_msgbus_delivery_t *dl)
{
    ngx_msgbus_frame_t  *frame;
    ngx_msgbus_query_t   query;

    ngx_http_msgbus_delivery_query(dl, &query);

    frame = ngx_msgbus_hello(ngx_http_msgbus_delivery_bus(dl), &query,
                             dl->reader.topic->form,
                             dl->reader.connection->log);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    dl->backlog->asked = query.asked;

    return ngx_http_msgbus_delivery_take(dl, frame);
}


static void
ngx_http_msgbus_delivery_wake_handler(ngx_msgbus_waiter_t *w, uint64_t from)
{
    uint64_t                     seen;
    ngx_int_t                    rc;
    ngx_http_msgbus_delivery_t  *dl;

    dl = (ngx_http_msgbus_delivery_t *) w;

    if (ngx_exiting) {
        ngx_http_msgbus_delivery_exit(&dl->reader);
        return;
    }

    if (!w->linked) {
        ngx_http_msgbus_delivery_end(dl, NGX_ERROR);
        return;
    }

    if (!dl->reader.behind && dl->reader.after < from) {

        /* nothing before it was for this reader: so it is for most others */

        dl->reader.after = from;
    }

    if (dl->reader.parked && !dl->reader.behind && dl->backlog == NULL
        && ngx_http_msgbus_delivery_as_others(dl) != NGX_DECLINED)
    {
        return;
    }

    if (ngx_http_msgbus_delivery_sends(dl) && dl->reader.live) {
        rc = ngx_http_msgbus_delivery_count(dl);

        if (rc == NGX_OK) {
            return;
        }

    } else if (dl->reader.behind) {

        /* it reads on by itself */

        return;

    } else {
        /* a cursor above all ids is judged again, too */

        seen = ngx_msgbus_seen(ngx_http_msgbus_delivery_bus(dl));
        dl->reader.behind = (dl->reader.after != seen);

        rc = ngx_http_msgbus_delivery_go_on(dl);
    }

    ngx_http_msgbus_delivery_done(dl, rc);
}


/* NGX_DECLINED: nothing was done */
static ngx_int_t
ngx_http_msgbus_delivery_as_others(ngx_http_msgbus_delivery_t *dl)
{
    size_t               sent;
    ngx_int_t            rc;
    ngx_msgbus_frame_t  *frame;

    rc = ngx_http_msgbus_crowd_send(&dl->reader, &frame, &sent);

    if (rc == NGX_OK || rc == NGX_DECLINED) {
        return rc;
    }

    if (rc == NGX_AGAIN) {
        frame->owners++;
        rc = ngx_http_msgbus_delivery_take(dl, frame);

        if (rc == NGX_OK) {
            dl->backlog->transport.pos += sent;
            rc = ngx_http_msgbus_delivery_go_on(dl);
        }
    }

    ngx_http_msgbus_delivery_done(dl, rc);

    return NGX_OK;
}


static void
ngx_http_msgbus_delivery_ping_handler(ngx_http_msgbus_ping_t *ping)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_delivery_t  *dl;

    dl = ngx_queue_data(ping, ngx_http_msgbus_delivery_t, ping);

    if (ngx_http_msgbus_delivery_sends(dl)
        || (dl->reader.behind && !ngx_http_msgbus_delivery_asks(dl)))
    {
        /* what comes next names an id */

        return;
    }

    if (!dl->reader.behind
        && dl->reader.after > ngx_msgbus_seen(ngx_http_msgbus_delivery_bus(dl)))
    {

        /* may it be another node's?  The store has been looked at since. */

        dl->reader.behind = 1;

        if (ngx_http_msgbus_delivery_go_on(dl) == NGX_ERROR) {
            ngx_http_msgbus_delivery_end(dl, NGX_ERROR);
            return;
        }

        if (ngx_http_msgbus_delivery_sends(dl) || dl->reader.behind) {
            return;
        }
    }

    rc = ngx_http_msgbus_delivery_ping(dl);

    if (rc == NGX_OK) {
        rc = ngx_http_msgbus_delivery_go_on(dl);
    }

    ngx_http_msgbus_delivery_done(dl, rc);
}


static void
ngx_http_msgbus_delivery_hold_write(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_reader_hold_t  *rh;

    rh = (ngx_http_msgbus_reader_hold_t *) hold;

    ngx_http_msgbus_delivery_write(rh->reader);
}


static void
ngx_http_msgbus_delivery_write(ngx_http_msgbus_reader_t *reader)
{
    ngx_int_t                    rc;
    ngx_connection_t            *c;
    ngx_http_msgbus_delivery_t  *dl;

    dl = (ngx_http_msgbus_delivery_t *) reader;

    c = reader->connection;

    if (c->write->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "msgbus: client of a stream timed out");

        c->timedout = 1;
        ngx_msgbus_count(ngx_http_msgbus_delivery_bus(dl),
                         NGX_MSGBUS_COUNT_SLOW, 1);
        ngx_http_msgbus_delivery_end(dl, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    rc = ngx_http_msgbus_delivery_go_on(dl);

    if (rc != NGX_OK || reader->parked) {
        ngx_http_msgbus_delivery_done(dl, rc);
        return;
    }

    if (reader->fixed) {
        return;
    }

    /* nothing is left to do for its request */

    rc = ngx_http_msgbus_park(reader);

    if (rc == NGX_ABORT) {
        ngx_http_msgbus_delivery_free(reader);

    } else if (rc == NGX_OK && dl->backlog) {

        /* the way through the filters has gone with it */

        dl->backlog->transport.out = NULL;
        ngx_http_msgbus_delivery_idle(dl);
    }
}


/* what there was to send has been sent, or waits, or can not be sent */
static void
ngx_http_msgbus_delivery_done(ngx_http_msgbus_delivery_t *dl, ngx_int_t rc)
{
    if (rc == NGX_ERROR) {
        ngx_http_msgbus_delivery_end(dl, NGX_ERROR);

    } else if (rc == NGX_OK) {
        ngx_http_msgbus_delivery_idle(dl);
    }
}


/*
 * Sends what there is.  NGX_OK: all of it; NGX_AGAIN: it goes on by itself
 * later; or NGX_ERROR.
 */
static ngx_int_t
ngx_http_msgbus_delivery_go_on(ngx_http_msgbus_delivery_t *dl)
{
    ngx_int_t   rc;
    ngx_uint_t  n;

    for (n = 0; /* void */ ; n++) {

        if (dl->backlog) {
            rc = ngx_http_msgbus_transport_send(&dl->reader,
                                                &dl->backlog->transport);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        if (!dl->reader.behind) {
            return NGX_OK;
        }

        if (ngx_http_msgbus_delivery_asks(dl)) {
            return NGX_AGAIN;
        }

        if (n == NGX_HTTP_MSGBUS_FRAMES) {
            ngx_post_event(dl->reader.connection->write,
                           &ngx_posted_next_events);
            return NGX_AGAIN;
        }

        if (ngx_http_msgbus_delivery_next(dl) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


/* takes the next events, of which there may be none: the store's, the log's */
static ngx_int_t
ngx_http_msgbus_delivery_next(ngx_http_msgbus_delivery_t *dl)
{
    ngx_msgbus_frame_t  *frame;
    ngx_msgbus_query_t   query;

    ngx_http_msgbus_delivery_query(dl, &query);

    if (dl->backlog && dl->backlog->past && dl->backlog->past->ready) {
        frame = ngx_http_msgbus_past_take(dl->backlog->past, &query,
                                          dl->reader.topic->form);

    } else {
        frame = ngx_http_msgbus_delivery_frame(dl, &query);
    }

    if (frame == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_msgbus_delivery_take(dl, frame);
}


/* the frame is what is sent next, and the cursor behind it */
static ngx_int_t
ngx_http_msgbus_delivery_take(ngx_http_msgbus_delivery_t *dl,
    ngx_msgbus_frame_t *frame)
{
    size_t                      size;
    ngx_int_t                   rc;
    ngx_uint_t                  lost;
    ngx_http_msgbus_backlog_t  *backlog;

    lost = frame->lost;

    dl->reader.after = frame->last_id;
    dl->reader.events += (uint32_t) frame->events;

    if (dl->reader.after) {
        dl->reader.recent = 0;
    }

    if (!dl->reader.parked) {
        dl->reader.by.hold->hold.ctx->pass.events = dl->reader.events;
    }

    dl->reader.behind = frame->more
                        || frame->last_id
                           < ngx_msgbus_seen(ngx_http_msgbus_delivery_bus(dl));

    size = frame->last - frame->pos;
    backlog = dl->backlog;

    if (backlog
        && dl->reader.after
           <= ngx_msgbus_seen(ngx_http_msgbus_delivery_bus(dl)))
    {
        backlog->asked = 0;
    }

    if (dl->reader.behind) {

        if (backlog) {
            backlog->waiting -= ngx_min(backlog->waiting, size);
        }

    } else {

        if (backlog) {
            backlog->waiting = 0;
        }

        dl->reader.live = 1;
    }

    rc = NGX_OK;

    if (size == 0) {
        ngx_msgbus_release(frame);

    } else {
        rc = ngx_http_msgbus_delivery_set(dl, frame);
    }

    return rc == NGX_OK && lost ? ngx_http_msgbus_delivery_ask(dl) : rc;
}


/*
 * The log has lost what comes next: the store is asked, for one page after the
 * other, and each time what went before has been sent.
 */
static ngx_int_t
ngx_http_msgbus_delivery_ask(ngx_http_msgbus_delivery_t *dl)
{
    ngx_msgbus_query_t       query;
    ngx_http_msgbus_past_t  *past;

    if (ngx_http_msgbus_delivery_backlog(dl) != NGX_OK) {
        return NGX_ERROR;
    }

    past = ngx_http_msgbus_backlog_past(dl->backlog,
                                        dl->reader.connection->log);
    if (past == NULL) {
        return NGX_ERROR;
    }

    past->bus = ngx_http_msgbus_delivery_bus(dl);
    past->handler = ngx_http_msgbus_delivery_past_handler;
    past->data = dl;

    ngx_http_msgbus_delivery_query(dl, &query);
    ngx_http_msgbus_past_ask(past, &query);

    return NGX_OK;
}


static void
ngx_http_msgbus_delivery_past_handler(ngx_http_msgbus_past_t *past)
{
    ngx_http_request_t          *r;
    ngx_http_msgbus_delivery_t  *dl;

    dl = past->data;
    r = ngx_http_msgbus_reader_request(&dl->reader);

    if (r) {
        ngx_http_set_log_request(r->connection->log, r);
    }

    ngx_http_msgbus_delivery_done(dl, ngx_http_msgbus_delivery_go_on(dl));
}


static ngx_uint_t
ngx_http_msgbus_delivery_asks(ngx_http_msgbus_delivery_t *dl)
{
    return dl->backlog && dl->backlog->past && dl->backlog->past->asking;
}


static ngx_int_t
ngx_http_msgbus_delivery_ping(ngx_http_msgbus_delivery_t *dl)
{
    ngx_msgbus_frame_t  *frame;
    ngx_msgbus_query_t   query;

    ngx_http_msgbus_delivery_query(dl, &query);

    /* one who reads on has not seen what others have */

    frame = ngx_msgbus_ping(ngx_http_msgbus_delivery_bus(dl),
                            dl->reader.behind ? NULL : &dl->reader.waiter,
                            &query, dl->reader.topic->form,
                            dl->reader.connection->log);

    return frame ? ngx_http_msgbus_delivery_set(dl, frame) : NGX_ERROR;
}


/* what has come while a frame waits: is it too much? */
static ngx_int_t
ngx_http_msgbus_delivery_count(ngx_http_msgbus_delivery_t *dl)
{
    size_t                      rest;
    ngx_msgbus_frame_t         *frame;
    ngx_msgbus_query_t          query;
    ngx_http_msgbus_topic_t    *topic;
    ngx_http_msgbus_backlog_t  *backlog;

    topic = dl->reader.topic;
    backlog = dl->backlog;

    /* it counts what memory has: of the rest there may be any number */

    ngx_http_msgbus_delivery_query(dl, &query);
    query.history = 0;

    if (backlog->waiting) {
        query.after = ngx_max(query.after, backlog->counted);
    }

    rest = backlog->transport.frame->last - backlog->transport.frame->pos;
    dl->reader.behind = 1;

    while (query.after < ngx_msgbus_seen(topic->lcf->bus)) {

        frame = ngx_http_msgbus_delivery_frame(dl, &query);
        if (frame == NULL) {
            return NGX_ERROR;
        }

        backlog->waiting += frame->last - frame->pos;
        query.after = frame->last_id;

        ngx_msgbus_release(frame);

        if (rest + backlog->waiting > topic->lcf->stream_buffer) {
            ngx_http_msgbus_reader_slow(&dl->reader, rest + backlog->waiting);

            return NGX_ERROR;
        }
    }

    backlog->counted = query.after;

    return NGX_OK;
}


static void
ngx_http_msgbus_delivery_query(ngx_http_msgbus_delivery_t *dl,
    ngx_msgbus_query_t *query)
{
    ngx_http_msgbus_reader_query(&dl->reader, query);

    if (dl->backlog) {
        query->asked = dl->backlog->asked;
    }
}


/* the next events for a query; or NULL */
static ngx_msgbus_frame_t *
ngx_http_msgbus_delivery_frame(ngx_http_msgbus_delivery_t *dl,
    ngx_msgbus_query_t *query)
{
    ngx_msgbus_frame_t  *frame;

    frame = ngx_msgbus_frame(ngx_http_msgbus_delivery_bus(dl), query,
                             dl->reader.topic->form,
                             dl->reader.connection->log);

    /* since when it has been waiting for a look at the store is to stay */

    if (frame && query->asked) {

        if (ngx_http_msgbus_delivery_backlog(dl) != NGX_OK) {
            ngx_msgbus_release(frame);
            return NULL;
        }

        dl->backlog->asked = query->asked;
    }

    return frame;
}


/* the frame becomes what is sent, or is released */
static ngx_int_t
ngx_http_msgbus_delivery_set(ngx_http_msgbus_delivery_t *dl,
    ngx_msgbus_frame_t *frame)
{
    if (ngx_http_msgbus_delivery_backlog(dl) != NGX_OK) {
        ngx_msgbus_release(frame);
        return NGX_ERROR;
    }

    ngx_http_msgbus_transport_set(&dl->reader, &dl->backlog->transport, frame);

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_delivery_backlog(ngx_http_msgbus_delivery_t *dl)
{
    if (dl->backlog) {
        return NGX_OK;
    }

    dl->backlog = ngx_http_msgbus_backlog(dl->reader.connection->log);

    return dl->backlog ? NGX_OK : NGX_ERROR;
}


/*
 * All was sent: what was needed for that goes.  A request that may be given up
 * is, when the event that has led here is done with.
 */
static void
ngx_http_msgbus_delivery_idle(ngx_http_msgbus_delivery_t *dl)
{
    ngx_http_msgbus_backlog_t  *backlog;

    backlog = dl->backlog;

    if (!dl->reader.parked && !dl->reader.fixed) {
        ngx_post_event(dl->reader.connection->write, &ngx_posted_events);
    }

    if (backlog && backlog->transport.out == NULL && backlog->asked == 0) {
        ngx_http_msgbus_backlog_free(backlog);
        dl->backlog = NULL;
    }
}


/* the frame that is being sent; NULL: none */
static ngx_msgbus_frame_t *
ngx_http_msgbus_delivery_sends(ngx_http_msgbus_delivery_t *dl)
{
    return dl->backlog ? dl->backlog->transport.frame : NULL;
}


static ngx_msgbus_t *
ngx_http_msgbus_delivery_bus(ngx_http_msgbus_delivery_t *dl)
{
    return dl->reader.topic->lcf->bus;
}


/* with a request, again perhaps; or NULL: there is no reader any more */
static ngx_http_msgbus_hold_t *
ngx_http_msgbus_delivery_held(ngx_http_msgbus_delivery_t *dl)
{
    ngx_http_msgbus_hold_t  *hold;

    if (!dl->reader.parked) {
        return &dl->reader.by.hold->hold;
    }

    hold = ngx_http_msgbus_unpark(&dl->reader);

    if (hold == NULL) {
        ngx_http_msgbus_delivery_free(&dl->reader);
    }

    return hold;
}


static void
ngx_http_msgbus_delivery_end(ngx_http_msgbus_delivery_t *dl, ngx_int_t rc)
{
    ngx_http_msgbus_hold_t  *hold;

    hold = ngx_http_msgbus_delivery_held(dl);

    if (hold) {
        ngx_http_msgbus_hold_end(hold, rc);
    }
}


static void
ngx_http_msgbus_delivery_exit(ngx_http_msgbus_reader_t *reader)
{
    ngx_http_msgbus_hold_t      *hold;
    ngx_http_msgbus_delivery_t  *dl;

    dl = (ngx_http_msgbus_delivery_t *) reader;

    ngx_msgbus_count(ngx_http_msgbus_delivery_bus(dl),
                     NGX_MSGBUS_COUNT_RELOAD, 1);

    hold = ngx_http_msgbus_delivery_held(dl);

    if (hold) {
        ngx_http_msgbus_hold_enter(hold);
        ngx_http_msgbus_hold_end(hold, ngx_http_msgbus_delivery_close(dl));
    }
}


static void
ngx_http_msgbus_delivery_leave(ngx_http_msgbus_delivery_t *dl)
{
    ngx_http_msgbus_loc_conf_t  *lcf;

    ngx_http_msgbus_reader_leave(&dl->reader);

    if (dl->reader.listed) {
        lcf = dl->reader.topic->lcf;

        ngx_msgbus_unpark(lcf->bus, &dl->reader.waiter);
        ngx_http_msgbus_ping_stop(&lcf->pings, &dl->ping);

        dl->reader.listed = 0;
    }

    if (dl->backlog && dl->backlog->past) {
        ngx_http_msgbus_past_forget(dl->backlog->past);
    }
}


static void
ngx_http_msgbus_delivery_free(ngx_http_msgbus_reader_t *reader)
{
    ngx_http_msgbus_delivery_t  *dl;

    dl = (ngx_http_msgbus_delivery_t *) reader;

    ngx_http_msgbus_delivery_leave(dl);

    if (dl->backlog) {
        ngx_http_msgbus_transport_drop(&dl->backlog->transport);
        ngx_http_msgbus_backlog_free(dl->backlog);
    }

    ngx_http_msgbus_reader_free(reader);
}


/* what the filters have of a frame stays */
static void
ngx_http_msgbus_delivery_release(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_reader_hold_t  *rh;

    rh = (ngx_http_msgbus_reader_hold_t *) hold;

    if (rh->reader) {
        ngx_http_msgbus_delivery_leave((ngx_http_msgbus_delivery_t *)
                                       rh->reader);
    }
}


/* and with the pool all that was to be sent from it */
static void
ngx_http_msgbus_delivery_destroy(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_reader_hold_t  *rh;

    rh = (ngx_http_msgbus_reader_hold_t *) hold;

    if (rh->reader) {
        ngx_http_msgbus_delivery_free(rh->reader);
        rh->reader = NULL;
    }
}
