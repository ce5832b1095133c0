
/*
 * Copyright (C) the msgbus authors
 */


/*
 * How an event gets its id and becomes visible where a store decides who has
 * it.  One committer for the node has what is pending inserted with the next
 * ids, and appends it to the log when it is durable; one insert is in flight
 * at a time, for a failed one below a successful one would leave a hole in
 * the order:
 *
 *     queued --> sent --> settled
 *                 |  an id was taken, or no answer came: look at what the
 *                 |  database has, find one's own events by their tokens,
 *                 |  send the rest again with the next ids
 *                 |  nothing was stored: queued again
 *                 |  an event with its key is there: settled with that one's
 *                 |  id, once the log has it
 *
 * All of this stands in the zone: who takes the place of a committer that
 * died, in the middle of whatever, goes on from "sent".  Ids rise in the
 * order in which events become visible, because the committer alone appends.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_commit.h"
#include "ngx_msgbus_json.h"
#include "ngx_msgbus_sync.h"
#include "ngx_msgbus_time.h"


/* how long to wait for an event that is there, but can not be read yet, ms */
#define NGX_MSGBUS_CONFLICT_DELAY  10


static ngx_int_t ngx_msgbus_commit_prepare(ngx_msgbus_ledger_t *c);
static void ngx_msgbus_commit_pace(ngx_msgbus_ledger_t *c);
static void ngx_msgbus_commit_gather(ngx_msgbus_ledger_t *c);
static ngx_int_t ngx_msgbus_commit_gather_locked(ngx_msgbus_ledger_t *c,
    size_t *offset);
static ngx_uint_t ngx_msgbus_commit_is_full(ngx_msgbus_ledger_t *c,
    ngx_msgbus_entry_t *e);
static ngx_uint_t ngx_msgbus_commit_wanted_locked(ngx_msgbus_ledger_t *c,
    ngx_msgbus_entry_t *e);
static ngx_uint_t ngx_msgbus_commit_conflicts(ngx_msgbus_ledger_t *c,
    ngx_msgbus_entry_t *e);
static ngx_int_t ngx_msgbus_commit_insert(ngx_msgbus_ledger_t *c);
static ngx_int_t ngx_msgbus_commit_docs(ngx_msgbus_ledger_t *c,
    uint64_t first);
static void ngx_msgbus_commit_done(ngx_msgbus_ledger_t *c, ngx_uint_t n,
    uint64_t first, uint64_t begin, uint64_t took);
static void ngx_msgbus_commit_refused(ngx_msgbus_ledger_t *c,
    uint64_t first, uint64_t begin, uint64_t took);
static void ngx_msgbus_commit_known(ngx_msgbus_ledger_t *c,
    uint64_t first, uint64_t begin, uint64_t took);
static ngx_int_t ngx_msgbus_commit_known_locked(ngx_msgbus_ledger_t *c,
    ngx_uint_t n);
static void ngx_msgbus_commit_unsent(ngx_msgbus_ledger_t *c,
    ngx_uint_t from);
static void ngx_msgbus_commit_unsent_locked(ngx_msgbus_ledger_t *c,
    ngx_msgbus_entry_t *e);


ngx_msec_t
ngx_msgbus_commit_turn(ngx_msgbus_ledger_t *c, ngx_uint_t *idle)
{
    uint64_t   due, now, last_id;
    ngx_int_t  rc;

    *idle = 0;

    last_id = c->log.sh->last_id;

    if (ngx_msgbus_commit_prepare(c) != NGX_OK) {

        if (ngx_msgbus_ledger_stops(c)) {
            return 0;
        }

        ngx_msgbus_ledger_failed(c);
        ngx_msgbus_ledger_wake(c);

        return c->delay;
    }

    if (c->seen) {

        /* those who wait for what was found need not wait for an insert */

        ngx_msgbus_ledger_wake(c);
    }

    ngx_msgbus_commit_gather(c);

    rc = c->n ? ngx_msgbus_commit_insert(c) : ngx_msgbus_sync_anchor(c);

    switch (rc) {

    case NGX_OK:
        ngx_msgbus_ledger_well(c);
        break;

    case NGX_DECLINED:
        ngx_msgbus_ledger_lock(c);
        c->sh->conflicts++;
        ngx_msgbus_ledger_unlock(c);

        c->unsure = 1;
        break;

    default:
        ngx_msgbus_ledger_failed(c);
    }

    ngx_msgbus_ledger_wake(c);

    if (rc == NGX_ERROR) {
        return c->delay;
    }

    if (rc == NGX_DECLINED) {

        /* who has the id may not be readable by a majority yet */

        return c->log.sh->last_id == last_id ? NGX_MSGBUS_CONFLICT_DELAY : 0;
    }

    due = c->log.sh->caught_up + c->look;
    now = ngx_msgbus_time_monotonic();

    if (due <= now) {
        return 0;
    }

    /* whoever posts or wants a look from here on finds "idle", and wakes us */

    ngx_msgbus_ledger_lock(c);

    if (c->pending.sh->entries == 0 && !ngx_msgbus_ledger_wants_look(c)) {
        c->sh->idle = 1;
        *idle = 1;
    }

    ngx_msgbus_ledger_unlock(c);

    return *idle ? (ngx_msec_t) ((due - now) / 1000 + 1) : 0;
}


