
/*
 * Copyright (C) the msgbus authors
 */


/*
 * JSON texts: checking what is posted, escaping what is rendered.
 *
 * The grammar is yajl's.  What it does not do is done here: UTF-8 without
 * overlong forms and surrogates (all at once, before the parse), the limit
 * on nesting, and that the text is an object or an array.  yajl is given one
 * contiguous text, and memory from a buffer of the process: a check costs no
 * malloc, and yajl, which looks at no result of malloc, cannot run out.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <yajl/yajl_parse.h>
#include "ngx_msgbus_json.h"
#include "ngx_msgbus_tell.h"


/*
 * What yajl 2 takes from its allocator: the handle, the lexer and two buffer
 * heads (well below 2k), a byte for each level of nesting, in steps of 128,
 * and, for a text that ends inside a token, a copy of that token in a buffer
 * that starts with 2k and doubles while it is not larger than the text.
 */
#define ngx_msgbus_json_need(len, depth)                                      \
    (2048 + ((depth) + 2 * 128) + (2048 + 4 * ((len) + 2)))

#define NGX_MSGBUS_JSON_ARENA  32768

/* for eight bytes at once */
#define NGX_MSGBUS_ONES        0x0101010101010101
#define NGX_MSGBUS_HIGHS       0x8080808080808080


typedef struct {
    u_char                *pos;
    u_char                *end;
    u_char                *last;       /* the newest piece, which can grow */
} ngx_msgbus_json_arena_t;


typedef struct {
    ngx_uint_t             depth;
    ngx_uint_t             max_depth;
} ngx_msgbus_json_ctx_t;


static ngx_int_t ngx_msgbus_json_parse(ngx_str_t *text, ngx_uint_t max_depth,
    ngx_msgbus_json_arena_t *arena);
static void *ngx_msgbus_json_alloc(void *ctx, size_t size);
static void *ngx_msgbus_json_realloc(void *ctx, void *p, size_t size);
static void ngx_msgbus_json_free(void *ctx, void *p);
static int ngx_msgbus_json_open(void *data);
static int ngx_msgbus_json_close(void *data);
static ngx_uint_t ngx_msgbus_json_is_space(u_char *p, u_char *last);
static ngx_uint_t ngx_msgbus_json_is_utf8(ngx_str_t *text);
static size_t ngx_msgbus_json_utf8_char(u_char *p, u_char *last);


/* no callback for values: yajl then decodes no string and no number */
static yajl_callbacks  ngx_msgbus_json_callbacks = {
    NULL,                              /* null */
    NULL,                              /* boolean */
    NULL,                              /* integer */
    NULL,                              /* double */
    NULL,                              /* number */
    NULL,                              /* string */
    ngx_msgbus_json_open,              /* start map */
    NULL,                              /* map key */
    ngx_msgbus_json_close,             /* end map */
    ngx_msgbus_json_open,              /* start array */
    ngx_msgbus_json_close              /* end array */
};


static uint64_t  ngx_msgbus_json_buffer[NGX_MSGBUS_JSON_ARENA / 8];


ngx_int_t
ngx_msgbus_json_check(ngx_str_t *text, ngx_uint_t max_depth, ngx_log_t *log)
{
    size_t                    need;
    ngx_msgbus_json_arena_t   arena;

    need = ngx_msgbus_json_need(text->len, max_depth);

    if (need > NGX_MSGBUS_JSON_ARENA) {
        return ngx_msgbus_json_check_alone(text, max_depth, log);
    }

    arena.pos = (u_char *) ngx_msgbus_json_buffer;
    arena.end = arena.pos + NGX_MSGBUS_JSON_ARENA;

    return ngx_msgbus_json_parse(text, max_depth, &arena);
}


ngx_int_t
ngx_msgbus_json_check_alone(ngx_str_t *text, ngx_uint_t max_depth,
    ngx_log_t *log)
{
    size_t                    need;
    u_char                   *memory;
    ngx_int_t                 rc;
    ngx_msgbus_json_arena_t   arena;

    need = ngx_msgbus_json_need(text->len, max_depth);

    memory = ngx_alloc(need, log);
    if (memory == NULL) {
        return NGX_ERROR;
    }

    arena.pos = memory;
    arena.end = memory + need;

    rc = ngx_msgbus_json_parse(text, max_depth, &arena);

    ngx_free(memory);

    return rc;
}


