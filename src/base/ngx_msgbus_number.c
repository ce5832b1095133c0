
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Decimal numbers as text.
 *
 * Every read and every post writes ids: two digits a division, and no format
 * string.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_number.h"


u_char *
ngx_msgbus_number(u_char *p, uint64_t n)
{
    u_char       *last, buf[NGX_INT64_LEN];
    ngx_uint_t    two;

    static u_char  digits[] =
        "00010203040506070809101112131415161718192021222324"
        "25262728293031323334353637383940414243444546474849"
        "50515253545556575859606162636465666768697071727374"
        "75767778798081828384858687888990919293949596979899";

    last = buf + NGX_INT64_LEN;

    while (n >= 100) {
        two = n % 100 * 2;
        n /= 100;

        *--last = digits[two + 1];
        *--last = digits[two];
    }

    if (n >= 10) {
        *--last = digits[n * 2 + 1];
        *--last = digits[n * 2];

    } else {
        *--last = (u_char) ('0' + n);
    }

    return ngx_cpymem(p, last, buf + NGX_INT64_LEN - last);
}
