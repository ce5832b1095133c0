
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_FRAME_H_INCLUDED_
#define _NGX_MSGBUS_FRAME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_view.h"


/* what a reader gets: a page; or a stream, which is made of frames */
typedef enum {
    NGX_MSGBUS_PAGE = 0,
    NGX_MSGBUS_SSE,
    NGX_MSGBUS_NDJSON
} ngx_msgbus_form_e;


/* an event in a frame: the others lie before and behind it */
typedef struct {
    uint32_t               end;            /* offset from the frame's pos */
    uint32_t               uuid;           /* offset of its poster's uuid */
    uint32_t               uuid_len;
    uint32_t               key;            /* of that */
} ngx_msgbus_frame_event_t;


/*
 * What is sent to the readers of one kind, rendered once.  Worker-local and
 * constant; freed when the last of its owners has released it.
 *
 *     "1a2\r\n"  data: {...}\nid: 7\n\n  data: {...}\nid: 8\n\n  "\r\n"
 *     ^start     ^pos                                            ^last   ^end
 */
typedef struct {
    ngx_queue_t            queue;          /* of its bucket */
    ngx_queue_t            age;            /* of all that are shared */
    ngx_uint_t             owners;

    uint64_t               from;           /* for readers with a cursor from */
    uint64_t               until;          /*   this to before this, */
    uint64_t               last_id;        /*   who have this one after it */

    ngx_uint_t             scope;          /* of the query that it is for */
    ngx_msgbus_form_e      form;
    uint32_t               hash;
    ngx_str_t              name;

    u_char                *start;
    u_char                *pos;
    u_char                *last;
    u_char                *end;

    size_t                 head;           /* bytes of pos before events */
    ngx_uint_t             events;
    ngx_msgbus_frame_event_t *event;

    unsigned               shared:1;
    unsigned               more:1;         /* the log has more behind it */
    unsigned               gap:1;          /* it tells of one */
    unsigned               lost:1;         /* what comes next has left the
                                              log, and a store may have it */
} ngx_msgbus_frame_t;


/* the frames that readers who are woken share; bounded */
typedef struct {
    ngx_queue_t           *buckets;
    ngx_queue_t            ages;           /* the oldest first */
    ngx_uint_t             n;
    size_t                 size;
} ngx_msgbus_frames_t;


/* what a view has rendered, apart */
typedef struct {
    ngx_msgbus_view_t     *view;
    ngx_msgbus_mark_t     *marks;
    uint64_t               oldest;         /* id that the log begins with */
    ngx_uint_t             more;
    ngx_uint_t             lost;           /* the view was declined */
    ngx_uint_t             invented;       /* the cursor is above all ids */
} ngx_msgbus_rendered_t;


/* NGX_OK or NGX_ERROR; the buckets come from the pool */
ngx_int_t ngx_msgbus_frames_init(ngx_msgbus_frames_t *frames,
    ngx_pool_t *pool);

/*
 * A shared frame for a reader who asks this, with his cursor "after" in place
 * of the query's, his hidden events not left out; NULL: none.  It is not the
 * caller's until he has made himself an owner.
 */
ngx_msgbus_frame_t *ngx_msgbus_frame_find(ngx_msgbus_frames_t *frames,
    ngx_msgbus_query_t *query, uint64_t after, ngx_msgbus_form_e form);

/* may it have events of the poster whose uuid has this key? */
ngx_uint_t ngx_msgbus_frame_may_be_by(ngx_msgbus_frame_t *frame, uint32_t key);

/* from now on others find it, a while; one that tells of a gap is not shared */
void ngx_msgbus_frame_share(ngx_msgbus_frames_t *frames,
    ngx_msgbus_frame_t *frame);

/* nobody is going to look for any of them */
void ngx_msgbus_frames_forget(ngx_msgbus_frames_t *frames);

/* the frame of what was rendered, the caller's own; NULL: no memory */
ngx_msgbus_frame_t *ngx_msgbus_frame_create(ngx_msgbus_rendered_t *rendered,
    ngx_msgbus_form_e form, ngx_log_t *log);

/*
 * The frame without the events of one poster, the caller's own; the frame
 * itself with one more owner if there are none.  NULL: no memory.
 */
ngx_msgbus_frame_t *ngx_msgbus_frame_without(ngx_msgbus_frame_t *frame,
    ngx_str_t *uuid, ngx_log_t *log);

/* a frame that says where a reader stands, the caller's own; or NULL */
ngx_msgbus_frame_t *ngx_msgbus_frame_ping(uint64_t id, ngx_msgbus_form_e form,
    ngx_log_t *log);

/*
 * What a stream begins with, and behind it its first events, or what else the
 * first frame has, which may be NULL; the caller's own, or NULL.  A ping names
 * the reader's place, and it is what a client that was cut off takes the rest
 * of its last event for.  SSE also tells how long to wait before coming back,
 * ms; 0: some 3 seconds, by lot, for a crowd shall not come back in one moment.
 * That is a part of the ping: a block of its own is an event to some clients.
 */
ngx_msgbus_frame_t *ngx_msgbus_frame_hello(ngx_msgbus_frame_t *first,
    uint64_t id, ngx_msec_t retry, ngx_msgbus_form_e form, ngx_log_t *log);

/* one owner less */
void ngx_msgbus_frame_release(ngx_msgbus_frame_t *frame);


#endif /* _NGX_MSGBUS_FRAME_H_INCLUDED_ */
