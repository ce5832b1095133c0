
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The MongoDB store: events as documents.  The schema is that of RSE, so that
 * its data and its nodes can stay:
 *
 *     events    { _id: 7, data: "{...}", channel: "/a", user_agent: "...",
 *                 uuid: "...", created_at: ISODate(...), token: BinData }
 *     counters  { _id: "last_known_id", c: 10007 }
 *
 * token is our own: 16 bytes that no two posts share.  posted_at, which only
 * an event has that was the newest for half its ttl, is its time of posting.
 *
 * All of it runs in the committer's thread.  What to make of an error, and
 * when to try again, is decided in the rooms above.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_mongodb_insert.h"


#define NGX_MSGBUS_COUNTER  "last_known_id"


static ngx_int_t ngx_msgbus_mongodb_newest(ngx_msgbus_db_t *db, uint64_t *id,
    uint64_t *created);
static ngx_int_t ngx_msgbus_mongodb_oldest(ngx_msgbus_db_t *db, ngx_uint_t n,
    uint64_t *id);
static ngx_int_t ngx_msgbus_mongodb_one(ngx_msgbus_db_t *db, int32_t order,
    int64_t skip, uint64_t *id);
static ngx_int_t ngx_msgbus_mongodb_after(ngx_msgbus_db_t *db, uint64_t id,
    ngx_uint_t max, ngx_msgbus_doc_pt handler, void *data);
static void ngx_msgbus_mongodb_parse(const bson_t *b, ngx_msgbus_doc_t *doc);
static ngx_int_t ngx_msgbus_mongodb_touch(ngx_msgbus_db_t *db, uint64_t id,
    uint64_t now);
static ngx_int_t ngx_msgbus_mongodb_counter(ngx_msgbus_db_t *db,
    uint64_t *c);
static ngx_int_t ngx_msgbus_mongodb_raise(ngx_msgbus_db_t *db, uint64_t c);


ngx_msgbus_store_t  ngx_msgbus_store_mongodb = {
    ngx_string("mongodb"),
    ngx_string("URI"),
    NGX_MSGBUS_STORE_SHARED|NGX_MSGBUS_STORE_EXPIRES,
    2000,                      /* commands must not outlast a part of it */
    ngx_msgbus_mongodb_check,
    ngx_msgbus_mongodb_same,
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
    ngx_msgbus_mongodb_raise
};


static ngx_int_t
ngx_msgbus_mongodb_newest(ngx_msgbus_db_t *db, uint64_t *id,
    uint64_t *created)
{
    ngx_int_t  rc;

    rc = ngx_msgbus_mongodb_one(db, -1, 0, id);
    *created = db->newest_created;

    return rc;
}


static ngx_int_t
ngx_msgbus_mongodb_oldest(ngx_msgbus_db_t *db, ngx_uint_t n, uint64_t *id)
{
    ngx_int_t  rc;

    rc = ngx_msgbus_mongodb_one(db, -1, (int64_t) n - 1, id);

    return rc == NGX_DECLINED ? ngx_msgbus_mongodb_one(db, 1, 0, id) : rc;
}


/* the first event in an order, or one behind it */
static ngx_int_t
ngx_msgbus_mongodb_one(ngx_msgbus_db_t *db, int32_t order, int64_t skip,
    uint64_t *id)
{
    bson_t            filter, opts, sort, fields;
    ngx_int_t         rc;
    bson_iter_t       iter;
    bson_error_t      error;
    const bson_t     *b;
    mongoc_cursor_t  *cursor;

    bson_init(&filter);
    bson_init(&opts);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&opts, "sort", &sort);
    (void) BSON_APPEND_INT32(&sort, "_id", order);
    (void) bson_append_document_end(&opts, &sort);

    if (skip) {
        (void) BSON_APPEND_INT64(&opts, "skip", skip);
    }

    (void) BSON_APPEND_INT64(&opts, "limit", 1);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&opts, "projection", &fields);
    (void) BSON_APPEND_INT32(&fields, "_id", 1);
    (void) BSON_APPEND_INT32(&fields, "created_at", 1);
    (void) BSON_APPEND_INT32(&fields, "posted_at", 1);
    (void) bson_append_document_end(&opts, &fields);

    cursor = mongoc_collection_find_with_opts(db->events, &filter, &opts,
                                              NULL);
    rc = NGX_DECLINED;

    if (mongoc_cursor_next(cursor, &b)) {
        rc = NGX_OK;

        if (bson_iter_init_find(&iter, b, "_id")
            && BSON_ITER_HOLDS_NUMBER(&iter)
            && bson_iter_as_int64(&iter) > 0)
        {
            *id = (uint64_t) bson_iter_as_int64(&iter);

        } else {
            ngx_msgbus_mongodb_failed(db, "its newest or oldest event has an "
                                      "_id that is no positive number");
            rc = NGX_ERROR;
        }

        db->newest_created = 0;
        db->newest_posted = bson_iter_init_find(&iter, b, "posted_at");

        if (bson_iter_init_find(&iter, b, "created_at")
            && BSON_ITER_HOLDS_DATE_TIME(&iter))
        {
            db->newest_created = (uint64_t) bson_iter_date_time(&iter);
        }

    } else if (mongoc_cursor_error(cursor, &error)) {
        ngx_msgbus_mongodb_failed(db, error.message);
        rc = NGX_ERROR;
    }

    mongoc_cursor_destroy(cursor);
    bson_destroy(&opts);
    bson_destroy(&filter);

    return rc;
}