static ngx_int_t
ngx_msgbus_json_parse(ngx_str_t *text, ngx_uint_t max_depth,
    ngx_msgbus_json_arena_t *arena)
{
    u_char                 *p, *last;
    ngx_int_t               rc;
    yajl_handle             handle;
    yajl_status             status;
    yajl_alloc_funcs        funcs;
    ngx_msgbus_json_ctx_t   ctx;

    p = text->data;
    last = p + text->len;

    while (p < last
           && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
    {
        p++;
    }

    if (p == last || (*p != '{' && *p != '[')) {
        return NGX_DECLINED;
    }

    if (!ngx_msgbus_json_is_utf8(text)) {
        return NGX_DECLINED;
    }

    /* yajl takes these two for white space; they can stand nowhere */

    if (memchr(p, '\v', last - p) || memchr(p, '\f', last - p)) {
        return NGX_DECLINED;
    }

    arena->last = NULL;

    funcs.malloc = ngx_msgbus_json_alloc;
    funcs.realloc = ngx_msgbus_json_realloc;
    funcs.free = ngx_msgbus_json_free;
    funcs.ctx = arena;

    ctx.depth = 0;
    ctx.max_depth = max_depth;

    handle = yajl_alloc(&ngx_msgbus_json_callbacks, &funcs, &ctx);
    if (handle == NULL) {
        return NGX_ERROR;
    }

    /* of the strings' bytes only: control characters are still refused */
    yajl_config(handle, yajl_dont_validate_strings, 1);

    /*
     * yajl stops behind the value, and what follows is looked at here: by
     * itself it would pass over a string that begins there and does not end
     */
    yajl_config(handle, yajl_allow_trailing_garbage, 1);

    status = yajl_parse(handle, text->data, text->len);

    if (status == yajl_status_ok) {
        p = text->data + yajl_get_bytes_consumed(handle);

        status = ngx_msgbus_json_is_space(p, last)
                 ? yajl_complete_parse(handle) : yajl_status_error;
    }

    switch (status) {

    case yajl_status_ok:
        rc = NGX_OK;
        break;

    case yajl_status_client_canceled:
        rc = NGX_BUSY;
        break;

    default:
        rc = NGX_DECLINED;
    }

    /* all that yajl has lies in the arena: there is no need for yajl_free() */

    return rc;
}


static void *
ngx_msgbus_json_alloc(void *ctx, size_t size)
{
    ngx_msgbus_json_arena_t  *arena = ctx;

    u_char  *p;

    size = ngx_align(size, 16);

    if ((size_t) (arena->end - arena->pos) < size) {
        ngx_msgbus_tell(NULL, NGX_MSGBUS_TELL_JSON, NGX_LOG_ALERT,
                        ngx_cycle->log, 0,
                        "msgbus: yajl wants more memory than it should");
        return NULL;
    }

    p = arena->pos;
    arena->pos = p + size;
    arena->last = p;

    return p;
}


static void *
ngx_msgbus_json_realloc(void *ctx, void *old, size_t size)
{
    ngx_msgbus_json_arena_t  *arena = ctx;

    u_char  *p, *end;

    if (old == NULL) {
        return ngx_msgbus_json_alloc(ctx, size);
    }

    if (old == arena->last) {
        arena->pos = old;
        return ngx_msgbus_json_alloc(ctx, size);
    }

    /* pieces only grow: what lies behind the old one is copied along */

    end = arena->pos;
    p = ngx_msgbus_json_alloc(ctx, size);

    if (p) {
        ngx_memcpy(p, old, ngx_min(size, (size_t) (end - (u_char *) old)));
    }

    return p;
}


static void
ngx_msgbus_json_free(void *ctx, void *p)
{
    (void) ctx;
    (void) p;
}


static int
ngx_msgbus_json_open(void *data)
{
    ngx_msgbus_json_ctx_t  *ctx = data;

    return ++ctx->depth <= ctx->max_depth;
}


static int
ngx_msgbus_json_close(void *data)
{
    ngx_msgbus_json_ctx_t  *ctx = data;

    ctx->depth--;

    return 1;
}


static ngx_uint_t
ngx_msgbus_json_is_space(u_char *p, u_char *last)
{
    while (p < last) {
        if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\r') {
            return 0;
        }

        p++;
    }

    return 1;
}


static ngx_uint_t
ngx_msgbus_json_is_utf8(ngx_str_t *text)
{
    size_t     len;
    u_char    *p, *last;
    uint64_t   words[4];

    p = text->data;
    last = p + text->len;

    while (p < last) {

        while (last - p >= 32) {
            ngx_memcpy(words, p, 32);

            if ((words[0] | words[1] | words[2] | words[3])
                & NGX_MSGBUS_HIGHS)
            {
                break;
            }

            p += 32;
        }

        while (p < last && *p < 0x80) {
            p++;
        }

        while (p < last && *p >= 0x80) {
            len = ngx_msgbus_json_utf8_char(p, last);

            if (len == 0) {
                return 0;
            }

            p += len;
        }
    }

    return 1;
}


