
/*
 * Copyright (C) the msgbus authors
 */


/*
 * History from MongoDB, page by page, by RSE's own indexes.
 *
 * The whole bus stands in the order of its ids: such a page costs what it has.
 * The index (channel, _id, uuid) has the events of one channel in order, but of
 * several, or of those below one, a server has to look at all that are behind
 * the cursor; FerretDB sorts those of one, too.  So channels are asked for in
 * windows of ids, small at first, wider while there is little in them: a
 * window costs a seek for each channel, and what is in it.  The same goes for
 * events that are hidden.  A page that takes long ends early.
 *
 * The floor comes last.  A database drops what has expired in the order of its
 * time, which but for clocks that differ is the order of the ids: what is gone
 * is below the oldest, and what may go now is below the first that is young.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_mongodb_history.h"
#include "ngx_msgbus_time.h"


/* ids of the first window for an event of a page; of one channel */
#define NGX_MSGBUS_WINDOW        8
#define NGX_MSGBUS_WINDOW_ONE    64

/*
 * A window that takes less is widened, one that takes more is not, us; beyond
 * the way to the server and back, which counts up to so much
 */
#define NGX_MSGBUS_WINDOW_QUICK  20000
#define NGX_MSGBUS_WINDOW_SLOW   200000
#define NGX_MSGBUS_WINDOW_WAY    250000

/* what a server says that has no more time for a query */
#define NGX_MSGBUS_TIME_OVER     50

/* a channel's name at most */
#define NGX_MSGBUS_SCOPE_LEN     255

/* documents in a row that are no events: more are not passed over */
#define NGX_MSGBUS_PASSED        1000

/* how much the clocks of two writers may differ, ms */
#define NGX_MSGBUS_CLOCKS        60000


/* a page that is being read */
typedef struct {
    ngx_msgbus_db_t       *db;
    ngx_msgbus_history_t  *h;
    ngx_msgbus_doc_pt      handler;
    void                  *data;
    uint64_t               low;        /* ids above it, */
    uint64_t               high;       /*   up to this one, are unread */
    ngx_uint_t             n;          /* documents that were read */
    ngx_uint_t             odd;        /* so many more may be no events */
    size_t                 bytes;
    uint64_t               old;        /* ids up to it were passed over */
    uint64_t               until;      /* us */
    ngx_uint_t             slow;       /* the server's time was over */
} ngx_msgbus_mongodb_page_t;


static ngx_int_t ngx_msgbus_mongodb_windows(ngx_msgbus_mongodb_page_t *pg);
static ngx_int_t ngx_msgbus_mongodb_window(ngx_msgbus_mongodb_page_t *pg,
    uint64_t low, uint64_t high);
static ngx_int_t ngx_msgbus_mongodb_took(ngx_msgbus_mongodb_page_t *pg,
    ngx_msgbus_doc_t *doc);
static bool ngx_msgbus_mongodb_filter(bson_t *filter,
    ngx_msgbus_history_t *h, uint64_t low, uint64_t high);
static bool ngx_msgbus_mongodb_names(bson_t *b, ngx_msgbus_history_t *h);
static bool ngx_msgbus_mongodb_branch(bson_t *b, ngx_msgbus_scope_t *scope);
static bool ngx_msgbus_mongodb_rest(bson_t *b, ngx_msgbus_history_t *h,
    uint64_t low, uint64_t high);
static ngx_int_t ngx_msgbus_mongodb_floor(ngx_msgbus_mongodb_page_t *pg,
    uint64_t *floor);
static ngx_int_t ngx_msgbus_mongodb_young(ngx_msgbus_db_t *db,
    uint64_t since, uint64_t *id);


ngx_int_t
ngx_msgbus_mongodb_history(ngx_msgbus_db_t *db, ngx_msgbus_history_t *h,
    ngx_msgbus_doc_pt handler, void *data, ngx_msgbus_examined_t *page)
{
    ngx_int_t                  rc;
    ngx_msgbus_mongodb_page_t  pg;

    ngx_memzero(&pg, sizeof(ngx_msgbus_mongodb_page_t));
    ngx_memzero(page, sizeof(ngx_msgbus_examined_t));

    pg.db = db;
    pg.h = h;
    pg.handler = handler;
    pg.data = data;

    /* what was gone the last time is gone */

    pg.low = ngx_max(h->after, db->begin);
    pg.high = ngx_min(h->upto, (uint64_t) NGX_MSGBUS_ID_END - 1);

    /* a part of what the server has for one query, and the floor to come */

    pg.until = ngx_msgbus_time_monotonic() + (uint64_t) db->patience * 500;

    rc = ngx_msgbus_mongodb_windows(&pg);

    if (rc != NGX_OK) {
        return rc;
    }

    if (h->newest_first) {
        page->examined = pg.high <= pg.low ? h->after + 1 : pg.high + 1;

    } else {
        page->examined = pg.low >= pg.high ? h->upto : pg.low;
    }

    rc = ngx_msgbus_mongodb_floor(&pg, &page->floor);

    page->floor = ngx_max(page->floor, pg.old);
    page->gone = db->begin;

    return rc;
}


