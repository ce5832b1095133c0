
/*
 * Copyright (C) the msgbus authors
 */


/*
 * How events get into a journal: one write and one sync for a batch.
 *
 * What a failed sync leaves of a file is believed by nobody: all that was not
 * durable before, and what stood in the same block, goes to a new file.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_journal_rule.h"


/* 2012-01-01 00:00:00 UTC, ms */
#define NGX_MSGBUS_JOURNAL_EPOCH      1325376000000


static ngx_int_t ngx_msgbus_journal_weigh(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_event_t *events, ngx_uint_t n,
    ngx_msgbus_journal_frame_t *f, ngx_uint_t *keyed);
static ngx_int_t ngx_msgbus_journal_prepare(ngx_msgbus_journal_t *j,
    size_t len, uint64_t last_id, ngx_uint_t keyed);
static ngx_uint_t ngx_msgbus_journal_lacks(ngx_msgbus_journal_t *j,
    size_t len, ngx_uint_t keyed);
static ngx_int_t ngx_msgbus_journal_append(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_frame_t *f, ngx_msgbus_journal_event_t *events);


ngx_int_t
ngx_msgbus_journal_open(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_conf_t *conf, ngx_msgbus_disk_t *disk)
{
    uint64_t  changed;

    ngx_memzero(j, sizeof(ngx_msgbus_journal_t));

    j->conf = *conf;
    j->disk = disk;
    j->folder = -1;
    j->lock_fd = -1;
    j->turn_fd = -1;
    j->nodes_fd = -1;
    j->fd = -1;

    if (disk->boot(disk->disk, j->boot) != NGX_OK
        || disk->random(disk->disk, &j->writer, sizeof(uint64_t)) != NGX_OK)
    {
        ngx_msgbus_journal_error(j->error, ngx_errno, "the system does not "
                                 "tell its boot, or random bytes", NULL);
        return NGX_ERROR;
    }

    j->folder = ngx_msgbus_journal_folder_open(disk, conf->path, j->error);

    if (j->folder == -1) {
        return NGX_ERROR;
    }

    j->lock_fd = disk->open(disk->disk, j->folder, NGX_MSGBUS_JOURNAL_MARK_FILE,
                            NGX_MSGBUS_DISK_CREATE);
    j->turn_fd = disk->open(disk->disk, j->folder, NGX_MSGBUS_JOURNAL_TURN_FILE,
                            NGX_MSGBUS_DISK_CREATE);
    j->nodes_fd = disk->open(disk->disk, j->folder,
                             NGX_MSGBUS_JOURNAL_NODES_FILE,
                             NGX_MSGBUS_DISK_CREATE);

    if (j->lock_fd == -1 || j->turn_fd == -1 || j->nodes_fd == -1) {
        ngx_msgbus_journal_error(j->error, ngx_errno, "can not open files in",
                                 conf->path);
        return NGX_ERROR;
    }

    if (disk->which(disk->disk, j->lock_fd, &j->self, &changed) != NGX_OK) {
        j->self = 0;
    }

    return ngx_msgbus_journal_join(j);
}


void
ngx_msgbus_journal_close(ngx_msgbus_journal_t *j)
{
    int         *fds[5];
    ngx_uint_t   i;

    fds[0] = &j->fd;
    fds[1] = &j->lock_fd;
    fds[2] = &j->turn_fd;
    fds[3] = &j->nodes_fd;
    fds[4] = &j->folder;

    for (i = 0; i < 5; i++) {

        if (*fds[i] != -1) {
            j->disk->close(j->disk->disk, *fds[i]);
            *fds[i] = -1;
        }
    }

    ngx_free(j->bytes);

    j->bytes = NULL;
    j->size = 0;
    j->known = 0;
}


