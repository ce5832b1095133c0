
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A new segment: the old one is full, or is not to be appended to any more.
 *
 * It gets all that is to stand in it from the start while it has another
 * name, and is synced; then it gets its name, and the folder is synced; only
 * then is it told of.  So in a crash it is there with all of it, or not at
 * all, and what its header says of the segment before it is true from the
 * same moment on.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_journal_rule.h"


/* what a new segment is to be, until it has its name */
typedef struct {
    int                          fd;
    char                         made[NGX_MSGBUS_JOURNAL_NAME_LEN];
    char                         name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    ngx_msgbus_journal_header_t  header;
    u_char                      *bytes;     /* from the file's start on */
    size_t                       len;
    ngx_msgbus_journal_place_t   kept;
    ngx_msgbus_journal_place_t   at;
} ngx_msgbus_journal_new_t;


static ngx_int_t ngx_msgbus_journal_new_bytes(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n, ngx_msgbus_journal_place_t *cut,
    uint64_t base, ngx_uint_t type);
static ngx_int_t ngx_msgbus_journal_new_header(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n, ngx_msgbus_journal_place_t *cut);
static ngx_int_t ngx_msgbus_journal_new_sequence(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n);
static void ngx_msgbus_journal_new_frame(ngx_msgbus_journal_new_t *n,
    ngx_msgbus_journal_frame_t *f);
static ngx_int_t ngx_msgbus_journal_new_file(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n);
static ngx_int_t ngx_msgbus_journal_new_name(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n);
static void ngx_msgbus_journal_new_use(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n);


ngx_int_t
ngx_msgbus_journal_move(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_place_t *cut, uint64_t base, ngx_uint_t type)
{
    ngx_int_t                 rc;
    ngx_msgbus_journal_new_t  n;

    ngx_memzero(&n, sizeof(ngx_msgbus_journal_new_t));

    n.fd = -1;

    rc = ngx_msgbus_journal_new_bytes(j, &n, cut, base, type);

    if (rc == NGX_OK) {
        rc = ngx_msgbus_journal_new_file(j, &n);
    }

    if (rc == NGX_OK) {
        rc = ngx_msgbus_journal_new_name(j, &n);
    }

    if (rc == NGX_OK) {
        ngx_msgbus_journal_new_use(j, &n);

        if (ngx_msgbus_journal_publish(j, 0) != NGX_OK) {

            /* others take it for half done, and so do we: all is there */

            j->known = 0;
            rc = NGX_ERROR;
        }

    } else if (n.fd != -1) {
        j->disk->close(j->disk->disk, n.fd);
    }

    ngx_free(n.bytes);

    return rc;
}


