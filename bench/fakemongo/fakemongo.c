
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A server that speaks MongoDB's wire protocol and does nearly nothing: what
 * the module costs when the database is not the limit.  Every reply comes as
 * late as it is told to, as if the database needed the time.
 *
 *     fakemongo [--port N] [--delay-ms N] [--keep N]
 *
 * It prints its port when it is ready, and counters when it is told to end.
 *
 * A collection is a ring of its newest documents (--keep, 65536) in the order
 * of insertion.  Ids that are int64 must rise; one that does not is a
 * duplicate, with MongoDB's code and index.  Other ids are looked for one by
 * one.  A find has _id with a value, $gt or nothing, sort by _id, skip, limit,
 * and may want a channel, and not a uuid; an update has $set, $max, $inc and
 * $setOnInsert.  That is what the module and the ports of the bench ask for,
 * and no more.  One thread, epoll, nothing on disk.
 */


#define _GNU_SOURCE     /* accept4() */

#include "../program.h"

#include <bson/bson.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>


#define OP_REPLY        1
#define OP_QUERY        2004
#define OP_MSG          2013

#define MORE_TO_COME    2
#define MAX_MESSAGE     48000000
#define MAX_BATCH       (16 * 1024 * 1024)


/* one reply that waits for its time; "fd" and "life" tell for whom */

typedef struct reply_s  reply_t;

struct reply_s {
    reply_t       *next;
    uint64_t       due;
    int            fd;
    unsigned       life;
    size_t         len;
    size_t         sent;
    unsigned char  bytes[];
};


typedef struct {
    unsigned       life;        /* of this descriptor, which comes again */
    unsigned char *in;
    size_t         len;
    size_t         size;
    reply_t       *out;         /* whose time has come */
    reply_t      **last;
} conn_t;


typedef struct {
    char           name[256];
    bson_t       **ring;
    uint64_t       first;       /* serials: ring[serial % keep] */
    uint64_t       end;
    int64_t        newest;
    bson_t         indexes;
    int            n_indexes;
} coll_t;


static int            epfd, timerfd;
static uint64_t       delay;
static uint64_t       keep = 65536;
static conn_t         conns[65536];
static reply_t       *waiting, **waiting_last = &waiting;
static coll_t         colls[64];
static int            ncolls;
static int32_t        request_id;

static uint64_t       n_connections, n_commands, n_inserts, n_documents,
                      n_duplicates, n_finds, n_updates;


static int32_t
int32_at(const unsigned char *p)
{
    int32_t  n;

    memcpy(&n, p, 4);

    return BSON_UINT32_FROM_LE(n);
}


/* collections */

static coll_t *
collection(const char *db, const char *name)
{
    int   i;
    char  full[256];

    snprintf(full, sizeof(full), "%s.%s", db, name);

    for (i = 0; i < ncolls; i++) {
        if (strcmp(colls[i].name, full) == 0) {
            return &colls[i];
        }
    }

    if (ncolls == 64) {
        fprintf(stderr, "fakemongo: too many collections\n");
        exit(1);
    }

    strcpy(colls[ncolls].name, full);
    colls[ncolls].ring = calloc(keep, sizeof(bson_t *));
    colls[ncolls].newest = INT64_MIN;
    bson_init(&colls[ncolls].indexes);

    return &colls[ncolls++];
}


static int64_t
id_of(const bson_t *doc)
{
    bson_iter_t  it;

    return bson_iter_init_find(&it, doc, "_id") && BSON_ITER_HOLDS_INT64(&it)
           ? bson_iter_int64(&it) : INT64_MIN;
}


static int
same(bson_iter_t *a, bson_iter_t *b)
{
    if (BSON_ITER_HOLDS_NUMBER(a) && BSON_ITER_HOLDS_NUMBER(b)) {
        return bson_iter_as_int64(a) == bson_iter_as_int64(b);
    }

    return BSON_ITER_HOLDS_UTF8(a) && BSON_ITER_HOLDS_UTF8(b)
           && strcmp(bson_iter_utf8(a, NULL), bson_iter_utf8(b, NULL)) == 0;
}


