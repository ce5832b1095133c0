
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What becomes of requests, as it is counted.
 *
 * A request counts once, by its outcome, and before its client can know of it:
 * who has an answer finds it in the numbers.  Only a 304 counts a moment later,
 * for it is nginx that makes one.
 *
 * An error_page may lead a request that is refused elsewhere, to another bus,
 * too.  So a refusal is noted, and counts when the answer is sent, unless that
 * is one of another kind.
 */


#include "ngx_http_msgbus_tally.h"


static ngx_msgbus_count_e ngx_http_msgbus_tally_why(ngx_msgbus_post_t *post,
    ngx_int_t rc);
static ngx_msgbus_count_e ngx_http_msgbus_tally_reason(ngx_uint_t status);
static ngx_uint_t ngx_http_msgbus_tally_is_post(ngx_http_msgbus_ctx_t *ctx);
static ngx_msgbus_t *ngx_http_msgbus_tally_bus(ngx_http_request_t *r);


void
ngx_http_msgbus_tally_post(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_msgbus_post_t *post, ngx_int_t rc)
{
    size_t         size;
    ngx_uint_t     i, n;
    ngx_msgbus_t  *bus;

    bus = ngx_http_msgbus_tally_bus(r);

    if (post->stored < post->n) {
        pass->kind = ngx_http_msgbus_tally_why(post, rc);
    }

    n = post->stored - post->replayed;

    if (n) {
        size = 0;

        for (i = 0; i < post->n; i++) {
            if (post->events[i].id) {
                size += post->events[i].data.len;
            }
        }

        ngx_msgbus_count(bus, NGX_MSGBUS_COUNT_EVENTS, n);
        ngx_msgbus_count(bus, NGX_MSGBUS_COUNT_BYTES,
                         size - post->replayed_size);

        if (post->n > 1 && post->stored == post->n) {
            ngx_msgbus_count(bus, NGX_MSGBUS_COUNT_BATCHES, 1);
        }
    }

    if (post->replayed) {
        ngx_msgbus_count(bus, NGX_MSGBUS_COUNT_REPLAYED, post->replayed);
    }
}


/* why is not all of it stored? */
static ngx_msgbus_count_e
ngx_http_msgbus_tally_why(ngx_msgbus_post_t *post, ngx_int_t rc)
{
    if (post->conflicts || post->waits) {
        return NGX_MSGBUS_COUNT_KEY_CONFLICT;
    }

    if (post->unsure) {
        return NGX_MSGBUS_COUNT_TIMEOUT;
    }

    if (post->refused) {
        return NGX_MSGBUS_COUNT_OTHER;
    }

    switch (rc) {

    case NGX_DECLINED:
        return NGX_MSGBUS_COUNT_TOO_LARGE;

    case NGX_AGAIN:
        return NGX_MSGBUS_COUNT_STORE_AWAY;

    case NGX_ERROR:
        return NGX_MSGBUS_COUNT_OTHER;

    default:

        /* in the zone, or among those that wait for the store */

        return NGX_MSGBUS_COUNT_FULL;
    }
}


void
ngx_http_msgbus_tally_refused(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_uint_t status)
{
    ngx_msgbus_t            *bus;
    ngx_msgbus_count_e       what;
    ngx_http_msgbus_pass_t  *pass;

    bus = ngx_http_msgbus_tally_bus(r);
    pass = &ctx->pass;

    if (bus == NULL || pass->counted || ctx->tallied || r != r->main) {
        return;
    }

    pass->counted = 1;
    pass->read = 0;

    if (pass->publish || r->method == NGX_HTTP_POST) {

        if (ctx->published && ctx->refused_by) {

            /* brought back by an error_page: why is known */

            return;
        }

        what = pass->kind ? pass->kind : ngx_http_msgbus_tally_reason(status);

    } else if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {

        if (ngx_http_msgbus_tally_is_post(ctx)) {
            return;
        }

        what = NGX_MSGBUS_COUNT_READ_REFUSED;

    } else {
        return;
    }

    ctx->refused_by = bus;
    ctx->refused = what;
}


