
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Counters, and how they are summed.
 *
 * They lie in shared memory, a slot for each worker: so nobody waits for
 * another to count, and nothing is lost with a worker.  An addition is atomic,
 * so that two workers may share a slot, as they do in a small zone, or where
 * there are more of them than slots.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_count.h"


/* the most that there are of them */
#define NGX_MSGBUS_COUNT_SLOTS  128

/* the share of the zone */
#define NGX_MSGBUS_COUNT_SHARE  128


/* "1.0", not "1": OpenMetrics wants it, and tools compare the text */
static ngx_msgbus_bound_t  ngx_msgbus_count_times[] = {
    { 100, "0.0001" },
    { 250, "0.00025" },
    { 500, "0.0005" },
    { 1000, "0.001" },
    { 2500, "0.0025" },
    { 5000, "0.005" },
    { 10000, "0.01" },
    { 25000, "0.025" },
    { 50000, "0.05" },
    { 100000, "0.1" },
    { 250000, "0.25" },
    { 500000, "0.5" },
    { 1000000, "1.0" },
    { 2500000, "2.5" },
    { 5000000, "5.0" },
    { 10000000, "10.0" }
};


static ngx_msgbus_bound_t  ngx_msgbus_count_batches[] = {
    { 1, "1.0" },
    { 2, "2.0" },
    { 5, "5.0" },
    { 10, "10.0" },
    { 20, "20.0" },
    { 50, "50.0" },
    { 100, "100.0" },
    { 200, "200.0" },
    { 500, "500.0" },
    { 1000, "1000.0" }
};


ngx_msgbus_bound_t *
ngx_msgbus_count_bounds(ngx_msgbus_count_e histogram, ngx_uint_t *n)
{
    if (histogram == NGX_MSGBUS_COUNT_BATCH) {
        *n = NGX_MSGBUS_BATCHES;
        return ngx_msgbus_count_batches;
    }

    *n = NGX_MSGBUS_TIMES;

    return ngx_msgbus_count_times;
}


ngx_uint_t
ngx_msgbus_count_slots(size_t zone)
{
    ngx_uint_t  n;

    n = 1;

    while (n < NGX_MSGBUS_COUNT_SLOTS
           && 2 * n * sizeof(ngx_msgbus_counts_t)
              <= zone / NGX_MSGBUS_COUNT_SHARE)
    {
        n *= 2;
    }

    return n;
}


ngx_msgbus_counts_t *
ngx_msgbus_count_of(ngx_msgbus_counters_t *counters, ngx_int_t slot)
{
    return &counters->sh[slot == -1 ? 0 : slot & (counters->slots - 1)];
}


void
ngx_msgbus_count_sum(ngx_msgbus_counters_t *counters, uint64_t *n)
{
    ngx_uint_t  i, k;

    for (i = 0; i < counters->slots; i++) {
        for (k = 0; k < NGX_MSGBUS_COUNT_N; k++) {
            n[k] += __atomic_load_n(&counters->sh[i].n[k], __ATOMIC_RELAXED);
        }
    }
}


ngx_uint_t
ngx_msgbus_count_bucket(ngx_msgbus_count_e histogram, uint64_t value)
{
    ngx_uint_t           i, n;
    ngx_msgbus_bound_t  *bound;

    bound = ngx_msgbus_count_bounds(histogram, &n);

    for (i = 0; i < n && value > bound[i].value; i++) { /* void */ }

    return histogram + i;
}
