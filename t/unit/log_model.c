
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The event log against a plain model of it, in random steps.
 *
 * The model is an array of all events ever appended, of which a part at the
 * end is still there, and counters by channel; whatever it wants to know, it
 * looks for from one end to the other.  It foretells each outcome: which
 * events leave, which bytes a read renders, which cursor and which gap a
 * reader is told.  A round is one log; rounds differ in size, limits, ids,
 * channels.  Some follow a database: there are ids without an event, and a
 * cursor above the newest id is known to be nobody's when the database has
 * been looked at since.  No crash here: that is log_crash.c.
 *
 *     log_model STEPS [many]
 *
 * With "many" all readers ask for several channels at once, and the lists that
 * they name overlap as they please: the model knows nothing of their canonical
 * form.
 *
 * Linked with -Wl,--wrap=clock_gettime: the monotonic clock is the model's.
 */


#include "check.h"


#define MODEL_NAMES      600
#define MODEL_HOT        12
#define MODEL_UUIDS      5
#define MODEL_AGENTS     4
#define MODEL_KEYS       2000
#define MODEL_NOISE      2097152
#define MODEL_LARGEST    4194304

/* rounds: of all sorts; of long lists; of more events than index places */
#define MODEL_ANY        0
#define MODEL_LONG       1
#define MODEL_TIGHT      2

#define MODEL_MAX_ID     0x1fffffffffffff


/* how long a cursor above the newest event is remembered, us */
#define MODEL_FAR_TIME  60000000

/* no log gets so far from its first id */
#define MODEL_FAR        10000000000


/* a channel's name, and the names above it */
typedef struct {
    u_char                 text[NGX_MSGBUS_CHANNEL_LEN + 1];
    ngx_msgbus_channel_t   ch;
    uint32_t               above[NGX_MSGBUS_CHANNEL_DEPTH];

    uint64_t               exact_dropped;  /* newest id that has left */
    uint64_t               tree_dropped;
    uint32_t               tree_live;      /* events at and below it */
} model_name_t;


typedef struct {
    uint64_t               id;
    uint64_t               created;        /* by the wall clock: any time */
    int64_t                since;
    uint32_t               name;
    uint32_t               uuid;           /* 0: none */
    uint32_t               agent;
    uint32_t               key;            /* 0: none */
    uint32_t               data;           /* place in the noise */
    uint32_t               data_len;
    uint32_t               size;           /* in the ring */
    size_t                 offset;
} model_event_t;


typedef struct {
    model_event_t         *events;
    size_t                 room;
    size_t                 first;          /* those that are still there: */
    size_t                 end;            /*   first to end - 1 */

    model_name_t          *names;
    uint32_t               n_names;
    uint32_t               n_hot;
    uint32_t               used_names;     /* with events at or below */

    uint64_t               first_id;
    uint64_t               last_id;
    uint64_t               evicted_id;
    int64_t                since;          /* of the newest */
    uint64_t               pressed;
    uint64_t               refused;
    uint64_t               forgotten;
    size_t                 head;
    size_t                 tail;

    uint64_t               looked;         /* when the last look began */
} model_t;


/* a read, as the model sees it */
typedef struct {
    ngx_msgbus_query_t    *q;
    uint32_t               name;           /* not with many */
    uint32_t               names[NGX_MSGBUS_MANY_MAX];
    ngx_uint_t             below[NGX_MSGBUS_MANY_MAX];
    ngx_uint_t             n_names;
    ngx_uint_t             whole;          /* the star alone is among them */
    ngx_msgbus_many_t      many;
    u_char                 canonical[NGX_MSGBUS_MANY_LEN];
    uint32_t               hide;           /* a uuid; 0: none */
    uint64_t               place;
    size_t                 at;
    uint64_t               last_id;
    ngx_uint_t             events;
    size_t                 bytes;
    size_t                 rendered;       /* bytes of this hold */
    ngx_uint_t             cut;
    ngx_uint_t             started;
    ngx_uint_t             must_gap;
    ngx_uint_t             may_gap;
    ngx_uint_t             ahead;          /* of the log, and not invented */
} model_read_t;


/* of the C library, and what stands in for it */
int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);


static void model_round(uint64_t steps, ngx_uint_t kind);
static size_t model_zone(ngx_uint_t kind);
static size_t model_tight_zone(void);
static void model_make_names(ngx_uint_t kind);
static void model_add_name(uint32_t above, size_t len);
static void model_mutate(void);
static void model_append(void);
static void model_choose(model_event_t *e);
static size_t model_size(model_event_t *e);
static ngx_int_t model_append_once(model_event_t *e);
static ngx_uint_t model_fits(model_event_t *e);
static uint32_t model_new_names(model_event_t *e);
static void model_evict(void);
static ngx_int_t model_expire_some(void);
static void model_expire(void);
static void model_torn(void);
static void model_compare(void);
static void model_compare_all(void);
static void model_read(ngx_uint_t alone);
static void model_choose_query(model_read_t *r, ngx_msgbus_query_t *q,
    ngx_msgbus_channel_t *ch);
static uint32_t model_choose_name(void);
static void model_choose_many(model_read_t *r, ngx_msgbus_query_t *q);
static ngx_uint_t model_covers(model_read_t *r, model_event_t *e);
static ngx_uint_t model_covers_many(model_read_t *r, model_event_t *e);
static uint64_t model_dropped_many(model_read_t *r);
static ngx_uint_t model_hidden(model_read_t *r, model_event_t *e);
static void model_told_gap(model_read_t *r);
static ngx_uint_t model_invented(ngx_msgbus_query_t *q);
static void model_database(void);
static ngx_int_t model_hold(model_read_t *r);
static model_event_t *model_next(model_read_t *r);
static size_t model_render(model_read_t *r, model_event_t *e, u_char *p);
static void model_page(model_read_t *r);
static void model_page_seen(model_read_t *r);
static void model_law(model_read_t *r);
static void model_search(void);
static void model_find_key(void);
static void model_key(ngx_msgbus_key_t *key, uint32_t n);
static void model_forget(void);
static ngx_uint_t model_steps(ngx_msgbus_list_t *list, ngx_uint_t slot,
    uint64_t id, ngx_uint_t inclusive);
static void model_dead(ngx_uint_t poison);


static const char  *model_uuids[MODEL_UUIDS] = {
    "", "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "6ba7b810-9dad-11d1-80b4-00c04fd430c9", "x", "6ba7b810-9dad"
};

static const char  *model_agents[MODEL_AGENTS] = {
    "", "poster/1.0 uuid/6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "a \\\"quoted\\\" one", "curl/7.88.1"
};


static model_t           model;
static u_char           *noise;
static int64_t           now;              /* since boot */
static uint64_t          wall;             /* jumps, both ways */
static uint64_t          pace;             /* steps of time in a ttl */
static uint64_t          no_holes;         /* between the ids of a round */
static ngx_uint_t        tight;
static ngx_uint_t        many_only;
static uint64_t          monotonic;        /* us */

static ngx_msgbus_log_t  the_log, *log = &the_log;
static ngx_slab_pool_t   the_pool;
static ngx_msgbus_undo_t the_undo;

/* what a page's holds rendered, the model's way and the log's way */
static u_char           *expected;
static u_char           *buf;
static uint64_t         *seen_ids, *page_ids;
static size_t            n_seen, n_page;

