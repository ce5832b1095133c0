
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A connection to MongoDB: what its URI and the configuration say of it, what
 * kind of server it is, and RSE's indexes.
 *
 * Everything here blocks, and runs in the thread whose connection it is: the
 * committer's, or that of history.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_mongodb.h"
#include "ngx_msgbus_time.h"


#define NGX_MSGBUS_NAMESPACE_NOT_FOUND  26

/* what an administrator should know: bits, texts[] has them in this order */
#define NGX_MSGBUS_WARN_CONCERN     0x01
#define NGX_MSGBUS_WARN_STANDALONE  0x02
#define NGX_MSGBUS_WARN_TTL         0x04
#define NGX_MSGBUS_WARN_INDEX       0x08
#define NGX_MSGBUS_WARN_ODD         0x10
#define NGX_MSGBUS_WARN_OVERDUE     0x20
#define NGX_MSGBUS_WARN_KEYS        0x40

/*
 * An event is overdue when it is older than the ttl by an eighth of it and ten
 * minutes: a database drops what has expired once a minute, in steps.  What is
 * still there at so many looks in a row is not dropped at all.
 */
#define NGX_MSGBUS_OVERDUE_MS       600000
#define NGX_MSGBUS_OVERDUE_LOOKS    3

/*
 * Where hello does not say so: documents of an insert, bytes of a message and
 * of a command.  What a document has beside its strings, and a command beside
 * its documents.
 */
#define NGX_MSGBUS_HELLO_EVENTS     100000
#define NGX_MSGBUS_HELLO_MESSAGE    48000000
#define NGX_MSGBUS_HELLO_COMMAND    16777216
#define NGX_MSGBUS_DOC_BYTES        256
#define NGX_MSGBUS_COMMAND_BYTES    16384


static void ngx_msgbus_mongodb_defaults(ngx_msgbus_db_t *db);
static void ngx_msgbus_mongodb_concerns(ngx_msgbus_db_t *db);
static ngx_int_t ngx_msgbus_mongodb_client(ngx_msgbus_db_t *db);
static ngx_int_t ngx_msgbus_mongodb_hello(ngx_msgbus_db_t *db,
    ngx_msgbus_limits_t *limits);
static ngx_int_t ngx_msgbus_mongodb_alone(ngx_msgbus_db_t *db);
static void ngx_msgbus_mongodb_weigh(ngx_msgbus_db_t *db,
    const bson_t *hello);
static void ngx_msgbus_mongodb_limits(ngx_msgbus_db_t *db,
    const bson_t *hello, ngx_msgbus_limits_t *limits);
static int64_t ngx_msgbus_mongodb_limit(const bson_t *hello,
    const char *name, int64_t absent);
static ngx_int_t ngx_msgbus_mongodb_command(ngx_msgbus_db_t *db,
    const char *name, bson_t *reply);
static ngx_int_t ngx_msgbus_mongodb_indexes(ngx_msgbus_db_t *db);
static ngx_uint_t ngx_msgbus_mongodb_is_key_index(const bson_t *b);
static ngx_int_t ngx_msgbus_mongodb_make_key_index(ngx_msgbus_db_t *db);
static ngx_int_t ngx_msgbus_mongodb_make_indexes(ngx_msgbus_db_t *db,
    ngx_uint_t ttl, ngx_uint_t get_events);
static ngx_int_t ngx_msgbus_mongodb_create_indexes(ngx_msgbus_db_t *db,
    const bson_t *list);


static const char  *ngx_msgbus_mongodb_texts[] = {
    "the write concern is below majority: a failover may lose events",
    "the database is a standalone server: what it loses is lost",
    "the ttl index of the database differs from the zone's ttl",
    "the indexes of the database can not be looked at or made",
    "documents whose _id is no whole number from 1 to 2^53 - 1 are passed over",
    "expired events are still in the database: nothing drops them there",
    "the database has no unique index of keys: posts with an Idempotency-Key "
    "are refused",
    NULL
};


