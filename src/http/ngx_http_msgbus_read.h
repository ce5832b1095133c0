
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_READ_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_READ_H_INCLUDED_


#include "ngx_http_msgbus_args.h"


/* a GET or HEAD of a channel; what its handler returns */
ngx_int_t ngx_http_msgbus_read(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args);

/* test mode's GET /all */
ngx_int_t ngx_http_msgbus_read_all(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args);


#endif /* _NGX_HTTP_MSGBUS_READ_H_INCLUDED_ */