/* connected, in sync, and nothing that was sent unaccounted for */
static ngx_int_t
ngx_msgbus_commit_prepare(ngx_msgbus_ledger_t *c)
{
    uint64_t  now;

    if (!c->connected) {

        if (c->store->connect(c->db, &c->limits) != NGX_OK) {
            return NGX_ERROR;
        }

        if (c->pace.bytes == 0) {
            ngx_msgbus_commit_pace(c);
        }

        c->connected = 1;
        c->stale = 1;
        c->unsure = 1;

        ngx_msgbus_ledger_lock(c);

        (void) ngx_cpystrn(c->sh->version, (u_char *) c->store->version(c->db),
                           NGX_MSGBUS_VERSION_LEN);
        ngx_msgbus_ledger_unlock(c);

        ngx_msgbus_ledger_warnings(c);
    }

    if (c->stale || !ngx_msgbus_sync_is_fresh(c)) {
        return ngx_msgbus_sync(c);
    }

    now = ngx_msgbus_time_monotonic();

    if (c->unsure
        || ngx_msgbus_ledger_wants_look(c)
        || now - c->log.sh->caught_up >= c->look
        || now - c->looked >= ngx_max(c->look, NGX_MSGBUS_LOOK_AT_LEAST))
    {
        return ngx_msgbus_sync_look(c);
    }

    return NGX_OK;
}


/* a batch is to be done long before its posters go, however long it may take */
static void
ngx_msgbus_commit_pace(ngx_msgbus_ledger_t *c)
{
    uint64_t  time;

    time = (uint64_t) c->limits.time * 1000;

    ngx_msgbus_pace_init(&c->pace, ngx_min(time, c->patience / 2));
}


/* what is to be sent: first what was sent before, then what is queued */
static void
ngx_msgbus_commit_gather(ngx_msgbus_ledger_t *c)
{
    size_t     offset;
    ngx_int_t  rc;

    c->n = 0;
    c->bytes = 0;
    c->more = 0;
    c->shed = c->patience;

    ngx_msgbus_ledger_lock(c);

    ngx_msgbus_pending_sweep_locked(&c->pending);
    ngx_msgbus_pending_trim_locked(&c->pending);

    offset = c->pending.sh->head;

    while ((rc = ngx_msgbus_commit_gather_locked(c, &offset)) == NGX_AGAIN)
    {
        ngx_msgbus_ledger_unlock(c);
        ngx_msgbus_ledger_lock(c);

        if (c->n == 0) {

            /*
             * The head moves by our doing only, but perhaps past the offset,
             * to where others post meanwhile.  The first of a batch stops it.
             */

            ngx_msgbus_pending_trim_locked(&c->pending);
            offset = c->pending.sh->head;
        }
    }

    ngx_msgbus_ledger_unlock(c);
}


/* NGX_AGAIN: there is more, but this hold has done its share */
static ngx_int_t
ngx_msgbus_commit_gather_locked(ngx_msgbus_ledger_t *c, size_t *offset)
{
    ngx_uint_t           i;
    ngx_msgbus_entry_t  *e;

    for (i = 0; i < NGX_MSGBUS_HOLD_RECORDS; i++) {

        e = ngx_msgbus_pending_at_locked(&c->pending, offset);

        if (e == NULL) {
            return NGX_OK;
        }

        if (ngx_msgbus_commit_is_full(c, e)) {
            c->more = 1;
            return NGX_OK;
        }

        *offset += e->size;

        if (ngx_msgbus_commit_wanted_locked(c, e)) {

            /* what was sent before may still arrive, late as it is */

            e->doubt = e->state == NGX_MSGBUS_SENT;
            e->state = NGX_MSGBUS_SENT;

            c->entries[c->n++] = e;
            c->bytes += e->size + c->limits.each;
        }
    }

    return NGX_AGAIN;
}


