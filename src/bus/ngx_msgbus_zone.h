
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_ZONE_H_INCLUDED_
#define _NGX_MSGBUS_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus.h"
#include "ngx_msgbus_committer.h"
#include "ngx_msgbus_frame.h"
#include "ngx_msgbus_ledger.h"
#include "ngx_msgbus_notify.h"
#include "ngx_msgbus_present.h"
#include "ngx_msgbus_recall.h"
#include "ngx_msgbus_store.h"


/* a bus as its own rooms see it: one for each cycle that declares its zone */
struct ngx_msgbus_s {
    ngx_msgbus_conf_t      conf;
    ngx_conf_t             at;         /* its place, to tell of what is wrong */
    ngx_msgbus_store_t    *store;          /* NULL: the log is all there is */
    ngx_msgbus_log_t       log;
    ngx_shm_zone_t        *shm_zone;
    ngx_cycle_t           *cycle;          /* the one that declares it */
    ngx_pool_cleanup_t    *cleanup;        /* of the cycle */

    /* this worker's */
    u_char                *scratch;        /* made by the master */
    ngx_uint_t             first;          /* of all: unsigned  first:1; */
    ngx_event_t            expire;
    ngx_event_t            more;           /* readers are still to be woken */
    ngx_msgbus_notify_t    notify;
    ngx_msgbus_waiters_t   waiters;
    ngx_msgbus_frames_t    frames;         /* while readers are woken */
    ngx_msgbus_present_t   present;        /* and what others know of them */
    ngx_msgbus_counters_t  counters;       /* of all workers, */
    ngx_msgbus_counts_t   *counts;         /*   and this one's share */
    ngx_uint_t             delayed;        /* while waiters are woken: the
                                              count of how long after the
                                              commit that is; 0: not known, */
    uint64_t               delay;          /*   and that time, us */
    uint64_t               started;        /* since 1970, ms: the zone was
                                              made */

    /* where there is a store */
    ngx_msgbus_store_conf_t *store_conf;
    ngx_msgbus_posts_t     posts;
    ngx_msgbus_freshes_t   fresh;          /* wait for a look */
    ngx_msgbus_ledger_t    ledger;         /* what a committer starts from */
    ngx_msgbus_committer_t *committer;
    ngx_event_t            kick;           /* the committer has work */
    ngx_msgbus_recall_t   *recall;         /* NULL: it keeps no history */
};


/* since boot, ms: events expire by it.  As new as nginx's own time is. */
uint64_t ngx_msgbus_now(void);

/* bytes that can be pending at once, where a database is the store */
size_t ngx_msgbus_zone_max_posts(ngx_msgbus_t *bus);


#endif /* _NGX_MSGBUS_ZONE_H_INCLUDED_ */
