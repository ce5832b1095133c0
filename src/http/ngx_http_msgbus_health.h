
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_HEALTH_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_HEALTH_H_INCLUDED_


#include "ngx_http_msgbus_args.h"


/*
 * The report of a bus, as a content handler returns it, by way of
 * ngx_http_msgbus_finish(); and the content handler of msgbus_health.
 */
ngx_int_t ngx_http_msgbus_health(ngx_http_request_t *r, ngx_msgbus_t *bus,
    ngx_http_msgbus_args_t *args);
ngx_int_t ngx_http_msgbus_health_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_MSGBUS_HEALTH_H_INCLUDED_ */
