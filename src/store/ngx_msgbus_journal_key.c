
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The keys of a segment's records.  In memory, of the current segment, a hash
 * of all of them; behind the index of a sealed one
 *
 *     head | filter | keys
 *
 * with a crc over head and filter, and one over the keys.  Nearly all names
 * that are asked for are in no segment: so the filter is what is looked at,
 * and it alone is kept in memory, 2 bytes a key.  It is blocks of 32 bytes,
 * one for each name, in which each of 8 words has a bit of it; one name in a
 * thousand is taken for one that is there.
 *
 * Names are hashes: their bytes are as good as any hash of them, and where one
 * stands among those that are sorted is where its value says.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_crc.h"
#include "ngx_msgbus_journal_key.h"


#define NGX_MSGBUS_JOURNAL_KEYS_MAGIC    "MSGBUSK\n"

#define NGX_MSGBUS_JOURNAL_KEYS_VERSION  1

/* what they have of a file, at most */
#define NGX_MSGBUS_JOURNAL_KEYS_MAX      ((uint64_t) 1 << 30)

/* keys of one block of the filter */
#define NGX_MSGBUS_JOURNAL_KEYS_EACH     16

/* keys that are read at once */
#define NGX_MSGBUS_JOURNAL_KEYS_CHUNK    340


static ngx_int_t ngx_msgbus_journal_key_rehash(
    ngx_msgbus_journal_keytab_t *tab);
static ngx_uint_t ngx_msgbus_journal_key_hash(const u_char *name,
    ngx_uint_t buckets);
static uint32_t ngx_msgbus_journal_key_blocks(ngx_uint_t n);
static void ngx_msgbus_journal_key_bits(const u_char *name, uint32_t blocks,
    size_t *block, uint32_t *bits);
static int ngx_msgbus_journal_key_cmp(const void *one, const void *two);
static ngx_int_t ngx_msgbus_journal_keys_parse(
    ngx_msgbus_journal_keys_t *keys, u_char *head, uint64_t salt,
    uint64_t end, uint64_t left);
static ngx_int_t ngx_msgbus_journal_keys_read(
    ngx_msgbus_journal_keys_t *keys, ngx_msgbus_disk_t *disk, int fd,
    uint32_t first, uint32_t n, u_char *p);