/* where only the status tells: nginx's own refusals, too */
static ngx_msgbus_count_e
ngx_http_msgbus_tally_reason(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_BAD_REQUEST:
    case NGX_HTTP_LENGTH_REQUIRED:
    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE:
        return NGX_MSGBUS_COUNT_INVALID;

    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_FORBIDDEN:
        return NGX_MSGBUS_COUNT_UNAUTHORIZED;

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return NGX_MSGBUS_COUNT_TOO_LARGE;

    default:
        return NGX_MSGBUS_COUNT_OTHER;
    }
}


void
ngx_http_msgbus_tally_page(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_msgbus_page_t *page)
{
    pass->read = 1;
    pass->events = page->events;
    pass->bytes = page->events ? page->size : 0;

    pass->kind = page->events == 0 ? NGX_MSGBUS_COUNT_EMPTY
                 : pass->waited ? NGX_MSGBUS_COUNT_LONG_POLL
                                : NGX_MSGBUS_COUNT_PAGE;

    if (page->gap && !r->post_action) {
        ngx_msgbus_count(ngx_http_msgbus_tally_bus(r), NGX_MSGBUS_COUNT_GAPS,
                         1);
    }
}


void
ngx_http_msgbus_tally_read(ngx_http_request_t *r, ngx_msgbus_t *bus,
    ngx_http_msgbus_pass_t *pass)
{
    ngx_msgbus_count_e      what;
    ngx_http_msgbus_ctx_t  *ctx;

    if (!pass->read || pass->counted) {
        return;
    }

    pass->counted = 1;
    what = pass->kind;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    if (ctx == NULL || &ctx->pass != pass || r->post_action) {

        /* nginx has made an error of it, which counts; or it goes nowhere */

        return;
    }

    if (r->headers_out.status == NGX_HTTP_NOT_MODIFIED) {
        what = NGX_MSGBUS_COUNT_NOT_MODIFIED;

    } else if (r->headers_out.status >= NGX_HTTP_BAD_REQUEST) {
        what = NGX_MSGBUS_COUNT_READ_REFUSED;

    } else if (pass->bytes && !r->header_only) {
        ngx_msgbus_count_delivered(bus, pass->events, pass->bytes);
    }

    if (!ngx_http_msgbus_tally_is_post(ctx)) {
        ngx_msgbus_count(bus, what, 1);
    }
}


void
ngx_http_msgbus_tally_stream(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx)
{
    ngx_msgbus_t            *bus;
    ngx_http_msgbus_pass_t  *pass;

    bus = ngx_http_msgbus_tally_bus(r);
    pass = &ctx->pass;

    pass->counted = 1;

    if (!ngx_http_msgbus_tally_is_post(ctx)) {
        ngx_msgbus_count(bus, pass->form == NGX_MSGBUS_SSE
                              ? NGX_MSGBUS_COUNT_SSE
                              : NGX_MSGBUS_COUNT_NDJSON, 1);
    }

    if (r->method != NGX_HTTP_HEAD) {
        ngx_msgbus_count(bus, NGX_MSGBUS_COUNT_ACCEPTED, 1);
    }
}


/* a post that was refused, of which an error_page has made a GET */
static ngx_uint_t
ngx_http_msgbus_tally_is_post(ngx_http_msgbus_ctx_t *ctx)
{
    return ctx->tallied
           || (ctx->refused_by
               && ctx->refused != NGX_MSGBUS_COUNT_READ_REFUSED);
}


void
ngx_http_msgbus_tally_frame(ngx_msgbus_t *bus, ngx_msgbus_frame_t *frame)
{
    if (frame->events) {
        ngx_msgbus_count_delivered(bus, frame->events,
                                   frame->last - frame->pos - frame->head);
    }

    if (frame->gap) {
        ngx_msgbus_count(bus, NGX_MSGBUS_COUNT_GAPS, 1);
    }
}


static ngx_msgbus_t *
ngx_http_msgbus_tally_bus(ngx_http_request_t *r)
{
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    return lcf->bus;
}
