
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a committer leaves that dies at some step of a turn: pending posts and
 * the log together, and a database which may have what neither knows of.
 *
 * Whoever takes its place must bring each post to one end: in the database
 * once, in the log once and at the same id, its poster told that id.  The
 * database is an array here, that does as it is told.  How it dies is in
 * crash.c.
 *
 * An event with the key of one that is stored is not stored again: its poster is
 * told of that one, which is in the log then, whoever has written it.
 *
 * Besides, without a death: what was sent and may still arrive is never given
 * back as not sent; a committer that is to end does so in a long look; and a
 * post that takes the place of many that were given up, while a batch is
 * gathered, is not in its way.
 */


#include "crash.h"
#include "commit_world.h"
#include "ngx_msgbus_commit.h"
#include "ngx_msgbus_keyed.h"
#include "ngx_msgbus_sync.h"
#include "ngx_msgbus_time.h"


#define CRASH_SIZE     (96 * 1024)
#define CRASH_GUARD    16384           /* offsets in the zone */
#define CRASH_LOG      32768
#define CRASH_PENDING  (80 * 1024)
#define CRASH_POSTS    3
#define CRASH_DOCS     32
#define CRASH_WALL     1330000000000
#define CRASH_CROWD    (32 * 1024)     /* more for pending posts */


/* what the database does with an insert */
#define CRASH_DONE     0
#define CRASH_LOST     1               /* nothing, and no answer */
#define CRASH_MUTE     2               /* all of it, and no answer */
#define CRASH_UNSENT   3               /* it was not even sent */


typedef struct {
    uint64_t               id;
    ngx_uint_t             anchor;
    ngx_uint_t             ours;
    ngx_uint_t             large;      /* for the log: readers are told */
    u_char                 token[NGX_MSGBUS_TOKEN_LEN];
    ngx_uint_t             keyed;
    ngx_msgbus_key_t       key;
} crash_doc_t;


struct ngx_msgbus_db_s {
    crash_doc_t            docs[CRASH_DOCS];
    ngx_uint_t             n;
    ngx_uint_t             way;
    uint64_t               counter;
};


static void crash_begin(void);
static void crash_prepared(void);
static void crash_known(void);
static ngx_uint_t crash_inherit(u_char *addr, ngx_uint_t level);
static void crash_take_over(void);
static void crash_autopsy(ngx_uint_t level, ngx_uint_t busy);
static void crash_view(ngx_uint_t level, u_char *addr, ngx_uint_t fresh);
static void crash_whole(ngx_msgbus_ledger_t *c);
static void crash_turn(void);
static void crash_turns(void);
static void crash_post(ngx_uint_t n);
static void crash_foreign(void);
static void crash_key(ngx_msgbus_key_t *key, ngx_uint_t n);
static crash_doc_t *crash_keyed(ngx_uint_t n);
static void crash_check_key(ngx_msgbus_ledger_t *c, crash_doc_t *doc);

static void crash_prepare(void);
static void crash_prepare_lost(void);
static void crash_prepare_mute(void);
static void crash_prepare_taken(void);
static void crash_prepare_given_up(void);
static void crash_prepare_large(void);
static void crash_prepare_keys(void);
static void crash_prepare_keys_mute(void);
static void crash_prepare_replay(void);
static void crash_prepare_replay_unseen(void);
static void crash_prepare_conflict(void);

static void crash_doubt(ngx_uint_t sent);
static void crash_crowd(void);
static void crash_crowd_unlocked(void);
static void crash_stop(void);
static void crash_usage(void);
static void crash_usage_between(ngx_msgbus_db_t *db,
    ngx_msgbus_usage_t *usage);


