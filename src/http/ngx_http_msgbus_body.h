
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_BODY_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_BODY_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * Reads the body; handler is called when it is there.  What a content handler
 * returns: NGX_DONE, or the status of the error.
 */
ngx_int_t ngx_http_msgbus_body_read(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler);

/*
 * The body in one piece: where it lies, if it is one already.  NGX_OK, or
 * the status of the error.
 */
ngx_int_t ngx_http_msgbus_body(ngx_http_request_t *r, size_t limit,
    ngx_str_t *body);

/*
 * For every answer that needs no body, before it is sent.  NGX_OK, or the
 * status of the error.
 */
ngx_int_t ngx_http_msgbus_body_discard(ngx_http_request_t *r);

/*
 * Before an error that needs no body: a client that waits to be asked for it is
 * not asked.
 */
void ngx_http_msgbus_body_refuse(ngx_http_request_t *r);

/* what is left of it must not be taken for a request: the connection ends */
void ngx_http_msgbus_body_abandon(ngx_http_request_t *r);


#endif /* _NGX_HTTP_MSGBUS_BODY_H_INCLUDED_ */
