
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A callback of any bytes is taken if it is a name; an answer is what it was,
 * but for U+2028 and U+2029, within a call of it.
 *
 * The input is lines: first the callback's name, then a buffer each.
 */


#include "fuzz.h"
#include "ngx_http_msgbus_jsonp.h"
#include "ngx_http_msgbus_reply.h"


#define JSONP_MAX  65536


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static u_char *jsonp_expect(u_char *dst, ngx_str_t *s);


static u_char  jsonp_sent[JSONP_MAX];
static size_t  jsonp_sent_len;
static u_char  jsonp_expected[JSONP_MAX];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                  *p;
    size_t                   i;
    ngx_int_t                rc;
    ngx_buf_t               *b;
    ngx_str_t                name, s;
    ngx_uint_t               valid;
    ngx_chain_t             *out, **last, *cl;
    fuzz_request_t           fr;
    ngx_http_msgbus_args_t   args;

    if (size > 16384) {
        return 0;
    }

    fuzz_begin(&fr);

    name = fuzz_line(&data, &size);

    memset(&args, 0, sizeof(args));
    args.callback = name;

    valid = name.len >= 1 && name.len <= 255;

    for (i = 0; i < name.len; i++) {
        if (!isalnum(name.data[i]) && name.data[i] != '_') {
            valid = 0;
        }
    }

    rc = ngx_http_msgbus_jsonp_callback(&fr.request, &fr.ctx.pass, &args);

    fuzz_check(rc == (valid ? NGX_OK : NGX_HTTP_BAD_REQUEST),
               "status %ld for a name that is%s valid", (long) rc,
               valid ? "" : " not");

    if (rc != NGX_OK) {
        goto done;
    }

    fuzz_check(fr.ctx.pass.callback.len == name.len
               && memcmp(fr.ctx.pass.callback.data, name.data, name.len) == 0,
               "another name");

    p = ngx_cpymem(jsonp_expected, name.data, name.len);
    *p++ = '(';

    last = &out;

    do {
        s = fuzz_line(&data, &size);
        p = jsonp_expect(p, &s);

        b = ngx_create_temp_buf(NULL, s.len);
        b->last = ngx_cpymem(b->last, s.data, s.len);

        cl = ngx_alloc_chain_link(NULL);
        cl->buf = b;
        cl->next = NULL;

        *last = cl;
        last = &cl->next;

    } while (size);

    p = ngx_cpymem(p, ");", 2);

    rc = ngx_http_msgbus_jsonp_send(&fr.request, &fr.ctx.pass, out);

    fuzz_check(rc == NGX_OK, "status %ld", (long) rc);
    fuzz_check(jsonp_sent_len == (size_t) (p - jsonp_expected)
               && memcmp(jsonp_sent, jsonp_expected, jsonp_sent_len) == 0,
               "another text");

done:

    fuzz_end();

    return 0;
}


static u_char *
jsonp_expect(u_char *dst, ngx_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {

        if (s->len - i >= 3 && memcmp(s->data + i, "\xe2\x80\xa8", 3) == 0) {
            dst = ngx_cpymem(dst, "\\u2028", 6);
            i += 2;

        } else if (s->len - i >= 3
                   && memcmp(s->data + i, "\xe2\x80\xa9", 3) == 0)
        {
            dst = ngx_cpymem(dst, "\\u2029", 6);
            i += 2;

        } else {
            *dst++ = s->data[i];
        }
    }

    return dst;
}


/* what sends */

ngx_int_t
ngx_http_msgbus_send(ngx_http_request_t *r, ngx_chain_t *out, size_t size)
{
    u_char  *p;

    p = jsonp_sent;

    for ( /* void */ ; out; out = out->next) {
        p = ngx_cpymem(p, out->buf->pos, out->buf->last - out->buf->pos);
    }

    jsonp_sent_len = p - jsonp_sent;

    fuzz_check(jsonp_sent_len == size, "the size is another");

    return NGX_OK;
}


void
ngx_http_msgbus_content_type(ngx_http_request_t *r, const char *type)
{
}


ngx_int_t
ngx_http_msgbus_add_header(ngx_http_request_t *r, const char *key,
    ngx_str_t *value)
{
    return NGX_OK;
}
