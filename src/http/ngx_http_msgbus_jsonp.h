
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_JSONP_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_JSONP_H_INCLUDED_


#include "ngx_http_msgbus_args.h"


/* checks the callback's name; NGX_OK, or the status of the error */
ngx_int_t ngx_http_msgbus_jsonp_callback(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args);

/* the answer to a post, and a page of events, as a call of the callback */
ngx_int_t ngx_http_msgbus_jsonp_send_empty(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);
ngx_int_t ngx_http_msgbus_jsonp_send(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_chain_t *out);


#endif /* _NGX_HTTP_MSGBUS_JSONP_H_INCLUDED_ */
