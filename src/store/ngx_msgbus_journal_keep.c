
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What keeps a journal's folder in order: zeros for the next segment ahead of
 * its time, indexes for sealed ones, and the end of those that are too old,
 * or too many.
 *
 * A segment leaves when all in it is older than the ttl, as far as the clock
 * is to be trusted, or when all of them take more than the size.  The newest
 * stays.  They leave one by one, the oldest first, each durably before the
 * next: so a crash never leaves a gap between those that are there.  Files
 * are not used again, for a reader may have them open.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_crc.h"
#include "ngx_msgbus_journal_index.h"
#include "ngx_msgbus_journal_keep.h"
#include "ngx_msgbus_journal_rule.h"


#define NGX_MSGBUS_JOURNAL_MAKE    "make-"

/* how far the clock may have been moved since the start, ms */
#define NGX_MSGBUS_JOURNAL_DRIFT   60000

/* what stands in the keepers' file */
#define NGX_MSGBUS_JOURNAL_KEEP        48
#define NGX_MSGBUS_JOURNAL_KEEP_MAGIC  "MSGBUSK\n"


static void ngx_msgbus_journal_keep_since(ngx_msgbus_journal_keeper_t *k);
static ngx_int_t ngx_msgbus_journal_keep(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_list_t *list);
static ngx_int_t ngx_msgbus_journal_keep_list(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_list_t *list);
static ngx_int_t ngx_msgbus_journal_remove(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_list_t *list);
static ngx_uint_t ngx_msgbus_journal_clock(ngx_msgbus_journal_keeper_t *k,
    uint64_t *now);
static ngx_int_t ngx_msgbus_journal_keep_index(
    ngx_msgbus_journal_keeper_t *k, ngx_msgbus_journal_list_t *list);
static ngx_int_t ngx_msgbus_journal_make_index(
    ngx_msgbus_journal_keeper_t *k, ngx_msgbus_journal_segment_t *seg,
    uint64_t end);
static void ngx_msgbus_journal_clean(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_list_t *list);
static void ngx_msgbus_journal_orphan(void *data, const char *name);
static ngx_int_t ngx_msgbus_journal_spare(ngx_msgbus_journal_keeper_t *k);


ngx_int_t
ngx_msgbus_journal_keeper_open(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_conf_t *conf, ngx_msgbus_disk_t *disk,
    uint64_t writer)
{
    ngx_memzero(k, sizeof(ngx_msgbus_journal_keeper_t));

    k->conf = *conf;
    k->disk = disk;
    k->writer = writer;
    k->keep_fd = -1;
    k->mark_fd = -1;
    k->spare_fd = -1;

    k->folder = disk->folder(disk->disk, conf->path);

    if (k->folder != -1) {
        k->keep_fd = disk->open(disk->disk, k->folder,
                                NGX_MSGBUS_JOURNAL_KEEP_FILE,
                                NGX_MSGBUS_DISK_CREATE);
        k->mark_fd = disk->open(disk->disk, k->folder,
                                NGX_MSGBUS_JOURNAL_MARK_FILE,
                                NGX_MSGBUS_DISK_CREATE);
    }

    if (k->keep_fd == -1 || k->mark_fd == -1
        || disk->boot(disk->disk, k->boot) != NGX_OK)
    {
        ngx_msgbus_journal_error(k->error, ngx_errno, "can not open",
                                 conf->path);
        return NGX_ERROR;
    }

    ngx_msgbus_journal_keep_since(k);

    return NGX_OK;
}


/*
 * Since when the clock is looked after: since the first keeper after a start
 * of nginx, for a reload, or another worker, is no reason to trust a clock
 * that was set.
 */
