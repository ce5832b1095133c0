
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Inserting into MongoDB: a batch of events as one message, and what has become
 * of it.
 *
 * It is a command of our own.  The driver's insert_many sends more than one
 * message where it thinks that it has to; after an id that is taken it goes on
 * with the next message then, whatever "ordered" says, and leaves a hole below
 * what it has stored.  It does not say either which event was refused, and why.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_mongodb_insert.h"


#define NGX_MSGBUS_DUPLICATE_KEY  11000
#define NGX_MSGBUS_TOO_LARGE      10334

/* the index of a duplicate key, as the server tells it; 0: it does not */
#define NGX_MSGBUS_PATTERN_ID     1
#define NGX_MSGBUS_PATTERN_KEY    2
#define NGX_MSGBUS_PATTERN_OTHER  3


static ngx_int_t ngx_msgbus_mongodb_send(ngx_msgbus_db_t *db,
    ngx_msgbus_doc_t *docs, ngx_uint_t n, ngx_msgbus_refusal_t *refusal);
static ngx_int_t ngx_msgbus_mongodb_duplicate(ngx_msgbus_db_t *db,
    ngx_msgbus_doc_t *docs, ngx_uint_t n, ngx_msgbus_refusal_t *refusal);
static ngx_int_t ngx_msgbus_mongodb_command_of(ngx_msgbus_db_t *db,
    bson_t *command, ngx_msgbus_doc_t *docs, ngx_uint_t n);
static ngx_int_t ngx_msgbus_mongodb_too_large(ngx_msgbus_db_t *db,
    ngx_msgbus_refusal_t *refusal);
static bool ngx_msgbus_mongodb_doc(bson_t *b, ngx_msgbus_doc_t *doc);
static bool ngx_msgbus_mongodb_text(bson_t *b, const char *name,
    ngx_str_t *text, const char *absent);
static ngx_int_t ngx_msgbus_mongodb_outcome(ngx_msgbus_db_t *db,
    const bson_t *reply, ngx_uint_t n, ngx_msgbus_refusal_t *refusal);
static ngx_uint_t ngx_msgbus_mongodb_refusal(ngx_msgbus_db_t *db,
    bson_iter_t *iter, ngx_msgbus_refusal_t *refusal);
static ngx_uint_t ngx_msgbus_mongodb_passes(int32_t code);
static ngx_int_t ngx_msgbus_mongodb_not_done(ngx_msgbus_db_t *db,
    bson_error_t *error);
static ngx_int_t ngx_msgbus_mongodb_is_known(ngx_msgbus_db_t *db,
    ngx_msgbus_doc_t *docs, ngx_uint_t n, ngx_msgbus_refusal_t *refusal);
static void ngx_msgbus_mongodb_asked(bson_t *filter, ngx_msgbus_doc_t *docs,
    ngx_uint_t n);
static void ngx_msgbus_mongodb_has(ngx_msgbus_db_t *db, ngx_msgbus_doc_t *docs,
    ngx_uint_t n, const bson_t *b, ngx_msgbus_refusal_t *refusal);
static ngx_int_t ngx_msgbus_mongodb_is_taken(ngx_msgbus_db_t *db,
    uint64_t id, ngx_msgbus_refusal_t *refusal);


ngx_int_t
ngx_msgbus_mongodb_insert(ngx_msgbus_db_t *db, ngx_msgbus_doc_t *docs,
    ngx_uint_t n, ngx_msgbus_refusal_t *refusal)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    ngx_memzero(refusal, sizeof(ngx_msgbus_refusal_t));

    i = n;

    if (!db->keyed) {

        for (i = 0; i < n && docs[i].key == NULL; i++) {
            /* void */
        }
    }

    rc = i ? ngx_msgbus_mongodb_send(db, docs, i, refusal) : NGX_OK;

    if (rc == NGX_OK && i < n) {

        /* without its index a key keeps nothing from being stored twice */

        refusal->index = i;
        refusal->keyless = 1;

        return NGX_DECLINED;
    }

    return rc;
}


