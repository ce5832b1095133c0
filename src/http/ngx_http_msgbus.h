
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_msgbus.h"


#define NGX_HTTP_MSGBUS_PUBLISH  0x0002
#define NGX_HTTP_MSGBUS_READ     0x0004

#define NGX_HTTP_MSGBUS_PAGE     0
#define NGX_HTTP_MSGBUS_SSE      1
#define NGX_HTTP_MSGBUS_NDJSON   2


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


typedef struct {
    ngx_array_t                buses;         /* of ngx_msgbus_t * */
    ngx_array_t                mongodb;       /* of ngx_msgbus_mongodb_conf_t */
} ngx_http_msgbus_main_conf_t;


typedef struct {
    ngx_str_t                  zone;          /* as named by msgbus */
    ngx_msgbus_t              *bus;           /* NULL: msgbus is off here */

    ngx_str_t                  health_zone;   /* as named by msgbus_health */
    ngx_msgbus_t              *health_bus;

    ngx_http_complex_value_t  *channel;       /* NULL: what follows ... */
    ngx_str_t                  prefix;        /* ... this in $uri */

    ngx_uint_t                 methods;       /* NGX_HTTP_MSGBUS_* */
    ngx_uint_t                 max_events;    /* of a page by default */
    ngx_uint_t                 max_events_cap;
    size_t                     max_response;
    ngx_uint_t                 max_depth;

    ngx_flag_t                 require_uuid;
    ngx_flag_t                 test_mode;
    ngx_flag_t                 jsonp;
    ngx_str_t                  auth_prefix;

    ngx_msec_t                 max_wait;
    ngx_uint_t                 max_waiters;   /* 0: no limit */
    ngx_msec_t                 ping;          /* of a stream */
    size_t                     stream_buffer;
    ngx_http_msgbus_pings_t    pings;
} ngx_http_msgbus_loc_conf_t;


/* the arguments that are known, decoded; data NULL: it did not come */
typedef struct {
    ngx_str_t                  last_known_id;
    ngx_str_t                  last_event_id; /* for streams */
    ngx_str_t                  max_events;
    ngx_str_t                  sort;
    ngx_str_t                  events;
    ngx_str_t                  echo;
    ngx_str_t                  wait;
    ngx_str_t                  callback;
    ngx_str_t                  method;
    ngx_str_t                  post_data;
    ngx_str_t                  verbose;
} ngx_http_msgbus_args_t;


/*
 * What is known of a request.  Allocated with a cleanup of the request's
 * pool, by which it is found again after an internal redirect has wiped
 * r->ctx: nothing is published a second time.
 */
typedef struct {
    ngx_http_request_t        *request;

    ngx_str_t                  name;          /* of the channel */
    ngx_msgbus_channel_t      *channel;       /* as the bus knows it */

    ngx_str_t                  callback;      /* of JSONP; empty: none */

    ngx_str_t                  user_agent;    /* as it stands in JSON */
    ngx_str_t                  uuid;          /* empty: none */

    ngx_msgbus_query_t         query;
    ngx_msec_t                 wait;          /* for events; 0: not at all */
    void                      *stream;        /* it has become one */

    uint64_t                   id;            /* of the last event posted */
    ngx_uint_t                 events;        /* in the answer */

    const char                *message;       /* of the error to be sent */
    ngx_buf_t                 *error;         /* sent in place of nginx's */

    unsigned                   form:2;        /* of the answer */
    unsigned                   batch:1;
    unsigned                   echo:1;
    unsigned                   prefer_wait:1; /* it came by a header */
    unsigned                   prefer_representation:1;
    unsigned                   published:1;
    unsigned                   read:1;        /* events is known */
    unsigned                   replied:1;     /* by this module */
    unsigned                   replaced:1;    /* nginx's page, by error */
} ngx_http_msgbus_ctx_t;


/* conf: what the directives set, and the workers' start */

