
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A page of events as JSON, or 204 where there is none.
 *
 * The envelope is written around the events in the room that the bus leaves
 * before and behind them, so that most answers are one buffer.
 */


#include "ngx_http_msgbus_jsonp.h"
#include "ngx_http_msgbus_page.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_tally.h"


/* what stands before and behind the events of a page */
#define NGX_HTTP_MSGBUS_HEAD      "{\"channel\":\""
#define NGX_HTTP_MSGBUS_HEAD_END  "\",\"events\":["
#define NGX_HTTP_MSGBUS_TAIL      "]}"

/* without the channel's name */
#define NGX_HTTP_MSGBUS_HEAD_LEN                                              \
    (sizeof(NGX_HTTP_MSGBUS_HEAD NGX_HTTP_MSGBUS_HEAD_END) - 1)
#define NGX_HTTP_MSGBUS_TAIL_LEN                                              \
    (sizeof(NGX_HTTP_MSGBUS_TAIL) - 1)


static ngx_chain_t *ngx_http_msgbus_page_nothing(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);
static ngx_int_t ngx_http_msgbus_page_etag(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page);
static ngx_uint_t ngx_http_msgbus_page_depends(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, uint32_t *hash);
static ngx_int_t ngx_http_msgbus_page_headers(ngx_http_request_t *r,
    ngx_msgbus_page_t *page);
static ngx_buf_t *ngx_http_msgbus_page_last(ngx_chain_t *cl);


ngx_int_t
ngx_http_msgbus_page(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_msgbus_page_t *page)
{
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    return ngx_msgbus_read(lcf->bus, &pass->query,
                           NGX_HTTP_MSGBUS_HEAD_LEN + pass->name.len,
                           NGX_HTTP_MSGBUS_TAIL_LEN, r->pool, page);
}


