
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A journal on a disk that loses what it may lose, under two writers that
 * write in turn, die, are stopped, and meet calls that fail.
 *
 * At each call that changes something the power is cut, or all processes are
 * killed, in copies of the disk, some of them in the middle of the call; then
 * the journal is recovered from each copy, and must have all that was
 * acknowledged, once, with the ids that were told, and nothing that was not
 * posted, was refused, or was not there before.  In some copies it goes on
 * from there, and is cut again.
 *
 *     journal_crash POINTS [RULE]
 *
 * A rule of ngx_msgbus_journal_rule.h that is left out must be missed: then
 * the program ends with an error, and says what was lost.
 */


#include "journal_sim.h"
#include <setjmp.h>
#include "ngx_msgbus_journal_crc.h"
#include "ngx_msgbus_journal_keep.h"
#include "ngx_msgbus_journal_known.h"
#include "ngx_msgbus_journal_read.h"
#include "ngx_msgbus_journal_rule.h"


#define EVENTS    160
#define WRITERS   2
#define SEGMENT   8192


/* what has become of an event */
enum {
    ASKED = 0,       /* nothing of it is written */
    BEGUN,           /* it may be there */
    LAZY,            /* told of, not synced */
    DURABLE,         /* acknowledged, or seen */
    ABORTED,         /* not stored, and will not be */
    DEAD,            /* not there, when somebody looked */
    GONE             /* removed, to make room */
};


typedef struct {
    uint64_t               id;
    ngx_uint_t             state;
    ngx_uint_t             writer;
    ngx_uint_t             seen;       /* in the check of this number */
} event_t;


static void check_crc(void);
static void check_room(void);
static ngx_int_t sync_fails(void *data, int fd);
static void check_apart(void);
static ngx_int_t lock_taken(void *data, int fd, ngx_uint_t how);
static void check_leave(void);
static void check_half_done(void);
static ngx_int_t mark_fails(void *data, int fd, const void *p, size_t len,
    uint64_t offset);
static ngx_int_t rename_fails(void *data, int folder, const char *from,
    const char *to);
static void check_numbers(void);
static void check_copied(void);
static uint64_t one_more(ngx_uint_t i, ngx_uint_t stops);
static ngx_int_t unlink_fails(void *data, int folder, const char *name);
static void forge(void);
static void empty(void);
static void history(void);
static void step(void);
static void begin(ngx_uint_t w);
static void keep(ngx_uint_t w);
static void post(ngx_uint_t w);
static void told(ngx_uint_t w, ngx_uint_t from, ngx_int_t rc);
static void resolve(ngx_uint_t w);
static void end(ngx_uint_t w);
static void died(ngx_uint_t w);
static void hook(void *data, const char *name);
static void written(const u_char *p, size_t len);
static void cut(ngx_uint_t power);
static void check(sim_t *sim, ngx_uint_t depth);
static ngx_int_t read_all(sim_t *sim, uint64_t *lost);
static ngx_int_t take(void *data, ngx_msgbus_journal_event_t *ev);
static void make(ngx_uint_t n, ngx_msgbus_journal_event_t *ev, u_char *bytes);
static void check_older(void);
static void find_keys(sim_t *sim);
static void make_key(ngx_uint_t n, u_char *key);
static void make_token(ngx_uint_t n, u_char *token);
static void rot(void);
static void go_on(void);


ngx_uint_t  ngx_msgbus_journal_left_out;


static sim_t                      disks[4];
static sim_t                     *disk = &disks[0];
static sim_t                     *image = &disks[1];
static ngx_msgbus_disk_t          calls[4];
static ngx_msgbus_journal_t       journals[WRITERS];
static ngx_msgbus_journal_keeper_t  keepers[WRITERS];
static ngx_uint_t                 opened[WRITERS];
static ngx_uint_t                 unsure[WRITERS];
static ngx_uint_t                 life[WRITERS];
static ngx_uint_t                 lives;
static ngx_msgbus_journal_conf_t  conf;
static event_t                    events[EVENTS];
static ngx_uint_t                 nevents;
static ngx_uint_t                 asked_from;
static ngx_uint_t                 checks;
static ngx_uint_t                 points;
static ngx_uint_t                 kill_in;
static ngx_uint_t                 hooked;
static ngx_uint_t                 holding;
static ngx_uint_t                 holder;
static uint64_t                   oldest;
static jmp_buf                    death;
static u_char                     text[1024];
static u_char                     forged[8 * 65];
static ngx_uint_t                 fail_sync;
static int                        fail_fd = -1;    /* of a mark */
static unsigned                   fail_written;    /* and yet it is there */
static ngx_uint_t                 fail_rename;
static ngx_uint_t                 fail_named;
static ngx_uint_t                 fail_unlink;
static ngx_uint_t                 taken;
static int                        taken_fd;
static unsigned                   bare;

static uint64_t                   cuts, kills, failures, moves, histories,
                                  holes, declined, busy, unknown, gone_on,
                                  aborted, stops, lazies, removed, indexes,
                                  jumps, rots, keys;