/* is there no room for an entry behind what the batch has? */
static ngx_uint_t
ngx_msgbus_commit_is_full(ngx_msgbus_ledger_t *c, ngx_msgbus_entry_t *e)
{
    size_t  bytes;

    if (c->n == 0) {
        return 0;
    }

    bytes = c->bytes + e->size + c->limits.each;

    return c->n >= NGX_MSGBUS_BATCH_EVENTS
           || c->n >= c->limits.events
           || bytes > c->pace.bytes
           || bytes > c->limits.bytes;
}


static ngx_uint_t
ngx_msgbus_commit_wanted_locked(ngx_msgbus_ledger_t *c, ngx_msgbus_entry_t *e)
{
    uint64_t  age;

    if (e->state != NGX_MSGBUS_QUEUED && e->state != NGX_MSGBUS_SENT) {
        return 0;
    }

    if (e->id && e->id <= c->log.sh->last_id) {

        /* it is in the log; a committer died before it could tell */

        ngx_msgbus_ledger_settle_locked(c, e, e->id, c->log.sh->created);
        return 0;
    }

    if (e->state == NGX_MSGBUS_QUEUED && ngx_msgbus_commit_conflicts(c, e)) {
        ngx_msgbus_ledger_settle_locked(c, e, 0, 0);
        return 0;
    }

    age = ngx_msgbus_time_monotonic() - e->posted;

    if (e->state == NGX_MSGBUS_SENT
        && (e->cell == NGX_MSGBUS_CELL_NONE || age > 2 * c->patience))
    {
        /*
         * given up, or its poster is dead or stands still; the database has
         * it not yet, but what was sent may still arrive
         */

        ngx_msgbus_ledger_settle_locked(c, e, NGX_MSGBUS_ID_UNSURE, 0);
        return 0;
    }

    if (e->state == NGX_MSGBUS_QUEUED
        && age + 2 * c->pace.took > c->patience)
    {

        /*
         * Its poster would hardly wait for the answer: rather not at all.  And
         * with it go those that came up to half of its patience later, or all
         * that follow would be stored in the last moment, or a moment later.
         * The younger ones have a try whatever batches took of late: without
         * one that would never change.
         */

        c->shed = c->patience / 2;
    }

    if (e->state == NGX_MSGBUS_QUEUED && age > c->shed) {
        ngx_msgbus_ledger_settle_locked(c, e, 0, 0);
        return 0;
    }

    return 1;
}


/*
 * Is it a further line of a batch of which one has the key of another body?
 * Such stand together, and nothing of it is to be stored.
 */
static ngx_uint_t
ngx_msgbus_commit_conflicts(ngx_msgbus_ledger_t *c, ngx_msgbus_entry_t *e)
{
    if (!c->conflicts) {
        return 0;
    }

    if (!e->follows
        || ngx_memcmp(ngx_msgbus_entry_key(e)->key.body, c->conflict,
                      NGX_MSGBUS_KEY_BODY)
           != 0)
    {
        c->conflicts = 0;
        return 0;
    }

    return 1;
}


