
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_VARIABLE_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_VARIABLE_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* declares the variables; in preconfiguration */
ngx_int_t ngx_http_msgbus_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_MSGBUS_VARIABLE_H_INCLUDED_ */