/* how often each corner was reached */
static struct {
    uint64_t               appends;
    uint64_t               reads;
    uint64_t               rendered;
    uint64_t               rounds;
    uint64_t               wraps;
    uint64_t               pressed;
    uint64_t               refused;
    uint64_t               expired;
    uint64_t               again;
    uint64_t               too_large;
    uint64_t               recycled;
    uint64_t               no_node;
    uint64_t               index_full;
    uint64_t               gaps;
    uint64_t               in_holds;
    uint64_t               lost_between;
    uint64_t               cuts;
    uint64_t               nothing;
    uint64_t               many;
    uint64_t               many_merged;
    uint64_t               many_covered;
    uint64_t               repairs;
    uint64_t               anchors;
    uint64_t               ahead;
    uint64_t               invented;
    uint64_t               longest_list;
    uint64_t               most_steps;
    uint64_t               keys_found;
    uint64_t               keys_expired;
    uint64_t               keys_gone;
    uint64_t               keys_forgotten;
} reached;


int
main(int argc, char **argv)
{
    size_t    i;
    uint64_t  steps, round;

    unit_init();

    steps = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    many_only = argc > 2 && strcmp(argv[2], "many") == 0;

    noise = malloc(MODEL_NOISE);

    for (i = 0; i < MODEL_NOISE; i++) {
        noise[i] = (u_char) (' ' + unit_below(95));
    }

    model.names = malloc(MODEL_NAMES * sizeof(model_name_t));
    seen_ids = malloc(1000 * sizeof(uint64_t));
    page_ids = malloc(1000 * sizeof(uint64_t));

    model_round(steps / 8, MODEL_LONG);
    model_round(steps / 50, MODEL_TIGHT);

    while (unit_step < steps) {
        round = 2000 + unit_below(18000);
        model_round(ngx_min(round, steps - unit_step), MODEL_ANY);
    }

    printf("steps: %" PRIu64 "\n", unit_step);
    printf("rounds: %" PRIu64 "\n", reached.rounds);
    printf("appends: %" PRIu64 "\n", reached.appends);
    printf("reads: %" PRIu64 "\n", reached.reads);
    printf("events rendered: %" PRIu64 "\n", reached.rendered);
    printf("wraps: %" PRIu64 "\n", reached.wraps);
    printf("pressed: %" PRIu64 "\n", reached.pressed);
    printf("refused: %" PRIu64 "\n", reached.refused);
    printf("expired: %" PRIu64 "\n", reached.expired);
    printf("appends in several holds: %" PRIu64 "\n", reached.again);
    printf("too large: %" PRIu64 "\n", reached.too_large);
    printf("nodes recycled: %" PRIu64 "\n", reached.recycled);
    printf("index full: %" PRIu64 "\n", reached.index_full);
    printf("no node: %" PRIu64 "\n", reached.no_node);
    printf("gaps: %" PRIu64 "\n", reached.gaps);
    printf("reads in several holds: %" PRIu64 "\n", reached.in_holds);
    printf("lost between holds: %" PRIu64 "\n", reached.lost_between);
    printf("pages cut: %" PRIu64 "\n", reached.cuts);
    printf("empty reads: %" PRIu64 "\n", reached.nothing);
    printf("repairs: %" PRIu64 "\n", reached.repairs);
    printf("keys found: %" PRIu64 "\n", reached.keys_found);
    printf("keys of what is too old: %" PRIu64 "\n", reached.keys_expired);
    printf("keys that nothing has: %" PRIu64 "\n", reached.keys_gone);
    printf("keys forgotten early: %" PRIu64 "\n", reached.keys_forgotten);
    printf("ids without an event: %" PRIu64 "\n", reached.anchors);
    printf("cursors that are ahead: %" PRIu64 "\n", reached.ahead);
    printf("cursors of nobody: %" PRIu64 "\n", reached.invented);
    printf("reads of several: %" PRIu64 "\n", reached.many);
    printf("of those in order: %" PRIu64 "\n", reached.many_merged);
    printf("lists left out: %" PRIu64 "\n", reached.many_covered);
    printf("longest list: %" PRIu64 "\n", reached.longest_list);
    printf("most steps of a search: %" PRIu64 "\n", reached.most_steps);

    return 0;
}


static void
model_round(uint64_t steps, ngx_uint_t kind)
{
    u_char    *block, *addr;
    size_t     size, shift, page;
    uint64_t   id, seed, last, torn;

    reached.rounds++;

    tight = kind == MODEL_TIGHT;

    size = model_zone(kind);
    shift = kind == MODEL_ANY ? 8 * unit_below(8) : 0;

    /* of exact size, so that ASan sees what is done outside */

    block = malloc(size + shift);
    memset(block, 0xa5, size + shift);
    addr = block + shift;
    unit_poison(block, shift);

    memset(log, 0, sizeof(ngx_msgbus_log_t));
    memset(&the_pool, 0, sizeof(ngx_slab_pool_t));

    the_pool.log_ctx = (u_char *) " in a test";
    log->shpool = &the_pool;
    log->undo = &the_undo;
    log->ttl = unit_once_in(3) ? 1 + unit_below(3000)
                               : 100 + unit_below(100000);
    log->max_events = unit_once_in(4) ? 1 + unit_below(400)
                                      : NGX_MAX_UINT32_VALUE;
    log->reject = unit_once_in(4);
    log->follows = unit_once_in(2);
    pace = unit_once_in(2) ? 20 : 1000;
    no_holes = unit_once_in(2) ? 2 : 0;

    if (kind != MODEL_ANY) {
        pace = 1000000;
        log->ttl = 1000000000;
        log->max_events = NGX_MAX_UINT32_VALUE;
        log->reject = 0;
        log->follows = 0;
    }

    unit_check(ngx_msgbus_log_init(log, addr, size, 1) == NGX_OK,
               "no log in %zu bytes", size);

    unit_check(log->ring + log->size <= addr + size, "the ring is too large");
    unit_poison(log->ring + log->size, addr + size - log->ring - log->size);

    switch (unit_below(4)) {

    case 0:
        id = 1;
        break;

    case 1:
        id = MODEL_MAX_ID - 1000000000000;
        break;

    default:
        id = 1 + unit_below(unit_once_in(2) ? 100 : 500000000000000);
    }

    seed = unit_random();
    now = unit_below(1000000);
    wall = 1330000000000;

    ngx_msgbus_log_start(log, id, seed, 0);

    model.room = 65536;
    model.events = malloc(model.room * sizeof(model_event_t));
    model.first = 0;
    model.end = 0;
    model.first_id = id;
    model.last_id = id - 1;
    model.evicted_id = id - 1;
    model.since = 0;
    model.pressed = 0;
    model.refused = 0;
    model.forgotten = 0;
    model.head = 0;
    model.tail = 0;
    model.looked = 0;

    model_make_names(kind);

    page = NGX_MSGBUS_HOLD_BYTES + ngx_msgbus_log_max_record(log)
           + NGX_MSGBUS_VIEW_OVERHEAD;

    buf = malloc(page);
    expected = malloc(page + ngx_msgbus_log_max_record(log)
                      + NGX_MSGBUS_VIEW_OVERHEAD);

    torn = unit_once_in(2) ? 3000 : (uint64_t) -1;

    for (last = unit_step + steps; unit_step < last; unit_step++) {

        if (kind == MODEL_LONG && !unit_once_in(100)) {
            model_append();
            continue;
        }

        switch (unit_below(20)) {

        case 0: case 1: case 2: case 3:
            model_read(1);
            break;

        case 4: case 5: case 6:
            model_read(0);
            break;

        case 7:
            model_search();
            break;

        case 8: case 9:
            model_find_key();
            break;

        default:
            model_mutate();
        }

        if (unit_once_in(2000)) {
            model_compare_all();
        }

        if (unit_once_in(torn)) {
            model_torn();
        }

        if (log->follows && unit_once_in(8)) {
            model_database();
        }
    }

    model_compare_all();
    model_torn();

    unit_unpoison(block, size + shift);

    free(block);
    free(model.events);
    free(buf);
    free(expected);
}


