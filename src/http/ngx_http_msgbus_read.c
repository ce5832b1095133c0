
/*
 * Copyright (C) the msgbus authors
 */


/*
 * GET and HEAD of a channel, and how they are answered.
 *
 * A page at once, or when there is something to show; or a stream.
 */


#include "ngx_http_msgbus_body.h"
#include "ngx_http_msgbus_fresh.h"
#include "ngx_http_msgbus_page.h"
#include "ngx_http_msgbus_query.h"
#include "ngx_http_msgbus_read.h"
#include "ngx_http_msgbus_stream.h"
#include "ngx_http_msgbus_wait.h"


static ngx_int_t ngx_http_msgbus_read_now(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);


ngx_int_t
ngx_http_msgbus_read(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args)
{
    ngx_int_t  rc;

    rc = ngx_http_msgbus_query(r, pass, args);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_msgbus_body_discard(r);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_msgbus_fresh(r, pass, ngx_http_msgbus_read_now);

    return rc == NGX_OK ? ngx_http_msgbus_read_now(r, pass) : rc;
}


/* what the bus has of it */
static ngx_int_t
ngx_http_msgbus_read_now(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass)
{
    ngx_int_t          rc;
    ngx_msgbus_page_t  page;

    if (pass->form != NGX_MSGBUS_PAGE) {
        return ngx_http_msgbus_stream(r, pass);
    }

    rc = ngx_http_msgbus_page(r, pass, &page);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED
        || (pass->wait && page.out == NULL && !page.gap)
        || page.unsure)
    {
        return ngx_http_msgbus_wait(r, pass, &page, rc);
    }

    return ngx_http_msgbus_page_send(r, pass, &page);
}


/* test mode's GET /all: every event of the bus */
ngx_int_t
ngx_http_msgbus_read_all(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args)
{
    ngx_int_t  rc;

    rc = ngx_http_msgbus_query_all(r, pass, args);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_msgbus_body_discard(r);

    if (rc == NGX_OK) {
        rc = ngx_http_msgbus_fresh(r, pass, ngx_http_msgbus_page_all);
    }

    return rc == NGX_OK ? ngx_http_msgbus_page_all(r, pass) : rc;
}
