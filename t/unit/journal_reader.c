
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What is read of a journal, beside a plain array of what was written to it.
 *
 * A writer writes, stops, is killed, and comes back after a power cut; events
 * grow old, segments get their indexes and leave.  In between readers, one
 * that stays for all the time and one that is new, ask for pages of all
 * channels; for history, upward and downward, of several channels and
 * subtrees, without one poster's events, from any id up to any; for the floor;
 * and for the place at which the newest so many begin.  And one asks for events
 * by their keys, also of segments whose index an older version has made, which
 * knew of none.
 *
 *     journal_reader FOLDER JOURNALS
 */


#include "unit.h"
#include <dirent.h>
#include <sys/stat.h>
#include "ngx_msgbus_journal_history.h"
#include "ngx_msgbus_journal_keep.h"
#include "ngx_msgbus_journal_known.h"
#include "ngx_msgbus_journal_read.h"


#define EVENTS    6000
#define HOLES     100
#define TEXT      4000
#define SCOPES    4

/* of an event that is alone in its frame: bytes beside its data, at most */
#define AROUND    400


typedef struct {
    uint64_t               id;
    uint64_t               created;
    ngx_uint_t             channel;
    ngx_uint_t             poster;
    size_t                 len;
    uint64_t               key;        /* 0: none */
} event_t;


/* ids above prev, up to upto, may be lost */
typedef struct {
    uint64_t               prev;
    uint64_t               upto;
} hole_t;


/* a question, and how far the answer is checked */
typedef struct {
    ngx_msgbus_journal_reader_t  *r;
    ngx_msgbus_scope_t            scopes[SCOPES];
    ngx_uint_t                    nscopes;
    ngx_uint_t                    hide;     /* poster + 1; 0: none */
    size_t                        room;     /* bytes */
    size_t                        bytes;
    uint64_t                      after;
    uint64_t                      upto;
    uint64_t                      since;
    ngx_uint_t                    max;
    ngx_uint_t                    back;
    ngx_uint_t                    next;     /* event that may come now */
    ngx_uint_t                    taken;
    uint64_t                      last;
    uint64_t                      told;     /* hole, in its place */
} question_t;


static void journal(const char *folder);
static void step(void);
static void read_by(ngx_msgbus_journal_reader_t *r);
static void start(void);
static void leave(ngx_uint_t clean, ngx_uint_t reboot);
static void post(void);
static void keep(void);
static void ask(ngx_msgbus_journal_reader_t *r);
static void ask_page(ngx_msgbus_journal_reader_t *r);
static void ask_history(ngx_msgbus_journal_reader_t *r);
static ngx_int_t read_history(question_t *q, ngx_msgbus_examined_t *page);
static ngx_uint_t first(question_t *q);
static uint64_t lost_by(question_t *q, uint64_t above, uint64_t upto);
static void some_scope(ngx_msgbus_scope_t *scope);
static void ask_floor(ngx_msgbus_journal_reader_t *r);
static void ask_begin(ngx_msgbus_journal_reader_t *r);
static void ask_keys(void);
static void make_key(uint64_t n, uint64_t id, u_char *key);
static void age(void);
static ngx_int_t take(void *data, ngx_msgbus_journal_event_t *ev);
static void hole(void *data, uint64_t id);
static ngx_uint_t asked(question_t *q, event_t *ev);
static uint64_t some_id(void);
static void clear(const char *folder, ngx_uint_t all);
static int disk_open(void *data, int folder, const char *name,
    ngx_uint_t how);
static int disk_folder(void *data, const char *path);
static void disk_close(void *data, int fd);
static ssize_t disk_pread(void *data, int fd, void *p, size_t len,
    uint64_t offset);
static ngx_int_t disk_sync(void *data, int fd);
static uint64_t disk_wall(void *data);
static uint64_t disk_monotonic(void *data);
static ngx_int_t disk_boot(void *data, u_char *id);


static const char *channels[] = {
    "a", "a/b", "a/b/c", "a/b/d", "a-b", "a!", "ab", "b", "b/x", "b/xy", "b0",
    "c/deep/down", "rare", "long/long/long/long/long/long/long/long/name",
    ""
};

/* that are asked for besides those */
static const char *others[] = { "none", "c", "long", "b/", "zz", "A" };

#define CHANNELS  (sizeof(channels) / sizeof(channels[0]))
#define OTHERS    (sizeof(others) / sizeof(others[0]))

/* each of a poster's letter */
static const char posters[] = "ABC";

#define POSTERS   (sizeof(posters) - 1)


