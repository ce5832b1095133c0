
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_STATUS_PAGE_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_STATUS_PAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * The page of msgbus_status: HTML in ASCII, and what its
 * Content-Security-Policy header must say.  Both are constant, and there for
 * all of the process' life.  The page asks its own URL for ?format=json.
 */

extern const char  ngx_http_msgbus_status_page[];
extern ngx_str_t   ngx_http_msgbus_status_policy;


#endif /* _NGX_HTTP_MSGBUS_STATUS_PAGE_H_INCLUDED_ */
