
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a store does with keys, asked of it as the commit does: of two nodes on
 * one store.
 *
 *     store_keys journal FOLDER
 *     store_keys mongodb URI DATABASE
 *
 * "keyless" behind it: the store can not take any.
 */


#include "unit.h"
#include "ngx_msgbus_journal_conf.h"
#include "ngx_msgbus_mongodb_history.h"
#include "ngx_msgbus_mongodb_insert.h"
#include "ngx_msgbus_time.h"


#define TTL     60000
#define EVENTS  2000


static void keyless(void);
static void told(void);
static void batches(void);
static void nodes(void);
static void again(void);
static void many(void);
static ngx_int_t put(ngx_uint_t node, uint64_t id, const char *keys);
static ngx_msgbus_known_t *known(void);
static void look(ngx_uint_t node);
static void take(void *data, ngx_msgbus_doc_t *doc);
static void connect_node(ngx_uint_t node);
static void make_key(ngx_msgbus_key_t *key, const char *name, char body);


ngx_uint_t  ngx_pagesize = 4096;

static ngx_msgbus_store_t       *store;
static ngx_msgbus_store_conf_t  *conf;
static ngx_msgbus_db_t          *db[2];
static ngx_msgbus_limits_t       limits;
static ngx_msgbus_refusal_t      refusal;
static ngx_msgbus_doc_t          docs[100];       /* of the last insert */
static uint64_t                  last[2];
static ngx_uint_t                n, keyed;
static char                      names[EVENTS];   /* of events, in their order;
                                                     ' ': without a key */
static uint64_t                  ids[EVENTS];


int
main(int argc, char **argv)
{
    static ngx_msgbus_mongodb_conf_t   mongodb;
    static ngx_msgbus_journal_block_t  journal;

    unit_init();
    unit_check(argc > 2, "a store, and where it is");

    if (strcmp(argv[1], "journal") == 0) {
        store = &ngx_msgbus_store_journal;

        journal.path.data = (u_char *) argv[2];
        journal.path.len = strlen(argv[2]);
        journal.segment = 65536;
        conf = &journal.store;

    } else {
        store = &ngx_msgbus_store_mongodb;

        mongodb.uri.data = (u_char *) argv[2];
        mongodb.uri.len = strlen(argv[2]);
        mongodb.database.data = (u_char *) argv[3];
        mongodb.database.len = strlen(argv[3]);
        mongodb.connect_timeout = 2000;
        mongodb.timeout = 5000;
        conf = &mongodb.store;
    }

    ngx_str_set(&conf->name, "db");

    connect_node(0);
    connect_node(1);

    if (strcmp(argv[argc - 1], "keyless") == 0) {
        keyless();

    } else {
        told();
        batches();
        nodes();
        again();
        many();
    }

    store->destroy(db[0]);
    store->destroy(db[1]);

    printf("events: %lu\n", (unsigned long) n);
    printf("keys: %lu\n", (unsigned long) keyed);

    return 0;
}


/* what is before one with a key is durable, and all without go on */
static void
keyless(void)
{
    unit_check(put(0, 0, "  A ") == NGX_DECLINED && refusal.keyless
               && refusal.index == 2 && !refusal.known && !refusal.final,
               "a key is taken");
    look(0);
    unit_check(n == 2, "%lu events, not 2", (unsigned long) n);

    unit_check(put(0, 0, "B") == NGX_DECLINED && refusal.keyless
               && refusal.index == 0,
               "the first key is taken");
    unit_check(put(0, 0, "   ") == NGX_OK, "nothing is taken");
    unit_check(strlen(store->warnings(db[0])) > 0, "nobody is told");
}


