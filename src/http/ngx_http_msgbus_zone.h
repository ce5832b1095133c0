
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_ZONE_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_ZONE_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* msgbus_zone: adds a bus to the main configuration */
char *ngx_http_msgbus_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_MSGBUS_ZONE_H_INCLUDED_ */
