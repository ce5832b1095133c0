
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The numbers as JSON: an object for each zone, by its name, which needs no
 * escape.  Times are in seconds.  A histogram is a list of its buckets, each
 * with its upper end and how many are not above it; then sum and count.
 */


#include "ngx_http_msgbus_numbers_json.h"


static void ngx_http_msgbus_numbers_worker(ngx_http_msgbus_text_t *text,
    ngx_msgbus_worker_stats_t *worker);
static void ngx_http_msgbus_numbers_zone(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_zone_stats_t *zone);
static void ngx_http_msgbus_numbers_requests(ngx_http_msgbus_text_t *text,
    uint64_t *n);
static void ngx_http_msgbus_numbers_store(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_zone_stats_t *zone);
static void ngx_http_msgbus_numbers_histogram(ngx_http_msgbus_text_t *text,
    const char *name, uint64_t *n, ngx_msgbus_count_e histogram);


void
ngx_http_msgbus_numbers_json(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers)
{
    ngx_uint_t  i;

    ngx_http_msgbus_text_add(text, 256,
                             "{\"version\":\"%s\",\"nginx\":\"%s\","
                             "\"libmongoc\":\"%s\",\"time\":",
                             numbers->version, numbers->nginx,
                             numbers->library);
    ngx_http_msgbus_text_part(text, numbers->now, 1000);
    ngx_http_msgbus_text_add(text, 16, ",\"started\":");
    ngx_http_msgbus_text_part(text, numbers->started, 1000);
    ngx_http_msgbus_text_add(text, 16, ",\"workers\":[");

    for (i = 0; i < numbers->nworkers; i++) {
        ngx_http_msgbus_text_add(text, 1, i ? "," : "");
        ngx_http_msgbus_numbers_worker(text, &numbers->workers[i]);
    }

    ngx_http_msgbus_text_add(text, 16, "],\"zones\":{");

    for (i = 0; i < numbers->nzones; i++) {
        ngx_http_msgbus_text_add(text, 1, i ? "," : "");
        ngx_http_msgbus_numbers_zone(text, &numbers->zones[i]);
    }

    ngx_http_msgbus_text_add(text, 3, "}}\n");
}


static void
ngx_http_msgbus_numbers_worker(ngx_http_msgbus_text_t *text,
    ngx_msgbus_worker_stats_t *worker)
{
    ngx_http_msgbus_text_add(text, 256,
                             "{\"slot\":%ui,\"pid\":%P,\"connections\":%ui,"
                             "\"connections_max\":%ui}",
                             worker->slot, worker->pid, worker->connections,
                             worker->connections_max);
}


static void
ngx_http_msgbus_numbers_zone(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_zone_stats_t *zone)
{
    ngx_msgbus_stats_t  *s;

    s = &zone->stats;

    ngx_http_msgbus_text_add(text, zone->name.len + 8, "\"%V\":{",
                             &zone->name);

    ngx_http_msgbus_numbers_requests(text, s->counts);

    ngx_http_msgbus_text_add(text, 512,
                             "\"readers\":{\"long_poll\":%uL,\"sse\":%uL,"
                             "\"ndjson\":%uL,\"parked\":%ui},",
                             s->readers[NGX_MSGBUS_READS_LONG_POLL],
                             s->readers[NGX_MSGBUS_READS_SSE],
                             s->readers[NGX_MSGBUS_READS_NDJSON],
                             s->status.parked);

    ngx_http_msgbus_text_add(text, 512,
                             "\"zone\":{\"bytes\":%uL,\"used\":%uL,"
                             "\"events\":%uL,\"channels\":%uL,"
                             "\"newest_id\":%uL,\"evicted\":%uL,"
                             "\"events_max\":%uL,\"places\":%uL,"
                             "\"places_used\":%uL,\"ttl\":",
                             s->bytes, s->used, s->status.events, s->channels,
                             s->status.last_id, s->status.pressed, s->most,
                             s->places, s->taken);
    ngx_http_msgbus_text_part(text, s->ttl, 1000);
    ngx_http_msgbus_text_add(text, 16, ",\"oldest_age\":");
    ngx_http_msgbus_text_part(text, s->age, 1000);

    ngx_http_msgbus_text_add(text, 16, "},\"store\":");

    if (zone->store) {
        ngx_http_msgbus_numbers_store(text, zone);

    } else {
        ngx_http_msgbus_text_add(text, 4, "null");
    }

    ngx_http_msgbus_text_add(text, 128, ",\"lock\":{\"holds\":%uL,\"longest\":",
                             s->holds);
    ngx_http_msgbus_text_part(text, s->longest, 1000000000);
    ngx_http_msgbus_text_add(text, 128, "},\"rebuilds\":%uL,",
                             s->status.rebuilds);

    ngx_http_msgbus_numbers_histogram(text, "delivery_delay", s->counts,
                                     NGX_MSGBUS_COUNT_DELAY);
    ngx_http_msgbus_text_add(text, 1, "}");
}


