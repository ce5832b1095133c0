
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A worker's history, with a store that does as it is told and an event loop
 * that is little more than timers: each promise by itself, and then many who
 * ask, leave and come again while the store is slow, fails, or hangs.
 *
 *     history_thread SECONDS
 */


#include "unit.h"
#include <ngx_event.h>
#include <poll.h>
#include <pthread.h>
#include "ngx_msgbus_cond.h"
#include "ngx_msgbus_lines.h"
#include "ngx_msgbus_recall.h"


#define EVENTS   2000
#define ASKERS   400
#define SILENCE  200
#define DELAY    100
#define SLACK    500
#define TTL      1000000
#define IDLE     10000


/* one who asks */
typedef struct {
    ngx_msgbus_ask_t       ask;
    ngx_msgbus_scope_t     scope;
    ngx_uint_t             waits;
    ngx_uint_t             answered;
    uint64_t               asked;      /* ms */
} asker_t;


static ngx_msgbus_db_t *store_create(ngx_msgbus_store_conf_t *conf,
    uint64_t ttl, ngx_msgbus_tells_t *tells, ngx_log_t *log);
static void store_destroy(ngx_msgbus_db_t *db);
static ngx_int_t store_attach(ngx_msgbus_db_t *db);
static void store_disconnect(ngx_msgbus_db_t *db);
static const char *store_error(ngx_msgbus_db_t *db);
static ngx_int_t store_history(ngx_msgbus_db_t *db, ngx_msgbus_history_t *h,
    ngx_msgbus_doc_pt handler, void *data, ngx_msgbus_examined_t *page);
static void gate(ngx_uint_t shut);
static void gate_wait(ngx_uint_t calls);
static void begin(void);
static void end(void);
static ngx_int_t ask(asker_t *a, const char *channel, uint64_t after,
    uint64_t upto, const char *hide);
static void answered(ngx_msgbus_ask_t *ask);
static void run(ngx_uint_t ms);
static void run_until(ngx_uint_t n);
static void check_shared(void);
static void check_hidden(void);
static void check_later(void);
static void check_full(void);
static void check_forgotten(void);
static void check_failed(void);
static void check_hung(void);
static void check_clock(void);
static void check_exit(void);
static void check_not_shown(void);
static void check_idle(void);
static void check_many(ngx_uint_t seconds);

/* by the linker: what the thread waits for, and what it would */
uint64_t __wrap_ngx_msgbus_cond_deadline(ngx_msec_t ms);
uint64_t __real_ngx_msgbus_cond_deadline(ngx_msec_t ms);


static ngx_msgbus_store_t  store = {
    .create = store_create,
    .destroy = store_destroy,
    .disconnect = store_disconnect,
    .error = store_error,
    .attach = store_attach,
    .history = store_history
};


static ngx_msgbus_store_conf_t  conf = {
    .kind = &store,
    .delay = DELAY,
    .silence = SILENCE
};


static ngx_msgbus_eventfds_t  eventfds;
static ngx_msgbus_notify_t    notify;
static ngx_msgbus_counts_t    counts;
static ngx_msgbus_recall_t   *recall;
static asker_t                askers[ASKERS];
static ngx_log_t              quiet;

static ngx_atomic_t           signaled, opened, attached;
static ngx_uint_t             total;

/* of the store, under its mutex */
static pthread_mutex_t        mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t         cond = PTHREAD_COND_INITIALIZER;
static ngx_uint_t             shut, calls, wild;
static ngx_int_t              outcome = NGX_OK;
static char                   last_hide[100];
static uint64_t               last_since, wall = 1325376000000;
static uint64_t               last_call, disconnected;   /* us */

/* what of a deadline has passed already, ms */
static ngx_uint_t             passed;


int
main(int argc, char **argv)
{
    unit_init();
    unit_check(argc == 2, "how many seconds?");

    ngx_queue_init(&ngx_posted_next_events);

    check_shared();
    check_hidden();
    check_later();
    check_full();
    check_forgotten();
    check_failed();
    check_hung();
    check_not_shown();
    check_idle();
    check_clock();
    check_exit();
    check_many(strtoul(argv[1], NULL, 10));

    unit_check(opened == 0 && attached == 0, "a store is left open");

    return 0;
}


