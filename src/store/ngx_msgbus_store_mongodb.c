
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The MongoDB store: events as documents.  The schema is that of RSE, so that
 * its data and its nodes can stay:
 *
 *     events    { _id: 7, data: "{...}", channel: "/a", user_agent: "...",
 *                 uuid: "...", created_at: ISODate(...), token: BinData,
 *                 key: BinData, body: BinData }
 *     counters  { _id: "last_known_id", c: 10007 }
 *
 * token is our own: 16 bytes that no two posts share; so are key and body, of
 * events that were posted with an Idempotency-Key.  posted_at, which only
 * an event has that was the newest for half its ttl, is its time of posting.
 *
 * All of it runs in the committer's thread.  What to make of an error, and
 * when to try again, is decided in the rooms above.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_mongodb_history.h"
#include "ngx_msgbus_mongodb_insert.h"
#include "ngx_msgbus_time.h"


#define NGX_MSGBUS_COUNTER  "last_known_id"

/* holes between ids that are looked behind */
#define NGX_MSGBUS_HOLES  16

/*
 * Documents that are read to find one whose _id is a whole number: so many at
 * first, eight times as many again and again, at most
 */
#define NGX_MSGBUS_ODD      16
#define NGX_MSGBUS_ODD_MAX  8192

/* how often its oldest and newest documents are looked at, at least, us */
#define NGX_MSGBUS_INSPECT_PERIOD  60000000


static ngx_int_t ngx_msgbus_mongodb_newest(ngx_msgbus_db_t *db, uint64_t *id,
    uint64_t *created);
static ngx_int_t ngx_msgbus_mongodb_oldest(ngx_msgbus_db_t *db, ngx_uint_t n,
    size_t bytes, uint64_t *id);
static ngx_int_t ngx_msgbus_mongodb_end(ngx_msgbus_db_t *db, int32_t order,
    uint64_t low, uint64_t high, uint64_t *id);
static ngx_int_t ngx_msgbus_mongodb_first_of(ngx_msgbus_db_t *db,
    bson_t *filter, const char *by, int32_t order, int64_t limit,
    uint64_t *id);
static void ngx_msgbus_mongodb_range(bson_t *filter, uint64_t low,
    uint64_t high);
static ngx_int_t ngx_msgbus_mongodb_after(ngx_msgbus_db_t *db, uint64_t id,
    ngx_uint_t max, ngx_msgbus_doc_pt handler, void *data);
static ngx_int_t ngx_msgbus_mongodb_inspect(ngx_msgbus_db_t *db);
static ngx_int_t ngx_msgbus_mongodb_inspect_end(ngx_msgbus_db_t *db,
    int32_t order);
static ngx_int_t ngx_msgbus_mongodb_touch(ngx_msgbus_db_t *db, uint64_t id,
    uint64_t now);
static ngx_int_t ngx_msgbus_mongodb_update(ngx_msgbus_db_t *db,
    const char *collection, const bson_t *filter, const bson_t *update,
    bool upsert);
static ngx_int_t ngx_msgbus_mongodb_updated(ngx_msgbus_db_t *db,
    const bson_t *reply);
static ngx_int_t ngx_msgbus_mongodb_counter(ngx_msgbus_db_t *db,
    uint64_t *c);
static ngx_int_t ngx_msgbus_mongodb_raise(ngx_msgbus_db_t *db, uint64_t c);
static const char *ngx_msgbus_mongodb_library(void);


ngx_msgbus_store_t  ngx_msgbus_store_mongodb = {
    ngx_string("mongodb"),
    ngx_string("URI"),
    NGX_MSGBUS_STORE_SHARED|NGX_MSGBUS_STORE_EXPIRES,
    2000,                      /* commands must not outlast a part of it */
    ngx_msgbus_mongodb_check,
    ngx_msgbus_mongodb_same,
    NULL,
    ngx_msgbus_mongodb_create,
    ngx_msgbus_mongodb_destroy,
    ngx_msgbus_mongodb_connect,
    ngx_msgbus_mongodb_disconnect,
    ngx_msgbus_mongodb_error,
    ngx_msgbus_mongodb_version,
    ngx_msgbus_mongodb_warnings,
    ngx_msgbus_mongodb_insert,
    ngx_msgbus_mongodb_newest,
    ngx_msgbus_mongodb_oldest,
    ngx_msgbus_mongodb_after,
    ngx_msgbus_mongodb_touch,
    ngx_msgbus_mongodb_counter,
    ngx_msgbus_mongodb_raise,
    ngx_msgbus_mongodb_attach,
    ngx_msgbus_mongodb_history,
    ngx_msgbus_mongodb_library,
    NULL
};


