
/*
 * Copyright (C) the msgbus authors
 */


/*
 * This worker's parked readers, found by what they look at.
 *
 * A reader of one channel, or of a channel and all below it, has one watch;
 * one that looks at the parents too has one for each level.  The watches for
 * one and the same list of events are an audience, and audiences lie in
 * buckets by the channel's hash, the same seeded hash that its node in the
 * log has: so a new record names those it concerns by the hashes of its own
 * nodes.  Two channels with one hash wake each other's readers in vain, which
 * they bear.  The whole bus is the hash 0 at slot 0 of no channel.
 *
 * Under the lock only the hashes of the new records are noted, each once.
 * After it their audiences become due, in one step however large they are: a
 * post to 50,000 readers does not keep the event loop while each of them is
 * told.  They are woken one by one, some in each turn, and stand in a new
 * audience of the same list from then on: what comes in the meantime does not
 * go over those again who have not had their turn.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_prefetch.h"
#include "ngx_msgbus_waiter.h"


/* at first; twice as many whenever there are two audiences for each */
#define NGX_MSGBUS_BUCKETS      4096
#define NGX_MSGBUS_MAX_BUCKETS  1048576

/* what one hold of the lock notes */
#define NGX_MSGBUS_NOTES    1024

/* as many as a waiter can tell apart */
#define NGX_MSGBUS_WAKE_HANDLERS  4

/* bytes of who is woken soon: a waiter, and what most have around it */
#define NGX_MSGBUS_WAITER_SIZE  128

#define NGX_MSGBUS_SLOT_WHOLE  NGX_MAX_UINT32_VALUE

/* of an audience: so many bits of its address are 0 and say something else */
#define NGX_MSGBUS_AUDIENCE_ALIGN  16
#define NGX_MSGBUS_WATCH_BITS      (NGX_MSGBUS_AUDIENCE_ALIGN - 1)


typedef struct {
    uint32_t               hash;
    uint32_t               slot;
} ngx_msgbus_note_t;


static void ngx_msgbus_waiters_grow(ngx_msgbus_waiters_t *ws);
static ngx_msgbus_watch_t *ngx_msgbus_watches(ngx_msgbus_waiter_t *w);
static ngx_msgbus_audience_t *ngx_msgbus_watch_audience(
    ngx_msgbus_watch_t *watch);
static ngx_msgbus_waiter_t *ngx_msgbus_watch_waiter(
    ngx_msgbus_watch_t *watch);
static ngx_int_t ngx_msgbus_watch(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_waiter_t *w, uint32_t hash, uint32_t slot);
static void ngx_msgbus_unwatch(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_watch_t *watch);
static ngx_msgbus_audience_t *ngx_msgbus_audience_find(
    ngx_msgbus_waiters_t *ws, uint32_t hash, uint32_t slot);
static void ngx_msgbus_audience_due(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_audience_t *a, uint64_t from);
static uint64_t ngx_msgbus_waiters_since_locked(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_log_t *log);
static ngx_uint_t ngx_msgbus_waiters_note_locked(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_log_t *log, ngx_msgbus_note_t *notes);
static ngx_uint_t ngx_msgbus_waiters_noted(uint32_t hash, uint32_t slot,
    uint64_t look);
static void ngx_msgbus_waiters_soon(ngx_msgbus_audience_t *a,
    ngx_queue_t *q);
static void ngx_msgbus_waiter_rest(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_waiter_t *w);


static struct {
    ngx_msgbus_wake_pt  wake;
    ngx_msgbus_soon_pt  soon;
} ngx_msgbus_wakes[NGX_MSGBUS_WAKE_HANDLERS];


unsigned
ngx_msgbus_waiter_wake(ngx_msgbus_wake_pt handler, ngx_msgbus_soon_pt soon)
{
    unsigned  n;

    for (n = 0; n < NGX_MSGBUS_WAKE_HANDLERS - 1; n++) {

        if (ngx_msgbus_wakes[n].wake == NULL
            || ngx_msgbus_wakes[n].wake == handler)
        {
            break;
        }
    }

    ngx_msgbus_wakes[n].wake = handler;
    ngx_msgbus_wakes[n].soon = soon;

    return n;
}


