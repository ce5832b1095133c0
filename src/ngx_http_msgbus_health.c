
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Health: is the bus able to store events?
 *
 * "OK" or 503, for balancers and monitors, at /health below a bus and
 * wherever msgbus_health stands.  It asks the store, which answers from what
 * it knows: nothing here waits.
 */


#include "ngx_http_msgbus.h"


static ngx_int_t ngx_http_msgbus_health_verbose(ngx_http_request_t *r,
    ngx_msgbus_t *bus, ngx_uint_t ok);


ngx_int_t
ngx_http_msgbus_health(ngx_http_request_t *r, ngx_msgbus_t *bus)
{
    ngx_int_t               rc;
    ngx_uint_t              ok;
    ngx_http_msgbus_ctx_t  *ctx;

    static ngx_str_t        cache_control = ngx_string("no-store");

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ok = ngx_msgbus_health(bus) == NGX_OK;
    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    if (ngx_http_msgbus_add_header(r, "Cache-Control", &cache_control)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_msgbus_is(&ctx->args.verbose, "true")) {
        return ngx_http_msgbus_health_verbose(r, bus, ok);
    }

    if (!ok) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_http_msgbus_content_type(r, "text/plain");

    return ngx_http_msgbus_send_text(r, "OK\n");
}


static ngx_int_t
ngx_http_msgbus_health_verbose(ngx_http_request_t *r, ngx_msgbus_t *bus,
    ngx_uint_t ok)
{
    ngx_buf_t            *b;
    ngx_chain_t           out;
    ngx_msgbus_status_t   status;

    static u_char         format[] =
        "{\"status\":\"%s\",\"msgbus\":\"" NGX_MSGBUS_VERSION "\","
        "\"nginx\":\"" NGINX_VERSION "\",\"zone\":\"%V\","
        "\"store\":\"%V\",\"events\":%uL,\"last_id\":%uL,"
        "\"waiting_readers\":%ui,\"evicted_early\":%uL,"
        "\"refused\":%uL,\"rebuilds\":%uL,\"warnings\":[%s]}";

    ngx_msgbus_status(bus, &status);

    b = ngx_create_temp_buf(r->pool, sizeof(format) + 256
                                     + ngx_msgbus_name(bus)->len
                                     + status.store.len
                                     + 6 * NGX_INT64_LEN);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_sprintf(b->last, (char *) format, ok ? "ok" : "down",
                          ngx_msgbus_name(bus), &status.store, status.events,
                          status.last_id, status.parked, status.pressed,
                          status.refused, status.rebuilds,
                          status.pressed || status.refused
                          ? "\"the zone is too small for its ttl\"" : "");

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = ok ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE;
    ngx_http_msgbus_content_type(r, "application/json; charset=utf-8");

    return ngx_http_msgbus_send(r, &out, ngx_buf_size(b));
}


ngx_int_t
ngx_http_msgbus_health_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);
    ctx = ngx_http_msgbus_ctx(r);

    if (ctx == NULL || ngx_http_msgbus_args(r, &ctx->args) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
         ? ngx_http_msgbus_health(r, lcf->health_bus)
         : ngx_http_msgbus_allow(r, NGX_HTTP_MSGBUS_READ);

    return ngx_http_msgbus_finish(r, rc);
}
