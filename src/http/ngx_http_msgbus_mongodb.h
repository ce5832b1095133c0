
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_MONGODB_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_MONGODB_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* the block msgbus_mongodb */
char *ngx_http_msgbus_conf_mongodb(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_MSGBUS_MONGODB_H_INCLUDED_ */