static ngx_int_t
ngx_msgbus_mongodb_send(ngx_msgbus_db_t *db, ngx_msgbus_doc_t *docs,
    ngx_uint_t n, ngx_msgbus_refusal_t *refusal)
{
    bool           ok;
    bson_t         command, reply;
    ngx_int_t      rc;
    bson_error_t   error;

    bson_init(&command);

    rc = ngx_msgbus_mongodb_command_of(db, &command, docs, n);

    if (rc != NGX_OK) {
        bson_destroy(&command);

        if (rc == NGX_DECLINED) {
            return ngx_msgbus_mongodb_too_large(db, refusal);
        }

        ngx_msgbus_mongodb_failed(db, "no memory for a batch of events");

        return NGX_ABORT;
    }

    ok = mongoc_client_command_simple(db->client,
                                      (char *) db->conf->database.data,
                                      &command, NULL, &reply, &error);
    bson_destroy(&command);

    rc = ok ? ngx_msgbus_mongodb_outcome(db, &reply, n, refusal)
            : ngx_msgbus_mongodb_not_done(db, &error);

    bson_destroy(&reply);

    if (rc == NGX_DECLINED && refusal->code == NGX_MSGBUS_DUPLICATE_KEY) {
        rc = ngx_msgbus_mongodb_duplicate(db, &docs[refusal->index],
                                          n - refusal->index, refusal);
    }

    return rc;
}


/*
 * Of which index is the duplicate, the first one's of n?  Where the server does
 * not say, the key is looked for first, for with it there no id will do.
 */
static ngx_int_t
ngx_msgbus_mongodb_duplicate(ngx_msgbus_db_t *db, ngx_msgbus_doc_t *docs,
    ngx_uint_t n, ngx_msgbus_refusal_t *refusal)
{
    ngx_int_t  rc;

    if (docs->key
        && (db->pattern == NGX_MSGBUS_PATTERN_KEY || db->pattern == 0))
    {
        rc = ngx_msgbus_mongodb_is_known(db, docs, n, refusal);

        if (rc != NGX_OK || refusal->known
            || db->pattern == NGX_MSGBUS_PATTERN_KEY)
        {
            /* what a majority can not read yet, or has just expired: again */

            return rc == NGX_OK ? NGX_DECLINED : rc;
        }
    }

    if (db->pattern == NGX_MSGBUS_PATTERN_KEY) {

        /* somebody's own index, also of events that have none */

        db->pattern = 0;
    }

    return db->pattern ? NGX_DECLINED
                       : ngx_msgbus_mongodb_is_taken(db, docs->id, refusal);
}


/*
 * NGX_OK; NGX_DECLINED: the only event is larger than the server takes;
 * NGX_ERROR: no memory
 */
static ngx_int_t
ngx_msgbus_mongodb_command_of(ngx_msgbus_db_t *db, bson_t *command,
    ngx_msgbus_doc_t *docs, ngx_uint_t n)
{
    bool         ok;
    bson_t       list, doc;
    uint32_t     i;
    ngx_uint_t   large;
    const char  *key;
    char         digits[16];

    bson_init(&list);

    ok = BSON_APPEND_UTF8(command, "insert", "events")
         && BSON_APPEND_BOOL(command, "ordered", true)
         && ngx_msgbus_mongodb_writes(db, command);

    for (i = 0; ok && i < n; i++) {
        (void) bson_uint32_to_string(i, &key, digits, sizeof(digits));

        ok = bson_append_document_begin(&list, key, -1, &doc)
             && ngx_msgbus_mongodb_doc(&doc, &docs[i])
             && bson_append_document_end(&list, &doc);
    }

    ok = ok && BSON_APPEND_ARRAY(command, "documents", &list);

    /* one that is so large goes alone */

    large = n == 1 && (int64_t) list.len > db->max_doc;

    bson_destroy(&list);

    return !ok ? NGX_ERROR : large ? NGX_DECLINED : NGX_OK;
}


