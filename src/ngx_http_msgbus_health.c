
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


ngx_int_t
ngx_http_msgbus_health(ngx_http_request_t *r, ngx_msgbus_t *bus)
{
    ngx_int_t  rc;

    static ngx_str_t  cache_control = ngx_string("no-store");

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_msgbus_health(bus) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ngx_http_msgbus_add_header(r, "Cache-Control", &cache_control)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_msgbus_content_type(r, "text/plain");

    return ngx_http_msgbus_send_text(r, "OK\n");
}


ngx_int_t
ngx_http_msgbus_health_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (ngx_http_msgbus_ctx(r) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        rc = ngx_http_msgbus_health(r, lcf->health_bus);

    } else {
        rc = ngx_http_msgbus_allow(r, r->method == NGX_HTTP_OPTIONS
                                      ? NGX_HTTP_NO_CONTENT
                                      : NGX_HTTP_NOT_ALLOWED,
                                   NGX_HTTP_MSGBUS_READ);
    }

    return ngx_http_msgbus_finish(r, rc);
}
