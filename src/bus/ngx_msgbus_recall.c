
/*
 * Copyright (C) the msgbus authors
 */


/*
 * History: what the store has and the log has not, for readers that come from
 * far back.
 *
 * A thread of the worker's own asks the store, for a look back may take long,
 * and neither the event loop nor a commit is to wait for it.  It starts with
 * the first question, and answers one page a turn, in the order of asking: one
 * who reads for days does not stop one who reads a page.
 *
 *     ask()  -> waiting -> the thread's -> done -> take() -> handlers
 *
 * A store that fails is left alone for a moment, and all who wait are told.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <poll.h>
#include <pthread.h>
#include "ngx_msgbus_cond.h"
#include "ngx_msgbus_lines.h"
#include "ngx_msgbus_recall.h"
#include "ngx_msgbus_slice.h"
#include "ngx_msgbus_time.h"


/* answers handed over in one turn of the event loop, and bytes of them */
#define NGX_MSGBUS_RECALL_TURN   16
#define NGX_MSGBUS_RECALL_BYTES  262144

/* an idle connection is let go after so long, ms */
#define NGX_MSGBUS_RECALL_IDLE   10000

/* how much longer than a call of the store one waits for it, ms */
#define NGX_MSGBUS_RECALL_SLACK  500

/* how often an exit looks whether the thread has ended, ms */
#define NGX_MSGBUS_RECALL_JOIN   2

/* how far the wall clock may gain on the other one, ms */
#define NGX_MSGBUS_RECALL_AHEAD  60000


/*
 * Lock      that of cond: waiting, done, begun, rest, stop, ended, and of a
 *           question its state, link and hide
 * Loop      all, asks, and who has asked: no lock
 * Thread    reader, and of the question that it has taken rc and page
 */
struct ngx_msgbus_recall_s {
    ngx_msgbus_store_t      *store;
    ngx_msgbus_store_conf_t *conf;
    uint64_t                ttl;       /* ms */
    uint64_t                wall;      /* when it was made, ms, by both */
    uint64_t                monotonic; /*   clocks */
    ngx_msgbus_notify_t    *notify;
    ngx_msgbus_counts_t    *counts;
    ngx_log_t              *log;       /* the event loop's */

    /* the loop's */
    ngx_queue_t             all;
    ngx_uint_t              questions;
    ngx_uint_t              asks;
    ngx_event_t             more;

    pthread_t               thread;
    ngx_uint_t              started;
    ngx_uint_t              slot;      /* of the worker, once it has started */
    ngx_msgbus_lines_t     *lines;
    ngx_msgbus_cond_t       cond;

    /* under its mutex */
    ngx_queue_t             waiting;
    ngx_queue_t             done;
    uint64_t                begun;     /* the thread is at it since, us; or 0 */
    uint64_t                rest;      /* the store is left alone until, us */
    ngx_uint_t              stop;
    ngx_uint_t              ended;     /* the thread touches nothing more */

    /* the thread's */
    ngx_msgbus_past_reader_t reader;
    ngx_uint_t              attached;
};


static ngx_int_t ngx_msgbus_recall_start(ngx_msgbus_recall_t *recall);
static ngx_uint_t ngx_msgbus_recall_is_away(ngx_msgbus_recall_t *recall);
static ngx_msgbus_asked_t *ngx_msgbus_recall_find(
    ngx_msgbus_recall_t *recall, ngx_msgbus_history_t *h);
static ngx_msgbus_asked_t *ngx_msgbus_recall_add(ngx_msgbus_recall_t *recall,
    ngx_msgbus_history_t *h);
static void ngx_msgbus_recall_unlink(ngx_msgbus_ask_t *ask);
static void ngx_msgbus_recall_drop(ngx_msgbus_recall_t *recall,
    ngx_msgbus_asked_t *asked);
static void ngx_msgbus_recall_timer_handler(ngx_event_t *ev);
static void ngx_msgbus_recall_more_handler(ngx_event_t *ev);
static ngx_uint_t ngx_msgbus_recall_has_ended(ngx_msgbus_recall_t *recall);
static void *ngx_msgbus_recall_cycle(void *data);
static ngx_msgbus_asked_t *ngx_msgbus_recall_next(
    ngx_msgbus_recall_t *recall);
