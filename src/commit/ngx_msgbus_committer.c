
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Who commits, and the thread that does it.
 *
 * Each worker has a thread that could; one thread of the node has the role,
 * a word in the zone that names its process.  It keeps it until it exits, so
 * that one connection to the database is enough for a node.  The others look
 * a few times a second whether it is still alive; so does a worker that
 * starts in place of a dead one, at once.
 *
 * The committer sleeps on an eventfd of the zone, which any worker may write
 * to, and on one of its process, by which its own event loop reaches it.  It
 * is not a thread of nginx's pool: that one would hold a worker's exit for as
 * long as a database hangs.
 *
 * The thread touches no request, pool or timer.  It takes the zone's lock
 * for short steps, with a view of the log of its own.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include "ngx_msgbus_committer.h"
#include "ngx_msgbus_lines.h"
#include "ngx_msgbus_owner.h"
#include "ngx_msgbus_time.h"


/* how often a candidate looks after the role, ms */
#define NGX_MSGBUS_ROLE_PERIOD  200

/* how often an exit looks whether the thread has ended, ms */
#define NGX_MSGBUS_JOIN_PERIOD  2


struct ngx_msgbus_committer_s {
    ngx_msgbus_ledger_t    commit;
    pthread_t              thread;
    int                    fd;         /* wakes this thread */
    int                    posts;      /* wakes the committer */
    ngx_log_t             *log;        /* the event loop's */
    ngx_msgbus_lines_t    *lines;      /* what the thread has for it */

    /* words of the event loop's; the thread looks at them at each turn */
    ngx_atomic_t           stop;
    ngx_atomic_t           exiting;

    ngx_atomic_t           ended;      /* the thread's: it touches nothing */
};


static void *ngx_msgbus_committer_cycle(void *data);
static ngx_uint_t ngx_msgbus_committer_lead(ngx_msgbus_committer_t *committer,
    ngx_uint_t waited);
static void ngx_msgbus_committer_resign(ngx_msgbus_committer_t *committer);
static ngx_uint_t ngx_msgbus_committer_sleep(
    ngx_msgbus_committer_t *committer, ngx_msec_t ms, ngx_uint_t posts);
static void ngx_msgbus_committer_unread(ngx_msgbus_committer_t *committer);
static void ngx_msgbus_committer_write(ngx_msgbus_committer_t *committer,
    int fd);


