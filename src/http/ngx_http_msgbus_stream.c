
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Streams: an answer that goes on, as SSE or NDJSON.
 *
 * Here a reader is let in, or not, and gets the header.  What is delivered to
 * him then, and how, have rooms of their own.
 */


#include "ngx_http_msgbus_delivery.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_stream.h"
#include "ngx_http_msgbus_tally.h"


static ngx_int_t ngx_http_msgbus_stream_later(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_loc_conf_t *lcf);
static ngx_int_t ngx_http_msgbus_stream_headers(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);


ngx_int_t
ngx_http_msgbus_stream(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass)
{
    ngx_int_t                    rc;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_msgbus_delivery_t  *dl;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (r->method != NGX_HTTP_HEAD
        && lcf->max_waiters
        && ngx_msgbus_parked(lcf->bus) >= lcf->max_waiters)
    {
        ngx_msgbus_count(lcf->bus, NGX_MSGBUS_COUNT_REFUSED, 1);

        if (lcf->retry && pass->form == NGX_MSGBUS_SSE) {
            return ngx_http_msgbus_stream_later(r, pass, lcf);
        }

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "Too many readers wait");
    }

    if (ngx_http_msgbus_stream_headers(r, pass) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pass->query.latest) {

        /* now: when the first bytes have gone out may be much later */

        pass->query.latest = 0;
        pass->query.after = ngx_msgbus_newest(lcf->bus);
    }

    dl = NULL;

    if (r->method != NGX_HTTP_HEAD) {
        dl = ngx_http_msgbus_delivery_create(r);
        if (dl == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    pass->replied = 1;
    pass->read = 1;

    ngx_http_msgbus_tally_stream(r, ngx_http_msgbus_ctx_last(r));

    rc = ngx_http_send_header(r);

    if (dl == NULL) {
        return rc;
    }

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_msgbus_hold_release(&dl->reader.by.hold->hold);
        return rc;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if ((clcf->tcp_nodelay && ngx_tcp_nodelay(r->connection) != NGX_OK)
        || ngx_http_msgbus_delivery_begin(dl) == NGX_ERROR)
    {
        ngx_http_msgbus_hold_release(&dl->reader.by.hold->hold);
        return NGX_ERROR;
    }

    if (ngx_exiting) {

        /* it comes back, to another worker */

        ngx_msgbus_count(lcf->bus, NGX_MSGBUS_COUNT_RELOAD, 1);

        return ngx_http_msgbus_delivery_close(dl);
    }

    return ngx_http_msgbus_hold(&dl->reader.by.hold->hold);
}


/*
 * A stream that ends at once, for many libraries do not come back after an
 * answer that is none.  It tells them when, and from where.
 */
static ngx_int_t
ngx_http_msgbus_stream_later(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_loc_conf_t *lcf)
{
    size_t               size;
    ngx_buf_t           *b;
    ngx_msec_t           retry;
    ngx_chain_t          out;
    ngx_msgbus_frame_t  *frame;

    /* those who are refused in one moment shall not come back in one */

    retry = lcf->retry + ngx_random() % (lcf->retry / 3 + 1);

    frame = ngx_msgbus_come_back(lcf->bus, &pass->query, retry,
                                 r->connection->log);
    if (frame == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    size = frame->last - frame->pos;

    b = ngx_create_temp_buf(r->pool, size);

    if (b) {
        b->last = ngx_cpymem(b->pos, frame->pos, size);
        b->last_buf = 1;
        b->last_in_chain = 1;
    }

    ngx_msgbus_release(frame);

    if (b == NULL || ngx_http_msgbus_stream_headers(r, pass) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    out.buf = b;
    out.next = NULL;

    pass->read = 1;
    pass->kind = NGX_MSGBUS_COUNT_READ_REFUSED;

    return ngx_http_msgbus_send(r, &out, size);
}


static ngx_int_t
ngx_http_msgbus_stream_headers(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass)
{
    static ngx_str_t  no_cache = ngx_string("no-cache, no-transform");
    static ngx_str_t  vary = ngx_string("Accept, User-Agent");
    static ngx_str_t  no = ngx_string("no");

    if (ngx_http_msgbus_cache_control(r, &no_cache) != NGX_OK
        || ngx_http_msgbus_add_header(r, "Vary", &vary) != NGX_OK
        || ngx_http_msgbus_add_header(r, "X-Accel-Buffering", &no) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;

    ngx_http_msgbus_content_type(r, pass->form == NGX_MSGBUS_SSE
                                    ? "text/event-stream; charset=utf-8"
                                    : "application/x-ndjson; charset=utf-8");

    r->disable_not_modified = 1;

#if (NGX_HTTP_GZIP)

    /* its buffers would keep events back */

    r->gzip_tested = 1;
    r->gzip_ok = 0;

#endif

    return NGX_OK;
}
