
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a reader sees of the log: the lists that a query names, merged by id,
 * from its cursor on, rendered as JSON.
 *
 * One hold of the lock looks at a bounded number of records and copies a
 * bounded number of bytes; the next hold finds its place again by the last
 * id that was looked at.  A page is therefore never cut short because it is
 * long to find, and what leaves the log between two holds is told as a gap.
 *
 * The cursor handed out: for an ascending page that a limit cut, the last
 * event looked at; for all others, the newest of the bus at the moment when
 * nothing more was there (ascending) or when the page began (descending).
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_filing.h"
#include "ngx_msgbus_show.h"
#include "ngx_msgbus_view.h"


/*
 * Who waits for one of several channels has seen all but the newest records:
 * to look at so many of them costs less than to find 32 lists.
 */
#define NGX_MSGBUS_VIEW_NEAR  24


/* a list, or the whole log, and where we stand in it */
typedef struct {
    ngx_msgbus_list_t     *list;       /* NULL: the whole log */
    ngx_uint_t             slot;
    uint64_t               serial;     /* next to look at; 0: none */
    uint64_t               id;         /* of that */
} ngx_msgbus_source_t;


static ngx_int_t ngx_msgbus_view_begin(ngx_msgbus_log_t *log,
    ngx_msgbus_view_t *view);
static ngx_int_t ngx_msgbus_view_ask(ngx_msgbus_log_t *log,
    ngx_msgbus_view_t *view);
static ngx_int_t ngx_msgbus_view_full(ngx_msgbus_log_t *log,
    ngx_msgbus_view_t *view);
static ngx_int_t ngx_msgbus_view_event(ngx_msgbus_view_t *view,
    ngx_msgbus_record_t *rec, u_char *buf, u_char **last, uint64_t now);
static ngx_uint_t ngx_msgbus_view_open(ngx_msgbus_log_t *log,
    ngx_msgbus_view_t *view, ngx_msgbus_source_t *sources);
static ngx_uint_t ngx_msgbus_view_open_many(ngx_msgbus_log_t *log,
    ngx_msgbus_view_t *view, ngx_msgbus_source_t *sources);
static ngx_uint_t ngx_msgbus_view_is_near(ngx_msgbus_log_t *log,
    ngx_msgbus_view_t *view, ngx_msgbus_source_t *source);
static ngx_uint_t ngx_msgbus_view_is_named(ngx_msgbus_log_t *log,
    ngx_msgbus_many_t *many, ngx_msgbus_record_t *rec);
static ngx_uint_t ngx_msgbus_view_add(ngx_msgbus_log_t *log,
    ngx_msgbus_view_t *view, ngx_msgbus_source_t *source,
    ngx_msgbus_node_t *node, ngx_uint_t slot);
static void ngx_msgbus_view_dropped(ngx_msgbus_log_t *log,
    ngx_msgbus_view_t *view, uint64_t id);
static void ngx_msgbus_view_seek(ngx_msgbus_log_t *log,
    ngx_msgbus_view_t *view, ngx_msgbus_source_t *source);
static void ngx_msgbus_view_step(ngx_msgbus_log_t *log,
    ngx_msgbus_view_t *view, ngx_msgbus_source_t *source);
static ngx_msgbus_source_t *ngx_msgbus_view_pick(ngx_msgbus_view_t *view,
    ngx_msgbus_source_t *sources, ngx_uint_t n);


void
ngx_msgbus_view_init(ngx_msgbus_view_t *view, ngx_msgbus_query_t *query)
{
    ngx_memzero(view, sizeof(ngx_msgbus_view_t));

    view->query = query;
}


