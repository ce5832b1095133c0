
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Where a journal begins: which ids it has forgotten, and from where on it
 * has the newest so many.
 *
 * It forgets while one reads: so the floor is looked up behind a page, and not
 * before it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_read.h"


static ngx_int_t ngx_msgbus_journal_floor_old(ngx_msgbus_journal_reader_t *r,
    uint64_t since, uint64_t *floor);
static uint64_t ngx_msgbus_journal_floor_in(ngx_msgbus_journal_frame_t *f,
    uint64_t since);
static uint64_t ngx_msgbus_journal_begin_at(ngx_msgbus_journal_opened_t *o,
    uint64_t last_id, uint64_t offset);
static ngx_int_t ngx_msgbus_journal_begin_in(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_journal_opened_t *o, ngx_uint_t i, uint64_t passed,
    uint64_t *id);


ngx_int_t
ngx_msgbus_journal_floor(ngx_msgbus_journal_reader_t *r, uint64_t since,
    uint64_t *floor)
{
    int        fd;
    char       name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    ngx_int_t  rc;

    /* a segment that has left does not move the mark */

    if (r->list.n) {
        ngx_msgbus_journal_name(name, r->list.elts[0].sequence,
                                r->list.elts[0].first_id);

        fd = r->disk->open(r->disk->disk, r->folder, name,
                           NGX_MSGBUS_DISK_READ);

        if (fd == -1) {
            r->list.n = 0;

        } else {
            r->disk->close(r->disk->disk, fd);
        }
    }

    rc = ngx_msgbus_journal_reader_look(r);

    if (rc != NGX_OK) {
        return rc;
    }

    *floor = r->oldest;

    return since ? ngx_msgbus_journal_floor_old(r, since, floor) : NGX_OK;
}


/* raises it to the last event that is older */
static ngx_int_t
ngx_msgbus_journal_floor_old(ngx_msgbus_journal_reader_t *r, uint64_t since,
    uint64_t *floor)
{
    uint64_t                      offset;
    ngx_int_t                     rc;
    ngx_uint_t                    i, k;
    ngx_msgbus_journal_step_t    *step;
    ngx_msgbus_journal_frame_t    f;
    ngx_msgbus_journal_opened_t  *o;

    /* the last segment before which all is older */

    for (i = r->list.n - 1; i; i--) {

        if (r->list.elts[i].header.created < since) {
            break;
        }
    }

    if (i) {
        *floor = r->list.elts[i].header.last_id;
    }

    o = ngx_msgbus_journal_opened(r, i, &rc);

    if (o == NULL) {
        return rc;
    }

    offset = NGX_MSGBUS_JOURNAL_BLOCK;

    for (k = 0; k < o->index.nsteps; k++) {
        step = &o->index.steps[k];

        if (step->created >= since) {
            break;
        }

        offset = step->offset;
        *floor = ngx_max(*floor, step->id);
    }

    o->window.end = o->index.end.offset;

    while (offset < o->index.end.offset) {

        rc = ngx_msgbus_journal_window_frame(&o->window, &f, o->index.salt,
                                             offset);
        if (rc != NGX_OK) {
            return ngx_msgbus_journal_read_bad(r, i, offset, o->window.err);
        }

        if (f.created >= since) {
            *floor = ngx_max(*floor, ngx_msgbus_journal_floor_in(&f, since));
            break;
        }

        *floor = ngx_max(*floor, f.last_id);
        offset += f.length;
    }

    return NGX_OK;
}


/* a batch is of one time, but for one that was imported */
static uint64_t
ngx_msgbus_journal_floor_in(ngx_msgbus_journal_frame_t *f, uint64_t since)
{
    u_char                      *p;
    uint64_t                     floor;
    ngx_uint_t                   i;
    ngx_msgbus_journal_event_t   ev;

    p = f->records;
    floor = 0;

    for (i = 0; i < f->count; i++) {

        (void) ngx_msgbus_journal_record_read(&ev, p,
                   (size_t) ngx_msgbus_journal_get(p + 4, 4));

        if (ev.created >= since) {
            break;
        }

        floor = ev.id;
        p += ngx_msgbus_journal_get(p + 4, 4);
    }

    return floor;
}


ngx_int_t
ngx_msgbus_journal_begin(ngx_msgbus_journal_reader_t *r, uint64_t n,
    uint64_t bytes, uint64_t *id)
{
    uint64_t                      have, size, full;
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_msgbus_journal_opened_t  *o;

    have = 0;
    *id = r->oldest;

    if (bytes == 0) {
        bytes = (uint64_t) -1;
    }

    for (i = r->list.n; i; i--) {

        o = ngx_msgbus_journal_opened(r, i - 1, &rc);

        if (o == NULL) {
            return rc;
        }

        size = o->index.end.offset - NGX_MSGBUS_JOURNAL_BLOCK;
        full = 0;

        if (size >= bytes) {
            full = ngx_msgbus_journal_begin_at(o,
                       r->list.elts[i - 1].header.last_id,
                       o->index.end.offset - bytes);
        }

        if (have + o->index.records >= n) {
            rc = ngx_msgbus_journal_begin_in(r, o, i - 1,
                                             have + o->index.records - n, id);
            *id = ngx_max(*id, full);

            return rc;
        }

        if (size >= bytes) {
            *id = ngx_max(*id, full);
            return NGX_OK;
        }

        have += o->index.records;
        bytes -= size;
    }

    return NGX_OK;
}


/* the id behind which a segment has what is behind an offset, or a step more */
static uint64_t
ngx_msgbus_journal_begin_at(ngx_msgbus_journal_opened_t *o, uint64_t last_id,
    uint64_t offset)
{
    uint64_t    id;
    ngx_uint_t  i;

    id = last_id;

    for (i = 0; i < o->index.nsteps; i++) {

        if (o->index.steps[i].offset > offset) {
            break;
        }

        id = o->index.steps[i].id;
    }

    return id;
}


/* the id behind which a segment has all but its first so many records */
static ngx_int_t
ngx_msgbus_journal_begin_in(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_journal_opened_t *o, ngx_uint_t i, uint64_t passed,
    uint64_t *id)
{
    u_char                      *p;
    uint64_t                     offset;
    ngx_int_t                    rc;
    ngx_uint_t                   k;
    ngx_msgbus_journal_event_t   ev;
    ngx_msgbus_journal_frame_t   f;

    o->window.end = o->index.end.offset;

    *id = r->list.elts[i].header.last_id;

    for (offset = NGX_MSGBUS_JOURNAL_BLOCK;
         passed && offset < o->index.end.offset;
         offset += f.length)
    {
        rc = ngx_msgbus_journal_window_frame(&o->window, &f, o->index.salt,
                                             offset);
        if (rc != NGX_OK) {
            return ngx_msgbus_journal_read_bad(r, i, offset, o->window.err);
        }

        p = f.records;

        for (k = 0; passed && k < f.count; k++) {
            (void) ngx_msgbus_journal_record_read(&ev, p,
                       (size_t) ngx_msgbus_journal_get(p + 4, 4));

            *id = ev.id;
            passed -= ev.channel.len != 0;
            p += ngx_msgbus_journal_get(p + 4, 4);
        }
    }

    return NGX_OK;
}
