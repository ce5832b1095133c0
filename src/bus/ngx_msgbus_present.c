
/*
 * Copyright (C) the msgbus authors
 */


/*
 * This worker's readers, by what they name, and telling the other workers.
 *
 * A reader who comes or leaves changes a count of this process, and nothing
 * else: who comes for a moment only, for a long-poll that is answered at once,
 * costs no lock.  What has changed is told together, some twenty times a
 * second, in short holds of the zone's lock.
 *
 * What finds no seat in the zone is told as a number, tried again, and makes
 * whoever asks say that his list is incomplete.
 *
 * Whoever asks looks for dead workers too, unless somebody has done so a
 * moment ago: from then on a dead one's counts do not count.  Its entries are
 * taken away a few at a time, by whoever comes by.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_owner.h"
#include "ngx_msgbus_present.h"
#include "ngx_msgbus_time.h"


/* how long what has changed may wait, and what has no seat, or no slot, ms */
#define NGX_MSGBUS_PRESENT_TELL   50
#define NGX_MSGBUS_PRESENT_AGAIN  500

/* how often the dead are looked for, ms */
#define NGX_MSGBUS_PRESENT_SWEEP  250

/* how long a worker without a slot counts as one that has readers, ms */
#define NGX_MSGBUS_PRESENT_UNSEEN  2000

/* holds of the lock in one turn of the event loop */
#define NGX_MSGBUS_PRESENT_HOLDS  32

/* which queue an entry is in */
#define NGX_MSGBUS_PRESENT_NO      0
#define NGX_MSGBUS_PRESENT_NEWS    1
#define NGX_MSGBUS_PRESENT_UNTOLD  2


static ngx_msgbus_present_entry_t *ngx_msgbus_present_find(
    ngx_msgbus_present_t *ps, ngx_msgbus_named_t *named);
static ngx_int_t ngx_msgbus_present_compare(ngx_msgbus_named_t *named,
    ngx_msgbus_present_entry_t *e);
static ngx_msgbus_present_entry_t *ngx_msgbus_present_create(
    ngx_msgbus_present_t *ps, ngx_msgbus_named_t *named);
static void ngx_msgbus_present_destroy(ngx_msgbus_present_t *ps,
    ngx_msgbus_present_entry_t *e);
static ngx_uint_t ngx_msgbus_present_has(ngx_msgbus_present_entry_t *e);
static void ngx_msgbus_present_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_msgbus_present_named(ngx_msgbus_present_entry_t *e,
    ngx_msgbus_named_t *named);
static void ngx_msgbus_present_queue(ngx_msgbus_present_t *ps,
    ngx_msgbus_present_entry_t *e);
static void ngx_msgbus_present_unqueue(ngx_msgbus_present_t *ps,
    ngx_msgbus_present_entry_t *e);
static void ngx_msgbus_present_later(ngx_msgbus_present_t *ps,
    ngx_msec_t ms);
static void ngx_msgbus_present_handler(ngx_event_t *ev);
static ngx_int_t ngx_msgbus_present_tell(ngx_msgbus_present_t *ps);
static ngx_int_t ngx_msgbus_present_claim(ngx_msgbus_present_t *ps);
static void ngx_msgbus_present_anew(ngx_msgbus_present_t *ps);
static ngx_int_t ngx_msgbus_present_hold(ngx_msgbus_present_t *ps);
static ngx_int_t ngx_msgbus_present_tell_locked(ngx_msgbus_present_t *ps,
    ngx_msgbus_present_entry_t *e);
static void ngx_msgbus_present_sweep_slot(ngx_msgbus_present_t *ps,
    ngx_uint_t slot, ngx_atomic_uint_t owner, ngx_uint_t *holds);
static ngx_atomic_uint_t ngx_msgbus_present_now(void);


void
ngx_msgbus_present_init(ngx_msgbus_present_t *ps, ngx_log_t *log)
{
    ngx_rbtree_init(&ps->entries, &ps->sentinel, ngx_msgbus_present_insert);

    ngx_queue_init(&ps->news);
    ngx_queue_init(&ps->untold);

    ps->timer.handler = ngx_msgbus_present_handler;
    ps->timer.data = ps;
    ps->timer.log = log;
    ps->timer.cancelable = 1;
}


