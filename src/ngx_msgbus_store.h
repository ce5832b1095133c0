
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_STORE_H_INCLUDED_
#define _NGX_MSGBUS_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_log.h"


/*
 * What makes an acknowledged event durable, and where ids come from.  The
 * log serves the reads whatever the store is.
 */
typedef struct {
    ngx_str_t              name;

    /*
     * The first id of a log that is new; configured is 0 where the store is
     * to choose.  In the master, at zone initialization.
     */
    uint64_t             (*first_id)(uint64_t configured);

    /*
     * The id of the next event.  NGX_OK; NGX_BUSY: none may be given out at
     * this moment.  Under the mutex, on the event loop.
     */
    ngx_int_t            (*next_id_locked)(ngx_msgbus_log_t *log,
                                           uint64_t *id);

    /* NGX_OK: events can be stored.  On the event loop, never blocks. */
    ngx_int_t            (*health)(ngx_msgbus_log_t *log);
} ngx_msgbus_store_t;


/* the log is all there is */
extern ngx_msgbus_store_t  ngx_msgbus_store_memory;


/* monotonic microseconds, from the system and not from nginx's cache */
uint64_t ngx_msgbus_store_clock(void);


#endif /* _NGX_MSGBUS_STORE_H_INCLUDED_ */
