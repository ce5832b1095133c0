
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The thread in which a journal's keeper is at work, beside the committer's:
 * a turn a second, and one when a segment has begun.
 *
 * Who stops it does not wait for it, for what it does may take long, and
 * somebody else is to commit.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_keep.h"
#include "ngx_msgbus_journal_thread.h"


/* between two turns, ms */
#define NGX_MSGBUS_JOURNAL_TURN  1000


static void *ngx_msgbus_journal_thread_cycle(void *data);
static ngx_int_t ngx_msgbus_journal_thread_turn(
    ngx_msgbus_journal_thread_t *t, ngx_msgbus_journal_keeper_t *k,
    ngx_uint_t *open);


ngx_int_t
ngx_msgbus_journal_thread_init(ngx_msgbus_journal_thread_t *t,
    ngx_msgbus_journal_conf_t *conf)
{
    ngx_memzero(t, sizeof(ngx_msgbus_journal_thread_t));

    t->conf = conf;

    return ngx_msgbus_cond_init(&t->cond);
}


void
ngx_msgbus_journal_thread_free(ngx_msgbus_journal_thread_t *t)
{
    ngx_msgbus_cond_destroy(&t->cond);
}


ngx_err_t
ngx_msgbus_journal_thread_start(ngx_msgbus_journal_thread_t *t,
    uint64_t writer)
{
    ngx_err_t  err;

    if (t->started && !t->stop) {
        return 0;
    }

    ngx_msgbus_journal_thread_join(t);

    t->stop = 0;
    t->due = 0;
    t->error[0] = '\0';
    t->writer = writer;

    /* signals are blocked in this thread, and so in that one */

    err = pthread_create(&t->thread, NULL, ngx_msgbus_journal_thread_cycle,
                         t);
    t->started = err == 0;

    return err;
}


void
ngx_msgbus_journal_thread_stop(ngx_msgbus_journal_thread_t *t)
{
    ngx_msgbus_cond_lock(&t->cond);
    __atomic_store_n(&t->stop, 1, __ATOMIC_RELAXED);
    ngx_msgbus_cond_signal_locked(&t->cond);
    ngx_msgbus_cond_unlock(&t->cond);
}


void
ngx_msgbus_journal_thread_join(ngx_msgbus_journal_thread_t *t)
{
    if (t->started) {
        (void) pthread_join(t->thread, NULL);
        t->started = 0;
    }
}


void
ngx_msgbus_journal_thread_due(ngx_msgbus_journal_thread_t *t)
{
    ngx_msgbus_cond_lock(&t->cond);
    t->due = 1;
    ngx_msgbus_cond_signal_locked(&t->cond);
    ngx_msgbus_cond_unlock(&t->cond);
}


void
ngx_msgbus_journal_thread_warn(ngx_msgbus_journal_thread_t *t,
    ngx_msgbus_journal_warning_pt handler, void *data)
{
    ngx_msgbus_cond_lock(&t->cond);

    if (t->clock) {
        handler(data, "the clock was set, no segment is removed for its age");
    }

    if (t->bad) {
        handler(data, "an index was bad, or half written, and was made again");
    }

    if (t->error[0]) {
        handler(data, t->error);
    }

    ngx_msgbus_cond_unlock(&t->cond);
}


ngx_int_t
ngx_msgbus_journal_thread_usage(ngx_msgbus_journal_thread_t *t,
    ngx_msgbus_usage_t *usage)
{
    uint64_t   now;
    ngx_int_t  rc;

    now = ngx_msgbus_disk.wall(ngx_msgbus_disk.disk);
    rc = NGX_DECLINED;

    ngx_msgbus_cond_lock(&t->cond);

    if (t->looked) {
        usage->bytes = t->bytes;
        usage->left = t->left;
        usage->age = t->oldest && now > t->oldest ? now - t->oldest : 0;
        usage->dropped += t->dropped;

        t->dropped = 0;
        rc = NGX_OK;
    }

    ngx_msgbus_cond_unlock(&t->cond);

    return rc;
}


static void *
ngx_msgbus_journal_thread_cycle(void *data)
{
    ngx_msgbus_journal_thread_t *t = data;

    uint64_t                     until, left;
    ngx_int_t                    rc, looked;
    ngx_uint_t                   open;
    ngx_msgbus_journal_keeper_t  k;

    open = 0;
    left = 0;

    ngx_msgbus_cond_lock(&t->cond);

    while (!t->stop) {

        ngx_msgbus_cond_unlock(&t->cond);

        rc = ngx_msgbus_journal_thread_turn(t, &k, &open);

        looked = ngx_msgbus_disk_left(t->conf->path, &left);

        ngx_msgbus_cond_lock(&t->cond);

        if (k.bytes && looked == NGX_OK) {
            t->looked = 1;
            t->bytes = k.bytes;
            t->oldest = k.oldest;
            t->left = left;
        }

        t->dropped += k.dropped;
        k.dropped = 0;

        t->clock = k.clock;
        t->bad = k.bad;
        t->error[0] = '\0';

        if (rc == NGX_ERROR) {
            (void) ngx_cpystrn((u_char *) t->error, (u_char *) k.error,
                               NGX_MSGBUS_JOURNAL_ERROR_LEN);
        }

        if (rc == NGX_AGAIN || t->due) {
            t->due = 0;
            continue;
        }

        until = ngx_msgbus_cond_deadline(NGX_MSGBUS_JOURNAL_TURN);

        while (!t->stop && !t->due
               && ngx_msgbus_cond_wait_locked(&t->cond, until) == NGX_OK)
        {
            /* void */
        }
    }

    ngx_msgbus_cond_unlock(&t->cond);

    if (open) {
        ngx_msgbus_journal_keeper_close(&k);
    }

    return NULL;
}


/* what can not be opened is tried again */
static ngx_int_t
ngx_msgbus_journal_thread_turn(ngx_msgbus_journal_thread_t *t,
    ngx_msgbus_journal_keeper_t *k, ngx_uint_t *open)
{
    if (!*open) {

        if (ngx_msgbus_journal_keeper_open(k, t->conf, &ngx_msgbus_disk,
                                           t->writer)
            != NGX_OK)
        {
            ngx_msgbus_journal_keeper_close(k);
            return NGX_ERROR;
        }

        k->stop = &t->stop;
        *open = 1;
    }

    return ngx_msgbus_journal_keeper_turn(k);
}