static ngx_int_t
ngx_msgbus_commit_insert(ngx_msgbus_ledger_t *c)
{
    uint64_t   first, begin, took;
    ngx_int_t  rc;

    first = c->log.sh->last_id + 1;

    rc = ngx_msgbus_commit_docs(c, first);

    if (rc == NGX_OK) {
        rc = ngx_msgbus_sync_raise(c, first + c->n - 1);
    }

    if (rc != NGX_OK) {
        c->unsure = 1;
        return NGX_ERROR;
    }

    if (!ngx_msgbus_sync_is_fresh(c)) {

        /* too much time has passed on the way here */

        c->stale = 1;
        c->unsure = 1;

        return NGX_OK;
    }

    begin = ngx_msgbus_time_monotonic();

    rc = c->store->insert(c->db, c->docs, c->n, &c->refusal);
    took = ngx_msgbus_time_monotonic() - begin;

    if (rc == NGX_OK || rc == NGX_DECLINED) {
        ngx_msgbus_pace_done(&c->pace, c->bytes, took, c->more);

    } else {
        ngx_msgbus_pace_failed(&c->pace, c->bytes);
    }

    c->sh->rate = c->pace.rate;

    switch (rc) {

    case NGX_OK:
        ngx_msgbus_commit_done(c, c->n, first, begin, took);
        return NGX_OK;

    case NGX_ABORT:
        ngx_msgbus_commit_unsent(c, 0);
        return NGX_ERROR;

    case NGX_DECLINED:

        if (c->refusal.known) {
            ngx_msgbus_commit_known(c, first, begin, took);
            return NGX_OK;
        }

        if (c->refusal.final || c->refusal.keyless) {
            ngx_msgbus_commit_refused(c, first, begin, took);
            return NGX_OK;
        }

        /* fall through */

    default:
        c->unsure = 1;
        return rc;
    }
}


