
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The event log: one ring of records in shared memory, in id order, and an
 * index from serials to offsets.
 *
 * Records are appended at the tail and leave at the head: by age, by number,
 * and, unless the zone rejects instead, when room is needed.  A record never
 * wraps: what does not fit before the ring's end starts at offset 0.
 *
 * An event that comes is one step, and one that leaves is another: whoever
 * dies in the middle of one, the next that takes the lock takes it back.  This
 * room does not choose ids, does not know who reads, and never waits.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_filing.h"
#include "ngx_msgbus_keyed.h"
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_number.h"


/* a place in the index for this many bytes of the ring at least */
#define NGX_MSGBUS_BYTES_A_PLACE  192

/* the nodes' share of the zone */
#define NGX_MSGBUS_NODES_SHARE    8

#define NGX_MSGBUS_MIN_RING       16384

/* what of an event is worth a hint */
#define NGX_MSGBUS_EXPECTED       2048


static void ngx_msgbus_log_take(ngx_msgbus_log_t *log,
    ngx_msgbus_record_t *rec, ngx_msgbus_event_t *ev, uint32_t *nodes);
static size_t ngx_msgbus_log_room(ngx_msgbus_log_t *log, size_t size);
static ngx_int_t ngx_msgbus_log_make_room(ngx_msgbus_log_t *log, size_t size,
    uint64_t now);
static ngx_int_t ngx_msgbus_log_make_nodes(ngx_msgbus_log_t *log,
    ngx_msgbus_channel_t *ch, uint32_t *nodes);
static ngx_uint_t ngx_msgbus_log_oldest_expired(ngx_msgbus_log_t *log,
    uint64_t now);
static ngx_msgbus_record_t *ngx_msgbus_log_at(ngx_msgbus_log_t *log,
    size_t *offset);
static void ngx_msgbus_log_evict(ngx_msgbus_log_t *log);
static void ngx_msgbus_log_evict_early(ngx_msgbus_log_t *log);
static void ngx_msgbus_log_fill(ngx_msgbus_log_t *log,
    ngx_msgbus_record_t *rec, ngx_msgbus_event_t *ev);


ngx_int_t
ngx_msgbus_log_init(ngx_msgbus_log_t *log, u_char *addr, size_t size,
    ngx_uint_t fresh)
{
    u_char    *p, *last;
    size_t     share;
    uint32_t   buckets;
    uint64_t   places;

    if (size < 2 * NGX_MSGBUS_MIN_RING) {
        return NGX_ERROR;
    }

    p = ngx_align_ptr(addr, 64);
    last = addr + size;

    log->sh = (ngx_msgbus_log_sh_t *) p;
    p += ngx_align(sizeof(ngx_msgbus_log_sh_t), 64);

    /* nodes, and buckets: 1 to 2 of these for each of those */

    share = size / NGX_MSGBUS_NODES_SHARE;

    log->nodes.sh = &log->sh->nodes;
    log->nodes.undo = log->undo;
    log->nodes.capacity = (uint32_t) ngx_min(share / sizeof(ngx_msgbus_node_t),
                                             NGX_MSGBUS_NODE_NONE / 4);

    for (buckets = 16; buckets < log->nodes.capacity; buckets <<= 1) {
        /* void */
    }

    log->nodes.mask = buckets - 1;

    log->nodes.nodes = (ngx_msgbus_node_t *) p;
    p += (size_t) log->nodes.capacity * sizeof(ngx_msgbus_node_t);

    log->nodes.buckets = (uint32_t *) p;
    p += (size_t) buckets * sizeof(uint32_t);

    /* a power of two of index places; offsets are kept in units of 8 bytes */

    share = ngx_min((size_t) (last - p), (size_t) 0xffffffff * 8);

    for (places = 64;
         places * NGX_MSGBUS_BYTES_A_PLACE < share;
         places <<= 1)
    {
        /* void */
    }

    log->mask = places - 1;
    log->index = (uint32_t *) p;
    p += places * sizeof(uint32_t);

    places /= NGX_MSGBUS_PLACES_A_BUCKET;

    log->key_mask = (uint32_t) (places - 1);
    log->keys = (uint32_t *) p;
    p += places * sizeof(uint32_t);

    p = ngx_align_ptr(p, 64);

    log->ring = p;
    log->size = ngx_min((size_t) (last - p), (size_t) 0xffffffff * 8) & ~7UL;

    if (p >= last || log->size < NGX_MSGBUS_MIN_RING) {
        return NGX_ERROR;
    }

    if (fresh) {
        ngx_memzero(log->sh, sizeof(ngx_msgbus_log_sh_t));
        ngx_memzero(log->keys, places * sizeof(uint32_t));
        ngx_msgbus_nodes_init(&log->nodes);
    }

    return NGX_OK;
}


