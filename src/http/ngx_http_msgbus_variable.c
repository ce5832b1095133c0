
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Variables, for logs, limits, maps and access.
 *
 * What follows from the request's head ($msgbus_channel, $msgbus_operation,
 * $msgbus_auth_key) is computed whenever it is asked for, before the body is
 * read, and is not cached: the location, and with it the answer, may change.
 * What follows from the answer is there once it is sent.  What the bus says,
 * $msgbus_subscribers, is what it says at that moment.
 */


#include "ngx_http_msgbus_args.h"
#include "ngx_http_msgbus_headers.h"
#include "ngx_http_msgbus_name.h"
#include "ngx_http_msgbus_variable.h"
#if (NGX_SSL || NGX_MSGBUS_SHA512)
#include <openssl/sha.h>
#endif


/* memcached takes keys below this, in bytes */
#define NGX_HTTP_MSGBUS_KEY_LEN  250


static ngx_int_t ngx_http_msgbus_variable_channel(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_msgbus_variable_operation(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_msgbus_variable_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_msgbus_variable_events(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_msgbus_variable_subscribers(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_msgbus_variable_auth_key(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_msgbus_variable_hash(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, u_char *key, size_t len);
static ngx_int_t ngx_http_msgbus_variable_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uint64_t n);
static void ngx_http_msgbus_variable_text(ngx_http_variable_value_t *v,
    u_char *data, size_t len);


static ngx_http_variable_t  ngx_http_msgbus_vars[] = {

    { ngx_string("msgbus_channel"), NULL, ngx_http_msgbus_variable_channel,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("msgbus_operation"), NULL,
      ngx_http_msgbus_variable_operation,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("msgbus_id"), NULL, ngx_http_msgbus_variable_id,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("msgbus_events"), NULL, ngx_http_msgbus_variable_events,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("msgbus_subscribers"), NULL,
      ngx_http_msgbus_variable_subscribers,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("msgbus_auth_key"), NULL, ngx_http_msgbus_variable_auth_key,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_msgbus_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_msgbus_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/* empty where the request's path can be no channel's name */
static ngx_int_t
ngx_http_msgbus_variable_channel(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_msgbus_channel_t         channel;
    ngx_http_msgbus_pass_t       pass;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    v->not_found = 1;

    if (lcf->bus == NULL
        || ngx_http_msgbus_name(r, &pass) != NGX_OK
        || ngx_msgbus_channel(lcf->bus, &channel, &pass.name) != NGX_OK)
    {
        return NGX_OK;
    }

    ngx_http_msgbus_variable_text(v, pass.name.data, pass.name.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_variable_operation(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const char                  *text;
    ngx_http_msgbus_pass_t       pass;
    ngx_http_msgbus_args_t       args;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    v->not_found = 1;

    if (lcf->bus == NULL
        || ngx_http_msgbus_name(r, &pass) != NGX_OK
        || ngx_http_msgbus_args(r, &args) != NGX_OK)
    {
        return NGX_OK;
    }

    if (ngx_http_msgbus_is_publish(r, &args)) {
        text = "publish";

    } else if (r->method == NGX_HTTP_OPTIONS) {
        text = "options";

    } else if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_OK;

    } else if (ngx_http_msgbus_is(&pass.name, "/health")) {
        text = "health";

    } else {
        text = "read";
    }

    ngx_http_msgbus_variable_text(v, (u_char *) text, ngx_strlen(text));

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_variable_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_msgbus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    if (ctx == NULL || ctx->id == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_msgbus_variable_number(r, v, ctx->id);
}


static ngx_int_t
ngx_http_msgbus_variable_events(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_msgbus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    if (ctx == NULL || !ctx->pass.read) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_msgbus_variable_number(r, v, ctx->pass.events);
}


/* at this moment: before the answer, behind it, or in between */
static ngx_int_t
ngx_http_msgbus_variable_subscribers(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_msgbus_channel_t         channel;
    ngx_http_msgbus_pass_t       pass;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->bus == NULL
        || ngx_http_msgbus_name(r, &pass) != NGX_OK
        || ngx_msgbus_channel(lcf->bus, &channel, &pass.name) != NGX_OK)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_msgbus_variable_number(r, v,
                                  ngx_msgbus_subscribers(lcf->bus, &channel));
}


/*
 * RSE's key for a token in memcached: prefix and token; where memcached would
 * not take it, its SHA-512, as "0A-1B-..."
 */
static ngx_int_t
ngx_http_msgbus_variable_auth_key(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t                       len;
    u_char                      *key, *p;
    ngx_str_t                   *token;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    token = ngx_http_msgbus_headers_token(r);

    if (token == NULL || token->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    len = lcf->auth_prefix.len + token->len;

    key = ngx_pnalloc(r->pool, len);
    if (key == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(key, lcf->auth_prefix.data, lcf->auth_prefix.len);
    ngx_memcpy(p, token->data, token->len);

    if (len >= NGX_HTTP_MSGBUS_KEY_LEN) {
        return ngx_http_msgbus_variable_hash(r, v, key, len);
    }

    ngx_http_msgbus_variable_text(v, key, len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_variable_hash(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, u_char *key, size_t len)
{
#if (NGX_SSL || NGX_MSGBUS_SHA512)

    u_char         *p, *text, digest[SHA512_DIGEST_LENGTH];
    ngx_uint_t      i;

    static u_char   hex[] = "0123456789ABCDEF";

    text = ngx_pnalloc(r->pool, SHA512_DIGEST_LENGTH * 3);
    if (text == NULL) {
        return NGX_ERROR;
    }

    SHA512(key, len, digest);

    p = text;

    for (i = 0; i < SHA512_DIGEST_LENGTH; i++) {
        *p++ = hex[digest[i] >> 4];
        *p++ = hex[digest[i] & 0xf];
        *p++ = '-';
    }

    ngx_http_msgbus_variable_text(v, text, p - 1 - text);

    return NGX_OK;

#else

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "msgbus hashes no long token: it was built without OpenSSL");

    v->not_found = 1;

    return NGX_OK;

#endif
}


static ngx_int_t
ngx_http_msgbus_variable_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uint64_t n)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_msgbus_variable_text(v, p, ngx_msgbus_number(p, n) - p);

    return NGX_OK;
}


static void
ngx_http_msgbus_variable_text(ngx_http_variable_value_t *v, u_char *data,
    size_t len)
{
    v->data = data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
}
