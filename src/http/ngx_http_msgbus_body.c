
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The body of a request: read and made one piece, or discarded.
 *
 * Whatever happens to it, the connection stays in step: what is left of a body
 * is never taken for the next request.
 */


#include "ngx_http_msgbus_body.h"


static ngx_int_t ngx_http_msgbus_body_copy(ngx_http_request_t *r,
    ngx_buf_t *b, u_char *p, size_t len);


ngx_int_t
ngx_http_msgbus_body_read(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler)
{
    ngx_int_t  rc;

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_msgbus_body_abandon(r);
        return rc;
    }

    return NGX_DONE;
}


ngx_int_t
ngx_http_msgbus_body(ngx_http_request_t *r, size_t limit, ngx_str_t *body)
{
    u_char       *p;
    size_t        n, len;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;
    b = cl->buf;

    if (cl->next == NULL && ngx_buf_in_memory(b)) {
        body->data = b->pos;
        body->len = b->last - b->pos;

        return body->len > limit ? NGX_HTTP_REQUEST_ENTITY_TOO_LARGE : NGX_OK;
    }

    len = 0;

    for ( /* void */ ; cl; cl = cl->next) {
        n = ngx_buf_size(cl->buf);

        if (n > limit - len) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        len += n;
    }

    if (len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;
    body->len = len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        n = ngx_buf_size(cl->buf);

        if (ngx_http_msgbus_body_copy(r, cl->buf, p, n) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_body_copy(ngx_http_request_t *r, ngx_buf_t *b, u_char *p,
    size_t len)
{
    ssize_t                      n;
    ngx_http_msgbus_loc_conf_t  *lcf;

    if (len == 0) {
        return NGX_OK;
    }

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(p, b->pos, len);
        return NGX_OK;
    }

    n = ngx_read_file(b->file, p, len, b->file_pos);

    if (n == NGX_ERROR || (size_t) n != len) {
        lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

        ngx_msgbus_tell(ngx_msgbus_tells(lcf->bus), NGX_MSGBUS_TELL_BODY,
                        NGX_LOG_CRIT,
                        r->connection->log, 0,
                        "msgbus read only %z of %uz bytes of a request body "
                        "from \"%V\"", n, len, &b->file->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_msgbus_body_discard(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {

        /* no body, and so no end of it: nginx says so only once */

        ngx_http_msgbus_body_abandon(r);
    }

    return rc;
}


void
ngx_http_msgbus_body_refuse(ngx_http_request_t *r)
{
    if (r->headers_in.expect
        && !r->expect_tested
        && r->http_version == NGX_HTTP_VERSION_11
        && r->request_body == NULL
        && (r->headers_in.content_length_n > 0 || r->headers_in.chunked))
    {
        /* who is not asked may send it or leave it: nothing comes behind it */

        r->expect_tested = 1;

        ngx_http_msgbus_body_abandon(r);
    }
}


void
ngx_http_msgbus_body_abandon(ngx_http_request_t *r)
{
    r->keepalive = 0;
    r->lingering_close = 1;
}
