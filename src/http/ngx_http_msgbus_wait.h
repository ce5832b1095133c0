
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_WAIT_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_WAIT_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* parks a reader to whom page has nothing to say */
ngx_int_t ngx_http_msgbus_wait(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page);


#endif /* _NGX_HTTP_MSGBUS_WAIT_H_INCLUDED_ */
