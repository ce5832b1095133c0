
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What is true of a journal after a crash.
 *
 * The highest mark of what was durable decides, in whatever is whole: frames,
 * those behind a bad place too, and the mark's file.  What is bad above it is
 * a torn tail, of which nobody was promised anything: blocks reach a disk in
 * any order, so good frames may stand behind bad ones.  What is bad at or
 * below it is damage: nothing is written then, and an administrator is told
 * where.
 *
 * What is good, but not known to be durable, is written anew into a new
 * segment, for a cache shows what the disk may not have.  The old one ends
 * before it, and is never appended to.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_journal_rule.h"


/* bytes that are looked through at a time */
#define NGX_MSGBUS_JOURNAL_STEP  (64 * 1024)


/* what a look through the newest segment finds */
typedef struct {
    ngx_msgbus_journal_window_t  window;
    uint64_t                     durable;  /* the highest mark */
    uint64_t                     ids;      /* the highest mark of ids */
    ngx_uint_t                   last;     /* type of the last good frame */
    ngx_uint_t                   rest;     /* something stands behind it */
} ngx_msgbus_journal_scan_t;


static ngx_int_t ngx_msgbus_journal_newest(ngx_msgbus_journal_t *j,
    ngx_uint_t marked);
static ngx_int_t ngx_msgbus_journal_scan(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_scan_t *scan);
static ngx_int_t ngx_msgbus_journal_behind(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_scan_t *scan, uint64_t offset);
static ngx_int_t ngx_msgbus_journal_settle(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_scan_t *scan, ngx_uint_t marked);
static ngx_uint_t ngx_msgbus_journal_stopped(ngx_msgbus_journal_t *j,
    ngx_uint_t marked);
static ngx_int_t ngx_msgbus_journal_collect(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_scan_t *scan);
static ngx_uint_t ngx_msgbus_journal_lost(ngx_msgbus_journal_t *j,
    ngx_uint_t marked);
static ngx_int_t ngx_msgbus_journal_damage(ngx_msgbus_journal_t *j,
    uint64_t offset);