ngx_int_t
ngx_msgbus_view_next_locked(ngx_msgbus_log_t *log, ngx_msgbus_view_t *view,
    u_char *buf, u_char **last, uint64_t now)
{
    ngx_int_t             rc;
    ngx_uint_t            n, gap, examined;
    ngx_msgbus_query_t   *q;
    ngx_msgbus_record_t  *rec;
    ngx_msgbus_source_t  *s, sources[NGX_MSGBUS_MANY_MAX];

    q = view->query;
    *last = buf;

    if (!view->started && ngx_msgbus_view_begin(log, view) != NGX_OK) {
        return NGX_OK;
    }

    gap = view->gap;
    view->lost = 0;

    n = ngx_msgbus_view_open(log, view, sources);

    if (view->lost && !q->newest_first) {

        /*
         * What is missing the store tells: whoever was told before it is asked
         * would come back behind what it has.
         */

        view->gap = gap;

        return ngx_msgbus_view_ask(log, view);
    }

    for (examined = 0; examined < NGX_MSGBUS_HOLD_RECORDS; examined++) {

        s = ngx_msgbus_view_pick(view, sources, n);

        if (s == NULL) {

            if (!q->newest_first) {
                view->last_id = log->sh->last_id;

            } else if (view->lost) {
                return ngx_msgbus_view_ask(log, view);
            }

            return NGX_OK;
        }

        rec = ngx_msgbus_log_record(log, s->serial);

        if (view->near && !ngx_msgbus_view_is_named(log, q->many, rec)) {
            ngx_msgbus_view_step(log, view, s);
            continue;
        }

        if (!ngx_msgbus_view_hides(q, ngx_msgbus_record_uuid(rec),
                                   rec->uuid_len))
        {

            rc = ngx_msgbus_view_event(view, rec, buf, last, now);

            if (rc != NGX_OK) {
                return rc == NGX_DONE ? ngx_msgbus_view_full(log, view)
                                      : NGX_AGAIN;
            }
        }

        view->place = rec->id;
        ngx_msgbus_view_step(log, view, s);
    }

    return NGX_AGAIN;
}


/* where to begin; NGX_DECLINED: the cursor is above the newest event */
static ngx_int_t
ngx_msgbus_view_begin(ngx_msgbus_log_t *log, ngx_msgbus_view_t *view)
{
    ngx_msgbus_query_t  *q;

    q = view->query;
    view->started = 1;

    if (q->latest) {
        q->after = log->sh->last_id;
    }

    if (q->after > log->sh->last_id) {

        /* from another life of the bus, or of a node that is ahead */

        view->gap = ngx_msgbus_log_invented_locked(log, q->asked);
        view->unsure = !view->gap;
        view->last_id = view->gap ? log->sh->last_id : q->after;

        return NGX_DECLINED;
    }

    view->place = q->newest_first ? (uint64_t) -1 : q->after;
    view->last_id = log->sh->last_id;

    return NGX_OK;
}


/* behind the place a store is to be asked, if that can change the page */
static ngx_int_t
ngx_msgbus_view_ask(ngx_msgbus_log_t *log, ngx_msgbus_view_t *view)
{
    ngx_msgbus_query_t  *q;

    q = view->query;

    if (q->newest_first && view->place - 1 <= q->after) {
        return NGX_OK;
    }

    return ngx_msgbus_view_has_room(view, 0)
           ? NGX_DECLINED : ngx_msgbus_view_full(log, view);
}


/*
 * A page is full.  Newest first, what is further down was not asked for, and
 * the store is not either; but what it is known to have forgotten is told.
 */
static ngx_int_t
ngx_msgbus_view_full(ngx_msgbus_log_t *log, ngx_msgbus_view_t *view)
{
    ngx_msgbus_query_t  *q;

    q = view->query;

    if (q->newest_first
        && view->lost
        && q->after
        && q->after < log->sh->forgotten_id)
    {
        view->gap = 1;
    }

    return NGX_OK;
}


/*
 * Renders an event, if there is room for it: NGX_OK; NGX_AGAIN: not in this
 * buffer; NGX_DONE: not in this page.
 */
static ngx_int_t
ngx_msgbus_view_event(ngx_msgbus_view_t *view, ngx_msgbus_record_t *rec,
    u_char *buf, u_char **last, uint64_t now)
{
    u_char              *p, *text;
    size_t               bytes;
    ngx_str_t            age, data, channel;
    ngx_msgbus_query_t  *q;
    u_char               digits[NGX_INT64_LEN];

    q = view->query;
    p = *last;

    age.data = digits;
    ngx_msgbus_show_age(&age, rec->since, now);

    data.len = rec->data_len;
    data.data = ngx_msgbus_record_data(rec);

    ngx_str_null(&channel);

    if (q->name) {
        channel.len = rec->channel_len;
        channel.data = ngx_msgbus_record_channel(rec);
    }

    bytes = sizeof(",") - 1 + rec->front_len
            + ngx_msgbus_show_rest_len(&age, data.len, channel.len);

    if (!ngx_msgbus_view_has_room(view, bytes)) {
        return NGX_DONE;
    }

    if (p != buf && (size_t) (p - buf) + bytes > NGX_MSGBUS_HOLD_BYTES) {
        return NGX_AGAIN;
    }

    p = ngx_msgbus_view_comma(view, rec->id, p);
    text = p;

    p = ngx_cpymem(p, ngx_msgbus_record_front(rec), rec->front_len);
    p = ngx_msgbus_show_rest(p, &age, &data, &channel);

    if (view->marks) {
        p = ngx_msgbus_view_mark(&view->marks[view->events], rec->id, text, p,
                                 ngx_msgbus_record_uuid(rec), rec->uuid_len);
    }

    ngx_msgbus_view_count(view, rec->id, bytes);

    *last = p;

    return NGX_OK;
}