static crash_case_t  cases[] = {

    { "a commit",
      crash_prepare, crash_turn },

    { "a turn after an insert that was lost",
      crash_prepare_lost, crash_turn },

    { "a turn after an insert whose answer was lost",
      crash_prepare_mute, crash_turn },

    { "a turn after an id was taken",
      crash_prepare_taken, crash_turn },

    { "a turn after an answer was lost and a post given up",
      crash_prepare_given_up, crash_turn },

    { "a turn that meets an event too large for the log",
      crash_prepare_large, crash_turn },

    { "a commit of events with keys",
      crash_prepare_keys, crash_turn },

    { "a turn after an insert with keys whose answer was lost",
      crash_prepare_keys_mute, crash_turn },

    { "turns that meet an event with the same key",
      crash_prepare_replay, crash_turns },

    { "turns that meet another node's event with the same key",
      crash_prepare_replay_unseen, crash_turns },

    { "turns that meet an event with the same key and another body",
      crash_prepare_conflict, crash_turns },

    { NULL, NULL, NULL }
};


static crash_subject_t  subject = {
    CRASH_SIZE,
    crash_begin,
    crash_prepared,
    crash_known,
    crash_inherit,
    crash_take_over,
    crash_autopsy
};


static ngx_msgbus_ledger_t        commits[CRASH_LEVELS], saved_commit;
static ngx_msgbus_notify_t        notifies[CRASH_LEVELS];
static ngx_slab_pool_t            the_pool;
static ngx_log_t                  the_log;
static ngx_msgbus_store_conf_t    conf;
static struct ngx_msgbus_db_s     database, saved_database;
static ngx_uint_t                 heir;
static ngx_uint_t                 anchors = 1;

static ngx_msgbus_outcome_t       outcomes[CRASH_POSTS];
static ngx_uint_t                 given_up;
static ngx_uint_t                 with_keys;

static size_t                     more;        /* bytes of pending posts */
static size_t                     head;        /* before they are gathered */
static ngx_msgbus_outcome_t       late;
static u_char                     large[16384];
static ngx_uint_t                 looks;      /* 0: the array is all there is */
static ngx_atomic_t               told_to_stop;


/* --- the database */

static ngx_msgbus_db_t *
db_create(ngx_msgbus_store_conf_t *c, uint64_t ttl,
    ngx_msgbus_tells_t *tells, ngx_log_t *log)
{
    return &database;
}


static ngx_int_t
db_connect(ngx_msgbus_db_t *db, ngx_msgbus_limits_t *limits)
{
    limits->events = 1000;
    limits->bytes = 1000000;
    limits->each = 0;
    limits->time = 2000;

    return NGX_OK;
}


/* is there an event with the key of this one? */
static ngx_uint_t
db_knows(ngx_msgbus_db_t *db, ngx_msgbus_doc_t *doc)
{
    ngx_uint_t  k;

    for (k = 0; doc->key && k < db->n; k++) {

        if (db->docs[k].keyed
            && memcmp(db->docs[k].key.name, doc->key->name,
                      NGX_MSGBUS_KEY_NAME)
               == 0)
        {
            doc->known.id = db->docs[k].id;
            doc->known.created = CRASH_WALL;
            memcpy(doc->known.body, db->docs[k].key.body,
                   NGX_MSGBUS_KEY_BODY);

            return 1;
        }
    }

    return 0;
}


static ngx_int_t
db_do_insert(ngx_msgbus_db_t *db, ngx_msgbus_doc_t *docs, ngx_uint_t n,
    ngx_msgbus_refusal_t *refusal)
{
    ngx_uint_t    i, k;
    crash_doc_t  *doc;

    if (db->way == CRASH_UNSENT) {
        return NGX_ABORT;
    }

    if (db->way == CRASH_LOST) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (db_knows(db, &docs[i])) {
            memset(refusal, 0, sizeof(ngx_msgbus_refusal_t));

            refusal->index = i;
            refusal->known = 1;

            while (++i < n) {
                (void) db_knows(db, &docs[i]);
            }

            return NGX_DECLINED;
        }

        for (k = 0; k < db->n; k++) {
            if (db->docs[k].id == docs[i].id) {
                memset(refusal, 0, sizeof(ngx_msgbus_refusal_t));
                refusal->index = i;

                return NGX_DECLINED;
            }
        }

        unit_check(db->n < CRASH_DOCS, "the database is full");

        doc = &db->docs[db->n++];
        doc->id = docs[i].id;
        doc->anchor = docs[i].channel.len == 0;
        doc->ours = docs[i].token != NULL;
        doc->large = 0;
        doc->keyed = docs[i].key != NULL;

        if (doc->keyed) {
            doc->key = *docs[i].key;
        }

        if (doc->ours) {
            memcpy(doc->token, docs[i].token, NGX_MSGBUS_TOKEN_LEN);
        }
    }

    return db->way == CRASH_MUTE ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
