
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Where ids stand in a database that several nodes write to, that forgets
 * events after their ttl, and that may be away.
 *
 * The unique _id decides who gets an id, the newest event tells which is
 * next.  So the newest event never expires: an empty collection gets an
 * anchor, an event without a channel that no reader can name, an idle one
 * another each quarter of the ttl, and whoever finds the newest event half
 * way to its end makes it young again.  The counter is a high-water mark.
 *
 * Who has not looked for a term, an eighth of the ttl, knows nothing any more
 * (ids may have expired and been given out again), and syncs first:
 *
 *     counter -> newest -> none: anchor, again; old: touch, gone: again
 *             -> raise the counter -> beginning of the log
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_foreign.h"
#include "ngx_msgbus_sync.h"
#include "ngx_msgbus_time.h"


/* events of one look */
#define NGX_MSGBUS_LOOK_EVENTS  1000

/* how far the counter is raised ahead */
#define NGX_MSGBUS_RAISE        10000

/* syncs in a row that others' doing may spoil */
#define NGX_MSGBUS_SYNC_TRIES   20


static ngx_int_t ngx_msgbus_sync_once(ngx_msgbus_ledger_t *c);
static ngx_int_t ngx_msgbus_sync_insert(ngx_msgbus_ledger_t *c,
    ngx_msgbus_doc_t *anchor);
static ngx_int_t ngx_msgbus_sync_begin(ngx_msgbus_ledger_t *c);
static void ngx_msgbus_sync_take(void *data, ngx_msgbus_doc_t *doc);
static ngx_msgbus_entry_t *ngx_msgbus_sync_match(ngx_msgbus_ledger_t *c,
    ngx_msgbus_doc_t *doc);
static ngx_int_t ngx_msgbus_sync_foreign(ngx_msgbus_ledger_t *c,
    ngx_msgbus_doc_t *doc, ngx_msgbus_event_t *ev);
static void ngx_msgbus_sync_passes(ngx_msgbus_ledger_t *c, uint64_t id);


ngx_int_t
ngx_msgbus_sync(ngx_msgbus_ledger_t *c)
{
    uint64_t    begin;
    ngx_int_t   rc;
    ngx_uint_t  n;

    for (n = 0; n < NGX_MSGBUS_SYNC_TRIES; n++) {

        begin = ngx_msgbus_time_monotonic();

        rc = ngx_msgbus_sync_once(c);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK && ngx_msgbus_time_monotonic() - begin < c->term) {

            c->stale = 0;

            /*
             * What is new since the last look, and what of ours is in it;
             * the node has not caught up before, nor is it well.
             */

            return ngx_msgbus_sync_look(c);
        }
    }

    return NGX_ERROR;
}


