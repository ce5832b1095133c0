
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The lock of a journal, and what is to be known behind it.  It is held for a
 * batch and not for a life, so that several processes, and several nginxes,
 * can write to one journal.
 *
 * Who has it believes the mark: what it says to be durable is.  What stands
 * behind that was left by somebody who died, and is settled first.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_journal_rule.h"


/* between two tries to get a lock, us */
#define NGX_MSGBUS_JOURNAL_PAUSE      50
#define NGX_MSGBUS_JOURNAL_MAX_PAUSE  1000

/* between two looks for other writers, us */
#define NGX_MSGBUS_JOURNAL_CROWD      1000000


static ngx_int_t ngx_msgbus_journal_lock(ngx_msgbus_journal_t *j);
static ngx_int_t ngx_msgbus_journal_wait(ngx_msgbus_journal_t *j, int fd,
    uint64_t until);
static ngx_int_t ngx_msgbus_journal_whole(ngx_msgbus_journal_t *j);
static ngx_int_t ngx_msgbus_journal_learn(ngx_msgbus_journal_t *j,
    ngx_uint_t marked);
static ngx_int_t ngx_msgbus_journal_started(ngx_msgbus_journal_t *j);
static void ngx_msgbus_journal_crowd(ngx_msgbus_journal_t *j, uint64_t now);
static ngx_int_t ngx_msgbus_journal_adopt_file(ngx_msgbus_journal_t *j);
static ngx_int_t ngx_msgbus_journal_adopt_kept(ngx_msgbus_journal_t *j);


/* fair: who waits for the lock has the turn, and who comes next waits for it */
static ngx_int_t
ngx_msgbus_journal_lock(ngx_msgbus_journal_t *j)
{
    uint64_t   until;
    ngx_int_t  rc;

    if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_LOCK)) {
        return NGX_OK;
    }

    until = j->disk->monotonic(j->disk->disk) + j->conf.patience;

    rc = ngx_msgbus_journal_wait(j, j->turn_fd, until);

    if (rc == NGX_OK) {
        rc = ngx_msgbus_journal_wait(j, j->lock_fd, until);
        j->disk->unlock(j->disk->disk, j->turn_fd);
    }

    return rc;
}


static ngx_int_t
ngx_msgbus_journal_wait(ngx_msgbus_journal_t *j, int fd, uint64_t until)
{
    uint64_t   pause;
    ngx_int_t  rc;

    pause = NGX_MSGBUS_JOURNAL_PAUSE;

    for ( ;; ) {
        rc = j->disk->lock(j->disk->disk, fd, NGX_MSGBUS_DISK_EXCLUSIVE);

        if (rc == NGX_OK) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            ngx_msgbus_journal_error(j->error, ngx_errno, "can not lock",
                                     j->conf.path);
            return NGX_ABORT;
        }

        if (j->disk->monotonic(j->disk->disk) >= until) {
            ngx_msgbus_journal_error(j->error, 0, "another process does not "
                                     "let go the lock of", j->conf.path);
            return NGX_BUSY;
        }

        j->disk->pause(j->disk->disk, pause);

        pause = ngx_min(2 * pause, NGX_MSGBUS_JOURNAL_MAX_PAUSE);
    }
}


ngx_int_t
ngx_msgbus_journal_enter(ngx_msgbus_journal_t *j)
{
    ngx_int_t  rc;

    if (j->apart) {

        if (ngx_msgbus_journal_join(j) != NGX_OK) {
            return NGX_BUSY;
        }

        j->apart = 0;
    }

    rc = ngx_msgbus_journal_lock(j);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_msgbus_journal_whole(j);

    if (rc != NGX_OK) {
        j->disk->unlock(j->disk->disk, j->lock_fd);
    }

    return rc;
}


