
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What stands where in a segment: steps, by which reading begins close to an
 * id, and the places of each channel's records.
 *
 * Made from the frames, and only from good ones, so it knows nothing that is
 * not in them; whoever finds it missing or bad makes it anew.  In memory it
 * grows with the current segment.  At the end of a sealed one:
 *
 *     frames | head | steps | channels | names | places of each | keys
 *
 * with a crc over head, steps, channels and names, and one for each channel's
 * places: a channel that is asked for costs the first part and its own.  The
 * keys have a room of their own.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_crc.h"
#include "ngx_msgbus_journal_index.h"


#define NGX_MSGBUS_JOURNAL_INDEX_MAGIC  "MSGBUSI\n"

/* what it has of a file, at most */
#define NGX_MSGBUS_JOURNAL_INDEX_MAX    ((uint64_t) 1 << 30)


static ngx_int_t ngx_msgbus_journal_index_frame(
    ngx_msgbus_journal_index_t *index, ngx_msgbus_journal_frame_t *f);
static ngx_int_t ngx_msgbus_journal_index_record(
    ngx_msgbus_journal_index_t *index, ngx_str_t *name, uint64_t offset);
static ngx_msgbus_journal_index_ch_t *ngx_msgbus_journal_index_channel(
    ngx_msgbus_journal_index_t *index, ngx_str_t *name);
static ngx_int_t ngx_msgbus_journal_index_rehash(
    ngx_msgbus_journal_index_t *index);
static ngx_uint_t ngx_msgbus_journal_index_hash(u_char *p, size_t len);
static void *ngx_msgbus_journal_index_grow(void *p, ngx_uint_t n,
    ngx_uint_t *size, size_t elt);
static void ngx_msgbus_journal_index_bytes(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_journal_index_ch_t **sorted, u_char *bytes, size_t head,
    uint64_t at);
static int ngx_msgbus_journal_index_cmp(const void *one, const void *two);
static ngx_int_t ngx_msgbus_journal_index_parse(
    ngx_msgbus_journal_index_t *index, u_char *p, size_t len, uint64_t at,
    uint64_t file);


void
ngx_msgbus_journal_index_init(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_journal_header_t *h)
{
    ngx_memzero(index, sizeof(ngx_msgbus_journal_index_t));

    index->salt = h->salt;
    index->end.offset = NGX_MSGBUS_JOURNAL_BLOCK;
    index->end.frame = h->last_frame;
    index->end.id = h->last_id;
    index->end.created = h->created;
}


void
ngx_msgbus_journal_index_free(ngx_msgbus_journal_index_t *index)
{
    ngx_uint_t  i;

    for (i = 0; i < index->nchannels; i++) {
        ngx_free(index->channels[i].records);

        if (index->loaded == NULL) {
            ngx_free(index->channels[i].name);
        }
    }

    ngx_free(index->channels);
    ngx_free(index->steps);
    ngx_free(index->buckets);
    ngx_free(index->loaded);

    ngx_msgbus_journal_key_free(&index->keys);

    ngx_memzero(index, sizeof(ngx_msgbus_journal_index_t));
}


