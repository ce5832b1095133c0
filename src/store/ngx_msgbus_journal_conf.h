
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_CONF_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_store.h"


/* "sync off" */
#define NGX_MSGBUS_JOURNAL_SYNC_OFF  ((ngx_msec_t) -2)


/* what the block msgbus_journal says */
typedef struct {
    ngx_msgbus_store_conf_t  store;       /* common to all kinds */
    ngx_str_t                path;        /* of the folder, from / on */
    off_t                    segment;
    off_t                    size;
    ngx_msec_t               sync;        /* 0: always */
} ngx_msgbus_journal_block_t;


#endif /* _NGX_MSGBUS_JOURNAL_CONF_H_INCLUDED_ */