ngx_msgbus_db_t *
ngx_msgbus_mongodb_create(ngx_msgbus_store_conf_t *conf, uint64_t ttl,
    ngx_msgbus_tells_t *tells, ngx_log_t *log)
{
    ngx_msgbus_db_t  *db;

    /* once a process is enough, and it sees to that by itself */

    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);

    db = ngx_calloc(sizeof(ngx_msgbus_db_t), log);
    if (db == NULL) {
        return NULL;
    }

    db->conf = (ngx_msgbus_mongodb_conf_t *) conf;
    db->ttl = ttl;
    db->tells = tells;
    db->log = log;

    db->uri = mongoc_uri_new((char *) db->conf->uri.data);
    if (db->uri == NULL) {
        ngx_free(db);
        return NULL;
    }

    ngx_msgbus_mongodb_defaults(db);

    return db;
}


/*
 * Time-outs: what the URI says, else the configuration; but no command may
 * be on its way for longer than half a term, lest it land after its ids have
 * expired.
 */
static void
ngx_msgbus_mongodb_defaults(ngx_msgbus_db_t *db)
{
    int32_t     ms, limit;
    ngx_uint_t  i;

    struct {
        const char  *name;
        ngx_msec_t   ms;
    } timeouts[] = {
        { MONGOC_URI_CONNECTTIMEOUTMS, db->conf->connect_timeout },
        { MONGOC_URI_SOCKETTIMEOUTMS, db->conf->timeout },
        { MONGOC_URI_SERVERSELECTIONTIMEOUTMS, db->conf->timeout }
    };

    limit = (int32_t) ngx_min(db->ttl / 16, 0x7fffffff);
    limit = ngx_max(limit, 50);

    for (i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
        ms = ngx_msgbus_mongodb_timeout(db->uri, timeouts[i].name,
                                        timeouts[i].ms);

        (void) mongoc_uri_set_option_as_int32(db->uri, timeouts[i].name,
                                              ngx_min(ms, limit));
    }

    /* whether and how to repeat is the commit's business */

    (void) mongoc_uri_set_option_as_bool(db->uri, MONGOC_URI_RETRYWRITES,
                                         false);
    (void) mongoc_uri_set_option_as_bool(db->uri, MONGOC_URI_RETRYREADS,
                                         false);

    /* the server gives up before we do */

    ms = mongoc_uri_get_option_as_int32(db->uri, MONGOC_URI_SOCKETTIMEOUTMS,
                                        limit);
    db->patience = ngx_max(ms * 3 / 4, 1);

    ngx_msgbus_mongodb_concerns(db);
}


/* majority, unless the URI says otherwise; and from the primary only */
static void
ngx_msgbus_mongodb_concerns(ngx_msgbus_db_t *db)
{
    mongoc_read_prefs_t          *prefs;
    mongoc_read_concern_t        *read;
    mongoc_write_concern_t       *write;
    const mongoc_read_concern_t  *has;

    write = mongoc_write_concern_copy(mongoc_uri_get_write_concern(db->uri));

    if (mongoc_write_concern_get_w(write) == MONGOC_WRITE_CONCERN_W_DEFAULT
        && mongoc_write_concern_get_wtag(write) == NULL)
    {
        mongoc_write_concern_set_w(write, MONGOC_WRITE_CONCERN_W_MAJORITY);
    }

    db->w = mongoc_write_concern_get_w(write);

    if (mongoc_write_concern_get_wtimeout_int64(write) == 0
        && mongoc_write_concern_get_w(write) != 1)
    {
        mongoc_write_concern_set_wtimeout_int64(write, db->patience);
    }

    mongoc_uri_set_write_concern(db->uri, write);
    mongoc_write_concern_destroy(write);

    has = mongoc_uri_get_read_concern(db->uri);

    if (has == NULL || mongoc_read_concern_get_level(has) == NULL) {
        read = mongoc_read_concern_new();

        (void) mongoc_read_concern_set_level(read,
                                        MONGOC_READ_CONCERN_LEVEL_MAJORITY);

        mongoc_uri_set_read_concern(db->uri, read);
        mongoc_read_concern_destroy(read);
    }

    prefs = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);

    mongoc_uri_set_read_prefs_t(db->uri, prefs);
    mongoc_read_prefs_destroy(prefs);
}


