
/*
 * Copyright (C) the msgbus authors
 */


/*
 * GET and HEAD: what is read, and how it is answered.
 *
 * A page at once, or when there is something to show; or a stream.  What the
 * query must not ask for is refused here.
 */


#include "ngx_http_msgbus_agent.h"
#include "ngx_http_msgbus_body.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_page.h"
#include "ngx_http_msgbus_read.h"
#include "ngx_http_msgbus_stream.h"
#include "ngx_http_msgbus_wait.h"


static ngx_int_t ngx_http_msgbus_read_query(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args);


ngx_int_t
ngx_http_msgbus_read(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args)
{
    ngx_int_t          rc;
    ngx_msgbus_page_t  page;

    rc = ngx_http_msgbus_read_query(r, pass, args);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_msgbus_body_discard(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (pass->form != NGX_HTTP_MSGBUS_PAGE) {
        return ngx_http_msgbus_stream(r, pass);
    }

    if (ngx_http_msgbus_page(r, pass, &page) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pass->wait && page.out == NULL && !page.gap) {
        return ngx_http_msgbus_wait(r, pass, &page);
    }

    return ngx_http_msgbus_page_send(r, pass, &page);
}


static ngx_int_t
ngx_http_msgbus_read_query(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_loc_conf_t  *lcf;

    rc = ngx_http_msgbus_request_query(r, pass, args);

    if (rc != NGX_OK) {
        return rc;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (pass->query.latest && !ngx_msgbus_is_loaded(lcf->bus)) {

        /* what is older than now is not known */

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "The store has not answered yet");
    }

    if (pass->channel->depth == 0) {

        /* "/" is the whole bus and nothing else */

        if (pass->query.scope != NGX_MSGBUS_ALL) {
            return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                          "Invalid channel name");
        }

        pass->query.scope = NGX_MSGBUS_WHOLE;
    }

    if (pass->form != NGX_HTTP_MSGBUS_PAGE && pass->query.newest_first) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "A stream needs sort=1");
    }

    if (pass->wait && pass->query.newest_first) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "To wait needs sort=1");
    }

    if (pass->echo) {
        return NGX_OK;
    }

    rc = ngx_http_msgbus_agent(r, pass, 0);

    if (rc == NGX_OK) {
        pass->query.hide = pass->uuid;
    }

    return rc;
}


/* test mode's GET /all: every event of the bus */
ngx_int_t
ngx_http_msgbus_read_all(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args)
{
    ngx_int_t            rc;
    ngx_msgbus_query_t  *q;

    rc = ngx_http_msgbus_request_query(r, pass, args);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_msgbus_body_discard(r);

    if (rc != NGX_OK) {
        return rc;
    }

    q = &pass->query;
    q->scope = NGX_MSGBUS_WHOLE;
    q->name = 0;
    q->latest = 0;
    q->after = 0;
    q->max_events = (ngx_uint_t) -1;
    q->max_bytes = (size_t) -1;

    return ngx_http_msgbus_page_all(r, pass);
}
