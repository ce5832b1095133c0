
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_PUBLISH_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_PUBLISH_H_INCLUDED_


#include "ngx_http_msgbus_args.h"


/* a POST, or what JSONP has in its place; what its handler returns */
ngx_int_t ngx_http_msgbus_publish(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args);


#endif /* _NGX_HTTP_MSGBUS_PUBLISH_H_INCLUDED_ */
