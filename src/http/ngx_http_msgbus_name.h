
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_NAME_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_NAME_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * Names the channel in pass->name, not checked yet.  NGX_OK, or the status of
 * the error.  Before the body is read, and for variables.
 */
ngx_int_t ngx_http_msgbus_name(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);

/*
 * Makes pass->channel of that name, which lives as long as the request.
 * NGX_OK, or the status of the error.
 */
ngx_int_t ngx_http_msgbus_name_channel(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);


#endif /* _NGX_HTTP_MSGBUS_NAME_H_INCLUDED_ */
