
/*
 * Copyright (C) the msgbus authors
 */


/*
 * CRC-32C, the checksum of everything in a journal: by the processor's own
 * instruction where it has one, 8 bytes a step, else by a table.
 *
 * Castagnoli's polynomial, 0x1EDC6F41, reflected, begun and ended with all
 * ones, as in iSCSI and ext4.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_crc.h"


#define NGX_MSGBUS_JOURNAL_POLYNOMIAL  0x82f63b78


static uint32_t ngx_msgbus_journal_crc_entry(uint32_t n);

#if (defined(__x86_64__) && defined(__GNUC__))

#define NGX_MSGBUS_JOURNAL_HAVE_CRC  1

static uint32_t ngx_msgbus_journal_crc_hardware(uint32_t crc, const u_char *p,
    size_t len) __attribute__ ((target("sse4.2")));

#endif


/* the crc of each byte; filled by whoever comes first, with the same values */
static uint32_t  ngx_msgbus_journal_crcs[256];


uint32_t
ngx_msgbus_journal_crc(uint32_t crc, const void *p, size_t len)
{
#if (NGX_MSGBUS_JOURNAL_HAVE_CRC)

    if (__builtin_cpu_supports("sse4.2")) {
        return ngx_msgbus_journal_crc_hardware(crc, p, len);
    }

#endif

    return ngx_msgbus_journal_crc_table(crc, p, len);
}


uint32_t
ngx_msgbus_journal_crc_table(uint32_t crc, const void *data, size_t len)
{
    uint32_t       c, entry;
    const u_char  *p, *last;

    p = data;
    last = p + len;
    c = ~crc;

    for ( /* void */ ; p < last; p++) {
        entry = ngx_msgbus_journal_crcs[(c ^ *p) & 0xff];

        if (entry == 0) {
            entry = ngx_msgbus_journal_crc_entry((c ^ *p) & 0xff);
        }

        c = entry ^ (c >> 8);
    }

    return ~c;
}


/* no entry but that of 0 is 0 */
static uint32_t
ngx_msgbus_journal_crc_entry(uint32_t n)
{
    uint32_t    c;
    ngx_uint_t  i;

    c = n;

    for (i = 0; i < 8; i++) {
        c = c & 1 ? (c >> 1) ^ NGX_MSGBUS_JOURNAL_POLYNOMIAL : c >> 1;
    }

    ngx_msgbus_journal_crcs[n] = c;

    return c;
}


#if (NGX_MSGBUS_JOURNAL_HAVE_CRC)

static uint32_t
ngx_msgbus_journal_crc_hardware(uint32_t crc, const u_char *p, size_t len)
{
    uint64_t  c, word;

    c = (uint32_t) ~crc;

    for ( /* void */ ; len >= 8; len -= 8, p += 8) {
        ngx_memcpy(&word, p, 8);
        c = __builtin_ia32_crc32di(c, word);
    }

    for ( /* void */ ; len; len--, p++) {
        c = __builtin_ia32_crc32qi((uint32_t) c, *p);
    }

    return ~(uint32_t) c;
}

#endif
