
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Channel names and their places in the log.
 *
 * A name is checked and hashed once, level by level, outside the lock.  The
 * nodes are a fixed array with hash chains: no allocation can fail or
 * fragment, and each change of it can be taken back.  The hash is seeded with
 * a random number of the zone, so that nobody outside can choose names that
 * share a chain.
 *
 * A node without events keeps its name and what it has dropped, so that a
 * quiet channel's readers are told of a gap, and only they.  When its place
 * is taken for another channel, the longest idle first, that knowledge moves
 * into the floor, which every channel without a node is judged by.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_channel.h"


static uint32_t ngx_msgbus_channel_mix(uint64_t hash);
static uint32_t ngx_msgbus_node_lookup(ngx_msgbus_nodes_t *nodes,
    u_char *name, ngx_msgbus_level_t *level);
static ngx_uint_t ngx_msgbus_nodes_have_place(ngx_msgbus_nodes_t *nodes,
    ngx_msgbus_channel_t *ch, uint32_t *found);
static uint32_t ngx_msgbus_node_create(ngx_msgbus_nodes_t *nodes,
    u_char *name, ngx_msgbus_level_t *level);
static void ngx_msgbus_node_unchain(ngx_msgbus_nodes_t *nodes, uint32_t n);
static void ngx_msgbus_node_unidle(ngx_msgbus_nodes_t *nodes, uint32_t n);


/* letters, digits, "_", "-"; the slash is looked at by itself */
static uint32_t  ngx_msgbus_channel_chars[] = {
    0x00000000,
    0x03ff2000, /* 0000 0011 1111 1111  0010 0000 0000 0000 */
                /* ?>=< ;:98 7654 3210  /.-, +*)( '&%$ #"!  */
    0x87fffffe, /* 1000 0111 1111 1111  1111 1111 1111 1110 */
                /* _^]\ [ZYX WVUT SRQP  ONML KJIH GFED CBA@ */
    0x07fffffe, /* 0000 0111 1111 1111  1111 1111 1111 1110 */
                /*  ~}| {zyx wvut srqp  onml kjih gfed cba` */
    0x00000000,
    0x00000000,
    0x00000000,
    0x00000000
};


ngx_int_t
ngx_msgbus_channel_parse(ngx_msgbus_channel_t *ch, ngx_str_t *name,
    uint64_t seed)
{
    u_char      c, *p, *last;
    uint64_t    hash;
    ngx_uint_t  depth;

    ch->name = *name;
    ch->depth = 0;

    if (name->len == 0 || name->len > NGX_MSGBUS_CHANNEL_LEN
        || name->data[0] != '/')
    {
        return NGX_DECLINED;
    }

    if (name->len == 1) {
        return NGX_OK;
    }

    p = name->data;
    last = p + name->len;
    hash = seed;
    depth = 0;

    while (p < last) {

        /* at a slash; at least one other character must follow */

        hash = (hash ^ *p++) * 0x100000001b3;

        if (p == last || *p == '/' || depth == NGX_MSGBUS_CHANNEL_DEPTH) {
            return NGX_DECLINED;
        }

        do {
            c = *p;

            if (!(ngx_msgbus_channel_chars[c >> 5] & (1U << (c & 0x1f)))) {
                return NGX_DECLINED;
            }

            hash = (hash ^ c) * 0x100000001b3;

        } while (++p < last && *p != '/');

        ch->levels[depth].hash = ngx_msgbus_channel_mix(hash);
        ch->levels[depth].len = (uint32_t) (p - name->data);
        depth++;
    }

    ch->depth = depth;

    return NGX_OK;
}


/* spreads the bits of a running FNV state, whose low bits alone are weak */
static uint32_t
ngx_msgbus_channel_mix(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15;

    return (uint32_t) (hash >> 32);
}


void
ngx_msgbus_nodes_init(ngx_msgbus_nodes_t *nodes)
{
    ngx_memset(nodes->buckets, 0xff,
               ((size_t) nodes->mask + 1) * sizeof(uint32_t));

    nodes->sh->used = 0;
    nodes->sh->idle_head = NGX_MSGBUS_NODE_NONE;
    nodes->sh->idle_tail = NGX_MSGBUS_NODE_NONE;
    nodes->sh->floor = 0;
}