static size_t
model_zone(ngx_uint_t kind)
{
    if (kind == MODEL_LONG) {
        return 4 * MODEL_LARGEST;
    }

    if (kind == MODEL_TIGHT) {
        return model_tight_zone();
    }

    switch (unit_below(8)) {

    case 0: case 1: case 2:
        return 8 * (32768 / 8 + unit_below(32768 / 8));

    case 3: case 4:
        return 8 * (524288 / 8 + unit_below(MODEL_LARGEST / 8));

    default:
        return 8 * (65536 / 8 + unit_below(458752 / 8));
    }
}


/* one whose ring has room for more of the smallest events than its index */
static size_t
model_tight_zone(void)
{
    size_t            size;
    model_event_t     e;
    ngx_msgbus_log_t  l;

    memset(&e, 0, sizeof(model_event_t));
    e.data_len = 2;

    /* a channel like "/a" */

    model.names[0].ch.depth = 1;
    model.names[0].ch.name.len = 2;

    for (size = 131072; size < MODEL_NOISE; size += 8) {

        unit_check(ngx_msgbus_log_init(&l, noise, size, 0) == NGX_OK,
                   "no log in %zu bytes", size);

        if (l.size / model_size(&e) > l.mask + 10) {
            return size;
        }
    }

    unit_fail("no zone has a full index");
}


/*
 * Some names at the top, most below others, now and then one of the deepest
 * and one of the longest.  In a long round three of them, in a tight one a
 * short one.
 */
static void
model_make_names(ngx_uint_t kind)
{
    uint32_t  n, above;

    model.n_names = 0;
    model.used_names = 0;

    n = unit_once_in(3) ? 2 + unit_below(12)
                        : 20 + unit_below(MODEL_NAMES - 100);

    if (kind != MODEL_ANY) {
        n = kind == MODEL_LONG ? 3 : 1;
    }

    model_add_name(MODEL_NAMES, 1);

    while (model.n_names < n) {
        above = unit_once_in(4) ? MODEL_NAMES : unit_below(model.n_names);

        if (above != MODEL_NAMES && model.names[above].ch.depth >= 6) {
            continue;
        }

        model_add_name(above, 1 + unit_below(6));
    }

    if (kind == MODEL_ANY && unit_once_in(3)) {
        model_add_name(MODEL_NAMES, NGX_MSGBUS_CHANNEL_LEN - 1);
    }

    if (kind == MODEL_ANY && unit_once_in(3)) {
        model_add_name(MODEL_NAMES, 4);

        for (n = 1; n < NGX_MSGBUS_CHANNEL_DEPTH; n++) {
            model_add_name(model.n_names - 1, 1);
        }
    }

    n = 1 + unit_below(MODEL_HOT);
    model.n_hot = ngx_min(n, model.n_names);
}


static void
model_add_name(uint32_t above, size_t len)
{
    size_t         i, start;
    ngx_str_t      text;
    model_name_t  *name;

    static const char  chars[] = "abcdefghijklmnopqrstuvwxyz0123456789_-AZ";

    do {
        name = &model.names[model.n_names];
        memset(name, 0, sizeof(model_name_t));

        start = 0;

        if (above != MODEL_NAMES) {
            start = model.names[above].ch.name.len;
            memcpy(name->text, model.names[above].text, start);
            memcpy(name->above, model.names[above].above,
                   sizeof(name->above));
        }

        name->text[start] = '/';

        for (i = 1; i <= len; i++) {
            name->text[start + i] = chars[unit_below(sizeof(chars) - 1)];
        }

        text.len = start + 1 + len;
        text.data = name->text;

        for (i = 0; i < model.n_names; i++) {
            if (model.names[i].ch.name.len == text.len
                && memcmp(model.names[i].text, text.data, text.len) == 0)
            {
                break;
            }
        }

        /* few letters may all be taken */

    } while (i < model.n_names && ++len);

    unit_check(ngx_msgbus_channel_parse(&name->ch, &text, log->sh->seed)
               == NGX_OK,
               "\"%s\" is refused", name->text);

    name->above[name->ch.depth - 1] = model.n_names++;
}


static void
model_mutate(void)
{
    switch (unit_below(16)) {

    case 0:
        now += unit_once_in(pace / 2) ? unit_below(2 * log->ttl)
                                : unit_below(1 + log->ttl / pace);
        break;

    case 1:
        model_expire();
        break;

    default:
        model_append();
    }
}


static void
model_append(void)
{
    ngx_int_t       rc;
    model_event_t  *e;

    if (model.end == model.room) {
        model.room *= 2;
        model.events = realloc(model.events,
                               model.room * sizeof(model_event_t));
    }

    e = &model.events[model.end];

    model_choose(e);

    do {
        rc = model_append_once(e);

        if (rc == NGX_AGAIN) {
            reached.again++;

            if (unit_once_in(2)) {
                now++;
            }
        }

    } while (rc == NGX_AGAIN);
}


static void
model_choose(model_event_t *e)
{
    uint64_t  step;

    switch (unit_below(16) + no_holes) {

    case 0:
        step = 1 + unit_below(1000);
        break;

    case 1:
        step = unit_once_in(10) ? 1 + unit_below(100000) : 1;
        break;

    default:
        step = 1;
    }

    e->id = model.last_id + step;
    e->name = unit_once_in(4) ? unit_below(model.n_names)
                              : unit_below(model.n_hot);
    e->uuid = unit_below(MODEL_UUIDS);
    e->agent = unit_below(MODEL_AGENTS);
    e->key = tight || unit_once_in(2) ? 0 : 1 + unit_below(MODEL_KEYS);

    switch (unit_below(32)) {

    case 0:
        e->data_len = unit_below(4096);
        break;

    case 1:
        e->data_len = unit_once_in(5) && log->size < MODEL_LARGEST * 2
                      ? unit_below(ngx_msgbus_log_max_record(log) / 4 * 5)
                      : unit_below(2000);
        break;

    case 2: case 3: case 4:
        e->data_len = unit_below(600);
        break;

    default:
        e->data_len = 2 + unit_below(60);
    }

    e->data_len = ngx_min(e->data_len, MODEL_NOISE / 2);
    if (tight && !unit_once_in(200)) {
        e->uuid = 0;
        e->agent = 0;
        e->data_len = 2;
    }

    e->data = unit_below(MODEL_NOISE - e->data_len);
    e->size = model_size(e);
}