static ngx_msgbus_disk_t            disk;
static ngx_msgbus_journal_conf_t    conf;
static ngx_msgbus_journal_t         writer;
static ngx_msgbus_journal_keeper_t  keeper;
static ngx_uint_t                   keeping;
static ngx_msgbus_journal_reader_t  stays;
static ngx_msgbus_journal_known_t   known;
static ngx_uint_t                   knowing;
static uint64_t                     nkeys;
static size_t                       largest;   /* data of a frame */
static event_t                      events[EVENTS];
static ngx_uint_t                   nevents;
static hole_t                       holes[HOLES];
static ngx_uint_t                   nholes;
static uint64_t                     now;
static ngx_uint_t                   boots, fds;
static ngx_uint_t                   fails;     /* the n-th read or open from
                                                  now on does; 0: none */
static u_char                       text[TEXT];

static uint64_t                     pages, histories, downward, cut, rare,
                                    below, several, hidden, lost, expired,
                                    floors, begins, full, left, indexes, gone,
                                    early, clean, killed, rebooted,
                                    found, unknown, again, old_keys, aged,
                                    unread;


int
main(int argc, char **argv)
{
    ngx_uint_t  n;

    unit_init();
    unit_check(argc == 3, "a folder, and how many");

    memset(text, 'x', TEXT);

    disk = ngx_msgbus_disk;
    disk.folder = disk_folder;
    disk.open = disk_open;
    disk.close = disk_close;
    disk.pread = disk_pread;
    disk.datasync = disk_sync;
    disk.sync = disk_sync;
    disk.wall = disk_wall;
    disk.monotonic = disk_monotonic;
    disk.boot = disk_boot;

    for (n = strtoul(argv[2], NULL, 10); n; n--) {
        journal(argv[1]);
    }

    printf("pages: %" PRIu64 "\n", pages);
    printf("histories: %" PRIu64 "\n", histories);
    printf("downward: %" PRIu64 "\n", downward);
    printf("cut: %" PRIu64 "\n", cut);
    printf("of a channel: %" PRIu64 "\n", rare);
    printf("of a subtree: %" PRIu64 "\n", below);
    printf("of several: %" PRIu64 "\n", several);
    printf("without a poster: %" PRIu64 "\n", hidden);
    printf("over a hole: %" PRIu64 "\n", lost);
    printf("without the old: %" PRIu64 "\n", expired);
    printf("before the sync: %" PRIu64 "\n", early);
    printf("floors: %" PRIu64 "\n", floors);
    printf("begins: %" PRIu64 "\n", begins);
    printf("full: %" PRIu64 "\n", full);
    printf("segments left: %" PRIu64 "\n", left);
    printf("while one reads: %" PRIu64 "\n", gone);
    printf("indexes: %" PRIu64 "\n", indexes);
    printf("found by key: %" PRIu64 "\n", found);
    printf("found by none: %" PRIu64 "\n", unknown);
    printf("keys that come again: %" PRIu64 "\n", again);
    printf("of events too old: %" PRIu64 "\n", old_keys);
    printf("indexes without keys: %" PRIu64 "\n", aged);
    printf("reads that fail: %" PRIu64 "\n", unread);
    printf("clean stops: %" PRIu64 "\n", clean);
    printf("killed: %" PRIu64 "\n", killed);
    printf("power cuts: %" PRIu64 "\n", rebooted);

    return 0;
}


/* one life of a folder */
static void
journal(const char *folder)
{
    ngx_uint_t  steps;

    static const uint64_t  segments[] = { 8192, 40000, 300000 };
    static const uint64_t  syncs[] = { 0, 2000, NGX_MSGBUS_JOURNAL_NEVER };

    clear(folder, 1);

    memset(&conf, 0, sizeof(conf));

    conf.path = folder;
    conf.segment = segments[unit_below(3)];
    conf.sync = syncs[unit_below(3)];
    conf.size = unit_once_in(2) ? 6 * conf.segment : 0;
    conf.ttl = unit_once_in(2) ? 300000 : 0;
    conf.patience = 1000;
    conf.unsynced = 100000;

    nevents = 0;
    nholes = 0;
    largest = 0;
    now = 1000000;

    start();
    read_by(&stays);

    for (steps = 0; steps < 400 && nevents < EVENTS - 20
                    && nholes < HOLES - 1; steps++)
    {
        unit_step++;
        step();
    }

    ngx_msgbus_journal_reader_close(&stays);

    if (knowing) {
        ngx_msgbus_journal_known_close(&known);
        knowing = 0;
    }

    leave(1, 0);

    unit_check(fds == 0, "%lu descriptors are left open",
               (unsigned long) fds);

    clear(folder, 0);
}


static void
step(void)
{
    ngx_msgbus_journal_reader_t  fresh;

    now += unit_once_in(20) ? unit_below(60000) : unit_below(50);

    switch (unit_below(20)) {

    case 0:
        leave(unit_once_in(2), 0);
        start();
        break;

    case 1:
        leave(unit_once_in(4), 1);
        start();
        break;

    case 2:
    case 3:
        keep();
        break;

    case 4:
        unit_check(ngx_msgbus_journal_flush(&writer, 1) == NGX_OK,
                   "not synced: %s", writer.error);
        break;

    default:
        post();
    }

    if (unit_once_in(2)) {
        ask(&stays);
    }

    if (unit_once_in(10)) {
        read_by(&fresh);
        ask(&fresh);
        ngx_msgbus_journal_reader_close(&fresh);
    }

    if (unit_once_in(30)) {
        age();
    }

    if (unit_once_in(3)) {
        ask_keys();
    }
}


