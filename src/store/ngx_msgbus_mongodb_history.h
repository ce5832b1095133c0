
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_MONGODB_HISTORY_H_INCLUDED_
#define _NGX_MSGBUS_MONGODB_HISTORY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_mongodb.h"


/* as ngx_msgbus_store_t has it */
ngx_int_t ngx_msgbus_mongodb_history(ngx_msgbus_db_t *db,
    ngx_msgbus_history_t *h, ngx_msgbus_doc_pt handler, void *data,
    ngx_msgbus_examined_t *page);


#endif /* _NGX_MSGBUS_MONGODB_HISTORY_H_INCLUDED_ */
