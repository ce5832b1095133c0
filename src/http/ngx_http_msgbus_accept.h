
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_ACCEPT_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_ACCEPT_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* which form of an answer the Accept headers wish; if none, a page */
ngx_msgbus_form_e ngx_http_msgbus_accept(ngx_http_request_t *r);

/* likewise, which of n types; if none, or any, the first: 0 */
ngx_uint_t ngx_http_msgbus_accept_of(ngx_http_request_t *r, ngx_str_t *types,
    ngx_uint_t n);


#endif /* _NGX_HTTP_MSGBUS_ACCEPT_H_INCLUDED_ */
