
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What it costs to find little in a large journal: the reads of the disk are
 * counted.  The files are sparse, and so can be larger than the disk.
 *
 *     journal_rare FOLDER MB CHANNELS
 *
 * Segments are of 1/160 of all, as 64 MB are of 10 GB.
 */


#include "unit.h"
#include <dirent.h>
#include <sys/stat.h>
#include "ngx_msgbus_journal_history.h"
#include "ngx_msgbus_journal_keep.h"


#define SEGMENTS  160
#define BATCH     16


typedef struct {
    uint64_t               us;
    uint64_t               cpu;        /* us of it */
    uint64_t               preads;
    uint64_t               bytes;
    ngx_uint_t             events;
    ngx_uint_t             pages;
} cost_t;


static void fill(uint64_t size);
static void put(ngx_uint_t n, const char *channel, size_t len);
static void ask(const char *name, const char *channel, ngx_uint_t below,
    ngx_uint_t back, ngx_uint_t max, cost_t *cost);
static uint64_t cpu(void);
static ngx_int_t take(void *data, ngx_msgbus_journal_event_t *ev);
static ssize_t disk_pread(void *data, int fd, void *p, size_t len,
    uint64_t offset);
static ngx_int_t disk_pwrite(void *data, int fd, const void *p, size_t len,
    uint64_t offset);
static ngx_int_t disk_sync(void *data, int fd);


static ngx_msgbus_disk_t            disk;
static ngx_msgbus_journal_conf_t    conf;
static ngx_msgbus_journal_t         writer;
static ngx_msgbus_journal_keeper_t  keeper;
static ngx_msgbus_journal_reader_t  reader;
static u_char                      *data;
static ngx_uint_t                   channels, total;
static uint64_t                     preads, bytes;


int
main(int argc, char **argv)
{
    cost_t    rare, again, down, below, none, busy;
    uint64_t  segments;

    unit_init();
    unit_check(argc == 4, "a folder, MB, and how many channels");

    disk = ngx_msgbus_disk;
    disk.pread = disk_pread;
    disk.pwrite = disk_pwrite;
    disk.datasync = disk_sync;
    disk.sync = disk_sync;

    conf.path = argv[1];
    conf.segment = strtoull(argv[2], NULL, 10) * 1024 * 1024 / SEGMENTS;
    conf.patience = 1000000;
    conf.unsynced = 1000000;
    channels = strtoul(argv[3], NULL, 10);

    (void) mkdir(argv[1], 0700);

    fill(conf.segment * SEGMENTS);

    unit_check(ngx_msgbus_journal_reader_open(&reader, conf.path, &disk)
               == NGX_OK && ngx_msgbus_journal_reader_look(&reader) == NGX_OK,
               "no reader: %s", reader.error);

    segments = reader.list.n;

    printf("events: %lu\n", (unsigned long) total);
    printf("segments: %" PRIu64 "\n", segments);

    /* what is known of the newest segment is made when it is looked at */

    ask("rare", "/rare/event", 0, 0, 200, &rare);
    ask("again", "/rare/event", 0, 0, 200, &again);
    ask("newest first", "/rare/event", 0, 1, 200, &down);
    ask("a rare subtree", "/rare", 1, 0, 200, &below);
    ask("none", "/none", 0, 0, 200, &none);
    ask("busy", "/c/1", 0, 0, 20, &busy);

    unit_check(rare.events == 3 && again.events == 3 && down.events == 3
               && below.events == 3 && none.events == 0,
               "%lu, %lu, %lu and %lu rare events", (unsigned long)
               rare.events, (unsigned long) again.events,
               (unsigned long) down.events, (unsigned long) below.events);

    /*
     * Of a segment its header, the head of its index, the index, and, where
     * there is something, places and records.
     */

    unit_check(rare.preads <= 3 * segments + 100 && none.preads <= rare.preads,
               "%" PRIu64 " reads of %" PRIu64 " segments", rare.preads,
               segments);
    unit_check(rare.bytes <= segments * (20000 + channels * 64)
                             + 16 * 1024 * 1024,
               "%" PRIu64 " bytes of %" PRIu64 " segments", rare.bytes,
               segments);

    /* and no records but its own are read of a channel that has many */

    unit_check(busy.events == 20 && busy.preads < 200,
               "%lu events by %" PRIu64 " reads",
               (unsigned long) busy.events, busy.preads);

    ngx_msgbus_journal_reader_close(&reader);
    ngx_free(data);

    return 0;
}