int
main(int argc, char **argv)
{
    ngx_uint_t  i, want;

    unit_init();

    want = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    ngx_msgbus_journal_left_out = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

    memset(text, 'x', sizeof(text));
    forge();

    for (i = 0; i < 4; i++) {
        sim_init(&disks[i]);
        sim_calls(&calls[i], &disks[i]);
    }

    check_crc();
    check_room();
    check_older();

    if (ngx_msgbus_journal_left_out == 0
        || ngx_msgbus_journal_left_out == NGX_MSGBUS_RULE_COPIED)
    {
        check_copied();
    }

    if (ngx_msgbus_journal_left_out == 0) {
        check_apart();
        check_leave();
        check_half_done();
        check_numbers();
    }

    while (points < want) {
        history();
    }

    printf("crash points: %lu\n", (unsigned long) points);
    printf("power cuts: %" PRIu64 "\n", cuts);
    printf("killed: %" PRIu64 "\n", kills);
    printf("failed calls: %" PRIu64 "\n", failures);
    printf("segments begun: %" PRIu64 "\n", moves);
    printf("histories: %" PRIu64 "\n", histories);
    printf("holes: %" PRIu64 "\n", holes);
    printf("ids taken: %" PRIu64 "\n", declined);
    printf("not known: %" PRIu64 "\n", unknown);
    printf("refused: %" PRIu64 "\n", aborted);
    printf("clean stops: %" PRIu64 "\n", stops);
    printf("told before a sync: %" PRIu64 "\n", lazies);
    printf("segments removed: %" PRIu64 "\n", removed);
    printf("indexes made: %" PRIu64 "\n", indexes);
    printf("bytes rotten: %" PRIu64 "\n", rots);
    printf("clock jumps: %" PRIu64 "\n", jumps);
    printf("keys: %" PRIu64 "\n", keys);
    printf("gone on: %" PRIu64 "\n", gone_on);

    return 0;
}


/* the processor's way and the table's are one, and the one of the books */
static void
check_crc(void)
{
    size_t      len;
    u_char      bytes[64];
    ngx_uint_t  i;

    unit_check(ngx_msgbus_journal_crc(0, "123456789", 9) == 0xe3069283,
               "another crc");

    for (i = 0; i < 1000; i++) {
        len = unit_below(64);
        calls[0].random(&disks[0], bytes, len);

        unit_check(ngx_msgbus_journal_crc((uint32_t) i, bytes, len)
                   == ngx_msgbus_journal_crc_table((uint32_t) i, bytes, len),
                   "another crc by table");
    }
}


/*
 * A batch that is larger than a segment has room, also when the sync of the
 * mark of ids before it fails.
 */
static void
check_room(void)
{
    ngx_uint_t                   i;
    ngx_msgbus_disk_t            failing;
    ngx_msgbus_journal_t         j;
    ngx_msgbus_journal_event_t   ev[5];

    memset(&conf, 0, sizeof(conf));
    conf.path = "journal";
    conf.segment = SEGMENT;
    conf.patience = 1000;

    failing = calls[0];
    failing.datasync = sync_fails;

    unit_check(ngx_msgbus_journal_open(&j, &conf, &failing) == NGX_OK
               && ngx_msgbus_journal_look(&j) == NGX_OK,
               "no journal: %s", j.error);

    memset(ev, 0, sizeof(ev));

    for (i = 0; i < 5; i++) {
        ev[i].id = j.at.id + 1000000 + i;
        ev[i].data.data = text;
        ev[i].data.len = sizeof(text);
    }

    fail_sync = 1;

    unit_check(ngx_msgbus_journal_insert(&j, ev, 5) == NGX_OK
               && fail_sync == 0,
               "not inserted: %s", j.error);

    unit_check(j.at.offset <= j.header.size,
               "a frame that ends at %" PRIu64 ", behind the segment's end",
               j.at.offset);

    ngx_msgbus_journal_close(&j);
}


static ngx_int_t
sync_fails(void *data, int fd)
{
    if (fail_sync) {
        fail_sync--;
        ngx_set_errno(EIO);

        return NGX_ERROR;
    }

    return calls[0].datasync(data, fd);
}


/*
 * What an older version has begun has no keys, and gets none: it is not looked
 * through for any.
 */
static void
check_older(void)
{
    u_char                       bytes[700];
    uint64_t                     sequence;
    ngx_uint_t                   i;
    ngx_msgbus_journal_t         j;
    ngx_msgbus_journal_event_t   ev;

    unit_check(ngx_msgbus_journal_open(&j, &conf, &calls[0]) == NGX_OK
               && ngx_msgbus_journal_look(&j) == NGX_OK,
               "no journal: %s", j.error);

    j.header.flags = 0;
    sequence = j.header.sequence;

    for (i = 0; i < 3; i++) {
        make(i, &ev, bytes);
        ev.id = j.at.id + 1;

        if (i == 0) {
            ev.fields.len = 0;
        }

        unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_OK,
                   "not inserted: %s", j.error);

        unit_check(j.header.sequence == sequence + (i != 0),
                   "event %lu is in segment %" PRIu64, (unsigned long) i,
                   j.header.sequence);
    }

    unit_check(j.header.flags == NGX_MSGBUS_JOURNAL_KEYED, "no flag");

    /* somebody has written since a key was looked for, whatever its id */

    j.expects = j.at.id;
    ev.id = j.at.id + 1;

    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_OK,
               "not inserted: %s", j.error);

    ev.id = j.at.id + 100;

    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_DECLINED,
               "inserted beside what was not looked at");

    ngx_msgbus_journal_close(&j);
}


/*
 * Who has lost its sign of life to somebody who wants to be alone writes nothing
 * until it has it again.
 */
static void
check_apart(void)
{
    ngx_msgbus_disk_t            others;
    ngx_msgbus_journal_t         j;
    ngx_msgbus_journal_event_t   ev;

    conf.sync = NGX_MSGBUS_JOURNAL_NEVER;
    conf.unsynced = 3000;

    others = calls[0];
    others.lock = lock_taken;

    unit_check(ngx_msgbus_journal_open(&j, &conf, &others) == NGX_OK
               && ngx_msgbus_journal_look(&j) == NGX_OK,
               "no journal: %s", j.error);

    memset(&ev, 0, sizeof(ev));
    ev.data.data = text;
    ev.data.len = 10;

    /* it is lost where it looks for others */

    taken_fd = j.nodes_fd;
    taken = 1;

    ev.id = j.at.id + 1;
    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_OK,
               "not inserted: %s", j.error);

    ev.id = j.at.id + 1;
    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_ABORT,
               "written, and others do not know");

    taken = 0;

    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_OK,
               "not inserted: %s", j.error);

    (void) ngx_msgbus_journal_stop(&j);
    ngx_msgbus_journal_close(&j);
}