/* a key that is there is told of, with what has it, and is not there twice */
static void
told(void)
{
    unit_check(put(0, 0, "A B") == NGX_OK, "not inserted: %s",
               store->error(db[0]));
    look(0);

    unit_check(put(0, 0, "A") == NGX_DECLINED && refusal.known
               && refusal.index == 0 && known()->id == ids[0]
               && known()->body[0] == 'a',
               "A is not known");
    unit_check(put(0, 0, "B") == NGX_DECLINED && refusal.known
               && known()->id == ids[2] && known()->created,
               "B is not known");
    unit_check(put(0, 0, "C") == NGX_OK, "C is not inserted: %s",
               store->error(db[0]));
    look(0);
    unit_check(n == 4 && names[3] == 'C', "%lu events", (unsigned long) n);
}


/* those before it are durable, those behind it are not stored */
static void
batches(void)
{
    unit_check(put(0, 0, "D A E") == NGX_DECLINED && refusal.known
               && refusal.index == 2 && known()->id == ids[0],
               "A is not known in a batch");
    look(0);
    unit_check(n == 6 && names[4] == 'D' && names[5] == ' ',
               "%lu events, not 6", (unsigned long) n);

    /* of those behind it, too, whatever stands between them */

    unit_check(put(0, 0, "B YA Z") == NGX_DECLINED && refusal.known
               && refusal.index == 0 && known()->id == ids[2],
               "B is not known in a batch");
    unit_check(docs[3].known.id == ids[0] && docs[3].known.created
               && docs[3].known.body[0] == 'a' && docs[1].known.id == 0
               && docs[2].known.id == 0 && docs[5].known.id == 0,
               "A is not known behind B, or more than that");

    unit_check(put(0, 0, "FF") == NGX_DECLINED && refusal.known
               && refusal.index == 1 && known()->id == last[0] + 1,
               "twice in a batch");
    look(0);
    unit_check(n == 7 && names[6] == 'F', "%lu events", (unsigned long) n);
}


/* another node's, of which this one has not heard yet */
static void
nodes(void)
{
    uint64_t   first;
    ngx_int_t  rc;

    look(1);
    first = last[1] + 1;

    unit_check(put(0, 0, "G") == NGX_OK, "not inserted");
    look(0);

    /* by its own count, the id of G is free */

    rc = put(1, first, "G");
    unit_check(rc == NGX_DECLINED && !refusal.final, "G is there twice");
    unit_check(!refusal.known || known()->id == first, "another G");

    rc = put(1, first, "H");
    unit_check(rc == NGX_DECLINED && !refusal.known && !refusal.final,
               "an id is there twice");

    look(1);
    unit_check(put(1, 0, "G") == NGX_DECLINED && refusal.known
               && known()->id == first,
               "G of another node is not known");

    /* ids may be far apart */

    unit_check(put(1, last[1] + 100, "H") == NGX_OK, "not inserted");
    look(1);
    rc = put(0, last[0] + 200, "H");
    unit_check(rc == NGX_DECLINED, "H is there twice");

    look(0);
    unit_check(put(0, 0, "H") == NGX_DECLINED && refusal.known
               && known()->id == last[0],
               "H of another node is not known");
}


/* who begins anew knows them, too */
static void
again(void)
{
    store->disconnect(db[0]);
    store->destroy(db[0]);
    connect_node(0);
    look(0);

    unit_check(put(0, 0, "IC") == NGX_DECLINED && refusal.known
               && refusal.index == 1 && known()->id == ids[3],
               "C is not known after a start");
    look(0);
}


/* over several files of a journal */
static void
many(void)
{
    char        keys[101];
    ngx_uint_t  i, before;

    before = n;
    memset(keys, ' ', 100);
    keys[100] = '\0';
    keys[50] = 'J';

    for (i = 0; i < 12; i++) {
        keys[50] = (char) ('J' + i);
        unit_check(put(i % 2, 0, keys) == NGX_OK, "not inserted: %s",
                   store->error(db[i % 2]));
        look(1);
        look(0);
    }

    unit_check(n == before + 1200, "%lu events", (unsigned long) n);

    for (i = 0; i < 12; i++) {
        keys[0] = (char) ('J' + i);
        keys[1] = '\0';

        unit_check(put(i % 2, 0, keys) == NGX_DECLINED && refusal.known
                   && known()->id == ids[before + 100 * i + 50],
                   "key %s is not known", keys);
    }
}


