
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The engine's face: what a handler asks of a bus, publishing, reading and
 * parking.  What these mean is in the rooms behind (commit, view, log, channel,
 * waiter); the zone has a room of its own, and so has what a worker does for a
 * bus without being asked.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_direct.h"
#include "ngx_msgbus_keyed.h"
#include "ngx_msgbus_show.h"
#include "ngx_msgbus_time.h"
#include "ngx_msgbus_worker.h"
#include "ngx_msgbus_zone.h"


/* how a reader of such answers reads, as his channels tell */
#define ngx_msgbus_manner(form)                                               \
    ((form) == NGX_MSGBUS_PAGE ? NGX_MSGBUS_LONG_POLL : NGX_MSGBUS_STREAM)


static ngx_uint_t ngx_msgbus_named_by(ngx_msgbus_named_t *named,
    ngx_msgbus_query_t *q, ngx_uint_t n);
static void ngx_msgbus_named(ngx_msgbus_named_t *named,
    ngx_msgbus_channel_t *ch, ngx_uint_t tree);
static ngx_int_t ngx_msgbus_publish_direct(ngx_msgbus_t *bus,
    ngx_msgbus_post_t *post);
static ngx_uint_t ngx_msgbus_publish_known(ngx_msgbus_t *bus,
    ngx_msgbus_post_t *post);
static void ngx_msgbus_status_store_locked(ngx_msgbus_t *bus,
    ngx_msgbus_status_t *status);
static uint64_t ngx_msgbus_wall(void);
static u_char *ngx_msgbus_now_text(void);


ngx_msgbus_tells_t *
ngx_msgbus_tells(ngx_msgbus_t *bus)
{
    return &bus->log.sh->tells;
}


ngx_str_t *
ngx_msgbus_name(ngx_msgbus_t *bus)
{
    return &bus->conf.name;
}


size_t
ngx_msgbus_max_event_size(ngx_msgbus_t *bus)
{
    return bus->log.max_event_size;
}


size_t
ngx_msgbus_max_batch_size(ngx_msgbus_t *bus)
{
    size_t  size;

    size = ngx_msgbus_log_max_record(&bus->log);

    return bus->store ? ngx_min(size, ngx_msgbus_zone_max_posts(bus))
                          : size;
}


unsigned
ngx_msgbus_wake(ngx_msgbus_wake_pt handler, ngx_msgbus_soon_pt soon)
{
    return ngx_msgbus_waiter_wake(handler, soon);
}