ngx_int_t
ngx_msgbus_journal_recover(ngx_msgbus_journal_t *j, ngx_uint_t marked)
{
    ngx_int_t                   rc;
    ngx_msgbus_journal_list_t   list;

    if (j->fd != -1) {
        j->disk->close(j->disk->disk, j->fd);
        j->fd = -1;
    }

    ngx_memzero(&j->header, sizeof(ngx_msgbus_journal_header_t));
    ngx_memzero(&j->at, sizeof(ngx_msgbus_journal_place_t));

    j->kept = j->at;
    j->durable = j->at;
    j->start = 0;
    j->ids = 0;
    j->durable_ids = 0;

    if (!marked) {

        /* no counter that somebody knows from before is to come again */

        ngx_memzero(&j->mark, sizeof(ngx_msgbus_journal_mark_t));
        j->mark.counter = j->disk->wall(j->disk->disk) << 16;
    }

    /* what the folder shows is to be there after the next crash, too */

    if (j->disk->sync(j->disk->disk, j->folder) != NGX_OK) {
        ngx_msgbus_journal_error(j->error, ngx_errno, "can not sync",
                                 j->conf.path);
        return NGX_ERROR;
    }

    ngx_memzero(&list, sizeof(ngx_msgbus_journal_list_t));

    rc = ngx_msgbus_journal_chain(j->disk, j->folder, &list, j->error);

    if (rc == NGX_OK && list.n) {
        j->header = list.elts[list.n - 1].header;

        rc = ngx_msgbus_journal_newest(j, marked);

    } else if (rc == NGX_OK) {

        /* a mark without any segment: somebody has removed them */

        if (marked && j->mark.segment) {
            ngx_msgbus_journal_error(j->error, 0, "damaged, there are a mark "
                                     "and no segment in", j->conf.path);
            rc = NGX_DECLINED;

        } else {
            rc = ngx_msgbus_journal_move(j, &j->at, j->bare ? 0
                                         : ngx_msgbus_journal_base(j, 0),
                                         NGX_MSGBUS_JOURNAL_SKIP);
        }
    }

    ngx_msgbus_journal_list_free(&list);

    j->damaged = rc == NGX_DECLINED;

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


/* NGX_OK, NGX_ERROR, NGX_DECLINED: damage */
static ngx_int_t
ngx_msgbus_journal_newest(ngx_msgbus_journal_t *j, ngx_uint_t marked)
{
    ngx_int_t                     rc;
    ngx_uint_t                    damaged;
    ngx_msgbus_journal_scan_t     scan;
    ngx_msgbus_journal_segment_t  seg;

    seg.sequence = j->header.sequence;
    seg.first_id = j->header.last_id + 1;

    if (marked && j->mark.segment > seg.sequence) {
        ngx_msgbus_journal_error(j->error, 0, "damaged, its newest segment is "
                                 "missing:", j->conf.path);
        return NGX_DECLINED;
    }

    j->fd = ngx_msgbus_journal_segment_open(j->disk, j->folder, &seg,
                                            NGX_MSGBUS_DISK_WRITE, j->error,
                                            &damaged);
    if (j->fd == -1) {
        return damaged ? NGX_DECLINED : NGX_ERROR;
    }

    ngx_memzero(&scan, sizeof(ngx_msgbus_journal_scan_t));
    ngx_msgbus_journal_window_init(&scan.window, j->disk, j->fd,
                                   j->header.size);

    scan.durable = ngx_max(j->header.durable, j->header.last_frame);
    scan.ids = j->header.mark;

    if (marked && j->mark.segment == j->header.sequence
        && j->mark.salt == j->header.salt
        && ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_MARK))
    {
        scan.durable = ngx_max(scan.durable, j->mark.frame);
        scan.ids = ngx_max(scan.ids, j->mark.mark);
    }

    j->at.offset = NGX_MSGBUS_JOURNAL_BLOCK;
    j->at.frame = j->header.last_frame;
    j->at.id = j->header.last_id;
    j->at.created = j->header.created;
    j->kept = j->at;

    rc = ngx_msgbus_journal_scan(j, &scan);

    if (rc == NGX_OK) {
        rc = ngx_msgbus_journal_settle(j, &scan, marked);
    }

    ngx_msgbus_journal_window_free(&scan.window);

    return rc;
}


/* all good frames from "at" on, which moves; and what is behind them */
static ngx_int_t
ngx_msgbus_journal_scan(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_scan_t *scan)
{
    ngx_int_t                    rc;
    ngx_msgbus_journal_frame_t   f;

    for ( ;; ) {
        rc = ngx_msgbus_journal_window_frame(&scan->window, &f,
                                             j->header.salt, j->at.offset);

        if (rc != NGX_OK
            || f.sequence != j->at.frame + 1
            || f.prev_id != j->at.id)
        {
            break;
        }

        scan->durable = ngx_max(scan->durable, f.durable);
        scan->ids = ngx_max(scan->ids, f.mark);
        scan->last = f.type;

        j->at.offset += f.length;
        j->at.frame = f.sequence;
        j->at.id = f.last_id;
        j->at.created = f.created;
    }

    if (scan->window.err == 0) {
        rc = ngx_msgbus_journal_behind(j, scan, j->at.offset);
    }

    if (scan->window.err) {
        ngx_msgbus_journal_error(j->error, scan->window.err, "can not read a "
                                 "segment in", j->conf.path);
        return NGX_ERROR;
    }

    if (scan->durable > j->at.frame
        && ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_DAMAGE))
    {
        return ngx_msgbus_journal_damage(j, j->at.offset);
    }

    return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


/*
 * What stands behind the last good frame: anything at all, and frames that
 * know how far it was durable.  They may begin wherever a frame can.
 */
