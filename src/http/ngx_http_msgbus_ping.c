
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Pings: when a stream is due for one.
 *
 * All streams of a location wait for the same time, so whoever has had his
 * ping goes to the end of one queue, and the head of it is the next.  One
 * timer for a location, and 24 bytes for a stream, instead of a timer for
 * each.  A crowd that came at once is due at once: it goes in parts, so that
 * other requests do not wait for it.  The timer is set then, too: a worker
 * that is to exit waits for timers, but not for posted events.
 */


#include "ngx_http_msgbus_ping.h"


/* pings of one turn of the event loop */
#define NGX_HTTP_MSGBUS_PINGS  64


static void ngx_http_msgbus_ping_handler(ngx_event_t *ev);


void
ngx_http_msgbus_ping_start(ngx_http_msgbus_pings_t *pings,
    ngx_http_msgbus_ping_t *ping, ngx_msec_t interval,
    ngx_http_msgbus_ping_pt handler)
{
    if (pings->queue.next == NULL) {
        ngx_queue_init(&pings->queue);

        pings->timer.handler = ngx_http_msgbus_ping_handler;
        pings->timer.data = pings;
        pings->timer.log = ngx_cycle->log;

        pings->interval = interval;
        pings->handler = handler;
    }

    if (ngx_queue_empty(&pings->queue)) {
        ngx_add_timer(&pings->timer, interval);
    }

    ping->due = ngx_current_msec + interval;
    ngx_queue_insert_tail(&pings->queue, &ping->queue);
}


void
ngx_http_msgbus_ping_stop(ngx_http_msgbus_pings_t *pings,
    ngx_http_msgbus_ping_t *ping)
{
    ngx_queue_remove(&ping->queue);

    if (!ngx_queue_empty(&pings->queue)) {
        return;
    }

    if (pings->timer.timer_set) {
        ngx_del_timer(&pings->timer);
    }

    if (pings->timer.posted) {
        ngx_delete_posted_event(&pings->timer);
    }
}


static void
ngx_http_msgbus_ping_handler(ngx_event_t *ev)
{
    ngx_uint_t                n;
    ngx_queue_t              *q;
    ngx_msec_int_t            left;
    ngx_http_msgbus_ping_t   *ping;
    ngx_http_msgbus_pings_t  *pings;

    pings = ev->data;
    ev->timedout = 0;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    /* the one that is pinged may leave, and with it the timer */

    for (n = 0; !ngx_queue_empty(&pings->queue); n++) {
        q = ngx_queue_head(&pings->queue);
        ping = ngx_queue_data(q, ngx_http_msgbus_ping_t, queue);

        left = (ngx_msec_int_t) (ping->due - ngx_current_msec);

        if (left > 0) {
            ngx_add_timer(ev, (ngx_msec_t) left);
            return;
        }

        if (n == NGX_HTTP_MSGBUS_PINGS) {
            ngx_post_event(ev, &ngx_posted_next_events);
            ngx_add_timer(ev, pings->interval);
            return;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&pings->queue, q);
        ping->due = ngx_current_msec + pings->interval;

        pings->handler(ping);
    }
}