ngx_int_t
ngx_msgbus_park(ngx_msgbus_t *bus, ngx_msgbus_waiter_t *w,
    ngx_msgbus_query_t *query)
{
    if (ngx_msgbus_waiter_link(&bus->waiters, w, query) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_msgbus_worker_waits(bus);

    if (bus->waiters.n == 1) {

        /* nobody has been looking: begin here, before the caller looks */

        ngx_msgbus_log_lock(&bus->log);
        bus->waiters.seen = bus->log.sh->next_serial;
        bus->waiters.seen_id = bus->log.sh->last_id;
        bus->waiters.lapsed_id = bus->log.sh->lapsed_id;
        ngx_msgbus_log_unlock(&bus->log);
    }

    return NGX_OK;
}


void
ngx_msgbus_unpark(ngx_msgbus_t *bus, ngx_msgbus_waiter_t *w)
{
    if (w->linked) {
        ngx_msgbus_waiter_unlink(&bus->waiters, w);
        ngx_msgbus_worker_waits(bus);
    }
}


ngx_uint_t
ngx_msgbus_parked(ngx_msgbus_t *bus)
{
    return ngx_msgbus_notify_total(&bus->notify);
}


ngx_int_t
ngx_msgbus_enter(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_msgbus_form_e form)
{
    ngx_uint_t          i, manner;
    ngx_msgbus_named_t  named;

    manner = ngx_msgbus_manner(form);

    for (i = 0; ngx_msgbus_named_by(&named, query, i); i++) {

        if (ngx_msgbus_present_enter(&bus->present, &named, manner) != NGX_OK)
        {
            while (i--) {
                (void) ngx_msgbus_named_by(&named, query, i);
                ngx_msgbus_present_leave(&bus->present, &named, manner);
            }

            return NGX_ERROR;
        }
    }

    /* a form is how it is served: a page for whom it waits */

    ngx_msgbus_notify_reads(&bus->notify, form, 1);

    return NGX_OK;
}


void
ngx_msgbus_leave(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_msgbus_form_e form)
{
    ngx_uint_t          i, manner;
    ngx_msgbus_named_t  named;

    ngx_msgbus_notify_reads(&bus->notify, form, -1);

    manner = ngx_msgbus_manner(form);

    for (i = 0; ngx_msgbus_named_by(&named, query, i); i++) {
        ngx_msgbus_present_leave(&bus->present, &named, manner);
    }
}


/* the n-th that a query names; 0: there is none */
static ngx_uint_t
ngx_msgbus_named_by(ngx_msgbus_named_t *named, ngx_msgbus_query_t *q,
    ngx_uint_t n)
{
    ngx_msgbus_many_entry_t  *entry;

    if (q->scope != NGX_MSGBUS_MANY) {
        ngx_msgbus_named(named, q->channel, q->scope == NGX_MSGBUS_ALL);
        return n == 0;
    }

    if (n == q->many->n) {
        return 0;
    }

    entry = &q->many->entries[n];

    named->name.data = NGX_MSGBUS_MANY_NAME(q->many, entry);
    named->name.len = entry->len;
    named->hash = entry->hash;
    named->tree = entry->slot != 0;

    return 1;
}


/* as readers name it; "/" has no level, and is always a tree */
static void
ngx_msgbus_named(ngx_msgbus_named_t *named, ngx_msgbus_channel_t *ch,
    ngx_uint_t tree)
{
    named->name = ch->name;
    named->hash = ch->depth ? ch->levels[ch->depth - 1].hash : 0;
    named->tree = tree || ch->depth == 0;
}


uint64_t
ngx_msgbus_subscribers(ngx_msgbus_t *bus, ngx_msgbus_channel_t *ch)
{
    uint64_t            n;
    ngx_msgbus_named_t  named;

    ngx_msgbus_named(&named, ch, 1);
    n = ngx_msgbus_present_sum(&bus->present, &named);

    if (ch->depth) {
        ngx_msgbus_named(&named, ch, 0);
        n += ngx_msgbus_present_sum(&bus->present, &named);
    }

    return n;
}


ngx_int_t
ngx_msgbus_list(ngx_msgbus_listing_t *listing, ngx_pool_t *pool)
{
    return ngx_msgbus_listing_init(listing, pool);
}


ngx_int_t
ngx_msgbus_list_next(ngx_msgbus_t *bus, ngx_msgbus_listing_t *listing)
{
    ngx_msgbus_present_look(&bus->present);

    return ngx_msgbus_listing_next(listing, &bus->log, &bus->present);
}


uint64_t
ngx_msgbus_newest(ngx_msgbus_t *bus)
{
    uint64_t  id;

    ngx_msgbus_log_lock(&bus->log);

    id = bus->log.sh->last_id;

    ngx_msgbus_log_unlock(&bus->log);

    return id;
}


ngx_int_t
ngx_msgbus_channel(ngx_msgbus_t *bus, ngx_msgbus_channel_t *ch,
    ngx_str_t *name)
{
    return ngx_msgbus_channel_parse(ch, name, bus->log.sh->seed);
}


ngx_int_t
ngx_msgbus_many(ngx_msgbus_t *bus, ngx_msgbus_many_t *many, ngx_str_t *list,
    u_char *text)
{
    return ngx_msgbus_many_parse(many, list, text, bus->log.sh->seed);
}


ngx_uint_t
ngx_msgbus_is_channel(ngx_str_t *name)
{
    ngx_msgbus_channel_t  channel;

    return ngx_msgbus_channel_parse(&channel, name, 0) == NGX_OK;
}


void
ngx_msgbus_expect(ngx_msgbus_t *bus, size_t size)
{
    ngx_msgbus_log_expect(&bus->log, size);
}


ngx_int_t
ngx_msgbus_publish(ngx_msgbus_t *bus, ngx_msgbus_post_t *post)
{
    ngx_int_t   rc;
    ngx_uint_t  time;

    post->stored = 0;
    post->unsure = 0;
    post->refused = 0;
    post->replayed = 0;
    post->replayed_size = 0;
    post->conflicts = 0;
    post->waits = 0;
    post->waiting = 0;

    time = bus->store == NULL
           || ngx_msgbus_ledger_has_time(&bus->ledger, bus->posts.patience);

    if (post->events[0].key
        && (post->n > 1 || !time)
        && ngx_msgbus_publish_known(bus, post))
    {
        return NGX_OK;
    }

    if (bus->store == NULL) {
        return ngx_msgbus_publish_direct(bus, post);
    }

    ngx_msgbus_worker_want_slot(bus);

    rc = time ? ngx_msgbus_post_queue(&bus->posts, post) : NGX_BUSY;

    if (rc == NGX_AGAIN) {

        /* once for all posts of this turn of the loop */

        ngx_post_event(&bus->kick, &ngx_posted_events);
    }

    return rc == NGX_BUSY ? NGX_ABORT : rc;
}


static ngx_int_t
ngx_msgbus_publish_direct(ngx_msgbus_t *bus, ngx_msgbus_post_t *post)
{
    ngx_int_t            rc;
    ngx_msgbus_event_t  *ev;

    rc = NGX_OK;

    while (post->stored < post->n) {
        ev = &post->events[post->stored];

        ev->created = ngx_msgbus_wall();
        ev->since = (int64_t) ngx_msgbus_now();
        ngx_memcpy(ev->created_text, ngx_msgbus_now_text(),
                   NGX_MSGBUS_TIME_LEN);

        rc = ngx_msgbus_direct_commit(&bus->log, ev);

        if (rc == NGX_DONE) {

            if (ev->id == 0) {
                post->refused++;
                post->conflicts++;
                break;
            }

            post->replayed++;
            post->replayed_size += ev->data.len;

        } else if (rc != NGX_OK) {
            ev->id = 0;
            break;
        }

        post->stored++;
    }

    if (post->stored > post->replayed) {
        ngx_msgbus_notify_all(&bus->notify);
    }

    return rc;
}


/*
 * Is all of a post in memory, or one of its events with another body?  That is
 * its outcome then, and nothing of it is stored.
 */
static ngx_uint_t
ngx_msgbus_publish_known(ngx_msgbus_t *bus, ngx_msgbus_post_t *post)
{
    uint64_t    now, id;
    ngx_uint_t  i, n;

    n = 0;
    now = ngx_msgbus_now();

    ngx_msgbus_log_lock(&bus->log);

    for (i = 0; i < post->n; i++) {

        if (i % NGX_MSGBUS_HOLD_RECORDS == NGX_MSGBUS_HOLD_RECORDS - 1) {
            ngx_msgbus_log_unlock(&bus->log);
            ngx_msgbus_log_lock(&bus->log);
        }

        id = 0;

        if (ngx_msgbus_keyed_known_locked(&bus->log, post->events[i].key, now,
                                          &id)
            == NGX_DONE)
        {
            if (id == 0) {
                post->refused = 1;
                post->conflicts = 1;
                break;
            }

            n++;
        }

        post->events[i].id = id;
    }

    ngx_msgbus_log_unlock(&bus->log);

    if (n == post->n) {
        post->stored = n;
        post->replayed = n;

        for (i = 0; i < n; i++) {
            post->replayed_size += post->events[i].data.len;
        }

        return 1;
    }

    for (i = 0; i < post->n; i++) {
        post->events[i].id = 0;
    }

    return post->conflicts;
}


ngx_int_t
ngx_msgbus_stored(ngx_msgbus_t *bus, uint64_t id, ngx_str_t *text)
{
    u_char               *p;
    uint64_t              serial;
    ngx_msgbus_log_t     *log;
    ngx_msgbus_record_t  *rec;

    log = &bus->log;
    p = NULL;

    ngx_msgbus_log_lock(log);

    serial = ngx_msgbus_log_search_locked(log, id - 1);

    if (serial != log->sh->next_serial) {
        rec = ngx_msgbus_log_record(log, serial);

        if (rec->id == id) {
            p = ngx_msgbus_show_record(bus->scratch, rec, ngx_msgbus_now());
        }
    }

    ngx_msgbus_log_unlock(log);

    if (p == NULL) {
        return NGX_DECLINED;
    }

    text->data = bus->scratch;
    text->len = p - bus->scratch;

    return NGX_OK;
}


u_char *
ngx_msgbus_show(u_char *p, ngx_msgbus_event_t *ev)
{
    static ngx_str_t  age = ngx_string("0");
    static ngx_str_t  unnamed = ngx_null_string;

    ngx_msgbus_time_text(ev->created_text, ev->created);

    return ngx_msgbus_show_event(p, ev, &age, &unnamed);
}


size_t
ngx_msgbus_shown_len(ngx_msgbus_event_t *ev)
{
    return ngx_msgbus_show_len(ev, 0);
}


void
ngx_msgbus_forget(ngx_msgbus_t *bus, ngx_msgbus_post_t *post)
{
    ngx_msgbus_post_forget(&bus->posts, post);
}


ngx_uint_t
ngx_msgbus_may_wait(ngx_msgbus_t *bus)
{
    return bus->store != NULL;
}


ngx_uint_t
ngx_msgbus_loads_soon(ngx_msgbus_t *bus)
{
    /* one word, which is 0 only once; so most reads need no lock for it */

    return bus->store
           && (bus->store->flags & NGX_MSGBUS_STORE_ALONE)
           && bus->log.sh->caught_up == 0;
}


ngx_uint_t
ngx_msgbus_is_loaded(ngx_msgbus_t *bus)
{
    ngx_uint_t  loaded;

    if (bus->store == NULL) {
        return 1;
    }

    ngx_msgbus_log_lock(&bus->log);
    loaded = (bus->log.sh->caught_up != 0);
    ngx_msgbus_log_unlock(&bus->log);

    return loaded;
}


ngx_uint_t
ngx_msgbus_follows(ngx_msgbus_t *bus)
{
    return bus->log.follows;
}


void
ngx_msgbus_look(ngx_msgbus_t *bus, ngx_msgbus_fresh_t *w)
{
    ngx_uint_t               looked;
    ngx_msgbus_ledger_sh_t  *sh;

    ngx_msgbus_worker_want_slot(bus);

    w->asked = ngx_msgbus_time_monotonic();

    ngx_msgbus_fresh_link(&bus->fresh, w);
    ngx_msgbus_worker_waits(bus);

    sh = bus->ledger.sh;

    ngx_msgbus_log_lock(&bus->log);

    sh->wanted = ngx_max(sh->wanted, w->asked);
    looked = bus->log.sh->looked > w->asked;

    ngx_msgbus_log_unlock(&bus->log);

    /* once for all of this turn of the loop */

    ngx_post_event(looked ? &bus->more : &bus->kick, &ngx_posted_events);
}


void
ngx_msgbus_look_forget(ngx_msgbus_t *bus, ngx_msgbus_fresh_t *w)
{
    if (w->linked) {
        ngx_msgbus_fresh_unlink(&bus->fresh, w);
        ngx_msgbus_worker_waits(bus);
    }
}


void
ngx_msgbus_count(ngx_msgbus_t *bus, ngx_msgbus_count_e what, uint64_t n)
{
    ngx_msgbus_count_add(bus->counts, what, n);
}


void
ngx_msgbus_count_delivered(ngx_msgbus_t *bus, ngx_uint_t events, size_t size)
{
    ngx_msgbus_counts_t  *counts;

    counts = bus->counts;

    ngx_msgbus_count_add(counts, NGX_MSGBUS_COUNT_DELIVERED, events);
    ngx_msgbus_count_add(counts, NGX_MSGBUS_COUNT_DELIVERED_BYTES, size);

    if (bus->delayed) {
        ngx_msgbus_count_add(counts, bus->delayed, 1);
        ngx_msgbus_count_add(counts, NGX_MSGBUS_COUNT_DELAY_SUM, bus->delay);
    }
}


ngx_int_t
ngx_msgbus_health(ngx_msgbus_t *bus)
{
    ngx_msgbus_status_t  status;

    if (bus->store == NULL) {
        return NGX_OK;
    }

    ngx_msgbus_status(bus, &status);

    return status.reachable ? NGX_OK : NGX_DECLINED;
}


void
ngx_msgbus_status(ngx_msgbus_t *bus, ngx_msgbus_status_t *status)
{
    ngx_msgbus_log_t     *log;
    ngx_msgbus_log_sh_t  *sh;

    log = &bus->log;
    sh = log->sh;

    status->conf = NULL;

    ngx_msgbus_log_lock(log);

    status->events = sh->next_serial - sh->head_serial;
    status->last_id = sh->last_id;
    status->pressed = sh->pressed;
    status->refused = sh->refused;
    status->forgotten = bus->store ? 0 : sh->forgotten;
    status->squeezed = sh->squeezed
                       && ngx_msgbus_now() < sh->squeezed_at + log->ttl;
    status->rebuilds = sh->repairs;

    if (bus->store) {
        ngx_msgbus_status_store_locked(bus, status);
    }

    ngx_msgbus_log_unlock(log);

    if (bus->store) {
        status->store = bus->store->name;

    } else {
        ngx_str_set(&status->store, "memory");
    }

    status->parked = ngx_msgbus_notify_total(&bus->notify);
}


static void
ngx_msgbus_status_store_locked(ngx_msgbus_t *bus, ngx_msgbus_status_t *status)
{
    uint64_t                  look;
    ngx_msgbus_ledger_sh_t   *sh;
    ngx_msgbus_store_conf_t  *conf;

    sh = bus->ledger.sh;
    conf = bus->store_conf;

    status->conf = conf;

    status->behind = bus->log.sh->caught_up
                     ? (ngx_msgbus_time_monotonic() - bus->log.sh->caught_up)
                       / 1000
                     : 0;

    /* a committer that hears nothing is not told so before its time-outs */

    look = conf->poll ? conf->poll : NGX_MSGBUS_LOOK;

    status->reachable = sh->loaded
                        && bus->log.sh->caught_up
                        && !sh->down
                        && status->behind < look + conf->silence;
    status->rtt = sh->rtt;
    status->pending = bus->posts.pending.sh->entries;
    status->commits = sh->commits;
    status->committed = sh->committed;
    status->foreign = sh->foreign;
    status->conflicts = sh->conflicts;
    status->unwanted = sh->refused;
    status->usage = sh->usage;

    ngx_memcpy(status->version, sh->version, NGX_MSGBUS_VERSION_LEN);
    ngx_memcpy(status->error, sh->error, NGX_MSGBUS_ERROR_LEN);
    ngx_memcpy(status->warnings, sh->warnings, NGX_MSGBUS_WARNINGS_LEN);

    if (!status->reachable && (!sh->down || sh->error[0] == '\0')) {
        (void) ngx_cpystrn(status->error,
                           (u_char *) "it has not answered yet",
                           NGX_MSGBUS_ERROR_LEN);
    }

    if (bus->notify.slot == -1) {
        status->reachable = 0;

        (void) ngx_cpystrn(status->error,
                           (u_char *) "this worker has no slot, there are too "
                                      "many workers",
                           NGX_MSGBUS_ERROR_LEN);
    }
}


uint64_t
ngx_msgbus_now(void)
{
    static uint64_t    now;
    static ngx_msec_t  at;

    if (now == 0 || at != ngx_current_msec) {
        at = ngx_current_msec;
        now = ngx_msgbus_time_monotonic() / 1000;
    }

    return now;
}


/* wall clock, ms: for display only */
static uint64_t
ngx_msgbus_wall(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


/* the second of ngx_msgbus_wall() as events tell it */
static u_char *
ngx_msgbus_now_text(void)
{
    time_t         sec;

    static u_char  text[NGX_MSGBUS_TIME_LEN];
    static time_t  rendered = -1;

    sec = ngx_time();

    if (sec != rendered) {
        ngx_msgbus_time_text(text, (uint64_t) sec * 1000);
        rendered = sec;
    }

    return text;
}