ngx_int_t
ngx_http_msgbus_page_send(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_msgbus_page_t *page)
{
    u_char     *p;
    size_t      size;
    ngx_buf_t  *b;

    if (ngx_http_msgbus_page_headers(r, page) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_msgbus_tally_page(r, pass, page);

    if (page->out == NULL && pass->callback.len == 0) {
        return ngx_http_msgbus_send_empty(r, NGX_HTTP_NO_CONTENT);
    }

    if (page->out == NULL) {
        page->out = ngx_http_msgbus_page_nothing(r, pass);

        if (page->out == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else if (ngx_http_msgbus_page_etag(r, pass, page) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b = page->out->buf;
    b->pos -= NGX_HTTP_MSGBUS_HEAD_LEN + pass->name.len;

    p = ngx_cpymem(b->pos, NGX_HTTP_MSGBUS_HEAD,
                   sizeof(NGX_HTTP_MSGBUS_HEAD) - 1);
    p = ngx_cpymem(p, pass->name.data, pass->name.len);
    ngx_memcpy(p, NGX_HTTP_MSGBUS_HEAD_END,
               sizeof(NGX_HTTP_MSGBUS_HEAD_END) - 1);

    b = ngx_http_msgbus_page_last(page->out);
    b->last = ngx_cpymem(b->last, NGX_HTTP_MSGBUS_TAIL,
                         NGX_HTTP_MSGBUS_TAIL_LEN);

    if (pass->callback.len) {
        return ngx_http_msgbus_jsonp_send(r, pass, page->out);
    }

    size = NGX_HTTP_MSGBUS_HEAD_LEN + pass->name.len + page->size
           + NGX_HTTP_MSGBUS_TAIL_LEN;

    return ngx_http_msgbus_send(r, page->out, size);
}


/* a page without events, with the room that the others have */
static ngx_chain_t *
ngx_http_msgbus_page_nothing(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(r->pool);
    b = ngx_create_temp_buf(r->pool, NGX_HTTP_MSGBUS_HEAD_LEN
                                     + pass->name.len
                                     + NGX_HTTP_MSGBUS_TAIL_LEN);

    if (cl == NULL || b == NULL) {
        return NULL;
    }

    b->pos += NGX_HTTP_MSGBUS_HEAD_LEN + pass->name.len;
    b->last = b->pos;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}


/*
 * Events never change: the ids at the ends of a page and the number between
 * them say what an answer to this request holds; with whose events are hidden
 * from it, and of which channel of which bus where not the URI alone says that.
 * Weak, because of the ages.
 */
static ngx_int_t
ngx_http_msgbus_page_etag(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_msgbus_page_t *page)
{
    u_char           *p;
    uint32_t          hash;
    ngx_table_elt_t  *h;

    p = ngx_pnalloc(r->pool, sizeof("W/\"---\"") + 3 * NGX_INT64_LEN
                             + NGX_INT32_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* an error that comes from here on has the header, too */

    h = ngx_http_msgbus_push_header(r, "ETag");
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->value.data = p;

    p = ngx_cpymem(p, "W/\"", 3);
    p = ngx_msgbus_number(p, page->first);
    *p++ = '-';
    p = ngx_msgbus_number(p, page->last);
    *p++ = '-';
    p = ngx_msgbus_number(p, page->events);

    if (ngx_http_msgbus_page_depends(r, pass, &hash)) {
        *p++ = '-';
        p = ngx_msgbus_number(p, hash);
    }

    *p++ = '"';

    h->value.len = p - h->value.data;

    r->headers_out.etag = h;

    if (r == r->main) {

        /* a page has no date (RFC 9110, 13.1.4), where nginx answers 412 */

        r->headers_in.if_unmodified_since = NULL;
    }

    return NGX_OK;
}


/* on what else than its URI does an answer depend?  A hash of that. */
static ngx_uint_t
ngx_http_msgbus_page_depends(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, uint32_t *hash)
{
    ngx_str_t                   *bus, *uuid;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_msgbus_loc_conf_t  *lcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    uuid = &pass->query.hide;

    if (uuid->len == 0 && lcf->channel == NULL && !clcf->noname
        && !r->internal)
    {
        return 0;
    }

    bus = ngx_msgbus_name(lcf->bus);

    ngx_crc32_init(*hash);
    ngx_crc32_update(hash, bus->data, bus->len);
    ngx_crc32_update(hash, pass->name.data, pass->name.len);

    if (pass->query.scope == NGX_MSGBUS_MANY) {
        ngx_crc32_update(hash, pass->query.many->text.data,
                         pass->query.many->text.len);
    }

    ngx_crc32_update(hash, (u_char *) " ", 1);
    ngx_crc32_update(hash, uuid->data, uuid->len);
    ngx_crc32_final(*hash);

    return 1;
}


ngx_int_t
ngx_http_msgbus_page_all(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass)
{
    ngx_buf_t                   *b;
    ngx_msgbus_page_t            page;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (ngx_msgbus_read(lcf->bus, &pass->query, 1, 1, r->pool, &page) != NGX_OK
        || ngx_http_msgbus_page_headers(r, &page) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_msgbus_tally_page(r, pass, &page);

    if (page.out == NULL) {
        return ngx_http_msgbus_send_text(r, "[]");
    }

    b = page.out->buf;
    *--b->pos = '[';

    b = ngx_http_msgbus_page_last(page.out);
    *b->last++ = ']';

    return ngx_http_msgbus_send(r, page.out, 1 + page.size + 1);
}


/* all headers that do not depend on the form of the answer */
static ngx_int_t
ngx_http_msgbus_page_headers(ngx_http_request_t *r, ngx_msgbus_page_t *page)
{
    static ngx_str_t  cache_control = ngx_string("private, no-cache");
    static ngx_str_t  vary = ngx_string("Accept, User-Agent");
    static ngx_str_t  gap = ngx_string("true");

    if (ngx_http_msgbus_add_number(r, "Msgbus-Last-Id", page->last_id)
        != NGX_OK
        || (page->gap
            && ngx_http_msgbus_add_header(r, "Msgbus-Gap", &gap) != NGX_OK)
        || ngx_http_msgbus_cache_control(r, &cache_control)
           != NGX_OK
        || ngx_http_msgbus_add_header(r, "Vary", &vary) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_msgbus_content_type(r, "application/json; charset=utf-8");

    return NGX_OK;
}


static ngx_buf_t *
ngx_http_msgbus_page_last(ngx_chain_t *cl)
{
    while (cl->next) {
        cl = cl->next;
    }

    return cl->buf;
}
