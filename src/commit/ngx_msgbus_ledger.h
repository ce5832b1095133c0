
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_LEDGER_H_INCLUDED_
#define _NGX_MSGBUS_LEDGER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_count.h"
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_notify.h"
#include "ngx_msgbus_pace.h"
#include "ngx_msgbus_pending.h"
#include "ngx_msgbus_store.h"


/* events of one insert */
#define NGX_MSGBUS_BATCH_EVENTS  1000

/* between two looks at a database with poll off, ms: is it still there? */
#define NGX_MSGBUS_LOOK          2000

/*
 * Between two looks whatever was committed meanwhile, us: somebody may have
 * written an id far above the newest, which no insert meets
 */
#define NGX_MSGBUS_LOOK_AT_LEAST 500000


/* what a committer is told */
#define NGX_MSGBUS_STOP          1      /* end, at the next turn */
#define NGX_MSGBUS_STOP_HERE     2      /* do not take the lock again */


/*
 * What the committers of a node know of a database, one after the other; in
 * the shared zone.
 *
 * Lock      the zone's, but for "role", "idle" and "loaded", which are
 *           atomic words and change under it too, and "rate" and "crowded",
 *           which do without; the committer alone reads what only it writes
 *           without it
 * Writers   the committer; role: who becomes it; idle: whoever wakes it;
 *           wanted, crowded: any worker
 * Readers   any worker: health
 * Lifetime  as the zone's
 * Crash     each field is one word, or text for a report; a dead committer's
 *           successor looks at the database before it commits
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    ngx_atomic_t           role;       /* an owner of a slot; 0: nobody */
    ngx_atomic_t           idle;       /* it sleeps until it is woken */
    ngx_atomic_t           loaded;     /* the log has a beginning */

    uint64_t               wanted;     /* somebody waits for a look that begins
                                          after this, monotonic, us */

    ngx_atomic_t           rate;       /* bytes a second that the store takes
                                          at most; 0: not known */
    ngx_atomic_t           crowded;    /* no post is taken until half of its
                                          patience is enough */
    uint64_t               ceiling;    /* no id above it may be given out */
    uint64_t               newest;     /* created_at of the newest event, ms, */
    int64_t                young;      /*   and when it was now, since boot */

    ngx_uint_t             down;       /* the last command failed */
    uint64_t               failures;   /* since it is down, or was last */
    uint64_t               rtt;        /* of a look that found nothing, us */
    uint64_t               commits;    /* inserts that went well, */
    uint64_t               committed;  /*   and events in them */
    uint64_t               foreign;    /* events of other nodes */
    uint64_t               conflicts;  /* inserts that met a taken id */
    uint64_t               refused;    /* events that the store will not have */
    u_char                 version[NGX_MSGBUS_VERSION_LEN];
    u_char                 error[NGX_MSGBUS_ERROR_LEN];
    u_char                 warnings[NGX_MSGBUS_WARNINGS_LEN];
    ngx_msgbus_usage_t     usage;
} ngx_msgbus_ledger_sh_t;


/* a committer's own; used in its thread only */
typedef struct {
    ngx_msgbus_ledger_sh_t      *sh;
    ngx_msgbus_log_t             log;      /* a view of the thread's own */
    ngx_msgbus_pending_t         pending;
    ngx_msgbus_notify_t         *notify;   /* constant parts of it */
    ngx_msgbus_store_t          *store;
    ngx_msgbus_db_t             *db;
    ngx_msgbus_limits_t          limits;   /* of a batch, by the store */
    ngx_msgbus_pace_t            pace;     /*   and by the path to it */
    ngx_msgbus_refusal_t         refusal;  /* of the last one's event */
    ngx_msgbus_counts_t         *counts;   /* NULL: nobody asks */
    ngx_log_t                   *error_log;
    ngx_atomic_t                *stop;     /* NULL; 1: it is to end; 2: and not
                                              to take the lock again */

    uint64_t                     term;     /* an eighth of the ttl, us */
    uint64_t                     look;     /* between two looks, us */
    uint64_t                     looked;   /* when the last one began, us */
    uint64_t                     patience; /* with a post, us */
    uint64_t                     shed;     /* older ones get no try, us */
    ngx_msec_t                   delay;    /* after a failure */

    ngx_msgbus_entry_t         **entries;  /* of the batch, */
    ngx_msgbus_doc_t            *docs;     /*   and as the store sees them */
    ngx_uint_t                   n;
    size_t                       bytes;    /* of them */
    uint64_t                     second;   /* of the last event, since 1970, */
    u_char                       second_text[NGX_MSGBUS_TIME_LEN]; /* as told */
    u_char                      *agents;   /* room for User-Agents, decoded */
    size_t                       agents_size;

    u_char                       conflict[NGX_MSGBUS_KEY_BODY]; /* of a batch
                                              that is not to be stored */

    uint64_t                     no_room;  /* events that the log did not take,
                                              not told of yet, */
    uint64_t                     no_room_id;    /* the last of them */

    uint64_t                     passed;   /* others' events not shown */

    ngx_atomic_uint_t            wake[NGX_MSGBUS_SLOT_WORDS];

    unsigned                     connected:1;
    unsigned                     stale:1;  /* sync before the next insert */
    unsigned                     unsure:1; /* some of what was sent may be
                                              in the database unseen */
    unsigned                     lapsed:1; /* events may have expired unseen */
    unsigned                     seen:1;   /* readers are to be woken */
    unsigned                     conflicts:1;  /* there is such a batch */
    unsigned                     more:1;   /* than the batch could have */
} ngx_msgbus_ledger_t;