/* the server would close the connection rather than say which one it was */
static ngx_int_t
ngx_msgbus_mongodb_too_large(ngx_msgbus_db_t *db,
    ngx_msgbus_refusal_t *refusal)
{
    refusal->final = 1;
    refusal->code = NGX_MSGBUS_TOO_LARGE;

    (void) ngx_cpystrn((u_char *) refusal->text,
                       (u_char *) "it is larger than the server takes",
                       NGX_MSGBUS_ERROR_LEN);

    ngx_msgbus_mongodb_failed(db, refusal->text);

    return NGX_DECLINED;
}


static bool
ngx_msgbus_mongodb_doc(bson_t *b, ngx_msgbus_doc_t *doc)
{
    return BSON_APPEND_INT64(b, "_id", (int64_t) doc->id)
           && ngx_msgbus_mongodb_text(b, "data", &doc->data, "{}")
           && ngx_msgbus_mongodb_text(b, "channel", &doc->channel, "")
           && ngx_msgbus_mongodb_text(b, "user_agent", &doc->user_agent, "")
           && ngx_msgbus_mongodb_text(b, "uuid", &doc->uuid, "")
           && BSON_APPEND_DATE_TIME(b, "created_at", (int64_t) doc->since)
           && (doc->token == NULL
               || BSON_APPEND_BINARY(b, "token", BSON_SUBTYPE_BINARY,
                                     doc->token, NGX_MSGBUS_TOKEN_LEN))
           && (doc->key == NULL
               || (BSON_APPEND_BINARY(b, "key", BSON_SUBTYPE_BINARY,
                                      doc->key->name, NGX_MSGBUS_KEY_NAME)
                   && BSON_APPEND_BINARY(b, "body", BSON_SUBTYPE_BINARY,
                                         doc->key->body,
                                         NGX_MSGBUS_KEY_BODY)));
}


/* RSE expects strings, and JSON as data: an anchor has no text of its own */
static bool
ngx_msgbus_mongodb_text(bson_t *b, const char *name, ngx_str_t *text,
    const char *absent)
{
    if (text->len == 0) {
        return bson_append_utf8(b, name, -1, absent, -1);
    }

    return bson_append_utf8(b, name, -1, (char *) text->data,
                            (int) text->len);
}


/*
 * What an insert has done, by its reply.  The index and code of its first write
 * error are to be trusted, not the count of what was inserted, nor the text.
 */
static ngx_int_t
ngx_msgbus_mongodb_outcome(ngx_msgbus_db_t *db, const bson_t *reply,
    ngx_uint_t n, ngx_msgbus_refusal_t *refusal)
{
    bson_iter_t  iter, errors, first;

    if (bson_iter_init_find(&iter, reply, "writeConcernError")) {
        ngx_msgbus_mongodb_failed(db, "its write concern is not met");
        return NGX_ERROR;
    }

    if (!bson_iter_init_find(&iter, reply, "writeErrors")) {
        return NGX_OK;
    }

    if (!BSON_ITER_HOLDS_ARRAY(&iter)
        || !bson_iter_recurse(&iter, &errors)
        || !bson_iter_next(&errors)
        || !BSON_ITER_HOLDS_DOCUMENT(&errors)
        || !bson_iter_recurse(&errors, &first)
        || !ngx_msgbus_mongodb_refusal(db, &first, refusal)
        || refusal->index >= n)
    {
        ngx_msgbus_mongodb_failed(db, "its answer to an insert makes no sense");
        return NGX_ERROR;
    }

    if (ngx_msgbus_mongodb_passes(refusal->code)) {
        ngx_msgbus_mongodb_failed(db, refusal->text);
        return NGX_ERROR;
    }

    refusal->final = refusal->code != NGX_MSGBUS_DUPLICATE_KEY
                     || db->pattern == NGX_MSGBUS_PATTERN_OTHER;

    ngx_msgbus_mongodb_failed(db, refusal->text);

    return NGX_DECLINED;
}


