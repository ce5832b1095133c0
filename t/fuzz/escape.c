
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What is escaped can stand in a JSON string, and is the text; what is plain
 * needs no escape; and the escape can be taken back.
 */


#include "fuzz.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t      i, n;
    u_char     *dst;
    ngx_str_t   text, escaped, back, again;
    ngx_uint_t  plain;

    text = fuzz_copy(data, size);
    dst = ngx_pnalloc(NULL, size * NGX_MSGBUS_JSON_ESCAPED);

    escaped.data = dst;
    escaped.len = ngx_msgbus_json_escape(dst, &text) - dst;

    n = fuzz_unescape(&escaped, text.data, text.len);

    fuzz_check(n == size, "only %zu of %zu bytes are there", n, size);

    /* taken back, and escaped again: U+FFFD stays what it is */

    back.data = ngx_pnalloc(NULL, escaped.len);
    back.len = ngx_msgbus_json_unescape(back.data, &escaped) - back.data;

    fuzz_check(back.len <= escaped.len, "what is taken back is longer");

    again.data = ngx_pnalloc(NULL, back.len * NGX_MSGBUS_JSON_ESCAPED);
    again.len = ngx_msgbus_json_escape(again.data, &back) - again.data;

    fuzz_check(again.len == escaped.len
               && memcmp(again.data, escaped.data, again.len) == 0,
               "what is taken back is escaped to another text");

    for (i = 0; i < size; i += n) {
        n = fuzz_utf8(data + i, size - i);

        if (n == 0) {
            break;
        }
    }

    fuzz_check(i < size
               || (back.len == size && memcmp(back.data, data, size) == 0),
               "what is taken back is another text");

    /* of bytes that nobody has escaped it may make anything, not too much */

    back.data = ngx_pnalloc(NULL, size);
    back.len = ngx_msgbus_json_unescape(back.data, &text) - back.data;

    fuzz_check(back.len <= size, "what is taken back is longer");

    plain = 1;

    for (i = 0; i < size; i++) {
        if (data[i] < 0x20 || data[i] > 0x7e || data[i] == '"'
            || data[i] == '\\')
        {
            plain = 0;
        }
    }

    fuzz_check(ngx_msgbus_json_plain(&text) == plain,
               "a text is%s plain", plain ? "" : " not");

    if (plain) {
        fuzz_check(escaped.len == size && memcmp(dst, data, size) == 0,
                   "a plain text was escaped");
    }

    fuzz_end();

    return 0;
}