static ngx_int_t
ngx_msgbus_mongodb_newest(ngx_msgbus_db_t *db, uint64_t *id,
    uint64_t *created)
{
    ngx_int_t  rc;

    rc = ngx_msgbus_mongodb_end(db, -1, 0, NGX_MSGBUS_ID_END, id);
    *created = db->newest_created;

    return rc;
}


/*
 * Counting events, or skipping them, takes a database as long as there are
 * many; a bound of their ids takes none.  So many ids are taken from the newest
 * one down; where that ends in a hole, there is room for as many events below
 * it as ids are missing.  Holes between what was taken are not seen: there will
 * be less then, never more.
 */
static ngx_int_t
ngx_msgbus_mongodb_oldest(ngx_msgbus_db_t *db, ngx_uint_t n, size_t bytes,
    uint64_t *id)
{
    uint64_t    low, hole, below;
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = ngx_msgbus_mongodb_end(db, -1, 0, NGX_MSGBUS_ID_END, id);

    if (rc != NGX_OK) {
        return rc;
    }

    low = *id > n ? *id - n : 0;

    for (i = 0; i < NGX_MSGBUS_HOLES; i++) {

        rc = ngx_msgbus_mongodb_end(db, 1, low, NGX_MSGBUS_ID_END, id);

        if (rc != NGX_OK) {
            return rc;
        }

        hole = *id - low - 1;

        if (low == 0 || hole == 0) {
            break;
        }

        rc = ngx_msgbus_mongodb_end(db, -1, 0, low + 1, &below);

        if (rc != NGX_OK) {
            return rc == NGX_DECLINED ? NGX_OK : rc;
        }

        low = below > hole ? below - hole : 0;
    }

    return NGX_OK;
}


/* of all events: where that can not be told, nothing can be done */
static ngx_int_t
ngx_msgbus_mongodb_end(ngx_msgbus_db_t *db, int32_t order, uint64_t low,
    uint64_t high, uint64_t *id)
{
    ngx_int_t  rc;

    rc = ngx_msgbus_mongodb_one(db, order, low, high, id);

    return rc == NGX_ABORT ? NGX_ERROR : rc;
}


ngx_int_t
ngx_msgbus_mongodb_one(ngx_msgbus_db_t *db, int32_t order, uint64_t low,
    uint64_t high, uint64_t *id)
{
    bson_t     filter;
    ngx_int_t  rc;

    ngx_msgbus_mongodb_range(&filter, low, high);

    rc = ngx_msgbus_mongodb_first(db, &filter, "_id", order, id);

    bson_destroy(&filter);

    return rc;
}


