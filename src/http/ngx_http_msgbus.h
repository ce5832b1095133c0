
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_msgbus.h"
#include "ngx_http_msgbus_ping.h"


#define NGX_HTTP_MSGBUS_PUBLISH  0x0002
#define NGX_HTTP_MSGBUS_READ     0x0004

/* of RFC 9110, which nginx has no name for */
#define NGX_HTTP_MSGBUS_UNPROCESSABLE  422

/* msgbus_scope: which events of other channels may be asked for */
#define NGX_HTTP_MSGBUS_EXACT    0x0002
#define NGX_HTTP_MSGBUS_PARENT   0x0004
#define NGX_HTTP_MSGBUS_ALL      0x0008
#define NGX_HTTP_MSGBUS_MANY     0x0010

#define NGX_HTTP_MSGBUS_JSONP_OFF   0
#define NGX_HTTP_MSGBUS_JSONP_READ  1
#define NGX_HTTP_MSGBUS_JSONP_ON    2


typedef struct {
    ngx_array_t                buses;         /* of ngx_msgbus_t * */
    ngx_array_t                stores;        /* of ngx_msgbus_store_conf_t * */
    ngx_array_t               *served;        /* locations, while they are
                                                 merged */
} ngx_http_msgbus_main_conf_t;


/* as directives say it: what they do not say is for msgbus_rse to say */
typedef struct {
    ngx_flag_t                 require_uuid;
    ngx_uint_t                 jsonp;
    ngx_uint_t                 scope;
    ngx_array_t               *origins;
} ngx_http_msgbus_said_t;


typedef struct {
    ngx_str_t                  zone;          /* as named by msgbus */
    ngx_msgbus_t              *bus;           /* NULL: msgbus is off here */
    ngx_msgbus_place_t        *place;         /* of msgbus, or what tells */

    /* a location that tells of a bus: of its health, of its channels; of all */
    ngx_str_t                  told_zone;     /* as named there; NULL: all */
    ngx_msgbus_t              *told_bus;
    ngx_http_handler_pt        tells;
    ngx_str_t                  told_by;       /* the directive */

    ngx_http_complex_value_t  *channel;       /* NULL: what follows ... */
    ngx_msgbus_place_t        *channel_place;
    ngx_str_t                  prefix;        /* ... this in $uri */

    ngx_http_complex_value_t  *identity;      /* NULL: the uuid */

    ngx_uint_t                 methods;       /* NGX_HTTP_MSGBUS_* */
    uint32_t                   limit_except;  /* of the location, in an "if" */
    ngx_uint_t                 max_events;    /* of a page by default */
    ngx_uint_t                 max_events_cap;
    size_t                     max_response;
    ngx_uint_t                 max_depth;

    ngx_flag_t                 fresh_reads;
    ngx_flag_t                 history;
    ngx_flag_t                 rse;
    ngx_http_msgbus_said_t     said;

    ngx_flag_t                 require_uuid;
    ngx_uint_t                 jsonp;         /* NGX_HTTP_MSGBUS_JSONP_* */
    ngx_uint_t                 scope;         /* bits */
    ngx_array_t               *many_below;    /* of ngx_str_t; NULL: any */
    ngx_array_t               *origins;       /* NULL: the server's names;
                                                 empty: any */
    ngx_array_t               *names;         /* of the server */
    ngx_flag_t                 test_mode;
    ngx_str_t                  auth_prefix;

    ngx_msec_t                 max_wait;
    ngx_uint_t                 max_waiters;   /* 0: no limit */
    ngx_msec_t                 retry;         /* of streams beyond; 0: 503 */
    ngx_msec_t                 ping;          /* of a stream */
    ngx_flag_t                 park;
    ngx_msec_t                 park_after;    /* who waits for a page */
    size_t                     stream_buffer;
    ngx_http_msgbus_pings_t    pings;
} ngx_http_msgbus_loc_conf_t;


/*
 * What is known in one pass of a request through a location: zero when it
 * begins, so that nothing leaks over an internal redirect.
 */
typedef struct {
    ngx_str_t                  name;          /* of the channel */
    ngx_msgbus_channel_t      *channel;       /* as the bus knows it */

    ngx_str_t                  callback;      /* of JSONP; empty: none */

    ngx_str_t                  user_agent;    /* as it stands in JSON */
    ngx_str_t                  uuid;          /* empty: none */
    ngx_str_t                  key;           /* Idempotency-Key */

    ngx_msgbus_form_e          form;          /* of the answer */
    ngx_msgbus_query_t         query;
    ngx_msec_t                 wait;          /* for events; 0: not at all */
    void                      *hold;          /* what it is held with */

    ngx_uint_t                 events;        /* in the answer */
    size_t                     bytes;         /* of these; 0: not known */
    ngx_msgbus_count_e         kind;          /* of a read, or why a post is
                                                 refused; EVENTS: not known */

    const char                *message;       /* of the error to be sent */
    ngx_str_t                 *ids;           /* and what stands behind it */
    ngx_buf_t                 *error;         /* sent in place of nginx's */

    unsigned                   publish:1;     /* a POST, or one by JSONP */
    unsigned                   batch:1;
    unsigned                   encoded:1;     /* its body has a coding */
    unsigned                   keyed:1;       /* a key was sent */
    unsigned                   rekeyed:1;     /* and another one */
    unsigned                   echo:1;
    unsigned                   prefer_wait:1; /* it came by a header */
    unsigned                   cursor:1;      /* one was sent */
    unsigned                   history:1;     /* what the log has lost the
                                                 store may tell */
    unsigned                   prefer_representation:1;
    unsigned                   prefer_minimal:1;
    unsigned                   read:1;        /* events is known */
    unsigned                   replied:1;     /* by this module */
    unsigned                   replaced:1;    /* nginx's page, by error */
    unsigned                   waited:1;      /* for events */
    unsigned                   counted:1;     /* its outcome is */
} ngx_http_msgbus_pass_t;


/*
 * What is known of a request.  Allocated with a cleanup of the request's
 * pool, by which it is found again after an internal redirect has wiped
 * r->ctx: nothing is published a second time.
 */
typedef struct {
    ngx_http_request_t        *request;
    uint64_t                   id;            /* of the last event posted */
    ngx_msgbus_t              *refused_by;    /* NULL: by none so far, or it is
                                                 counted */
    ngx_msgbus_count_e         refused;       /* as what */
    ngx_http_msgbus_pass_t     pass;
    unsigned                   published:1;
    unsigned                   told:1;        /* how much of it is stored */
    unsigned                   tallied:1;     /* it is counted as refused */
} ngx_http_msgbus_ctx_t;


/*
 * The context of a request, made at the first time; in a new pass it begins
 * that one.  NULL: no memory.
 */
ngx_http_msgbus_ctx_t *ngx_http_msgbus_ctx(ngx_http_request_t *r);

/* as the last pass has left it, also where that was in another location */
ngx_http_msgbus_ctx_t *ngx_http_msgbus_ctx_last(ngx_http_request_t *r);


extern ngx_module_t  ngx_http_msgbus_module;


#endif /* _NGX_HTTP_MSGBUS_H_INCLUDED_ */