void
ngx_msgbus_mongodb_destroy(ngx_msgbus_db_t *db)
{
    ngx_msgbus_mongodb_disconnect(db);

    mongoc_uri_destroy(db->uri);

    ngx_free(db);
}


ngx_int_t
ngx_msgbus_mongodb_connect(ngx_msgbus_db_t *db,
    ngx_msgbus_limits_t *limits)
{
    if (ngx_msgbus_mongodb_client(db) != NGX_OK
        || ngx_msgbus_mongodb_hello(db, limits) != NGX_OK
        || ngx_msgbus_mongodb_indexes(db) != NGX_OK)
    {
        /* the next one makes a client of its own */

        ngx_msgbus_mongodb_disconnect(db);

        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_mongodb_attach(ngx_msgbus_db_t *db)
{
    bson_t       reply;
    ngx_int_t    rc;
    bson_iter_t  iter;

    db->begin = 0;
    db->way = 0;

    if (ngx_msgbus_mongodb_client(db) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_msgbus_mongodb_command(db, "isMaster", &reply);

    if (rc == NGX_OK
        && !bson_iter_init_find(&iter, &reply, "setName")
        && !bson_iter_init_find(&iter, &reply, "msg"))
    {
        rc = ngx_msgbus_mongodb_alone(db);
    }

    bson_destroy(&reply);

    if (rc != NGX_OK) {
        ngx_msgbus_mongodb_disconnect(db);
    }

    return rc;
}


static ngx_int_t
ngx_msgbus_mongodb_client(ngx_msgbus_db_t *db)
{
    const char  *database;

    db->client = mongoc_client_new_from_uri(db->uri);

    if (db->client == NULL) {
        ngx_msgbus_mongodb_failed(db, "no client can be made for its uri");
        return NGX_ERROR;
    }

    (void) mongoc_client_set_error_api(db->client,
                                       MONGOC_ERROR_API_VERSION_2);

    database = (char *) db->conf->database.data;

    db->events = mongoc_client_get_collection(db->client, database,
                                              "events");
    db->counters = mongoc_client_get_collection(db->client, database,
                                                "counters");

    return NGX_OK;
}


/* what kind of server it is */
static ngx_int_t
ngx_msgbus_mongodb_hello(ngx_msgbus_db_t *db, ngx_msgbus_limits_t *limits)
{
    bson_t       reply;
    ngx_int_t    rc;
    bson_iter_t  iter;

    db->version[0] = '\0';

    rc = ngx_msgbus_mongodb_command(db, "buildInfo", &reply);

    if (rc == NGX_OK
        && bson_iter_init_find(&iter, &reply, "version")
        && BSON_ITER_HOLDS_UTF8(&iter))
    {
        (void) ngx_cpystrn((u_char *) db->version,
                           (u_char *) bson_iter_utf8(&iter, NULL),
                           NGX_MSGBUS_VERSION_LEN);
    }

    bson_destroy(&reply);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_msgbus_mongodb_command(db, "isMaster", &reply);

    if (rc == NGX_OK) {
        db->warned &= ~NGX_MSGBUS_WARN_STANDALONE;

        if (!bson_iter_init_find(&iter, &reply, "setName")
            && !bson_iter_init_find(&iter, &reply, "msg"))
        {
            db->warned |= NGX_MSGBUS_WARN_STANDALONE;
            rc = ngx_msgbus_mongodb_alone(db);
        }

        ngx_msgbus_mongodb_weigh(db, &reply);
        ngx_msgbus_mongodb_limits(db, &reply, limits);
    }

    bson_destroy(&reply);

    return rc;
}


/*
 * Of several servers that are no replica set, the driver drops all but the
 * one that answers it last: two nodes with one URI may write to two of them,
 * and one node to another each time.  NGX_OK: there is one, or NGX_ERROR.
 */
static ngx_int_t
ngx_msgbus_mongodb_alone(ngx_msgbus_db_t *db)
{
    const mongoc_host_list_t  *host;

    /* the client's own: the names behind mongodb+srv are in it by now */

    host = mongoc_uri_get_hosts(mongoc_client_get_uri(db->client));

    if (host == NULL || host->next == NULL) {
        return NGX_OK;
    }

    ngx_msgbus_mongodb_failed(db, "its uri names several servers, and the one "
                                  "that answers is of no replica set");
    return NGX_ERROR;
}


/*
 * Is a number as write concern a majority of the members that hello tells?
 * A router tells none, and then no number is known to be one.
 */
static void
ngx_msgbus_mongodb_weigh(ngx_msgbus_db_t *db, const bson_t *hello)
{
    int32_t      members;
    ngx_uint_t   i, warned;
    bson_iter_t  iter, member;

    static const char  *lists[] = { "hosts", "passives", "arbiters" };

    warned = db->warned & NGX_MSGBUS_WARN_CONCERN;
    db->warned &= ~NGX_MSGBUS_WARN_CONCERN;

    if (db->w <= 0) {

        /* majority, or a name that the set gives a meaning */

        return;
    }

    members = 0;

    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {

        if (bson_iter_init_find(&iter, hello, lists[i])
            && BSON_ITER_HOLDS_ARRAY(&iter)
            && bson_iter_recurse(&iter, &member))
        {
            while (bson_iter_next(&member)) {
                members++;
            }
        }
    }

    if (members && db->w > members / 2) {
        return;
    }

    db->warned |= NGX_MSGBUS_WARN_CONCERN;

    if (!warned) {
        ngx_msgbus_tell(db->tells, NGX_MSGBUS_TELL_CONCERN, NGX_LOG_WARN,
                        db->log, 0,
                        "the write concern of msgbus_mongodb \"%V\" is below "
                        "majority, a failover may lose events",
                        &db->conf->store.name);
    }
}


/* what one insert may be, as hello tells it */
static void
ngx_msgbus_mongodb_limits(ngx_msgbus_db_t *db, const bson_t *hello,
    ngx_msgbus_limits_t *limits)
{
    int64_t  message, command;

    limits->events = ngx_msgbus_mongodb_limit(hello, "maxWriteBatchSize",
                                              NGX_MSGBUS_HELLO_EVENTS);

    message = ngx_msgbus_mongodb_limit(hello, "maxMessageSizeBytes",
                                       NGX_MSGBUS_HELLO_MESSAGE);
    command = ngx_msgbus_mongodb_limit(hello, "maxBsonObjectSize",
                                       NGX_MSGBUS_HELLO_COMMAND);

    db->max_doc = command;

    message = ngx_min(message, command) - NGX_MSGBUS_COMMAND_BYTES;

    limits->bytes = ngx_max(message, 0);
    limits->each = NGX_MSGBUS_DOC_BYTES;
    limits->time = mongoc_uri_get_option_as_int32(db->uri,
                                          MONGOC_URI_SOCKETTIMEOUTMS, 0);
}


static int64_t
ngx_msgbus_mongodb_limit(const bson_t *hello, const char *name,
    int64_t absent)
{
    bson_iter_t  iter;

    if (bson_iter_init_find(&iter, hello, name)
        && BSON_ITER_HOLDS_NUMBER(&iter)
        && bson_iter_as_int64(&iter) > 0)
    {
        return bson_iter_as_int64(&iter);
    }

    return absent;
}


/* reply is set in any case */
static ngx_int_t
ngx_msgbus_mongodb_command(ngx_msgbus_db_t *db, const char *name,
    bson_t *reply)
{
    bool           ok;
    bson_t         command;
    bson_error_t   error;

    bson_init(&command);
    (void) BSON_APPEND_INT32(&command, name, 1);

    ok = mongoc_client_command_simple(db->client, "admin", &command, NULL,
                                      reply, &error);
    bson_destroy(&command);

    if (!ok) {
        ngx_msgbus_mongodb_failed(db, error.message);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* RSE's indexes by its names: made when missing, told of when different */
static ngx_int_t
ngx_msgbus_mongodb_indexes(ngx_msgbus_db_t *db)
{
    int64_t           seconds;
    ngx_int_t         rc;
    ngx_uint_t        ttl, get_events;
    const char       *name;
    bson_iter_t       iter;
    bson_error_t      error;
    const bson_t     *b;
    mongoc_cursor_t  *cursor;

    ttl = 0;
    get_events = 0;
    rc = NGX_OK;

    db->keyed = 0;
    db->warned &= ~(NGX_MSGBUS_WARN_TTL|NGX_MSGBUS_WARN_INDEX);

    cursor = mongoc_collection_find_indexes_with_opts(db->events, NULL);

    while (mongoc_cursor_next(cursor, &b)) {

        if (!bson_iter_init_find(&iter, b, "name")
            || !BSON_ITER_HOLDS_UTF8(&iter))
        {
            continue;
        }

        name = bson_iter_utf8(&iter, NULL);

        if (ngx_strcmp(name, "get_events") == 0) {
            get_events = 1;
        }

        db->keyed |= ngx_msgbus_mongodb_is_key_index(b);

        if (ngx_strcmp(name, "ttl") == 0) {
            ttl = 1;
            seconds = -1;

            if (bson_iter_init_find(&iter, b, "expireAfterSeconds")
                && BSON_ITER_HOLDS_NUMBER(&iter))
            {
                seconds = bson_iter_as_int64(&iter);
            }

            if (seconds != (int64_t) (db->ttl + 999) / 1000) {
                db->warned |= NGX_MSGBUS_WARN_TTL;
            }
        }
    }

    if (mongoc_cursor_error(cursor, &error)
        && error.code != NGX_MSGBUS_NAMESPACE_NOT_FOUND)
    {
        if (error.domain == MONGOC_ERROR_SERVER) {

            /* it is there, and does not let us look */

            db->warned |= NGX_MSGBUS_WARN_INDEX;

        } else {
            ngx_msgbus_mongodb_failed(db, error.message);
            rc = NGX_ERROR;
        }

        ttl = 1;
        get_events = 1;
    }

    mongoc_cursor_destroy(cursor);

    if (rc == NGX_OK && (!ttl || !get_events)) {
        rc = ngx_msgbus_mongodb_make_indexes(db, ttl, get_events);
    }

    return rc == NGX_OK ? ngx_msgbus_mongodb_make_key_index(db) : rc;
}


/* does it keep a key from being there twice?  Whatever its name is. */
static ngx_uint_t
ngx_msgbus_mongodb_is_key_index(const bson_t *b)
{
    bson_iter_t  iter, key, part;

    if (!bson_iter_init_find(&iter, b, "unique")
        || !bson_iter_as_bool(&iter)
        || !bson_iter_init_find(&iter, b, "key")
        || !BSON_ITER_HOLDS_DOCUMENT(&iter)
        || !bson_iter_recurse(&iter, &key)
        || !bson_iter_next(&key)
        || ngx_strcmp(bson_iter_key(&key), "key") != 0
        || bson_iter_next(&key))
    {
        return 0;
    }

    /* of all that have one */

    if (!bson_iter_init(&iter, b)
        || !bson_iter_find_descendant(&iter,
                                      "partialFilterExpression.key.$exists",
                                      &part))
    {
        return 0;
    }

    return bson_iter_as_bool(&part);
}


/* in a command of its own, for RSE's are made on any server */
static ngx_int_t
ngx_msgbus_mongodb_make_key_index(ngx_msgbus_db_t *db)
{
    bson_t     list, index, part, exists;
    ngx_int_t  rc;

    if (!db->keyed) {
        bson_init(&list);

        (void) BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &index);
        (void) BSON_APPEND_DOCUMENT_BEGIN(&index, "key", &part);
        (void) BSON_APPEND_INT32(&part, "key", 1);
        (void) bson_append_document_end(&index, &part);
        (void) BSON_APPEND_UTF8(&index, "name", NGX_MSGBUS_MONGODB_KEY_INDEX);
        (void) BSON_APPEND_BOOL(&index, "unique", true);
        (void) BSON_APPEND_DOCUMENT_BEGIN(&index, "partialFilterExpression",
                                          &part);
        (void) BSON_APPEND_DOCUMENT_BEGIN(&part, "key", &exists);
        (void) BSON_APPEND_BOOL(&exists, "$exists", true);
        (void) bson_append_document_end(&part, &exists);
        (void) bson_append_document_end(&index, &part);
        (void) bson_append_document_end(&list, &index);

        rc = ngx_msgbus_mongodb_create_indexes(db, &list);

        bson_destroy(&list);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        db->keyed = rc == NGX_OK;
    }

    db->warned &= ~NGX_MSGBUS_WARN_KEYS;
    db->warned |= db->keyed ? 0 : NGX_MSGBUS_WARN_KEYS;

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_mongodb_make_indexes(ngx_msgbus_db_t *db, ngx_uint_t ttl,
    ngx_uint_t get_events)
{
    bson_t       list, index, key;
    ngx_int_t    rc;
    const char  *at;

    bson_init(&list);

    at = "0";

    if (!get_events) {
        (void) BSON_APPEND_DOCUMENT_BEGIN(&list, at, &index);
        (void) BSON_APPEND_DOCUMENT_BEGIN(&index, "key", &key);
        (void) BSON_APPEND_INT32(&key, "channel", 1);
        (void) BSON_APPEND_INT32(&key, "_id", 1);
        (void) BSON_APPEND_INT32(&key, "uuid", 1);
        (void) bson_append_document_end(&index, &key);
        (void) BSON_APPEND_UTF8(&index, "name", "get_events");
        (void) bson_append_document_end(&list, &index);

        at = "1";
    }

    if (!ttl) {
        (void) BSON_APPEND_DOCUMENT_BEGIN(&list, at, &index);
        (void) BSON_APPEND_DOCUMENT_BEGIN(&index, "key", &key);
        (void) BSON_APPEND_INT32(&key, "created_at", 1);
        (void) bson_append_document_end(&index, &key);
        (void) BSON_APPEND_UTF8(&index, "name", "ttl");
        (void) BSON_APPEND_INT32(&index, "expireAfterSeconds",
                                 (int32_t) ((db->ttl + 999) / 1000));
        (void) bson_append_document_end(&list, &index);
    }

    rc = ngx_msgbus_mongodb_create_indexes(db, &list);

    bson_destroy(&list);

    if (rc == NGX_DECLINED) {
        db->warned |= NGX_MSGBUS_WARN_INDEX;
        rc = NGX_OK;
    }

    return rc;
}


/* NGX_OK; NGX_DECLINED: the server will not; NGX_ERROR */
static ngx_int_t
ngx_msgbus_mongodb_create_indexes(ngx_msgbus_db_t *db, const bson_t *list)
{
    bool           ok;
    bson_t         command, reply;
    bson_error_t   error;

    bson_init(&command);

    /* a whole array: what begins one in place is no more liked by 2.x */

    (void) BSON_APPEND_UTF8(&command, "createIndexes", "events");
    (void) BSON_APPEND_ARRAY(&command, "indexes", list);

    ok = mongoc_client_command_simple(db->client,
                                      (char *) db->conf->database.data,
                                      &command, NULL, &reply, &error);
    bson_destroy(&command);
    bson_destroy(&reply);

    if (ok) {
        return NGX_OK;
    }

    if (error.domain == MONGOC_ERROR_SERVER) {

        ngx_msgbus_tell(db->tells, NGX_MSGBUS_TELL_INDEXES, NGX_LOG_WARN,
                        db->log, 0,
                        "msgbus can not make the indexes of \"%V\": %s",
                        &db->conf->store.name, error.message);
        return NGX_DECLINED;
    }

    ngx_msgbus_mongodb_failed(db, error.message);

    return NGX_ERROR;
}


void
ngx_msgbus_mongodb_disconnect(ngx_msgbus_db_t *db)
{
    if (db->client == NULL) {
        return;
    }

    if (db->events) {
        mongoc_collection_destroy(db->events);
        db->events = NULL;
    }

    if (db->counters) {
        mongoc_collection_destroy(db->counters);
        db->counters = NULL;
    }

    mongoc_client_destroy(db->client);
    db->client = NULL;
}


const char *
ngx_msgbus_mongodb_error(ngx_msgbus_db_t *db)
{
    return db->error;
}


const char *
ngx_msgbus_mongodb_version(ngx_msgbus_db_t *db)
{
    return db->version;
}


const char *
ngx_msgbus_mongodb_warnings(ngx_msgbus_db_t *db)
{
    u_char      *p;
    ngx_uint_t   i;

    ngx_memzero(db->warnings, NGX_MSGBUS_WARNINGS_LEN);
    p = (u_char *) db->warnings;

    for (i = 0; ngx_msgbus_mongodb_texts[i]; i++) {

        if (db->warned & (1 << i)) {
            p = ngx_cpymem(p, ngx_msgbus_mongodb_texts[i],
                           ngx_strlen(ngx_msgbus_mongodb_texts[i]) + 1);
        }
    }

    return db->warnings;
}


void
ngx_msgbus_mongodb_odd(ngx_msgbus_db_t *db)
{
    if (db->warned & NGX_MSGBUS_WARN_ODD) {
        return;
    }

    db->warned |= NGX_MSGBUS_WARN_ODD;

    ngx_msgbus_tell(db->tells, NGX_MSGBUS_TELL_ODD, NGX_LOG_WARN, db->log, 0,
                    "msgbus passes over documents of \"%V\" whose _id is no "
                    "whole number from 1 to 2^53 - 1", &db->conf->store.name);
}


void
ngx_msgbus_mongodb_oldest_is(ngx_msgbus_db_t *db, uint64_t id,
    uint64_t created)
{
    uint64_t  age, now;

    now = ngx_msgbus_time_wall();
    age = now > created ? now - created : 0;

    if (created == 0
        || age < db->ttl + db->ttl / 8 + NGX_MSGBUS_OVERDUE_MS)
    {
        db->overdue = 0;
        db->overdue_id = 0;
        db->warned &= ~NGX_MSGBUS_WARN_OVERDUE;
        return;
    }

    if (id != db->overdue_id) {

        /* they may be many, and on their way out */

        db->overdue_id = id;
        db->overdue = 0;
    }

    if (++db->overdue < NGX_MSGBUS_OVERDUE_LOOKS
        || (db->warned & NGX_MSGBUS_WARN_OVERDUE))
    {
        return;
    }

    db->warned |= NGX_MSGBUS_WARN_OVERDUE;

    ngx_msgbus_tell(db->tells, NGX_MSGBUS_TELL_OVERDUE, NGX_LOG_WARN, db->log,
                    0, "msgbus: event %uL of \"%V\" is %uL s old, and the ttl "
                    "is %uL s: the database does not drop what has expired",
                    id, &db->conf->store.name, age / 1000, db->ttl / 1000);
}


bool
ngx_msgbus_mongodb_writes(ngx_msgbus_db_t *db, bson_t *command)
{
    const mongoc_write_concern_t  *concern;

    concern = mongoc_uri_get_write_concern(db->uri);

    return mongoc_write_concern_append((mongoc_write_concern_t *) concern,
                                       command)
           && BSON_APPEND_INT32(command, "maxTimeMS", db->patience);
}


ngx_int_t
ngx_msgbus_mongodb_read_end(ngx_msgbus_db_t *db, mongoc_cursor_t *cursor)
{
    ngx_int_t     rc;
    bson_error_t  error;

    rc = NGX_OK;

    if (mongoc_cursor_error(cursor, &error)) {
        ngx_msgbus_mongodb_failed(db, error.message);
        rc = NGX_ERROR;
    }

    mongoc_cursor_destroy(cursor);

    return rc;
}


void
ngx_msgbus_mongodb_failed(ngx_msgbus_db_t *db, const char *text)
{
    (void) ngx_cpystrn((u_char *) db->error, (u_char *) text,
                       NGX_MSGBUS_ERROR_LEN);
}