static void
read_by(ngx_msgbus_journal_reader_t *r)
{
    unit_check(ngx_msgbus_journal_reader_open(r, conf.path, &disk) == NGX_OK,
               "no reader: %s", r->error);
    r->hole = hole;
    r->told = unit_once_in(2);
}


/* a writer, and what its start makes of what it finds */
static void
start(void)
{
    unit_check(ngx_msgbus_journal_open(&writer, &conf, &disk) == NGX_OK
               && ngx_msgbus_journal_look(&writer) == NGX_OK,
               "no writer: %s", writer.error);

    keeping = 0;
}


static void
leave(ngx_uint_t stop, ngx_uint_t reboot)
{
    uint64_t    last;
    ngx_uint_t  lazy;

    last = writer.at.id;
    lazy = writer.header.flags & NGX_MSGBUS_JOURNAL_LAZY;

    if (stop) {
        unit_check(ngx_msgbus_journal_stop(&writer) == NGX_OK,
                   "not stopped: %s", writer.error);
    }

    if (keeping) {
        ngx_msgbus_journal_keeper_close(&keeper);
        keeping = 0;
    }

    ngx_msgbus_journal_close(&writer);

    clean += stop;
    killed += !stop && !reboot;
    rebooted += reboot;
    boots += reboot;

    if (!reboot) {
        return;
    }

    start();

    /* what may have been told of, and was not synced, may be lost */

    if (lazy && !stop) {
        holes[nholes].prev = last;
        holes[nholes].upto = writer.at.id;
        nholes++;
    }

    ngx_msgbus_journal_close(&writer);

    ngx_msgbus_journal_reader_close(&stays);
    read_by(&stays);

    if (knowing) {
        ngx_msgbus_journal_known_close(&known);
        knowing = 0;
    }
}


static void
post(void)
{
    size_t                       len;
    uint64_t                     id, created;
    ngx_int_t                    rc;
    ngx_uint_t                   i, n;
    event_t                     *ev;
    ngx_msgbus_journal_event_t   batch[20];
    u_char                       key[NGX_MSGBUS_JOURNAL_KEY];

    static u_char  fields[20][2 * NGX_MSGBUS_JOURNAL_KEY_FIELD];

    n = 1 + (unit_once_in(2) ? unit_below(20) : 0);
    id = writer.at.id + 1 + (unit_once_in(5) ? unit_below(5000) : 0);
    created = now;
    len = 0;

    memset(batch, 0, sizeof(batch));

    for (i = 0; i < n; i++) {
        ev = &events[nevents + i];

        ev->id = id;
        ev->created = created;
        ev->channel = unit_once_in(60) ? CHANNELS - 3
                      : unit_below(CHANNELS);
        ev->poster = unit_below(POSTERS);
        ev->len = 8 + (unit_once_in(8) ? unit_below(TEXT - 8)
                       : unit_below(100));

        batch[i].id = ev->id;
        batch[i].created = ev->created;
        batch[i].channel.data = (u_char *) channels[ev->channel];
        batch[i].channel.len = strlen(channels[ev->channel]);
        batch[i].uuid.data = (u_char *) &posters[ev->poster];
        batch[i].uuid.len = 1;
        batch[i].data.data = text;
        batch[i].data.len = ev->len;
        len += ev->len;

        ev->key = 0;

        if (!unit_once_in(3)) {

            /* some come again, as they may when the first one is too old */

            ev->key = nkeys && unit_once_in(10) ? 1 + unit_below(nkeys)
                                                : ++nkeys;

            make_key(ev->key, ev->id, key);

            /* behind a field of another type, that a later version writes */

            batch[i].fields.data = fields[i];
            batch[i].fields.len = 0;

            if (unit_once_in(2)) {
                ngx_msgbus_journal_put(fields[i], 2, 7);
                ngx_msgbus_journal_put(fields[i] + 2, 2, 3);
                batch[i].fields.len = 7;
            }

            (void) ngx_msgbus_journal_key_write(key, fields[i]
                                                     + batch[i].fields.len);
            batch[i].fields.len += NGX_MSGBUS_JOURNAL_KEY_FIELD;
        }

        id += 1 + (unit_once_in(10) ? unit_below(5) : 0);

        /* as an import has it */

        created += unit_once_in(20) ? unit_below(2000) : 0;
    }

    now = ngx_max(now, created);
    largest = ngx_max(largest, len);

    rc = ngx_msgbus_journal_insert(&writer, batch, n);
    unit_check(rc == NGX_OK, "not inserted: %s", writer.error);

    for (i = 0; i < n; i++) {
        events[nevents++].created = batch[i].created;
    }
}


