
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a process leaves that dies at some step of a change of the log.
 *
 * Who takes the mutex next and reads must find the log as it was before the
 * change, or as it is after it, or with some of the oldest events gone and
 * told of; all of it in order, each event whole, and fit for the next change.
 * How it dies is in crash.c.
 *
 *     log_crash          all changes
 */


#include "crash.h"


#define CRASH_SIZE      40960          /* of the log, */
#define CRASH_GUARD     8192           /*   and of what guards it before it */
#define CRASH_EVENTS    400
#define CRASH_FIRST     1000
#define CRASH_SEED      0x123456789abcdef


typedef struct {
    uint64_t               id;
    uint64_t               created;
    ngx_uint_t             name;
    size_t                 len;
} crash_event_t;


/* what is there: of all events ever, those from first to end - 1 */
typedef struct {
    ngx_uint_t             first;
    ngx_uint_t             end;
    uint64_t               last_id;
} crash_state_t;


/* with some two of three, so that there are those with a key and those without
   beside each other */
#define crash_keyed(id)  ((id) % 3 != 0)

/* with holes between the ids */
#define crash_next_id()  (the_log.sh->last_id + 1 + before.end % 3)


static void crash_begin(void);
static void crash_prepared(void);
static void crash_known(void);
static ngx_uint_t crash_inherit(u_char *addr, ngx_uint_t level);
static void crash_take_over(void);
static void crash_autopsy(ngx_uint_t level, ngx_uint_t busy);
static void crash_look(ngx_msgbus_log_t *log, crash_state_t *found);
static void crash_look_for(ngx_msgbus_log_t *log, crash_state_t *found,
    ngx_uint_t n);
static void crash_key(ngx_msgbus_key_t *key, uint64_t id);
static void crash_look_at(ngx_msgbus_log_t *log, crash_state_t *found,
    ngx_uint_t name, ngx_uint_t scope);
static void crash_read(ngx_msgbus_log_t *log, crash_state_t *found,
    ngx_uint_t name, ngx_uint_t scope, uint64_t after, ngx_uint_t gap);
static ngx_uint_t crash_covers(ngx_uint_t name, ngx_uint_t scope,
    ngx_uint_t posted);
static void crash_go_on(ngx_msgbus_log_t *log, ngx_uint_t name);
static size_t crash_render(crash_event_t *e, u_char *p);
static void crash_text(u_char *text, uint64_t created);
static ngx_int_t crash_append(ngx_msgbus_log_t *log, crash_event_t *e);
static void crash_view(ngx_msgbus_log_t *log, u_char *addr, ngx_uint_t fresh);

static void crash_start(void);
static void crash_post(ngx_uint_t name, size_t len);
static void crash_fill(ngx_uint_t n);
static void crash_fill_up(size_t left);
static void crash_expire(uint64_t ms);
static void crash_plan(ngx_uint_t name, size_t len);

static void crash_prepare_first(void);
static void crash_prepare_behind(void);
static void crash_prepare_wrap(void);
static void crash_prepare_wrap_exact(void);
static void crash_prepare_wrap_empty(void);
static void crash_prepare_several(void);
static void crash_prepare_several_inside(void);
static void crash_prepare_limit(void);
static void crash_prepare_new_nodes(void);
static void crash_prepare_recycle(void);
static void crash_prepare_no_node(void);
static void crash_prepare_too_deep(void);
static void crash_prepare_refuse(void);
static void crash_prepare_refuse_node(void);
static void crash_prepare_expire(void);
static void crash_prepare_expire_all(void);
static void crash_prepare_expire_append(void);
static void crash_change_append(void);
static void crash_change_expire(void);


static crash_case_t  cases[] = {

    { "the first append",
      crash_prepare_first, crash_change_append },

    { "an append behind others",
      crash_prepare_behind, crash_change_append },

    { "an append that goes on at the start of the ring",
      crash_prepare_wrap, crash_change_append },

    { "an append behind the last byte of the ring",
      crash_prepare_wrap_exact, crash_change_append },

    { "an append to an empty log, at the end of the ring",
      crash_prepare_wrap_empty, crash_change_append },

    { "an append that goes round and evicts several",
      crash_prepare_several, crash_change_append },

    { "an append that evicts several in the middle of the ring",
      crash_prepare_several_inside, crash_change_append },

    { "an append at max_events",
      crash_prepare_limit, crash_change_append },

    { "an append that makes four nodes",
      crash_prepare_new_nodes, crash_change_append },

    { "an append that takes the places of idle nodes",
      crash_prepare_recycle, crash_change_append },

    { "an append that evicts for the sake of places",
      crash_prepare_no_node, crash_change_append },

    { "an append that finds no place, whatever it evicts",
      crash_prepare_too_deep, crash_change_append },

    { "an append that is refused for want of room",
      crash_prepare_refuse, crash_change_append },

    { "an append that is refused for want of a place",
      crash_prepare_refuse_node, crash_change_append },

    { "expiry of several",
      crash_prepare_expire, crash_change_expire },

    { "expiry of all",
      crash_prepare_expire_all, crash_change_expire },

    { "an append behind an expiry",
      crash_prepare_expire_append, crash_change_append },

    { NULL, NULL, NULL }
};


