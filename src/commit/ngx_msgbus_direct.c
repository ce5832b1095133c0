
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The commit of a bus without a store: an event is stored when it is in the
 * log, so its id is chosen and the event appended in one hold of the lock.
 *
 * Ids count on from the newest.  The first id of a log is the clock, in
 * microseconds, and no id is given out ahead of the time that has passed
 * since: so a bus that lost its memory starts above all ids of its earlier
 * lives, and old cursors are seen to be old.  That holds as long as the
 * clock was not set back between two lives.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_direct.h"
#include "ngx_msgbus_keyed.h"
#include "ngx_msgbus_time.h"


/* 2012-01-01 00:00:00 UTC: keeps ids below 2^53 until the year 2297 */
#define NGX_MSGBUS_DIRECT_EPOCH 1325376000


static ngx_int_t ngx_msgbus_direct_next_id_locked(ngx_msgbus_log_t *log,
    uint64_t *id);


uint64_t
ngx_msgbus_direct_first_id(uint64_t configured)
{
    struct timeval  tv;

    if (configured) {
        return configured;
    }

    ngx_gettimeofday(&tv);

    if (tv.tv_sec <= NGX_MSGBUS_DIRECT_EPOCH) {
        return 1;
    }

    return (uint64_t) (tv.tv_sec - NGX_MSGBUS_DIRECT_EPOCH) * 1000000
           + (uint64_t) tv.tv_usec;
}


ngx_int_t
ngx_msgbus_direct_commit(ngx_msgbus_log_t *log, ngx_msgbus_event_t *ev)
{
    ngx_int_t  rc;

    do {
        ngx_msgbus_log_lock(log);

        if (ev->key
            && ngx_msgbus_keyed_known_locked(log, ev->key,
                                             (uint64_t) ev->since, &ev->id)
               == NGX_DONE)
        {
            ngx_msgbus_log_unlock(log);

            return NGX_DONE;
        }

        /*
         * the id again at each turn: when evicting goes over several holds,
         * others may append in between
         */

        rc = ngx_msgbus_direct_next_id_locked(log, &ev->id);

        if (rc == NGX_OK) {
            rc = ngx_msgbus_log_append_locked(log, ev,
                                              (uint64_t) ev->since);

        } else {
            rc = NGX_ABORT;
        }

        ngx_msgbus_log_unlock(log);

    } while (rc == NGX_AGAIN);

    return rc;
}


static ngx_int_t
ngx_msgbus_direct_next_id_locked(ngx_msgbus_log_t *log, uint64_t *id)
{
    uint64_t              due;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    /* an id a microsecond since the log was born */

    due = sh->born + (sh->last_id + 1 - sh->first_id);

    /* nginx's cached time suffices but for a burst right at the start */

    if ((uint64_t) ngx_current_msec * 1000 < due
        && ngx_msgbus_time_monotonic() < due)
    {
        return NGX_BUSY;
    }

    *id = sh->last_id + 1;

    return NGX_OK;
}
