
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Reading a journal: how far it can be read, its segments with their indexes,
 * and all events after an id.
 *
 * A reader takes no lock.  What is durable does not change any more, and the
 * mark says how far that is; segments may leave while it reads.  The index of
 * a sealed segment leads to a channel's records; that of the current one is
 * made here and grows with it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_read.h"


/* one page that is being read */
typedef struct {
    uint64_t                      after;
    uint64_t                      upto;
    ngx_uint_t                    max;
    uint64_t                      since;
    ngx_msgbus_journal_event_pt   handler;
    void                         *data;
    ngx_msgbus_journal_page_t    *page;
} ngx_msgbus_journal_read_t;


static ngx_int_t ngx_msgbus_journal_read_newest(
    ngx_msgbus_journal_reader_t *r);
static void ngx_msgbus_journal_closed(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_journal_opened_t *o);
static ngx_int_t ngx_msgbus_journal_opened_index(
    ngx_msgbus_journal_reader_t *r, ngx_msgbus_journal_opened_t *o,
    ngx_uint_t i);
static ngx_int_t ngx_msgbus_journal_opened_made(
    ngx_msgbus_journal_reader_t *r, ngx_msgbus_journal_opened_t *o,
    ngx_uint_t i);
static ngx_int_t ngx_msgbus_journal_read_all(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_journal_read_t *rd, ngx_uint_t i);
static ngx_int_t ngx_msgbus_journal_read_event(ngx_msgbus_journal_read_t *rd,
    ngx_msgbus_journal_event_t *ev);


