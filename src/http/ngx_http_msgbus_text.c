
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A body whose length is not known before it is written: a chain of buffers,
 * each of which is filled before the next one is made.  Whoever writes looks
 * once, at the end, whether there was memory for all of it.
 *
 * It knows nothing of what is written.
 */


#include "ngx_http_msgbus_text.h"


/* bytes of a buffer, if not more are needed at once */
#define NGX_HTTP_MSGBUS_TEXT_SIZE  8192


static ngx_buf_t *ngx_http_msgbus_text_room(ngx_http_msgbus_text_t *text,
    size_t size);


void
ngx_http_msgbus_text_init(ngx_http_msgbus_text_t *text, ngx_pool_t *pool)
{
    ngx_memzero(text, sizeof(ngx_http_msgbus_text_t));

    text->pool = pool;
}


static ngx_buf_t *
ngx_http_msgbus_text_room(ngx_http_msgbus_text_t *text, size_t size)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (text->failed) {
        return NULL;
    }

    if (text->end) {
        b = text->end->buf;

        if ((size_t) (b->end - b->last) >= size) {
            return b;
        }

        text->size += b->last - b->pos;
    }

    cl = ngx_alloc_chain_link(text->pool);
    b = ngx_create_temp_buf(text->pool, ngx_max(size,
                                                NGX_HTTP_MSGBUS_TEXT_SIZE));

    if (cl == NULL || b == NULL) {
        text->failed = 1;
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;

    if (text->end) {
        text->end->next = cl;

    } else {
        text->out = cl;
    }

    text->end = cl;

    return b;
}


void
ngx_http_msgbus_text_add(ngx_http_msgbus_text_t *text, size_t max,
    const char *fmt, ...)
{
    va_list     args;
    ngx_buf_t  *b;

    b = ngx_http_msgbus_text_room(text, max);

    if (b) {
        va_start(args, fmt);
        b->last = ngx_vslprintf(b->last, b->last + max, fmt, args);
        va_end(args);
    }
}


void
ngx_http_msgbus_text_part(ngx_http_msgbus_text_t *text, uint64_t n,
    uint64_t unit)
{
    uint64_t  part;

    ngx_http_msgbus_text_add(text, NGX_INT64_LEN, "%uL", n / unit);

    part = n % unit;

    if (part == 0) {
        return;
    }

    ngx_http_msgbus_text_add(text, 1, ".");

    while (part) {
        part *= 10;
        ngx_http_msgbus_text_add(text, 1, "%uL", part / unit);
        part %= unit;
    }
}


size_t
ngx_http_msgbus_text_size(ngx_http_msgbus_text_t *text)
{
    if (text->failed || text->end == NULL) {
        return 0;
    }

    return text->size + (text->end->buf->last - text->end->buf->pos);
}
