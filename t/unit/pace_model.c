
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Batches against a path to the store whose speed changes: the committer's own
 * rooms, with a clock that the model moves and a store at the end of a path.
 *
 *     pace_model RUNS          random paths, loads and events
 *     pace_model stall         a store without a time-out, as a disk is, stands
 *                              still for far longer than posts wait
 *
 * The path carries so many bytes a second, each call takes its latency more,
 * and it stands still for a while: what does not come through in time is lost,
 * and so is the connection.  Posts come on time, whatever became of those
 * before them, and wait as posts of a worker do.
 *
 * A run goes through the phases of a path.  From 5 s after a return on all that
 * is posted at 0.9 of what it can carry is stored, and at a little less from 9 s
 * on after too much was posted; where more is posted, it carries nearly what it
 * can; what does not fit is not sent again as large.
 */


#include "commit_world.h"
#include "ngx_msgbus_commit.h"
#include "ngx_msgbus_time.h"
#include <math.h>
#include <sys/mman.h>


#define MODEL_HEAD      (64 * 1024)
#define MODEL_LOG       (32 * 1024 * 1024)
#define MODEL_PENDING   (96 * 1024 * 1024)
#define MODEL_POSTS     65536              /* that wait; a power of 2 */
#define MODEL_WALL      1330000000000
#define MODEL_BEGIN     1000000000         /* us */
#define MODEL_TRIES     10
#define MODEL_DELAY     500                /* ms */
#define MODEL_PATIENCE  (MODEL_TRIES * MODEL_DELAY * 1000)
#define MODEL_SETTLES   5000000            /* after a return, us */
#define MODEL_PHASES    16


/* how the path is for so long, and what is asked of it */
typedef struct {
    const char            *title;
    uint64_t               time;       /* us */
    double                 rate;       /* bytes a second; 0: it stands still */
    double                 load;       /*   of which so many are posted, */
    double                 factor;     /*   in events so many times as large */
    uint64_t               all;        /* us, after which all of that is
                                          stored; 0: perhaps not */
    double                 carried;    /* of what it can carry, */
    uint64_t               after;      /*   after so long, us */
} model_phase_t;


typedef struct {
    uint64_t               posted;     /* us */
    size_t                 size;
    ngx_uint_t             phase;
    ngx_uint_t             waits;
    ngx_msgbus_outcome_t   outcome;
} model_post_t;


static void model_run(void);
static void model_zone(void);
static double model_between(double x, double y);
static void model_add(const char *title, uint64_t time, double rate,
    double load, double factor, uint64_t all, double part);
static void model_path(void);
static uint64_t model_stands(uint64_t second);
static ngx_uint_t model_phase(uint64_t at);
static uint64_t model_carry(uint64_t from, size_t bytes);
static ngx_int_t model_call(size_t bytes, ngx_uint_t *there);
static void model_world(uint64_t until);
static void model_post(void);
static void model_stored(model_post_t *post);
static void model_lost(model_post_t *post, const char *why);
static void model_take(void);
static void model_fits(size_t bytes, ngx_uint_t n, ngx_uint_t failed);
static void model_verdict(void);


static ngx_msgbus_ledger_t       c;
static ngx_msgbus_notify_t       notify;
static ngx_msgbus_store_conf_t   conf;
static ngx_slab_pool_t           the_pool;
static ngx_log_t                 the_log;
static u_char                   *zone;

static uint64_t                  now;          /* us */
static uint64_t                  latency;      /* of a call, us */
static model_phase_t             phases[MODEL_PHASES];
static uint64_t                  begins[MODEL_PHASES + 1];
static ngx_uint_t                nphases;

static double                    size;         /* of an event, */
static double                    spread;       /*   and how far from it */
static double                    a_second;     /* events, at rate and load 1 */
static uint64_t                  hiccup;       /* in a second, us */
static ngx_uint_t                patient;      /* a call may take 20 s, not 2 */
static ngx_uint_t                endless;      /* it takes what it takes */
static uint64_t                  next;         /* post, us */
static u_char                   *text;

