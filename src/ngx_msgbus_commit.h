
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_COMMIT_H_INCLUDED_
#define _NGX_MSGBUS_COMMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_store.h"


/*
 * Gives the event the next id and makes it durable and visible; ev->id is
 * the id after NGX_OK.  ev->created and created_text are set.
 *
 * NGX_OK        committed
 * NGX_BUSY      no room in the log
 * NGX_DECLINED  larger than the log takes
 * NGX_ABORT     the store gives out no id now
 *
 * On the event loop.  Nothing of ev is kept.
 */
ngx_int_t ngx_msgbus_commit(ngx_msgbus_log_t *log, ngx_msgbus_store_t *store,
    ngx_msgbus_event_t *ev);


#endif /* _NGX_MSGBUS_COMMIT_H_INCLUDED_ */