ngx_int_t
ngx_msgbus_journal_key_add(ngx_msgbus_journal_keytab_t *tab,
    ngx_msgbus_journal_event_t *ev, uint64_t offset)
{
    u_char                    *name;
    ngx_uint_t                 size, bucket;
    ngx_msgbus_journal_key_t  *key;

    name = ngx_msgbus_journal_key_read(ev);

    if (name == NULL) {
        return NGX_OK;
    }

    if (tab->n == tab->size) {
        size = tab->size ? 2 * tab->size : 64;

        key = realloc(tab->elts, size * sizeof(ngx_msgbus_journal_key_t));
        if (key == NULL) {
            return NGX_ERROR;
        }

        tab->elts = key;
        tab->size = size;
    }

    if (tab->n >= tab->nbuckets
        && ngx_msgbus_journal_key_rehash(tab) != NGX_OK)
    {
        return NGX_ERROR;
    }

    key = &tab->elts[tab->n++];
    bucket = ngx_msgbus_journal_key_hash(name, tab->nbuckets);

    ngx_memcpy(key->name, name, 8);
    key->place = (uint32_t) (offset / 8);
    key->next = tab->buckets[bucket];

    tab->buckets[bucket] = (uint32_t) tab->n;

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_journal_key_rehash(ngx_msgbus_journal_keytab_t *tab)
{
    uint32_t                  *buckets;
    ngx_uint_t                 i, n, bucket;
    ngx_msgbus_journal_key_t  *key;

    n = tab->nbuckets ? 2 * tab->nbuckets : 64;

    buckets = calloc(n, sizeof(uint32_t));
    if (buckets == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < tab->n; i++) {
        key = &tab->elts[i];
        bucket = ngx_msgbus_journal_key_hash(key->name, n);

        key->next = buckets[bucket];
        buckets[bucket] = (uint32_t) i + 1;
    }

    ngx_free(tab->buckets);

    tab->buckets = buckets;
    tab->nbuckets = n;

    return NGX_OK;
}


/* buckets is a power of two */
static ngx_uint_t
ngx_msgbus_journal_key_hash(const u_char *name, ngx_uint_t buckets)
{
    return (ngx_uint_t) ngx_msgbus_journal_get(name, 4) & (buckets - 1);
}


void
ngx_msgbus_journal_key_free(ngx_msgbus_journal_keytab_t *tab)
{
    ngx_free(tab->elts);
    ngx_free(tab->buckets);

    ngx_memzero(tab, sizeof(ngx_msgbus_journal_keytab_t));
}


uint32_t
ngx_msgbus_journal_key_newest(ngx_msgbus_journal_keytab_t *tab,
    const u_char *name)
{
    uint32_t  at;

    if (tab->n == 0) {
        return 0;
    }

    at = tab->buckets[ngx_msgbus_journal_key_hash(name, tab->nbuckets)];

    while (at && ngx_memcmp(tab->elts[at - 1].name, name, 8) != 0) {
        at = tab->elts[at - 1].next;
    }

    return at;
}


static uint32_t
ngx_msgbus_journal_key_blocks(ngx_uint_t n)
{
    return (uint32_t) ((n + NGX_MSGBUS_JOURNAL_KEYS_EACH - 1)
                       / NGX_MSGBUS_JOURNAL_KEYS_EACH);
}


size_t
ngx_msgbus_journal_key_bytes(ngx_msgbus_journal_keytab_t *tab)
{
    return NGX_MSGBUS_JOURNAL_KEYS_HEAD
           + (size_t) ngx_msgbus_journal_key_blocks(tab->n)
             * NGX_MSGBUS_JOURNAL_KEYS_BLOCK
           + tab->n * NGX_MSGBUS_JOURNAL_KEYS_KEY;
}


/* the upper 24 bits of its first 8 bytes say which block, the others 8 bits */
static void
ngx_msgbus_journal_key_bits(const u_char *name, uint32_t blocks,
    size_t *block, uint32_t *bits)
{
    uint64_t    n;
    ngx_uint_t  i;

    n = ngx_msgbus_journal_get(name, 8);

    *block = (size_t) ((n >> 40) * blocks >> 24);

    for (i = 0; i < 8; i++) {
        bits[i] = (uint32_t) 1 << (n >> 5 * i & 31);
    }
}


void
ngx_msgbus_journal_key_save(ngx_msgbus_journal_keytab_t *tab, uint64_t salt,
    uint64_t end, u_char *p)
{
    size_t                     block, head;
    u_char                    *keys, *word;
    uint32_t                   blocks, bits[8];
    ngx_uint_t                 i, k;
    ngx_msgbus_journal_key_t  *key;

    blocks = ngx_msgbus_journal_key_blocks(tab->n);
    head = NGX_MSGBUS_JOURNAL_KEYS_HEAD
           + (size_t) blocks * NGX_MSGBUS_JOURNAL_KEYS_BLOCK;
    keys = p + head;

    ngx_memzero(p, head);
    ngx_memcpy(p, NGX_MSGBUS_JOURNAL_KEYS_MAGIC, 8);

    for (i = 0; i < tab->n; i++) {
        key = &tab->elts[i];

        ngx_memcpy(keys + i * NGX_MSGBUS_JOURNAL_KEYS_KEY, key->name, 8);
        ngx_msgbus_journal_put(keys + i * NGX_MSGBUS_JOURNAL_KEYS_KEY + 8, 4,
                               key->place);

        ngx_msgbus_journal_key_bits(key->name, blocks, &block, bits);

        for (k = 0; k < 8; k++) {
            word = p + NGX_MSGBUS_JOURNAL_KEYS_HEAD
                   + block * NGX_MSGBUS_JOURNAL_KEYS_BLOCK + 4 * k;

            ngx_msgbus_journal_put(word, 4, ngx_msgbus_journal_get(word, 4)
                                            | bits[k]);
        }
    }

    if (tab->n) {
        qsort(keys, tab->n, NGX_MSGBUS_JOURNAL_KEYS_KEY,
              ngx_msgbus_journal_key_cmp);
    }

    ngx_msgbus_journal_put(p + 12, 4, NGX_MSGBUS_JOURNAL_KEYS_VERSION);
    ngx_msgbus_journal_put(p + 16, 8, salt);
    ngx_msgbus_journal_put(p + 24, 8, end);
    ngx_msgbus_journal_put(p + 32, 4, tab->n);
    ngx_msgbus_journal_put(p + 36, 4, blocks);
    ngx_msgbus_journal_put(p + 40, 4,
        ngx_msgbus_journal_crc(0, keys,
                               tab->n * NGX_MSGBUS_JOURNAL_KEYS_KEY));
    ngx_msgbus_journal_put(p + 8, 4,
                           ngx_msgbus_journal_crc(0, p + 12, head - 12));
}


/* by name, and those of one name by their place */
static int
ngx_msgbus_journal_key_cmp(const void *one, const void *two)
{
    int       rc;
    uint64_t  a, b;

    rc = ngx_memcmp(one, two, 8);

    if (rc) {
        return rc;
    }

    a = ngx_msgbus_journal_get((const u_char *) one + 8, 4);
    b = ngx_msgbus_journal_get((const u_char *) two + 8, 4);

    return a < b ? -1 : a > b;
}


ngx_int_t
ngx_msgbus_journal_keys_load(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_disk_t *disk, int fd, uint64_t salt, uint64_t end,
    uint64_t at, uint64_t size)
{
    u_char   head[NGX_MSGBUS_JOURNAL_KEYS_HEAD];
    size_t   len;
    ssize_t  n;

    ngx_memzero(keys, sizeof(ngx_msgbus_journal_keys_t));

    n = disk->pread(disk->disk, fd, head, NGX_MSGBUS_JOURNAL_KEYS_HEAD, at);

    if (n != NGX_MSGBUS_JOURNAL_KEYS_HEAD) {
        return n == -1 ? NGX_ERROR : NGX_DECLINED;
    }

    if (ngx_msgbus_journal_keys_parse(keys, head, salt, end, size - at)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    keys->at = at;
    len = NGX_MSGBUS_JOURNAL_KEYS_HEAD
          + (size_t) keys->blocks * NGX_MSGBUS_JOURNAL_KEYS_BLOCK;

    keys->bytes = malloc(len);
    if (keys->bytes == NULL) {
        ngx_set_errno(NGX_ENOMEM);
        return NGX_ERROR;
    }

    n = disk->pread(disk->disk, fd, keys->bytes, len, at);

    if (n == (ssize_t) len
        && ngx_msgbus_journal_get(keys->bytes + 8, 4)
           == ngx_msgbus_journal_crc(0, keys->bytes + 12, len - 12))
    {
        return NGX_OK;
    }

    ngx_msgbus_journal_keys_free(keys);

    return n == -1 ? NGX_ERROR : NGX_DECLINED;
}


static ngx_int_t
ngx_msgbus_journal_keys_parse(ngx_msgbus_journal_keys_t *keys, u_char *head,
    uint64_t salt, uint64_t end, uint64_t left)
{
    keys->n = (uint32_t) ngx_msgbus_journal_get(head + 32, 4);
    keys->blocks = (uint32_t) ngx_msgbus_journal_get(head + 36, 4);

    if (ngx_memcmp(head, NGX_MSGBUS_JOURNAL_KEYS_MAGIC, 8) != 0
        || ngx_msgbus_journal_get(head + 12, 4)
           != NGX_MSGBUS_JOURNAL_KEYS_VERSION
        || ngx_msgbus_journal_get(head + 16, 8) != salt
        || ngx_msgbus_journal_get(head + 24, 8) != end
        || keys->blocks != ngx_msgbus_journal_key_blocks(keys->n)
        || left > NGX_MSGBUS_JOURNAL_KEYS_MAX
        || left != NGX_MSGBUS_JOURNAL_KEYS_HEAD
                   + (uint64_t) keys->blocks * NGX_MSGBUS_JOURNAL_KEYS_BLOCK
                   + (uint64_t) keys->n * NGX_MSGBUS_JOURNAL_KEYS_KEY)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_journal_keys_make(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_journal_keytab_t *tab, uint64_t salt, uint64_t end)
{
    ngx_memzero(keys, sizeof(ngx_msgbus_journal_keys_t));

    keys->bytes = malloc(ngx_msgbus_journal_key_bytes(tab));
    if (keys->bytes == NULL) {
        ngx_set_errno(NGX_ENOMEM);
        return NGX_ERROR;
    }

    ngx_msgbus_journal_key_save(tab, salt, end, keys->bytes);

    keys->n = (uint32_t) tab->n;
    keys->blocks = ngx_msgbus_journal_key_blocks(tab->n);
    keys->made = 1;
    keys->checked = 1;

    return NGX_OK;
}


void
ngx_msgbus_journal_keys_free(ngx_msgbus_journal_keys_t *keys)
{
    ngx_free(keys->bytes);
    keys->bytes = NULL;
}


ngx_int_t
ngx_msgbus_journal_keys_whole(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_disk_t *disk, int fd)
{
    u_char      chunk[NGX_MSGBUS_JOURNAL_KEYS_CHUNK
                      * NGX_MSGBUS_JOURNAL_KEYS_KEY];
    uint32_t    i, n, crc;
    ngx_int_t   rc;

    crc = 0;

    for (i = 0; i < keys->n; i += n) {
        n = ngx_min(keys->n - i, NGX_MSGBUS_JOURNAL_KEYS_CHUNK);

        rc = ngx_msgbus_journal_keys_read(keys, disk, fd, i, n, chunk);

        if (rc != NGX_OK) {
            return rc;
        }

        crc = ngx_msgbus_journal_crc(crc, chunk,
                                     n * NGX_MSGBUS_JOURNAL_KEYS_KEY);
    }

    if (crc != ngx_msgbus_journal_get(keys->bytes + 40, 4)) {
        return NGX_DECLINED;
    }

    keys->checked = 1;

    return NGX_OK;
}


ngx_uint_t
ngx_msgbus_journal_keys_may(ngx_msgbus_journal_keys_t *keys,
    const u_char *name)
{
    size_t      block;
    u_char     *p;
    uint32_t    bits[8];
    ngx_uint_t  i;

    if (keys->n == 0) {
        return 0;
    }

    ngx_msgbus_journal_key_bits(name, keys->blocks, &block, bits);

    p = keys->bytes + NGX_MSGBUS_JOURNAL_KEYS_HEAD
        + block * NGX_MSGBUS_JOURNAL_KEYS_BLOCK;

    for (i = 0; i < 8; i++) {

        if (!(ngx_msgbus_journal_get(p + 4 * i, 4) & bits[i])) {
            return 0;
        }
    }

    return 1;
}


/*
 * A name stands about where its value says; the square root of their number is
 * what that is wrong by, and one read is enough nearly always.
 */
ngx_int_t
ngx_msgbus_journal_keys_upto(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_disk_t *disk, int fd, const u_char *name, uint32_t *n)
{
    u_char      chunk[NGX_MSGBUS_JOURNAL_KEYS_CHUNK
                      * NGX_MSGBUS_JOURNAL_KEYS_KEY];
    uint32_t    low, high, first, count, from, to, mid, guess;
    uint64_t    value;
    ngx_int_t   rc;

    low = 0;
    high = keys->n;

    value = (uint64_t) name[0] << 24 | name[1] << 16 | name[2] << 8 | name[3];
    guess = (uint32_t) (value * keys->n >> 32);

    while (low < high) {
        count = ngx_min(high - low, NGX_MSGBUS_JOURNAL_KEYS_CHUNK);
        first = guess > low + count / 2 ? guess - count / 2 : low;
        first = ngx_min(first, high - count);

        rc = ngx_msgbus_journal_keys_read(keys, disk, fd, first, count,
                                          chunk);
        if (rc != NGX_OK) {
            return rc;
        }

        from = 0;
        to = count;

        while (from < to) {
            mid = from + (to - from) / 2;

            if (ngx_memcmp(chunk + mid * NGX_MSGBUS_JOURNAL_KEYS_KEY, name, 8)
                <= 0)
            {
                from = mid + 1;

            } else {
                to = mid;
            }
        }

        if (from == count) {
            low = first + count;

        } else if (from == 0) {
            high = first;

        } else {
            low = first + from;
            break;
        }

        guess = low + (high - low) / 2;
    }

    *n = low;

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_journal_keys_get(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_disk_t *disk, int fd, uint32_t n, u_char *key)
{
    return ngx_msgbus_journal_keys_read(keys, disk, fd, n, 1, key);
}


static ngx_int_t
ngx_msgbus_journal_keys_read(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_disk_t *disk, int fd, uint32_t first, uint32_t n, u_char *p)
{
    size_t    len;
    ssize_t   got;
    uint64_t  at;

    at = NGX_MSGBUS_JOURNAL_KEYS_HEAD
         + (uint64_t) keys->blocks * NGX_MSGBUS_JOURNAL_KEYS_BLOCK
         + (uint64_t) first * NGX_MSGBUS_JOURNAL_KEYS_KEY;
    len = (size_t) n * NGX_MSGBUS_JOURNAL_KEYS_KEY;

    if (keys->made) {
        ngx_memcpy(p, keys->bytes + at, len);
        return NGX_OK;
    }

    got = disk->pread(disk->disk, fd, p, len, keys->at + at);

    return got == (ssize_t) len ? NGX_OK : got == -1 ? NGX_ERROR
                                                      : NGX_DECLINED;
}
