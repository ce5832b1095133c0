
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_CROWD_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_CROWD_H_INCLUDED_


#include "ngx_http_msgbus_reader.h"


/*
 * Sends a parked reader, to whom nothing else is being sent and who is behind
 * by nothing else, what others were sent.  NGX_OK: he has all there is.
 * NGX_DECLINED: there is no such frame for him, or his client can not be
 * written to: nothing was done.  NGX_AGAIN: his client took only some bytes of
 * *frame, *sent, and he has not been told of it; it is not the caller's until
 * he has made himself an owner.  Or NGX_ERROR.
 */
ngx_int_t ngx_http_msgbus_crowd_send(ngx_http_msgbus_reader_t *reader,
    ngx_msgbus_frame_t **frame, size_t *sent);

/* who is woken next: what a wake needs of him */
void ngx_http_msgbus_crowd_soon(ngx_msgbus_waiter_t *w);


#endif /* _NGX_HTTP_MSGBUS_CROWD_H_INCLUDED_ */
