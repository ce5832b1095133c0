
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_BATCH_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_BATCH_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * A body of many events, a line each, as the events of a post.  NGX_OK, or the
 * status of the error.
 */
ngx_int_t ngx_http_msgbus_batch(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *body, ngx_msgbus_post_t *post);

/* the error of a batch, and its answer when all of it is stored */
ngx_int_t ngx_http_msgbus_batch_failed(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_post_t *post);
ngx_int_t ngx_http_msgbus_batch_done(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_post_t *post);


#endif /* _NGX_HTTP_MSGBUS_BATCH_H_INCLUDED_ */