static ngx_msgbus_db_t *
store_create(ngx_msgbus_store_conf_t *c, uint64_t ttl,
    ngx_msgbus_tells_t *tells, ngx_log_t *log)
{
    (void) ngx_atomic_fetch_add(&opened, 1);

    return (ngx_msgbus_db_t *) &store;
}


static void
store_destroy(ngx_msgbus_db_t *db)
{
    (void) ngx_atomic_fetch_add(&opened, -1);
}


static ngx_int_t
store_attach(ngx_msgbus_db_t *db)
{
    unit_check(ngx_atomic_fetch_add(&attached, 1) == 0, "attached twice");

    return NGX_OK;
}


static void
store_disconnect(ngx_msgbus_db_t *db)
{
    (void) pthread_mutex_lock(&mutex);
    disconnected = ngx_msgbus_time_monotonic();
    (void) pthread_mutex_unlock(&mutex);

    unit_check(ngx_atomic_fetch_add(&attached, -1) == 1, "not attached");
}


static const char *
store_error(ngx_msgbus_db_t *db)
{
    return "it fails";
}


/* ids are whole; the n-th event is of channel "/c<n % 5>", by "p<n % 3>" */
static ngx_int_t
store_history(ngx_msgbus_db_t *db, ngx_msgbus_history_t *h,
    ngx_msgbus_doc_pt handler, void *data, ngx_msgbus_examined_t *page)
{
    char              channel[8], poster[8], text[16];
    uint64_t          id;
    ngx_int_t         rc;
    ngx_uint_t        n, us;
    ngx_msgbus_doc_t  doc;

    unit_check(attached == 1, "not attached");

    (void) pthread_mutex_lock(&mutex);

    calls++;
    last_since = h->since;
    last_call = ngx_msgbus_time_monotonic();
    sprintf(last_hide, "%.*s", (int) h->hide.len, h->hide.data);
    (void) pthread_cond_broadcast(&cond);

    while (shut) {
        (void) pthread_cond_wait(&cond, &mutex);
    }

    rc = outcome;
    us = 0;

    if (wild) {
        us = calls * 7919 % 1500;
        rc = calls % 151 == 0 ? NGX_ERROR : calls % 53 == 0 ? NGX_ABORT
             : NGX_OK;

        if (calls % 401 == 0) {
            us = (SILENCE + SLACK + 100) * 1000;
        }
    }

    (void) pthread_mutex_unlock(&mutex);

    if (us) {
        (void) usleep(us);
    }

    page->examined = h->upto;
    page->floor = 0;
    page->lost = 0;

    for (id = h->after + 1, n = 0; id <= h->upto && id <= EVENTS; id++) {

        memset(&doc, 0, sizeof(doc));

        doc.id = id;
        doc.created = 1000;
        doc.since = 1000;
        doc.channel.data = (u_char *) channel;
        doc.channel.len = sprintf(channel, "/c%d", (int) (id % 5));
        doc.uuid.data = (u_char *) poster;
        doc.uuid.len = sprintf(poster, "p%d", (int) (id % 3));
        doc.user_agent = doc.uuid;
        doc.data.data = (u_char *) text;
        doc.data.len = sprintf(text, "[%d]", (int) id);

        if (id % 7 == 0) {
            ngx_str_set(&doc.data, "no JSON");
        }

        if ((h->scopes[0].channel.len
             && (h->scopes[0].channel.len != doc.channel.len
                 || memcmp(h->scopes[0].channel.data, channel,
                           doc.channel.len) != 0))
            || (h->hide.len == doc.uuid.len
                && memcmp(h->hide.data, poster, doc.uuid.len) == 0))
        {
            continue;
        }

        handler(data, &doc);

        if (++n == h->max) {
            page->examined = id;
            break;
        }
    }

    return rc;
}


