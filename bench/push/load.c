
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What the processes of the load share: counters in memory that all of them
 * see, and latencies.
 */


#include "load.h"

#include <sys/eventfd.h>
#include <sys/mman.h>


static uint64_t histogram_value(int slot);


options_t   options = {
    .subscribe = "/bench",
    .publish = "/bench",
    .processes = 1,
    .per_address = 5000
};

shared_t   *shared;
int         reached_fd;
int         check_fd[MAX_PROCESSES];


void
share(void)
{
    int  n;

    shared = mmap(NULL, sizeof(shared_t), PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    reached_fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (shared == MAP_FAILED || reached_fd == -1) {
        die("no shared memory");
    }

    for (n = 0; n < options.processes; n++) {
        check_fd[n] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (check_fd[n] == -1) {
            die("no descriptors");
        }
    }

    shared->total = options.kind == KIND_SSE ? options.subscribers : 0;
}


int
histogram_slot(uint64_t ns)
{
    int  shift;

    if (ns < 64) {
        return ns;
    }

    shift = 63 - __builtin_clzll(ns) - 5;

    return shift * 32 + (ns >> shift);
}


static uint64_t
histogram_value(int slot)
{
    int  shift;

    if (slot < 64) {
        return slot;
    }

    shift = slot / 32 - 1;

    return ((uint64_t) (slot - shift * 32) << shift) + (1ULL << shift) / 2;
}


uint64_t
each_percentile(double p)
{
    int       i, k;
    uint64_t  all, below;

    all = 0;
    below = 0;

    for (k = 0; k < options.processes; k++) {
        for (i = 0; i < HISTOGRAM; i++) {
            all += shared->process[k].each[i];
        }
    }

    for (i = 0; i < HISTOGRAM; i++) {
        for (k = 0; k < options.processes; k++) {
            below += shared->process[k].each[i];
        }

        if (below && below >= p * all) {
            return histogram_value(i);
        }
    }

    return 0;
}


uint64_t
sum(size_t offset)
{
    int       n;
    uint64_t  v;

    v = 0;

    for (n = 0; n < options.processes; n++) {
        v += __atomic_load_n((uint64_t *) ((char *) &shared->process[n]
                                           + offset), __ATOMIC_ACQUIRE);
    }

    return v;
}


void
first_error(void)
{
    int  n;

    for (n = 0; n < options.processes; n++) {
        if (shared->process[n].errors) {
            printf(",\"error\":\"%s\"", shared->process[n].error);
            return;
        }
    }
}
