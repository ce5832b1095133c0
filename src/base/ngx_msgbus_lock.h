
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_LOCK_H_INCLUDED_
#define _NGX_MSGBUS_LOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#if (NGX_PTR_SIZE != 8)
#error "msgbus needs a 64-bit platform: its lock is a word of 64 bits"
#endif

#if !(NGX_HAVE_ATOMIC_OPS)
#error "msgbus needs atomic operations, which nginx does not have here"
#endif


/* threads that can wait at a time; those above it have no claim */
#define NGX_MSGBUS_LOCK_CLAIMS  64


/* one who waits */
typedef struct {
    uint64_t               id;         /* as in the lock's word; 0: nobody */
    uint64_t               since;      /* monotonic, ns */
} ngx_msgbus_lock_claim_t;


/*
 * A lock between threads of any processes, in shared memory.
 *
 *     63                             32 31      25 24 23 22 21           0
 *    +---------------------------------+----------+--+--+--+-------------+
 *    | start of the thread that has it | hands    | T|  | W| its id      |
 *    +---------------------------------+----------+--+--+--+-------------+
 *
 * 0 is free.  W: somebody sleeps.  T: it has been handed over to that thread,
 * which has not taken it yet; hands counts how often that was.
 *
 * Who waits claims it for as long: one that the system does not let run could
 * not say so later.  While somebody holds it, claims are made and none goes.
 *
 * Lock      itself: "word", "waiting" and claims are atomic, the rest is its
 *           holder's
 * Writers   whoever wants it or has it
 * Readers   likewise
 * Lifetime  as the zone's
 * Crash     who waits asks whether the holder lives, and takes it from a dead
 *           one; what that one was about to change is for the caller to look
 *           after (ngx_msgbus_undo.h).  A dead one's claim goes when somebody
 *           has waited for it in vain, or finds no place for its own
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    uint64_t               word;
    uint64_t               waiting;    /* a bit for each claim */
    uint64_t               urgent;     /* who waits since before is next */
    uint32_t               handed;     /* how often, for the word */
    uint32_t               passed;     /* holds while somebody waited */
    uint64_t               holds;      /* so often it was taken, */
    uint64_t               longest;    /*   and the longest of these, ns */
    ngx_msgbus_lock_claim_t  claim[NGX_MSGBUS_LOCK_CLAIMS];
} ngx_msgbus_lock_sh_t;


/* a thread's view of it; zero but for sh to begin with */
typedef struct {
    ngx_msgbus_lock_sh_t  *sh;
    uint64_t               me;         /* what this thread is in there */
    uint64_t               longest;    /* wait of this view's, ns */
    uint64_t               taken;      /* when it was last, ns */
} ngx_msgbus_lock_t;


/*
 * Not recursive, from any thread of a worker, each with a view of its own.
 * First come is not first served where all are fast; but who has waited for
 * some milliseconds has it next, after those who have waited for longer.
 */
void ngx_msgbus_lock(ngx_msgbus_lock_t *lock);
void ngx_msgbus_unlock(ngx_msgbus_lock_t *lock);

/* the clock by which holds are measured, ns */
uint64_t ngx_msgbus_lock_now(void);

/* a copied view is another thread's from now on */
#define ngx_msgbus_lock_moved(lock)  (lock)->me = 0


#endif /* _NGX_MSGBUS_LOCK_H_INCLUDED_ */
