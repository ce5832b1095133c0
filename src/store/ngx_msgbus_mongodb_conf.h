
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_MONGODB_CONF_H_INCLUDED_
#define _NGX_MSGBUS_MONGODB_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_store.h"


/* what the block msgbus_mongodb says */
typedef struct {
    ngx_msgbus_store_conf_t  store;       /* common to all kinds */
    ngx_str_t                uri;
    ngx_str_t                database;
    ngx_msec_t               connect_timeout;
    ngx_msec_t               timeout;
} ngx_msgbus_mongodb_conf_t;


#endif /* _NGX_MSGBUS_MONGODB_CONF_H_INCLUDED_ */
