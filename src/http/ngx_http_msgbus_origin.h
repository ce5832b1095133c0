
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_ORIGIN_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_ORIGIN_H_INCLUDED_


#include "ngx_http_msgbus.h"


char *ngx_http_msgbus_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * The names of the server that cf is in, as of ngx_http_server_name_t: nginx
 * forgets its own list when the configuration is read.  NULL: no memory.
 */
ngx_array_t *ngx_http_msgbus_origin_names(ngx_conf_t *cf);

/*
 * May a page of this origin post?  NGX_OK, or the status of the error.  For a
 * request with an Origin, and for posts by JSONP, where it may be NULL.
 */
ngx_int_t ngx_http_msgbus_origin(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *value);


#endif /* _NGX_HTTP_MSGBUS_ORIGIN_H_INCLUDED_ */