static crash_subject_t  subject = {
    CRASH_GUARD + CRASH_SIZE,
    crash_begin,
    crash_prepared,
    crash_known,
    crash_inherit,
    crash_take_over,
    crash_autopsy
};


/* six nodes for those up to CRASH_USUAL; the zone has room for 14 */

#define CRASH_USUAL     6

#define CRASH_DEEP      6              /* /g/h/i/j */
#define CRASH_IDLE      7              /* and up to 12: eight nodes */
#define CRASH_NEW       13             /* /r/s */
#define CRASH_TOO_DEEP  14             /* 16 levels */
#define CRASH_NAMES     15

static const char  *names[] = {
    "/a", "/a/b", "/a/b/c", "/a/d", "/e", "/e/f",
    "/g/h/i/j",
    "/k", "/l", "/m", "/n/o/p", "/t", "/u",
    "/r/s",
    "/0/1/2/3/4/5/6/7/8/9/A/B/C/D/E/F"
};

static ngx_msgbus_channel_t  channels[CRASH_NAMES];


static u_char           *page, *expected;
static u_char            datas[CRASH_LEVELS][CRASH_SIZE];

static ngx_slab_pool_t   the_pool;
static ngx_msgbus_log_t  the_log, heirs[CRASH_LEVELS], *heir;

/* of the case */
static uint64_t          now;
static uint64_t          ttl;
static uint64_t          max_events;
static ngx_uint_t        reject;
static crash_event_t     ever[CRASH_EVENTS];
static crash_event_t     planned;
static crash_state_t     before, after;


int
main(void)
{
    size_t     i;
    ngx_str_t  text;

    unit_init();

    page = malloc(NGX_MSGBUS_HOLD_BYTES + CRASH_SIZE);
    expected = malloc(NGX_MSGBUS_HOLD_BYTES + CRASH_SIZE);

    for (i = 0; i < CRASH_NAMES; i++) {
        text.data = (u_char *) names[i];
        text.len = strlen(names[i]);

        unit_check(ngx_msgbus_channel_parse(&channels[i], &text, CRASH_SEED)
                   == NGX_OK,
                   "\"%s\" is refused", names[i]);
    }

    crash_run(&subject, cases);

    return 0;
}


static void
crash_begin(void)
{
    memset(&planned, 0, sizeof(crash_event_t));
    memset(&before, 0, sizeof(crash_state_t));

    ttl = 1000000;
    max_events = NGX_MAX_UINT32_VALUE;
    reject = 0;
    now = 1330000000000;
}


static void
crash_prepared(void)
{
    before.first = before.end
                   - (the_log.sh->next_serial - the_log.sh->head_serial);
    before.last_id = the_log.sh->last_id;
}


static void
crash_known(void)
{
    after = before;

    if (the_log.sh->last_id != before.last_id) {
        ever[after.end++] = planned;
        after.last_id = planned.id;
    }

    after.first = after.end
                  - (the_log.sh->next_serial - the_log.sh->head_serial);

    unit_check_log(&the_log);
}


static ngx_uint_t
crash_inherit(u_char *addr, ngx_uint_t level)
{
    heir = &heirs[level];
    crash_view(heir, addr, 0);

    return heir->undo->n != 0;
}


static void
crash_take_over(void)
{
    ngx_msgbus_log_lock(heir);
}


static void
crash_autopsy(ngx_uint_t level, ngx_uint_t busy)
{
    crash_state_t      found;
    ngx_msgbus_log_t  *log;

    log = &heirs[level];

    crash_look(log, &found);

    crash_go_on(log, planned.id ? planned.name : 0);
    crash_go_on(log, 0);
    crash_go_on(log, CRASH_DEEP);

    ngx_msgbus_log_unlock(log);
}