/* the first serial whose id is above: ids that are int64 rise */

static uint64_t
above(coll_t *c, int64_t id)
{
    uint64_t  lo, hi, mid;

    lo = c->first;
    hi = c->end;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (id_of(c->ring[mid % keep]) > id) {
            hi = mid;

        } else {
            lo = mid + 1;
        }
    }

    return lo;
}


/* the document with this id, or NULL */

static bson_t **
lookup(coll_t *c, bson_iter_t *id)
{
    uint64_t     i;
    bson_iter_t  it;

    if (BSON_ITER_HOLDS_INT64(id)) {
        i = above(c, bson_iter_int64(id));

        if (i == c->first
            || id_of(c->ring[(i - 1) % keep]) != bson_iter_int64(id))
        {
            return NULL;
        }

        return &c->ring[(i - 1) % keep];
    }

    for (i = c->first; i < c->end; i++) {
        if (bson_iter_init_find(&it, c->ring[i % keep], "_id")
            && same(&it, id))
        {
            return &c->ring[i % keep];
        }
    }

    return NULL;
}


/* 0: a duplicate */

static int
add(coll_t *c, const bson_t *doc)
{
    int64_t      id;
    bson_t     **place;
    bson_iter_t  it;

    id = id_of(doc);

    if (id != INT64_MIN) {
        if (id <= c->newest) {
            return 0;
        }

        c->newest = id;

    } else if (bson_iter_init_find(&it, doc, "_id") && lookup(c, &it)) {
        return 0;
    }

    place = &c->ring[c->end % keep];

    if (c->end - c->first == keep) {
        bson_destroy(*place);
        c->first++;
    }

    *place = bson_copy(doc);
    c->end++;

    return 1;
}


static void
empty(coll_t *c)
{
    for ( /* void */ ; c->first < c->end; c->first++) {
        bson_destroy(c->ring[c->first % keep]);
    }

    c->newest = INT64_MIN;
}


/* commands; each appends to the reply */

static void
do_hello(bson_t *reply)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    BSON_APPEND_BOOL(reply, "helloOk", true);
    BSON_APPEND_BOOL(reply, "ismaster", true);
    BSON_APPEND_BOOL(reply, "isWritablePrimary", true);
    BSON_APPEND_INT32(reply, "maxBsonObjectSize", 16777216);
    BSON_APPEND_INT32(reply, "maxMessageSizeBytes", MAX_MESSAGE);
    BSON_APPEND_INT32(reply, "maxWriteBatchSize", 100000);
    BSON_APPEND_DATE_TIME(reply, "localTime",
                          ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
    BSON_APPEND_INT32(reply, "connectionId", 1);
    BSON_APPEND_INT32(reply, "minWireVersion", 0);
    BSON_APPEND_INT32(reply, "maxWireVersion", 21);
    BSON_APPEND_BOOL(reply, "readOnly", false);
}


static void
do_insert(coll_t *c, const unsigned char **docs, int n, int ordered,
    bson_t *reply)
{
    int     i, stored, duplicates;
    char    key[16];
    bson_t  doc, errors, error;

    stored = 0;
    duplicates = 0;
    bson_init(&errors);

    for (i = 0; i < n; i++) {

        if (bson_init_static(&doc, docs[i], int32_at(docs[i]))
            && add(c, &doc))
        {
            stored++;
            continue;
        }

        snprintf(key, sizeof(key), "%d", duplicates++);
        BSON_APPEND_DOCUMENT_BEGIN(&errors, key, &error);
        BSON_APPEND_INT32(&error, "index", i);
        BSON_APPEND_INT32(&error, "code", 11000);
        BSON_APPEND_UTF8(&error, "errmsg", "E11000 duplicate key error");
        bson_append_document_end(&errors, &error);

        if (ordered) {
            break;
        }
    }

    BSON_APPEND_INT32(reply, "n", stored);

    if (duplicates) {
        BSON_APPEND_ARRAY(reply, "writeErrors", &errors);
    }

    bson_destroy(&errors);

    n_inserts++;
    n_documents += stored;
    n_duplicates += duplicates;
}