/* what it takes in the ring: with an id of the greatest length */
static size_t
model_size(model_event_t *e)
{
    ngx_msgbus_channel_t  *ch;

    ch = &model.names[e->name].ch;

    return ngx_align(offsetof(ngx_msgbus_record_t, filing)
                     + (1 + ch->depth) * sizeof(ngx_msgbus_filing_t)
                     + ch->name.len + strlen(model_uuids[e->uuid])
                     + strlen(model_agents[e->agent]) + e->data_len
                     + strlen("{\"id\":1234567890123456,\"user_agent\":\"\","
                              "\"created_at\":\"2012-03-16 13:25:29Z\","
                              "\"age\":"),
                     8)
           + (e->key ? sizeof(ngx_msgbus_keyed_t) : 0);
}


/* one hold of the mutex, foretold and done */
static ngx_int_t
model_append_once(model_event_t *e)
{
    u_char               text[NGX_MSGBUS_TIME_LEN + 1];
    uint32_t             i, n;
    int64_t              since;
    uint64_t             floor;
    ngx_int_t            rc, expected_rc;
    ngx_msgbus_key_t     key;
    ngx_msgbus_event_t   ev;

    /* what comes from elsewhere is older, if not younger than the last one */

    since = unit_once_in(20) ? now - (int64_t) unit_below(5000) : now;

    wall = unit_once_in(50) ? unit_below(5000000000000) : wall + 1;

    sprintf((char *) text, "%020" PRIu64, wall);

    ev.channel = &model.names[e->name].ch;
    ev.uuid.data = (u_char *) model_uuids[e->uuid];
    ev.uuid.len = strlen(model_uuids[e->uuid]);
    ev.user_agent.data = (u_char *) model_agents[e->agent];
    ev.user_agent.len = strlen(model_agents[e->agent]);
    ev.data.data = noise + e->data;
    ev.data.len = e->data_len;
    ev.key = NULL;

    if (e->key) {
        model_key(&key, e->key);
        ev.key = &key;
    }

    ev.id = e->id;
    ev.created = wall;
    ev.since = since;
    memcpy(ev.created_text, text, NGX_MSGBUS_TIME_LEN);

    if (e->size > log->size / 4) {
        expected_rc = NGX_DECLINED;
        reached.too_large++;
        goto append;
    }

    /* what is too old goes first, then what is in the way */

    expected_rc = model_expire_some();

    for (n = 0; /* void */ ; n++) {

        if (n == NGX_MSGBUS_HOLD_RECORDS) {
            expected_rc = NGX_AGAIN;
            goto append;
        }

        if (model.end - model.first < ngx_min(log->mask + 1, log->max_events)
            && model_fits(e))
        {
            break;
        }

        reached.index_full += model.end - model.first == log->mask + 1
                              && model_fits(e);

        if (expected_rc == NGX_AGAIN) {
            goto append;
        }

        if (log->reject) {
            expected_rc = NGX_BUSY;
            model.refused++;
            goto append;
        }

        /* max_events is a wish, and no lack of room */

        if (model.end - model.first < log->max_events) {
            model.pressed++;
            reached.pressed++;
        }

        model_forget();
        model_evict();
    }

    expected_rc = NGX_OK;

    /* a place for each name that has none, if need be those of others */

    for (n = 0; /* void */ ; n++) {

        if (model.used_names + model_new_names(e) <= log->nodes.capacity) {
            break;
        }

        reached.no_node++;

        if (log->reject || model.first == model.end
            || model.names[e->name].ch.depth > log->nodes.capacity)
        {
            expected_rc = NGX_BUSY;
            model.refused++;
            goto append;
        }

        if (n == NGX_MSGBUS_HOLD_NODES) {
            expected_rc = NGX_AGAIN;
            goto append;
        }

        model.pressed++;
        reached.pressed++;
        model_forget();
        model_evict();
    }

append:

    floor = log->sh->nodes.floor;

    ngx_msgbus_log_lock(log);
    rc = ngx_msgbus_log_append_locked(log, &ev, now);
    ngx_msgbus_log_unlock(log);

    unit_check(rc == expected_rc, "append: %d instead of %d",
               (int) rc, (int) expected_rc);

    reached.recycled += log->sh->nodes.floor != floor;
    reached.refused += rc == NGX_BUSY;

    if (rc == NGX_OK) {
        reached.appends++;

        if (model.first == model.end || since > model.since) {
            model.since = since;
        }

        e->created = wall;
        e->since = model.since;

        e->offset = log->size - model.tail < e->size ? 0 : model.tail;

        reached.wraps += e->offset == 0;

        model.tail = e->offset + e->size;
        model.last_id = e->id;
        model.end++;

        for (i = 0; i < ev.channel->depth; i++) {
            n = model.names[e->name].above[i];
            model.used_names += model.names[n].tree_live++ == 0;
        }
    }

    model_compare();

    return rc;
}


/*
 * Behind the newest, else at the ring's start; never so that the ring would
 * be full to the last byte, as it would look empty.
 */
static ngx_uint_t
model_fits(model_event_t *e)
{
    if (model.tail < model.head) {
        return model.tail + e->size < model.head;
    }

    return model.tail + e->size <= log->size || e->size < model.head;
}


/* how many names on the event's way have no event yet */
static uint32_t
model_new_names(model_event_t *e)
{
    uint32_t       i, count;
    model_name_t  *name;

    name = &model.names[e->name];
    count = 0;

    for (i = 0; i < name->ch.depth; i++) {
        count += model.names[name->above[i]].tree_live == 0;
    }

    return count;
}


static void
model_evict(void)
{
    uint32_t        i;
    model_name_t   *name, *above;
    model_event_t  *e;

    e = &model.events[model.first++];
    name = &model.names[e->name];

    model.evicted_id = e->id;
    model.head = e->offset + e->size;

    name->exact_dropped = e->id;

    for (i = 0; i < name->ch.depth; i++) {
        above = &model.names[name->above[i]];
        above->tree_dropped = e->id;
        model.used_names -= --above->tree_live == 0;
    }

}


static ngx_int_t
model_expire_some(void)
{
    ngx_uint_t  n;

    for (n = 0;
         model.first < model.end
         && now - model.events[model.first].since >= (int64_t) log->ttl;
         n++)
    {
        if (n == NGX_MSGBUS_HOLD_RECORDS) {
            return NGX_AGAIN;
        }

        model_evict();
        reached.expired++;
    }

    return NGX_OK;
}


static void
model_expire(void)
{
    ngx_int_t  rc, expected_rc;

    expected_rc = model_expire_some();

    ngx_msgbus_log_lock(log);
    rc = ngx_msgbus_log_expire_locked(log, now);
    ngx_msgbus_log_unlock(log);

    unit_check(rc == expected_rc, "expire: %d instead of %d",
               (int) rc, (int) expected_rc);

    model_compare();
}


