
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_MANY_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_MANY_H_INCLUDED_


#include "ngx_http_msgbus.h"


char *ngx_http_msgbus_conf_many_below(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Makes the pass's query one for the channels of this list, if they may be read
 * by it here.  NGX_OK, or the status of the error.  What it allocates lives as
 * long as the request.
 */
ngx_int_t ngx_http_msgbus_many(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *list);


#endif /* _NGX_HTTP_MSGBUS_MANY_H_INCLUDED_ */