static void
gate(ngx_uint_t to)
{
    (void) pthread_mutex_lock(&mutex);
    shut = to;
    (void) pthread_cond_broadcast(&cond);
    (void) pthread_mutex_unlock(&mutex);
}


/* until the store was asked so often */
static void
gate_wait(ngx_uint_t n)
{
    (void) pthread_mutex_lock(&mutex);

    while (calls < n) {
        (void) pthread_cond_wait(&cond, &mutex);
    }

    (void) pthread_mutex_unlock(&mutex);
}


static void
begin(void)
{
    ngx_current_msec = ngx_msgbus_time_monotonic() / 1000;

    notify.slot = 3;
    notify.eventfds = &eventfds;

    shut = 0;
    calls = 0;
    wild = 0;
    outcome = NGX_OK;
    total = 0;
    memset(askers, 0, sizeof(askers));

    recall = ngx_msgbus_recall_create(&store, &conf, TTL, 1, NULL,
                                      &notify, &counts, &quiet);
    unit_check(recall != NULL, "no memory");
}


static void
end(void)
{
    gate(0);
    ngx_msgbus_recall_stop(recall);

    unit_check(ngx_msgbus_recall_join(recall,
                                      ngx_msgbus_time_monotonic() + 5000000)
               == NGX_OK, "its thread does not end");
}


static ngx_int_t
ask(asker_t *a, const char *channel, uint64_t after, uint64_t upto,
    const char *hide)
{
    ngx_int_t              rc;
    ngx_msgbus_history_t  *h;

    memset(a, 0, sizeof(asker_t));

    h = &a->ask.question;

    a->scope.channel.data = (u_char *) channel;
    a->scope.channel.len = strlen(channel);
    h->scopes = &a->scope;
    h->nscopes = 1;
    h->after = after;
    h->upto = upto;
    h->max = 50;
    h->max_bytes = 1000000;
    h->hide.data = (u_char *) hide;
    h->hide.len = hide ? strlen(hide) : 0;
    a->ask.handler = answered;
    a->ask.data = a;
    a->asked = ngx_current_msec;

    rc = ngx_msgbus_recall_ask(recall, &a->ask);
    a->waits = rc == NGX_AGAIN;

    return rc;
}


/* is it what was asked for? */
static void
answered(ngx_msgbus_ask_t *one)
{
    char                      channel[8], poster[8];
    uint64_t                  id;
    asker_t                  *a;
    ngx_uint_t                i;
    ngx_msgbus_past_t        *page;
    ngx_msgbus_history_t     *h;
    ngx_msgbus_past_event_t  *e;

    a = one->data;
    h = &one->question;

    unit_check(a->waits, "an answer for one who does not wait");
    unit_check(ngx_current_msec - a->asked < SILENCE + SLACK + 3000,
               "answered after %lu ms", ngx_current_msec - a->asked);

    a->waits = 0;
    a->answered++;
    total++;

    page = one->page;

    unit_check((page != NULL) == (one->rc == NGX_OK), "a page, and rc %ld",
               (long) one->rc);

    if (page == NULL) {
        return;
    }

    unit_check(page->examined.examined <= h->upto
               && page->examined.examined > h->after, "%" PRIu64 " to %" PRIu64
               ", examined to %" PRIu64, h->after, h->upto,
               page->examined.examined);

    for (id = h->after + 1, i = 0; id <= page->examined.examined; id++) {

        sprintf(channel, "/c%d", (int) (id % 5));
        sprintf(poster, "p%d", (int) (id % 3));
        e = i < page->n ? &page->events[i] : NULL;

        if (e && e->ev.id == id) {
            unit_check(e->channel.len == strlen(channel)
                       && memcmp(e->channel.data, channel, e->channel.len) == 0
                       && memcmp(e->ev.uuid.data, poster, e->ev.uuid.len) == 0
                       && e->ev.data.len >= 3
                       && strtoull((char *) e->ev.data.data + 1, NULL, 10)
                          == id
                       && id % 7,
                       "id %" PRIu64 " is not as it was", id);
            i++;
            continue;
        }

        unit_check(id > EVENTS || id % 7 == 0
                   || (a->scope.channel.len
                       && strncmp((char *) a->scope.channel.data, channel, 3))
                   || (h->hide.len
                       && memcmp(h->hide.data, poster, h->hide.len) == 0),
                   "id %" PRIu64 " is missing", id);
    }

    unit_check(i == page->n, "an event too many");

    ngx_msgbus_past_release(page);
}


