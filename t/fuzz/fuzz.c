
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What the harnesses share: stand-ins for the little that the module's rooms
 * need of nginx's core, and plain readers of what they read cleverly.
 *
 * The rooms are linked as they are; what they need of others, and what no
 * harness reaches, stays unresolved (tools/fuzz): calling it ends the program.
 */


#include "fuzz.h"
#include <stdarg.h>


typedef struct fuzz_block_s  fuzz_block_t;

struct fuzz_block_s {
    fuzz_block_t          *next;
    void                  *p;
};


typedef struct {
    const u_char          *p;
    const u_char          *last;
    ngx_uint_t             depth;
    ngx_uint_t             deepest;
    ngx_uint_t             failed;
} fuzz_reader_t;


static void *fuzz_alloc(size_t size);
static void fuzz_value(fuzz_reader_t *r);
static void fuzz_members(fuzz_reader_t *r, u_char close);
static void fuzz_string(fuzz_reader_t *r);
static void fuzz_number(fuzz_reader_t *r);
static ngx_uint_t fuzz_digits(fuzz_reader_t *r);
static void fuzz_word(fuzz_reader_t *r, const char *word);
static void fuzz_space(fuzz_reader_t *r);
static int fuzz_peek(fuzz_reader_t *r);
static int fuzz_hex(int c);


static ngx_log_t      fuzz_log = { .log_level = NGX_LOG_DEBUG };
static ngx_cycle_t    fuzz_cycle = { .log = &fuzz_log };
static fuzz_block_t  *fuzz_blocks;


volatile ngx_cycle_t  *ngx_cycle = &fuzz_cycle;
ngx_module_t           ngx_http_msgbus_module = { .ctx_index = 0 };


void
fuzz_fail(const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, "fuzz: ");

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, "\n");

    abort();
}


/* the request */

void
fuzz_begin(fuzz_request_t *fr)
{
    memset(fr, 0, sizeof(fuzz_request_t));

    fr->conf.max_events = 200;
    fr->conf.max_events_cap = 500;
    fr->conf.max_response = 4 * 1024 * 1024;
    fr->conf.max_depth = 512;
    fr->conf.max_wait = 30000;
    fr->conf.require_uuid = 1;
    fr->conf.jsonp = NGX_HTTP_MSGBUS_JSONP_ON;
    fr->conf.scope = NGX_HTTP_MSGBUS_EXACT|NGX_HTTP_MSGBUS_PARENT
                     |NGX_HTTP_MSGBUS_ALL;

    fr->confs[0] = &fr->conf;
    fr->ctxs[0] = &fr->ctx;

    fr->connection.log = &fuzz_log;
    fr->ctx.request = &fr->request;

    fr->request.connection = &fr->connection;
    fr->request.pool = &fr->pool;
    fr->request.main = &fr->request;
    fr->request.loc_conf = fr->confs;
    fr->request.ctx = fr->ctxs;
    fr->request.method = NGX_HTTP_GET;
}


void
fuzz_end(void)
{
    fuzz_block_t  *block;

    while (fuzz_blocks) {
        block = fuzz_blocks;
        fuzz_blocks = block->next;

        free(block->p);
        free(block);
    }
}


static void *
fuzz_alloc(size_t size)
{
    fuzz_block_t  *block;

    block = malloc(sizeof(fuzz_block_t));
    block->p = malloc(size);
    block->next = fuzz_blocks;
    fuzz_blocks = block;

    return block->p;
}


ngx_str_t
fuzz_copy(const u_char *p, size_t len)
{
    ngx_str_t  s;

    s.data = fuzz_alloc(len);
    s.len = len;

    if (len) {
        memcpy(s.data, p, len);
    }

    return s;
}


ngx_str_t
fuzz_line(const u_char **p, size_t *len)
{
    size_t     n;
    ngx_str_t  line;

    for (n = 0; n < *len && (*p)[n] != '\n'; n++) { /* void */ }

    line = fuzz_copy(*p, n);

    if (n < *len) {
        n++;
    }

    *p += n;
    *len -= n;

    return line;
}


u_char
fuzz_byte(const u_char **p, size_t *len)
{
    if (*len == 0) {
        return 0;
    }

    (*len)--;

    return *(*p)++;
}


/* nginx's core */

void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    return fuzz_alloc(size);
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return fuzz_alloc(size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    return memset(fuzz_alloc(size), 0, size);
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}


void *
ngx_array_push(ngx_array_t *a)
{
    void  *elts;

    /* a block of its own for each number of elements: no room behind them */

    elts = fuzz_alloc((a->nelts + 1) * a->size);
    memcpy(elts, a->elts, a->nelts * a->size);
    a->elts = elts;

    return (u_char *) elts + a->nelts++ * a->size;
}


ngx_chain_t *
ngx_alloc_chain_link(ngx_pool_t *pool)
{
    return fuzz_alloc(sizeof(ngx_chain_t));
}


