
/*
 * Copyright (C) the msgbus authors
 */


/*
 * All that this module sends: status, headers, bodies.
 *
 * A body, or its end, goes out with the header, in one write.  Streams have a
 * way of their own, behind the header.
 */


#include "ngx_http_msgbus_body.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_tally.h"


ngx_table_elt_t *
ngx_http_msgbus_push_header(ngx_http_request_t *r, const char *key)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);

    if (h) {
        h->hash = 1;
        h->key.len = ngx_strlen(key);
        h->key.data = (u_char *) key;
        ngx_str_null(&h->value);
        h->lowcase_key = NULL;
#if (nginx_version >= 1023000)
        h->next = NULL;
#endif
    }

    return h;
}


ngx_int_t
ngx_http_msgbus_add_header(ngx_http_request_t *r, const char *key,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_http_msgbus_push_header(r, key);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->value = *value;

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_msgbus_find_header(ngx_http_request_t *r, const char *key)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(key);

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash
                && h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) key, len) == 0)
            {
                return &h[i];
            }
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_msgbus_add_number(ngx_http_request_t *r, const char *key, uint64_t n)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_msgbus_number(value.data, n) - value.data;

    return ngx_http_msgbus_add_header(r, key, &value);
}


ngx_int_t
ngx_http_msgbus_cache_control(ngx_http_request_t *r, ngx_str_t *value)
{
    ngx_table_elt_t  *h;
#if (nginx_version < 1023000)
    ngx_array_t      *lines;
    ngx_table_elt_t **line;
#endif

    h = ngx_http_msgbus_push_header(r, "Cache-Control");
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->value = *value;

    /* where nginx's own modules look for it, "expires" for one */

#if (nginx_version >= 1023000)

    r->headers_out.cache_control = h;

#else

    lines = &r->headers_out.cache_control;

    if (lines->elts == NULL
        && ngx_array_init(lines, r->pool, 1, sizeof(ngx_table_elt_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    line = ngx_array_push(lines);
    if (line == NULL) {
        return NGX_ERROR;
    }

    *line = h;

#endif

    return NGX_OK;
}


ngx_int_t
ngx_http_msgbus_stored(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    static ngx_str_t  no_store = ngx_string("no-store");

    if (ctx->told) {

        /* by a location whose error_page has led here: this is newer */

        h = ngx_http_msgbus_find_header(r, "Msgbus-Stored");

        if (h) {
            h->value = *value;
            return NGX_OK;
        }
    }

    ctx->told = 1;

    if (r->method == NGX_HTTP_GET
        && ngx_http_msgbus_cache_control(r, &no_store) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_msgbus_add_header(r, "Msgbus-Stored", value);
}


ngx_int_t
ngx_http_msgbus_stored_none(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx)
{
    static ngx_str_t  none = ngx_string("none");

    if (ctx->told || !(ctx->pass.publish || r->method == NGX_HTTP_POST)) {
        return NGX_OK;
    }

    return ngx_http_msgbus_stored(r, ctx, &none);
}


void
ngx_http_msgbus_content_type(ngx_http_request_t *r, const char *type)
{
    u_char  *p, *last;

    static const char  charset[] = "; charset=";

    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type.data = (u_char *) type;
    ngx_str_null(&r->headers_out.charset);

    last = (u_char *) type + r->headers_out.content_type.len;

    p = ngx_strlchr((u_char *) type, last, ';');

    if (p == NULL) {
        p = last;
    }

    /* what nginx's filters compare with their types: without parameters */

    r->headers_out.content_type_len = p - (u_char *) type;

    if (ngx_strncmp(p, charset, sizeof(charset) - 1) == 0) {

        /* nginx has a place of its own for the charset, and puts it behind */

        r->headers_out.content_type.len = r->headers_out.content_type_len;

        p += sizeof(charset) - 1;

        r->headers_out.charset.len = last - p;
        r->headers_out.charset.data = p;
    }

    r->headers_out.content_type_lowcase = NULL;
}


ngx_int_t
ngx_http_msgbus_send_empty(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_int_t                    rc;
    ngx_chain_t                  out;
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_loc_conf_t  *lcf;

    static ngx_buf_t             nothing;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    ctx->pass.replied = 1;

    r->headers_out.status = status;
    r->headers_out.content_length_n = 0;

    ngx_str_null(&r->headers_out.content_type);

    ngx_http_msgbus_tally_read(r, lcf->bus, &ctx->pass);

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (r->headers_out.content_length_n == 0 && r == r->main) {

        /*
         * No filter has something to add, for it would have said so: the end
         * goes past them.  Nobody writes to a buffer that holds nothing.
         */

        nothing.last_buf = 1;
        nothing.last_in_chain = 1;

        out.buf = &nothing;
        out.next = NULL;

        return ngx_http_write_filter(r, &out);
    }

    return ngx_http_send_special(r, NGX_HTTP_LAST);
}


ngx_int_t
ngx_http_msgbus_send(ngx_http_request_t *r, ngx_chain_t *out, size_t size)
{
    ngx_int_t                    rc;
    ngx_chain_t                 *cl;
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_loc_conf_t  *lcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    ctx->pass.replied = 1;

    if (r->headers_out.status == 0) {
        r->headers_out.status = NGX_HTTP_OK;
    }

    r->headers_out.content_length_n = size;

    if (r->headers_out.etag == NULL) {

        /* else nginx answers 304 or 412, even after an event was stored */

        r->disable_not_modified = 1;
    }

    rc = ngx_http_send_header(r);

    /* before the body: nginx may have made it a 304, or led it elsewhere */

    ngx_http_msgbus_tally_read(r, lcf->bus, &ctx->pass);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    for (cl = out; cl->next; cl = cl->next) { /* void */ }

    cl->buf->last_buf = (r == r->main);
    cl->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, out);
}


ngx_int_t
ngx_http_msgbus_send_text(ngx_http_request_t *r, const char *text)
{
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->memory = 1;
    b->pos = (u_char *) text;
    b->last = b->pos + ngx_strlen(text);

    out.buf = b;
    out.next = NULL;

    return ngx_http_msgbus_send(r, &out, b->last - b->pos);
}


ngx_int_t
ngx_http_msgbus_allow(ngx_http_request_t *r, ngx_uint_t methods)
{
    ngx_int_t    rc;
    ngx_uint_t   n;

    static ngx_str_t  allow[] = {
        ngx_string("OPTIONS"),
        ngx_string("POST, OPTIONS"),
        ngx_string("GET, HEAD, OPTIONS"),
        ngx_string("GET, HEAD, POST, OPTIONS")
    };

    n = (methods & NGX_HTTP_MSGBUS_PUBLISH) ? 1 : 0;
    n += (methods & NGX_HTTP_MSGBUS_READ) ? 2 : 0;

    if (ngx_http_msgbus_add_header(r, "Allow", &allow[n]) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method != NGX_HTTP_OPTIONS) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_msgbus_body_discard(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_msgbus_send_empty(r, NGX_HTTP_NO_CONTENT);
}
