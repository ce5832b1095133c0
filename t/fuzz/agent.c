
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A User-Agent of any bytes: its uuid is found, and it can be shown in JSON.
 */


#include "fuzz.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ngx_str_t agent_uuid(ngx_str_t *ua);
static void agent_cut(ngx_str_t *ua, size_t n);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char           flags;
    ngx_int_t        rc;
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

    rc = ngx_http_msgbus_request_who(&fr.request, &fr.ctx, publish);

    uuid = agent_uuid(&ua);

    if (flags & 8) {
        fuzz_check(rc == (asked ? NGX_HTTP_BAD_REQUEST : NGX_OK),
                   "status %ld without a header", (long) rc);
        fuzz_check(fr.ctx.uuid.len == 0 && fr.ctx.user_agent.len == 0,
                   "a name from nowhere");

    } else if (uuid.len == 0 && asked) {
        fuzz_check(rc == NGX_HTTP_BAD_REQUEST, "status %ld without a uuid",
                   (long) rc);

    } else {
        fuzz_check(rc == NGX_OK, "status %ld", (long) rc);
        fuzz_check(fr.ctx.uuid.len == uuid.len
                   && (uuid.len == 0
                       || memcmp(fr.ctx.uuid.data, uuid.data, uuid.len) == 0),
                   "another uuid");

        if (publish) {
            agent_cut(&ua, fuzz_unescape(&fr.ctx.user_agent, ua.data,
                                         ua.len));
        }
    }

    fuzz_end();

    return 0;
}


/* what follows the first "uuid/" up to a space or the end, 1,024 bytes of it */
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

    uuid.len = ngx_min(uuid.len, 1024);

    return uuid;
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