ngx_int_t
ngx_msgbus_mongodb_first(ngx_msgbus_db_t *db, bson_t *filter, const char *by,
    int32_t order, uint64_t *id)
{
    int64_t    limit;
    ngx_int_t  rc;

    for (limit = NGX_MSGBUS_ODD; limit <= NGX_MSGBUS_ODD_MAX; limit *= 8) {

        rc = ngx_msgbus_mongodb_first_of(db, filter, by, order, limit, id);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    ngx_msgbus_mongodb_failed(db, "many of its events have an _id that is no "
                                  "whole number");
    return NGX_ABORT;
}


/* of so many; NGX_AGAIN: there may be more, and none of these is an event */
static ngx_int_t
ngx_msgbus_mongodb_first_of(ngx_msgbus_db_t *db, bson_t *filter,
    const char *by, int32_t order, int64_t limit, uint64_t *id)
{
    bson_t            opts, sort, fields;
    int64_t           n;
    ngx_int_t         rc;
    bson_iter_t       iter;
    const bson_t     *b;
    mongoc_cursor_t  *cursor;

    bson_init(&opts);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&opts, "sort", &sort);
    (void) BSON_APPEND_INT32(&sort, by, order);
    (void) bson_append_document_end(&opts, &sort);

    (void) BSON_APPEND_INT64(&opts, "limit", limit);
    (void) BSON_APPEND_INT64(&opts, "batchSize", limit + 1);
    (void) BSON_APPEND_INT64(&opts, "maxTimeMS", db->patience);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&opts, "projection", &fields);
    (void) BSON_APPEND_INT32(&fields, "_id", 1);
    (void) BSON_APPEND_INT32(&fields, "created_at", 1);
    (void) BSON_APPEND_INT32(&fields, "posted_at", 1);
    (void) bson_append_document_end(&opts, &fields);

    cursor = mongoc_collection_find_with_opts(db->events, filter, &opts,
                                              NULL);
    rc = NGX_DECLINED;

    for (n = 0; rc == NGX_DECLINED && mongoc_cursor_next(cursor, &b); n++) {

        *id = bson_iter_init_find(&iter, b, "_id")
              ? ngx_msgbus_mongodb_id(&iter) : 0;

        if (*id == 0) {
            continue;
        }

        rc = NGX_OK;

        db->newest_created = 0;
        db->newest_posted = bson_iter_init_find(&iter, b, "posted_at");

        if (bson_iter_init_find(&iter, b, "created_at")) {
            db->newest_created = ngx_msgbus_mongodb_date(&iter);
        }
    }

    if (rc == NGX_DECLINED && n == limit) {
        rc = NGX_AGAIN;
    }

    if (ngx_msgbus_mongodb_read_end(db, cursor) != NGX_OK) {
        rc = NGX_ERROR;
    }

    bson_destroy(&opts);

    return rc;
}


/* ids above one and below another; an event's are above 0, below the end */
static void
ngx_msgbus_mongodb_range(bson_t *filter, uint64_t low, uint64_t high)
{
    bson_t  range;

    bson_init(filter);

    (void) BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &range);
    (void) BSON_APPEND_INT64(&range, "$gt", (int64_t) low);
    (void) BSON_APPEND_INT64(&range, "$lt", (int64_t) high);
    (void) bson_append_document_end(filter, &range);
}


uint64_t
ngx_msgbus_mongodb_id(bson_iter_t *iter)
{
    int64_t  id;

    if (!BSON_ITER_HOLDS_NUMBER(iter)) {
        return 0;
    }

    if (BSON_ITER_HOLDS_DOUBLE(iter)
        && !(bson_iter_double(iter) >= 1
             && bson_iter_double(iter) < NGX_MSGBUS_ID_END))
    {
        return 0;
    }

    id = bson_iter_as_int64(iter);

    if (id < 1
        || id >= NGX_MSGBUS_ID_END
        || (BSON_ITER_HOLDS_DOUBLE(iter)
            && bson_iter_double(iter) != (double) id))
    {
        return 0;
    }

    return (uint64_t) id;
}


uint64_t
ngx_msgbus_mongodb_date(bson_iter_t *iter)
{
    int64_t  ms;

    ms = BSON_ITER_HOLDS_DATE_TIME(iter) ? bson_iter_date_time(iter) : 0;

    return (uint64_t) ngx_max(ms, 0);
}