/*
 * Allocates what a committer needs; log, pending, notify, sh and store are set.
 * NGX_OK or NGX_ERROR.  Gives up the store, which may take its time.  And frees
 * the rest, also after a failed create().
 */
ngx_int_t ngx_msgbus_ledger_create(ngx_msgbus_ledger_t *c,
    ngx_msgbus_store_conf_t *conf, uint64_t ttl);
void ngx_msgbus_ledger_close(ngx_msgbus_ledger_t *c);
void ngx_msgbus_ledger_destroy(ngx_msgbus_ledger_t *c);

/* lets the connection go; before another becomes the committer */
void ngx_msgbus_ledger_leave(ngx_msgbus_ledger_t *c);

/*
 * Will what is queued now be stored within ms, as far as is known?  Without the
 * lock.
 */
ngx_uint_t ngx_msgbus_ledger_has_time(ngx_msgbus_ledger_t *c, ngx_msec_t ms);

/* does somebody wait for a look?  With or without the lock. */
#define ngx_msgbus_ledger_wants_look(c)                                       \
    ((c)->sh->wanted && (c)->sh->wanted >= (c)->log.sh->looked)

/* the zone's lock, with a log and pending posts that are whole */
void ngx_msgbus_ledger_lock(ngx_msgbus_ledger_t *c);
void ngx_msgbus_ledger_unlock(ngx_msgbus_ledger_t *c);

/* is the committer to end? */
#define ngx_msgbus_ledger_stops(c)  ((c)->stop && *(c)->stop)

/*
 * Appends an event whose id is set; room is made for it whatever it takes, in
 * several holds where need be.
 */
void ngx_msgbus_ledger_append_locked(ngx_msgbus_ledger_t *c,
    ngx_msgbus_event_t *ev);

/*
 * Up to this id something is missing in the log that was not evicted from it:
 * readers with a cursor below it are told, those who wait at once.
 */
void ngx_msgbus_ledger_lapsed_locked(ngx_msgbus_ledger_t *c, uint64_t id);

/*
 * An id is behind the log, and no event for it: there was none to show, or (1)
 * one is missing.
 */
void ngx_msgbus_ledger_pass_locked(ngx_msgbus_ledger_t *c, uint64_t id,
    ngx_uint_t missed);

/* tells a post its outcome, and notes whom to wake for it */
void ngx_msgbus_ledger_settle_locked(ngx_msgbus_ledger_t *c,
    ngx_msgbus_entry_t *e, uint64_t id, uint64_t created);

/* what the store warns of now, for the report */
void ngx_msgbus_ledger_warnings(ngx_msgbus_ledger_t *c);

/* counts an event that the store has refused, and tells c->refusal */
void ngx_msgbus_ledger_refused(ngx_msgbus_ledger_t *c, ngx_msgbus_entry_t *e);

/*
 * The store has failed, and its connection goes; it does well.  Told in the
 * error log, either once a minute at most.
 */
void ngx_msgbus_ledger_failed(ngx_msgbus_ledger_t *c);
void ngx_msgbus_ledger_well(ngx_msgbus_ledger_t *c);

/* the owners of what was settled, and the readers of what was appended */
void ngx_msgbus_ledger_wake(ngx_msgbus_ledger_t *c);


#endif /* _NGX_MSGBUS_LEDGER_H_INCLUDED_ */