/* finds the place in each list; the number of lists with something there */
static ngx_uint_t
ngx_msgbus_view_open(ngx_msgbus_log_t *log, ngx_msgbus_view_t *view,
    ngx_msgbus_source_t *sources)
{
    ngx_uint_t           n, level, lowest;
    ngx_msgbus_node_t   *node;
    ngx_msgbus_query_t  *q;

    q = view->query;

    /* what has passed the log by is not below its oldest, but among them */

    view->stop = q->after;
    view->near = 0;

    if (q->history && log->sh->lapsed_id > log->sh->forgotten_id) {
        view->stop = ngx_max(view->stop, log->sh->lapsed_id);
    }

    ngx_msgbus_view_dropped(log, view, log->sh->lapsed_id);

    if (q->scope == NGX_MSGBUS_WHOLE) {
        ngx_msgbus_view_dropped(log, view, log->sh->evicted_id);

        sources[0].list = NULL;
        ngx_msgbus_view_seek(log, view, &sources[0]);

        return sources[0].serial ? 1 : 0;
    }

    if (q->scope == NGX_MSGBUS_MANY) {
        return ngx_msgbus_view_open_many(log, view, sources);
    }

    level = q->channel->depth;
    lowest = q->scope == NGX_MSGBUS_PARENT ? 1 : level;
    n = 0;

    for ( /* void */ ; level >= lowest; level--) {

        node = ngx_msgbus_node_find_locked(&log->nodes, q->channel,
                                           level - 1);

        n += ngx_msgbus_view_add(log, view, &sources[n], node,
                                 q->scope == NGX_MSGBUS_ALL ? level : 0);
    }

    return n;
}


static ngx_uint_t
ngx_msgbus_view_open_many(ngx_msgbus_log_t *log, ngx_msgbus_view_t *view,
    ngx_msgbus_source_t *sources)
{
    ngx_uint_t                i, n;
    ngx_msgbus_many_t        *many;
    ngx_msgbus_node_t        *node;
    ngx_msgbus_level_t        level;
    ngx_msgbus_many_entry_t  *entry;

    many = view->query->many;
    n = 0;

    if (ngx_msgbus_view_is_near(log, view, &sources[0])) {
        view->near = 1;

        return sources[0].serial ? 1 : 0;
    }

    for (i = 0; i < many->n; i++) {
        entry = &many->entries[i];

        level.hash = entry->hash;
        level.len = entry->len;

        node = ngx_msgbus_node_named_locked(&log->nodes,
                                            NGX_MSGBUS_MANY_NAME(many, entry),
                                            &level);

        n += ngx_msgbus_view_add(log, view, &sources[n], node, entry->slot);
    }

    return n;
}


/*
 * Are there but a few records behind the place?  Then the source is all of
 * them.  Nothing that has left the log came after it, so that no list has lost
 * anything there.
 */
static ngx_uint_t
ngx_msgbus_view_is_near(ngx_msgbus_log_t *log, ngx_msgbus_view_t *view,
    ngx_msgbus_source_t *s)
{
    uint64_t              serial;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    if (view->query->newest_first
        || view->place < sh->evicted_id
        || view->place < sh->nodes.floor
        || sh->last_id - view->place > NGX_MSGBUS_VIEW_NEAR)
    {
        return 0;
    }

    /* ids may have holes, serials have none */

    serial = sh->next_serial;

    while (serial > sh->head_serial
           && ngx_msgbus_log_record(log, serial - 1)->id > view->place)
    {
        serial--;
    }

    s->list = NULL;
    s->serial = 0;

    if (serial < sh->next_serial) {
        s->serial = serial;
        s->id = ngx_msgbus_log_record(log, serial)->id;
    }

    return 1;
}


