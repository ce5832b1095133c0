
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The uuid of who posts or reads: its text is what it is compared by, whatever
 * that is.  Nearly all have the one form, and then 16 bytes stand for it, of
 * which a hundred thousand may be kept.
 */


#include "ngx_msgbus_uuid.h"


ngx_uint_t
ngx_msgbus_uuid_pack(u_char *packed, ngx_str_t *uuid)
{
    u_char      ch;
    ngx_uint_t  i, n, digit;

    if (uuid->len != NGX_MSGBUS_UUID_LEN) {
        return 0;
    }

    ngx_memzero(packed, NGX_MSGBUS_UUID_PACKED);

    n = 0;

    for (i = 0; i < uuid->len; i++) {
        ch = uuid->data[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {

            if (ch != '-') {
                return 0;
            }

            continue;
        }

        if (ch >= '0' && ch <= '9') {
            digit = ch - '0';

        } else if (ch >= 'a' && ch <= 'f') {
            digit = ch - 'a' + 10;

        } else {
            return 0;
        }

        packed[n / 2] |= (u_char) (n % 2 ? digit : digit << 4);
        n++;
    }

    return 1;
}


void
ngx_msgbus_uuid_unpack(u_char *p, u_char *packed)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MSGBUS_UUID_PACKED; i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }

        p = ngx_hex_dump(p, &packed[i], 1);
    }
}


/* most bits of some are a clock's, or a machine's: each counts */
uint32_t
ngx_msgbus_uuid_key(u_char *packed)
{
    uint64_t  half[2];

    ngx_memcpy(half, packed, NGX_MSGBUS_UUID_PACKED);

    half[0] = (half[0] ^ half[1] << 1) * 0x9e3779b97f4a7c15;

    return (uint32_t) (half[0] >> 32);
}


uint32_t
ngx_msgbus_uuid_text_key(ngx_str_t *uuid)
{
    u_char  packed[NGX_MSGBUS_UUID_PACKED];

    return ngx_msgbus_uuid_pack(packed, uuid)
           ? ngx_msgbus_uuid_key(packed)
           : (uint32_t) ngx_hash_key(uuid->data, uuid->len);
}
