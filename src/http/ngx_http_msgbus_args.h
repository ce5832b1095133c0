
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_ARGS_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_ARGS_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* is a string this constant? */
#define ngx_http_msgbus_is(s, text)                                           \
    ((s)->len == sizeof(text) - 1                                             \
     && ngx_memcmp((s)->data, text, sizeof(text) - 1) == 0)


/* the arguments that are known, decoded; data NULL: it did not come */
typedef struct {
    ngx_str_t                  last_known_id;
    ngx_str_t                  last_event_id; /* for streams */
    ngx_str_t                  max_events;
    ngx_str_t                  sort;
    ngx_str_t                  events;
    ngx_str_t                  channels;
    ngx_str_t                  echo;
    ngx_str_t                  wait;
    ngx_str_t                  callback;
    ngx_str_t                  method;
    ngx_str_t                  post_data;
    ngx_str_t                  verbose;
    ngx_str_t                  prefix;        /* of a list of channels */
    ngx_str_t                  limit;
    ngx_str_t                  after;
    ngx_str_t                  format;        /* of numbers */
} ngx_http_msgbus_args_t;


/* finds and decodes the arguments; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_msgbus_args(ngx_http_request_t *r,
    ngx_http_msgbus_args_t *args);

/* a POST, or what JSONP has in its place */
ngx_uint_t ngx_http_msgbus_is_publish(ngx_http_request_t *r,
    ngx_http_msgbus_args_t *args);

/*
 * Sets pass->publish of a post by GET, which may be refused before its
 * arguments were looked at.  NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_msgbus_args_posted(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);

/*
 * For how long an argument wishes to wait, within max_wait; *wait stays as it
 * is where it does not wish to.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_msgbus_args_wait(ngx_http_request_t *r, ngx_str_t *value,
    ngx_msec_t *wait);

/* a decimal number of 64 bits, with a sign or without; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_msgbus_args_number(ngx_str_t *s, int64_t *n);


#endif /* _NGX_HTTP_MSGBUS_ARGS_H_INCLUDED_ */
