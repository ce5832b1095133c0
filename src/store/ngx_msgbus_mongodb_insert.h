
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_MONGODB_INSERT_H_INCLUDED_
#define _NGX_MSGBUS_MONGODB_INSERT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_mongodb.h"


/* as ngx_msgbus_store_t has it */
ngx_int_t ngx_msgbus_mongodb_insert(ngx_msgbus_db_t *db,
    ngx_msgbus_doc_t *docs, ngx_uint_t n, ngx_msgbus_refusal_t *refusal);


#endif /* _NGX_MSGBUS_MONGODB_INSERT_H_INCLUDED_ */
