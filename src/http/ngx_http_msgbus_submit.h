
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_SUBMIT_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_SUBMIT_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * Hands a post to the bus, and holds the request while it waits.  Returns what
 * a content handler returns, by way of ngx_http_msgbus_finish().
 */
ngx_int_t ngx_http_msgbus_submit(ngx_http_request_t *r,
    ngx_msgbus_post_t *post);


#endif /* _NGX_HTTP_MSGBUS_SUBMIT_H_INCLUDED_ */