static model_post_t             *posts;
static uint64_t                  first, last;  /* of those that wait */
static model_post_t            **cells;
static uint64_t                  stored[MODEL_PHASES], lost[MODEL_PHASES];
static double                    carried[MODEL_PHASES];

static size_t                    sent;         /* bytes of the last insert, */
static ngx_uint_t                sent_failed;  /*   which did not fit */
static ngx_uint_t                sent_phase;

static uint64_t                  total, inserts, failures, early;


/* --- a store at the end of a path */

struct ngx_msgbus_db_s {
    uint64_t               last;       /* id */
    uint64_t               counter;
    ngx_uint_t             late;       /* of a batch without an answer, */
    uint64_t               first;      /*   the first one's id, */
    u_char               (*tokens)[NGX_MSGBUS_TOKEN_LEN];
};


static struct ngx_msgbus_db_s  database;


static ngx_msgbus_db_t *
db_create(ngx_msgbus_store_conf_t *cf, uint64_t ttl,
    ngx_msgbus_tells_t *tells, ngx_log_t *log)
{
    return &database;
}


static ngx_int_t
db_connect(ngx_msgbus_db_t *db, ngx_msgbus_limits_t *limits)
{
    limits->events = 1000;
    limits->bytes = 40000000;
    limits->each = 0;
    limits->time = endless ? 0 : patient ? 20000 : 2000;

    return model_call(100, NULL);
}


static ngx_int_t
db_insert(ngx_msgbus_db_t *db, ngx_msgbus_doc_t *docs, ngx_uint_t n,
    ngx_msgbus_refusal_t *refusal)
{
    size_t      bytes;
    ngx_int_t   rc;
    ngx_uint_t  i, there;

    bytes = 0;

    for (i = 0; i < n; i++) {
        bytes += docs[i].data.len + 100;
    }

    inserts++;

    unit_check(docs[0].id == db->last + 1, "an id is left out");

    rc = model_call(bytes, &there);

    model_fits(bytes, n, rc != NGX_OK);

    if (rc != NGX_OK) {
        failures++;
    }

    db->late = 0;

    if (there) {

        if (rc != NGX_OK) {
            db->late = n;
            db->first = docs[0].id;

            for (i = 0; i < n; i++) {
                if (docs[i].token) {
                    memcpy(db->tokens[i], docs[i].token, NGX_MSGBUS_TOKEN_LEN);
                }
            }
        }

        db->last += n;
    }

    return rc;
}