/* the length of the character at p, which is not ASCII; 0: it is none */
static size_t
ngx_msgbus_json_utf8_char(u_char *p, u_char *last)
{
    size_t  i, len;
    u_char  c, low, high;

    c = *p;
    low = 0x80;
    high = 0xbf;

    if (c >= 0xc2 && c <= 0xdf) {
        len = 2;

    } else if (c >= 0xe0 && c <= 0xef) {
        len = 3;

        if (c == 0xe0) {
            low = 0xa0;    /* else overlong */

        } else if (c == 0xed) {
            high = 0x9f;   /* else a surrogate */
        }

    } else if (c >= 0xf0 && c <= 0xf4) {
        len = 4;

        if (c == 0xf0) {
            low = 0x90;    /* else overlong */

        } else if (c == 0xf4) {
            high = 0x8f;   /* else above U+10FFFF */
        }

    } else {
        return 0;
    }

    if ((size_t) (last - p) < len || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < len; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) {
            return 0;
        }
    }

    return len;
}


ngx_uint_t
ngx_msgbus_json_plain(ngx_str_t *text)
{
    u_char    *p, *last;
    uint64_t   word;

    p = text->data;
    last = p + text->len;

    for ( /* void */ ; last - p >= 8; p += 8) {
        ngx_memcpy(&word, p, 8);

        /*
         * eight bytes at once, each below 0x80: a high bit is set by adding
         * 1 to 0x7f, by borrowing where one is below 0x20, or 0 after an xor
         */

        if ((word
             | (word + NGX_MSGBUS_ONES)
             | (word - NGX_MSGBUS_ONES * 0x20)
             | ((word ^ (NGX_MSGBUS_ONES * '"')) - NGX_MSGBUS_ONES)
             | ((word ^ (NGX_MSGBUS_ONES * '\\')) - NGX_MSGBUS_ONES))
            & NGX_MSGBUS_HIGHS)
        {
            break;
        }
    }

    for ( /* void */ ; p < last; p++) {
        if (*p < 0x20 || *p >= 0x7f || *p == '"' || *p == '\\') {
            return 0;
        }
    }

    return 1;
}


size_t
ngx_msgbus_json_cut(ngx_str_t *text, size_t max)
{
    size_t   len;
    u_char  *p, *last;

    if (text->len <= max) {
        return text->len;
    }

    last = text->data + text->len;

    for (len = 1; len <= 3 && len <= max; len++) {

        p = text->data + max - len;

        if (*p >= 0xc0) {

            /* the last one that begins before the cut: is it over it? */

            return ngx_msgbus_json_utf8_char(p, last) > len ? max - len : max;
        }
    }

    return max;
}


u_char *
ngx_msgbus_json_escape(u_char *dst, ngx_str_t *text)
{
    size_t          len;
    u_char         *p, *last;

    static u_char   hex[] = "0123456789abcdef";

    p = text->data;
    last = p + text->len;

    while (p < last) {

        if (*p >= 0x80) {
            len = ngx_msgbus_json_utf8_char(p, last);

            if (len) {
                dst = ngx_cpymem(dst, p, len);
                p += len;

            } else {
                dst = ngx_cpymem(dst, "\xef\xbf\xbd", 3);
                p++;
            }

            continue;
        }

        if (*p == '"' || *p == '\\') {
            *dst++ = '\\';
            *dst++ = *p++;

        } else if (*p < 0x20 || *p == 0x7f) {
            dst = ngx_cpymem(dst, "\\u00", 4);
            *dst++ = hex[*p >> 4];
            *dst++ = hex[*p++ & 0xf];

        } else {
            *dst++ = *p++;
        }
    }

    return dst;
}


u_char *
ngx_msgbus_json_unescape(u_char *dst, ngx_str_t *text)
{
    u_char  *p, *last;

    p = text->data;
    last = p + text->len;

    if (memchr(p, '\\', text->len) == NULL) {

        /* so it is nearly always */

        return ngx_cpymem(dst, p, text->len);
    }

    while (p < last) {

        if (*p != '\\' || last - p < 2) {
            *dst++ = *p++;
            continue;
        }

        p++;

        if (*p != 'u' || last - p < 5) {
            *dst++ = *p++;
            continue;
        }

        /* \u00xx, and xx is below 0x20 or 7f */

        *dst++ = (u_char) ((p[3] - '0') * 16
                           + (p[4] >= 'a' ? p[4] - 'a' + 10 : p[4] - '0'));
        p += 5;
    }

    return dst;
}
