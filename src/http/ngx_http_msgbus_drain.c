
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A body that nobody wants, over HTTP/2 and HTTP/3.
 *
 * nginx goes on to read such a body after an answer of HTTP/1, but resets a
 * stream: and that once its client has sent 64 KB, which is all that it may.
 * Some clients then wait for more room until they time out, and others give
 * up the connection.  So what could have been an event or a batch is read and
 * thrown away, before the error is sent; as long as nginx would linger.
 */


#include "ngx_http_msgbus_drain.h"
#include "ngx_http_msgbus_error.h"


/* a body that is read whatever the bus takes */
#define NGX_HTTP_MSGBUS_DRAIN_MIN  (1024 * 1024)


typedef struct {
    ngx_int_t                  rc;            /* the error */
    off_t                      left;          /* bytes that may still come */
    ngx_msec_t                 until;
} ngx_http_msgbus_drain_t;


static off_t ngx_http_msgbus_drain_limit(ngx_http_request_t *r);
static void ngx_http_msgbus_drain_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_drain_read(ngx_http_request_t *r,
    ngx_http_msgbus_drain_t *drain);


ngx_int_t
ngx_http_msgbus_drain(ngx_http_request_t *r, ngx_int_t rc)
{
    off_t                      limit;
    ngx_http_msgbus_ctx_t     *ctx;
    ngx_http_msgbus_drain_t   *drain;
    ngx_http_core_loc_conf_t  *clcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    limit = ngx_http_msgbus_drain_limit(r);

    if (rc < NGX_HTTP_BAD_REQUEST
        || limit == 0
        || ctx == NULL
        || ctx->pass.replied
        || r->headers_in.content_length_n > limit
        || ngx_http_msgbus_error_goes_on(r, rc))
    {
        /* a named location gets the request as it is, and may want its body */

        return ngx_http_msgbus_finish(r, rc);
    }

    drain = ngx_palloc(r->pool, sizeof(ngx_http_msgbus_drain_t));
    if (drain == NULL) {
        return ngx_http_msgbus_finish(r, rc);
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    drain->rc = rc;
    drain->left = limit;
    drain->until = ngx_current_msec + clcf->lingering_time;

    ctx->pass.hold = drain;

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_msgbus_drain_handler);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE
           ? ngx_http_msgbus_finish(r, drain->rc) : NGX_DONE;
}


/* the most that is read of a body, 0: there is none, or it is left alone */
static off_t
ngx_http_msgbus_drain_limit(ngx_http_request_t *r)
{
    size_t                       size;
    ngx_msgbus_t                *bus;
    ngx_http_msgbus_loc_conf_t  *lcf;

    if (r->http_version < NGX_HTTP_VERSION_20
        || r != r->main
        || r->request_body
        || r->discard_body
        || r->headers_in.expect
        || (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked))
    {
        return 0;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    bus = lcf->bus ? lcf->bus : lcf->told_bus;
    size = bus ? ngx_msgbus_max_batch_size(bus) : 0;

    return ngx_max(size, NGX_HTTP_MSGBUS_DRAIN_MIN);
}


/* what has come is there; called once at first, then for each read event */
static void
ngx_http_msgbus_drain_handler(ngx_http_request_t *r)
{
    ngx_http_msgbus_ctx_t    *ctx;
    ngx_http_msgbus_drain_t  *drain;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    drain = ctx->pass.hold;

    if (ngx_http_msgbus_drain_read(r, drain) == NGX_AGAIN) {
        r->read_event_handler = ngx_http_msgbus_drain_handler;
        return;
    }

    r->read_event_handler = ngx_http_block_reading;

    /* gone: where an error_page is proxied, none is announced */

    r->headers_in.content_length_n = 0;
    r->headers_in.chunked = 0;

    ngx_http_finalize_request(r, ngx_http_msgbus_finish(r, drain->rc));
}


/* NGX_AGAIN: more is to come; NGX_OK: it is enough, for whatever reason */
static ngx_int_t
ngx_http_msgbus_drain_read(ngx_http_request_t *r,
    ngx_http_msgbus_drain_t *drain)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl, *next;

    for ( ;; ) {

        for (cl = r->request_body->bufs; cl; cl = next) {
            next = cl->next;

            drain->left -= ngx_buf_size(cl->buf);
            cl->buf->pos = cl->buf->last;

            ngx_free_chain(r->pool, cl);
        }

        r->request_body->bufs = NULL;

        if (!r->reading_body
            || drain->left < 0
            || (ngx_msec_int_t) (ngx_current_msec - drain->until) >= 0)
        {
            return NGX_OK;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc == NGX_ERROR || rc >= NGX_HTTP_SPECIAL_RESPONSE) {

            /* the client has gone, or is too slow, or sends too much */

            return NGX_OK;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return NGX_AGAIN;
        }
    }
}
