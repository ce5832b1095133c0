
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Preloaded into nginx: a machine that sleeps, and whose wall clock is set.  When
 * it wakes up, the clocks that count its sleep have gone on, the monotonic one
 * has not.  The file that $ASLEEP names holds the seconds it has slept, as a
 * 64-bit number, and behind it those by which the wall clock alone is wrong.
 */


#define _GNU_SOURCE

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


static int64_t asleep_never[2];
static volatile int64_t *asleep = asleep_never;


__attribute__((constructor)) static void
asleep_begin(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("ASLEEP");

    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        abort();
    }

    p = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) {
        abort();
    }

    asleep = p;

    close(fd);
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    if (syscall(SYS_clock_gettime, id, ts) == -1) {
        return -1;
    }

    if (id == CLOCK_REALTIME || id == CLOCK_BOOTTIME) {
        ts->tv_sec += asleep[0];
    }

    if (id == CLOCK_REALTIME) {
        ts->tv_sec += asleep[1];
    }

    return 0;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) tz;

    clock_gettime(CLOCK_REALTIME, &ts);

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}