ngx_msgbus_node_t *
ngx_msgbus_node_find_locked(ngx_msgbus_nodes_t *nodes,
    ngx_msgbus_channel_t *ch, ngx_uint_t level)
{
    uint32_t  n;

    n = ngx_msgbus_node_lookup(nodes, ch->name.data, &ch->levels[level]);

    return n == NGX_MSGBUS_NODE_NONE ? NULL : &nodes->nodes[n];
}


ngx_msgbus_node_t *
ngx_msgbus_node_named_locked(ngx_msgbus_nodes_t *nodes, u_char *name,
    ngx_msgbus_level_t *level)
{
    uint32_t  n;

    n = ngx_msgbus_node_lookup(nodes, name, level);

    return n == NGX_MSGBUS_NODE_NONE ? NULL : &nodes->nodes[n];
}


static uint32_t
ngx_msgbus_node_lookup(ngx_msgbus_nodes_t *nodes, u_char *name,
    ngx_msgbus_level_t *level)
{
    uint32_t            n;
    ngx_msgbus_node_t  *node;

    n = nodes->buckets[level->hash & nodes->mask];

    while (n != NGX_MSGBUS_NODE_NONE) {
        node = &nodes->nodes[n];

        if (node->hash == level->hash
            && node->len == level->len
            && ngx_memcmp(node->name, name, level->len) == 0)
        {
            break;
        }

        n = node->chain;
    }

    return n;
}


ngx_int_t
ngx_msgbus_nodes_make_locked(ngx_msgbus_nodes_t *nodes,
    ngx_msgbus_channel_t *ch, uint32_t *found)
{
    uint32_t    n;
    ngx_uint_t  i, missing;

    missing = 0;

    for (i = 0; i < ch->depth; i++) {
        found[i] = ngx_msgbus_node_lookup(nodes, ch->name.data,
                                          &ch->levels[i]);
        missing += found[i] == NGX_MSGBUS_NODE_NONE;
    }

    if (missing == 0) {
        return NGX_OK;
    }

    /* making "/a/b" must not take the place of an idle "/a" */

    for (i = 0; i < ch->depth; i++) {
        n = found[i];

        if (n != NGX_MSGBUS_NODE_NONE && nodes->nodes[n].idle) {
            ngx_msgbus_node_unidle(nodes, n);
            ngx_msgbus_node_idle_locked(nodes, n);
            ngx_msgbus_undo_done(nodes->undo);
        }
    }

    for (i = 0; i < ch->depth; i++) {

        if (found[i] != NGX_MSGBUS_NODE_NONE) {
            continue;
        }

        if (!ngx_msgbus_nodes_have_place(nodes, ch, found)) {
            return NGX_BUSY;
        }

        found[i] = ngx_msgbus_node_create(nodes, ch->name.data,
                                          &ch->levels[i]);
    }

    return NGX_OK;
}


/* for one more level; those that are idle and needed have gone to the end */
static ngx_uint_t
ngx_msgbus_nodes_have_place(ngx_msgbus_nodes_t *nodes,
    ngx_msgbus_channel_t *ch, uint32_t *found)
{
    ngx_uint_t  i;

    if (nodes->sh->used < nodes->capacity) {
        return 1;
    }

    if (nodes->sh->idle_head == NGX_MSGBUS_NODE_NONE) {
        return 0;
    }

    for (i = 0; i < ch->depth; i++) {
        if (found[i] == nodes->sh->idle_head) {
            return 0;
        }
    }

    return 1;
}


void
ngx_msgbus_nodes_take_locked(ngx_msgbus_nodes_t *nodes, uint32_t *found,
    ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (nodes->nodes[found[i]].idle) {
            ngx_msgbus_node_unidle(nodes, found[i]);
        }
    }
}


