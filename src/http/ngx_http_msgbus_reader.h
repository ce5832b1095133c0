
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_READER_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_READER_H_INCLUDED_


#include "ngx_http_msgbus_hold.h"
#include "ngx_http_msgbus_kept.h"
#include "ngx_http_msgbus_topic.h"


typedef struct ngx_http_msgbus_reader_s  ngx_http_msgbus_reader_t;

typedef void (*ngx_http_msgbus_reader_pt)(ngx_http_msgbus_reader_t *reader);


/* how a kind of reader waits: a constant of the room that it belongs to */
struct ngx_http_msgbus_reader_kind_s {
    size_t                         size;     /* of all, the reader included */
    ngx_http_msgbus_hold_kind_t   *hold;     /* of a request for it */
    ngx_http_msgbus_reader_pt      write;    /* its connection can be written
                                                to, or has timed out; or NULL */
    ngx_http_msgbus_reader_pt      close;    /* the worker is to exit */
    ngx_http_msgbus_reader_pt      free;     /* its connection is gone */
};


/*
 * Who waits for events, with a request that is held, or parked: with a
 * connection alone.  The first member of whatever it waits with; of its own
 * memory, which outlives a request.  Behind the whole of it stands the uuid
 * whose events are hidden from it.
 */
struct ngx_http_msgbus_reader_s {
    ngx_msgbus_waiter_t            waiter;

    ngx_connection_t              *connection;
    ngx_http_msgbus_topic_t       *topic;
    uint64_t                       after;    /* the cursor */

    union {
        struct ngx_http_msgbus_reader_hold_s  *hold;
        ngx_http_connection_t     *http;     /* parked */
    } by;

    ngx_http_msgbus_kept_t        *kept;     /* of its request; parked */

    uint32_t                       events;   /* that it was sent */

    unsigned                       hide:16;  /* bytes of the uuid, */
    unsigned                       packed:1; /*   which 16 stand for */
    unsigned                       parked:1;
    unsigned                       keepalive:1; /* its request's */
    unsigned                       again:1;  /* its request was made again */
    unsigned                       fixed:1;  /* it is never parked */
    unsigned                       listed:1; /* the waiter is the bus's */
    unsigned                       behind:1; /* the log may have more for it */
    unsigned                       live:1;   /* it was not, once */
    unsigned                       present:1; /* others know of it */
    unsigned                       recent:1; /* it has no cursor yet, and gets
                                                what is in memory */
};


/* what a request is held with that a reader waits with; in its pool */
typedef struct ngx_http_msgbus_reader_hold_s {
    ngx_http_msgbus_hold_t         hold;
    ngx_http_msgbus_reader_t      *reader;   /* NULL: it is parked, or gone */
} ngx_http_msgbus_reader_hold_t;


/*
 * A reader for this pass of a request, kind->size bytes, zero behind it, and
 * what the request may be held with.  NULL: no memory.
 */
ngx_http_msgbus_reader_t *ngx_http_msgbus_reader_create(
    ngx_http_request_t *r, ngx_http_msgbus_reader_kind_t *kind);

/* not its request, nor its connection */
void ngx_http_msgbus_reader_free(ngx_http_msgbus_reader_t *reader);

/*
 * It is there, as its topic says, from now on, or no more, which is said as
 * often as one likes.  NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_msgbus_reader_enter(ngx_http_msgbus_reader_t *reader);
void ngx_http_msgbus_reader_leave(ngx_http_msgbus_reader_t *reader);

/* NULL: it is parked */
ngx_http_request_t *ngx_http_msgbus_reader_request(
    ngx_http_msgbus_reader_t *reader);

/* it is to be closed: its client has left so many bytes unread */
void ngx_http_msgbus_reader_slow(ngx_http_msgbus_reader_t *reader,
    size_t unread);

/* what it asks the bus for; points into the reader, good until the next call */
void ngx_http_msgbus_reader_query(ngx_http_msgbus_reader_t *reader,
    ngx_msgbus_query_t *query);

/* of the uuid whose events are hidden from it, as of a frame's events */
uint32_t ngx_http_msgbus_reader_key(ngx_http_msgbus_reader_t *reader);


#endif /* _NGX_HTTP_MSGBUS_READER_H_INCLUDED_ */