ngx_buf_t *
ngx_create_temp_buf(ngx_pool_t *pool, size_t size)
{
    ngx_buf_t  *b;

    b = ngx_pcalloc(pool, sizeof(ngx_buf_t));

    b->start = fuzz_alloc(size);
    b->pos = b->start;
    b->last = b->start;
    b->end = b->start + size;
    b->temporary = 1;

    return b;
}


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return strncasecmp((char *) s1, (char *) s2, n);
}


/* "%ui", which the module ends by "%Z", and nothing else */
u_char *
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    char     text[256];
    char    *format;
    va_list  args;

    format = strdup(fmt);

    fuzz_check(strstr(format, "%ui") && strstr(format, "%Z"),
               "no stand-in for the format \"%s\"", fmt);

    memcpy(strstr(format, "%ui"), "%lu", 3);
    *strstr(format, "%Z") = '\0';

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    free(format);

    memcpy(buf, text, strlen(text) + 1);

    return buf + strlen(text) + 1;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    fuzz_check(level > NGX_LOG_ALERT, "in the error log: %s", fmt);
}


ngx_int_t
ngx_hextoi(u_char *line, size_t n)
{
    int        digit;
    ngx_int_t  value;

    fuzz_check(n > 0 && n < 16, "no stand-in for %lu digits",
               (unsigned long) n);

    for (value = 0; n--; line++) {
        digit = fuzz_hex(*line);

        if (digit < 0) {
            return NGX_ERROR;
        }

        value = value * 16 + digit;
    }

    return value;
}


/* what is no %XX stays as it is */
ngx_str_t
fuzz_decode(const u_char *p, size_t len)
{
    size_t     i;
    ngx_str_t  s;

    s.data = fuzz_alloc(len);
    s.len = 0;

    for (i = 0; i < len; i++) {

        if (p[i] == '%' && i + 2 < len && fuzz_hex(p[i + 1]) >= 0
            && fuzz_hex(p[i + 2]) >= 0)
        {
            s.data[s.len++] = (u_char) (fuzz_hex(p[i + 1]) * 16
                                        + fuzz_hex(p[i + 2]));
            i += 2;

        } else {
            s.data[s.len++] = p[i] == '+' ? ' ' : p[i];
        }
    }

    return s;
}


/* JSON, read as RFC 8259 says, a function for each of its rules */

ngx_uint_t
fuzz_json(const u_char *p, size_t len, ngx_uint_t max_depth, ngx_int_t rc)
{
    size_t         i, n;
    ngx_uint_t     valid, deep;
    fuzz_reader_t  r;

    memset(&r, 0, sizeof(fuzz_reader_t));

    r.p = p;
    r.last = p + len;

    fuzz_space(&r);

    if (fuzz_peek(&r) != '{' && fuzz_peek(&r) != '[') {
        return rc == NGX_DECLINED;
    }

    fuzz_value(&r);
    fuzz_space(&r);

    valid = !r.failed && r.p == r.last;
    deep = r.deepest > max_depth;

    for (i = 0; i < len; i += n) {
        n = fuzz_utf8(p + i, len - i);

        if (n == 0) {
            valid = 0;
            break;
        }
    }

    if (valid) {
        return rc == (deep ? NGX_BUSY : NGX_OK);
    }

    return rc == NGX_DECLINED || (deep && rc == NGX_BUSY);
}


static void
fuzz_value(fuzz_reader_t *r)
{
    switch (fuzz_peek(r)) {

    case '{':
        fuzz_members(r, '}');
        break;

    case '[':
        fuzz_members(r, ']');
        break;

    case '"':
        fuzz_string(r);
        break;

    case 't':
        fuzz_word(r, "true");
        break;

    case 'f':
        fuzz_word(r, "false");
        break;

    case 'n':
        fuzz_word(r, "null");
        break;

    default:
        fuzz_number(r);
    }
}


static void
fuzz_members(fuzz_reader_t *r, u_char close)
{
    r->p++;
    r->depth++;
    r->deepest = ngx_max(r->deepest, r->depth);

    fuzz_space(r);

    if (fuzz_peek(r) == close) {
        goto done;
    }

    for ( ;; ) {

        if (close == '}') {

            if (fuzz_peek(r) != '"') {
                r->failed = 1;
                return;
            }

            fuzz_string(r);
            fuzz_space(r);

            if (r->failed || fuzz_peek(r) != ':') {
                r->failed = 1;
                return;
            }

            r->p++;
            fuzz_space(r);
        }

        fuzz_value(r);

        if (r->failed) {
            return;
        }

        fuzz_space(r);

        if (fuzz_peek(r) == close) {
            goto done;
        }

        if (fuzz_peek(r) != ',') {
            r->failed = 1;
            return;
        }

        r->p++;
        fuzz_space(r);
    }

done:

    r->p++;
    r->depth--;
}