/* the event loop, for so long */
static void
run(ngx_uint_t ms)
{
    uint64_t           until;
    ngx_event_t       *ev;
    ngx_queue_t       *q;
    ngx_rbtree_node_t *node;

    until = ngx_msgbus_time_monotonic() + ms * 1000;

    do {
        ngx_current_msec = ngx_msgbus_time_monotonic() / 1000;

        while (ngx_event_timer_rbtree.root) {
            node = ngx_event_timer_rbtree.root;

            if ((ngx_msec_int_t) (node->key - ngx_current_msec) > 0) {
                break;
            }

            ev = (ngx_event_t *) ((char *) node
                                  - offsetof(ngx_event_t, timer));
            ngx_event_del_timer(ev);
            ev->handler(ev);
        }

        while (!ngx_queue_empty(&ngx_posted_next_events)) {
            q = ngx_queue_head(&ngx_posted_next_events);
            ev = ngx_queue_data(q, ngx_event_t, queue);
            ngx_delete_posted_event(ev);
            ev->handler(ev);
        }

        if (ngx_atomic_cmp_set(&signaled, 1, 0)) {
            ngx_msgbus_recall_take(recall);

        } else {
            (void) usleep(200);
        }

    } while (ngx_msgbus_time_monotonic() < until);
}


/* until so many are answered */
static void
run_until(ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; total < n; i++) {
        unit_check(i < 5000, "%lu of %lu are answered", (unsigned long) total,
                   (unsigned long) n);
        run(1);
    }
}


/* who asks the same has the same page, and the store is asked once */
static void
check_shared(void)
{
    ngx_uint_t  i;

    begin();
    gate(1);

    unit_check(ask(&askers[0], "/c1", 0, 100, NULL) == NGX_AGAIN, "not asked");
    gate_wait(1);

    for (i = 1; i < 300; i++) {
        unit_check(ask(&askers[i], i % 2 ? "/c1" : "/c2", 0, 100, NULL)
                   == NGX_AGAIN, "not asked");
    }

    gate(0);
    run_until(300);

    unit_check(calls == 2, "asked %lu times", (unsigned long) calls);

    printf("shared: %d\n", 300);
    end();
}


/* two who hide others share what is not under way yet, and all of it */
static void
check_hidden(void)
{
    begin();
    gate(1);

    (void) ask(&askers[0], "/c1", 0, 100, "p1");
    gate_wait(1);
    unit_check(strcmp(last_hide, "p1") == 0, "not hidden by the store");

    (void) ask(&askers[1], "/c1", 0, 100, "p2");
    (void) ask(&askers[2], "/c1", 0, 100, "p0");
    (void) ask(&askers[3], "/c1", 0, 100, NULL);
    (void) ask(&askers[4], "/c1", 0, 100, "p1");

    gate(0);
    run_until(5);

    unit_check(calls == 2, "asked %lu times", (unsigned long) calls);
    unit_check(last_hide[0] == '\0', "what is shared hides %s", last_hide);

    end();
}


/* who has seen more shares what was asked with less, never the other way */
static void
check_later(void)
{
    begin();
    gate(1);

    (void) ask(&askers[0], "/c0", 0, 1, NULL);
    gate_wait(1);

    (void) ask(&askers[1], "/c1", 0, 100, NULL);
    (void) ask(&askers[2], "/c1", 0, 120, NULL);
    (void) ask(&askers[3], "/c1", 0, 90, NULL);
    (void) ask(&askers[4], "/c1", 10, 120, NULL);

    gate(0);
    run_until(5);

    unit_check(calls == 4, "asked %lu times", (unsigned long) calls);

    end();
}


