
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_COUNT_H_INCLUDED_
#define _NGX_MSGBUS_COUNT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Durations are counted in us, and told in seconds; batches in events.  A
 * histogram is a word for each of its buckets, one for what is above them all,
 * and one for the sum.
 */
#define NGX_MSGBUS_TIMES    16
#define NGX_MSGBUS_BATCHES  10

#define ngx_msgbus_count_histogram(name, buckets)                             \
    name, name##_SUM = name + (buckets) + 1


/* what is counted; a word each */
typedef enum {
    NGX_MSGBUS_COUNT_EVENTS = 0,       /* published: new events, */
    NGX_MSGBUS_COUNT_BYTES,            /*   bytes of their data, */
    NGX_MSGBUS_COUNT_BATCHES,          /*   posts of more than one event; */
    NGX_MSGBUS_COUNT_REPLAYED,         /*   and events known by their keys */

    NGX_MSGBUS_COUNT_INVALID,          /* posts refused, by reason */
    NGX_MSGBUS_COUNT_TOO_LARGE,
    NGX_MSGBUS_COUNT_UNAUTHORIZED,
    NGX_MSGBUS_COUNT_FULL,
    NGX_MSGBUS_COUNT_STORE_AWAY,
    NGX_MSGBUS_COUNT_TIMEOUT,
    NGX_MSGBUS_COUNT_KEY_CONFLICT,
    NGX_MSGBUS_COUNT_OTHER,

    NGX_MSGBUS_COUNT_PAGE,             /* reads answered, by kind */
    NGX_MSGBUS_COUNT_EMPTY,
    NGX_MSGBUS_COUNT_NOT_MODIFIED,
    NGX_MSGBUS_COUNT_LONG_POLL,
    NGX_MSGBUS_COUNT_SSE,
    NGX_MSGBUS_COUNT_NDJSON,
    NGX_MSGBUS_COUNT_READ_REFUSED,

    NGX_MSGBUS_COUNT_DELIVERED,        /* events, */
    NGX_MSGBUS_COUNT_DELIVERED_BYTES,  /*   and bytes of them as sent */

    NGX_MSGBUS_COUNT_ACCEPTED,         /* subscribers */
    NGX_MSGBUS_COUNT_REFUSED,
    NGX_MSGBUS_COUNT_SLOW,
    NGX_MSGBUS_COUNT_RELOAD,

    NGX_MSGBUS_COUNT_GAPS,

    ngx_msgbus_count_histogram(NGX_MSGBUS_COUNT_COMMIT, NGX_MSGBUS_TIMES),
    ngx_msgbus_count_histogram(NGX_MSGBUS_COUNT_BATCH, NGX_MSGBUS_BATCHES),
    ngx_msgbus_count_histogram(NGX_MSGBUS_COUNT_HISTORY, NGX_MSGBUS_TIMES),
    ngx_msgbus_count_histogram(NGX_MSGBUS_COUNT_DELAY, NGX_MSGBUS_TIMES),

    NGX_MSGBUS_COUNT_N
} ngx_msgbus_count_e;


#define NGX_MSGBUS_COUNT_WORDS  ((NGX_MSGBUS_COUNT_N + 7) / 8 * 8)


/*
 * What has happened to a bus, as a worker has counted it; in the zone.
 *
 * Lock      none: each word is atomic, and says nothing of the others
 * Writers   any worker, and its threads; most often one alone, for whom the
 *           cache lines are its own
 * Readers   any worker
 * Lifetime  as the zone's: over reloads, and longer than the worker
 * Crash     a word is whole; a dead worker's stay, and go on with the next one
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    uint64_t               n[NGX_MSGBUS_COUNT_WORDS];
} ngx_msgbus_counts_t;


/* a view of those of all workers; a small zone has fewer than workers */
typedef struct {
    ngx_msgbus_counts_t   *sh;
    ngx_uint_t             slots;          /* a power of two */
} ngx_msgbus_counters_t;


/* the upper end of a bucket: in us or events, and as it is told */
typedef struct {
    uint64_t               value;
    const char            *text;
} ngx_msgbus_bound_t;


/* those of the histogram that begins with this one, and how many there are */
ngx_msgbus_bound_t *ngx_msgbus_count_bounds(ngx_msgbus_count_e histogram,
    ngx_uint_t *n);

/* how many slots a zone of so many bytes has */
ngx_uint_t ngx_msgbus_count_slots(size_t zone);

/* the words of a worker's slot; -1: it has none, and shares them */
ngx_msgbus_counts_t *ngx_msgbus_count_of(ngx_msgbus_counters_t *counters,
    ngx_int_t slot);

/* adds what all workers have counted to n[NGX_MSGBUS_COUNT_N]; anywhere */
void ngx_msgbus_count_sum(ngx_msgbus_counters_t *counters, uint64_t *n);

/* the bucket that a value counts in */
ngx_uint_t ngx_msgbus_count_bucket(ngx_msgbus_count_e histogram,
    uint64_t value);


/* all of these anywhere, without the lock; relaxed */
static ngx_inline void
ngx_msgbus_count_add(ngx_msgbus_counts_t *counts, ngx_uint_t what, uint64_t n)
{
    (void) __atomic_fetch_add(&counts->n[what], n, __ATOMIC_RELAXED);
}


static ngx_inline void
ngx_msgbus_count_time(ngx_msgbus_counts_t *counts,
    ngx_msgbus_count_e histogram, uint64_t us)
{
    ngx_msgbus_count_add(counts, ngx_msgbus_count_bucket(histogram, us), 1);
    ngx_msgbus_count_add(counts, histogram + NGX_MSGBUS_TIMES + 1, us);
}


static ngx_inline void
ngx_msgbus_count_batch(ngx_msgbus_counts_t *counts, ngx_uint_t n)
{
    ngx_msgbus_count_add(counts,
                         ngx_msgbus_count_bucket(NGX_MSGBUS_COUNT_BATCH, n), 1);
    ngx_msgbus_count_add(counts, NGX_MSGBUS_COUNT_BATCH_SUM, n);
}


#endif /* _NGX_MSGBUS_COUNT_H_INCLUDED_ */
