
/*
 * Copyright (C) the msgbus authors
 */


/*
 * This worker's posts that wait for a commit.
 *
 * The events of a post are pending in the zone; here is whom to tell what
 * became of them, by the number of the cell in which that will stand.  A
 * post ends when all its events have an outcome, or when its time is over:
 * what was not sent by then is taken back, what was sent may be stored.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_keyed.h"
#include "ngx_msgbus_post.h"
#include "ngx_msgbus_random.h"
#include "ngx_msgbus_time.h"


/* outcomes taken in one hold of the lock */
#define NGX_MSGBUS_OUTCOMES  64


static ngx_int_t ngx_msgbus_post_put(ngx_msgbus_posts_t *posts,
    ngx_msgbus_post_t *post);
static ngx_int_t ngx_msgbus_post_known_locked(ngx_msgbus_posts_t *posts,
    ngx_msgbus_post_t *post, ngx_uint_t n, uint64_t now);
static void ngx_msgbus_post_give_up(ngx_msgbus_posts_t *posts,
    ngx_msgbus_post_t *post);
static void ngx_msgbus_post_settled(ngx_msgbus_post_t *post, ngx_uint_t n,
    ngx_msgbus_outcome_t *outcome);
static void ngx_msgbus_post_unlink(ngx_msgbus_post_t *post);
static void ngx_msgbus_posts_timer(ngx_msgbus_posts_t *posts);
static void ngx_msgbus_posts_timer_handler(ngx_event_t *ev);


ngx_int_t
ngx_msgbus_posts_init(ngx_msgbus_posts_t *posts, ngx_pool_t *pool)
{
    ngx_queue_init(&posts->all);

    posts->timer.handler = ngx_msgbus_posts_timer_handler;
    posts->timer.data = posts;
    posts->timer.log = pool->log;

    posts->tickets = ngx_pcalloc(pool, posts->pending.ncells
                                       * sizeof(ngx_msgbus_ticket_t));
    if (posts->tickets == NULL) {
        return NGX_ERROR;
    }

    /* the first half tells processes apart, the second one counts */

    return ngx_msgbus_random(posts->token, NGX_MSGBUS_TOKEN_LEN, pool->log);
}


ngx_int_t
ngx_msgbus_post_queue(ngx_msgbus_posts_t *posts, ngx_msgbus_post_t *post)
{
    ngx_int_t  rc;

    if (*posts->slot == -1) {

        /* nobody could tell this worker what became of it */

        return NGX_BUSY;
    }

    post->outcomes = ngx_pcalloc(post->pool, post->n
                                             * sizeof(ngx_msgbus_outcome_t));
    if (post->outcomes == NULL) {
        return NGX_ERROR;
    }

    post->left = 0;

    rc = ngx_msgbus_post_put(posts, post);

    if (rc != NGX_OK) {

        /* as a whole or not at all, as far as nothing was sent yet */

        ngx_msgbus_post_give_up(posts, post);

        if (rc == NGX_BUSY && post->stored == 0 && post->unsure == 0) {
            return NGX_BUSY;
        }

        return NGX_OK;
    }

    if (post->left == 0) {

        /* all of it is stored, by an earlier post with its key */

        return NGX_OK;
    }

    ngx_queue_insert_tail(&posts->all, &post->queue);
    post->waiting = 1;
    post->until = ngx_current_msec + posts->patience;

    ngx_msgbus_posts_timer(posts);

    return NGX_AGAIN;
}


/*
 * NGX_OK; NGX_BUSY: there was room for the first ones only; NGX_ABORT: one may
 * not be stored for its key
 */
