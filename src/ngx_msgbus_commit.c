
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The one way by which an event gets its id and becomes visible.
 *
 * The id is chosen and the event appended in one hold of the zone's mutex,
 * so ids rise in the order in which events become visible, whatever the
 * number of workers.  The memory store needs nothing else: by the time the
 * poster is answered its event is in the log.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_commit.h"


ngx_int_t
ngx_msgbus_commit(ngx_msgbus_log_t *log, ngx_msgbus_store_t *store,
    ngx_msgbus_event_t *ev)
{
    ngx_int_t  rc;

    do {
        ngx_msgbus_log_lock(log);

        /*
         * the id again at each turn: when evicting goes over several holds,
         * others may append in between
         */

        rc = store->next_id_locked(log, &ev->id);

        if (rc == NGX_OK) {
            rc = ngx_msgbus_log_append_locked(log, ev, ev->created);

        } else {
            rc = NGX_ABORT;
        }

        ngx_msgbus_log_unlock(log);

    } while (rc == NGX_AGAIN);

    return rc;
}
