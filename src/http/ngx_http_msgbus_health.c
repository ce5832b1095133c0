
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


#include "ngx_http_msgbus_args.h"
#include "ngx_http_msgbus_body.h"
#include "ngx_http_msgbus_drain.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_health.h"
#include "ngx_http_msgbus_reply.h"


static ngx_int_t ngx_http_msgbus_health_verbose(ngx_http_request_t *r,
    ngx_msgbus_t *bus, ngx_uint_t ok);
static size_t ngx_http_msgbus_health_len(ngx_msgbus_status_t *status);
static u_char *ngx_http_msgbus_health_store(u_char *p,
    ngx_msgbus_status_t *status);
static u_char *ngx_http_msgbus_health_warnings(u_char *p,
    ngx_msgbus_status_t *status, ngx_uint_t more);


ngx_int_t
ngx_http_msgbus_health(ngx_http_request_t *r, ngx_msgbus_t *bus,
    ngx_http_msgbus_args_t *args)
{
    ngx_int_t         rc;
    ngx_uint_t        ok;

    static ngx_str_t  cache_control = ngx_string("no-store");

    rc = ngx_http_msgbus_body_discard(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ok = ngx_msgbus_health(bus) == NGX_OK;

    if (ngx_http_msgbus_cache_control(r, &cache_control)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_msgbus_is(&args->verbose, "true")) {
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
    ngx_buf_t                 *b;
    ngx_uint_t                 small;
    ngx_chain_t                out;
    ngx_msgbus_status_t        status;
    ngx_http_core_loc_conf_t  *clcf;

    static u_char              format[] =
        "{\"status\":\"%s\",\"msgbus\":\"" NGX_MSGBUS_VERSION "\","
        "\"nginx\":\"%s\",\"zone\":\"%V\","
        "\"store\":\"%V\",\"events\":%uL,\"last_id\":%uL,"
        "\"waiting_readers\":%ui,\"evicted_early\":%uL,"
        "\"refused\":%uL,\"keys_forgotten\":%uL,\"rebuilds\":%uL,";

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_msgbus_status(bus, &status);

    b = ngx_create_temp_buf(r->pool, sizeof(format) + 256
                                     + sizeof(NGINX_VERSION)
                                     + ngx_msgbus_name(bus)->len
                                     + status.store.len
                                     + 7 * NGX_INT64_LEN
                                     + ngx_http_msgbus_health_len(&status));
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_sprintf(b->last, (char *) format, ok ? "ok" : "down",
                          clcf->server_tokens ? NGINX_VERSION : "",
                          ngx_msgbus_name(bus), &status.store, status.events,
                          status.last_id, status.parked, status.pressed,
                          status.refused, status.forgotten, status.rebuilds);

    if (status.conf) {
        b->last = ngx_http_msgbus_health_store(b->last, &status);
    }

    b->last = ngx_cpymem(b->last, "\"warnings\":[",
                         sizeof("\"warnings\":[") - 1);

    small = status.squeezed;

    if (small) {
        b->last = ngx_sprintf(b->last,
                              "\"the zone is too small for its ttl\"");
    }

    if (status.conf) {
        b->last = ngx_http_msgbus_health_warnings(b->last, &status, small);
    }

    *b->last++ = ']';
    *b->last++ = '}';

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = ok ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE;
    ngx_http_msgbus_content_type(r, "application/json; charset=utf-8");

    return ngx_http_msgbus_send(r, &out, ngx_buf_size(b));
}


/* bytes that the report of a store takes at most */
static size_t
ngx_http_msgbus_health_len(ngx_msgbus_status_t *status)
{
    if (status->conf == NULL) {
        return 0;
    }

    return 512 + 11 * NGX_INT64_LEN + 2 * NGX_MSGBUS_WARNINGS_LEN
           + status->conf->kind->name.len + status->conf->name.len
           + status->conf->kind->place.len
           + (status->conf->shown.len + NGX_MSGBUS_ERROR_LEN
              + NGX_MSGBUS_VERSION_LEN) * NGX_MSGBUS_JSON_ESCAPED;
}


static u_char *
ngx_http_msgbus_health_store(u_char *p, ngx_msgbus_status_t *status)
{
    ngx_str_t                 s;
    ngx_msgbus_store_conf_t  *conf;

    conf = status->conf;

    p = ngx_sprintf(p, "\"%V\":{\"name\":\"%V\",\"", &conf->kind->name,
                    &conf->name);

    ngx_strlow(p, conf->kind->place.data, conf->kind->place.len);
    p += conf->kind->place.len;

    p = ngx_cpymem(p, "\":\"", sizeof("\":\"") - 1);
    p = ngx_msgbus_json_escape(p, &conf->shown);

    p = ngx_sprintf(p, "\",\"reachable\":%s,",
                    status->reachable ? "true" : "false");

    if (!status->reachable) {
        s.data = status->error;
        s.len = ngx_strlen(status->error);

        p = ngx_cpymem(p, "\"error\":\"", sizeof("\"error\":\"") - 1);
        p = ngx_msgbus_json_escape(p, &s);
        p = ngx_cpymem(p, "\",", 2);
    }

    s.data = status->version;
    s.len = ngx_strlen(status->version);

    p = ngx_cpymem(p, "\"server\":\"", sizeof("\"server\":\"") - 1);
    p = ngx_msgbus_json_escape(p, &s);

    return ngx_sprintf(p, "\",\"rtt_ms\":%uL.%03uL,\"behind_ms\":%uL,"
                       "\"pending\":%uL,\"commits\":%uL,"
                       "\"committed\":%uL,\"foreign\":%uL,"
                       "\"conflicts\":%uL,\"refused\":%uL},",
                       status->rtt / 1000, status->rtt % 1000,
                       status->behind, status->pending, status->commits,
                       status->committed, status->foreign,
                       status->conflicts, status->unwanted);
}


/* more: others stand before them */
static u_char *
ngx_http_msgbus_health_warnings(u_char *p, ngx_msgbus_status_t *status,
    ngx_uint_t more)
{
    u_char  *text;

    for (text = status->warnings; *text; text += ngx_strlen(text) + 1) {
        p = ngx_sprintf(p, "%s\"%s\"", more ? "," : "", text);
        more = 1;
    }

    return p;
}


ngx_int_t
ngx_http_msgbus_health_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_args_t       args;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->told_bus == NULL) {

        /* "msgbus off" in an "if" of this location */

        return NGX_DECLINED;
    }

    ctx = ngx_http_msgbus_ctx(r);

    if (ctx == NULL || ngx_http_msgbus_args(r, &args) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
         ? ngx_http_msgbus_health(r, lcf->told_bus, &args)
         : ngx_http_msgbus_allow(r, NGX_HTTP_MSGBUS_READ);

    return ngx_http_msgbus_drain(r, rc);
}
