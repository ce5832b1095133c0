
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Holding a request: it goes on when its handler has returned, until whoever
 * holds it ends it, or its client leaves.
 *
 * Here is all that is the same for a reader who waits, a stream and a post
 * that waits: the request's count, the events of its connection, the log, what
 * has been posted to it, its end, which comes once.  The context is kept by
 * pointer, because an internal redirect (post_action, when the client has left)
 * wipes the request's own.
 */


#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_hold.h"


static void ngx_http_msgbus_hold_write_handler(ngx_http_request_t *r);
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
    ngx_http_request_t  *r;

    r = hold->ctx->request;
    hold->ctx->pass.hold = hold;

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = hold->kind->write
                             ? ngx_http_msgbus_hold_write_handler
                             : ngx_http_request_empty_handler;
    r->main->count++;

    return NGX_DONE;
}


static void
ngx_http_msgbus_hold_write_handler(ngx_http_request_t *r)
{
    ngx_http_msgbus_ctx_t   *ctx;
    ngx_http_msgbus_hold_t  *hold;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    hold = ctx->pass.hold;

    hold->kind->write(hold);
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

    ngx_http_msgbus_hold_release(hold);

    ngx_http_finalize_request(r, ngx_http_msgbus_finish(r, rc));
    ngx_http_run_posted_requests(c);
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