static void
crash_look(ngx_msgbus_log_t *log, crash_state_t *found)
{
    uint64_t    count;
    ngx_uint_t  n, scope;

    unit_check_log(log);

    count = log->sh->next_serial - log->sh->head_serial;

    found->last_id = log->sh->last_id;
    found->end = before.end;

    if (found->last_id != before.last_id) {
        unit_check(found->last_id == after.last_id,
                   "the newest id was %" PRIu64 " or %" PRIu64
                   " and is %" PRIu64,
                   before.last_id, after.last_id, found->last_id);

        found->end = after.end;
    }

    unit_check(count <= found->end, "more events than ever");

    found->first = found->end - count;

    unit_check(found->first >= before.first && found->first <= after.first,
               "from %u to %u events may be gone, %u are",
               (unsigned) before.first, (unsigned) after.first,
               (unsigned) found->first);

    unit_check(found->end == before.end || found->first == after.first,
               "the new event is there, and too many old ones");

    unit_check(log->sh->evicted_id
               == (found->first ? ever[found->first - 1].id : CRASH_FIRST - 1),
               "the newest event that is gone is not %" PRIu64,
               log->sh->evicted_id);

    for (n = 0; n < CRASH_NAMES; n++) {
        for (scope = NGX_MSGBUS_EXACT; scope <= NGX_MSGBUS_ALL; scope++) {
            crash_look_at(log, found, n, scope);
        }
    }

    crash_look_at(log, found, 0, NGX_MSGBUS_WHOLE);

    for (n = 0; n < after.end; n++) {
        crash_look_for(log, found, n);
    }
}


/* an event is found by its key as long as it is there */
static void
crash_look_for(ngx_msgbus_log_t *log, crash_state_t *found, ngx_uint_t n)
{
    uint64_t          id;
    ngx_int_t         rc, there;
    ngx_msgbus_key_t  key;

    crash_key(&key, ever[n].id);

    there = n >= found->first && n < found->end && crash_keyed(ever[n].id)
            && ever[n].created + ttl > now;

    rc = ngx_msgbus_keyed_known_locked(log, &key, now, &id);

    unit_check(rc == (there ? NGX_DONE : NGX_DECLINED)
               && (!there || id == ever[n].id),
               "the key of %" PRIu64 " is %sknown", ever[n].id,
               rc == NGX_DONE ? "" : "not ");
}


static void
crash_key(ngx_msgbus_key_t *key, uint64_t id)
{
    uint64_t  mixed;

    mixed = id * 0x9e3779b97f4a7c15;

    memset(key, 'k', sizeof(ngx_msgbus_key_t));
    memcpy(key->name, &mixed, sizeof(uint64_t));
}


/* all that is there, and the loss of what is not */
static void
crash_look_at(ngx_msgbus_log_t *log, crash_state_t *found, ngx_uint_t name,
    ngx_uint_t scope)
{
    ngx_uint_t  n;

    crash_read(log, found, name, scope, 0, 0);

    for (n = found->first; n > 0; n--) {
        if (crash_covers(name, scope, ever[n - 1].name)) {
            crash_read(log, found, name, scope, ever[n - 1].id - 1, 1);
            break;
        }
    }
}


static void
crash_read(ngx_msgbus_log_t *log, crash_state_t *found, ngx_uint_t name,
    ngx_uint_t scope, uint64_t after_id, ngx_uint_t gap)
{
    u_char              *p, *last;
    ngx_int_t            rc;
    ngx_uint_t           n, told;
    ngx_msgbus_view_t    view;
    ngx_msgbus_query_t   q;

    memset(&q, 0, sizeof(ngx_msgbus_query_t));

    q.channel = scope == NGX_MSGBUS_WHOLE ? NULL : &channels[name];
    q.scope = scope;
    q.after = after_id;
    q.max_events = CRASH_EVENTS;
    q.max_bytes = CRASH_SIZE * 2;
    q.name = 1;

    ngx_msgbus_view_init(&view, &q);

    rc = ngx_msgbus_view_next_locked(log, &view, page, &last, now);

    unit_check(rc == NGX_OK, "a read takes more than one hold");

    p = expected;

    for (n = found->first; n < found->end; n++) {
        if (ever[n].id > after_id && crash_covers(name, scope, ever[n].name)) {

            if (p != expected) {
                *p++ = ',';
            }

            p += crash_render(&ever[n], p);
        }
    }

    unit_check(last - page == p - expected
               && memcmp(page, expected, p - expected) == 0,
               "%s, scope %u: rendered\n%.*s\ninstead of\n%.*s",
               names[name], (unsigned) scope, (int) (last - page), page,
               (int) (p - expected), expected);

    told = view.gap;

    unit_check(told || !gap, "%s, scope %u: a silent loss after %" PRIu64,
               names[name], (unsigned) scope, after_id);
    unit_check(view.last_id == found->last_id, "%s, scope %u: a wrong cursor",
               names[name], (unsigned) scope);
}


