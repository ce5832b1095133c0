
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Waking the other workers.
 *
 * Each worker has a slot in the zone and an eventfd.  A bit says that it has
 * readers who wait, another that a wake is on its way: so a commit on a bus
 * where nobody waits costs two reads, and a burst of commits costs each
 * waiting worker one write().  A worker sets its bit before it looks at the
 * log for the last time, a poster looks at the bits after it has appended:
 * one of them sees the other.
 *
 * A poster that is killed between the bit and the write() would leave a
 * worker asleep: the bus looks by itself once a second, and clears the bit.
 *
 * The eventfd's connection is idle to nginx, so that nginx tells it of a
 * shutdown, and a channel, so that it is not reported as an open socket.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <sys/eventfd.h>
#include "ngx_msgbus_notify.h"
#include "ngx_msgbus_owner.h"


/* how often a worker without a slot looks, ms */
#define NGX_MSGBUS_TICK   10

/* workers that one sweep asks whether they live */
#define NGX_MSGBUS_SWEEP  8


static void ngx_msgbus_notify_free(ngx_msgbus_notify_t *notify,
    ngx_uint_t slot);
static ngx_int_t ngx_msgbus_notify_take(ngx_msgbus_notify_t *notify,
    ngx_log_t *log);
static ngx_int_t ngx_msgbus_notify_listen(ngx_msgbus_notify_t *notify,
    ngx_cycle_t *cycle);
static void ngx_msgbus_notify_no_gauges(ngx_msgbus_notify_t *notify,
    ngx_uint_t slot);
static void ngx_msgbus_notify_wake(ngx_msgbus_notify_t *notify,
    ngx_uint_t slot);
static void ngx_msgbus_notify_write(ngx_msgbus_notify_t *notify,
    ngx_uint_t slot, ngx_log_t *log);
static void ngx_msgbus_notify_read_handler(ngx_event_t *rev);
static void ngx_msgbus_notify_posted_handler(ngx_event_t *ev);
static void ngx_msgbus_notify_tick_handler(ngx_event_t *ev);
static ngx_uint_t ngx_msgbus_bit_set(ngx_atomic_t *words, ngx_uint_t n);
static void ngx_msgbus_bit_clear(ngx_atomic_t *words, ngx_uint_t n);


ngx_msgbus_eventfds_t *
ngx_msgbus_eventfds_create(ngx_str_t *zone, ngx_log_t *log)
{
    ngx_uint_t              i;
    ngx_msgbus_eventfds_t  *eventfds;

    eventfds = ngx_alloc(sizeof(ngx_msgbus_eventfds_t), log);
    if (eventfds == NULL) {
        return NULL;
    }

    eventfds->cycles = 1;

    for (i = 0; i < NGX_MSGBUS_EVENTFDS; i++) {
        eventfds->fd[i] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (eventfds->fd[i] == -1) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          "eventfd() failed for msgbus zone \"%V\", which "
                          "needs %d descriptors", zone, NGX_MSGBUS_EVENTFDS);

            while (i) {
                (void) close(eventfds->fd[--i]);
            }

            ngx_free(eventfds);
            return NULL;
        }
    }

    return eventfds;
}


void
ngx_msgbus_eventfds_release(ngx_msgbus_eventfds_t *eventfds)
{
    ngx_uint_t  i;

    if (--eventfds->cycles) {
        return;
    }

    for (i = 0; i < NGX_MSGBUS_EVENTFDS; i++) {
        (void) close(eventfds->fd[i]);
    }

    ngx_free(eventfds);
}


ngx_int_t
ngx_msgbus_notify_init(ngx_msgbus_notify_t *notify, ngx_cycle_t *cycle,
    void (*handler)(void *data), void *data)
{
    ngx_uint_t  i;

    notify->handler = handler;
    notify->data = data;

    notify->posted.handler = ngx_msgbus_notify_posted_handler;
    notify->posted.data = notify;
    notify->posted.log = cycle->log;

    notify->tick.handler = ngx_msgbus_notify_tick_handler;
    notify->tick.data = notify;
    notify->tick.log = cycle->log;
    notify->tick.cancelable = 1;

    notify->owner = ngx_msgbus_owner(ngx_pid);

    for (i = 0; i < NGX_MSGBUS_SLOTS; i++) {
        ngx_msgbus_notify_free(notify, i);
    }

    notify->slot = ngx_msgbus_notify_take(notify, cycle->log);

    if (notify->slot == -1) {
        ngx_msgbus_tell(notify->tells, NGX_MSGBUS_TELL_NO_SLOT, NGX_LOG_WARN,
                        cycle->log, 0,
                        "msgbus has no slot for this worker, it looks for "
                        "events every %d ms", NGX_MSGBUS_TICK);
        return NGX_OK;
    }

    return ngx_msgbus_notify_listen(notify, cycle);
}