ngx_int_t
ngx_msgbus_journal_insert(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_event_t *events, ngx_uint_t n)
{
    ngx_int_t                   rc;
    ngx_uint_t                  keyed;
    ngx_msgbus_journal_frame_t  f;

    rc = ngx_msgbus_journal_enter(j);

    if (rc != NGX_OK) {
        return NGX_ABORT;
    }

    if (events[0].id <= j->at.id
        || (j->expects && j->expects != j->at.id))
    {
        (void) ngx_msgbus_journal_leave(j);
        return NGX_DECLINED;
    }

    if (ngx_msgbus_journal_weigh(j, events, n, &f, &keyed) != NGX_OK) {
        (void) ngx_msgbus_journal_leave(j);
        return NGX_ABORT;
    }

    rc = ngx_msgbus_journal_prepare(j, f.length, f.last_id, keyed);
    j->want = 0;

    if (rc != NGX_OK) {
        (void) ngx_msgbus_journal_leave(j);
        return NGX_ABORT;
    }

    rc = ngx_msgbus_journal_append(j, &f, events);

    if (rc == NGX_DECLINED) {
        (void) ngx_msgbus_journal_leave(j);
        return NGX_ABORT;
    }

    if (rc == NGX_OK
        && (j->conf.sync == 0
            || (j->conf.sync != NGX_MSGBUS_JOURNAL_NEVER
                && j->disk->monotonic(j->disk->disk) - j->synced
                   >= j->conf.sync)
            || j->at.offset - j->durable.offset > j->conf.unsynced)
        && ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_SYNC))
    {
        rc = ngx_msgbus_journal_sync(j);

    } else if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_SYNC)) {
        j->durable = j->at;
        j->durable_ids = j->ids;
    }

    if (rc == NGX_OK
        && ngx_msgbus_journal_publish(j, 0) != NGX_OK
        && j->at.offset != j->durable.offset)
    {
        /* who comes after us would not know that it was written at all */

        rc = ngx_msgbus_journal_sync(j);
    }

    if (rc != NGX_OK) {
        rc = ngx_msgbus_journal_heal(j);
    }

    if (ngx_msgbus_journal_leave(j) != NGX_OK) {

        /* nobody is told of what is in memory alone */

        rc = NGX_ERROR;
    }

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


/* what a frame of events will be; NGX_OK, NGX_ERROR: too much */
static ngx_int_t
ngx_msgbus_journal_weigh(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_event_t *events, ngx_uint_t n,
    ngx_msgbus_journal_frame_t *f, ngx_uint_t *keyed)
{
    size_t      len;
    uint64_t    created;
    ngx_uint_t  i;

    len = NGX_MSGBUS_JOURNAL_FRAME;
    created = j->at.created;
    *keyed = 0;

    for (i = 0; i < n; i++) {
        created = ngx_max(created, events[i].created);
        events[i].created = created;

        len += ngx_msgbus_journal_record_len(&events[i]);
        *keyed |= events[i].fields.len != 0;
    }

    if (len > NGX_MSGBUS_JOURNAL_MAX_FRAME) {
        ngx_msgbus_journal_error(j->error, 0, "a batch is larger than a frame "
                                 "can be", NULL);
        return NGX_ERROR;
    }

    ngx_memzero(f, sizeof(ngx_msgbus_journal_frame_t));

    f->type = NGX_MSGBUS_JOURNAL_EVENTS;
    f->length = (uint32_t) len;
    f->count = (uint32_t) n;
    f->first_id = events[0].id;
    f->last_id = events[n - 1].id;
    f->created = created;

    return NGX_OK;
}


/* a segment with room, and ids that may be given out; nothing has begun yet */
static ngx_int_t
ngx_msgbus_journal_prepare(ngx_msgbus_journal_t *j, size_t len,
    uint64_t last_id, ngx_uint_t keyed)
{
    ngx_int_t  rc;

    /* and of a frame that marks a stop, or ids */

    len += 2 * NGX_MSGBUS_JOURNAL_FRAME;

    /* whatever segment is begun on the way has room for it */

    j->want = len;

    if (ngx_msgbus_journal_lacks(j, len, keyed)) {

        if (j->at.offset != j->durable.offset
            && ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_LAST))
        {
            rc = ngx_msgbus_journal_sync(j);

            if (rc == NGX_OK) {
                (void) ngx_msgbus_journal_publish(j, 0);

            } else {

                /* what others were told of goes first */

                rc = ngx_msgbus_journal_heal(j);
            }

            if (rc != NGX_OK) {
                return NGX_ERROR;
            }
        }

        if (ngx_msgbus_journal_lacks(j, len, keyed)) {
            rc = ngx_msgbus_journal_move(j, &j->at, 0, 0);

            if (rc != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_AHEAD)) {
        return NGX_OK;
    }

    if (last_id + NGX_MSGBUS_JOURNAL_AHEAD / 2 > j->ids) {
        j->ids = last_id + NGX_MSGBUS_JOURNAL_AHEAD;
    }

    if (last_id <= j->durable_ids) {
        return NGX_OK;
    }

    rc = ngx_msgbus_journal_note(j, NGX_MSGBUS_JOURNAL_NOTE);

    if (rc == NGX_OK) {
        rc = ngx_msgbus_journal_sync(j);
    }

    if (rc == NGX_OK) {
        (void) ngx_msgbus_journal_publish(j, 0);
        return NGX_OK;
    }

    return rc == NGX_ERROR ? ngx_msgbus_journal_heal(j) : NGX_ERROR;
}