static ngx_uint_t
crash_covers(ngx_uint_t name, ngx_uint_t scope, ngx_uint_t posted)
{
    size_t  asked_len, posted_len, len;

    asked_len = strlen(names[name]);
    posted_len = strlen(names[posted]);
    len = ngx_min(asked_len, posted_len);

    if (scope == NGX_MSGBUS_WHOLE) {
        return 1;
    }

    if (strncmp(names[name], names[posted], len) != 0) {
        return 0;
    }

    if (asked_len == posted_len) {
        return 1;
    }

    return (scope == NGX_MSGBUS_ALL && names[posted][len] == '/')
           || (scope == NGX_MSGBUS_PARENT && names[name][len] == '/');
}


/* the life after: an event more, and its reader */
static void
crash_go_on(ngx_msgbus_log_t *log, ngx_uint_t name)
{
    u_char              *last;
    uint64_t             cursor;
    ngx_int_t            rc;
    ngx_uint_t           told;
    crash_event_t        e;
    ngx_msgbus_view_t    view;
    ngx_msgbus_query_t   q;
    ngx_msgbus_record_t *rec;
    u_char               text[NGX_MSGBUS_TIME_LEN];

    cursor = log->sh->last_id;

    e.id = cursor + 1;
    e.created = now;
    e.name = name;
    e.len = 200;

    rc = crash_append(log, &e);

    unit_check_log(log);

    if (rc == NGX_BUSY && (reject || name == CRASH_TOO_DEEP)) {
        return;
    }

    unit_check(rc == NGX_OK, "the next append returns %d", (int) rc);

    rec = ngx_msgbus_log_record(log, log->sh->next_serial - 1);
    unit_check(rec->id == e.id, "the next event has id %" PRIu64, rec->id);

    /* no older than the newest known */

    unit_check(rec->since >= (int64_t) now
               && rec->since <= (int64_t) ngx_max(planned.created, now),
               "the next event is of %" PRId64 " and not of %" PRIu64,
               rec->since, now);

    crash_text(text, now);

    unit_check(memcmp(ngx_msgbus_record_data(rec)
                      - strlen("\",\"age\":") - NGX_MSGBUS_TIME_LEN,
                      text, NGX_MSGBUS_TIME_LEN) == 0,
               "the next event's time is \"%.*s\" instead of \"%.*s\"",
               NGX_MSGBUS_TIME_LEN,
               ngx_msgbus_record_data(rec) - strlen("\",\"age\":")
               - NGX_MSGBUS_TIME_LEN,
               NGX_MSGBUS_TIME_LEN, text);

    memset(&q, 0, sizeof(ngx_msgbus_query_t));

    q.channel = &channels[name];
    q.after = cursor;
    q.max_events = 10;
    q.max_bytes = CRASH_SIZE;
    q.name = 1;

    ngx_msgbus_view_init(&view, &q);

    rc = ngx_msgbus_view_next_locked(log, &view, page, &last, now);
    told = view.gap;

    unit_check(rc == NGX_OK && !told && view.events == 1
               && view.last_id == e.id,
               "%u events follow, gap %u", (unsigned) view.events,
               (unsigned) told);


    unit_check((size_t) (last - page) == crash_render(&e, expected)
               && memcmp(page, expected, last - page) == 0,
               "rendered\n%.*s\ninstead of\n%s",
               (int) (last - page), page, expected);
}


static size_t
crash_render(crash_event_t *e, u_char *p)
{
    u_char    *start;
    uint64_t   age;

    age = now > e->created ? (now - e->created) / 1000 : 0;
    start = p;

    p += sprintf((char *) p, "{\"id\":%" PRIu64 ",\"user_agent\":\"u\","
                 "\"created_at\":\"", e->id);

    crash_text(p, e->created);
    p += NGX_MSGBUS_TIME_LEN;

    p += sprintf((char *) p, "\",\"age\":%" PRIu64 ",\"data\":", age);

    memset(p, 'A' + e->id % 53, e->len);
    p += e->len;

    p += sprintf((char *) p, ",\"channel\":\"%s\"}", names[e->name]);

    return p - start;
}