static void
model_torn(void)
{
    model_compare_all();

    reached.repairs++;

    ngx_msgbus_log_lock(log);

    switch (unit_below(3)) {

    case 0:
        unit_tear(log->undo, log->nodes.nodes,
                  log->nodes.capacity * sizeof(ngx_msgbus_node_t));
        break;

    case 1:
        unit_tear(log->undo, log->nodes.buckets,
                  ((size_t) log->nodes.mask + 1) * sizeof(uint32_t));
        break;

    default:
        unit_tear(log->undo, log->sh, sizeof(ngx_msgbus_log_sh_t));
    }

    ngx_msgbus_log_unlock(log);

    /* the next one takes it back */

    ngx_msgbus_log_lock(log);
    ngx_msgbus_log_unlock(log);

    model_compare();
    model_compare_all();
}


/* what costs little to compare, after each step */
static void
model_compare(void)
{
    uint64_t              left;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    left = model.end - model.first;

    unit_check(the_undo.n == 0, "a step is left open");

    unit_check(sh->next_serial - sh->head_serial == left,
               "%" PRIu64 " events are there instead of %" PRIu64,
               sh->next_serial - sh->head_serial, left);

    unit_check(sh->head == model.head && sh->tail == model.tail,
               "head %zu, tail %zu instead of %zu, %zu",
               sh->head, sh->tail, model.head, model.tail);

    unit_check(sh->last_id == model.last_id
               && sh->evicted_id == model.evicted_id,
               "last %" PRIu64 ", evicted %" PRIu64 " instead of %" PRIu64
               ", %" PRIu64,
               sh->last_id, sh->evicted_id, model.last_id, model.evicted_id);

    unit_check(sh->pressed == model.pressed && sh->refused == model.refused,
               "pressed %" PRIu64 ", refused %" PRIu64 " instead of %" PRIu64
               ", %" PRIu64,
               sh->pressed, sh->refused, model.pressed, model.refused);

    unit_check(sh->forgotten == model.forgotten,
               "%" PRIu64 " keys are forgotten instead of %" PRIu64,
               sh->forgotten, model.forgotten);
}


/* the log in itself, each event, and what each channel knows of its past */
static void
model_compare_all(void)
{
    size_t                i;
    uint64_t              serial, dropped, least;
    model_name_t         *name;
    model_event_t        *e;
    ngx_msgbus_node_t    *node;
    ngx_msgbus_log_sh_t  *sh;
    ngx_msgbus_record_t  *rec;

    sh = log->sh;

    unit_check_log(log);

    serial = sh->head_serial;

    for (i = model.first; i < model.end; i++, serial++) {
        e = &model.events[i];
        rec = ngx_msgbus_log_record(log, serial);
        name = &model.names[e->name];

        unit_check((u_char *) rec == log->ring + e->offset
                   && rec->id == e->id && rec->since == e->since
                   && rec->size == e->size && rec->data_len == e->data_len
                   && rec->channel_len == name->ch.name.len
                   && memcmp(ngx_msgbus_record_channel(rec), name->text,
                             rec->channel_len) == 0
                   && memcmp(ngx_msgbus_record_data(rec), noise + e->data,
                             e->data_len) == 0,
                   "event %" PRIu64 " is not what was appended", e->id);
    }

    /* nothing that left is forgotten, and no more is said to have left */

    least = model.first_id - 1;

    for (i = 0; i < model.n_names; i++) {
        name = &model.names[i];
        node = ngx_msgbus_node_find_locked(&log->nodes, &name->ch,
                                           name->ch.depth - 1);

        dropped = node ? node->exact.dropped : sh->nodes.floor;

        unit_check(dropped >= ngx_max(name->exact_dropped, least)
                   && dropped <= ngx_max(name->exact_dropped,
                                         sh->nodes.floor),
                   "%s: %" PRIu64 " has left, known is %" PRIu64,
                   name->text, name->exact_dropped, dropped);

        dropped = node ? node->tree.dropped : sh->nodes.floor;

        unit_check(dropped >= ngx_max(name->tree_dropped, least)
                   && dropped <= ngx_max(name->tree_dropped,
                                         sh->nodes.floor),
                   "%s/: %" PRIu64 " has left, known is %" PRIu64,
                   name->text, name->tree_dropped, dropped);

        unit_check((node && !node->idle) == (name->tree_live != 0),
                   "%s with %u events has %s", name->text, name->tree_live,
                   node ? "an idle node" : "no node");
    }
}


/* a page; alone: nothing else happens between its holds */
static void
model_read(ngx_uint_t alone)
{
    size_t                 len;
    u_char                *last;
    ngx_int_t              rc, expected_rc;
    ngx_uint_t             n, gap;
    model_read_t           r;
    ngx_msgbus_view_t      view;
    ngx_msgbus_query_t     q;
    ngx_msgbus_channel_t   ch;

    memset(&r, 0, sizeof(model_read_t));

    model_choose_query(&r, &q, &ch);

    reached.reads++;
    n_seen = 0;

    ngx_msgbus_view_init(&view, &q);

    if (alone) {
        model_page(&r);
    }

    do {
        if (!alone && unit_once_in(4)) {
            model_expire();
        }

        model_told_gap(&r);
        expected_rc = model_hold(&r);

        ngx_msgbus_log_lock(log);
        model_dead(1);

        rc = ngx_msgbus_view_next_locked(log, &view, buf, &last, now);

        model_dead(0);
        ngx_msgbus_log_unlock(log);

        len = last - buf;

        unit_check(len == r.rendered && memcmp(buf, expected, len) == 0,
                   "rendered\n%.*s\ninstead of\n%.*s",
                   (int) len, buf, (int) r.rendered, expected);

        unit_check(rc == expected_rc, "read: %d instead of %d",
                   (int) rc, (int) expected_rc);

        gap = view.gap;

        unit_check(gap || !r.must_gap, "a silent loss after %" PRIu64,
                   q.after);
        unit_check(!gap || r.may_gap, "a gap after %" PRIu64
                   " where nothing was lost", q.after);

        if (rc == NGX_AGAIN) {
            reached.in_holds++;

            for (n = unit_below(unit_once_in(4) ? 400 : 30); !alone && n; n--)
            {
                model_mutate();
            }

            if (!alone && unit_once_in(50)) {
                model_torn();
            }
        }

    } while (rc == NGX_AGAIN);

    unit_check(view.events == r.events && view.bytes == r.bytes
               && view.cut == r.cut,
               "%u events, %zu bytes, cut %u instead of %u, %zu, %u",
               (unsigned) view.events, view.bytes, view.cut,
               (unsigned) r.events, r.bytes, (unsigned) r.cut);

    unit_check(view.last_id == r.last_id,
               "last id %" PRIu64 " instead of %" PRIu64,
               view.last_id, r.last_id);

    unit_check(view.last_id >= q.after || (gap && r.events == 0),
               "the cursor goes back from %" PRIu64 " to %" PRIu64,
               q.after, view.last_id);

    reached.rendered += r.events;
    reached.many_merged += q.scope == NGX_MSGBUS_MANY && r.events > 1;
    reached.gaps += gap;
    reached.cuts += r.cut;
    reached.nothing += r.events == 0;

    if (alone) {
        model_page_seen(&r);
    }

    if (!gap) {
        model_law(&r);
    }
}


