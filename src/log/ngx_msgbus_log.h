
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_LOG_H_INCLUDED_
#define _NGX_MSGBUS_LOG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_key.h"
#include "ngx_msgbus_ring.h"


/* what is appended */
typedef struct {
    ngx_msgbus_channel_t  *channel;       /* depth 1 or more */
    ngx_str_t              uuid;          /* at most NGX_MSGBUS_UA_LEN */
    ngx_str_t              user_agent;    /* as it stands in JSON */
    ngx_str_t              data;
    ngx_msgbus_key_t      *key;           /* NULL: none */
    uint64_t               id;            /* above the log's last_id */
    uint64_t               created;       /* ms since 1970, for display */
    int64_t                since;         /* ms since boot; raised where need
                                             be */
    u_char                 created_text[NGX_MSGBUS_TIME_LEN];
} ngx_msgbus_event_t;


/*
 * Divides size bytes at addr into an empty log (fresh) or finds one there,
 * and fills the view.  last_id stands before the first id.  In the master,
 * at zone initialization.  NGX_ERROR: too small.
 */
ngx_int_t ngx_msgbus_log_init(ngx_msgbus_log_t *log, u_char *addr,
    size_t size, ngx_uint_t fresh);
void ngx_msgbus_log_start(ngx_msgbus_log_t *log, uint64_t first_id,
    uint64_t seed, uint64_t now);

/* the most events that it holds, however small they are */
#define ngx_msgbus_log_most(log)                                              \
    ((log)->reject ? ngx_min((log)->mask + 1, (log)->max_events)              \
                   : (log)->mask + 1)

/* the largest record that this log takes, header and all */
#define ngx_msgbus_log_max_record(log)  ((log)->size / 4)

/*
 * The lock, and a log that is whole behind it.  Not recursive; bounded work
 * between them.  After it, what is worth a line in the error log is written:
 * events that left early or were refused at most once a minute.
 */
void ngx_msgbus_log_lock(ngx_msgbus_log_t *log);
void ngx_msgbus_log_unlock(ngx_msgbus_log_t *log);

/*
 * NGX_OK        appended, visible to the next that takes the lock
 * NGX_AGAIN     still no room, but this hold has done its share of evictions:
 *               unlock, lock, call again
 * NGX_BUSY      no room, and none is to be made
 * NGX_DECLINED  larger than the log takes
 */
ngx_int_t ngx_msgbus_log_append_locked(ngx_msgbus_log_t *log,
    ngx_msgbus_event_t *ev, uint64_t now);

/*
 * Drops what is older than ttl.  NGX_AGAIN: there is more, but this hold has
 * done its share.
 */
ngx_int_t ngx_msgbus_log_expire_locked(ngx_msgbus_log_t *log, uint64_t now);

/*
 * Notes what the unlock is to write into the error log, where a line of its
 * kind may be written at now.  An append does it; and now and then a worker, so
 * that what came in the minute after a line is told in the next one.
 */
void ngx_msgbus_log_tell_locked(ngx_msgbus_log_t *log, uint64_t now);

/*
 * How much of the log's memory is taken, in percent, and since when its oldest
 * event is there, ms since boot.  0: there is none.
 */
ngx_uint_t ngx_msgbus_log_taken_locked(ngx_msgbus_log_t *log,
    ngx_uint_t *percent, int64_t *since);

/* a store has nothing any more up to this id: it need not be asked for that */
void ngx_msgbus_log_forgotten_locked(ngx_msgbus_log_t *log, uint64_t id);

/* the oldest serial with an id above the given; next_serial if none */
uint64_t ngx_msgbus_log_search_locked(ngx_msgbus_log_t *log, uint64_t id);


/*
 * A hint that an event of about so many bytes comes: what an append is going
 * to touch, the free room and the oldest record, begins its way into the
 * cache.  Reads two words without the lock; wrong ones do no harm.
 */
void ngx_msgbus_log_expect(ngx_msgbus_log_t *log, size_t size);

/*
 * Is a cursor above the newest event one that nobody has given out?  Where the
 * log follows a database, that is known after a look at it that began after
 * the cursor was asked for (monotonic, us).
 */
ngx_uint_t ngx_msgbus_log_invented_locked(ngx_msgbus_log_t *log,
    uint64_t asked);

/* what an event's JSON begins with, up to its age, and its bytes at most */
u_char *ngx_msgbus_log_front(u_char *p, ngx_msgbus_event_t *ev);

#define ngx_msgbus_log_front_len(ev)                                          \
    (sizeof("{\"id\":,\"user_agent\":\"\",\"created_at\":\"\",\"age\":") - 1  \
     + NGX_MSGBUS_ID_LEN + NGX_MSGBUS_TIME_LEN + (ev)->user_agent.len)


#endif /* _NGX_MSGBUS_LOG_H_INCLUDED_ */
