
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Texts of fields, squeezed against each other and made again: fields of all
 * lengths around those at which another form begins, the same ones, ones that
 * share both ends, one, or none, of a base with more fields, or with fewer.
 */


#include "unit.h"
#include "ngx_msgbus_squeeze.h"


#define FIELDS  24
#define SIZE    (FIELDS * (2 + NGX_MSGBUS_SQUEEZE_FIELD))


static size_t squeeze_text(u_char *p, u_char *like, size_t size);
static size_t squeeze_field(u_char *p, u_char *like, size_t like_len);
static size_t squeeze_check(ngx_str_t *text, ngx_str_t *base);


static u_char  texts[2][SIZE], again[SIZE + 1];
static u_char  squeezed[NGX_MSGBUS_SQUEEZE_SIZE(SIZE) + 1];


int
main(void)
{
    size_t      most;
    ngx_str_t   text, base, nobody;
    ngx_uint_t  i;

    unit_init();

    ngx_str_null(&nobody);
    most = 0;

    for (i = 0; i < 5000; i++) {

        base.data = texts[0];
        base.len = squeeze_text(texts[0], NULL, 0);

        text.data = texts[1];
        text.len = squeeze_text(texts[1], texts[0], base.len);

        (void) squeeze_check(&text, &base);
        (void) squeeze_check(&text, &nobody);

        most = ngx_max(most, squeeze_check(&base, &base));
    }

    /* the same is a byte a field */

    if (most > FIELDS) {
        printf("%d bytes of the same\n", (int) most);
        return 1;
    }

    printf("texts %d\n", (int) i);

    return 0;
}


/* of some fields, each like the one at the same place, or not */
static size_t
squeeze_text(u_char *p, u_char *like, size_t size)
{
    u_char      *begin, *end;
    uint16_t     n;
    ngx_uint_t   i, fields;

    begin = p;
    end = like + size;
    fields = unit_random() % (FIELDS + 1);

    for (i = 0; i < fields; i++) {
        n = 0;

        if (like < end) {
            memcpy(&n, like, sizeof(uint16_t));
            like += sizeof(uint16_t);
        }

        p += squeeze_field(p, like, n);
        like += n;
    }

    return p - begin;
}


static size_t
squeeze_field(u_char *p, u_char *like, size_t like_len)
{
    size_t                 i, len, front, back;
    uint16_t               n;

    static const uint16_t  lengths[] = { 0, 1, 3, 4, 5, 36, 250, 251, 252, 253,
                                         254, 255, 256, 257, 600, 1400 };

    len = lengths[unit_random() % (sizeof(lengths) / sizeof(lengths[0]))];

    if (unit_random() % 500 == 0) {
        len = NGX_MSGBUS_SQUEEZE_FIELD;
    }

    if (like_len && unit_random() % 4) {
        len = unit_random() % 4 ? like_len : len;
    }

    n = (uint16_t) len;
    memcpy(p, &n, sizeof(uint16_t));
    p += sizeof(uint16_t);

    /* of two letters: what differs is often the same by chance */

    for (i = 0; i < len; i++) {
        p[i] = (u_char) ('a' + unit_random() % 2);
    }

    front = ngx_min(len, like_len);
    back = front;

    switch (unit_random() % 4) {

    case 0:
        front = 0;
        back = 0;
        break;

    case 1:
        front = unit_random() % (front + 1);
        back = unit_random() % (back - front + 1);
        break;

    case 2:
        back = 0;
        break;

    default:
        front = 0;
    }

    if (front) {
        memcpy(p, like, front);
    }

    if (back) {
        memcpy(p + len - back, like + like_len - back, back);
    }

    return sizeof(uint16_t) + len;
}


/* returns its size */
static size_t
squeeze_check(ngx_str_t *text, ngx_str_t *base)
{
    size_t     size;
    ngx_str_t  made;

    size = ngx_msgbus_squeeze(squeezed, text, base) - squeezed;

    if (size > NGX_MSGBUS_SQUEEZE_SIZE(text->len)) {
        printf("%d bytes of %d\n", (int) size, (int) text->len);
        exit(1);
    }

    made.data = again;
    made.len = text->len;
    again[text->len] = '!';

    ngx_msgbus_unsqueeze(&made, squeezed, base);

    if (memcmp(again, text->data, text->len) != 0 || again[text->len] != '!') {
        printf("another text of %d bytes\n", (int) text->len);
        exit(1);
    }

    return size;
}
