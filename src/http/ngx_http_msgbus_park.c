
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Parking: a reader waits with its connection, and without a request.
 *
 * A request that is held takes some 9 KB, of which its pool is 8 and the
 * buffer of its header 1; a connection that is kept alive, 530 bytes.  So
 * nginx is let do with an answered request what it always does: it frees all
 * of it and keeps the connection for the next one.  That connection is taken
 * over before nginx looks at it again.  To the client nothing has happened:
 * its answer goes on.
 *
 * The end of an answer is the other way round: a request is made on the
 * connection, as it was, and held; it ends as all held requests do, so that
 * the last bytes, lingering, the access log and variables are nginx's.
 *
 * Whoever can not be parked stays held, and nobody else needs to know: HTTP/2
 * and HTTP/3 have no connection of their own, HTTP/1.0 no chunks, a filter
 * that looks at bodies needs its request, and where keep-alive is off, nginx
 * would close.
 */


#include "ngx_http_msgbus_park.h"


static ngx_uint_t ngx_http_msgbus_park_never(ngx_http_request_t *r);
static ngx_uint_t ngx_http_msgbus_park_not_now(ngx_http_request_t *r);
static void ngx_http_msgbus_park_take(ngx_http_msgbus_reader_t *reader);
static void ngx_http_msgbus_park_read_handler(ngx_event_t *rev);
static void ngx_http_msgbus_park_write_handler(ngx_event_t *wev);
static ngx_http_msgbus_hold_t *ngx_http_msgbus_unpark_hold(
    ngx_http_msgbus_reader_t *reader, ngx_http_request_t *r);


/* of the events of a connection with a request; nginx does not tell it */
static ngx_event_handler_pt  ngx_http_msgbus_park_request_handler;


ngx_int_t
ngx_http_msgbus_park(ngx_http_msgbus_reader_t *reader)
{
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_msgbus_kept_t         *kept;
    ngx_http_msgbus_topic_t        *topic;
    ngx_http_msgbus_reader_hold_t  *rh;

    rh = reader->by.hold;
    r = rh->hold.ctx->request;
    c = r->connection;

    if (reader->fixed || ngx_http_msgbus_park_never(r)) {
        reader->fixed = 1;
        return NGX_DECLINED;
    }

    if (rh->hold.discard || ngx_http_msgbus_park_not_now(r)) {
        return NGX_DECLINED;
    }

    kept = NULL;

    if (!r->header_sent || ngx_http_msgbus_kept_is_needed(r)) {
        topic = reader->topic;

        /* one who waits alone has nobody's to differ from */

        kept = ngx_http_msgbus_kept(r, topic->owners > 1 ? &topic->kept
                                                         : NULL);

        if (kept == NULL) {
            reader->fixed = 1;
            return NGX_DECLINED;
        }
    }

    reader->kept = kept;
    reader->keepalive = r->keepalive;

    rh->reader = NULL;

    ngx_http_msgbus_park_request_handler = c->write->handler;

    reader->by.http = r->http_connection;
    reader->parked = 1;

    r->write_event_handler = ngx_http_request_empty_handler;
    r->keepalive = 1;
    r->logged = 1;

    ngx_http_finalize_request(r, NGX_DONE);

    /* closed, or about to be: by a TLS that shuts down */

    if (c->fd == (ngx_socket_t) -1
        || c->data != reader->by.http
        || c->write->handler != ngx_http_empty_handler)
    {
        return NGX_ABORT;
    }

    ngx_http_msgbus_park_take(reader);

    return NGX_OK;
}


/*
 * Is there a reason that stays?  One is limit_conn, which counts a request as
 * long as there is one: a client would have as many streams as it likes.
 * Another is what somebody has already noted for an answer that is to come.
 */
static ngx_uint_t
ngx_http_msgbus_park_never(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_msgbus_loc_conf_t  *lcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    return !lcf->park
           || !(ngx_event_flags & NGX_USE_CLEAR_EVENT)
           || r != r->main
           || r->stream
           || r->http_version != NGX_HTTP_VERSION_11
           || (r->header_sent ? !r->chunked
                              : r->limit_rate_set
                                || r->headers_out.headers.part.nelts)
           || r->filter_need_in_memory
           || r->filter_need_temporary
           || r->preserve_body
           || r->headers_out.content_encoding
           || r->expect_trailers
           || r->limit_rate
           || r->limit_conn_status
           || r->upstream
           || r->post_action
           || clcf->post_action.data
           || clcf->keepalive_timeout == 0;
}


