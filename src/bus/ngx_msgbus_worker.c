
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a worker does for a bus without being asked: it has a slot, by which it
 * is woken, wakes those who are parked with it, has events leave that are old,
 * and has its share of the committer.  And how it begins and ends with that.
 *
 * What handlers ask for is in the bus's room.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_time.h"
#include "ngx_msgbus_warn.h"
#include "ngx_msgbus_worker.h"
#include "ngx_msgbus_zone.h"


/* how often an idle bus looks for events past their ttl, ms */
#define NGX_MSGBUS_EXPIRE_PERIOD  1000

/* holds of the lock that one such look may take */
#define NGX_MSGBUS_EXPIRE_HOLDS   64

/* how long a post or a question may wait once its worker is to exit, ms */
#define NGX_MSGBUS_EXIT_PATIENCE  3000

/* how long an exit waits for the committers' threads, s */
#define NGX_MSGBUS_EXIT_JOIN      3

/* readers woken in one turn of the event loop */
#define NGX_MSGBUS_WAKES          64


static ngx_int_t ngx_msgbus_init_bus(ngx_msgbus_t *bus, ngx_cycle_t *cycle);
static ngx_int_t ngx_msgbus_init_posts(ngx_msgbus_t *bus,
    ngx_cycle_t *cycle);
static ngx_int_t ngx_msgbus_init_committer(ngx_msgbus_t *bus,
    ngx_cycle_t *cycle);
static void ngx_msgbus_leave_slot(ngx_msgbus_t *bus);
static void ngx_msgbus_exit_bus(ngx_msgbus_t *bus, uint64_t until);
static void ngx_msgbus_last_hook(void *data);
static void ngx_msgbus_kick_handler(ngx_event_t *ev);
static void ngx_msgbus_expire_handler(ngx_event_t *ev);
static void ngx_msgbus_wake_handler(void *data);
static void ngx_msgbus_more_handler(ngx_event_t *ev);
static void ngx_msgbus_delay(ngx_msgbus_t *bus);
static void ngx_msgbus_fresh_handler(ngx_event_t *ev);
static ngx_int_t ngx_msgbus_fresh_wake(ngx_msgbus_t *bus);