/* moves pg->low up, or pg->high down, until the page is full or all is read */
static ngx_int_t
ngx_msgbus_mongodb_windows(ngx_msgbus_mongodb_page_t *pg)
{
    uint64_t               width, low, high, begin, took;
    ngx_int_t              rc;
    ngx_uint_t             one, moved;
    ngx_msgbus_history_t  *h;

    h = pg->h;
    moved = 0;

    one = h->hide.len == 0 && h->nscopes == 1;

    width = one && h->scopes[0].channel.len == 0
            ? (uint64_t) NGX_MSGBUS_ID_END
            : h->max * (one && !h->scopes[0].below ? NGX_MSGBUS_WINDOW_ONE
                                                   : NGX_MSGBUS_WINDOW);

    while (pg->low < pg->high) {

        low = pg->low;
        high = pg->high;

        if (high - low > width) {
            if (h->newest_first) {
                low = high - width;

            } else {
                high = low + width;
            }
        }

        begin = ngx_msgbus_time_monotonic();

        rc = ngx_msgbus_mongodb_window(pg, low, high);

        if (rc == NGX_ERROR && pg->slow) {

            /* it is there, and this was too much for it */

            if (moved) {
                return NGX_OK;
            }

            return NGX_ABORT;
        }

        if (rc == NGX_AGAIN) {
            continue;
        }

        if (rc != NGX_OK) {
            return rc == NGX_DONE ? NGX_OK : rc;
        }

        moved = 1;
        took = ngx_msgbus_time_monotonic() - begin;

        if (h->newest_first) {
            pg->high = low;

        } else {
            pg->low = high;
        }

        if (begin + took >= pg->until) {
            break;
        }

        if (took < pg->db->way + NGX_MSGBUS_WINDOW_QUICK) {
            width *= 8;

        } else if (took > pg->db->way + NGX_MSGBUS_WINDOW_SLOW) {
            width = ngx_max(width / 4, 1);
        }
    }

    return NGX_OK;
}


/*
 * Reads what is between two ids.  NGX_OK: all of it; NGX_DONE: the page is full
 * before, low or high is where it ends; NGX_AGAIN: once more, for more than a
 * page; NGX_ERROR, NGX_ABORT.
 */
static ngx_int_t
ngx_msgbus_mongodb_window(ngx_msgbus_mongodb_page_t *pg, uint64_t low,
    uint64_t high)
{
    bool                   ok;
    bson_t                 filter, opts, sort;
    int64_t                left, n;
    uint64_t               was_low, was_high;
    ngx_int_t              rc;
    bson_error_t           error;
    const bson_t          *b;
    mongoc_cursor_t       *cursor;
    ngx_msgbus_doc_t       doc;
    ngx_msgbus_history_t  *h;

    h = pg->h;
    left = (int64_t) (h->max - pg->n + pg->odd);
    was_low = pg->low;
    was_high = pg->high;

    bson_init(&filter);
    bson_init(&opts);

    ok = ngx_msgbus_mongodb_filter(&filter, h, low, high)
         && BSON_APPEND_DOCUMENT_BEGIN(&opts, "sort", &sort)
         && BSON_APPEND_INT32(&sort, "_id", h->newest_first ? -1 : 1)
         && bson_append_document_end(&opts, &sort)
         && BSON_APPEND_INT64(&opts, "limit", left)
         && BSON_APPEND_INT64(&opts, "batchSize", left + 1)
         && BSON_APPEND_INT64(&opts, "maxTimeMS", pg->db->patience);

    if (!ok) {
        bson_destroy(&opts);
        bson_destroy(&filter);
        ngx_msgbus_mongodb_failed(pg->db, "no memory for a query");

        return NGX_ABORT;
    }

    cursor = mongoc_collection_find_with_opts(pg->db->events, &filter, &opts,
                                              NULL);
    rc = NGX_OK;

    for (n = 0; rc == NGX_OK && mongoc_cursor_next(cursor, &b); n++) {

        ngx_msgbus_mongodb_parse(pg->db, b, &doc);

        if (doc.id) {
            rc = ngx_msgbus_mongodb_took(pg, &doc);

        } else {
            ngx_msgbus_mongodb_odd(pg->db);
        }
    }

    if (n == left && rc == NGX_OK) {

        /* the limit of the query, and some were no events */

        rc = NGX_DONE;

        if (pg->low == was_low && pg->high == was_high) {
            rc = NGX_AGAIN;

            if (pg->odd > NGX_MSGBUS_PASSED) {
                ngx_msgbus_mongodb_failed(pg->db, "many of its events have an "
                                          "_id that is no whole number");
                rc = NGX_ABORT;
            }

            pg->odd = 8 * pg->odd + 8;
        }
    }

    if (mongoc_cursor_error(cursor, &error)) {
        ngx_msgbus_mongodb_failed(pg->db, error.message);
        pg->slow = error.domain == MONGOC_ERROR_SERVER
                   && error.code == NGX_MSGBUS_TIME_OVER;
        rc = NGX_ERROR;
    }

    mongoc_cursor_destroy(cursor);
    bson_destroy(&opts);
    bson_destroy(&filter);

    return rc;
}


