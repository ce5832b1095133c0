
/*
 * Copyright (C) the msgbus authors
 */


/*
 * repair: all that is good of a damaged journal goes to new files, which then
 * take the place of the old ones; that is a matter of its own.
 */


#include "msgbus_journal.h"
#include "msgbus_journal_swap.h"


/* what is copied, and how far it has come */
typedef struct {
    writer_t                     w;
    int                          folder;     /* of the old files */
    ngx_msgbus_journal_list_t    list;
    uint64_t                     ids;        /* the highest mark of ids */
    uint64_t                     frame;      /* the last good one */
    ngx_uint_t                   stopped;    /* it is a clean stop */
    ngx_uint_t                   bad;        /* what is behind it is not
                                                zeros */
    uint64_t                     lost;       /* places at which events are */
} copy_t;


static int make(const char *folder, int fd);
static int copy(copy_t *c);
static int copy_begin(copy_t *c, ngx_uint_t i, uint64_t *end);
static int copy_segment(copy_t *c, ngx_msgbus_journal_segment_t *seg,
    uint64_t end);
static int copy_frame(copy_t *c, ngx_msgbus_journal_frame_t *f);
static int copy_end(copy_t *c);
static int missing(copy_t *c, uint64_t upto);
static int hole(copy_t *c, uint64_t base, ngx_uint_t type);


int
repair(const char *folder)
{
    int  fd, rc;

    owner(folder);

    if (keep_off(folder) == -1) {
        return 2;
    }

    fd = open(folder, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        return cannot("open", folder);
    }

    if (swap_is_open(fd)) {
        printf("a repair that was not finished goes on\n");
        rc = swap_finish(folder, fd);

    } else {
        rc = verify(folder, 1);

        if (rc != 1) {
            close(fd);
            return rc;
        }

        rc = make(folder, fd);

        if (rc == 0) {
            rc = swap_finish(folder, fd);
        }
    }

    if (rc == 2 && swap_is_open(fd)) {
        fprintf(stderr, "msgbus-journal: the repair is not finished, and "
                "nginx does not start with half of it: run it again\n");

    } else if (rc == 2) {
        fprintf(stderr, "msgbus-journal: nothing has changed\n");
        swap_forget(fd);
    }

    close(fd);

    return rc;
}


/* a new journal beside the old one, on the disk */
static int
make(const char *folder, int fd)
{
    int            rc;
    char           path[NGX_MAX_PATH];

    static copy_t  c;

    if (swap_make(fd) != 0) {
        return 2;
    }

    (void) snprintf(path, sizeof(path), "%s/" SWAP_MAKE, folder);

    c.folder = fd;

    if (ngx_msgbus_journal_list(&ngx_msgbus_disk, fd, &c.list) != NGX_OK) {
        return cannot("read", folder);
    }

    rc = writer_open(&c.w, path, folder);

    if (rc == 0) {
        rc = copy(&c);
    }

    ngx_msgbus_journal_list_free(&c.list);

    if (rc != 0) {
        return 2;
    }

    printf("%lu events are kept, %s\n", (unsigned long) c.w.written,
           c.lost ? "readers are told of a gap where some may be lost"
                  : "none is lost");

    return swap_begin(fd, c.lost != 0);
}


static int
copy(copy_t *c)
{
    uint64_t    end;
    ngx_uint_t  i;

    for (i = 0; i < c->list.n; i++) {

        switch (copy_begin(c, i, &end)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            continue;

        default:
            return 2;
        }

        if (copy_segment(c, &c->list.elts[i], end) != 0) {
            return 2;
        }
    }

    if (copy_end(c) != 0) {
        return 2;
    }

    return writer_close(&c->w);
}