/* is there one that may go away? */
static ngx_uint_t
ngx_http_msgbus_park_not_now(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    return r->count != 1
           || r->blocked
           || r->posted_requests
           || r->postponed
           || r->buffered
           || r->out
           || r->discard_body
           || r->reading_body
           || r->header_in->pos != r->header_in->last
           || c->data != r
           || c->buffered
           || c->error
           || c->timedout
           || c->read->eof
           || c->read->error
           || c->read->pending_eof
           || c->write->error
           || c->write->timer_set
           || c->write->delayed
           || ngx_exiting
           || ngx_terminate
           || ngx_quit;
}


/*
 * What nginx keeps, and would close after a time, or when it needs its place.
 * It stays "idle", so that a worker which is to exit tells of it.
 */
static void
ngx_http_msgbus_park_take(ngx_http_msgbus_reader_t *reader)
{
    ngx_connection_t  *c;

    c = reader->connection;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    ngx_reusable_connection(c, 0);

    c->idle = 1;
    c->data = reader;
    c->log->action = "waiting for events";

    c->read->handler = ngx_http_msgbus_park_read_handler;
    c->write->handler = ngx_http_msgbus_park_write_handler;
}


/*
 * What a client sends stays where it is until there is a request again, which
 * leaves it to nginx.
 */
static void
ngx_http_msgbus_park_read_handler(ngx_event_t *rev)
{
    ngx_connection_t          *c;
    ngx_http_msgbus_hold_t    *hold;
    ngx_http_msgbus_reader_t  *reader;

    c = rev->data;
    reader = c->data;

    if (c->close) {
        c->close = 0;

        reader->topic->kind->close(reader);
        return;
    }

    if (!ngx_http_msgbus_hold_has_left(c)) {
        return;
    }

    hold = ngx_http_msgbus_unpark(reader);

    if (hold) {
        ngx_http_msgbus_hold_left(hold);
        ngx_http_run_posted_requests(c);

    } else {
        reader->topic->kind->free(reader);
    }
}


static void
ngx_http_msgbus_park_write_handler(ngx_event_t *wev)
{
    ngx_connection_t          *c;
    ngx_http_msgbus_reader_t  *reader;

    c = wev->data;
    reader = c->data;

    if (reader->topic->kind->write) {
        reader->topic->kind->write(reader);
    }
}


ngx_http_msgbus_hold_t *
ngx_http_msgbus_unpark(ngx_http_msgbus_reader_t *reader)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_msgbus_hold_t   *hold;
    ngx_http_msgbus_topic_t  *topic;

    c = reader->connection;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->idle = 0;
    c->data = reader->by.http;

    c->read->handler = ngx_http_msgbus_park_request_handler;
    c->write->handler = ngx_http_msgbus_park_request_handler;

    topic = reader->topic;

    r = ngx_http_msgbus_kept_request(c, reader->kept, &topic->kept,
                                     topic->srv_conf, topic->loc_conf);
    if (r == NULL) {
        ngx_http_close_connection(c);
        return NULL;
    }

    hold = ngx_http_msgbus_unpark_hold(reader, r);

    if (hold == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        ngx_http_run_posted_requests(c);
    }

    return hold;
}


static ngx_http_msgbus_hold_t *
ngx_http_msgbus_unpark_hold(ngx_http_msgbus_reader_t *reader,
    ngx_http_request_t *r)
{
    ngx_http_msgbus_pass_t         *pass;
    ngx_http_msgbus_topic_t        *topic;
    ngx_http_msgbus_reader_hold_t  *rh;

    topic = reader->topic;

    ngx_set_connection_log(r->connection, topic->clcf->error_log);

    r->keepalive = reader->keepalive;

    if (topic->form != NGX_MSGBUS_PAGE) {

        /* its answer is on the way */

        r->header_sent = 1;
        r->chunked = 1;
        r->headers_out.status = NGX_HTTP_OK;
    }

    if (ngx_http_msgbus_ctx(r) == NULL) {
        return NULL;
    }

    rh = ngx_http_msgbus_hold_create(r, topic->kind->hold);
    if (rh == NULL) {
        return NULL;
    }

    pass = &rh->hold.ctx->pass;

    pass->name = topic->channel.name;
    pass->channel = &topic->channel;
    pass->form = topic->form;
    pass->read = r->header_sent;
    pass->events = reader->events;
    pass->replied = r->header_sent;

    rh->reader = reader;
    reader->by.hold = rh;
    reader->parked = 0;
    reader->again = 1;

    ngx_http_msgbus_kept_free(reader->kept);
    reader->kept = NULL;

    ngx_http_msgbus_hold_again(&rh->hold);

    return &rh->hold;
}