void
ngx_msgbus_log_start(ngx_msgbus_log_t *log, uint64_t first_id, uint64_t seed,
    uint64_t now)
{
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    sh->version = NGX_MSGBUS_LOG_VERSION;
    sh->seed = seed;
    sh->first_id = first_id;
    sh->born = now;

    sh->head_serial = 1;
    sh->next_serial = 1;
    sh->last_id = first_id - 1;
    sh->evicted_id = first_id - 1;
    sh->nodes.floor = first_id - 1;
}


void
ngx_msgbus_log_lock(ngx_msgbus_log_t *log)
{
    ngx_msgbus_lock(&log->lock);

    if (log->undo->n) {
        ngx_msgbus_undo_locked(log->undo);

        log->sh->repairs++;
        log->repaired = 1;
    }
}


void
ngx_msgbus_log_unlock(ngx_msgbus_log_t *log)
{
    ngx_log_t  *told;

    ngx_msgbus_unlock(&log->lock);

    told = log->error_log ? log->error_log : ngx_cycle->log;

    if (log->repaired) {
        log->repaired = 0;

        ngx_msgbus_tell(&log->sh->tells, NGX_MSGBUS_TELL_REPAIRED,
                        NGX_LOG_WARN, told, 0,
                        "a process died in the middle of a change%s, "
                        "which was taken back", log->shpool->log_ctx);
    }

    if (log->pressed) {
        ngx_log_error(NGX_LOG_WARN, told, 0,
                      "no room%s: %uL events left it before their ttl, "
                      "enlarge the zone or lower its ttl",
                      log->shpool->log_ctx, log->pressed);
        log->pressed = 0;
    }

    if (log->forgotten) {
        ngx_log_error(NGX_LOG_WARN, told, 0,
                      "%uL keys are forgotten%s, their events left before "
                      "their ttl: a post with one of them is stored again",
                      log->forgotten, log->shpool->log_ctx);
        log->forgotten = 0;
    }

    if (log->refused) {
        ngx_log_error(NGX_LOG_CRIT, told, 0,
                      "no room%s: %uL events were refused, "
                      "enlarge the zone or lower its ttl",
                      log->shpool->log_ctx, log->refused);
        log->refused = 0;
    }
}


void
ngx_msgbus_log_expect(ngx_msgbus_log_t *log, size_t size)
{
    size_t  i, head, tail;

    head = *(volatile size_t *) &log->sh->head;
    tail = *(volatile size_t *) &log->sh->tail;

    if (head <= log->size - 128) {
        __builtin_prefetch(log->ring + head);
        __builtin_prefetch(log->ring + head + 64);
    }

    size = ngx_min(size + 256, NGX_MSGBUS_EXPECTED);

    if (tail <= log->size - size) {
        for (i = 0; i < size; i += 64) {
            __builtin_prefetch(log->ring + tail + i, 1);
        }
    }
}


