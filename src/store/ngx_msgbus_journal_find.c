
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Which records of a segment are of some channels: by its index, whose
 * channels are sorted where it was loaded.  The places of a channel are read
 * when somebody asks for it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_crc.h"
#include "ngx_msgbus_journal_index.h"


static ngx_int_t ngx_msgbus_journal_index_lists(
    ngx_msgbus_journal_index_t *index, ngx_msgbus_disk_t *disk, int fd,
    ngx_msgbus_scope_t *scope, uint64_t from, uint64_t to,
    uint32_t **records, ngx_uint_t *n, ngx_uint_t *lists);
static ngx_uint_t ngx_msgbus_journal_index_place(
    ngx_msgbus_journal_index_ch_t *ch, uint64_t offset);
static ngx_uint_t ngx_msgbus_journal_index_first(
    ngx_msgbus_journal_index_t *index, ngx_msgbus_scope_t *scope);
static int ngx_msgbus_journal_index_cmp_record(const void *one,
    const void *two);
static ngx_int_t ngx_msgbus_journal_index_places(
    ngx_msgbus_journal_index_t *index, ngx_msgbus_disk_t *disk, int fd,
    ngx_msgbus_journal_index_ch_t *ch);


ngx_int_t
ngx_msgbus_journal_index_find(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_disk_t *disk, int fd, ngx_msgbus_scope_t *scopes,
    ngx_uint_t nscopes, uint64_t from, uint64_t to, uint32_t **records,
    ngx_uint_t *n)
{
    uint32_t    *p;
    ngx_int_t    rc;
    ngx_uint_t   i, k, lists;

    *records = NULL;
    *n = 0;

    lists = 0;

    for (i = 0; i < nscopes; i++) {

        rc = ngx_msgbus_journal_index_lists(index, disk, fd, &scopes[i], from,
                                            to, records, n, &lists);
        if (rc != NGX_OK) {
            ngx_free(*records);
            *records = NULL;

            return rc;
        }
    }

    if (lists < 2) {
        return NGX_OK;
    }

    p = *records;
    qsort(p, *n, sizeof(uint32_t), ngx_msgbus_journal_index_cmp_record);

    for (i = 1, k = 1; i < *n; i++) {
        if (p[i] != p[k - 1]) {
            p[k++] = p[i];
        }
    }

    *n = k;

    return NGX_OK;
}


/* adds the places of all channels of a scope */
static ngx_int_t
ngx_msgbus_journal_index_lists(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_disk_t *disk, int fd, ngx_msgbus_scope_t *scope,
    uint64_t from, uint64_t to, uint32_t **records, ngx_uint_t *n,
    ngx_uint_t *lists)
{
    uint32_t                       *p;
    ngx_int_t                       rc;
    ngx_str_t                       name;
    ngx_uint_t                      i, low, high;
    ngx_msgbus_journal_index_ch_t  *ch;

    i = index->loaded && scope->channel.len
        ? ngx_msgbus_journal_index_first(index, scope) : 0;

    for ( /* void */ ; i < index->nchannels; i++) {
        ch = &index->channels[i];

        name.data = ch->name;
        name.len = ch->name_len;

        if (!ngx_msgbus_journal_wanted(scope, &name)) {

            if (index->loaded
                && (name.len < scope->channel.len
                    || ngx_memcmp(name.data, scope->channel.data,
                                  scope->channel.len) != 0))
            {
                /* sorted: none comes that begins so */

                break;
            }

            continue;
        }

        rc = ngx_msgbus_journal_index_places(index, disk, fd, ch);

        if (rc != NGX_OK) {
            return rc;
        }

        low = ngx_msgbus_journal_index_place(ch, from);
        high = ngx_msgbus_journal_index_place(ch, to);

        if (low >= high) {
            continue;
        }

        p = realloc(*records, (*n + high - low) * sizeof(uint32_t));
        if (p == NULL) {
            ngx_set_errno(NGX_ENOMEM);
            return NGX_ERROR;
        }

        ngx_memcpy(p + *n, ch->records + low,
                   (high - low) * sizeof(uint32_t));

        *records = p;
        *n += high - low;
        (*lists)++;
    }

    return NGX_OK;
}


/* the first of its places that is not before an offset */
static ngx_uint_t
ngx_msgbus_journal_index_place(ngx_msgbus_journal_index_ch_t *ch,
    uint64_t offset)
{
    ngx_uint_t  low, high, mid;

    low = 0;
    high = ch->n;

    while (low < high) {
        mid = low + (high - low) / 2;

        if ((uint64_t) ch->records[mid] * 8 < offset) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low;
}


/* the first channel that is not below a name, of those that are sorted */
static ngx_uint_t
ngx_msgbus_journal_index_first(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_scope_t *scope)
{
    int                             rc;
    ngx_uint_t                      low, high, mid;
    ngx_msgbus_journal_index_ch_t  *ch;

    low = 0;
    high = index->nchannels;

    while (low < high) {
        mid = low + (high - low) / 2;
        ch = &index->channels[mid];

        rc = ngx_memcmp(ch->name, scope->channel.data,
                        ngx_min(ch->name_len, scope->channel.len));

        if (rc < 0 || (rc == 0 && ch->name_len < scope->channel.len)) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low;
}


static int
ngx_msgbus_journal_index_cmp_record(const void *one, const void *two)
{
    uint32_t  a = *(const uint32_t *) one;
    uint32_t  b = *(const uint32_t *) two;

    return a < b ? -1 : a > b;
}


/* the places of a channel's records, from the file if need be */
static ngx_int_t
ngx_msgbus_journal_index_places(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_disk_t *disk, int fd, ngx_msgbus_journal_index_ch_t *ch)
{
    u_char      *p;
    ssize_t      n;
    uint32_t    *records;
    ngx_uint_t   i;

    if (ch->records || ch->n == 0) {
        return NGX_OK;
    }

    records = malloc(ch->n * sizeof(uint32_t));
    if (records == NULL) {
        ngx_set_errno(NGX_ENOMEM);
        return NGX_ERROR;
    }

    p = (u_char *) records;

    n = disk->pread(disk->disk, fd, p, ch->n * sizeof(uint32_t), ch->offset);

    if (n != (ssize_t) (ch->n * sizeof(uint32_t))
        || ngx_msgbus_journal_crc(0, p, (size_t) n) != ch->crc)
    {
        ngx_free(records);
        return n == -1 ? NGX_ERROR : NGX_DECLINED;
    }

    for (i = 0; i < ch->n; i++) {
        records[i] = (uint32_t) ngx_msgbus_journal_get(p + 4 * i, 4);
    }

    ch->records = records;

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_journal_index_whole(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_disk_t *disk, int fd)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    for (i = 0; i < index->nchannels; i++) {
        rc = ngx_msgbus_journal_index_places(index, disk, fd,
                                             &index->channels[i]);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_free(index->channels[i].records);
        index->channels[i].records = NULL;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_msgbus_journal_wanted(ngx_msgbus_scope_t *scope,
    ngx_str_t *channel)
{
    ngx_str_t  *name;

    name = &scope->channel;

    if (name->len == 0) {
        return 1;
    }

    if (channel->len < name->len
        || ngx_memcmp(channel->data, name->data, name->len) != 0)
    {
        return 0;
    }

    return channel->len == name->len
           || (scope->below && channel->data[name->len] == '/');
}
