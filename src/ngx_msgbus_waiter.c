
/*
 * Copyright (C) the msgbus authors
 */


/*
 * This worker's parked readers, found by what they look at.
 *
 * A reader of one channel, or of a channel and all below it, has one watch;
 * one that looks at the parents too has one for each level.  The watches lie
 * in buckets by the channel's hash, the same seeded hash that its node in
 * the log has: so a new record names those it concerns by the hashes of its
 * own nodes.  Two channels with one hash wake each other's readers in vain,
 * which they bear.  The whole bus is the hash 0 at slot 0 of no channel.
 *
 * Under the mutex only the hashes of the new records are noted, each once;
 * readers are looked up, made due, and woken after it.  Who is due is in no
 * bucket: what comes in the meantime does not go over them again and again.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_waiter.h"


#define NGX_MSGBUS_BUCKETS  4096

/* what one hold of the mutex notes */
#define NGX_MSGBUS_NOTES    1024

#define NGX_MSGBUS_SLOT_WHOLE  NGX_MAX_UINT32_VALUE


typedef struct {
    uint32_t               hash;
    uint32_t               slot;
} ngx_msgbus_note_t;


static void ngx_msgbus_watch(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_waiter_t *w, ngx_uint_t n, uint32_t hash, uint32_t slot);
static ngx_uint_t ngx_msgbus_waiters_note_locked(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_log_t *log, ngx_msgbus_note_t *notes);
static ngx_uint_t ngx_msgbus_waiters_noted(uint32_t hash, uint32_t slot,
    uint64_t look);
static void ngx_msgbus_waiters_match(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_note_t *note, uint64_t from);
static void ngx_msgbus_waiter_due(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_waiter_t *w, uint64_t from);
static void ngx_msgbus_waiter_rest(ngx_msgbus_waiters_t *ws,
    ngx_msgbus_waiter_t *w);


