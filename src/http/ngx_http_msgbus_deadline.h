
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_DEADLINE_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_DEADLINE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/* when one has waited long enough; a part of whatever waits, zero at first */
typedef struct {
    ngx_rbtree_node_t            node;     /* key: ms; data: it is set */
} ngx_http_msgbus_deadline_t;


typedef void (*ngx_http_msgbus_deadline_pt)(
    ngx_http_msgbus_deadline_t *deadline);


/* those of one kind in this worker; zero at first */
typedef struct {
    ngx_rbtree_t                 tree;
    ngx_rbtree_node_t            sentinel;
    ngx_event_t                  timer;
    ngx_http_msgbus_deadline_pt  handler;  /* set by the owner */
} ngx_http_msgbus_deadlines_t;


/*
 * Calls the handler once, after ms from now; one that is set is set anew.  It
 * keeps the worker from exiting.  On the event loop.
 */
void ngx_http_msgbus_deadline_set(ngx_http_msgbus_deadlines_t *deadlines,
    ngx_http_msgbus_deadline_t *deadline, ngx_msec_t ms);
void ngx_http_msgbus_deadline_unset(ngx_http_msgbus_deadlines_t *deadlines,
    ngx_http_msgbus_deadline_t *deadline);

/* of one that is set, as ngx_current_msec has it */
#define ngx_http_msgbus_deadline_at(deadline)                                 \
    ((ngx_msec_t) (deadline)->node.key)


#endif /* _NGX_HTTP_MSGBUS_DEADLINE_H_INCLUDED_ */
