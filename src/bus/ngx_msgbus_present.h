
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_PRESENT_H_INCLUDED_
#define _NGX_MSGBUS_PRESENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_notify.h"
#include "ngx_msgbus_presence.h"


/* readers of this worker who name one and the same; allocated */
typedef struct {
    ngx_rbtree_node_t      node;       /* key: the hash */
    ngx_queue_t            queue;      /* of those to be told, or untold */
    uint32_t               seat;       /* NGX_MSGBUS_SEAT_NONE: untold */
    uint32_t               count[NGX_MSGBUS_MANNERS];
    uint8_t                queued;
    uint8_t                tree;
    uint8_t                len;
    u_char                 name[1];
} ngx_msgbus_present_entry_t;


/* this worker's readers of one bus, and what others know of them */
typedef struct {
    ngx_msgbus_presence_t  presence;
    ngx_msgbus_log_t      *log;        /* for its lock */
    ngx_msgbus_notify_t   *notify;     /* for the slot */

    ngx_rbtree_t           entries;
    ngx_rbtree_node_t      sentinel;
    ngx_queue_t            news;       /* entries to be told */
    ngx_queue_t            untold;     /* entries that found no seat */
    ngx_uint_t             n_untold;
    ngx_uint_t             told;       /* of these, as others know */
    ngx_uint_t             readers;    /* each counts for each that it names */
    ngx_uint_t             claimed;    /* unsigned  claimed:1; once */
    ngx_event_t            timer;
} ngx_msgbus_present_t;


/* in a worker, before its event loop; presence, log and notify are set */
void ngx_msgbus_present_init(ngx_msgbus_present_t *ps, ngx_log_t *log);

/*
 * A reader is there, or no more.  Others know it in a moment, and this worker
 * at once.  NGX_OK, or NGX_ERROR: no memory.  On the event loop, as all here.
 */
ngx_int_t ngx_msgbus_present_enter(ngx_msgbus_present_t *ps,
    ngx_msgbus_named_t *named, ngx_uint_t manner);
void ngx_msgbus_present_leave(ngx_msgbus_present_t *ps,
    ngx_msgbus_named_t *named, ngx_uint_t manner);

/* readers of all workers who name this; a few steps for each worker */
uint64_t ngx_msgbus_present_sum(ngx_msgbus_present_t *ps,
    ngx_msgbus_named_t *named);

/*
 * Tells now what is to be told, a bounded part of it, or all of it anew in
 * another slot; and finds the dead.  Before others' counts are read, and about
 * once a second.
 */
void ngx_msgbus_present_look(ngx_msgbus_present_t *ps);

/*
 * Finds workers that have died or left, and what they told; not more often
 * than a few times a second, whoever asks.  Then their counts do not count,
 * whatever is still there of them.
 */
void ngx_msgbus_present_sweep(ngx_msgbus_present_t *ps);

/* are there readers that nobody can know of? */
ngx_uint_t ngx_msgbus_present_incomplete(ngx_msgbus_present_t *ps);


#endif /* _NGX_MSGBUS_PRESENT_H_INCLUDED_ */
