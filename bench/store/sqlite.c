
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The same events into SQLite, each batch a transaction: the write-ahead log,
 * synchronous=FULL, a statement that is prepared once.
 */


#include "store.h"

#include <sqlite3.h>
#include <stdio.h>


static void sqlite_open(const char *folder);
static void sqlite_write(uint64_t first, unsigned n);
static void sqlite_end(void);
static void step(sqlite3_stmt *what);
static sqlite3_stmt *prepared(const char *text);


static sqlite3       *db;
static sqlite3_stmt  *begin, *insert, *commit;


writer_t  sqlite_writer = {
    "sqlite", sqlite_open, sqlite_write, sqlite_end
};


static void
sqlite_open(const char *folder)
{
    char  path[4096];

    (void) snprintf(path, sizeof(path), "%s/events.sqlite", folder);

    if (sqlite3_open(path, &db) != SQLITE_OK
        || sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                            "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY,"
                            " created INTEGER, channel TEXT, uuid TEXT,"
                            " user_agent TEXT, token BLOB, data TEXT)",
                        NULL, NULL, NULL)
           != SQLITE_OK)
    {
        die(sqlite3_errmsg(db));
    }

    begin = prepared("BEGIN");
    commit = prepared("COMMIT");
    insert = prepared("INSERT INTO events VALUES (?,?,?,?,?,?,?)");
}


static void
sqlite_write(uint64_t first, unsigned n)
{
    unsigned       i;
    unsigned char  bytes[TOKEN_LEN];

    step(begin);

    for (i = 0; i < n; i++) {
        token(first + i, bytes);

        sqlite3_bind_int64(insert, 1, first + i);
        sqlite3_bind_int64(insert, 2, wall_ms());
        sqlite3_bind_text(insert, 3, CHANNEL, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 4, UUID, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 5, AGENT, -1, SQLITE_STATIC);
        sqlite3_bind_blob(insert, 6, bytes, TOKEN_LEN, SQLITE_STATIC);
        sqlite3_bind_text(insert, 7, data(), DATA_LEN, SQLITE_STATIC);

        step(insert);
    }

    step(commit);
}


static void
sqlite_end(void)
{
    sqlite3_finalize(begin);
    sqlite3_finalize(insert);
    sqlite3_finalize(commit);
    sqlite3_close(db);
}


static void
step(sqlite3_stmt *what)
{
    if (sqlite3_step(what) != SQLITE_DONE) {
        die(sqlite3_errmsg(db));
    }

    sqlite3_reset(what);
}


static sqlite3_stmt *
prepared(const char *text)
{
    sqlite3_stmt  *what;

    if (sqlite3_prepare_v2(db, text, -1, &what, NULL) != SQLITE_OK) {
        die(sqlite3_errmsg(db));
    }

    return what;
}