static ngx_int_t
ngx_msgbus_mongodb_after(ngx_msgbus_db_t *db, uint64_t id, ngx_uint_t max,
    ngx_msgbus_doc_pt handler, void *data)
{
    bson_t             filter, opts, sub;
    ngx_int_t          n, odd;
    const bson_t      *b;
    mongoc_cursor_t   *cursor;
    ngx_msgbus_doc_t   doc;

    if (ngx_msgbus_mongodb_inspect(db) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_msgbus_mongodb_range(&filter, id, NGX_MSGBUS_ID_END);
    bson_init(&opts);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&opts, "sort", &sub);
    (void) BSON_APPEND_INT32(&sub, "_id", 1);
    (void) bson_append_document_end(&opts, &sub);

    (void) BSON_APPEND_INT64(&opts, "limit", (int64_t) max);

    /* else the first answer has 101; and one more, lest a cursor stay open */

    (void) BSON_APPEND_INT64(&opts, "batchSize", (int64_t) max + 1);

    cursor = mongoc_collection_find_with_opts(db->events, &filter, &opts,
                                              NULL);

    odd = 0;

    for (n = 0; mongoc_cursor_next(cursor, &b); n++) {

        ngx_msgbus_mongodb_parse(db, b, &doc);

        if (doc.id) {
            handler(data, &doc);

        } else {
            odd++;
        }
    }

    if (odd) {
        ngx_msgbus_mongodb_odd(db);
    }

    if (odd == (ngx_int_t) max) {

        /* there is no way past them */

        ngx_msgbus_mongodb_failed(db, "many of its events have an _id that is "
                                      "no whole number");
        n = NGX_ERROR;
    }

    if (ngx_msgbus_mongodb_read_end(db, cursor) != NGX_OK) {
        n = NGX_ERROR;
    }

    bson_destroy(&opts);
    bson_destroy(&filter);

    return n;
}


/*
 * From time to time: are there documents whose _id can not be an event's, below
 * or above those?  Each query passes over them.  And is the oldest event one
 * that should have gone?
 */