static void
model_choose_query(model_read_t *r, ngx_msgbus_query_t *q,
    ngx_msgbus_channel_t *ch)
{
    memset(q, 0, sizeof(ngx_msgbus_query_t));

    r->q = q;
    r->name = model_choose_name();

    *ch = model.names[r->name].ch;

    q->channel = ch;
    q->scope = many_only ? NGX_MSGBUS_MANY : unit_below(5);

    if (q->scope == NGX_MSGBUS_WHOLE) {
        q->channel = NULL;

    } else if (q->scope == NGX_MSGBUS_MANY) {
        model_choose_many(r, q);
    }

    q->asked = monotonic - unit_below(ngx_min(monotonic, 400000) + 1);

    switch (unit_below(8)) {

    case 0:
        q->after = 0;
        break;

    case 1:
        q->latest = 1;
        break;

    case 2:
        q->after = model.last_id + 1 + unit_below(1000);

        /* some that are far above */

        if (unit_once_in(2)) {
            q->after = model.first_id + MODEL_FAR
                       + unit_below(32);
        }

        break;

    case 3:
        q->after = unit_below(model.last_id + 1);
        break;

    default:

        /* near an event that is there, or was */

        if (model.end == 0) {
            break;
        }

        if (unit_once_in(3) || model.first == model.end) {
            q->after = model.events[unit_below(model.end)].id;

        } else {
            q->after = model.events[model.first
                                    + unit_below(model.end - model.first)].id;
        }

        q->after += unit_below(3) - 1;
    }

    switch (unit_below(4)) {

    case 0: case 1:
        q->max_events = 1 + unit_below(10);
        break;

    case 2:
        q->max_events = 1 + unit_below(60);
        break;

    default:
        q->max_events = 1 + unit_below(300);
    }

    q->max_bytes = unit_once_in(4) ? unit_below(20000) : 1048576;

    if (unit_once_in(2)) {
        r->hide = 1 + unit_below(MODEL_UUIDS - 1);
        q->hide.data = (u_char *) model_uuids[r->hide];
        q->hide.len = strlen(model_uuids[r->hide]);
    }

    q->newest_first = unit_once_in(3);
    q->name = q->scope != NGX_MSGBUS_EXACT;
}


static uint32_t
model_choose_name(void)
{
    uint32_t  name;

    name = unit_once_in(3) ? unit_below(model.n_names)
                           : unit_below(model.n_hot);

    /* a parent of a name as often as the name */

    return model.names[name].above[unit_below(model.names[name].ch.depth)];
}


/* some names, the same one perhaps, or what another one is below of */
static void
model_choose_many(model_read_t *r, ngx_msgbus_query_t *q)
{
    u_char         *p;
    uint32_t        i;
    ngx_int_t       rc;
    ngx_str_t       list;
    model_name_t   *name;
    static u_char   text[NGX_MSGBUS_MANY_LEN];

    r->n_names = 1 + unit_below(unit_once_in(3) ? NGX_MSGBUS_MANY_MAX : 6);
    p = text;

    for (i = 0; i < r->n_names; i++) {

        if (i) {
            *p++ = ',';
        }

        r->below[i] = unit_once_in(3);

        if (i && unit_once_in(200)) {
            r->whole = 1;
            r->below[i] = 1;

        } else {
            r->names[i] = i && unit_once_in(6) ? r->names[unit_below(i)]
                                               : model_choose_name();
            name = &model.names[r->names[i]];

            memcpy(p, name->text, name->ch.name.len);
            p += name->ch.name.len;
        }

        if (r->below[i]) {
            memcpy(p, "/*", 2);
            p += 2;
        }
    }

    list.data = text;
    list.len = p - text;

    rc = ngx_msgbus_many_parse(&r->many, &list, r->canonical, log->sh->seed);

    unit_check(rc == NGX_OK && r->many.n <= r->n_names
               && (r->many.n == 0) == r->whole,
               "%.*s: %d, %u lists", (int) list.len, text, (int) rc,
               r->many.n);

    reached.many++;
    reached.many_covered += r->n_names - r->many.n;

    q->many = &r->many;

    if (r->whole) {
        q->scope = NGX_MSGBUS_WHOLE;
    }
}


