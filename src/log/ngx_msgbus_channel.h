
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_CHANNEL_H_INCLUDED_
#define _NGX_MSGBUS_CHANNEL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_undo.h"


#define NGX_MSGBUS_CHANNEL_LEN    255
#define NGX_MSGBUS_CHANNEL_DEPTH  32

#define NGX_MSGBUS_NODE_NONE      0xffffffff


/* a prefix of a channel's name that ends before a slash or at its end */
typedef struct {
    uint32_t               hash;
    uint32_t               len;
} ngx_msgbus_level_t;


/*
 * A channel as a request names it: "/a/b" has the levels "/a" and "/a/b";
 * "/" has none and means the whole bus.  Worker-local, points into the name
 * that it was parsed from.
 */
typedef struct {
    ngx_str_t              name;
    ngx_uint_t             depth;
    ngx_msgbus_level_t     levels[NGX_MSGBUS_CHANNEL_DEPTH];
} ngx_msgbus_channel_t;


/*
 * Events in id order: those of one channel ("exact"), or those of a channel
 * and of all below it ("tree").  Part of a node, so in shared memory and
 * under the zone's lock; it changes in the step of an event.
 */
typedef struct {
    uint64_t               newest;     /* serial; 0: no event is left */
    uint64_t               oldest;     /* serial; valid while newest is not 0 */
    uint64_t               newest_id;  /* id of newest; valid likewise */
    uint64_t               dropped;    /* newest id that may have left it */
} ngx_msgbus_list_t;


/*
 * The place of a channel in the log; one of a fixed array.
 *
 * Lock      the zone's, for all fields
 * Writers   any worker: append, eviction
 * Readers   any worker; never keep an index across two lock holds
 * Lifetime  from the first event at or below the channel until the place is
 *           needed and no event is left there; a read never makes one
 * Crash     a node that is made is a step of its own, and idle after it; all
 *           else changes in the step of an event
 * Layout    part of the zone's version
 */
typedef struct {
    uint32_t               hash;
    uint32_t               chain;      /* next of the same bucket */
    uint32_t               idle_prev;  /* both: among nodes without events, */
    uint32_t               idle_next;  /*   the longest idle first */
    uint8_t                idle;
    uint8_t                len;

    ngx_msgbus_list_t      exact;
    ngx_msgbus_list_t      tree;

    u_char                 name[NGX_MSGBUS_CHANNEL_LEN + 1];
} ngx_msgbus_node_t;


/* in shared memory, same rules as for nodes */
typedef struct {
    uint32_t               used;       /* nodes that have ever been taken */
    uint32_t               idle_head;
    uint32_t               idle_tail;
    uint32_t               idle;       /* how many; in the tail's word */
    uint32_t               channels;   /* that have events of their own */
    uint64_t               floor;      /* newest id dropped with any node */
} ngx_msgbus_nodes_sh_t;


/* this worker's view of the nodes */
typedef struct {
    ngx_msgbus_nodes_sh_t *sh;
    ngx_msgbus_undo_t     *undo;
    ngx_msgbus_node_t     *nodes;
    uint32_t              *buckets;
    uint32_t               capacity;   /* constant */
    uint32_t               mask;       /* constant: buckets - 1 */
} ngx_msgbus_nodes_t;


/*
 * Checks a channel's name and hashes its levels with the zone's own seed.
 * The name must outlive ch.  NGX_OK; NGX_DECLINED if it is none.
 * Anywhere, no lock needed.
 */
ngx_int_t ngx_msgbus_channel_parse(ngx_msgbus_channel_t *ch, ngx_str_t *name,
    uint64_t seed);

/* no nodes; when the zone is made */
void ngx_msgbus_nodes_init(ngx_msgbus_nodes_t *nodes);

/* the node of a level (0: the first), or NULL */
ngx_msgbus_node_t *ngx_msgbus_node_find_locked(ngx_msgbus_nodes_t *nodes,
    ngx_msgbus_channel_t *ch, ngx_uint_t level);

/* the node of a channel by its whole name, or NULL */
ngx_msgbus_node_t *ngx_msgbus_node_named_locked(ngx_msgbus_nodes_t *nodes,
    u_char *name, ngx_msgbus_level_t *level);

/*
 * Puts the nodes of all the channel's levels into found[depth]; those that are
 * missing are made, and idle, each a step of its own.  NGX_OK; NGX_BUSY if no
 * place is left.
 */
ngx_int_t ngx_msgbus_nodes_make_locked(ngx_msgbus_nodes_t *nodes,
    ngx_msgbus_channel_t *ch, uint32_t *found);

/* takes nodes off the idle ones: a part of the step that gives them an event */
void ngx_msgbus_nodes_take_locked(ngx_msgbus_nodes_t *nodes, uint32_t *found,
    ngx_uint_t n);

/*
 * Marks a node that has no event left as free for another channel: a part of
 * the step that has taken the last one from it.
 */
void ngx_msgbus_node_idle_locked(ngx_msgbus_nodes_t *nodes, uint32_t n);


#endif /* _NGX_MSGBUS_CHANNEL_H_INCLUDED_ */