static void ngx_msgbus_recall_answer(ngx_msgbus_recall_t *recall,
    ngx_msgbus_asked_t *asked);
static ngx_int_t ngx_msgbus_recall_read(ngx_msgbus_recall_t *recall,
    ngx_msgbus_asked_t *asked);
static uint64_t ngx_msgbus_recall_now(ngx_msgbus_recall_t *recall);
static void ngx_msgbus_recall_failed(ngx_msgbus_recall_t *recall,
    ngx_int_t rc);
static void ngx_msgbus_recall_detach(ngx_msgbus_recall_t *recall);


ngx_msgbus_recall_t *
ngx_msgbus_recall_create(ngx_msgbus_store_t *store,
    ngx_msgbus_store_conf_t *conf, uint64_t ttl, uint64_t seed,
    ngx_msgbus_tells_t *tells, ngx_msgbus_notify_t *notify,
    ngx_msgbus_counts_t *counts, ngx_log_t *log)
{
    ngx_msgbus_recall_t  *recall;

    recall = ngx_calloc(sizeof(ngx_msgbus_recall_t), log);
    if (recall == NULL) {
        return NULL;
    }

    recall->store = store;
    recall->conf = conf;
    recall->ttl = ttl;
    recall->wall = ngx_msgbus_time_wall();
    recall->monotonic = ngx_msgbus_time_monotonic() / 1000;
    recall->reader.store = store;
    recall->reader.seed = seed;
    recall->reader.tells = tells;
    recall->notify = notify;
    recall->counts = counts;
    recall->log = log;

    recall->more.handler = ngx_msgbus_recall_more_handler;
    recall->more.data = recall;
    recall->more.log = log;

    ngx_queue_init(&recall->all);
    ngx_queue_init(&recall->waiting);
    ngx_queue_init(&recall->done);

    if (ngx_msgbus_cond_init(&recall->cond) != NGX_OK) {
        ngx_free(recall);
        return NULL;
    }

    return recall;
}


