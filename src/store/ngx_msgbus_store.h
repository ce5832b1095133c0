
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_STORE_H_INCLUDED_
#define _NGX_MSGBUS_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_key.h"
#include "ngx_msgbus_tell.h"


#define NGX_MSGBUS_ERROR_LEN     256
#define NGX_MSGBUS_VERSION_LEN   32

/* bytes that tell a post from all others */
#define NGX_MSGBUS_TOKEN_LEN     16

/*
 * Ids are from 1 to below this: what all programs hold exactly.  So near to it
 * none is given out any more.
 */
#define NGX_MSGBUS_ID_END        ((int64_t) 1 << 53)
#define NGX_MSGBUS_ID_SPARE      1000000

/* all warnings' texts together */
#define NGX_MSGBUS_WARNINGS_LEN  1024


/* what a store does besides keeping events */
#define NGX_MSGBUS_STORE_SHARED   0x01   /* other nodes write to it too */
#define NGX_MSGBUS_STORE_EXPIRES  0x02   /* it forgets them after their ttl,
                                            and what ids it had given out */
#define NGX_MSGBUS_STORE_ALONE    0x04   /* of one zone only */


typedef struct ngx_msgbus_store_s  ngx_msgbus_store_t;


/*
 * What the configuration says of a store, as far as all kinds have it; the
 * begin of a struct of the kind's own, which only it and its block of
 * directives know.  The strings end with a NUL.
 */
typedef struct {
    ngx_msgbus_store_t    *kind;
    ngx_str_t              name;       /* a zone's store= names it so */
    ngx_str_t              shown;      /* where it is, without a secret */
    ngx_uint_t             tries;      /* patience with a post: so many */
    ngx_msec_t             delay;      /*   times this, and after a failure */
    ngx_msec_t             poll;       /* between two looks; 0: off */
    ngx_msec_t             silence;    /* what a call may take at most */
    ngx_str_t             *zone;       /* whose store it is, when ALONE */
} ngx_msgbus_store_conf_t;


/* the zone that a store is made ready for, in the master */
typedef struct {
    ngx_str_t             *zone;
    uint64_t               ttl;        /* ms */
    ngx_uid_t              user;       /* of the workers */
    ngx_gid_t              group;
    ngx_uint_t             test;       /* nothing is to be changed */
    ngx_uint_t             adopted;    /* it was this zone's before a reload */
} ngx_msgbus_store_zone_t;


/* an event that is stored, as far as who has its key is told of it */
typedef struct {
    uint64_t               id;         /* 0: there is none */
    uint64_t               created;    /* ms since 1970 */
    u_char                 body[NGX_MSGBUS_KEY_BODY];
} ngx_msgbus_known_t;


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
    ngx_msgbus_key_t      *key;        /* NULL: none */
    ngx_uint_t             lost;       /* ids up to an anchor's may have had
                                          events that are lost */
    ngx_msgbus_known_t     known;      /* of an insert that was refused: what
                                          has its key, if the store knows */
} ngx_msgbus_doc_t;


/* takes an event that was read; it is gone after the call */
typedef void (*ngx_msgbus_doc_pt)(void *data, ngx_msgbus_doc_t *doc);


/* channels that somebody asks for */
typedef struct {
    ngx_str_t              channel;    /* empty: the whole bus */
    ngx_uint_t             below;      /* and those below it: of "/a", "/a/b" */
} ngx_msgbus_scope_t;


/* what is asked of a store's history */
typedef struct {
    ngx_msgbus_scope_t    *scopes;     /* an event that is in several of them */
    ngx_uint_t             nscopes;    /*   comes once */
    uint64_t               after;      /* ids above it, */
    uint64_t               upto;       /*   and up to this one */
    ngx_uint_t             max;        /* events */
    size_t                 max_bytes;  /* of their data, but one event at
                                          least */
    ngx_str_t              hide;       /* events of this uuid need not be
                                          there; empty: none */
    uint64_t               since;      /* what is older, ms since 1970, counts
                                          as forgotten */
    ngx_uint_t             newest_first;
} ngx_msgbus_history_t;


/* what came of it */
typedef struct {
    uint64_t               examined;   /* the page is all that there is above
                                          "after" up to this id; or, newest
                                          first, from it up to "upto" */
    uint64_t               floor;      /* ids up to it may be forgotten */
    uint64_t               gone;       /* ids up to it are; not above the
                                          floor */
    uint64_t               lost;       /* likewise, by what befell the store,
                                          and above the floor; 0: none */
} ngx_msgbus_examined_t;


/* what one insert takes; an event that is larger goes alone */
typedef struct {
    ngx_uint_t             events;
    size_t                 bytes;      /* of their strings, and for each */
    size_t                 each;       /*   event so many beside those */
    ngx_msec_t             time;       /* after which it counts as failed; 0:
                                          it takes what it takes */
} ngx_msgbus_limits_t;


/* why an event of an insert is not stored */
typedef struct {
    ngx_uint_t             index;
    ngx_uint_t             final;      /* 0: its id is taken, another will do */
    ngx_uint_t             keyless;    /* the store can not take keys now */
    ngx_uint_t             known;      /* an event with its key is stored, see
                                          "known" of it */
    int32_t                code;       /* the store's own; 0: none */
    char                   text[NGX_MSGBUS_ERROR_LEN];
} ngx_msgbus_refusal_t;


/* what a store's files take of this machine's disk */
typedef struct {
    uint64_t               bytes;      /* of its files */
    uint64_t               most;       /* that these may take */
    uint64_t               left;       /* on the disk, for anybody */
    uint64_t               age;        /* of the oldest event, ms */
    uint64_t               dropped;    /* bytes of files that have left before
                                          their events' time */
} ngx_msgbus_usage_t;


