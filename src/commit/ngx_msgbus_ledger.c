
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The node's ledger with its store: what whoever commits goes by and keeps,
 * and the entries that the commit and the sync both make in it.  An event
 * goes to the log, a post is told what became of it, a failure is noted.
 *
 * It decides nothing: what is sent, and what to make of what the store has,
 * is decided in the rooms of the commit and of the sync.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_json.h"
#include "ngx_msgbus_ledger.h"
#include "ngx_msgbus_time.h"


/* appends of one event: each makes room for some */
#define NGX_MSGBUS_APPEND_TRIES   10000


ngx_int_t
ngx_msgbus_ledger_create(ngx_msgbus_ledger_t *c,
    ngx_msgbus_store_conf_t *conf, uint64_t ttl)
{
    c->term = ttl * 1000 / 8;

    /* who looks less often than that knows nothing any more each time */

    c->look = conf->poll ? conf->poll : NGX_MSGBUS_LOOK;
    c->look = ngx_min(c->look * 1000, c->term / 2);

    c->second = (uint64_t) -1;
    c->delay = conf->delay;
    c->patience = (uint64_t) conf->tries * conf->delay * 1000;

    c->entries = ngx_alloc(NGX_MSGBUS_BATCH_EVENTS
                           * sizeof(ngx_msgbus_entry_t *), c->error_log);
    c->docs = ngx_alloc(NGX_MSGBUS_BATCH_EVENTS * sizeof(ngx_msgbus_doc_t),
                        c->error_log);

    c->agents_size = NGX_MSGBUS_UA_LEN * NGX_MSGBUS_JSON_ESCAPED;
    c->agents = ngx_alloc(c->agents_size, c->error_log);

    c->db = c->store->create(conf, ttl, &c->log.sh->tells, c->error_log);

    if (c->entries == NULL || c->docs == NULL || c->agents == NULL
        || c->db == NULL)
    {
        ngx_msgbus_ledger_destroy(c);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_msgbus_ledger_close(ngx_msgbus_ledger_t *c)
{
    if (c->db) {
        c->store->destroy(c->db);
        c->db = NULL;
    }
}


void
ngx_msgbus_ledger_destroy(ngx_msgbus_ledger_t *c)
{
    ngx_msgbus_ledger_close(c);

    ngx_free(c->agents);
    ngx_free(c->docs);
    ngx_free(c->entries);

    c->agents = NULL;
    c->docs = NULL;
    c->entries = NULL;
}


ngx_uint_t
ngx_msgbus_ledger_has_time(ngx_msgbus_ledger_t *c, ngx_msec_t ms)
{
    uint64_t  rate, need;

    rate = c->sh->rate;
    need = rate ? c->pending.sh->bytes * 1000 / rate : 0;

    /*
     * An estimate, and so not to the last moment.  As much is stored whoever
     * waits; with a shorter queue, from where it has turned out to be too long,
     * there is a way back when less is posted.
     */

    if (need < ms / 2) {

        if (c->sh->crowded) {
            c->sh->crowded = 0;
        }

    } else if (need >= ms / 8 * 7 && !c->sh->crowded) {
        c->sh->crowded = 1;
    }

    return !c->sh->crowded;
}


void
ngx_msgbus_ledger_lock(ngx_msgbus_ledger_t *c)
{
    ngx_msgbus_log_lock(&c->log);

    if (c->stop && *c->stop == NGX_MSGBUS_STOP_HERE) {

        /* the process is about to end, and not in the middle of a change */

        ngx_msgbus_log_unlock(&c->log);

        for ( ;; ) {
            (void) pause();
        }
    }
}


void
ngx_msgbus_ledger_unlock(ngx_msgbus_ledger_t *c)
{
    ngx_msgbus_log_unlock(&c->log);

    if (c->no_room == 0
        || !ngx_msgbus_tell_due(&c->log.sh->tells, NGX_MSGBUS_TELL_NO_ROOM,
                                ngx_msgbus_time_monotonic() / 1000))
    {
        return;
    }

    ngx_log_error(NGX_LOG_CRIT, c->error_log, 0,
                  "msgbus has no room for %uL events of the store%s, the "
                  "last one is %uL",
                  c->no_room, c->log.shpool->log_ctx, c->no_room_id);

    c->no_room = 0;
}


void
ngx_msgbus_ledger_append_locked(ngx_msgbus_ledger_t *c,
    ngx_msgbus_event_t *ev)
{
    ngx_int_t   rc;
    ngx_uint_t  n;

    if (c->second != ev->created / 1000) {

        /* a batch has one, and most of those behind it */

        c->second = ev->created / 1000;
        ngx_msgbus_time_text(c->second_text, ev->created);
    }

    ngx_memcpy(ev->created_text, c->second_text, NGX_MSGBUS_TIME_LEN);

    rc = NGX_AGAIN;

    for (n = 0; n < NGX_MSGBUS_APPEND_TRIES; n++) {

        rc = ngx_msgbus_log_append_locked(&c->log, ev,
                                          ngx_msgbus_time_monotonic() / 1000);

        if (rc != NGX_AGAIN && rc != NGX_BUSY) {
            break;
        }

        /* a hold has done its share of evictions */

        ngx_msgbus_ledger_unlock(c);
        ngx_msgbus_ledger_lock(c);
    }

    if (rc != NGX_OK) {

        /* what is posted here is checked to fit, so it is another node's */

        c->no_room++;
        c->no_room_id = ev->id;

        ngx_msgbus_ledger_pass_locked(c, ev->id, 1);
    }
}


void
ngx_msgbus_ledger_pass_locked(ngx_msgbus_ledger_t *c, uint64_t id,
    ngx_uint_t missed)
{
    if (missed) {

        /* first: who dies between them leaves nothing that nobody is told of */

        ngx_msgbus_ledger_lapsed_locked(c, id);
        ngx_msgbus_barrier();
    }

    c->log.sh->last_id = id;
}


void
ngx_msgbus_ledger_lapsed_locked(ngx_msgbus_ledger_t *c, uint64_t id)
{
    c->log.sh->lapsed_id = id;
    c->seen = 1;
}


void
ngx_msgbus_ledger_settle_locked(ngx_msgbus_ledger_t *c,
    ngx_msgbus_entry_t *e, uint64_t id, uint64_t created)
{
    ngx_int_t  slot;

    slot = ngx_msgbus_pending_settle_locked(&c->pending, e, id, created);

    if (slot != -1) {
        c->wake[slot / 64] |= (ngx_atomic_uint_t) 1 << slot % 64;
    }
}


void
ngx_msgbus_ledger_leave(ngx_msgbus_ledger_t *c)
{
    if (c->connected) {
        c->store->disconnect(c->db);
        c->connected = 0;
    }
}


void
ngx_msgbus_ledger_warnings(ngx_msgbus_ledger_t *c)
{
    uint64_t             before;
    const char          *warnings;
    ngx_msgbus_usage_t   usage;

    usage = c->sh->usage;
    before = usage.dropped;

    if (c->store->usage) {
        c->store->usage(c->db, &usage);
    }

    warnings = c->store->warnings(c->db);

    if (ngx_memcmp(c->sh->warnings, warnings, NGX_MSGBUS_WARNINGS_LEN) == 0
        && ngx_memcmp(&c->sh->usage, &usage, sizeof(ngx_msgbus_usage_t)) == 0)
    {
        return;
    }

    ngx_msgbus_ledger_lock(c);
    ngx_memcpy(c->sh->warnings, warnings, NGX_MSGBUS_WARNINGS_LEN);

    /* in a reload the other worker may have added to it meanwhile */

    usage.dropped = c->sh->usage.dropped + (usage.dropped - before);
    c->sh->usage = usage;
    ngx_msgbus_ledger_unlock(c);
}


void
ngx_msgbus_ledger_refused(ngx_msgbus_ledger_t *c, ngx_msgbus_entry_t *e)
{
    uint64_t             refused;
    ngx_str_t            channel;
    ngx_msgbus_event_t   ev;

    ngx_msgbus_ledger_lock(c);
    refused = ++c->sh->refused;
    ngx_msgbus_ledger_unlock(c);

    ngx_msgbus_entry_event(e, &channel, &ev);

    ngx_msgbus_tell(&c->log.sh->tells, NGX_MSGBUS_TELL_UNWANTED, NGX_LOG_WARN,
                    c->error_log, 0,
                    "the store refuses an event of channel \"%V\"%s, "
                    "%uL so far, code %d: %s", &channel,
                    c->log.shpool->log_ctx, refused,
                    (int) c->refusal.code, c->refusal.text);
}


void
ngx_msgbus_ledger_failed(ngx_msgbus_ledger_t *c)
{
    uint64_t     failures;
    const char  *error;

    error = c->store->error(c->db);

    ngx_msgbus_ledger_leave(c);

    ngx_msgbus_ledger_lock(c);

    c->sh->failures = c->sh->down ? c->sh->failures + 1 : 1;
    c->sh->down = 1;

    (void) ngx_cpystrn(c->sh->error, (u_char *) error, NGX_MSGBUS_ERROR_LEN);

    failures = c->sh->failures;

    ngx_msgbus_ledger_unlock(c);

    ngx_msgbus_tell(&c->log.sh->tells, NGX_MSGBUS_TELL_FAILED, NGX_LOG_ERR,
                    c->error_log, 0,
                    "msgbus can not use its store%s, failed %uL times: "
                    "%s", c->log.shpool->log_ctx, failures, error);
}


void
ngx_msgbus_ledger_well(ngx_msgbus_ledger_t *c)
{
    if (c->sh->down) {
        ngx_msgbus_ledger_lock(c);
        c->sh->down = 0;
        ngx_msgbus_ledger_unlock(c);
    }

    /* where it may not be said yet, it is at a look a little later */

    if (ngx_msgbus_tell_ends(&c->log.sh->tells, NGX_MSGBUS_TELL_FAILED,
                             NGX_MSGBUS_TELL_WELL))
    {
        ngx_log_error(NGX_LOG_NOTICE, c->error_log, 0,
                      "msgbus uses its store%s again, after %uL failures",
                      c->log.shpool->log_ctx, c->sh->failures);
    }
}


void
ngx_msgbus_ledger_wake(ngx_msgbus_ledger_t *c)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MSGBUS_SLOT_WORDS; i++) {

        if (c->seen) {
            c->wake[i] |= c->notify->sh->waiting[i];
        }

        if (c->wake[i]) {
            ngx_msgbus_notify_signal(c->notify, i, c->wake[i],
                                     c->error_log);
            c->wake[i] = 0;
        }
    }

    c->seen = 0;
}