static ngx_int_t
ngx_msgbus_mongodb_inspect(ngx_msgbus_db_t *db)
{
    uint64_t  now, period;

    now = ngx_msgbus_time_monotonic();
    period = ngx_min(db->ttl * 1000 / 2, NGX_MSGBUS_INSPECT_PERIOD);

    if (db->inspected && now - db->inspected < period) {
        return NGX_OK;
    }

    if (ngx_msgbus_mongodb_inspect_end(db, -1) != NGX_OK
        || ngx_msgbus_mongodb_inspect_end(db, 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    db->inspected = now;

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_mongodb_inspect_end(ngx_msgbus_db_t *db, int32_t order)
{
    bson_t            filter, opts, sub;
    uint64_t          id;
    ngx_int_t         rc;
    bson_iter_t       iter;
    const bson_t     *b;
    mongoc_cursor_t  *cursor;

    bson_init(&filter);
    bson_init(&opts);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&opts, "sort", &sub);
    (void) BSON_APPEND_INT32(&sub, "_id", order);
    (void) bson_append_document_end(&opts, &sub);

    (void) BSON_APPEND_INT64(&opts, "limit", NGX_MSGBUS_ODD);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&opts, "projection", &sub);
    (void) BSON_APPEND_INT32(&sub, "_id", 1);
    (void) BSON_APPEND_INT32(&sub, "created_at", 1);
    (void) bson_append_document_end(&opts, &sub);

    cursor = mongoc_collection_find_with_opts(db->events, &filter, &opts,
                                              NULL);

    while (mongoc_cursor_next(cursor, &b)) {

        id = bson_iter_init_find(&iter, b, "_id")
             ? ngx_msgbus_mongodb_id(&iter) : 0;

        if (id == 0) {
            ngx_msgbus_mongodb_odd(db);
            continue;
        }

        if (order > 0) {
            ngx_msgbus_mongodb_oldest_is(db, id,
                               bson_iter_init_find(&iter, b, "created_at")
                               ? ngx_msgbus_mongodb_date(&iter) : 0);
        }

        break;
    }

    rc = ngx_msgbus_mongodb_read_end(db, cursor);

    bson_destroy(&opts);
    bson_destroy(&filter);

    return rc;
}


/* what is missing, or of another type, is empty: no reader is shown it */
void
ngx_msgbus_mongodb_parse(ngx_msgbus_db_t *db, const bson_t *b,
    ngx_msgbus_doc_t *doc)
{
    uint32_t        len;
    uint64_t        posted;
    ngx_str_t      *s;
    const char     *name;
    bson_iter_t     iter;
    const uint8_t  *key, *body;

    ngx_memzero(doc, sizeof(ngx_msgbus_doc_t));

    if (!bson_iter_init(&iter, b)) {
        return;
    }

    posted = 0;
    key = NULL;
    body = NULL;

    while (bson_iter_next(&iter)) {

        name = bson_iter_key(&iter);

        if (ngx_strcmp(name, "_id") == 0) {

            doc->id = ngx_msgbus_mongodb_id(&iter);

        } else if (ngx_strcmp(name, "created_at") == 0) {

            doc->since = ngx_msgbus_mongodb_date(&iter);

        } else if (ngx_strcmp(name, "posted_at") == 0) {

            posted = ngx_msgbus_mongodb_date(&iter);

        } else if (ngx_strcmp(name, "token") == 0) {

            doc->token = (u_char *) ngx_msgbus_mongodb_bytes(&iter);

        } else if (ngx_strcmp(name, "key") == 0) {

            key = ngx_msgbus_mongodb_bytes(&iter);

        } else if (ngx_strcmp(name, "body") == 0) {

            body = ngx_msgbus_mongodb_bytes(&iter);

        } else {

            s = ngx_strcmp(name, "data") == 0 ? &doc->data
                : ngx_strcmp(name, "channel") == 0 ? &doc->channel
                : ngx_strcmp(name, "user_agent") == 0 ? &doc->user_agent
                : ngx_strcmp(name, "uuid") == 0 ? &doc->uuid
                : NULL;

            if (s && BSON_ITER_HOLDS_UTF8(&iter)) {
                s->data = (u_char *) bson_iter_utf8(&iter, &len);
                s->len = len;
            }
        }
    }

    doc->created = posted ? posted : doc->since;

    if (key && body) {
        ngx_memcpy(db->key.name, key, NGX_MSGBUS_KEY_NAME);
        ngx_memcpy(db->key.body, body, NGX_MSGBUS_KEY_BODY);

        doc->key = &db->key;
    }
}


const uint8_t *
ngx_msgbus_mongodb_bytes(bson_iter_t *iter)
{
    uint32_t         len;
    const uint8_t   *p;
    bson_subtype_t   type;

    if (!BSON_ITER_HOLDS_BINARY(iter)) {
        return NULL;
    }

    bson_iter_binary(iter, &type, &len, &p);

    return len == NGX_MSGBUS_TOKEN_LEN ? p : NULL;
}


static ngx_int_t
ngx_msgbus_mongodb_touch(ngx_msgbus_db_t *db, uint64_t id, uint64_t now)
{
    bson_t     filter, update, set;
    ngx_int_t  rc;

    bson_init(&filter);
    bson_init(&update);

    (void) BSON_APPEND_INT64(&filter, "_id", (int64_t) id);

    /* another node, whose clock is ahead, may have been faster */

    (void) BSON_APPEND_DOCUMENT_BEGIN(&update, "$max", &set);
    (void) BSON_APPEND_DATE_TIME(&set, "created_at", (int64_t) now);
    (void) bson_append_document_end(&update, &set);

    if (!db->newest_posted && db->newest_created) {
        (void) BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &set);
        (void) BSON_APPEND_DATE_TIME(&set, "posted_at",
                                     (int64_t) db->newest_created);
        (void) bson_append_document_end(&update, &set);
    }

    rc = ngx_msgbus_mongodb_update(db, "events", &filter, &update, false);

    bson_destroy(&update);
    bson_destroy(&filter);

    return rc;
}


/*
 * Changes a document, in a command of our own: what the driver's update takes
 * as options goes into the statement, where FerretDB does not look for a time
 * limit.  NGX_OK, NGX_DECLINED: there is none such, NGX_ERROR.
 */
