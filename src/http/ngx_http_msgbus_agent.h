
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_AGENT_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_AGENT_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * Finds the poster's or reader's uuid, for a poster (publish is 1) also the
 * User-Agent.  NGX_OK, or the status of the error.
 */
ngx_int_t ngx_http_msgbus_agent(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_uint_t publish);


#endif /* _NGX_HTTP_MSGBUS_AGENT_H_INCLUDED_ */
