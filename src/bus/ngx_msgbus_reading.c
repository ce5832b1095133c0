
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Reading a bus: pages, and the frames of streams.
 *
 * Both are views of the log, in as many holds of the lock as it takes.  Where
 * the log has lost what a reader with history is to get, the store is asked,
 * off the event loop, and the view goes on from there: what that means has a
 * room of its own.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_handover.h"
#include "ngx_msgbus_time.h"
#include "ngx_msgbus_zone.h"


/*
 * So often the log may have moved on, by more than it holds, while the store
 * was asked for all there was: then a page ends where it is
 */
#define NGX_MSGBUS_READ_ASKED  8


static void ngx_msgbus_asked(ngx_msgbus_t *bus, ngx_msgbus_query_t *query);
static ngx_int_t ngx_msgbus_read_log(ngx_msgbus_t *bus,
    ngx_msgbus_page_t *page);
static void ngx_msgbus_read_outcome(ngx_msgbus_page_t *page);
static ngx_int_t ngx_msgbus_page_add(ngx_msgbus_page_t *page, u_char *data,
    size_t len);
static ngx_int_t ngx_msgbus_read_question(ngx_msgbus_t *bus,
    ngx_msgbus_view_t *view, ngx_msgbus_ask_t *ask);
static void ngx_msgbus_read_gone(ngx_msgbus_t *bus, ngx_msgbus_past_t *past);
static ngx_int_t ngx_msgbus_read_past(ngx_msgbus_page_t *page,
    ngx_msgbus_past_t *past);
static ngx_int_t ngx_msgbus_read_ends(ngx_msgbus_page_t *page);
static ngx_msgbus_frame_t *ngx_msgbus_frame_render(ngx_msgbus_t *bus,
    ngx_msgbus_query_t *query, ngx_msgbus_form_e form, ngx_log_t *log);


/* of one frame at a time */
static ngx_msgbus_mark_t  ngx_msgbus_marks[NGX_MSGBUS_HOLD_RECORDS];


/* from when on the store is to be looked at; the newest id only rises */
static void
ngx_msgbus_asked(ngx_msgbus_t *bus, ngx_msgbus_query_t *query)
{
    uint64_t  last_id;

    last_id = bus->log.sh->last_id;

    if (query->asked == 0 && query->after > last_id) {
        query->asked = ngx_msgbus_time_monotonic();
    }
}


ngx_int_t
ngx_msgbus_read(ngx_msgbus_t *bus, ngx_msgbus_query_t *query, size_t head,
    size_t tail, ngx_pool_t *pool, ngx_msgbus_page_t *page)
{
    ngx_msgbus_asked(bus, query);
    ngx_msgbus_view_init(&page->view, query);

    page->out = NULL;
    page->end = NULL;
    page->size = 0;

    page->pool = pool;
    page->head = head;
    page->tail = tail;
    page->asked = 0;

    return ngx_msgbus_read_log(bus, page);
}


/* as far as the log goes; NGX_OK, NGX_DECLINED or NGX_ERROR */
static ngx_int_t
ngx_msgbus_read_log(ngx_msgbus_t *bus, ngx_msgbus_page_t *page)
{
    u_char            *last;
    size_t             len;
    uint64_t           now;
    ngx_int_t          rc;
    ngx_msgbus_log_t  *log;

    log = &bus->log;
    now = ngx_msgbus_now();

    do {
        ngx_msgbus_log_lock(log);

        rc = ngx_msgbus_log_expire_locked(log, now);

        if (rc == NGX_AGAIN) {
            ngx_msgbus_log_unlock(log);
            continue;
        }

        rc = ngx_msgbus_view_next_locked(log, &page->view, bus->scratch,
                                         &last, now);

        ngx_msgbus_log_unlock(log);

        len = last - bus->scratch;

        if (len && ngx_msgbus_page_add(page, bus->scratch, len) != NGX_OK) {
            return NGX_ERROR;
        }

    } while (rc == NGX_AGAIN);

    ngx_msgbus_read_outcome(page);

    return rc;
}


static void
ngx_msgbus_read_outcome(ngx_msgbus_page_t *page)
{
    ngx_msgbus_view_t  *view;

    view = &page->view;

    page->events = view->events;
    page->first = view->first;
    page->last = view->last;
    page->last_id = view->last_id;
    page->gap = view->gap;
    page->unsure = view->unsure;
}


