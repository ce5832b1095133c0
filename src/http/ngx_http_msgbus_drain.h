
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_DRAIN_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_DRAIN_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * As ngx_http_msgbus_finish(), for a content handler: over HTTP/2 and HTTP/3
 * an error is sent when the body has come, unless that is too large, or the
 * client waits for a 100 (Continue).
 */
ngx_int_t ngx_http_msgbus_drain(ngx_http_request_t *r, ngx_int_t rc);


#endif /* _NGX_HTTP_MSGBUS_DRAIN_H_INCLUDED_ */
