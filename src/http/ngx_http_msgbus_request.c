
/*
 * Copyright (C) the msgbus authors
 */


/*
 * From an HTTP request to what is asked of the bus: the channel, the
 * operation, who asks; or the error that it gets.  The arguments have a room
 * of their own.  Nothing here publishes, reads or keeps anything.
 */


#include "ngx_http_msgbus.h"


static void ngx_http_msgbus_ctx_cleanup(void *data);
static ngx_int_t ngx_http_msgbus_dispatch(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);
static ngx_int_t ngx_http_msgbus_dispatch_publish(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_http_msgbus_args_t *args);
static ngx_int_t ngx_http_msgbus_channel(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);
static void ngx_http_msgbus_find_uuid(ngx_str_t *ua, ngx_str_t *uuid);
static ngx_int_t ngx_http_msgbus_clean_uuid(ngx_http_request_t *r,
    ngx_str_t *uuid);
static ngx_int_t ngx_http_msgbus_escape_ua(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_str_t *ua);


ngx_int_t
ngx_http_msgbus_handler(ngx_http_request_t *r)
{
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->bus == NULL) {

        /* "msgbus off" in an "if" of this location */

        return NGX_DECLINED;
    }

    ctx = ngx_http_msgbus_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_msgbus_finish(r, ngx_http_msgbus_dispatch(r, ctx));
}


ngx_http_msgbus_ctx_t *
ngx_http_msgbus_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_msgbus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    if (ctx) {
        return ctx;
    }

    if (r->internal || r->post_action) {

        /* after a redirect, which has wiped r->ctx */

        for (cln = r->pool->cleanup; cln; cln = cln->next) {

            if (cln->handler == ngx_http_msgbus_ctx_cleanup) {
                ctx = cln->data;

                if (ctx->request == r) {
                    goto found;
                }
            }
        }
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_msgbus_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_msgbus_ctx_cleanup;
    ctx = cln->data;

    ctx->request = r;
    ctx->id = 0;
    ctx->published = 0;

found:

    ctx->channel = NULL;
    ctx->message = NULL;
    ctx->batch = 0;
    ctx->stream = NULL;
    ctx->events = 0;
    ctx->read = 0;
    ctx->replied = 0;
    ctx->replaced = 0;

    ngx_http_set_ctx(r, ctx, ngx_http_msgbus_module);

    return ctx;
}


/* there is nothing to free: its address marks our context in the pool */
static void
ngx_http_msgbus_ctx_cleanup(void *data)
{
    (void) data;
}


ngx_int_t
ngx_http_msgbus_request_name(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_loc_conf_t  *lcf;

    static ngx_uint_t            naming;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->channel) {

        /*
         * a channel that is named by $msgbus_channel, by way of whatever
         * variables, would be looked for in itself, twice at each level
         */

        if (naming) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        naming = 1;
        rc = ngx_http_complex_value(r, lcf->channel, &ctx->name);
        naming = 0;

        return rc == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->uri.len < lcf->prefix.len
        || ngx_strncmp(r->uri.data, lcf->prefix.data, lcf->prefix.len) != 0)
    {
        /* after a rewrite ... break, or in an "if" of a regex location */

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "msgbus finds no channel in \"%V\" below location "
                      "\"%V\", use msgbus_channel", &r->uri, &lcf->prefix);

        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Invalid channel name");
    }

    ctx->name.data = r->uri.data + lcf->prefix.len;
    ctx->name.len = r->uri.len - lcf->prefix.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_dispatch(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_uint_t                   methods, get, all;
    ngx_http_msgbus_args_t       args;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    rc = ngx_http_msgbus_request_name(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_msgbus_args(r, &args) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    get = r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD);
    methods = lcf->methods;

    if (ngx_http_msgbus_is(&ctx->name, "/health")) {

        if (get) {
            return ngx_http_msgbus_health(r, lcf->bus, &args);
        }

        return ngx_http_msgbus_allow(r, NGX_HTTP_MSGBUS_READ);
    }

    all = lcf->test_mode && ngx_http_msgbus_is(&ctx->name, "/all");

    if (all) {
        methods &= ~NGX_HTTP_MSGBUS_PUBLISH;
    }

    ctx->form = NGX_HTTP_MSGBUS_PAGE;

    if (get && r == r->main && !all && !ngx_http_msgbus_is_publish(r, &args)) {
        ctx->form = ngx_http_msgbus_accept(r, &args.last_event_id);
    }

    if (ctx->form != NGX_HTTP_MSGBUS_PAGE) {
        ngx_str_null(&ctx->callback);

    } else if (get || r->method == NGX_HTTP_POST) {
        rc = ngx_http_msgbus_jsonp_callback(r, ctx, &args);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_http_msgbus_is_publish(r, &args)) {

        if ((methods & NGX_HTTP_MSGBUS_PUBLISH) && r == r->main) {
            return ngx_http_msgbus_dispatch_publish(r, ctx, &args);
        }

    } else if (get && (methods & NGX_HTTP_MSGBUS_READ)) {

        if (all) {
            return ngx_http_msgbus_read_all(r, ctx, &args);
        }

        rc = ngx_http_msgbus_channel(r, ctx);

        return rc == NGX_OK ? ngx_http_msgbus_read(r, ctx, &args) : rc;
    }

    return ngx_http_msgbus_allow(r, methods);
}