static void
fuzz_string(fuzz_reader_t *r)
{
    int         c;
    ngx_uint_t  i;

    r->p++;

    for ( ;; ) {
        c = fuzz_peek(r);

        if (c < 0x20) {
            r->failed = 1;
            return;
        }

        r->p++;

        if (c == '"') {
            return;
        }

        if (c != '\\') {
            continue;
        }

        c = fuzz_peek(r);

        if (c <= 0 || strchr("\"\\/bfnrtu", c) == NULL) {
            r->failed = 1;
            return;
        }

        r->p++;

        for (i = 0; c == 'u' && i < 4; i++) {

            if (fuzz_hex(fuzz_peek(r)) < 0) {
                r->failed = 1;
                return;
            }

            r->p++;
        }
    }
}


static void
fuzz_number(fuzz_reader_t *r)
{
    if (fuzz_peek(r) == '-') {
        r->p++;
    }

    if (fuzz_peek(r) == '0') {
        r->p++;

    } else if (!fuzz_digits(r)) {
        return;
    }

    if (fuzz_peek(r) == '.') {
        r->p++;

        if (!fuzz_digits(r)) {
            return;
        }
    }

    if (fuzz_peek(r) == 'e' || fuzz_peek(r) == 'E') {
        r->p++;

        if (fuzz_peek(r) == '+' || fuzz_peek(r) == '-') {
            r->p++;
        }

        fuzz_digits(r);
    }
}


static ngx_uint_t
fuzz_digits(fuzz_reader_t *r)
{
    if (fuzz_peek(r) < '0' || fuzz_peek(r) > '9') {
        r->failed = 1;
        return 0;
    }

    while (fuzz_peek(r) >= '0' && fuzz_peek(r) <= '9') {
        r->p++;
    }

    return 1;
}


static void
fuzz_word(fuzz_reader_t *r, const char *word)
{
    for ( /* void */ ; *word; word++) {

        if (fuzz_peek(r) != *word) {
            r->failed = 1;
            return;
        }

        r->p++;
    }
}


static void
fuzz_space(fuzz_reader_t *r)
{
    while (fuzz_peek(r) == ' ' || fuzz_peek(r) == '\t'
           || fuzz_peek(r) == '\n' || fuzz_peek(r) == '\r')
    {
        r->p++;
    }
}


/* -1 at the end */
static int
fuzz_peek(fuzz_reader_t *r)
{
    return r->p < r->last ? *r->p : -1;
}


static int
fuzz_hex(int c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
        return (c | 0x20) - 'a' + 10;
    }

    return -1;
}


/* by its code point: it has one, and this is its shortest form */
size_t
fuzz_utf8(const u_char *p, size_t len)
{
    size_t    i, n;
    uint32_t  code;

    static uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (len == 0) {
        return 0;
    }

    if (p[0] < 0x80) {
        return 1;
    }

    n = (p[0] & 0xe0) == 0xc0 ? 2
        : (p[0] & 0xf0) == 0xe0 ? 3
        : (p[0] & 0xf8) == 0xf0 ? 4 : 0;

    if (n == 0 || n > len) {
        return 0;
    }

    code = p[0] & (0x7f >> n);

    for (i = 1; i < n; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = code << 6 | (p[i] & 0x3f);
    }

    if (code < least[n] || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return 0;
    }

    return n;
}


size_t
fuzz_unescape(ngx_str_t *text, const u_char *p, size_t len)
{
    size_t         i, n;
    u_char         byte;
    const u_char  *t, *last;

    t = text->data;
    last = t + text->len;
    i = 0;

    while (t < last) {
        n = fuzz_utf8(t, last - t);

        fuzz_check(n, "what is escaped is no UTF-8");
        fuzz_check(*t >= 0x20 && *t != 0x7f && *t != '"',
                   "a %02x stands in a string", *t);
        fuzz_check(i < len, "what is escaped goes on behind the text");

        if (n > 1) {

            if (fuzz_utf8(p + i, len - i) == 0) {
                fuzz_check(n == 3 && memcmp(t, "\xef\xbf\xbd", 3) == 0,
                           "a byte that is no UTF-8 is not U+FFFD");
                t += n;
                i++;
                continue;
            }

            fuzz_check(n <= len - i && memcmp(t, p + i, n) == 0,
                       "another character than in the text");
            t += n;
            i += n;
            continue;
        }

        byte = *t++;

        if (byte == '\\') {
            fuzz_check(t < last, "an escape is not finished");

            byte = *t++;

            if (byte == 'u') {
                fuzz_check(last - t >= 4 && t[0] == '0' && t[1] == '0'
                           && fuzz_hex(t[2]) >= 0 && fuzz_hex(t[3]) >= 0,
                           "not \\u00XX");

                byte = (u_char) (fuzz_hex(t[2]) * 16 + fuzz_hex(t[3]));
                t += 4;

            } else {
                fuzz_check(byte == '"' || byte == '\\', "\\%c", byte);
            }
        }

        fuzz_check(byte == p[i], "another byte than in the text");
        i++;
    }

    return i;
}