static void
fill(uint64_t size)
{
    size_t      len;
    uint64_t    n, events;
    ngx_uint_t  i;
    char        name[64];

    /* as many events as 300 bytes each would be, of 64 MB a segment, at most */

    len = ngx_max(size / 1500000, 200);
    len = ngx_align(len, 8);
    events = size / (len + NGX_MSGBUS_JOURNAL_RECORD + 16);

    data = calloc(1, len);
    unit_check(data != NULL, "no memory");

    unit_check(ngx_msgbus_journal_open(&writer, &conf, &disk) == NGX_OK
               && ngx_msgbus_journal_look(&writer) == NGX_OK,
               "no writer: %s", writer.error);

    unit_check(ngx_msgbus_journal_keeper_open(&keeper, &conf, &disk,
                                              writer.writer)
               == NGX_OK, "no keeper: %s", keeper.error);

    for (n = 0, i = 0; n < events; n += BATCH, i++) {

        sprintf(name, "/c/%lu", (unsigned long) (i % channels));
        put(BATCH, name, len);

        if (n < BATCH || (n < events / 2 && n + BATCH >= events / 2)
            || n + BATCH >= events)
        {
            put(1, "/rare/event", len);
        }

        if (i % 64 == 0) {
            unit_check(ngx_msgbus_journal_keeper_turn(&keeper) != NGX_ERROR,
                       "not kept: %s", keeper.error);
        }
    }

    while (ngx_msgbus_journal_keeper_turn(&keeper) == NGX_AGAIN) {
        /* void */
    }

    ngx_msgbus_journal_keeper_close(&keeper);
    ngx_msgbus_journal_close(&writer);
}


static void
put(ngx_uint_t n, const char *channel, size_t len)
{
    ngx_uint_t                  i;
    ngx_msgbus_journal_event_t  batch[BATCH];

    memset(batch, 0, sizeof(batch));

    for (i = 0; i < n; i++) {
        batch[i].id = writer.at.id + 1 + i;
        batch[i].created = 1325376000000 + total;
        batch[i].channel.data = (u_char *) channel;
        batch[i].channel.len = strlen(channel);
        batch[i].data.data = data;
        batch[i].data.len = len;
    }

    unit_check(ngx_msgbus_journal_insert(&writer, batch, n) == NGX_OK,
               "not inserted: %s", writer.error);

    total += n;
}


static void
ask(const char *name, const char *channel, ngx_uint_t below, ngx_uint_t back,
    ngx_uint_t max, cost_t *cost)
{
    uint64_t                begin, used, p, b;
    ngx_int_t               rc;
    ngx_msgbus_scope_t      scope;
    ngx_msgbus_history_t    h;
    ngx_msgbus_examined_t   page;

    memset(&h, 0, sizeof(h));
    memset(cost, 0, sizeof(cost_t));

    scope.channel.data = (u_char *) channel;
    scope.channel.len = strlen(channel);
    scope.below = below;

    h.scopes = &scope;
    h.nscopes = 1;
    h.upto = reader.newest;
    h.max = max;
    h.max_bytes = (size_t) -1;
    h.newest_first = back;

    p = preads;
    b = bytes;
    begin = disk.monotonic(NULL);
    used = cpu();

    do {
        rc = ngx_msgbus_journal_history(&reader, &h, take, &cost->events,
                                        &page);
        unit_check(rc == NGX_OK, "no history: %s", reader.error);

        if (back) {
            h.upto = page.examined - 1;

        } else {
            h.after = page.examined;
        }

        cost->pages++;

    } while (h.after < h.upto && cost->events < max);

    cost->us = disk.monotonic(NULL) - begin;
    cost->cpu = cpu() - used;
    cost->preads = preads - p;
    cost->bytes = bytes - b;

    printf("%s: %lu events, %lu pages, %.1f ms, %.1f of them busy, %" PRIu64
           " reads, %" PRIu64 " KB\n", name, (unsigned long) cost->events,
           (unsigned long) cost->pages, cost->us / 1000.0,
           cost->cpu / 1000.0, cost->preads, cost->bytes / 1024);
}


static uint64_t
cpu(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static ngx_int_t
take(void *to, ngx_msgbus_journal_event_t *ev)
{
    (*(ngx_uint_t *) to)++;

    return NGX_OK;
}


static ssize_t
disk_pread(void *d, int fd, void *p, size_t len, uint64_t offset)
{
    ssize_t  n;

    n = ngx_msgbus_disk.pread(d, fd, p, len, offset);

    preads++;
    bytes += n > 0 ? n : 0;

    return n;
}


/* where there are but zeros the file has a hole */
static ngx_int_t
disk_pwrite(void *d, int fd, const void *p, size_t len, uint64_t offset)
{
    const char  *c;
    uint64_t     size, from, n;

    c = p;

    if (ngx_msgbus_disk.size(d, fd, &size) != NGX_OK) {
        return NGX_ERROR;
    }

    if (offset + len > size
        && ngx_msgbus_disk.truncate(d, fd, offset + len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* pieces that do not cross a block of the file */

    for (from = 0; from < len; from += n) {
        n = ngx_min(4096 - (offset + from) % 4096, len - from);

        /* it was zeros before: nothing is written twice, but the mark */

        if (len > 512 && n > 1
            && c[from] == 0 && memcmp(c + from, c + from + 1, n - 1) == 0)
        {
            continue;
        }

        if (ngx_msgbus_disk.pwrite(d, fd, c + from, n, offset + from)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
disk_sync(void *d, int fd)
{
    return NGX_OK;
}
