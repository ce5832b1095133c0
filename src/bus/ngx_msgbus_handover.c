
/*
 * Copyright (C) the msgbus authors
 */


/*
 * History: the hand-over between the log and a store, for one reader.
 *
 * A view goes from place to place: through the log, as long as that has all
 * that the reader is entitled to, and through pages of the store where it has
 * not.
 *
 *     oldest first   store: (place, newest]  ->  log: from there on, unless it
 *                    has lost something there meanwhile: store again
 *     newest first   log: down to its oldest ->  store: below that
 *
 * "newest" is taken before the store is asked.  All up to there is durable, so
 * the store has it, or has forgotten it; what comes later has the log, or
 * the next page.  So each event comes from one of them, and from one only.
 *
 * The store says, behind each page, which ids it may have forgotten.  Only
 * for those a gap is told, by who comes from below them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_handover.h"
#include "ngx_msgbus_show.h"


static ngx_uint_t ngx_msgbus_handover_scopes(ngx_msgbus_query_t *q,
    ngx_msgbus_scope_t *scopes);
static ngx_int_t ngx_msgbus_handover_events(ngx_msgbus_view_t *view,
    ngx_msgbus_past_t *page, u_char **last, uint64_t now);
static void ngx_msgbus_handover_gap(ngx_msgbus_view_t *view, uint64_t from,
    ngx_msgbus_examined_t *examined);
static ngx_uint_t ngx_msgbus_handover_event(ngx_msgbus_view_t *view,
    ngx_msgbus_past_event_t *past, u_char **last, uint64_t now);
static ngx_int_t ngx_msgbus_handover_end(ngx_msgbus_view_t *view, uint64_t from,
    ngx_msgbus_examined_t *examined);


void
ngx_msgbus_handover_question(ngx_msgbus_view_t *view, uint64_t newest,
    ngx_msgbus_history_t *question, ngx_msgbus_scope_t *scopes)
{
    size_t               room;
    ngx_msgbus_query_t  *q;

    q = view->query;

    ngx_memzero(question, sizeof(ngx_msgbus_history_t));

    question->scopes = scopes;
    question->nscopes = ngx_msgbus_handover_scopes(q, scopes);
    question->hide = q->hide;
    question->newest_first = q->newest_first;

    if (!q->newest_first) {
        question->after = view->place;
        question->upto = newest;

    } else {
        question->after = q->after;
        question->upto = view->place == (uint64_t) -1 ? view->last_id
                                                      : view->place - 1;
    }

    /* one hold's worth for a frame; for a page all that it has room for */

    if (view->marks) {
        question->max = NGX_MSGBUS_HOLD_RECORDS;
        question->max_bytes = NGX_MSGBUS_HOLD_BYTES;

    } else {
        question->max = NGX_MSGBUS_HISTORY_EVENTS;
        question->max_bytes = NGX_MSGBUS_HISTORY_BYTES;
    }

    room = q->max_bytes > view->bytes ? q->max_bytes - view->bytes : 1;

    question->max = ngx_min(question->max, q->max_events - view->events);
    question->max_bytes = ngx_min(question->max_bytes, room);
}


/* the channels that a query names, as a store has them */
static ngx_uint_t
ngx_msgbus_handover_scopes(ngx_msgbus_query_t *q, ngx_msgbus_scope_t *scopes)
{
    ngx_uint_t                i, n;
    ngx_msgbus_many_t        *many;
    ngx_msgbus_channel_t     *ch;
    ngx_msgbus_many_entry_t  *entry;

    if (q->scope == NGX_MSGBUS_MANY) {
        many = q->many;

        for (i = 0; i < many->n; i++) {
            entry = &many->entries[i];

            scopes[i].below = (entry->slot != 0);
            scopes[i].channel.data = NGX_MSGBUS_MANY_NAME(many, entry);
            scopes[i].channel.len = entry->len;
        }

        return many->n;
    }

    ch = q->channel;
    n = q->scope == NGX_MSGBUS_PARENT ? ch->depth : 1;

    for (i = 0; i < n; i++) {
        scopes[i].below = (q->scope == NGX_MSGBUS_ALL);

        if (q->scope == NGX_MSGBUS_WHOLE) {
            ngx_str_null(&scopes[i].channel);
            continue;
        }

        scopes[i].channel.data = ch->name.data;
        scopes[i].channel.len = q->scope == NGX_MSGBUS_PARENT
                                ? ch->levels[i].len : ch->name.len;
    }

    return n;
}


size_t
ngx_msgbus_handover_size(ngx_msgbus_view_t *view, ngx_msgbus_past_t *page)
{
    size_t                    size;
    ngx_uint_t                i;
    ngx_msgbus_past_event_t  *past;

    size = 0;

    for (i = 0; i < page->n; i++) {
        past = &page->events[i];

        size += sizeof(",") - 1 + past->ev.uuid.len
                + ngx_msgbus_show_len(&past->ev, past->channel.len);
    }

    return size;
}


