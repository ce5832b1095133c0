
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_ASKED_H_INCLUDED_
#define _NGX_MSGBUS_ASKED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_past.h"


#define NGX_MSGBUS_ASKED_WAITS   0
#define NGX_MSGBUS_ASKED_TAKEN   1     /* the thread is at it */
#define NGX_MSGBUS_ASKED_DONE    2


/*
 * A question; allocated together with what it points to.
 *
 * Many come back at once with the same cursor, after a restart: those who ask
 * the same share one question, and one page.  Their uuids differ: so what each
 * wants hidden is dropped from a question that is shared, and left to them.
 */
typedef struct {
    ngx_queue_t            queue;      /* of all: the loop's */
    ngx_queue_t            link;       /* waiting, or done */
    ngx_queue_t            asks;       /* the loop's */
    ngx_msgbus_history_t   h;
    ngx_uint_t             state;
    ngx_int_t              rc;
    ngx_msgbus_past_t     *page;
} ngx_msgbus_asked_t;


/* a copy of a question, that waits; NULL: no memory.  For ngx_free(). */
ngx_msgbus_asked_t *ngx_msgbus_asked_create(ngx_msgbus_history_t *h,
    ngx_log_t *log);

/* is the page that one gets a page for two as well, whoever is hidden? */
ngx_uint_t ngx_msgbus_asked_serves(ngx_msgbus_history_t *one,
    ngx_msgbus_history_t *two);


#endif /* _NGX_MSGBUS_ASKED_H_INCLUDED_ */
