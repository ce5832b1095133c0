
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_PING_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_PING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_http_msgbus_ping_s  ngx_http_msgbus_ping_t;

typedef void (*ngx_http_msgbus_ping_pt)(ngx_http_msgbus_ping_t *ping);


/* one who is pinged; a part of whatever it is */
struct ngx_http_msgbus_ping_s {
    ngx_queue_t                queue;
    ngx_msec_t                 due;
};


/* those of a location in one worker, who is due next first */
typedef struct {
    ngx_queue_t                queue;         /* next NULL: never used yet */
    ngx_event_t                timer;
    ngx_msec_t                 interval;
    ngx_http_msgbus_ping_pt    handler;
} ngx_http_msgbus_pings_t;


/*
 * Calls the handler each interval, the same for all pings, until the ping is
 * stopped, which the handler may do.  On the event loop.
 */
void ngx_http_msgbus_ping_start(ngx_http_msgbus_pings_t *pings,
    ngx_http_msgbus_ping_t *ping, ngx_msec_t interval,
    ngx_http_msgbus_ping_pt handler);
void ngx_http_msgbus_ping_stop(ngx_http_msgbus_pings_t *pings,
    ngx_http_msgbus_ping_t *ping);


#endif /* _NGX_HTTP_MSGBUS_PING_H_INCLUDED_ */
