
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What is known of a request, from one pass through a location to the next.
 *
 * It is found again after an internal redirect, which wipes nginx's own pointer
 * to it: so nothing is published a second time.  What belongs to one pass is
 * zero when the next one begins.
 */


#include "ngx_http_msgbus.h"


static ngx_http_msgbus_ctx_t *ngx_http_msgbus_ctx_find(ngx_http_request_t *r);
static void ngx_http_msgbus_ctx_cleanup(void *data);


ngx_http_msgbus_ctx_t *
ngx_http_msgbus_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_msgbus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    if (ctx) {
        return ctx;
    }

    ctx = ngx_http_msgbus_ctx_find(r);

    if (ctx) {
        goto found;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_msgbus_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_msgbus_ctx_cleanup;
    ctx = cln->data;

    ctx->request = r;
    ctx->id = 0;
    ctx->refused_by = NULL;
    ctx->published = 0;
    ctx->told = 0;
    ctx->tallied = 0;

found:

    ngx_memzero(&ctx->pass, sizeof(ngx_http_msgbus_pass_t));

    ngx_http_set_ctx(r, ctx, ngx_http_msgbus_module);

    return ctx;
}


ngx_http_msgbus_ctx_t *
ngx_http_msgbus_ctx_last(ngx_http_request_t *r)
{
    ngx_http_msgbus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    return ctx ? ctx : ngx_http_msgbus_ctx_find(r);
}


/* after a redirect, which has wiped r->ctx; NULL: there is none */
static ngx_http_msgbus_ctx_t *
ngx_http_msgbus_ctx_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_msgbus_ctx_t  *ctx;

    if (!r->internal && !r->post_action) {
        return NULL;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_msgbus_ctx_cleanup) {
            ctx = cln->data;

            if (ctx->request == r) {
                return ctx;
            }
        }
    }

    return NULL;
}


/* there is nothing to free: its address marks our context in the pool */
static void
ngx_http_msgbus_ctx_cleanup(void *data)
{
    (void) data;
}