static ngx_int_t
ngx_msgbus_journal_whole(ngx_msgbus_journal_t *j)
{
    ngx_int_t                  rc;
    ngx_msgbus_journal_mark_t  m;

    rc = ngx_msgbus_journal_mark_load(j->disk, j->lock_fd, &m);

    if (rc == NGX_ERROR) {
        ngx_msgbus_journal_error(j->error, ngx_errno, "can not read the mark "
                                 "of", j->conf.path);
        return NGX_ERROR;
    }

    if (rc == NGX_OK && j->known
        && (m.counter == j->mark.counter || m.writer == j->writer))
    {
        /*
         * Nobody but us has written since; a mark may be there of which we
         * were told that it could not be written.
         */

        j->mark = m;

        /*
         * Where it says that something is half done, another may have found
         * that, have named a segment, and died before it could write a mark.
         * Ours ends where that segment says: nothing is appended to it.
         */

        if (j->failed || (m.flags & NGX_MSGBUS_JOURNAL_DIRTY)) {
            return ngx_msgbus_journal_heal(j);
        }

    } else {
        j->known = 0;
        j->failed = 0;
        j->voided = 0;
        j->lost = 0;
        j->damaged = 0;

        if (rc == NGX_OK) {
            j->mark = m;
            j->crowded = 1;
        }

        if (ngx_msgbus_journal_learn(j, rc == NGX_OK) != NGX_OK) {
            return NGX_ERROR;
        }

        j->known = 1;
    }

    if (ngx_msgbus_journal_tail(j)) {
        return ngx_msgbus_journal_foreign(j);
    }

    if (j->mark.flags & NGX_MSGBUS_JOURNAL_STOPPED) {
        return ngx_msgbus_journal_started(j);
    }

    if (j->conf.sync && !(j->header.flags & NGX_MSGBUS_JOURNAL_LAZY)) {

        /* events are going to be told of that are not synced */

        return ngx_msgbus_journal_move(j, &j->at, 0, 0);
    }

    return NGX_OK;
}


/* by the mark, or where that does not do, from the files */
static ngx_int_t
ngx_msgbus_journal_learn(ngx_msgbus_journal_t *j, ngx_uint_t marked)
{
    j->copied = marked && j->mark.self && j->self
                && j->mark.self != j->self
                && ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_COPIED);

    if (!marked
        || j->copied
        || ngx_memcmp(j->mark.boot, j->boot, NGX_MSGBUS_JOURNAL_BOOT_LEN) != 0
        || ((j->mark.flags & NGX_MSGBUS_JOURNAL_DIRTY)
            && ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_DIRTY)))
    {
        return ngx_msgbus_journal_recover(j, marked);
    }

    if (ngx_msgbus_journal_adopt(j) != NGX_OK) {
        return NGX_ERROR;
    }

    if ((j->mark.flags & NGX_MSGBUS_JOURNAL_STOPPED)
        && !ngx_msgbus_journal_stamped(j))
    {
        j->copied = 1;

        return ngx_msgbus_journal_recover(j, marked);
    }

    return NGX_OK;
}


/*
 * Behind a clean stop something durable has to stand before anything is told
 * of: else, when nothing of that reaches the disk, it would look as if it had
 * never been.
 */
static ngx_int_t
ngx_msgbus_journal_started(ngx_msgbus_journal_t *j)
{
    ngx_int_t  rc;

    if ((j->conf.sync && !(j->header.flags & NGX_MSGBUS_JOURNAL_LAZY))
        || j->header.size - j->at.offset < 2 * NGX_MSGBUS_JOURNAL_FRAME)
    {
        return ngx_msgbus_journal_move(j, &j->at, 0, 0);
    }

    if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_STARTED)) {
        return NGX_OK;
    }

    rc = ngx_msgbus_journal_note(j, NGX_MSGBUS_JOURNAL_NOTE);

    if (rc == NGX_OK) {
        rc = ngx_msgbus_journal_sync(j);
    }

    if (rc == NGX_OK) {
        return ngx_msgbus_journal_publish(j, 0);
    }

    return rc == NGX_ERROR ? ngx_msgbus_journal_heal(j) : NGX_ERROR;
}


