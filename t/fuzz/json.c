
/*
 * Copyright (C) the msgbus authors
 */


/* The check of JSON texts takes and refuses what a plain reader does. */


#include "fuzz.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t   rc;
    ngx_str_t   text;
    ngx_uint_t  max_depth;

    static ngx_uint_t  depths[] = { 512, 1, 2, 3, 8, 127, 128, 129 };

    max_depth = depths[fuzz_byte(&data, &size) & 7];
    text = fuzz_copy(data, size);

    rc = ngx_msgbus_json_check(&text, max_depth, ngx_cycle->log);

    fuzz_check(fuzz_json(text.data, text.len, max_depth, rc),
               "%ld is not what a plain reader says at depth %lu", (long) rc,
               (unsigned long) max_depth);

    fuzz_check(memcmp(text.data, data, size) == 0, "the text was changed");

    fuzz_end();

    return 0;
}