ngx_int_t
ngx_msgbus_log_append_locked(ngx_msgbus_log_t *log, ngx_msgbus_event_t *ev,
    uint64_t now)
{
    size_t                size, offset;
    uint32_t              nodes[NGX_MSGBUS_CHANNEL_DEPTH];
    ngx_int_t             rc;
    ngx_msgbus_record_t  *rec;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    size = offsetof(ngx_msgbus_record_t, filing)
           + (1 + ev->channel->depth) * sizeof(ngx_msgbus_filing_t)
           + ev->channel->name.len + ev->uuid.len
           + ngx_msgbus_log_front_len(ev) + ev->data.len;
    size = ngx_align(size, 8);

    if (ev->key) {
        size += sizeof(ngx_msgbus_keyed_t);
    }

    if (size > ngx_msgbus_log_max_record(log)) {
        return NGX_DECLINED;
    }

    rc = ngx_msgbus_log_make_room(log, size, now);

    if (rc == NGX_OK) {
        rc = ngx_msgbus_log_make_nodes(log, ev->channel, nodes);
    }

    if (rc == NGX_OK) {
        offset = ngx_msgbus_log_room(log, size);

        if (offset != sh->tail && log->size - sh->tail >= 8) {
            ((ngx_msgbus_record_t *) (log->ring + sh->tail))->size = 0;
        }

        rec = (ngx_msgbus_record_t *) (log->ring + offset);

        rec->size = (uint32_t) size;
        ngx_msgbus_log_fill(log, rec, ev);

        /* nobody looks there yet */

        log->index[rec->serial & log->mask] = (uint32_t) (offset / 8);

        sh->appended[rec->serial % NGX_MSGBUS_LOG_TIMES] = log->lock.taken;

        ngx_msgbus_log_take(log, rec, ev, nodes);
    }

    if (!log->stored && sh->pressed + sh->refused != sh->squeezed) {
        sh->squeezed = sh->pressed + sh->refused;
        sh->squeezed_at = now;
    }

    ngx_msgbus_log_tell_locked(log, now);

    return rc;
}


/* the step by which a record is in the log, and filed */
static void
ngx_msgbus_log_take(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec,
    ngx_msgbus_event_t *ev, uint32_t *nodes)
{
    ngx_msgbus_undo_t    *undo;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;
    undo = log->undo;

    ngx_msgbus_nodes_take_locked(&log->nodes, nodes, rec->filings - 1);
    ngx_msgbus_filing_add_locked(log, rec, nodes);

    if (rec->keyed) {
        ngx_msgbus_keyed_add_locked(log, rec);
    }

    ngx_msgbus_undo_set(undo, sh->tail, (u_char *) rec - log->ring
                                        + rec->size);
    ngx_msgbus_undo_set(undo, sh->last_id, rec->id);
    ngx_msgbus_undo_set(undo, sh->next_serial, rec->serial + 1);
    ngx_msgbus_undo_set(undo, sh->since, rec->since);
    ngx_msgbus_undo_set(undo, sh->created, ev->created);

    ngx_msgbus_undo_done(undo);
}


void
ngx_msgbus_log_tell_locked(ngx_msgbus_log_t *log, uint64_t now)
{
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    /* what has left for a store is read from there */

    if (!log->stored
        && sh->pressed != sh->pressed_told
        && ngx_msgbus_tell_due(&sh->tells, NGX_MSGBUS_TELL_PRESSED, now))
    {
        log->pressed = sh->pressed - sh->pressed_told;
        sh->pressed_told = sh->pressed;
    }

    if (sh->refused != sh->refused_told
        && ngx_msgbus_tell_due(&sh->tells, NGX_MSGBUS_TELL_REFUSED, now))
    {
        log->refused = sh->refused - sh->refused_told;
        sh->refused_told = sh->refused;
    }

    if (sh->forgotten != sh->forgotten_told
        && ngx_msgbus_tell_due(&sh->tells, NGX_MSGBUS_TELL_FORGOTTEN, now))
    {
        log->forgotten = sh->forgotten - sh->forgotten_told;
        sh->forgotten_told = sh->forgotten;
    }
}


ngx_uint_t
ngx_msgbus_log_taken_locked(ngx_msgbus_log_t *log, ngx_uint_t *percent,
    int64_t *since)
{
    size_t                offset, taken;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;
    offset = sh->head;

    if (offset == sh->tail) {
        return 0;
    }

    taken = sh->tail > offset ? sh->tail - offset
                              : log->size - offset + sh->tail;

    *percent = (ngx_uint_t) ((uint64_t) taken * 100 / log->size);
    *since = ngx_msgbus_log_at(log, &offset)->since;

    return 1;
}