ngx_int_t
ngx_msgbus_waiters_init(ngx_msgbus_waiters_t *ws, ngx_pool_t *pool)
{
    ngx_uint_t  i;

    ngx_queue_init(&ws->due);
    ws->n = 0;
    ws->audiences = 0;
    ws->log = pool->log;

    ws->mask = NGX_MSGBUS_BUCKETS - 1;
    ws->buckets = ngx_alloc(NGX_MSGBUS_BUCKETS * sizeof(ngx_queue_t),
                            pool->log);
    if (ws->buckets == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_MSGBUS_BUCKETS; i++) {
        ngx_queue_init(&ws->buckets[i]);
    }

    return NGX_OK;
}


/* without memory for it a look takes longer, and that is all */
static void
ngx_msgbus_waiters_grow(ngx_msgbus_waiters_t *ws)
{
    ngx_uint_t              i, n;
    ngx_queue_t            *q, *buckets;
    ngx_msgbus_audience_t  *a;

    n = 2 * (ws->mask + 1);

    if (ws->audiences < n || n > NGX_MSGBUS_MAX_BUCKETS) {
        return;
    }

    buckets = ngx_alloc(n * sizeof(ngx_queue_t), ws->log);
    if (buckets == NULL) {
        return;
    }

    for (i = 0; i < n; i++) {
        ngx_queue_init(&buckets[i]);
    }

    for (i = 0; i <= ws->mask; i++) {

        while (!ngx_queue_empty(&ws->buckets[i])) {
            q = ngx_queue_head(&ws->buckets[i]);
            a = ngx_queue_data(q, ngx_msgbus_audience_t, queue);

            ngx_queue_remove(q);
            ngx_queue_insert_tail(&buckets[a->hash & (n - 1)], q);
        }
    }

    ngx_free(ws->buckets);

    ws->buckets = buckets;
    ws->mask = n - 1;
}


ngx_int_t
ngx_msgbus_waiter_link(ngx_msgbus_waiters_t *ws, ngx_msgbus_waiter_t *w,
    ngx_msgbus_query_t *q)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, n;
    ngx_msgbus_channel_t     *ch;
    ngx_msgbus_many_entry_t  *entry;

    ch = q->channel;
    n = q->scope == NGX_MSGBUS_PARENT ? ch->depth
        : q->scope == NGX_MSGBUS_MANY ? q->many->n : 1;

    if (n > 1) {
        w->watch.some = ngx_alloc(offsetof(ngx_msgbus_watched_t, watches)
                                  + n * sizeof(ngx_msgbus_watch_t), ws->log);
        if (w->watch.some == NULL) {
            return NGX_ERROR;
        }

        w->watch.some->waiter = w;
    }

    w->some = (n > 1);
    w->nwatches = 0;
    w->linked = 1;
    ws->n++;

    switch (q->scope) {

    case NGX_MSGBUS_WHOLE:
        rc = ngx_msgbus_watch(ws, w, 0, NGX_MSGBUS_SLOT_WHOLE);
        break;

    case NGX_MSGBUS_ALL:
        rc = ngx_msgbus_watch(ws, w, ch->levels[ch->depth - 1].hash,
                              (uint32_t) ch->depth);
        break;

    case NGX_MSGBUS_MANY:
        rc = NGX_OK;

        for (i = 0; i < n && rc == NGX_OK; i++) {
            entry = &q->many->entries[i];
            rc = ngx_msgbus_watch(ws, w, entry->hash, entry->slot);
        }

        break;

    default:    /* exact, parent: from the channel upwards */

        rc = NGX_OK;

        for (i = 0; i < n && rc == NGX_OK; i++) {
            rc = ngx_msgbus_watch(ws, w, ch->levels[ch->depth - 1 - i].hash,
                                  0);
        }
    }

    if (rc != NGX_OK) {
        ngx_msgbus_waiter_unlink(ws, w);
    }

    return rc;
}


static ngx_msgbus_watch_t *
ngx_msgbus_watches(ngx_msgbus_waiter_t *w)
{
    return w->some ? w->watch.some->watches : &w->watch.one;
}