static ngx_int_t
ngx_msgbus_recall_start(ngx_msgbus_recall_t *recall)
{
    int       fd;
    sigset_t  all, old;
    ngx_err_t err;

    if (recall->started) {
        return NGX_OK;
    }

    recall->slot = (ngx_uint_t) recall->notify->slot;
    fd = recall->notify->eventfds->fd[recall->slot];

    recall->lines = ngx_msgbus_lines_create(recall->reader.tells, recall->log,
                                            fd);
    if (recall->lines == NULL) {
        return NGX_ERROR;
    }

    recall->reader.log = ngx_msgbus_lines_log(recall->lines);

    recall->reader.db = recall->store->create(recall->conf, recall->ttl,
                                              recall->reader.tells,
                                              recall->reader.log);
    if (recall->reader.db == NULL) {
        goto failed;
    }

    /* nginx's signals are for the event loop */

    sigfillset(&all);

    err = pthread_sigmask(SIG_BLOCK, &all, &old);

    if (err == 0) {
        err = pthread_create(&recall->thread, NULL, ngx_msgbus_recall_cycle,
                             recall);

        (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
    }

    if (err) {
        ngx_msgbus_tell(recall->reader.tells, NGX_MSGBUS_TELL_HISTORY_START,
                        NGX_LOG_ALERT, recall->log, err,
                        "msgbus has no thread for history, "
                        "pthread_create() failed");

        recall->store->destroy(recall->reader.db);
        recall->reader.db = NULL;

        goto failed;
    }

    recall->started = 1;

    return NGX_OK;

failed:

    ngx_msgbus_lines_destroy(recall->lines);
    recall->lines = NULL;

    return NGX_ERROR;
}


ngx_int_t
ngx_msgbus_recall_ask(ngx_msgbus_recall_t *recall, ngx_msgbus_ask_t *ask)
{
    ngx_msgbus_asked_t    *asked;
    ngx_msgbus_history_t  *h;

    if (recall->notify->slot == -1) {

        /* it could not be told of an answer, or has left that to others */

        return NGX_BUSY;
    }

    if (ngx_msgbus_recall_start(recall) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_msgbus_recall_is_away(recall)) {
        return NGX_ABORT;
    }

    h = &ask->question;

    h->since = 0;
    h->max = ngx_min(h->max, NGX_MSGBUS_HISTORY_EVENTS);
    h->max_bytes = ngx_min(h->max_bytes, NGX_MSGBUS_HISTORY_BYTES);

    asked = ngx_msgbus_recall_find(recall, h);

    if (asked == NULL) {

        if (recall->questions == NGX_MSGBUS_HISTORY_QUESTIONS) {
            return NGX_BUSY;
        }

        asked = ngx_msgbus_recall_add(recall, h);

        if (asked == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_memzero(&ask->timer, sizeof(ngx_event_t));

    ask->timer.handler = ngx_msgbus_recall_timer_handler;
    ask->timer.data = ask;
    ask->timer.log = recall->log;

    ngx_add_timer(&ask->timer,
                  recall->conf->silence + NGX_MSGBUS_RECALL_SLACK);

    ask->recall = recall;
    ask->asked = asked;
    ask->page = NULL;
    ask->rc = NGX_ERROR;

    ngx_queue_insert_tail(&asked->asks, &ask->queue);
    recall->asks++;

    return NGX_AGAIN;
}


/* has it failed a moment ago, or not answered for longer than it may? */
static ngx_uint_t
ngx_msgbus_recall_is_away(ngx_msgbus_recall_t *recall)
{
    uint64_t    now, limit;
    ngx_uint_t  away;

    limit = (recall->conf->silence + NGX_MSGBUS_RECALL_SLACK) * 1000;

    ngx_msgbus_cond_lock(&recall->cond);

    /* not before: what the thread has begun meanwhile, it has not for long */

    now = ngx_msgbus_time_monotonic();

    away = now < recall->rest
           || (recall->begun && now - recall->begun > limit);

    ngx_msgbus_cond_unlock(&recall->cond);

    return away;
}


/* one that is asked already, and will do; its answer is not there yet */
static ngx_msgbus_asked_t *
ngx_msgbus_recall_find(ngx_msgbus_recall_t *recall, ngx_msgbus_history_t *h)
{
    ngx_uint_t           fits;
    ngx_queue_t         *q;
    ngx_msgbus_asked_t  *asked;

    for (q = ngx_queue_head(&recall->all);
         q != ngx_queue_sentinel(&recall->all);
         q = ngx_queue_next(q))
    {
        asked = ngx_queue_data(q, ngx_msgbus_asked_t, queue);

        if (!ngx_msgbus_asked_serves(&asked->h, h)) {
            continue;
        }

        ngx_msgbus_cond_lock(&recall->cond);

        fits = asked->state != NGX_MSGBUS_ASKED_DONE;

        if (fits
            && asked->h.hide.len
            && (asked->h.hide.len != h->hide.len
                || ngx_memcmp(asked->h.hide.data, h->hide.data, h->hide.len)
                   != 0))
        {
            /* two who hide different events: each by himself */

            fits = asked->state == NGX_MSGBUS_ASKED_WAITS;

            if (fits) {
                asked->h.hide.len = 0;
            }
        }

        ngx_msgbus_cond_unlock(&recall->cond);

        if (fits) {
            return asked;
        }
    }

    return NULL;
}


static ngx_msgbus_asked_t *
ngx_msgbus_recall_add(ngx_msgbus_recall_t *recall, ngx_msgbus_history_t *h)
{
    ngx_msgbus_asked_t  *asked;

    asked = ngx_msgbus_asked_create(h, recall->log);
    if (asked == NULL) {
        return NULL;
    }

    ngx_queue_insert_tail(&recall->all, &asked->queue);
    recall->questions++;

    ngx_msgbus_cond_lock(&recall->cond);

    ngx_queue_insert_tail(&recall->waiting, &asked->link);
    ngx_msgbus_cond_signal_locked(&recall->cond);

    ngx_msgbus_cond_unlock(&recall->cond);

    return asked;
}


void
ngx_msgbus_recall_forget(ngx_msgbus_ask_t *ask)
{
    ngx_uint_t            waits;
    ngx_msgbus_asked_t   *asked;
    ngx_msgbus_recall_t  *recall;

    asked = ask->asked;
    recall = ask->recall;

    if (asked == NULL) {
        return;
    }

    ngx_msgbus_recall_unlink(ask);

    if (!ngx_queue_empty(&asked->asks)) {
        return;
    }

    /* nobody is left: it is not asked, where that is not done yet */

    ngx_msgbus_cond_lock(&recall->cond);

    waits = asked->state == NGX_MSGBUS_ASKED_WAITS;

    if (waits) {
        ngx_queue_remove(&asked->link);
    }

    ngx_msgbus_cond_unlock(&recall->cond);

    if (waits) {
        ngx_msgbus_recall_drop(recall, asked);
    }
}


static void
ngx_msgbus_recall_unlink(ngx_msgbus_ask_t *ask)
{
    ngx_queue_remove(&ask->queue);

    ask->recall->asks--;
    ask->asked = NULL;

    if (ask->timer.timer_set) {
        ngx_del_timer(&ask->timer);
    }
}


/* a question that nobody has to do with any more */
static void
ngx_msgbus_recall_drop(ngx_msgbus_recall_t *recall,
    ngx_msgbus_asked_t *asked)
{
    ngx_queue_remove(&asked->queue);
    recall->questions--;

    if (asked->page) {
        ngx_msgbus_past_release(asked->page);
    }

    ngx_free(asked);
}


ngx_uint_t
ngx_msgbus_recall_waiting(ngx_msgbus_recall_t *recall)
{
    return recall->asks;
}


static void
ngx_msgbus_recall_timer_handler(ngx_event_t *ev)
{
    ngx_msgbus_ask_t  *ask;

    ask = ev->data;

    /* what comes now is too late */

    ngx_msgbus_recall_forget(ask);

    ask->rc = NGX_ERROR;
    ask->handler(ask);
}


void
ngx_msgbus_recall_take(ngx_msgbus_recall_t *recall)
{
    if (recall->started) {
        ngx_msgbus_lines_write(recall->lines);
        ngx_msgbus_recall_more_handler(&recall->more);
    }
}


/* a handler may ask anew, and have others forgotten */
static void
ngx_msgbus_recall_more_handler(ngx_event_t *ev)
{
    size_t                bytes;
    ngx_uint_t            n;
    ngx_queue_t          *q;
    ngx_msgbus_ask_t     *ask;
    ngx_msgbus_asked_t   *asked;
    ngx_msgbus_recall_t  *recall;

    recall = ev->data;
    bytes = 0;

    for (n = 0;
         n < NGX_MSGBUS_RECALL_TURN && bytes < NGX_MSGBUS_RECALL_BYTES;
         n++)
    {

        ngx_msgbus_cond_lock(&recall->cond);

        q = ngx_queue_empty(&recall->done) ? NULL
                                           : ngx_queue_head(&recall->done);

        ngx_msgbus_cond_unlock(&recall->cond);

        if (q == NULL) {
            return;
        }

        asked = ngx_queue_data(q, ngx_msgbus_asked_t, link);

        if (ngx_queue_empty(&asked->asks)) {

            ngx_msgbus_cond_lock(&recall->cond);
            ngx_queue_remove(&asked->link);
            ngx_msgbus_cond_unlock(&recall->cond);

            ngx_msgbus_recall_drop(recall, asked);
            continue;
        }

        q = ngx_queue_head(&asked->asks);
        ask = ngx_queue_data(q, ngx_msgbus_ask_t, queue);

        ngx_msgbus_recall_unlink(ask);

        ask->rc = asked->rc;
        ask->page = asked->page;

        if (ask->page) {
            ask->page->owners++;
            bytes += ask->page->len;
        }

        ask->handler(ask);
    }

    ngx_post_event(ev, &ngx_posted_next_events);
}


void
ngx_msgbus_recall_hurry(ngx_msgbus_recall_t *recall, ngx_msec_t ms)
{
    ngx_queue_t         *q, *p;
    ngx_msgbus_ask_t    *ask;
    ngx_msgbus_asked_t  *asked;

    for (q = ngx_queue_head(&recall->all);
         q != ngx_queue_sentinel(&recall->all);
         q = ngx_queue_next(q))
    {
        asked = ngx_queue_data(q, ngx_msgbus_asked_t, queue);

        for (p = ngx_queue_head(&asked->asks);
             p != ngx_queue_sentinel(&asked->asks);
             p = ngx_queue_next(p))
        {
            ask = ngx_queue_data(p, ngx_msgbus_ask_t, queue);

            if ((ngx_msec_int_t) (ask->timer.timer.key - ngx_current_msec)
                > (ngx_msec_int_t) ms)
            {
                ngx_add_timer(&ask->timer, ms);
            }
        }
    }
}


void
ngx_msgbus_recall_stop(ngx_msgbus_recall_t *recall)
{
    ngx_msgbus_cond_lock(&recall->cond);

    recall->stop = 1;
    ngx_msgbus_cond_signal_locked(&recall->cond);

    ngx_msgbus_cond_unlock(&recall->cond);
}


ngx_int_t
ngx_msgbus_recall_join(ngx_msgbus_recall_t *recall, uint64_t until)
{
    ngx_queue_t         *q;
    ngx_msgbus_asked_t  *asked;

    if (recall->started) {

        /* a wait for a thread goes by the wall clock, which may jump */

        while (!ngx_msgbus_recall_has_ended(recall)) {

            if (ngx_msgbus_time_monotonic() >= until) {
                return NGX_AGAIN;
            }

            (void) poll(NULL, 0, NGX_MSGBUS_RECALL_JOIN);
        }

        (void) pthread_join(recall->thread, NULL);

        recall->store->destroy(recall->reader.db);
        ngx_msgbus_lines_destroy(recall->lines);
    }

    while (!ngx_queue_empty(&recall->all)) {
        q = ngx_queue_head(&recall->all);
        asked = ngx_queue_data(q, ngx_msgbus_asked_t, queue);

        while (!ngx_queue_empty(&asked->asks)) {
            q = ngx_queue_head(&asked->asks);

            ngx_msgbus_recall_unlink(ngx_queue_data(q, ngx_msgbus_ask_t,
                                                    queue));
        }

        ngx_msgbus_recall_drop(recall, asked);
    }

    ngx_msgbus_cond_destroy(&recall->cond);

    ngx_free(recall);

    return NGX_OK;
}


static ngx_uint_t
ngx_msgbus_recall_has_ended(ngx_msgbus_recall_t *recall)
{
    ngx_uint_t  ended;

    ngx_msgbus_cond_lock(&recall->cond);
    ended = recall->ended;
    ngx_msgbus_cond_unlock(&recall->cond);

    return ended;
}


/* the thread */
static void *
ngx_msgbus_recall_cycle(void *data)
{
    ngx_msgbus_recall_t *recall = data;

    ngx_msgbus_asked_t  *asked;

    /* its pages are long work, and the event loop may be on its processor */

    ngx_msgbus_slice_short();

    for ( ;; ) {
        asked = ngx_msgbus_recall_next(recall);

        if (asked == NULL) {
            break;
        }

        ngx_msgbus_recall_answer(recall, asked);
    }

    ngx_msgbus_recall_detach(recall);

    ngx_msgbus_cond_lock(&recall->cond);
    recall->ended = 1;
    ngx_msgbus_cond_unlock(&recall->cond);

    return NULL;
}


/* the one that has waited longest; NULL: it is to end */
static ngx_msgbus_asked_t *
ngx_msgbus_recall_next(ngx_msgbus_recall_t *recall)
{
    uint64_t             until;
    ngx_queue_t         *q;
    ngx_msgbus_asked_t  *asked;

    ngx_msgbus_cond_lock(&recall->cond);

    while (ngx_queue_empty(&recall->waiting) && !recall->stop) {

        until = recall->attached
                ? ngx_msgbus_cond_deadline(NGX_MSGBUS_RECALL_IDLE) : 0;

        if (ngx_msgbus_cond_wait_locked(&recall->cond, until) == NGX_AGAIN
            && ngx_queue_empty(&recall->waiting)
            && !recall->stop)
        {

            /* files that have left, or a connection, are held for nobody */

            ngx_msgbus_cond_unlock(&recall->cond);
            ngx_msgbus_recall_detach(recall);
            ngx_msgbus_cond_lock(&recall->cond);
        }
    }

    asked = NULL;

    if (!recall->stop) {
        q = ngx_queue_head(&recall->waiting);
        ngx_queue_remove(q);

        asked = ngx_queue_data(q, ngx_msgbus_asked_t, link);
        asked->state = NGX_MSGBUS_ASKED_TAKEN;

        recall->begun = ngx_msgbus_time_monotonic();
    }

    ngx_msgbus_cond_unlock(&recall->cond);

    return asked;
}


/* reads a page, and hands it over; after a failure all that wait is failed */
static void
ngx_msgbus_recall_answer(ngx_msgbus_recall_t *recall,
    ngx_msgbus_asked_t *asked)
{
    ngx_int_t     rc;
    ngx_queue_t  *q;

    rc = ngx_msgbus_recall_read(recall, asked);

    ngx_msgbus_recall_failed(recall, rc);

    rc = rc == NGX_BUSY ? NGX_ABORT : rc;

    ngx_msgbus_cond_lock(&recall->cond);

    asked->rc = rc;
    asked->state = NGX_MSGBUS_ASKED_DONE;
    ngx_queue_insert_tail(&recall->done, &asked->link);

    recall->begun = 0;

    if (rc == NGX_ERROR) {
        recall->rest = ngx_msgbus_time_monotonic()
                       + recall->conf->delay * 1000;

        while (!ngx_queue_empty(&recall->waiting)) {
            q = ngx_queue_head(&recall->waiting);
            ngx_queue_remove(q);

            asked = ngx_queue_data(q, ngx_msgbus_asked_t, link);

            asked->rc = NGX_ERROR;
            asked->state = NGX_MSGBUS_ASKED_DONE;
            ngx_queue_insert_tail(&recall->done, &asked->link);
        }
    }

    ngx_msgbus_cond_unlock(&recall->cond);

    ngx_msgbus_notify_signal(recall->notify, recall->slot / 64,
                             (ngx_atomic_uint_t) 1 << recall->slot % 64,
                             recall->reader.log);
}


static ngx_int_t
ngx_msgbus_recall_read(ngx_msgbus_recall_t *recall,
    ngx_msgbus_asked_t *asked)
{
    uint64_t              now, begin;
    ngx_int_t             rc;
    ngx_msgbus_history_t  h;

    if (!recall->attached) {

        recall->attached = 1;

        if (recall->store->attach(recall->reader.db) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    h = asked->h;
    now = ngx_msgbus_recall_now(recall);
    h.since = now > recall->ttl ? now - recall->ttl : 0;

    begin = ngx_msgbus_time_monotonic();

    asked->page = ngx_msgbus_past_read(&recall->reader, &h, &rc);

    if (rc == NGX_OK) {
        ngx_msgbus_count_time(recall->counts, NGX_MSGBUS_COUNT_HISTORY,
                              ngx_msgbus_time_monotonic() - begin);
    }

    return rc;
}


/*
 * The wall clock, but for one that is set ahead: by that all would be forgotten
 * at once, and not come back when it is set right.  One that was behind makes
 * no harm: what has left the store is looked up there.
 */
static uint64_t
ngx_msgbus_recall_now(ngx_msgbus_recall_t *recall)
{
    uint64_t  passed, wall;

    wall = ngx_msgbus_time_wall();
    passed = ngx_msgbus_time_monotonic() / 1000 - recall->monotonic;

    return ngx_min(wall, recall->wall + passed + NGX_MSGBUS_RECALL_AHEAD);
}


/* told in the error log, and its end, too */
static void
ngx_msgbus_recall_failed(ngx_msgbus_recall_t *recall, ngx_int_t rc)
{
    if (rc == NGX_OK) {

        if (ngx_msgbus_tell_ends(recall->reader.tells,
                                 NGX_MSGBUS_TELL_HISTORY,
                                 NGX_MSGBUS_TELL_HISTORY_WELL))
        {
            ngx_log_error(NGX_LOG_NOTICE, recall->reader.log, 0,
                          "msgbus reads history from \"%V\" again",
                          &recall->conf->name);
        }

        return;
    }

    ngx_msgbus_tell(recall->reader.tells, NGX_MSGBUS_TELL_HISTORY,
                    NGX_LOG_ERR, recall->reader.log, 0,
                    "msgbus can not read history from \"%V\": %s",
                    &recall->conf->name,
                    rc == NGX_BUSY ? "no memory"
                    : recall->store->error(recall->reader.db));

    if (rc == NGX_ERROR) {
        ngx_msgbus_recall_detach(recall);
    }
}


static void
ngx_msgbus_recall_detach(ngx_msgbus_recall_t *recall)
{
    if (recall->attached) {
        recall->store->disconnect(recall->reader.db);
        recall->attached = 0;
    }
}
