
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_REPLY_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_REPLY_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* The senders return what the request is to be finalized with. */

/* a header whose value the caller sets; NULL: no memory */
ngx_table_elt_t *ngx_http_msgbus_push_header(ngx_http_request_t *r,
    const char *key);

/* the first of this name that is to be sent; NULL: none */
ngx_table_elt_t *ngx_http_msgbus_find_header(ngx_http_request_t *r,
    const char *key);

/* value must live as long as the request; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_msgbus_add_header(ngx_http_request_t *r, const char *key,
    ngx_str_t *value);
ngx_int_t ngx_http_msgbus_add_number(ngx_http_request_t *r, const char *key,
    uint64_t n);
ngx_int_t ngx_http_msgbus_cache_control(ngx_http_request_t *r,
    ngx_str_t *value);

/*
 * Msgbus-Stored of a post, in place of what was said before; value's bytes must
 * live as long as the request.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_msgbus_stored(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_str_t *value);

/*
 * "none", of a post that is refused, where nothing has been said yet; what is
 * no post stays as it is.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_msgbus_stored_none(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);

/* "application/json", or "application/json; charset=utf-8" */
void ngx_http_msgbus_content_type(ngx_http_request_t *r, const char *type);

/* a status without a body */
ngx_int_t ngx_http_msgbus_send_empty(ngx_http_request_t *r,
    ngx_uint_t status);

/* headers_out.status, or 200, with out, whose last buffer ends the body */
ngx_int_t ngx_http_msgbus_send(ngx_http_request_t *r, ngx_chain_t *out,
    size_t size);

/* 200 with a constant */
ngx_int_t ngx_http_msgbus_send_text(ngx_http_request_t *r, const char *text);

/* 405, or the answer to OPTIONS (204): with Allow */
ngx_int_t ngx_http_msgbus_allow(ngx_http_request_t *r, ngx_uint_t methods);


#endif /* _NGX_HTTP_MSGBUS_REPLY_H_INCLUDED_ */