/* a letter for each event: its key, or a space; id 0: the next one */
static ngx_int_t
put(ngx_uint_t node, uint64_t id, const char *keys)
{
    ngx_int_t          rc;
    ngx_uint_t         i, len;

    static ngx_msgbus_key_t  key[100];

    len = strlen(keys);
    id = id ? id : last[node] + 1;

    memset(docs, 0, sizeof(docs));
    memset(&refusal, 0x55, sizeof(refusal));

    for (i = 0; i < len; i++) {
        docs[i].id = id + i;
        docs[i].created = ngx_msgbus_time_wall();
        docs[i].since = docs[i].created;
        ngx_str_set(&docs[i].channel, "/a");
        ngx_str_set(&docs[i].data, "{\"n\":\"0123456789012345678901234567890"
                                   "1234567890123456789012345678901234567\"}");

        if (keys[i] != ' ') {
            make_key(&key[i], &keys[i], 'a');
            docs[i].key = &key[i];
        }
    }

    rc = store->insert(db[node], docs, len, &refusal);

    unit_check(rc == NGX_OK || rc == NGX_DECLINED, "no insert: %s",
               store->error(db[node]));

    return rc;
}


/* what has the key of the one that was refused */
static ngx_msgbus_known_t *
known(void)
{
    return &docs[refusal.index].known;
}


/* reads what is new */
static void
look(ngx_uint_t node)
{
    ngx_int_t  rc;

    n = node ? n : (ngx_uint_t) 0;
    keyed = node ? keyed : (ngx_uint_t) 0;

    if (node == 0) {
        last[0] = 0;
    }

    rc = store->after(db[node], last[node], EVENTS, take, &last[node]);
    unit_check(rc >= 0, "not read: %s", store->error(db[node]));
}


static void
take(void *data, ngx_msgbus_doc_t *doc)
{
    uint64_t *id = data;

    ngx_uint_t        i;
    ngx_msgbus_key_t  key;
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    *id = doc->id;

    if (id != &last[0] || doc->channel.len == 0) {
        return;
    }

    ids[n] = doc->id;
    names[n] = ' ';

    for (i = 0; doc->key && i < sizeof(letters) - 1; i++) {
        make_key(&key, &letters[i], 'a');

        if (memcmp(&key, doc->key, sizeof(key)) == 0) {
            names[n] = letters[i];
            keyed++;
        }
    }

    unit_check((doc->key == NULL) == (names[n] == ' '), "a key of nobody");

    n++;
}


static void
connect_node(ngx_uint_t node)
{
    uint64_t  created;

    db[node] = store->create(conf, TTL, NULL, ngx_cycle->log);
    unit_check(db[node] != NULL, "no memory");

    unit_check(store->connect(db[node], &limits) == NGX_OK,
               "not connected: %s", store->error(db[node]));
    unit_check(store->newest(db[node], &last[node], &created) != NGX_ERROR,
               "no newest: %s", store->error(db[node]));
}


static void
make_key(ngx_msgbus_key_t *key, const char *name, char body)
{
    ngx_uint_t  i;

    for (i = 0; i < 16; i++) {
        key->name[i] = (u_char) ((*name + i * 31) * 2654435761u >> 7);
    }

    memset(key->body, body, sizeof(key->body));
}


/* the configuration is of no concern here */
const char *
ngx_msgbus_mongodb_check(ngx_msgbus_store_conf_t *c, ngx_pool_t *pool)
{
    return NULL;
}


ngx_uint_t
ngx_msgbus_mongodb_same(ngx_msgbus_store_conf_t *one,
    ngx_msgbus_store_conf_t *two)
{
    return one == two;
}


const char *
ngx_msgbus_journal_prepare(ngx_msgbus_store_conf_t *c,
    ngx_msgbus_store_zone_t *zone)
{
    return NULL;
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
ngx_cpystrn(u_char *dst, u_char *src, size_t len)
{
    while (len-- > 1 && *src) {
        *dst++ = *src++;
    }

    *dst = '\0';

    return dst;
}