static ngx_int_t
db_newest(ngx_msgbus_db_t *db, uint64_t *id, uint64_t *created)
{
    if (model_call(100, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    *id = db->last;
    *created = MODEL_WALL + now / 1000;

    return db->last ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
db_oldest(ngx_msgbus_db_t *db, ngx_uint_t n, size_t bytes, uint64_t *id)
{
    *id = 1;

    return db->last ? NGX_OK : NGX_DECLINED;
}


/* all that the log has not is of the last batch, whose answer was lost */
static ngx_int_t
db_after(ngx_msgbus_db_t *db, uint64_t id, ngx_uint_t max,
    ngx_msgbus_doc_pt handler, void *data)
{
    ngx_int_t         found;
    ngx_msgbus_doc_t  doc;

    if (model_call(100, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    for (found = 0; id + found < db->last; found++) {

        memset(&doc, 0, sizeof(ngx_msgbus_doc_t));

        doc.id = id + found + 1;
        doc.created = MODEL_WALL + now / 1000;
        doc.since = doc.created;

        if (db->late && doc.id >= db->first) {
            doc.token = db->tokens[doc.id - db->first];
            ngx_str_set(&doc.channel, "/a");
            ngx_str_set(&doc.data, "{}");
        }

        handler(data, &doc);
    }

    return found;
}


static ngx_int_t
db_touch(ngx_msgbus_db_t *db, uint64_t id, uint64_t at)
{
    return model_call(100, NULL);
}


static ngx_int_t
db_counter(ngx_msgbus_db_t *db, uint64_t *counter)
{
    *counter = db->counter;

    return model_call(100, NULL);
}


static ngx_int_t
db_raise(ngx_msgbus_db_t *db, uint64_t counter)
{
    db->counter = ngx_max(db->counter, counter);

    return model_call(100, NULL);
}


static ngx_msgbus_store_t  ops = { WORLD_STORE };


/* --- time is the model's */

uint64_t
ngx_msgbus_time_wall(void)
{
    return MODEL_WALL + now / 1000;
}


uint64_t
ngx_msgbus_time_monotonic(void)
{
    return now;
}


int64_t
ngx_msgbus_time_since(uint64_t wall)
{
    return (int64_t) (wall - MODEL_WALL);
}


/* --- the path */

int
main(int argc, char **argv)
{
    ngx_uint_t  runs;

    unit_init();

    endless = argc > 1 && strcmp(argv[1], "stall") == 0;
    runs = argc > 1 && !endless ? atoi(argv[1]) : 1;

    the_pool.log_ctx = (u_char *) " in a test";

    conf.tries = MODEL_TRIES;
    conf.delay = MODEL_DELAY;
    conf.poll = 1000;

    zone = mmap(NULL, MODEL_HEAD + MODEL_LOG + MODEL_PENDING,
                PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE,
                -1, 0);

    text = malloc(1024 * 1024);
    posts = calloc(MODEL_POSTS, sizeof(model_post_t));
    cells = calloc(MODEL_PENDING / 64, sizeof(model_post_t *));
    database.tokens = calloc(NGX_MSGBUS_BATCH_EVENTS, NGX_MSGBUS_TOKEN_LEN);

    unit_check(zone != MAP_FAILED && text && posts && cells && database.tokens,
               "no memory");

    memset(text, 'x', 1024 * 1024);

    for (unit_step = 1; unit_step <= runs; unit_step++) {
        model_run();
    }

    printf("posts: %" PRIu64 "\n", total);
    printf("inserts: %" PRIu64 "\n", inserts);
    printf("failures: %" PRIu64 "\n", failures);
    printf("early: %" PRIu64 "\n", early);

    return 0;
}


static void
model_run(void)
{
    uint64_t    end;
    ngx_msec_t  delay;
    ngx_uint_t  idle;

    model_zone();
    model_path();

    end = begins[nphases];

    while (now < end) {

        delay = ngx_msgbus_commit_turn(&c, &idle);

        model_take();

        if (idle && next < now + (uint64_t) delay * 1000) {
            model_world(next);

        } else if (delay) {
            model_world(now + (uint64_t) delay * 1000);
        }
    }

    model_verdict();

    ngx_msgbus_ledger_destroy(&c);
}


static void
model_zone(void)
{
    u_char                 *p;
    struct ngx_msgbus_db_s  db;

    db = database;
    memset(&database, 0, sizeof(database));
    database.tokens = db.tokens;

    memset(zone, 0, MODEL_HEAD);
    memset(&c, 0, sizeof(ngx_msgbus_ledger_t));

    c.store = &ops;
    c.error_log = &the_log;

    unit_check(ngx_msgbus_ledger_create(&c, &conf, 3600000) == NGX_OK,
               "no committer");

    p = zone;
    c.sh = (ngx_msgbus_ledger_sh_t *) p;

    p += ngx_align(sizeof(ngx_msgbus_ledger_sh_t), 64);
    notify.sh = (ngx_msgbus_slots_sh_t *) p;

    p += ngx_align(sizeof(ngx_msgbus_slots_sh_t), 64);
    c.log.undo = (ngx_msgbus_undo_t *) p;

    unit_check(p + sizeof(ngx_msgbus_undo_t) < zone + MODEL_HEAD, "no room");

    c.notify = &notify;
    c.pending.undo = c.log.undo;
    c.pending.slots = notify.sh;
    c.log.shpool = &the_pool;
    c.log.ttl = 3600000;
    c.log.max_events = 10000;
    c.log.follows = 1;

    unit_check(ngx_msgbus_log_init(&c.log, zone + MODEL_HEAD, MODEL_LOG, 1)
               == NGX_OK
               && ngx_msgbus_pending_init(&c.pending,
                                          zone + MODEL_HEAD + MODEL_LOG,
                                          MODEL_PENDING, 1) == NGX_OK,
               "the zone is too small");

    ngx_msgbus_log_start(&c.log, 1, 7, MODEL_BEGIN);

    notify.sh->owner[0] = 1;

    now = MODEL_BEGIN;
    first = last = 0;
    sent_failed = 0;
}


/* x to y, each factor as likely */
static double
model_between(double x, double y)
{
    return x * pow(y / x, unit_below(1000001) / 1e6);
}


static void
model_add(const char *title, uint64_t time, double rate, double load,
    double factor, uint64_t all, double part)
{
    model_phase_t  *p;

    p = &phases[nphases++];

    p->title = title;
    p->time = time;
    p->rate = rate;
    p->load = load;
    p->factor = factor;
    p->all = all;
    p->carried = part;
    p->after = MODEL_SETTLES;
}


static void
model_path(void)
{
    double      rate, slow;
    ngx_uint_t  i;

    rate = model_between(30e3, 4e6);
    slow = rate / model_between(2, 15);

    /* what one call takes without a byte, and what an event has of a batch */

    latency = model_between(200, 20000);
    size = rate * model_between(0.002, 0.03);
    size = ngx_max(size, 300);
    spread = unit_once_in(2) ? 0 : 0.8;
    a_second = rate / size;

    patient = unit_once_in(4);
    hiccup = unit_once_in(2) ? 0 : 30000;
    nphases = 0;

    if (endless) {
        model_add("at first", 6000000, rate, 0.5, 1, 0, 0);
        model_add("away", 60000000, 0, 0.5, 1, 0, 0);
        model_add("back", 18000000, rate, 0.5, 1, 5000000, 0);
        goto added;
    }

    /* a path, and it stands still */

    model_add("at first", 6000000, rate, 0.9, 1, 0, 0);
    model_add("away", 1000000 + unit_below(11000000), 0, 0.9, 1, 0, 0);
    model_add("back", 18000000, rate, 0.9, 1, 5000000, 0);

    /* it is slow, and fast again */

    model_add("slow", patient ? 60000000 : 15000000, slow, 0.9 * rate / slow, 1, 0, 0.6);

    /* what is on its way then takes a time-out, or nearly as long as it may */

    phases[nphases - 1].after = patient ? 45000000 : MODEL_SETTLES;

    model_add("fast again", 18000000, rate, 0.9, 1, 5000000, 0);

    /* more is posted than it carries, and it stands still then */

    model_add("too much", 12000000, rate, 2.0, 1, 0, 0.8);
    model_add("too much, away", 1000000 + unit_below(6000000), 0, 2.0, 1, 0, 0);
    model_add("too much, back", 12000000, rate, 2.0, 1, 0, 0.8);
    model_add("no more", 18000000, rate, 0.85, 1, 9000000, 0);

    /* a batch of small events is full by their number, one of large ones not */

    model_add("small ones", 8000000, rate, 1.5, 0.1, 0, 0);
    model_add("large ones", 18000000, rate, 0.8, 3, 9000000, 0);

added:

    begins[0] = now;

    for (i = 0; i < nphases; i++) {
        begins[i + 1] = begins[i] + phases[i].time;
        stored[i] = lost[i] = 0;
        carried[i] = 0;
    }

    next = now;
}


static ngx_uint_t
model_phase(uint64_t at)
{
    ngx_uint_t  i;

    for (i = 0; i < nphases - 1 && at >= begins[i + 1]; i++) {
        /* void */
    }

    return i;
}


/* us of a second at the begin of which nothing moves, on the average hiccup */
static uint64_t
model_stands(uint64_t second)
{
    uint64_t  z;

    if (hiccup == 0) {
        return 0;
    }

    z = (second + unit_seed) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 29)) * 0xbf58476d1ce4e5b9;

    return (z >> 20) % (2 * hiccup + 1);
}


/* when the last of so many bytes is through */
static uint64_t
model_carry(uint64_t from, size_t bytes)
{
    double      left, time;
    uint64_t    moves, until;
    ngx_uint_t  i;

    left = bytes;

    for ( ;; ) {

        i = model_phase(from);

        if (phases[i].rate == 0) {
            from = begins[i + 1];
            continue;
        }

        /* the rest of this second, or of the phase */

        moves = from / 1000000 * 1000000 + model_stands(from / 1000000);
        from = ngx_max(from, moves);
        until = (from / 1000000 + 1) * 1000000;

        if (i < nphases - 1) {
            until = ngx_min(until, begins[i + 1]);
        }

        time = left * 1e6 / phases[i].rate;

        if (from + time <= until) {
            return from + (uint64_t) time;
        }

        if (until > from) {
            left -= (until - from) * phases[i].rate / 1e6;
        }

        from = ngx_max(until, from);
    }
}


/* there: what was sent has arrived, whether that is known or not */
static ngx_int_t
model_call(size_t bytes, ngx_uint_t *there)
{
    uint64_t  end, arrived, answered;

    end = endless ? (uint64_t) -1 : now + (patient ? 20000000 : 2000000);
    arrived = model_carry(now + latency / 2, bytes);
    answered = model_carry(arrived + latency / 2, 0);

    if (there) {
        *there = arrived <= end;
    }

    model_world(ngx_min(answered, end));

    return answered <= end ? NGX_OK : NGX_ERROR;
}


/* --- the posters */

static void
model_world(uint64_t until)
{
    ngx_int_t      rc;
    model_post_t  *post;

    model_take();

    for ( ;; ) {

        while (first != last && !posts[first % MODEL_POSTS].waits) {
            first++;
        }

        post = &posts[first % MODEL_POSTS];

        if (first != last && post->posted + MODEL_PATIENCE <= next
            && post->posted + MODEL_PATIENCE <= until)
        {
            now = ngx_max(now, post->posted + MODEL_PATIENCE);

            rc = ngx_msgbus_pending_cancel_locked(&c.pending, &post->outcome);

            if (rc == NGX_DONE && post->outcome.id
                && post->outcome.id < NGX_MSGBUS_ID_REFUSED)
            {
                model_stored(post);

            } else {
                model_lost(post, "it waited in vain");
            }

            continue;
        }

        if (next > until) {
            break;
        }

        now = ngx_max(now, next);
        model_post();
    }

    now = ngx_max(now, until);
}


static void
model_post(void)
{
    u_char                token[NGX_MSGBUS_TOKEN_LEN];
    ngx_str_t             name;
    ngx_uint_t            i;
    model_post_t         *post;
    ngx_msgbus_event_t    ev;
    ngx_msgbus_channel_t  ch;

    unit_check(last - first < MODEL_POSTS, "too many posts wait");

    i = model_phase(now);
    post = &posts[last++ % MODEL_POSTS];

    memset(post, 0, sizeof(model_post_t));
    memset(&ev, 0, sizeof(ngx_msgbus_event_t));
    memset(token, 0, sizeof(token));

    post->posted = now;
    post->phase = i;
    post->size = size * phases[i].factor
                 * (1 + spread * ((double) unit_below(2001) / 1000 - 1));

    total++;
    memcpy(token, &total, sizeof(total));

    /* a path that is not smooth is asked for a little less */

    next += 1e6 / (a_second / phases[i].factor * phases[i].load
                   * (1 - 3 * (double) hiccup / 1e6));

    ngx_str_set(&name, "/a");
    (void) ngx_msgbus_channel_parse(&ch, &name, c.log.sh->seed);

    ev.channel = &ch;
    ev.data.data = text;
    ev.data.len = post->size > 100 ? post->size - 100 : 1;

    if (!ngx_msgbus_ledger_has_time(&c, MODEL_PATIENCE / 1000)) {
        early++;
        model_lost(post, "it has no chance");
        return;
    }

    if (ngx_msgbus_pending_put_locked(&c.pending, 0, &ev, token, now,
                                      &post->outcome)
        != NGX_OK)
    {
        model_lost(post, "there is no room");
        return;
    }

    post->waits = 1;
    cells[post->outcome.cell] = post;
    c.sh->idle = 0;
}


static void
model_stored(model_post_t *post)
{
    ngx_uint_t  i;

    post->waits = 0;
    stored[post->phase]++;

    /* in whose time it was carried */

    i = model_phase(now);

    if (now >= begins[i] + phases[i].after) {
        carried[i] += post->size;
    }
}


static void
model_lost(model_post_t *post, const char *why)
{
    model_phase_t  *p;

    post->waits = 0;
    lost[post->phase]++;

    p = &phases[post->phase];

    /* what the next phase does to it is not looked at */

    unit_check(!p->all || post->posted < begins[post->phase] + p->all
               || post->posted + MODEL_PATIENCE > begins[post->phase + 1],
               "%s, %" PRIu64 " ms later a post is lost: %s (%.0f bytes/s, "
               "latency %" PRIu64 " us, events of %.0f bytes, %" PRIu64
               " bytes wait, batches of %zu took %" PRIu64 " us, rate %" PRIu64
               ")", p->title, (post->posted - begins[post->phase]) / 1000, why,
               p->rate, latency, size, c.pending.sh->bytes, c.pace.bytes,
               c.pace.took, c.sh->rate);
}


static void
model_take(void)
{
    ngx_uint_t             i, n;
    model_post_t          *post;
    ngx_msgbus_outcome_t   taken[64];

    do {
        n = ngx_msgbus_pending_take_locked(&c.pending, 0, taken, 64);

        for (i = 0; i < n; i++) {
            post = cells[taken[i].cell];

            if (!post->waits
                || post->outcome.generation != taken[i].generation)
            {
                continue;
            }

            if (taken[i].id && taken[i].id < NGX_MSGBUS_ID_REFUSED) {
                model_stored(post);

            } else {
                model_lost(post, "it was not sent in time");
            }
        }

    } while (n == 64);
}


/* --- what must be true */

/* what did not fit into a path that has not changed is not sent as large */
static void
model_fits(size_t bytes, ngx_uint_t n, ngx_uint_t failed)
{
    ngx_uint_t  i;

    i = model_phase(now);

    failed = failed && phases[i].rate
             && now - 2000000 >= begins[i] && !patient && !endless;

    unit_check(!failed || n == 1 || !sent_failed || sent_phase != i
               || bytes <= sent * 3 / 4,
               "%s: %zu bytes do not fit, nor do %zu then (%.0f bytes/s)",
               phases[i].title, sent, bytes, phases[i].rate);

    sent = bytes;
    sent_failed = failed;
    sent_phase = i;
}


static void
model_verdict(void)
{
    double          part;
    ngx_uint_t      i;
    model_phase_t  *p;

    for (i = 0; i < nphases; i++) {

        p = &phases[i];

        if (p->carried == 0) {
            continue;
        }

        part = carried[i] * 1e6 / (p->time - p->after) 
               / (p->rate * (1 - hiccup / 1e6));

        unit_check(part >= p->carried, "%s: %.2f of its %.0f bytes/s, latency "
                   "%" PRIu64 " us, events of %.0f bytes, batches of %zu took "
                   "%" PRIu64 " us", p->title, part, p->rate, latency, size,
                   c.pace.bytes, c.pace.took);
    }
}
