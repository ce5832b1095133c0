
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_LOG_H_INCLUDED_
#define _NGX_MSGBUS_LOG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_channel.h"


#if (NGX_PTR_SIZE != 8)
#error "msgbus needs a 64-bit platform: its commit words are 64 bits wide"
#endif


/* raised whenever something that lives in the zone changes its layout */
#define NGX_MSGBUS_LOG_VERSION    2

/* what one hold of the mutex may cost at most */
#define NGX_MSGBUS_HOLD_RECORDS   256
#define NGX_MSGBUS_HOLD_BYTES     65536
#define NGX_MSGBUS_HOLD_NODES     64

/* "2012-03-16 13:25:29Z" */
#define NGX_MSGBUS_TIME_LEN       20

/* digits of an id, which stays below 2^53 */
#define NGX_MSGBUS_ID_LEN         16

/* cursors from other nodes that are remembered */
#define NGX_MSGBUS_CLAIMS         16

/* of the poster's User-Agent and uuid, as posted */
#define NGX_MSGBUS_UA_LEN         1024


/*
 * Keeps the compiler from moving stores in shared memory over each other.
 * More is not needed: what one worker wrote under the mutex, another sees
 * under the mutex; and the stores of a killed worker that were not done are
 * those that come last in program order.
 */
#define ngx_msgbus_barrier()      __asm__ volatile ("" ::: "memory")


/*
 * A record's membership in one list of one node: filing[0] in the exact list
 * of its channel, filing[n] in the tree list of the channel's n-th level.
 * Distances are in serials, so that nothing dangles when records leave:
 * 0 is none, and what lies before the log's head is gone.
 *
 *     filing:   1   2   3   4   5   6   7   8    of one list
 *     prev:     .   1   2   3   4   5   6   7
 *     jump:     .   1   2   1   4   5   4   1    skew-binary, O(log n)
 */
typedef struct {
    uint32_t               node;
    uint32_t               prev;
    uint32_t               next;
    uint32_t               jump;
    uint32_t               span;       /* filings from jump to this one */
} ngx_msgbus_filing_t;


/*
 * An event in the ring.  Behind the filings, without padding between them:
 *
 *     channel | uuid | front | data
 *
 * front is the event's JSON up to and with "age":, so that a read copies
 * bytes and adds an age.
 */
typedef struct {
    uint32_t               size;       /* multiple of 8; 0: go on at offset 0 */
    uint32_t               front_len;
    uint64_t               serial;
    uint64_t               id;
    uint64_t               created;    /* ms since 1970 */
    uint32_t               data_len;
    uint16_t               uuid_len;
    uint8_t                channel_len;
    uint8_t                filings;
    ngx_msgbus_filing_t    filing[1];
} ngx_msgbus_record_t;


/* a cursor above the newest event, and when it was first seen */
typedef struct {
    uint64_t               id;
    uint64_t               since;      /* monotonic, us */
} ngx_msgbus_claim_t;


/*
 * Head of the event log; lives in the shared zone.
 *
 * Lock      shpool->mutex, for all fields not marked constant
 * Writers   any worker, in the functions *_locked() of the log's rooms
 * Readers   any worker; copy out under the lock, keep no pointers
 * Lifetime  made by the first cycle to declare the zone; kept over reload;
 *           lost on restart, binary upgrade and change of the zone's size
 * Crash     the master unlocks after a dead worker, it repairs nothing.
 *           "busy" is set while anything but the ring may be torn; whoever
 *           finds it set rebuilds all else from the ring.  The ring itself
 *           is whole at every instruction: a record is filled first, then
 *           "tail" moves over it; "evicted_id" rises first, then "head".
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    ngx_uint_t             version;       /* constant */
    uint64_t               seed;          /* constant: of the names' hash */
    uint64_t               first_id;      /* constant: of this log's life */
    uint64_t               born;          /* constant: monotonic, us */

    ngx_atomic_t           busy;

    size_t                 head;          /* offset of the oldest record */
    size_t                 tail;          /* offset past the newest; equal to
                                             head only when none is there */
    uint64_t               head_serial;   /* of the oldest record */
    uint64_t               next_serial;   /* of the next record; from 1 on */
    uint64_t               last_id;       /* newest ever; at first: the id
                                             before the first one */
    uint64_t               evicted_id;    /* newest that has left; at first:
                                             as last_id */
    uint64_t               created;       /* of the newest record, ms */
    u_char                 created_text[NGX_MSGBUS_TIME_LEN];

    uint64_t               pressed;       /* evicted before their time, */
    uint64_t               refused;       /*   refused for want of room, */
    uint64_t               pressed_told;  /*   how many of these were told */
    uint64_t               refused_told;  /*   in the error log, */
    uint64_t               told_at;       /*   and when last, ms */
    uint64_t               rebuilds;

    uint64_t               caught_up;     /* monotonic us: when the last look
                                             at a database began */
    uint64_t               lapsed_id;     /* newest that may have passed the
                                             log by, while it was cut off */
    ngx_uint_t             claimed;       /* place of the next claim */
    ngx_msgbus_claim_t     claims[NGX_MSGBUS_CLAIMS];

    ngx_msgbus_nodes_sh_t  nodes;
} ngx_msgbus_log_sh_t;