static ngx_int_t
lock_taken(void *data, int fd, ngx_uint_t how)
{
    if (taken && fd == taken_fd) {
        return NGX_BUSY;
    }

    return calls[0].lock(data, fd, how);
}


/*
 * Where there are other writers, what is not synced is synced before the lock
 * is let go.  When that fails all goes to a new file at once, for nobody may
 * look at what is left of the old one; and when that fails too, nobody is told
 * that the event is there.
 */
static void
check_leave(void)
{
    uint64_t                     lost;
    ngx_msgbus_disk_t            failing;
    ngx_msgbus_journal_t         j, other;
    ngx_msgbus_journal_event_t   ev;

    failing = calls[0];
    failing.datasync = sync_fails;
    failing.rename = rename_fails;

    unit_check(ngx_msgbus_journal_open(&j, &conf, &failing) == NGX_OK
               && ngx_msgbus_journal_open(&other, &conf, &calls[0]) == NGX_OK
               && ngx_msgbus_journal_look(&j) == NGX_OK,
               "no journal: %s", j.error);

    memset(&ev, 0, sizeof(ev));
    ev.data.data = text;
    ev.data.len = 10;

    ev.id = j.at.id + 1;
    fail_sync = 1;

    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_OK
               && fail_sync == 0,
               "not inserted: %s", j.error);

    unit_check(!j.failed && j.healed == 1 && j.durable.id == ev.id,
               "told of, and left in a file that is not to be trusted");

    ev.id = j.at.id + 1;
    fail_sync = 1;
    fail_rename = 1;

    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_ERROR
               && fail_sync == 0 && fail_rename == 0,
               "told of, and in memory alone");

    unit_check(read_all(&disks[0], &lost) == NGX_AGAIN,
               "others read what a failed sync has left");

    unit_check(ngx_msgbus_journal_look(&j) == NGX_OK
               && !j.failed && j.healed == 2
               && ngx_msgbus_journal_look(&other) == NGX_OK
               && other.at.id == ev.id,
               "not made good: %s", other.error);

    ngx_msgbus_journal_close(&other);
    (void) ngx_msgbus_journal_stop(&j);
    ngx_msgbus_journal_close(&j);
}


static ngx_int_t
rename_fails(void *data, int folder, const char *from, const char *to)
{
    if (fail_rename) {
        fail_rename--;
        ngx_set_errno(EIO);

        return NGX_ERROR;
    }

    if (fail_named && calls[0].rename(data, folder, from, to) == NGX_OK) {

        /* it is said to have failed, and has not */

        fail_named--;
        fail_unlink = 2;
        ngx_set_errno(EIO);

        return NGX_ERROR;
    }

    return calls[0].rename(data, folder, from, to);
}


/*
 * A mark that says that something is half done, and was told to have failed;
 * another one finds it, names a segment, and dies at its own mark.  What the
 * first one goes on to acknowledge is there after a power cut.
 */
static void
check_half_done(void)
{
    u_char                       bytes[700];
    ngx_msgbus_disk_t            failing;
    ngx_msgbus_journal_t         j, other;
    ngx_msgbus_journal_event_t   ev;

    disk = &disks[0];
    image = &disks[1];

    empty();

    conf.sync = 0;
    nevents = 0;

    failing = calls[0];
    failing.pwrite = mark_fails;

    unit_check(ngx_msgbus_journal_open(&j, &conf, &failing) == NGX_OK
               && ngx_msgbus_journal_open(&other, &conf, &failing) == NGX_OK
               && ngx_msgbus_journal_look(&j) == NGX_OK,
               "no journal: %s", j.error);

    fail_fd = j.lock_fd;
    fail_written = 1;

    unit_check(ngx_msgbus_journal_publish(&j, NGX_MSGBUS_JOURNAL_DIRTY)
               == NGX_ERROR,
               "a mark that could not be written");

    fail_fd = other.lock_fd;
    fail_written = 0;

    unit_check(ngx_msgbus_journal_look(&other) == NGX_ERROR
               && other.header.sequence > j.header.sequence,
               "no segment named, and no mark missed");

    fail_fd = -1;
    ngx_msgbus_journal_close(&other);

    ev.id = j.at.id + 1;
    events[nevents].id = ev.id;
    events[nevents].state = DURABLE;
    make(nevents++, &ev, bytes);

    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_OK,
               "not inserted: %s", j.error);

    sim_crash(image, disk);
    check(image, 0);

    (void) ngx_msgbus_journal_stop(&j);
    ngx_msgbus_journal_close(&j);

    nevents = 0;
}


static ngx_int_t
mark_fails(void *data, int fd, const void *p, size_t len, uint64_t offset)
{
    if (fd != fail_fd) {
        return calls[0].pwrite(data, fd, p, len, offset);
    }

    if (fail_written) {
        (void) calls[0].pwrite(data, fd, p, len, offset);
    }

    ngx_set_errno(EIO);

    return NGX_ERROR;
}



