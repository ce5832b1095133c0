
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_STREAM_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_STREAM_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* answers with all events that come, for as long as they do */
ngx_int_t ngx_http_msgbus_stream(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);


#endif /* _NGX_HTTP_MSGBUS_STREAM_H_INCLUDED_ */
