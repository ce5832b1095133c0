
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Streams: an answer that goes on, as SSE or NDJSON.
 *
 * The reader is parked before the log is read for the first time, and stays
 * parked: whatever comes after a read wakes it.  Everything that is sent is a
 * frame, at most one at a time; what comes while one waits for the client is
 * left in the log, and counted: it is that which closes a slow reader, and
 * not memory that it would take.  So an idle stream has no buffer at all.
 *
 * A frame goes to the socket as it is, with its chunk around it, if no filter
 * has asked to see bodies and no protocol is in between; else through the
 * filters, in which case r->pool does not grow with it either.  What is held
 * for a stream counts a hundred thousand times: it has no timer of its own,
 * and no buffers where it needs none.
 */


#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_hold.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_stream.h"


/* frames that one stream sends before others have their turn */
#define NGX_HTTP_MSGBUS_FRAMES  8


typedef struct {
    ngx_http_msgbus_hold_t   hold;         /* ctx's query has the cursor */
    ngx_msgbus_waiter_t      waiter;
    ngx_http_msgbus_ping_t   ping;
    ngx_http_msgbus_pings_t *pings;

    ngx_msgbus_t            *bus;

    ngx_msgbus_frame_t      *frame;        /* being sent, or NULL */
    u_char                  *pos;          /* in it; not by the filters */
    ngx_chain_t             *out;          /* NULL: not by the filters */

    size_t                   waiting;      /* bytes in the log behind it, */
    uint64_t                 counted;      /*   up to this id */

    unsigned                 form:1;       /* NGX_MSGBUS_SSE, _NDJSON */
    unsigned                 parked:1;
    unsigned                 behind:1;     /* the log may have more for it */
    unsigned                 live:1;       /* it was not, once */
    unsigned                 told:1;       /* something with an id */
    unsigned                 passed:1;     /* frame was given to the filters */
} ngx_http_msgbus_stream_t;


static ngx_int_t ngx_http_msgbus_stream_headers(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);
static ngx_http_msgbus_stream_t *ngx_http_msgbus_stream_create(
    ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass);
