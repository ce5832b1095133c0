
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_RECALL_H_INCLUDED_
#define _NGX_MSGBUS_RECALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_asked.h"
#include "ngx_msgbus_count.h"
#include "ngx_msgbus_notify.h"
#include "ngx_msgbus_past.h"
#include "ngx_msgbus_store.h"


/* different questions of a worker's that can wait at once */
#define NGX_MSGBUS_HISTORY_QUESTIONS  64


/* a worker's history: a thread, and what is asked of it; opaque */
typedef struct ngx_msgbus_recall_s  ngx_msgbus_recall_t;

typedef struct ngx_msgbus_ask_s  ngx_msgbus_ask_t;

typedef void (*ngx_msgbus_ask_pt)(ngx_msgbus_ask_t *ask);


/*
 * A question.  Worker-local, in the asker's memory, zero at first; its address
 * never reaches the thread.  question and what it points to are copied.  The
 * handler runs on the event loop, once: then rc is
 *
 * NGX_OK        page is what was read, and the asker an owner of it
 * NGX_ABORT     it can not be read, though the store is there
 * NGX_ERROR     the store is away, or has not answered in its time
 */
struct ngx_msgbus_ask_s {
    ngx_msgbus_history_t   question;   /* since is filled in */
    ngx_msgbus_ask_pt      handler;
    void                  *data;

    ngx_int_t              rc;
    ngx_msgbus_past_t     *page;

    /* while it waits */
    ngx_queue_t            queue;
    ngx_event_t            timer;
    ngx_msgbus_recall_t   *recall;
    ngx_msgbus_asked_t    *asked;      /* NULL: it does not */
};


/*
 * In a worker, before its event loop; starts nothing yet.  conf, tells, notify
 * and counts outlive it; seed and tells are the zone's.  NULL: no memory.
 */
ngx_msgbus_recall_t *ngx_msgbus_recall_create(ngx_msgbus_store_t *store,
    ngx_msgbus_store_conf_t *conf, uint64_t ttl, uint64_t seed,
    ngx_msgbus_tells_t *tells, ngx_msgbus_notify_t *notify,
    ngx_msgbus_counts_t *counts, ngx_log_t *log);

/*
 * Asks.  Who has asked the same before, and waits, has the same answer: its
 * page may end below question.upto, and may have events that are to be hidden.
 *
 * NGX_AGAIN     it waits: the handler is called
 * NGX_BUSY      too many wait
 * NGX_ABORT     the store failed a moment ago, and is left alone
 * NGX_ERROR     no memory, or no thread
 *
 * On the event loop.
 */
ngx_int_t ngx_msgbus_recall_ask(ngx_msgbus_recall_t *recall,
    ngx_msgbus_ask_t *ask);

/* one that waits is to be forgotten: its handler is not called; or no-op */
void ngx_msgbus_recall_forget(ngx_msgbus_ask_t *ask);

/* who waits */
ngx_uint_t ngx_msgbus_recall_waiting(ngx_msgbus_recall_t *recall);

/* takes what has been answered; on the event loop, after a wake */
void ngx_msgbus_recall_take(ngx_msgbus_recall_t *recall);

/* the worker is to exit: nobody waits longer than ms from now */
void ngx_msgbus_recall_hurry(ngx_msgbus_recall_t *recall, ngx_msec_t ms);

/*
 * Tells the thread to end, and comes back at once.  And frees it: NGX_OK, or
 * NGX_AGAIN: at this time of ngx_msgbus_time_monotonic() it is in a call of the
 * store, and the process has to end by _exit().  When nobody waits any more.
 */
void ngx_msgbus_recall_stop(ngx_msgbus_recall_t *recall);
ngx_int_t ngx_msgbus_recall_join(ngx_msgbus_recall_t *recall, uint64_t until);


#endif /* _NGX_MSGBUS_RECALL_H_INCLUDED_ */