static ngx_int_t
ngx_msgbus_mongodb_after(ngx_msgbus_db_t *db, uint64_t id, ngx_uint_t max,
    ngx_msgbus_doc_pt handler, void *data)
{
    bson_t             filter, opts, sub;
    ngx_int_t          n;
    bson_error_t       error;
    const bson_t      *b;
    mongoc_cursor_t   *cursor;
    ngx_msgbus_doc_t   doc;

    bson_init(&filter);
    bson_init(&opts);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &sub);
    (void) BSON_APPEND_INT64(&sub, "$gt", (int64_t) id);
    (void) bson_append_document_end(&filter, &sub);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&opts, "sort", &sub);
    (void) BSON_APPEND_INT32(&sub, "_id", 1);
    (void) bson_append_document_end(&opts, &sub);

    (void) BSON_APPEND_INT64(&opts, "limit", (int64_t) max);

    cursor = mongoc_collection_find_with_opts(db->events, &filter, &opts,
                                              NULL);

    for (n = 0; mongoc_cursor_next(cursor, &b); n++) {

        ngx_msgbus_mongodb_parse(b, &doc);

        handler(data, &doc);
    }

    if (mongoc_cursor_error(cursor, &error)) {
        ngx_msgbus_mongodb_failed(db, error.message);
        n = NGX_ERROR;
    }

    mongoc_cursor_destroy(cursor);
    bson_destroy(&opts);
    bson_destroy(&filter);

    return n;
}


/* what is missing, or of another type, is empty: no reader is shown it */
static void
ngx_msgbus_mongodb_parse(const bson_t *b, ngx_msgbus_doc_t *doc)
{
    uint32_t        len;
    uint64_t        posted;
    ngx_str_t      *s;
    const char     *name;
    bson_iter_t     iter;
    const uint8_t  *token;
    bson_subtype_t  type;

    ngx_memzero(doc, sizeof(ngx_msgbus_doc_t));

    if (!bson_iter_init(&iter, b)) {
        return;
    }

    posted = 0;

    while (bson_iter_next(&iter)) {

        name = bson_iter_key(&iter);

        if (ngx_strcmp(name, "_id") == 0) {

            if (BSON_ITER_HOLDS_NUMBER(&iter)) {
                doc->id = (uint64_t) bson_iter_as_int64(&iter);
            }

        } else if (ngx_strcmp(name, "created_at") == 0) {

            if (BSON_ITER_HOLDS_DATE_TIME(&iter)) {
                doc->since = (uint64_t) bson_iter_date_time(&iter);
            }

        } else if (ngx_strcmp(name, "posted_at") == 0) {

            if (BSON_ITER_HOLDS_DATE_TIME(&iter)) {
                posted = (uint64_t) bson_iter_date_time(&iter);
            }

        } else if (ngx_strcmp(name, "token") == 0) {

            if (BSON_ITER_HOLDS_BINARY(&iter)) {
                bson_iter_binary(&iter, &type, &len, &token);

                if (len == NGX_MSGBUS_TOKEN_LEN) {
                    doc->token = (u_char *) token;
                }
            }

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
}


static ngx_int_t
ngx_msgbus_mongodb_touch(ngx_msgbus_db_t *db, uint64_t id, uint64_t now)
{
    bool           ok;
    bson_t         filter, update, set, reply;
    ngx_int_t      rc;
    bson_iter_t    iter;
    bson_error_t   error;

    bson_init(&filter);
    bson_init(&update);

    (void) BSON_APPEND_INT64(&filter, "_id", (int64_t) id);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &set);
    (void) BSON_APPEND_DATE_TIME(&set, "created_at", (int64_t) now);

    if (!db->newest_posted && db->newest_created) {
        (void) BSON_APPEND_DATE_TIME(&set, "posted_at",
                                     (int64_t) db->newest_created);
    }

    (void) bson_append_document_end(&update, &set);

    ok = mongoc_collection_update_one(db->events, &filter, &update, NULL,
                                      &reply, &error);
    rc = NGX_OK;

    if (!ok) {
        ngx_msgbus_mongodb_failed(db, error.message);
        rc = NGX_ERROR;

    } else if (bson_iter_init_find(&iter, &reply, "matchedCount")
               && bson_iter_as_int64(&iter) == 0)
    {
        rc = NGX_DECLINED;
    }

    bson_destroy(&reply);
    bson_destroy(&update);
    bson_destroy(&filter);

    return rc;
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
    bool           ok;
    bson_t         filter, update, opts, max, reply;
    bson_error_t   error;

    bson_init(&filter);
    bson_init(&update);
    bson_init(&opts);

    (void) BSON_APPEND_UTF8(&filter, "_id", NGX_MSGBUS_COUNTER);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&update, "$max", &max);
    (void) BSON_APPEND_INT64(&max, "c", (int64_t) c);
    (void) bson_append_document_end(&update, &max);

    (void) BSON_APPEND_BOOL(&opts, "upsert", true);

    ok = mongoc_collection_update_one(db->counters, &filter, &update, &opts,
                                      &reply, &error);

    bson_destroy(&reply);
    bson_destroy(&opts);
    bson_destroy(&update);
    bson_destroy(&filter);

    if (!ok) {
        ngx_msgbus_mongodb_failed(db, error.message);
        return NGX_ERROR;
    }

    return NGX_OK;
}