ngx_int_t
ngx_msgbus_notify_again(ngx_msgbus_notify_t *notify, ngx_cycle_t *cycle)
{
    ngx_msgbus_notify_free(notify, notify->asked++ % NGX_MSGBUS_SLOTS);

    notify->slot = ngx_msgbus_notify_take(notify, cycle->log);

    if (notify->slot == -1) {
        return NGX_DECLINED;
    }

    if (ngx_msgbus_notify_listen(notify, cycle) != NGX_OK) {
        ngx_msgbus_notify_exit(notify);
        return NGX_DECLINED;
    }

    if (notify->tick.timer_set) {
        ngx_del_timer(&notify->tick);
    }

    ngx_msgbus_tell(notify->tells, NGX_MSGBUS_TELL_SLOT, NGX_LOG_NOTICE,
                    cycle->log, 0, "msgbus has a slot for this worker now");

    return NGX_OK;
}


void
ngx_msgbus_notify_sweep(ngx_msgbus_notify_t *notify)
{
    ngx_uint_t         i, n, slot;
    ngx_atomic_uint_t  owner;

    n = 0;

    for (i = 0; i < NGX_MSGBUS_SLOTS && n < NGX_MSGBUS_SWEEP; i++) {
        slot = notify->swept++ % NGX_MSGBUS_SLOTS;
        owner = notify->sh->owner[slot];

        if (owner && owner != notify->owner) {
            ngx_msgbus_notify_free(notify, slot);
            n++;
        }
    }
}


/* frees a slot if its worker is dead */
static void
ngx_msgbus_notify_free(ngx_msgbus_notify_t *notify, ngx_uint_t slot)
{
    ngx_atomic_uint_t       owner;
    ngx_msgbus_slots_sh_t  *sh;

    sh = notify->sh;
    owner = sh->owner[slot];

    if (owner
        && ngx_msgbus_owner_is_dead(owner)
        && ngx_atomic_cmp_set(&sh->owner[slot], owner, notify->owner))
    {
        /* while it is ours nobody else takes it */

        sh->parked[slot] = 0;
        ngx_msgbus_notify_no_gauges(notify, slot);
        ngx_msgbus_bit_clear(sh->waiting, slot);
        ngx_msgbus_bit_clear(sh->pending, slot);

        sh->owner[slot] = 0;
    }
}


/* takes the first slot that is free; -1: none is */
static ngx_int_t
ngx_msgbus_notify_take(ngx_msgbus_notify_t *notify, ngx_log_t *log)
{
    uint64_t                count;
    ngx_uint_t              i;
    ngx_msgbus_slots_sh_t  *sh;

    sh = notify->sh;

    for (i = 0; i < NGX_MSGBUS_SLOTS; i++) {

        if (sh->owner[i]
            || !ngx_atomic_cmp_set(&sh->owner[i], 0, notify->owner))
        {
            continue;
        }

        ngx_msgbus_bit_clear(sh->pending, i);

        /* what the last worker of this slot has not read */

        while (read(notify->eventfds->fd[i], &count, sizeof(uint64_t)) > 0) {
            /* void */
        }

        ngx_log_debug1(NGX_LOG_DEBUG_CORE, log, 0, "msgbus slot %ui", i);

        return i;
    }

    return -1;
}


