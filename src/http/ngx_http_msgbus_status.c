
/*
 * Copyright (C) the msgbus authors
 */


/*
 * msgbus_status: the numbers of all zones, for who watches them.
 *
 * The answer is 200 whatever they say: a store that is away is a number, and a
 * monitor that gets an error has none.  Which form it has is for the argument
 * "format" to say, then for the Accept headers; else it is JSON.
 */


#include "ngx_http_msgbus_accept.h"
#include "ngx_http_msgbus_args.h"
#include "ngx_http_msgbus_body.h"
#include "ngx_http_msgbus_drain.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_metrics.h"
#include "ngx_http_msgbus_numbers.h"
#include "ngx_http_msgbus_numbers_json.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_status.h"
#include "ngx_http_msgbus_status_page.h"


/* forms of the answer */
#define NGX_HTTP_MSGBUS_STATUS_JSON         0
#define NGX_HTTP_MSGBUS_STATUS_PROMETHEUS   1
#define NGX_HTTP_MSGBUS_STATUS_OPENMETRICS  2
#define NGX_HTTP_MSGBUS_STATUS_HTML         3
#define NGX_HTTP_MSGBUS_STATUS_FORMS        4


static ngx_int_t ngx_http_msgbus_status(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);
static ngx_int_t ngx_http_msgbus_status_form(ngx_http_request_t *r,
    ngx_uint_t *form);
static ngx_int_t ngx_http_msgbus_status_html(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_status_send(ngx_http_request_t *r,
    ngx_uint_t form);


/* as the argument names them, and as Accept does; in the order of the forms */
static ngx_str_t  ngx_http_msgbus_status_formats[] = {
    ngx_string("json"),
    ngx_string("prometheus"),
    ngx_string("openmetrics"),
    ngx_string("html")
};

static ngx_str_t  ngx_http_msgbus_status_types[] = {
    ngx_string("application/json"),
    ngx_string("text/plain"),
    ngx_string("application/openmetrics-text"),
    ngx_string("text/html")
};

static const char  *ngx_http_msgbus_status_content[] = {
    "application/json; charset=utf-8",
    "text/plain; version=0.0.4; charset=utf-8",
    "application/openmetrics-text; version=1.0.0; charset=utf-8"
};


ngx_int_t
ngx_http_msgbus_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->told_by.len == 0) {

        /* "msgbus off" in an "if" of this location */

        return NGX_DECLINED;
    }

    ctx = ngx_http_msgbus_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
         ? ngx_http_msgbus_status(r, &ctx->pass)
         : ngx_http_msgbus_allow(r, NGX_HTTP_MSGBUS_READ);

    return ngx_http_msgbus_drain(r, rc);
}


static ngx_int_t
ngx_http_msgbus_status(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass)
{
    ngx_int_t         rc;
    ngx_uint_t        form;

    static ngx_str_t  cache_control = ngx_string("no-store");
    static ngx_str_t  vary = ngx_string("Accept");

    rc = ngx_http_msgbus_status_form(r, &form);

    if (rc == NGX_DECLINED) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid format");
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_msgbus_body_discard(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_msgbus_cache_control(r, &cache_control) != NGX_OK
        || ngx_http_msgbus_add_header(r, "Vary", &vary) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (form == NGX_HTTP_MSGBUS_STATUS_HTML) {
        return ngx_http_msgbus_status_html(r);
    }

    return ngx_http_msgbus_status_send(r, form);
}


/* NGX_DECLINED: there is no such form; NGX_ERROR: no memory */
static ngx_int_t
ngx_http_msgbus_status_form(ngx_http_request_t *r, ngx_uint_t *form)
{
    ngx_str_t               *s;
    ngx_uint_t               i;
    ngx_http_msgbus_args_t   args;

    if (ngx_http_msgbus_args(r, &args) != NGX_OK) {
        return NGX_ERROR;
    }

    if (args.format.data == NULL) {
        *form = ngx_http_msgbus_accept_of(r, ngx_http_msgbus_status_types,
                                          NGX_HTTP_MSGBUS_STATUS_FORMS);
        return NGX_OK;
    }

    for (i = 0; i < NGX_HTTP_MSGBUS_STATUS_FORMS; i++) {
        s = &ngx_http_msgbus_status_formats[i];

        if (s->len == args.format.len
            && ngx_memcmp(s->data, args.format.data, s->len) == 0)
        {
            *form = i;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* it asks for JSON by itself */
static ngx_int_t
ngx_http_msgbus_status_html(ngx_http_request_t *r)
{
    static ngx_str_t  no_referrer = ngx_string("no-referrer");
    static ngx_str_t  nosniff = ngx_string("nosniff");

    if (ngx_http_msgbus_add_header(r, "Content-Security-Policy",
                                   &ngx_http_msgbus_status_policy)
        != NGX_OK
        || ngx_http_msgbus_add_header(r, "Referrer-Policy", &no_referrer)
           != NGX_OK
        || ngx_http_msgbus_add_header(r, "X-Content-Type-Options", &nosniff)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_msgbus_content_type(r, "text/html; charset=utf-8");

    return ngx_http_msgbus_send_text(r, ngx_http_msgbus_status_page);
}


static ngx_int_t
ngx_http_msgbus_status_send(ngx_http_request_t *r, ngx_uint_t form)
{
    size_t                      size;
    ngx_http_msgbus_text_t      text;
    ngx_http_msgbus_numbers_t  *numbers;

    numbers = ngx_http_msgbus_numbers(r);
    if (numbers == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_msgbus_text_init(&text, r->pool);

    if (form == NGX_HTTP_MSGBUS_STATUS_JSON) {
        ngx_http_msgbus_numbers_json(&text, numbers);

    } else {
        ngx_http_msgbus_metrics(&text, numbers,
                                form == NGX_HTTP_MSGBUS_STATUS_OPENMETRICS);
    }

    size = ngx_http_msgbus_text_size(&text);

    if (size == 0) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_msgbus_content_type(r, ngx_http_msgbus_status_content[form]);

    return ngx_http_msgbus_send(r, text.out, size);
}