static ngx_int_t
ngx_msgbus_post_put(ngx_msgbus_posts_t *posts, ngx_msgbus_post_t *post)
{
    size_t                 bytes;
    uint64_t               count;
    uint64_t               posted;
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_msgbus_ticket_t   *ticket;
    ngx_msgbus_outcome_t  *outcome;

    posted = ngx_msgbus_time_monotonic();
    bytes = 0;
    rc = NGX_OK;

    for (i = 0; i < post->n; i++) {
        post->events[i].id = 0;
    }

    ngx_msgbus_log_lock(posts->log);

    for (i = 0; i < post->n; i++) {

        if (bytes > NGX_MSGBUS_HOLD_BYTES) {
            bytes = 0;

            ngx_msgbus_log_unlock(posts->log);
            ngx_msgbus_log_lock(posts->log);
        }

        if (post->events[i].key) {
            rc = ngx_msgbus_post_known_locked(posts, post, i, posted / 1000);

            if (rc == NGX_DONE) {
                continue;
            }

            if (rc != NGX_OK) {
                break;
            }
        }

        ngx_memcpy(&count, posts->token + 8, sizeof(uint64_t));
        count++;
        ngx_memcpy(posts->token + 8, &count, sizeof(uint64_t));

        outcome = &post->outcomes[i];

        rc = ngx_msgbus_pending_put_locked(&posts->pending, *posts->slot,
                                           &post->events[i], posts->token,
                                           posted, outcome);
        if (rc != NGX_OK) {
            break;
        }

        if (i && post->events[i].key) {
            ngx_msgbus_pending_follows_locked(&posts->pending, outcome);
        }

        ticket = &posts->tickets[outcome->cell];
        ticket->post = post;
        ticket->n = i;

        post->left++;
        bytes += ngx_msgbus_pending_size(&post->events[i]);
    }

    ngx_msgbus_log_unlock(posts->log);

    return rc == NGX_DONE ? NGX_OK : rc;
}


/*
 * Is an event with the same key known?  NGX_OK: no; NGX_DONE: it is stored;
 * NGX_ABORT: it has another body, or it waits.
 */
static ngx_int_t
ngx_msgbus_post_known_locked(ngx_msgbus_posts_t *posts,
    ngx_msgbus_post_t *post, ngx_uint_t n, uint64_t now)
{
    ngx_msgbus_event_t  *ev;

    ev = &post->events[n];

    if (ngx_msgbus_keyed_known_locked(posts->log, ev->key, now, &ev->id)
        == NGX_DONE)
    {
        if (ev->id) {
            post->stored++;
            post->replayed++;
            post->replayed_size += ev->data.len;

            return NGX_DONE;
        }

        post->refused++;
        post->conflicts++;

        return NGX_ABORT;
    }

    if (ngx_msgbus_pending_keyed_locked(&posts->pending, ev->key)) {

        /* what will become of it is not known, whatever its body is */

        post->waits++;

        return NGX_ABORT;
    }

    return NGX_OK;
}


/* what has no outcome yet is taken back, if it is not too late for that */
static void
ngx_msgbus_post_give_up(ngx_msgbus_posts_t *posts, ngx_msgbus_post_t *post)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_msgbus_ticket_t   *ticket;
    ngx_msgbus_outcome_t  *outcome;

    for (i = 0; post->left && i < post->n; i++) {

        outcome = &post->outcomes[i];
        ticket = &posts->tickets[outcome->cell];

        if (outcome->generation == 0
            || ticket->post != post
            || ticket->n != i)
        {
            continue;
        }

        ngx_msgbus_log_lock(posts->log);

        rc = ngx_msgbus_pending_cancel_locked(&posts->pending, outcome);

        ngx_msgbus_log_unlock(posts->log);

        ticket->post = NULL;

        if (rc == NGX_DONE) {
            ngx_msgbus_post_settled(post, i, outcome);

        } else {
            post->left--;

            if (rc != NGX_OK) {
                post->unsure++;
            }
        }
    }
}


static void
ngx_msgbus_post_settled(ngx_msgbus_post_t *post, ngx_uint_t n,
    ngx_msgbus_outcome_t *outcome)
{
    ngx_msgbus_event_t  *ev;

    ev = &post->events[n];

    if (outcome->id == NGX_MSGBUS_ID_UNSURE) {
        ev->id = 0;
        post->unsure++;

    } else if (outcome->id == NGX_MSGBUS_ID_REFUSED) {
        ev->id = 0;
        post->refused++;

    } else if (outcome->id == NGX_MSGBUS_ID_CONFLICT) {
        ev->id = 0;
        post->refused++;
        post->conflicts++;

    } else if (outcome->id) {
        ev->id = outcome->id & ~NGX_MSGBUS_ID_REPLAYED;
        ev->created = outcome->created;

        post->stored++;

        if (ev->id != outcome->id) {
            post->replayed++;
            post->replayed_size += ev->data.len;
        }

    } else {
        ev->id = 0;
    }

    post->left--;
}


