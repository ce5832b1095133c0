
/*
 * Copyright (C) the msgbus authors
 */


/*
 * History of a journal whose segments leave while it is read: one thread
 * writes and removes, another reads page after page, from where it is or from
 * far back.  The ids are whole, so whatever is missing in a page has to be at
 * or below the floor that came with it.
 *
 *     history_race FOLDER SECONDS
 */


#include "unit.h"
#include <pthread.h>
#include <sys/stat.h>
#include "ngx_msgbus_journal_history.h"
#include "ngx_msgbus_journal_keep.h"


#define BATCH  8


/* a page: ids that come are checked one by one */
typedef struct {
    uint64_t               next;       /* that is to come */
    uint64_t               gap;        /* ids up to it did not come */
    ngx_uint_t             back;
    ngx_uint_t             step;       /* from one to the next */
    ngx_uint_t             n;
} page_t;


static void *reads(void *data);
static void read_one(ngx_msgbus_journal_reader_t *r, uint64_t after,
    ngx_uint_t back, ngx_uint_t every);
static ngx_int_t take(void *data, ngx_msgbus_journal_event_t *ev);
static uint64_t draw(uint64_t n);
static ngx_int_t disk_sync(void *data, int fd);


static ngx_str_t  channels[] = {
    ngx_string("/c0"), ngx_string("/c1"), ngx_string("/c2")
};


static ngx_msgbus_disk_t          disk;
static ngx_msgbus_journal_conf_t  conf;
static ngx_atomic_t               stop;
static uint64_t                   state = 1, base;
static uint64_t                   pages, again, gaps, downward, removed;


int
main(int argc, char **argv)
{
    uint64_t                     until, last;
    pthread_t                    thread;
    ngx_uint_t                   i, turn;
    ngx_msgbus_journal_t         writer;
    ngx_msgbus_journal_event_t   batch[BATCH];
    ngx_msgbus_journal_keeper_t  keeper;

    unit_init();
    unit_check(argc == 3, "a folder, and how many seconds");

    state = unit_seed;

    disk = ngx_msgbus_disk;
    disk.datasync = disk_sync;
    disk.sync = disk_sync;

    conf.path = argv[1];
    conf.segment = 32768;
    conf.size = 8 * conf.segment;
    conf.patience = 1000000;
    conf.unsynced = 100000;

    (void) mkdir(argv[1], 0700);

    unit_check(ngx_msgbus_journal_open(&writer, &conf, &disk) == NGX_OK
               && ngx_msgbus_journal_look(&writer) == NGX_OK,
               "no writer: %s", writer.error);
    unit_check(ngx_msgbus_journal_keeper_open(&keeper, &conf, &disk,
                                              writer.writer)
               == NGX_OK, "no keeper: %s", keeper.error);

    last = writer.at.id;
    base = last;

    unit_check(pthread_create(&thread, NULL, reads, NULL) == 0, "no thread");

    memset(batch, 0, sizeof(batch));
    until = disk.monotonic(NULL) + strtoull(argv[2], NULL, 10) * 1000000;

    for (turn = 0; disk.monotonic(NULL) < until; turn++) {

        for (i = 0; i < BATCH; i++) {
            batch[i].id = ++last;
            batch[i].created = 1325376000000 + last - base;
            batch[i].channel = channels[(last - base) % 3];
            ngx_str_set(&batch[i].data, "{\"some\":\"thing\"}");
        }

        unit_check(ngx_msgbus_journal_insert(&writer, batch, BATCH) == NGX_OK,
                   "not inserted: %s", writer.error);

        if (turn % 8 == 0) {
            unit_check(ngx_msgbus_journal_keeper_turn(&keeper) != NGX_ERROR,
                       "not kept: %s", keeper.error);
        }
    }

    stop = 1;
    (void) pthread_join(thread, NULL);

    removed = keeper.removed;

    ngx_msgbus_journal_keeper_close(&keeper);
    ngx_msgbus_journal_close(&writer);

    printf("events: %" PRIu64 "\n", last - base);
    printf("pages: %" PRIu64 "\n", pages);
    printf("newest first: %" PRIu64 "\n", downward);
    printf("asked again: %" PRIu64 "\n", again);
    printf("gaps told: %" PRIu64 "\n", gaps);
    printf("removed: %" PRIu64 "\n", removed);

    return 0;
}


