
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_WAIT_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_WAIT_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * Holds a reader to whom page, which was read with rc, has nothing to say yet:
 * NGX_OK, until events come; NGX_DECLINED, until the store has been asked.
 * Returns what the request is to be finalized with.
 */
ngx_int_t ngx_http_msgbus_wait(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page, ngx_int_t rc);


#endif /* _NGX_HTTP_MSGBUS_WAIT_H_INCLUDED_ */
