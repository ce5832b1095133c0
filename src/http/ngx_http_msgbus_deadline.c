
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Deadlines: when who waits has waited long enough.
 *
 * nginx's timers are these, too, but a part of an event, of 96 bytes; who
 * waits in a crowd has no event.  A tree of the moments, and one timer for the
 * next of them.  As with pings, a crowd that came at once goes in parts.
 */


#include "ngx_http_msgbus_deadline.h"


/* of one turn of the event loop */
#define NGX_HTTP_MSGBUS_DEADLINES  64

/* any time: what is posted comes first */
#define NGX_HTTP_MSGBUS_DEADLINE_TIMER  1000


static void ngx_http_msgbus_deadline_next(
    ngx_http_msgbus_deadlines_t *deadlines);
static void ngx_http_msgbus_deadline_handler(ngx_event_t *ev);


void
ngx_http_msgbus_deadline_set(ngx_http_msgbus_deadlines_t *deadlines,
    ngx_http_msgbus_deadline_t *deadline, ngx_msec_t ms)
{
    if (deadlines->tree.root == NULL) {
        ngx_rbtree_init(&deadlines->tree, &deadlines->sentinel,
                        ngx_rbtree_insert_timer_value);

        deadlines->timer.handler = ngx_http_msgbus_deadline_handler;
        deadlines->timer.data = deadlines;
        deadlines->timer.log = ngx_cycle->log;
    }

    if (deadline->node.data) {
        ngx_rbtree_delete(&deadlines->tree, &deadline->node);
    }

    deadline->node.key = ngx_current_msec + ms;
    deadline->node.data = 1;

    ngx_rbtree_insert(&deadlines->tree, &deadline->node);

    ngx_http_msgbus_deadline_next(deadlines);
}


void
ngx_http_msgbus_deadline_unset(ngx_http_msgbus_deadlines_t *deadlines,
    ngx_http_msgbus_deadline_t *deadline)
{
    if (deadline->node.data) {
        ngx_rbtree_delete(&deadlines->tree, &deadline->node);
        deadline->node.data = 0;

        ngx_http_msgbus_deadline_next(deadlines);
    }
}


/* the timer is that of the first; it may be early, for one who is no more */
static void
ngx_http_msgbus_deadline_next(ngx_http_msgbus_deadlines_t *deadlines)
{
    ngx_event_t        *ev;
    ngx_msec_int_t      ms, timer;
    ngx_rbtree_node_t  *node;

    ev = &deadlines->timer;

    if (deadlines->tree.root == deadlines->tree.sentinel) {

        if (ev->timer_set) {
            ngx_del_timer(ev);
        }

        if (ev->posted) {
            ngx_delete_posted_event(ev);
        }

        return;
    }

    if (ev->posted) {
        return;
    }

    node = ngx_rbtree_min(deadlines->tree.root, deadlines->tree.sentinel);

    ms = (ngx_msec_int_t) (node->key - ngx_current_msec);

    if (ev->timer_set) {
        timer = (ngx_msec_int_t) (ev->timer.key - ngx_current_msec);

        if (timer <= ms) {
            return;
        }
    }

    ngx_add_timer(ev, (ngx_msec_t) ngx_max(ms, 1));
}


static void
ngx_http_msgbus_deadline_handler(ngx_event_t *ev)
{
    ngx_uint_t                    n;
    ngx_rbtree_t                 *tree;
    ngx_rbtree_node_t            *node;
    ngx_http_msgbus_deadline_t   *deadline;
    ngx_http_msgbus_deadlines_t  *deadlines;

    deadlines = ev->data;
    tree = &deadlines->tree;

    ev->timedout = 0;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    /* the one that is told may set itself anew, or leave, and others too */

    for (n = 0; tree->root != tree->sentinel; n++) {
        node = ngx_rbtree_min(tree->root, tree->sentinel);

        if ((ngx_msec_int_t) (node->key - ngx_current_msec) > 0) {
            break;
        }

        if (n == NGX_HTTP_MSGBUS_DEADLINES) {
            ngx_post_event(ev, &ngx_posted_next_events);

            /* posted events alone do not keep a worker from exiting */

            ngx_add_timer(ev, NGX_HTTP_MSGBUS_DEADLINE_TIMER);
            return;
        }

        ngx_rbtree_delete(tree, node);
        node->data = 0;

        deadline = (ngx_http_msgbus_deadline_t *) node;

        deadlines->handler(deadline);
    }

    ngx_http_msgbus_deadline_next(deadlines);
}
