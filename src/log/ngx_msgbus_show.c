
/*
 * Copyright (C) the msgbus authors
 */


/*
 * An event's JSON, as readers get it, of an event that is no record of the log:
 * for the answer to its post, and for what a store has kept.  The front is the
 * log's own, for it lies in each record; what stands behind that is written in
 * the header, for all.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_show.h"


u_char *
ngx_msgbus_show_event(u_char *p, ngx_msgbus_event_t *ev, ngx_str_t *age,
    ngx_str_t *channel)
{
    p = ngx_msgbus_log_front(p, ev);

    return ngx_msgbus_show_rest(p, age, &ev->data, channel);
}