/* 0: it does not say which event, or why */
static ngx_uint_t
ngx_msgbus_mongodb_refusal(ngx_msgbus_db_t *db, bson_iter_t *iter,
    ngx_msgbus_refusal_t *refusal)
{
    char         *p;
    ngx_uint_t    said;
    const char   *name;
    bson_iter_t   pattern;

    said = 0;
    db->pattern = 0;

    while (bson_iter_next(iter)) {
        name = bson_iter_key(iter);

        if (ngx_strcmp(name, "index") == 0 && BSON_ITER_HOLDS_NUMBER(iter)) {
            refusal->index = (ngx_uint_t) bson_iter_as_int64(iter);
            said |= 1;

        } else if (ngx_strcmp(name, "code") == 0
                   && BSON_ITER_HOLDS_NUMBER(iter))
        {
            refusal->code = (int32_t) bson_iter_as_int64(iter);
            said |= 2;

        } else if (ngx_strcmp(name, "errmsg") == 0
                   && BSON_ITER_HOLDS_UTF8(iter))
        {
            (void) ngx_cpystrn((u_char *) refusal->text,
                               (u_char *) bson_iter_utf8(iter, NULL),
                               NGX_MSGBUS_ERROR_LEN);

            /* it may quote the event, and goes to the error log */

            for (p = refusal->text; *p; p++) {
                if (*p < ' ' || *p > '~') {
                    *p = '?';
                }
            }

        } else if (ngx_strcmp(name, "keyPattern") == 0
                   && BSON_ITER_HOLDS_DOCUMENT(iter)
                   && bson_iter_recurse(iter, &pattern)
                   && bson_iter_next(&pattern))
        {
            name = bson_iter_key(&pattern);

            db->pattern = ngx_strcmp(name, "_id") == 0
                          ? NGX_MSGBUS_PATTERN_ID
                          : ngx_strcmp(name, "key") == 0
                            && !bson_iter_next(&pattern)
                          ? NGX_MSGBUS_PATTERN_KEY : NGX_MSGBUS_PATTERN_OTHER;
        }
    }

    if (db->pattern == 0
        && ngx_strstr(refusal->text, NGX_MSGBUS_MONGODB_KEY_INDEX))
    {
        /* FerretDB, and servers before 4.2, name it in the text alone */

        db->pattern = NGX_MSGBUS_PATTERN_KEY;
    }

    return said == 3;
}


