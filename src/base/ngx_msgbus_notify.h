
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_NOTIFY_H_INCLUDED_
#define _NGX_MSGBUS_NOTIFY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_tell.h"


/* workers of one bus at a time, those that a reload lets finish included */
#define NGX_MSGBUS_SLOTS  128

#define NGX_MSGBUS_SLOT_WORDS  (NGX_MSGBUS_SLOTS / 64)

#define NGX_MSGBUS_EVENTFDS    (NGX_MSGBUS_SLOTS + 1)


/* how a subscriber is served, as it is counted */
#define NGX_MSGBUS_READS_LONG_POLL  0
#define NGX_MSGBUS_READS_SSE        1
#define NGX_MSGBUS_READS_NDJSON     2
#define NGX_MSGBUS_READS            3


/*
 * What a worker has at this moment; in the zone, one for each slot.  Those
 * of two slots that follow each other lie in different cache lines.
 *
 * Lock      none: words
 * Writers   the slot's worker; whoever finds it dead
 * Readers   any worker
 * Lifetime  as the zone's
 * Crash     a dead worker's do not count, and are cleared with its slot
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    volatile uint32_t      readers[NGX_MSGBUS_READS];
    volatile uint32_t      connections;    /* in use, */
    volatile uint32_t      connections_max; /*  and that it may have */
    uint32_t               reserved;
} ngx_msgbus_gauges_t;


#define ngx_msgbus_slot_gauges(gauges, slot)                                  \
    (&(gauges)[(slot) % (NGX_MSGBUS_SLOTS / 4) * 4                            \
               + (slot) / (NGX_MSGBUS_SLOTS / 4)])


/*
 * The workers of a bus, in the shared zone.
 *
 * Lock      none: atomic words
 * Writers   owner, parked: the slot's worker (whoever finds it dead takes it);
 *           waiting: the slot's worker; pending: who wakes, and who is woken
 * Readers   any worker
 * Lifetime  as the zone's
 * Crash     a dead worker's slot is taken by the next that starts; what it
 *           left set costs others a write() at most
 * Layout    NGX_MSGBUS_LOG_VERSION, as all of the zone
 *
 * An owner is a process in one word (ngx_msgbus_owner.h), so that a slot is
 * taken, and known to be another's, in one step.
 */
typedef struct {
    ngx_atomic_t           owner[NGX_MSGBUS_SLOTS];       /* 0: it is free */
    ngx_atomic_t           parked[NGX_MSGBUS_SLOTS];      /* its readers */
    ngx_atomic_t           waiting[NGX_MSGBUS_SLOT_WORDS]; /* wants a wake */
    ngx_atomic_t           pending[NGX_MSGBUS_SLOT_WORDS]; /* has one coming */
} ngx_msgbus_slots_sh_t;


/*
 * One eventfd a slot, and one behind them for the committer.  Made by the
 * master with the zone, inherited by all workers, old and new, over reloads;
 * closed with the last cycle.
 */
typedef struct {
    ngx_uint_t             cycles;
    int                    fd[NGX_MSGBUS_EVENTFDS];
} ngx_msgbus_eventfds_t;


/* this process's view */
typedef struct {
    ngx_msgbus_slots_sh_t *sh;
    ngx_msgbus_gauges_t   *gauges;         /* NULL: nobody asks */
    ngx_msgbus_eventfds_t *eventfds;
    ngx_msgbus_tells_t    *tells;          /* the zone's */

    ngx_int_t              slot;           /* of this worker; -1: none */
    ngx_atomic_uint_t      owner;          /* what this worker is in there */
    ngx_connection_t      *connection;     /* of its eventfd */
    ngx_event_t            posted;         /* a wake by this worker itself */
    ngx_event_t            tick;           /* without a slot */
    uint32_t               readers[NGX_MSGBUS_READS];
    ngx_uint_t             asked;          /* for one, so often */
    ngx_uint_t             swept;          /* slots, so far */

    void                 (*handler)(void *data);
    void                  *data;
} ngx_msgbus_notify_t;


/* in the master, at zone initialization; NULL after it has logged why not */
ngx_msgbus_eventfds_t *ngx_msgbus_eventfds_create(ngx_str_t *zone,
    ngx_log_t *log);
void ngx_msgbus_eventfds_release(ngx_msgbus_eventfds_t *eventfds);

/*
 * In a worker, before its event loop: takes a slot.  handler runs on the
 * event loop after a commit of any worker, when this one waits, and when
 * nginx starts to shut down (ngx_exiting is set then).  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_msgbus_notify_init(ngx_msgbus_notify_t *notify,
    ngx_cycle_t *cycle, void (*handler)(void *data), void *data);

/*
 * Looks for a slot again, where there was none: one that its worker has left,
 * or, one look at a time, that its worker has died with.  NGX_OK, or
 * NGX_DECLINED.  On the event loop.
 */
ngx_int_t ngx_msgbus_notify_again(ngx_msgbus_notify_t *notify,
    ngx_cycle_t *cycle);

/*
 * Frees slots whose workers have died, a few at a time: one that was killed
 * while it was to exit has no successor, which would.  Now and then, on the
 * event loop.
 */
void ngx_msgbus_notify_sweep(ngx_msgbus_notify_t *notify);

/* leaves the slot to others */
void ngx_msgbus_notify_exit(ngx_msgbus_notify_t *notify);

/*
 * Says how many readers this worker has parked, and whether others wait in it
 * who do not count.  From 1 on it is woken; what was committed before the call
 * is for the caller to look for after it.
 */
void ngx_msgbus_notify_parked(ngx_msgbus_notify_t *notify, ngx_uint_t n,
    ngx_uint_t others);

/*
 * A subscriber more, or less; and how many connections this worker has in use.
 * Both are there for others to see; on the event loop.
 */
void ngx_msgbus_notify_reads(ngx_msgbus_notify_t *notify, ngx_uint_t how,
    ngx_int_t n);
void ngx_msgbus_notify_connections(ngx_msgbus_notify_t *notify);

/*
 * What the worker of a slot has, and its pid; NGX_DECLINED: there is none.
 * It asks the system whether the worker lives.
 */
ngx_int_t ngx_msgbus_notify_gauges(ngx_msgbus_notify_t *notify,
    ngx_uint_t slot, ngx_msgbus_gauges_t *gauges, ngx_pid_t *pid);

/* looks by itself, as after a wake */
void ngx_msgbus_notify_look(ngx_msgbus_notify_t *notify);

/* readers that all workers have parked */
ngx_uint_t ngx_msgbus_notify_total(ngx_msgbus_notify_t *notify);

/* wakes all workers that wait; after a commit, the lock not held */
void ngx_msgbus_notify_all(ngx_msgbus_notify_t *notify);

/*
 * Wakes the workers of slots, the bits of a word of 64, through their
 * eventfds; from any thread, log is that one's.
 */
void ngx_msgbus_notify_signal(ngx_msgbus_notify_t *notify, ngx_uint_t word,
    ngx_atomic_uint_t bits, ngx_log_t *log);


#endif /* _NGX_MSGBUS_NOTIFY_H_INCLUDED_ */
