
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_ERROR_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_ERROR_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* the filters that turn nginx's own errors into ours; in postconfiguration */
ngx_int_t ngx_http_msgbus_error_init(ngx_conf_t *cf);

/*
 * Sends the error where rc is the status of one, with pass->message, and
 * leaves the connection usable; not where the user has an error_page for
 * it.  Returns what the request is to be finalized with.
 */
ngx_int_t ngx_http_msgbus_finish(ngx_http_request_t *r, ngx_int_t rc);

/* does an error_page take this status, and the request, to a named location? */
ngx_uint_t ngx_http_msgbus_error_goes_on(ngx_http_request_t *r,
    ngx_uint_t status);


/* names an error and returns its status; message is a constant */
static ngx_inline ngx_int_t
ngx_http_msgbus_refuse(ngx_http_msgbus_pass_t *pass, ngx_int_t status,
    const char *message)
{
    pass->message = message;

    return status;
}


#endif /* _NGX_HTTP_MSGBUS_ERROR_H_INCLUDED_ */
