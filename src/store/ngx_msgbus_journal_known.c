
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Which event of a journal has a key: the newest segment first, for a key
 * comes again when its event has grown too old.
 *
 * Most keys that are asked for are new, and in no segment.  So what is looked
 * at of each is its filter; a file is opened where that says that the key may
 * be there, and the record itself tells whether it is.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_known.h"


/* what is read of a record at once; most are no longer */
#define NGX_MSGBUS_JOURNAL_KNOWN_BYTES  4096

/* segments that leave one after another while one looks */
#define NGX_MSGBUS_JOURNAL_KNOWN_TRIES  10

/* a batch twice over */
#define NGX_MSGBUS_JOURNAL_KNOWN_SEEN   2048


static void ngx_msgbus_journal_known_match(ngx_msgbus_journal_known_t *known);
static ngx_int_t ngx_msgbus_journal_known_load(
    ngx_msgbus_journal_known_t *known, ngx_uint_t i);
static ngx_int_t ngx_msgbus_journal_known_make(
    ngx_msgbus_journal_known_t *known, ngx_uint_t i);
static ngx_int_t ngx_msgbus_journal_known_newest(
    ngx_msgbus_journal_known_t *known, const u_char *name, uint64_t since,
    ngx_msgbus_journal_found_t *found);
static ngx_int_t ngx_msgbus_journal_known_sealed(
    ngx_msgbus_journal_known_t *known, ngx_uint_t i, const u_char *name,
    uint64_t since, ngx_msgbus_journal_found_t *found);
static ngx_int_t ngx_msgbus_journal_known_sorted(
    ngx_msgbus_journal_known_t *known, ngx_uint_t i, int fd,
    const u_char *name, uint64_t since, ngx_msgbus_journal_found_t *found);
static ngx_int_t ngx_msgbus_journal_known_record(
    ngx_msgbus_journal_known_t *known, ngx_uint_t i, int fd, uint32_t place,
    const u_char *name, uint64_t since, ngx_msgbus_journal_found_t *found);
static u_char *ngx_msgbus_journal_known_bytes(
    ngx_msgbus_journal_known_t *known, int fd, uint64_t offset, size_t *len,
    ngx_err_t *err);


