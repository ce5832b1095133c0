
/*
 * Copyright (C) the msgbus authors
 */


/*
 * History from a journal: pages of the events of some channels, upward or
 * downward, by the indexes of its segments.
 *
 * A segment is looked at in windows of its steps, small at first, wider where
 * there is little in them: so a busy channel costs what is shown of it, and a
 * rare one the index of each segment and no record but its own.  What one page
 * may cost is bounded, whatever is asked for: then it ends early.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_history.h"


/* steps of the first window */
#define NGX_MSGBUS_HISTORY_STEPS    4

/* what a page may cost: a record 1, and a segment so many */
#define NGX_MSGBUS_HISTORY_WORK     20000
#define NGX_MSGBUS_HISTORY_SEGMENT  50


/* a page that is being read */
typedef struct {
    ngx_msgbus_journal_reader_t  *r;
    ngx_msgbus_history_t         *h;
    ngx_msgbus_journal_event_pt   handler;
    void                         *data;
    ngx_msgbus_examined_t        *page;

    uint64_t                      low;      /* ids above it, */
    uint64_t                      high;     /*   up to this one, are unread */
    ngx_uint_t                    n;        /* that were shown */
    size_t                        bytes;
    ngx_uint_t                    work;

    /* one window */
    ngx_msgbus_journal_opened_t  *o;
    ngx_uint_t                    i;        /* of the segment */
    uint32_t                     *places;
    ngx_uint_t                    nplaces;
} ngx_msgbus_journal_past_t;


static ngx_int_t ngx_msgbus_journal_history_up(
    ngx_msgbus_journal_past_t *p);
static ngx_int_t ngx_msgbus_journal_history_down(
    ngx_msgbus_journal_past_t *p);
static ngx_int_t ngx_msgbus_journal_history_segment(
    ngx_msgbus_journal_past_t *p, ngx_uint_t i);
static ngx_int_t ngx_msgbus_journal_history_rise(
    ngx_msgbus_journal_past_t *p);
static ngx_int_t ngx_msgbus_journal_history_fall(
    ngx_msgbus_journal_past_t *p);
static ngx_int_t ngx_msgbus_journal_history_window(
    ngx_msgbus_journal_past_t *p, ngx_uint_t first, ngx_uint_t last);
static ngx_int_t ngx_msgbus_journal_history_frames(
    ngx_msgbus_journal_past_t *p, uint64_t offset, uint64_t end);
static ngx_int_t ngx_msgbus_journal_history_place(
    ngx_msgbus_journal_past_t *p, uint32_t place,
    ngx_msgbus_journal_event_t *ev);
static ngx_int_t ngx_msgbus_journal_history_show(
    ngx_msgbus_journal_past_t *p, ngx_msgbus_journal_event_t *ev);
static ngx_int_t ngx_msgbus_journal_history_hole(
    ngx_msgbus_journal_past_t *p, uint64_t above, uint64_t *from,
    uint64_t *to);


ngx_int_t
ngx_msgbus_journal_history(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_history_t *h, ngx_msgbus_journal_event_pt handler, void *data,
    ngx_msgbus_examined_t *page)
{
    uint64_t                   floor;
    ngx_int_t                  rc;
    ngx_msgbus_journal_past_t  p;

    ngx_memzero(page, sizeof(ngx_msgbus_examined_t));

    rc = ngx_msgbus_journal_floor(r, h->since, &floor);

    if (rc != NGX_OK) {
        return rc;
    }

    page->gone = floor;

    ngx_memzero(&p, sizeof(ngx_msgbus_journal_past_t));

    p.r = r;
    p.h = h;
    p.handler = handler;
    p.data = data;
    p.page = page;

    /* what is forgotten is not looked for */

    p.low = ngx_max(h->after, floor);
    p.high = ngx_min(h->upto, r->newest);

    if (h->upto > r->newest && (h->newest_first || h->after >= r->newest)) {

        /* who asks has seen more than its writer has told of yet */

        ngx_msgbus_journal_error(r->error, 0, "its mark is behind:", r->path);
        return NGX_AGAIN;
    }

    rc = h->newest_first ? ngx_msgbus_journal_history_down(&p)
                         : ngx_msgbus_journal_history_up(&p);

    if (rc == NGX_AGAIN && p.n) {

        /* a segment has left: who asks on is told so */

        rc = NGX_OK;
    }

    if (rc != NGX_OK && rc != NGX_DONE) {
        return rc;
    }

    if (h->newest_first) {
        page->examined = p.high <= p.low ? h->after + 1 : p.high + 1;

    } else {
        page->examined = ngx_max(ngx_min(p.low, p.high), h->after);
    }

    return NGX_OK;
}