/* is the record in one of these lists? */
static ngx_uint_t
ngx_msgbus_view_is_named(ngx_msgbus_log_t *log, ngx_msgbus_many_t *many,
    ngx_msgbus_record_t *rec)
{
    u_char                   *name;
    uint32_t                  hashes[NGX_MSGBUS_CHANNEL_DEPTH + 1];
    ngx_uint_t                i;
    ngx_msgbus_many_entry_t  *entry;

    name = ngx_msgbus_record_channel(rec);

    for (i = 0; i < rec->filings; i++) {
        hashes[i] = log->nodes.nodes[rec->filing[i].node].hash;
    }

    for (i = 0; i < many->n; i++) {
        entry = &many->entries[i];

        if (entry->slot < rec->filings
            && entry->hash == hashes[entry->slot]
            && entry->len <= rec->channel_len
            && (entry->len == rec->channel_len
                || (entry->slot && name[entry->len] == '/'))
            && ngx_memcmp(NGX_MSGBUS_MANY_NAME(many, entry), name, entry->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* one list more, of a node or of none; 0: there is nothing in it */
static ngx_uint_t
ngx_msgbus_view_add(ngx_msgbus_log_t *log, ngx_msgbus_view_t *view,
    ngx_msgbus_source_t *s, ngx_msgbus_node_t *node, ngx_uint_t slot)
{
    if (node == NULL) {
        ngx_msgbus_view_dropped(log, view, log->sh->nodes.floor);
        return 0;
    }

    s->list = slot ? &node->tree : &node->exact;
    s->slot = slot;

    ngx_msgbus_view_dropped(log, view, s->list->dropped);
    ngx_msgbus_view_seek(log, view, s);

    return s->serial != 0;
}


/* lists have lost something up to this id: is it to be had from a store? */
static void
ngx_msgbus_view_dropped(ngx_msgbus_log_t *log, ngx_msgbus_view_t *view,
    uint64_t id)
{
    uint64_t  seen;

    seen = view->query->newest_first ? view->query->after : view->place;

    if (id <= seen) {
        return;
    }

    if (view->query->history && id > log->sh->forgotten_id) {
        view->lost = 1;

    } else if (seen) {
        view->gap = 1;

    } else {
        view->less = 1;
    }
}


static void
ngx_msgbus_view_seek(ngx_msgbus_log_t *log, ngx_msgbus_view_t *view,
    ngx_msgbus_source_t *s)
{
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    if (s->list) {
        s->serial = view->query->newest_first
            ? ngx_msgbus_filing_before_locked(log, s->list, s->slot,
                                              view->place)
            : ngx_msgbus_filing_after_locked(log, s->list, s->slot,
                                             view->place);

    } else if (view->query->newest_first) {

        /* ids are below 2^53: the place at the start is above all of them */

        s->serial = ngx_msgbus_log_search_locked(log, view->place - 1) - 1;

        if (s->serial < sh->head_serial) {
            s->serial = 0;
        }

    } else {
        s->serial = ngx_msgbus_log_search_locked(log, view->place);

        if (s->serial == sh->next_serial) {
            s->serial = 0;
        }
    }

    if (s->serial) {
        s->id = ngx_msgbus_log_record(log, s->serial)->id;
    }
}


static void
ngx_msgbus_view_step(ngx_msgbus_log_t *log, ngx_msgbus_view_t *view,
    ngx_msgbus_source_t *s)
{
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    if (s->list) {
        s->serial = view->query->newest_first
            ? ngx_msgbus_filing_prev_locked(log, s->serial, s->slot)
            : ngx_msgbus_filing_next_locked(log, s->serial, s->slot);

    } else if (view->query->newest_first) {
        s->serial = s->serial > sh->head_serial ? s->serial - 1 : 0;

    } else {
        s->serial = s->serial + 1 < sh->next_serial ? s->serial + 1 : 0;
    }

    if (s->serial) {
        s->id = ngx_msgbus_log_record(log, s->serial)->id;
    }
}


/* the source whose event is due, or NULL at the end */
static ngx_msgbus_source_t *
ngx_msgbus_view_pick(ngx_msgbus_view_t *view, ngx_msgbus_source_t *sources,
    ngx_uint_t n)
{
    ngx_uint_t            i, newest_first;
    ngx_msgbus_source_t  *s;

    newest_first = view->query->newest_first;
    s = NULL;

    for (i = 0; i < n; i++) {

        if (sources[i].serial == 0) {
            continue;
        }

        if (s == NULL
            || (newest_first ? sources[i].id > s->id : sources[i].id < s->id))
        {
            s = &sources[i];
        }
    }

    if (s && newest_first && s->id <= view->stop) {
        return NULL;
    }

    return s;
}
