
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A channel's name is taken if it is one: levels of a slash and one or more
 * of letters, digits, "_", "-"; at most 32 of them, at most 255 bytes.  A
 * level is the same whether its channel is named by itself or goes on.
 */


#include "fuzz.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                 i;
    uint64_t               seed;
    ngx_int_t              rc;
    ngx_str_t              name, part;
    ngx_uint_t             valid, levels, n;
    ngx_msgbus_channel_t   ch, parent;

    static const char  chars[] = "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789_-";

    seed = fuzz_byte(&data, &size) * 0x9e3779b97f4a7c15;
    name = fuzz_copy(data, size);

    /* each byte by what stands before it; the end is as a slash */

    valid = size > 0 && size <= 255 && data[0] == '/';
    levels = 0;

    for (i = 0; i < size; i++) {

        if (data[i] == '/') {
            levels++;

            if (i + 1 < size ? data[i + 1] == '/' : size > 1) {
                valid = 0;
            }

        } else if (data[i] == '\0' || strchr(chars, data[i]) == NULL) {
            valid = 0;
        }
    }

    if (levels > 32) {
        valid = 0;
    }

    rc = ngx_msgbus_channel_parse(&ch, &name, seed);

    fuzz_check(rc == (valid ? NGX_OK : NGX_DECLINED), "%ld for a name that is%s"
               " valid", (long) rc, valid ? "" : " not");

    if (rc == NGX_OK) {

        fuzz_check(ch.name.data == name.data && ch.name.len == size,
                   "another name");
        fuzz_check(ch.depth == (size == 1 ? 0 : levels),
                   "%lu levels of %lu", (unsigned long) ch.depth,
                   (unsigned long) levels);

        n = 0;

        for (i = 1; i <= size && size > 1; i++) {

            if (i < size && data[i] != '/') {
                continue;
            }

            fuzz_check(ch.levels[n].len == i, "level %lu ends at %u, not %zu",
                       (unsigned long) n, ch.levels[n].len, i);

            part = fuzz_copy(data, i);

            fuzz_check(ngx_msgbus_channel_parse(&parent, &part, seed) == NGX_OK
                       && parent.depth == n + 1
                       && parent.levels[n].len == i
                       && parent.levels[n].hash == ch.levels[n].hash,
                       "level %lu is not the channel of its name",
                       (unsigned long) n);

            n++;
        }
    }

    fuzz_end();

    return 0;
}