/* Two writers fail to begin a segment, in turn: no two have one number. */
static void
check_numbers(void)
{
    uint64_t                     sequence;
    ngx_msgbus_disk_t            failing;
    ngx_msgbus_journal_t         j, other, next;
    ngx_msgbus_journal_event_t   ev;

    failing = calls[0];
    failing.rename = rename_fails;
    failing.unlink = unlink_fails;

    unit_check(ngx_msgbus_journal_open(&j, &conf, &failing) == NGX_OK
               && ngx_msgbus_journal_open(&other, &conf, &failing) == NGX_OK
               && ngx_msgbus_journal_look(&j) == NGX_OK,
               "no journal: %s", j.error);

    memset(&ev, 0, sizeof(ev));
    ev.data.data = text;
    ev.data.len = 10;

    ev.id = j.at.id + 1;
    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_OK,
               "not inserted: %s", j.error);

    /* there is no room for another one */

    sequence = j.header.sequence;
    j.header.size = j.at.offset;
    ev.id = j.at.id + 1;
    fail_named = 1;

    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_ABORT,
               "inserted, and there is no segment for it");

    fail_named = 1;

    unit_check(ngx_msgbus_journal_look(&other) == NGX_ERROR
               && fail_named == 0 && fail_unlink == 0,
               "settled, without a segment");

    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_OK,
               "not inserted: %s", j.error);

    unit_check(j.header.sequence == sequence + 3,
               "segment %" PRIu64 " is there twice", j.header.sequence);

    unit_check(ngx_msgbus_journal_open(&next, &conf, &calls[0]) == NGX_OK
               && ngx_msgbus_journal_look(&next) == NGX_OK
               && next.at.id == ev.id,
               "not what was written: %s", next.error);

    ngx_msgbus_journal_close(&next);
    ngx_msgbus_journal_close(&other);
    (void) ngx_msgbus_journal_stop(&j);
    ngx_msgbus_journal_close(&j);
}


/*
 * A copy, of a journal that was stopped or of one that was in use, is put back
 * when the journal has gone on: its ids begin above those that were given out
 * meanwhile, and who reads over the place is told where events may be missing.
 * What was stopped and is the same goes on from its last id.
 */
static void
check_copied(void)
{
    uint64_t    last, next, lost;
    ngx_uint_t  i, stops, how, reboots;

    empty();

    for (i = 0; i < 16; i++) {
        stops = (i & 3) != 0;
        how = (i & 3) - stops;
        reboots = i & 4;
        conf.sync = i & 8 ? NGX_MSGBUS_JOURNAL_NEVER : 0;

        next = one_more(0, 1);
        last = one_more(0, stops);

        unit_check(last == next + 1, "id %" PRIu64 " behind %" PRIu64 ", and "
                   "all was well", last, next);

        sim_killed(&disks[1], &disks[0]);
        sim_copied(&disks[1], how);

        if (reboots) {
            disks[1].boot += 1000000;
        }

        if (stops) {

            /* a tool brings ids of its own, and leaves it a copy */

            sim_killed(&disks[3], &disks[1]);

            bare = 1;
            unit_check(one_more(3, 1) == last + 1,
                       "no import into a copy");
            bare = 0;
        }

        last = one_more(0, 1);
        last = one_more(0, 1);
        next = one_more(1, 1);

        unit_check(!stops || one_more(3, 1) > last,
                   "who comes after an import into a copy goes on");

        unit_check(next > last, "a copy of one that was %s, %s: id %" PRIu64
                   " would be given out again, %" PRIu64 " was begun",
                   stops ? "stopped" : "in use",
                   reboots ? "after a reboot" : "in the same boot", next,
                   last);

        unit_check(read_all(&disks[1], &lost) == NGX_OK,
                   "a copy that nobody can read");

        unit_check((lost != 0) == (conf.sync != 0),
                   "events may be missing: %" PRIu64, lost);

        /* from then on it is no copy */

        last = one_more(1, 1);

        unit_check(last == next + 1, "id %" PRIu64 " behind %" PRIu64 ", and "
                   "the copy was in use", last, next);
    }

    nevents = 0;
    conf.sync = 0;
}


/* a start, an event, and a stop, or a death; its id */
static uint64_t
one_more(ngx_uint_t i, ngx_uint_t stops)
{
    u_char                       bytes[700];
    ngx_msgbus_journal_t         j;
    ngx_msgbus_journal_event_t   ev;

    unit_check(ngx_msgbus_journal_open(&j, &conf, &calls[i]) == NGX_OK,
               "no journal: %s", j.error);

    j.bare = bare;

    unit_check(ngx_msgbus_journal_look(&j) == NGX_OK,
               "no journal: %s", j.error);

    ev.id = j.at.id + 1;
    events[nevents].id = ev.id;
    events[nevents].state = DURABLE;
    make(nevents++, &ev, bytes);

    unit_check(ngx_msgbus_journal_insert(&j, &ev, 1) == NGX_OK,
               "not inserted: %s", j.error);

    if (stops) {
        unit_check(ngx_msgbus_journal_stop(&j) == NGX_OK,
                   "not stopped: %s", j.error);
    }

    ngx_msgbus_journal_close(&j);

    return ev.id;
}


static ngx_int_t
unlink_fails(void *data, int folder, const char *name)
{
    if (fail_unlink) {
        fail_unlink--;
        ngx_set_errno(EIO);

        return NGX_ERROR;
    }

    return calls[0].unlink(data, folder, name);
}


/*
 * What a client may post that has read the documents: a frame that would be
 * good if it did not have to know the salt, at each place that a frame can
 * have.  It claims that all is durable.
 */