static void *
reads(void *data)
{
    uint64_t                     after;
    ngx_msgbus_journal_reader_t  r;

    unit_check(ngx_msgbus_journal_reader_open(&r, conf.path, &disk)
               == NGX_OK, "no reader: %s", r.error);

    after = base;

    while (!stop) {

        if (ngx_msgbus_journal_reader_look(&r) != NGX_OK
            || r.newest <= base)
        {
            continue;
        }

        /* where the oldest segment is about to leave, mostly */

        after = draw(4) == 0 ? base + draw(r.newest - base)
                             : ngx_max(r.oldest, base);
        after += draw(300);

        if (after < r.newest) {
            read_one(&r, after, draw(3) == 0, draw(2) ? 1 : 3);
        }
    }

    ngx_msgbus_journal_reader_close(&r);

    return NULL;
}


/* every: each third event is of one channel */
static void
read_one(ngx_msgbus_journal_reader_t *r, uint64_t after, ngx_uint_t back,
    ngx_uint_t every)
{
    page_t                 page;
    uint64_t               floor, end;
    ngx_int_t              rc;
    ngx_msgbus_scope_t     scope;
    ngx_msgbus_history_t   h;
    ngx_msgbus_examined_t  examined;

    memset(&h, 0, sizeof(h));
    memset(&scope, 0, sizeof(scope));
    memset(&page, 0, sizeof(page));

    if (every == 3) {
        ngx_str_set(&scope.channel, "/c0");
    }

    h.scopes = &scope;
    h.nscopes = 1;
    h.after = after;
    h.upto = r->newest;
    h.max = 1 + draw(500);
    h.max_bytes = (size_t) -1;
    h.newest_first = back;

    page.back = back;
    page.step = every;
    page.next = back ? h.upto : after + 1;

    while (every == 3 && (page.next - base) % 3) {
        page.next += back ? -1 : 1;
    }

    rc = ngx_msgbus_journal_history(r, &h, take, &page, &examined);

    if (rc == NGX_AGAIN) {
        unit_check(page.n == 0, "once more, and some came");
        again++;
        return;
    }

    unit_check(rc == NGX_OK, "no history: %s", r->error);

    do {
        rc = ngx_msgbus_journal_floor(r, 0, &floor);
    } while (rc == NGX_AGAIN);

    unit_check(rc == NGX_OK, "no floor: %s", r->error);

    /* what did not come up to where it has looked, is below the floor */

    end = examined.examined;

    if (back) {
        unit_check(end > after && end <= h.upto, "down to %" PRIu64, end);

        if (page.next >= end && page.next > after) {
            page.gap = page.next;
        }

    } else {
        unit_check(end > after && end <= h.upto, "up to %" PRIu64, end);

        if (page.next <= end) {
            page.gap = every == 3 ? end - (end - base) % 3 : end;
        }
    }

    unit_check(page.gap <= floor, "id %" PRIu64 " is missing, the floor is %"
               PRIu64 ", %s %" PRIu64 " to %" PRIu64, page.gap, floor,
               back ? "down" : "up", after, end);

    pages++;
    downward += back;
    gaps += page.gap != 0;
}


static ngx_int_t
take(void *data, ngx_msgbus_journal_event_t *ev)
{
    page_t *p = data;

    if (p->back) {
        unit_check(ev->id <= p->next, "id %" PRIu64 " is above %" PRIu64,
                   ev->id, p->next);

    } else {
        unit_check(ev->id >= p->next, "id %" PRIu64 " is below %" PRIu64,
                   ev->id, p->next);
    }

    if (ev->id != p->next) {

        /* going down nothing is missing between two that came */

        unit_check(!p->back, "id %" PRIu64 ", not %" PRIu64, ev->id, p->next);
        p->gap = ev->id - p->step;
    }

    p->n++;
    p->next = p->back ? ev->id - p->step : ev->id + p->step;

    return NGX_OK;
}


static uint64_t
draw(uint64_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;

    return (state >> 33) % n;
}


static ngx_int_t
disk_sync(void *data, int fd)
{
    return NGX_OK;
}