/* header, what is kept from the cut on, and a frame that skips ids */
static ngx_int_t
ngx_msgbus_journal_new_bytes(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n, ngx_msgbus_journal_place_t *cut,
    uint64_t base, ngx_uint_t type)
{
    size_t                       left;
    u_char                      *p;
    ngx_int_t                    rc;
    ngx_uint_t                   stopped;
    ngx_msgbus_journal_frame_t   f;

    left = (size_t) (j->at.offset - cut->offset);
    stopped = 0;

    n->len = NGX_MSGBUS_JOURNAL_BLOCK + left + NGX_MSGBUS_JOURNAL_FRAME;

    n->bytes = calloc(1, n->len);
    if (n->bytes == NULL) {
        ngx_msgbus_journal_error(j->error, 0, "no memory for a segment", NULL);
        return NGX_ERROR;
    }

    if (ngx_msgbus_journal_new_header(j, n, cut) != NGX_OK) {
        return NGX_ERROR;
    }

    n->at = *cut;
    n->at.offset = NGX_MSGBUS_JOURNAL_BLOCK;
    n->kept = n->at;

    p = j->bytes + j->start + (size_t) (cut->offset - j->kept.offset);

    while (left) {

        /* they were good when they were kept; they are checked once more */

        rc = ngx_msgbus_journal_frame_read(&f, p, left, j->header.salt,
                                           j->at.offset - left);

        if (rc != NGX_OK) {
            ngx_msgbus_journal_error(j->error, 0, "what is kept is not what "
                                     "was written", NULL);
            return NGX_ERROR;
        }

        ngx_memcpy(n->bytes + n->at.offset, p, f.length);
        ngx_msgbus_journal_new_frame(n, &f);

        p += f.length;
        left -= f.length;

        stopped = f.type == NGX_MSGBUS_JOURNAL_STOP;
    }

    if (stopped && base == 0) {

        /* whoever moves it goes on: it is no clean stop any more */

        base = n->at.id + 1;
        type = NGX_MSGBUS_JOURNAL_NOTE;
    }

    if (base) {
        ngx_memzero(&f, sizeof(ngx_msgbus_journal_frame_t));

        f.length = NGX_MSGBUS_JOURNAL_FRAME;
        f.type = (uint16_t) type;
        f.sequence = n->at.frame + 1;
        f.first_id = base;
        f.last_id = base - 1;
        f.prev_id = n->at.id;
        f.durable = n->at.frame;
        f.created = n->at.created;

        ngx_msgbus_journal_new_frame(n, &f);
    }

    n->len = (size_t) n->at.offset;

    n->header.durable = n->at.frame;
    n->header.mark = ngx_max(j->ids, n->at.id + NGX_MSGBUS_JOURNAL_AHEAD);

    ngx_msgbus_journal_header_write(&n->header, n->bytes);

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_journal_new_header(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n, ngx_msgbus_journal_place_t *cut)
{
    ngx_msgbus_journal_header_t  *h;

    h = &n->header;

    if (j->disk->random(j->disk->disk, &h->salt, sizeof(uint64_t)) != NGX_OK) {
        ngx_msgbus_journal_error(j->error, ngx_errno, "no random bytes", NULL);
        return NGX_ERROR;
    }

    /* room for the batch that is on its way, whatever comes with it */

    h->size = ngx_max(ngx_align(j->conf.segment, NGX_MSGBUS_JOURNAL_BLOCK),
                      ngx_align(n->len + j->want
                                + 2 * NGX_MSGBUS_JOURNAL_FRAME,
                                NGX_MSGBUS_JOURNAL_BLOCK));

    h->pred = j->header.sequence;
    h->sequence = h->pred + 1 + j->voided;
    h->pred_end = cut->offset;
    h->last_frame = cut->frame;
    h->last_id = cut->id;
    h->created = cut->created;
    h->made = j->disk->wall(j->disk->disk);
    h->flags = NGX_MSGBUS_JOURNAL_KEYED
               | (j->conf.sync ? NGX_MSGBUS_JOURNAL_LAZY : 0);
    ngx_memcpy(h->boot, j->boot, NGX_MSGBUS_JOURNAL_BOOT_LEN);

    return j->mark.flags & NGX_MSGBUS_JOURNAL_DIRTY
           ? ngx_msgbus_journal_new_sequence(j, n) : NGX_OK;
}


/*
 * Others may have failed, too, since the mark says that something is half
 * done, and what they named may still be there: no number is used twice.
 */
static ngx_int_t
ngx_msgbus_journal_new_sequence(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n)
{
    ngx_int_t                  rc;
    ngx_msgbus_journal_list_t  list;

    ngx_memzero(&list, sizeof(ngx_msgbus_journal_list_t));

    rc = ngx_msgbus_journal_list(j->disk, j->folder, &list);

    if (rc != NGX_OK) {
        ngx_msgbus_journal_error(j->error, ngx_errno, "can not read",
                                 j->conf.path);

    } else if (list.n) {
        n->header.sequence = ngx_max(n->header.sequence,
                                     list.elts[list.n - 1].sequence + 1);
    }

    ngx_msgbus_journal_list_free(&list);

    return rc;
}


static void
ngx_msgbus_journal_new_frame(ngx_msgbus_journal_new_t *n,
    ngx_msgbus_journal_frame_t *f)
{
    ngx_msgbus_journal_frame_seal(f, n->bytes + n->at.offset, n->header.salt,
                                  n->at.offset);

    n->at.offset += f->length;
    n->at.frame = f->sequence;
    n->at.id = f->last_id;
    n->at.created = f->created;
}


/* a file of zeros, made ahead or now, gets its bytes */
static ngx_int_t
ngx_msgbus_journal_new_file(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n)
{
    uint64_t  size;

    ngx_msgbus_journal_name_own(n->made, NGX_MSGBUS_JOURNAL_SPARE, j->writer);

    n->fd = j->disk->open(j->disk->disk, j->folder, n->made,
                          NGX_MSGBUS_DISK_WRITE);

    if (n->fd != -1) {

        if (j->disk->size(j->disk->disk, n->fd, &size) == NGX_OK
            && size == n->header.size)
        {
            goto ready;
        }

        /* another size is asked for */

        j->disk->close(j->disk->disk, n->fd);
        n->fd = -1;
    }

    ngx_msgbus_journal_name_own(n->made, NGX_MSGBUS_JOURNAL_NEW, j->writer);

    (void) j->disk->unlink(j->disk->disk, j->folder, n->made);

    n->fd = ngx_msgbus_journal_zeros(j->disk, j->folder, n->made,
                                     n->header.size, NULL);

    if (n->fd == -1) {
        ngx_msgbus_journal_error(j->error, ngx_errno, "can not make a segment "
                                 "in", j->conf.path);
        return NGX_ERROR;
    }

ready:

    if (j->disk->pwrite(j->disk->disk, n->fd, n->bytes, n->len, 0) == NGX_OK
        && (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_FILE_SYNC)
            || j->disk->sync(j->disk->disk, n->fd) == NGX_OK))
    {
        return NGX_OK;
    }

    ngx_msgbus_journal_error(j->error, ngx_errno, "can not write a segment in",
                             j->conf.path);

    /* a failed sync is not tried again on this file */

    (void) j->disk->unlink(j->disk->disk, j->folder, n->made);

    return NGX_ERROR;
}