ngx_int_t
ngx_msgbus_journal_index_extend(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_journal_window_t *w, uint64_t end)
{
    ngx_int_t                    rc;
    ngx_msgbus_journal_frame_t   f;

    w->end = end;

    while (index->end.offset < end) {

        rc = ngx_msgbus_journal_window_frame(w, &f, index->salt,
                                             index->end.offset);

        if (rc == NGX_ERROR && w->err) {
            ngx_set_errno(w->err);
            return NGX_ERROR;
        }

        if (rc != NGX_OK
            || f.sequence != index->end.frame + 1
            || f.prev_id != index->end.id)
        {
            return NGX_DECLINED;
        }

        if (ngx_msgbus_journal_index_frame(index, &f) != NGX_OK) {
            ngx_set_errno(NGX_ENOMEM);
            return NGX_ERROR;
        }
    }

    return index->end.offset == end ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_msgbus_journal_index_frame(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_journal_frame_t *f)
{
    u_char                      *p;
    uint64_t                     offset;
    ngx_uint_t                   i;
    ngx_msgbus_journal_event_t   ev;

    if (index->nsteps == 0
        || index->end.offset - index->steps[index->nsteps - 1].offset
           >= NGX_MSGBUS_JOURNAL_INDEX_STEP)
    {
        p = ngx_msgbus_journal_index_grow(index->steps, index->nsteps,
                                          &index->steps_size,
                                          sizeof(ngx_msgbus_journal_step_t));
        if (p == NULL) {
            return NGX_ERROR;
        }

        index->steps = (ngx_msgbus_journal_step_t *) p;
        index->steps[index->nsteps++] = index->end;
    }

    p = f->records;
    offset = index->end.offset + NGX_MSGBUS_JOURNAL_FRAME;

    for (i = 0; i < f->count; i++) {

        (void) ngx_msgbus_journal_record_read(&ev, p,
                   (size_t) ngx_msgbus_journal_get(p + 4, 4));

        /* a record without a channel only says that its id is taken */

        if (ev.channel.len
            && ngx_msgbus_journal_index_record(index, &ev.channel, offset)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (index->keyed
            && ngx_msgbus_journal_key_add(&index->keys, &ev, offset)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        offset += ngx_msgbus_journal_get(p + 4, 4);
        p += ngx_msgbus_journal_get(p + 4, 4);
    }

    if (f->type == NGX_MSGBUS_JOURNAL_HOLE) {
        index->holes++;
    }

    index->end.offset += f->length;
    index->end.frame = f->sequence;
    index->end.id = f->last_id;
    index->end.created = f->created;

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_journal_index_record(ngx_msgbus_journal_index_t *index,
    ngx_str_t *name, uint64_t offset)
{
    uint32_t                       *records;
    ngx_uint_t                      size;
    ngx_msgbus_journal_index_ch_t  *ch;

    ch = ngx_msgbus_journal_index_channel(index, name);
    if (ch == NULL) {
        return NGX_ERROR;
    }

    if (ch->n == ch->size) {
        size = ch->size;

        records = ngx_msgbus_journal_index_grow(ch->records, ch->n, &size,
                                                sizeof(uint32_t));
        if (records == NULL) {
            return NGX_ERROR;
        }

        ch->records = records;
        ch->size = (uint32_t) size;
    }

    ch->records[ch->n++] = (uint32_t) (offset / 8);
    index->records++;

    return NGX_OK;
}


static ngx_msgbus_journal_index_ch_t *
ngx_msgbus_journal_index_channel(ngx_msgbus_journal_index_t *index,
    ngx_str_t *name)
{
    void                           *p;
    uint32_t                        at;
    ngx_uint_t                      bucket;
    ngx_msgbus_journal_index_ch_t  *ch;

    if (index->nchannels >= index->nbuckets
        && ngx_msgbus_journal_index_rehash(index) != NGX_OK)
    {
        return NULL;
    }

    bucket = ngx_msgbus_journal_index_hash(name->data, name->len)
             & (index->nbuckets - 1);

    for (at = index->buckets[bucket]; at; at = ch->next) {
        ch = &index->channels[at - 1];

        if (ch->name_len == name->len
            && ngx_memcmp(ch->name, name->data, name->len) == 0)
        {
            return ch;
        }
    }

    p = ngx_msgbus_journal_index_grow(index->channels, index->nchannels,
                                      &index->channels_size,
                                      sizeof(ngx_msgbus_journal_index_ch_t));
    if (p == NULL) {
        return NULL;
    }

    index->channels = p;

    ch = &index->channels[index->nchannels];
    ngx_memzero(ch, sizeof(ngx_msgbus_journal_index_ch_t));

    ch->name = malloc(name->len + 1);
    if (ch->name == NULL) {
        return NULL;
    }

    ngx_memcpy(ch->name, name->data, name->len);
    ch->name_len = (uint32_t) name->len;
    ch->next = index->buckets[bucket];

    index->nchannels++;
    index->buckets[bucket] = (uint32_t) index->nchannels;

    return ch;
}


static ngx_int_t
ngx_msgbus_journal_index_rehash(ngx_msgbus_journal_index_t *index)
{
    uint32_t                       *buckets;
    ngx_uint_t                      i, n, bucket;
    ngx_msgbus_journal_index_ch_t  *ch;

    n = index->nbuckets ? 2 * index->nbuckets : 64;

    buckets = calloc(n, sizeof(uint32_t));
    if (buckets == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < index->nchannels; i++) {
        ch = &index->channels[i];
        bucket = ngx_msgbus_journal_index_hash(ch->name, ch->name_len)
                 & (n - 1);

        ch->next = buckets[bucket];
        buckets[bucket] = (uint32_t) i + 1;
    }

    ngx_free(index->buckets);

    index->buckets = buckets;
    index->nbuckets = n;

    return NGX_OK;
}


static ngx_uint_t
ngx_msgbus_journal_index_hash(u_char *p, size_t len)
{
    return ngx_msgbus_journal_crc(0, p, len);
}


/* twice the room when it is full; NULL: no memory, and p is as it was */
static void *
ngx_msgbus_journal_index_grow(void *p, ngx_uint_t n, ngx_uint_t *size,
    size_t elt)
{
    if (n < *size) {
        return p;
    }

    n = *size ? 2 * *size : 4;
    p = realloc(p, n * elt);

    if (p) {
        *size = n;
    }

    return p;
}


ngx_int_t
ngx_msgbus_journal_index_save(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_disk_t *disk, int fd)
{
    size_t                           head, len, keys;
    u_char                          *bytes;
    uint64_t                         at;
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_msgbus_journal_index_ch_t  **sorted;

    rc = NGX_ERROR;
    bytes = NULL;

    sorted = malloc((index->nchannels + 1)
                    * sizeof(ngx_msgbus_journal_index_ch_t *));
    if (sorted == NULL) {
        return NGX_ERROR;
    }

    head = NGX_MSGBUS_JOURNAL_INDEX_HEAD
           + index->nsteps * NGX_MSGBUS_JOURNAL_INDEX_STEP_L
           + index->nchannels * NGX_MSGBUS_JOURNAL_INDEX_CH_L;

    for (i = 0; i < index->nchannels; i++) {
        sorted[i] = &index->channels[i];
        head += sorted[i]->name_len;
    }

    qsort(sorted, index->nchannels, sizeof(ngx_msgbus_journal_index_ch_t *),
          ngx_msgbus_journal_index_cmp);

    head = ngx_align(head, 8);
    len = head + (size_t) index->records * 4;
    keys = ngx_msgbus_journal_key_bytes(&index->keys);

    /* frames and index share no block: writing it does not touch them */

    at = ngx_align(index->end.offset, NGX_MSGBUS_JOURNAL_BLOCK);

    bytes = calloc(1, len + keys);

    if (bytes) {
        ngx_msgbus_journal_index_bytes(index, sorted, bytes, head, at);
        ngx_msgbus_journal_key_save(&index->keys, index->salt,
                                    index->end.offset, bytes + len);

        if (disk->truncate(disk->disk, fd, at) == NGX_OK
            && disk->pwrite(disk->disk, fd, bytes, len + keys, at) == NGX_OK)
        {
            rc = disk->datasync(disk->disk, fd);
        }
    }

    ngx_free(bytes);
    ngx_free(sorted);

    return rc;
}


static void
ngx_msgbus_journal_index_bytes(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_journal_index_ch_t **sorted, u_char *bytes, size_t head,
    uint64_t at)
{
    u_char                         *p, *place, *name;
    ngx_uint_t                      i, k;
    ngx_msgbus_journal_step_t      *step;
    ngx_msgbus_journal_index_ch_t  *ch;

    p = bytes;
    ngx_memcpy(p, NGX_MSGBUS_JOURNAL_INDEX_MAGIC, 8);

    ngx_msgbus_journal_put(p + 12, 4, NGX_MSGBUS_JOURNAL_VERSION);
    ngx_msgbus_journal_put(p + 16, 8, index->salt);
    ngx_msgbus_journal_put(p + 24, 8, head);
    ngx_msgbus_journal_put(p + 32, 4, index->nsteps);
    ngx_msgbus_journal_put(p + 36, 4, index->nchannels);
    ngx_msgbus_journal_put(p + 40, 8, index->records);
    ngx_msgbus_journal_put(p + 48, 8, index->end.offset);
    ngx_msgbus_journal_put(p + 56, 8, index->holes);

    p += NGX_MSGBUS_JOURNAL_INDEX_HEAD;

    for (i = 0; i < index->nsteps; i++) {
        step = &index->steps[i];

        ngx_msgbus_journal_put(p, 8, step->offset);
        ngx_msgbus_journal_put(p + 8, 8, step->frame);
        ngx_msgbus_journal_put(p + 16, 8, step->id);
        ngx_msgbus_journal_put(p + 24, 8, step->created);

        p += NGX_MSGBUS_JOURNAL_INDEX_STEP_L;
    }

    name = p + index->nchannels * NGX_MSGBUS_JOURNAL_INDEX_CH_L;
    place = bytes + head;

    for (i = 0; i < index->nchannels; i++) {
        ch = sorted[i];

        ngx_msgbus_journal_put(p, 4, name - bytes);
        ngx_msgbus_journal_put(p + 4, 4, ch->name_len);
        ngx_msgbus_journal_put(p + 8, 8, at + (place - bytes));
        ngx_msgbus_journal_put(p + 16, 4, ch->n);

        for (k = 0; k < ch->n; k++) {
            ngx_msgbus_journal_put(place + 4 * k, 4, ch->records[k]);
        }

        ngx_msgbus_journal_put(p + 20, 4,
                               ngx_msgbus_journal_crc(0, place, 4 * ch->n));

        p += NGX_MSGBUS_JOURNAL_INDEX_CH_L;
        place += 4 * ch->n;
        name = ngx_cpymem(name, ch->name, ch->name_len);
    }

    ngx_msgbus_journal_put(bytes + 8, 4,
                           ngx_msgbus_journal_crc(0, bytes + 12, head - 12));
}


static int
ngx_msgbus_journal_index_cmp(const void *one, const void *two)
{
    int  rc;

    const ngx_msgbus_journal_index_ch_t *a =
        *(ngx_msgbus_journal_index_ch_t * const *) one;
    const ngx_msgbus_journal_index_ch_t *b =
        *(ngx_msgbus_journal_index_ch_t * const *) two;

    rc = ngx_memcmp(a->name, b->name, ngx_min(a->name_len, b->name_len));

    return rc ? rc : (int) a->name_len - (int) b->name_len;
}


ngx_int_t
ngx_msgbus_journal_index_load(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_disk_t *disk, int fd, ngx_msgbus_journal_header_t *h,
    uint64_t end)
{
    u_char     head[NGX_MSGBUS_JOURNAL_INDEX_HEAD];
    size_t     len;
    u_char    *p;
    ssize_t    n;
    uint64_t   at, size;

    ngx_msgbus_journal_index_init(index, h);

    at = ngx_align(end, NGX_MSGBUS_JOURNAL_BLOCK);

    n = disk->pread(disk->disk, fd, head, NGX_MSGBUS_JOURNAL_INDEX_HEAD, at);

    if (n == -1 || disk->size(disk->disk, fd, &size) != NGX_OK) {
        return NGX_ERROR;
    }

    if (n != NGX_MSGBUS_JOURNAL_INDEX_HEAD
        || ngx_memcmp(head, NGX_MSGBUS_JOURNAL_INDEX_MAGIC, 8) != 0
        || ngx_msgbus_journal_get(head + 12, 4) != NGX_MSGBUS_JOURNAL_VERSION
        || ngx_msgbus_journal_get(head + 16, 8) != h->salt
        || ngx_msgbus_journal_get(head + 24, 8)
           < NGX_MSGBUS_JOURNAL_INDEX_HEAD
        || ngx_msgbus_journal_get(head + 24, 8)
           > ngx_min(size - at, NGX_MSGBUS_JOURNAL_INDEX_MAX)
        || ngx_msgbus_journal_get(head + 48, 8) != end)
    {
        return NGX_DECLINED;
    }

    len = (size_t) ngx_msgbus_journal_get(head + 24, 8);

    p = malloc(len);
    if (p == NULL) {
        ngx_set_errno(NGX_ENOMEM);
        return NGX_ERROR;
    }

    index->loaded = p;

    n = disk->pread(disk->disk, fd, p, len, at);

    if (n == (ssize_t) len
        && ngx_msgbus_journal_get(p + 8, 4)
           == ngx_msgbus_journal_crc(0, p + 12, len - 12)
        && ngx_msgbus_journal_index_parse(index, p, len, at, size) == NGX_OK)
    {
        index->end.offset = end;
        return NGX_OK;
    }

    ngx_msgbus_journal_index_free(index);

    return n == -1 ? NGX_ERROR : NGX_DECLINED;
}


static ngx_int_t
ngx_msgbus_journal_index_parse(ngx_msgbus_journal_index_t *index, u_char *p,
    size_t len, uint64_t at, uint64_t file)
{
    u_char                         *bytes;
    uint64_t                        steps, channels, name, name_len, all;
    ngx_uint_t                      i;
    ngx_msgbus_journal_step_t      *step;
    ngx_msgbus_journal_index_ch_t  *ch;

    bytes = p;
    all = 0;
    steps = ngx_msgbus_journal_get(p + 32, 4);
    channels = ngx_msgbus_journal_get(p + 36, 4);

    index->records = ngx_msgbus_journal_get(p + 40, 8);
    index->holes = ngx_msgbus_journal_get(p + 56, 8);

    if (NGX_MSGBUS_JOURNAL_INDEX_HEAD
        + steps * NGX_MSGBUS_JOURNAL_INDEX_STEP_L
        + channels * NGX_MSGBUS_JOURNAL_INDEX_CH_L > len)
    {
        return NGX_ERROR;
    }

    index->steps = calloc(steps + 1, sizeof(ngx_msgbus_journal_step_t));
    index->channels = calloc(channels + 1,
                             sizeof(ngx_msgbus_journal_index_ch_t));

    if (index->steps == NULL || index->channels == NULL) {
        return NGX_ERROR;
    }

    p += NGX_MSGBUS_JOURNAL_INDEX_HEAD;

    for (i = 0; i < steps; i++) {
        step = &index->steps[i];

        step->offset = ngx_msgbus_journal_get(p, 8);
        step->frame = ngx_msgbus_journal_get(p + 8, 8);
        step->id = ngx_msgbus_journal_get(p + 16, 8);
        step->created = ngx_msgbus_journal_get(p + 24, 8);

        p += NGX_MSGBUS_JOURNAL_INDEX_STEP_L;
    }

    index->nsteps = (ngx_uint_t) steps;

    for (i = 0; i < channels; i++) {
        ch = &index->channels[i];

        name = ngx_msgbus_journal_get(p, 4);
        name_len = ngx_msgbus_journal_get(p + 4, 4);
        ch->offset = ngx_msgbus_journal_get(p + 8, 8);
        ch->n = (uint32_t) ngx_msgbus_journal_get(p + 16, 4);
        ch->crc = (uint32_t) ngx_msgbus_journal_get(p + 20, 4);

        /* none is listed without a record, nor a record twice */

        all += ch->n;

        if (name + name_len > len
            || ch->n == 0
            || ch->offset < at + len
            || ch->offset > file
            || (file - ch->offset) / 4 < ch->n)
        {
            return NGX_ERROR;
        }

        ch->name = bytes + name;
        ch->name_len = (uint32_t) name_len;

        p += NGX_MSGBUS_JOURNAL_INDEX_CH_L;
    }

    if (all != index->records) {
        return NGX_ERROR;
    }

    index->nchannels = (ngx_uint_t) channels;

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_journal_index_keys(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_disk_t *disk, int fd, ngx_msgbus_journal_header_t *h,
    uint64_t end)
{
    u_char    head[NGX_MSGBUS_JOURNAL_INDEX_HEAD];
    ssize_t   n;
    uint64_t  at, size, first, records;

    at = ngx_align(end, NGX_MSGBUS_JOURNAL_BLOCK);

    n = disk->pread(disk->disk, fd, head, NGX_MSGBUS_JOURNAL_INDEX_HEAD, at);

    if (n == -1 || disk->size(disk->disk, fd, &size) != NGX_OK) {
        return NGX_ERROR;
    }

    if (n != NGX_MSGBUS_JOURNAL_INDEX_HEAD
        || ngx_memcmp(head, NGX_MSGBUS_JOURNAL_INDEX_MAGIC, 8) != 0)
    {
        return NGX_DECLINED;
    }

    first = ngx_msgbus_journal_get(head + 24, 8);
    records = ngx_msgbus_journal_get(head + 40, 8);

    if (first > size || records > size / 4
        || first + 4 * records > size - at)
    {
        return NGX_DECLINED;
    }

    at += first + 4 * records;

    return at == size ? NGX_DONE
           : ngx_msgbus_journal_keys_load(keys, disk, fd, h->salt, end, at,
                                          size);
}


ngx_msgbus_journal_step_t *
ngx_msgbus_journal_index_step(ngx_msgbus_journal_index_t *index, uint64_t id)
{
    ngx_uint_t  low, high, mid;

    /* the first is the segment's beginning */

    low = 0;
    high = index->nsteps;

    while (high - low > 1) {
        mid = low + (high - low) / 2;

        if (index->steps[mid].id <= id) {
            low = mid;

        } else {
            high = mid;
        }
    }

    return index->nsteps ? &index->steps[low] : &index->end;
}
