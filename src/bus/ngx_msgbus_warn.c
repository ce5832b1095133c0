
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What is about to run out, said in the error log while there is time: the
 * memory of a zone and its places for channels, and a worker's connections.
 *
 * A zone may well be full for good: events leave it by their ttl as fast as
 * others come.  So what counts is how long it took to fill as much of it as is
 * taken.  At that pace, is it full before its oldest event is as old as the
 * ttl?  A zone with a store is not watched: its events are in the store.
 *
 * It changes nothing, and refuses nothing.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_time.h"
#include "ngx_msgbus_warn.h"


/* warnings begin with so many percent */
#define NGX_MSGBUS_WARN_PERCENT  90

/* what an enlarged zone may take: its size is a guess by then */
#define NGX_MSGBUS_WARN_TIMES    16

#define NGX_MSGBUS_WARN_MEGABYTE (1024 * 1024)


/* how much of what events need is taken */
typedef struct {
    ngx_uint_t             percent;        /* of what is taken most */
    uint64_t               events;
    uint64_t               most;           /* of events */
    ngx_uint_t             places;         /* for channels; */
    ngx_uint_t             channels;       /*   1: these are taken most */
} ngx_msgbus_filling_t;


static void ngx_msgbus_warn_full(ngx_msgbus_log_t *log, ngx_str_t *zone,
    size_t size, ngx_msgbus_filling_t *f, uint64_t stay);


void
ngx_msgbus_warn_zone(ngx_msgbus_log_t *log, ngx_str_t *zone, size_t size)
{
    int64_t               age, since;
    uint64_t              stay;
    ngx_uint_t            some, share;
    ngx_msgbus_log_sh_t  *sh;
    ngx_msgbus_filling_t  f;

    if (log->stored) {
        return;
    }

    sh = log->sh;

    ngx_msgbus_log_lock(log);

    some = ngx_msgbus_log_taken_locked(log, &f.percent, &since);
    f.events = sh->next_serial - sh->head_serial;
    f.places = sh->nodes.used - sh->nodes.idle;

    ngx_msgbus_log_unlock(log);

    /* what events need as well; a limit that was asked for is no want */

    f.most = ngx_msgbus_log_most(log);

    share = (ngx_uint_t) (f.events * 100 / f.most);
    f.percent = ngx_max(f.percent, share);

    share = f.places * 100 / log->nodes.capacity;
    f.channels = share > f.percent;
    f.percent = ngx_max(f.percent, share);

    if (!some || f.percent < NGX_MSGBUS_WARN_PERCENT) {
        return;
    }

    /* how old an event is when there is no room for another one */

    age = (int64_t) (ngx_msgbus_time_monotonic() / 1000) - since;
    stay = (uint64_t) ngx_max(age, 0) * 100 / f.percent;

    if (stay < log->ttl) {
        ngx_msgbus_warn_full(log, zone, size, &f, stay);
    }
}


static void
ngx_msgbus_warn_full(ngx_msgbus_log_t *log, ngx_str_t *zone, size_t size,
    ngx_msgbus_filling_t *f, uint64_t stay)
{
    u_char     *p;
    uint64_t    times, enough;
    ngx_str_t   then;
    u_char      text[NGX_INT64_LEN + 80];

    if (!f->channels
        && f->most == log->max_events
        && f->events * 100 / f->most >= NGX_MSGBUS_WARN_PERCENT)
    {
        ngx_msgbus_tell(&log->sh->tells, NGX_MSGBUS_TELL_FILLING,
                        NGX_LOG_WARN, ngx_cycle->log, 0,
                        "msgbus zone \"%V\" has %uL of its %uL events, and "
                        "refuses posts when it has all: set max_events=%uL or "
                        "a shorter ttl", zone, f->events, f->most,
                        2 * f->most);
        return;
    }

    times = log->ttl / ngx_max(stay, 1) + 1;
    times = ngx_min(times, NGX_MSGBUS_WARN_TIMES);

    enough = (times * size + NGX_MSGBUS_WARN_MEGABYTE - 1)
             / NGX_MSGBUS_WARN_MEGABYTE;

    p = log->reject
        ? ngx_sprintf(text, "and refuses posts when it is full")
        : ngx_sprintf(text, "at this pace events leave it after %uLs and not "
                      "after their ttl", stay / 1000);

    then.data = text;
    then.len = p - text;

    if (f->channels) {
        ngx_msgbus_tell(&log->sh->tells, NGX_MSGBUS_TELL_FILLING,
                        NGX_LOG_WARN, ngx_cycle->log, 0,
                        "msgbus zone \"%V\" has events in %ui of the %ui "
                        "channels that it can hold, %V: set zone=%V:%uLm or a "
                        "shorter ttl", zone, f->places,
                        (ngx_uint_t) log->nodes.capacity, &then, zone, enough);
        return;
    }

    ngx_msgbus_tell(&log->sh->tells, NGX_MSGBUS_TELL_FILLING, NGX_LOG_WARN,
                    ngx_cycle->log, 0,
                    "msgbus zone \"%V\" is %ui%% full, %V: set zone=%V:%uLm "
                    "or a shorter ttl", zone, f->percent, &then, zone, enough);
}


void
ngx_msgbus_warn_connections(void)
{
    ngx_uint_t  all, used;

    all = ngx_cycle->connection_n;
    used = all - ngx_cycle->free_connection_n
           - ngx_cycle->reusable_connections_n;

    if (used * 100 < all * NGX_MSGBUS_WARN_PERCENT) {
        return;
    }

    ngx_msgbus_tell(NULL, NGX_MSGBUS_TELL_CONNECTIONS, NGX_LOG_WARN,
                    ngx_cycle->log, 0,
                    "msgbus: %ui of the %ui worker_connections of a worker are "
                    "in use, and it takes no client when all are: set "
                    "worker_connections %ui", used, all, 2 * all);
}