/* this process's view of the log, made at zone initialization */
typedef struct {
    ngx_msgbus_log_sh_t   *sh;
    ngx_slab_pool_t       *shpool;
    uint32_t              *index;         /* serial -> offset / 8 */
    u_char                *ring;
    size_t                 size;          /* of the ring */
    uint64_t               mask;          /* places in the index - 1 */
    ngx_msgbus_nodes_t     nodes;

    /* may differ from cycle to cycle */
    uint64_t               ttl;           /* ms */
    uint64_t               max_events;
    size_t                 max_event_size;
    ngx_uint_t             reject;        /* rather than evict before ttl */
    ngx_uint_t             follows;       /* a database, and may be behind */

    /* of this hold, told in the error log after it */
    ngx_uint_t             rebuilt;
    uint64_t               pressed;
    uint64_t               refused;
} ngx_msgbus_log_t;


/* what is appended */
typedef struct {
    ngx_msgbus_channel_t  *channel;       /* depth 1 or more */
    ngx_str_t              uuid;          /* at most NGX_MSGBUS_UA_LEN */
    ngx_str_t              user_agent;    /* as it stands in JSON */
    ngx_str_t              data;
    uint64_t               id;            /* above the log's last_id */
    uint64_t               created;       /* ms; raised where need be */
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

/* the largest record that this log takes, header and all */
#define ngx_msgbus_log_max_record(log)  ((log)->size / 4)

/*
 * The mutex, and a log that is whole behind it.  Not recursive; bounded work
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

/* makes index, nodes, filings anew from the ring */
void ngx_msgbus_log_rebuild_locked(ngx_msgbus_log_t *log);

/* the oldest serial with an id above the given; next_serial if none */
uint64_t ngx_msgbus_log_search_locked(ngx_msgbus_log_t *log, uint64_t id);


/*
 * A hint that an event of about so many bytes comes: what an append is going
 * to touch, the free room and the oldest record, begins its way into the
 * cache.  Reads two words without the lock; wrong ones do no harm.
 */
void ngx_msgbus_log_expect(ngx_msgbus_log_t *log, size_t size);

/*
 * Is a cursor above the newest event one that nobody has given out?  Where
 * the log follows a database, that is known when it has looked at it after
 * the cursor was seen.
 */
ngx_uint_t ngx_msgbus_log_invented_locked(ngx_msgbus_log_t *log,
    uint64_t cursor);

/* what an event's JSON begins with, up to its age, and its bytes at most */
u_char *ngx_msgbus_log_front(u_char *p, ngx_msgbus_event_t *ev);

#define ngx_msgbus_log_front_len(ev)                                          \
    (sizeof("{\"id\":,\"user_agent\":\"\",\"created_at\":\"\",\"age\":") - 1  \
     + NGX_MSGBUS_ID_LEN + NGX_MSGBUS_TIME_LEN + (ev)->user_agent.len)

/* writes a decimal number, at most NGX_INT64_LEN bytes; returns its end */
u_char *ngx_msgbus_log_number(u_char *p, uint64_t n);


/* the record of a serial between head_serial and next_serial - 1 */
static ngx_inline ngx_msgbus_record_t *
ngx_msgbus_log_record(ngx_msgbus_log_t *log, uint64_t serial)
{
    return (ngx_msgbus_record_t *)
               (log->ring + (size_t) log->index[serial & log->mask] * 8);
}


#define ngx_msgbus_record_channel(rec)                                        \
    ((u_char *) (rec) + offsetof(ngx_msgbus_record_t, filing)                 \
     + (rec)->filings * sizeof(ngx_msgbus_filing_t))

#define ngx_msgbus_record_uuid(rec)                                           \
    (ngx_msgbus_record_channel(rec) + (rec)->channel_len)

#define ngx_msgbus_record_front(rec)                                          \
    (ngx_msgbus_record_uuid(rec) + (rec)->uuid_len)

#define ngx_msgbus_record_data(rec)                                           \
    (ngx_msgbus_record_front(rec) + (rec)->front_len)


#endif /* _NGX_MSGBUS_LOG_H_INCLUDED_ */
