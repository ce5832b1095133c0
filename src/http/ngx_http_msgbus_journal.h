
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_JOURNAL_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_JOURNAL_H_INCLUDED_


#include "ngx_http_msgbus_store.h"


/* the block msgbus_journal */
extern ngx_http_msgbus_store_block_t  ngx_http_msgbus_journal_block;


#endif /* _NGX_HTTP_MSGBUS_JOURNAL_H_INCLUDED_ */