db_insert(ngx_msgbus_db_t *db, ngx_msgbus_doc_t *docs, ngx_uint_t n,
    ngx_msgbus_refusal_t *refusal)
{
    ngx_int_t  rc;

    rc = db_do_insert(db, docs, n, refusal);

    if (crash_level == 0) {

        /* the zone changes, so that a death right after it is tried */

        (*(uint64_t *) (crash_zone + CRASH_SIZE - 8))++;
    }

    return rc;
}


static ngx_int_t
db_newest(ngx_msgbus_db_t *db, uint64_t *id, uint64_t *created)
{
    if (db->n == 0) {
        return NGX_DECLINED;
    }

    *id = db->docs[db->n - 1].id;
    *created = CRASH_WALL;

    return NGX_OK;
}


static ngx_int_t
db_oldest(ngx_msgbus_db_t *db, ngx_uint_t n, size_t bytes, uint64_t *id)
{
    if (db->n == 0) {
        return NGX_DECLINED;
    }

    *id = db->docs[0].id;

    return NGX_OK;
}


/* the documents stand in the order of their ids */
static ngx_int_t
db_after(ngx_msgbus_db_t *db, uint64_t id, ngx_uint_t max,
    ngx_msgbus_doc_pt handler, void *data)
{
    ngx_int_t         found;
    ngx_uint_t        k;
    ngx_msgbus_doc_t  doc;

    found = 0;

    if (looks) {

        /* there is always more; the worker is to exit meanwhile */

        memset(&doc, 0, sizeof(ngx_msgbus_doc_t));

        ngx_str_set(&doc.channel, "/a");
        ngx_str_set(&doc.data, "{}");

        while ((ngx_uint_t) found++ < max) {
            doc.id = id + found;
            handler(data, &doc);
        }

        told_to_stop = ++looks == 4;

        return max;
    }

    for (k = 0; k < db->n; k++) {

        if (db->docs[k].id <= id) {
            continue;
        }

        memset(&doc, 0, sizeof(ngx_msgbus_doc_t));

        doc.id = db->docs[k].id;
        doc.created = CRASH_WALL;
        doc.since = CRASH_WALL;

        if (!db->docs[k].anchor) {
            ngx_str_set(&doc.channel, "/a");
        }

        ngx_str_set(&doc.data, "{}");

        if (db->docs[k].large) {
            doc.data.data = large;
            doc.data.len = sizeof(large);
        }

        if (db->docs[k].ours) {
            doc.token = db->docs[k].token;
        }

        if (db->docs[k].keyed) {
            doc.key = &db->docs[k].key;
        }

        handler(data, &doc);
        found++;
    }

    return found;
}


static ngx_int_t
db_touch(ngx_msgbus_db_t *db, uint64_t id, uint64_t now)
{
    return NGX_OK;
}


static ngx_int_t
db_counter(ngx_msgbus_db_t *db, uint64_t *c)
{
    *c = db->counter;

    return NGX_OK;
}


static ngx_int_t
db_raise(ngx_msgbus_db_t *db, uint64_t c)
{
    db->counter = ngx_max(db->counter, c);

    return NGX_OK;
}


