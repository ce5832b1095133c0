
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_PAGE_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_PAGE_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * Reads the page that pass->query asks for; NGX_OK, NGX_ERROR, or NGX_DECLINED:
 * what comes next only the store has.
 */
ngx_int_t ngx_http_msgbus_page(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page);

/* answers with it; returns what the request is to be finalized with */
ngx_int_t ngx_http_msgbus_page_send(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page);

/* reads and answers as a bare array, without an envelope; likewise */
ngx_int_t ngx_http_msgbus_page_all(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);


#endif /* _NGX_HTTP_MSGBUS_PAGE_H_INCLUDED_ */
