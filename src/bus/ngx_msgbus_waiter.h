
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_WAITER_H_INCLUDED_
#define _NGX_MSGBUS_WAITER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_view.h"


typedef struct ngx_msgbus_waiter_s  ngx_msgbus_waiter_t;

typedef void (*ngx_msgbus_wake_pt)(ngx_msgbus_waiter_t *w, uint64_t from);
typedef void (*ngx_msgbus_soon_pt)(ngx_msgbus_waiter_t *w);


/*
 * All of this worker's watches for one list of events: a channel's own, its
 * tree's, or the whole bus.  In a bucket until an event comes; then due, as a
 * whole, until the last of them has been woken or has left, and whoever comes
 * in the meantime makes another one.  It exists while it has a watch.
 */
typedef struct {
    ngx_queue_t            queue;          /* of its bucket, or of those due */
    ngx_queue_t            watches;
    uint32_t               hash;           /* of the channel */
    uint32_t               slot;           /* 0: exact; else the level */
    uint64_t               from;           /* of its waiters, when it is due */
    ngx_uint_t             due;            /* unsigned  due:1; */
} ngx_msgbus_audience_t;


/* one list that a waiter looks at: a reader of 32 channels has as many */
typedef struct {
    ngx_queue_t            queue;          /* of its audience */
    uintptr_t              audience;       /* where that is; and, in the bits
                                              that an aligned address has not,
                                              the way to the waiter */
} ngx_msgbus_watch_t;


/* of a waiter with more than one */
typedef struct {
    ngx_msgbus_waiter_t   *waiter;
    ngx_msgbus_watch_t     watches[1];
} ngx_msgbus_watched_t;


/*
 * A parked reader.  Worker-local, a part of the reader's own; its address
 * never reaches shared memory.  The handler runs on the event loop, because
 * there may be events for the reader, or because the worker is about to
 * exit; up to the id "from" was nothing for it since its last wake.  Once,
 * when the waiter has been unlinked, and may park it again; or, with stays,
 * each time, and the waiter is parked when the handler is called, unless there
 * was no memory for it: then it is not linked any more.  Small, for a hundred
 * thousand of them may wait.
 */
struct ngx_msgbus_waiter_s {
    union {
        ngx_msgbus_watch_t     one;        /* most have only one */
        ngx_msgbus_watched_t  *some;       /* with nwatches > 1; allocated */
    } watch;

    unsigned               wake:2;         /* its handler, of those known */
    unsigned               nwatches:6;
    unsigned               some:1;         /* there is watch.some */
    unsigned               linked:1;
    unsigned               stays:1;
};


/* this worker's parked readers of one bus */
typedef struct {
    ngx_queue_t            due;            /* audiences, the first ones first */
    ngx_queue_t           *buckets;        /* the others */
    ngx_uint_t             mask;           /* buckets - 1 */
    ngx_uint_t             audiences;      /* those that are due, too */
    ngx_uint_t             n;              /* waiters */
    ngx_log_t             *log;
    uint64_t               seen;           /* serials before it were seen */
    uint64_t               seen_id;        /* and ids up to this */
    uint64_t               lapsed_id;      /* of the log, when it was seen */
    uint64_t               since;          /* those who are due wait for an
                                              event that came then, by the
                                              lock's clock; 0: not known */
} ngx_msgbus_waiters_t;


/*
 * The "wake" of waiters with this handler: a process has two or three, and a
 * waiter has no room for an address.  soon is called, if there is one, for a
 * waiter who is woken next; he may leave before.
 */
unsigned ngx_msgbus_waiter_wake(ngx_msgbus_wake_pt handler,
    ngx_msgbus_soon_pt soon);

/* NGX_OK or NGX_ERROR; pool tells where to log */
ngx_int_t ngx_msgbus_waiters_init(ngx_msgbus_waiters_t *ws, ngx_pool_t *pool);

/*
 * Links a waiter for what a query looks at, which need not outlive it.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_msgbus_waiter_link(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_waiter_t *w, ngx_msgbus_query_t *q);
void ngx_msgbus_waiter_unlink(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_waiter_t *w);

/* there may be events for it that it has not been woken for yet */
ngx_uint_t ngx_msgbus_waiter_is_due(ngx_msgbus_waiter_t *w);

/*
 * Makes those due whom the log's records since the last call concern, however
 * many they are in as many steps as there are lists.  Takes the log's lock
 * for one hold at a time.
 */
void ngx_msgbus_waiters_look(ngx_msgbus_waiters_t *ws, ngx_msgbus_log_t *log);

/* makes all due */
void ngx_msgbus_waiters_all_due(ngx_msgbus_waiters_t *ws);

/* wakes up to max of those due; NGX_AGAIN: there are more */
ngx_int_t ngx_msgbus_waiters_wake(ngx_msgbus_waiters_t *ws, ngx_uint_t max);


#endif /* _NGX_MSGBUS_WAITER_H_INCLUDED_ */