/* is it the server that can not now, not the event that can not ever? */
static ngx_uint_t
ngx_msgbus_mongodb_passes(int32_t code)
{
    ngx_uint_t  i;

    static int32_t  codes[] = {
        6,        /* HostUnreachable */
        7,        /* HostNotFound */
        13,       /* Unauthorized */
        18,       /* AuthenticationFailed */
        24,       /* LockTimeout */
        46,       /* LockBusy */
        50,       /* MaxTimeMSExpired */
        63,       /* StaleShardVersion */
        64,       /* WriteConcernTimeout */
        70,       /* ShardNotFound */
        82,       /* NoProgressMade */
        89,       /* NetworkTimeout */
        90,       /* CallbackCanceled */
        91,       /* ShutdownInProgress */
        94,       /* NotYetInitialized */
        107,      /* LockFailed */
        112,      /* WriteConflict */
        117,      /* ConflictingOperationInProgress */
        133,      /* FailedToSatisfyReadPreference */
        134,      /* ReadConcernMajorityNotAvailableYet */
        149,      /* NoConfigPrimary */
        150,      /* StaleEpoch */
        189,      /* PrimarySteppedDown */
        199,      /* ReplicaSetMonitorRemoved */
        202,      /* NetworkInterfaceExceededTimeLimit */
        203,      /* ShardingStateNotInitialized */
        208,      /* TooManyLocks */
        215,      /* DatabaseDropPending */
        216,      /* ElectionInProgress */
        246,      /* SnapshotUnavailable */
        249,      /* StaleDbVersion */
        250,      /* StaleChunkHistory */
        262,      /* ExceededTimeLimit */
        264,      /* TooManyFilesOpen */
        272,      /* MigrationConflict */
        279,      /* ClientDisconnect */
        317,      /* ConnectionPoolExpired */
        319,      /* MovePrimaryInProgress */
        355,      /* InterruptedDueToStorageChange */
        365,      /* TemporarilyUnavailable */
        371,      /* UserWritesBlocked */
        384,      /* ConnectionError */
        391,      /* ReauthenticationRequired */
        402,      /* ResourceExhausted */
        406,      /* MigrationBlockingOperationCoordinatorCleaningUp */
        407,      /* PooledConnectionAcquisitionExceededTimeLimit */
        412,      /* UpdatesStillPending */
        433,      /* AdmissionQueueOverflow */
        449,      /* RateLimitExceeded */
        8000,     /* AtlasError */
        9001,     /* SocketException */
        10058,    /* LegacyNotPrimary */
        10107,    /* NotWritablePrimary */
        11600,    /* InterruptedAtShutdown */
        11601,    /* Interrupted */
        11602,    /* InterruptedDueToReplStateChange */
        13388,    /* StaleConfig */
        13435,    /* NotPrimaryNoSecondaryOk */
        13436,    /* NotPrimaryOrSecondary */
        14031     /* OutOfDiskSpace */
    };

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i] == code) {
            return 1;
        }
    }

    return 0;
}


/* an insert that was not answered, or answered by an error for all of it */
static ngx_int_t
ngx_msgbus_mongodb_not_done(ngx_msgbus_db_t *db, bson_error_t *error)
{
    ngx_msgbus_mongodb_failed(db, error->message);

    /* it was not even sent */

    return error->domain == MONGOC_ERROR_SERVER_SELECTION
           || error->domain == MONGOC_ERROR_CLIENT
           ? NGX_ABORT : NGX_ERROR;
}


/*
 * The events that have the keys of n, in "known" of these: a publisher that
 * sends a batch again has all of them there, and a question for each would take
 * longer than he waits.  refusal->known is 0: the first one has none that a
 * majority can read.  NGX_OK or NGX_ERROR.
 */
static ngx_int_t
ngx_msgbus_mongodb_is_known(ngx_msgbus_db_t *db, ngx_msgbus_doc_t *docs,
    ngx_uint_t n, ngx_msgbus_refusal_t *refusal)
{
    bson_t            filter, opts, fields;
    ngx_int_t         rc;
    const bson_t     *b;
    mongoc_cursor_t  *cursor;

    bson_init(&filter);
    bson_init(&opts);

    ngx_msgbus_mongodb_asked(&filter, docs, n);

    (void) BSON_APPEND_INT64(&opts, "limit", (int64_t) n);
    (void) BSON_APPEND_INT64(&opts, "batchSize", (int64_t) n + 1);
    (void) BSON_APPEND_INT64(&opts, "maxTimeMS", db->patience);

    (void) BSON_APPEND_DOCUMENT_BEGIN(&opts, "projection", &fields);
    (void) BSON_APPEND_INT32(&fields, "key", 1);
    (void) BSON_APPEND_INT32(&fields, "body", 1);
    (void) BSON_APPEND_INT32(&fields, "created_at", 1);
    (void) BSON_APPEND_INT32(&fields, "posted_at", 1);
    (void) bson_append_document_end(&opts, &fields);

    cursor = mongoc_collection_find_with_opts(db->events, &filter, &opts,
                                              NULL);

    while (mongoc_cursor_next(cursor, &b)) {
        ngx_msgbus_mongodb_has(db, docs, n, b, refusal);
    }

    rc = ngx_msgbus_mongodb_read_end(db, cursor);

    bson_destroy(&opts);
    bson_destroy(&filter);

    return rc;
}