ngx_int_t
ngx_msgbus_handover_take(ngx_msgbus_view_t *view, ngx_msgbus_past_t *page,
    u_char *buf, u_char **last, uint64_t now)
{
    uint64_t   from;
    ngx_int_t  rc;

    from = view->place;
    *last = buf;

    rc = ngx_msgbus_handover_events(view, page, last, now);

    if (rc == NGX_AGAIN) {
        rc = ngx_msgbus_handover_end(view, from, &page->examined);
    }

    ngx_msgbus_handover_gap(view, from, &page->examined);

    return rc;
}


/* NGX_AGAIN: all of them; or what handover_take() returns */
static ngx_int_t
ngx_msgbus_handover_events(ngx_msgbus_view_t *view, ngx_msgbus_past_t *page,
    u_char **last, uint64_t now)
{
    ngx_uint_t                i, n;
    ngx_msgbus_query_t       *q;
    ngx_msgbus_past_event_t  *past;

    q = view->query;
    n = view->events;

    for (i = 0; i < page->n; i++) {
        past = &page->events[i];

        if (q->newest_first ? past->ev.id >= view->place
                            : past->ev.id <= view->place)
        {
            /* of others who have asked the same, and were shown it before */

            continue;
        }

        if (view->marks && view->events - n == NGX_MSGBUS_HOLD_RECORDS) {
            return NGX_DECLINED;
        }

        if (!ngx_msgbus_view_hides(q, past->ev.uuid.data, past->ev.uuid.len)
            && !ngx_msgbus_handover_event(view, past, last, now))
        {
            return NGX_OK;
        }

        view->place = past->ev.id;
    }

    return NGX_AGAIN;
}


/* what was lost in a hole is told by who passes its end, and only once */
static void
ngx_msgbus_handover_gap(ngx_msgbus_view_t *view, uint64_t from,
    ngx_msgbus_examined_t *examined)
{
    uint64_t             seen;
    ngx_msgbus_query_t  *q;

    q = view->query;
    seen = q->newest_first ? q->after : from;

    if (seen == 0) {
        return;
    }

    if (examined->floor > seen
        || (examined->lost > seen
            && (q->newest_first || examined->lost <= view->place)))
    {
        view->gap = 1;
    }
}


/* renders an event, if there is room for it in the reader's page */
static ngx_uint_t
ngx_msgbus_handover_event(ngx_msgbus_view_t *view,
    ngx_msgbus_past_event_t *past, u_char **last, uint64_t now)
{
    u_char              *p, *text;
    size_t               bytes;
    ngx_str_t            age, channel;
    ngx_msgbus_event_t  *ev;
    u_char               digits[NGX_INT64_LEN];

    ev = &past->ev;
    p = *last;

    age.data = digits;
    ngx_msgbus_show_age(&age, ev->since, now);

    channel.data = past->channel.data;
    channel.len = view->query->name ? past->channel.len : 0;

    p = ngx_msgbus_view_comma(view, ev->id, p);

    text = p;
    p = ngx_msgbus_show_event(p, ev, &age, &channel);

    bytes = sizeof(",") - 1 + (p - text);

    if (!ngx_msgbus_view_has_room(view, bytes)) {
        return 0;
    }

    if (view->marks) {
        p = ngx_msgbus_view_mark(&view->marks[view->events], ev->id, text, p,
                                 ev->uuid.data, ev->uuid.len);
    }

    ngx_msgbus_view_count(view, ev->id, bytes);

    *last = p;

    return 1;
}


/* nothing more is there up to where the store has looked */
static ngx_int_t
ngx_msgbus_handover_end(ngx_msgbus_view_t *view, uint64_t from,
    ngx_msgbus_examined_t *examined)
{
    uint64_t  place;

    place = examined->examined;

    if (view->query->newest_first) {

        if (place >= from) {
            return NGX_ERROR;
        }

        view->place = ngx_min(view->place, place);

        return view->place > view->query->after + 1
               && ngx_msgbus_view_has_room(view, 0) ? NGX_DECLINED : NGX_OK;
    }

    if (place <= from) {
        return NGX_ERROR;
    }

    view->place = ngx_max(view->place, place);

    return NGX_AGAIN;
}


uint64_t
ngx_msgbus_handover_oldest(ngx_msgbus_view_t *view, uint64_t from,
    ngx_msgbus_past_t *page)
{
    uint64_t  oldest;

    oldest = ngx_max(from, page->examined.floor) + 1;

    /* one that was forgotten when it had been read is shown all the same */

    return view->events ? ngx_min(oldest, view->first) : oldest;
}
