
/*
 * Copyright (C) the msgbus authors
 */


/*
 * From an HTTP request to what is asked of the bus: the channel, the
 * operation, who asks; or the error that it gets.  The arguments have a room
 * of their own.  Nothing here publishes, reads or keeps anything.
 */


#include "ngx_http_msgbus_accept.h"
#include "ngx_http_msgbus_args.h"
#include "ngx_http_msgbus_drain.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_headers.h"
#include "ngx_http_msgbus_health.h"
#include "ngx_http_msgbus_jsonp.h"
#include "ngx_http_msgbus_name.h"
#include "ngx_http_msgbus_origin.h"
#include "ngx_http_msgbus_publish.h"
#include "ngx_http_msgbus_read.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_request.h"


static ngx_int_t ngx_http_msgbus_dispatch(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);
static ngx_int_t ngx_http_msgbus_dispatch_publish(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args);


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

    return ngx_http_msgbus_drain(r, ngx_http_msgbus_dispatch(r, &ctx->pass));
}


static ngx_int_t
ngx_http_msgbus_dispatch(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass)
{
    ngx_int_t                    rc;
    ngx_str_t                   *id;
    ngx_uint_t                   methods, get, all;
    ngx_http_msgbus_args_t       args;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    rc = ngx_http_msgbus_name(r, pass);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_msgbus_args(r, &args) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    get = r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD);
    pass->publish = ngx_http_msgbus_is_publish(r, &args);
    methods = lcf->methods;

    if (ngx_http_msgbus_is(&pass->name, "/health")) {

        /* neither a post nor a read */

        pass->counted = 1;

        if (get) {

            if (!lcf->rse) {

                /* the report is for whom msgbus_health lets in */

                ngx_str_null(&args.verbose);
            }

            return ngx_http_msgbus_health(r, lcf->bus, &args);
        }

        return ngx_http_msgbus_allow(r, NGX_HTTP_MSGBUS_READ);
    }

    all = lcf->test_mode && ngx_http_msgbus_is(&pass->name, "/all");

    if (all) {
        methods &= ~NGX_HTTP_MSGBUS_PUBLISH;
    }

    if (get && r == r->main && !all && !pass->publish) {
        pass->form = ngx_http_msgbus_accept(r);
    }

    if (pass->form != NGX_MSGBUS_PAGE) {
        id = ngx_http_msgbus_headers_last_event_id(r);

        if (id) {
            args.last_event_id = *id;
        }

    } else if (get || r->method == NGX_HTTP_POST) {
        rc = ngx_http_msgbus_jsonp_callback(r, pass, &args);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (pass->publish) {

        if ((methods & NGX_HTTP_MSGBUS_PUBLISH) && r == r->main) {
            return ngx_http_msgbus_dispatch_publish(r, pass, &args);
        }

    } else if (get && (methods & NGX_HTTP_MSGBUS_READ)) {

        if (all) {
            return ngx_http_msgbus_read_all(r, pass, &args);
        }

        rc = ngx_http_msgbus_name_channel(r, pass);

        return rc == NGX_OK ? ngx_http_msgbus_read(r, pass, &args) : rc;
    }

    /* the whole bus is no channel to post to */

    return ngx_http_msgbus_allow(r, ngx_http_msgbus_is(&pass->name, "/")
                                    ? methods & ~NGX_HTTP_MSGBUS_PUBLISH
                                    : methods);
}


static ngx_int_t
ngx_http_msgbus_dispatch_publish(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args)
{
    ngx_int_t                    rc;
    ngx_str_t                   *origin;
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_loc_conf_t  *lcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (r->method == NGX_HTTP_GET) {

        if (lcf->limit_except & NGX_HTTP_POST) {

            /* what it holds against a POST it would not see here */

            return ngx_http_msgbus_allow(r, lcf->methods);
        }

        if (lcf->jsonp != NGX_HTTP_MSGBUS_JSONP_ON) {
            return ngx_http_msgbus_refuse(pass, NGX_HTTP_FORBIDDEN,
                                          "Posting by GET is off");
        }
    }

    origin = ngx_http_msgbus_headers_post(r, pass);

    if (origin || r->method == NGX_HTTP_GET) {
        rc = ngx_http_msgbus_origin(r, pass, origin);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ctx->published) {

        /* an error_page, X-Accel-Redirect or post_action brought it back */

        ngx_msgbus_tell(ngx_msgbus_tells(lcf->bus), NGX_MSGBUS_TELL_TWICE,
                        NGX_LOG_WARN, r->connection->log, 0,
                        "msgbus does not publish a request twice");

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_msgbus_name_channel(r, pass);

    return rc == NGX_OK ? ngx_http_msgbus_publish(r, pass, args) : rc;
}