static ngx_int_t ngx_http_msgbus_stream_begin(ngx_http_msgbus_stream_t *st);
static ngx_int_t ngx_http_msgbus_stream_open(ngx_http_msgbus_stream_t *st);
static ngx_uint_t ngx_http_msgbus_stream_is_filtered(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_stream_hello(ngx_http_msgbus_stream_t *st);
static void ngx_http_msgbus_stream_wake_handler(ngx_msgbus_waiter_t *w);
static void ngx_http_msgbus_stream_ping_handler(ngx_http_msgbus_ping_t *ping);
static void ngx_http_msgbus_stream_write(ngx_http_msgbus_hold_t *hold);
static ngx_int_t ngx_http_msgbus_stream_go_on(ngx_http_msgbus_stream_t *st);
static ngx_int_t ngx_http_msgbus_stream_flush(ngx_http_msgbus_stream_t *st);
static ngx_int_t ngx_http_msgbus_stream_next(ngx_http_msgbus_stream_t *st);
static ngx_int_t ngx_http_msgbus_stream_ping(ngx_http_msgbus_stream_t *st);
static ngx_int_t ngx_http_msgbus_stream_count(ngx_http_msgbus_stream_t *st);
static void ngx_http_msgbus_stream_set(ngx_http_msgbus_stream_t *st,
    ngx_msgbus_frame_t *frame);
static ngx_int_t ngx_http_msgbus_stream_send(ngx_http_msgbus_stream_t *st);
static ngx_int_t ngx_http_msgbus_stream_filter(ngx_http_msgbus_stream_t *st);
static ngx_int_t ngx_http_msgbus_stream_blocked(
    ngx_http_msgbus_stream_t *st);
static void ngx_http_msgbus_stream_end(ngx_http_msgbus_stream_t *st,
    ngx_int_t rc);
static void ngx_http_msgbus_stream_release(ngx_http_msgbus_hold_t *hold);
static void ngx_http_msgbus_stream_destroy(ngx_http_msgbus_hold_t *hold);


static ngx_http_msgbus_hold_kind_t  ngx_http_msgbus_stream_kind = {
    sizeof(ngx_http_msgbus_stream_t),
    ngx_http_msgbus_stream_release,
    ngx_http_msgbus_stream_destroy,
    ngx_http_msgbus_stream_write
};


ngx_int_t
ngx_http_msgbus_stream(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_stream_t    *st;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (r->method != NGX_HTTP_HEAD
        && lcf->max_waiters
        && ngx_msgbus_parked(lcf->bus) >= lcf->max_waiters)
    {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "Too many readers wait");
    }

    if (ngx_http_msgbus_stream_headers(r, pass) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    st = NULL;

    if (r->method != NGX_HTTP_HEAD) {
        st = ngx_http_msgbus_stream_create(r, pass);
        if (st == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    pass->replied = 1;
    pass->read = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only || st == NULL) {
        return rc;
    }

    rc = ngx_http_msgbus_stream_begin(st);

    if (rc == NGX_ERROR) {
        ngx_http_msgbus_hold_release(&st->hold);
        return NGX_ERROR;
    }

    if (ngx_exiting) {

        /* it comes back, to another worker */

        ngx_http_msgbus_hold_release(&st->hold);

        return st->frame ? NGX_ERROR
                         : ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    return ngx_http_msgbus_hold(&st->hold);
}


static ngx_int_t
ngx_http_msgbus_stream_headers(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass)
{
    static ngx_str_t  no_cache = ngx_string("no-cache");
    static ngx_str_t  vary = ngx_string("Accept, User-Agent");
    static ngx_str_t  no = ngx_string("no");

    if (ngx_http_msgbus_add_header(r, "Cache-Control", &no_cache) != NGX_OK
        || ngx_http_msgbus_add_header(r, "Vary", &vary) != NGX_OK
        || ngx_http_msgbus_add_header(r, "X-Accel-Buffering", &no) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;

    ngx_http_msgbus_content_type(r, pass->form == NGX_HTTP_MSGBUS_SSE
                                    ? "text/event-stream"
                                    : "application/x-ndjson");

    r->disable_not_modified = 1;

#if (NGX_HTTP_GZIP)

    /* its buffers would keep events back */

    r->gzip_tested = 1;
    r->gzip_ok = 0;

#endif

    return NGX_OK;
}


static ngx_http_msgbus_stream_t *
ngx_http_msgbus_stream_create(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass)
{
    ngx_http_msgbus_stream_t    *st;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    st = ngx_http_msgbus_hold_create(r, &ngx_http_msgbus_stream_kind);
    if (st == NULL) {
        return NULL;
    }

    st->bus = lcf->bus;
    st->form = pass->form == NGX_HTTP_MSGBUS_SSE ? NGX_MSGBUS_SSE
                                                : NGX_MSGBUS_NDJSON;

    st->waiter.handler = ngx_http_msgbus_stream_wake_handler;
    st->waiter.stays = 1;

    return st;
}


/* the header is on its way; the first bytes go out with it */
static ngx_int_t
ngx_http_msgbus_stream_begin(ngx_http_msgbus_stream_t *st)
{
    ngx_connection_t            *c;
    ngx_http_request_t          *r;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_msgbus_loc_conf_t  *lcf;

    r = st->hold.ctx->request;
    c = r->connection;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (clcf->tcp_nodelay && ngx_tcp_nodelay(c) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * Parked first and read then: what is posted before the read is read,
     * what is posted after it wakes.
     */

    if (ngx_msgbus_park(st->bus, &st->waiter, &st->hold.ctx->pass.query,
                        r->pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    st->parked = 1;
    st->behind = 1;

    st->pings = &lcf->pings;

    ngx_http_msgbus_ping_start(st->pings, &st->ping, lcf->ping,
                               ngx_http_msgbus_stream_ping_handler);

    if (ngx_http_msgbus_stream_open(st) == NGX_ERROR
        || ngx_http_msgbus_stream_hello(st) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    return ngx_http_msgbus_stream_go_on(st);
}


/* sends the header, and finds how frames are to be sent */
static ngx_int_t
ngx_http_msgbus_stream_open(ngx_http_msgbus_stream_t *st)
{
    ngx_buf_t           *b;
    ngx_http_request_t  *r;

    r = st->hold.ctx->request;

    if (!ngx_http_msgbus_stream_is_filtered(r)) {

        if (r->out && ngx_http_write_filter(r, NULL) == NGX_ERROR) {
            return NGX_ERROR;
        }

        /* limit_rate is known since */

        if (r->limit_rate == 0) {
            return NGX_OK;
        }

    } else if (st->form == NGX_MSGBUS_NDJSON
               && ngx_http_send_special(r, NGX_HTTP_FLUSH) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    st->out = ngx_alloc_chain_link(r->pool);
    b = ngx_calloc_buf(r->pool);

    if (st->out == NULL || b == NULL) {
        return NGX_ERROR;
    }

    b->memory = 1;
    b->flush = 1;
    b->tag = (ngx_buf_tag_t) &ngx_http_msgbus_module;

    st->out->buf = b;
    st->out->next = NULL;

    return NGX_OK;
}


/* or may frames go to the socket as they are? */
static ngx_uint_t
ngx_http_msgbus_stream_is_filtered(ngx_http_request_t *r)
{
    /*
     * Not by the macros of HTTP/2, HTTP/3 and TLS: a module that was built
     * with --with-compat alone does not have them, and runs in an nginx that
     * has all three.  The fields are there in each.
     */

    if (r->stream || r->http_version > NGX_HTTP_VERSION_11) {
        return 1;
    }

#if (NGX_SSL || NGX_COMPAT)

    if (r->connection->ssl) {
        return 1;
    }

#endif

    /*
     * whoever wants to see bodies asks to have them in memory; the one that
     * puts other answers around them, to have that of the client preserved
     */

    return r->filter_need_in_memory
           || r->filter_need_temporary
           || r->main_filter_need_in_memory
           || r->preserve_body
           || r->buffered
           || r->postponed;
}


static ngx_int_t
ngx_http_msgbus_stream_hello(ngx_http_msgbus_stream_t *st)
{
    ngx_msgbus_frame_t  *frame;

    if (st->form == NGX_MSGBUS_NDJSON) {
        return NGX_OK;
    }

    frame = ngx_msgbus_frame_hello(st->hold.ctx->request->connection->log);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    ngx_http_msgbus_stream_set(st, frame);

    return NGX_OK;
}


static void
ngx_http_msgbus_stream_wake_handler(ngx_msgbus_waiter_t *w)
{
    ngx_int_t                  rc;
    ngx_msgbus_query_t        *query;
    ngx_http_msgbus_stream_t  *st;

    st = ngx_queue_data(w, ngx_http_msgbus_stream_t, waiter);

    if (ngx_exiting) {
        ngx_http_msgbus_stream_end(st, st->frame ? NGX_ERROR : NGX_OK);
        return;
    }

    if (!w->linked) {
        ngx_http_msgbus_stream_end(st, NGX_ERROR);
        return;
    }

    query = &st->hold.ctx->pass.query;

    if (!st->behind && query->after < w->from) {

        /* nothing before it was for this reader: so it is for most others */

        query->after = w->from;
    }

    if (st->frame && st->live) {
        rc = ngx_http_msgbus_stream_count(st);

    } else if (st->behind) {

        /* it reads on by itself */

        return;

    } else {
        st->behind = query->after < ngx_msgbus_seen(st->bus);

        rc = ngx_http_msgbus_stream_go_on(st);
    }

    if (rc == NGX_ERROR) {
        ngx_http_msgbus_stream_end(st, NGX_ERROR);
    }
}


static void
ngx_http_msgbus_stream_ping_handler(ngx_http_msgbus_ping_t *ping)
{
    ngx_http_msgbus_stream_t  *st;

    st = ngx_queue_data(ping, ngx_http_msgbus_stream_t, ping);

    if (st->frame || st->behind) {

        /* what comes next names an id */

        return;
    }

    if (ngx_http_msgbus_stream_ping(st) == NGX_ERROR
        || ngx_http_msgbus_stream_go_on(st) == NGX_ERROR)
    {
        ngx_http_msgbus_stream_end(st, NGX_ERROR);
    }
}


static void
ngx_http_msgbus_stream_write(ngx_http_msgbus_hold_t *hold)
{
    ngx_event_t               *wev;
    ngx_connection_t          *c;
    ngx_http_msgbus_stream_t  *st;

    st = (ngx_http_msgbus_stream_t *) hold;

    c = hold->ctx->request->connection;
    wev = c->write;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "msgbus: client of a stream timed out");

        c->timedout = 1;
        ngx_http_msgbus_stream_end(st, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (ngx_http_msgbus_stream_go_on(st) == NGX_ERROR) {
        ngx_http_msgbus_stream_end(st, NGX_ERROR);
    }
}


/*
 * Sends what there is.  NGX_OK: all of it; NGX_AGAIN: it goes on by itself
 * later; or NGX_ERROR.
 */
static ngx_int_t
ngx_http_msgbus_stream_go_on(ngx_http_msgbus_stream_t *st)
{
    ngx_int_t   rc;
    ngx_uint_t  n;

    if (st->hold.ctx->request->out && (st->frame == NULL || st->out == NULL)) {
        rc = ngx_http_msgbus_stream_flush(st);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    for (n = 0; /* void */ ; n++) {

        if (st->frame) {
            rc = ngx_http_msgbus_stream_send(st);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        if (!st->behind) {
            return NGX_OK;
        }

        if (n == NGX_HTTP_MSGBUS_FRAMES) {
            ngx_post_event(st->hold.ctx->request->connection->write,
                           &ngx_posted_next_events);
            return NGX_AGAIN;
        }

        if (ngx_http_msgbus_stream_next(st) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


/* the header, which the socket did not take */
static ngx_int_t
ngx_http_msgbus_stream_flush(ngx_http_msgbus_stream_t *st)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = st->hold.ctx->request;

    rc = st->out ? ngx_http_output_filter(r, NULL)
                 : ngx_http_write_filter(r, NULL);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    return r->out ? ngx_http_msgbus_stream_blocked(st) : NGX_OK;
}


/* takes the next events from the log, of which there may be none */
static ngx_int_t
ngx_http_msgbus_stream_next(ngx_http_msgbus_stream_t *st)
{
    size_t               size;
    ngx_msgbus_frame_t  *frame;
    ngx_msgbus_query_t  *query;

    query = &st->hold.ctx->pass.query;

    frame = ngx_msgbus_frame(st->bus, query, st->form,
                             st->hold.ctx->request->connection->log);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    query->latest = 0;
    query->after = frame->last_id;
    st->hold.ctx->pass.events += frame->events;

    st->behind = frame->more || frame->last_id < ngx_msgbus_seen(st->bus);

    size = frame->last - frame->pos;

    if (st->behind) {
        st->waiting -= ngx_min(st->waiting, size);

    } else {
        st->waiting = 0;
        st->live = 1;
    }

    if (size) {
        st->told = 1;
        ngx_http_msgbus_stream_set(st, frame);
        return NGX_OK;
    }

    ngx_msgbus_frame_release(frame);

    if (st->behind || st->told) {
        return NGX_OK;
    }

    /* a reader who comes back without having got an event knows where from */

    return ngx_http_msgbus_stream_ping(st);
}


static ngx_int_t
ngx_http_msgbus_stream_ping(ngx_http_msgbus_stream_t *st)
{
    uint64_t             id;
    ngx_msgbus_frame_t  *frame;

    id = st->hold.ctx->pass.query.after;

    if (!ngx_msgbus_waiter_is_due(&st->waiter)) {
        id = ngx_max(id, ngx_msgbus_seen(st->bus));
    }

    frame = ngx_msgbus_frame_ping(id, st->form,
                                  st->hold.ctx->request->connection->log);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    st->told = 1;
    ngx_http_msgbus_stream_set(st, frame);

    return NGX_OK;
}


/* what has come while a frame waits: is it too much? */
static ngx_int_t
ngx_http_msgbus_stream_count(ngx_http_msgbus_stream_t *st)
{
    size_t                       rest;
    ngx_connection_t            *c;
    ngx_http_request_t          *r;
    ngx_msgbus_frame_t          *frame;
    ngx_msgbus_query_t           query;
    ngx_http_msgbus_loc_conf_t  *lcf;

    r = st->hold.ctx->request;
    c = r->connection;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    query = st->hold.ctx->pass.query;

    if (st->waiting) {
        query.after = ngx_max(query.after, st->counted);
    }

    rest = st->frame->last - st->frame->pos;
    st->behind = 1;

    while (query.after < ngx_msgbus_seen(st->bus)) {

        frame = ngx_msgbus_frame(st->bus, &query, st->form, c->log);
        if (frame == NULL) {
            return NGX_ERROR;
        }

        st->waiting += frame->last - frame->pos;
        query.after = frame->last_id;

        ngx_msgbus_frame_release(frame);

        if (rest + st->waiting > lcf->stream_buffer) {
            ngx_http_set_log_request(c->log, r);

            ngx_log_error(NGX_LOG_INFO, c->log, 0,
                          "msgbus closes a stream of channel \"%V\", its "
                          "client has not read %uz bytes",
                          &st->hold.ctx->pass.name, rest + st->waiting);

            return NGX_ERROR;
        }
    }

    st->counted = query.after;

    return NGX_OK;
}


static void
ngx_http_msgbus_stream_set(ngx_http_msgbus_stream_t *st,
    ngx_msgbus_frame_t *frame)
{
    st->frame = frame;
    st->pos = st->hold.ctx->request->chunked ? frame->start : frame->pos;
    st->passed = 0;
}


/* NGX_OK: the frame has been sent; NGX_AGAIN; NGX_ERROR */
static ngx_int_t
ngx_http_msgbus_stream_send(ngx_http_msgbus_stream_t *st)
{
    u_char            *end;
    ssize_t            n;
    ngx_connection_t  *c;

    c = st->hold.ctx->request->connection;

    if (st->out) {
        return ngx_http_msgbus_stream_filter(st);
    }

    end = st->hold.ctx->request->chunked ? st->frame->end : st->frame->last;

    while (c->write->ready) {

        n = c->send(c, st->pos, end - st->pos);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN) {
            break;
        }

        st->pos += n;

        if (st->pos == end) {
            ngx_msgbus_frame_release(st->frame);
            st->frame = NULL;

            if (c->write->timer_set) {
                ngx_del_timer(c->write);
            }

            return NGX_OK;
        }
    }

    return ngx_http_msgbus_stream_blocked(st);
}


static ngx_int_t
ngx_http_msgbus_stream_filter(ngx_http_msgbus_stream_t *st)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = st->hold.ctx->request;
    c = r->connection;
    b = st->out->buf;

    if (!st->passed) {
        b->pos = st->frame->pos;
        b->last = st->frame->last;

        st->passed = 1;
        rc = ngx_http_output_filter(r, st->out);

    } else {
        rc = ngx_http_output_filter(r, NULL);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (b->pos != b->last || r->out || r->buffered || r->postponed
        || c->buffered)
    {
        return ngx_http_msgbus_stream_blocked(st);
    }

    ngx_msgbus_frame_release(st->frame);
    st->frame = NULL;
    st->passed = 0;

    if (c->write->timer_set && !c->write->delayed) {
        ngx_del_timer(c->write);
    }

    return NGX_OK;
}


/* until the client reads, or for send_timeout since it last did */
static ngx_int_t
ngx_http_msgbus_stream_blocked(ngx_http_msgbus_stream_t *st)
{
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = st->hold.ctx->request;
    wev = r->connection->write;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


/* from outside the content handler: NGX_OK ends it as it should end */
static void
ngx_http_msgbus_stream_end(ngx_http_msgbus_stream_t *st, ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = ngx_http_msgbus_hold_enter(&st->hold);

    ngx_http_msgbus_hold_release(&st->hold);

    if (rc == NGX_OK) {
        rc = ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    ngx_http_msgbus_hold_end(&st->hold, rc);
}


/* what the filters have of a frame stays */
static void
ngx_http_msgbus_stream_release(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_stream_t  *st;

    st = (ngx_http_msgbus_stream_t *) hold;

    if (st->parked) {
        ngx_msgbus_unpark(st->bus, &st->waiter);
        ngx_http_msgbus_ping_stop(st->pings, &st->ping);

        st->parked = 0;
    }
}


/* and with the pool all that was to be sent from it */
static void
ngx_http_msgbus_stream_destroy(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_stream_t  *st;

    st = (ngx_http_msgbus_stream_t *) hold;

    if (st->frame) {
        ngx_msgbus_frame_release(st->frame);
        st->frame = NULL;
    }
}