static void
ngx_msgbus_journal_keep_since(ngx_msgbus_journal_keeper_t *k)
{
    u_char  bytes[NGX_MSGBUS_JOURNAL_KEEP];

    if (k->disk->pread(k->disk->disk, k->keep_fd, bytes,
                       NGX_MSGBUS_JOURNAL_KEEP, 0)
        == NGX_MSGBUS_JOURNAL_KEEP
        && ngx_memcmp(bytes, NGX_MSGBUS_JOURNAL_KEEP_MAGIC, 8) == 0
        && ngx_memcmp(bytes + 16, k->boot, NGX_MSGBUS_JOURNAL_BOOT_LEN) == 0
        && ngx_msgbus_journal_get(bytes + 8, 4)
           == ngx_msgbus_journal_crc(0, bytes + 12,
                                     NGX_MSGBUS_JOURNAL_KEEP - 12))
    {
        k->wall = ngx_msgbus_journal_get(bytes + 32, 8);
        k->monotonic = ngx_msgbus_journal_get(bytes + 40, 8);

        return;
    }

    k->wall = k->disk->wall(k->disk->disk);
    k->monotonic = k->disk->monotonic(k->disk->disk);

    ngx_memcpy(bytes, NGX_MSGBUS_JOURNAL_KEEP_MAGIC, 8);
    ngx_msgbus_journal_put(bytes + 12, 4, NGX_MSGBUS_JOURNAL_VERSION);
    ngx_memcpy(bytes + 16, k->boot, NGX_MSGBUS_JOURNAL_BOOT_LEN);
    ngx_msgbus_journal_put(bytes + 32, 8, k->wall);
    ngx_msgbus_journal_put(bytes + 40, 8, k->monotonic);
    ngx_msgbus_journal_put(bytes + 8, 4,
                           ngx_msgbus_journal_crc(0, bytes + 12,
                               NGX_MSGBUS_JOURNAL_KEEP - 12));

    /* who can not write it knows it alone */

    (void) k->disk->pwrite(k->disk->disk, k->keep_fd, bytes,
                           NGX_MSGBUS_JOURNAL_KEEP, 0);
}


void
ngx_msgbus_journal_keeper_close(ngx_msgbus_journal_keeper_t *k)
{
    int         *fds[4];
    char         name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    ngx_uint_t   i;

    if (k->spare_fd != -1) {
        ngx_msgbus_journal_name_own(name, NGX_MSGBUS_JOURNAL_SPARE,
                                    k->writer);
        (void) k->disk->unlink(k->disk->disk, k->folder, name);
    }

    fds[0] = &k->spare_fd;
    fds[1] = &k->keep_fd;
    fds[2] = &k->mark_fd;
    fds[3] = &k->folder;

    for (i = 0; i < 4; i++) {

        if (*fds[i] != -1) {
            k->disk->close(k->disk->disk, *fds[i]);
            *fds[i] = -1;
        }
    }
}