static ngx_msgbus_store_t  ops = { WORLD_STORE };


/* --- time stands still */

uint64_t
ngx_msgbus_time_wall(void)
{
    return CRASH_WALL;
}


uint64_t
ngx_msgbus_time_monotonic(void)
{
    return 1000000000;
}


int64_t
ngx_msgbus_time_since(uint64_t wall)
{
    return 1000000;
}


/* --- deaths */

int
main(int argc, char **argv)
{
    static u_char  zone[CRASH_SIZE + CRASH_CROWD]
                       __attribute__ ((aligned(4096)));

    unit_init();

    the_pool.log_ctx = (u_char *) " in a test";
    the_log.log_level = 0;

    conf.tries = 10;
    conf.delay = 500;
    conf.poll = 50;

    for (heir = 0; heir < CRASH_LEVELS; heir++) {
        commits[heir].store = &ops;
        commits[heir].error_log = &the_log;

        unit_check(ngx_msgbus_ledger_create(&commits[heir], &conf, 120000)
                   == NGX_OK, "no committer");
    }

    if (argc > 1 && strcmp(argv[1], "keeps") == 0) {
        ops.flags &= ~NGX_MSGBUS_STORE_EXPIRES;
        anchors = 0;

    } else if (argc > 1 && strcmp(argv[1], "stop") == 0) {
        crash_zone = zone;
        crash_stop();

        return 0;

    } else if (argc > 1 && strcmp(argv[1], "usage") == 0) {
        crash_zone = zone;
        crash_usage();

        return 0;

    } else if (argc > 1 && strcmp(argv[1], "crowd") == 0) {
        crash_zone = zone;
        crash_crowd();

        return 0;

    } else if (argc > 1) {
        crash_zone = zone;
        crash_doubt(0);
        crash_doubt(1);

        return 0;
    }

    crash_run(&subject, cases);

    return 0;
}


static void
crash_view(ngx_uint_t level, u_char *addr, ngx_uint_t fresh)
{
    ngx_msgbus_ledger_t    *c;
    ngx_msgbus_guard_sh_t  *guard;

    c = &commits[level];
    guard = (ngx_msgbus_guard_sh_t *) (addr + CRASH_GUARD);

    c->sh = (ngx_msgbus_ledger_sh_t *) addr;

    notifies[level].sh = (ngx_msgbus_slots_sh_t *)
                             (addr + ngx_align(sizeof(ngx_msgbus_ledger_sh_t),
                                               64));
    c->notify = &notifies[level];

    memset(&c->log, 0, sizeof(ngx_msgbus_log_t));

    c->log.undo = &guard->undo;
    c->pending.undo = &guard->undo;
    c->log.shpool = &the_pool;
    c->log.ttl = 120000;
    c->log.max_events = 1000;
    c->log.follows = 1;

    unit_check(ngx_msgbus_log_init(&c->log, addr + CRASH_LOG,
                                   CRASH_PENDING - CRASH_LOG, fresh) == NGX_OK
               && ngx_msgbus_pending_init(&c->pending, addr + CRASH_PENDING,
                                          CRASH_SIZE - CRASH_PENDING - 64
                                          + more, fresh) == NGX_OK,
               "the zone is too small");

    c->pending.slots = notifies[level].sh;

    memset(c->wake, 0, sizeof(c->wake));

    c->connected = 0;
    c->stale = 0;
    c->unsure = 0;
    c->lapsed = 0;
    c->seen = 0;
    c->looked = 0;
}


static void
crash_begin(void)
{
    memset(&database, 0, sizeof(database));

    given_up = CRASH_POSTS;
}


static void
crash_prepared(void)
{
    saved_commit = commits[0];
    saved_database = database;
}


static void
crash_known(void)
{
    crash_whole(&commits[0]);
}


static ngx_uint_t
crash_inherit(u_char *addr, ngx_uint_t level)
{
    heir = level;
    crash_view(level, addr, 0);

    return commits[level].log.undo->n != 0;
}