ngx_int_t
ngx_msgbus_present_enter(ngx_msgbus_present_t *ps, ngx_msgbus_named_t *named,
    ngx_uint_t manner)
{
    ngx_msgbus_present_entry_t  *e;

    e = ngx_msgbus_present_find(ps, named);

    if (e == NULL) {
        e = ngx_msgbus_present_create(ps, named);
        if (e == NULL) {
            return NGX_ERROR;
        }
    }

    e->count[manner]++;
    ps->readers++;

    ngx_msgbus_present_queue(ps, e);

    return NGX_OK;
}


void
ngx_msgbus_present_leave(ngx_msgbus_present_t *ps, ngx_msgbus_named_t *named,
    ngx_uint_t manner)
{
    ngx_msgbus_present_entry_t  *e;

    e = ngx_msgbus_present_find(ps, named);

    if (e == NULL || e->count[manner] == 0) {
        ngx_msgbus_tell(&ps->log->sh->tells, NGX_MSGBUS_TELL_READER,
                        NGX_LOG_ALERT, ngx_cycle->log, 0,
                        "msgbus: a reader left that was never counted");
        return;
    }

    e->count[manner]--;
    ps->readers--;

    if (e->seat == NGX_MSGBUS_SEAT_NONE && !ngx_msgbus_present_has(e)) {

        /* nobody else knows of it */

        ngx_msgbus_present_unqueue(ps, e);
        ngx_msgbus_present_destroy(ps, e);
        return;
    }

    ngx_msgbus_present_queue(ps, e);
}


static ngx_msgbus_present_entry_t *
ngx_msgbus_present_find(ngx_msgbus_present_t *ps, ngx_msgbus_named_t *named)
{
    ngx_int_t           rc;
    ngx_rbtree_node_t  *node;

    node = ps->entries.root;

    while (node != &ps->sentinel) {

        if (named->hash != node->key) {
            node = named->hash < node->key ? node->left : node->right;
            continue;
        }

        rc = ngx_msgbus_present_compare(named,
                                        (ngx_msgbus_present_entry_t *) node);
        if (rc == 0) {
            return (ngx_msgbus_present_entry_t *) node;
        }

        node = rc < 0 ? node->left : node->right;
    }

    return NULL;
}


/* of the same hash */
static ngx_int_t
ngx_msgbus_present_compare(ngx_msgbus_named_t *named,
    ngx_msgbus_present_entry_t *e)
{
    if (named->tree != e->tree) {
        return (ngx_int_t) named->tree - (ngx_int_t) e->tree;
    }

    if (named->name.len != e->len) {
        return (ngx_int_t) named->name.len - (ngx_int_t) e->len;
    }

    return ngx_memcmp(named->name.data, e->name, e->len);
}


static ngx_msgbus_present_entry_t *
ngx_msgbus_present_create(ngx_msgbus_present_t *ps, ngx_msgbus_named_t *named)
{
    ngx_msgbus_present_entry_t  *e;

    e = ngx_alloc(offsetof(ngx_msgbus_present_entry_t, name)
                  + named->name.len, ngx_cycle->log);
    if (e == NULL) {
        return NULL;
    }

    e->node.key = named->hash;
    e->seat = NGX_MSGBUS_SEAT_NONE;
    e->count[NGX_MSGBUS_LONG_POLL] = 0;
    e->count[NGX_MSGBUS_STREAM] = 0;
    e->queued = NGX_MSGBUS_PRESENT_NO;
    e->tree = (uint8_t) named->tree;
    e->len = (uint8_t) named->name.len;
    ngx_memcpy(e->name, named->name.data, named->name.len);

    ngx_rbtree_insert(&ps->entries, &e->node);

    return e;
}


static void
ngx_msgbus_present_destroy(ngx_msgbus_present_t *ps,
    ngx_msgbus_present_entry_t *e)
{
    ngx_rbtree_delete(&ps->entries, &e->node);
    ngx_free(e);
}


/* has it readers? */
static ngx_uint_t
ngx_msgbus_present_has(ngx_msgbus_present_entry_t *e)
{
    return e->count[NGX_MSGBUS_LONG_POLL] || e->count[NGX_MSGBUS_STREAM];
}