ngx_int_t
ngx_msgbus_journal_keeper_turn(ngx_msgbus_journal_keeper_t *k)
{
    ngx_int_t                   rc;
    ngx_msgbus_journal_list_t   list;

    rc = k->disk->lock(k->disk->disk, k->keep_fd, NGX_MSGBUS_DISK_EXCLUSIVE);

    if (rc == NGX_ERROR) {
        ngx_msgbus_journal_error(k->error, ngx_errno, "can not lock",
                                 k->conf.path);
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        ngx_memzero(&list, sizeof(ngx_msgbus_journal_list_t));

        rc = ngx_msgbus_journal_keep(k, &list);

        ngx_msgbus_journal_list_free(&list);
        k->disk->unlock(k->disk->disk, k->keep_fd);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    if (ngx_msgbus_journal_spare(k) != NGX_OK) {
        return NGX_ERROR;
    }

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_msgbus_journal_keep(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_list_t *list)
{
    ngx_int_t  rc;

    rc = ngx_msgbus_journal_keep_list(k, list);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    ngx_msgbus_journal_clean(k, list);

    if (ngx_msgbus_journal_remove(k, list) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_msgbus_journal_keep_index(k, list);
}


/* the segments that writers have told of; NGX_DECLINED: not now */
static ngx_int_t
ngx_msgbus_journal_keep_list(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_list_t *list)
{
    ngx_int_t                  rc;
    ngx_msgbus_journal_mark_t  m;

    rc = ngx_msgbus_journal_mark_load(k->disk, k->mark_fd, &m);

    if (rc == NGX_ERROR) {
        ngx_msgbus_journal_error(k->error, ngx_errno, "can not read the mark "
                                 "of", k->conf.path);
        return NGX_ERROR;
    }

    if (rc != NGX_OK
        || (m.flags & NGX_MSGBUS_JOURNAL_DIRTY)
        || ngx_memcmp(m.boot, k->boot, NGX_MSGBUS_JOURNAL_BOOT_LEN) != 0)
    {
        return NGX_DECLINED;
    }

    rc = ngx_msgbus_journal_chain(k->disk, k->folder, list, k->error);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    /* a name that is not told of may be gone after a crash */

    while (list->n && list->elts[list->n - 1].sequence > m.segment) {
        list->n--;
    }

    return list->n && list->elts[list->n - 1].sequence == m.segment
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_msgbus_journal_remove(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_list_t *list)
{
    char                           name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    uint64_t                       now, bytes;
    ngx_uint_t                     i, n, old, sure;
    ngx_msgbus_journal_segment_t  *seg;

    bytes = 0;

    for (i = 0; i < list->n; i++) {
        bytes += list->elts[i].bytes;
    }

    sure = ngx_msgbus_journal_clock(k, &now);

    n = ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_NEWEST) ? 1 : 0;

    for (i = 0; i + n < list->n; i++) {
        seg = &list->elts[i];

        old = i + 1 < list->n && k->conf.ttl && now > k->conf.ttl
              && seg[1].header.created < now - k->conf.ttl;

        if (!(old && sure) && !(k->conf.size && bytes > k->conf.size)) {
            break;
        }

        /* the one before it, of whatever turn, is gone for good */

        if (ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_UNLINK)
            && k->disk->sync(k->disk->disk, k->folder) != NGX_OK)
        {
            ngx_msgbus_journal_error(k->error, ngx_errno, "can not sync",
                                     k->conf.path);
            return NGX_ERROR;
        }

        ngx_msgbus_journal_name(name, seg->sequence, seg->first_id);

        if (k->disk->unlink(k->disk->disk, k->folder, name) != NGX_OK) {
            ngx_msgbus_journal_error(k->error, ngx_errno, "can not remove",
                                     name);
            return NGX_ERROR;
        }

        k->removed++;

        if (!(old && sure)) {
            k->pressed++;
            k->dropped += seg->bytes;
        }

        bytes -= seg->bytes;
    }

    if (i) {
        list->n -= i;
        ngx_memmove(list->elts, list->elts + i,
                    list->n * sizeof(ngx_msgbus_journal_segment_t));
    }

    k->bytes = bytes;
    k->oldest = list->n ? list->elts[0].header.created : 0;

    return NGX_OK;
}


/* has the clock gone on as the machine's time has? */
static ngx_uint_t
ngx_msgbus_journal_clock(ngx_msgbus_journal_keeper_t *k, uint64_t *now)
{
    uint64_t  due;

    *now = k->disk->wall(k->disk->disk);

    due = k->wall
          + (k->disk->monotonic(k->disk->disk) - k->monotonic) / 1000;

    k->clock = *now > due + NGX_MSGBUS_JOURNAL_DRIFT
               || due > *now + NGX_MSGBUS_JOURNAL_DRIFT;

    return !k->clock || !ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_CLOCK);
}


/* one at a time */
static ngx_int_t
ngx_msgbus_journal_keep_index(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_list_t *list)
{
    ngx_uint_t  i;

    for (i = 0; i + 1 < list->n; i++) {

        if (list->elts[i].sequence <= k->indexed) {
            continue;
        }

        if (ngx_msgbus_journal_make_index(k, &list->elts[i],
                                          list->elts[i + 1].header.pred_end)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        k->indexed = list->elts[i].sequence;

        return i + 2 < list->n ? NGX_AGAIN : NGX_OK;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_journal_make_index(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_segment_t *seg, uint64_t end)
{
    int                           fd;
    char                          name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    ngx_int_t                     rc;
    ngx_uint_t                    damaged, bad, lacks;
    ngx_msgbus_journal_keys_t     keys;
    ngx_msgbus_journal_index_t    index;
    ngx_msgbus_journal_window_t   w;

    bad = 0;
    lacks = 0;

    fd = ngx_msgbus_journal_segment_open(k->disk, k->folder, seg,
                                         NGX_MSGBUS_DISK_WRITE, k->error,
                                         &damaged);
    if (fd == -1) {
        return NGX_ERROR;
    }

    rc = ngx_msgbus_journal_index_load(&index, k->disk, fd, &seg->header, end);

    if (rc == NGX_OK) {
        rc = ngx_msgbus_journal_index_whole(&index, k->disk, fd);
    }

    if (rc == NGX_OK) {
        rc = ngx_msgbus_journal_index_keys(&keys, k->disk, fd, &seg->header,
                                           end);
        if (rc == NGX_OK) {
            rc = ngx_msgbus_journal_keys_whole(&keys, k->disk, fd);
            ngx_msgbus_journal_keys_free(&keys);

        } else if (rc == NGX_DONE) {

            /* a version that knew of none has made the index */

            lacks = (seg->header.flags & NGX_MSGBUS_JOURNAL_KEYED) != 0;
            rc = lacks ? NGX_DECLINED : NGX_OK;
        }
    }

    if (rc == NGX_DECLINED) {

        ngx_msgbus_journal_index_free(&index);

        /* a file that has never had one has the size that it was made with */

        bad = seg->bytes != seg->header.size && !lacks;

        ngx_msgbus_journal_index_init(&index, &seg->header);
        index.keyed = 1;

        ngx_msgbus_journal_window_init(&w, k->disk, fd, end);

        rc = ngx_msgbus_journal_index_extend(&index, &w, end);

        ngx_msgbus_journal_window_free(&w);

        if (rc == NGX_OK) {
            rc = ngx_msgbus_journal_index_save(&index, k->disk, fd);
            k->made++;
            k->bad += bad;
        }
    }

    if (rc != NGX_OK) {
        ngx_msgbus_journal_name(name, seg->sequence, seg->first_id);

        if (rc == NGX_DECLINED) {
            ngx_msgbus_journal_error_at(k->error, index.end.offset, name);

        } else {
            ngx_msgbus_journal_error(k->error, ngx_errno, "can not index",
                                     name);
        }
    }

    ngx_msgbus_journal_index_free(&index);
    k->disk->close(k->disk->disk, fd);

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


/* what is there without being a part of it */
static void
ngx_msgbus_journal_clean(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_list_t *list)
{
    char                        name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    ngx_uint_t                  i, n;
    ngx_msgbus_journal_list_t   all;

    (void) k->disk->list(k->disk->disk, k->folder, ngx_msgbus_journal_orphan,
                         k);

    ngx_memzero(&all, sizeof(ngx_msgbus_journal_list_t));

    if (ngx_msgbus_journal_list(k->disk, k->folder, &all) == NGX_OK) {

        /* names that were got in a call that failed: between two others */

        n = 0;

        for (i = 0; i < all.n && n < list->n; i++) {

            if (all.elts[i].sequence == list->elts[n].sequence) {
                n++;

            } else if (n && all.elts[i].sequence < list->elts[n].sequence) {
                ngx_msgbus_journal_name(name, all.elts[i].sequence,
                                        all.elts[i].first_id);

                (void) k->disk->unlink(k->disk->disk, k->folder, name);
            }
        }
    }

    ngx_msgbus_journal_list_free(&all);
}


/* a file that was to be a segment, of a process that is gone */
static void
ngx_msgbus_journal_orphan(void *data, const char *name)
{
    ngx_msgbus_journal_keeper_t *k = data;

    int   fd;
    char  own[NGX_MSGBUS_JOURNAL_NAME_LEN];

    if (ngx_strncmp(name, NGX_MSGBUS_JOURNAL_NEW,
                    sizeof(NGX_MSGBUS_JOURNAL_NEW) - 1) != 0
        && ngx_strncmp(name, NGX_MSGBUS_JOURNAL_SPARE,
                       sizeof(NGX_MSGBUS_JOURNAL_SPARE) - 1) != 0
        && ngx_strncmp(name, NGX_MSGBUS_JOURNAL_MAKE,
                       sizeof(NGX_MSGBUS_JOURNAL_MAKE) - 1) != 0)
    {
        return;
    }

    ngx_msgbus_journal_name_own(own, NGX_MSGBUS_JOURNAL_SPARE, k->writer);

    if (ngx_strcmp(own, name) == 0) {
        return;
    }

    fd = k->disk->open(k->disk->disk, k->folder, name, NGX_MSGBUS_DISK_WRITE);

    if (fd == -1) {
        return;
    }

    if (k->disk->lock(k->disk->disk, fd, NGX_MSGBUS_DISK_EXCLUSIVE)
        == NGX_OK)
    {
        (void) k->disk->unlink(k->disk->disk, k->folder, name);
    }

    k->disk->close(k->disk->disk, fd);
}


static ngx_int_t
ngx_msgbus_journal_spare(ngx_msgbus_journal_keeper_t *k)
{
    int       fd;
    char      made[NGX_MSGBUS_JOURNAL_NAME_LEN];
    char      name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    uint64_t  size;

    ngx_msgbus_journal_name_own(name, NGX_MSGBUS_JOURNAL_SPARE, k->writer);

    fd = k->disk->open(k->disk->disk, k->folder, name, NGX_MSGBUS_DISK_READ);

    if (fd != -1) {
        k->disk->close(k->disk->disk, fd);
        return NGX_OK;
    }

    if (k->spare_fd != -1) {

        /* it has become a segment */

        k->disk->close(k->disk->disk, k->spare_fd);
        k->spare_fd = -1;
    }

    size = ngx_align(k->conf.segment, NGX_MSGBUS_JOURNAL_BLOCK);

    ngx_msgbus_journal_name_own(made, NGX_MSGBUS_JOURNAL_MAKE, k->writer);

    k->spare_fd = ngx_msgbus_journal_zeros(k->disk, k->folder, made, size,
                                           k->stop);

    if (k->spare_fd == -1
        || k->disk->rename(k->disk->disk, k->folder, made, name) != NGX_OK)
    {
        ngx_msgbus_journal_error(k->error, ngx_errno, "can not make a segment "
                                 "in", k->conf.path);
        (void) k->disk->unlink(k->disk->disk, k->folder, made);

        return NGX_ERROR;
    }

    return NGX_OK;
}
