
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_STATUS_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_STATUS_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* the content handler of msgbus_status */
ngx_int_t ngx_http_msgbus_status_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_MSGBUS_STATUS_H_INCLUDED_ */