static ngx_int_t
ngx_msgbus_page_add(ngx_msgbus_page_t *page, u_char *data, size_t len)
{
    size_t        head;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    head = page->out ? 0 : page->head;

    cl = ngx_alloc_chain_link(page->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    b = ngx_create_temp_buf(page->pool, head + len + page->tail);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos += head;
    b->last = ngx_cpymem(b->pos, data, len);

    cl->buf = b;
    cl->next = NULL;

    if (page->out) {
        page->end->next = cl;

    } else {
        page->out = cl;
    }

    page->end = cl;
    page->size += len;

    return NGX_OK;
}


ngx_uint_t
ngx_msgbus_has_history(ngx_msgbus_t *bus)
{
    return bus->recall != NULL;
}


ngx_int_t
ngx_msgbus_ask_page(ngx_msgbus_t *bus, ngx_msgbus_page_t *page,
    ngx_msgbus_ask_t *ask)
{
    ngx_int_t  rc;

    rc = ngx_msgbus_read_question(bus, &page->view, ask);

    page->upto = ask->question.upto;

    return rc;
}


ngx_int_t
ngx_msgbus_ask_frame(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_msgbus_ask_t *ask)
{
    ngx_msgbus_view_t  view;

    ngx_msgbus_view_init(&view, query);
    view.place = query->after;
    view.marks = ngx_msgbus_marks;

    return ngx_msgbus_read_question(bus, &view, ask);
}


static ngx_int_t
ngx_msgbus_read_question(ngx_msgbus_t *bus, ngx_msgbus_view_t *view,
    ngx_msgbus_ask_t *ask)
{
    ngx_msgbus_scope_t  scopes[NGX_MSGBUS_MANY_MAX];

    ask->page = NULL;

    ngx_msgbus_handover_question(view, ngx_msgbus_newest(bus), &ask->question,
                             scopes);

    return ngx_msgbus_recall_ask(bus->recall, ask);
}


ngx_int_t
ngx_msgbus_take_page(ngx_msgbus_t *bus, ngx_msgbus_page_t *page,
    ngx_msgbus_ask_t *ask)
{
    ngx_int_t  rc;

    ngx_msgbus_read_gone(bus, ask->page);

    rc = ngx_msgbus_read_past(page, ask->page);

    ngx_msgbus_past_release(ask->page);
    ask->page = NULL;

    if (rc != NGX_AGAIN) {
        ngx_msgbus_read_outcome(page);
        return rc;
    }

    rc = ngx_msgbus_read_log(bus, page);

    return rc == NGX_DECLINED ? ngx_msgbus_read_ends(page) : rc;
}


/* what the store has no more, nobody need ask it for again */
static void
ngx_msgbus_read_gone(ngx_msgbus_t *bus, ngx_msgbus_past_t *past)
{
    ngx_msgbus_log_lock(&bus->log);
    ngx_msgbus_log_forgotten_locked(&bus->log, past->examined.gone);
    ngx_msgbus_log_unlock(&bus->log);
}


static ngx_int_t
ngx_msgbus_read_past(ngx_msgbus_page_t *page, ngx_msgbus_past_t *past)
{
    u_char     *buf, *last;
    ngx_int_t   rc;

    buf = ngx_alloc(ngx_msgbus_handover_size(&page->view, past) + 1,
                    page->pool->log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_msgbus_handover_take(&page->view, past, buf, &last,
                              ngx_msgbus_now());

    if (last != buf && ngx_msgbus_page_add(page, buf, last - buf) != NGX_OK) {
        rc = NGX_ERROR;
    }

    ngx_free(buf);

    return rc;
}


/* a page ends where the log has lost too often what came meanwhile */
static ngx_int_t
ngx_msgbus_read_ends(ngx_msgbus_page_t *page)
{
    if (page->view.place < page->upto
        || ++page->asked < NGX_MSGBUS_READ_ASKED)
    {
        return NGX_DECLINED;
    }

    page->view.last_id = page->view.place;
    ngx_msgbus_read_outcome(page);

    return NGX_OK;
}


void
ngx_msgbus_ask_forget(ngx_msgbus_ask_t *ask)
{
    ngx_msgbus_recall_forget(ask);

    if (ask->page) {
        ngx_msgbus_past_release(ask->page);
        ask->page = NULL;
    }
}


ngx_msgbus_frame_t *
ngx_msgbus_frame(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_msgbus_form_e form, ngx_log_t *log)
{
    ngx_msgbus_frame_t  *frame, *mine;

    frame = ngx_msgbus_frame_find(&bus->frames, query, query->after, form);

    if (frame) {
        frame->owners++;

    } else {
        frame = ngx_msgbus_frame_render(bus, query, form, log);
        if (frame == NULL) {
            return NULL;
        }

        if (!ngx_queue_empty(&bus->waiters.due)) {

            /* it may be what those who are woken next need */

            ngx_msgbus_frame_share(&bus->frames, frame);
        }
    }

    if (query->hide.len == 0) {
        return frame;
    }

    mine = ngx_msgbus_frame_without(frame, &query->hide, log);
    ngx_msgbus_frame_release(frame);

    return mine;
}


ngx_msgbus_frame_t *
ngx_msgbus_others_frame(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    uint64_t after, uint32_t *hide, ngx_msgbus_form_e form)
{
    ngx_msgbus_frame_t  *frame;

    frame = ngx_msgbus_frame_find(&bus->frames, query, after, form);

    return frame
           && !frame->more
           && !frame->lost
           && frame->last_id >= bus->waiters.seen_id
           && !(hide && ngx_msgbus_frame_may_be_by(frame, *hide))
           ? frame : NULL;
}


/* with nobody's events hidden */
static ngx_msgbus_frame_t *
ngx_msgbus_frame_render(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_msgbus_form_e form, ngx_log_t *log)
{
    u_char                   *last;
    uint64_t                  now;
    ngx_int_t                 rc;
    ngx_msgbus_log_t         *l;
    ngx_msgbus_view_t         view;
    ngx_msgbus_query_t        q;
    ngx_msgbus_log_sh_t      *sh;
    ngx_msgbus_rendered_t     rendered;

    l = &bus->log;
    sh = l->sh;
    now = ngx_msgbus_now();

    ngx_msgbus_asked(bus, query);

    q = *query;
    ngx_str_null(&q.hide);

    ngx_msgbus_view_init(&view, &q);
    view.marks = ngx_msgbus_marks;

    do {
        ngx_msgbus_log_lock(l);

        rc = ngx_msgbus_log_expire_locked(l, now);

        if (rc == NGX_OK) {
            break;
        }

        ngx_msgbus_log_unlock(l);

    } while (rc == NGX_AGAIN);

    rc = ngx_msgbus_view_next_locked(l, &view, bus->scratch, &last, now);

    rendered.oldest = sh->head_serial < sh->next_serial
                      ? ngx_msgbus_log_record(l, sh->head_serial)->id
                      : sh->evicted_id + 1;

    ngx_msgbus_log_unlock(l);

    rendered.view = &view;
    rendered.marks = ngx_msgbus_marks;
    rendered.more = (rc != NGX_OK);
    rendered.lost = (rc == NGX_DECLINED);

    rendered.invented = (view.gap && q.after > view.last_id);

    if (rendered.more) {
        view.last_id = view.place;

    } else if (rendered.invented && view.last_id >= rendered.oldest) {

        /* it was told; what the bus has comes in the next frame */

        view.last_id = rendered.oldest - 1;
        rendered.more = 1;
        rendered.lost = 0;
    }

    return ngx_msgbus_frame_create(&rendered, form, log);
}


ngx_msgbus_frame_t *
ngx_msgbus_take_frame(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_msgbus_form_e form, ngx_msgbus_ask_t *ask, ngx_log_t *log)
{
    u_char                 *buf, *last;
    ngx_int_t               rc;
    ngx_msgbus_view_t       view;
    ngx_msgbus_frame_t     *frame;
    ngx_msgbus_rendered_t   rendered;

    frame = NULL;

    ngx_msgbus_read_gone(bus, ask->page);

    ngx_msgbus_view_init(&view, query);
    view.place = query->after;
    view.marks = ngx_msgbus_marks;

    buf = ngx_alloc(ngx_msgbus_handover_size(&view, ask->page) + 1, log);

    if (buf) {
        rc = ngx_msgbus_handover_take(&view, ask->page, buf, &last,
                                  ngx_msgbus_now());

        rendered.view = &view;
        rendered.marks = ngx_msgbus_marks;
        rendered.oldest = ngx_msgbus_handover_oldest(&view, query->after,
                                                 ask->page);
        rendered.more = 1;
        rendered.lost = 0;
        rendered.invented = 0;

        view.last_id = view.place;

        if (rc != NGX_ERROR) {
            frame = ngx_msgbus_frame_create(&rendered, form, log);
        }

        ngx_free(buf);
    }

    ngx_msgbus_past_release(ask->page);
    ask->page = NULL;

    return frame;
}


ngx_msgbus_frame_t *
ngx_msgbus_hello(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_msgbus_form_e form, ngx_log_t *log)
{
    uint64_t             id;
    ngx_msgbus_frame_t  *first, *frame;

    first = ngx_msgbus_frame(bus, query, form, log);
    if (first == NULL) {
        return NULL;
    }

    /* events come behind the ping: it must not name a place beyond them */

    id = first->last != first->pos ? query->after : first->last_id;

    frame = ngx_msgbus_frame_hello(first, id, 0, form, log);
    ngx_msgbus_frame_release(first);

    return frame;
}


ngx_msgbus_frame_t *
ngx_msgbus_come_back(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_msec_t retry, ngx_log_t *log)
{
    uint64_t  id;

    id = query->after;

    if (query->latest) {

        /* what comes while it is away is newer than now */

        ngx_msgbus_log_lock(&bus->log);
        id = bus->log.sh->last_id;
        ngx_msgbus_log_unlock(&bus->log);
    }

    return ngx_msgbus_frame_hello(NULL, id, retry, NGX_MSGBUS_SSE, log);
}


ngx_msgbus_frame_t *
ngx_msgbus_ping(ngx_msgbus_t *bus, ngx_msgbus_waiter_t *w,
    ngx_msgbus_query_t *query, ngx_msgbus_form_e form, ngx_log_t *log)
{
    uint64_t  id;

    id = query->after;

    if (w && !ngx_msgbus_waiter_is_due(w)) {
        id = ngx_max(id, bus->waiters.seen_id);
    }

    return ngx_msgbus_frame_ping(id, form, log);
}


void
ngx_msgbus_release(ngx_msgbus_frame_t *frame)
{
    ngx_msgbus_frame_release(frame);
}


uint64_t
ngx_msgbus_seen(ngx_msgbus_t *bus)
{
    return bus->waiters.seen_id;
}