/* so many questions, no more; and room again when they are answered */
static void
check_full(void)
{
    ngx_uint_t  i;

    begin();
    gate(1);

    for (i = 0; i < NGX_MSGBUS_HISTORY_QUESTIONS; i++) {
        unit_check(ask(&askers[i], "/c1", i, 100, NULL) == NGX_AGAIN,
                   "not asked");
    }

    unit_check(ask(&askers[i], "/c1", i, 100, NULL) == NGX_BUSY, "not full");
    unit_check(ask(&askers[i], "/c1", i - 1, 100, NULL) == NGX_AGAIN,
               "what is asked is not shared");

    gate(0);
    run_until(NGX_MSGBUS_HISTORY_QUESTIONS + 1);

    unit_check(ask(&askers[i], "/c1", i, 100, NULL) == NGX_AGAIN,
               "still full");
    run_until(NGX_MSGBUS_HISTORY_QUESTIONS + 2);

    end();
}


/* what nobody waits for is not asked; who is left of two has his answer */
static void
check_forgotten(void)
{
    ngx_uint_t  i;

    begin();
    gate(1);

    (void) ask(&askers[0], "/c0", 0, 10, NULL);
    gate_wait(1);

    for (i = 1; i < 41; i++) {
        unit_check(ask(&askers[i], "/c1", i / 2, 100, NULL) == NGX_AGAIN,
                   "not asked");
    }

    for (i = 0; i < 40; i++) {
        ngx_msgbus_recall_forget(&askers[i].ask);
        ngx_msgbus_recall_forget(&askers[i].ask);
        askers[i].waits = 0;
    }

    unit_check(ngx_msgbus_recall_waiting(recall) == 1, "not forgotten");

    gate(0);
    run_until(1);
    run(20);

    unit_check(total == 1 && calls == 2, "%lu answers of %lu pages",
               (unsigned long) total, (unsigned long) calls);

    end();
}


/* a store that fails fails all that wait, and is left alone for its delay */
static void
check_failed(void)
{
    ngx_uint_t  i;

    begin();
    gate(1);
    outcome = NGX_ERROR;

    for (i = 0; i < 10; i++) {
        (void) ask(&askers[i], "/c1", i, 100, NULL);
    }

    gate_wait(1);
    gate(0);
    run_until(10);

    for (i = 0; i < 10; i++) {
        unit_check(askers[i].ask.rc == NGX_ERROR, "it is said to be well");
    }

    unit_check(calls == 1, "asked %lu times", (unsigned long) calls);
    unit_check(ask(&askers[10], "/c1", 0, 100, NULL) == NGX_ABORT,
               "it is not left alone");

    (void) pthread_mutex_lock(&mutex);
    outcome = NGX_ABORT;
    (void) pthread_mutex_unlock(&mutex);

    run(DELAY + 10);

    (void) ask(&askers[10], "/c1", 0, 100, NULL);
    (void) ask(&askers[11], "/c1", 1, 100, NULL);
    run_until(12);

    unit_check(askers[10].ask.rc == NGX_ABORT
               && askers[11].ask.rc == NGX_ABORT && calls == 3,
               "what one can not read is held against all");

    end();
}


/* one that hangs is waited for as long as it may take, and not asked again */
static void
check_hung(void)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    begin();
    gate(1);

    (void) ask(&askers[0], "/c1", 0, 100, NULL);
    gate_wait(1);
    run(SILENCE / 2);
    (void) ask(&askers[1], "/c2", 0, 100, NULL);

    unit_check(total == 0, "not waited for");
    run_until(1);
    unit_check(askers[0].ask.rc == NGX_ERROR, "it is said to be well");

    /* its thread may have taken the question a little later */

    for (i = 0, rc = NGX_AGAIN; rc != NGX_ABORT; i++) {
        unit_check(i < 100, "it is asked again");

        run(10);
        rc = ask(&askers[2], "/c3", 0, 100, NULL);

        if (rc == NGX_AGAIN) {
            ngx_msgbus_recall_forget(&askers[2].ask);
        }
    }

    run_until(2);
    unit_check(askers[1].ask.rc == NGX_ERROR && calls == 1,
               "who waits behind it is asked for");

    gate(0);
    run(50);

    unit_check(ask(&askers[3], "/c2", 0, 100, NULL) == NGX_AGAIN,
               "it is not asked again");
    run_until(3);
    unit_check(askers[3].ask.rc == NGX_OK, "it is not well again");

    end();
}


