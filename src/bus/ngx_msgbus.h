
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_H_INCLUDED_
#define _NGX_MSGBUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_channel.h"
#include "ngx_msgbus_count.h"
#include "ngx_msgbus_frame.h"
#include "ngx_msgbus_fresh.h"
#include "ngx_msgbus_json.h"
#include "ngx_msgbus_listing.h"
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_many.h"
#include "ngx_msgbus_notify.h"
#include "ngx_msgbus_number.h"
#include "ngx_msgbus_place.h"
#include "ngx_msgbus_post.h"
#include "ngx_msgbus_prefetch.h"
#include "ngx_msgbus_recall.h"
#include "ngx_msgbus_squeeze.h"
#include "ngx_msgbus_store.h"
#include "ngx_msgbus_tell.h"
#include "ngx_msgbus_uuid.h"
#include "ngx_msgbus_view.h"
#include "ngx_msgbus_waiter.h"


/* a bus: all channels that share a zone and its ids; opaque */
typedef struct ngx_msgbus_s  ngx_msgbus_t;


/* what the configuration says of a bus */
typedef struct {
    ngx_str_t              name;
    size_t                 size;
    ngx_str_t              store;          /* "memory", or a store's name */
    uint64_t               ttl;            /* ms */
    uint64_t               max_events;
    size_t                 max_event_size; /* 0: as large as fits well */
    uint64_t               first_id;       /* 0: the store chooses */
    ngx_uint_t             reject;
    ngx_msgbus_place_t    *place;          /* of the directive */
} ngx_msgbus_conf_t;


/* a part of the log, rendered */
typedef struct {
    ngx_chain_t           *out;            /* NULL: no event */
    size_t                 size;           /* bytes in it */
    ngx_uint_t             events;
    uint64_t               first;          /* ids of the events at its ends */
    uint64_t               last;
    uint64_t               last_id;        /* the cursor to use next */
    unsigned               gap:1;          /* events may have been missed */
    unsigned               unsure:1;       /* the cursor is above all ids, and
                                              may be another node's: the next
                                              look at the store will tell */

    /* while it is read */
    ngx_msgbus_view_t      view;
    ngx_chain_t           *end;            /* of out */
    ngx_pool_t            *pool;
    size_t                 head;
    size_t                 tail;
    uint64_t               upto;           /* the store was asked for */
    ngx_uint_t             asked;          /* so often in vain */
} ngx_msgbus_page_t;


/* how a bus is */
typedef struct {
    ngx_str_t              store;
    uint64_t               events;         /* in the log */
    uint64_t               last_id;
    uint64_t               pressed;        /* left before their ttl */
    uint64_t               refused;
    uint64_t               forgotten;      /* keys, before their ttl */
    ngx_uint_t             squeezed;       /* one of these within a ttl */
    uint64_t               rebuilds;       /* after a worker's death */
    ngx_uint_t             parked;         /* readers */

    /* where there is a store; NULL: the bus is in memory */
    ngx_msgbus_store_conf_t *conf;
    ngx_uint_t             reachable;
    uint64_t               behind;         /* ms since the last look began */
    uint64_t               rtt;            /* us */
    uint64_t               pending;        /* posts */
    uint64_t               commits;
    uint64_t               committed;
    uint64_t               foreign;
    uint64_t               conflicts;
    uint64_t               unwanted;       /* events that it refused */
    ngx_msgbus_usage_t     usage;          /* of a disk, if it has files */
    u_char                 version[NGX_MSGBUS_VERSION_LEN];
    u_char                 error[NGX_MSGBUS_ERROR_LEN];
    u_char                 warnings[NGX_MSGBUS_WARNINGS_LEN]; /* as a store
                                              has them */
} ngx_msgbus_status_t;


/* the numbers of a bus, from all workers of this nginx */
typedef struct {
    ngx_msgbus_status_t    status;
    uint64_t               counts[NGX_MSGBUS_COUNT_N];

    uint64_t               readers[NGX_MSGBUS_READS]; /* at this moment */

    uint64_t               bytes;          /* room for events in the zone, */
    uint64_t               used;           /*   and how much of it they take */
    uint64_t               channels;       /* with events */
    uint64_t               most;           /* events that it can hold */
    uint64_t               places;         /* for levels of channels' names, */
    uint64_t               taken;          /*   and how many have events */
    uint64_t               ttl;            /* ms */
    uint64_t               age;            /* of the oldest event, ms */
    uint64_t               history;        /* pages read from the store */
    uint64_t               holds;          /* of the zone's lock, */
    uint64_t               longest;        /*   and the longest, ns */
    uint64_t               started;        /* when they began: since 1970, ms */
} ngx_msgbus_stats_t;


