
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_BACKLOG_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_BACKLOG_H_INCLUDED_


#include "ngx_http_msgbus_past.h"
#include "ngx_http_msgbus_transport.h"


/* what a reader has that does not just wait; allocated for that time */
typedef struct {
    ngx_http_msgbus_transport_t  transport;

    size_t                       waiting;  /* bytes in the log behind it, */
    uint64_t                     counted;  /*   up to this id */
    uint64_t                     asked;    /* as of the query */

    ngx_http_msgbus_past_t      *past;     /* NULL: the store is not asked */
} ngx_http_msgbus_backlog_t;


/* zero at first; NULL: no memory */
ngx_http_msgbus_backlog_t *ngx_http_msgbus_backlog(ngx_log_t *log);

/* what it asks the store with, the same each time; NULL: no memory */
ngx_http_msgbus_past_t *ngx_http_msgbus_backlog_past(
    ngx_http_msgbus_backlog_t *backlog, ngx_log_t *log);

/* and what it asks the store for; its frame is the transport's */
void ngx_http_msgbus_backlog_free(ngx_http_msgbus_backlog_t *backlog);


#endif /* _NGX_HTTP_MSGBUS_BACKLOG_H_INCLUDED_ */
