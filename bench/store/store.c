
/*
 * Copyright (C) the msgbus authors
 */


#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


/* batches whose time is kept; a longer run has the p50 of the first ones */
#define TIMES  1000000


static uint64_t clock_of(clockid_t clock);
static int compare(const void *a, const void *b);


int
run(writer_t *w, char **argv)
{
    unsigned   n, batch;
    uint64_t   id, t, last, began, until, cpu, *times;

    batch = (unsigned) atoi(argv[1]);
    times = malloc(TIMES * sizeof(uint64_t));

    if (batch == 0 || atof(argv[2]) <= 0 || times == NULL) {
        die("FOLDER BATCH SECONDS");
    }

    w->open(argv[0]);

    id = 1;
    n = 0;

    began = now();
    cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    until = began + (uint64_t) (atof(argv[2]) * SECOND);

    for (last = began; last < until; last = t) {
        w->write(id, batch);
        id += batch;

        t = now();

        if (n < TIMES) {
            times[n++] = t - last;
        }
    }

    cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;

    w->close();

    qsort(times, n, sizeof(uint64_t), compare);

    printf("{\"events\":%llu,\"batches\":%llu,\"us\":%.0f,\"cpu_us\":%.0f,"
           "\"p50_us\":%.1f}\n", (unsigned long long) (id - 1),
           (unsigned long long) (id - 1) / batch, (last - began) / 1e3,
           cpu / 1e3, times[n / 2] / 1e3);

    free(times);

    return 0;
}


/* 300 bytes of JSON, as of the POSTs that these are compared with */

const char *
data(void)
{
    static char  text[DATA_LEN + 1];

    if (text[0] == '\0') {
        memset(text, 'x', DATA_LEN);
        memcpy(text, "{\"a\":\"", 6);
        memcpy(text + DATA_LEN - 2, "\"}", 2);
    }

    return text;
}


void
token(uint64_t id, unsigned char *bytes)
{
    memset(bytes, 'x', TOKEN_LEN);
    memcpy(bytes, &id, sizeof(uint64_t));
}


uint64_t
wall_ms(void)
{
    return clock_of(CLOCK_REALTIME) / 1000000;
}


static uint64_t
clock_of(clockid_t clock)
{
    struct timespec  ts;

    clock_gettime(clock, &ts);

    return ts.tv_sec * SECOND + ts.tv_nsec;
}


static int
compare(const void *a, const void *b)
{
    uint64_t  x, y;

    x = *(const uint64_t *) a;
    y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}
