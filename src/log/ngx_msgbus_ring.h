
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_RING_H_INCLUDED_
#define _NGX_MSGBUS_RING_H_INCLUDED_


/*
 * What the log consists of: its head in the shared zone, its records, and a
 * process's view of both.  Layouts, and the way from a serial to a record; the
 * log's own room and its lists both stand on it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_channel.h"
#include "ngx_msgbus_key.h"
#include "ngx_msgbus_lock.h"
#include "ngx_msgbus_tell.h"
#include "ngx_msgbus_time.h"
#include "ngx_msgbus_undo.h"


/* raised whenever something that lives in the zone changes its layout */
#define NGX_MSGBUS_LOG_VERSION    13

/* what one hold of the lock may cost at most */
#define NGX_MSGBUS_HOLD_RECORDS   256
#define NGX_MSGBUS_HOLD_BYTES     65536
#define NGX_MSGBUS_HOLD_NODES     64

/* of so many of the newest events it is known when they came */
#define NGX_MSGBUS_LOG_TIMES      64

/* digits of an id, which stays below 2^53 */
#define NGX_MSGBUS_ID_LEN         16

/* of the poster's User-Agent and uuid, as posted */
#define NGX_MSGBUS_UA_LEN         1024


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
 * The end of a record whose event has a key.  Distances as above: to the one
 * before it in the same bucket of names.
 */
typedef struct {
    uint32_t               prev;
    uint32_t               bucket;
    ngx_msgbus_key_t       key;
} ngx_msgbus_keyed_t;


/*
 * An event in the ring.  Behind the filings, without padding between them:
 *
 *     channel | uuid | front | data
 *
 * front is the event's JSON up to and with "age":, so that a read copies
 * bytes and adds an age.  Its key, if it has one, ends where the record does.
 */
typedef struct {
    uint32_t               size;       /* multiple of 8; 0: go on at offset 0 */
    uint16_t               front_len;
    uint16_t               keyed;
    uint64_t               serial;
    uint64_t               id;
    int64_t                since;      /* its age and ttl count from here: ms
                                          since boot, negative before it */
    uint32_t               data_len;
    uint16_t               uuid_len;
    uint8_t                channel_len;
    uint8_t                filings;
    ngx_msgbus_filing_t    filing[1];
} ngx_msgbus_record_t;


/*
 * Head of the event log; lives in the shared zone.
 *
 * Lock      the zone's, for all fields not marked constant; volatile ones are
 *           read without it as well
 * Writers   any worker, in the functions *_locked() of the log's rooms
 * Readers   any worker; copy out under the lock, keep no pointers
 * Lifetime  made by the first cycle to declare the zone; kept over reload;
 *           lost on restart, binary upgrade and change of the zone's size
 * Crash     what must fit together (places in the ring, serials, lists, nodes)
 *           changes in steps that can be taken back: an event that comes is
 *           one, and one that leaves.  A record is filled before its step;
 *           until then it lies where nobody looks.
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    ngx_uint_t             version;       /* constant */
    uint64_t               seed;          /* constant: of the names' hash */
    uint64_t               first_id;      /* constant: of this log's life */
    uint64_t               born;          /* constant: monotonic, us */

    size_t                 head;          /* offset of the oldest record */
    size_t                 tail;          /* offset past the newest; equal to
                                             head only when none is there */
    uint64_t               head_serial;   /* of the oldest record */
    uint64_t               next_serial;   /* of the next record; from 1 on */
    volatile uint64_t      last_id;       /* newest ever; at first: the id
                                             before the first one */
    uint64_t               evicted_id;    /* newest that has left; at first:
                                             as last_id */
    uint64_t               forgotten_id;  /* newest that a store has forgotten,
                                             too: it has left by its age */
    int64_t                since;         /* of the newest record, likewise */
    uint64_t               created;       /* of the newest record, ms */

    uint64_t               pressed;       /* evicted before their time, */
    uint64_t               refused;       /*   refused for want of room, */
    uint64_t               pressed_told;  /*   how many of these were told */
    uint64_t               refused_told;  /*   in the error log */
    uint64_t               squeezed;      /* pressed and refused, and when */
    uint64_t               squeezed_at;   /*   the last of them was, ms */
    uint64_t               repairs;       /* steps that were taken back */
    uint64_t               forgotten;     /* keys that left before time,
                                             and are nowhere else, */
    uint64_t               forgotten_told;  /* and how many were told */

    volatile uint64_t      caught_up;     /* monotonic us: when the last look
                                             at a database began */
    uint64_t               lapsed_id;     /* newest that may have passed the
                                             log by: it was cut off, or the
                                             event is too large for it */
    volatile uint64_t      looked;        /* likewise, of one that has seen
                                             all that was there */

    ngx_msgbus_tells_t     tells;         /* no lock */

    uint64_t               appended[NGX_MSGBUS_LOG_TIMES];  /* by serial: the
                                             hold that a record came in, ns, by
                                             the lock's clock */

    ngx_msgbus_nodes_sh_t  nodes;
} ngx_msgbus_log_sh_t;


/*
 * What guards a zone, in it: the lock of all that workers share but the slots,
 * and the step that its holder is in the middle of.
 *
 * Lock      the step is under the lock
 * Writers   any worker
 * Readers   any worker
 * Lifetime  as the zone's
 * Crash     who takes the lock from a dead worker takes its step back
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    ngx_msgbus_lock_sh_t   lock;
    ngx_msgbus_undo_t      undo;
} ngx_msgbus_guard_sh_t;


/* a thread's view of the log, made at zone initialization */
typedef struct {
    ngx_msgbus_log_sh_t   *sh;
    ngx_msgbus_lock_t      lock;
    ngx_msgbus_undo_t     *undo;
    ngx_slab_pool_t       *shpool;
    uint32_t              *index;         /* serial -> offset / 8 */
    u_char                *ring;
    size_t                 size;          /* of the ring */
    uint64_t               mask;          /* places in the index - 1 */
    ngx_msgbus_nodes_t     nodes;
    uint32_t              *keys;          /* bucket -> serial, its low half */
    uint32_t               key_mask;      /* buckets - 1 */

    /* may differ from cycle to cycle */
    uint64_t               ttl;           /* ms */
    uint64_t               max_events;
    size_t                 max_event_size;
    ngx_uint_t             reject;        /* rather than evict before ttl */
    ngx_uint_t             stored;        /* a store has what leaves it */
    ngx_uint_t             follows;       /* a database, and may be behind */

    ngx_log_t             *error_log;     /* NULL: the event loop's */

    /* of this hold, told in the error log after it */
    ngx_uint_t             repaired;
    uint64_t               pressed;
    uint64_t               refused;
    uint64_t               forgotten;
} ngx_msgbus_log_t;


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

/* where it is keyed */
#define ngx_msgbus_record_keyed(rec)                                          \
    ((ngx_msgbus_keyed_t *) ((u_char *) (rec) + (rec)->size                   \
                             - sizeof(ngx_msgbus_keyed_t)))


#endif /* _NGX_MSGBUS_RING_H_INCLUDED_ */