ngx_uint_t
ngx_http_msgbus_is_publish(ngx_http_request_t *r,
    ngx_http_msgbus_args_t *args)
{
    return r->method == NGX_HTTP_POST
           || (r->method == NGX_HTTP_GET
               && ngx_http_msgbus_is(&args->method, "POST"));
}


static ngx_int_t
ngx_http_msgbus_dispatch_publish(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_http_msgbus_args_t *args)
{
    ngx_int_t                    rc;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->method == NGX_HTTP_GET
        && (!lcf->jsonp || (clcf->limit_except & NGX_HTTP_POST)))
    {
        /* what limit_except holds against a POST it would not see here */

        return ngx_http_msgbus_allow(r, lcf->methods);
    }

    if (ctx->published) {

        /* an error_page, X-Accel-Redirect or post_action brought it back */

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "msgbus does not publish a request twice");

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_msgbus_channel(r, ctx);

    return rc == NGX_OK ? ngx_http_msgbus_publish(r, ctx, args) : rc;
}


static ngx_int_t
ngx_http_msgbus_channel(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx)
{
    size_t                       size;
    ngx_msgbus_channel_t         channel;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (ngx_msgbus_channel(lcf->bus, &channel, &ctx->name) != NGX_OK) {
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Invalid channel name");
    }

    /* who waits keeps it: no more of it than its levels */

    size = offsetof(ngx_msgbus_channel_t, levels)
           + channel.depth * sizeof(ngx_msgbus_level_t);

    ctx->channel = ngx_palloc(r->pool, size);
    if (ctx->channel == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(ctx->channel, &channel, size);

    return NGX_OK;
}


ngx_int_t
ngx_http_msgbus_request_who(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx,
    ngx_uint_t publish)
{
    ngx_str_t                   *ua;
    ngx_uint_t                   asked;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    asked = lcf->require_uuid && !lcf->test_mode;

    ngx_str_set(&ctx->uuid, "");
    ngx_str_set(&ctx->user_agent, "");

    if (r->headers_in.user_agent == NULL) {

        if (asked) {
            return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                          "Missing header: User-Agent");
        }

        return NGX_OK;
    }

    ua = &r->headers_in.user_agent->value;

    ngx_http_msgbus_find_uuid(ua, &ctx->uuid);

    if (ngx_http_msgbus_clean_uuid(r, &ctx->uuid) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->uuid.len == 0 && asked) {
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Missing UUID in User-Agent header");
    }

    return publish ? ngx_http_msgbus_escape_ua(r, ctx, ua) : NGX_OK;
}


/* whatever follows "uuid/" up to a space; case matters */
static void
ngx_http_msgbus_find_uuid(ngx_str_t *ua, ngx_str_t *uuid)
{
    u_char  *p, *last;

    p = ua->data;
    last = p + ua->len;

    for ( ;; ) {
        p = memchr(p, '/', last - p);

        if (p == NULL) {
            return;
        }

        p++;

        if (p - ua->data >= (ssize_t) sizeof("uuid/") - 1
            && ngx_memcmp(p - (sizeof("uuid/") - 1), "uuid/",
                          sizeof("uuid/") - 1) == 0)
        {
            break;
        }
    }

    uuid->data = p;

    p = memchr(p, ' ', last - p);

    uuid->len = (p ? p : last) - uuid->data;
    uuid->len = ngx_msgbus_json_cut(uuid, NGX_MSGBUS_UA_LEN);
}


/*
 * Each byte that is no UTF-8 becomes U+FFFD, as in the User-Agent: a database
 * keeps strings of UTF-8, and a driver does not read a document with another.
 */
static ngx_int_t
ngx_http_msgbus_clean_uuid(ngx_http_request_t *r, ngx_str_t *uuid)
{
    u_char     *p;
    ngx_str_t   s;

    if (ngx_msgbus_json_plain(uuid)) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, uuid->len * NGX_MSGBUS_JSON_ESCAPED);
    if (p == NULL) {
        return NGX_ERROR;
    }

    s.data = p;
    s.len = ngx_msgbus_json_escape(p, uuid) - p;

    uuid->data = p;
    uuid->len = ngx_msgbus_json_unescape(p, &s) - p;

    uuid->len = ngx_msgbus_json_cut(uuid, NGX_MSGBUS_UA_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_escape_ua(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx,
    ngx_str_t *ua)
{
    u_char     *p;
    ngx_str_t   s;

    s.data = ua->data;
    s.len = ngx_msgbus_json_cut(ua, NGX_MSGBUS_UA_LEN);

    if (ngx_msgbus_json_plain(&s)) {
        ctx->user_agent = s;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, s.len * NGX_MSGBUS_JSON_ESCAPED);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->user_agent.data = p;
    ctx->user_agent.len = ngx_msgbus_json_escape(p, &s) - p;

    return NGX_OK;
}
