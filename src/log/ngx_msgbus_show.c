
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


u_char *
ngx_msgbus_show_record(u_char *p, ngx_msgbus_record_t *rec, uint64_t now)
{
    ngx_str_t  age, data, channel;
    u_char     digits[NGX_INT64_LEN];

    age.data = digits;
    ngx_msgbus_show_age(&age, rec->since, now);

    data.len = rec->data_len;
    data.data = ngx_msgbus_record_data(rec);

    ngx_str_null(&channel);

    p = ngx_cpymem(p, ngx_msgbus_record_front(rec), rec->front_len);

    return ngx_msgbus_show_rest(p, &age, &data, &channel);
}