/* NGX_DONE: the page is full */
static ngx_int_t
ngx_msgbus_mongodb_took(ngx_msgbus_mongodb_page_t *pg, ngx_msgbus_doc_t *doc)
{
    if (pg->h->newest_first) {
        pg->high = doc->id - 1;

    } else {
        pg->low = doc->id;
    }

    if (doc->since >= pg->h->since) {
        pg->bytes += doc->data.len;
        pg->handler(pg->data, doc);

    } else if (doc->channel.len) {

        /* whatever the clocks were: what is passed over is told */

        pg->old = ngx_max(pg->old, doc->id);
    }

    pg->n++;

    return pg->n < pg->h->max && pg->bytes < pg->h->max_bytes ? NGX_OK
                                                              : NGX_DONE;
}


/*
 * Each branch has all conditions, so that a server that takes branch by branch
 * has bounds in its index for each:
 *
 *     { $or: [ { channel: "/a" or { $in: [...] }, _id: ..., uuid: ... },
 *              { channel: { $gte: "/a/", $lt: "/a0" }, _id: ..., ... } ] }
 *
 * or one branch alone; the character behind "/" is "0".
 */
static bool
ngx_msgbus_mongodb_filter(bson_t *filter, ngx_msgbus_history_t *h,
    uint64_t low, uint64_t high)
{
    bool         ok;
    char         name[16];
    bson_t       list, branch;
    uint32_t     n;
    ngx_uint_t   i, below;
    const char  *key;

    below = 0;

    for (i = 0; i < h->nscopes; i++) {

        if (h->scopes[i].channel.len == 0) {
            return ngx_msgbus_mongodb_rest(filter, h, low, high);
        }

        below += h->scopes[i].below != 0;
    }

    if (below == 0) {
        return ngx_msgbus_mongodb_names(filter, h)
               && ngx_msgbus_mongodb_rest(filter, h, low, high);
    }

    bson_init(&list);

    ok = BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &branch)
         && ngx_msgbus_mongodb_names(&branch, h)
         && ngx_msgbus_mongodb_rest(&branch, h, low, high)
         && bson_append_document_end(&list, &branch);

    for (n = 1, i = 0; ok && i < h->nscopes; i++) {

        if (!h->scopes[i].below) {
            continue;
        }

        (void) bson_uint32_to_string(n++, &key, name, sizeof(name));

        ok = BSON_APPEND_DOCUMENT_BEGIN(&list, key, &branch)
             && ngx_msgbus_mongodb_branch(&branch, &h->scopes[i])
             && ngx_msgbus_mongodb_rest(&branch, h, low, high)
             && bson_append_document_end(&list, &branch);
    }

    ok = ok && BSON_APPEND_ARRAY(filter, "$or", &list);

    bson_destroy(&list);

    return ok;
}


/* the channels that are named themselves */
static bool
ngx_msgbus_mongodb_names(bson_t *b, ngx_msgbus_history_t *h)
{
    bool         ok;
    char         name[16];
    bson_t       in, list;
    ngx_str_t   *s;
    ngx_uint_t   i;
    const char  *key;

    if (h->nscopes == 1) {
        s = &h->scopes[0].channel;

        return bson_append_utf8(b, "channel", -1, (char *) s->data,
                                (int) s->len);
    }

    bson_init(&list);

    for (ok = true, i = 0; ok && i < h->nscopes; i++) {
        s = &h->scopes[i].channel;

        (void) bson_uint32_to_string((uint32_t) i, &key, name, sizeof(name));

        ok = bson_append_utf8(&list, key, -1, (char *) s->data,
                              (int) s->len);
    }

    ok = ok && BSON_APPEND_DOCUMENT_BEGIN(b, "channel", &in)
         && BSON_APPEND_ARRAY(&in, "$in", &list)
         && bson_append_document_end(b, &in);

    bson_destroy(&list);

    return ok;
}