/*
 * A page crosses one hole at most, for its readers may take a part of it: and
 * who gets no further than between two is to be told of the first.
 */
static ngx_int_t
ngx_msgbus_journal_history_up(ngx_msgbus_journal_past_t *p)
{
    uint64_t                    from, to, next, end;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_msgbus_journal_list_t  *list;

    list = &p->r->list;
    rc = NGX_OK;

    for (i = 0; i < list->n && rc == NGX_OK && p->low < p->high; i++) {

        if (i + 1 < list->n && list->elts[i + 1].header.last_id <= p->low) {
            continue;
        }

        rc = ngx_msgbus_journal_history_segment(p, i);

        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_msgbus_journal_history_hole(p, p->low, &from, &to);

        if (rc == NGX_OK && to) {
            rc = ngx_msgbus_journal_history_hole(p, to, &next, &end);

            if (rc == NGX_OK && end) {
                p->high = ngx_min(p->high, next);
            }
        }

        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_msgbus_journal_history_rise(p);

        if (rc != NGX_OK && rc != NGX_DONE) {
            return rc;
        }

        if (to && from < p->low) {
            p->page->lost = to;
            return NGX_DONE;
        }
    }

    return rc;
}


static ngx_int_t
ngx_msgbus_journal_history_down(ngx_msgbus_journal_past_t *p)
{
    uint64_t                    begin, from, to;
    ngx_int_t                   rc, found;
    ngx_uint_t                  i;
    ngx_msgbus_journal_list_t  *list;

    list = &p->r->list;
    rc = NGX_OK;

    for (i = list->n; i && rc == NGX_OK && p->low < p->high; i--) {

        if (list->elts[i - 1].header.last_id >= p->high) {
            continue;
        }

        rc = ngx_msgbus_journal_history_segment(p, i - 1);

        if (rc != NGX_OK) {
            return rc;
        }

        begin = p->high;
        rc = ngx_msgbus_journal_history_fall(p);

        if (rc != NGX_OK && rc != NGX_DONE) {
            return rc;
        }

        to = p->high;

        do {
            found = ngx_msgbus_journal_history_hole(p, to, &from, &to);

            if (found != NGX_OK) {
                return found;
            }

            if (to && from < begin) {
                p->page->lost = ngx_max(p->page->lost, to);
            }

        } while (to);
    }

    return rc;
}


/* the next segment to look at; NGX_DONE: enough for this page */
static ngx_int_t
ngx_msgbus_journal_history_segment(ngx_msgbus_journal_past_t *p,
    ngx_uint_t i)
{
    ngx_int_t  rc;

    if (p->work >= NGX_MSGBUS_HISTORY_WORK) {
        return NGX_DONE;
    }

    p->work += NGX_MSGBUS_HISTORY_SEGMENT;

    p->i = i;
    p->o = ngx_msgbus_journal_opened(p->r, i, &rc);

    if (p->o == NULL) {
        return rc;
    }

    p->o->window.end = p->o->index.end.offset;

    return NGX_OK;
}


