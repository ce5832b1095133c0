
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_TEXT_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_TEXT_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* a body that is written bit by bit, in the request's pool */
typedef struct {
    ngx_pool_t            *pool;
    ngx_chain_t           *out;
    ngx_chain_t           *end;
    size_t                 size;           /* of all buffers but the last */
    ngx_uint_t             failed;         /* no memory: the rest is lost */
} ngx_http_msgbus_text_t;


void ngx_http_msgbus_text_init(ngx_http_msgbus_text_t *text, ngx_pool_t *pool);

/*
 * Writes as ngx_sprintf() does; max bounds the bytes, without those of a string
 * that stands in max.
 */
void ngx_http_msgbus_text_add(ngx_http_msgbus_text_t *text, size_t max,
    const char *fmt, ...);

/* a part of one: n of unit to the whole, as a decimal number; "0.25" */
void ngx_http_msgbus_text_part(ngx_http_msgbus_text_t *text, uint64_t n,
    uint64_t unit);

/* the bytes of all; 0: no memory */
size_t ngx_http_msgbus_text_size(ngx_http_msgbus_text_t *text);


#endif /* _NGX_HTTP_MSGBUS_TEXT_H_INCLUDED_ */
