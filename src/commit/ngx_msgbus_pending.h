
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_PENDING_H_INCLUDED_
#define _NGX_MSGBUS_PENDING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_notify.h"
#include "ngx_msgbus_store.h"


#define NGX_MSGBUS_CELL_NONE   0xffffffff
#define NGX_MSGBUS_ENTRY_NONE  0xffffffff

/* in place of an id: what was sent may be stored, or come to be */
#define NGX_MSGBUS_ID_UNSURE   ((uint64_t) -1)

/* likewise: it is not stored, for the store will never take it */
#define NGX_MSGBUS_ID_REFUSED  ((uint64_t) -2)

/* likewise: it is not stored, its key is that of an event with another body */
#define NGX_MSGBUS_ID_CONFLICT ((uint64_t) -3)

/* beside an id: of an event that was stored before, with the same key */
#define NGX_MSGBUS_ID_REPLAYED ((uint64_t) 1 << 62)


/* an entry: what is known of its event */
#define NGX_MSGBUS_QUEUED      1       /* the store has not seen it */
#define NGX_MSGBUS_SENT        2       /* the store may have it */
#define NGX_MSGBUS_CANCELED    3       /* nobody wants it, it was not sent */
#define NGX_MSGBUS_SETTLED     4       /* its outcome is known */


/*
 * An event that waits for its id.  Behind it, without padding between them:
 *
 *     channel | uuid | user_agent | data
 *
 * user_agent as it stands in JSON.  Its key, if it has one, ends where the
 * entry does.
 */
typedef struct {
    uint32_t               size;       /* multiple of 8; 0: go on at offset 0 */
    uint32_t               state;
    uint32_t               cell;       /* NGX_MSGBUS_CELL_NONE: nobody asks */
    uint32_t               data_len;
    uint64_t               id;         /* in the store; 0: not known */
    uint64_t               posted;     /* monotonic, us */
    u_char                 token[NGX_MSGBUS_TOKEN_LEN];
    uint16_t               agent_len;
    uint16_t               uuid_len;
    uint8_t                channel_len;
    uint8_t                doubt;      /* it was sent, and no answer came */
    uint8_t                keyed;
    uint8_t                follows;    /* a line of a batch, not its first */
    u_char                 bytes[1];
} ngx_msgbus_entry_t;


/*
 * The end of an entry whose event has a key.  Those that are not settled are
 * in a bucket of their key's name, the newest first.
 */
typedef struct {
    uint32_t               next;       /* an entry's offset / 8; or NONE */
    uint32_t               bucket;
    ngx_msgbus_key_t       key;
} ngx_msgbus_waiting_key_t;


#define ngx_msgbus_entry_key(e)                                               \
    ((ngx_msgbus_waiting_key_t *) ((u_char *) (e) + (e)->size                 \
                                   - sizeof(ngx_msgbus_waiting_key_t)))


/* a cell */
#define NGX_MSGBUS_CELL_FREE     0
#define NGX_MSGBUS_CELL_WAITING  1
#define NGX_MSGBUS_CELL_DONE     2


/* where the outcome of a post will stand, until its worker takes it */
typedef struct {
    uint64_t               generation;  /* raised whenever it is taken */
    uint64_t               id;
    uint64_t               created;     /* ms since 1970 */
    uint32_t               state;
    uint32_t               slot;        /* of the worker whose post it is */
    uint32_t               next;        /* free, or done for the same slot */

    union {
        uint32_t           entry;       /* offset / 8, while it waits */
        uint32_t           prev;        /* while it is done */
    };
} ngx_msgbus_cell_t;


/*
 * Posts that wait for a commit: a ring of entries in the order in which they
 * came, and a cell for the outcome of each.  In the shared zone.
 *
 *     ring:   ...settled | sent sent sent | queued queued ...|
 *             ^head                                          ^tail
 *
 * Lock      the zone's, for all; "bytes" is read without it as well, by who
 *           asks whether a post has time; and the committer alone reads entries
 *           that it has marked as sent without it: nobody else changes more of
 *           them than "cell" and a key's "next", nor moves the head
 * Writers   entries, tail: who posts; states, head: the committer, and who
 *           gives up a post of its own
 * Readers   any worker of the node
 * Lifetime  as the zone's: entries outlive the worker that posted them
 * Crash     each change is a step that can be taken back; an entry is filled
 *           before the step that has the tail move over it.  "id" is written
 *           before the event goes to the log, so that whoever comes after a
 *           dead committer sees what is in the log already
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    size_t                 head;       /* offset of the oldest entry */
    size_t                 tail;       /* past the newest; head: none */
    uint64_t               entries;    /* not settled yet, */
    volatile uint64_t      bytes;      /*   and what they take */
    uint32_t               free;
    uint32_t               done[NGX_MSGBUS_SLOTS];
} ngx_msgbus_pending_sh_t;