/* moves p->low up; NGX_OK: to the segment's end; NGX_DONE: enough */
static ngx_int_t
ngx_msgbus_journal_history_rise(ngx_msgbus_journal_past_t *p)
{
    ngx_int_t                    rc;
    ngx_uint_t                   k, next, first, width;
    ngx_msgbus_journal_event_t   ev;
    ngx_msgbus_journal_index_t  *index;

    index = &p->o->index;
    width = NGX_MSGBUS_HISTORY_STEPS;
    first = index->nsteps
            ? ngx_msgbus_journal_index_step(index, p->low) - index->steps : 0;

    for ( /* void */ ; first < index->nsteps; first = next) {

        next = ngx_min(first + width, index->nsteps);

        rc = ngx_msgbus_journal_history_window(p, first, next);

        for (k = 0; rc == NGX_OK && k < p->nplaces; k++) {

            rc = ngx_msgbus_journal_history_place(p, p->places[k], &ev);

            if (rc != NGX_OK || ev.id <= p->low) {
                continue;
            }

            if (ev.id > p->high) {
                p->low = p->high;
                break;
            }

            p->low = ev.id;
            rc = ngx_msgbus_journal_history_show(p, &ev);
        }

        ngx_free(p->places);

        if (rc != NGX_OK) {
            return rc;
        }

        if (next < index->nsteps) {
            p->low = ngx_max(p->low, index->steps[next].id);
        }

        if (p->low >= p->high) {
            p->low = p->high;
            return NGX_OK;
        }

        if (p->work >= NGX_MSGBUS_HISTORY_WORK) {
            return NGX_DONE;
        }

        width *= p->nplaces < p->h->max / 4 ? 4 : 1;
    }

    p->low = ngx_min(ngx_max(p->low, index->end.id), p->high);

    return NGX_OK;
}


/* moves p->high down; likewise, to the segment's begin */
static ngx_int_t
ngx_msgbus_journal_history_fall(ngx_msgbus_journal_past_t *p)
{
    ngx_int_t                    rc;
    ngx_uint_t                   k, next, last, width;
    ngx_msgbus_journal_event_t   ev;
    ngx_msgbus_journal_index_t  *index;

    index = &p->o->index;
    width = NGX_MSGBUS_HISTORY_STEPS;
    last = index->nsteps
           ? ngx_msgbus_journal_index_step(index, p->high) - index->steps + 1
           : 0;

    for ( /* void */ ; last; last = next) {

        next = last > width ? last - width : 0;

        rc = ngx_msgbus_journal_history_window(p, next, last);

        for (k = p->nplaces; rc == NGX_OK && k; k--) {

            rc = ngx_msgbus_journal_history_place(p, p->places[k - 1], &ev);

            if (rc != NGX_OK || ev.id > p->high) {
                continue;
            }

            if (ev.id <= p->low) {
                p->high = p->low;
                break;
            }

            p->high = ev.id - 1;
            rc = ngx_msgbus_journal_history_show(p, &ev);
        }

        ngx_free(p->places);

        if (rc != NGX_OK) {
            return rc;
        }

        p->high = ngx_min(p->high, index->steps[next].id);

        if (p->high <= p->low) {
            p->high = p->low;
            return NGX_OK;
        }

        if (p->work >= NGX_MSGBUS_HISTORY_WORK) {
            return NGX_DONE;
        }

        width *= p->nplaces < p->h->max / 4 ? 4 : 1;
    }

    p->high = ngx_min(p->high, p->r->list.elts[p->i].header.last_id);
    p->high = ngx_max(p->high, p->low);

    return NGX_OK;
}


/* the places between two steps; to be freed whatever is returned */
static ngx_int_t
ngx_msgbus_journal_history_window(ngx_msgbus_journal_past_t *p,
    ngx_uint_t first, ngx_uint_t last)
{
    uint64_t                     end;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_msgbus_journal_index_t  *index;

    index = &p->o->index;
    end = last < index->nsteps ? index->steps[last].offset
                               : index->end.offset;

    p->places = NULL;
    p->nplaces = 0;

    for (i = 0; i < p->h->nscopes; i++) {

        if (p->h->scopes[i].channel.len == 0) {
            return ngx_msgbus_journal_history_frames(p,
                                          index->steps[first].offset, end);
        }
    }

    rc = ngx_msgbus_journal_index_find(index, p->r->disk, p->o->fd,
                                       p->h->scopes, p->h->nscopes,
                                       index->steps[first].offset, end,
                                       &p->places, &p->nplaces);

    if (rc == NGX_DECLINED && index->loaded) {

        /* a channel's part of it is bad, the frames may be good */

        rc = ngx_msgbus_journal_reindex(p->r, p->o, p->i);

        if (rc != NGX_OK) {
            return rc;
        }

        p->o->window.end = index->end.offset;

        rc = first < index->nsteps
             ? ngx_msgbus_journal_index_find(index, p->r->disk, p->o->fd,
                   p->h->scopes, p->h->nscopes, index->steps[first].offset,
                   end, &p->places, &p->nplaces)
             : NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return ngx_msgbus_journal_read_bad(p->r, p->i, index->end.offset,
                                           rc == NGX_ERROR ? ngx_errno : 0);
    }

    return NGX_OK;
}