ngx_msgbus_committer_t *
ngx_msgbus_committer_start(ngx_msgbus_ledger_t *template,
    ngx_msgbus_store_conf_t *conf, uint64_t ttl, ngx_log_t *log)
{
    int                      err;
    sigset_t                 all, old;
    ngx_msgbus_ledger_t     *c;
    ngx_msgbus_committer_t  *committer;

    committer = ngx_calloc(sizeof(ngx_msgbus_committer_t), log);
    if (committer == NULL) {
        return NULL;
    }

    committer->log = log;
    committer->commit = *template;
    committer->posts = template->notify->eventfds->fd[NGX_MSGBUS_SLOTS];

    c = &committer->commit;

    committer->lines = ngx_msgbus_lines_create(&c->log.sh->tells, log,
                           template->notify->eventfds->fd[
                               template->notify->slot]);
    if (committer->lines == NULL) {
        ngx_free(committer);
        return NULL;
    }

    c->error_log = ngx_msgbus_lines_log(committer->lines);
    c->log.error_log = c->error_log;
    c->stop = &committer->stop;

    committer->fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (committer->fd == -1) {
        ngx_msgbus_tell(&c->log.sh->tells, NGX_MSGBUS_TELL_START,
                        NGX_LOG_EMERG, log, ngx_errno, "eventfd() failed%s",
                        template->log.shpool->log_ctx);
        goto failed;
    }

    if (ngx_msgbus_ledger_create(c, conf, ttl) != NGX_OK) {
        goto failed;
    }

    /* nginx's signals are for the event loop */

    sigfillset(&all);

    err = pthread_sigmask(SIG_BLOCK, &all, &old);

    if (err == 0) {
        err = pthread_create(&committer->thread, NULL,
                             ngx_msgbus_committer_cycle, committer);

        (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
    }

    if (err) {
        ngx_msgbus_tell(&c->log.sh->tells, NGX_MSGBUS_TELL_START,
                        NGX_LOG_EMERG, log, err, "pthread_create() failed%s",
                        template->log.shpool->log_ctx);

        ngx_msgbus_ledger_destroy(c);
        goto failed;
    }

    return committer;

failed:

    if (committer->fd != -1) {
        (void) close(committer->fd);
    }

    ngx_msgbus_lines_destroy(committer->lines);
    ngx_free(committer);

    return NULL;
}


void
ngx_msgbus_committer_stop(ngx_msgbus_committer_t *committer)
{
    committer->stop = NGX_MSGBUS_STOP;

    ngx_msgbus_committer_write(committer, committer->fd);
}


ngx_int_t
ngx_msgbus_committer_join(ngx_msgbus_committer_t *committer,
    uint64_t until)
{
    /* a wait for a thread goes by the wall clock, which may jump */

    while (!committer->ended) {

        if (ngx_msgbus_time_monotonic() >= until) {
            return NGX_AGAIN;
        }

        (void) poll(NULL, 0, NGX_MSGBUS_JOIN_PERIOD);
    }

    (void) pthread_join(committer->thread, NULL);

    ngx_msgbus_ledger_destroy(&committer->commit);

    (void) close(committer->fd);

    ngx_msgbus_lines_destroy(committer->lines);
    ngx_free(committer);

    return NGX_OK;
}


void
ngx_msgbus_committer_stop_here_locked(ngx_msgbus_committer_t *committer)
{
    committer->stop = NGX_MSGBUS_STOP_HERE;
}


void
ngx_msgbus_committer_wake(ngx_msgbus_committer_t *committer)
{
    /* one write() for all who post while it is on its way */

    if (ngx_atomic_cmp_set(&committer->commit.sh->idle, 1, 0)) {
        ngx_msgbus_committer_write(committer, committer->posts);
    }
}


void
ngx_msgbus_committer_look(ngx_msgbus_committer_t *committer,
    ngx_uint_t exiting)
{
    ngx_msgbus_lines_write(committer->lines);

    if (exiting && !committer->exiting) {
        committer->exiting = 1;
        ngx_msgbus_committer_write(committer, committer->fd);

    } else if (committer->commit.sh->role == 0) {
        ngx_msgbus_committer_write(committer, committer->fd);
    }
}


/* the thread */
static void *
ngx_msgbus_committer_cycle(void *data)
{
    ngx_msgbus_committer_t *committer = data;

    ngx_msec_t            ms;
    ngx_uint_t            idle, waited;
    ngx_msgbus_ledger_t  *c;

    c = &committer->commit;
    waited = 0;

    ngx_msgbus_lock_moved(&c->log.lock);

    while (!committer->stop) {

        if (!ngx_msgbus_committer_lead(committer, waited)) {
            waited = ngx_msgbus_committer_sleep(committer,
                                                NGX_MSGBUS_ROLE_PERIOD, 0);
            continue;
        }

        ms = ngx_msgbus_commit_turn(c, &idle);

        if (committer->exiting && (idle || ms)) {

            /* nothing of ours that another could not do */

            ngx_msgbus_committer_resign(committer);

            waited = ngx_msgbus_committer_sleep(committer,
                                                NGX_MSGBUS_ROLE_PERIOD, 0);
            continue;
        }

        if (ms) {
            (void) ngx_msgbus_committer_sleep(committer, ms, idle);
        }

        c->sh->idle = 0;
    }

    ngx_msgbus_committer_resign(committer);

    /* what takes its time is waited for here, and not by the event loop */

    ngx_msgbus_ledger_close(c);

    committer->ended = 1;

    return NULL;
}


/* is the role ours?  Takes it where nobody has it. */
static ngx_uint_t
ngx_msgbus_committer_lead(ngx_msgbus_committer_t *committer,
    ngx_uint_t waited)
{
    ngx_uint_t            lead;
    ngx_atomic_uint_t     role;
    ngx_msgbus_ledger_t  *c;

    c = &committer->commit;
    role = c->sh->role;

    if (role == c->notify->owner) {
        return 1;
    }

    if (role && !ngx_msgbus_owner_is_dead(role)) {
        return 0;
    }

    if (committer->exiting && !waited) {

        /* those who stay first */

        return 0;
    }

    ngx_msgbus_ledger_lock(c);

    lead = c->sh->role == role;

    if (lead) {
        c->sh->role = c->notify->owner;
        c->sh->idle = 0;
    }

    ngx_msgbus_ledger_unlock(c);

    return lead;
}


static void
ngx_msgbus_committer_resign(ngx_msgbus_committer_t *committer)
{
    ngx_uint_t            i;
    ngx_msgbus_ledger_t  *c;

    c = &committer->commit;

    ngx_msgbus_ledger_leave(c);

    if (c->sh->role != c->notify->owner) {
        return;
    }

    ngx_msgbus_ledger_lock(c);
    c->sh->role = 0;
    ngx_msgbus_ledger_unlock(c);

    /* each worker's event loop looks after the role when it is woken */

    for (i = 0; i < NGX_MSGBUS_SLOT_WORDS; i++) {
        ngx_msgbus_notify_signal(c->notify, i, (ngx_atomic_uint_t) -1,
                                 c->error_log);
    }
}


/* 1: the time has passed; posts: a post ends it early */
static ngx_uint_t
ngx_msgbus_committer_sleep(ngx_msgbus_committer_t *committer, ngx_msec_t ms,
    ngx_uint_t posts)
{
    int            n;
    uint64_t       count;
    struct pollfd  fds[2];

    fds[0].fd = committer->fd;
    fds[0].events = POLLIN;
    fds[1].fd = committer->posts;
    fds[1].events = POLLIN;

    n = poll(fds, posts ? 2 : 1, (int) ms);

    if (n <= 0) {
        return 1;
    }

    if (fds[0].revents
        && read(committer->fd, &count, sizeof(uint64_t)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_msgbus_committer_unread(committer);
    }

    if (posts
        && fds[1].revents
        && read(committer->posts, &count, sizeof(uint64_t)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_msgbus_committer_unread(committer);
    }

    return 0;
}


static void
ngx_msgbus_committer_unread(ngx_msgbus_committer_t *committer)
{
    ngx_msgbus_tell(&committer->commit.log.sh->tells, NGX_MSGBUS_TELL_EVENTFD,
                    NGX_LOG_ALERT, committer->commit.error_log, ngx_errno,
                    "msgbus could not read its eventfd");
}


/* on the event loop */
static void
ngx_msgbus_committer_write(ngx_msgbus_committer_t *committer, int fd)
{
    static uint64_t  one = 1;

    if (write(fd, &one, sizeof(uint64_t)) == -1 && ngx_errno != NGX_EAGAIN) {
        ngx_msgbus_tell(&committer->commit.log.sh->tells,
                        NGX_MSGBUS_TELL_COMMITTER, NGX_LOG_ALERT,
                        committer->log, ngx_errno,
                        "msgbus could not wake its committer, write() failed");
    }
}