void *ngx_http_msgbus_create_main_conf(ngx_conf_t *cf);
char *ngx_http_msgbus_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_msgbus_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_msgbus_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

char *ngx_http_msgbus_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_msgbus_conf_msgbus(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_msgbus_conf_health(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_msgbus_conf_max_events(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

char *ngx_http_msgbus_conf_ping(ngx_conf_t *cf, void *post, void *data);

/* database: the block msgbus_mongodb */
char *ngx_http_msgbus_conf_mongodb(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

ngx_int_t ngx_http_msgbus_init_process(ngx_cycle_t *cycle);
void ngx_http_msgbus_exit_process(ngx_cycle_t *cycle);

/* request: what a request asks for, or the error it gets */

ngx_int_t ngx_http_msgbus_handler(ngx_http_request_t *r);
ngx_http_msgbus_ctx_t *ngx_http_msgbus_ctx(ngx_http_request_t *r);

/*
 * Names the channel in ctx->name, not checked yet.  NGX_OK, or the status of
 * the error.  Before the body is read, and for variables.
 */
ngx_int_t ngx_http_msgbus_request_name(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);

/* a POST, or what JSONP has in its place */
ngx_uint_t ngx_http_msgbus_is_publish(ngx_http_request_t *r,
    ngx_http_msgbus_args_t *args);

/*
 * Finds the poster's or reader's uuid, for a poster (publish is 1) also the
 * User-Agent.  NGX_OK, or the status of the error.
 */
ngx_int_t ngx_http_msgbus_request_who(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_uint_t publish);

/* args: finds and decodes the arguments; NGX_OK or NGX_ERROR */

ngx_int_t ngx_http_msgbus_args(ngx_http_request_t *r,
    ngx_http_msgbus_args_t *args);

/* fills ctx->query from the arguments; NGX_OK, or the status of the error */
ngx_int_t ngx_http_msgbus_request_query(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_http_msgbus_args_t *args);

/*
 * Which form of an answer the Accept headers wish, NGX_HTTP_MSGBUS_*; for a
 * stream, *cursor becomes the value of Last-Event-ID, unless it did not come
 * or is empty.
 */
ngx_uint_t ngx_http_msgbus_accept(ngx_http_request_t *r, ngx_str_t *cursor);

/*
 * Notes the preferences of the Prefer headers (RFC 7240) that are known.  They
 * are wishes: what is not understood is passed over.
 */
void ngx_http_msgbus_prefer(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);

/* is a string this constant? */
#define ngx_http_msgbus_is(s, text)                                           \
    ((s)->len == sizeof(text) - 1                                             \
     && ngx_memcmp((s)->data, text, sizeof(text) - 1) == 0)


/* names an error and returns its status; message is a constant */
static ngx_inline ngx_int_t
ngx_http_msgbus_refuse(ngx_http_msgbus_ctx_t *ctx, ngx_int_t status,
    const char *message)
{
    ctx->message = message;

    return status;
}


/*
 * publish, read, health: what it gets.  They return what the request is to
 * be finalized with, by way of ngx_http_msgbus_finish().
 */

ngx_int_t ngx_http_msgbus_publish(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_http_msgbus_args_t *args);
ngx_int_t ngx_http_msgbus_read(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_http_msgbus_args_t *args);
ngx_int_t ngx_http_msgbus_read_page(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_page_t *page);
ngx_int_t ngx_http_msgbus_read_send(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_page_t *page);
ngx_int_t ngx_http_msgbus_read_all(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_http_msgbus_args_t *args);

/*
 * Answers a post of which all is known; rc as ngx_msgbus_publish() has it,
 * NGX_AGAIN where it has waited and not all of it is stored.
 */
ngx_int_t ngx_http_msgbus_publish_answer(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_post_t *post, ngx_int_t rc);

/* batch: a body of many events, a line each, as the events of a post */
ngx_int_t ngx_http_msgbus_batch(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_str_t *body, ngx_msgbus_post_t *post);

/* the error of a batch, and its answer when all of it is stored */
ngx_int_t ngx_http_msgbus_batch_failed(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_post_t *post);
ngx_int_t ngx_http_msgbus_batch_done(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_post_t *post);

/* post: hands a post to the bus, and holds the request while it waits */
ngx_int_t ngx_http_msgbus_post(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_post_t *post);

/* jsonp: checks the callback's name; NGX_OK, or the status of the error */
ngx_int_t ngx_http_msgbus_jsonp_callback(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_http_msgbus_args_t *args);

/* the answer to a post, and a page of events, as a call of the callback */
ngx_int_t ngx_http_msgbus_jsonp_send_empty(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);
ngx_int_t ngx_http_msgbus_jsonp_send(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_chain_t *out);

/* variable: declares the variables; in preconfiguration */
ngx_int_t ngx_http_msgbus_variables(ngx_conf_t *cf);

/* wait: parks a reader to whom page has nothing to say */
ngx_int_t ngx_http_msgbus_wait(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_page_t *page);

/* stream: answers with all events that come, for as long as they do */
ngx_int_t ngx_http_msgbus_stream(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);

/*
 * ping: calls the handler each interval, the same for all pings, until the
 * ping is stopped, which the handler may do.  On the event loop.
 */
void ngx_http_msgbus_ping_start(ngx_http_msgbus_pings_t *pings,
    ngx_http_msgbus_ping_t *ping, ngx_msec_t interval,
    ngx_http_msgbus_ping_pt handler);
void ngx_http_msgbus_ping_stop(ngx_http_msgbus_pings_t *pings,
    ngx_http_msgbus_ping_t *ping);

ngx_int_t ngx_http_msgbus_health(ngx_http_request_t *r, ngx_msgbus_t *bus,
    ngx_http_msgbus_args_t *args);
ngx_int_t ngx_http_msgbus_health_handler(ngx_http_request_t *r);

/*
 * reply: all that is sent.  The senders return what the request is to be
 * finalized with.
 */

/* a header whose value the caller sets; NULL: no memory */
ngx_table_elt_t *ngx_http_msgbus_push_header(ngx_http_request_t *r,
    const char *key);

/* value must live as long as the request; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_msgbus_add_header(ngx_http_request_t *r, const char *key,
    ngx_str_t *value);
ngx_int_t ngx_http_msgbus_add_number(ngx_http_request_t *r, const char *key,
    uint64_t n);
void ngx_http_msgbus_content_type(ngx_http_request_t *r, const char *type);

/* a status without a body */
ngx_int_t ngx_http_msgbus_send_empty(ngx_http_request_t *r,
    ngx_uint_t status);

/* headers_out.status, or 200, with out, whose last buffer ends the body */
ngx_int_t ngx_http_msgbus_send(ngx_http_request_t *r, ngx_chain_t *out,
    size_t size);

/* 200 with a constant */
ngx_int_t ngx_http_msgbus_send_text(ngx_http_request_t *r, const char *text);

/*
 * Sends the error where rc is the status of one, with ctx->message, and
 * leaves the connection usable; not where the user has an error_page for
 * it.  Returns what the request is to be finalized with.
 */
ngx_int_t ngx_http_msgbus_finish(ngx_http_request_t *r, ngx_int_t rc);

/* 405, or the answer to OPTIONS (204): with Allow */
ngx_int_t ngx_http_msgbus_allow(ngx_http_request_t *r, ngx_uint_t methods);

/* error: what errors look like, nginx's own too */

ngx_int_t ngx_http_msgbus_error_init(ngx_conf_t *cf);

/*
 * The body of an error, from the request's pool; message NULL: the status
 * says it.  NULL: no memory.
 */
ngx_buf_t *ngx_http_msgbus_error_body(ngx_http_request_t *r,
    ngx_uint_t status, const char *message);


extern ngx_module_t  ngx_http_msgbus_module;


#endif /* _NGX_HTTP_MSGBUS_H_INCLUDED_ */