static ngx_uint_t
model_covers_many(model_read_t *r, model_event_t *e)
{
    ngx_uint_t     i;
    model_name_t  *asked, *posted;

    posted = &model.names[e->name];

    for (i = 0; i < r->n_names; i++) {
        asked = &model.names[r->names[i]];

        if (asked == posted
            || (r->below[i]
                && posted->ch.depth >= asked->ch.depth
                && posted->above[asked->ch.depth - 1] == r->names[i]))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
model_covers(model_read_t *r, model_event_t *e)
{
    model_name_t  *asked, *posted;

    asked = &model.names[r->name];
    posted = &model.names[e->name];

    switch (r->q->scope) {

    case NGX_MSGBUS_EXACT:
        return asked == posted;

    case NGX_MSGBUS_PARENT:
        return asked->ch.depth >= posted->ch.depth
               && asked->above[posted->ch.depth - 1] == e->name;

    case NGX_MSGBUS_ALL:
        return posted->ch.depth >= asked->ch.depth
               && posted->above[asked->ch.depth - 1] == r->name;

    case NGX_MSGBUS_MANY:
        return model_covers_many(r, e);

    default:
        return 1;
    }
}


static ngx_uint_t
model_hidden(model_read_t *r, model_event_t *e)
{
    return r->hide && e->uuid == r->hide;
}


/* the newest id that has left one of the lists */
static uint64_t
model_dropped_many(model_read_t *r)
{
    uint64_t       dropped, one;
    ngx_uint_t     i;
    model_name_t  *name;

    dropped = 0;

    for (i = 0; i < r->n_names; i++) {
        name = &model.names[r->names[i]];

        one = r->below[i] ? name->tree_dropped : name->exact_dropped;
        dropped = ngx_max(dropped, one);
    }

    return dropped;
}


/*
 * Before a hold: is the reader to be told of a gap (something that it asks
 * for has left, unseen), and may it be (a place went to another channel)?
 */
static void
model_told_gap(model_read_t *r)
{
    uint32_t             i;
    uint64_t             seen, dropped;
    model_name_t        *name;
    ngx_msgbus_query_t  *q;

    q = r->q;

    if (!r->started) {

        if (q->latest) {
            seen = model.last_id;

        } else {
            seen = q->after;
        }

        if (seen > model.last_id) {
            r->must_gap = model_invented(q);
            r->may_gap = r->must_gap;
            r->ahead = !r->must_gap;
            return;
        }

    } else {
        seen = q->newest_first ? q->after : r->place;
    }

    if (seen == 0) {
        return;
    }

    name = &model.names[r->name];
    dropped = model.first_id - 1;

    switch (q->scope) {

    case NGX_MSGBUS_EXACT:
        dropped = ngx_max(dropped, name->exact_dropped);
        break;

    case NGX_MSGBUS_PARENT:

        for (i = 0; i < name->ch.depth; i++) {
            dropped = ngx_max(dropped,
                              model.names[name->above[i]].exact_dropped);
        }

        break;

    case NGX_MSGBUS_ALL:
        dropped = ngx_max(dropped, name->tree_dropped);
        break;

    case NGX_MSGBUS_MANY:
        dropped = ngx_max(dropped, model_dropped_many(r));
        break;

    default:
        dropped = ngx_max(dropped, model.evicted_id);
    }

    if (dropped > seen) {
        reached.lost_between += r->started && !r->must_gap;
        r->must_gap = 1;
        r->may_gap = 1;
    }

    if (q->scope != NGX_MSGBUS_WHOLE && log->sh->nodes.floor > seen) {
        r->may_gap = 1;
    }
}


static ngx_uint_t
model_invented(ngx_msgbus_query_t *q)
{
    if (!log->follows) {
        return 1;
    }

    if (model.looked > q->asked) {
        reached.invented++;
        return 1;
    }

    reached.ahead++;

    return 0;
}


/* time goes, a look at the database begins, or an anchor is found in it */
static void
model_database(void)
{
    switch (unit_below(6)) {

    case 0:
        model.last_id += 1 + unit_below(unit_once_in(2) ? 3 : 3000);
        reached.anchors++;

        ngx_msgbus_log_lock(log);
        log->sh->last_id = model.last_id;
        ngx_msgbus_log_unlock(log);

        model_compare();
        break;

    case 1:
        model.looked = monotonic;

        ngx_msgbus_log_lock(log);
        log->sh->looked = monotonic;
        ngx_msgbus_log_unlock(log);
        break;

    default:
        monotonic += unit_below(unit_once_in(100) ? 2 * MODEL_FAR_TIME
                                                  : 200000);
    }
}


int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    if (id != CLOCK_MONOTONIC) {
        return __real_clock_gettime(id, ts);
    }

    ts->tv_sec = monotonic / 1000000;
    ts->tv_nsec = monotonic % 1000000 * 1000;

    return 0;
}


/* what one hold renders; r->rendered is how many bytes */
static ngx_int_t
model_hold(model_read_t *r)
{
    size_t               len;
    u_char              *p, *one;
    ngx_uint_t           n;
    model_event_t       *e;
    ngx_msgbus_query_t  *q;

    q = r->q;
    p = expected;
    r->rendered = 0;

    if (!r->started) {
        r->started = 1;
        r->place = q->latest ? model.last_id : q->after;
        r->last_id = model.last_id;

        if (r->place > model.last_id) {

            /* who is ahead keeps its cursor */

            if (r->ahead) {
                r->last_id = r->place;
            }

            return NGX_OK;
        }

        if (q->newest_first) {
            r->place = (uint64_t) -1;
            r->at = model.end;

            if (q->latest) {
                r->at = model.first;
            }
        }
    }

    for (n = 0; n < NGX_MSGBUS_HOLD_RECORDS; n++) {

        e = model_next(r);

        if (e == NULL) {

            if (!q->newest_first) {
                r->last_id = model.last_id;
            }

            r->rendered = p - expected;
            return NGX_OK;
        }

        if (!model_hidden(r, e)) {

            /* a comma is counted with each event, with the first one too */

            one = p;

            if (r->events) {
                *p++ = ',';
            }

            len = model_render(r, e, p) + 1;

            if (r->events == q->max_events
                || (r->events && r->bytes + len > q->max_bytes))
            {
                if (!q->newest_first) {
                    r->last_id = r->place;
                }

                r->cut = 1;
                r->rendered = one - expected;
                return NGX_OK;
            }

            if (one != expected
                && one - expected + len > NGX_MSGBUS_HOLD_BYTES)
            {
                r->at = e - model.events + (q->newest_first ? 1 : 0);
                r->rendered = one - expected;
                return NGX_AGAIN;
            }

            p += len - 1;
            r->events++;
            r->bytes += len;
            seen_ids[n_seen++] = e->id;
        }

        r->place = e->id;
    }

    r->rendered = p - expected;

    return NGX_AGAIN;
}


/*
 * The event that is due after r->place, or NULL.  r->at is where to look on:
 * an event keeps its place in the array for ever.
 */
static model_event_t *
model_next(model_read_t *r)
{
    model_event_t  *e;

    if (r->q->newest_first) {

        while (r->at > model.first) {
            e = &model.events[--r->at];

            if (e->id <= r->q->after) {
                return NULL;
            }

            if (e->id < r->place && model_covers(r, e)) {
                return e;
            }
        }

        return NULL;
    }

    if (r->at < model.first) {
        r->at = model.first;
    }

    while (r->at < model.end) {
        e = &model.events[r->at++];

        if (e->id > r->place && model_covers(r, e)) {
            return e;
        }
    }

    return NULL;
}


/* an event's JSON; returns its length */
static size_t
model_render(model_read_t *r, model_event_t *e, u_char *p)
{
    u_char        *start;
    uint64_t       age;
    model_name_t  *name;

    name = &model.names[e->name];
    age = now > e->since ? (now - e->since) / 1000 : 0;
    start = p;

    p += sprintf((char *) p, "{\"id\":%" PRIu64 ",\"user_agent\":\"%s\","
                 "\"created_at\":\"%020" PRIu64 "\",\"age\":%" PRIu64
                 ",\"data\":",
                 e->id, model_agents[e->agent], e->created, age);

    memcpy(p, noise + e->data, e->data_len);
    p += e->data_len;

    if (r->q->name) {
        p += sprintf((char *) p, ",\"channel\":\"%s\"", name->text);
    }

    *p++ = '}';

    return p - start;
}


/* the page as the wire promises it: whole, whatever the holds are */
static void
model_page(model_read_t *r)
{
    size_t               i, len, bytes;
    uint64_t             after;
    model_event_t       *e;
    ngx_msgbus_query_t  *q;

    q = r->q;
    after = q->latest ? model.last_id : q->after;
    bytes = 0;
    n_page = 0;

    for (i = 0; i < model.end - model.first; i++) {

        e = &model.events[q->newest_first ? model.end - 1 - i
                                          : model.first + i];

        if (e->id <= after || !model_covers(r, e) || model_hidden(r, e)) {
            continue;
        }

        len = model_render(r, e, expected) + 1;

        if (n_page == q->max_events
            || (n_page && bytes + len > q->max_bytes))
        {
            break;
        }

        page_ids[n_page++] = e->id;
        bytes += len;
    }
}


static void
model_page_seen(model_read_t *r)
{
    unit_check(n_page == n_seen
               && memcmp(page_ids, seen_ids, n_seen * sizeof(uint64_t)) == 0,
               "a page of %zu events instead of %zu", n_seen, n_page);
}


/*
 * Where no gap is told, a reader has got all that it asked for up to its new
 * cursor (of a cut page from the new end: down to its oldest event).
 */
static void
model_law(model_read_t *r)
{
    size_t               i, n;
    uint64_t             low, high;
    model_event_t       *e;
    ngx_msgbus_query_t  *q;

    q = r->q;
    low = q->after;
    high = r->last_id;

    for (n = 1; n < n_seen; n++) {
        unit_check(q->newest_first ? seen_ids[n] < seen_ids[n - 1]
                                   : seen_ids[n] > seen_ids[n - 1],
                   "id %" PRIu64 " after %" PRIu64,
                   seen_ids[n], seen_ids[n - 1]);
    }

    if (q->newest_first && r->cut) {
        low = seen_ids[n_seen - 1] - 1;
    }

    /* what has been seen may have left since */

    for (i = model.first, n = 0; i < model.end; i++) {
        e = &model.events[i];

        if (e->id <= low || e->id > high
            || !model_covers(r, e) || model_hidden(r, e))
        {
            continue;
        }

        while (n < n_seen
               && seen_ids[q->newest_first ? n_seen - 1 - n : n] < e->id)
        {
            n++;
        }

        unit_check(n < n_seen
                   && seen_ids[q->newest_first ? n_seen - 1 - n : n] == e->id,
                   "the cursor is %" PRIu64 " and event %" PRIu64
                   " was not seen", high, e->id);
    }
}


/* the newest event with a key that is not too old, or none */
static void
model_find_key(void)
{
    size_t                i;
    uint64_t              id;
    ngx_int_t             rc, same;
    model_event_t        *e;
    ngx_msgbus_key_t      key, other;

    model_key(&key, 1 + unit_below(MODEL_KEYS));
    e = NULL;

    if (model.first != model.end && unit_once_in(2)) {
        e = &model.events[model.first
                          + unit_below(model.end - model.first)];

        if (e->key == 0) {
            return;
        }

        model_key(&key, e->key);
    }

    for (i = model.end; i > model.first; i--) {
        e = &model.events[i - 1];

        if (e->key) {
            model_key(&other, e->key);

            if (memcmp(other.name, key.name, sizeof(key.name)) == 0) {
                break;
            }
        }
    }

    if (i == model.first) {
        e = NULL;
        reached.keys_gone++;

    } else if (now - e->since >= (int64_t) log->ttl) {
        e = NULL;
        reached.keys_expired++;

    } else {
        reached.keys_found++;
    }

    same = unit_below(2);
    key.body[0] += !same;

    rc = ngx_msgbus_keyed_known_locked(log, &key, now, &id);

    unit_check(rc == (e ? NGX_DONE : NGX_DECLINED),
               "a key is %sknown", rc == NGX_DONE ? "" : "not ");
    unit_check(e == NULL || id == (same ? e->id : 0),
               "a key is that of %" PRIu64 " and not of %" PRIu64,
               id, e ? e->id : 0);
}


static void
model_key(ngx_msgbus_key_t *key, uint32_t n)
{
    uint64_t  mixed;

    mixed = (n + 1) * 0x9e3779b97f4a7c15;

    memset(key, (int) n, sizeof(ngx_msgbus_key_t));
    memcpy(key->name, &mixed, sizeof(uint64_t));
}


/* the oldest is going to leave before its time */
static void
model_forget(void)
{
    if (model.events[model.first].key) {
        model.forgotten++;
        reached.keys_forgotten++;
    }
}


/* the searches in lists and in the whole log, and how long they take */
static void
model_search(void)
{
    size_t                i, n;
    uint64_t              id, serial, after, before, whole;
    ngx_uint_t            slot, steps, limit;
    model_read_t          r;
    model_event_t        *e;
    ngx_msgbus_node_t    *node;
    ngx_msgbus_list_t    *list;
    ngx_msgbus_query_t    q;

    memset(&r, 0, sizeof(model_read_t));
    r.q = &q;
    r.name = unit_once_in(4) ? unit_below(model.n_names)
                             : unit_below(model.n_hot);
    r.name = model.names[r.name].above[
                 unit_below(model.names[r.name].ch.depth)];

    q.scope = unit_once_in(2) ? NGX_MSGBUS_EXACT : NGX_MSGBUS_ALL;

    if (model.first == model.end || unit_once_in(10)) {
        id = unit_below(model.last_id + 10);

    } else {
        id = model.events[model.first
                          + unit_below(model.end - model.first)].id
             + unit_below(3) - 1;
    }

    after = 0;
    before = 0;
    whole = log->sh->next_serial;
    serial = log->sh->head_serial;
    n = 0;

    for (i = model.first; i < model.end; i++, serial++) {
        e = &model.events[i];

        if (e->id > id && whole == log->sh->next_serial) {
            whole = serial;
        }

        if (!model_covers(&r, e)) {
            continue;
        }

        n++;

        if (e->id < id) {
            before = serial;
        }

        if (e->id > id && after == 0) {
            after = serial;
        }
    }

    model_dead(1);

    unit_check(ngx_msgbus_log_search_locked(log, id) == whole,
               "the first event after %" PRIu64 " is not serial %" PRIu64,
               id, whole);

    node = ngx_msgbus_node_find_locked(&log->nodes, &model.names[r.name].ch,
                                       model.names[r.name].ch.depth - 1);
    if (node == NULL) {
        unit_check(n == 0, "a channel with events has no node");
        model_dead(0);
        return;
    }

    if (q.scope == NGX_MSGBUS_EXACT) {
        list = &node->exact;
        slot = 0;

    } else {
        list = &node->tree;
        slot = model.names[r.name].ch.depth;
    }

    serial = ngx_msgbus_filing_after_locked(log, list, slot, id);

    unit_check(serial == after, "after %" PRIu64 ": serial %" PRIu64
               " instead of %" PRIu64, id, serial, after);

    serial = ngx_msgbus_filing_before_locked(log, list, slot, id);

    unit_check(serial == before, "before %" PRIu64 ": serial %" PRIu64
               " instead of %" PRIu64, id, serial, before);

    for (i = 0, limit = 40; (n >> i) > 1; i++) {
        limit += 3;
    }

    steps = model_steps(list, slot, id, 0);
    unit_check(steps <= limit, "%u steps in a list of %zu",
               (unsigned) steps, n);
    reached.most_steps = ngx_max(reached.most_steps, steps);

    steps = model_steps(list, slot, id, 1);
    unit_check(steps <= limit, "%u steps back in a list of %zu",
               (unsigned) steps, n);
    reached.most_steps = ngx_max(reached.most_steps, steps);

    reached.longest_list = ngx_max(reached.longest_list, n);

    model_dead(0);
}


/* the way that a search goes, counted: down to ids above, or from, id on */
static ngx_uint_t
model_steps(ngx_msgbus_list_t *list, ngx_uint_t slot, uint64_t id,
    ngx_uint_t inclusive)
{
    uint64_t              serial, next, head;
    ngx_uint_t            i, steps;
    ngx_msgbus_filing_t  *f;
    uint32_t              dist[2];

    head = log->sh->head_serial;
    serial = list->newest;

    if (inclusive) {
        id--;
    }

    for (steps = 0; serial; steps++) {
        f = &ngx_msgbus_log_record(log, serial)->filing[slot];

        dist[0] = f->jump;
        dist[1] = f->prev;
        next = 0;

        for (i = 0; i < 2 && next == 0; i++) {
            next = serial - dist[i];

            if (dist[i] == 0 || next < head
                || ngx_msgbus_log_record(log, next)->id <= id)
            {
                next = 0;
            }
        }

        serial = next;
    }

    return steps;
}


/* what a reader has no business in: the ring outside of its records */
static void
model_dead(ngx_uint_t poison)
{
    size_t           live;

    static unsigned  poisoned;

    if (!poison) {
        if (poisoned) {
            unit_unpoison(log->ring, log->size);
            poisoned = 0;
        }

        return;
    }

    if (log->size > 1048576 && !unit_once_in(16)) {
        return;
    }

    poisoned = 1;

    if (model.first == model.end) {
        unit_poison(log->ring, log->size);
        return;
    }

    live = model.events[model.first].offset;

    if (model.tail > live) {
        unit_poison(log->ring, live);
        unit_poison(log->ring + model.tail, log->size - model.tail);

    } else {
        unit_poison(log->ring + model.tail, live - model.tail);
    }
}
