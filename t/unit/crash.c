
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Dies at every step of a change, and has a look at what is left.
 *
 * What a process that dies leaves to others is the zone and nothing else.
 * So a death is a copy of the zone, taken in the middle of a change, and
 * found by a new process: its mutex has been unlocked by force, it has a view
 * of its own, at another address.  The new process may die too, in the middle
 * of its repair, and be followed by a third one.
 *
 * What is in the zone and what must be found there, the subject knows:
 * log_crash.c, pending_crash.c.
 */


#include "crash.h"
#include "watch.h"
#include <sys/mman.h>


/* of the moments of a repair one in so many is looked at, not always these */
#define CRASH_STRIDE    7

#define CRASH_NONE      0xff


static void crash_case(crash_case_t *c);
static void crash_death(void);
static void crash_death_in_repair(void);
static void crash_moment(ngx_uint_t at);
static void crash_find(ngx_uint_t at);


u_char                  *crash_zone;
ngx_uint_t               crash_level;


static crash_subject_t  *subject;
static u_char           *zones[CRASH_LEVELS];
static u_char           *lasts[CRASH_LEVELS];
static u_char           *snapshot;
static size_t            points[CRASH_LEVELS];
static size_t            deaths[CRASH_LEVELS];
static size_t            repair_every;
static ngx_uint_t        counting;


void
crash_run(crash_subject_t *s, crash_case_t *cases)
{
    size_t         i;
    crash_case_t  *c;

    if (!watch_works()) {
        printf("cannot watch: here\n");
        return;
    }

    subject = s;

    /* a page that nobody may touch stands behind each zone, and before it */

    unit_check(s->size % 4096 == 0, "the zone is no whole pages");

    for (i = 0; i < CRASH_LEVELS; i++) {
        zones[i] = mmap(NULL, s->size + 2 * 4096, PROT_READ|PROT_WRITE,
                        MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

        mprotect(zones[i], 4096, PROT_NONE);
        mprotect(zones[i] + 4096 + s->size, 4096, PROT_NONE);

        zones[i] += 4096;
        lasts[i] = malloc(s->size);
    }

    crash_zone = zones[0];
    snapshot = malloc(s->size);

    for (c = cases; c->title; c++) {
        crash_case(c);
    }
}


static void
crash_case(crash_case_t *c)
{
    ngx_uint_t  n;

    printf("%s\n", c->title);
    fflush(stdout);

    subject->begin();
    c->prepare();
    subject->prepared();

    /* once to the end, to know it, and how many deaths there are */

    memcpy(snapshot, zones[0], subject->size);

    c->change();

    subject->known();

    for (n = 0; n < 2; n++) {

        /* first to count them, then to look at them */

        repair_every = n ? deaths[0] / watch_affords + 1 : 0;
        counting = n == 0;

        memset(points, 0, sizeof(points));
        memset(deaths, 0, sizeof(deaths));

        memcpy(zones[0], snapshot, subject->size);
        memset(lasts[0], 0, subject->size);

        watch_run(zones[0], subject->size, crash_death, c->change);
    }

    /* a death when all is done */

    crash_death();

    printf("deaths in %s: %zu states in %zu points, and %zu in %zu"
           " of repairs\n",
           c->title, deaths[0], points[0], deaths[1], points[1]);
    fflush(stdout);
}


static void
crash_death(void)
{
    crash_moment(0);
}


static void
crash_death_in_repair(void)
{
    crash_moment(1);
}


static void
crash_moment(ngx_uint_t at)
{
    ngx_uint_t  locked, outer;

    points[at]++;

    if (memcmp(lasts[at], zones[at], subject->size) == 0) {
        return;
    }

    memcpy(lasts[at], zones[at], subject->size);

    deaths[at]++;

    if (counting || (at && (points[at] + deaths[0]) % CRASH_STRIDE)) {
        return;
    }

    outer = crash_level;
    locked = unit_core.locked;

    crash_level = at + 1;
    unit_step = points[at];
    memcpy(zones[crash_level], zones[at], subject->size);

    crash_find(crash_level);

    crash_level = outer;
    unit_core.locked = locked;
}


/* what the next process finds */
static void
crash_find(ngx_uint_t at)
{
    ngx_uint_t  busy;

    /* the master has unlocked it */

    unit_core.locked = 0;

    busy = subject->inherit(zones[at], at);

    if (busy && at == 1 && deaths[0] % repair_every == 0) {

        /* it may die as well */

        memset(lasts[1], 0, subject->size);
        watch_run(zones[1], subject->size, crash_death_in_repair,
                    subject->take_over);

    } else {
        subject->take_over();
    }

    /* what a third one finds repaired is as the first one left it */

    subject->autopsy(at, busy || at > 1);
}