static void
keep(void)
{
    uint64_t   removed, made;
    ngx_int_t  rc;

    if (!keeping) {
        unit_check(ngx_msgbus_journal_keeper_open(&keeper, &conf, &disk,
                                                  writer.writer)
                   == NGX_OK,
                   "no keeper: %s", keeper.error);
        keeping = 1;
    }

    removed = keeper.removed;
    made = keeper.made;

    if (unit_once_in(5)) {
        fails = 1 + unit_below(30);
        unread += ngx_msgbus_journal_keeper_turn(&keeper) == NGX_ERROR;
        fails = 0;
    }

    do {
        rc = ngx_msgbus_journal_keeper_turn(&keeper);
        unit_check(rc != NGX_ERROR, "not kept: %s", keeper.error);
    } while (rc == NGX_AGAIN);

    left += keeper.removed - removed;
    indexes += keeper.made - made;
}


static void
ask(ngx_msgbus_journal_reader_t *r)
{
    uint64_t    newest;
    ngx_int_t   rc;
    ngx_uint_t  i;

    if (unit_once_in(10)) {

        /* a look that fails is as if it had not been */

        fails = 1 + unit_below(10);
        unread += ngx_msgbus_journal_reader_look(r) != NGX_OK;
        fails = 0;
    }

    rc = ngx_msgbus_journal_reader_look(r);
    unit_check(rc == NGX_OK, "no look: %s", r->error);

    /* what is told of before it is synced can be read, too, where asked for */

    newest = r->told && (writer.mark.flags & NGX_MSGBUS_JOURNAL_LAZY)
             ? writer.at.id : writer.durable.id;

    unit_check(r->newest == newest, "up to %" PRIu64 ", not %" PRIu64,
               r->newest, newest);

    early += newest > writer.durable.id;

    for (i = unit_below(6); i; i--) {

        if (unit_once_in(3)) {
            ask_page(r);

        } else {
            ask_history(r);
        }
    }

    if (unit_once_in(4)) {
        ask_begin(r);
    }

    if (unit_once_in(4)) {
        ask_floor(r);
    }
}


static void
ask_page(ngx_msgbus_journal_reader_t *r)
{
    uint64_t                    expected, end, floor;
    ngx_int_t                   rc;
    ngx_uint_t                  tries;
    question_t                  q;
    ngx_msgbus_journal_page_t   page;

    memset(&q, 0, sizeof(q));

    q.r = r;
    q.after = unit_once_in(3) ? 0 : some_id();
    q.upto = unit_once_in(2) ? 0 : some_id();
    q.max = unit_once_in(3) ? EVENTS : unit_below(20);
    q.since = unit_once_in(2) || nevents == 0 ? 0
              : events[unit_below(nevents)].created;
    q.nscopes = 1;
    q.room = (size_t) -1;

    for (tries = 0; /* void */ ; tries++) {

        q.next = first(&q);
        q.taken = 0;
        q.told = 0;
        end = q.upto && q.upto < r->newest ? q.upto : r->newest;

        rc = ngx_msgbus_journal_read(r, q.after, q.upto, q.max, q.since,
                                     take, &q, &page);

        if (rc != NGX_AGAIN) {
            break;
        }

        /* a segment has left */

        gone++;
        unit_check(tries < 3, "segments leave, and no end");

        rc = ngx_msgbus_journal_floor(r, 0, &floor);
        unit_check(rc == NGX_OK, "no floor: %s", r->error);
    }

    unit_check(rc == NGX_OK, "not read: %s", r->error);
    unit_check(page.events == q.taken, "%lu events, not %lu",
               (unsigned long) page.events, (unsigned long) q.taken);

    /* nothing is missing, unless the page is full */

    unit_check(q.taken == q.max || q.next == nevents, "event %lu, id %" PRIu64
               ", is missing after %lu", (unsigned long) q.next,
               events[q.next].id, (unsigned long) q.taken);

    expected = q.after >= end || q.max == 0 ? q.after
               : q.taken == q.max ? q.last : end;

    unit_check(page.examined == expected, "examined to %" PRIu64 ", not %"
               PRIu64 ", from %" PRIu64 " to %" PRIu64, page.examined,
               expected, q.after, end);

    /* a hole is told of when the page touches it, and in its place */

    expected = q.after < end && q.max ? lost_by(&q, q.after, page.examined)
                                      : 0;

    unit_check(page.lost == expected, "lost up to %" PRIu64 ", not %" PRIu64
               ", from %" PRIu64 " to %" PRIu64 ", examined %" PRIu64,
               page.lost, expected, q.after, end, page.examined);

    unit_check(q.told == expected, "told of %" PRIu64 ", not of %" PRIu64,
               q.told, expected);

    pages++;
    cut += q.taken && q.taken == q.max;
    lost += expected != 0;
    expired += q.since && q.taken;
}


