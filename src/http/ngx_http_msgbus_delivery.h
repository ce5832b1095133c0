
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_DELIVERY_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_DELIVERY_H_INCLUDED_


#include "ngx_http_msgbus_backlog.h"
#include "ngx_http_msgbus_ping.h"


/* a reader to whom events are delivered for as long as they come */
typedef struct {
    ngx_http_msgbus_reader_t     reader;
    ngx_http_msgbus_ping_t       ping;
    ngx_http_msgbus_backlog_t   *backlog;  /* NULL: there is none */
} ngx_http_msgbus_delivery_t;


/* of this pass; the request need not be held.  NULL: no memory */
ngx_http_msgbus_delivery_t *ngx_http_msgbus_delivery_create(
    ngx_http_request_t *r);

/*
 * The header is on its way; the first bytes go out with it.  NGX_OK and
 * NGX_AGAIN: the request is to be held; or NGX_ERROR.
 */
ngx_int_t ngx_http_msgbus_delivery_begin(ngx_http_msgbus_delivery_t *dl);

/*
 * Releases a held one, and ends the answer as it should end, if it can.
 * Returns what the request is to be finalized with.
 */
ngx_int_t ngx_http_msgbus_delivery_close(ngx_http_msgbus_delivery_t *dl);


#endif /* _NGX_HTTP_MSGBUS_DELIVERY_H_INCLUDED_ */
