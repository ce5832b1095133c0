
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_LISTING_H_INCLUDED_
#define _NGX_MSGBUS_LISTING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_present.h"
#include "ngx_msgbus_time.h"


/* a channel in a list of them */
typedef struct {
    uint64_t               events;     /* of its own, in memory; 0: none, and
                                          then there is no newest one */
    uint64_t               newest;     /* id */
    u_char                 newest_at[NGX_MSGBUS_TIME_LEN];

    uint64_t               own[NGX_MSGBUS_MANNERS];   /* readers of it, */
    uint64_t               tree[NGX_MSGBUS_MANNERS];  /* of all below, too */

    ngx_str_t              name;
    u_char                 bytes[NGX_MSGBUS_CHANNEL_LEN];
} ngx_msgbus_listed_t;


/*
 * A list of channels in progress: a page of all that have events or readers, by
 * name, bytewise.
 */
typedef struct {
    ngx_str_t              below;      /* this channel and those below it;
                                          "/": all */
    ngx_str_t              after;      /* names behind this one; empty: all */
    ngx_uint_t             limit;

    /* the outcome */
    ngx_msgbus_listed_t  **items;      /* in their order */
    ngx_uint_t             n;
    ngx_str_t              next;       /* behind it are others; empty: none */
    unsigned               incomplete:1; /* there are readers who are not
                                            counted */

    /* while it is read */
    ngx_pool_t            *pool;
    ngx_uint_t             phase;
    uint32_t               at;
    u_char                *found;      /* what one hold has found */
} ngx_msgbus_listing_t;


/*
 * Begins a list: below, after and limit are set, and outlive it.  NGX_OK, or
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_msgbus_listing_init(ngx_msgbus_listing_t *listing,
    ngx_pool_t *pool);

/*
 * Reads on, in short holds of the lock, for a bounded time.  NGX_OK: it is
 * done; NGX_AGAIN: let the loop go on, and call again; NGX_ERROR: no memory.
 * A channel that is there all the time is in it, once; one that comes or goes
 * meanwhile may be.  On the event loop.
 */
ngx_int_t ngx_msgbus_listing_next(ngx_msgbus_listing_t *listing,
    ngx_msgbus_log_t *log, ngx_msgbus_present_t *present);


#endif /* _NGX_MSGBUS_LISTING_H_INCLUDED_ */