static ngx_int_t
ngx_msgbus_journal_new_name(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n)
{
    ngx_msgbus_journal_name(n->name, n->header.sequence,
                            n->header.last_id + 1);

    /* who dies in here leaves a folder that must be looked at */

    if (!(j->mark.flags & NGX_MSGBUS_JOURNAL_DIRTY)
        && ngx_msgbus_journal_publish(j, NGX_MSGBUS_JOURNAL_DIRTY) != NGX_OK)
    {
        (void) j->disk->unlink(j->disk->disk, j->folder, n->made);
        return NGX_ERROR;
    }

    /* from here on only recovery knows which segments there are */

    if (j->disk->rename(j->disk->disk, j->folder, n->made, n->name) == NGX_OK
        && (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_FOLDER)
            || j->disk->sync(j->disk->disk, j->folder) == NGX_OK))
    {
        return NGX_OK;
    }

    ngx_msgbus_journal_error(j->error, ngx_errno, "can not name a segment in",
                             j->conf.path);

    /*
     * It may come back in a crash, and the old one end there: so nothing is
     * appended to that any more.
     */

    j->failed = 1;
    j->voided++;

    (void) j->disk->unlink(j->disk->disk, j->folder, n->name);
    (void) j->disk->unlink(j->disk->disk, j->folder, n->made);

    return NGX_ERROR;
}


static void
ngx_msgbus_journal_new_use(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_new_t *n)
{
    if (j->fd != -1) {
        j->disk->close(j->disk->disk, j->fd);
    }

    /* its lock was a sign of life for a file without a name */

    j->disk->unlock(j->disk->disk, n->fd);

    j->fd = n->fd;
    j->header = n->header;
    j->at = n->at;
    j->durable = n->at;
    j->kept = n->kept;
    j->ids = n->header.mark;
    j->durable_ids = n->header.mark;
    j->failed = 0;
    j->lost = 0;
    j->copied &= j->bare;
    j->voided = 0;
    j->synced = j->disk->monotonic(j->disk->disk);
    j->segments++;

    /* what is kept takes the place of what was */

    ngx_free(j->bytes);

    j->bytes = n->bytes;
    j->size = n->len;
    j->start = NGX_MSGBUS_JOURNAL_BLOCK;

    n->bytes = NULL;

    ngx_msgbus_journal_trim(j);
}


u_char *
ngx_msgbus_journal_room(ngx_msgbus_journal_t *j, size_t len)
{
    size_t   kept, size;
    u_char  *p;

    kept = ngx_msgbus_journal_kept(j);

    if (j->bytes && j->size - j->start - kept >= len) {
        return j->bytes + j->start + kept;
    }

    if (j->bytes && j->size >= 2 * (kept + len)) {
        ngx_memmove(j->bytes, j->bytes + j->start, kept);
        j->start = 0;

        return j->bytes + kept;
    }

    size = ngx_max(4 * (kept + len), 4 * NGX_MSGBUS_JOURNAL_BLOCK);

    p = malloc(size);
    if (p == NULL) {
        return NULL;
    }

    if (kept) {
        ngx_memcpy(p, j->bytes + j->start, kept);
    }

    ngx_free(j->bytes);

    j->bytes = p;
    j->size = size;
    j->start = 0;

    return p + kept;
}


/* whole frames, from the one that stands where the block begins */
void
ngx_msgbus_journal_trim(ngx_msgbus_journal_t *j)
{
    u_char                      *p;
    uint64_t                     block;
    ngx_msgbus_journal_frame_t   f;

    block = j->at.offset - j->at.offset % NGX_MSGBUS_JOURNAL_BLOCK;

    while (j->kept.offset < j->at.offset) {

        p = j->bytes + j->start;

        f.length = (uint32_t) ngx_msgbus_journal_get(p + 4, 4);

        if (j->kept.offset + f.length > block) {
            return;
        }

        /* it was checked when it was kept, or we have written it */

        (void) ngx_msgbus_journal_frame_last(&f, p);

        j->start += f.length;

        j->kept.offset += f.length;
        j->kept.frame = f.sequence;
        j->kept.id = f.last_id;
        j->kept.created = f.created;
    }
}
