
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_PRESENCE_H_INCLUDED_
#define _NGX_MSGBUS_PRESENCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_channel.h"
#include "ngx_msgbus_notify.h"
#include "ngx_msgbus_undo.h"


/* how a reader reads, as counts tell it apart */
#define NGX_MSGBUS_LONG_POLL  0
#define NGX_MSGBUS_STREAM     1
#define NGX_MSGBUS_MANNERS    2

#define NGX_MSGBUS_SEAT_NONE  0xffffffff

/* bytes of a name in the first seat of an entry, and in each other one */
#define NGX_MSGBUS_SEAT_FIRST  32
#define NGX_MSGBUS_SEAT_MORE   56

/* what a seat is used for */
#define NGX_MSGBUS_SEAT_FREE   0
#define NGX_MSGBUS_SEAT_ENTRY  1
#define NGX_MSGBUS_SEAT_NAME   2


/* what readers name: a channel, or that and all below it */
typedef struct {
    ngx_str_t              name;
    uint32_t               hash;       /* of the channel's last level */
    ngx_uint_t             tree;       /* unsigned  tree:1; */
} ngx_msgbus_named_t;


/*
 * A seat in the zone's presence.  An entry takes one, and as many more as its
 * name needs: how many readers of one worker name one channel.
 *
 * Lock      the zone's, for all fields
 * Writers   the worker whose entry it is; whoever sweeps a dead one's
 * Readers   any worker; never keep an index across two lock holds, but the
 *           entry's worker, for as long as the slot is its own
 * Lifetime  while readers of that worker name the channel
 * Crash     an entry that comes is a step, and one that leaves is another;
 *           what else it holds is written before its step, or does not matter:
 *           a dead worker's counts do not count
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    uint32_t               more;       /* the next one of the same entry, or
                                          of those that are free */
    uint8_t                use;        /* NGX_MSGBUS_SEAT_*  */
    uint8_t                slot;       /* of an entry: whose it is, */
    uint8_t                tree;       /*   and what it names */
    uint8_t                len;

    union {
        struct {
            uint32_t       hash;
            uint32_t       chain;      /* the next entry of the same bucket */
            uint32_t       next;       /* both: of the same slot */
            uint32_t       prev;
            uint32_t       count[NGX_MSGBUS_MANNERS];
            u_char         name[NGX_MSGBUS_SEAT_FIRST];
        } entry;

        u_char             name[NGX_MSGBUS_SEAT_MORE];
    } u;
} ngx_msgbus_seat_t;


/* of a slot, under the same rules */
typedef struct {
    ngx_atomic_t           owner;      /* whose entries these are; 0: nobody's,
                                          they are to be swept.  Read without
                                          the lock, too */
    uint32_t               head;       /* the first of them */
    uint32_t               untold;     /* and how many there was no seat for */
} ngx_msgbus_presence_slot_t;


/*
 * Who reads what, as each worker has told it; in the zone.  It lies apart from
 * the log, whose nodes readers never take.
 *
 * Lock      the zone's, for all but swept and unseen, which are atomic
 * Writers   any worker, of its own slot; whoever sweeps a dead one's
 * Readers   any worker
 * Lifetime  as the zone's
 * Crash     a dead worker's entries stand there until they are swept, and do
 *           not count: its slot is nobody's, or another's, or whoever asks
 *           finds out that its owner is dead
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    ngx_atomic_t           swept;      /* ms since boot: when somebody looked
                                          for dead workers last */
    ngx_atomic_t           unseen;     /* likewise: when a worker without a
                                          slot had readers last */
    uint32_t               free;       /* the first seat that is free again */
    uint32_t               used;       /* seats that were ever taken */
    uint32_t               left;       /* seats that can be taken */
    ngx_msgbus_presence_slot_t  slots[NGX_MSGBUS_SLOTS];
} ngx_msgbus_presence_sh_t;


/* a process's view of it */
typedef struct {
    ngx_msgbus_presence_sh_t *sh;
    ngx_msgbus_slots_sh_t *workers;    /* who has which slot now */
    ngx_msgbus_undo_t     *undo;
    ngx_msgbus_seat_t     *seats;
    uint32_t              *buckets;
    uint32_t               capacity;   /* constant: seats */
    uint32_t               mask;       /* constant: buckets - 1 */
} ngx_msgbus_presence_t;


/* bytes for it in a zone of so many */
size_t ngx_msgbus_presence_size(size_t zone);

/*
 * Divides size bytes at addr (fresh), or finds them divided; workers and undo
 * are set.  In the master, at zone initialization.
 */
void ngx_msgbus_presence_init(ngx_msgbus_presence_t *p, u_char *addr,
    size_t size, ngx_uint_t fresh);

/*
 * An entry for a slot, with no reader; at most one for what is named.  NGX_OK,
 * or NGX_BUSY: there are no seats.  A step of its own, as the next one is.
 */
ngx_int_t ngx_msgbus_presence_add_locked(ngx_msgbus_presence_t *p,
    ngx_uint_t slot, ngx_msgbus_named_t *named, uint32_t *seat);
void ngx_msgbus_presence_remove_locked(ngx_msgbus_presence_t *p,
    uint32_t seat);

/* removes up to max entries of a slot; NGX_AGAIN: there are more */
ngx_int_t ngx_msgbus_presence_sweep_locked(ngx_msgbus_presence_t *p,
    ngx_uint_t slot, ngx_uint_t max);

/* does an entry count?  Its worker has its slot still, dead or alive. */
ngx_uint_t ngx_msgbus_presence_counts_locked(ngx_msgbus_presence_t *p,
    ngx_msgbus_seat_t *seat);

/*
 * Readers of all workers, but that of the slot, who name this; -1: of all.  As
 * many steps as there are workers, and a few.
 */
uint64_t ngx_msgbus_presence_sum_locked(ngx_msgbus_presence_t *p,
    ngx_msgbus_named_t *named, ngx_int_t but);

/* copies an entry's name, which has at most NGX_MSGBUS_CHANNEL_LEN bytes */
void ngx_msgbus_presence_name_locked(ngx_msgbus_presence_t *p,
    ngx_msgbus_seat_t *seat, u_char *name);


#endif /* _NGX_MSGBUS_PRESENCE_H_INCLUDED_ */
