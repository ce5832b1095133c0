
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The numbers of a bus, for who watches it.
 *
 * Most of them are counters, which are summed without the lock.  What the log
 * says of itself is copied under it, a few words in one hold.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_zone.h"


static void ngx_msgbus_stats_log(ngx_msgbus_t *bus,
    ngx_msgbus_stats_t *stats);
static void ngx_msgbus_stats_readers(ngx_msgbus_t *bus,
    ngx_msgbus_stats_t *stats);


void
ngx_msgbus_stats(ngx_msgbus_t *bus, ngx_msgbus_stats_t *stats)
{
    ngx_uint_t  i;

    ngx_memzero(stats, sizeof(ngx_msgbus_stats_t));

    ngx_msgbus_status(bus, &stats->status);
    ngx_msgbus_stats_log(bus, stats);
    ngx_msgbus_stats_readers(bus, stats);
    ngx_msgbus_count_sum(&bus->counters, stats->counts);

    for (i = NGX_MSGBUS_COUNT_HISTORY; i < NGX_MSGBUS_COUNT_HISTORY_SUM; i++) {
        stats->history += stats->counts[i];
    }

    stats->started = bus->started;
}


static void
ngx_msgbus_stats_log(ngx_msgbus_t *bus, ngx_msgbus_stats_t *stats)
{
    int64_t               since, now;
    ngx_msgbus_log_t     *log;
    ngx_msgbus_log_sh_t  *sh;

    log = &bus->log;
    sh = log->sh;

    now = (int64_t) ngx_msgbus_now();
    since = now;

    stats->bytes = log->size;
    stats->most = ngx_msgbus_log_most(log);
    stats->places = log->nodes.capacity;
    stats->ttl = log->ttl;

    ngx_msgbus_log_lock(log);

    if (sh->head_serial != sh->next_serial) {
        since = ngx_msgbus_log_record(log, sh->head_serial)->since;

        /* one that is full ends where it begins */

        stats->used = sh->tail > sh->head ? sh->tail - sh->head
                                          : log->size - sh->head + sh->tail;
    }

    stats->channels = sh->nodes.channels;
    stats->taken = sh->nodes.used - sh->nodes.idle;
    stats->holds = log->lock.sh->holds;
    stats->longest = log->lock.sh->longest;

    ngx_msgbus_log_unlock(log);

    stats->age = now > since ? (uint64_t) (now - since) : 0;
}


static void
ngx_msgbus_stats_readers(ngx_msgbus_t *bus, ngx_msgbus_stats_t *stats)
{
    ngx_pid_t            pid;
    ngx_uint_t           i, k;
    ngx_msgbus_gauges_t  gauges;

    for (i = 0; i < NGX_MSGBUS_SLOTS; i++) {

        if (ngx_msgbus_notify_gauges(&bus->notify, i, &gauges, &pid) != NGX_OK)
        {
            continue;
        }

        for (k = 0; k < NGX_MSGBUS_READS; k++) {
            stats->readers[k] += gauges.readers[k];
        }
    }
}


ngx_uint_t
ngx_msgbus_workers(ngx_msgbus_t *bus, ngx_msgbus_worker_stats_t *workers)
{
    ngx_uint_t           i, n;
    ngx_msgbus_gauges_t  gauges;

    n = 0;

    ngx_msgbus_notify_connections(&bus->notify);

    for (i = 0; i < NGX_MSGBUS_SLOTS; i++) {

        if (ngx_msgbus_notify_gauges(&bus->notify, i, &gauges, &workers[n].pid)
            != NGX_OK)
        {
            continue;
        }

        workers[n].slot = i;
        workers[n].connections = gauges.connections;
        workers[n].connections_max = gauges.connections_max;
        n++;
    }

    return n;
}
