
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_WORKER_H_INCLUDED_
#define _NGX_MSGBUS_WORKER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus.h"


/*
 * A worker that has got no slot looks whether there is one now; what it takes,
 * is as good as one from the start.  On the event loop.
 */
void ngx_msgbus_worker_want_slot(ngx_msgbus_t *bus);

/*
 * Who waits in this worker has changed: it is to be woken, or need not be.
 * Likewise.
 */
void ngx_msgbus_worker_waits(ngx_msgbus_t *bus);


#endif /* _NGX_MSGBUS_WORKER_H_INCLUDED_ */
