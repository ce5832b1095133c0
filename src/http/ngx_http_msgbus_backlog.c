
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a reader has beside itself while something is on its way to it: a frame
 * that its client has not taken yet, what the log has behind that, and what the
 * store is asked for.  Nobody who just waits has one.
 *
 * Most need it for one send(), one by one, and get the same memory.
 */


#include "ngx_http_msgbus_backlog.h"


/* of one who needs it no more */
static ngx_http_msgbus_backlog_t  *ngx_http_msgbus_backlog_spare;


ngx_http_msgbus_backlog_t *
ngx_http_msgbus_backlog(ngx_log_t *log)
{
    ngx_http_msgbus_backlog_t  *backlog;

    backlog = ngx_http_msgbus_backlog_spare;
    ngx_http_msgbus_backlog_spare = NULL;

    if (backlog == NULL) {
        backlog = ngx_alloc(sizeof(ngx_http_msgbus_backlog_t), log);

        if (backlog == NULL) {
            return NULL;
        }
    }

    ngx_memzero(backlog, sizeof(ngx_http_msgbus_backlog_t));

    return backlog;
}


ngx_http_msgbus_past_t *
ngx_http_msgbus_backlog_past(ngx_http_msgbus_backlog_t *backlog,
    ngx_log_t *log)
{
    if (backlog->past == NULL) {
        backlog->past = ngx_calloc(sizeof(ngx_http_msgbus_past_t), log);

        if (backlog->past) {
            backlog->past->log = log;
        }
    }

    return backlog->past;
}


void
ngx_http_msgbus_backlog_free(ngx_http_msgbus_backlog_t *backlog)
{
    if (backlog->past) {
        ngx_http_msgbus_past_forget(backlog->past);
        ngx_free(backlog->past);
    }

    if (ngx_http_msgbus_backlog_spare) {
        ngx_free(backlog);

    } else {
        ngx_http_msgbus_backlog_spare = backlog;
    }
}