/* whether it has what the filter wants beside the _id: a value, or $ne */

static int
has(const bson_t *doc, const bson_iter_t *filter)
{
    int          ne;
    bson_iter_t  want, value, it;

    for (want = *filter; bson_iter_next(&want); ) {

        if (strcmp(bson_iter_key(&want), "_id") == 0) {
            continue;
        }

        value = want;
        ne = BSON_ITER_HOLDS_DOCUMENT(&want);

        if (ne && (!bson_iter_recurse(&want, &value)
                   || !bson_iter_find(&value, "$ne")))
        {
            return 0;
        }

        if (bson_iter_init_find(&it, doc, bson_iter_key(&want))
            && same(&it, &value))
        {
            if (ne) {
                return 0;
            }

        } else if (!ne) {
            return 0;
        }
    }

    return 1;
}


static void
do_find(coll_t *c, const bson_t *command, bson_t *reply)
{
    int           desc, filtered, n;
    char          key[16];
    size_t        size;
    int64_t       limit, skip;
    uint64_t      i, from, end;
    bson_t        cursor, batch, **one;
    bson_iter_t   it, id, op, filter;

    desc = 0;
    skip = 0;
    filtered = 0;
    limit = INT64_MAX;
    from = c->first;
    end = c->end;
    one = NULL;

    if (bson_iter_init_find(&it, command, "sort")
        && bson_iter_recurse(&it, &id) && bson_iter_next(&id))
    {
        desc = bson_iter_as_int64(&id) < 0;
    }

    if (bson_iter_init_find(&it, command, "skip")) {
        skip = bson_iter_as_int64(&it);
    }

    if (bson_iter_init_find(&it, command, "limit")
        && bson_iter_as_int64(&it) > 0)
    {
        limit = bson_iter_as_int64(&it);
    }

    if (bson_iter_init_find(&it, command, "filter")
        && bson_iter_recurse(&it, &filter))
    {
        filtered = bson_iter_find(&filter, "channel");
        bson_iter_recurse(&it, &filter);
    }

    if (bson_iter_init_find(&it, command, "filter")
        && bson_iter_recurse(&it, &id) && bson_iter_find(&id, "_id"))
    {
        if (!BSON_ITER_HOLDS_DOCUMENT(&id)) {
            one = lookup(c, &id);
            end = from;

        } else if (bson_iter_recurse(&id, &op) && bson_iter_next(&op)) {

            if (strcmp(bson_iter_key(&op), "$gt") == 0) {
                from = above(c, bson_iter_as_int64(&op));

            } else if (strcmp(bson_iter_key(&op), "$gte") == 0) {
                from = above(c, bson_iter_as_int64(&op) - 1);
            }
        }
    }

    BSON_APPEND_DOCUMENT_BEGIN(reply, "cursor", &cursor);
    BSON_APPEND_ARRAY_BEGIN(&cursor, "firstBatch", &batch);

    if (one) {
        BSON_APPEND_DOCUMENT(&batch, "0", *one);
    }

    n = 0;
    size = 0;

    for (i = from; i < end && n < limit && size < MAX_BATCH; i++) {
        one = &c->ring[(desc ? end - 1 - (i - from) : i) % keep];

        if (filtered && !has(*one, &filter)) {
            continue;
        }

        if (skip-- > 0) {
            continue;
        }

        snprintf(key, sizeof(key), "%d", n++);
        BSON_APPEND_DOCUMENT(&batch, key, *one);
        size += (*one)->len;
    }

    bson_append_array_end(&cursor, &batch);
    BSON_APPEND_INT64(&cursor, "id", 0);
    BSON_APPEND_UTF8(&cursor, "ns", c->name);
    bson_append_document_end(reply, &cursor);

    n_finds++;
}