static ngx_int_t
ngx_msgbus_notify_listen(ngx_msgbus_notify_t *notify, ngx_cycle_t *cycle)
{
    ngx_uint_t         i;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = ngx_get_connection(notify->eventfds->fd[notify->slot], cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = notify;
    c->idle = 1;

    rev = c->read;
    rev->handler = ngx_msgbus_notify_read_handler;
    rev->log = cycle->log;
    rev->channel = 1;

    c->write->channel = 1;

    notify->connection = c;

    for (i = 0; i < NGX_MSGBUS_READS; i++) {
        ngx_msgbus_notify_reads(notify, i, 0);
    }

    ngx_msgbus_notify_connections(notify);

    if (ngx_add_event(rev, NGX_READ_EVENT, 0) == NGX_ERROR) {
        ngx_free_connection(c);
        notify->connection = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_msgbus_notify_exit(ngx_msgbus_notify_t *notify)
{
    ngx_msgbus_slots_sh_t  *sh;

    if (notify->slot == -1) {
        return;
    }

    sh = notify->sh;

    if (notify->connection) {

        /* the eventfd stays open: whoever has the slot next is woken by it */

        (void) ngx_del_event(notify->connection->read, NGX_READ_EVENT, 0);
        ngx_free_connection(notify->connection);

        notify->connection->fd = (ngx_socket_t) -1;
        notify->connection = NULL;
    }

    sh->parked[notify->slot] = 0;
    ngx_msgbus_notify_no_gauges(notify, notify->slot);
    ngx_msgbus_bit_clear(sh->waiting, notify->slot);

    (void) ngx_atomic_cmp_set(&sh->owner[notify->slot], notify->owner, 0);
    notify->slot = -1;
}


void
ngx_msgbus_notify_parked(ngx_msgbus_notify_t *notify, ngx_uint_t n,
    ngx_uint_t others)
{
    if (notify->slot == -1) {

        if ((n || others) && !notify->tick.timer_set) {
            ngx_add_timer(&notify->tick, NGX_MSGBUS_TICK);

        } else if (n == 0 && !others && notify->tick.timer_set) {
            ngx_del_timer(&notify->tick);
        }

        return;
    }

    notify->sh->parked[notify->slot] = n;

    if (n || others) {
        (void) ngx_msgbus_bit_set(notify->sh->waiting, notify->slot);

    } else {
        ngx_msgbus_bit_clear(notify->sh->waiting, notify->slot);
    }
}


void
ngx_msgbus_notify_reads(ngx_msgbus_notify_t *notify, ngx_uint_t how,
    ngx_int_t n)
{
    ngx_msgbus_gauges_t  *gauges;

    notify->readers[how] += n;

    if (notify->slot != -1 && notify->gauges) {
        gauges = ngx_msgbus_slot_gauges(notify->gauges, notify->slot);
        gauges->readers[how] = notify->readers[how];
    }
}


void
ngx_msgbus_notify_connections(ngx_msgbus_notify_t *notify)
{
    ngx_msgbus_gauges_t  *gauges;

    if (notify->slot != -1 && notify->gauges) {
        gauges = ngx_msgbus_slot_gauges(notify->gauges, notify->slot);

        gauges->connections = (uint32_t) (ngx_cycle->connection_n
                                          - ngx_cycle->free_connection_n);
        gauges->connections_max = (uint32_t) ngx_cycle->connection_n;
    }
}


ngx_int_t
ngx_msgbus_notify_gauges(ngx_msgbus_notify_t *notify, ngx_uint_t slot,
    ngx_msgbus_gauges_t *gauges, ngx_pid_t *pid)
{
    ngx_atomic_uint_t  owner;

    owner = notify->sh->owner[slot];

    if (owner == 0
        || (owner != notify->owner && ngx_msgbus_owner_is_dead(owner)))
    {
        return NGX_DECLINED;
    }

    *gauges = *ngx_msgbus_slot_gauges(notify->gauges, slot);
    *pid = (ngx_pid_t) (owner & NGX_MSGBUS_OWNER_MASK);

    return NGX_OK;
}


static void
ngx_msgbus_notify_no_gauges(ngx_msgbus_notify_t *notify, ngx_uint_t slot)
{
    if (notify->gauges) {
        ngx_memzero((void *) ngx_msgbus_slot_gauges(notify->gauges, slot),
                    sizeof(ngx_msgbus_gauges_t));
    }
}


ngx_uint_t
ngx_msgbus_notify_total(ngx_msgbus_notify_t *notify)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < NGX_MSGBUS_SLOTS; i++) {
        n += notify->sh->parked[i];
    }

    return n;
}


void
ngx_msgbus_notify_all(ngx_msgbus_notify_t *notify)
{
    ngx_uint_t          i, slot;
    ngx_atomic_uint_t   bits;

    for (i = 0; i < NGX_MSGBUS_SLOT_WORDS; i++) {

        bits = notify->sh->waiting[i];

        for (slot = i * 64; bits; slot++, bits >>= 1) {
            if (bits & 1) {
                ngx_msgbus_notify_wake(notify, slot);
            }
        }
    }
}


static void
ngx_msgbus_notify_wake(ngx_msgbus_notify_t *notify, ngx_uint_t slot)
{
    if ((ngx_int_t) slot == notify->slot) {

        /* later in this turn of the loop: the poster is answered first */

        ngx_post_event(&notify->posted, &ngx_posted_events);
        return;
    }

    ngx_msgbus_notify_write(notify, slot, ngx_cycle->log);
}


void
ngx_msgbus_notify_signal(ngx_msgbus_notify_t *notify, ngx_uint_t word,
    ngx_atomic_uint_t bits, ngx_log_t *log)
{
    ngx_uint_t  slot;

    for (slot = word * 64; bits; slot++, bits >>= 1) {
        if (bits & 1) {
            ngx_msgbus_notify_write(notify, slot, log);
        }
    }
}


static void
ngx_msgbus_notify_write(ngx_msgbus_notify_t *notify, ngx_uint_t slot,
    ngx_log_t *log)
{
    static uint64_t  one = 1;

    if (notify->sh->owner[slot] == 0
        || !ngx_msgbus_bit_set(notify->sh->pending, slot))
    {
        return;
    }

    if (write(notify->eventfds->fd[slot], &one, sizeof(uint64_t)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_msgbus_tell(notify->tells, NGX_MSGBUS_TELL_WAKE, NGX_LOG_ALERT,
                        log, ngx_errno,
                        "msgbus could not wake a worker, write() failed");
    }
}


static void
ngx_msgbus_notify_read_handler(ngx_event_t *rev)
{
    uint64_t              count;
    ngx_connection_t     *c;
    ngx_msgbus_notify_t  *notify;

    c = rev->data;
    notify = c->data;

    /*
     * The count before the bit, the bit before the look.  The other way
     * round, a wake that comes between the two would lose its count and
     * leave its bit, and no poster would ever write again.
     */

    if (read(c->fd, &count, sizeof(uint64_t)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_msgbus_tell(notify->tells, NGX_MSGBUS_TELL_EVENTFD,
                        NGX_LOG_ALERT, rev->log, ngx_errno,
                        "msgbus could not read its eventfd");
    }

    ngx_msgbus_notify_look(notify);
}


void
ngx_msgbus_notify_look(ngx_msgbus_notify_t *notify)
{
    if (notify->slot != -1) {
        ngx_msgbus_bit_clear(notify->sh->pending, notify->slot);
    }

    notify->handler(notify->data);
}


static void
ngx_msgbus_notify_posted_handler(ngx_event_t *ev)
{
    ngx_msgbus_notify_t  *notify;

    notify = ev->data;

    notify->handler(notify->data);
}


static void
ngx_msgbus_notify_tick_handler(ngx_event_t *ev)
{
    ngx_msgbus_notify_t  *notify;

    notify = ev->data;

    ngx_add_timer(ev, NGX_MSGBUS_TICK);

    notify->handler(notify->data);
}


/* 1 if the bit was not set before */
static ngx_uint_t
ngx_msgbus_bit_set(ngx_atomic_t *words, ngx_uint_t n)
{
    ngx_atomic_uint_t  old, bit;

    words += n / 64;
    bit = (ngx_atomic_uint_t) 1 << n % 64;

    do {
        old = *words;

        if (old & bit) {
            return 0;
        }

    } while (!ngx_atomic_cmp_set(words, old, old | bit));

    return 1;
}


static void
ngx_msgbus_bit_clear(ngx_atomic_t *words, ngx_uint_t n)
{
    ngx_atomic_uint_t  old, bit;

    words += n / 64;
    bit = (ngx_atomic_uint_t) 1 << n % 64;

    do {
        old = *words;
    } while ((old & bit) && !ngx_atomic_cmp_set(words, old, old & ~bit));
}
