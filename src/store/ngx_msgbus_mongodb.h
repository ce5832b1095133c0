
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_MONGODB_H_INCLUDED_
#define _NGX_MSGBUS_MONGODB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <mongoc/mongoc.h>
#include "ngx_msgbus_mongodb_conf.h"


/* the name of the index that keeps a key from being there twice */
#define NGX_MSGBUS_MONGODB_KEY_INDEX  "msgbus_key"


/* a connection to MongoDB; used in one thread only */
struct ngx_msgbus_db_s {
    ngx_msgbus_mongodb_conf_t  *conf;
    uint64_t                    ttl;         /* ms */
    ngx_msgbus_tells_t         *tells;
    ngx_log_t                  *log;

    mongoc_uri_t               *uri;
    mongoc_client_t            *client;      /* NULL: not connected */
    mongoc_collection_t        *events;
    mongoc_collection_t        *counters;

    int64_t                     max_doc;     /* bytes that hello grants it */
    ngx_uint_t                  pattern;     /* of the last duplicate key */
    ngx_uint_t                  keyed;       /* the index of keys is there */

    uint64_t                    inspected;   /* monotonic, us */

    uint64_t                    overdue_id;  /* the oldest, long expired */
    ngx_uint_t                  overdue;     /* so many looks have met it */

    uint64_t                    newest_created;
    ngx_uint_t                  newest_posted;  /* it has posted_at */

    uint64_t                    begin;       /* of history: ids up to it are
                                                not worth a look */
    uint64_t                    way;         /* of history: to the server and
                                                back, us; 0: not known yet */

    ngx_msgbus_key_t            key;         /* of the last document that was
                                                parsed */
    int32_t                     w;           /* of the write concern */
    int32_t                     patience;    /* of the server, ms */
    ngx_uint_t                  warned;      /* bits, by text */
    char                        warnings[NGX_MSGBUS_WARNINGS_LEN];
    char                        version[NGX_MSGBUS_VERSION_LEN];
    char                        error[NGX_MSGBUS_ERROR_LEN];
};


/*
 * As ngx_msgbus_store_t has them; connect() makes RSE's indexes, and that of
 * the keys, where they are missing.
 */
const char *ngx_msgbus_mongodb_check(ngx_msgbus_store_conf_t *conf,
    ngx_pool_t *pool);
ngx_uint_t ngx_msgbus_mongodb_same(ngx_msgbus_store_conf_t *one,
    ngx_msgbus_store_conf_t *two);
ngx_msgbus_db_t *ngx_msgbus_mongodb_create(ngx_msgbus_store_conf_t *conf,
    uint64_t ttl, ngx_msgbus_tells_t *tells, ngx_log_t *log);
void ngx_msgbus_mongodb_destroy(ngx_msgbus_db_t *db);
ngx_int_t ngx_msgbus_mongodb_connect(ngx_msgbus_db_t *db,
    ngx_msgbus_limits_t *limits);
ngx_int_t ngx_msgbus_mongodb_attach(ngx_msgbus_db_t *db);
void ngx_msgbus_mongodb_disconnect(ngx_msgbus_db_t *db);
const char *ngx_msgbus_mongodb_error(ngx_msgbus_db_t *db);
const char *ngx_msgbus_mongodb_version(ngx_msgbus_db_t *db);
const char *ngx_msgbus_mongodb_warnings(ngx_msgbus_db_t *db);

/* there is a document whose _id can not be an event's: told once */
void ngx_msgbus_mongodb_odd(ngx_msgbus_db_t *db);

/*
 * The oldest event, and its time (0: it has none, and never expires), as it is
 * looked at from time to time: is the database dropping what has expired?
 */
void ngx_msgbus_mongodb_oldest_is(ngx_msgbus_db_t *db, uint64_t id,
    uint64_t created);

/*
 * The first event in an order, 1 or -1, of those with ids above low and below
 * high; and its time in db->newest_created.
 *
 * NGX_OK
 * NGX_DECLINED  there is none
 * NGX_ABORT     before it come thousands of documents that are no events
 * NGX_ERROR
 */
ngx_int_t ngx_msgbus_mongodb_one(ngx_msgbus_db_t *db, int32_t order,
    uint64_t low, uint64_t high, uint64_t *id);

/*
 * Likewise the first event of those that a filter lets through, in the order
 * of a field.
 */
ngx_int_t ngx_msgbus_mongodb_first(ngx_msgbus_db_t *db, bson_t *filter,
    const char *by, int32_t order, uint64_t *id);

/* an event's id, 0: it is none; a date, 0: it is none, or before 1970 */
uint64_t ngx_msgbus_mongodb_id(bson_iter_t *iter);
uint64_t ngx_msgbus_mongodb_date(bson_iter_t *iter);

/* the 16 of a token, or of each half of a key; NULL: it is none such */
const uint8_t *ngx_msgbus_mongodb_bytes(bson_iter_t *iter);

/* what a document says; it points into that, and its key into db */
void ngx_msgbus_mongodb_parse(ngx_msgbus_db_t *db, const bson_t *b,
    ngx_msgbus_doc_t *doc);

/*
 * What each command has that writes: the write concern, and how long it may
 * take.  A server that is held up, by a lock for one, would carry it out later,
 * when nobody waits for it any more; wtimeout counts from then on only.  For
 * all servers it has to stand in the command, not in a statement of it.  False:
 * no memory.
 */
bool ngx_msgbus_mongodb_writes(ngx_msgbus_db_t *db, bson_t *command);

/*
 * Ends a cursor that was read.  NGX_OK; NGX_ERROR: it has failed on the way,
 * and the text is there for error().
 */
ngx_int_t ngx_msgbus_mongodb_read_end(ngx_msgbus_db_t *db,
    mongoc_cursor_t *cursor);

/* keeps an error's text for error() */
void ngx_msgbus_mongodb_failed(ngx_msgbus_db_t *db, const char *text);


/* what a URI says of a time-out, or else the configuration; ms */
static ngx_inline int32_t
ngx_msgbus_mongodb_timeout(mongoc_uri_t *uri, const char *option,
    ngx_msec_t ms)
{
    int32_t  said;

    said = mongoc_uri_get_option_as_int32(uri, option, 0);

    return said > 0 ? said : (int32_t) ngx_min(ms, 0x7fffffff);
}


#endif /* _NGX_MSGBUS_MONGODB_H_INCLUDED_ */
