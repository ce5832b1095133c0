
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_LINES_H_INCLUDED_
#define _NGX_MSGBUS_LINES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_tell.h"


/* lines of the error log, from one thread to the event loop; opaque */
typedef struct ngx_msgbus_lines_s  ngx_msgbus_lines_t;


/*
 * For lines that go to a log of this worker's.  The event loop is woken by the
 * eventfd fd, which the caller keeps, as it does tells.  NULL after it has
 * logged why not.
 */
ngx_msgbus_lines_t *ngx_msgbus_lines_create(ngx_msgbus_tells_t *tells,
    ngx_log_t *log, int fd);

/* the log for the thread; what it is told comes to the other one later */
ngx_log_t *ngx_msgbus_lines_log(ngx_msgbus_lines_t *lines);

/* writes what is there; on the event loop */
void ngx_msgbus_lines_write(ngx_msgbus_lines_t *lines);

/* the same, for the last time; the thread is gone */
void ngx_msgbus_lines_destroy(ngx_msgbus_lines_t *lines);


#endif /* _NGX_MSGBUS_LINES_H_INCLUDED_ */
