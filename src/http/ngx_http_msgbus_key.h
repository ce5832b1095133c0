
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_KEY_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_KEY_H_INCLUDED_


#include "ngx_http_msgbus.h"


char *ngx_http_msgbus_conf_identity(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Reads the Idempotency-Key of a post that came with one: pass->key, as it
 * stands in the header, becomes what it says, in the request's pool.  NGX_OK,
 * or the status of the error.
 */
ngx_int_t ngx_http_msgbus_key_read(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);

/*
 * Names the n events of a post, which have none yet, by its key, if it has one;
 * body is the whole of it.  NGX_OK, or the status of the error.  What it
 * allocates lives as long as the request.
 */
ngx_int_t ngx_http_msgbus_key(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *body, ngx_msgbus_event_t *ev,
    ngx_uint_t n);

/*
 * What a post gets whose key is that of another body, and of an event of which
 * it is not known yet what becomes of it: the status of the error
 */
ngx_int_t ngx_http_msgbus_key_conflicts(ngx_http_msgbus_pass_t *pass);
ngx_int_t ngx_http_msgbus_key_waits(ngx_http_msgbus_pass_t *pass);


#endif /* _NGX_HTTP_MSGBUS_KEY_H_INCLUDED_ */
