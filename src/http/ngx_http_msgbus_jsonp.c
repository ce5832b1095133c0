
/*
 * Copyright (C) the msgbus authors
 */


/*
 * JSONP: an answer as a call of a function that the page has named.
 *
 * The name is checked before anything is stored.  The answer is JavaScript,
 * in which U+2028 and U+2029 end a line, other than in JSON: they can stand
 * inside strings only, and are escaped there.  Errors are not wrapped.
 */


#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_jsonp.h"
#include "ngx_http_msgbus_reply.h"


#define NGX_HTTP_MSGBUS_CALLBACK_LEN  255


static ngx_int_t ngx_http_msgbus_jsonp_headers(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_jsonp_escape(ngx_pool_t *pool, ngx_buf_t *b);
static ngx_uint_t ngx_http_msgbus_jsonp_separators(ngx_buf_t *b);
static ngx_chain_t *ngx_http_msgbus_jsonp_text(ngx_pool_t *pool,
    ngx_str_t *name, const char *text);


ngx_int_t
ngx_http_msgbus_jsonp_callback(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args)
{
    u_char                       c;
    ngx_str_t                   *name;
    ngx_uint_t                   i;
    ngx_http_msgbus_loc_conf_t  *lcf;

    name = &args->callback;

    if (name->data == NULL) {
        return NGX_OK;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->jsonp == NGX_HTTP_MSGBUS_JSONP_OFF) {
        return NGX_OK;
    }

    if (name->len == 0 || name->len > NGX_HTTP_MSGBUS_CALLBACK_LEN) {
        goto invalid;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_'))
        {
            goto invalid;
        }
    }

    pass->callback = *name;

    return NGX_OK;

invalid:

    return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                  "Invalid callback name");
}


ngx_int_t
ngx_http_msgbus_jsonp_send_empty(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass)
{
    ngx_chain_t  *cl;

    cl = ngx_http_msgbus_jsonp_text(r->pool, &pass->callback, "({});");

    if (cl == NULL || ngx_http_msgbus_jsonp_headers(r) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_msgbus_send(r, cl, ngx_buf_size(cl->buf));
}


ngx_int_t
ngx_http_msgbus_jsonp_send(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_chain_t *out)
{
    size_t        size;
    ngx_chain_t  *head, *tail, *cl;

    head = ngx_http_msgbus_jsonp_text(r->pool, &pass->callback, "(");
    tail = ngx_http_msgbus_jsonp_text(r->pool, NULL, ");");

    if (head == NULL || tail == NULL
        || ngx_http_msgbus_jsonp_headers(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    head->next = out;
    size = ngx_buf_size(head->buf) + ngx_buf_size(tail->buf);

    for (cl = out; cl; cl = cl->next) {

        if (ngx_http_msgbus_jsonp_escape(r->pool, cl->buf) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        size += ngx_buf_size(cl->buf);

        if (cl->next == NULL) {
            cl->next = tail;
            break;
        }
    }

    return ngx_http_msgbus_send(r, head, size);
}


static ngx_int_t
ngx_http_msgbus_jsonp_headers(ngx_http_request_t *r)
{
    static ngx_str_t  nosniff = ngx_string("nosniff");

    ngx_http_msgbus_content_type(r, "text/javascript; charset=utf-8");

    return ngx_http_msgbus_add_header(r, "X-Content-Type-Options", &nosniff);
}


/*
 * U+2028 and U+2029 as \u2028 and \u2029; they are E2 80 A8 and E2 80 A9.  A
 * buffer holds whole events, so whole characters.
 */
static ngx_int_t
ngx_http_msgbus_jsonp_escape(ngx_pool_t *pool, ngx_buf_t *b)
{
    u_char      *p, *dst;
    ngx_uint_t   n;

    n = ngx_http_msgbus_jsonp_separators(b);

    if (n == 0) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(pool, ngx_buf_size(b) + n * 3);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    p = b->pos;
    b->pos = dst;

    while (p < b->last) {

        if (*p == 0xe2 && b->last - p >= 3 && p[1] == 0x80
            && (p[2] & 0xfe) == 0xa8)
        {
            dst = ngx_cpymem(dst, "\\u202", 5);
            *dst++ = p[2] == 0xa8 ? '8' : '9';
            p += 3;

        } else {
            *dst++ = *p++;
        }
    }

    b->last = dst;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_msgbus_jsonp_separators(ngx_buf_t *b)
{
    u_char      *p;
    ngx_uint_t   n;

    n = 0;

    for (p = b->pos; p < b->last; p++) {

        p = memchr(p, 0xe2, b->last - p);

        if (p == NULL) {
            break;
        }

        if (b->last - p >= 3 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8) {
            n++;
        }
    }

    return n;
}


static ngx_chain_t *
ngx_http_msgbus_jsonp_text(ngx_pool_t *pool, ngx_str_t *name,
    const char *text)
{
    size_t        len;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    len = ngx_strlen(text) + (name ? name->len : 0);

    cl = ngx_alloc_chain_link(pool);
    b = ngx_create_temp_buf(pool, len);

    if (cl == NULL || b == NULL) {
        return NULL;
    }

    if (name) {
        b->last = ngx_cpymem(b->last, name->data, name->len);
    }

    b->last = ngx_cpymem(b->last, text, ngx_strlen(text));

    cl->buf = b;
    cl->next = NULL;

    return cl;
}
