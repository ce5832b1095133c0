
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Holding a request: it goes on when its handler has returned, until whoever
 * holds it ends it, or its client leaves.
 *
 * Here is all that is the same for a reader who waits, a stream and a post
 * that waits: the request's count, the events of its connection, the log, what
 * has been posted to it, its end, which comes once; and that its client has
 * left.  Nothing else may end it: a post_action would go on with the request
 * and wipe its context, while it is parked.
 */


#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_hold.h"


static void ngx_http_msgbus_hold_read_handler(ngx_http_request_t *r);
static void ngx_http_msgbus_hold_write_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_msgbus_hold_is_left(ngx_http_request_t *r);
static void ngx_http_msgbus_hold_over(ngx_http_msgbus_hold_t *hold);
static void ngx_http_msgbus_hold_let_go(ngx_http_msgbus_hold_t *hold);
static void ngx_http_msgbus_hold_cleanup(void *data);


void *
ngx_http_msgbus_hold_create(ngx_http_request_t *r,
    ngx_http_msgbus_hold_kind_t *kind)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_msgbus_hold_t  *hold;

    cln = ngx_pool_cleanup_add(r->pool, kind->size);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_msgbus_hold_cleanup;

    hold = cln->data;
    ngx_memzero(hold, kind->size);

    hold->ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    hold->kind = kind;

    return hold;
}


ngx_int_t
ngx_http_msgbus_hold(ngx_http_msgbus_hold_t *hold)
{
    ngx_event_t         *rev;
    ngx_http_request_t  *r;

    r = hold->ctx->request;
    rev = r->connection->read;

    if (r->discard_body) {

        /*
         * The rest of a body is left where it is until the request ends: for
         * what nginx reads it with would end the request, when the body is late
         * as when it is there, and would see no client leave.
         */

        r->discard_body = 0;
        r->main->count--;

        hold->discard = 1;
    }

    ngx_http_msgbus_hold_again(hold);
    r->main->count++;

    if (!r->stream
        && (rev->ready || rev->eof || rev->error || r->connection->error))
    {

        /* a client that came and left at once is told of only once */

        ngx_post_event(rev, &ngx_posted_events);
    }

    return NGX_DONE;
}


void
ngx_http_msgbus_hold_again(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_request_t  *r;

    r = hold->ctx->request;

    hold->ctx->pass.hold = hold;

    r->read_event_handler = ngx_http_msgbus_hold_read_handler;
    r->write_event_handler = ngx_http_msgbus_hold_write_handler;
}


static void
ngx_http_msgbus_hold_read_handler(ngx_http_request_t *r)
{
    ngx_event_t             *rev;
    ngx_http_msgbus_ctx_t   *ctx;

    if (ngx_http_msgbus_hold_is_left(r)) {
        ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

        ngx_http_msgbus_hold_left(ctx->pass.hold);
        return;
    }

    rev = r->connection->read;

    if ((ngx_event_flags & NGX_USE_LEVEL_EVENT) && rev->active
        && !r->stream
        && ngx_del_event(rev, NGX_READ_EVENT, 0) != NGX_OK)
    {
        ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

        ngx_http_msgbus_hold_left(ctx->pass.hold);
    }
}


static void
ngx_http_msgbus_hold_write_handler(ngx_http_request_t *r)
{
    ngx_http_msgbus_ctx_t   *ctx;
    ngx_http_msgbus_hold_t  *hold;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    hold = ctx->pass.hold;

    if (r->connection->error || r->connection->write->error) {

        /* a client of HTTP/3 may want no more of an answer */

        ngx_http_msgbus_hold_left(hold);

    } else if (hold->kind->write) {
        hold->kind->write(hold);
    }
}


static ngx_uint_t
ngx_http_msgbus_hold_is_left(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (c->error) {
        return 1;
    }

    if (r->stream || r->http_version > NGX_HTTP_VERSION_11) {

        /* no socket of its own */

        return r->stream ? 0 : c->read->error;
    }

    return ngx_http_msgbus_hold_has_left(c);
}


ngx_uint_t
ngx_http_msgbus_hold_has_left(ngx_connection_t *c)
{
    u_char   byte;
    ssize_t  n;

    if (c->error || c->read->eof || c->read->error || c->read->pending_eof) {
        return 1;
    }

#if (NGX_HAVE_EPOLLRDHUP)

    if ((ngx_event_flags & NGX_USE_EPOLL_EVENT) && ngx_use_epoll_rdhup) {
        return 0;
    }

#endif

    n = recv(c->fd, &byte, 1, MSG_PEEK);

    return n == 0 || (n == -1 && ngx_socket_errno != NGX_EAGAIN);
}


/*
 * Released first: a post_action wipes the request's context, and takes its time
 */
void
ngx_http_msgbus_hold_left(ngx_http_msgbus_hold_t *hold)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = hold->ctx->request;
    c = r->connection;

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "msgbus: client left while its request was held");

    c->read->eof = 1;
    c->error = 1;

    ngx_http_msgbus_hold_let_go(hold);

    ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}


ngx_http_request_t *
ngx_http_msgbus_hold_enter(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_request_t  *r;

    r = hold->ctx->request;

    ngx_http_set_log_request(r->connection->log, r);

    return r;
}


void
ngx_http_msgbus_hold_end(ngx_http_msgbus_hold_t *hold, ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ngx_http_msgbus_hold_enter(hold);
    c = r->connection;    /* r may not survive finalization */

    ngx_http_msgbus_hold_over(hold);

    ngx_http_finalize_request(r, ngx_http_msgbus_finish(r, rc));
    ngx_http_run_posted_requests(c);
}


void
ngx_http_msgbus_hold_go_on(ngx_http_msgbus_hold_t *hold,
    ngx_http_msgbus_go_on_pt handler)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ngx_http_msgbus_hold_enter(hold);
    c = r->connection;    /* as above */

    ngx_http_msgbus_hold_over(hold);

    rc = handler(r, &hold->ctx->pass);

    ngx_http_finalize_request(r, ngx_http_msgbus_finish(r, rc));
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_msgbus_hold_over(ngx_http_msgbus_hold_t *hold)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = hold->ctx->request;
    c = r->connection;

    ngx_http_msgbus_hold_let_go(hold);

    if (hold->discard) {

        /* nginx reads on, behind the answer */

        hold->discard = 0;

        r->discard_body = 1;
        r->main->count++;

        if (c->read->ready) {
            ngx_post_event(c->read, &ngx_posted_events);
        }
    }
}


/*
 * Where an error_page leads on, the request's context is wiped, and nginx does
 * not set all handlers anew: those of the hold would look for it in vain.
 */
static void
ngx_http_msgbus_hold_let_go(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_request_t  *r;

    r = hold->ctx->request;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_msgbus_hold_release(hold);
}


void
ngx_http_msgbus_hold_release(ngx_http_msgbus_hold_t *hold)
{
    if (!hold->released) {
        hold->released = 1;
        hold->kind->release(hold);
    }
}


/* the client left, or the request ended: what holds it may be in use or not */
static void
ngx_http_msgbus_hold_cleanup(void *data)
{
    ngx_http_msgbus_hold_t  *hold = data;

    ngx_http_msgbus_hold_release(hold);

    if (hold->kind->destroy) {
        hold->kind->destroy(hold);
    }
}
