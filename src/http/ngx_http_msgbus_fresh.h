
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_FRESH_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_FRESH_H_INCLUDED_


#include "ngx_http_msgbus_hold.h"


/*
 * Has a read wait for a look at the store, where msgbus_fresh_reads is on.
 * NGX_OK: it need not, the caller reads; else what its handler returns, and
 * read is called later in the caller's place.
 */
ngx_int_t ngx_http_msgbus_fresh(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_go_on_pt read);


#endif /* _NGX_HTTP_MSGBUS_FRESH_H_INCLUDED_ */