/* a worker, by its slot in a bus */
typedef struct {
    ngx_uint_t             slot;
    ngx_pid_t              pid;
    ngx_uint_t             connections;
    ngx_uint_t             connections_max;
} ngx_msgbus_worker_stats_t;


#define NGX_MSGBUS_VERSION   "0.2.0"

/* the least size of a zone, bytes */
#define NGX_MSGBUS_MIN_ZONE  131072


/*
 * Declares a bus in a cycle's configuration; conf is copied.  tag tells our
 * shared zones from others'.  NULL after it has logged why not.
 */
ngx_msgbus_t *ngx_msgbus_add(ngx_conf_t *cf, ngx_msgbus_conf_t *conf,
    void *tag);

/*
 * Finds the store of a bus: "memory" or one of n stores, which outlive the
 * bus.  NGX_OK, or NGX_ERROR after it has logged why not.  When the
 * configuration has been read.
 */
ngx_int_t ngx_msgbus_resolve(ngx_conf_t *cf, ngx_msgbus_t *bus,
    ngx_msgbus_store_conf_t **stores, ngx_uint_t n);

/* what its workers have told in the error log; anywhere */
ngx_msgbus_tells_t *ngx_msgbus_tells(ngx_msgbus_t *bus);

/* of its zone; bytes of data that an event, and a batch of events, may have */
ngx_str_t *ngx_msgbus_name(ngx_msgbus_t *bus);
size_t ngx_msgbus_max_event_size(ngx_msgbus_t *bus);
size_t ngx_msgbus_max_batch_size(ngx_msgbus_t *bus);

/* in a worker, before its event loop: NGX_OK or NGX_ERROR */
ngx_int_t ngx_msgbus_init_worker(ngx_msgbus_t **bus, ngx_uint_t n,
    ngx_cycle_t *cycle);

/*
 * After it: n buses at once, so that databases that do not answer are waited
 * for together.  Blocks for a few seconds at most.
 */
void ngx_msgbus_exit_worker(ngx_msgbus_t **bus, ngx_uint_t n);

/*
 * Is it a channel's name?  Then ch is ready for a query or an event of this
 * bus; it points into name.  NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_msgbus_channel(ngx_msgbus_t *bus, ngx_msgbus_channel_t *ch,
    ngx_str_t *name);

/*
 * Several channels, as a query of this bus names them; text has list->len bytes
 * for them and lives as long.  NGX_OK; NGX_DECLINED: one is no channel's name,
 * or there is none; NGX_BUSY: too many.
 */
ngx_int_t ngx_msgbus_many(ngx_msgbus_t *bus, ngx_msgbus_many_t *many,
    ngx_str_t *list, u_char *text);

/* can it be a channel's name, of whatever bus? */
ngx_uint_t ngx_msgbus_is_channel(ngx_str_t *name);

/* the newest event's id, whoever has seen it; 0: none yet */
uint64_t ngx_msgbus_newest(ngx_msgbus_t *bus);

/* a hint that an event of so many bytes will be published in a moment */
void ngx_msgbus_expect(ngx_msgbus_t *bus, size_t size);

/*
 * Publishes the events of a post: events, n, handler, data and pool are set,
 * and channel, uuid, user_agent, data and key of each event; the rest is filled
 * in.  Either all have keys, or none.  One that was stored before under its key
 * counts as stored, with its id of then; its other fields are those of now.
 *
 * NGX_OK        all is known: post->stored of them are stored, conflicts and
 *               waits say why not all
 * NGX_DONE      likewise
 * NGX_AGAIN     it waits: the handler is called when that is known
 * NGX_BUSY      no room; post->stored of them are, the first ones
 * NGX_DECLINED  larger than the log takes; likewise
 * NGX_ABORT     the store takes none now; likewise
 * NGX_ERROR     no memory
 *
 * On the event loop.
 */
ngx_int_t ngx_msgbus_publish(ngx_msgbus_t *bus, ngx_msgbus_post_t *post);

/*
 * The event with an id, as a reader gets it at this moment: NGX_OK, text is in
 * memory that the next call for this bus takes again; NGX_DECLINED: it has left
 * the log.  On the event loop.
 */
ngx_int_t ngx_msgbus_stored(ngx_msgbus_t *bus, uint64_t id,
    ngx_str_t *text);

/*
 * Writes an event that is stored as a reader gets it at once, with an age of
 * 0; at most ngx_msgbus_shown_len() bytes.  Returns the end.
 */