static void
crash_take_over(void)
{
    ngx_msgbus_ledger_lock(&commits[heir]);
    ngx_msgbus_ledger_unlock(&commits[heir]);
}


static void
crash_autopsy(ngx_uint_t level, ngx_uint_t busy)
{
    ngx_uint_t              n, idle;
    struct ngx_msgbus_db_s  before;

    before = database;

    for (n = 0; n < 10 && commits[level].pending.sh->entries; n++) {
        (void) ngx_msgbus_commit_turn(&commits[level], &idle);
    }

    /* one more, that looks */

    commits[level].unsure = 1;
    (void) ngx_msgbus_commit_turn(&commits[level], &idle);

    crash_whole(&commits[level]);

    database = before;
}


/* database, log and what is told are the same */
static void
crash_whole(ngx_msgbus_ledger_t *c)
{
    u_char                 token[NGX_MSGBUS_TOKEN_LEN];
    uint64_t               serial, ids[CRASH_POSTS];
    ngx_uint_t             i, k, n, stored;
    crash_doc_t           *first;
    ngx_msgbus_key_t       key;
    ngx_msgbus_record_t   *rec;
    ngx_msgbus_outcome_t   taken[CRASH_POSTS + 1];

    unit_check(c->pending.sh->entries == 0, "posts are left");
    unit_check_pending(&c->pending);
    unit_check_log(&c->log);

    for (i = 0; i < CRASH_POSTS; i++) {
        memset(token, (int) i + 1, NGX_MSGBUS_TOKEN_LEN);

        stored = 0;
        ids[i] = 0;

        for (k = 0; k < database.n; k++) {
            if (database.docs[k].ours
                && memcmp(database.docs[k].token, token, sizeof(token)) == 0)
            {
                ids[i] = database.docs[k].id;
                stored++;
            }
        }

        first = crash_keyed(i);

        if (first && !first->ours) {
            crash_key(&key, i);

            ids[i] = memcmp(&key, &first->key, sizeof(key)) == 0
                     ? first->id | NGX_MSGBUS_ID_REPLAYED
                     : NGX_MSGBUS_ID_CONFLICT;
            stored++;
        }

        unit_check(stored == 1, "post %u is stored %u times", (unsigned) i,
                   (unsigned) stored);
    }

    /* all but an anchor */

    serial = c->log.sh->head_serial;

    for (k = anchors; k < database.n; k++) {

        if (database.docs[k].large) {
            unit_check(c->log.sh->lapsed_id >= database.docs[k].id,
                       "event %" PRIu64 " is missing, and nobody is told",
                       database.docs[k].id);
            continue;
        }

        unit_check(serial < c->log.sh->next_serial,
                   "event %" PRIu64 " is not in the log",
                   database.docs[k].id);

        rec = ngx_msgbus_log_record(&c->log, serial);

        unit_check(rec->id == database.docs[k].id,
                   "event %" PRIu64 " in place of %" PRIu64, rec->id,
                   database.docs[k].id);
        serial++;

        crash_check_key(c, &database.docs[k]);
    }

    unit_check(serial == c->log.sh->next_serial, "the log has more");

    n = ngx_msgbus_pending_take_locked(&c->pending, 0, taken,
                                       CRASH_POSTS + 1);

    unit_check(n == CRASH_POSTS - (given_up < CRASH_POSTS),
               "%u posters are told", (unsigned) n);

    for (k = 0; k < n; k++) {

        for (i = 0; i < CRASH_POSTS; i++) {
            if (outcomes[i].cell == taken[k].cell && i != given_up) {
                break;
            }
        }

        unit_check(i < CRASH_POSTS && taken[k].id == ids[i],
                   "a poster is told of id %" PRIu64, taken[k].id);

        ids[i] = 0;
    }
}


