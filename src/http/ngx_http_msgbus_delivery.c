
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a stream delivers, and when.
 *
 * The reader is parked before the log is read for the first time, and stays
 * parked: whatever comes after a read wakes it.  Everything that is sent is a
 * frame, at most one at a time; what comes while one waits for the client is
 * left in the log, and counted: it is that which closes a slow reader, and
 * not memory that it would take.  So an idle stream has no buffer at all, and
 * no timer of its own: what is held for it counts a hundred thousand times.
 */


#include "ngx_http_msgbus_delivery.h"


/* frames that one stream sends before others have their turn */
#define NGX_HTTP_MSGBUS_FRAMES  8


static ngx_int_t ngx_http_msgbus_delivery_hello(
    ngx_http_msgbus_delivery_t *dl);
static void ngx_http_msgbus_delivery_wake_handler(ngx_msgbus_waiter_t *w);
static void ngx_http_msgbus_delivery_ping_handler(
    ngx_http_msgbus_ping_t *ping);
static void ngx_http_msgbus_delivery_write(ngx_http_msgbus_hold_t *hold);
static ngx_int_t ngx_http_msgbus_delivery_go_on(
    ngx_http_msgbus_delivery_t *dl);
static ngx_int_t ngx_http_msgbus_delivery_next(
    ngx_http_msgbus_delivery_t *dl);
static void ngx_http_msgbus_delivery_take(ngx_http_msgbus_delivery_t *dl,
    ngx_msgbus_frame_t *frame);
static ngx_int_t ngx_http_msgbus_delivery_ping(
    ngx_http_msgbus_delivery_t *dl);
static ngx_int_t ngx_http_msgbus_delivery_count(
    ngx_http_msgbus_delivery_t *dl);
static void ngx_http_msgbus_delivery_release(ngx_http_msgbus_hold_t *hold);
static void ngx_http_msgbus_delivery_destroy(ngx_http_msgbus_hold_t *hold);


static ngx_http_msgbus_hold_kind_t  ngx_http_msgbus_delivery_kind = {
    sizeof(ngx_http_msgbus_delivery_t),
    ngx_http_msgbus_delivery_release,
    ngx_http_msgbus_delivery_destroy,
    ngx_http_msgbus_delivery_write
};


ngx_http_msgbus_delivery_t *
ngx_http_msgbus_delivery_create(ngx_http_request_t *r)
{
    ngx_http_msgbus_delivery_t  *dl;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    dl = ngx_http_msgbus_hold_create(r, &ngx_http_msgbus_delivery_kind);
    if (dl == NULL) {
        return NULL;
    }

    dl->bus = lcf->bus;

    dl->waiter.handler = ngx_http_msgbus_delivery_wake_handler;
    dl->waiter.stays = 1;

    return dl;
}