static ngx_int_t
ngx_msgbus_journal_behind(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_scan_t *scan, uint64_t offset)
{
    size_t                        len, i;
    u_char                       *p;
    uint64_t                      end;
    ngx_int_t                     rc;
    ngx_msgbus_journal_frame_t    f;
    ngx_msgbus_journal_window_t  *w;

    w = &scan->window;
    end = j->header.size - j->header.size % 8;

    while (offset < end) {
        len = (size_t) ngx_min(end - offset, NGX_MSGBUS_JOURNAL_STEP);

        p = ngx_msgbus_journal_window_at(w, offset, len);

        if (p == NULL) {

            /* shorter than it was made: cut by somebody */

            scan->rest = 1;
            return w->err ? NGX_ERROR : NGX_OK;
        }

        for (i = 0; i < len; i += 8) {

            if (*(uint64_t *) (p + i) != 0) {
                break;
            }
        }

        if (i == len) {
            offset += len;
            continue;
        }

        scan->rest = 1;

        if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_BEHIND)) {
            return NGX_OK;
        }

        offset += i;

        /* no frame, but zeros do not lead from here to the next 8 bytes */

        rc = ngx_msgbus_journal_window_frame(w, &f, j->header.salt, offset);

        if (rc == NGX_OK && f.sequence > j->at.frame) {
            scan->durable = ngx_max(scan->durable, f.durable);
            scan->ids = ngx_max(scan->ids, f.mark);
        }

        if (w->err) {
            return NGX_ERROR;
        }

        offset += rc == NGX_OK ? f.length : 8;
    }

    return NGX_OK;
}


/*
 * Goes on in this segment after a clean stop, and else in a new one, with
 * what is not known to be durable.
 */
static ngx_int_t
ngx_msgbus_journal_settle(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_scan_t *scan, ngx_uint_t marked)
{
    ngx_uint_t                  clean, type;
    ngx_msgbus_journal_place_t  end;

    clean = scan->last == NGX_MSGBUS_JOURNAL_STOP
            && !scan->rest
            && ngx_msgbus_journal_stopped(j, marked);

    if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_CUT)) {
        clean = 1;
    }

    end = j->at;
    j->at = j->kept;
    j->durable = j->kept;

    if (clean) {

        /* the mark knows it */

        scan->durable = end.frame;
    }

    if (ngx_msgbus_journal_collect(j, scan) != NGX_OK) {
        return NGX_ERROR;
    }

    if (j->at.offset != end.offset) {
        return ngx_msgbus_journal_damage(j, j->at.offset);
    }

    j->ids = scan->ids;

    if (clean) {
        j->durable = j->at;
        j->durable_ids = scan->ids;
        j->synced = j->disk->monotonic(j->disk->disk);

        ngx_msgbus_journal_trim(j);

        if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_CUT)) {
            j->at.id = ngx_msgbus_journal_base(j, j->ids) - 1;
        }

        return ngx_msgbus_journal_publish(j, NGX_MSGBUS_JOURNAL_STOPPED);
    }

    j->lost = ngx_msgbus_journal_lost(j, marked);

    type = j->lost ? NGX_MSGBUS_JOURNAL_HOLE : NGX_MSGBUS_JOURNAL_SKIP;

    /* the block in which it ends may still be written, and go with that */

    return ngx_msgbus_journal_move(j, &j->kept,
                                   ngx_msgbus_journal_base(j, j->ids), type);
}


/*
 * Is it as the stop has left it that the mark tells of?  A mark that is gone,
 * or an older one, says nothing of what may have been meanwhile.
 */
static ngx_uint_t
ngx_msgbus_journal_stopped(ngx_msgbus_journal_t *j, ngx_uint_t marked)
{
    ngx_uint_t  noted;

    noted = marked
            && (j->mark.flags & NGX_MSGBUS_JOURNAL_STOPPED)
            && j->mark.segment == j->header.sequence
            && j->mark.salt == j->header.salt
            && j->mark.frame == j->at.frame;

    if (noted && !j->copied && ngx_msgbus_journal_stamped(j)) {
        return 1;
    }

    if (!j->bare) {
        return 0;
    }

    /* a tool brings ids of its own; after it they begin above the clock */

    j->copied = 1;

    return noted
           || (ngx_memcmp(j->header.boot, j->boot,
                          NGX_MSGBUS_JOURNAL_BOOT_LEN) != 0
               && !(marked && ngx_memcmp(j->mark.boot, j->boot,
                                         NGX_MSGBUS_JOURNAL_BOOT_LEN) == 0));
}


