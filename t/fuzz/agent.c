
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A User-Agent of any bytes: its uuid is found, and it can be shown in JSON.
 */


#include "fuzz.h"
#include "ngx_http_msgbus_agent.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ngx_str_t agent_uuid(ngx_str_t *ua);
static size_t agent_clean(ngx_str_t *text, u_char *dst, size_t max);
static void agent_cut(ngx_str_t *ua, size_t n);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char           flags;
    ngx_int_t        rc;
    size_t           len;
    u_char           clean[1024];
    ngx_str_t        ua, uuid;
    ngx_uint_t       asked, publish;
    ngx_table_elt_t  header;
    fuzz_request_t   fr;

    fuzz_begin(&fr);

    flags = fuzz_byte(&data, &size);

    fr.conf.require_uuid = !(flags & 1);
    fr.conf.test_mode = (flags & 2) != 0;
    publish = (flags & 4) == 0;

    asked = fr.conf.require_uuid && !fr.conf.test_mode;

    memset(&header, 0, sizeof(ngx_table_elt_t));

    ua = fuzz_copy(data, size);
    ngx_str_set(&header.key, "User-Agent");
    header.value = ua;

    if (!(flags & 8)) {
        fr.request.headers_in.user_agent = &header;
    }

    if (publish) {
        fr.request.method = NGX_HTTP_POST;
    }

    rc = ngx_http_msgbus_agent(&fr.request, &fr.ctx.pass, publish);

    uuid = agent_uuid(&ua);

    if (flags & 8) {
        fuzz_check(rc == (asked ? NGX_HTTP_BAD_REQUEST : NGX_OK),
                   "status %ld without a header", (long) rc);
        fuzz_check(fr.ctx.pass.uuid.len == 0 && fr.ctx.pass.user_agent.len == 0,
                   "a name from nowhere");

    } else if (uuid.len == 0 && asked) {
        fuzz_check(rc == NGX_HTTP_BAD_REQUEST, "status %ld without a uuid",
                   (long) rc);

    } else {
        fuzz_check(rc == NGX_OK, "status %ld", (long) rc);
        len = agent_clean(&uuid, clean, sizeof(clean));

        fuzz_check(fr.ctx.pass.uuid.len == len
                   && (len == 0 || memcmp(fr.ctx.pass.uuid.data, clean, len) == 0),
                   "another uuid");

        if (publish) {
            agent_cut(&ua, fuzz_unescape(&fr.ctx.pass.user_agent, ua.data,
                                         ua.len));
        }
    }

    fuzz_end();

    return 0;
}


/* what follows the first "uuid/" up to a space or the end */
static ngx_str_t
agent_uuid(ngx_str_t *ua)
{
    size_t     i;
    ngx_str_t  uuid;

    ngx_str_null(&uuid);

    for (i = 0; i + 5 <= ua->len; i++) {

        if (memcmp(ua->data + i, "uuid/", 5) == 0) {
            uuid.data = ua->data + i + 5;

            for (i += 5; i < ua->len && ua->data[i] != ' '; i++) {
                uuid.len++;
            }

            break;
        }
    }

    return uuid;
}


/* U+FFFD for each byte that is no UTF-8; whole characters, max bytes of them */
static size_t
agent_clean(ngx_str_t *text, u_char *dst, size_t max)
{
    size_t  i, n, len;

    len = 0;

    for (i = 0; i < text->len; i += n ? n : 1) {
        n = fuzz_utf8(text->data + i, text->len - i);

        if (i + n > max || len + (n ? n : 3) > max) {
            break;
        }

        if (n) {
            memcpy(dst + len, text->data + i, n);
            len += n;

        } else {
            memcpy(dst + len, "\xef\xbf\xbd", 3);
            len += 3;
        }
    }

    return len;
}


/* n bytes of it are shown: all, or 1,024 up to the last character */
static void
agent_cut(ngx_str_t *ua, size_t n)
{
    size_t  i;

    if (ua->len <= 1024) {
        fuzz_check(n == ua->len, "%zu of %zu bytes are shown", n, ua->len);
        return;
    }

    fuzz_check(n >= 1021 && n <= 1024, "cut to %zu bytes", n);

    for (i = n - 3; i < n; i++) {
        fuzz_check(i + fuzz_utf8(ua->data + i, ua->len - i) <= n,
                   "cut within a character");
    }
}