static void
ngx_msgbus_present_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t   **p;
    ngx_msgbus_named_t    named;

    ngx_msgbus_present_named((ngx_msgbus_present_entry_t *) node, &named);

    for ( ;; ) {

        if (node->key != temp->key) {
            p = node->key < temp->key ? &temp->left : &temp->right;

        } else {
            p = ngx_msgbus_present_compare(&named,
                                           (ngx_msgbus_present_entry_t *) temp)
                < 0 ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static void
ngx_msgbus_present_named(ngx_msgbus_present_entry_t *e,
    ngx_msgbus_named_t *named)
{
    named->name.data = e->name;
    named->name.len = e->len;
    named->hash = (uint32_t) e->node.key;
    named->tree = e->tree;
}


/* it has changed: it is to be told */
static void
ngx_msgbus_present_queue(ngx_msgbus_present_t *ps,
    ngx_msgbus_present_entry_t *e)
{
    if (e->queued != NGX_MSGBUS_PRESENT_NEWS) {
        ngx_msgbus_present_unqueue(ps, e);

        e->queued = NGX_MSGBUS_PRESENT_NEWS;
        ngx_queue_insert_tail(&ps->news, &e->queue);
    }

    ngx_msgbus_present_later(ps, NGX_MSGBUS_PRESENT_TELL);
}


static void
ngx_msgbus_present_unqueue(ngx_msgbus_present_t *ps,
    ngx_msgbus_present_entry_t *e)
{
    if (e->queued != NGX_MSGBUS_PRESENT_NO) {
        ps->n_untold -= e->queued == NGX_MSGBUS_PRESENT_UNTOLD;

        ngx_queue_remove(&e->queue);
        e->queued = NGX_MSGBUS_PRESENT_NO;
    }
}


static void
ngx_msgbus_present_later(ngx_msgbus_present_t *ps, ngx_msec_t ms)
{
    ngx_msec_int_t  rest;

    if (ps->timer.timer_set) {
        rest = (ngx_msec_int_t) (ps->timer.timer.key - ngx_current_msec);

        if (rest <= (ngx_msec_int_t) ms) {
            return;
        }
    }

    ngx_add_timer(&ps->timer, ms);
}


static void
ngx_msgbus_present_handler(ngx_event_t *ev)
{
    ngx_msgbus_present_t  *ps;

    ps = ev->data;

    if (ngx_msgbus_present_tell(ps) == NGX_AGAIN) {
        ngx_msgbus_present_later(ps, 1);

    } else if (!ngx_queue_empty(&ps->news) || ps->n_untold) {
        ngx_msgbus_present_later(ps, NGX_MSGBUS_PRESENT_AGAIN);
    }
}


void
ngx_msgbus_present_look(ngx_msgbus_present_t *ps)
{
    (void) ngx_msgbus_present_tell(ps);

    ngx_msgbus_present_sweep(ps);
}


/*
 * NGX_OK; NGX_AGAIN: there is more, but this turn has done its share; or
 * NGX_DECLINED: nothing can be told now.
 */
static ngx_int_t
ngx_msgbus_present_tell(ngx_msgbus_present_t *ps)
{
    ngx_int_t   rc;
    ngx_uint_t  n;

    if (ngx_queue_empty(&ps->news) && ps->n_untold == 0 && ps->told == 0
        && ps->readers == 0)
    {
        return NGX_OK;
    }

    if (ps->notify->slot == -1) {

        if (ps->readers && !ngx_exiting) {
            ps->presence.sh->unseen = ngx_msgbus_present_now();
        }

        return NGX_DECLINED;
    }

    rc = ngx_msgbus_present_claim(ps);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_queue_empty(&ps->news) && ps->n_untold == 0 && ps->told == 0) {
        return NGX_OK;
    }

    for (n = 0; n < NGX_MSGBUS_PRESENT_HOLDS; n++) {

        rc = ngx_msgbus_present_hold(ps);

        if (rc != NGX_AGAIN) {
            break;
        }
    }

    return rc;
}


/*
 * Makes the slot's place in the zone this worker's, when it is not yet: what
 * the one before has told goes first.  As above.
 */
static ngx_int_t
ngx_msgbus_present_claim(ngx_msgbus_present_t *ps)
{
    ngx_int_t                    rc;
    ngx_uint_t                   n;
    ngx_msgbus_presence_slot_t  *s;

    s = &ps->presence.sh->slots[ps->notify->slot];

    if (ps->claimed && s->owner == ps->notify->owner) {
        return NGX_OK;
    }

    rc = NGX_AGAIN;

    for (n = 0; rc == NGX_AGAIN && n < NGX_MSGBUS_PRESENT_HOLDS; n++) {

        ngx_msgbus_log_lock(ps->log);

        s->owner = 0;

        rc = ngx_msgbus_presence_sweep_locked(&ps->presence,
                                              ps->notify->slot,
                                              NGX_MSGBUS_HOLD_NODES);
        if (rc == NGX_OK) {
            s->owner = ps->notify->owner;
        }

        ngx_msgbus_log_unlock(ps->log);
    }

    if (rc == NGX_OK) {
        ngx_msgbus_present_anew(ps);
    }

    return rc;
}


/* none of what was told is there any more, in whichever slot it was */
static void
ngx_msgbus_present_anew(ngx_msgbus_present_t *ps)
{
    ngx_rbtree_node_t           *node;
    ngx_msgbus_present_entry_t  *e;

    if (ps->claimed && ps->entries.root != &ps->sentinel) {

        for (node = ngx_rbtree_min(ps->entries.root, &ps->sentinel);
             node;
             node = ngx_rbtree_next(&ps->entries, node))
        {
            e = (ngx_msgbus_present_entry_t *) node;

            e->seat = NGX_MSGBUS_SEAT_NONE;

            if (e->queued == NGX_MSGBUS_PRESENT_NO) {
                e->queued = NGX_MSGBUS_PRESENT_NEWS;
                ngx_queue_insert_tail(&ps->news, &e->queue);
            }
        }
    }

    ps->claimed = 1;
}


/* tells what one hold of the lock may tell; as above */
static ngx_int_t
ngx_msgbus_present_hold(ngx_msgbus_present_t *ps)
{
    ngx_int_t                    rc;
    ngx_uint_t                   n;
    ngx_queue_t                  gone, *q;
    ngx_msgbus_presence_slot_t  *s;
    ngx_msgbus_present_entry_t  *e;

    ngx_queue_init(&gone);

    s = &ps->presence.sh->slots[ps->notify->slot];
    rc = NGX_AGAIN;

    ngx_msgbus_log_lock(ps->log);

    for (n = 0; n < NGX_MSGBUS_HOLD_NODES; n++) {

        if (!ngx_queue_empty(&ps->news)) {
            q = ngx_queue_head(&ps->news);

        } else if (ps->n_untold) {
            q = ngx_queue_head(&ps->untold);

        } else {
            rc = NGX_OK;
            break;
        }

        e = ngx_queue_data(q, ngx_msgbus_present_entry_t, queue);

        if (ngx_msgbus_present_tell_locked(ps, e) != NGX_OK
            && e->queued == NGX_MSGBUS_PRESENT_UNTOLD)
        {
            /* those behind it came later: they try when it has got one */

            rc = NGX_OK;
            break;
        }

        ngx_msgbus_present_unqueue(ps, e);

        if (!ngx_msgbus_present_has(e)) {
            ngx_queue_insert_tail(&gone, &e->queue);

        } else if (e->seat == NGX_MSGBUS_SEAT_NONE) {
            e->queued = NGX_MSGBUS_PRESENT_UNTOLD;
            ngx_queue_insert_tail(&ps->untold, &e->queue);
            ps->n_untold++;
        }
    }

    s->untold = (uint32_t) ps->n_untold;
    ps->told = ps->n_untold;

    ngx_msgbus_log_unlock(ps->log);

    while (!ngx_queue_empty(&gone)) {
        q = ngx_queue_head(&gone);
        ngx_queue_remove(q);

        ngx_msgbus_present_destroy(ps,
                                   ngx_queue_data(q,
                                                  ngx_msgbus_present_entry_t,
                                                  queue));
    }

    return rc;
}


/* NGX_OK, or NGX_BUSY: it has no seat, and gets none */
static ngx_int_t
ngx_msgbus_present_tell_locked(ngx_msgbus_present_t *ps,
    ngx_msgbus_present_entry_t *e)
{
    ngx_msgbus_seat_t  *seat;
    ngx_msgbus_named_t  named;

    if (!ngx_msgbus_present_has(e)) {

        if (e->seat != NGX_MSGBUS_SEAT_NONE) {
            ngx_msgbus_presence_remove_locked(&ps->presence, e->seat);
            e->seat = NGX_MSGBUS_SEAT_NONE;
        }

        return NGX_OK;
    }

    if (e->seat == NGX_MSGBUS_SEAT_NONE) {
        ngx_msgbus_present_named(e, &named);

        if (ngx_msgbus_presence_add_locked(&ps->presence, ps->notify->slot,
                                           &named, &e->seat)
            != NGX_OK)
        {
            return NGX_BUSY;
        }
    }

    seat = &ps->presence.seats[e->seat];

    seat->u.entry.count[NGX_MSGBUS_LONG_POLL] = e->count[NGX_MSGBUS_LONG_POLL];
    seat->u.entry.count[NGX_MSGBUS_STREAM] = e->count[NGX_MSGBUS_STREAM];

    return NGX_OK;
}


void
ngx_msgbus_present_sweep(ngx_msgbus_present_t *ps)
{
    ngx_uint_t                   i, holds;
    ngx_atomic_uint_t            now, swept, owner;
    ngx_msgbus_presence_sh_t    *sh;
    ngx_msgbus_presence_slot_t  *s;

    sh = ps->presence.sh;

    now = ngx_msgbus_present_now();
    swept = sh->swept;

    if (now - swept < NGX_MSGBUS_PRESENT_SWEEP
        || !ngx_atomic_cmp_set(&sh->swept, swept, now))
    {
        return;
    }

    holds = NGX_MSGBUS_PRESENT_HOLDS;

    for (i = 0; i < NGX_MSGBUS_SLOTS; i++) {
        s = &sh->slots[i];
        owner = s->owner;

        if (owner == 0) {

            if (s->head == NGX_MSGBUS_SEAT_NONE) {
                continue;
            }

        } else if (owner == ps->presence.workers->owner[i]
                   && (owner == ps->notify->owner
                       || !ngx_msgbus_owner_is_dead(owner)))
        {
            continue;
        }

        ngx_msgbus_present_sweep_slot(ps, i, owner, &holds);
    }
}


/* of an owner that is gone; what is not taken now does not count any more */
static void
ngx_msgbus_present_sweep_slot(ngx_msgbus_present_t *ps, ngx_uint_t slot,
    ngx_atomic_uint_t owner, ngx_uint_t *holds)
{
    ngx_int_t                    rc;
    ngx_msgbus_presence_slot_t  *s;

    s = &ps->presence.sh->slots[slot];

    do {
        ngx_msgbus_log_lock(ps->log);

        rc = NGX_OK;

        if (s->owner == owner) {
            owner = 0;
            s->owner = 0;
            s->untold = 0;

            rc = ngx_msgbus_presence_sweep_locked(&ps->presence, slot,
                                                  *holds
                                                  ? NGX_MSGBUS_HOLD_NODES : 0);
        }

        ngx_msgbus_log_unlock(ps->log);

    } while (rc == NGX_AGAIN && *holds && (*holds)--);
}


uint64_t
ngx_msgbus_present_sum(ngx_msgbus_present_t *ps, ngx_msgbus_named_t *named)
{
    uint64_t                     sum;
    ngx_msgbus_present_entry_t  *e;

    ngx_msgbus_present_sweep(ps);

    ngx_msgbus_log_lock(ps->log);

    sum = ngx_msgbus_presence_sum_locked(&ps->presence, named,
                                         ps->notify->slot);

    ngx_msgbus_log_unlock(ps->log);

    e = ngx_msgbus_present_find(ps, named);

    if (e) {
        sum += e->count[NGX_MSGBUS_LONG_POLL] + e->count[NGX_MSGBUS_STREAM];
    }

    return sum;
}


ngx_uint_t
ngx_msgbus_present_incomplete(ngx_msgbus_present_t *ps)
{
    ngx_uint_t                   i;
    ngx_atomic_uint_t            unseen;
    ngx_msgbus_presence_sh_t    *sh;
    ngx_msgbus_presence_slot_t  *s;

    sh = ps->presence.sh;
    unseen = sh->unseen;

    if (unseen
        && ngx_msgbus_present_now() - unseen < NGX_MSGBUS_PRESENT_UNSEEN)
    {
        return 1;
    }

    for (i = 0; i < NGX_MSGBUS_SLOTS; i++) {
        s = &sh->slots[i];

        if (s->untold && s->owner
            && s->owner == ps->presence.workers->owner[i])
        {
            return 1;
        }
    }

    return 0;
}


/* ms since boot, the same for all processes */
static ngx_atomic_uint_t
ngx_msgbus_present_now(void)
{
    return (ngx_atomic_uint_t) (ngx_msgbus_time_monotonic() / 1000);
}