static void
crash_turn(void)
{
    ngx_uint_t  idle;

    commits[0] = saved_commit;
    database = saved_database;

    (void) ngx_msgbus_commit_turn(&commits[0], &idle);
}


/*
 * What stands behind an event that is refused goes out again.  Nobody is told
 * of an id that the log has not come to.
 */
static void
crash_turns(void)
{
    uint64_t             id;
    ngx_uint_t           n, k, idle;
    ngx_msgbus_cell_t   *cell;

    commits[0] = saved_commit;
    database = saved_database;

    for (n = 0; n < 4; n++) {
        (void) ngx_msgbus_commit_turn(&commits[0], &idle);

        for (k = 0; k < commits[0].pending.ncells; k++) {
            cell = &commits[0].pending.cells[k];
            id = cell->id & ~NGX_MSGBUS_ID_REPLAYED;

            unit_check(cell->state != NGX_MSGBUS_CELL_DONE
                       || cell->id == NGX_MSGBUS_ID_CONFLICT
                       || id <= commits[0].log.sh->last_id,
                       "a poster is told of id %" PRIu64 ", the log is at %"
                       PRIu64, id, commits[0].log.sh->last_id);
        }
    }
}


static void
crash_post(ngx_uint_t n)
{
    u_char                token[NGX_MSGBUS_TOKEN_LEN];
    ngx_str_t             name;
    ngx_msgbus_key_t      key;
    ngx_msgbus_event_t    ev;
    ngx_msgbus_channel_t  ch;

    ngx_str_set(&name, "/a");
    (void) ngx_msgbus_channel_parse(&ch, &name, commits[0].log.sh->seed);

    memset(&ev, 0, sizeof(ngx_msgbus_event_t));
    memset(token, (int) n + 1, NGX_MSGBUS_TOKEN_LEN);

    ev.channel = &ch;
    ngx_str_set(&ev.data, "{}");

    if (with_keys) {
        crash_key(&key, n);
        ev.key = &key;
    }

    unit_check(ngx_msgbus_pending_put_locked(&commits[0].pending, 0, &ev,
                                             token, 1000000000, &outcomes[n])
               == NGX_OK, "not prepared");
}


static void
crash_foreign(void)
{
    crash_doc_t  *doc;

    doc = &database.docs[database.n++];
    doc->id = database.n > 1 ? doc[-1].id + 1 : 1;
    doc->ours = 0;
    doc->large = 0;
    doc->keyed = 0;
}


/* that of a post */
static void
crash_key(ngx_msgbus_key_t *key, ngx_uint_t n)
{
    memset(key->name, (int) n + 0x21, NGX_MSGBUS_KEY_NAME);
    memset(key->body, (int) n + 0x41, NGX_MSGBUS_KEY_BODY);
}


/* what the database has with the key of a post; once */
static crash_doc_t *
crash_keyed(ngx_uint_t n)
{
    ngx_uint_t         k;
    crash_doc_t       *doc;
    ngx_msgbus_key_t   key;

    doc = NULL;
    crash_key(&key, n);

    for (k = 0; k < database.n; k++) {

        if (database.docs[k].keyed
            && memcmp(database.docs[k].key.name, key.name,
                      NGX_MSGBUS_KEY_NAME)
               == 0)
        {
            unit_check(doc == NULL, "a key is there twice");
            doc = &database.docs[k];
        }
    }

    return doc;
}


/* the log finds an event by the key that it has in the database */
static void
crash_check_key(ngx_msgbus_ledger_t *c, crash_doc_t *doc)
{
    ngx_msgbus_record_t  *rec;

    if (!doc->keyed) {
        return;
    }

    rec = ngx_msgbus_keyed_find_locked(&c->log, &doc->key, 1000000);

    unit_check(rec && rec->id == doc->id, "the log does not find event %"
               PRIu64 " by its key", doc->id);
}


