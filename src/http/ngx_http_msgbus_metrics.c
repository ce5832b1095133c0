
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The numbers as Prometheus reads them: its text format 0.0.4, and OpenMetrics
 * 1.0.
 *
 * A table says what there is; a family stands together, with the samples of all
 * zones.  Both formats want each line to begin in its first column and to end
 * with a line feed.  They differ in little: OpenMetrics names a counter without
 * its "_total", has a type for what is told of a build, and ends with a mark.
 *
 * The name of a zone or a store needs no escape in a label: what would need one
 * can not be in it, for it is told in JSON, too.
 */


#include "ngx_http_msgbus_metrics.h"


typedef enum {
    NGX_HTTP_MSGBUS_COUNTER = 0,
    NGX_HTTP_MSGBUS_GAUGE,
    NGX_HTTP_MSGBUS_HISTOGRAM
} ngx_http_msgbus_metric_e;


/* a family of a zone: one sample, or one for each value of a label */
typedef struct {
    const char                  *name;       /* without "_total" */
    const char                  *help;
    ngx_http_msgbus_metric_e     type;
    size_t                       offset;     /* in the zone's numbers */
    uint64_t                     unit;       /* of the number, to one */
    const char                  *label;      /* NULL: none */
    const char                 **values;     /* one for each number in a row */
    ngx_uint_t                   stored;     /* where there is a store */
} ngx_http_msgbus_metric_t;


static void ngx_http_msgbus_metrics_build(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers, ngx_uint_t open);
static void ngx_http_msgbus_metrics_workers(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers, ngx_uint_t open);
static void ngx_http_msgbus_metrics_up(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers, ngx_uint_t open);
static void ngx_http_msgbus_metrics_family(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers, ngx_http_msgbus_metric_t *m,
    ngx_uint_t open);
static void ngx_http_msgbus_metrics_head(ngx_http_msgbus_text_t *text,
    const char *name, const char *help, ngx_http_msgbus_metric_e type,
    ngx_uint_t open);
static void ngx_http_msgbus_metrics_samples(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_zone_stats_t *zone, ngx_http_msgbus_metric_t *m);
static void ngx_http_msgbus_metrics_histogram(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_zone_stats_t *zone, ngx_http_msgbus_metric_t *m);


/* bytes of a line's constant parts and numbers */
#define NGX_HTTP_MSGBUS_METRIC_LINE  256


#define ngx_http_msgbus_count(what)                                           \
    (offsetof(ngx_msgbus_stats_t, counts) + (what) * sizeof(uint64_t))

#define ngx_http_msgbus_stat(field)                                           \
    offsetof(ngx_msgbus_stats_t, field)


static const char  *ngx_http_msgbus_metric_types[] = {
    "counter", "gauge", "histogram"
};

static const char  *ngx_http_msgbus_metric_reasons[] = {
    "invalid", "too_large", "unauthorized_origin", "full", "store_away",
    "timeout", "key_conflict", "other", NULL
};

static const char  *ngx_http_msgbus_metric_kinds[] = {
    "page", "empty", "not_modified", "long_poll", "sse", "ndjson", "refused",
    NULL
};

static const char  *ngx_http_msgbus_metric_readers[] = {
    "long_poll", "sse", "ndjson", NULL
};


