
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The same events into MongoDB, by insert_many of libmongoc, as documents of
 * the bus.  The collection has no index but _id's.
 */


#include "store.h"

#include <mongoc/mongoc.h>
#include <stdio.h>


static void insert_open(const char *uri);
static void insert_write(uint64_t first, unsigned n);
static void insert_close(void);
static void document(bson_t *doc, uint64_t id);


static bson_t                docs[BATCH_MAX], *list[BATCH_MAX], opts;
static mongoc_client_t      *client;
static mongoc_collection_t  *events;


writer_t  insert_writer = {
    "insert", insert_open, insert_write, insert_close
};


static void
insert_open(const char *uri)
{
    mongoc_init();

    client = mongoc_client_new(uri);

    if (client == NULL) {
        die(uri);
    }

    events = mongoc_client_get_collection(client, "msgbus_bench_raw",
                                          "events");
    bson_init(&opts);
    BSON_APPEND_BOOL(&opts, "ordered", true);
}


static void
insert_write(uint64_t first, unsigned n)
{
    bool          ok;
    unsigned      i;
    bson_error_t  error;

    for (i = 0; i < n; i++) {
        document(&docs[i], first + i);
        list[i] = &docs[i];
    }

    ok = mongoc_collection_insert_many(events, (const bson_t **) list, n,
                                       &opts, NULL, &error);

    for (i = 0; i < n; i++) {
        bson_destroy(&docs[i]);
    }

    if (!ok) {
        die(error.message);
    }
}


static void
insert_close(void)
{
    mongoc_collection_destroy(events);
    mongoc_client_destroy(client);
    bson_destroy(&opts);
    mongoc_cleanup();
}


static void
document(bson_t *doc, uint64_t id)
{
    unsigned char  bytes[TOKEN_LEN];

    token(id, bytes);

    bson_init(doc);
    BSON_APPEND_INT64(doc, "_id", (int64_t) id);
    bson_append_utf8(doc, "data", 4, data(), DATA_LEN);
    BSON_APPEND_UTF8(doc, "channel", CHANNEL);
    BSON_APPEND_UTF8(doc, "user_agent", AGENT);
    BSON_APPEND_UTF8(doc, "uuid", UUID);
    BSON_APPEND_DATE_TIME(doc, "created_at", (int64_t) wall_ms());
    BSON_APPEND_BINARY(doc, "token", BSON_SUBTYPE_BINARY, bytes, TOKEN_LEN);
}