ngx_int_t
ngx_msgbus_init_worker(ngx_msgbus_t **bus, ngx_uint_t n, ngx_cycle_t *cycle)
{
    ngx_uint_t  i;

    ngx_msgbus_tell_common(n ? ngx_msgbus_tells(bus[0]) : NULL);

    if (n) {
        bus[0]->first = 1;
    }

    for (i = 0; i < n; i++) {
        if (ngx_msgbus_init_bus(bus[i], cycle) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_init_bus(ngx_msgbus_t *bus, ngx_cycle_t *cycle)
{
    bus->expire.handler = ngx_msgbus_expire_handler;
    bus->expire.data = bus;
    bus->expire.log = cycle->log;
    bus->expire.cancelable = 1;

    ngx_add_timer(&bus->expire, NGX_MSGBUS_EXPIRE_PERIOD);

    bus->more.handler = ngx_msgbus_more_handler;
    bus->more.data = bus;
    bus->more.log = cycle->log;

    if (ngx_msgbus_waiters_init(&bus->waiters, cycle->pool) != NGX_OK
        || ngx_msgbus_frames_init(&bus->frames, cycle->pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_msgbus_present_init(&bus->present, cycle->log);

    if (ngx_msgbus_notify_init(&bus->notify, cycle, ngx_msgbus_wake_handler,
                               bus)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    bus->counts = ngx_msgbus_count_of(&bus->counters, bus->notify.slot);

    return bus->store ? ngx_msgbus_init_posts(bus, cycle) : NGX_OK;
}


static ngx_int_t
ngx_msgbus_init_posts(ngx_msgbus_t *bus, ngx_cycle_t *cycle)
{
    bus->kick.handler = ngx_msgbus_kick_handler;
    bus->kick.data = bus;
    bus->kick.log = cycle->log;

    ngx_msgbus_fresh_init(&bus->fresh, ngx_msgbus_fresh_handler, bus,
                          cycle->log);

    if (ngx_msgbus_posts_init(&bus->posts, cycle->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    if (bus->store->history) {
        bus->recall = ngx_msgbus_recall_create(bus->store, bus->store_conf,
                                               bus->conf.ttl,
                                               bus->log.sh->seed,
                                               &bus->log.sh->tells,
                                               &bus->notify, bus->counts,
                                               cycle->log);
        if (bus->recall == NULL) {
            return NGX_ERROR;
        }
    }

    if (bus->notify.slot == -1) {

        /* it could not be told of a commit, and posts to it are refused */

        return NGX_OK;
    }

    return ngx_msgbus_init_committer(bus, cycle);
}


static ngx_int_t
ngx_msgbus_init_committer(ngx_msgbus_t *bus, ngx_cycle_t *cycle)
{
    bus->ledger.log = bus->log;
    bus->ledger.counts = bus->counts;

    bus->committer = ngx_msgbus_committer_start(&bus->ledger, bus->store_conf,
                                                bus->conf.ttl, cycle->log);

    return bus->committer ? NGX_OK : NGX_ERROR;
}


void
ngx_msgbus_worker_want_slot(ngx_msgbus_t *bus)
{
    ngx_cycle_t  *cycle;

    cycle = (ngx_cycle_t *) ngx_cycle;

    if (bus->notify.slot != -1
        || ngx_msgbus_notify_again(&bus->notify, cycle) != NGX_OK)
    {
        return;
    }

    bus->counts = ngx_msgbus_count_of(&bus->counters, bus->notify.slot);

    if (bus->store && bus->committer == NULL
        && ngx_msgbus_init_committer(bus, cycle) != NGX_OK)
    {
        ngx_msgbus_notify_exit(&bus->notify);
    }

    ngx_msgbus_worker_waits(bus);
}


void
ngx_msgbus_worker_waits(ngx_msgbus_t *bus)
{
    ngx_msgbus_notify_parked(&bus->notify, bus->waiters.n,
                             bus->store && bus->fresh.n);
}


/* one that is to exit, and has nothing to wait for, needs it no more */
static void
ngx_msgbus_leave_slot(ngx_msgbus_t *bus)
{
    if (ngx_exiting
        && bus->waiters.n == 0
        && (bus->store == NULL
            || (bus->fresh.n == 0 && ngx_queue_empty(&bus->posts.all)))
        && (bus->recall == NULL
            || ngx_msgbus_recall_waiting(bus->recall) == 0))
    {
        ngx_msgbus_notify_exit(&bus->notify);
    }
}


void
ngx_msgbus_exit_worker(ngx_msgbus_t **bus, ngx_uint_t n)
{
    uint64_t    until;
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (bus[i]->committer) {
            ngx_msgbus_committer_stop(bus[i]->committer);
        }

        if (bus[i]->recall) {
            ngx_msgbus_recall_stop(bus[i]->recall);
        }
    }

    until = ngx_msgbus_time_monotonic() + NGX_MSGBUS_EXIT_JOIN * 1000000;

    for (i = 0; i < n; i++) {
        ngx_msgbus_exit_bus(bus[i], until);
    }
}


static void
ngx_msgbus_exit_bus(ngx_msgbus_t *bus, uint64_t until)
{
    if (bus->committer
        && ngx_msgbus_committer_join(bus->committer, until) == NGX_AGAIN)
    {
        /* the cycle's pool goes last, and with it the process */

        ngx_msgbus_tell(&bus->log.sh->tells, NGX_MSGBUS_TELL_EXIT,
                        NGX_LOG_WARN, ngx_cycle->log, 0,
                        "msgbus does not wait longer for its store%s",
                        bus->log.shpool->log_ctx);

        ngx_msgbus_log_lock(&bus->log);
        ngx_msgbus_committer_stop_here_locked(bus->committer);
        ngx_msgbus_log_unlock(&bus->log);

        bus->cleanup->handler = ngx_msgbus_last_hook;
    }

    bus->committer = NULL;

    if (bus->recall
        && ngx_msgbus_recall_join(bus->recall, until) == NGX_AGAIN)
    {
        bus->cleanup->handler = ngx_msgbus_last_hook;
    }

    bus->recall = NULL;

    ngx_msgbus_notify_exit(&bus->notify);
}


/*
 * A thread is in a call that does not end: exit handlers of libraries must
 * not run beside it
 */
static void
ngx_msgbus_last_hook(void *data)
{
    (void) data;

    _exit(0);
}


static void
ngx_msgbus_kick_handler(ngx_event_t *ev)
{
    ngx_msgbus_t  *bus;

    bus = ev->data;

    if (bus->committer) {
        ngx_msgbus_committer_wake(bus->committer);
    }
}


static void
ngx_msgbus_expire_handler(ngx_event_t *ev)
{
    uint64_t       now;
    ngx_int_t      rc;
    ngx_uint_t     n;
    ngx_msgbus_t  *bus;

    bus = ev->data;

    for (n = 0; n < NGX_MSGBUS_EXPIRE_HOLDS; n++) {

        now = ngx_msgbus_time_monotonic() / 1000;

        ngx_msgbus_log_lock(&bus->log);
        rc = ngx_msgbus_log_expire_locked(&bus->log, now);
        ngx_msgbus_log_tell_locked(&bus->log, now);
        ngx_msgbus_log_unlock(&bus->log);

        if (rc == NGX_OK) {
            break;
        }
    }

    if (!ngx_exiting) {
        ngx_msgbus_worker_want_slot(bus);
        ngx_msgbus_notify_sweep(&bus->notify);
    }

    ngx_msgbus_present_look(&bus->present);
    ngx_msgbus_notify_connections(&bus->notify);

    ngx_msgbus_warn_zone(&bus->log, &bus->conf.name, bus->conf.size);

    if (bus->first) {
        ngx_msgbus_warn_connections();
    }

    /* a wake that got lost with the worker that sent it, or a shutdown */

    if (bus->waiters.n || bus->committer) {
        ngx_msgbus_notify_look(&bus->notify);
    }

    if (!ngx_exiting) {
        ngx_add_timer(ev, n < NGX_MSGBUS_EXPIRE_HOLDS
                          ? NGX_MSGBUS_EXPIRE_PERIOD : 1);
    }
}


/* something was committed, by whomever; or this worker is to exit */
static void
ngx_msgbus_wake_handler(void *data)
{
    ngx_msgbus_t  *bus = data;

    if (bus->committer) {

        /* posters first */

        ngx_msgbus_posts_take(&bus->posts);

        if (ngx_exiting) {
            ngx_msgbus_posts_hurry(&bus->posts, NGX_MSGBUS_EXIT_PATIENCE);
        }

        ngx_msgbus_committer_look(bus->committer, ngx_exiting);
    }

    if (bus->recall) {
        ngx_msgbus_recall_take(bus->recall);

        if (ngx_exiting) {
            ngx_msgbus_recall_hurry(bus->recall, NGX_MSGBUS_EXIT_PATIENCE);
        }
    }

    if (ngx_exiting) {
        ngx_msgbus_waiters_all_due(&bus->waiters);

    } else if (bus->waiters.n) {
        ngx_msgbus_waiters_look(&bus->waiters, &bus->log);
    }

    ngx_msgbus_more_handler(&bus->more);
}


static void
ngx_msgbus_more_handler(ngx_event_t *ev)
{
    ngx_int_t      rc;
    ngx_msgbus_t  *bus;

    bus = ev->data;

    rc = ngx_msgbus_fresh_wake(bus);

    ngx_msgbus_delay(bus);

    if (ngx_msgbus_waiters_wake(&bus->waiters, NGX_MSGBUS_WAKES)
        == NGX_AGAIN)
    {
        rc = NGX_AGAIN;

    } else {
        ngx_msgbus_frames_forget(&bus->frames);
    }

    bus->delayed = 0;

    if (rc == NGX_AGAIN) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }

    ngx_msgbus_worker_waits(bus);

    ngx_msgbus_leave_slot(bus);
}


/* how long after the commit is it that waiters are woken in this turn? */
static void
ngx_msgbus_delay(ngx_msgbus_t *bus)
{
    uint64_t  now, since;

    since = bus->waiters.since;

    if (since == 0 || ngx_queue_empty(&bus->waiters.due)) {
        return;
    }

    now = ngx_msgbus_lock_now();

    bus->delay = now > since ? (now - since) / 1000 : 0;
    bus->delayed = ngx_msgbus_count_bucket(NGX_MSGBUS_COUNT_DELAY, bus->delay);
}


/* the first of those who wait for a look has no patience left */
static void
ngx_msgbus_fresh_handler(ngx_event_t *ev)
{
    ngx_msgbus_t  *bus;

    bus = ev->data;

    ngx_msgbus_more_handler(&bus->more);
}


static ngx_int_t
ngx_msgbus_fresh_wake(ngx_msgbus_t *bus)
{
    uint64_t  looked;

    if (bus->store == NULL || bus->fresh.n == 0) {
        return NGX_OK;
    }

    /* what it has seen is in the log before it is said */

    looked = bus->log.sh->looked;

    return ngx_msgbus_fresh_call(&bus->fresh, looked, NGX_MSGBUS_WAKES);
}
