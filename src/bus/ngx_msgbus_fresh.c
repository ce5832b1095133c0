
/*
 * Copyright (C) the msgbus authors
 */


/*
 * This worker's readers who wait for a look at the store.
 *
 * A look that began after a reader came has what any node acknowledged before
 * that.  All who wait share it: they stand in the order in which they came, so
 * a look is for the first so many of them, and one timer is enough, that of
 * the first.  They do not park: no event is for them before they have read.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_fresh.h"


/* how long one may wait once its worker is to exit, ms */
#define NGX_MSGBUS_FRESH_EXIT  3000


static ngx_msec_int_t ngx_msgbus_fresh_left(ngx_msgbus_freshes_t *ws);
static ngx_msgbus_fresh_t *ngx_msgbus_fresh_first(ngx_msgbus_freshes_t *ws);


void
ngx_msgbus_fresh_init(ngx_msgbus_freshes_t *ws, ngx_event_handler_pt handler,
    void *data, ngx_log_t *log)
{
    ngx_queue_init(&ws->queue);
    ws->n = 0;

    ws->timer.handler = handler;
    ws->timer.data = data;
    ws->timer.log = log;
}


void
ngx_msgbus_fresh_link(ngx_msgbus_freshes_t *ws, ngx_msgbus_fresh_t *w)
{
    w->since = ngx_current_msec;
    w->linked = 1;

    ngx_queue_insert_tail(&ws->queue, &w->queue);
    ws->n++;

    if (ws->n == 1) {

        /* it keeps a worker that is to exit from doing so, too */

        ngx_add_timer(&ws->timer, ngx_max(ngx_msgbus_fresh_left(ws), 1));
    }
}


void
ngx_msgbus_fresh_unlink(ngx_msgbus_freshes_t *ws, ngx_msgbus_fresh_t *w)
{
    if (!w->linked) {
        return;
    }

    ngx_queue_remove(&w->queue);

    w->linked = 0;
    ws->n--;

    if (ws->n == 0 && ws->timer.timer_set) {
        ngx_del_timer(&ws->timer);
    }
}


ngx_int_t
ngx_msgbus_fresh_call(ngx_msgbus_freshes_t *ws, uint64_t looked,
    ngx_uint_t max)
{
    ngx_int_t            rc;
    ngx_msgbus_fresh_t  *w;

    while (ws->n) {

        w = ngx_msgbus_fresh_first(ws);

        if (looked > w->asked) {
            rc = NGX_OK;

        } else if (ngx_msgbus_fresh_left(ws) <= 0) {
            rc = NGX_DECLINED;

        } else {
            ngx_add_timer(&ws->timer, ngx_msgbus_fresh_left(ws));
            return NGX_OK;
        }

        if (max-- == 0) {

            /* posted events alone do not keep a worker from exiting */

            ngx_add_timer(&ws->timer, ngx_max(ngx_msgbus_fresh_left(ws), 1));

            return NGX_AGAIN;
        }

        ngx_msgbus_fresh_unlink(ws, w);

        w->handler(w, rc);
    }

    return NGX_OK;
}


/* patience of the first one, ms */
static ngx_msec_int_t
ngx_msgbus_fresh_left(ngx_msgbus_freshes_t *ws)
{
    ngx_msec_t  patience;

    patience = ws->patience;

    if (ngx_exiting) {
        patience = ngx_min(patience, NGX_MSGBUS_FRESH_EXIT);
    }

    return (ngx_msec_int_t) (ngx_msgbus_fresh_first(ws)->since + patience
                             - ngx_current_msec);
}


static ngx_msgbus_fresh_t *
ngx_msgbus_fresh_first(ngx_msgbus_freshes_t *ws)
{
    return ngx_queue_data(ngx_queue_head(&ws->queue), ngx_msgbus_fresh_t,
                          queue);
}