/* of all channels: their places would have to be read one by one */
static ngx_int_t
ngx_msgbus_journal_history_frames(ngx_msgbus_journal_past_t *p,
    uint64_t offset, uint64_t end)
{
    u_char                      *rec;
    uint32_t                    *places;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_msgbus_journal_frame_t   f;

    for ( /* void */ ; offset < end; offset += f.length) {

        rc = ngx_msgbus_journal_window_frame(&p->o->window, &f,
                                             p->o->index.salt, offset);
        if (rc != NGX_OK) {
            return ngx_msgbus_journal_read_bad(p->r, p->i, offset,
                                               p->o->window.err);
        }

        places = realloc(p->places, (p->nplaces + f.count)
                                    * sizeof(uint32_t) + 1);
        if (places == NULL) {
            return ngx_msgbus_journal_read_bad(p->r, p->i, offset,
                                               NGX_ENOMEM);
        }

        p->places = places;
        rec = f.records;

        for (i = 0; i < f.count; i++) {
            places[p->nplaces++] = (uint32_t)
                                   ((offset + NGX_MSGBUS_JOURNAL_FRAME
                                     + (rec - f.records)) / 8);
            rec += ngx_msgbus_journal_get(rec + 4, 4);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_journal_history_place(ngx_msgbus_journal_past_t *p,
    uint32_t place, ngx_msgbus_journal_event_t *ev)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    p->work++;

    rc = ngx_msgbus_journal_read_record(p->o, (uint64_t) place * 8, ev);

    for (i = 0; rc == NGX_OK && i < p->h->nscopes; i++) {

        if (ngx_msgbus_journal_wanted(&p->h->scopes[i], &ev->channel)) {
            return NGX_OK;
        }
    }

    return ngx_msgbus_journal_read_bad(p->r, p->i, (uint64_t) place * 8,
                                       p->o->window.err);
}


/* NGX_DONE: the page is full */
static ngx_int_t
ngx_msgbus_journal_history_show(ngx_msgbus_journal_past_t *p,
    ngx_msgbus_journal_event_t *ev)
{
    ngx_str_t  *hide;

    hide = &p->h->hide;

    if (ev->created >= p->h->since && ev->channel.len
        && (hide->len == 0 || hide->len != ev->uuid.len
            || ngx_memcmp(hide->data, ev->uuid.data, hide->len) != 0))
    {
        (void) p->handler(p->data, ev);

        p->n++;
        p->bytes += ev->data.len;
    }

    return p->n < p->h->max && p->bytes < p->h->max_bytes
           && p->work < NGX_MSGBUS_HISTORY_WORK
           ? NGX_OK : NGX_DONE;
}


/* the segment's first hole that ends above an id; *to is 0: there is none */
static ngx_int_t
ngx_msgbus_journal_history_hole(ngx_msgbus_journal_past_t *p, uint64_t above,
    uint64_t *from, uint64_t *to)
{
    uint64_t                      offset, holes;
    ngx_int_t                     rc;
    ngx_msgbus_journal_frame_t    f;
    ngx_msgbus_journal_opened_t  *o;

    o = p->o;
    offset = NGX_MSGBUS_JOURNAL_BLOCK;
    holes = o->index.holes;

    *from = 0;
    *to = 0;

    /* they stand at its begin, behind what it has taken over */

    while (holes && offset < o->index.end.offset) {

        rc = ngx_msgbus_journal_window_frame(&o->window, &f, o->index.salt,
                                             offset);
        if (rc != NGX_OK) {
            return ngx_msgbus_journal_read_bad(p->r, p->i, offset,
                                               o->window.err);
        }

        if (f.type == NGX_MSGBUS_JOURNAL_HOLE) {
            holes--;

            if (f.first_id - 1 > above) {
                *from = f.prev_id;
                *to = f.first_id - 1;
                break;
            }
        }

        offset += f.length;
    }

    return NGX_OK;
}