static ngx_int_t
ngx_msgbus_mongodb_update(ngx_msgbus_db_t *db, const char *collection,
    const bson_t *filter, const bson_t *update, bool upsert)
{
    bool           ok;
    bson_t         command, list, statement, reply;
    ngx_int_t      rc;
    bson_error_t   error;

    bson_init(&command);
    bson_init(&list);

    ok = BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &statement)
         && BSON_APPEND_DOCUMENT(&statement, "q", filter)
         && BSON_APPEND_DOCUMENT(&statement, "u", update)
         && BSON_APPEND_BOOL(&statement, "upsert", upsert)
         && bson_append_document_end(&list, &statement)
         && BSON_APPEND_UTF8(&command, "update", collection)
         && BSON_APPEND_ARRAY(&command, "updates", &list)
         && ngx_msgbus_mongodb_writes(db, &command);

    bson_destroy(&list);

    if (!ok) {
        bson_destroy(&command);
        ngx_msgbus_mongodb_failed(db, "no memory for an update");

        return NGX_ERROR;
    }

    ok = mongoc_client_command_simple(db->client,
                                      (char *) db->conf->database.data,
                                      &command, NULL, &reply, &error);
    bson_destroy(&command);

    if (ok) {
        rc = ngx_msgbus_mongodb_updated(db, &reply);

    } else {
        ngx_msgbus_mongodb_failed(db, error.message);
        rc = NGX_ERROR;
    }

    bson_destroy(&reply);

    return rc;
}


static ngx_int_t
ngx_msgbus_mongodb_updated(ngx_msgbus_db_t *db, const bson_t *reply)
{
    bson_iter_t  iter, text;

    if (bson_iter_init_find(&iter, reply, "writeErrors")) {

        ngx_msgbus_mongodb_failed(db, bson_iter_init(&iter, reply)
                  && bson_iter_find_descendant(&iter, "writeErrors.0.errmsg",
                                               &text)
                  && BSON_ITER_HOLDS_UTF8(&text)
                  ? bson_iter_utf8(&text, NULL) : "an update is refused");
        return NGX_ERROR;
    }

    if (bson_iter_init_find(&iter, reply, "writeConcernError")) {
        ngx_msgbus_mongodb_failed(db, "its write concern is not met");
        return NGX_ERROR;
    }

    return bson_iter_init_find(&iter, reply, "n")
           && BSON_ITER_HOLDS_NUMBER(&iter)
           && bson_iter_as_int64(&iter) == 0
           ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_msgbus_mongodb_counter(ngx_msgbus_db_t *db, uint64_t *c)
{
    bson_t            filter;
    ngx_int_t         rc;
    bson_iter_t       iter;
    bson_error_t      error;
    const bson_t     *b;
    mongoc_cursor_t  *cursor;

    *c = 0;
    rc = NGX_OK;

    bson_init(&filter);
    (void) BSON_APPEND_UTF8(&filter, "_id", NGX_MSGBUS_COUNTER);

    cursor = mongoc_collection_find_with_opts(db->counters, &filter, NULL,
                                              NULL);

    if (mongoc_cursor_next(cursor, &b)) {

        if (bson_iter_init_find(&iter, b, "c")
            && BSON_ITER_HOLDS_NUMBER(&iter)
            && bson_iter_as_int64(&iter) > 0)
        {
            *c = (uint64_t) bson_iter_as_int64(&iter);

            if (*c >= NGX_MSGBUS_ID_END - NGX_MSGBUS_ID_SPARE) {
                ngx_msgbus_mongodb_failed(db, "its counter leaves no ids below "
                                              "2^53");
                rc = NGX_ERROR;
            }
        }

    } else if (mongoc_cursor_error(cursor, &error)) {
        ngx_msgbus_mongodb_failed(db, error.message);
        rc = NGX_ERROR;
    }

    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);

    return rc;
}


static ngx_int_t
ngx_msgbus_mongodb_raise(ngx_msgbus_db_t *db, uint64_t c)
{
    bson_t     filter, update, max;
    ngx_int_t  rc;

    if (c >= NGX_MSGBUS_ID_END - NGX_MSGBUS_ID_SPARE) {
        ngx_msgbus_mongodb_failed(db, "its newest event leaves no ids below "
                                      "2^53");
        return NGX_ERROR;
    }

    bson_init(&filter);
    bson_init(&update);

    (void) BSON_APPEND_UTF8(&filter, "_id", NGX_MSGBUS_COUNTER);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&update, "$max", &max);
    (void) BSON_APPEND_INT64(&max, "c", (int64_t) c);
    (void) bson_append_document_end(&update, &max);

    rc = ngx_msgbus_mongodb_update(db, "counters", &filter, &update, true);

    bson_destroy(&update);
    bson_destroy(&filter);

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


static const char *
ngx_msgbus_mongodb_library(void)
{
    return mongoc_get_version();
}
