
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Asks a MongoDB for history, as it is told line by line; and answers each with
 * one of JSON.
 *
 *     history_mongodb URI DATABASE TTL [TIMEOUT]     both in ms
 *
 *     after upto max bytes newest_first since hide scope ...
 *
 * hide is a uuid or "-"; a scope is "/a", "/a/" with all below, or "/", the
 * whole bus.  "idle" closes the connection.
 */


#include "unit.h"
#include "ngx_msgbus_mongodb_history.h"
#include "ngx_msgbus_mongodb_insert.h"
#include "ngx_msgbus_time.h"


#define SCOPES  40
#define LINE    16384


static void ask(char *line);
static void take(void *data, ngx_msgbus_doc_t *doc);


static ngx_msgbus_db_t  *db;
static ngx_uint_t        attached, taken;


int
main(int argc, char **argv)
{
    char                       line[LINE];
    ngx_msgbus_store_t        *store;
    ngx_msgbus_mongodb_conf_t  conf;

    unit_init();
    unit_check(argc >= 4, "a URI, a database, and a ttl");

    memset(&conf, 0, sizeof(conf));

    conf.uri.data = (u_char *) argv[1];
    conf.uri.len = strlen(argv[1]);
    conf.database.data = (u_char *) argv[2];
    conf.database.len = strlen(argv[2]);
    conf.connect_timeout = 1000;
    conf.timeout = argc > 4 ? strtoul(argv[4], NULL, 10) : 5000;
    ngx_str_set(&conf.store.name, "db");

    store = &ngx_msgbus_store_mongodb;

    db = store->create((ngx_msgbus_store_conf_t *) &conf,
                       strtoull(argv[3], NULL, 10), NULL, ngx_cycle->log);
    unit_check(db != NULL, "no memory");

    while (fgets(line, LINE, stdin)) {

        if (strcmp(line, "idle\n") == 0) {
            store->disconnect(db);
            attached = 0;

        } else {
            ask(line);
        }
    }

    store->destroy(db);

    return 0;
}


static void
ask(char *line)
{
    int                     at;
    char                    name[2000], hide[2000];
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_str_t              *channel;
    ngx_msgbus_store_t     *store;
    ngx_msgbus_scope_t      scopes[SCOPES];
    ngx_msgbus_history_t    h;
    ngx_msgbus_examined_t   page;

    memset(&h, 0, sizeof(h));
    memset(scopes, 0, sizeof(scopes));

    unit_check(sscanf(line, "%" SCNu64 " %" SCNu64 " %lu %zu %lu %" SCNu64
                      " %1999s%n", &h.after, &h.upto, &h.max, &h.max_bytes,
                      &h.newest_first, &h.since, hide, &at)
               == 7, "what is asked for? %s", line);

    if (strcmp(hide, "-") != 0) {
        h.hide.data = (u_char *) hide;
        h.hide.len = strlen(hide);
    }

    h.scopes = scopes;

    for (line += at; sscanf(line, " %1999s%n", name, &at) == 1; line += at) {

        unit_check(h.nscopes < SCOPES, "too many scopes");

        channel = &scopes[h.nscopes].channel;
        channel->data = (u_char *) strdup(name);
        channel->len = strlen(name);

        if (name[channel->len - 1] == '/') {
            channel->len--;
            scopes[h.nscopes].below = 1;
        }

        h.nscopes++;
    }

    store = &ngx_msgbus_store_mongodb;

    printf("{\"events\":[");
    taken = 0;

    rc = attached ? NGX_OK : store->attach(db);
    attached = 1;

    if (rc == NGX_OK) {
        rc = store->history(db, &h, take, NULL, &page);
    }

    if (rc == NGX_OK) {
        printf("],\"examined\":%" PRIu64 ",\"floor\":%" PRIu64 "}\n",
               page.examined, page.floor);

    } else {
        printf("],\"rc\":%ld,\"error\":\"%s\"}\n", (long) rc,
               store->error(db));
    }

    fflush(stdout);

    if (rc == NGX_ERROR) {
        store->disconnect(db);
        attached = 0;
    }

    for (i = 0; i < h.nscopes; i++) {
        ngx_free(scopes[i].channel.data);
    }
}


static void
take(void *data, ngx_msgbus_doc_t *doc)
{
    printf("%s{\"id\":%" PRIu64 ",\"channel\":\"%.*s\",\"uuid\":\"%.*s\"}",
           taken++ ? "," : "", doc->id, (int) doc->channel.len,
           doc->channel.data, (int) doc->uuid.len, doc->uuid.data);
}


/* the configuration is of no concern here */
const char *
ngx_msgbus_mongodb_check(ngx_msgbus_store_conf_t *conf, ngx_pool_t *pool)
{
    return NULL;
}


ngx_uint_t
ngx_msgbus_mongodb_same(ngx_msgbus_store_conf_t *one,
    ngx_msgbus_store_conf_t *two)
{
    return one == two;
}


uint64_t
ngx_msgbus_time_monotonic(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


uint64_t
ngx_msgbus_time_wall(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return calloc(1, size);
}


u_char *
ngx_cpystrn(u_char *dst, u_char *src, size_t n)
{
    while (n-- > 1 && *src) {
        *dst++ = *src++;
    }

    *dst = '\0';

    return dst;
}
