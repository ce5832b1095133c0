
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_WARN_H_INCLUDED_
#define _NGX_MSGBUS_WARN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_log.h"


/*
 * Warns in the error log where the zone runs out: nine tenths of it are taken,
 * and all of it will be before the oldest event expires.  size is the zone's.
 * Takes the zone's lock for a moment.  On the event loop, once a second.
 */
void ngx_msgbus_warn_zone(ngx_msgbus_log_t *log, ngx_str_t *zone, size_t size);

/*
 * Likewise where this worker has nine tenths of its worker_connections in use;
 * one that is idle and may be closed is not.
 */
void ngx_msgbus_warn_connections(void);


#endif /* _NGX_MSGBUS_WARN_H_INCLUDED_ */
