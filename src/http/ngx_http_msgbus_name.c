
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Which channel a request names: by its URI below the location, or by what
 * msgbus_channel says.
 *
 * The name is found before it is known whether it can be one.  Until then it is
 * what the client has sent, decoded: nothing shows it, or logs it.
 */


#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_name.h"


ngx_int_t
ngx_http_msgbus_name(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass)
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
        rc = ngx_http_complex_value(r, lcf->channel, &pass->name);
        naming = 0;

        return rc == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->uri.len < lcf->prefix.len
        || ngx_strncmp(r->uri.data, lcf->prefix.data, lcf->prefix.len) != 0)
    {
        /* after a rewrite ... break, or in an "if" of a regex location */

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "msgbus finds no channel below location \"%V\", use "
                      "msgbus_channel", &lcf->prefix);

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid channel name");
    }

    pass->name.data = r->uri.data + lcf->prefix.len;
    pass->name.len = r->uri.len - lcf->prefix.len;

    return NGX_OK;
}


ngx_int_t
ngx_http_msgbus_name_channel(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass)
{
    size_t                       size;
    ngx_msgbus_channel_t         channel;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (ngx_msgbus_channel(lcf->bus, &channel, &pass->name) != NGX_OK) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid channel name");
    }

    /* who waits keeps it: no more of it than its levels */

    size = offsetof(ngx_msgbus_channel_t, levels)
           + channel.depth * sizeof(ngx_msgbus_level_t);

    pass->channel = ngx_palloc(r->pool, size);
    if (pass->channel == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(pass->channel, &channel, size);

    return NGX_OK;
}