static void
forge(void)
{
    ngx_uint_t                  i, left_out;
    ngx_msgbus_journal_frame_t  f;

    memset(&f, 0, sizeof(f));

    f.length = NGX_MSGBUS_JOURNAL_FRAME;
    f.type = NGX_MSGBUS_JOURNAL_NOTE;
    f.sequence = 1000001;
    f.first_id = 1;
    f.durable = 1000000;

    left_out = ngx_msgbus_journal_left_out;
    ngx_msgbus_journal_left_out = NGX_MSGBUS_RULE_SEED;

    for (i = 0; i < 8; i++) {
        ngx_msgbus_journal_frame_seal(&f, forged + 65 * i, 0, 0);
    }

    ngx_msgbus_journal_left_out = left_out;
}


static void
empty(void)
{
    sim_crash(image, disk);
    disk->nnames = 0;
    disk->ndurable = 0;
    disk->nchanges = 0;
    sim_crash(image, disk);
    sim_crash(disk, image);

    disk->wall = 1000000;
}


/* from an empty folder on */
static void
history(void)
{
    ngx_uint_t  w;

    static const uint64_t  syncs[] = { 0, 0, 2000, NGX_MSGBUS_JOURNAL_NEVER };

    histories++;
    disk = &disks[0];
    image = &disks[1];

    empty();

    memset(opened, 0, sizeof(opened));
    memset(unsure, 0, sizeof(unsure));
    nevents = 0;
    asked_from = 0;

    conf.path = "journal";
    conf.segment = SEGMENT;
    conf.sync = syncs[unit_below(4)];
    conf.size = unit_once_in(3) ? 1 + 5 * SEGMENT * unit_below(2) : 0;
    conf.ttl = conf.size == 0 && unit_once_in(2) ? 1000000 : 0;
    conf.patience = 1000;
    conf.unsynced = 3000;

    while (nevents < EVENTS - 20 && disk->nnames < SIM_FILES - 8) {
        unit_step++;
        step();
    }

    for (w = 0; w < WRITERS; w++) {

        if (opened[w]) {
            died(w);
        }
    }
}


static void
step(void)
{
    ngx_uint_t  w, failed;

    static uint64_t  jump;

    w = holding ? holder : unit_once_in(4);
    disk->owner = w;
    disk->hook = hook;
    disk->written = written;
    failed = disk->failed;

    kill_in = !holding && unit_once_in(12) ? 1 + unit_below(20) : 0;
    disk->fail_in = unit_once_in(6) ? 1 + unit_below(30) : 0;
    disk->failures = disk->fail_in && unit_once_in(2) ? unit_below(6) : 0;
    disk->full = unit_once_in(20);
    disk->destroys = opened[w] && kill_in == 0;

    /* a clock that is set, and set back */

    jump = conf.ttl && opened[w] && unit_once_in(20) ? 100000000 : 0;
    disk->wall += jump;
    jumps += jump != 0;

    if (setjmp(death) == 0) {

        if (!opened[w]) {
            begin(w);

        } else if (unit_once_in(25) && !holding) {
            end(w);

        } else if (unit_once_in(6)) {
            keep(w);

        } else {
            post(w);
        }

    } else {
        kills++;
        died(w);
    }

    failures += disk->failed - failed;

    disk->fail_in = 0;
    disk->failures = 0;
    disk->full = 0;
    disk->hook = NULL;
    hooked = 0;
    kill_in = 0;

    /* what only this process has is not on any disk */

    holding = disk->destroyed && opened[w] && journals[w].failed;
    holder = w;

    if (!holding) {
        disk->destroyed = 0;
    }

    if (unit_once_in(3) && !holding) {
        rot();
    }

    if (unit_once_in(40) && !holding) {
        go_on();
    }

    disk->wall -= jump;
}


static void
begin(ngx_uint_t w)
{
    ngx_msgbus_journal_t  *j;

    j = &journals[w];

    if (ngx_msgbus_journal_open(j, &conf, &calls[disk - disks]) != NGX_OK) {
        ngx_msgbus_journal_close(j);
        return;
    }

    if (ngx_msgbus_journal_keeper_open(&keepers[w], &conf,
                                       &calls[disk - disks], j->writer)
        != NGX_OK)
    {
        ngx_msgbus_journal_keeper_close(&keepers[w]);
        ngx_msgbus_journal_close(j);
        return;
    }

    opened[w] = 1;
    life[w] = ++lives;
    unsure[w] = 1;

    resolve(w);
}


/* looks until it is known what is there */
static void
resolve(ngx_uint_t w)
{
    uint64_t     lost;
    ngx_int_t    rc;
    ngx_uint_t   i;

    rc = ngx_msgbus_journal_look(&journals[w]);

    if (rc != NGX_OK) {
        unit_check(!journals[w].damaged, "damage where there is none: %s",
                   journals[w].error);
        return;
    }

    disk->hook = NULL;
    i = disk->fail_in;
    disk->fail_in = 0;

    rc = read_all(disk, &lost);
    unit_check(rc == NGX_OK, "a look that nobody can read after");

    for (i = 0; i < nevents; i++) {

        if (events[i].seen == checks) {
            events[i].state = DURABLE;

        } else if (conf.size && events[i].id <= oldest) {

            /* it had to make room; a crash may bring it back */

            events[i].state = GONE;

        } else if (events[i].state == BEGUN
                   || (events[i].state == LAZY && events[i].id <= lost))
        {
            /* what a writer that lives has begun is seen by its next look */

            events[i].state = DEAD;
        }
    }

    unsure[w] = 0;
    disk->hook = hook;
}


static void
keep(ngx_uint_t w)
{
    uint64_t                      before, made;
    ngx_msgbus_journal_keeper_t  *k;

    k = &keepers[w];
    before = k->removed;
    made = k->made;

    (void) ngx_msgbus_journal_keeper_turn(k);

    removed += k->removed - before;
    indexes += k->made - made;
}