static ngx_msgbus_audience_t *
ngx_msgbus_watch_audience(ngx_msgbus_watch_t *watch)
{
    return (ngx_msgbus_audience_t *)
               (watch->audience & ~(uintptr_t) NGX_MSGBUS_WATCH_BITS);
}


/*
 * The bits of a watch: 0, it is the only one, and in the waiter; else it is the
 * n-th of some, or, where they are all set, that or one behind it.
 */
static ngx_msgbus_waiter_t *
ngx_msgbus_watch_waiter(ngx_msgbus_watch_t *watch)
{
    ngx_uint_t             n;
    ngx_msgbus_watched_t  *some;

    n = watch->audience & NGX_MSGBUS_WATCH_BITS;

    if (n == 0) {
        return (ngx_msgbus_waiter_t *)
                   ((u_char *) watch
                    - offsetof(ngx_msgbus_waiter_t, watch.one));
    }

    while (n == NGX_MSGBUS_WATCH_BITS) {
        watch--;
        n = watch->audience & NGX_MSGBUS_WATCH_BITS;
    }

    watch -= n - 1;

    some = (ngx_msgbus_watched_t *)
               ((u_char *) watch - offsetof(ngx_msgbus_watched_t, watches));

    return some->waiter;
}


/* one more watch of a waiter */
static ngx_int_t
ngx_msgbus_watch(ngx_msgbus_waiters_t *ws, ngx_msgbus_waiter_t *w,
    uint32_t hash, uint32_t slot)
{
    ngx_uint_t              n;
    ngx_msgbus_watch_t     *watch;
    ngx_msgbus_audience_t  *a;

    a = ngx_msgbus_audience_find(ws, hash, slot);

    if (a == NULL) {
        a = ngx_memalign(NGX_MSGBUS_AUDIENCE_ALIGN,
                         sizeof(ngx_msgbus_audience_t), ws->log);
        if (a == NULL) {
            return NGX_ERROR;
        }

        ngx_queue_init(&a->watches);
        a->hash = hash;
        a->slot = slot;
        a->from = 0;
        a->due = 0;

        ngx_msgbus_waiters_grow(ws);

        ngx_queue_insert_head(&ws->buckets[hash & ws->mask], &a->queue);
        ws->audiences++;
    }

    watch = &ngx_msgbus_watches(w)[w->nwatches++];

    n = w->some ? w->nwatches : 0;

    watch->audience = (uintptr_t) a | ngx_min(n, NGX_MSGBUS_WATCH_BITS);
    ngx_queue_insert_tail(&a->watches, &watch->queue);

    return NGX_OK;
}


static void
ngx_msgbus_unwatch(ngx_msgbus_waiters_t *ws, ngx_msgbus_watch_t *watch)
{
    ngx_msgbus_audience_t  *a;

    a = ngx_msgbus_watch_audience(watch);

    ngx_queue_remove(&watch->queue);

    if (ngx_queue_empty(&a->watches)) {
        ngx_queue_remove(&a->queue);
        ngx_free(a);
        ws->audiences--;
    }
}


/* one that is not due, or NULL */
static ngx_msgbus_audience_t *
ngx_msgbus_audience_find(ngx_msgbus_waiters_t *ws, uint32_t hash,
    uint32_t slot)
{
    ngx_queue_t            *q, *bucket;
    ngx_msgbus_audience_t  *a;

    bucket = &ws->buckets[hash & ws->mask];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        a = ngx_queue_data(q, ngx_msgbus_audience_t, queue);

        if (a->hash == hash && a->slot == slot) {
            return a;
        }
    }

    return NULL;
}


static void
ngx_msgbus_audience_due(ngx_msgbus_waiters_t *ws, ngx_msgbus_audience_t *a,
    uint64_t from)
{
    ngx_queue_remove(&a->queue);
    ngx_queue_insert_tail(&ws->due, &a->queue);

    a->from = from;
    a->due = 1;
}


void
ngx_msgbus_waiter_unlink(ngx_msgbus_waiters_t *ws, ngx_msgbus_waiter_t *w)
{
    ngx_uint_t           i;
    ngx_msgbus_watch_t  *watch;

    if (!w->linked) {
        return;
    }

    watch = ngx_msgbus_watches(w);

    for (i = 0; i < w->nwatches; i++) {
        ngx_msgbus_unwatch(ws, &watch[i]);
    }

    if (w->some) {
        ngx_free(w->watch.some);
        w->some = 0;
    }

    w->nwatches = 0;
    w->linked = 0;
    ws->n--;
}