/* whatever has the key of one of n */
static void
ngx_msgbus_mongodb_asked(bson_t *filter, ngx_msgbus_doc_t *docs, ngx_uint_t n)
{
    bson_t       key, list;
    uint32_t     at;
    ngx_uint_t   i;
    const char  *name;
    char         digits[16];

    bson_init(&list);

    for (i = 0, at = 0; i < n; i++) {

        if (docs[i].key) {
            (void) bson_uint32_to_string(at++, &name, digits, sizeof(digits));
            (void) BSON_APPEND_BINARY(&list, name, BSON_SUBTYPE_BINARY,
                                      docs[i].key->name, NGX_MSGBUS_KEY_NAME);
        }
    }

    (void) BSON_APPEND_DOCUMENT_BEGIN(filter, "key", &key);
    (void) BSON_APPEND_ARRAY(&key, "$in", &list);
    (void) bson_append_document_end(filter, &key);

    bson_destroy(&list);
}


/* a document that has the key of one of n */
static void
ngx_msgbus_mongodb_has(ngx_msgbus_db_t *db, ngx_msgbus_doc_t *docs,
    ngx_uint_t n, const bson_t *b, ngx_msgbus_refusal_t *refusal)
{
    ngx_uint_t           i;
    bson_iter_t          iter;
    const uint8_t       *key;
    ngx_msgbus_doc_t     doc;
    ngx_msgbus_known_t  *known;

    key = bson_iter_init_find(&iter, b, "key")
          ? ngx_msgbus_mongodb_bytes(&iter) : NULL;

    for (i = 0; key && i < n; i++) {

        if (docs[i].key
            && ngx_memcmp(docs[i].key->name, key, NGX_MSGBUS_KEY_NAME) == 0)
        {
            break;
        }
    }

    if (key == NULL || i == n) {
        return;
    }

    ngx_msgbus_mongodb_parse(db, b, &doc);

    if (i == 0) {

        /* what is no event has the key for ever */

        refusal->known = doc.id != 0;
        refusal->final = doc.id == 0;
    }

    known = &docs[i].known;

    known->id = doc.id;
    known->created = doc.created;

    if (doc.key) {
        ngx_memcpy(known->body, doc.key->body, NGX_MSGBUS_KEY_BODY);
    }
}


/*
 * Has somebody the id whose event an index has refused?  Else another index has
 * refused it, and will with any id.  NGX_DECLINED, or NGX_ERROR.
 */
static ngx_int_t
ngx_msgbus_mongodb_is_taken(ngx_msgbus_db_t *db, uint64_t id,
    ngx_msgbus_refusal_t *refusal)
{
    bson_t            filter, opts, concern;
    ngx_int_t         rc;
    bson_error_t      error;
    const bson_t     *b;
    mongoc_cursor_t  *cursor;

    bson_init(&filter);
    bson_init(&opts);

    (void) BSON_APPEND_INT64(&filter, "_id", (int64_t) id);
    (void) BSON_APPEND_INT64(&opts, "limit", 1);

    /* what a majority can not read yet has the id all the same */

    (void) BSON_APPEND_DOCUMENT_BEGIN(&opts, "readConcern", &concern);
    (void) BSON_APPEND_UTF8(&concern, "level", "local");
    (void) bson_append_document_end(&opts, &concern);

    cursor = mongoc_collection_find_with_opts(db->events, &filter, &opts,
                                              NULL);
    rc = NGX_DECLINED;

    if (!mongoc_cursor_next(cursor, &b)) {

        if (mongoc_cursor_error(cursor, &error)) {
            ngx_msgbus_mongodb_failed(db, error.message);
            rc = NGX_ERROR;

        } else {
            refusal->final = 1;
        }
    }

    mongoc_cursor_destroy(cursor);
    bson_destroy(&opts);
    bson_destroy(&filter);

    return rc;
}