ngx_int_t
ngx_msgbus_journal_known_open(ngx_msgbus_journal_known_t *known,
    const char *path, ngx_msgbus_disk_t *disk)
{
    ngx_memzero(known, sizeof(ngx_msgbus_journal_known_t));

    if (ngx_msgbus_journal_reader_open(&known->reader, path, disk)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* who was told of an event may send it again before that is synced */

    known->reader.told = 1;
    known->reader.keyed = 1;

    return NGX_OK;
}


void
ngx_msgbus_journal_known_close(ngx_msgbus_journal_known_t *known)
{
    ngx_uint_t  i;

    for (i = 0; i < known->n; i++) {
        ngx_msgbus_journal_keys_free(&known->rings[i].keys);
    }

    ngx_free(known->rings);
    ngx_free(known->bytes);

    known->rings = NULL;
    known->bytes = NULL;
    known->n = 0;
    known->size = 0;

    ngx_msgbus_journal_reader_close(&known->reader);
}


ngx_int_t
ngx_msgbus_journal_known_look(ngx_msgbus_journal_known_t *known)
{
    ngx_int_t                      rc;
    ngx_uint_t                     tries;
    ngx_msgbus_journal_list_t     *list;
    ngx_msgbus_journal_keyring_t  *rings;

    tries = 0;

    do {
        rc = ngx_msgbus_journal_reader_look(&known->reader);
    } while (rc == NGX_AGAIN && ++tries < NGX_MSGBUS_JOURNAL_KNOWN_TRIES);

    if (rc != NGX_OK) {
        return rc;
    }

    list = &known->reader.list;

    if (known->n == list->n
        && known->rings[0].sequence == list->elts[0].sequence
        && known->rings[known->n - 1].sequence
           == list->elts[list->n - 1].sequence
        && known->rings[known->n - 1].salt
           == list->elts[list->n - 1].header.salt)
    {
        return NGX_OK;
    }

    rings = realloc(known->rings, (list->n + known->n)
                                  * sizeof(ngx_msgbus_journal_keyring_t));
    if (rings == NULL) {
        ngx_msgbus_journal_error(known->reader.error, 0, "no memory for keys",
                                 NULL);
        return NGX_ERROR;
    }

    known->rings = rings;

    ngx_msgbus_journal_known_match(known);

    return NGX_OK;
}


/* those of the segments that are there now; what was known of one is kept */
static void
ngx_msgbus_journal_known_match(ngx_msgbus_journal_known_t *known)
{
    ngx_uint_t                     i, old, last;
    ngx_msgbus_journal_list_t     *list;
    ngx_msgbus_journal_keyring_t  *rings, *ring;

    list = &known->reader.list;
    rings = known->rings;

    /* the old ones behind the room of the new */

    old = list->n;
    last = list->n + known->n;

    ngx_memmove(rings + old, rings,
                known->n * sizeof(ngx_msgbus_journal_keyring_t));

    for (i = 0; i < list->n; i++) {
        ring = &rings[i];

        while (old < last && rings[old].sequence < list->elts[i].sequence) {
            ngx_msgbus_journal_keys_free(&rings[old++].keys);
        }

        if (old < last && rings[old].sequence == list->elts[i].sequence
            && rings[old].salt == list->elts[i].header.salt)
        {
            *ring = rings[old++];
            continue;
        }

        ngx_memzero(ring, sizeof(ngx_msgbus_journal_keyring_t));

        ring->sequence = list->elts[i].sequence;
        ring->salt = list->elts[i].header.salt;
    }

    while (old < last) {
        ngx_msgbus_journal_keys_free(&rings[old++].keys);
    }

    known->n = list->n;

    for (i = 0; i + 1 < known->n; i++) {

        /* it may be in the file by now */

        if (rings[i].loaded && rings[i].keys.made && rings[i].keys.n) {
            (void) ngx_msgbus_journal_known_load(known, i);
        }
    }
}


/* from the file; what is there in memory stays where that is not possible */
static ngx_int_t
ngx_msgbus_journal_known_load(ngx_msgbus_journal_known_t *known,
    ngx_uint_t i)
{
    int                            fd;
    ngx_int_t                      rc;
    ngx_uint_t                     damaged;
    ngx_msgbus_journal_keys_t      keys;
    ngx_msgbus_journal_reader_t   *r;
    ngx_msgbus_journal_keyring_t  *ring;
    ngx_msgbus_journal_segment_t   seg;

    r = &known->reader;
    ring = &known->rings[i];
    seg = r->list.elts[i];

    fd = ngx_msgbus_journal_segment_open(r->disk, r->folder, &seg,
                                         NGX_MSGBUS_DISK_READ, r->error,
                                         &damaged);
    if (fd == -1) {
        return damaged ? NGX_DECLINED
               : ngx_errno == NGX_ENOENT ? NGX_AGAIN : NGX_ERROR;
    }

    rc = ngx_msgbus_journal_index_keys(&keys, r->disk, fd, &seg.header,
                                       ngx_msgbus_journal_end(r, i));

    if (rc == NGX_OK) {
        ngx_msgbus_journal_keys_free(&ring->keys);

        ring->keys = keys;
        ring->loaded = 1;

    } else if (rc == NGX_ERROR) {
        (void) ngx_msgbus_journal_read_bad(r, i, 0, ngx_errno);

    } else {
        rc = NGX_DONE;
    }

    r->disk->close(r->disk->disk, fd);

    return rc;
}


/* from the frames; the index may have been made from them before */
static ngx_int_t
ngx_msgbus_journal_known_make(ngx_msgbus_journal_known_t *known,
    ngx_uint_t i)
{
    ngx_int_t                      rc;
    ngx_msgbus_journal_opened_t   *o;
    ngx_msgbus_journal_reader_t   *r;
    ngx_msgbus_journal_keyring_t  *ring;

    r = &known->reader;
    ring = &known->rings[i];

    o = ngx_msgbus_journal_opened(r, i, &rc);

    if (o == NULL) {
        return rc;
    }

    if (o->index.loaded) {
        rc = ngx_msgbus_journal_reindex(r, o, i);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_msgbus_journal_keys_free(&ring->keys);

    if (ngx_msgbus_journal_keys_make(&ring->keys, &o->index.keys,
                                     o->index.salt, o->index.end.offset)
        != NGX_OK)
    {
        ring->loaded = 0;
        return ngx_msgbus_journal_read_bad(r, i, 0, ngx_errno);
    }

    ring->loaded = 1;

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_journal_known_find(ngx_msgbus_journal_known_t *known,
    const u_char *name, uint64_t since, ngx_msgbus_journal_found_t *found)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, first;
    ngx_msgbus_journal_list_t  *list;

    list = &known->reader.list;

    rc = ngx_msgbus_journal_known_newest(known, name, since, found);

    /* before the first one that says so there are none */

    for (first = 0; first + 1 < list->n; first++) {

        if (list->elts[first].header.flags & NGX_MSGBUS_JOURNAL_KEYED) {
            break;
        }
    }

    for (i = list->n - 1; rc == NGX_DONE && i > first; i--) {

        if (list->elts[i].header.created < since) {

            /* all before it is older */

            break;
        }

        rc = ngx_msgbus_journal_known_sealed(known, i - 1, name, since,
                                             found);

        /* what has left is found no more */

        if (rc == NGX_AGAIN) {
            rc = NGX_DONE;
        }
    }

    return rc == NGX_BUSY ? NGX_DONE : rc;
}


ngx_int_t
ngx_msgbus_journal_known_first(ngx_msgbus_journal_known_t *known,
    ngx_msgbus_journal_event_t *events, ngx_uint_t n, uint64_t since,
    ngx_uint_t *index, ngx_msgbus_journal_found_t *found)
{
    u_char                      *keys[NGX_MSGBUS_JOURNAL_KNOWN_BATCH];
    uint16_t                     seen[NGX_MSGBUS_JOURNAL_KNOWN_SEEN];
    ngx_int_t                    rc;
    ngx_uint_t                   i, at;

    ngx_memzero(seen, sizeof(seen));

    for (i = 0; i < n; i++) {
        keys[i] = ngx_msgbus_journal_key_read(&events[i]);

        if (keys[i] == NULL) {
            continue;
        }

        *index = i;

        rc = ngx_msgbus_journal_known_find(known, keys[i], since, found);

        if (rc != NGX_DONE) {
            return rc;
        }

        at = (ngx_uint_t) ngx_msgbus_journal_get(keys[i], 4)
             % NGX_MSGBUS_JOURNAL_KNOWN_SEEN;

        while (seen[at]
               && ngx_memcmp(keys[seen[at] - 1], keys[i],
                             NGX_MSGBUS_JOURNAL_KEY_NAME)
                  != 0)
        {
            at = (at + 1) % NGX_MSGBUS_JOURNAL_KNOWN_SEEN;
        }

        if (seen[at]) {
            at = (ngx_uint_t) seen[at] - 1;

            found->id = events[at].id;
            found->created = events[at].created;
            ngx_memcpy(found->body, keys[at] + NGX_MSGBUS_JOURNAL_KEY_NAME,
                       sizeof(found->body));

            return NGX_OK;
        }

        seen[at] = (uint16_t) (i + 1);
    }

    return NGX_DONE;
}


/* NGX_OK; NGX_DONE: none; NGX_BUSY: one that is too old, and none younger */
static ngx_int_t
ngx_msgbus_journal_known_newest(ngx_msgbus_journal_known_t *known,
    const u_char *name, uint64_t since, ngx_msgbus_journal_found_t *found)
{
    uint32_t                      at;
    ngx_int_t                     rc;
    ngx_msgbus_journal_keytab_t  *tab;
    ngx_msgbus_journal_opened_t  *o;

    o = ngx_msgbus_journal_opened(&known->reader, known->reader.list.n - 1,
                                  &rc);
    if (o == NULL) {
        return rc;
    }

    tab = &o->index.keys;

    for (at = ngx_msgbus_journal_key_newest(tab, name);
         at;
         at = tab->elts[at - 1].next)
    {
        if (ngx_memcmp(tab->elts[at - 1].name, name, 8) != 0) {
            continue;
        }

        rc = ngx_msgbus_journal_known_record(known,
                                             known->reader.list.n - 1, o->fd,
                                             tab->elts[at - 1].place, name,
                                             since, found);
        if (rc != NGX_DONE) {
            return rc;
        }
    }

    return NGX_DONE;
}


/* likewise; NGX_AGAIN: the segment has left */
static ngx_int_t
ngx_msgbus_journal_known_sealed(ngx_msgbus_journal_known_t *known,
    ngx_uint_t i, const u_char *name, uint64_t since,
    ngx_msgbus_journal_found_t *found)
{
    int                            fd;
    ngx_int_t                      rc;
    ngx_uint_t                     damaged;
    ngx_msgbus_journal_reader_t   *r;
    ngx_msgbus_journal_keyring_t  *ring;
    ngx_msgbus_journal_segment_t   seg;

    r = &known->reader;
    ring = &known->rings[i];

    if (!ring->loaded) {
        rc = ngx_msgbus_journal_known_load(known, i);

        if (rc == NGX_DONE) {
            rc = ngx_msgbus_journal_known_make(known, i);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (!ngx_msgbus_journal_keys_may(&ring->keys, name)) {
        return NGX_DONE;
    }

    known->reads++;
    seg = r->list.elts[i];

    fd = ngx_msgbus_journal_segment_open(r->disk, r->folder, &seg,
                                         NGX_MSGBUS_DISK_READ, r->error,
                                         &damaged);
    if (fd == -1) {
        return damaged ? NGX_DECLINED
               : ngx_errno == NGX_ENOENT ? NGX_AGAIN : NGX_ERROR;
    }

    rc = ring->keys.checked ? NGX_OK
         : ngx_msgbus_journal_keys_whole(&ring->keys, r->disk, fd);

    if (rc == NGX_DECLINED) {

        /* the frames may be good */

        rc = ngx_msgbus_journal_known_make(known, i);

    } else if (rc == NGX_ERROR) {
        (void) ngx_msgbus_journal_read_bad(r, i, 0, ngx_errno);
    }

    if (rc == NGX_OK) {
        rc = ngx_msgbus_journal_known_sorted(known, i, fd, name, since,
                                             found);
    }

    if (rc == NGX_ABORT) {

        /* they are being written anew */

        rc = ngx_msgbus_journal_known_make(known, i);

        if (rc == NGX_OK) {
            rc = ngx_msgbus_journal_known_sorted(known, i, fd, name, since,
                                                 found);
        }
    }

    r->disk->close(r->disk->disk, fd);

    return rc;
}


/* those that begin as the name does, the newest first; NGX_ABORT: cut off */
static ngx_int_t
ngx_msgbus_journal_known_sorted(ngx_msgbus_journal_known_t *known,
    ngx_uint_t i, int fd, const u_char *name, uint64_t since,
    ngx_msgbus_journal_found_t *found)
{
    u_char                       key[NGX_MSGBUS_JOURNAL_KEYS_KEY];
    uint32_t                     n;
    ngx_int_t                    rc;
    ngx_msgbus_disk_t           *disk;
    ngx_msgbus_journal_keys_t   *keys;

    keys = &known->rings[i].keys;
    disk = known->reader.disk;

    rc = ngx_msgbus_journal_keys_upto(keys, disk, fd, name, &n);

    for ( /* void */ ; rc == NGX_OK && n; n--) {

        rc = ngx_msgbus_journal_keys_get(keys, disk, fd, n - 1, key);

        if (rc != NGX_OK) {
            break;
        }

        if (ngx_memcmp(key, name, 8) != 0) {
            return NGX_DONE;
        }

        rc = ngx_msgbus_journal_known_record(known, i, fd,
                 (uint32_t) ngx_msgbus_journal_get(key + 8, 4), name, since,
                 found);

        if (rc != NGX_DONE) {
            return rc;
        }

        rc = NGX_OK;
    }

    if (rc == NGX_ERROR) {
        return ngx_msgbus_journal_read_bad(&known->reader, i, 0, ngx_errno);
    }

    return rc == NGX_OK ? NGX_DONE : NGX_ABORT;
}


/* is the record at a place the event?  NGX_DONE: it has another key */
static ngx_int_t
ngx_msgbus_journal_known_record(ngx_msgbus_journal_known_t *known,
    ngx_uint_t i, int fd, uint32_t place, const u_char *name, uint64_t since,
    ngx_msgbus_journal_found_t *found)
{
    size_t                       len;
    u_char                      *p, *key;
    uint64_t                     offset;
    ngx_err_t                    err;
    ngx_msgbus_journal_event_t   ev;

    offset = (uint64_t) place * 8;

    p = ngx_msgbus_journal_known_bytes(known, fd, offset, &len, &err);

    if (p == NULL
        || ngx_msgbus_journal_record_check(&ev, p, len,
                                           known->rings[i].salt, offset)
           != NGX_OK)
    {
        return ngx_msgbus_journal_read_bad(&known->reader, i, offset, err);
    }

    key = ngx_msgbus_journal_key_read(&ev);

    if (key == NULL
        || ngx_memcmp(key, name, NGX_MSGBUS_JOURNAL_KEY_NAME) != 0)
    {
        return NGX_DONE;
    }

    if (ev.created < since) {
        return NGX_BUSY;
    }

    found->id = ev.id;
    found->created = ev.created;
    ngx_memcpy(found->body, key + NGX_MSGBUS_JOURNAL_KEY_NAME,
               sizeof(found->body));

    return NGX_OK;
}


/* NULL: there are none, or err tells why not */
static u_char *
ngx_msgbus_journal_known_bytes(ngx_msgbus_journal_known_t *known, int fd,
    uint64_t offset, size_t *len, ngx_err_t *err)
{
    size_t              want;
    u_char             *p;
    ssize_t             n;
    ngx_msgbus_disk_t  *disk;

    disk = known->reader.disk;
    want = NGX_MSGBUS_JOURNAL_KNOWN_BYTES;

    for ( ;; ) {
        *err = 0;

        if (want > known->size) {
            p = malloc(want);

            if (p == NULL) {
                *err = NGX_ENOMEM;
                return NULL;
            }

            ngx_free(known->bytes);

            known->bytes = p;
            known->size = want;
        }

        known->reads++;

        n = disk->pread(disk->disk, fd, known->bytes, want, offset);

        if (n < NGX_MSGBUS_JOURNAL_RECORD) {
            *err = n == -1 ? ngx_errno : 0;
            return NULL;
        }

        *len = (size_t) ngx_msgbus_journal_get(known->bytes + 4, 4);

        if (*len <= (size_t) n) {
            return known->bytes;
        }

        if (*len <= want || *len > NGX_MSGBUS_JOURNAL_MAX_FRAME) {
            return NULL;
        }

        want = *len;
    }
}