void
ngx_msgbus_posts_take(ngx_msgbus_posts_t *posts)
{
    ngx_uint_t             i, n;
    ngx_msgbus_post_t     *post;
    ngx_msgbus_ticket_t   *ticket;
    ngx_msgbus_outcome_t   outcomes[NGX_MSGBUS_OUTCOMES];

    if (*posts->slot == -1) {
        return;
    }

    do {
        ngx_msgbus_log_lock(posts->log);

        n = ngx_msgbus_pending_take_locked(&posts->pending, *posts->slot,
                                           outcomes, NGX_MSGBUS_OUTCOMES);

        ngx_msgbus_log_unlock(posts->log);

        for (i = 0; i < n; i++) {

            ticket = &posts->tickets[outcomes[i].cell];
            post = ticket->post;

            if (post == NULL
                || post->outcomes[ticket->n].generation
                   != outcomes[i].generation)
            {
                /* a dead worker's of this slot, or forgotten */

                continue;
            }

            ticket->post = NULL;

            ngx_msgbus_post_settled(post, ticket->n, &outcomes[i]);

            if (post->left == 0) {
                ngx_msgbus_post_unlink(post);
                post->handler(post);
            }
        }

    } while (n == NGX_MSGBUS_OUTCOMES);

    ngx_msgbus_posts_timer(posts);
}


void
ngx_msgbus_post_forget(ngx_msgbus_posts_t *posts, ngx_msgbus_post_t *post)
{
    ngx_uint_t            i;
    ngx_msgbus_ticket_t  *ticket;

    if (!post->waiting) {
        return;
    }

    for (i = 0; i < post->n; i++) {
        ticket = &posts->tickets[post->outcomes[i].cell];

        if (ticket->post == post) {
            ticket->post = NULL;
        }
    }

    ngx_msgbus_post_unlink(post);
    ngx_msgbus_posts_timer(posts);
}


static void
ngx_msgbus_post_unlink(ngx_msgbus_post_t *post)
{
    ngx_queue_remove(&post->queue);
    post->waiting = 0;
}


/*
 * All have the same patience, so one timer is enough: that of the first one,
 * set when it is not set at all.  Nearly all posts end before it, and it stays
 * as it is; it keeps no worker from exiting then.
 */
static void
ngx_msgbus_posts_timer(ngx_msgbus_posts_t *posts)
{
    ngx_msec_int_t      ms;
    ngx_msgbus_post_t  *post;

    posts->timer.cancelable = ngx_queue_empty(&posts->all);

    if (posts->timer.cancelable || posts->timer.timer_set) {
        return;
    }

    post = ngx_queue_data(ngx_queue_head(&posts->all), ngx_msgbus_post_t,
                          queue);

    ms = (ngx_msec_int_t) (post->until - ngx_current_msec);

    ngx_add_timer(&posts->timer, (ngx_msec_t) ngx_max(ms, 1));
}


static void
ngx_msgbus_posts_timer_handler(ngx_event_t *ev)
{
    ngx_msgbus_post_t   *post;
    ngx_msgbus_posts_t  *posts;

    posts = ev->data;

    while (!ngx_queue_empty(&posts->all)) {

        post = ngx_queue_data(ngx_queue_head(&posts->all), ngx_msgbus_post_t,
                              queue);

        if ((ngx_msec_int_t) (post->until - ngx_current_msec) > 0) {
            break;
        }

        ngx_msgbus_post_give_up(posts, post);
        ngx_msgbus_post_unlink(post);

        post->handler(post);
    }

    ngx_msgbus_posts_timer(posts);
}


void
ngx_msgbus_posts_hurry(ngx_msgbus_posts_t *posts, ngx_msec_t ms)
{
    ngx_queue_t        *q;
    ngx_msgbus_post_t  *post;

    for (q = ngx_queue_head(&posts->all);
         q != ngx_queue_sentinel(&posts->all);
         q = ngx_queue_next(q))
    {
        post = ngx_queue_data(q, ngx_msgbus_post_t, queue);

        if ((ngx_msec_int_t) (post->until - ngx_current_msec)
            > (ngx_msec_int_t) ms)
        {
            post->until = ngx_current_msec + ms;
        }
    }

    if (posts->timer.timer_set) {
        ngx_del_timer(&posts->timer);
    }

    ngx_msgbus_posts_timer(posts);
}