static void
ask_history(ngx_msgbus_journal_reader_t *r)
{
    uint64_t                expected, floor;
    ngx_int_t               rc;
    ngx_uint_t              i, full, tries;
    question_t              q;
    ngx_msgbus_examined_t   page;

    memset(&q, 0, sizeof(q));

    q.r = r;
    q.back = unit_once_in(2);
    q.after = unit_once_in(3) ? 0 : some_id();
    q.upto = unit_once_in(2) ? r->newest : some_id();
    q.upto = ngx_min(q.upto, r->newest);
    q.max = unit_once_in(3) ? EVENTS : 1 + unit_below(20);
    q.room = unit_once_in(2) ? (size_t) -1 : 1 + unit_below(3000);
    q.since = unit_once_in(2) || nevents == 0 ? 0
              : events[unit_below(nevents)].created;
    q.hide = unit_once_in(3) ? 1 + unit_below(POSTERS) : 0;
    q.nscopes = unit_once_in(2) ? 1 : 1 + unit_below(SCOPES);

    for (i = 0; i < q.nscopes; i++) {
        some_scope(&q.scopes[i]);
    }

    if (q.after >= q.upto) {
        return;
    }

    for (tries = 0; /* void */ ; tries++) {

        rc = read_history(&q, &page);

        if (rc != NGX_AGAIN) {
            break;
        }

        gone++;
        unit_check(tries < 3 && q.taken == 0, "segments leave, and no end");
    }

    unit_check(rc == NGX_OK, "no history: %s", r->error);

    rc = ngx_msgbus_journal_floor(r, q.since, &floor);
    unit_check(rc == NGX_OK, "no floor: %s", r->error);

    /* nothing is missing in what was examined, unless the floor has risen */

    full = q.taken == q.max || q.bytes >= q.room;

    unit_check(full || q.next == (q.back ? 0 : nevents)
               || (q.back ? events[q.next - 1].id < page.examined
                   : events[q.next].id > page.examined),
               "event %lu, id %" PRIu64 ", is missing after %lu",
               (unsigned long) q.next - q.back, events[q.next - q.back].id,
               (unsigned long) q.taken);

    expected = full ? q.last : q.back ? q.after + 1 : q.upto;

    unit_check(page.examined == expected
               || (floor > q.after && page.examined == q.after + 1)
               || (!q.back && page.lost > q.after
                   && page.lost <= page.examined && page.examined < expected),
               "examined to %"
               PRIu64 ", not %" PRIu64 ", %s %" PRIu64 " to %" PRIu64,
               page.examined, expected, q.back ? "down" : "up", q.after,
               q.upto);

    /* a hole that the page crosses is told of, if it is above the floor */

    expected = q.back ? lost_by(&q, page.examined - 1, q.upto)
                      : lost_by(&q, q.after, page.examined);

    unit_check(ngx_max(page.lost, floor) == ngx_max(expected, floor), "lost up "
               "to %" PRIu64 ", not %" PRIu64 ", %s %" PRIu64 " to %" PRIu64
               ", examined %" PRIu64 ", floor %" PRIu64, page.lost, expected,
               q.back ? "down" : "up", q.after, q.upto, page.examined, floor);

    /* upward the newest is the only one: a reader may take a part of it */

    if (!q.back && page.lost) {
        for (i = 0; i < nholes; i++) {
            unit_check(holes[i].upto == page.lost
                       || holes[i].upto <= ngx_max(q.after, floor)
                       || holes[i].prev >= page.examined,
                       "a page crosses a hole up to %" PRIu64 " and one up to %"
                       PRIu64, holes[i].upto, page.lost);
        }
    }

    histories++;
    downward += q.back;
    cut += full != 0;
    several += q.nscopes > 1 && q.taken;
    hidden += q.hide && q.taken;
    rare += q.nscopes == 1 && q.scopes[0].channel.len && q.taken
            && !q.scopes[0].below;
    below += q.nscopes == 1 && q.scopes[0].channel.len && q.taken
             && q.scopes[0].below;
    lost += page.lost > floor;
    expired += q.since && q.taken;
}