static void
post(ngx_uint_t w)
{
    u_char                       bytes[6 * 1024], *p;
    uint64_t                     id;
    ngx_int_t                    rc;
    ngx_uint_t                   i, n, before;
    ngx_msgbus_journal_t        *j;
    ngx_msgbus_journal_event_t   ev[8];

    j = &journals[w];

    if (unsure[w] || unit_once_in(10)) {
        resolve(w);

        if (unsure[w]) {
            return;
        }
    }

    if (unit_once_in(8)) {
        (void) ngx_msgbus_journal_flush(j, unit_once_in(2));
        told(w, nevents, NGX_OK);

        if (unsure[w]) {
            return;
        }
    }

    n = 1 + (unit_once_in(3) ? unit_below(8) : 0);
    id = j->at.id + 1;

    if (unit_once_in(4)) {
        id += unit_below(9000);
    }

    p = bytes;
    asked_from = nevents;

    for (i = 0; i < n; i++) {
        events[nevents].id = id + i;
        events[nevents].state = ASKED;
        events[nevents].writer = life[w];

        make(nevents, &ev[i], p);
        p += 700;
        nevents++;
    }

    before = j->segments;

    rc = ngx_msgbus_journal_insert(j, ev, n);

    moves += j->segments - before;

    told(w, asked_from, rc);
}


static void
told(ngx_uint_t w, ngx_uint_t from, ngx_int_t rc)
{
    uint64_t               lost;
    ngx_uint_t             i;
    ngx_msgbus_journal_t  *j;

    j = &journals[w];

    for (i = from; i < nevents; i++) {

        switch (rc) {

        case NGX_OK:
            events[i].state = conf.sync ? LAZY : DURABLE;
            lazies += conf.sync != 0;
            break;

        case NGX_ERROR:
            unknown++;
            events[i].state = BEGUN;
            unsure[w] = 1;
            break;

        case NGX_DECLINED:
            declined++;
            events[i].state = ABORTED;
            unsure[w] = 1;
            break;

        default:
            aborted++;
            events[i].state = ABORTED;
        }
    }

    if (!j->known || conf.sync == 0 || (disk->destroyed && j->failed)) {

        /* what only this process has is not on any disk */

        asked_from = nevents;
        return;
    }

    /* what is synced by now; others may have lost it meanwhile */

    for (i = 0; i < nevents; i++) {

        if (events[i].state == LAZY && events[i].writer == life[w]
            && events[i].id <= j->durable.id)
        {
            disk->hook = NULL;
            disk->fail_in = 0;

            if (read_all(disk, &lost) == NGX_OK) {
                break;
            }

            i = nevents;
        }
    }

    for ( /* void */ ; i < nevents; i++) {

        if (events[i].state == LAZY && events[i].seen == checks) {
            events[i].state = DURABLE;
        }
    }

    asked_from = nevents;
}


static void
end(ngx_uint_t w)
{
    /* what it keeps in memory goes with it */

    disk->destroys = 0;

    if (ngx_msgbus_journal_stop(&journals[w]) == NGX_OK) {
        stops++;
        told(w, nevents, NGX_OK);
    }

    died(w);
}


static void
died(ngx_uint_t w)
{
    ngx_uint_t  i;

    disk->hook = NULL;
    disk->fail_in = 0;

    for (i = asked_from; i < nevents; i++) {

        /* nobody was told; what has not begun never will */

        if (events[i].state == ASKED) {
            events[i].state = ABORTED;
        }
    }

    asked_from = nevents;

    ngx_msgbus_journal_close(&journals[w]);

    if (opened[w]) {

        /* the file that is to be the next segment stays behind */

        keepers[w].spare_fd = -1;
        ngx_msgbus_journal_keeper_close(&keepers[w]);
    }

    sim_kill(disk, w);

    opened[w] = 0;
}


/* before each call that changes something, and in the middle of writes */
static void
hook(void *data, const char *name)
{
    ngx_uint_t  i, n, saved, owner;

    if (hooked || (disk->destroyed && opened[disk->owner]
                   && journals[disk->owner].failed))
    {
        return;
    }

    hooked = 1;
    disk->hook = NULL;

    saved = disk->fail_in;
    disk->fail_in = 0;

    n = name[0] == 'w' && !disk->segment ? 2 : 6;

    for (i = 0; i < n; i++) {
        cut(i || unit_once_in(3));
    }

    if (unit_once_in(50) && opened[0] && opened[1] && disk->owner == 0
        && asked_from == nevents - 1)
    {
        /* another one comes in between */

        owner = disk->owner;
        disk->owner = 1 - owner;
        saved = 0;
        i = asked_from;

        busy++;
        (void) ngx_msgbus_journal_look(&journals[1 - owner]);

        asked_from = i;
        disk->owner = owner;
    }

    disk->fail_in = saved;
    disk->hook = hook;
    hooked = 0;

    if (kill_in && --kill_in == 0) {
        longjmp(death, 1);
    }
}


/* a write of an event that was asked for has begun */
static void
written(const u_char *p, size_t len)
{
    u_char      token[16];
    ngx_uint_t  i;

    if (asked_from == nevents) {
        return;
    }

    make_token(asked_from, token);

    /* some bytes of it are enough to have its id on the disk */

    if (len < 24 || memmem(p, len, token, 4) == NULL) {
        return;
    }

    for (i = asked_from; i < nevents; i++) {
        events[i].state = BEGUN;
    }
}


static void
cut(ngx_uint_t power)
{
    points++;

    if (power) {
        cuts++;
        sim_crash(image, disk);

    } else {
        sim_killed(image, disk);
    }

    check(image, 0);
}


