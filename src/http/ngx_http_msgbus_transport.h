
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_TRANSPORT_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_TRANSPORT_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* a part of whatever is delivered; zero at first */
typedef struct {
    ngx_msgbus_frame_t      *frame;        /* being sent, or NULL */
    u_char                  *pos;          /* in it; NULL: filters have it */
    ngx_chain_t             *out;          /* NULL: not by the filters */
} ngx_http_msgbus_transport_t;


/*
 * Sends the header, and finds how frames are to be sent; the first one follows
 * at once.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_msgbus_transport_open(ngx_http_request_t *r,
    ngx_http_msgbus_transport_t *tp);

/* the frame to be sent next; there is none.  The caller's share becomes tp's */
void ngx_http_msgbus_transport_set(ngx_http_request_t *r,
    ngx_http_msgbus_transport_t *tp, ngx_msgbus_frame_t *frame);

/*
 * Sends what there is.  NGX_OK: all of it; NGX_AGAIN: the client can be
 * written to later; or NGX_ERROR.
 */
ngx_int_t ngx_http_msgbus_transport_send(ngx_http_request_t *r,
    ngx_http_msgbus_transport_t *tp);

/* not while the filters may have it, but when the pool goes */
void ngx_http_msgbus_transport_drop(ngx_http_msgbus_transport_t *tp);


#endif /* _NGX_HTTP_MSGBUS_TRANSPORT_H_INCLUDED_ */