u_char *ngx_msgbus_show(u_char *p, ngx_msgbus_event_t *ev);
size_t ngx_msgbus_shown_len(ngx_msgbus_event_t *ev);

/* a post that waits is to be forgotten: its poster has left */
void ngx_msgbus_forget(ngx_msgbus_t *bus, ngx_msgbus_post_t *post);

/* may a post have to wait? */
ngx_uint_t ngx_msgbus_may_wait(ngx_msgbus_t *bus);

/* is what is newest known?  Not before all of its database was read once. */
ngx_uint_t ngx_msgbus_is_loaded(ngx_msgbus_t *bus);

/*
 * Has the log still to be filled from a store on this machine?  That takes a
 * moment, and a page that is read before would lack what has been seen.
 */
ngx_uint_t ngx_msgbus_loads_soon(ngx_msgbus_t *bus);

/* do others write to its store, too?  A look at it tells what they wrote. */
ngx_uint_t ngx_msgbus_follows(ngx_msgbus_t *bus);

/*
 * Has the store of a bus that follows it looked at, and w->handler called after
 * a look that begins from now on; all who wait share it.  w->asked is set.  On
 * the event loop; so is the second, for one who does not wait any more.
 */
void ngx_msgbus_look(ngx_msgbus_t *bus, ngx_msgbus_fresh_t *w);
void ngx_msgbus_look_forget(ngx_msgbus_t *bus, ngx_msgbus_fresh_t *w);

/*
 * Reads a page.  Its buffers come from the pool; the first has head bytes
 * free before pos, the last has tail bytes free after last.  NGX_OK or
 * NGX_ERROR.  On the event loop; the lock is let go at least every
 * NGX_MSGBUS_HOLD_RECORDS events.
 *
 * NGX_DECLINED, of a query with history only: what comes next is in the store.
 */
ngx_int_t ngx_msgbus_read(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    size_t head, size_t tail, ngx_pool_t *pool, ngx_msgbus_page_t *page);

/* does a query with history make sense? */
ngx_uint_t ngx_msgbus_has_history(ngx_msgbus_t *bus);

/*
 * Asks the store for what a page, or the next frame of a query, is declined
 * for.  ask is zero at first, but for its handler and data.
 *
 * NGX_AGAIN     it waits: the handler will be called
 * NGX_BUSY      too many wait
 * NGX_ABORT     the store failed a moment ago, and is left alone
 * NGX_ERROR     no memory, or no thread
 */
ngx_int_t ngx_msgbus_ask_page(ngx_msgbus_t *bus, ngx_msgbus_page_t *page,
    ngx_msgbus_ask_t *ask);
ngx_int_t ngx_msgbus_ask_frame(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_msgbus_ask_t *ask);

/*
 * After that, in its handler or later, where ask->rc is NGX_OK: takes the
 * answer into the page, and goes on as ngx_msgbus_read() does; or makes a frame
 * of it, the caller's own, with more behind it; NULL: no memory.
 */
ngx_int_t ngx_msgbus_take_page(ngx_msgbus_t *bus, ngx_msgbus_page_t *page,
    ngx_msgbus_ask_t *ask);
ngx_msgbus_frame_t *ngx_msgbus_take_frame(ngx_msgbus_t *bus,
    ngx_msgbus_query_t *query, ngx_msgbus_form_e form, ngx_msgbus_ask_t *ask,
    ngx_log_t *log);

/* neither its handler nor its answer is wanted any more; or nothing */
void ngx_msgbus_ask_forget(ngx_msgbus_ask_t *ask);

/*
 * The next events for a stream, or none, as one frame of up to
 * NGX_MSGBUS_HOLD_BYTES, or one event; shared with other readers of the same
 * where they are many.  The caller becomes an owner.  NULL: no memory.  On the
 * event loop.  Where frame->lost, of a query with history only, it is empty:
 * what comes next is in the store.
 */
ngx_msgbus_frame_t *ngx_msgbus_frame(ngx_msgbus_t *bus,
    ngx_msgbus_query_t *query, ngx_msgbus_form_e form, ngx_log_t *log);

/*
 * The same for a reader with this cursor, in place of the query's, who hides
 * the events of a uuid with this key, NULL: nobody's; if it has been rendered
 * for others, and tells all there is.  It is not the caller's until he has made
 * himself an owner.  NULL: there is none.
 */
ngx_msgbus_frame_t *ngx_msgbus_others_frame(ngx_msgbus_t *bus,
    ngx_msgbus_query_t *query, uint64_t after, uint32_t *hide,
    ngx_msgbus_form_e form);