ngx_int_t
ngx_msgbus_journal_leave(ngx_msgbus_journal_t *j)
{
    uint64_t   now;
    ngx_int_t  rc;

    rc = NGX_OK;

    if (j->at.offset != j->durable.offset && !j->failed) {

        now = j->disk->monotonic(j->disk->disk);

        ngx_msgbus_journal_crowd(j, now);

        if (j->crowded) {

            /* who comes next would take what is not synced for lost */

            rc = ngx_msgbus_journal_sync(j);

            if (rc == NGX_OK) {
                (void) ngx_msgbus_journal_publish(j, 0);

            } else {

                /*
                 * What it has left of the file is for nobody to see: others
                 * would take it for damage.
                 */

                rc = ngx_msgbus_journal_heal(j);
            }
        }
    }

    j->disk->unlock(j->disk->disk, j->lock_fd);

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


/* are there other writers?  It is found out once in a while */
static void
ngx_msgbus_journal_crowd(ngx_msgbus_journal_t *j, uint64_t now)
{
    if (now - j->looked < NGX_MSGBUS_JOURNAL_CROWD && j->looked) {
        return;
    }

    j->looked = now;

    j->crowded = j->disk->lock(j->disk->disk, j->nodes_fd,
                               NGX_MSGBUS_DISK_EXCLUSIVE) != NGX_OK;

    /* it is lost in the attempt, and another may make one */

    j->apart = ngx_msgbus_journal_join(j) != NGX_OK;
}


/*
 * A sign for others that there is another writer.  They may try for a moment
 * whether there is; who has it for longer wants to be alone.
 */
ngx_int_t
ngx_msgbus_journal_join(ngx_msgbus_journal_t *j)
{
    uint64_t   until;
    ngx_int_t  rc;

    until = j->disk->monotonic(j->disk->disk) + j->conf.patience;

    for ( ;; ) {
        rc = j->disk->lock(j->disk->disk, j->nodes_fd,
                           NGX_MSGBUS_DISK_SHARED);

        if (rc == NGX_OK) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            ngx_msgbus_journal_error(j->error, ngx_errno, "can not lock",
                                     j->conf.path);
            return NGX_ERROR;
        }

        if (j->disk->monotonic(j->disk->disk) >= until) {
            ngx_msgbus_journal_error(j->error, 0, "msgbus-journal is at work "
                                     "on", j->conf.path);
            return NGX_ERROR;
        }

        j->disk->pause(j->disk->disk, NGX_MSGBUS_JOURNAL_MAX_PAUSE);
    }
}