static void
ngx_http_msgbus_numbers_requests(ngx_http_msgbus_text_t *text, uint64_t *n)
{
    ngx_http_msgbus_text_add(text, 512,
                             "\"published\":{\"events\":%uL,\"bytes\":%uL,"
                             "\"batches\":%uL,\"replayed\":%uL},",
                             n[NGX_MSGBUS_COUNT_EVENTS],
                             n[NGX_MSGBUS_COUNT_BYTES],
                             n[NGX_MSGBUS_COUNT_BATCHES],
                             n[NGX_MSGBUS_COUNT_REPLAYED]);

    ngx_http_msgbus_text_add(text, 512,
                             "\"refused\":{\"invalid\":%uL,\"too_large\":%uL,"
                             "\"unauthorized_origin\":%uL,\"full\":%uL,"
                             "\"store_away\":%uL,\"timeout\":%uL,"
                             "\"key_conflict\":%uL,\"other\":%uL},",
                             n[NGX_MSGBUS_COUNT_INVALID],
                             n[NGX_MSGBUS_COUNT_TOO_LARGE],
                             n[NGX_MSGBUS_COUNT_UNAUTHORIZED],
                             n[NGX_MSGBUS_COUNT_FULL],
                             n[NGX_MSGBUS_COUNT_STORE_AWAY],
                             n[NGX_MSGBUS_COUNT_TIMEOUT],
                             n[NGX_MSGBUS_COUNT_KEY_CONFLICT],
                             n[NGX_MSGBUS_COUNT_OTHER]);

    ngx_http_msgbus_text_add(text, 512,
                             "\"reads\":{\"page\":%uL,\"empty\":%uL,"
                             "\"not_modified\":%uL,\"long_poll\":%uL,"
                             "\"sse\":%uL,\"ndjson\":%uL,\"refused\":%uL},",
                             n[NGX_MSGBUS_COUNT_PAGE],
                             n[NGX_MSGBUS_COUNT_EMPTY],
                             n[NGX_MSGBUS_COUNT_NOT_MODIFIED],
                             n[NGX_MSGBUS_COUNT_LONG_POLL],
                             n[NGX_MSGBUS_COUNT_SSE],
                             n[NGX_MSGBUS_COUNT_NDJSON],
                             n[NGX_MSGBUS_COUNT_READ_REFUSED]);

    ngx_http_msgbus_text_add(text, 512,
                             "\"delivered\":{\"events\":%uL,\"bytes\":%uL},"
                             "\"readers_total\":{\"accepted\":%uL,"
                             "\"refused\":%uL,\"slow\":%uL,\"reload\":%uL},"
                             "\"gaps\":%uL,",
                             n[NGX_MSGBUS_COUNT_DELIVERED],
                             n[NGX_MSGBUS_COUNT_DELIVERED_BYTES],
                             n[NGX_MSGBUS_COUNT_ACCEPTED],
                             n[NGX_MSGBUS_COUNT_REFUSED],
                             n[NGX_MSGBUS_COUNT_SLOW],
                             n[NGX_MSGBUS_COUNT_RELOAD],
                             n[NGX_MSGBUS_COUNT_GAPS]);
}


static void
ngx_http_msgbus_numbers_store(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_zone_stats_t *zone)
{
    ngx_msgbus_status_t  *s;

    s = &zone->stats.status;

    ngx_http_msgbus_text_add(text, 256 + zone->store->kind->name.len
                                   + zone->store->name.len,
                             "{\"kind\":\"%V\",\"name\":\"%V\",\"up\":%s,"
                             "\"commits\":%uL,\"pending\":%uL,",
                             &zone->store->kind->name, &zone->store->name,
                             s->reachable ? "true" : "false", s->commits,
                             s->pending);

    ngx_http_msgbus_text_add(text, 128,
                             "\"conflicts\":%uL,\"foreign\":%uL,\"behind\":",
                             s->conflicts, s->foreign);
    ngx_http_msgbus_text_part(text, s->behind, 1000);
    ngx_http_msgbus_text_add(text, 16, ",\"disk\":");

    if (zone->stored == NGX_HTTP_MSGBUS_STORED_FILES) {
        ngx_http_msgbus_text_add(text, 256,
                                 "{\"bytes\":%uL,\"max\":%uL,\"free\":%uL,"
                                 "\"dropped\":%uL,\"oldest_age\":",
                                 s->usage.bytes, s->usage.most, s->usage.left,
                                 s->usage.dropped);
        ngx_http_msgbus_text_part(text, s->usage.age, 1000);
        ngx_http_msgbus_text_add(text, 1, "}");

    } else {
        ngx_http_msgbus_text_add(text, 4, "null");
    }

    ngx_http_msgbus_text_add(text, 1, ",");

    ngx_http_msgbus_numbers_histogram(text, "batch_events", zone->stats.counts,
                                     NGX_MSGBUS_COUNT_BATCH);
    ngx_http_msgbus_text_add(text, 1, ",");
    ngx_http_msgbus_numbers_histogram(text, "commit_seconds",
                                     zone->stats.counts,
                                     NGX_MSGBUS_COUNT_COMMIT);
    ngx_http_msgbus_text_add(text, 1, ",");
    ngx_http_msgbus_numbers_histogram(text, "history_seconds",
                                     zone->stats.counts,
                                     NGX_MSGBUS_COUNT_HISTORY);
    ngx_http_msgbus_text_add(text, 1, "}");
}


static void
ngx_http_msgbus_numbers_histogram(ngx_http_msgbus_text_t *text,
    const char *name, uint64_t *n, ngx_msgbus_count_e histogram)
{
    uint64_t             count;
    ngx_uint_t           i, buckets;
    ngx_msgbus_bound_t  *bound;

    bound = ngx_msgbus_count_bounds(histogram, &buckets);
    count = 0;

    ngx_http_msgbus_text_add(text, 64, "\"%s\":{\"buckets\":[", name);

    for (i = 0; i < buckets; i++) {
        count += n[histogram + i];

        ngx_http_msgbus_text_add(text, 64, "[%s,%uL],", bound[i].text, count);
    }

    count += n[histogram + i];

    ngx_http_msgbus_text_add(text, 64, "[\"+Inf\",%uL]],\"sum\":", count);
    ngx_http_msgbus_text_part(text, n[histogram + i + 1],
                              histogram == NGX_MSGBUS_COUNT_BATCH ? 1
                                                                  : 1000000);
    ngx_http_msgbus_text_add(text, 64, ",\"count\":%uL}", count);
}