/* where size bytes fit behind the tail; the ring's size if nowhere */
static size_t
ngx_msgbus_log_room(ngx_msgbus_log_t *log, size_t size)
{
    size_t  head, tail;

    head = log->sh->head;
    tail = log->sh->tail;

    if (tail < head) {
        return head - tail > size ? tail : log->size;
    }

    if (log->size - tail >= size) {
        return tail;
    }

    /* past the ring's end; the tail must not come to stand at the head */

    return head > size ? 0 : log->size;
}


static ngx_int_t
ngx_msgbus_log_make_room(ngx_msgbus_log_t *log, size_t size, uint64_t now)
{
    uint64_t              events;
    ngx_int_t             rc;
    ngx_uint_t            n;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    rc = ngx_msgbus_log_expire_locked(log, now);

    for (n = 0; n < NGX_MSGBUS_HOLD_RECORDS; n++) {

        events = sh->next_serial - sh->head_serial;

        if (events < log->max_events
            && events <= log->mask
            && ngx_msgbus_log_room(log, size) != log->size)
        {
            return NGX_OK;
        }

        if (rc == NGX_AGAIN) {
            /* what is old enough to leave goes first */
            return NGX_AGAIN;
        }

        if (log->reject) {
            sh->refused++;
            return NGX_BUSY;
        }

        if (events < log->max_events) {

            /* not what was asked for */

            sh->pressed++;
        }

        ngx_msgbus_log_evict_early(log);
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_msgbus_log_make_nodes(ngx_msgbus_log_t *log, ngx_msgbus_channel_t *ch,
    uint32_t *nodes)
{
    ngx_uint_t            n;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    for (n = 0; /* void */ ; n++) {

        if (ngx_msgbus_nodes_make_locked(&log->nodes, ch, nodes) == NGX_OK) {
            return NGX_OK;
        }

        if (log->reject
            || ch->depth > log->nodes.capacity
            || sh->head_serial == sh->next_serial)
        {
            sh->refused++;
            return NGX_BUSY;
        }

        /*
         * Those who left for its sake have not left in vain: however many of
         * a busy channel's stand before the one that gives a place free
         */

        if (n == NGX_MSGBUS_HOLD_NODES) {
            return NGX_AGAIN;
        }

        sh->pressed++;
        ngx_msgbus_log_evict_early(log);
    }
}


ngx_int_t
ngx_msgbus_log_expire_locked(ngx_msgbus_log_t *log, uint64_t now)
{
    ngx_uint_t  n;

    for (n = 0; ngx_msgbus_log_oldest_expired(log, now); n++) {

        if (n == NGX_MSGBUS_HOLD_RECORDS) {
            return NGX_AGAIN;
        }

        ngx_msgbus_log_evict(log);
        ngx_msgbus_log_forgotten_locked(log, log->sh->evicted_id);
    }

    return NGX_OK;
}


void
ngx_msgbus_log_forgotten_locked(ngx_msgbus_log_t *log, uint64_t id)
{
    /* a word that only rises; who dies before it has less of a hint */

    if (id > log->sh->forgotten_id) {
        log->sh->forgotten_id = id;
    }
}


static ngx_uint_t
ngx_msgbus_log_oldest_expired(ngx_msgbus_log_t *log, uint64_t now)
{
    size_t                offset;
    ngx_msgbus_record_t  *rec;

    offset = log->sh->head;

    if (offset == log->sh->tail) {
        return 0;
    }

    rec = ngx_msgbus_log_at(log, &offset);

    return (int64_t) now - rec->since >= (int64_t) log->ttl;
}


/* the record at an offset, which moves to 0 where the ring goes on there */
static ngx_msgbus_record_t *
ngx_msgbus_log_at(ngx_msgbus_log_t *log, size_t *offset)
{
    ngx_msgbus_record_t  *rec;

    rec = (ngx_msgbus_record_t *) (log->ring + *offset);

    if (*offset == log->size || rec->size == 0) {
        *offset = 0;
        rec = (ngx_msgbus_record_t *) log->ring;
    }

    return rec;
}


/* drops the oldest record, a step; the log is not empty */
static void
ngx_msgbus_log_evict(ngx_msgbus_log_t *log)
{
    size_t                offset;
    ngx_msgbus_undo_t    *undo;
    ngx_msgbus_record_t  *rec;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;
    undo = log->undo;

    offset = sh->head;
    rec = ngx_msgbus_log_at(log, &offset);

    ngx_msgbus_filing_drop_locked(log, rec);

    ngx_msgbus_undo_set(undo, sh->evicted_id, rec->id);
    ngx_msgbus_undo_set(undo, sh->head, offset + rec->size);
    ngx_msgbus_undo_set(undo, sh->head_serial, sh->head_serial + 1);

    ngx_msgbus_undo_done(undo);
}


/* likewise, before its time; a key that was to be known so long is forgotten */
static void
ngx_msgbus_log_evict_early(ngx_msgbus_log_t *log)
{
    size_t                offset;
    ngx_msgbus_record_t  *rec;

    offset = log->sh->head;
    rec = ngx_msgbus_log_at(log, &offset);

    if (rec->keyed && !log->stored) {
        log->sh->forgotten++;
    }

    ngx_msgbus_log_evict(log);
}


/* everything of a record but its filings' links and its size */
static void
ngx_msgbus_log_fill(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec,
    ngx_msgbus_event_t *ev)
{
    u_char               *p, *start;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    /* events leave from the old end only: none is older than the one before */

    if (sh->head != sh->tail && ev->since < sh->since) {
        ev->since = sh->since;
    }

    rec->serial = sh->next_serial;
    rec->id = ev->id;
    rec->since = ev->since;
    rec->data_len = (uint32_t) ev->data.len;
    rec->uuid_len = (uint16_t) ev->uuid.len;
    rec->channel_len = (uint8_t) ev->channel->name.len;
    rec->filings = (uint8_t) (1 + ev->channel->depth);

    p = ngx_msgbus_record_channel(rec);
    p = ngx_cpymem(p, ev->channel->name.data, ev->channel->name.len);
    p = ngx_cpymem(p, ev->uuid.data, ev->uuid.len);

    start = p;
    p = ngx_msgbus_log_front(p, ev);

    rec->front_len = (uint16_t) (p - start);

    ngx_memcpy(p, ev->data.data, ev->data.len);

    rec->keyed = ev->key != NULL;

    if (ev->key) {
        ngx_msgbus_keyed_fill(log, rec, ev->key);
    }
}


ngx_uint_t
ngx_msgbus_log_invented_locked(ngx_msgbus_log_t *log, uint64_t asked)
{
    return !log->follows || log->sh->looked > asked;
}


u_char *
ngx_msgbus_log_front(u_char *p, ngx_msgbus_event_t *ev)
{
    p = ngx_cpymem(p, "{\"id\":", sizeof("{\"id\":") - 1);
    p = ngx_msgbus_number(p, ev->id);
    p = ngx_cpymem(p, ",\"user_agent\":\"", sizeof(",\"user_agent\":\"") - 1);
    p = ngx_cpymem(p, ev->user_agent.data, ev->user_agent.len);
    p = ngx_cpymem(p, "\",\"created_at\":\"",
                   sizeof("\",\"created_at\":\"") - 1);
    p = ngx_cpymem(p, ev->created_text, NGX_MSGBUS_TIME_LEN);

    return ngx_cpymem(p, "\",\"age\":", sizeof("\",\"age\":") - 1);
}


uint64_t
ngx_msgbus_log_search_locked(ngx_msgbus_log_t *log, uint64_t id)
{
    uint64_t  low, high, middle;

    low = log->sh->head_serial;
    high = log->sh->next_serial;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (ngx_msgbus_log_record(log, middle)->id <= id) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low;
}
