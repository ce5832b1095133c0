
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_HOLD_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_HOLD_H_INCLUDED_


#include "ngx_http_msgbus.h"


typedef struct ngx_http_msgbus_hold_s  ngx_http_msgbus_hold_t;

typedef void (*ngx_http_msgbus_hold_pt)(ngx_http_msgbus_hold_t *hold);

/* what a request goes on with; what a content handler returns */
typedef ngx_int_t (*ngx_http_msgbus_go_on_pt)(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);


/* what is held, and how it is let go: a constant of each room that holds */
typedef struct {
    size_t                         size;     /* of all, the hold included */
    ngx_http_msgbus_hold_pt        release;  /* nothing is to wake it */
    ngx_http_msgbus_hold_pt        destroy;  /* the pool goes; or NULL */
    ngx_http_msgbus_hold_pt        write;    /* the client can be written to,
                                                or has timed out; or NULL */
} ngx_http_msgbus_hold_kind_t;


/*
 * A request that goes on when its handler has returned; the first member of
 * whatever it waits with, in the request's pool.
 */
struct ngx_http_msgbus_hold_s {
    ngx_http_msgbus_ctx_t         *ctx;      /* a redirect wipes r->ctx */
    ngx_http_msgbus_hold_kind_t   *kind;
    unsigned                       released:1;
    unsigned                       discard:1; /* the body goes on */
};


/*
 * What a request may be held with, kind->size bytes, zero behind the hold.
 * From then on its release is called once, when it ends or when the pool
 * goes, whichever is first; the request need not be held.  NULL: no memory.
 */
void *ngx_http_msgbus_hold_create(ngx_http_request_t *r,
    ngx_http_msgbus_hold_kind_t *kind);

/* holds the request; NGX_DONE, for the content handler to return */
ngx_int_t ngx_http_msgbus_hold(ngx_http_msgbus_hold_t *hold);

/* holds a request that was made again, and has no handler that returns */
void ngx_http_msgbus_hold_again(ngx_http_msgbus_hold_t *hold);

/*
 * Has the client of a connection over HTTP/1 left?  What else it has sent is
 * not looked at.
 */
ngx_uint_t ngx_http_msgbus_hold_has_left(ngx_connection_t *c);

/* ends it because its client has left; from an event of the connection */
void ngx_http_msgbus_hold_left(ngx_http_msgbus_hold_t *hold);

/*
 * From outside the request's own events (a timer, a wake): lines of the error
 * log are this request's from here on.
 */
ngx_http_request_t *ngx_http_msgbus_hold_enter(ngx_http_msgbus_hold_t *hold);

/* nothing wakes it any more, and it is about to end */
void ngx_http_msgbus_hold_release(ngx_http_msgbus_hold_t *hold);

/*
 * Releases it and finalizes the request with rc, by way of
 * ngx_http_msgbus_finish().  Neither may be touched after it.
 */
void ngx_http_msgbus_hold_end(ngx_http_msgbus_hold_t *hold, ngx_int_t rc);

/*
 * Releases it, and has the request go on with the handler, which may hold it
 * anew; likewise.
 */
void ngx_http_msgbus_hold_go_on(ngx_http_msgbus_hold_t *hold,
    ngx_http_msgbus_go_on_pt handler);


#endif /* _NGX_HTTP_MSGBUS_HOLD_H_INCLUDED_ */
