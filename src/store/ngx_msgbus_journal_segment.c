
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The files of a journal's folder: which there are, what their headers say,
 * and how their bytes are read.
 *
 * A segment's file is named by its sequence and by the first id that can be
 * in it.  Where a segment ends is told by the header of its successor: so it
 * is cut, and what was wrong behind the cut is dead, in the moment in which
 * the successor gets its name.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_error.h"
#include "ngx_msgbus_journal_segment.h"


#define NGX_MSGBUS_JOURNAL_WINDOW    (256 * 1024)

#define NGX_MSGBUS_JOURNAL_SEQUENCE  10
#define NGX_MSGBUS_JOURNAL_ID        16


static void ngx_msgbus_journal_list_add(void *data, const char *name);
static int ngx_msgbus_journal_list_cmp(const void *one, const void *two);
static char *ngx_msgbus_journal_digits(char *p, ngx_uint_t width,
    uint64_t n);
static ngx_int_t ngx_msgbus_journal_number(const char *p, ngx_uint_t width,
    uint64_t *n);


int
ngx_msgbus_journal_folder_open(ngx_msgbus_disk_t *disk, const char *path,
    char *error)
{
    int          fd, folder;
    ngx_uint_t   i;

    static const char  *halves[] = { NGX_MSGBUS_JOURNAL_REPAIR_LEAVE,
                                     NGX_MSGBUS_JOURNAL_REPAIR_ENTER };

    folder = disk->folder(disk->disk, path);

    if (folder == -1) {
        ngx_msgbus_journal_error(error, ngx_errno, "can not open", path);
        return -1;
    }

    for (i = 0; i < 2; i++) {
        fd = disk->open(disk->disk, folder, halves[i], NGX_MSGBUS_DISK_READ);

        if (fd == -1 && ngx_errno == NGX_ENOENT) {
            continue;
        }

        if (fd == -1) {
            ngx_msgbus_journal_error(error, ngx_errno, "can not open",
                                     halves[i]);

        } else {
            disk->close(disk->disk, fd);
            ngx_msgbus_journal_error(error, 0, "a repair was not finished, "
                                     "run \"msgbus-journal repair\" again on",
                                     path);
        }

        disk->close(disk->disk, folder);

        return -1;
    }

    return folder;
}