/* sets a member of the document, which is written anew */

static void
set_member(bson_t **doc, bson_iter_t *value, const char *how)
{
    int64_t      n;
    bson_t      *changed;
    bson_iter_t  old;
    const char  *key;

    key = bson_iter_key(value);
    changed = bson_new();
    bson_copy_to_excluding_noinit(*doc, changed, key, NULL);

    if (strcmp(how, "$inc") == 0 || strcmp(how, "$max") == 0) {
        n = bson_iter_as_int64(value);

        if (bson_iter_init_find(&old, *doc, key)) {

            if (*(how + 1) == 'i') {
                n += bson_iter_as_int64(&old);

            } else if (bson_iter_as_int64(&old) > n) {
                n = bson_iter_as_int64(&old);
            }
        }

        if (BSON_ITER_HOLDS_DATE_TIME(value)) {
            bson_append_date_time(changed, key, -1, n);

        } else {
            bson_append_int64(changed, key, -1, n);
        }

    } else {
        bson_append_iter(changed, key, -1, value);
    }

    bson_destroy(*doc);
    *doc = changed;
}


/* 1: matched, 2: upserted */

static int
change(coll_t *c, bson_iter_t *q, bson_iter_t *u, int upsert)
{
    int           made;
    bson_t       *doc, **place;
    bson_iter_t   id, op, value;

    if (!bson_iter_recurse(q, &id) || !bson_iter_find(&id, "_id")) {
        return 0;
    }

    place = lookup(c, &id);
    made = place == NULL;

    if (made && !upsert) {
        return 0;
    }

    if (made) {
        doc = bson_new();
        bson_append_iter(doc, "_id", 3, &id);
        add(c, doc);
        bson_destroy(doc);
        place = lookup(c, &id);
    }

    for (bson_iter_recurse(u, &op); bson_iter_next(&op); ) {

        if (strcmp(bson_iter_key(&op), "$setOnInsert") == 0 && !made) {
            continue;
        }

        for (bson_iter_recurse(&op, &value); bson_iter_next(&value); ) {
            set_member(place, &value, bson_iter_key(&op));
        }
    }

    return made ? 2 : 1;
}


static void
do_update(coll_t *c, const unsigned char **updates, int n, bson_t *reply)
{
    int          i, rc, matched, upserted;
    char         key[16];
    bson_t       doc, list, one;
    bson_iter_t  q, u, it;

    matched = 0;
    upserted = 0;
    bson_init(&list);

    for (i = 0; i < n; i++) {

        if (!bson_init_static(&doc, updates[i], int32_at(updates[i]))
            || !bson_iter_init_find(&q, &doc, "q")
            || !bson_iter_init_find(&u, &doc, "u"))
        {
            continue;
        }

        rc = change(c, &q, &u,
                    bson_iter_init_find(&it, &doc, "upsert")
                    && bson_iter_as_bool(&it));

        if (rc == 2) {
            snprintf(key, sizeof(key), "%d", upserted++);
            BSON_APPEND_DOCUMENT_BEGIN(&list, key, &one);
            BSON_APPEND_INT32(&one, "index", i);
            bson_iter_recurse(&q, &it);
            bson_iter_find(&it, "_id");
            bson_append_iter(&one, "_id", 3, &it);
            bson_append_document_end(&list, &one);

        } else {
            matched += rc;
        }
    }

    BSON_APPEND_INT32(reply, "n", matched + upserted);
    BSON_APPEND_INT32(reply, "nModified", matched);

    if (upserted) {
        BSON_APPEND_ARRAY(reply, "upserted", &list);
    }

    bson_destroy(&list);
    n_updates++;
}