static void
crash_prepare(void)
{
    ngx_uint_t  n, idle;

    memset(crash_zone, 0, CRASH_SIZE);

    crash_view(0, crash_zone, 1);
    ngx_msgbus_log_start(&commits[0].log, 1, 7, 0);
    commits[0].notify->sh->owner[0] = 1;

    /* in sync, with an anchor where it may forget events */

    (void) ngx_msgbus_commit_turn(&commits[0], &idle);

    unit_check(commits[0].sh->loaded && database.n == anchors, "not in sync");

    for (n = 0; n < CRASH_POSTS; n++) {
        crash_post(n);
    }
}


static void
crash_prepare_lost(void)
{
    ngx_uint_t  idle;

    crash_prepare();

    database.way = CRASH_LOST;
    (void) ngx_msgbus_commit_turn(&commits[0], &idle);
    database.way = CRASH_DONE;
}


static void
crash_prepare_mute(void)
{
    ngx_uint_t  idle;

    crash_prepare();

    database.way = CRASH_MUTE;
    (void) ngx_msgbus_commit_turn(&commits[0], &idle);
    database.way = CRASH_DONE;
}


static void
crash_prepare_taken(void)
{
    ngx_uint_t  idle;

    crash_prepare();
    crash_foreign();

    (void) ngx_msgbus_commit_turn(&commits[0], &idle);
}


static void
crash_prepare_given_up(void)
{
    crash_prepare_mute();

    given_up = 1;

    unit_check(ngx_msgbus_pending_cancel_locked(&commits[0].pending,
                                                &outcomes[given_up])
               == NGX_AGAIN, "what was sent was given up for sure");
}


static void
crash_prepare_large(void)
{
    ngx_uint_t  idle;

    crash_prepare_taken();
    (void) ngx_msgbus_commit_turn(&commits[0], &idle);

    crash_foreign();
    database.docs[database.n - 1].large = 1;

    commits[0].unsure = 1;
}


static void
crash_prepare_keys(void)
{
    with_keys = 1;
    crash_prepare();
    with_keys = 0;
}


static void
crash_prepare_keys_mute(void)
{
    ngx_uint_t  idle;

    crash_prepare_keys();

    database.way = CRASH_MUTE;
    (void) ngx_msgbus_commit_turn(&commits[0], &idle);
    database.way = CRASH_DONE;
}


static void
crash_prepare_replay(void)
{
    crash_prepare_keys();
    crash_foreign();

    database.docs[database.n - 1].keyed = 1;
    crash_key(&database.docs[database.n - 1].key, 1);

    unit_check(ngx_msgbus_sync_look(&commits[0]) == NGX_OK, "no look");
}


static void
crash_prepare_replay_unseen(void)
{
    crash_prepare_keys();
    crash_foreign();

    database.docs[database.n - 1].keyed = 1;
    crash_key(&database.docs[database.n - 1].key, 0);
}


static void
crash_prepare_conflict(void)
{
    crash_prepare_replay();
    database.docs[database.n - 1].key.body[0] ^= 1;
}


/* an insert without an answer, perhaps; then others that are not even sent */
static void
crash_doubt(ngx_uint_t sent)
{
    ngx_int_t   rc;
    ngx_uint_t  n, idle;

    crash_begin();
    crash_prepare();

    if (sent) {
        database.way = CRASH_LOST;
        (void) ngx_msgbus_commit_turn(&commits[0], &idle);
    }

    database.way = CRASH_UNSENT;

    for (n = 0; n < 3; n++) {
        (void) ngx_msgbus_commit_turn(&commits[0], &idle);
    }

    rc = ngx_msgbus_pending_cancel_locked(&commits[0].pending, &outcomes[0]);

    printf("%s: %s\n", sent ? "given up, in doubt" : "given up, never sent",
           rc == NGX_AGAIN ? "may be stored" : rc == NGX_OK ? "is not stored"
                                                            : "?");
}


