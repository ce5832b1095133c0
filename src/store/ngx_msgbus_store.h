
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_STORE_H_INCLUDED_
#define _NGX_MSGBUS_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_MSGBUS_ERROR_LEN     256
#define NGX_MSGBUS_VERSION_LEN   32

/* bytes that tell a post from all others */
#define NGX_MSGBUS_TOKEN_LEN     16

/* of a database: what an administrator should know */
#define NGX_MSGBUS_WARN_CONCERN     0x01
#define NGX_MSGBUS_WARN_STANDALONE  0x02
#define NGX_MSGBUS_WARN_TTL         0x04
#define NGX_MSGBUS_WARN_INDEX       0x08


/* what msgbus_mongodb says; the strings end with a NUL */
typedef struct {
    ngx_str_t              name;
    ngx_str_t              uri;
    ngx_str_t              shown;      /* the uri without its password */
    ngx_str_t              database;
    ngx_msec_t             connect_timeout;
    ngx_msec_t             timeout;
    ngx_uint_t             tries;
    ngx_msec_t             delay;
    ngx_msec_t             poll;       /* 0: off */
} ngx_msgbus_mongodb_conf_t;


/* an event as a store has it */
typedef struct {
    uint64_t               id;
    uint64_t               created;    /* ms since 1970 */
    uint64_t               since;      /* what its ttl counts from, likewise */
    ngx_str_t              channel;    /* empty: an anchor */
    ngx_str_t              uuid;
    ngx_str_t              user_agent; /* as posted */
    ngx_str_t              data;
    u_char                *token;      /* NULL: not posted by this module */
} ngx_msgbus_doc_t;


/* takes an event that was read; it is gone after the call */
typedef void (*ngx_msgbus_doc_pt)(void *data, ngx_msgbus_doc_t *doc);


/* a connection to a database; opaque */
typedef struct ngx_msgbus_db_s  ngx_msgbus_db_t;


/*
 * What makes an acknowledged event durable, and decides who gets an id, as
 * the commit sees it; the log serves the reads whatever the store is.  A bus
 * in memory has none.  All of it blocks, up to the time-outs of
 * its configuration, and is called in the committer's thread only.  After
 * NGX_ERROR or NGX_ABORT, error() says why and disconnect() is due.
 */
typedef struct {
    ngx_str_t              name;

    ngx_msgbus_db_t     *(*create)(ngx_msgbus_mongodb_conf_t *conf,
                                   uint64_t ttl, ngx_log_t *log);
    void                 (*destroy)(ngx_msgbus_db_t *db);

    /* connects and makes what is missing; NGX_OK or NGX_ERROR */
    ngx_int_t            (*connect)(ngx_msgbus_db_t *db);
    void                 (*disconnect)(ngx_msgbus_db_t *db);

    const char          *(*error)(ngx_msgbus_db_t *db);
    const char          *(*version)(ngx_msgbus_db_t *db);
    ngx_uint_t           (*warnings)(ngx_msgbus_db_t *db);

    /*
     * Inserts events in one message, in order, as far as that goes:
     *
     * NGX_OK        all of them are durable
     * NGX_DECLINED  an id is taken: those before it are durable
     * NGX_ABORT     nothing is stored
     * NGX_ERROR     it is not known what is stored
     */
    ngx_int_t            (*insert)(ngx_msgbus_db_t *db,
                                   ngx_msgbus_doc_t *docs, ngx_uint_t n);

    /* the newest event; NGX_OK, NGX_DECLINED: there is none, NGX_ERROR */
    ngx_int_t            (*newest)(ngx_msgbus_db_t *db, uint64_t *id,
                                   uint64_t *created);

    /* the n-th newest, or the oldest if there are less; likewise */
    ngx_int_t            (*oldest)(ngx_msgbus_db_t *db, ngx_uint_t n,
                                   uint64_t *id);

    /* reads up to max events after an id; how many, or NGX_ERROR */
    ngx_int_t            (*after)(ngx_msgbus_db_t *db, uint64_t id,
                                  ngx_uint_t max, ngx_msgbus_doc_pt handler,
                                  void *data);

    /*
     * Makes the event young that newest() has told; its own time is kept
     * beside.  NGX_OK, NGX_DECLINED: it is gone, NGX_ERROR.
     */
    ngx_int_t            (*touch)(ngx_msgbus_db_t *db, uint64_t id,
                                  uint64_t now);

    /* no id above it was ever given out; NGX_OK or NGX_ERROR */
    ngx_int_t            (*counter)(ngx_msgbus_db_t *db, uint64_t *c);
    ngx_int_t            (*raise)(ngx_msgbus_db_t *db, uint64_t c);
} ngx_msgbus_store_t;


extern ngx_msgbus_store_t  ngx_msgbus_store_mongodb;


/*
 * Checks what a configuration says of a database, and fills conf->shown from
 * the pool.  NULL, or what is wrong, in a static buffer.  It connects to
 * nothing.  In the master.
 */
const char *ngx_msgbus_mongodb_check(ngx_msgbus_mongodb_conf_t *conf,
    ngx_pool_t *pool);

/*
 * May both be the same database?  Not if its name is another, or the URIs
 * have neither a host nor the name of a replica set in common.
 */
ngx_uint_t ngx_msgbus_mongodb_same(ngx_msgbus_mongodb_conf_t *one,
    ngx_msgbus_mongodb_conf_t *two);

#endif /* _NGX_MSGBUS_STORE_H_INCLUDED_ */
