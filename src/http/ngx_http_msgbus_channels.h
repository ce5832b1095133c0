
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_CHANNELS_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_CHANNELS_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* the content handler of a location with msgbus_channels */
ngx_int_t ngx_http_msgbus_channels_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_MSGBUS_CHANNELS_H_INCLUDED_ */
