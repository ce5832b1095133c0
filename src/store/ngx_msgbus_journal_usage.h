
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_USAGE_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_USAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_store.h"
#include "ngx_msgbus_tell.h"


/* who looks after what a journal takes; a committer's */
typedef struct {
    ngx_msgbus_journal_conf_t   *conf;
    ngx_msgbus_tells_t          *tells;
    ngx_log_t                   *log;
    uint64_t                     dropped;    /* bytes, told of so far */
    ngx_uint_t                   near;       /* its end: that is told */
} ngx_msgbus_journal_watch_t;


/*
 * Adds what its files may take to what they do, and warns in the error log of
 * what is too much, or soon will be.  before is what had been dropped the last
 * time.  In the committer's thread.
 */
void ngx_msgbus_journal_watch(ngx_msgbus_journal_watch_t *w,
    ngx_msgbus_usage_t *usage, uint64_t before);


#endif /* _NGX_MSGBUS_JOURNAL_USAGE_H_INCLUDED_ */