/* what can not be shown is passed over, and does not end the page */
static void
check_not_shown(void)
{
    begin();

    (void) ask(&askers[0], "/c2", 6, 7, NULL);
    run_until(1);

    unit_check(askers[0].ask.rc == NGX_OK, "no page");

    end();
}


/*
 * A connection that nobody needs is let go, not before its time, and made again
 * for the next question.
 */
static void
check_idle(void)
{
    uint64_t    idle;
    ngx_uint_t  i, n;

    begin();
    passed = IDLE - 300;
    disconnected = 0;

    for (n = 1; n < 3; n++) {
        (void) ask(&askers[0], "/c1", 0, 100, NULL);
        run_until(2 * n - 1);
        run(100);

        unit_check(ask(&askers[1], "/c2", 0, 100, NULL) == NGX_AGAIN,
                   "not asked");
        run_until(2 * n);

        unit_check(askers[0].ask.rc == NGX_OK && askers[1].ask.rc == NGX_OK
                   && calls == 2 * n, "no page");

        for (i = 0, idle = 0; idle == 0; i++) {
            unit_check(i < 5000, "an idle connection is kept");
            run(1);

            (void) pthread_mutex_lock(&mutex);

            if (disconnected) {
                idle = disconnected - last_call;
                disconnected = 0;
            }

            (void) pthread_mutex_unlock(&mutex);
        }

        unit_check(idle >= 300000, "let go after %" PRIu64 " us", idle);
    }

    end();
    passed = 0;
}


uint64_t
__wrap_ngx_msgbus_cond_deadline(ngx_msec_t ms)
{
    unit_check(ms == IDLE, "idle for %lu ms", (unsigned long) ms);

    return __real_ngx_msgbus_cond_deadline(ms - passed);
}


/* what is older than the ttl is forgotten, but not for a clock set ahead */
static void
check_clock(void)
{
    begin();

    (void) ask(&askers[0], "/c1", 0, 10, NULL);
    run_until(1);
    unit_check(last_since == wall - TTL, "older than %" PRIu64, last_since);

    (void) pthread_mutex_lock(&mutex);
    wall += (uint64_t) 86400000 * 365;
    (void) pthread_mutex_unlock(&mutex);

    (void) ask(&askers[1], "/c1", 0, 10, NULL);
    run_until(2);

    (void) pthread_mutex_lock(&mutex);
    wall -= (uint64_t) 86400000 * 365;
    (void) pthread_mutex_unlock(&mutex);

    unit_check(last_since < wall - TTL + 100000, "older than %" PRIu64
               " by a clock that is set ahead", last_since);

    end();
}


/* a worker does not wait for a store that hangs, and ends when it may */
static void
check_exit(void)
{
    begin();
    gate(1);

    (void) ask(&askers[0], "/c1", 0, 100, NULL);
    (void) ask(&askers[1], "/c2", 0, 100, NULL);
    gate_wait(1);

    ngx_msgbus_recall_hurry(recall, 30);
    run_until(2);
    unit_check(ngx_current_msec - askers[0].asked < SILENCE, "no hurry");

    ngx_msgbus_recall_stop(recall);
    unit_check(ngx_msgbus_recall_join(recall,
                                      ngx_msgbus_time_monotonic() + 50000)
               == NGX_AGAIN, "it has ended");

    end();

    /* one that has left its slot to others would not hear of the answer */

    begin();

    (void) ask(&askers[0], "/c1", 0, 100, NULL);
    run_until(1);

    notify.slot = -1;
    unit_check(ask(&askers[1], "/c1", 0, 100, NULL) == NGX_BUSY,
               "it waits for what nobody tells");

    end();
}