static ngx_int_t
read_history(question_t *q, ngx_msgbus_examined_t *page)
{
    uint64_t              floor;
    ngx_int_t             rc;
    ngx_msgbus_history_t  h;

    /* as it does itself: segments may have left */

    rc = ngx_msgbus_journal_floor(q->r, 0, &floor);
    unit_check(rc == NGX_OK, "no floor: %s", q->r->error);

    q->taken = 0;
    q->bytes = 0;
    q->next = first(q);

    memset(&h, 0, sizeof(h));

    h.scopes = q->scopes;
    h.nscopes = q->nscopes;
    h.after = q->after;
    h.upto = q->upto;
    h.max = q->max;
    h.max_bytes = q->room;
    h.since = q->since;
    h.newest_first = q->back;

    if (q->hide) {
        h.hide.data = (u_char *) &posters[q->hide - 1];
        h.hide.len = 1;
    }

    fails = unit_once_in(10) ? 1 + unit_below(20) : 0;
    rc = ngx_msgbus_journal_history(q->r, &h, take, q, page);

    if (rc == NGX_ERROR && fails == 0) {
        unread++;

        q->taken = 0;
        q->bytes = 0;
        q->next = first(q);

        rc = ngx_msgbus_journal_history(q->r, &h, take, q, page);
    }

    fails = 0;

    return rc;
}


/* the first event that is to come; or the end */
static ngx_uint_t
first(question_t *q)
{
    ngx_uint_t  i;

    for (i = q->back ? nevents : 0;
         i != (q->back ? 0 : nevents) && !asked(q, &events[i - q->back]);
         i += q->back ? -1 : 1)
    {
        /* void */
    }

    return i;
}


/* the newest hole that has ids above one, and up to another */
static uint64_t
lost_by(question_t *q, uint64_t above, uint64_t upto)
{
    uint64_t    id;
    ngx_uint_t  i;

    id = 0;

    for (i = 0; i < nholes; i++) {

        if (holes[i].upto > above && holes[i].prev < upto
            && holes[i].upto > q->r->oldest)
        {
            id = holes[i].upto;
        }
    }

    return id;
}


static void
some_scope(ngx_msgbus_scope_t *scope)
{
    ngx_uint_t   i;
    const char  *name;

    if (unit_once_in(6)) {
        return;
    }

    i = unit_below(CHANNELS - 1 + OTHERS);
    name = i < CHANNELS - 1 ? channels[i] : others[i - CHANNELS + 1];

    scope->channel.data = (u_char *) name;
    scope->channel.len = strlen(name);
    scope->below = unit_once_in(2);
}


/* is an event to be in the answer? */
static ngx_uint_t
asked(question_t *q, event_t *ev)
{
    uint64_t     upto;
    size_t       len;
    ngx_uint_t   i;
    const char  *name;

    upto = q->upto && q->upto < q->r->newest ? q->upto : q->r->newest;

    if (ev->id <= q->after || ev->id > upto || ev->id <= q->r->oldest
        || ev->created < q->since || q->max == 0
        || (q->hide && ev->poster == q->hide - 1))
    {
        return 0;
    }

    name = channels[ev->channel];

    if (name[0] == '\0') {
        return 0;
    }

    for (i = 0; i < q->nscopes; i++) {
        len = q->scopes[i].channel.len;

        if (len == 0
            || (strncmp(name, (char *) q->scopes[i].channel.data, len) == 0
                && (name[len] == '\0'
                    || (q->scopes[i].below && name[len] == '/'))))
        {
            return 1;
        }
    }

    return 0;
}


/* by the key of an event, or by one that no event has */
static void
ask_keys(void)
{
    u_char                       key[NGX_MSGBUS_JOURNAL_KEY];
    uint64_t                     n, since, floor, have;
    ngx_int_t                    rc;
    ngx_uint_t                   i, k;
    event_t                     *ev;
    ngx_msgbus_journal_found_t   f;

    if (knowing && unit_once_in(20)) {
        ngx_msgbus_journal_known_close(&known);
        knowing = 0;
    }

    if (!knowing) {
        unit_check(ngx_msgbus_journal_known_open(&known, conf.path, &disk)
                   == NGX_OK,
                   "no keys: %s", known.reader.error);
        knowing = 1;
    }

    if (unit_once_in(10)) {
        fails = 1 + unit_below(10);
        unread += ngx_msgbus_journal_known_look(&known) != NGX_OK;
        fails = 0;
    }

    rc = ngx_msgbus_journal_known_look(&known);
    unit_check(rc == NGX_OK, "no look for keys: %s", known.reader.error);

    rc = ngx_msgbus_journal_floor(&stays, 0, &floor);
    unit_check(rc == NGX_OK, "no floor: %s", stays.error);

    for (k = unit_below(20); k && nevents; k--) {
        n = unit_once_in(4) ? nkeys + 1 + unit_below(1000)
                            : events[unit_below(nevents)].key;

        if (n == 0) {
            continue;
        }

        since = unit_once_in(2) ? 0 : events[unit_below(nevents)].created;
        ev = NULL;
        have = 0;

        for (i = nevents; i; i--) {

            if (events[i - 1].key == n) {
                ev = have ? ev : &events[i - 1];
                again += have == 1;
                have++;
            }
        }

        make_key(n, ev ? ev->id : 0, key);

        if (ev && ev->id > floor && ev->created < since) {
            old_keys++;
        }

        if (ev && (ev->id <= floor || ev->created < since)) {
            ev = NULL;
        }

        fails = unit_once_in(10) ? 1 + unit_below(10) : 0;
        rc = ngx_msgbus_journal_known_find(&known, key, since, &f);

        if (rc == NGX_ERROR && fails == 0) {
            unread++;
            rc = ngx_msgbus_journal_known_find(&known, key, since, &f);
        }

        fails = 0;

        unit_check(rc == NGX_OK || rc == NGX_DONE, "no answer: %s",
                   known.reader.error);
        unit_check(rc == (ev ? NGX_OK : NGX_DONE), "key %" PRIu64 " of id %"
                   PRIu64 " is %s", n, ev ? ev->id : 0,
                   ev ? "not found" : "found");

        if (ev == NULL) {
            unknown++;
            continue;
        }

        unit_check(f.id == ev->id && f.created == ev->created
                   && memcmp(f.body, key + 16, 16) == 0,
                   "key %" PRIu64 " is that of %" PRIu64 ", not %" PRIu64, n,
                   ev->id, f.id);
        found++;
    }
}