/* differs in each byte from time to time: so half of it can be told */
static void
crash_text(u_char *text, uint64_t created)
{
    size_t  i;

    for (i = 0; i < NGX_MSGBUS_TIME_LEN; i++) {
        text[i] = 'a' + (created + created / 1000 + i) % 26;
    }
}


static ngx_int_t
crash_append(ngx_msgbus_log_t *log, crash_event_t *e)
{
    u_char              *data;
    ngx_msgbus_key_t     key;
    ngx_msgbus_event_t   ev;

    /* an outer one may be in the middle of its own */

    data = datas[crash_level];

    memset(data, 'A' + e->id % 53, e->len);
    memset(&ev, 0, sizeof(ngx_msgbus_event_t));

    ev.channel = &channels[e->name];
    ngx_str_set(&ev.uuid, "x");
    ngx_str_set(&ev.user_agent, "u");
    ev.data.data = data;
    ev.data.len = e->len;

    if (crash_keyed(e->id)) {
        crash_key(&key, e->id);
        ev.key = &key;
    }

    ev.id = e->id;
    ev.created = e->created;
    ev.since = (int64_t) e->created;
    crash_text(ev.created_text, e->created);

    return ngx_msgbus_log_append_locked(log, &ev, now);
}


static void
crash_view(ngx_msgbus_log_t *log, u_char *addr, ngx_uint_t fresh)
{
    ngx_msgbus_guard_sh_t  *guard;

    guard = (ngx_msgbus_guard_sh_t *) addr;

    memset(log, 0, sizeof(ngx_msgbus_log_t));

    log->undo = &guard->undo;

    the_pool.log_ctx = (u_char *) " in a test";

    log->shpool = &the_pool;
    log->ttl = ttl;
    log->max_events = max_events;
    log->reject = reject;

    unit_check(ngx_msgbus_log_init(log, addr + CRASH_GUARD, CRASH_SIZE, fresh)
               == NGX_OK,
               "no log in %u bytes", CRASH_SIZE);
}


/* logs to change: an empty one */
static void
crash_start(void)
{
    memset(crash_zone, 0xa5, CRASH_GUARD + CRASH_SIZE);
    memset(crash_zone, 0, sizeof(ngx_msgbus_guard_sh_t));

    crash_view(&the_log, crash_zone, 1);
    ngx_msgbus_log_start(&the_log, CRASH_FIRST, CRASH_SEED, 0);
}


static void
crash_post(ngx_uint_t name, size_t len)
{
    crash_event_t  *e;

    e = &ever[before.end];

    e->id = crash_next_id();
    e->created = now;
    e->name = name;
    e->len = len;

    ngx_msgbus_log_lock(&the_log);

    unit_check(crash_append(&the_log, e) == NGX_OK, "not prepared");

    ngx_msgbus_log_unlock(&the_log);

    before.end++;
    unit_check(before.end < CRASH_EVENTS - 1, "too many events");
}


static void
crash_fill(ngx_uint_t n)
{
    while (n--) {
        crash_post(before.end % CRASH_USUAL, 500 + before.end % 7 * 50);
        now += 7;
    }
}


/* up to where so many bytes are left of the ring */
static void
crash_fill_up(size_t left)
{
    size_t  room, rest;

    for ( ;; ) {
        room = the_log.size - the_log.sh->tail - left;

        if (room < 2000) {
            break;
        }

        crash_fill(1);
    }

    /* the last one takes what is over, less what it needs itself */

    crash_post(4, 0);

    rest = the_log.sh->tail - ((size_t) the_log.index[
               (the_log.sh->next_serial - 1) & the_log.mask] * 8);

    /* its key, if it has one, is not the next one's */

    rest -= crash_keyed(the_log.sh->last_id) * sizeof(ngx_msgbus_keyed_t);
    rest += crash_keyed(crash_next_id()) * sizeof(ngx_msgbus_keyed_t);

    room = the_log.size - the_log.sh->tail - left;

    crash_post(4, (room - rest) & ~7UL);

    /* the smallest one has had up to 7 bytes over */

    unit_check(the_log.size - the_log.sh->tail <= left + 8,
               "%zu bytes are left instead of %zu",
               the_log.size - the_log.sh->tail, left);
}


/* lets so much time go, and what is older than ttl */
static void
crash_expire(uint64_t ms)
{
    now += ms;

    ngx_msgbus_log_lock(&the_log);
    (void) ngx_msgbus_log_expire_locked(&the_log, now);
    ngx_msgbus_log_unlock(&the_log);
}


