
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Texts of a crowd, each as it differs from one of them.
 *
 * Browsers that look at one page send the same lines, but for a cookie, an id
 * or a cursor.  So a field is compared with the one at the same place of the
 * base, and is the same, or has another middle; else it stands as it is.  That
 * is no good compression, and not meant to be: it takes one step over a text,
 * and saves most of what a hundred thousand have in common.
 *
 * The first byte of a field:
 *
 *     0          it is empty
 *     1          the same
 *     2          as it is: its length, and itself
 *     3          the lengths of what is the same in front, of what is the same
 *                behind, and of what is in between; that itself
 *     4 .. 255   as it is, of 1 to 252 bytes
 *
 * A length is one byte, or 255 and two.
 */


#include "ngx_msgbus_squeeze.h"


#define NGX_MSGBUS_SQUEEZE_EMPTY   0
#define NGX_MSGBUS_SQUEEZE_SAME    1
#define NGX_MSGBUS_SQUEEZE_LONG    2
#define NGX_MSGBUS_SQUEEZE_MIDDLE  3

/* the bytes of a middle that are not its own, where lengths are short */
#define NGX_MSGBUS_SQUEEZE_HEAD    4


static ngx_str_t ngx_msgbus_squeeze_next(u_char **p, u_char *end);
static u_char *ngx_msgbus_squeeze_field(u_char *p, ngx_str_t *field,
    ngx_str_t *other);
static u_char *ngx_msgbus_squeeze_len(u_char *p, size_t len);
static u_char *ngx_msgbus_unsqueeze_field(u_char *dst, u_char **p,
    ngx_str_t *other);
static size_t ngx_msgbus_unsqueeze_len(u_char **p);


u_char *
ngx_msgbus_squeeze(u_char *p, ngx_str_t *text, ngx_str_t *base)
{
    u_char     *from, *other, *end, *other_end;
    ngx_str_t   field, its;

    from = text->data;
    end = from + text->len;

    other = base->data;
    other_end = other + base->len;

    while (from < end) {
        field = ngx_msgbus_squeeze_next(&from, end);
        its = ngx_msgbus_squeeze_next(&other, other_end);

        p = ngx_msgbus_squeeze_field(p, &field, &its);
    }

    return p;
}


/* behind the last field it is empty */
static ngx_str_t
ngx_msgbus_squeeze_next(u_char **p, u_char *end)
{
    uint16_t   n;
    ngx_str_t  s;

    if (*p == end) {
        ngx_str_null(&s);
        return s;
    }

    ngx_memcpy(&n, *p, sizeof(uint16_t));

    s.len = n;
    s.data = *p + sizeof(uint16_t);

    *p = s.data + n;

    return s;
}


static u_char *
ngx_msgbus_squeeze_field(u_char *p, ngx_str_t *field, ngx_str_t *other)
{
    size_t  front, back, most, len;

    len = field->len;

    if (len == 0) {
        *p++ = NGX_MSGBUS_SQUEEZE_EMPTY;
        return p;
    }

    most = ngx_min(len, other->len);

    for (front = 0; front < most; front++) {
        if (field->data[front] != other->data[front]) {
            break;
        }
    }

    if (front == len && len == other->len) {
        *p++ = NGX_MSGBUS_SQUEEZE_SAME;
        return p;
    }

    most -= front;

    for (back = 0; back < most; back++) {
        if (field->data[len - 1 - back] != other->data[other->len - 1 - back]) {
            break;
        }
    }

    if (front + back > NGX_MSGBUS_SQUEEZE_HEAD) {
        len -= front + back;

        *p++ = NGX_MSGBUS_SQUEEZE_MIDDLE;

        p = ngx_msgbus_squeeze_len(p, front);
        p = ngx_msgbus_squeeze_len(p, back);
        p = ngx_msgbus_squeeze_len(p, len);

        return ngx_cpymem(p, field->data + front, len);
    }

    if (len <= 255 - NGX_MSGBUS_SQUEEZE_MIDDLE) {
        *p++ = (u_char) (NGX_MSGBUS_SQUEEZE_MIDDLE + len);

    } else {
        *p++ = NGX_MSGBUS_SQUEEZE_LONG;
        p = ngx_msgbus_squeeze_len(p, len);
    }

    return ngx_cpymem(p, field->data, len);
}


static u_char *
ngx_msgbus_squeeze_len(u_char *p, size_t len)
{
    uint16_t  n;

    if (len < 255) {
        *p++ = (u_char) len;
        return p;
    }

    *p++ = 255;
    n = (uint16_t) len;

    return ngx_cpymem(p, &n, sizeof(uint16_t));
}


void
ngx_msgbus_unsqueeze(ngx_str_t *text, u_char *p, ngx_str_t *base)
{
    u_char     *dst, *end, *other, *other_end;
    ngx_str_t   its;

    dst = text->data;
    end = dst + text->len;

    other = base->data;
    other_end = other + base->len;

    while (dst < end) {
        its = ngx_msgbus_squeeze_next(&other, other_end);
        dst = ngx_msgbus_unsqueeze_field(dst, &p, &its);
    }
}


static u_char *
ngx_msgbus_unsqueeze_field(u_char *dst, u_char **p, ngx_str_t *other)
{
    size_t     front, back, len;
    u_char     kind;
    uint16_t   n;
    ngx_str_t  middle;

    front = 0;
    back = 0;
    kind = *(*p)++;

    switch (kind) {

    case NGX_MSGBUS_SQUEEZE_EMPTY:
        len = 0;
        break;

    case NGX_MSGBUS_SQUEEZE_SAME:
        front = other->len;
        len = 0;
        break;

    case NGX_MSGBUS_SQUEEZE_LONG:
        len = ngx_msgbus_unsqueeze_len(p);
        break;

    case NGX_MSGBUS_SQUEEZE_MIDDLE:
        front = ngx_msgbus_unsqueeze_len(p);
        back = ngx_msgbus_unsqueeze_len(p);
        len = ngx_msgbus_unsqueeze_len(p);
        break;

    default:
        len = kind - NGX_MSGBUS_SQUEEZE_MIDDLE;
    }

    middle.data = *p;
    middle.len = len;
    *p += len;

    n = (uint16_t) (front + len + back);
    dst = ngx_cpymem(dst, &n, sizeof(uint16_t));

    if (front) {
        dst = ngx_cpymem(dst, other->data, front);
    }

    dst = ngx_cpymem(dst, middle.data, middle.len);

    if (back) {
        dst = ngx_cpymem(dst, other->data + other->len - back, back);
    }

    return dst;
}


static size_t
ngx_msgbus_unsqueeze_len(u_char **p)
{
    uint16_t  n;

    n = *(*p)++;

    if (n == 255) {
        ngx_memcpy(&n, *p, sizeof(uint16_t));
        *p += sizeof(uint16_t);
    }

    return n;
}