ngx_int_t
ngx_msgbus_journal_reader_open(ngx_msgbus_journal_reader_t *r,
    const char *path, ngx_msgbus_disk_t *disk)
{
    ngx_memzero(r, sizeof(ngx_msgbus_journal_reader_t));

    r->disk = disk;
    r->path = path;
    r->mark_fd = -1;

    r->folder = ngx_msgbus_journal_folder_open(disk, path, r->error);

    if (r->folder == -1) {
        return NGX_ERROR;
    }

    r->mark_fd = disk->open(disk->disk, r->folder,
                            NGX_MSGBUS_JOURNAL_MARK_FILE,
                            NGX_MSGBUS_DISK_READ);

    if ((r->mark_fd == -1 && ngx_errno != NGX_ENOENT)
        || disk->boot(disk->disk, r->boot) != NGX_OK)
    {
        ngx_msgbus_journal_error(r->error, ngx_errno, "can not open the mark "
                                 "of", path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_msgbus_journal_reader_close(ngx_msgbus_journal_reader_t *r)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MSGBUS_JOURNAL_INDEXES; i++) {
        ngx_msgbus_journal_closed(r, &r->opened[i]);
    }

    ngx_msgbus_journal_list_free(&r->list);

    if (r->mark_fd != -1) {
        r->disk->close(r->disk->disk, r->mark_fd);
        r->mark_fd = -1;
    }

    if (r->folder != -1) {
        r->disk->close(r->disk->disk, r->folder);
        r->folder = -1;
    }
}


ngx_int_t
ngx_msgbus_journal_reader_look(ngx_msgbus_journal_reader_t *r)
{
    ngx_int_t                   rc;
    ngx_msgbus_journal_mark_t   m;

    m.counter = 0;

    if (!r->offline) {

        if (r->mark_fd == -1) {
            r->mark_fd = r->disk->open(r->disk->disk, r->folder,
                                       NGX_MSGBUS_JOURNAL_MARK_FILE,
                                       NGX_MSGBUS_DISK_READ);
        }

        rc = r->mark_fd == -1 ? NGX_DECLINED
             : ngx_msgbus_journal_mark_load(r->disk, r->mark_fd, &m);

        if (rc == NGX_ERROR) {
            ngx_msgbus_journal_error(r->error, ngx_errno, "can not read the "
                                     "mark of", r->path);
            return NGX_ERROR;
        }

        if (rc != NGX_OK
            || (m.flags & NGX_MSGBUS_JOURNAL_DIRTY)
            || ngx_memcmp(m.boot, r->boot, NGX_MSGBUS_JOURNAL_BOOT_LEN) != 0)
        {
            ngx_msgbus_journal_error(r->error, 0, "no writer has settled it "
                                     "yet:", r->path);
            return NGX_AGAIN;
        }

        if (r->list.n && m.counter == r->mark.counter) {
            return NGX_OK;
        }

        if (r->told && (m.flags & NGX_MSGBUS_JOURNAL_LAZY)) {
            m.offset = m.written;
        }
    }

    if (r->offline || r->list.n == 0 || m.segment != r->mark.segment
        || m.salt != r->mark.salt)
    {

        rc = ngx_msgbus_journal_chain(r->disk, r->folder, &r->list, r->error);

        if (rc != NGX_OK) {

            /* or one has left between its name and its header */

            r->list.n = 0;
            return rc == NGX_ERROR && ngx_errno == NGX_ENOENT ? NGX_AGAIN
                                                              : rc;
        }

        /* what comes behind the mark's segment is not told of yet */

        while (!r->offline && r->list.n
               && r->list.elts[r->list.n - 1].sequence > m.segment)
        {
            r->list.n--;
        }

        if (r->list.n == 0
            || (!r->offline
                && r->list.elts[r->list.n - 1].sequence != m.segment))
        {
            ngx_msgbus_journal_error(r->error, 0, "no segment in", r->path);
            r->list.n = 0;

            return NGX_AGAIN;
        }

        r->oldest = r->list.elts[0].header.last_id;
    }

    r->mark = m;

    return ngx_msgbus_journal_read_newest(r);
}


/* the last id in the newest segment; its index grows on the way */
static ngx_int_t
ngx_msgbus_journal_read_newest(ngx_msgbus_journal_reader_t *r)
{
    ngx_int_t                     rc;
    ngx_msgbus_journal_opened_t  *o;

    o = ngx_msgbus_journal_opened(r, r->list.n - 1, &rc);

    if (o == NULL) {

        /* the mark is that of a look that was not: the next one looks anew */

        r->list.n = 0;
        return rc;
    }

    r->newest = o->index.end.id;

    return NGX_OK;
}


uint64_t
ngx_msgbus_journal_end(ngx_msgbus_journal_reader_t *r, ngx_uint_t i)
{
    if (i + 1 < r->list.n) {
        return r->list.elts[i + 1].header.pred_end;
    }

    return r->offline ? r->list.elts[i].header.size : r->mark.offset;
}


ngx_msgbus_journal_opened_t *
ngx_msgbus_journal_opened(ngx_msgbus_journal_reader_t *r, ngx_uint_t i,
    ngx_int_t *rc)
{
    uint64_t                       newest;
    ngx_uint_t                     k, damaged;
    ngx_msgbus_journal_opened_t   *o;
    ngx_msgbus_journal_segment_t   seg;

    seg = r->list.elts[i];
    newest = r->list.elts[r->list.n - 1].sequence;
    o = NULL;

    for (k = 0; k < NGX_MSGBUS_JOURNAL_INDEXES; k++) {

        if (r->opened[k].sequence == seg.sequence
            && r->opened[k].index.salt == seg.header.salt)
        {
            o = &r->opened[k];
            break;
        }

        /* that of the newest is made from all its frames: it stays */

        if (r->opened[k].sequence != newest
            && (o == NULL || r->opened[k].used < o->used))
        {
            o = &r->opened[k];
        }
    }

    if (k == NGX_MSGBUS_JOURNAL_INDEXES) {

        ngx_msgbus_journal_closed(r, o);

        o->fd = ngx_msgbus_journal_segment_open(r->disk, r->folder, &seg,
                                                NGX_MSGBUS_DISK_READ,
                                                r->error, &damaged);
        if (o->fd == -1) {
            *rc = damaged ? NGX_DECLINED
                  : ngx_errno == NGX_ENOENT ? NGX_AGAIN : NGX_ERROR;
            return NULL;
        }

        o->sequence = seg.sequence;

        ngx_msgbus_journal_window_init(&o->window, r->disk, o->fd,
                                       seg.header.size);
        ngx_msgbus_journal_index_init(&o->index, &r->list.elts[i].header);
        o->index.keyed = r->keyed;
    }

    o->used = ++r->uses;

    *rc = ngx_msgbus_journal_opened_index(r, o, i);

    if (*rc != NGX_OK) {
        ngx_msgbus_journal_closed(r, o);
        return NULL;
    }

    return o;
}


static void
ngx_msgbus_journal_closed(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_journal_opened_t *o)
{
    if (o->sequence == 0) {
        return;
    }

    r->disk->close(r->disk->disk, o->fd);

    ngx_msgbus_journal_window_free(&o->window);
    ngx_msgbus_journal_index_free(&o->index);

    o->sequence = 0;
    o->used = 0;
}


/* an index that reaches up to the end of what is durable */
static ngx_int_t
ngx_msgbus_journal_opened_index(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_journal_opened_t *o, ngx_uint_t i)
{
    uint64_t                      end;
    ngx_int_t                     rc;
    ngx_msgbus_journal_header_t  *h;

    h = &r->list.elts[i].header;
    end = ngx_msgbus_journal_end(r, i);

    if (o->index.end.offset == end) {
        return NGX_OK;
    }

    if (o->index.end.offset > end) {

        /* it was the newest one, and has been cut since */

        ngx_msgbus_journal_index_free(&o->index);
        ngx_msgbus_journal_index_init(&o->index, h);
        o->index.keyed = r->keyed;
        o->window.len = 0;
    }

    if (i + 1 < r->list.n && o->index.nsteps == 0) {

        rc = ngx_msgbus_journal_index_load(&o->index, r->disk, o->fd, h, end);

        if (rc == NGX_OK) {
            o->index.end.id = r->list.elts[i + 1].header.last_id;
            o->index.end.frame = r->list.elts[i + 1].header.last_frame;
            o->index.end.created = r->list.elts[i + 1].header.created;

            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            return ngx_msgbus_journal_read_bad(r, i, end, ngx_errno);
        }

        r->rebuilt++;
        ngx_msgbus_journal_index_init(&o->index, h);
        o->index.keyed = r->keyed;
    }

    return ngx_msgbus_journal_opened_made(r, o, i);
}


ngx_int_t
ngx_msgbus_journal_reindex(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_journal_opened_t *o, ngx_uint_t i)
{
    r->rebuilt++;

    ngx_msgbus_journal_index_free(&o->index);
    ngx_msgbus_journal_index_init(&o->index, &r->list.elts[i].header);
    o->index.keyed = r->keyed;

    return ngx_msgbus_journal_opened_made(r, o, i);
}


/* from the frames */
static ngx_int_t
ngx_msgbus_journal_opened_made(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_journal_opened_t *o, ngx_uint_t i)
{
    ngx_int_t  rc;

    /* what is in the window may be from before that was written */

    o->window.len = 0;
    o->window.err = 0;

    rc = ngx_msgbus_journal_index_extend(&o->index, &o->window,
                                         ngx_msgbus_journal_end(r, i));

    if (rc == NGX_DECLINED && r->offline && i + 1 == r->list.n) {

        /* where nobody says how far it reaches, it ends here */

        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return ngx_msgbus_journal_read_bad(r, i, o->index.end.offset,
                                           rc == NGX_ERROR ? ngx_errno : 0);
    }

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_journal_read(ngx_msgbus_journal_reader_t *r, uint64_t after,
    uint64_t upto, ngx_uint_t max, uint64_t since,
    ngx_msgbus_journal_event_pt handler, void *data,
    ngx_msgbus_journal_page_t *page)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_msgbus_journal_read_t  rd;

    ngx_memzero(page, sizeof(ngx_msgbus_journal_page_t));

    if (upto == 0 || upto > r->newest) {
        upto = r->newest;
    }

    page->examined = after;

    if (after >= upto || max == 0) {
        return NGX_OK;
    }

    rd.after = after;
    rd.upto = upto;
    rd.max = max;
    rd.since = since;
    rd.handler = handler;
    rd.data = data;
    rd.page = page;

    rc = NGX_OK;

    for (i = 0; i < r->list.n && rc == NGX_OK; i++) {

        if (i + 1 < r->list.n
            && r->list.elts[i + 1].header.last_id <= after)
        {
            continue;
        }

        if (r->list.elts[i].header.last_id >= upto) {
            break;
        }

        rc = ngx_msgbus_journal_read_all(r, &rd, i);
    }

    if (rc == NGX_OK) {
        page->examined = upto;
    }

    return rc == NGX_DONE ? NGX_OK : rc;
}


/* frame by frame */
static ngx_int_t
ngx_msgbus_journal_read_all(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_journal_read_t *rd, ngx_uint_t i)
{
    u_char                       *p;
    uint64_t                      offset;
    ngx_int_t                     rc;
    ngx_uint_t                    k;
    ngx_msgbus_journal_step_t    *step;
    ngx_msgbus_journal_event_t    ev;
    ngx_msgbus_journal_frame_t    f;
    ngx_msgbus_journal_opened_t  *o;

    o = ngx_msgbus_journal_opened(r, i, &rc);

    if (o == NULL) {
        return rc;
    }

    step = ngx_msgbus_journal_index_step(&o->index,
                                         ngx_max(rd->after,
                                                 rd->page->examined));
    offset = step->offset;

    while (offset < o->index.end.offset) {

        o->window.end = o->index.end.offset;

        rc = ngx_msgbus_journal_window_frame(&o->window, &f, o->index.salt,
                                             offset);

        if (rc != NGX_OK) {
            return ngx_msgbus_journal_read_bad(r, i, offset, o->window.err);
        }

        if (f.type == NGX_MSGBUS_JOURNAL_HOLE && f.first_id - 1 > rd->after
            && f.prev_id < rd->upto)
        {
            rd->page->lost = ngx_max(rd->page->lost, f.first_id - 1);

            if (r->hole) {
                r->hole(rd->data, f.first_id - 1);
            }
        }

        p = f.records;

        for (k = 0; f.last_id > rd->after && k < f.count; k++) {

            (void) ngx_msgbus_journal_record_read(&ev, p,
                       (size_t) ngx_msgbus_journal_get(p + 4, 4));

            p += ngx_msgbus_journal_get(p + 4, 4);

            if (ev.id <= rd->after) {
                continue;
            }

            rc = ngx_msgbus_journal_read_event(rd, &ev);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        offset += f.length;
    }

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_journal_read_record(ngx_msgbus_journal_opened_t *o,
    uint64_t offset, ngx_msgbus_journal_event_t *ev)
{
    size_t   len;
    u_char  *p;

    p = ngx_msgbus_journal_window_at(&o->window, offset,
                                     NGX_MSGBUS_JOURNAL_RECORD);
    if (p == NULL) {
        return NGX_ERROR;
    }

    len = (size_t) ngx_msgbus_journal_get(p + 4, 4);

    if (len < NGX_MSGBUS_JOURNAL_RECORD
        || len > NGX_MSGBUS_JOURNAL_MAX_FRAME)
    {
        return NGX_ERROR;
    }

    p = ngx_msgbus_journal_window_at(&o->window, offset, len);

    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_msgbus_journal_record_check(ev, p, len, o->index.salt, offset);
}


/* an event that is in the range: is it shown? */
static ngx_int_t
ngx_msgbus_journal_read_event(ngx_msgbus_journal_read_t *rd,
    ngx_msgbus_journal_event_t *ev)
{
    ngx_int_t  rc;

    if (ev->id > rd->upto) {
        rd->page->examined = rd->upto;
        return NGX_DONE;
    }

    if (ev->created < rd->since || ev->channel.len == 0) {
        rd->page->examined = ev->id;
        return NGX_OK;
    }

    rc = rd->handler(rd->data, ev);

    rd->page->examined = ev->id;
    rd->page->events++;

    return rc == NGX_OK && rd->page->events < rd->max ? NGX_OK : NGX_DONE;
}


ngx_int_t
ngx_msgbus_journal_read_bad(ngx_msgbus_journal_reader_t *r, ngx_uint_t i,
    uint64_t offset, ngx_err_t err)
{
    char                           where[NGX_MSGBUS_JOURNAL_NAME_LEN + 32];
    ngx_msgbus_journal_segment_t  *seg;

    seg = &r->list.elts[i];

    ngx_msgbus_journal_name(where, seg->sequence, seg->first_id);

    if (err) {
        ngx_msgbus_journal_error(r->error, err, "can not read", where);
        return NGX_ERROR;
    }

    ngx_msgbus_journal_error_at(r->error, offset, where);

    return NGX_DECLINED;
}
