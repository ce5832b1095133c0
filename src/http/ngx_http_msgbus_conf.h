
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_CONF_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_CONF_H_INCLUDED_


#include "ngx_http_msgbus.h"


void *ngx_http_msgbus_create_main_conf(ngx_conf_t *cf);
char *ngx_http_msgbus_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_msgbus_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_msgbus_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

char *ngx_http_msgbus_conf_msgbus(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_msgbus_conf_tells(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_msgbus_conf_channel(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_msgbus_conf_max_events(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_msgbus_conf_park(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_msgbus_conf_max_waiters(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

char *ngx_http_msgbus_conf_ping(ngx_conf_t *cf, void *post, void *data);


#endif /* _NGX_HTTP_MSGBUS_CONF_H_INCLUDED_ */