/*
 * Is another segment needed?  One that a version has begun which knew of no
 * keys is not looked through for any.
 */
static ngx_uint_t
ngx_msgbus_journal_lacks(ngx_msgbus_journal_t *j, size_t len,
    ngx_uint_t keyed)
{
    return j->header.size - j->at.offset < len
           || (keyed && !(j->header.flags & NGX_MSGBUS_JOURNAL_KEYED));
}


/*
 * Writes a frame: NGX_OK; NGX_ERROR, and the file is not to be trusted;
 * NGX_DECLINED: nothing has begun.  length, type, count, ids of
 * its events and created are set.
 */
static ngx_int_t
ngx_msgbus_journal_append(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_frame_t *f, ngx_msgbus_journal_event_t *events)
{
    u_char      *bytes, *p;
    ngx_int_t    rc;
    ngx_uint_t   i;

    bytes = ngx_msgbus_journal_room(j, f->length);

    if (bytes == NULL) {
        ngx_msgbus_journal_error(j->error, 0, "no memory for a batch", NULL);
        return NGX_DECLINED;
    }

    p = bytes + NGX_MSGBUS_JOURNAL_FRAME;

    for (i = 0; i < f->count; i++) {
        p = ngx_msgbus_journal_record_write(&events[i], p);
    }

    /* who comes after us knows that these ids may have been on their way */

    j->begins = 1;
    rc = ngx_msgbus_journal_publish(j, 0);
    j->begins = 0;

    if (rc != NGX_OK) {
        return NGX_DECLINED;
    }

    f->sequence = j->at.frame + 1;
    f->prev_id = j->at.id;
    f->durable = j->durable.frame;
    f->mark = j->ids;

    ngx_msgbus_journal_frame_seal(f, bytes, j->header.salt, j->at.offset);

    rc = j->disk->pwrite(j->disk->disk, j->fd, bytes, f->length,
                         j->at.offset);

    if (rc != NGX_OK) {
        ngx_msgbus_journal_error(j->error, ngx_errno, "a write failed in",
                                 j->conf.path);
        j->failed = 1;
    }

    /* begun is begun: from here on it goes wherever the others go */

    j->at.offset += f->length;
    j->at.frame = f->sequence;
    j->at.id = f->last_id;
    j->at.created = f->created;

    return rc;
}


/* a frame without events; as append() */
ngx_int_t
ngx_msgbus_journal_note(ngx_msgbus_journal_t *j, ngx_uint_t type)
{
    ngx_msgbus_journal_frame_t  f;

    ngx_memzero(&f, sizeof(ngx_msgbus_journal_frame_t));

    f.type = (uint16_t) type;
    f.length = NGX_MSGBUS_JOURNAL_FRAME;
    f.first_id = j->at.id + 1;
    f.last_id = j->at.id;
    f.created = j->at.created;

    return ngx_msgbus_journal_append(j, &f, NULL);
}


ngx_int_t
ngx_msgbus_journal_sync(ngx_msgbus_journal_t *j)
{
    ngx_int_t  rc;

    rc = j->disk->datasync(j->disk->disk, j->fd);

    if (rc != NGX_OK
        && !ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_FAILED))
    {
        rc = j->disk->datasync(j->disk->disk, j->fd);
    }

    if (rc != NGX_OK) {
        ngx_msgbus_journal_error(j->error, ngx_errno, "a sync failed in",
                                 j->conf.path);
        j->failed = 1;

        return NGX_ERROR;
    }

    j->durable = j->at;
    j->durable_ids = j->ids;
    j->synced = j->disk->monotonic(j->disk->disk);

    ngx_msgbus_journal_trim(j);

    return NGX_OK;
}