static void
check_many(ngx_uint_t seconds)
{
    asker_t     *a;
    uint64_t     until, asked, left, busy, away;
    ngx_int_t    rc;
    ngx_uint_t   i;

    static const char  *names[] = { "", "/c0", "/c1", "/c4" };
    static const char  *hides[] = { NULL, "p0", "p1", "p2" };

    begin();
    wild = 1;

    asked = 0;
    left = 0;
    busy = 0;
    away = 0;

    until = ngx_msgbus_time_monotonic() + seconds * 1000000;

    while (ngx_msgbus_time_monotonic() < until) {

        for (i = 0; i < 20; i++) {
            a = &askers[unit_below(ASKERS)];

            if (a->waits) {

                if (unit_once_in(3)) {
                    ngx_msgbus_recall_forget(&a->ask);
                    a->waits = 0;
                    left++;
                }

                continue;
            }

            rc = ask(a, names[unit_below(4)], unit_below(12) * 100,
                     1300 + unit_below(20) * 10, hides[unit_below(4)]);

            asked += rc == NGX_AGAIN;
            busy += rc == NGX_BUSY;
            away += rc == NGX_ABORT;
        }

        run(1);
    }

    printf("asked: %" PRIu64 "\n", asked);
    printf("left: %" PRIu64 "\n", left);
    printf("busy: %" PRIu64 "\n", busy);
    printf("away: %" PRIu64 "\n", away);

    /* all who wait are answered */

    for (i = 0; ngx_msgbus_recall_waiting(recall); i++) {
        unit_check(i < 3000, "some are not answered");
        run(1);
    }

    for (i = 0; i < ASKERS; i++) {
        unit_check(!askers[i].waits, "one is not answered");
    }

    end();

    printf("pages: %lu\n", (unsigned long) calls);
}


/* what is needed of nginx's core, and of the base, around it */

ngx_queue_t             ngx_posted_next_events;
ngx_rbtree_t            ngx_event_timer_rbtree;
volatile ngx_msec_t     ngx_current_msec;


/* a list, the first one in front */
void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    ngx_rbtree_node_t  **p;

    for (p = &tree->root; *p; p = &(*p)->right) {

        if ((ngx_rbtree_key_int_t) (node->key - (*p)->key) < 0) {
            break;
        }
    }

    node->right = *p;
    *p = node;
}


void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    ngx_rbtree_node_t  **p;

    for (p = &tree->root; *p != node; p = &(*p)->right) { /* void */ }

    *p = node->right;
}


void
ngx_msgbus_notify_signal(ngx_msgbus_notify_t *n, ngx_uint_t word,
    ngx_atomic_uint_t bits, ngx_log_t *log)
{
    unit_check(word == 0 && bits == 8, "another is woken");

    (void) ngx_atomic_cmp_set(&signaled, 0, 1);
}


ngx_msgbus_lines_t *
ngx_msgbus_lines_create(ngx_msgbus_tells_t *tells, ngx_log_t *log, int fd)
{
    return (ngx_msgbus_lines_t *) &quiet;
}


ngx_log_t *
ngx_msgbus_lines_log(ngx_msgbus_lines_t *lines)
{
    return &quiet;
}


void
ngx_msgbus_lines_write(ngx_msgbus_lines_t *lines)
{
}


void
ngx_msgbus_lines_destroy(ngx_msgbus_lines_t *lines)
{
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return calloc(1, size);
}


uint64_t
ngx_msgbus_time_monotonic(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


uint64_t
ngx_msgbus_time_wall(void)
{
    uint64_t  now;

    (void) pthread_mutex_lock(&mutex);
    now = wall;
    (void) pthread_mutex_unlock(&mutex);

    return now;
}


int64_t
ngx_msgbus_time_since(uint64_t wall)
{
    return (int64_t) wall - 1325376000000;
}


void
ngx_msgbus_time_text(u_char *text, uint64_t ms)
{
    memcpy(text, "2012-01-01 00:00:00Z", NGX_MSGBUS_TIME_LEN);
}
