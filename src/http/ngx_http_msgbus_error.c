
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What errors look like: { "message": "..." }, whoever raises them.
 *
 * nginx raises errors of its own in a location of ours: a body that is too
 * large, a client that is not allowed, a limit that is exceeded.  Where it
 * is about to send its built-in page for one, the filters here send JSON in
 * its place.  An error_page of the user leads to another location, or sends
 * a redirect, and is left alone; so is "return 403 text".
 *
 * Errors of our own are sent as ordinary answers, because nginx's way to send
 * them closes the connection after a 400; only where the user has an
 * error_page for the status is it left to nginx.
 */


#include "ngx_http_msgbus_args.h"
#include "ngx_http_msgbus_body.h"
#include "ngx_http_msgbus_detour.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_tally.h"


static ngx_int_t ngx_http_msgbus_error_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_error_told_last(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_error_replace(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_error_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_msgbus_error_newer(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_send_error(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_http_err_page_t *ngx_http_msgbus_error_page(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_buf_t *ngx_http_msgbus_error_body(ngx_http_request_t *r,
    ngx_uint_t status, ngx_http_msgbus_pass_t *pass);
static const char *ngx_http_msgbus_error_message(ngx_uint_t status);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


/* the reference sends an empty message with 401 and 403 */
static struct {
    ngx_uint_t             status;
    const char            *message;
} ngx_http_msgbus_messages[] = {
    { 400, "Bad Request" },
    { 401, "" },
    { 402, "Payment Required" },
    { 403, "" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Request Entity Too Large" },
    { 414, "Request-URI Too Large" },
    { 415, "Unsupported Media Type" },
    { 416, "Requested Range Not Satisfiable" },
    { 421, "Misdirected Request" },
    { 422, "Unprocessable Content" },
    { 429, "Too Many Requests" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
    { 507, "Insufficient Storage" },
    { 0, "Error" }
};


ngx_int_t
ngx_http_msgbus_error_init(ngx_conf_t *cf)
{
    (void) cf;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_msgbus_error_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_msgbus_error_body_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_error_header_filter(ngx_http_request_t *r)
{
    ngx_http_msgbus_loc_conf_t  *lcf;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    if (r->upstream && r->internal) {
        ngx_http_msgbus_error_newer(r);
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->bus
        && r->headers_out.status >= NGX_HTTP_BAD_REQUEST
        && ngx_http_msgbus_error_replace(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_msgbus_detour_ends(r);

    if (ngx_http_msgbus_error_told_last(r) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * How much is stored is told behind all that the bus says of a post: where that
 * line is whole, the id is, too, although a connection may break at any byte.
 */
static ngx_int_t
ngx_http_msgbus_error_told_last(ngx_http_request_t *r)
{
    ngx_list_part_t        *part;
    ngx_table_elt_t        *h, *last;
    ngx_http_msgbus_ctx_t  *ctx;

    ctx = ngx_http_msgbus_ctx_last(r);

    if (ctx == NULL || !ctx->told) {
        return NGX_OK;
    }

    h = ngx_http_msgbus_find_header(r, "Msgbus-Stored");
    part = r->headers_out.headers.last;
    last = (ngx_table_elt_t *) part->elts + part->nelts - 1;

    if (h == NULL || h == last) {
        return NGX_OK;
    }

    last = ngx_http_msgbus_push_header(r, "Msgbus-Stored");
    if (last == NULL) {
        return NGX_ERROR;
    }

    last->value = h->value;
    h->hash = 0;

    return NGX_OK;
}


/* an error in a location of ours, which may be nginx's */
static ngx_int_t
ngx_http_msgbus_error_replace(ngx_http_request_t *r)
{
    ngx_uint_t              status;
    ngx_http_msgbus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    if (ctx && ctx->pass.replied) {
        return NGX_OK;
    }

    ctx = ngx_http_msgbus_ctx(r);

    if (ctx == NULL || ngx_http_msgbus_args_posted(r, &ctx->pass) != NGX_OK) {
        return NGX_ERROR;
    }

    status = r->headers_out.status;

    ngx_http_msgbus_tally_refused(r, ctx, status);

    /* "return 403 text", too; a bus behind a proxy says it itself */

    if (r->upstream == NULL && ngx_http_msgbus_stored_none(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * nginx's page: err_status is set by the special response handler only,
     * which leaves 400 and above, and the type text/html, for a page
     */

    if (r->err_status != status
        || r->headers_out.content_type.len != sizeof("text/html") - 1)
    {
        return NGX_OK;
    }

    ctx->pass.error = ngx_http_msgbus_error_body(r, status, &ctx->pass);

    if (ctx->pass.error == NULL) {
        return NGX_ERROR;
    }

    ctx->pass.replied = 1;
    ctx->pass.replaced = 1;

    r->headers_out.content_length_n = ngx_buf_size(ctx->pass.error);
    ngx_http_msgbus_content_type(r, "application/json; charset=utf-8");

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_error_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t             out, *cl;
    ngx_http_msgbus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    if (in == NULL || ctx == NULL || !ctx->pass.replaced) {
        return ngx_http_next_body_filter(r, in);
    }

    /* nginx's page, whole: it counts as sent */

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
        cl->buf->last_buf = 0;
        cl->buf->last_in_chain = 0;
    }

    ctx->pass.replaced = 0;

    ctx->pass.error->last_buf = 1;
    ctx->pass.error->last_in_chain = 1;

    out.buf = ctx->pass.error;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}


ngx_int_t
ngx_http_msgbus_finish(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_msgbus_ctx_t  *ctx;

    if (rc < NGX_HTTP_BAD_REQUEST) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    if (ctx == NULL || ctx->pass.replied) {
        return rc;
    }

    if (ngx_http_msgbus_args_posted(r, &ctx->pass) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_msgbus_body_refuse(r);
    ngx_http_msgbus_tally_refused(r, ctx, rc);

    /* these stay, wherever an error_page leads */

    if (ngx_http_msgbus_stored_none(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_msgbus_error_page(r, rc)) {
        return rc;
    }

    return ngx_http_msgbus_send_error(r, rc);
}


/* a bus behind a proxy, to which an error_page has led, says it anew, too */
static void
ngx_http_msgbus_error_newer(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = ngx_http_msgbus_find_header(r, "Msgbus-Stored");

    if (h) {
        h->hash = 0;

        if (ngx_http_msgbus_find_header(r, "Msgbus-Stored") == NULL) {
            h->hash = 1;
        }
    }
}


static ngx_int_t
ngx_http_msgbus_send_error(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_int_t               rc;
    ngx_chain_t             out;
    ngx_http_msgbus_ctx_t  *ctx;

    static ngx_str_t        retry_after = ngx_string("1");

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    rc = ngx_http_msgbus_body_discard(r);

    if (rc != NGX_OK) {
        return rc;
    }

    out.buf = ngx_http_msgbus_error_body(r, status, &ctx->pass);
    out.next = NULL;

    if (out.buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* not where posting it again might store it twice */

    if ((status == NGX_HTTP_SERVICE_UNAVAILABLE || status == NGX_HTTP_CONFLICT)
        && (!ctx->published || ctx->pass.keyed)
        && ngx_http_msgbus_add_header(r, "Retry-After", &retry_after)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;

    /* what "error_page 404 =200" says is about the error that led here */

    r->err_status = status;

    ngx_http_msgbus_content_type(r, "application/json; charset=utf-8");

    return ngx_http_msgbus_send(r, &out, ngx_buf_size(out.buf));
}


ngx_uint_t
ngx_http_msgbus_error_goes_on(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_str_t            *uri;
    ngx_http_err_page_t  *page;

    page = ngx_http_msgbus_error_page(r, status);
    if (page == NULL) {
        return 0;
    }

    uri = &page->value.value;

    return uri->len && uri->data[0] == '@';
}


/* what would nginx answer this status with?  NULL: nothing of the user's */
static ngx_http_err_page_t *
ngx_http_msgbus_error_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL || r->uri_changes == 0 || r->error_page) {
        return NULL;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == (ngx_int_t) status) {
            return &page[i];
        }
    }

    return NULL;
}


/*
 * The body of an error, from the request's pool: its message, else what its
 * status says.  NULL: no memory.
 */
static ngx_buf_t *
ngx_http_msgbus_error_body(ngx_http_request_t *r, ngx_uint_t status,
    ngx_http_msgbus_pass_t *pass)
{
    size_t       len;
    ngx_buf_t   *b;
    ngx_str_t   *ids;
    const char  *message;

    static ngx_str_t  none = ngx_null_string;

    message = pass->message;
    ids = pass->ids ? pass->ids : &none;

    if (message == NULL) {
        message = ngx_http_msgbus_error_message(status);
    }

    len = sizeof("{ \"message\": \"\" }") - 1 + ngx_strlen(message)
          + ids->len;

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NULL;
    }

    b->last = ngx_sprintf(b->last, "{ \"message\": \"%s\"%V }", message,
                          ids);

    return b;
}


static const char *
ngx_http_msgbus_error_message(ngx_uint_t status)
{
    ngx_uint_t  i;

    for (i = 0; ngx_http_msgbus_messages[i].status; i++) {
        if (ngx_http_msgbus_messages[i].status == status) {
            break;
        }
    }

    return ngx_http_msgbus_messages[i].message;
}