static void
crash_plan(ngx_uint_t name, size_t len)
{
    now += 12345;

    planned.id = the_log.sh->last_id + 2;
    planned.created = now;
    planned.name = name;
    planned.len = len;
}


static void
crash_prepare_first(void)
{
    crash_start();
    crash_plan(1, 300);
}


static void
crash_prepare_behind(void)
{
    crash_start();
    crash_fill(12);
    crash_plan(2, 300);
}


static void
crash_prepare_wrap(void)
{
    crash_start();
    crash_fill(8);
    now += 500000;
    crash_fill_up(200);
    crash_expire(500000);

    unit_check(the_log.sh->head_serial == 9, "not 8 have expired");

    crash_plan(2, 300);
}


static void
crash_prepare_wrap_exact(void)
{
    crash_start();
    crash_fill(8);
    now += 500000;
    crash_fill_up(0);
    crash_expire(500000);

    unit_check(the_log.sh->tail == the_log.size, "not full to the last byte");

    crash_plan(2, 300);
}


static void
crash_prepare_wrap_empty(void)
{
    crash_start();
    crash_fill_up(200);
    crash_expire(2000000);

    unit_check(the_log.sh->head == the_log.sh->tail, "not empty");

    crash_plan(2, 300);
}


static void
crash_prepare_several(void)
{
    crash_start();
    crash_fill_up(1000);
    crash_plan(3, 3000);
}


static void
crash_prepare_several_inside(void)
{
    crash_start();
    crash_fill_up(100);
    crash_fill(15);

    unit_check(the_log.sh->tail < the_log.sh->head, "not in the middle");

    crash_plan(3, 3000);
}


static void
crash_prepare_limit(void)
{
    max_events = 10;

    crash_start();
    crash_fill(17);
    crash_plan(0, 100);
}


static void
crash_prepare_new_nodes(void)
{
    crash_start();
    crash_fill(12);
    crash_plan(CRASH_DEEP, 300);
}


static void
crash_prepare_recycle(void)
{
    ngx_uint_t  n;

    crash_start();

    for (n = CRASH_IDLE; n < CRASH_NEW; n++) {
        crash_post(n, 100);
        crash_post(n, 200);
    }

    now += 500000;
    crash_fill(12);
    crash_expire(500000);

    unit_check(the_log.sh->nodes.used == the_log.nodes.capacity,
               "a node was never used");

    crash_plan(CRASH_DEEP, 300);
}


static void
crash_prepare_no_node(void)
{
    ngx_uint_t  n;

    crash_start();
    crash_fill(4);

    for (n = CRASH_IDLE; n < CRASH_NEW; n++) {
        crash_post(n, 100);
    }

    crash_fill(12);
    crash_plan(CRASH_NEW, 300);
}


static void
crash_prepare_too_deep(void)
{
    crash_start();
    crash_fill(8);
    crash_plan(CRASH_TOO_DEEP, 300);
}


static void
crash_prepare_refuse(void)
{
    crash_start();
    crash_fill_up(100);
    reject = 1;
    the_log.reject = 1;
    crash_plan(0, 1000);
}


static void
crash_prepare_refuse_node(void)
{
    ngx_uint_t  n;

    crash_start();

    for (n = CRASH_IDLE; n < CRASH_NEW - 1; n++) {
        crash_post(n, 100);
    }

    crash_fill(12);
    reject = 1;
    the_log.reject = 1;
    crash_plan(CRASH_DEEP, 300);
}


static void
crash_prepare_expire(void)
{
    crash_start();
    crash_fill(7);
    now += 500000;
    crash_fill(7);
    now += 500000;
    planned.created = now;
}


static void
crash_prepare_expire_all(void)
{
    crash_start();
    crash_fill_up(100);
    crash_fill(15);
    now += 2000000;
    planned.created = now;
}


static void
crash_prepare_expire_append(void)
{
    crash_start();
    crash_fill(7);
    now += 500000;
    crash_fill(7);
    now += 500000;
    crash_plan(2, 300);
}


static void
crash_change_append(void)
{
    ngx_msgbus_log_lock(&the_log);
    (void) crash_append(&the_log, &planned);
    ngx_msgbus_log_unlock(&the_log);
}


static void
crash_change_expire(void)
{
    ngx_msgbus_log_lock(&the_log);
    (void) ngx_msgbus_log_expire_locked(&the_log, now);
    ngx_msgbus_log_unlock(&the_log);
}