/* the channels below one */
static bool
ngx_msgbus_mongodb_branch(bson_t *b, ngx_msgbus_scope_t *scope)
{
    int     len;
    char    name[NGX_MSGBUS_SCOPE_LEN + 1];
    bson_t  range;

    len = (int) scope->channel.len;

    if (len > NGX_MSGBUS_SCOPE_LEN) {
        return false;
    }

    ngx_memcpy(name, scope->channel.data, len);
    name[len] = '/';

    if (!BSON_APPEND_DOCUMENT_BEGIN(b, "channel", &range)
        || !bson_append_utf8(&range, "$gte", -1, name, len + 1))
    {
        return false;
    }

    name[len]++;

    return bson_append_utf8(&range, "$lt", -1, name, len + 1)
           && bson_append_document_end(b, &range);
}


/* the ids, and who is not to be shown */
static bool
ngx_msgbus_mongodb_rest(bson_t *b, ngx_msgbus_history_t *h, uint64_t low,
    uint64_t high)
{
    bson_t  sub;

    if (!BSON_APPEND_DOCUMENT_BEGIN(b, "_id", &sub)
        || !BSON_APPEND_INT64(&sub, "$gt", (int64_t) low)
        || !BSON_APPEND_INT64(&sub, "$lte", (int64_t) high)
        || !bson_append_document_end(b, &sub))
    {
        return false;
    }

    if (h->hide.len == 0) {
        return true;
    }

    return BSON_APPEND_DOCUMENT_BEGIN(b, "uuid", &sub)
           && bson_append_utf8(&sub, "$ne", -1, (char *) h->hide.data,
                               (int) h->hide.len)
           && bson_append_document_end(b, &sub);
}


static ngx_int_t
ngx_msgbus_mongodb_floor(ngx_msgbus_mongodb_page_t *pg, uint64_t *floor)
{
    uint64_t          id, created, since, margin, begin;
    ngx_int_t         rc;
    ngx_msgbus_db_t  *db;

    db = pg->db;
    since = pg->h->since;
    margin = ngx_min(db->ttl / 16, NGX_MSGBUS_CLOCKS);

    begin = ngx_msgbus_time_monotonic();

    rc = ngx_msgbus_mongodb_one(db, 1, db->begin, NGX_MSGBUS_ID_END, &id);

    /* one seek in an index is little more than the way there and back */

    db->way = ngx_min(ngx_msgbus_time_monotonic() - begin,
                      NGX_MSGBUS_WINDOW_WAY);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {

        /* nothing is there, or nobody knows from where on */

        *floor = pg->h->upto;
        db->begin = 0;

        return NGX_OK;
    }

    *floor = id - 1;
    db->begin = id - 1;
    created = db->newest_created;

    /* in the order of time: behind the oldest, which may go now? */

    if (created < since) {

        rc = ngx_msgbus_mongodb_young(db, since, &id);

        if (rc == NGX_OK) {
            db->begin = ngx_max(db->begin, id - 1);
        }
    }

    if (rc != NGX_ERROR && created < since + margin) {

        rc = ngx_msgbus_mongodb_young(db, since + margin, &id);

        if (rc == NGX_DECLINED || rc == NGX_ABORT) {
            id = pg->h->upto + 1;
            rc = NGX_OK;
        }

        *floor = ngx_max(*floor, id - 1);
    }

    *floor = ngx_max(*floor, db->begin);

    return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


/* of those that were created at a time or later, the first one's id */
static ngx_int_t
ngx_msgbus_mongodb_young(ngx_msgbus_db_t *db, uint64_t since, uint64_t *id)
{
    bson_t     filter, sub;
    ngx_int_t  rc;

    bson_init(&filter);

    if (BSON_APPEND_DOCUMENT_BEGIN(&filter, "created_at", &sub)
        && BSON_APPEND_DATE_TIME(&sub, "$gte", (int64_t) since)
        && bson_append_document_end(&filter, &sub))
    {
        rc = ngx_msgbus_mongodb_first(db, &filter, "created_at", 1, id);

    } else {
        ngx_msgbus_mongodb_failed(db, "no memory for a query");
        rc = NGX_ERROR;
    }

    bson_destroy(&filter);

    return rc;
}