ngx_int_t
ngx_msgbus_journal_list(ngx_msgbus_disk_t *disk, int folder,
    ngx_msgbus_journal_list_t *list)
{
    list->n = 0;
    list->failed = 0;

    if (disk->list(disk->disk, folder, ngx_msgbus_journal_list_add, list)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (list->failed) {
        ngx_set_errno(NGX_ENOMEM);
        return NGX_ERROR;
    }

    if (list->n > 1) {
        qsort(list->elts, list->n, sizeof(ngx_msgbus_journal_segment_t),
              ngx_msgbus_journal_list_cmp);
    }

    return NGX_OK;
}


static void
ngx_msgbus_journal_list_add(void *data, const char *name)
{
    ngx_msgbus_journal_list_t *list = data;

    size_t                         size;
    uint64_t                       sequence, first_id;
    ngx_msgbus_journal_segment_t  *elts;

    if (ngx_msgbus_journal_name_parse(name, &sequence, &first_id) != NGX_OK) {
        return;
    }

    if (list->n == list->size) {
        size = list->size ? 2 * list->size : 16;

        elts = realloc(list->elts,
                       size * sizeof(ngx_msgbus_journal_segment_t));
        if (elts == NULL) {
            list->failed = 1;
            return;
        }

        list->elts = elts;
        list->size = size;
    }

    ngx_memzero(&list->elts[list->n], sizeof(ngx_msgbus_journal_segment_t));

    list->elts[list->n].sequence = sequence;
    list->elts[list->n].first_id = first_id;
    list->n++;
}


static int
ngx_msgbus_journal_list_cmp(const void *one, const void *two)
{
    const ngx_msgbus_journal_segment_t *a = one;
    const ngx_msgbus_journal_segment_t *b = two;

    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}


void
ngx_msgbus_journal_list_free(ngx_msgbus_journal_list_t *list)
{
    ngx_free(list->elts);
    ngx_memzero(list, sizeof(ngx_msgbus_journal_list_t));
}


ngx_int_t
ngx_msgbus_journal_chain(ngx_msgbus_disk_t *disk, int folder,
    ngx_msgbus_journal_list_t *list, char *error)
{
    int                            fd;
    char                           name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    ngx_uint_t                     i, n, damaged;
    ngx_msgbus_journal_header_t   *h;
    ngx_msgbus_journal_segment_t  *elts, seg;

    if (ngx_msgbus_journal_list(disk, folder, list) != NGX_OK) {
        ngx_msgbus_journal_error(error, ngx_errno, "the folder can not be "
                                 "read", NULL);
        return NGX_ERROR;
    }

    for (i = 0; i < list->n; i++) {

        fd = ngx_msgbus_journal_segment_open(disk, folder, &list->elts[i],
                                             NGX_MSGBUS_DISK_READ, error,
                                             &damaged);
        if (fd == -1) {
            return damaged ? NGX_DECLINED : NGX_ERROR;
        }

        disk->close(disk->disk, fd);
    }

    /*
     * From the newest on, each names the one before it; what is between them
     * got its name in a call that failed, and is void.
     */

    elts = list->elts;
    n = list->n;
    i = list->n;

    while (i) {
        seg = elts[--i];
        elts[--n] = seg;
        h = &elts[n].header;

        while (i && elts[i - 1].sequence > h->pred) {
            i--;
        }

        if (i == 0) {
            break;
        }

        if (elts[i - 1].sequence != h->pred
            || h->pred_end < NGX_MSGBUS_JOURNAL_BLOCK
            || h->pred_end > elts[i - 1].header.size
            || h->last_id < elts[i - 1].header.last_id)
        {
            ngx_msgbus_journal_name(name, seg.sequence, seg.first_id);
            ngx_msgbus_journal_error(error, 0, "damaged, a segment is missing "
                                     "before", name);
            return NGX_DECLINED;
        }
    }

    if (n) {
        list->n -= n;
        ngx_memmove(elts, elts + n,
                    list->n * sizeof(ngx_msgbus_journal_segment_t));
    }

    return NGX_OK;
}


int
ngx_msgbus_journal_segment_open(ngx_msgbus_disk_t *disk, int folder,
    ngx_msgbus_journal_segment_t *seg, ngx_uint_t how, char *error,
    ngx_uint_t *damaged)
{
    int         fd;
    char        name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    u_char      bytes[NGX_MSGBUS_JOURNAL_HEADER];
    ssize_t     n;
    ngx_int_t   rc;

    *damaged = 0;

    ngx_msgbus_journal_name(name, seg->sequence, seg->first_id);

    fd = disk->open(disk->disk, folder, name, how);

    if (fd == -1) {
        ngx_msgbus_journal_error(error, ngx_errno, "can not open", name);
        return -1;
    }

    n = disk->pread(disk->disk, fd, bytes, NGX_MSGBUS_JOURNAL_HEADER, 0);

    if (n == -1
        || disk->size(disk->disk, fd, &seg->bytes) != NGX_OK)
    {
        ngx_msgbus_journal_error(error, ngx_errno, "can not read", name);
        goto failed;
    }

    if (n < NGX_MSGBUS_JOURNAL_HEADER) {
        rc = NGX_ERROR;

    } else {
        rc = ngx_msgbus_journal_header_read(&seg->header, bytes);
    }

    if (rc == NGX_DECLINED) {
        ngx_msgbus_journal_error(error, 0, "a later version has written",
                                 name);
        goto failed;
    }

    if (rc == NGX_ERROR
        || seg->header.sequence != seg->sequence
        || seg->header.last_id + 1 != seg->first_id
        || seg->header.size < NGX_MSGBUS_JOURNAL_BLOCK)
    {
        ngx_msgbus_journal_error(error, 0, "damaged, its header is bad:",
                                 name);
        *damaged = 1;
        goto failed;
    }

    return fd;

failed:

    disk->close(disk->disk, fd);

    return -1;
}


int
ngx_msgbus_journal_zeros(ngx_msgbus_disk_t *disk, int folder,
    const char *name, uint64_t size, ngx_uint_t *stop)
{
    int              fd;
    size_t           len;
    uint64_t         offset;
    ngx_err_t        err;

    static u_char    zeros[NGX_MSGBUS_JOURNAL_WINDOW];

    fd = disk->open(disk->disk, folder, name, NGX_MSGBUS_DISK_NEW);

    if (fd == -1) {
        return -1;
    }

    if (disk->lock(disk->disk, fd, NGX_MSGBUS_DISK_EXCLUSIVE) != NGX_OK) {
        goto failed;
    }

    /*
     * Reserved, so that a disk that is full says so before anything is
     * written; and then written, for the first write to a reserved block costs
     * a commit another flush.
     */

    if (disk->allocate(disk->disk, fd, size) == NGX_ERROR) {
        goto failed;
    }

    for (offset = 0; offset < size; offset += len) {
        len = (size_t) ngx_min(size - offset, NGX_MSGBUS_JOURNAL_WINDOW);

        if (stop && __atomic_load_n(stop, __ATOMIC_RELAXED)) {
            ngx_set_errno(NGX_ECANCELED);
            goto failed;
        }

        if (disk->pwrite(disk->disk, fd, zeros, len, offset) != NGX_OK) {
            goto failed;
        }
    }

    if (disk->sync(disk->disk, fd) != NGX_OK) {
        goto failed;
    }

    return fd;

failed:

    err = ngx_errno;

    disk->close(disk->disk, fd);
    (void) disk->unlink(disk->disk, folder, name);

    ngx_set_errno(err);

    return -1;
}


void
ngx_msgbus_journal_name(char *name, uint64_t sequence, uint64_t first_id)
{
    name = ngx_msgbus_journal_digits(name, NGX_MSGBUS_JOURNAL_SEQUENCE,
                                     sequence);
    *name++ = '-';
    name = ngx_msgbus_journal_digits(name, NGX_MSGBUS_JOURNAL_ID, first_id);

    ngx_memcpy(name, NGX_MSGBUS_JOURNAL_SUFFIX,
               sizeof(NGX_MSGBUS_JOURNAL_SUFFIX));
}


ngx_int_t
ngx_msgbus_journal_name_parse(const char *name, uint64_t *sequence,
    uint64_t *first_id)
{
    if (ngx_strlen(name) != NGX_MSGBUS_JOURNAL_SEQUENCE + 1
                            + NGX_MSGBUS_JOURNAL_ID
                            + sizeof(NGX_MSGBUS_JOURNAL_SUFFIX) - 1
        || name[NGX_MSGBUS_JOURNAL_SEQUENCE] != '-'
        || ngx_strcmp(name + NGX_MSGBUS_JOURNAL_SEQUENCE + 1
                      + NGX_MSGBUS_JOURNAL_ID, NGX_MSGBUS_JOURNAL_SUFFIX)
           != 0
        || ngx_msgbus_journal_number(name, NGX_MSGBUS_JOURNAL_SEQUENCE,
                                     sequence)
           != NGX_OK
        || ngx_msgbus_journal_number(name + NGX_MSGBUS_JOURNAL_SEQUENCE + 1,
                                     NGX_MSGBUS_JOURNAL_ID, first_id)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_msgbus_journal_name_own(char *name, const char *prefix, uint64_t writer)
{
    size_t               len;
    ngx_uint_t           i;

    static const char    hex[] = "0123456789abcdef";

    len = ngx_strlen(prefix);
    ngx_memcpy(name, prefix, len);

    for (i = 0; i < 16; i++) {
        name[len + i] = hex[(writer >> (60 - 4 * i)) & 15];
    }

    name[len + 16] = '\0';
}


static char *
ngx_msgbus_journal_digits(char *p, ngx_uint_t width, uint64_t n)
{
    ngx_uint_t  i;

    for (i = width; i; i--) {
        p[i - 1] = (char) ('0' + n % 10);
        n /= 10;
    }

    return p + width;
}


static ngx_int_t
ngx_msgbus_journal_number(const char *p, ngx_uint_t width, uint64_t *n)
{
    ngx_uint_t  i;

    *n = 0;

    for (i = 0; i < width; i++) {

        if (p[i] < '0' || p[i] > '9') {
            return NGX_ERROR;
        }

        *n = *n * 10 + (uint64_t) (p[i] - '0');
    }

    return NGX_OK;
}


void
ngx_msgbus_journal_window_init(ngx_msgbus_journal_window_t *w,
    ngx_msgbus_disk_t *disk, int fd, uint64_t end)
{
    ngx_memzero(w, sizeof(ngx_msgbus_journal_window_t));

    w->disk = disk;
    w->fd = fd;
    w->end = end;
}


void
ngx_msgbus_journal_window_free(ngx_msgbus_journal_window_t *w)
{
    ngx_free(w->bytes);
    w->bytes = NULL;
    w->size = 0;
    w->len = 0;
}


u_char *
ngx_msgbus_journal_window_at(ngx_msgbus_journal_window_t *w, uint64_t offset,
    size_t len)
{
    size_t    size;
    u_char   *p;
    ssize_t   n;
    uint64_t  left;

    if (offset >= w->offset && offset + len <= w->offset + w->len) {
        return w->bytes + (offset - w->offset);
    }

    if (offset > w->end || w->end - offset < len) {
        return NULL;
    }

    size = ngx_max(len, ngx_min(NGX_MSGBUS_JOURNAL_WINDOW,
                                w->end - NGX_MSGBUS_JOURNAL_BLOCK));

    if (size > w->size) {
        p = realloc(w->bytes, size);
        if (p == NULL) {
            w->err = NGX_ENOMEM;
            return NULL;
        }

        w->bytes = p;
        w->size = size;
    }

    left = w->end - offset;

    n = w->disk->pread(w->disk->disk, w->fd, w->bytes,
                       (size_t) ngx_min(left, w->size), offset);

    if (n == -1) {
        w->err = ngx_errno;
        w->len = 0;
        return NULL;
    }

    w->offset = offset;
    w->len = (size_t) n;

    return w->len >= len ? w->bytes : NULL;
}


ngx_int_t
ngx_msgbus_journal_window_frame(ngx_msgbus_journal_window_t *w,
    ngx_msgbus_journal_frame_t *f, uint64_t salt, uint64_t offset)
{
    u_char     *p;
    size_t      len;
    ngx_int_t   rc;

    len = NGX_MSGBUS_JOURNAL_FRAME;

    for ( ;; ) {
        p = ngx_msgbus_journal_window_at(w, offset, len);

        if (p == NULL) {

            /* so close to the end that there is no room for a header */

            return len == NGX_MSGBUS_JOURNAL_FRAME && w->err == 0
                   ? NGX_DONE : NGX_ERROR;
        }

        len = w->len - (size_t) (p - w->bytes);

        rc = ngx_msgbus_journal_frame_read(f, p, len, salt, offset);

        if (rc != NGX_AGAIN) {
            return rc;
        }

        len = f->length;
    }
}