static void
do_find_and_modify(coll_t *c, const bson_t *command, bson_t *reply)
{
    bson_t       **place;
    bson_iter_t    q, u, it;

    if (!bson_iter_init_find(&q, command, "query")
        || !bson_iter_init_find(&u, command, "update"))
    {
        return;
    }

    change(c, &q, &u, bson_iter_init_find(&it, command, "upsert")
                      && bson_iter_as_bool(&it));

    bson_iter_recurse(&q, &it);
    place = bson_iter_find(&it, "_id") ? lookup(c, &it) : NULL;

    if (place) {
        BSON_APPEND_DOCUMENT(reply, "value", *place);

    } else {
        BSON_APPEND_NULL(reply, "value");
    }
}


static void
do_indexes(coll_t *c, const bson_t *command, bson_t *reply)
{
    char         key[16];
    bson_t       cursor, batch, doc, keys;
    bson_iter_t  it, index;

    if (command) {
        bson_iter_init_find(&it, command, "indexes");

        for (bson_iter_recurse(&it, &index); bson_iter_next(&index); ) {
            snprintf(key, sizeof(key), "%d", c->n_indexes++);
            bson_append_iter(&c->indexes, key, -1, &index);
        }

        return;
    }

    BSON_APPEND_DOCUMENT_BEGIN(reply, "cursor", &cursor);
    BSON_APPEND_ARRAY_BEGIN(&cursor, "firstBatch", &batch);
    BSON_APPEND_DOCUMENT_BEGIN(&batch, "0", &doc);
    BSON_APPEND_INT32(&doc, "v", 2);
    BSON_APPEND_DOCUMENT_BEGIN(&doc, "key", &keys);
    BSON_APPEND_INT32(&keys, "_id", 1);
    bson_append_document_end(&doc, &keys);
    BSON_APPEND_UTF8(&doc, "name", "_id_");
    bson_append_document_end(&batch, &doc);

    for (bson_iter_init(&it, &c->indexes); bson_iter_next(&it); ) {
        snprintf(key, sizeof(key), "%d", 1 + atoi(bson_iter_key(&it)));
        bson_append_iter(&batch, key, -1, &it);
    }

    bson_append_array_end(&cursor, &batch);
    BSON_APPEND_INT64(&cursor, "id", 0);
    BSON_APPEND_UTF8(&cursor, "ns", c->name);
    bson_append_document_end(reply, &cursor);
}


static void
do_nothing_found(const char *name, coll_t *c, bson_t *reply)
{
    bson_t  cursor, batch;

    BSON_APPEND_DOCUMENT_BEGIN(reply, "cursor", &cursor);
    BSON_APPEND_ARRAY_BEGIN(&cursor, name, &batch);
    bson_append_array_end(&cursor, &batch);
    BSON_APPEND_INT64(&cursor, "id", 0);
    BSON_APPEND_UTF8(&cursor, "ns", c ? c->name : "");
    bson_append_document_end(reply, &cursor);
}