ngx_uint_t
ngx_msgbus_waiter_is_due(ngx_msgbus_waiter_t *w)
{
    ngx_uint_t           i;
    ngx_msgbus_watch_t  *watch;

    watch = ngx_msgbus_watches(w);

    for (i = 0; i < w->nwatches; i++) {
        if (ngx_msgbus_watch_audience(&watch[i])->due) {
            return 1;
        }
    }

    return 0;
}


void
ngx_msgbus_waiters_look(ngx_msgbus_waiters_t *ws, ngx_msgbus_log_t *log)
{
    uint64_t                  from;
    ngx_uint_t                i, n, lost, more;
    ngx_msgbus_audience_t    *a;

    static ngx_msgbus_note_t  notes[NGX_MSGBUS_NOTES];

    do {
        from = ws->seen_id;

        ngx_msgbus_log_lock(log);

        lost = ws->seen < log->sh->head_serial
               || ws->lapsed_id != log->sh->lapsed_id;

        if (lost) {
            ws->seen = log->sh->next_serial;
            ws->seen_id = log->sh->last_id;
            ws->lapsed_id = log->sh->lapsed_id;
        }

        if (ngx_queue_empty(&ws->due)) {
            ws->since = ngx_msgbus_waiters_since_locked(ws, log);
        }

        n = ngx_msgbus_waiters_note_locked(ws, log, notes);
        more = ws->seen < log->sh->next_serial;

        ngx_msgbus_log_unlock(log);

        if (lost) {

            /* whom those that left unseen, or never came, concern: unknown */

            ngx_msgbus_waiters_all_due(ws);
        }

        for (i = 0; i < n; i++) {
            a = ngx_msgbus_audience_find(ws, notes[i].hash, notes[i].slot);

            if (a) {
                ngx_msgbus_audience_due(ws, a, from);
            }
        }

    } while (more);
}


/* when the first of the next records came, or one of those behind it */
static uint64_t
ngx_msgbus_waiters_since_locked(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_log_t *log)
{
    uint64_t              serial;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;
    serial = ws->seen;

    if (serial == sh->next_serial) {
        return 0;
    }

    if (sh->next_serial - serial > NGX_MSGBUS_LOG_TIMES) {
        serial = sh->next_serial - NGX_MSGBUS_LOG_TIMES;
    }

    return sh->appended[serial % NGX_MSGBUS_LOG_TIMES];
}


/* notes the lists that the next records are filed in, and moves over them */
static ngx_uint_t
ngx_msgbus_waiters_note_locked(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_log_t *log, ngx_msgbus_note_t *notes)
{
    uint32_t              hash;
    uint64_t              first;
    ngx_uint_t            i, n, examined;
    ngx_msgbus_record_t  *rec;

    static uint64_t       look;

    first = ws->seen;
    n = 0;
    look++;

    for (examined = 0; examined < NGX_MSGBUS_HOLD_RECORDS; examined++) {

        if (ws->seen == log->sh->next_serial) {
            break;
        }

        rec = ngx_msgbus_log_record(log, ws->seen);

        if (n + rec->filings + 1 > NGX_MSGBUS_NOTES) {
            break;
        }

        for (i = 0; i < rec->filings; i++) {
            hash = log->nodes.nodes[rec->filing[i].node].hash;

            if (!ngx_msgbus_waiters_noted(hash, i, look)) {
                notes[n].hash = hash;
                notes[n].slot = (uint32_t) i;
                n++;
            }
        }

        ws->seen++;
        ws->seen_id = rec->id;
    }

    if (ws->seen != first) {
        notes[n].hash = 0;
        notes[n].slot = NGX_MSGBUS_SLOT_WHOLE;
        n++;
    }

    return n;
}


/*
 * Many events of one channel are one note.  Forgets some of them, and so says
 * 0 too often; look is another number for each hold.
 */