ngx_int_t
ngx_msgbus_waiters_init(ngx_msgbus_waiters_t *ws, ngx_pool_t *pool)
{
    ngx_uint_t  i;

    ngx_queue_init(&ws->all);
    ngx_queue_init(&ws->due);
    ws->n = 0;

    ws->buckets = ngx_palloc(pool, NGX_MSGBUS_BUCKETS * sizeof(ngx_queue_t));
    if (ws->buckets == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_MSGBUS_BUCKETS; i++) {
        ngx_queue_init(&ws->buckets[i]);
    }

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_waiter_link(ngx_msgbus_waiters_t *ws, ngx_msgbus_waiter_t *w,
    ngx_msgbus_query_t *q, ngx_pool_t *pool)
{
    ngx_uint_t             i, n;
    ngx_msgbus_channel_t  *ch;

    ch = q->channel;
    n = q->scope == NGX_MSGBUS_PARENT ? ch->depth : 1;

    if (w->watches == NULL && n == 1) {
        w->watches = &w->watch;

    } else if (w->watches == NULL) {
        w->watches = ngx_palloc(pool, n * sizeof(ngx_msgbus_watch_t));
        if (w->watches == NULL) {
            return NGX_ERROR;
        }
    }

    w->nwatches = n;

    switch (q->scope) {

    case NGX_MSGBUS_WHOLE:
        ngx_msgbus_watch(ws, w, 0, 0, NGX_MSGBUS_SLOT_WHOLE);
        break;

    case NGX_MSGBUS_ALL:
        ngx_msgbus_watch(ws, w, 0, ch->levels[ch->depth - 1].hash,
                         (uint32_t) ch->depth);
        break;

    default:    /* exact, parent: from the channel upwards */

        for (i = 0; i < n; i++) {
            ngx_msgbus_watch(ws, w, i, ch->levels[ch->depth - 1 - i].hash, 0);
        }
    }

    ngx_queue_insert_tail(&ws->all, &w->queue);
    w->linked = 1;
    w->due = 0;
    w->from = 0;
    ws->n++;

    return NGX_OK;
}


static void
ngx_msgbus_watch(ngx_msgbus_waiters_t *ws, ngx_msgbus_waiter_t *w,
    ngx_uint_t n, uint32_t hash, uint32_t slot)
{
    ngx_msgbus_watch_t  *watch;

    watch = &w->watches[n];

    watch->hash = hash;
    watch->slot = slot;
    watch->waiter = w;

    ngx_queue_insert_tail(&ws->buckets[hash % NGX_MSGBUS_BUCKETS],
                          &watch->queue);
}


void
ngx_msgbus_waiter_unlink(ngx_msgbus_waiters_t *ws, ngx_msgbus_waiter_t *w)
{
    ngx_uint_t  i;

    if (!w->linked) {
        return;
    }

    if (!w->due) {
        for (i = 0; i < w->nwatches; i++) {
            ngx_queue_remove(&w->watches[i].queue);
        }
    }

    ngx_queue_remove(&w->queue);
    w->linked = 0;
    ws->n--;
}


void
ngx_msgbus_waiters_look(ngx_msgbus_waiters_t *ws, ngx_msgbus_log_t *log)
{
    uint64_t                  from;
    ngx_uint_t                i, n, lost, more;

    static ngx_msgbus_note_t  notes[NGX_MSGBUS_NOTES];

    do {
        from = ws->seen_id;

        ngx_msgbus_log_lock(log);

        lost = ws->seen < log->sh->head_serial;

        if (lost) {
            ws->seen = log->sh->next_serial;
            ws->seen_id = log->sh->last_id;
        }

        n = ngx_msgbus_waiters_note_locked(ws, log, notes);
        more = ws->seen < log->sh->next_serial;

        ngx_msgbus_log_unlock(log);

        if (lost) {

            /* whom those that left unseen concerned is not known any more */

            ngx_msgbus_waiters_all_due(ws);
        }

        for (i = 0; i < n; i++) {
            ngx_msgbus_waiters_match(ws, &notes[i], from);
        }

    } while (more);
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


static void
ngx_msgbus_waiters_match(ngx_msgbus_waiters_t *ws, ngx_msgbus_note_t *note,
    uint64_t from)
{
    ngx_queue_t         *q, *bucket, *next;
    ngx_msgbus_watch_t  *watch, *other;

    bucket = &ws->buckets[note->hash % NGX_MSGBUS_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = next)
    {
        watch = ngx_queue_data(q, ngx_msgbus_watch_t, queue);

        next = ngx_queue_next(q);

        if (watch->hash != note->hash || watch->slot != note->slot) {
            continue;
        }

        /* others of the same waiter leave the bucket too */

        for ( /* void */ ;
             next != ngx_queue_sentinel(bucket);
             next = ngx_queue_next(next))
        {
            other = ngx_queue_data(next, ngx_msgbus_watch_t, queue);

            if (other->waiter != watch->waiter) {
                break;
            }
        }

        ngx_msgbus_waiter_due(ws, watch->waiter, from);
    }
}


static void
ngx_msgbus_waiter_due(ngx_msgbus_waiters_t *ws, ngx_msgbus_waiter_t *w,
    uint64_t from)
{
    ngx_uint_t  i;

    w->due = 1;
    w->from = from;

    for (i = 0; i < w->nwatches; i++) {
        ngx_queue_remove(&w->watches[i].queue);
    }

    ngx_queue_remove(&w->queue);
    ngx_queue_insert_tail(&ws->due, &w->queue);
}


void
ngx_msgbus_waiters_all_due(ngx_msgbus_waiters_t *ws)
{
    ngx_queue_t          *q;
    ngx_msgbus_waiter_t  *w;

    while (!ngx_queue_empty(&ws->all)) {
        q = ngx_queue_head(&ws->all);
        w = ngx_queue_data(q, ngx_msgbus_waiter_t, queue);

        ngx_msgbus_waiter_due(ws, w, 0);
    }
}


ngx_int_t
ngx_msgbus_waiters_wake(ngx_msgbus_waiters_t *ws, ngx_uint_t max)
{
    ngx_queue_t          *q;
    ngx_msgbus_waiter_t  *w;

    while (!ngx_queue_empty(&ws->due)) {

        if (max-- == 0) {
            return NGX_AGAIN;
        }

        q = ngx_queue_head(&ws->due);
        w = ngx_queue_data(q, ngx_msgbus_waiter_t, queue);

        if (w->stays) {
            ngx_msgbus_waiter_rest(ws, w);

        } else {
            ngx_msgbus_waiter_unlink(ws, w);
        }

        w->handler(w);
    }

    return NGX_OK;
}


/* due no more, but parked as before */
static void
ngx_msgbus_waiter_rest(ngx_msgbus_waiters_t *ws, ngx_msgbus_waiter_t *w)
{
    ngx_uint_t           i;
    ngx_msgbus_watch_t  *watch;

    w->due = 0;

    for (i = 0; i < w->nwatches; i++) {
        watch = &w->watches[i];

        ngx_queue_insert_tail(&ws->buckets[watch->hash % NGX_MSGBUS_BUCKETS],
                              &watch->queue);
    }

    ngx_queue_remove(&w->queue);
    ngx_queue_insert_tail(&ws->all, &w->queue);
}
