
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Handing a post to the bus, and holding the request while it waits.
 *
 * Where the store has it at once, it is answered at once.  Else the request
 * is held: its count is raised, its read event watches for the client's
 * leaving, the bus calls when all is known, or its patience is over.  A
 * client that leaves takes nothing back: what it posted is stored all the
 * same, as if the answer had been lost.
 */


#include "ngx_http_msgbus_answer.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_submit.h"


typedef struct {
    ngx_msgbus_t          *bus;
    ngx_msgbus_post_t     *post;
} ngx_http_msgbus_submit_t;


static void ngx_http_msgbus_submit_cleanup(void *data);
static void ngx_http_msgbus_submit_handler(ngx_msgbus_post_t *post);


ngx_int_t
ngx_http_msgbus_submit(ngx_http_request_t *r, ngx_msgbus_post_t *post)
{
    ngx_int_t                    rc;
    ngx_pool_cleanup_t          *cln;
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_submit_t    *held;
    ngx_http_msgbus_loc_conf_t  *lcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    post->handler = ngx_http_msgbus_submit_handler;
    post->data = r;
    post->pool = r->pool;

    held = NULL;

    if (ngx_msgbus_may_wait(lcf->bus)) {

        /* before it is posted: from then on nothing may fail */

        cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_msgbus_submit_t));
        if (cln == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        cln->handler = ngx_http_msgbus_submit_cleanup;

        held = cln->data;
        held->bus = lcf->bus;
        held->post = NULL;
    }

    rc = ngx_msgbus_publish(lcf->bus, post);

    if (rc != NGX_AGAIN) {
        return ngx_http_msgbus_answer(r, ctx, post, rc);
    }

    held->post = post;

    /* a redirect while it waits would not know of it */

    ctx->published = 1;

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = ngx_http_request_empty_handler;
    r->main->count++;

    return NGX_DONE;
}


/* the client left, or the request ended */
static void
ngx_http_msgbus_submit_cleanup(void *data)
{
    ngx_http_msgbus_submit_t  *held = data;

    if (held->post) {
        ngx_msgbus_forget(held->bus, held->post);
    }
}


/* all is known of the post, or it has waited long enough */
static void
ngx_http_msgbus_submit_handler(ngx_msgbus_post_t *post)
{
    ngx_int_t               rc;
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_msgbus_ctx_t  *ctx;

    r = post->data;
    c = r->connection;    /* r may not survive finalization */

    ngx_http_set_log_request(c->log, r);

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    ctx->published = 0;

    rc = ngx_http_msgbus_answer(r, ctx, post, NGX_AGAIN);

    ngx_http_finalize_request(r, ngx_http_msgbus_finish(r, rc));
    ngx_http_run_posted_requests(c);
}