static void
obey(const bson_t *command, const unsigned char **docs, int n, bson_t *reply)
{
    bool          ok;
    coll_t       *c;
    bson_iter_t   it, first;
    const char   *name, *db;

    n_commands++;
    ok = true;
    c = NULL;
    db = bson_iter_init_find(&it, command, "$db") ? bson_iter_utf8(&it, NULL)
                                                  : "admin";
    bson_iter_init(&first, command);
    name = bson_iter_next(&first) ? bson_iter_key(&first) : "";

    if (BSON_ITER_HOLDS_UTF8(&first)) {
        c = collection(db, bson_iter_utf8(&first, NULL));
    }

    if (strcasecmp(name, "hello") == 0 || strcasecmp(name, "ismaster") == 0) {
        do_hello(reply);

    } else if (strcmp(name, "insert") == 0 && c) {
        do_insert(c, docs, n, !bson_iter_init_find(&it, command, "ordered")
                              || bson_iter_as_bool(&it), reply);

    } else if (strcmp(name, "find") == 0 && c) {
        do_find(c, command, reply);

    } else if (strcmp(name, "update") == 0 && c) {
        do_update(c, docs, n, reply);

    } else if (strcasecmp(name, "findandmodify") == 0 && c) {
        do_find_and_modify(c, command, reply);

    } else if (strcmp(name, "createIndexes") == 0 && c) {
        do_indexes(c, command, reply);

    } else if (strcmp(name, "listIndexes") == 0 && c) {
        do_indexes(c, NULL, reply);

    } else if (strcmp(name, "drop") == 0 && c) {
        empty(c);

    } else if (strcmp(name, "count") == 0 && c) {
        BSON_APPEND_INT64(reply, "n", c->end - c->first);

    } else if (strcmp(name, "aggregate") == 0) {
        do_nothing_found("firstBatch", c, reply);

    } else if (strcmp(name, "getMore") == 0) {
        do_nothing_found("nextBatch", c, reply);

    } else if (strcasecmp(name, "buildinfo") == 0) {
        BSON_APPEND_UTF8(reply, "version", "7.0.0");

    } else if (strcmp(name, "ping") && strcmp(name, "endSessions")
               && strcmp(name, "killCursors"))
    {
        ok = false;
        BSON_APPEND_UTF8(reply, "errmsg", "no such command");
        BSON_APPEND_INT32(reply, "code", 59);
        BSON_APPEND_UTF8(reply, "codeName", "CommandNotFound");
    }

    BSON_APPEND_DOUBLE(reply, "ok", ok ? 1 : 0);
}


/* the wire */

static void
queue(int fd, int32_t to, int code, const bson_t *doc)
{
    size_t    head;
    int32_t  *p;
    reply_t  *r;

    head = code == OP_MSG ? 21 : 36;
    r = malloc(sizeof(reply_t) + head + doc->len);
    r->next = NULL;
    r->due = now() + delay;
    r->fd = fd;
    r->life = conns[fd].life;
    r->len = head + doc->len;
    r->sent = 0;

    memset(r->bytes, 0, head);
    p = (int32_t *) r->bytes;
    p[0] = BSON_UINT32_TO_LE((int32_t) r->len);
    p[1] = BSON_UINT32_TO_LE(++request_id);
    p[2] = BSON_UINT32_TO_LE(to);
    p[3] = BSON_UINT32_TO_LE(code);

    if (code == OP_REPLY) {
        p[4] = BSON_UINT32_TO_LE(8);
        p[8] = BSON_UINT32_TO_LE(1);
    }

    memcpy(r->bytes + head, bson_get_data(doc), doc->len);

    *waiting_last = r;
    waiting_last = &r->next;
}


static const unsigned char **
one_more(const unsigned char **list, int n, int *size)
{
    if (n == *size) {
        *size = *size ? *size * 2 : 256;
        list = realloc(list, *size * sizeof(unsigned char *));

        if (list == NULL) {
            die("realloc");
        }
    }

    return list;
}


/* 0: not understood */