/* recovers from a copy, and sees whether all is there */
static void
check(sim_t *sim, ngx_uint_t depth)
{
    u_char                      bytes[700];
    uint64_t                    lost, highest;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_msgbus_journal_t        j;
    ngx_msgbus_journal_event_t  ev;

    sim->owner = 7;

    rc = ngx_msgbus_journal_open(&j, &conf, &calls[sim - disks]);
    unit_check(rc == NGX_OK, "not opened: %s", j.error);

    rc = ngx_msgbus_journal_look(&j);
    unit_check(rc == NGX_OK, "not recovered: %s", j.error);

    rc = read_all(sim, &lost);
    unit_check(rc == NGX_OK, "recovered, and nobody can read");

    if (unit_once_in(8)) {
        find_keys(sim);
    }

    highest = 0;

    for (i = 0; i < nevents; i++) {

        if (events[i].state == BEGUN || events[i].state == LAZY
            || events[i].state == DURABLE)
        {
            highest = ngx_max(highest, events[i].id);
        }

        if (events[i].seen == checks
            || (conf.size && events[i].id <= oldest))
        {
            continue;
        }

        unit_check(events[i].state != DURABLE,
                   "event %lu, id %" PRIu64 ", was acknowledged and is lost",
                   (unsigned long) i, events[i].id);

        unit_check(events[i].state != LAZY || events[i].id <= lost,
                   "event %lu, id %" PRIu64 ", is lost and nobody is told",
                   (unsigned long) i, events[i].id);
    }

    unit_check(j.at.id >= highest, "id %" PRIu64 " would be given out again, "
               "%" PRIu64 " was begun", j.at.id + 1, highest);

    holes += lost != 0;

    /* goes on, in some, and is cut again */

    if (depth == 0 && unit_once_in(8) && nevents < EVENTS - 4) {

        events[nevents].id = j.at.id + 1;
        events[nevents].state = ASKED;

        make(nevents, &ev, bytes);

        rc = ngx_msgbus_journal_insert(&j, &ev, 1);
        unit_check(rc == NGX_OK, "no insert after a recovery: %s", j.error);

        if (conf.sync == 0) {
            events[nevents].state = DURABLE;

        } else {
            events[nevents].state = LAZY;
        }

        nevents++;

        if (unit_once_in(4)) {
            (void) ngx_msgbus_journal_stop(&j);
        }

        sim_crash(&disks[2], sim);
        check(&disks[2], 1);

        nevents--;
    }

    ngx_msgbus_journal_close(&j);
}


/* of what was just read, each event is found by its key, and no other */
static void
find_keys(sim_t *sim)
{
    u_char                       key[NGX_MSGBUS_JOURNAL_KEY];
    ngx_int_t                    rc;
    ngx_uint_t                   i, n;
    ngx_msgbus_journal_known_t   known;
    ngx_msgbus_journal_found_t   f;

    rc = ngx_msgbus_journal_known_open(&known, "journal",
                                       &calls[sim - disks]);
    unit_check(rc == NGX_OK, "no keys: %s", known.reader.error);

    rc = ngx_msgbus_journal_known_look(&known);
    unit_check(rc == NGX_OK, "no look for keys: %s", known.reader.error);

    for (i = 0; i < 4 && nevents; i++) {
        n = unit_below(nevents);
        make_key(n, key);

        rc = ngx_msgbus_journal_known_find(&known, key, 0, &f);

        unit_check(rc == NGX_OK || rc == NGX_DONE, "no answer: %s",
                   known.reader.error);

        unit_check((rc == NGX_OK) == (events[n].seen == checks && n % 4),
                   "event %lu, id %" PRIu64 ", is %s by its key",
                   (unsigned long) n, events[n].id,
                   rc == NGX_OK ? "found" : "not found");

        if (rc == NGX_OK) {
            unit_check(f.id == events[n].id
                       && memcmp(f.body, key + 16, 16) == 0,
                       "the key of event %lu is that of %" PRIu64,
                       (unsigned long) n, f.id);
            keys++;
        }
    }

    ngx_msgbus_journal_known_close(&known);
}


/* NGX_OK; NGX_AGAIN: a writer has to look first */
static ngx_int_t
read_all(sim_t *sim, uint64_t *lost)
{
    uint64_t                     last;
    ngx_int_t                    rc;
    ngx_msgbus_journal_page_t    page;
    ngx_msgbus_journal_reader_t  r;

    checks++;
    last = 0;

    rc = ngx_msgbus_journal_reader_open(&r, "journal", &calls[sim - disks]);
    unit_check(rc == NGX_OK, "no reader: %s", r.error);

    rc = ngx_msgbus_journal_reader_look(&r);
    unit_check(rc == NGX_OK || rc == NGX_AGAIN, "no look: %s", r.error);

    if (rc == NGX_AGAIN) {
        ngx_msgbus_journal_reader_close(&r);
        return NGX_AGAIN;
    }

    rc = ngx_msgbus_journal_read(&r, 0, 0, EVENTS + 1, 0, take, &last, &page);
    unit_check(rc == NGX_OK, "not read: %s", r.error);

    *lost = page.lost;
    oldest = r.oldest;

    ngx_msgbus_journal_reader_close(&r);

    return NGX_OK;
}