/* the batch as the store sees it; NGX_OK, or NGX_ERROR: no memory */
static ngx_int_t
ngx_msgbus_commit_docs(ngx_msgbus_ledger_t *c, uint64_t first)
{
    size_t               size;
    u_char              *p;
    uint64_t             now;
    ngx_uint_t           i;
    ngx_msgbus_doc_t    *doc;
    ngx_msgbus_event_t   ev;

    now = ngx_max(ngx_msgbus_time_wall(), c->sh->newest);
    size = 0;

    for (i = 0; i < c->n; i++) {
        size += c->entries[i]->agent_len;
    }

    if (size > c->agents_size) {
        p = ngx_alloc(size, c->error_log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_free(c->agents);

        c->agents = p;
        c->agents_size = size;
    }

    p = c->agents;

    for (i = 0; i < c->n; i++) {
        doc = &c->docs[i];

        ngx_msgbus_entry_event(c->entries[i], &doc->channel, &ev);

        doc->id = first + i;
        doc->created = now;
        doc->since = now;
        doc->uuid = ev.uuid;
        doc->data = ev.data;
        doc->token = c->entries[i]->token;
        doc->key = ev.key;
        doc->known.id = 0;

        doc->user_agent.data = p;
        p = ngx_msgbus_json_unescape(p, &ev.user_agent);
        doc->user_agent.len = p - doc->user_agent.data;
    }

    return NGX_OK;
}


/* the first n of the batch are durable: into the log with them */
static void
ngx_msgbus_commit_done(ngx_msgbus_ledger_t *c, ngx_uint_t n, uint64_t first,
    uint64_t begin, uint64_t took)
{
    ngx_str_t              name;
    ngx_uint_t             i;
    ngx_msgbus_event_t     ev;
    ngx_msgbus_entry_t    *e;
    ngx_msgbus_channel_t   ch;

    if (n == 0) {

        /* the first one is refused: whether its id is free was not asked */

        return;
    }

    for (i = 0; i < n; i++) {
        e = c->entries[i];

        ngx_msgbus_entry_event(e, &name, &ev);
        (void) ngx_msgbus_channel_parse(&ch, &name, c->log.sh->seed);

        ev.channel = &ch;
        ev.id = first + i;
        ev.created = c->docs[i].created;
        ev.since = (int64_t) (begin / 1000);

        ngx_msgbus_ledger_lock(c);

        e->id = ev.id;
        ngx_msgbus_barrier();

        ngx_msgbus_ledger_append_locked(c, &ev);
        ngx_msgbus_ledger_settle_locked(c, e, ev.id, ev.created);

        c->sh->newest = c->docs[i].created;
        c->sh->young = (int64_t) (begin / 1000);
        c->sh->committed++;

        ngx_msgbus_ledger_unlock(c);
    }

    /*
     * That the ids behind the newest one were free says what a look would
     * have said: nobody had written anything.
     */

    ngx_msgbus_ledger_lock(c);

    c->log.sh->caught_up = begin;
    c->sh->commits++;

    ngx_msgbus_ledger_unlock(c);

    if (c->counts) {
        ngx_msgbus_count_time(c->counts, NGX_MSGBUS_COUNT_COMMIT, took);
        ngx_msgbus_count_batch(c->counts, n);
    }

    c->seen = 1;
}


/*
 * The store will never take an event of the batch, or none with a key for now:
 * those before it are durable, it has its outcome, those behind it go out
 * again.
 */
static void
ngx_msgbus_commit_refused(ngx_msgbus_ledger_t *c, uint64_t first,
    uint64_t begin, uint64_t took)
{
    uint64_t             id;
    ngx_msgbus_entry_t  *e;

    ngx_msgbus_commit_done(c, c->refusal.index, first, begin, took);

    e = c->entries[c->refusal.index];
    id = 0;

    if (c->refusal.final) {
        ngx_msgbus_ledger_refused(c, e);
        id = NGX_MSGBUS_ID_REFUSED;
    }

    ngx_msgbus_ledger_lock(c);

    /* what was sent before without an answer may be what is in its way */

    ngx_msgbus_ledger_settle_locked(c, e, e->doubt ? NGX_MSGBUS_ID_UNSURE
                                                   : id, 0);
    ngx_msgbus_ledger_unlock(c);

    ngx_msgbus_commit_unsent(c, c->refusal.index + 1);
}


/*
 * An event of the batch has a key that one has which is stored: those before it
 * are durable, it has the outcome of that one, and so have those behind it of
 * which the store knows the same; the others go out again.
 */
static void
ngx_msgbus_commit_known(ngx_msgbus_ledger_t *c, uint64_t first,
    uint64_t begin, uint64_t took)
{
    ngx_uint_t  i;

    i = c->refusal.index;

    ngx_msgbus_commit_done(c, i, first, begin, took);

    ngx_msgbus_ledger_lock(c);

    for ( /* void */ ; i < c->n; i++) {

        /* once it is settled its entry may be another's, at the next hold */

        if (i % NGX_MSGBUS_HOLD_RECORDS == NGX_MSGBUS_HOLD_RECORDS - 1) {
            ngx_msgbus_ledger_unlock(c);
            ngx_msgbus_ledger_lock(c);
        }

        if (c->docs[i].known.id == 0
            || ngx_msgbus_commit_known_locked(c, i) != NGX_OK)
        {
            ngx_msgbus_commit_unsent_locked(c, c->entries[i]);
        }
    }

    ngx_msgbus_ledger_unlock(c);
}


/* NGX_OK: it is settled; NGX_AGAIN: what has its key is not in the log yet */
static ngx_int_t
ngx_msgbus_commit_known_locked(ngx_msgbus_ledger_t *c, ngx_uint_t n)
{
    uint64_t             id, created;
    ngx_msgbus_doc_t    *doc;
    ngx_msgbus_known_t  *known;

    doc = &c->docs[n];
    known = &doc->known;

    if (known->id > c->log.sh->last_id) {

        /*
         * Another node has just written it, or we have and were not told: who
         * is told its id is to find it in the log, as all below it.
         */

        c->unsure = 1;

        return NGX_AGAIN;
    }

    id = known->id | NGX_MSGBUS_ID_REPLAYED;
    created = known->created;

    if (ngx_memcmp(known->body, doc->key->body, NGX_MSGBUS_KEY_BODY) != 0) {
        id = NGX_MSGBUS_ID_CONFLICT;
        created = 0;

        c->conflicts = 1;
        ngx_memcpy(c->conflict, doc->key->body, NGX_MSGBUS_KEY_BODY);
    }

    ngx_msgbus_ledger_settle_locked(c, c->entries[n], id, created);

    return NGX_OK;
}


/* the batch is not stored from there on: what was not sent before is queued */
static void
ngx_msgbus_commit_unsent(ngx_msgbus_ledger_t *c, ngx_uint_t from)
{
    ngx_uint_t  i;

    ngx_msgbus_ledger_lock(c);

    for (i = from; i < c->n; i++) {
        ngx_msgbus_commit_unsent_locked(c, c->entries[i]);
    }

    ngx_msgbus_ledger_unlock(c);
}


static void
ngx_msgbus_commit_unsent_locked(ngx_msgbus_ledger_t *c, ngx_msgbus_entry_t *e)
{
    if (e->cell == NGX_MSGBUS_CELL_NONE) {
        ngx_msgbus_ledger_settle_locked(c, e, 0, 0);

    } else if (!e->doubt) {
        e->state = NGX_MSGBUS_QUEUED;
    }
}
