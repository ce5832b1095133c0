
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A read that waits for a look at the store before it reads.
 *
 * Other nodes' events come to this one by looks.  A read that waits for one
 * that began after it came shows whatever was acknowledged before that,
 * wherever it was posted.  It is held for that long, and read then, as any
 * other: answered, parked, or made a stream.
 */


#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_fresh.h"


typedef struct {
    ngx_http_msgbus_hold_t     hold;
    ngx_msgbus_fresh_t         fresh;
    ngx_msgbus_t              *bus;
    ngx_http_msgbus_go_on_pt   read;
    unsigned                   present:1; /* it is going to wait for events */
} ngx_http_msgbus_fresh_t;


static void ngx_http_msgbus_fresh_handler(ngx_msgbus_fresh_t *w,
    ngx_int_t rc);
static ngx_int_t ngx_http_msgbus_fresh_refuse(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);
static void ngx_http_msgbus_fresh_release(ngx_http_msgbus_hold_t *hold);


static ngx_http_msgbus_hold_kind_t  ngx_http_msgbus_fresh_kind = {
    sizeof(ngx_http_msgbus_fresh_t),
    ngx_http_msgbus_fresh_release,
    NULL,
    NULL
};


ngx_int_t
ngx_http_msgbus_fresh(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_go_on_pt read)
{
    ngx_http_msgbus_fresh_t     *fresh;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (!lcf->fresh_reads || !ngx_msgbus_follows(lcf->bus)) {
        return NGX_OK;
    }

    if (r != r->main || r->post_action) {

        /* rather nothing than what may be old */

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "A subrequest can not wait for the "
                                      "store");
    }

    fresh = ngx_http_msgbus_hold_create(r, &ngx_http_msgbus_fresh_kind);
    if (fresh == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    fresh->fresh.handler = ngx_http_msgbus_fresh_handler;
    fresh->bus = lcf->bus;
    fresh->read = read;

    /* "/all" of test mode has no channel, and does not wait for events */

    if (r->method != NGX_HTTP_HEAD
        && pass->channel
        && (pass->wait || pass->form != NGX_MSGBUS_PAGE))
    {
        if (ngx_msgbus_enter(fresh->bus, &pass->query, pass->form) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        fresh->present = 1;
    }

    ngx_msgbus_look(fresh->bus, &fresh->fresh);

    /* a cursor above all ids is judged by the same look */

    pass->query.asked = fresh->fresh.asked;

    return ngx_http_msgbus_hold(&fresh->hold);
}


static void
ngx_http_msgbus_fresh_handler(ngx_msgbus_fresh_t *w, ngx_int_t rc)
{
    ngx_http_msgbus_fresh_t  *fresh;

    fresh = ngx_queue_data(w, ngx_http_msgbus_fresh_t, fresh);

    ngx_http_msgbus_hold_go_on(&fresh->hold,
                               rc == NGX_OK ? fresh->read
                                            : ngx_http_msgbus_fresh_refuse);
}


static ngx_int_t
ngx_http_msgbus_fresh_refuse(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass)
{
    (void) r;

    return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                  "The store does not answer");
}


static void
ngx_http_msgbus_fresh_release(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_fresh_t  *fresh;

    fresh = (ngx_http_msgbus_fresh_t *) hold;

    if (fresh->present) {
        ngx_msgbus_leave(fresh->bus, &fresh->hold.ctx->pass.query,
                         fresh->hold.ctx->pass.form);
    }

    ngx_msgbus_look_forget(fresh->bus, &fresh->fresh);
}