/* a connection to a store; opaque */
typedef struct ngx_msgbus_db_s  ngx_msgbus_db_t;


/*
 * A kind of store: what makes an acknowledged event durable, and decides who
 * gets an id; the log serves the reads whatever it is.  A bus in memory has
 * none.  From create() on all of it blocks, up to conf->silence, and is
 * called in the committer's thread only; after NGX_ERROR or NGX_ABORT, error()
 * says why and disconnect() is due.
 */
struct ngx_msgbus_store_s {
    ngx_str_t              name;       /* its block is msgbus_<name> */
    ngx_str_t              place;      /* what conf->shown is */
    ngx_uint_t             flags;      /* NGX_MSGBUS_STORE_* */
    uint64_t               min_ttl;    /* of a zone, ms */

    /*
     * Checks a configuration, and fills conf->shown from the pool.  NULL, or
     * what is wrong, in a static buffer.  May both be the same store?  They
     * connect to nothing.  In the master.  NULL in place of check(): this build
     * is without the kind, which has a name only.
     */
    const char          *(*check)(ngx_msgbus_store_conf_t *conf,
                                  ngx_pool_t *pool);
    ngx_uint_t           (*same)(ngx_msgbus_store_conf_t *one,
                                 ngx_msgbus_store_conf_t *two);

    /*
     * Makes ready what a zone needs on this machine.  NULL, or what is wrong,
     * in a static buffer.  In the master.  NULL in place of it: nothing.
     */
    const char          *(*prepare)(ngx_msgbus_store_conf_t *conf,
                                    ngx_msgbus_store_zone_t *zone);

    /* connects to nothing yet; tells are the zone's; NULL: no memory */
    ngx_msgbus_db_t     *(*create)(ngx_msgbus_store_conf_t *conf,
                                   uint64_t ttl, ngx_msgbus_tells_t *tells,
                                   ngx_log_t *log);
    void                 (*destroy)(ngx_msgbus_db_t *db);

    /*
     * Connects and makes what is missing.  NGX_OK, or NGX_ERROR: then no
     * connection is left, and disconnect() is not called before the next try.
     */
    ngx_int_t            (*connect)(ngx_msgbus_db_t *db,
                                    ngx_msgbus_limits_t *limits);
    void                 (*disconnect)(ngx_msgbus_db_t *db);

    const char          *(*error)(ngx_msgbus_db_t *db);
    const char          *(*version)(ngx_msgbus_db_t *db);

    /*
     * What an administrator should know: texts that can stand in JSON, each
     * with a NUL behind it, the last one empty.
     */
    const char          *(*warnings)(ngx_msgbus_db_t *db);

    /*
     * Inserts events in one message, in order, as far as that goes:
     *
     * NGX_OK        all of them are durable
     * NGX_DECLINED  one is refused: those before it are durable, those behind
     *               it are not stored.  So is one whose key an event has that
     *               is stored, whoever wrote that, and has not expired; then
     *               "known" of it, and of those behind it, tells what has
     *               theirs, as far as one question to the store could tell
     * NGX_ABORT     nothing is stored
     * NGX_ERROR     it is not known what is stored
     */
    ngx_int_t            (*insert)(ngx_msgbus_db_t *db,
                                   ngx_msgbus_doc_t *docs, ngx_uint_t n,
                                   ngx_msgbus_refusal_t *refusal);

    /* the newest event; NGX_OK, NGX_DECLINED: there is none, NGX_ERROR */
    ngx_int_t            (*newest)(ngx_msgbus_db_t *db, uint64_t *id,
                                   uint64_t *created);

    /*
     * Where to begin to read at most the n newest events, less where a store
     * can not know quickly; or the oldest if there are less.  There is room for
     * so many bytes: a store that knows may begin where they are full.
     * Likewise.
     */
    ngx_int_t            (*oldest)(ngx_msgbus_db_t *db, ngx_uint_t n,
                                   size_t bytes, uint64_t *id);

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

    /*
     * For one who only reads history, in a thread of his own: in place of
     * connect(), and of all that follows it.  NULL in place of them: there is
     * none.  NGX_OK or NGX_ERROR.
     */
    ngx_int_t            (*attach)(ngx_msgbus_db_t *db);

    /*
     * A page of what is stored, in the order of the ids; of some channels, and
     * by indexes.  It may end early, but moves on.  The floor is looked up
     * behind it, for a store forgets while one reads: who comes from below the
     * floor may miss some.
     *
     * NGX_OK
     * NGX_ABORT     not this one; others may go well
     * NGX_ERROR
     */
    ngx_int_t            (*history)(ngx_msgbus_db_t *db,
                                    ngx_msgbus_history_t *h,
                                    ngx_msgbus_doc_pt handler, void *data,
                                    ngx_msgbus_examined_t *page);

    /* of the library that it needs, as that says it; anywhere.  NULL: none */
    const char          *(*library)(void);

    /*
     * What its files take; dropped grows by what is new.  Warns in the error
     * log before that is too much.  NULL: it has none on this machine.
     */
    void                 (*usage)(ngx_msgbus_db_t *db,
                                  ngx_msgbus_usage_t *usage);
};


extern ngx_msgbus_store_t  ngx_msgbus_store_mongodb;
extern ngx_msgbus_store_t  ngx_msgbus_store_journal;


#endif /* _NGX_MSGBUS_STORE_H_INCLUDED_ */
