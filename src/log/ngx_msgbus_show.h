
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_SHOW_H_INCLUDED_
#define _NGX_MSGBUS_SHOW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_number.h"


/*
 * An event's JSON, as readers get it, wherever the event is:
 *
 *     {"id":7,"user_agent":"..","created_at":"..","age":  front
 *     12,"data":{},"channel":"/a"}                        rest
 *
 * What is written here is written once, for records of the log and for events
 * that a store has kept: so a reader can not tell which of them he got.
 */


/* an event's age, whole seconds; age->data has NGX_INT64_LEN bytes */
static ngx_inline void
ngx_msgbus_show_age(ngx_str_t *age, int64_t since, uint64_t now)
{
    uint64_t  seconds;

    seconds = (int64_t) now > since ? (uint64_t) ((int64_t) now - since) / 1000
                                    : 0;

    age->len = ngx_msgbus_number(age->data, seconds) - age->data;
}


/* what stands behind the front; channel->len 0: it is not named */
#define ngx_msgbus_show_rest_len(age, data_len, channel_len)                  \
    ((age)->len + (data_len) + sizeof(",\"data\":}") - 1                      \
     + ((channel_len) ? sizeof(",\"channel\":\"\"") - 1 + (channel_len) : 0))


/* writes it, and returns its end; here, for each event of each read does it */
static ngx_inline u_char *
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


/* a record, as its readers get it without the name of its channel */
u_char *ngx_msgbus_show_record(u_char *p, ngx_msgbus_record_t *rec,
    uint64_t now);

/* all of an event, and the bytes that this takes at most */
u_char *ngx_msgbus_show_event(u_char *p, ngx_msgbus_event_t *ev,
    ngx_str_t *age, ngx_str_t *channel);

#define ngx_msgbus_show_len(ev, channel_len)                                  \
    (ngx_msgbus_log_front_len(ev) + NGX_INT64_LEN + (ev)->data.len            \
     + sizeof(",\"data\":,\"channel\":\"\"}") + (channel_len))


#endif /* _NGX_MSGBUS_SHOW_H_INCLUDED_ */
