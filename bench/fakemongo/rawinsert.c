
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The ceiling of the MongoDB store: events as the module writes them, put into
 * the database by libmongoc alone, so many with each insert_many, one after
 * the other.
 *
 *     rawinsert URI DATABASE BATCH SECONDS
 *
 * Prints {"docs":N,"us":N,"cpu_us":N}: how many, in which time, and with how
 * much CPU time of this process.  Documents are made anew for each insert, as
 * the module has to.  The collection is "events", with the module's indexes;
 * it grows from one run to the next, as the module's does.
 */


#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>


static double
seconds(clockid_t clock)
{
    struct timespec  ts;

    clock_gettime(clock, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


/* 300 bytes of JSON, as of the POSTs that it is compared with */

static char  data[301];


static void
event(bson_t *doc, int64_t id, int64_t created)
{
    unsigned char  token[16];

    memset(token, 'x', sizeof(token));
    memcpy(token, &id, sizeof(id));

    bson_init(doc);
    BSON_APPEND_INT64(doc, "_id", id);
    bson_append_utf8(doc, "data", 4, data, sizeof(data) - 1);
    BSON_APPEND_UTF8(doc, "channel", "/bench/topic");
    BSON_APPEND_UTF8(doc, "user_agent",
                     "bench/1.0 uuid/6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    BSON_APPEND_UTF8(doc, "uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    BSON_APPEND_DATE_TIME(doc, "created_at", created);
    BSON_APPEND_BINARY(doc, "token", BSON_SUBTYPE_BINARY, token,
                       sizeof(token));
}


static void
index_of(bson_t *list, const char *at, const char *name, const char *keys[],
    int ttl)
{
    bson_t  index, key;

    BSON_APPEND_DOCUMENT_BEGIN(list, at, &index);
    BSON_APPEND_DOCUMENT_BEGIN(&index, "key", &key);

    for ( /* void */ ; *keys; keys++) {
        BSON_APPEND_INT32(&key, *keys, 1);
    }

    bson_append_document_end(&index, &key);
    BSON_APPEND_UTF8(&index, "name", name);

    if (ttl) {
        BSON_APPEND_INT32(&index, "expireAfterSeconds", ttl);
    }

    bson_append_document_end(list, &index);
}


static bool
make_indexes(mongoc_client_t *client, const char *database,
    bson_error_t *error)
{
    bool         ok;
    bson_t       command, list;
    const char  *ttl[] = { "created_at", NULL };
    const char  *get_events[] = { "channel", "_id", "uuid", NULL };

    bson_init(&command);
    BSON_APPEND_UTF8(&command, "createIndexes", "events");
    BSON_APPEND_ARRAY_BEGIN(&command, "indexes", &list);
    index_of(&list, "0", "ttl", ttl, 120);
    index_of(&list, "1", "get_events", get_events, 0);
    bson_append_array_end(&command, &list);

    ok = mongoc_client_write_command_with_opts(client, database, &command,
                                               NULL, NULL, error);
    bson_destroy(&command);

    return ok;
}


static int64_t
newest(mongoc_collection_t *events)
{
    int64_t           id;
    bson_t           *opts, filter;
    bson_iter_t       it;
    const bson_t     *doc;
    mongoc_cursor_t  *cursor;

    id = 0;
    bson_init(&filter);
    opts = BCON_NEW("sort", "{", "_id", BCON_INT32(-1), "}",
                    "limit", BCON_INT64(1));
    cursor = mongoc_collection_find_with_opts(events, &filter, opts, NULL);

    if (mongoc_cursor_next(cursor, &doc)
        && bson_iter_init_find(&it, doc, "_id"))
    {
        id = bson_iter_as_int64(&it);
    }

    mongoc_cursor_destroy(cursor);
    bson_destroy(opts);
    bson_destroy(&filter);

    return id;
}


int
main(int argc, char **argv)
{
    int                   batch, i;
    bool                  ok;
    bson_t               *docs, **list, opts;
    double                began, cpu, until;
    int64_t               id, first, created;
    bson_error_t          error;
    mongoc_client_t      *client;
    mongoc_collection_t  *events;

    if (argc != 5 || atoi(argv[3]) < 1 || atof(argv[4]) <= 0) {
        fprintf(stderr, "usage: rawinsert URI DATABASE BATCH SECONDS\n");
        return 2;
    }

    memset(data, 'x', sizeof(data) - 1);
    memcpy(data, "{\"a\":\"", 6);
    memcpy(data + sizeof(data) - 3, "\"}", 2);

    mongoc_init();
    client = mongoc_client_new(argv[1]);

    if (client == NULL) {
        fprintf(stderr, "rawinsert: \"%s\" is no URI\n", argv[1]);
        return 2;
    }

    events = mongoc_client_get_collection(client, argv[2], "events");
    batch = atoi(argv[3]);
    docs = calloc(batch, sizeof(bson_t));
    list = calloc(batch, sizeof(bson_t *));
    id = newest(events);
    first = id;
    created = time(NULL) * 1000LL;

    bson_init(&opts);
    BSON_APPEND_BOOL(&opts, "ordered", true);

    if (!make_indexes(client, argv[2], &error)) {
        fprintf(stderr, "rawinsert: %s\n", error.message);
        return 1;
    }

    began = seconds(CLOCK_MONOTONIC);
    until = began + atof(argv[4]);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

    while (seconds(CLOCK_MONOTONIC) < until) {

        for (i = 0; i < batch; i++) {
            event(&docs[i], ++id, created);
            list[i] = &docs[i];
        }

        ok = mongoc_collection_insert_many(events, (const bson_t **) list,
                                           batch, &opts, NULL, &error);

        for (i = 0; i < batch; i++) {
            bson_destroy(&docs[i]);
        }

        if (!ok) {
            fprintf(stderr, "rawinsert: %s\n", error.message);
            return 1;
        }
    }

    printf("{\"docs\":%lld,\"us\":%.0f,\"cpu_us\":%.0f}\n", (long long) (id - first),
           (seconds(CLOCK_MONOTONIC) - began) * 1e6,
           (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6);

    mongoc_collection_destroy(events);
    mongoc_client_destroy(client);
    bson_destroy(&opts);
    free(docs);
    free(list);

    return 0;
}
