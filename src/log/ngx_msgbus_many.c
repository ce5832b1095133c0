
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Several channels in one question: the canonical form of a list of them.
 *
 * The names are sorted so that a channel stands before all that is below it,
 * and "all below it" before the channel alone: what a sub-tree covers then
 * follows it at once, and is left out in one pass.  No list overlaps another
 * one any more, and the merge of them need not look for doubles.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_many.h"


/* while they are sorted; the name as the client wrote it */
typedef struct {
    u_char                *name;
    size_t                 len;
    uint32_t               hash;
    uint32_t               slot;
} ngx_msgbus_many_name_t;


static ngx_int_t ngx_msgbus_many_read(ngx_msgbus_many_name_t *entry,
    u_char *p, u_char *last, uint64_t seed);
static ngx_int_t ngx_msgbus_many_order(ngx_msgbus_many_name_t *one,
    ngx_msgbus_many_name_t *two);
static ngx_uint_t ngx_msgbus_many_covers(ngx_msgbus_many_name_t *one,
    ngx_msgbus_many_name_t *two);
static void ngx_msgbus_many_write(ngx_msgbus_many_t *many, u_char *text,
    ngx_msgbus_many_name_t *names, ngx_uint_t n);


ngx_int_t
ngx_msgbus_many_parse(ngx_msgbus_many_t *many, ngx_str_t *list, u_char *text,
    uint64_t seed)
{
    u_char                  *p, *end, *last;
    ngx_uint_t               i, n;
    ngx_msgbus_many_name_t   one, names[NGX_MSGBUS_MANY_MAX];

    p = list->data;
    last = p + list->len;

    for (n = 0; /* void */ ; n++) {

        if (n == NGX_MSGBUS_MANY_MAX) {
            return NGX_BUSY;
        }

        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        if (ngx_msgbus_many_read(&one, p, end, seed) != NGX_OK) {
            return NGX_DECLINED;
        }

        /* most come in order */

        for (i = n; i && ngx_msgbus_many_order(&names[i - 1], &one) > 0; i--) {
            names[i] = names[i - 1];
        }

        names[i] = one;

        if (end == last) {
            break;
        }

        p = end + 1;
    }

    ngx_msgbus_many_write(many, text, names, n + 1);

    return NGX_OK;
}


/* the name from p to last, or that and all below it */
static ngx_int_t
ngx_msgbus_many_read(ngx_msgbus_many_name_t *entry, u_char *p, u_char *last,
    uint64_t seed)
{
    ngx_str_t             name;
    ngx_uint_t            below;
    ngx_msgbus_channel_t  channel;

    below = last - p >= 2 && last[-2] == '/' && last[-1] == '*';

    name.data = p;
    name.len = last - p - (below ? sizeof("/*") - 1 : 0);

    entry->name = name.data;
    entry->len = name.len;

    if (below && name.len == 0) {

        /* the whole bus */

        entry->hash = 0;
        entry->slot = 1;

        return NGX_OK;
    }

    if (ngx_msgbus_channel_parse(&channel, &name, seed) != NGX_OK
        || channel.depth == 0)
    {
        return NGX_DECLINED;
    }

    entry->hash = channel.levels[channel.depth - 1].hash;
    entry->slot = below ? (uint32_t) channel.depth : 0;

    return NGX_OK;
}


/* below 0, 0, above 0: as strcmp(), but that a slash comes before all else */
static ngx_int_t
ngx_msgbus_many_order(ngx_msgbus_many_name_t *one, ngx_msgbus_many_name_t *two)
{
    u_char      a, b;
    ngx_uint_t  i;

    for (i = 0; i < one->len && i < two->len; i++) {
        a = one->name[i];
        b = two->name[i];

        if (a == b) {
            continue;
        }

        if (a == '/' || b == '/') {
            return a == '/' ? -1 : 1;
        }

        return a < b ? -1 : 1;
    }

    if (one->len != two->len) {
        return one->len < two->len ? -1 : 1;
    }

    return (two->slot != 0) - (one->slot != 0);
}


/* is all of two in one, which is not behind it? */
static ngx_uint_t
ngx_msgbus_many_covers(ngx_msgbus_many_name_t *one, ngx_msgbus_many_name_t *two)
{
    if (two->len < one->len
        || ngx_memcmp(one->name, two->name, one->len) != 0)
    {
        return 0;
    }

    return two->len == one->len || (one->slot && two->name[one->len] == '/');
}


static void
ngx_msgbus_many_write(ngx_msgbus_many_t *many, u_char *text,
    ngx_msgbus_many_name_t *names, ngx_uint_t n)
{
    u_char                   *p;
    ngx_uint_t                i, kept;
    ngx_msgbus_many_entry_t  *entry;

    p = text;
    kept = 0;
    many->n = 0;
    many->hash = 0;

    for (i = 0; i < n; i++) {

        if (i && ngx_msgbus_many_covers(&names[kept], &names[i])) {
            continue;
        }

        kept = i;

        if (p != text) {
            *p++ = ',';
        }

        entry = &many->entries[many->n++];

        entry->hash = names[i].hash;
        entry->name = (uint16_t) (p - text);
        entry->len = (uint8_t) names[i].len;
        entry->slot = (uint8_t) names[i].slot;

        many->hash = (many->hash ^ (entry->hash + entry->slot)) * 0x9e3779b1;

        p = ngx_cpymem(p, names[i].name, names[i].len);

        if (names[i].slot) {
            p = ngx_cpymem(p, "/*", sizeof("/*") - 1);
        }
    }

    if (many->entries[0].len == 0) {

        /* the root covers all: it is alone */

        many->n = 0;
    }

    many->text.data = text;
    many->text.len = p - text;
}
