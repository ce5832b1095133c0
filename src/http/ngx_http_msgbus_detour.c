
/*
 * Copyright (C) the msgbus authors
 */


/*
 * An error_page may lead a request that is refused to another location, and
 * that may be one of a bus, too.  So a refusal does not count before the answer
 * is sent, and not at all where the answer is another bus's.
 *
 * What nginx itself refuses, a body that is too large or a client that is not
 * allowed, it tells nobody of; and after an error_page nothing says any more
 * where the request came from.  But nginx asks for the text of an error_page at
 * the right moment: the status is known, and the location still is the one that
 * refuses.  So the text is made by a step of ours, which notes the refusal, and
 * then does what was there before.  A request that is not refused pays nothing
 * for it.
 */


#include "ngx_http_msgbus_args.h"
#include "ngx_http_msgbus_detour.h"
#include "ngx_http_msgbus_headers.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_tally.h"


/* how the text of an error_page is made, as nginx's scripts have it */
typedef struct {
    ngx_http_script_code_pt    code;
    ngx_http_complex_value_t   text;
    ngx_uint_t                 status;
    uintptr_t                  end;
} ngx_http_msgbus_detour_t;


static ngx_int_t ngx_http_msgbus_detour_add(ngx_conf_t *cf,
    ngx_http_err_page_t *page);
static size_t ngx_http_msgbus_detour_len(ngx_http_script_engine_t *e);
static void ngx_http_msgbus_detour_text(ngx_http_script_engine_t *e);
static ngx_uint_t ngx_http_msgbus_detour_read(ngx_http_request_t *r);
static ngx_uint_t ngx_http_msgbus_detour_stored(ngx_http_request_t *r);


ngx_int_t
ngx_http_msgbus_detours(ngx_conf_t *cf)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->error_pages == NULL) {
        return NGX_OK;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {

        /* "return 301" refuses nothing, wherever its error_page leads */

        if (page[i].status < NGX_HTTP_BAD_REQUEST) {
            continue;
        }

        if (ngx_http_msgbus_detour_add(cf, &page[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_detour_add(ngx_conf_t *cf, ngx_http_err_page_t *page)
{
    u_char                    *p;
    ngx_str_t                 *text;
    ngx_http_msgbus_detour_t  *detour;

    detour = page->value.values;

    if (detour && detour->code == ngx_http_msgbus_detour_text) {

        /* a level above has the same pages */

        return NGX_OK;
    }

    detour = ngx_pcalloc(cf->pool, 2 * sizeof(ngx_http_msgbus_detour_t));
    if (detour == NULL) {
        return NGX_ERROR;
    }

    detour[0].code = ngx_http_msgbus_detour_text;
    detour[0].text = page->value;
    detour[0].status = page->status;

    detour[1].code = (ngx_http_script_code_pt) (void *)
                     ngx_http_msgbus_detour_len;

    if (page->value.lengths == NULL && page->args.len) {

        /* nginx has cut the arguments off a text that stays as it is */

        text = &detour[0].text.value;

        p = ngx_pnalloc(cf->pool, text->len + 1 + page->args.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        text->data = p;

        p = ngx_cpymem(p, page->value.value.data, text->len);
        *p++ = '?';
        p = ngx_cpymem(p, page->args.data, page->args.len);

        text->len = p - text->data;
    }

    page->value.values = &detour[0];
    page->value.lengths = &detour[1];
    page->value.flushes = NULL;

    return NGX_OK;
}


/* nginx's own buffer is not used */
static size_t
ngx_http_msgbus_detour_len(ngx_http_script_engine_t *e)
{
    e->ip += offsetof(ngx_http_msgbus_detour_t, end);

    return 0;
}


static void
ngx_http_msgbus_detour_text(ngx_http_script_engine_t *e)
{
    ngx_int_t                    rc;
    ngx_http_request_t          *r;
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_detour_t    *detour;
    ngx_http_msgbus_loc_conf_t  *lcf;

    rc = NGX_OK;
    r = e->request;
    detour = (ngx_http_msgbus_detour_t *) e->ip;
    e->ip += offsetof(ngx_http_msgbus_detour_t, end);

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->bus && r == r->main) {
        ctx = ngx_http_msgbus_ctx(r);

        if (ctx && ngx_http_msgbus_args_posted(r, &ctx->pass) == NGX_OK) {
            ngx_http_msgbus_tally_refused(r, ctx, detour->status);

            /* the other location may be no bus's, and does not say it */

            rc = ngx_http_msgbus_stored_none(r, ctx);
        }
    }

    if (rc != NGX_OK
        || ngx_http_complex_value(r, &detour->text, &e->buf) != NGX_OK)
    {
        /*
         * nginx is to give the request up, as it does where there is no step
         * between; older versions do not look at the status
         */

        e->status = NGX_HTTP_INTERNAL_SERVER_ERROR;
        e->buf.len = 0;
        r->connection->error = 1;
    }

    /* some versions of nginx take its length, others where it ends */

    e->pos = e->buf.data + e->buf.len;
}


void
ngx_http_msgbus_detour_ends(ngx_http_request_t *r)
{
    ngx_uint_t              well;
    ngx_http_msgbus_ctx_t  *last;

    last = ngx_http_msgbus_ctx_last(r);

    if (last == NULL || last->refused_by == NULL) {
        return;
    }

    well = last->refused == NGX_MSGBUS_COUNT_READ_REFUSED
           ? ngx_http_msgbus_detour_read(r) : ngx_http_msgbus_detour_stored(r);

    if (!well) {
        ngx_msgbus_count(last->refused_by, last->refused, 1);
        last->tallied = 1;
    }

    last->refused_by = NULL;
}


/* by this nginx, or by one behind it to which an error_page has led */
static ngx_uint_t
ngx_http_msgbus_detour_read(ngx_http_request_t *r)
{
    ngx_str_t               type;
    ngx_http_msgbus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    if (ctx && ctx->pass.read) {
        return 1;
    }

    if (r->upstream == NULL || r->headers_out.status >= NGX_HTTP_BAD_REQUEST) {
        return 0;
    }

    if (ngx_http_msgbus_find_header(r, "Msgbus-Last-Id")) {
        return 1;
    }

    /* a stream has no cursor in its header */

    type.data = r->headers_out.content_type.data;
    type.len = r->headers_out.content_type_len;

    return ngx_http_msgbus_is_nocase(&type, "text/event-stream")
           || ngx_http_msgbus_is_nocase(&type, "application/x-ndjson");
}


/* likewise */
static ngx_uint_t
ngx_http_msgbus_detour_stored(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = ngx_http_msgbus_find_header(r, "Msgbus-Stored");

    return h && h->value.len == 3 && ngx_strncmp(h->value.data, "all", 3) == 0;
}