/* NGX_OK; NGX_AGAIN: the database has changed meanwhile; NGX_ERROR */
static ngx_int_t
ngx_msgbus_sync_once(ngx_msgbus_ledger_t *c)
{
    int64_t           boot, young;
    uint64_t          now, counter, id, created;
    ngx_int_t         rc;
    ngx_msgbus_doc_t  anchor;

    if (c->store->counter(c->db, &counter) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = c->store->newest(c->db, &id, &created);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    now = ngx_msgbus_time_wall();

    if (rc == NGX_OK) {
        created = ngx_min(created, now + NGX_MSGBUS_AHEAD);
    }

    if (rc == NGX_DECLINED && !(c->store->flags & NGX_MSGBUS_STORE_EXPIRES)) {

        /* it has not forgotten what the counter counts by itself */

        id = counter;
        created = now;
        rc = NGX_OK;
    }

    if (rc == NGX_DECLINED) {

        /*
         * The counter is not raised first: two nodes that start would then
         * choose different ids.
         */

        ngx_memzero(&anchor, sizeof(ngx_msgbus_doc_t));

        anchor.id = ngx_max(counter, c->log.sh->last_id) + 1;
        anchor.created = now;
        anchor.since = now;

        return ngx_msgbus_sync_insert(c, &anchor) == NGX_ERROR ? NGX_ERROR
                                                               : NGX_AGAIN;
    }

    /* the wall clock counts only where there is nothing else to go by */

    boot = (int64_t) (ngx_msgbus_time_monotonic() / 1000);
    young = c->sh->loaded && id == c->log.sh->last_id
            ? c->sh->young : ngx_msgbus_time_since(created);

    if ((c->store->flags & NGX_MSGBUS_STORE_EXPIRES)
        && boot - young > (int64_t) c->log.ttl / 2)
    {
        now = ngx_max(now, created);

        rc = c->store->touch(c->db, id, now);

        if (rc != NGX_OK) {
            return rc == NGX_DECLINED ? NGX_AGAIN : NGX_ERROR;
        }

        created = now;
        young = boot;
    }

    ngx_msgbus_ledger_lock(c);

    c->sh->newest = created;
    c->sh->young = young;
    c->sh->ceiling = counter;

    ngx_msgbus_ledger_unlock(c);

    if (ngx_msgbus_sync_raise(c, ngx_max(id, c->log.sh->last_id)) != NGX_OK) {
        return NGX_ERROR;
    }

    return c->sh->loaded ? NGX_OK : ngx_msgbus_sync_begin(c);
}


/* an anchor; NGX_OK, NGX_DECLINED: another has its id, or NGX_ERROR */
static ngx_int_t
ngx_msgbus_sync_insert(ngx_msgbus_ledger_t *c, ngx_msgbus_doc_t *anchor)
{
    ngx_int_t  rc;

    rc = c->store->insert(c->db, anchor, 1, &c->refusal);

    if (rc == NGX_DECLINED && !c->refusal.final) {
        return NGX_DECLINED;
    }

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


/* where the log begins: with as many events as it can hold at most */
static ngx_int_t
ngx_msgbus_sync_begin(ngx_msgbus_ledger_t *c)
{
    uint64_t              id;
    ngx_int_t             rc;
    ngx_msgbus_log_sh_t  *sh;

    rc = c->store->oldest(c->db, ngx_min(c->log.mask, c->log.max_events),
                          c->log.size, &id);

    if (rc == NGX_DECLINED && !(c->store->flags & NGX_MSGBUS_STORE_EXPIRES)) {

        /* no event, and none is missing */

        id = c->sh->ceiling + 1;
        rc = NGX_OK;
    }

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_AGAIN : NGX_ERROR;
    }

    sh = c->log.sh;

    ngx_msgbus_ledger_lock(c);

    /* what was there before it, readers may have missed */

    sh->evicted_id = id - 1;
    sh->last_id = id - 1;
    sh->nodes.floor = id - 1;

    ngx_msgbus_barrier();
    c->sh->loaded = 1;

    ngx_msgbus_ledger_unlock(c);

    return NGX_OK;
}


ngx_uint_t
ngx_msgbus_sync_is_fresh(ngx_msgbus_ledger_t *c)
{
    int64_t  young;

    if (!(c->store->flags & NGX_MSGBUS_STORE_EXPIRES)) {

        /* what it has forgotten is never given out again */

        return c->sh->loaded;
    }

    young = (int64_t) (ngx_msgbus_time_monotonic() / 1000) - c->sh->young;

    return c->sh->loaded
           && ngx_msgbus_time_monotonic() - c->log.sh->caught_up < c->term
           && young < (int64_t) c->log.ttl / 2;
}


ngx_int_t
ngx_msgbus_sync_raise(ngx_msgbus_ledger_t *c, uint64_t last)
{
    uint64_t  ceiling;

    if (last <= c->sh->ceiling) {
        return NGX_OK;
    }

    ceiling = last + NGX_MSGBUS_RAISE;

    if (c->store->raise(c->db, ceiling) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_msgbus_ledger_lock(c);
    c->sh->ceiling = ceiling;
    ngx_msgbus_ledger_unlock(c);

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_sync_anchor(ngx_msgbus_ledger_t *c)
{
    int64_t           young;
    uint64_t          now;
    ngx_int_t         rc;
    ngx_msgbus_doc_t  anchor;

    young = (int64_t) (ngx_msgbus_time_monotonic() / 1000) - c->sh->young;

    if (!(c->store->flags & NGX_MSGBUS_STORE_EXPIRES)
        || young < (int64_t) c->log.ttl / 4)
    {
        return NGX_OK;
    }

    now = ngx_max(ngx_msgbus_time_wall(), c->sh->newest);

    ngx_memzero(&anchor, sizeof(ngx_msgbus_doc_t));

    anchor.id = c->log.sh->last_id + 1;
    anchor.created = now;
    anchor.since = now;

    if (ngx_msgbus_sync_raise(c, anchor.id) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_msgbus_sync_insert(c, &anchor);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_msgbus_sync_take(c, &anchor);

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_sync_look(ngx_msgbus_ledger_t *c)
{
    uint64_t   begin, now;
    ngx_int_t  n;

    do {
        begin = ngx_msgbus_time_monotonic();

        /*
         * Longer than an event lives, with some time for clocks that differ;
         * and while the log has its first events, which are of all ages, those
         * behind the ones that are there may expire at any time.  They do so in
         * the order of their ids: what follows is whole again.
         */

        c->lapsed = c->log.sh->caught_up == 0
                    || begin - c->log.sh->caught_up > c->log.ttl * 1000 / 4 * 3;

        n = c->store->after(c->db, c->log.sh->last_id, NGX_MSGBUS_LOOK_EVENTS,
                          ngx_msgbus_sync_take, c);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

    } while (n == NGX_MSGBUS_LOOK_EVENTS && !ngx_msgbus_ledger_stops(c));

    if (n == NGX_MSGBUS_LOOK_EVENTS) {
        return NGX_ERROR;
    }

    now = ngx_msgbus_time_monotonic();

    ngx_msgbus_ledger_lock(c);

    if (ngx_msgbus_ledger_wants_look(c)) {
        c->seen = 1;
    }

    c->log.sh->caught_up = begin;
    c->log.sh->looked = begin;
    c->looked = begin;

    if (n == 0) {
        c->sh->rtt = now - begin;
    }

    ngx_msgbus_ledger_unlock(c);

    ngx_msgbus_ledger_warnings(c);

    c->unsure = 0;

    return NGX_OK;
}


/* an event of the database, the next one after the newest of the log */
static void
ngx_msgbus_sync_take(void *data, ngx_msgbus_doc_t *doc)
{
    ngx_msgbus_ledger_t *c = data;

    ngx_int_t              rc;
    ngx_str_t              name;
    ngx_msgbus_event_t     ev;
    ngx_msgbus_entry_t    *e;
    ngx_msgbus_channel_t   ch;

    ev.channel = &ch;

    ngx_msgbus_foreign_times(doc, &ev);

    e = ngx_msgbus_sync_match(c, doc);

    if (e) {
        ngx_msgbus_entry_event(e, &name, &ev);
        (void) ngx_msgbus_channel_parse(&ch, &name, c->log.sh->seed);

        rc = NGX_OK;

    } else {
        rc = ngx_msgbus_sync_foreign(c, doc, &ev);
    }

    ngx_msgbus_ledger_lock(c);

    if (doc->id > c->log.sh->last_id) {

        if (c->lapsed && doc->id > c->log.sh->last_id + 1) {
            ngx_msgbus_ledger_lapsed_locked(c, doc->id - 1);
        }

        if (doc->lost) {
            ngx_msgbus_ledger_lapsed_locked(c, doc->id);
        }

        if (c->log.sh->caught_up == 0) {
            c->lapsed = 0;
        }

        if (e) {
            e->id = doc->id;
            ngx_msgbus_barrier();
        }

        if (rc == NGX_OK) {
            ngx_msgbus_ledger_append_locked(c, &ev);
            c->seen = 1;

        } else {

            /* an anchor, or what no reader can be shown */

            ngx_msgbus_ledger_pass_locked(c, doc->id, rc == NGX_BUSY);
        }

        if (e) {
            ngx_msgbus_ledger_settle_locked(c, e, doc->id, ev.created);
            c->sh->committed++;

        } else if (rc == NGX_OK) {
            c->sh->foreign++;
        }

        c->sh->newest = doc->since;
        c->sh->young = ngx_msgbus_time_since(doc->since);
    }

    ngx_msgbus_ledger_unlock(c);
}


/* the post that an event was, if it was sent and nothing was heard of it */
static ngx_msgbus_entry_t *
ngx_msgbus_sync_match(ngx_msgbus_ledger_t *c, ngx_msgbus_doc_t *doc)
{
    size_t               offset;
    uint32_t             state;
    ngx_msgbus_entry_t  *e;

    if (doc->token == NULL || !c->unsure) {
        return NULL;
    }

    /*
     * What was sent stands at the head.  The head moves in this thread only,
     * and entries that were sent do not change; one that is queued may be
     * canceled by its poster at any time but this hold.
     */

    offset = c->pending.sh->head;

    for ( ;; ) {
        ngx_msgbus_ledger_lock(c);

        e = ngx_msgbus_pending_at_locked(&c->pending, &offset);
        state = e ? e->state : NGX_MSGBUS_QUEUED;

        ngx_msgbus_ledger_unlock(c);

        if (state == NGX_MSGBUS_QUEUED) {
            return NULL;
        }

        if (state == NGX_MSGBUS_SENT
            && ngx_memcmp(e->token, doc->token, NGX_MSGBUS_TOKEN_LEN) == 0)
        {
            return e;
        }

        offset += e->size;
    }
}


/*
 * NGX_OK; NGX_DECLINED: it can not be shown; NGX_BUSY: it could, by a larger
 * log, or with more memory
 */
static ngx_int_t
ngx_msgbus_sync_foreign(ngx_msgbus_ledger_t *c, ngx_msgbus_doc_t *doc,
    ngx_msgbus_event_t *ev)
{
    ngx_int_t  rc;

    if (doc->channel.len == 0) {
        return NGX_DECLINED;
    }

    rc = ngx_msgbus_foreign(doc, ev, c->agents, c->log.sh->seed,
                            ngx_msgbus_log_max_record(&c->log) / 2,
                            c->error_log);

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    ngx_msgbus_sync_passes(c, doc->id);

    return rc == NGX_DECLINED ? NGX_DECLINED : NGX_BUSY;
}


/* another program may write thousands of them */
static void
ngx_msgbus_sync_passes(ngx_msgbus_ledger_t *c, uint64_t id)
{
    c->passed++;

    ngx_msgbus_tell(&c->log.sh->tells, NGX_MSGBUS_TELL_PASSED, NGX_LOG_WARN,
                    c->error_log, 0,
                    "msgbus passes over event %uL of the store%s, %uL such "
                    "so far: its channel, size or JSON is not such as can be "
                    "posted here", id, c->log.shpool->log_ctx, c->passed);
}