/* a key as a hash is: its name by its number, its body by the event, too */
static void
make_key(uint64_t n, uint64_t id, u_char *key)
{
    uint64_t    h;
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        h = (n + i * 0x9e3779b97f4a7c15 + (i < 2 ? 0 : id)) * 0xbf58476d1ce4e5b9;
        h = (h ^ h >> 31) * 0x94d049bb133111eb;
        h ^= h >> 29;

        /* some begin alike, and are told apart by what follows */

        ngx_msgbus_journal_put(key + 8 * i, 8, i == 0 && n % 64 == 1 ? 77 : h);
    }
}


/* a sealed segment's index becomes one of a version that knew of no keys */
static void
age(void)
{
    int                        fd;
    char                       name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_msgbus_journal_keys_t  keys;

    if (ngx_msgbus_journal_reader_look(&stays) != NGX_OK
        || stays.list.n < 2)
    {
        return;
    }

    i = unit_below(stays.list.n - 1);

    ngx_msgbus_journal_name(name, stays.list.elts[i].sequence,
                            stays.list.elts[i].first_id);

    fd = disk.open(disk.disk, stays.folder, name, NGX_MSGBUS_DISK_WRITE);

    if (fd == -1) {
        return;
    }

    rc = ngx_msgbus_journal_index_keys(&keys, &disk, fd,
                                       &stays.list.elts[i].header,
                                       ngx_msgbus_journal_end(&stays, i));

    if (rc == NGX_OK) {
        unit_check(disk.truncate(disk.disk, fd, keys.at) == NGX_OK,
                   "not cut");
        ngx_msgbus_journal_keys_free(&keys);
        aged++;
    }

    disk.close(disk.disk, fd);
}


static ngx_int_t
take(void *data, ngx_msgbus_journal_event_t *ev)
{
    question_t *q = data;

    event_t  *expected;

    unit_check(q->next != (q->back ? 0 : nevents), "id %" PRIu64 " is one "
               "too many", ev->id);

    expected = &events[q->next - q->back];

    unit_check(ev->id == expected->id, "id %" PRIu64 ", not %" PRIu64,
               ev->id, expected->id);

    unit_check(ev->created == expected->created
               && ev->data.len == expected->len
               && memcmp(ev->data.data, text, ev->data.len) == 0
               && ev->uuid.len == 1
               && ev->uuid.data[0] == posters[expected->poster]
               && ev->channel.len == strlen(channels[expected->channel])
               && memcmp(ev->channel.data, channels[expected->channel],
                         ev->channel.len)
                  == 0,
               "id %" PRIu64 " is not as it was", ev->id);

    q->taken++;
    q->bytes += ev->data.len;
    q->last = ev->id;

    do {
        q->next += q->back ? -1 : 1;
    } while (q->next != (q->back ? 0 : nevents)
             && !asked(q, &events[q->next - q->back]));

    return NGX_OK;
}


/* upward, of all: it comes in its place */
static void
hole(void *data, uint64_t id)
{
    question_t *q = data;

    unit_check(id > q->last, "a hole up to %" PRIu64 " behind %" PRIu64, id,
               q->last);

    q->told = id;
}


static void
ask_floor(ngx_msgbus_journal_reader_t *r)
{
    uint64_t    since, floor, expected;
    ngx_int_t   rc;
    ngx_uint_t  i;

    since = unit_once_in(3) || nevents == 0 ? 0
            : events[unit_below(nevents)].created + unit_below(2);

    rc = ngx_msgbus_journal_floor(r, since, &floor);
    unit_check(rc == NGX_OK, "no floor: %s", r->error);

    expected = r->oldest;

    for (i = 0; i < nevents && events[i].id <= r->newest; i++) {

        if (events[i].created < since) {
            expected = ngx_max(expected, events[i].id);

        } else {
            unit_check(events[i].id > floor || events[i].id <= r->oldest,
                       "id %" PRIu64 " is there, the floor is %" PRIu64,
                       events[i].id, floor);
        }
    }

    unit_check(floor >= expected, "the floor is %" PRIu64 ", id %" PRIu64
               " is gone", floor, expected);

    floors++;
}


