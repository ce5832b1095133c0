
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_QUERY_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_QUERY_H_INCLUDED_


#include "ngx_http_msgbus_args.h"


/*
 * Fills pass->query, pass->wait and pass->echo for a read of the channel, as a
 * page or a stream.  NGX_OK, or the status of the error.
 */
ngx_int_t ngx_http_msgbus_query(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args);

/* only pass->wait, and what goes with it; likewise */
ngx_int_t ngx_http_msgbus_query_wait(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args);

/* likewise, for every event of the bus */
ngx_int_t ngx_http_msgbus_query_all(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args);


#endif /* _NGX_HTTP_MSGBUS_QUERY_H_INCLUDED_ */