static int
message(int fd, const unsigned char *p, size_t len)
{
    int                   n, size, flags;
    bson_t                command, reply;
    int32_t               id, code, section;
    uint32_t              ignored;
    bson_iter_t           it, doc;
    const uint8_t        *bytes;
    const unsigned char  *end, *last, **docs;

    id = int32_at(p + 4);
    code = int32_at(p + 12);
    end = p + len;
    flags = 0;
    n = 0;
    size = 0;
    docs = NULL;

    if (code == OP_QUERY) {
        /* flags, the collection's name, skip, return, the document */
        p = memchr(p + 20, '\0', end - (p + 20));

        if (p == NULL || end - p < 14
            || !bson_init_static(&command, p + 9, int32_at(p + 9)))
        {
            return 0;
        }

        code = OP_REPLY;

    } else if (code == OP_MSG) {
        flags = int32_at(p + 16);
        p += 20;
        command.len = 0;

        while (p + 5 <= end && !(flags & 1 && end - p == 4)) {
            section = int32_at(p + 1);

            if (section < 5 || section > end - (p + 1)) {
                return 0;
            }

            last = p + 1 + section;

            if (*p == 0) {
                if (!bson_init_static(&command, p + 1, section)) {
                    return 0;
                }

                p = last;
                continue;
            }

            /* documents, behind the name of the member that they would be */

            p = memchr(p + 5, '\0', last - (p + 5));

            if (p++ == NULL) {
                return 0;
            }

            while (p < last) {
                if (last - p < 5 || int32_at(p) < 5
                    || int32_at(p) > last - p)
                {
                    return 0;
                }

                docs = one_more(docs, n, &size);
                docs[n++] = p;
                p += int32_at(p);
            }
        }

        if (command.len == 0) {
            return 0;
        }

    } else {
        return 0;
    }

    /* or in the command itself */

    if (bson_iter_init_find(&it, &command, "documents")
        || bson_iter_init_find(&it, &command, "updates"))
    {
        for (bson_iter_recurse(&it, &doc); bson_iter_next(&doc); ) {
            bson_iter_document(&doc, &ignored, &bytes);
            docs = one_more(docs, n, &size);
            docs[n++] = bytes;
        }
    }

    bson_init(&reply);
    obey(&command, docs, n, &reply);

    if (!(flags & MORE_TO_COME)) {
        queue(fd, id, code, &reply);
    }

    bson_destroy(&reply);
    free(docs);

    return 1;
}


static void
end_connection(int fd)
{
    reply_t  *r;
    conn_t   *c;

    c = &conns[fd];

    while ((r = c->out) != NULL) {
        c->out = r->next;
        free(r);
    }

    c->life++;
    c->len = 0;
    close(fd);
}


static void
send_to(int fd)
{
    conn_t   *c;
    reply_t  *r;
    ssize_t   n;

    c = &conns[fd];

    while ((r = c->out) != NULL) {
        n = send(fd, r->bytes + r->sent, r->len - r->sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            return;
        }

        if (n < 0) {
            end_connection(fd);
            return;
        }

        r->sent += n;

        if (r->sent == r->len) {
            c->out = r->next;
            free(r);
        }
    }

    c->last = &c->out;
}


/* replies whose time has come go to their connections; then the next alarm */

static void
send_due(void)
{
    uint64_t           t;
    conn_t            *c;
    reply_t           *r;
    struct itimerspec  its;

    t = now();

    while ((r = waiting) != NULL && r->due <= t) {
        waiting = r->next;
        c = &conns[r->fd];

        if (waiting == NULL) {
            waiting_last = &waiting;
        }

        if (r->life != c->life) {
            free(r);
            continue;
        }

        r->next = NULL;

        if (c->out == NULL) {
            c->last = &c->out;
        }

        *c->last = r;
        c->last = &r->next;

        send_to(r->fd);
    }

    memset(&its, 0, sizeof(its));

    if (waiting) {
        t = waiting->due - t;
        its.it_value.tv_sec = t / 1000000000;
        its.it_value.tv_nsec = t % 1000000000;
    }

    timerfd_settime(timerfd, 0, &its, NULL);
}


static void
read_from(int fd)
{
    conn_t         *c;
    size_t          len, off;
    ssize_t         n;
    unsigned char  *in;

    c = &conns[fd];

    for ( ;; ) {
        if (c->size - c->len < 65536) {
            in = realloc(c->in, c->size * 2 + 262144);

            if (in == NULL) {
                die("realloc");
            }

            c->in = in;
            c->size = c->size * 2 + 262144;
        }

        n = recv(fd, c->in + c->len, c->size - c->len, 0);

        if (n < 0 && errno == EAGAIN) {
            break;
        }

        if (n <= 0) {
            end_connection(fd);
            return;
        }

        c->len += n;
    }

    for (off = 0; c->len - off >= 16; off += len) {
        len = int32_at(c->in + off);

        if (len < 21 || len > MAX_MESSAGE) {
            end_connection(fd);
            return;
        }

        if (c->len - off < len) {
            break;
        }

        if (!message(fd, c->in + off, len)) {
            fprintf(stderr, "fakemongo: a message of op %d not understood\n",
                    int32_at(c->in + off + 12));
            end_connection(fd);
            return;
        }
    }

    c->len -= off;
    memmove(c->in, c->in + off, c->len);
}


