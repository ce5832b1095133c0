
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Handing a post to the bus, and holding the request while it waits.
 *
 * Where the store has it at once, it is answered at once.  Else the request
 * is held until the bus calls: when all is known, or its patience is over.  A
 * client that leaves takes nothing back: what it posted is stored all the
 * same, as if the answer had been lost.
 */


#include "ngx_http_msgbus_answer.h"
#include "ngx_http_msgbus_hold.h"
#include "ngx_http_msgbus_submit.h"


typedef struct {
    ngx_http_msgbus_hold_t   hold;
    ngx_msgbus_t            *bus;
    ngx_msgbus_post_t       *post;         /* NULL: it does not wait */
} ngx_http_msgbus_submit_t;


static void ngx_http_msgbus_submit_handler(ngx_msgbus_post_t *post);
static void ngx_http_msgbus_submit_release(ngx_http_msgbus_hold_t *hold);


static ngx_http_msgbus_hold_kind_t  ngx_http_msgbus_submit_kind = {
    sizeof(ngx_http_msgbus_submit_t),
    ngx_http_msgbus_submit_release,
    NULL,
    NULL
};


ngx_int_t
ngx_http_msgbus_submit(ngx_http_request_t *r, ngx_msgbus_post_t *post)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_submit_t    *submit;
    ngx_http_msgbus_loc_conf_t  *lcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    submit = NULL;

    if (ngx_msgbus_may_wait(lcf->bus)) {

        /* before it is posted: from then on nothing may fail */

        submit = ngx_http_msgbus_hold_create(r, &ngx_http_msgbus_submit_kind);
        if (submit == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        submit->bus = lcf->bus;
    }

    post->handler = ngx_http_msgbus_submit_handler;
    post->data = submit;
    post->pool = r->pool;

    rc = ngx_msgbus_publish(lcf->bus, post);

    if (rc != NGX_AGAIN) {
        return ngx_http_msgbus_answer(r, ctx, post, rc);
    }

    submit->post = post;

    /* a redirect while it waits would not know of it */

    ctx->published = 1;

    return ngx_http_msgbus_hold(&submit->hold);
}


/* all is known of the post, or it has waited long enough */
static void
ngx_http_msgbus_submit_handler(ngx_msgbus_post_t *post)
{
    ngx_int_t                  rc;
    ngx_http_request_t        *r;
    ngx_http_msgbus_ctx_t     *ctx;
    ngx_http_msgbus_submit_t  *submit;

    submit = post->data;
    ctx = submit->hold.ctx;

    r = ngx_http_msgbus_hold_enter(&submit->hold);

    ctx->published = 0;

    rc = ngx_http_msgbus_answer(r, ctx, post, NGX_AGAIN);

    ngx_http_msgbus_hold_end(&submit->hold, rc);
}


static void
ngx_http_msgbus_submit_release(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_submit_t  *submit;

    submit = (ngx_http_msgbus_submit_t *) hold;

    if (submit->post) {
        ngx_msgbus_forget(submit->bus, submit->post);
    }
}