static ngx_uint_t
ngx_msgbus_waiters_noted(uint32_t hash, uint32_t slot, uint64_t look)
{
    uint32_t         n;

    static uint64_t  looks[64];
    static uint64_t  notes[64];

    n = (hash + slot) % 64;

    if (looks[n] == look && notes[n] == ((uint64_t) hash << 32 | slot)) {
        return 1;
    }

    looks[n] = look;
    notes[n] = (uint64_t) hash << 32 | slot;

    return 0;
}


void
ngx_msgbus_waiters_all_due(ngx_msgbus_waiters_t *ws)
{
    ngx_uint_t              i;
    ngx_queue_t            *q;
    ngx_msgbus_audience_t  *a;

    ws->since = 0;

    for (i = 0; ws->n && i <= ws->mask; i++) {

        while (!ngx_queue_empty(&ws->buckets[i])) {
            q = ngx_queue_head(&ws->buckets[i]);
            a = ngx_queue_data(q, ngx_msgbus_audience_t, queue);

            ngx_msgbus_audience_due(ws, a, 0);
        }
    }
}


ngx_int_t
ngx_msgbus_waiters_wake(ngx_msgbus_waiters_t *ws, ngx_uint_t max)
{
    uint64_t                from;
    ngx_queue_t            *q;
    ngx_msgbus_watch_t     *watch;
    ngx_msgbus_waiter_t    *w;
    ngx_msgbus_audience_t  *a;

    while (!ngx_queue_empty(&ws->due)) {

        if (max-- == 0) {
            return NGX_AGAIN;
        }

        q = ngx_queue_head(&ws->due);
        a = ngx_queue_data(q, ngx_msgbus_audience_t, queue);

        q = ngx_queue_head(&a->watches);
        watch = ngx_queue_data(q, ngx_msgbus_watch_t, queue);

        w = ngx_msgbus_watch_waiter(watch);
        from = a->from;    /* of an audience that may end here */

        ngx_msgbus_waiters_soon(a, q);

        if (w->stays) {
            ngx_msgbus_waiter_rest(ws, w);

        } else {
            ngx_msgbus_waiter_unlink(ws, w);
        }

        ngx_msgbus_wakes[w->wake].wake(w, from);
    }

    return NGX_OK;
}


/*
 * A crowd does not fit into the cache, and each waiter names the next one: so
 * that one's memory is fetched two wakes before, and what it points to, one.
 */
static void
ngx_msgbus_waiters_soon(ngx_msgbus_audience_t *a, ngx_queue_t *q)
{
    ngx_msgbus_watch_t   *watch;
    ngx_msgbus_waiter_t  *w;

    q = ngx_queue_next(q);

    if (q == ngx_queue_sentinel(&a->watches)) {
        return;
    }

    watch = ngx_queue_data(q, ngx_msgbus_watch_t, queue);

    w = ngx_msgbus_watch_waiter(watch);

    if (ngx_msgbus_wakes[w->wake].soon) {
        ngx_msgbus_wakes[w->wake].soon(w);
    }

    ngx_msgbus_prefetch(ngx_queue_next(q), NGX_MSGBUS_WAITER_SIZE);
}


/* due no more, but parked as before, where there is memory for that */
static void
ngx_msgbus_waiter_rest(ngx_msgbus_waiters_t *ws, ngx_msgbus_waiter_t *w)
{
    uint32_t                hash, slot;
    ngx_int_t               rc;
    ngx_uint_t              i, n;
    ngx_msgbus_watch_t     *watch;
    ngx_msgbus_audience_t  *a;

    watch = ngx_msgbus_watches(w);
    n = w->nwatches;

    for (i = 0; i < n; i++) {
        a = ngx_msgbus_watch_audience(&watch[i]);

        if (!a->due) {
            continue;
        }

        hash = a->hash;
        slot = a->slot;

        ngx_msgbus_unwatch(ws, &watch[i]);

        w->nwatches = i;
        rc = ngx_msgbus_watch(ws, w, hash, slot);

        if (rc == NGX_OK) {
            continue;
        }

        /* this one is gone, the rest is as it was */

        while (++i < n) {
            ngx_msgbus_unwatch(ws, &watch[i]);
        }

        ngx_msgbus_waiter_unlink(ws, w);
    }

    w->nwatches = w->linked ? n : 0;
}