static void
accept_all(int listener)
{
    int                 fd, one;
    struct epoll_event  ev;

    one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {

        if (fd >= 65536) {
            close(fd);
            continue;
        }

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        conns[fd].last = &conns[fd].out;
        ev.events = EPOLLIN|EPOLLOUT|EPOLLET;
        ev.data.fd = fd;
        epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev);
        n_connections++;
    }
}


int
main(int argc, char **argv)
{
    int                 i, n, fd, sfd, listener, port, one;
    uint64_t            ticks;
    sigset_t            set;
    socklen_t           len;
    struct epoll_event  ev, events[256];
    struct sockaddr_in  sa;

    port = 0;
    one = 1;

    for (i = 1; i + 1 < argc; i += 2) {

        if (strcmp(argv[i], "--port") == 0) {
            port = atoi(argv[i + 1]);

        } else if (strcmp(argv[i], "--delay-ms") == 0) {
            delay = strtod(argv[i + 1], NULL) * 1000000;

        } else if (strcmp(argv[i], "--keep") == 0) {
            keep = strtoull(argv[i + 1], NULL, 10);

        } else {
            break;
        }
    }

    if (i != argc || keep == 0) {
        fprintf(stderr, "usage: fakemongo [--port N] [--delay-ms N]"
                " [--keep N]\n");
        return 2;
    }

    listener = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));

    memset(&sa, 0, sizeof(sa));
    sa.sin_family = AF_INET;
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sa.sin_port = htons(port);
    len = sizeof(sa);

    if (bind(listener, (struct sockaddr *) &sa, len) || listen(listener, 512)
        || getsockname(listener, (struct sockaddr *) &sa, &len))
    {
        die("listen");
    }

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);

    epfd = epoll_create1(0);
    timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    sfd = signalfd(-1, &set, 0);

    ev.events = EPOLLIN;
    ev.data.fd = listener;
    epoll_ctl(epfd, EPOLL_CTL_ADD, listener, &ev);
    ev.data.fd = timerfd;
    epoll_ctl(epfd, EPOLL_CTL_ADD, timerfd, &ev);
    ev.data.fd = sfd;
    epoll_ctl(epfd, EPOLL_CTL_ADD, sfd, &ev);

    printf("%d\n", ntohs(sa.sin_port));
    fflush(stdout);

    for ( ;; ) {
        n = epoll_wait(epfd, events, 256, -1);

        for (i = 0; i < n; i++) {
            fd = events[i].data.fd;

            if (fd == listener) {
                accept_all(fd);
                continue;
            }

            if (fd == timerfd) {
                (void) !read(fd, &ticks, sizeof(ticks));
                continue;
            }

            if (fd == sfd) {
                printf("{\"connections\":%lu,\"commands\":%lu,"
                       "\"inserts\":%lu,\"documents\":%lu,"
                       "\"duplicates\":%lu,\"finds\":%lu,\"updates\":%lu}\n",
                       n_connections, n_commands, n_inserts, n_documents,
                       n_duplicates, n_finds, n_updates);
                return 0;
            }

            if (events[i].events & EPOLLOUT && conns[fd].out) {
                send_to(fd);
            }

            if (events[i].events & (EPOLLIN|EPOLLERR|EPOLLHUP)) {
                read_from(fd);
            }
        }

        send_due();
    }
}
