
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What is escaped can stand in a JSON string, and is the text; what is plain
 * needs no escape.
 */


#include "fuzz.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t      i, n;
    u_char     *dst;
    ngx_str_t   text, escaped;
    ngx_uint_t  plain;

    text = fuzz_copy(data, size);
    dst = ngx_pnalloc(NULL, size * NGX_MSGBUS_JSON_ESCAPED);

    escaped.data = dst;
    escaped.len = ngx_msgbus_json_escape(dst, &text) - dst;

    n = fuzz_unescape(&escaped, text.data, text.len);

    fuzz_check(n == size, "only %zu of %zu bytes are there", n, size);

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