static ngx_http_msgbus_metric_t  ngx_http_msgbus_metric_table[] = {

    { "published_events", "Events that were acknowledged with 201.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_EVENTS), 1, NULL, NULL, 0 },

    { "published_bytes", "Bytes of data of these events.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_BYTES), 1, NULL, NULL, 0 },

    { "published_batches", "Acknowledged posts of more than one event.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_BATCHES), 1, NULL, NULL, 0 },

    { "published_replayed",
      "Events that were known by their Idempotency-Key.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_REPLAYED), 1, NULL, NULL, 0 },

    { "refused", "Posts that were refused, by reason.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_INVALID), 1, "reason",
      ngx_http_msgbus_metric_reasons, 0 },

    { "reads", "Reads that were answered, by kind.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_PAGE), 1, "kind",
      ngx_http_msgbus_metric_kinds, 0 },

    { "delivered_events", "Events in answers and streams.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_DELIVERED), 1, NULL, NULL, 0 },

    { "delivered_bytes", "Bytes of these events as they were sent.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_DELIVERED_BYTES), 1, NULL, NULL,
      0 },

    { "readers", "Subscribers at this moment, by kind.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(readers), 1, "kind",
      ngx_http_msgbus_metric_readers, 0 },

    { "readers_parked", "Subscribers that wait for an event.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(status.parked), 1, NULL, NULL, 0 },

    { "readers_accepted", "Subscribers that were let in.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_ACCEPTED), 1, NULL, NULL, 0 },

    { "readers_refused", "Subscribers beyond msgbus_max_waiters.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_REFUSED), 1, NULL, NULL, 0 },

    { "readers_slow", "Streams that were closed as too slow.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_SLOW), 1, NULL, NULL, 0 },

    { "readers_reload", "Subscribers whose worker had to exit.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_RELOAD), 1, NULL, NULL, 0 },

    { "gaps", "Times that a client was told of a gap.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_count(NGX_MSGBUS_COUNT_GAPS), 1, NULL, NULL, 0 },

    { "zone_bytes", "Room for events in the zone.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(bytes), 1, NULL, NULL, 0 },

    { "zone_used_bytes", "Room that events take in the zone.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(used), 1, NULL, NULL, 0 },

    { "zone_events", "Events in the zone.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(status.events), 1, NULL, NULL, 0 },

    { "zone_channels", "Channels with events in the zone.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(channels), 1, NULL, NULL, 0 },

    { "zone_events_max", "Events that the zone can hold at most.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(most), 1, NULL, NULL, 0 },

    { "zone_places", "Places for channels, one for each level of a name.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(places), 1, NULL, NULL, 0 },

    { "zone_places_used", "Places that have events.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(taken), 1, NULL, NULL, 0 },

    { "zone_ttl_seconds", "How long events are to stay.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(ttl), 1000, NULL, NULL, 0 },

    { "zone_oldest_age_seconds", "Age of the oldest event in the zone.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(age), 1000, NULL, NULL, 0 },

    { "zone_newest_id", "Id of the newest event.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(status.last_id), 1, NULL, NULL, 0 },

    { "zone_evicted", "Events that left the zone before their ttl.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_stat(status.pressed), 1, NULL, NULL, 0 },

    { "store_commits", "Commits that went well.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_stat(status.commits), 1, NULL, NULL, 1 },

    { "store_batch_events", "Events of a commit.",
      NGX_HTTP_MSGBUS_HISTOGRAM,
      NGX_MSGBUS_COUNT_BATCH, 1, NULL, NULL, 1 },

    { "store_commit_seconds", "How long the store took for a commit.",
      NGX_HTTP_MSGBUS_HISTOGRAM,
      NGX_MSGBUS_COUNT_COMMIT, 1000000, NULL, NULL, 1 },

    { "store_pending_events", "Events that wait for the store.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(status.pending), 1, NULL, NULL, 1 },

    { "store_behind_seconds", "Time since the store last said what it has.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(status.behind), 1000, NULL, NULL, 1 },

    { "store_conflicts", "Commits that met an id of another node.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_stat(status.conflicts), 1, NULL, NULL, 1 },

    { "store_foreign", "Events that other nodes have stored.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_stat(status.foreign), 1, NULL, NULL, 1 },

    { "store_history_reads", "Pages that were read from the store.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_stat(history), 1, NULL, NULL, 1 },

    { "store_history_seconds", "How long the store took for a page.",
      NGX_HTTP_MSGBUS_HISTOGRAM,
      NGX_MSGBUS_COUNT_HISTORY, 1000000, NULL, NULL, 1 },

    { "store_bytes", "Bytes that the files of the store take.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(status.usage.bytes), 1, NULL, NULL, 2 },

    { "store_max_bytes", "Bytes that they may take.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(status.usage.most), 1, NULL, NULL, 2 },

    { "store_disk_free_bytes", "Bytes that the disk of the store has left.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(status.usage.left), 1, NULL, NULL, 2 },

    { "store_oldest_age_seconds", "Age of the oldest file of the store.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(status.usage.age), 1000, NULL, NULL, 2 },

    { "store_dropped_bytes", "Bytes that left the store before their ttl.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_stat(status.usage.dropped), 1, NULL, NULL, 2 },

    { "lock_holds", "How often the zone's lock was taken.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_stat(holds), 1, NULL, NULL, 0 },

    { "lock_longest_seconds", "Longest time that the lock was held.",
      NGX_HTTP_MSGBUS_GAUGE,
      ngx_http_msgbus_stat(longest), 1000000000, NULL, NULL, 0 },

    { "rebuilds", "Changes of a dead worker that were taken back.",
      NGX_HTTP_MSGBUS_COUNTER,
      ngx_http_msgbus_stat(status.rebuilds), 1, NULL, NULL, 0 },

    { "delivery_delay_seconds", "From an event's commit to its sending.",
      NGX_HTTP_MSGBUS_HISTOGRAM,
      NGX_MSGBUS_COUNT_DELAY, 1000000, NULL, NULL, 0 },

    { NULL, NULL, NGX_HTTP_MSGBUS_COUNTER, 0, 0, NULL, NULL, 0 }
};


void
ngx_http_msgbus_metrics(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers, ngx_uint_t open)
{
    ngx_http_msgbus_metric_t  *m;

    ngx_http_msgbus_metrics_build(text, numbers, open);
    ngx_http_msgbus_metrics_workers(text, numbers, open);
    ngx_http_msgbus_metrics_up(text, numbers, open);

    for (m = ngx_http_msgbus_metric_table; m->name; m++) {
        ngx_http_msgbus_metrics_family(text, numbers, m, open);
    }

    if (open) {
        ngx_http_msgbus_text_add(text, 8, "# EOF\n");
    }
}


static void
ngx_http_msgbus_metrics_build(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers, ngx_uint_t open)
{
    ngx_http_msgbus_text_add(text, NGX_HTTP_MSGBUS_METRIC_LINE,
                             "# HELP msgbus_build%s What this is built of.\n"
                             "# TYPE msgbus_build%s %s\n",
                             open ? "" : "_info", open ? "" : "_info",
                             open ? "info" : "gauge");

    ngx_http_msgbus_text_add(text, NGX_HTTP_MSGBUS_METRIC_LINE,
                             "msgbus_build_info{version=\"%s\",nginx=\"%s\","
                             "libmongoc=\"%s\"} 1\n",
                             numbers->version, numbers->nginx,
                             numbers->library);

    ngx_http_msgbus_metrics_head(text, "start_time_seconds",
                                 "When the counters began, since 1970.",
                                 NGX_HTTP_MSGBUS_GAUGE, open);

    ngx_http_msgbus_text_add(text, NGX_HTTP_MSGBUS_METRIC_LINE,
                             "msgbus_start_time_seconds ");
    ngx_http_msgbus_text_part(text, numbers->started, 1000);
    ngx_http_msgbus_text_add(text, 1, "\n");
}


static void
ngx_http_msgbus_metrics_workers(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers, ngx_uint_t open)
{
    ngx_uint_t                  i;
    ngx_msgbus_worker_stats_t  *w;

    w = numbers->workers;

    ngx_http_msgbus_metrics_head(text, "worker_connections",
                                 "Connections that a worker may have.",
                                 NGX_HTTP_MSGBUS_GAUGE, open);

    for (i = 0; i < numbers->nworkers; i++) {
        ngx_http_msgbus_text_add(text, NGX_HTTP_MSGBUS_METRIC_LINE,
                                 "msgbus_worker_connections{worker=\"%ui\"} "
                                 "%ui\n", w[i].slot, w[i].connections_max);
    }

    ngx_http_msgbus_metrics_head(text, "worker_connections_used",
                                 "Connections that a worker has.",
                                 NGX_HTTP_MSGBUS_GAUGE, open);

    for (i = 0; i < numbers->nworkers; i++) {
        ngx_http_msgbus_text_add(text, NGX_HTTP_MSGBUS_METRIC_LINE,
                                 "msgbus_worker_connections_used"
                                 "{worker=\"%ui\"} %ui\n", w[i].slot,
                                 w[i].connections);
    }
}


static void
ngx_http_msgbus_metrics_up(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers, ngx_uint_t open)
{
    ngx_uint_t                     i;
    ngx_http_msgbus_zone_stats_t  *zone;

    if (!numbers->stored) {
        return;
    }

    ngx_http_msgbus_metrics_head(text, "store_up",
                                 "Does the store answer?",
                                 NGX_HTTP_MSGBUS_GAUGE, open);

    for (i = 0; i < numbers->nzones; i++) {
        zone = &numbers->zones[i];

        if (zone->store) {
            ngx_http_msgbus_text_add(text, NGX_HTTP_MSGBUS_METRIC_LINE
                                           + zone->name.len
                                           + zone->store->name.len,
                                     "msgbus_store_up{zone=\"%V\","
                                     "store=\"%V\"} %d\n", &zone->name,
                                     &zone->store->name,
                                     zone->stats.status.reachable ? 1 : 0);
        }
    }
}


static void
ngx_http_msgbus_metrics_family(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers, ngx_http_msgbus_metric_t *m,
    ngx_uint_t open)
{
    ngx_uint_t                     i;
    ngx_http_msgbus_zone_stats_t  *zone;

    if (m->stored > numbers->stored) {
        return;
    }

    ngx_http_msgbus_metrics_head(text, m->name, m->help, m->type, open);

    for (i = 0; i < numbers->nzones; i++) {
        zone = &numbers->zones[i];

        if (m->stored > zone->stored) {
            continue;
        }

        if (m->type == NGX_HTTP_MSGBUS_HISTOGRAM) {
            ngx_http_msgbus_metrics_histogram(text, zone, m);

        } else {
            ngx_http_msgbus_metrics_samples(text, zone, m);
        }
    }
}


static void
ngx_http_msgbus_metrics_head(ngx_http_msgbus_text_t *text, const char *name,
    const char *help, ngx_http_msgbus_metric_e type, ngx_uint_t open)
{
    const char  *total;

    total = type == NGX_HTTP_MSGBUS_COUNTER && !open ? "_total" : "";

    ngx_http_msgbus_text_add(text, NGX_HTTP_MSGBUS_METRIC_LINE,
                             "# HELP msgbus_%s%s %s\n# TYPE msgbus_%s%s %s\n",
                             name, total, help, name, total,
                             ngx_http_msgbus_metric_types[type]);
}


static void
ngx_http_msgbus_metrics_samples(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_zone_stats_t *zone, ngx_http_msgbus_metric_t *m)
{
    size_t       max;
    uint64_t    *n;
    ngx_uint_t   i;

    n = (uint64_t *) ((u_char *) &zone->stats + m->offset);
    max = NGX_HTTP_MSGBUS_METRIC_LINE + zone->name.len;

    i = 0;

    do {
        ngx_http_msgbus_text_add(text, max, "msgbus_%s%s{zone=\"%V\"", m->name,
                                 m->type == NGX_HTTP_MSGBUS_COUNTER
                                 ? "_total" : "", &zone->name);

        if (m->label) {
            ngx_http_msgbus_text_add(text, max, ",%s=\"%s\"", m->label,
                                     m->values[i]);
        }

        ngx_http_msgbus_text_add(text, 2, "} ");
        ngx_http_msgbus_text_part(text, n[i], m->unit);
        ngx_http_msgbus_text_add(text, 1, "\n");

        i++;

    } while (m->label && m->values[i]);
}


static void
ngx_http_msgbus_metrics_histogram(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_zone_stats_t *zone, ngx_http_msgbus_metric_t *m)
{
    size_t               max;
    uint64_t             count, *n;
    ngx_uint_t           i, buckets;
    ngx_msgbus_bound_t  *bound;

    bound = ngx_msgbus_count_bounds(m->offset, &buckets);
    n = &zone->stats.counts[m->offset];
    max = NGX_HTTP_MSGBUS_METRIC_LINE + zone->name.len;

    count = 0;

    for (i = 0; i <= buckets; i++) {
        count += n[i];

        ngx_http_msgbus_text_add(text, max,
                                 "msgbus_%s_bucket{zone=\"%V\",le=\"%s\"} "
                                 "%uL\n", m->name, &zone->name,
                                 i < buckets ? bound[i].text : "+Inf", count);
    }

    ngx_http_msgbus_text_add(text, max, "msgbus_%s_sum{zone=\"%V\"} ", m->name,
                             &zone->name);
    ngx_http_msgbus_text_part(text, n[i], m->unit);
    ngx_http_msgbus_text_add(text, max, "\nmsgbus_%s_count{zone=\"%V\"} %uL\n",
                             m->name, &zone->name, count);
}
