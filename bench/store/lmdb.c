
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The same events into LMDB, each batch a transaction that is durable
 * (no MDB_NOSYNC), keys by MDB_INTEGERKEY, appended by MDB_APPEND.
 */


#include "store.h"

#include <lmdb.h>
#include <stdio.h>
#include <string.h>


#define MAP_SIZE  (8ULL << 30)

/* an event in one piece: created, token, and the texts with their lengths */
#define RECORD    (8 + TOKEN_LEN + 4 * 2 + sizeof(CHANNEL) - 1                 \
                   + sizeof(UUID) - 1 + sizeof(AGENT) - 1 + DATA_LEN)


static void lmdb_open(const char *folder);
static void lmdb_write(uint64_t first, unsigned n);
static void lmdb_close(void);
static unsigned char *add(unsigned char *p, const char *text, uint16_t len);
static void must(int rc);


static MDB_env  *env;
static MDB_dbi   dbi;


writer_t  lmdb_writer = {
    "lmdb", lmdb_open, lmdb_write, lmdb_close
};


static void
lmdb_open(const char *folder)
{
    MDB_txn  *txn;

    must(mdb_env_create(&env));
    must(mdb_env_set_mapsize(env, MAP_SIZE));
    must(mdb_env_open(env, folder, 0, 0600));
    must(mdb_txn_begin(env, NULL, 0, &txn));
    must(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi));
    must(mdb_txn_commit(txn));
}


static void
lmdb_write(uint64_t first, unsigned n)
{
    MDB_txn        *txn;
    MDB_val         key, value;
    unsigned        i;
    uint64_t        id, created;
    unsigned char  *p, record[RECORD];

    must(mdb_txn_begin(env, NULL, 0, &txn));

    for (i = 0; i < n; i++) {
        id = first + i;
        created = wall_ms();

        memcpy(record, &created, 8);
        token(id, record + 8);

        p = add(record + 8 + TOKEN_LEN, CHANNEL, sizeof(CHANNEL) - 1);
        p = add(p, UUID, sizeof(UUID) - 1);
        p = add(p, AGENT, sizeof(AGENT) - 1);
        (void) add(p, data(), DATA_LEN);

        key.mv_size = sizeof(uint64_t);
        key.mv_data = &id;
        value.mv_size = RECORD;
        value.mv_data = record;

        must(mdb_put(txn, dbi, &key, &value, MDB_APPEND));
    }

    must(mdb_txn_commit(txn));
}


static void
lmdb_close(void)
{
    mdb_env_close(env);
}


static unsigned char *
add(unsigned char *p, const char *text, uint16_t len)
{
    memcpy(p, &len, 2);
    memcpy(p + 2, text, len);

    return p + 2 + len;
}


static void
must(int rc)
{
    if (rc) {
        die(mdb_strerror(rc));
    }
}
