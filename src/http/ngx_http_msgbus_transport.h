
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_TRANSPORT_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_TRANSPORT_H_INCLUDED_


#include "ngx_http_msgbus_reader.h"


/* a part of whatever is delivered; zero at first */
typedef struct {
    ngx_msgbus_frame_t      *frame;        /* being sent, or NULL */
    u_char                  *pos;          /* in it; NULL: filters have it */
    ngx_chain_t             *out;          /* NULL: not by the filters */
} ngx_http_msgbus_transport_t;


/*
 * Sends the header of a held reader, and finds how frames are to be sent; the
 * first one follows at once.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_msgbus_transport_open(ngx_http_msgbus_reader_t *reader,
    ngx_http_msgbus_transport_t *tp);

/* the frame to be sent next; there is none.  The caller's share becomes tp's */
void ngx_http_msgbus_transport_set(ngx_http_msgbus_reader_t *reader,
    ngx_http_msgbus_transport_t *tp, ngx_msgbus_frame_t *frame);

/*
 * Sends what there is.  NGX_OK: all of it; NGX_AGAIN: the client can be
 * written to later; or NGX_ERROR.
 */
ngx_int_t ngx_http_msgbus_transport_send(ngx_http_msgbus_reader_t *reader,
    ngx_http_msgbus_transport_t *tp);

/*
 * Ends the answer of a held reader to whom all frames were sent; returns what
 * its request is to be finalized with.
 */
ngx_int_t ngx_http_msgbus_transport_end(ngx_http_msgbus_reader_t *reader);

/* not while the filters may have it, but when the pool goes */
void ngx_http_msgbus_transport_drop(ngx_http_msgbus_transport_t *tp);


#endif /* _NGX_HTTP_MSGBUS_TRANSPORT_H_INCLUDED_ */