/* after a failure: what is kept, which is all that is sure, to a new file */
ngx_int_t
ngx_msgbus_journal_heal(ngx_msgbus_journal_t *j)
{
    ngx_int_t  rc;

    /* should we die before it is done, others look at each frame */

    if (!(j->mark.flags & NGX_MSGBUS_JOURNAL_DIRTY)) {
        (void) ngx_msgbus_journal_publish(j, NGX_MSGBUS_JOURNAL_DIRTY);
    }

    rc = ngx_msgbus_journal_move(j, ngx_msgbus_journal_rule(
                                        NGX_MSGBUS_RULE_KEPT)
                                    ? &j->kept : &j->durable, 0, 0);

    j->healed += rc == NGX_OK;

    return rc;
}


ngx_int_t
ngx_msgbus_journal_look(ngx_msgbus_journal_t *j)
{
    ngx_int_t  rc;

    rc = ngx_msgbus_journal_enter(j);

    return rc == NGX_OK ? ngx_msgbus_journal_leave(j) : rc;
}


ngx_uint_t
ngx_msgbus_journal_moved(ngx_msgbus_journal_t *j)
{
    ngx_msgbus_journal_mark_t  m;

    return !j->known || j->failed
           || ngx_msgbus_journal_mark_load(j->disk, j->lock_fd, &m) != NGX_OK
           || m.counter != j->mark.counter
           || ngx_msgbus_journal_tail(j);
}


ngx_int_t
ngx_msgbus_journal_flush(ngx_msgbus_journal_t *j, ngx_uint_t now)
{
    ngx_int_t  rc;

    if (!j->known || (j->at.offset == j->durable.offset && !j->failed)) {
        return NGX_OK;
    }

    if (!now
        && (j->conf.sync == NGX_MSGBUS_JOURNAL_NEVER
            || j->disk->monotonic(j->disk->disk) - j->synced < j->conf.sync))
    {
        return NGX_OK;
    }

    rc = ngx_msgbus_journal_enter(j);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (j->at.offset != j->durable.offset) {
        rc = ngx_msgbus_journal_sync(j);

        if (rc == NGX_OK) {
            (void) ngx_msgbus_journal_publish(j, 0);

        } else {
            rc = ngx_msgbus_journal_heal(j);
        }
    }

    if (ngx_msgbus_journal_leave(j) != NGX_OK) {
        rc = NGX_ERROR;
    }

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_msgbus_journal_stop(ngx_msgbus_journal_t *j)
{
    uint32_t   flags;
    ngx_int_t  rc;

    if (!j->known) {
        return NGX_OK;
    }

    rc = ngx_msgbus_journal_enter(j);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    flags = 0;

    /* no room: the next one that starts begins with higher ids */

    if (j->header.size - j->at.offset >= NGX_MSGBUS_JOURNAL_FRAME) {
        rc = ngx_msgbus_journal_note(j, NGX_MSGBUS_JOURNAL_STOP);
        flags = NGX_MSGBUS_JOURNAL_STOPPED;
    }

    if (rc == NGX_OK) {
        rc = ngx_msgbus_journal_sync(j);
    }

    if (rc == NGX_OK) {
        ngx_msgbus_journal_stamp(j);
        rc = ngx_msgbus_journal_publish(j, flags);

    } else if (rc == NGX_ERROR) {
        rc = ngx_msgbus_journal_heal(j);
    }

    if (ngx_msgbus_journal_leave(j) != NGX_OK) {
        rc = NGX_ERROR;
    }

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


uint64_t
ngx_msgbus_journal_base(ngx_msgbus_journal_t *j, uint64_t ids)
{
    uint64_t  wall, base;

    base = j->at.id + 1;

    if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_BEGUN)) {
        return base;
    }

    base = ngx_max(base, ids + 1);
    wall = j->disk->wall(j->disk->disk);

    if (wall > NGX_MSGBUS_JOURNAL_EPOCH) {
        base = ngx_max(base, (wall - NGX_MSGBUS_JOURNAL_EPOCH) * 1000);
    }

    return base;
}