/* this process's view; undo, slots and seed are set by who has them */
typedef struct {
    ngx_msgbus_pending_sh_t  *sh;
    ngx_msgbus_undo_t        *undo;
    ngx_msgbus_slots_sh_t    *slots;
    ngx_msgbus_cell_t        *cells;
    uint32_t                  ncells;
    uint32_t                 *keys;       /* buckets; an entry's offset / 8 */
    uint32_t                  key_mask;   /* buckets - 1 */
    uint64_t                  seed;       /* of the zone's hashes */
    u_char                   *ring;
    size_t                    size;
} ngx_msgbus_pending_t;


/* what has become of a post */
typedef struct {
    uint32_t               cell;
    uint64_t               generation;
    uint64_t               id;         /* 0: it was not stored; or UNSURE,
                                          REFUSED, CONFLICT; with REPLAYED */
    uint64_t               created;
} ngx_msgbus_outcome_t;


/*
 * Divides size bytes at addr (fresh), or finds them divided.  In the master,
 * at zone initialization.  NGX_ERROR: too small.
 */
ngx_int_t ngx_msgbus_pending_init(ngx_msgbus_pending_t *p, u_char *addr,
    size_t size, ngx_uint_t fresh);

/*
 * Queues an event for the worker of a slot.  NGX_OK: outcome->cell and
 * ->generation name the cell of its outcome.  NGX_BUSY: no room.
 */
ngx_int_t ngx_msgbus_pending_put_locked(ngx_msgbus_pending_t *p,
    ngx_uint_t slot, ngx_msgbus_event_t *ev, u_char *token, uint64_t posted,
    ngx_msgbus_outcome_t *outcome);

/*
 * What has just been put is a further line of the batch before it, which has a
 * key; in the same hold.
 */
void ngx_msgbus_pending_follows_locked(ngx_msgbus_pending_t *p,
    ngx_msgbus_outcome_t *outcome);

/* bytes that an event takes */
#define ngx_msgbus_pending_size(ev)                                           \
    (ngx_align(offsetof(ngx_msgbus_entry_t, bytes) + (ev)->channel->name.len  \
               + (ev)->uuid.len + (ev)->user_agent.len + (ev)->data.len, 8)   \
     + ((ev)->key ? sizeof(ngx_msgbus_waiting_key_t) : 0))

/* does an event with the name of this key wait? */
ngx_uint_t ngx_msgbus_pending_keyed_locked(ngx_msgbus_pending_t *p,
    ngx_msgbus_key_t *key);

/* bytes that there is always room for when nothing waits */
#define ngx_msgbus_pending_max(p)  ((p)->size / 2)

/*
 * Gives a post up, and frees its cell.
 *
 * NGX_OK        it is not stored, and will not be
 * NGX_AGAIN     it may be stored, or come to be
 * NGX_DONE      it had an outcome, which is in outcome
 * NGX_DECLINED  there is no such post any more
 */
ngx_int_t ngx_msgbus_pending_cancel_locked(ngx_msgbus_pending_t *p,
    ngx_msgbus_outcome_t *outcome);

/* takes up to max outcomes for a slot, and frees their cells; how many */
ngx_uint_t ngx_msgbus_pending_take_locked(ngx_msgbus_pending_t *p,
    ngx_uint_t slot, ngx_msgbus_outcome_t *outcomes, ngx_uint_t max);

/* frees outcomes that wait for workers that are gone, some in each hold */
void ngx_msgbus_pending_sweep_locked(ngx_msgbus_pending_t *p);

/* the entry at an offset, which moves to it, or NULL at the end */
ngx_msgbus_entry_t *ngx_msgbus_pending_at_locked(ngx_msgbus_pending_t *p,
    size_t *offset);

/*
 * What an entry holds, as an event without channel, id and time; its key
 * points into the entry.
 */
void ngx_msgbus_entry_event(ngx_msgbus_entry_t *e, ngx_str_t *channel,
    ngx_msgbus_event_t *ev);

/*
 * Tells an outcome, as in ngx_msgbus_outcome_t, to whom it concerns, and moves
 * the head over what is settled.  The slot to be woken, or -1.
 * Committer only.
 */
ngx_int_t ngx_msgbus_pending_settle_locked(ngx_msgbus_pending_t *p,
    ngx_msgbus_entry_t *e, uint64_t id, uint64_t created);

/* moves the head over what is settled or canceled.  Committer only. */
void ngx_msgbus_pending_trim_locked(ngx_msgbus_pending_t *p);


#endif /* _NGX_MSGBUS_PENDING_H_INCLUDED_ */
