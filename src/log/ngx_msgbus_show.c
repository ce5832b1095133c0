
/*
 * Copyright (C) the msgbus authors
 */


/*
 * An event's JSON, as readers get it: what stands behind its front.  The front
 * is the log's own, for it lies in each record.
 *
 * It is written here for all: for a page and for a stream, for the answer to
 * its post, and for what a store has kept.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_number.h"
#include "ngx_msgbus_show.h"


void
ngx_msgbus_show_age(ngx_str_t *age, int64_t since, uint64_t now)
{
    uint64_t  seconds;

    seconds = (int64_t) now > since ? (uint64_t) ((int64_t) now - since) / 1000
                                    : 0;

    age->len = ngx_msgbus_number(age->data, seconds) - age->data;
}


u_char *
ngx_msgbus_show_rest(u_char *p, ngx_str_t *age, ngx_str_t *data,
    ngx_str_t *channel)
{
    p = ngx_cpymem(p, age->data, age->len);
    p = ngx_cpymem(p, ",\"data\":", sizeof(",\"data\":") - 1);
    p = ngx_cpymem(p, data->data, data->len);

    if (channel->len) {
        p = ngx_cpymem(p, ",\"channel\":\"", sizeof(",\"channel\":\"") - 1);
        p = ngx_cpymem(p, channel->data, channel->len);
        *p++ = '"';
    }

    *p++ = '}';

    return p;
}


u_char *
ngx_msgbus_show_event(u_char *p, ngx_msgbus_event_t *ev, ngx_str_t *age,
    ngx_str_t *channel)
{
    p = ngx_msgbus_log_front(p, ev);

    return ngx_msgbus_show_rest(p, age, &ev->data, channel);
}