/* where a segment ends; NGX_DECLINED: its header is bad; NGX_ERROR */
static int
copy_begin(copy_t *c, ngx_uint_t i, uint64_t *end)
{
    int                           fd;
    char                          error[NGX_MSGBUS_JOURNAL_ERROR_LEN];
    ngx_uint_t                    damaged;
    ngx_msgbus_journal_segment_t  next, *seg;

    seg = &c->list.elts[i];

    fd = ngx_msgbus_journal_segment_open(&ngx_msgbus_disk, c->folder, seg,
                                         NGX_MSGBUS_DISK_READ, error,
                                         &damaged);
    if (fd == -1) {
        fprintf(stderr, "msgbus-journal: %s%s\n", error,
                damaged ? ": all of it is lost" : "");
        c->lost++;
        c->stopped = 0;

        return damaged ? NGX_DECLINED : NGX_ERROR;
    }

    close(fd);

    *end = seg->header.size;

    if (i + 1 < c->list.n) {
        next = c->list.elts[i + 1];

        fd = ngx_msgbus_journal_segment_open(&ngx_msgbus_disk, c->folder,
                                             &next, NGX_MSGBUS_DISK_READ,
                                             error, &damaged);
        if (fd != -1) {
            close(fd);

            if (next.header.pred == seg->sequence) {
                *end = next.header.pred_end;
            }
        }
    }

    /* what has left before the first one is no loss, but is told, too */

    if (i == 0 && seg->header.last_id > c->w.last
        && hole(c, seg->header.last_id + 1, NGX_MSGBUS_JOURNAL_HOLE) != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* all good frames of it, also those behind a bad place */
static int
copy_segment(copy_t *c, ngx_msgbus_journal_segment_t *seg, uint64_t end)
{
    int                          fd, failed;
    char                         name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    uint64_t                     offset;
    ngx_int_t                    rc;
    ngx_msgbus_journal_frame_t   f;
    ngx_msgbus_journal_window_t  win;

    ngx_msgbus_journal_name(name, seg->sequence, seg->first_id);

    fd = openat(c->folder, name, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return cannot("open", name);
    }

    ngx_msgbus_journal_window_init(&win, &ngx_msgbus_disk, fd, end);

    c->bad = 0;
    c->ids = ngx_max(c->ids, seg->header.mark);
    c->frame = seg->header.last_frame;
    c->stopped = 0;

    /* the end of the one before it, or all of that */

    failed = missing(c, seg->header.last_id);

    offset = NGX_MSGBUS_JOURNAL_BLOCK;

    while (!failed && offset < end) {

        rc = ngx_msgbus_journal_window_frame(&win, &f, seg->header.salt,
                                             offset);
        if (rc == NGX_OK) {
            c->bad = 0;
            failed = copy_frame(c, &f);
            offset += f.length;

            continue;
        }

        if (rc == NGX_ERROR && !c->bad) {
            fprintf(stderr, "msgbus-journal: damaged at offset %lu of %s\n",
                    (unsigned long) offset, name);
            c->bad = 1;
        }

        win.err = 0;
        offset += 8;
    }

    ngx_msgbus_journal_window_free(&win);
    close(fd);

    return failed;
}


static int
copy_frame(copy_t *c, ngx_msgbus_journal_frame_t *f)
{
    u_char                      *p;
    ngx_uint_t                   i;
    ngx_msgbus_journal_event_t   ev;

    c->ids = ngx_max(c->ids, f->mark);
    c->frame = f->sequence;
    c->stopped = f->type == NGX_MSGBUS_JOURNAL_STOP;

    if (missing(c, f->prev_id) != 0) {
        return 2;
    }

    if ((f->type == NGX_MSGBUS_JOURNAL_SKIP
         || f->type == NGX_MSGBUS_JOURNAL_HOLE)
        && f->first_id - 1 > c->w.last
        && hole(c, f->first_id, f->type) != 0)
    {
        return 2;
    }

    p = f->records;

    for (i = 0; i < f->count; i++) {
        (void) ngx_msgbus_journal_record_read(&ev, p,
                   (size_t) ngx_msgbus_journal_get(p + 4, 4));
        p += ngx_msgbus_journal_get(p + 4, 4);

        if (ev.id <= c->w.last) {
            continue;
        }

        c->w.events[c->w.n++] = ev;
        c->w.last = ev.id;

        if (c->w.n == BATCH && writer_flush(&c->w) != 0) {
            return 2;
        }
    }

    /* what they point to is in the window */

    return writer_flush(&c->w);
}


/*
 * Without a clean stop, more ids may have been given out than there are: the
 * next ones come above them all, and readers are told.
 */
static int
copy_end(copy_t *c)
{
    int                            fd;
    ngx_msgbus_journal_mark_t      m;
    ngx_msgbus_journal_segment_t  *seg;

    if (c->stopped && !c->bad) {
        return 0;
    }

    fd = openat(c->folder, NGX_MSGBUS_JOURNAL_MARK_FILE, O_RDONLY|O_CLOEXEC);

    if (fd != -1) {
        seg = c->list.n ? &c->list.elts[c->list.n - 1] : NULL;

        if (seg
            && ngx_msgbus_journal_mark_load(&ngx_msgbus_disk, fd, &m)
               == NGX_OK)
        {
            c->ids = ngx_max(c->ids, m.mark);

            if (m.segment == seg->sequence && m.frame > c->frame) {
                c->bad = 1;
            }
        }

        close(fd);
    }

    if (c->bad) {
        fprintf(stderr, "msgbus-journal: events with ids above %lu may be "
                "lost\n", (unsigned long) c->w.last);
        c->lost++;
    }

    return hole(c, ngx_msgbus_journal_base(&c->w.writer, c->ids),
                NGX_MSGBUS_JOURNAL_HOLE);
}


/* ids up to this one were given out: what is not there of them is lost */
static int
missing(copy_t *c, uint64_t upto)
{
    if (upto <= c->w.last) {
        return 0;
    }

    fprintf(stderr, "msgbus-journal: events with ids from %lu to %lu are "
            "lost\n", (unsigned long) c->w.last + 1, (unsigned long) upto);

    c->lost++;

    return hole(c, upto + 1, NGX_MSGBUS_JOURNAL_HOLE);
}


/* a frame that says so stands at the start of a segment */
static int
hole(copy_t *c, uint64_t base, ngx_uint_t type)
{
    ngx_int_t              rc;
    ngx_msgbus_journal_t  *j;

    j = &c->w.writer;

    if (writer_flush(&c->w) != 0) {
        return 2;
    }

    rc = ngx_msgbus_journal_enter(j);

    if (rc == NGX_OK) {

        if (base > j->at.id + 1) {
            rc = ngx_msgbus_journal_move(j, &j->at, base, type);
        }

        if (ngx_msgbus_journal_leave(j) != NGX_OK) {
            rc = NGX_ERROR;
        }
    }

    if (rc != NGX_OK) {
        fprintf(stderr, "msgbus-journal: %s\n", j->error);
        return 2;
    }

    c->w.last = ngx_max(c->w.last, base - 1);

    return 0;
}