/* a database that has more than can be read before a worker has to exit */
static void
crash_stop(void)
{
    ngx_uint_t  idle;

    crash_begin();
    crash_prepare();

    commits[0].stop = &told_to_stop;
    commits[0].unsure = 1;
    looks = 1;

    alarm(20);

    (void) ngx_msgbus_commit_turn(&commits[0], &idle);

    printf("looks: %u\n", (unsigned) looks - 1);
}


/*
 * In a reload two workers commit for a while: what one of them tells of files
 * that have left is added to what the other one has told meanwhile.
 */
static void
crash_usage(void)
{
    crash_begin();
    crash_prepare();

    commits[0].sh->usage.dropped = 1000;
    ops.usage = crash_usage_between;

    ngx_msgbus_ledger_warnings(&commits[0]);

    printf("dropped: %u\n", (unsigned) commits[0].sh->usage.dropped);
}


static void
crash_usage_between(ngx_msgbus_db_t *db, ngx_msgbus_usage_t *usage)
{
    usage->dropped += 100;
    commits[0].sh->usage.dropped += 10;
}


/*
 * The store was away: posts that were sent and given up, more behind them that
 * were given up before, until there is no room.  While they go, somebody posts.
 */
static void
crash_crowd(void)
{
    size_t                 offset;
    ngx_uint_t             n, idle;
    ngx_msgbus_pending_t  *p;
    ngx_msgbus_outcome_t   spare;

    more = CRASH_CROWD;
    p = &commits[0].pending;

    crash_begin();
    crash_prepare();

    database.way = CRASH_LOST;
    (void) ngx_msgbus_commit_turn(&commits[0], &idle);
    database.way = CRASH_DONE;

    for (n = 0; n < CRASH_POSTS; n++) {
        unit_check(ngx_msgbus_pending_cancel_locked(p, &outcomes[n])
                   == NGX_AGAIN, "it was not sent");
    }

    /* two of their size are left, so that the tail does not meet the head */

    spare = outcomes[0];

    do {
        crash_post(0);

        unit_check(ngx_msgbus_pending_cancel_locked(p, &outcomes[0])
                   == NGX_OK, "it was sent");

        offset = p->sh->tail;

    } while (p->size - offset >= 128);

    outcomes[0] = spare;
    head = p->sh->head;

    unit_core.unlocked = crash_crowd_unlocked;

    for (n = 0; n < 10 && (n == 0 || p->sh->entries); n++) {
        (void) ngx_msgbus_commit_turn(&commits[0], &idle);
    }

    unit_check(unit_core.unlocked == NULL, "it was gathered at once");

    n = ngx_msgbus_pending_take_locked(p, 0, &spare, 1);

    printf("late: %s\n", n == 1 && spare.cell == late.cell && spare.id
                         ? "stored" : "lost");
}


/* when the head has moved: a post as large as all that has become free */
static void
crash_crowd_unlocked(void)
{
    size_t                 len;
    u_char                 token[NGX_MSGBUS_TOKEN_LEN];
    ngx_str_t              name;
    ngx_msgbus_event_t     ev;
    ngx_msgbus_channel_t   ch;
    ngx_msgbus_pending_t  *p;

    p = &commits[0].pending;

    if (p->sh->head == head) {
        return;
    }

    unit_core.unlocked = NULL;

    ngx_str_set(&name, "/a");
    (void) ngx_msgbus_channel_parse(&ch, &name, commits[0].log.sh->seed);

    memset(&ev, 0, sizeof(ngx_msgbus_event_t));
    memset(token, 0x55, NGX_MSGBUS_TOKEN_LEN);

    len = p->sh->head - 128;

    ev.channel = &ch;
    ev.data.len = len;
    ev.data.data = malloc(len);

    unit_check(ev.data.data != NULL, "no memory");
    memset(ev.data.data, 'x', len);

    unit_check(ngx_msgbus_pending_put_locked(p, 0, &ev, token, 1000000000,
                                             &late)
               == NGX_OK, "no room for it");

    free(ev.data.data);
}
