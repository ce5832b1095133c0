
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_POST_H_INCLUDED_
#define _NGX_MSGBUS_POST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_pending.h"


typedef struct ngx_msgbus_post_s  ngx_msgbus_post_t;

typedef void (*ngx_msgbus_post_pt)(ngx_msgbus_post_t *post);


/*
 * Events that are posted together.  Worker-local, in memory of the poster's,
 * as are the events; its address never reaches shared memory.  Where it has
 * to wait, the handler runs on the event loop, once, when all is known.
 */
struct ngx_msgbus_post_s {
    ngx_msgbus_event_t    *events;     /* ids and times are filled in */
    ngx_uint_t             n;
    ngx_msgbus_post_pt     handler;
    void                  *data;
    ngx_pool_t            *pool;

    ngx_uint_t             stored;     /* so many are */
    ngx_uint_t             unsure;     /* and so many may be; */
    ngx_uint_t             refused;    /* the store will not have so many */
    ngx_uint_t             replayed;   /* of those stored so many were before,
                                          by their keys, */
    size_t                 replayed_size; /*  with so many bytes of data; */
    ngx_uint_t             conflicts;  /* of those refused so many have keys of
                                          events with another body; */
    ngx_uint_t             waits;      /* one has the key of an event that still
                                          waits: it may come again later */

    /* while it waits */
    ngx_queue_t            queue;
    ngx_msgbus_outcome_t  *outcomes;
    ngx_uint_t             left;       /* without an outcome */
    ngx_msec_t             until;
    unsigned               waiting:1;
};


/* an event that waits: whose outcome a cell will hold */
typedef struct {
    ngx_msgbus_post_t     *post;       /* NULL: nobody's any more */
    ngx_uint_t             n;
} ngx_msgbus_ticket_t;


/* this worker's posts that wait */
typedef struct {
    ngx_msgbus_log_t      *log;
    ngx_msgbus_pending_t   pending;
    ngx_int_t             *slot;       /* of this worker, -1: none */
    ngx_msgbus_ticket_t   *tickets;    /* by cell */
    ngx_queue_t            all;        /* who waits longest first */
    ngx_event_t            timer;      /* of that one, or before its time */
    ngx_msec_t             patience;   /* with the database */
    u_char                 token[NGX_MSGBUS_TOKEN_LEN];
} ngx_msgbus_posts_t;


/* log, pending, slot and patience are set; NGX_OK or NGX_ERROR */
ngx_int_t ngx_msgbus_posts_init(ngx_msgbus_posts_t *posts,
    ngx_pool_t *pool);

/*
 * Queues the events of a post.  NGX_AGAIN: it waits; NGX_OK: all is known of it
 * at once; NGX_BUSY: there is no room for it; NGX_ERROR.  On the event loop.
 */
ngx_int_t ngx_msgbus_post_queue(ngx_msgbus_posts_t *posts,
    ngx_msgbus_post_t *post);

/* nobody waits for it any more; what is queued is committed all the same */
void ngx_msgbus_post_forget(ngx_msgbus_posts_t *posts,
    ngx_msgbus_post_t *post);

/*
 * Takes the outcomes that are there, and ends the posts that have them all.
 * On the event loop.
 */
void ngx_msgbus_posts_take(ngx_msgbus_posts_t *posts);

/* the worker is to exit: nobody waits longer than ms from now */
void ngx_msgbus_posts_hurry(ngx_msgbus_posts_t *posts, ngx_msec_t ms);


#endif /* _NGX_MSGBUS_POST_H_INCLUDED_ */