/* reads the frames again: up to the durable, and from there on to be kept */
static ngx_int_t
ngx_msgbus_journal_collect(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_scan_t *scan)
{
    u_char                       *p, *from;
    ngx_msgbus_journal_frame_t    f;
    ngx_msgbus_journal_window_t  *w;

    w = &scan->window;

    while (ngx_msgbus_journal_window_frame(w, &f, j->header.salt,
                                           j->at.offset)
           == NGX_OK
           && f.sequence == j->at.frame + 1
           && f.prev_id == j->at.id)
    {
        from = ngx_msgbus_journal_window_at(w, j->at.offset, f.length);
        p = ngx_msgbus_journal_room(j, f.length);

        if (from == NULL || p == NULL) {
            ngx_msgbus_journal_error(j->error, 0, "no memory for a segment",
                                     NULL);
            return NGX_ERROR;
        }

        ngx_memcpy(p, from, f.length);

        j->at.offset += f.length;
        j->at.frame = f.sequence;
        j->at.id = f.last_id;
        j->at.created = f.created;

        if (f.sequence <= scan->durable) {
            j->durable = j->at;
            ngx_msgbus_journal_trim(j);
        }
    }

    return NGX_OK;
}


/*
 * Events of which somebody was told before they were synced may be lost with
 * the machine; or with a file whose cache does not show them any more.
 */
static ngx_uint_t
ngx_msgbus_journal_lost(ngx_msgbus_journal_t *j, ngx_uint_t marked)
{
    if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_HOLE)) {
        return 0;
    }

    if (!(j->header.flags & NGX_MSGBUS_JOURNAL_LAZY)) {
        return 0;
    }

    if (!marked
        || j->copied
        || (j->mark.flags & NGX_MSGBUS_JOURNAL_LOST)
        || ngx_memcmp(j->mark.boot, j->boot, NGX_MSGBUS_JOURNAL_BOOT_LEN) != 0
        || (j->mark.segment != j->header.sequence
            && j->mark.segment != j->header.pred))
    {
        return 1;
    }

    return j->mark.written_frame > j->at.frame;
}


ngx_int_t
ngx_msgbus_journal_foreign(ngx_msgbus_journal_t *j)
{
    ngx_int_t                   rc;
    ngx_uint_t                  torn;
    ngx_msgbus_journal_scan_t   scan;
    ngx_msgbus_journal_place_t  end;

    ngx_memzero(&scan, sizeof(ngx_msgbus_journal_scan_t));
    ngx_msgbus_journal_window_init(&scan.window, j->disk, j->fd,
                                   j->header.size);

    scan.durable = j->durable.frame;
    scan.ids = j->ids;

    end = j->at;

    rc = ngx_msgbus_journal_scan(j, &scan);

    if (rc == NGX_OK) {
        j->at = end;

        rc = ngx_msgbus_journal_collect(j, &scan);
        j->ids = scan.ids;
    }

    ngx_msgbus_journal_window_free(&scan.window);

    if (rc != NGX_OK) {
        j->known = 0;
        j->damaged = rc == NGX_DECLINED;

        return NGX_ERROR;
    }

    if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_FOREIGN)) {
        j->durable = j->at;
        return ngx_msgbus_journal_publish(j, 0);
    }

    /* what is left of a write that was begun, or nothing is */

    j->lost = ngx_msgbus_journal_lost(j, 1);
    torn = scan.rest || j->lost || j->mark.begun > j->at.frame;

    rc = ngx_msgbus_journal_move(j, &j->kept,
             torn ? ngx_msgbus_journal_base(j, j->ids) : 0,
             j->lost ? NGX_MSGBUS_JOURNAL_HOLE : NGX_MSGBUS_JOURNAL_SKIP);

    if (rc != NGX_OK) {

        /* all of it stands where it stood; it is looked at once more */

        j->known = 0;
    }

    return rc;
}


static ngx_int_t
ngx_msgbus_journal_damage(ngx_msgbus_journal_t *j, uint64_t offset)
{
    char  name[NGX_MSGBUS_JOURNAL_NAME_LEN];

    ngx_msgbus_journal_name(name, j->header.sequence, j->header.last_id + 1);
    ngx_msgbus_journal_error_at(j->error, offset, name);

    return NGX_DECLINED;
}
