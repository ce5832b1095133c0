
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_PAST_H_INCLUDED_
#define _NGX_MSGBUS_PAST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_foreign.h"
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_store.h"


/* what one page may be, whatever is asked for: events, and bytes of data */
#define NGX_MSGBUS_HISTORY_EVENTS     500
#define NGX_MSGBUS_HISTORY_BYTES      (1024 * 1024)


/*
 * An event that was read: as the log would have it, and such as can be shown.
 * ev.channel is NULL, the channel's name stands beside it.
 */
typedef struct {
    ngx_str_t              channel;
    ngx_msgbus_event_t     ev;
} ngx_msgbus_past_event_t;


/*
 * A page that was read, of all who have asked for it.  It does not change; it
 * is there until its last owner has released it.
 */
typedef struct {
    ngx_uint_t             owners;
    ngx_uint_t             n;
    ngx_msgbus_past_event_t *events;   /* in the order that was asked for */
    ngx_msgbus_examined_t  examined;
    u_char                *bytes;      /* of their strings, */
    size_t                 len;        /*   so many */
} ngx_msgbus_past_t;


/* who reads pages, in one thread */
typedef struct {
    ngx_msgbus_store_t    *store;
    ngx_msgbus_db_t       *db;
    uint64_t               seed;       /* the zone's */
    ngx_msgbus_tells_t    *tells;      /* likewise */
    ngx_log_t             *log;

    /* the page that is being read */
    ngx_msgbus_past_t     *page;
    size_t                 len;
    size_t                 size;
    ngx_uint_t             failed;     /* no memory */
    u_char                 agent[NGX_MSGBUS_FOREIGN_ROOM];
} ngx_msgbus_past_reader_t;


/*
 * Reads what is asked for from a store that is attached: blocks.  NULL, and
 * *rc is NGX_ABORT or NGX_ERROR, as a store has it; NGX_BUSY: no memory.  The
 * caller is its owner.
 */
ngx_msgbus_past_t *ngx_msgbus_past_read(ngx_msgbus_past_reader_t *r,
    ngx_msgbus_history_t *h, ngx_int_t *rc);

/* one owner less; of an owner's thread */
void ngx_msgbus_past_release(ngx_msgbus_past_t *past);


#endif /* _NGX_MSGBUS_PAST_H_INCLUDED_ */