/* goes on where the mark says that others have come to */
ngx_int_t
ngx_msgbus_journal_adopt(ngx_msgbus_journal_t *j)
{
    ngx_int_t                   rc;
    ngx_msgbus_journal_mark_t  *m;

    m = &j->mark;

    /* one that failed to tell of its segment may have had the same name */

    if ((j->fd == -1 || j->header.sequence != m->segment
         || j->header.salt != m->salt)
        && ngx_msgbus_journal_adopt_file(j) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (j->header.salt != m->salt
        || m->kept < NGX_MSGBUS_JOURNAL_BLOCK
        || m->kept > m->offset
        || m->offset > j->header.size)
    {
        rc = NGX_DECLINED;

    } else {
        rc = ngx_msgbus_journal_adopt_kept(j);
    }

    if (rc == NGX_DECLINED) {
        ngx_msgbus_journal_error(j->error, 0, "damaged, it is not what the "
                                 "mark says:", j->conf.path);
        j->damaged = 1;
    }

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_msgbus_journal_adopt_file(ngx_msgbus_journal_t *j)
{
    ngx_uint_t                  i, damaged;
    ngx_msgbus_journal_list_t   list;

    if (j->fd != -1) {
        j->disk->close(j->disk->disk, j->fd);
        j->fd = -1;
    }

    ngx_memzero(&list, sizeof(ngx_msgbus_journal_list_t));

    if (ngx_msgbus_journal_list(j->disk, j->folder, &list) != NGX_OK) {
        ngx_msgbus_journal_error(j->error, ngx_errno, "can not read",
                                 j->conf.path);
        ngx_msgbus_journal_list_free(&list);

        return NGX_ERROR;
    }

    for (i = 0; i < list.n; i++) {

        if (list.elts[i].sequence == j->mark.segment) {
            j->fd = ngx_msgbus_journal_segment_open(j->disk, j->folder,
                                                    &list.elts[i],
                                                    NGX_MSGBUS_DISK_WRITE,
                                                    j->error, &damaged);
            j->damaged = damaged;
            j->header = list.elts[i].header;
            break;
        }
    }

    if (i == list.n) {
        ngx_msgbus_journal_error(j->error, 0, "damaged, its newest segment is "
                                 "missing:", j->conf.path);
        j->damaged = 1;
    }

    ngx_msgbus_journal_list_free(&list);

    return j->fd == -1 ? NGX_ERROR : NGX_OK;
}


/* what stands in the block in which the durable ends; NGX_DECLINED: damage */
static ngx_int_t
ngx_msgbus_journal_adopt_kept(ngx_msgbus_journal_t *j)
{
    size_t                       len;
    u_char                      *p;
    ssize_t                      n;
    ngx_msgbus_journal_mark_t   *m;
    ngx_msgbus_journal_frame_t   f;

    m = &j->mark;

    j->kept.offset = m->kept;
    j->kept.frame = m->kept_frame;
    j->kept.id = m->kept_id;
    j->kept.created = m->kept_created;

    j->at = j->kept;
    j->start = 0;
    j->ids = m->mark;
    j->durable_ids = m->mark;

    len = (size_t) (m->offset - m->kept);
    p = ngx_msgbus_journal_room(j, len);

    if (p == NULL) {
        ngx_msgbus_journal_error(j->error, 0, "no memory for a frame", NULL);
        return NGX_ERROR;
    }

    n = j->disk->pread(j->disk->disk, j->fd, p, len, m->kept);

    if (n == -1) {
        ngx_msgbus_journal_error(j->error, ngx_errno, "can not read a segment "
                                 "in", j->conf.path);
        return NGX_ERROR;
    }

    if (n != (ssize_t) len) {
        return NGX_DECLINED;
    }

    while (j->at.offset < m->offset) {

        if (ngx_msgbus_journal_frame_read(&f, p, (size_t) (m->offset
                                                           - j->at.offset),
                                          j->header.salt, j->at.offset)
            != NGX_OK
            || f.sequence != j->at.frame + 1
            || f.prev_id != j->at.id)
        {
            return NGX_DECLINED;
        }

        p += f.length;

        j->at.offset += f.length;
        j->at.frame = f.sequence;
        j->at.id = f.last_id;
        j->at.created = f.created;
        j->ids = ngx_max(j->ids, f.mark);
    }

    j->durable = j->at;

    return j->at.frame == m->frame ? NGX_OK : NGX_DECLINED;
}


/* is there something where the next frame is to go? */
ngx_uint_t
ngx_msgbus_journal_tail(ngx_msgbus_journal_t *j)
{
    u_char   bytes[8];
    ssize_t  n;

    if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_TAIL)) {
        return 0;
    }

    if (j->header.size - j->at.offset < 8) {
        return 0;
    }

    n = j->disk->pread(j->disk->disk, j->fd, bytes, 8, j->at.offset);

    /* what can not be read is looked at more closely */

    return n != 8 || ngx_msgbus_journal_get(bytes, 8) != 0
           || (j->mark.begun > j->at.frame
               && j->mark.segment == j->header.sequence
               && ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_BEGIN));
}