static ngx_int_t
take(void *data, ngx_msgbus_journal_event_t *ev)
{
    uint64_t *last = data;

    u_char                       bytes[700];
    ngx_uint_t                   n;
    ngx_msgbus_journal_event_t   made;

    unit_check(ev->id > *last, "id %" PRIu64 " after %" PRIu64, ev->id,
               *last);

    *last = ev->id;

    n = strtoul((char *) ev->data.data, NULL, 10);

    unit_check(ev->data.len >= 10 && n < nevents, "an event of nobody");

    make(n, &made, bytes);

    unit_check(made.data.len == ev->data.len
               && memcmp(made.data.data, ev->data.data, ev->data.len) == 0
               && made.channel.len == ev->channel.len
               && memcmp(made.channel.data, ev->channel.data, ev->channel.len)
                  == 0
               && made.uuid.len == ev->uuid.len
               && ev->user_agent.len == 3
               && ev->fields.len == made.fields.len
               && memcmp(ev->fields.data, made.fields.data, ev->fields.len)
                  == 0
               && ev->token && memcmp(ev->token, made.token, 16) == 0,
               "event %lu is not as it was", (unsigned long) n);

    unit_check(events[n].id == ev->id, "event %lu has id %" PRIu64 ", not %"
               PRIu64, (unsigned long) n, ev->id, events[n].id);

    unit_check(events[n].seen != checks, "event %lu is there twice",
               (unsigned long) n);

    unit_check(events[n].state != ABORTED && events[n].state != DEAD,
               "event %lu, id %" PRIu64 ", was %s and is there",
               (unsigned long) n, ev->id,
               events[n].state == DEAD ? "gone" : "refused");

    events[n].seen = checks;

    return NGX_OK;
}


/* the n-th event */
static void
make(ngx_uint_t n, ngx_msgbus_journal_event_t *ev, u_char *bytes)
{
    size_t  len;
    u_char  key[NGX_MSGBUS_JOURNAL_KEY];

    static u_char  tokens[EVENTS][16];
    static u_char  fields[EVENTS][NGX_MSGBUS_JOURNAL_KEY_FIELD];

    len = 10 + n * 37 % 400;

    memcpy(bytes, text, len);

    if (n % 16 == 5) {
        len = sizeof(forged) + 10;
        memcpy(bytes + 10, forged, sizeof(forged));
    }

    (void) sprintf((char *) bytes, "%09lu", (unsigned long) n);

    ev->id = events[n].id;
    ev->created = 1000000 + n;
    ev->data.data = bytes;
    ev->data.len = len;
    ev->channel.data = (u_char *) "/some/channel";
    ev->channel.len = 5 + n % 9;
    ev->uuid.data = text;
    ev->uuid.len = n % 5;
    ev->user_agent.data = text;
    ev->user_agent.len = 3;
    ev->fields.len = n % 4 ? NGX_MSGBUS_JOURNAL_KEY_FIELD : 0;
    ev->fields.data = fields[n];

    make_key(n, key);
    (void) ngx_msgbus_journal_key_write(key, fields[n]);

    make_token(n, tokens[n]);
    ev->token = tokens[n];
}


static void
make_key(ngx_uint_t n, u_char *key)
{
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        ngx_msgbus_journal_put(key + 8 * i, 8,
                               (n + 1 + i * 1000) * 0x9e3779b97f4a7c15);
    }
}


static void
make_token(ngx_uint_t n, u_char *token)
{
    memset(token, 0xee, 16);
    token[1] = (u_char) n;
    token[2] = (u_char) (n >> 8);
}


/*
 * A byte of what was durable changes while the machine is down: that is told,
 * and not taken for a torn tail; also where the file of the mark is gone, but
 * for the last frame, of which nothing else knows.
 */
static void
rot(void)
{
    int                         fd;
    char                        name[16];
    uint64_t                    end, offset;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    sim_file_t                 *f, *mark;
    ngx_msgbus_disk_t          *c;
    ngx_msgbus_journal_t        j;
    ngx_msgbus_journal_mark_t   m;

    mark = sim_find(disk, NGX_MSGBUS_JOURNAL_MARK_FILE);

    if (mark == NULL) {
        return;
    }

    sim_killed(image, disk);
    image->boot = 0;

    c = &calls[image - disks];
    fd = c->open(image, 0, NGX_MSGBUS_JOURNAL_MARK_FILE,
                 NGX_MSGBUS_DISK_READ);

    rc = ngx_msgbus_journal_mark_load(c, fd, &m);
    c->close(image, fd);

    if (rc != NGX_OK || m.flags
        || memcmp(m.boot, &disk->boot, sizeof(uint64_t)) != 0)
    {
        return;
    }

    (void) sprintf(name, "%010lu-", (unsigned long) m.segment);

    for (i = 0; strncmp(image->names[i].name, name, 11) != 0; i++) {
        /* void */
    }

    f = &image->files[image->names[i].file];
    end = m.offset;

    if (unit_once_in(2)) {
        mark = sim_find(image, NGX_MSGBUS_JOURNAL_MARK_FILE);
        memset(mark->cache, 0, mark->size);

        /* the last frame */

        offset = NGX_MSGBUS_JOURNAL_BLOCK;

        while (offset < m.offset) {
            end = offset;
            offset += ngx_msgbus_journal_get(f->cache + offset + 4, 4);
        }
    }

    if (end <= NGX_MSGBUS_JOURNAL_BLOCK) {
        return;
    }

    offset = NGX_MSGBUS_JOURNAL_BLOCK
             + unit_below(end - NGX_MSGBUS_JOURNAL_BLOCK);

    f->cache[offset] ^= 1 << unit_below(8);

    (void) ngx_msgbus_journal_open(&j, &conf, c);

    rc = ngx_msgbus_journal_look(&j);

    unit_check(rc == NGX_ERROR && j.damaged, "a byte at %lu is not what it was,"
               " and nobody is told", (unsigned long) offset);

    ngx_msgbus_journal_close(&j);
    rots++;
}


/* the power is cut, and all goes on from there */
static void
go_on(void)
{
    sim_t       *t;
    ngx_uint_t   i;

    gone_on++;

    for (i = 0; i < WRITERS; i++) {

        if (opened[i]) {
            died(i);
        }
    }

    sim_crash(image, disk);

    t = disk;
    disk = image;
    image = t;
}