/* there is a place; the node is idle, as long as it has no event */
static uint32_t
ngx_msgbus_node_create(ngx_msgbus_nodes_t *nodes, u_char *name,
    ngx_msgbus_level_t *level)
{
    size_t                  at;
    uint32_t                n, *bucket;
    ngx_msgbus_undo_t      *undo;
    ngx_msgbus_node_t      *node;
    ngx_msgbus_nodes_sh_t  *sh;

    sh = nodes->sh;
    undo = nodes->undo;

    if (sh->used < nodes->capacity) {
        n = sh->used;
        ngx_msgbus_undo_set(undo, sh->used, n + 1);

    } else {
        n = sh->idle_head;
        node = &nodes->nodes[n];

        ngx_msgbus_node_unidle(nodes, n);
        ngx_msgbus_node_unchain(nodes, n);

        if (node->tree.dropped > sh->floor) {
            ngx_msgbus_undo_set(undo, sh->floor, node->tree.dropped);
        }
    }

    node = &nodes->nodes[n];
    bucket = &nodes->buckets[level->hash & nodes->mask];

    for (at = 0;
         at < offsetof(ngx_msgbus_node_t, name) + level->len;
         at += sizeof(ngx_msgbus_word_t))
    {
        ngx_msgbus_undo_note(undo, (u_char *) node + at);
    }

    ngx_memzero(node, offsetof(ngx_msgbus_node_t, name));
    ngx_memcpy(node->name, name, level->len);

    node->hash = level->hash;
    node->len = level->len;
    node->exact.dropped = sh->floor;
    node->tree.dropped = sh->floor;
    node->chain = *bucket;

    ngx_msgbus_undo_set(undo, *bucket, n);

    ngx_msgbus_node_idle_locked(nodes, n);

    ngx_msgbus_undo_done(undo);

    return n;
}


static void
ngx_msgbus_node_unchain(ngx_msgbus_nodes_t *nodes, uint32_t n)
{
    uint32_t           *p;
    ngx_msgbus_node_t  *node;

    node = &nodes->nodes[n];
    p = &nodes->buckets[node->hash & nodes->mask];

    while (*p != n) {
        p = &nodes->nodes[*p].chain;
    }

    ngx_msgbus_undo_set(nodes->undo, *p, node->chain);
}


void
ngx_msgbus_node_idle_locked(ngx_msgbus_nodes_t *nodes, uint32_t n)
{
    ngx_msgbus_undo_t      *undo;
    ngx_msgbus_node_t      *node;
    ngx_msgbus_nodes_sh_t  *sh;

    sh = nodes->sh;
    undo = nodes->undo;
    node = &nodes->nodes[n];

    ngx_msgbus_undo_set(undo, node->idle, 1);

    /* both links are in one word */

    ngx_msgbus_undo_set(undo, node->idle_prev, sh->idle_tail);
    node->idle_next = NGX_MSGBUS_NODE_NONE;

    if (sh->idle_tail == NGX_MSGBUS_NODE_NONE) {
        ngx_msgbus_undo_set(undo, sh->idle_head, n);

    } else {
        ngx_msgbus_undo_set(undo, nodes->nodes[sh->idle_tail].idle_next, n);
    }

    ngx_msgbus_undo_set(undo, sh->idle_tail, n);
    sh->idle++;
}


static void
ngx_msgbus_node_unidle(ngx_msgbus_nodes_t *nodes, uint32_t n)
{
    ngx_msgbus_undo_t      *undo;
    ngx_msgbus_node_t      *node;
    ngx_msgbus_nodes_sh_t  *sh;

    sh = nodes->sh;
    undo = nodes->undo;
    node = &nodes->nodes[n];

    if (node->idle_prev == NGX_MSGBUS_NODE_NONE) {
        ngx_msgbus_undo_set(undo, sh->idle_head, node->idle_next);

    } else {
        ngx_msgbus_undo_set(undo, nodes->nodes[node->idle_prev].idle_next,
                            node->idle_next);
    }

    if (node->idle_next == NGX_MSGBUS_NODE_NONE) {
        ngx_msgbus_undo_set(undo, sh->idle_tail, node->idle_prev);

    } else {
        ngx_msgbus_undo_set(undo, nodes->nodes[node->idle_next].idle_prev,
                            node->idle_prev);
    }

    ngx_msgbus_undo_set(undo, node->idle, 0);
    ngx_msgbus_undo_set(undo, sh->idle, sh->idle - 1);
}