ngx_int_t
ngx_http_msgbus_delivery_begin(ngx_http_msgbus_delivery_t *dl)
{
    ngx_http_request_t          *r;
    ngx_http_msgbus_pass_t      *pass;
    ngx_http_msgbus_loc_conf_t  *lcf;

    r = dl->hold.ctx->request;
    pass = &dl->hold.ctx->pass;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    /*
     * Parked first and read then: what is posted before the read is read,
     * what is posted after it wakes.
     */

    if (ngx_msgbus_park(dl->bus, &dl->waiter, &pass->query, r->pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    dl->parked = 1;
    dl->behind = 1;

    dl->pings = &lcf->pings;

    ngx_http_msgbus_ping_start(dl->pings, &dl->ping, lcf->ping,
                               ngx_http_msgbus_delivery_ping_handler);

    if (ngx_http_msgbus_transport_open(r, &dl->transport) == NGX_ERROR
        || ngx_http_msgbus_delivery_hello(dl) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    return ngx_http_msgbus_delivery_go_on(dl);
}


ngx_int_t
ngx_http_msgbus_delivery_close(ngx_http_msgbus_delivery_t *dl)
{
    ngx_http_msgbus_hold_release(&dl->hold);

    if (dl->transport.frame) {

        /* cut in an event: rather no end than a false one */

        return NGX_ERROR;
    }

    return ngx_http_send_special(dl->hold.ctx->request, NGX_HTTP_LAST);
}


/*
 * Read at once, whether the client takes the header or not: what "latest" is
 * does not depend on how fast he reads.
 */
static ngx_int_t
ngx_http_msgbus_delivery_hello(ngx_http_msgbus_delivery_t *dl)
{
    ngx_msgbus_frame_t      *frame;
    ngx_http_msgbus_pass_t  *pass;

    pass = &dl->hold.ctx->pass;

    frame = ngx_msgbus_hello(dl->bus, &pass->query, pass->form,
                             dl->hold.ctx->request->connection->log);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    ngx_http_msgbus_delivery_take(dl, frame);

    return NGX_OK;
}


static void
ngx_http_msgbus_delivery_wake_handler(ngx_msgbus_waiter_t *w)
{
    ngx_int_t                    rc;
    ngx_msgbus_query_t          *query;
    ngx_http_msgbus_delivery_t  *dl;

    dl = ngx_queue_data(w, ngx_http_msgbus_delivery_t, waiter);

    if (ngx_exiting) {
        ngx_http_msgbus_hold_enter(&dl->hold);
        ngx_http_msgbus_hold_end(&dl->hold, ngx_http_msgbus_delivery_close(dl));
        return;
    }

    if (!w->linked) {
        ngx_http_msgbus_hold_end(&dl->hold, NGX_ERROR);
        return;
    }

    query = &dl->hold.ctx->pass.query;

    if (!dl->behind && query->after < w->from) {

        /* nothing before it was for this reader: so it is for most others */

        query->after = w->from;
    }

    if (dl->transport.frame && dl->live) {
        rc = ngx_http_msgbus_delivery_count(dl);

    } else if (dl->behind) {

        /* it reads on by itself */

        return;

    } else {
        /* a cursor above all ids is judged again, too */

        dl->behind = query->after != ngx_msgbus_seen(dl->bus);

        rc = ngx_http_msgbus_delivery_go_on(dl);
    }

    if (rc == NGX_ERROR) {
        ngx_http_msgbus_hold_end(&dl->hold, NGX_ERROR);
    }
}


static void
ngx_http_msgbus_delivery_ping_handler(ngx_http_msgbus_ping_t *ping)
{
    ngx_http_msgbus_delivery_t  *dl;

    dl = ngx_queue_data(ping, ngx_http_msgbus_delivery_t, ping);

    if (dl->transport.frame || dl->behind) {

        /* what comes next names an id */

        return;
    }

    if (dl->hold.ctx->pass.query.after > ngx_msgbus_seen(dl->bus)) {

        /* may it be another node's?  The store has been looked at since. */

        dl->behind = 1;

        if (ngx_http_msgbus_delivery_go_on(dl) == NGX_ERROR) {
            ngx_http_msgbus_hold_end(&dl->hold, NGX_ERROR);
            return;
        }

        if (dl->transport.frame || dl->behind) {
            return;
        }
    }

    if (ngx_http_msgbus_delivery_ping(dl) == NGX_ERROR
        || ngx_http_msgbus_delivery_go_on(dl) == NGX_ERROR)
    {
        ngx_http_msgbus_hold_end(&dl->hold, NGX_ERROR);
    }
}


static void
ngx_http_msgbus_delivery_write(ngx_http_msgbus_hold_t *hold)
{
    ngx_event_t                 *wev;
    ngx_connection_t            *c;
    ngx_http_msgbus_delivery_t  *dl;

    dl = (ngx_http_msgbus_delivery_t *) hold;

    c = hold->ctx->request->connection;
    wev = c->write;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "msgbus: client of a stream timed out");

        c->timedout = 1;
        ngx_http_msgbus_hold_end(&dl->hold, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (ngx_http_msgbus_delivery_go_on(dl) == NGX_ERROR) {
        ngx_http_msgbus_hold_end(&dl->hold, NGX_ERROR);
    }
}


/*
 * Sends what there is.  NGX_OK: all of it; NGX_AGAIN: it goes on by itself
 * later; or NGX_ERROR.
 */
static ngx_int_t
ngx_http_msgbus_delivery_go_on(ngx_http_msgbus_delivery_t *dl)
{
    ngx_int_t            rc;
    ngx_uint_t           n;
    ngx_http_request_t  *r;

    r = dl->hold.ctx->request;

    for (n = 0; /* void */ ; n++) {

        rc = ngx_http_msgbus_transport_send(r, &dl->transport);

        if (rc != NGX_OK) {
            return rc;
        }

        if (!dl->behind) {
            return NGX_OK;
        }

        if (n == NGX_HTTP_MSGBUS_FRAMES) {
            ngx_post_event(r->connection->write, &ngx_posted_next_events);
            return NGX_AGAIN;
        }

        if (ngx_http_msgbus_delivery_next(dl) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


/* takes the next events from the log, of which there may be none */
static ngx_int_t
ngx_http_msgbus_delivery_next(ngx_http_msgbus_delivery_t *dl)
{
    ngx_msgbus_frame_t      *frame;
    ngx_http_msgbus_pass_t  *pass;

    pass = &dl->hold.ctx->pass;

    frame = ngx_msgbus_frame(dl->bus, &pass->query, pass->form,
                             dl->hold.ctx->request->connection->log);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    ngx_http_msgbus_delivery_take(dl, frame);

    return NGX_OK;
}


/* the frame is what is sent next, and the cursor behind it */
static void
ngx_http_msgbus_delivery_take(ngx_http_msgbus_delivery_t *dl,
    ngx_msgbus_frame_t *frame)
{
    size_t                   size;
    ngx_http_msgbus_pass_t  *pass;

    pass = &dl->hold.ctx->pass;

    pass->query.latest = 0;
    pass->query.after = frame->last_id;
    pass->events += frame->events;

    dl->behind = frame->more || frame->last_id < ngx_msgbus_seen(dl->bus);

    size = frame->last - frame->pos;

    if (dl->behind) {
        dl->waiting -= ngx_min(dl->waiting, size);

    } else {
        dl->waiting = 0;
        dl->live = 1;
    }

    if (size == 0) {
        ngx_msgbus_release(frame);
        return;
    }

    ngx_http_msgbus_transport_set(dl->hold.ctx->request, &dl->transport,
                                  frame);
}


static ngx_int_t
ngx_http_msgbus_delivery_ping(ngx_http_msgbus_delivery_t *dl)
{
    ngx_http_request_t      *r;
    ngx_msgbus_frame_t      *frame;
    ngx_http_msgbus_pass_t  *pass;

    r = dl->hold.ctx->request;
    pass = &dl->hold.ctx->pass;

    frame = ngx_msgbus_ping(dl->bus, &dl->waiter, &pass->query, pass->form,
                            r->connection->log);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    ngx_http_msgbus_transport_set(r, &dl->transport, frame);

    return NGX_OK;
}


/* what has come while a frame waits: is it too much? */
static ngx_int_t
ngx_http_msgbus_delivery_count(ngx_http_msgbus_delivery_t *dl)
{
    size_t                       rest;
    ngx_connection_t            *c;
    ngx_http_request_t          *r;
    ngx_msgbus_frame_t          *frame;
    ngx_msgbus_query_t           query;
    ngx_http_msgbus_pass_t      *pass;
    ngx_http_msgbus_loc_conf_t  *lcf;

    r = dl->hold.ctx->request;
    c = r->connection;
    pass = &dl->hold.ctx->pass;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    query = pass->query;

    if (dl->waiting) {
        query.after = ngx_max(query.after, dl->counted);
    }

    rest = dl->transport.frame->last - dl->transport.frame->pos;
    dl->behind = 1;

    while (query.after < ngx_msgbus_seen(dl->bus)) {

        frame = ngx_msgbus_frame(dl->bus, &query, pass->form, c->log);
        if (frame == NULL) {
            return NGX_ERROR;
        }

        dl->waiting += frame->last - frame->pos;
        query.after = frame->last_id;

        ngx_msgbus_release(frame);

        if (rest + dl->waiting > lcf->stream_buffer) {
            ngx_http_set_log_request(c->log, r);

            ngx_log_error(NGX_LOG_INFO, c->log, 0,
                          "msgbus closes a stream of channel \"%V\", its "
                          "client has not read %uz bytes",
                          &pass->name, rest + dl->waiting);

            return NGX_ERROR;
        }
    }

    dl->counted = query.after;

    return NGX_OK;
}


/* what the filters have of a frame stays */
static void
ngx_http_msgbus_delivery_release(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_delivery_t  *dl;

    dl = (ngx_http_msgbus_delivery_t *) hold;

    if (dl->parked) {
        ngx_msgbus_unpark(dl->bus, &dl->waiter);
        ngx_http_msgbus_ping_stop(dl->pings, &dl->ping);

        dl->parked = 0;
    }
}


/* and with the pool all that was to be sent from it */
static void
ngx_http_msgbus_delivery_destroy(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_delivery_t  *dl;

    dl = (ngx_http_msgbus_delivery_t *) hold;

    ngx_http_msgbus_transport_drop(&dl->transport);
}