static void
ask_begin(ngx_msgbus_journal_reader_t *r)
{
    uint64_t    n, id, bytes, size;
    ngx_int_t   rc;
    ngx_uint_t  i, have, all, tries;

    n = 1 + unit_below(nevents + 1);
    bytes = unit_below(2) ? 1 + unit_below(4 * 65536) : 0;

    for (tries = 0; /* void */ ; tries++) {
        rc = ngx_msgbus_journal_begin(r, n, bytes, &id);

        if (rc != NGX_AGAIN) {
            break;
        }

        unit_check(tries < 3, "segments leave, and no end");

        rc = ngx_msgbus_journal_floor(r, 0, &id);
        unit_check(rc == NGX_OK, "no floor: %s", r->error);
    }

    unit_check(rc == NGX_OK, "no begin: %s", r->error);

    have = 0;
    all = 0;
    size = 0;

    for (i = 0; i < nevents; i++) {

        if (events[i].id > id && events[i].id <= r->newest) {
            size += events[i].len;
        }

        if (events[i].id > r->oldest && events[i].id <= r->newest
            && channels[events[i].channel][0])
        {
            all++;
            have += events[i].id > id;
        }
    }

    if (bytes && have < ngx_min(n, all)) {

        /* full, but for what goes around events; a file more, at most */

        unit_check(size <= bytes + ngx_max(conf.segment, largest),
                   "%" PRIu64 " bytes, not %" PRIu64, size, bytes);
        unit_check(size + have * AROUND >= bytes, "%" PRIu64
                   " bytes in %lu events, not %" PRIu64, size,
                   (unsigned long) have, bytes);
        full++;

        return;
    }

    unit_check(have == ngx_min(n, all), "%lu events behind %" PRIu64 ", not "
               "%" PRIu64 " of %lu", (unsigned long) have, id, n,
               (unsigned long) all);

    begins++;
}


/* of an event, or close to it, in a hole, or of nobody */
static uint64_t
some_id(void)
{
    switch (unit_below(8)) {

    case 0:
        return writer.at.id + unit_below(3) - 1;

    case 1:

        if (nholes) {
            return holes[unit_below(nholes)].prev + unit_below(3);
        }

        /* fall through */

    case 2:

        if (nholes) {
            return holes[unit_below(nholes)].upto + unit_below(3) - 1;
        }

        /* fall through */

    default:

        if (nevents == 0) {
            return 1;
        }

        return events[unit_below(nevents)].id + unit_below(3) - 1;
    }
}


/* removes what is in a folder, and makes it */
static void
clear(const char *folder, ngx_uint_t make)
{
    DIR            *dir;
    struct dirent  *de;

    dir = opendir(folder);

    if (dir) {

        while ((de = readdir(dir)) != NULL) {

            if (de->d_name[0] != '.') {
                (void) unlinkat(dirfd(dir), de->d_name, 0);
            }
        }

        (void) closedir(dir);
    }

    if (make) {
        (void) mkdir(folder, 0700);

    } else {
        (void) rmdir(folder);
    }
}


static int
disk_folder(void *data, const char *path)
{
    int  fd;

    fd = ngx_msgbus_disk.folder(data, path);
    fds += fd != -1;

    return fd;
}


static int
disk_open(void *data, int folder, const char *name, ngx_uint_t how)
{
    int  fd;

    if (fails && --fails == 0) {
        ngx_set_errno(NGX_EMFILE);
        return -1;
    }

    fd = ngx_msgbus_disk.open(data, folder, name, how);
    fds += fd != -1;

    return fd;
}


static void
disk_close(void *data, int fd)
{
    fds--;
    ngx_msgbus_disk.close(data, fd);
}


static ssize_t
disk_pread(void *data, int fd, void *p, size_t len, uint64_t offset)
{
    if (fails && --fails == 0) {
        ngx_set_errno(EIO);
        return -1;
    }

    return ngx_msgbus_disk.pread(data, fd, p, len, offset);
}


/* no power is cut here that one would have to be prepared for */
static ngx_int_t
disk_sync(void *data, int fd)
{
    return NGX_OK;
}


static uint64_t
disk_wall(void *data)
{
    return 1325376000000 + now;
}


static uint64_t
disk_monotonic(void *data)
{
    return now * 1000;
}


static ngx_int_t
disk_boot(void *data, u_char *id)
{
    memset(id, (int) (boots & 0xff), NGX_MSGBUS_JOURNAL_BOOT_LEN);

    return NGX_OK;
}