/*
 * Frames of the caller's own: what a stream begins with, and the first events
 * for it; the same without events, for a reader who is to come back after so
 * many ms; and one that says where the parked reader of a query stands, or,
 * without a waiter, where its cursor does.  NULL: no memory.  On the event
 * loop.
 */
ngx_msgbus_frame_t *ngx_msgbus_hello(ngx_msgbus_t *bus,
    ngx_msgbus_query_t *query, ngx_msgbus_form_e form, ngx_log_t *log);
ngx_msgbus_frame_t *ngx_msgbus_come_back(ngx_msgbus_t *bus,
    ngx_msgbus_query_t *query, ngx_msec_t retry, ngx_log_t *log);
ngx_msgbus_frame_t *ngx_msgbus_ping(ngx_msgbus_t *bus,
    ngx_msgbus_waiter_t *w, ngx_msgbus_query_t *query, ngx_msgbus_form_e form,
    ngx_log_t *log);

/* one owner less */
void ngx_msgbus_release(ngx_msgbus_frame_t *frame);

/*
 * A parked reader that is not due has seen all that it is entitled to up to
 * this id.
 */
uint64_t ngx_msgbus_seen(ngx_msgbus_t *bus);

/*
 * What w->wake of a waiter with this handler is; a process has a few of them.
 * soon, or NULL, is called for who is woken next: to fetch what is needed then.
 */
unsigned ngx_msgbus_wake(ngx_msgbus_wake_pt handler, ngx_msgbus_soon_pt soon);

/*
 * Parks a reader: w->wake is set, and w->stays, the rest of it is zero at
 * the first time; its memory outlives it, the query need not.
 * The caller looks once more after it, and unparks if it finds something.
 * NGX_OK or NGX_ERROR.  On the event loop.
 */
ngx_int_t ngx_msgbus_park(ngx_msgbus_t *bus, ngx_msgbus_waiter_t *w,
    ngx_msgbus_query_t *query);
void ngx_msgbus_unpark(ngx_msgbus_t *bus, ngx_msgbus_waiter_t *w);

/* how many readers all workers have parked */
ngx_uint_t ngx_msgbus_parked(ngx_msgbus_t *bus);

/*
 * A reader of a query is there, or no more; with the form of its answer.  It
 * counts once for each channel that the query names.  NGX_OK, or NGX_ERROR: no
 * memory.  On the event loop, as the next one is.
 */
ngx_int_t ngx_msgbus_enter(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_msgbus_form_e form);
void ngx_msgbus_leave(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_msgbus_form_e form);

/*
 * Readers in all workers who name this channel, with all below it or without;
 * those of this worker at this moment, others' a moment ago.
 */
uint64_t ngx_msgbus_subscribers(ngx_msgbus_t *bus, ngx_msgbus_channel_t *ch);

/*
 * Begins a list of channels, whose below, after and limit are set; and reads
 * on in it: NGX_OK, it is done; NGX_AGAIN, call again, in another turn of the
 * loop.  Both: NGX_ERROR, no memory.
 */
ngx_int_t ngx_msgbus_list(ngx_msgbus_listing_t *listing, ngx_pool_t *pool);
ngx_int_t ngx_msgbus_list_next(ngx_msgbus_t *bus,
    ngx_msgbus_listing_t *listing);

/* something has happened, n times; nobody waits for it.  On the event loop. */
void ngx_msgbus_count(ngx_msgbus_t *bus, ngx_msgbus_count_e what, uint64_t n);

/*
 * Events go to a client, in so many bytes; and where it has waited for them,
 * how long that is after their commit.  Likewise.
 */
void ngx_msgbus_count_delivered(ngx_msgbus_t *bus, ngx_uint_t events,
    size_t size);

/* NGX_OK: the bus stores events */
ngx_int_t ngx_msgbus_health(ngx_msgbus_t *bus);

/* how it is at this moment; on the event loop */
void ngx_msgbus_status(ngx_msgbus_t *bus, ngx_msgbus_status_t *status);

/* likewise, in numbers; the lock is held twice, for a few words */
void ngx_msgbus_stats(ngx_msgbus_t *bus, ngx_msgbus_stats_t *stats);

/*
 * The workers that live, old ones of a reload included; how many, at most
 * NGX_MSGBUS_SLOTS.  Likewise.
 */
ngx_uint_t ngx_msgbus_workers(ngx_msgbus_t *bus,
    ngx_msgbus_worker_stats_t *workers);


#endif /* _NGX_MSGBUS_H_INCLUDED_ */
