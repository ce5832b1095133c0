
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_COMMITTER_H_INCLUDED_
#define _NGX_MSGBUS_COMMITTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_commit.h"


/* this worker's candidate for the node's committer; opaque */
typedef struct ngx_msgbus_committer_s  ngx_msgbus_committer_t;


/*
 * Starts the thread of a worker.  What template holds is copied: log,
 * pending, notify, sh and store; conf outlives it.  In init_process.  NULL
 * after it has logged why not.
 */
ngx_msgbus_committer_t *ngx_msgbus_committer_start(
    ngx_msgbus_ledger_t *template, ngx_msgbus_store_conf_t *conf,
    uint64_t ttl, ngx_log_t *log);

/* Tells the thread to end, and comes back at once; on the event loop. */
void ngx_msgbus_committer_stop(ngx_msgbus_committer_t *committer);

/*
 * Frees one that was told to stop, when its thread has ended.  NGX_OK;
 * NGX_AGAIN: at this time of ngx_msgbus_time_monotonic() it is in a call of the
 * database, and the process has to end by _exit().  On the event loop, when
 * nothing of this worker waits any more; blocks until then at most.
 */
ngx_int_t ngx_msgbus_committer_join(ngx_msgbus_committer_t *committer,
    uint64_t until);

/*
 * The process is to end while the thread is in a call, or comes back from it:
 * but not in the middle of a change.  Under the lock.
 */
void ngx_msgbus_committer_stop_here_locked(
    ngx_msgbus_committer_t *committer);

/* posts are pending: wakes the node's committer if it sleeps */
void ngx_msgbus_committer_wake(ngx_msgbus_committer_t *committer);

/*
 * Looks after the role: a committer that is dead, or has left, is replaced by
 * this worker's.  exiting: this worker will be gone soon, others first.
 */
void ngx_msgbus_committer_look(ngx_msgbus_committer_t *committer,
    ngx_uint_t exiting);


#endif /* _NGX_MSGBUS_COMMITTER_H_INCLUDED_ */
