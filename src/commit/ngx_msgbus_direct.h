
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_DIRECT_H_INCLUDED_
#define _NGX_MSGBUS_DIRECT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_log.h"


/*
 * The first id of a log that is new: the configured one, or the clock where
 * that is 0.  In the master, at zone initialization.
 */
uint64_t ngx_msgbus_direct_first_id(uint64_t configured);

/*
 * Gives the event the next id and makes it visible; ev->id is the id after
 * NGX_OK.  ev->created and created_text are set.
 *
 * NGX_OK        committed
 * NGX_BUSY      no room in the log
 * NGX_DECLINED  larger than the log takes
 * NGX_ABORT     no id may be given out at this moment
 * NGX_DONE      an event with its key is there, ev->id is that one's; 0: it
 *               has another body
 *
 * On the event loop.  Nothing of ev is kept.
 */
ngx_int_t ngx_msgbus_direct_commit(ngx_msgbus_log_t *log,
    ngx_msgbus_event_t *ev);


#endif /* _NGX_MSGBUS_DIRECT_H_INCLUDED_ */
