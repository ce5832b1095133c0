
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Does all of a log fit together?
 *
 * The ring is walked from its oldest record to its newest, and everything
 * else must say the same: the index, the nodes with their lists, chains and
 * idle ones, the links of all filings, jumps included, and the buckets of keys.  Nothing is
 * changed, and nothing of the engine is used but the lay-out of the log and
 * the lookup of a node.
 */


#include "check.h"


/* of each node, what the records walked so far say */
typedef struct {
    uint64_t               first[2];   /* serials: exact, tree */
    uint64_t               last[2];
    uint64_t               last_id[2];
    uint32_t               count[2];
    unsigned               chained:1;
    unsigned               idle:1;
} unit_node_t;


static void unit_check_nodes(ngx_msgbus_log_t *log);
static void unit_check_idle(ngx_msgbus_log_t *log);
static uint64_t unit_check_ring(ngx_msgbus_log_t *log);
static void unit_check_record(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec);
static void unit_check_filing(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec,
    ngx_uint_t slot);
static void unit_check_key(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec);
static void unit_check_buckets(ngx_msgbus_log_t *log);
static void unit_check_list(ngx_msgbus_log_t *log, uint32_t n,
    ngx_uint_t tree);


/* places of filings in their lists, by serial % places and slot */
static uint32_t     *unit_ordinals;
static unit_node_t  *unit_nodes;

/* by bucket: the newest serial with a key of it */
static uint64_t     *unit_keys;

#define UNIT_SLOTS  (NGX_MSGBUS_CHANNEL_DEPTH + 1)

#define unit_ordinal(log, serial, slot)                                       \
    unit_ordinals[((serial) & (log)->mask) * UNIT_SLOTS + (slot)]


void
unit_check_log(ngx_msgbus_log_t *log)
{
    uint32_t              n, channels;
    uint64_t              count;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    unit_ordinals = realloc(unit_ordinals, (log->mask + 1) * UNIT_SLOTS
                                           * sizeof(uint32_t));
    unit_nodes = realloc(unit_nodes, (log->nodes.capacity + 1)
                                     * sizeof(unit_node_t));

    memset(unit_nodes, 0, (log->nodes.capacity + 1) * sizeof(unit_node_t));

    unit_keys = realloc(unit_keys, ((size_t) log->key_mask + 1)
                                   * sizeof(uint64_t));
    memset(unit_keys, 0, ((size_t) log->key_mask + 1) * sizeof(uint64_t));

    unit_check(log->undo->n == 0, "a step is left open");

    unit_check_nodes(log);
    unit_check_idle(log);

    count = unit_check_ring(log);

    unit_check(sh->head_serial + count == sh->next_serial,
               "%" PRIu64 " records, serials from %" PRIu64 " to %" PRIu64,
               count, sh->head_serial, sh->next_serial - 1);

    unit_check_buckets(log);

    unit_check(count <= log->mask + 1, "more records than places");
    unit_check(count <= log->max_events, "more than max_events");

    channels = 0;

    for (n = 0; n < sh->nodes.used; n++) {
        unit_check_list(log, n, 0);
        unit_check_list(log, n, 1);

        channels += unit_nodes[n].count[0] != 0;

        unit_check(unit_nodes[n].idle == (unit_nodes[n].count[1] == 0),
                   "node %u with %u events is %sidle", n,
                   unit_nodes[n].count[1], unit_nodes[n].idle ? "" : "not ");
    }

    unit_check(channels == sh->nodes.channels,
               "%u channels have events, and are said to be %u", channels,
               sh->nodes.channels);
}


/* each used node is in its chain once */
static void
unit_check_nodes(ngx_msgbus_log_t *log)
{
    uint32_t             b, n, count;
    ngx_msgbus_nodes_t  *nodes;

    nodes = &log->nodes;
    count = 0;

    unit_check(nodes->sh->used <= nodes->capacity, "more nodes than places");

    for (b = 0; b <= nodes->mask; b++) {
        for (n = nodes->buckets[b];
             n != NGX_MSGBUS_NODE_NONE;
             n = nodes->nodes[n].chain)
        {
            unit_check(n < nodes->sh->used, "a chain leads to node %u", n);
            unit_check(!unit_nodes[n].chained, "node %u is chained twice", n);
            unit_check((nodes->nodes[n].hash & nodes->mask) == b,
                       "node %u is in another's chain", n);

            unit_nodes[n].chained = 1;
            count++;
        }
    }

    unit_check(count == nodes->sh->used, "%u nodes chained, %u used",
               count, nodes->sh->used);
}


static void
unit_check_idle(ngx_msgbus_log_t *log)
{
    uint32_t             n, prev, count;
    ngx_msgbus_nodes_t  *nodes;

    nodes = &log->nodes;
    prev = NGX_MSGBUS_NODE_NONE;

    for (n = nodes->sh->idle_head;
         n != NGX_MSGBUS_NODE_NONE;
         n = nodes->nodes[n].idle_next)
    {
        unit_check(n < nodes->sh->used, "the idle ones lead to node %u", n);
        unit_check(!unit_nodes[n].idle, "node %u is twice idle", n);
        unit_check(nodes->nodes[n].idle, "node %u is idle by links only", n);
        unit_check(nodes->nodes[n].idle_prev == prev,
                   "node %u does not know who is idle before it", n);

        unit_nodes[n].idle = 1;
        prev = n;
    }

    unit_check(nodes->sh->idle_tail == prev, "the idle ones have a wrong end");

    for (n = 0, count = 0; n < nodes->sh->used; n++) {
        count += nodes->nodes[n].idle != unit_nodes[n].idle;
    }

    unit_check(count == 0, "%u nodes are idle by name only", count);

    for (n = 0, count = 0; n < nodes->sh->used; n++) {
        count += unit_nodes[n].idle;
    }

    unit_check(count == nodes->sh->idle, "%u nodes are idle, and are said to "
               "be %u", count, nodes->sh->idle);
}


static uint64_t
unit_check_ring(ngx_msgbus_log_t *log)
{
    size_t                offset;
    int64_t               since;
    uint64_t              count, id, bytes;
    ngx_msgbus_log_sh_t  *sh;
    ngx_msgbus_record_t  *rec;

    sh = log->sh;

    unit_check(sh->head <= log->size && sh->head % 8 == 0, "bad head");
    unit_check(sh->tail <= log->size && sh->tail % 8 == 0, "bad tail");

    id = sh->evicted_id;
    since = INT64_MIN;
    count = 0;
    bytes = 0;

    for (offset = sh->head; offset != sh->tail; offset += rec->size) {

        rec = (ngx_msgbus_record_t *) (log->ring + offset);

        if (offset == log->size || rec->size == 0) {
            unit_check(sh->tail < sh->head, "the ring goes on at its start,"
                       " but its tail is not there");
            offset = 0;
            rec = (ngx_msgbus_record_t *) log->ring;
        }

        unit_check(rec->size % 8 == 0 && rec->size <= log->size - offset,
                   "a record of %u bytes at offset %zu", rec->size, offset);

        bytes += rec->size;
        unit_check(bytes <= log->size, "the ring is walked for ever");

        unit_check(rec->serial == sh->head_serial + count,
                   "record %" PRIu64 " has serial %" PRIu64 ", the first"
                   " %" PRIu64, count, rec->serial, sh->head_serial);

        unit_check(log->index[rec->serial & log->mask] == offset / 8,
                   "the index has another place for serial %" PRIu64,
                   rec->serial);

        unit_check(rec->id > id,
                   "id %" PRIu64 " after %" PRIu64, rec->id, id);
        unit_check(rec->since >= since, "a time before the last one's");

        unit_check_record(log, rec);

        id = rec->id;
        since = rec->since;
        count++;
    }

    /* an id without a record may be newer */

    unit_check(sh->last_id >= id,
               "last_id is %" PRIu64 ", the newest event has %" PRIu64,
               sh->last_id, id);

    unit_check(sh->nodes.floor <= sh->evicted_id, "the floor is too high");

    return count;
}


static void
unit_check_record(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec)
{
    size_t                 used;
    ngx_str_t              name;
    ngx_uint_t             i;
    ngx_msgbus_node_t     *node;
    ngx_msgbus_channel_t   ch;

    used = ngx_msgbus_record_data(rec) + rec->data_len - (u_char *) rec;

    unit_check(rec->keyed <= 1, "a record with %u keys", rec->keyed);

    if (rec->keyed) {
        used = ngx_align(used, 8) + sizeof(ngx_msgbus_keyed_t);
        unit_check_key(log, rec);
    }

    unit_check(used <= rec->size, "a record overflows");

    name.len = rec->channel_len;
    name.data = ngx_msgbus_record_channel(rec);

    unit_check(ngx_msgbus_channel_parse(&ch, &name, log->sh->seed) == NGX_OK
               && rec->filings == ch.depth + 1,
               "a record's channel is \"%.*s\", filed %u times",
               (int) name.len, name.data, rec->filings);

    for (i = 0; i < rec->filings; i++) {

        node = ngx_msgbus_node_find_locked(&log->nodes, &ch,
                                           (i ? i : ch.depth) - 1);

        unit_check(node == &log->nodes.nodes[rec->filing[i].node],
                   "a record of \"%.*s\" is filed elsewhere in slot %u",
                   (int) name.len, name.data, (unsigned) i);

        unit_check_filing(log, rec, i);
    }
}


static void
unit_check_filing(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec,
    ngx_uint_t slot)
{
    uint64_t              prev, jump, head;
    ngx_uint_t            tree;
    unit_node_t          *node;
    ngx_msgbus_record_t  *other;
    ngx_msgbus_filing_t  *f;

    f = &rec->filing[slot];
    node = &unit_nodes[f->node];
    tree = slot != 0;
    head = log->sh->head_serial;

    prev = f->prev && rec->serial - f->prev >= head ? rec->serial - f->prev
                                                     : 0;

    unit_check(prev == node->last[tree],
               "serial %" PRIu64 ", slot %u: prev is %" PRIu64
               " and not %" PRIu64,
               rec->serial, (unsigned) slot, prev, node->last[tree]);

    unit_ordinal(log, rec->serial, slot) = node->count[tree];

    if (prev) {
        other = ngx_msgbus_log_record(log, prev);

        unit_check(other->filing[slot].next == rec->serial - prev,
                   "serial %" PRIu64 ", slot %u: next is %u on",
                   prev, (unsigned) slot, other->filing[slot].next);

        unit_check(f->jump >= f->prev && f->span >= 1,
                   "serial %" PRIu64 ", slot %u: no jump",
                   rec->serial, (unsigned) slot);

    } else {
        node->first[tree] = rec->serial;
    }

    if (f->jump && rec->serial - f->jump >= head) {

        jump = rec->serial - f->jump;
        other = ngx_msgbus_log_record(log, jump);

        unit_check(slot < other->filings && other->filing[slot].node == f->node,
                   "serial %" PRIu64 ", slot %u: the jump leads elsewhere",
                   rec->serial, (unsigned) slot);

        unit_check(unit_ordinal(log, rec->serial, slot)
                   - unit_ordinal(log, jump, slot) == f->span,
                   "serial %" PRIu64 ", slot %u: the jump is not %u long",
                   rec->serial, (unsigned) slot, f->span);
    }

    node->last[tree] = rec->serial;
    node->last_id[tree] = rec->id;
    node->count[tree]++;
}


static void
unit_check_key(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec)
{
    uint64_t             prev;
    ngx_msgbus_keyed_t  *k;

    k = ngx_msgbus_record_keyed(rec);

    unit_check(k->bucket <= log->key_mask
               && k->bucket == ngx_msgbus_key_bucket(&k->key, log->sh->seed,
                                                     log->key_mask),
               "serial %" PRIu64 ": the key is not of bucket %u",
               rec->serial, k->bucket);

    prev = k->prev && rec->serial - k->prev >= log->sh->head_serial
           ? rec->serial - k->prev : 0;

    unit_check(prev == unit_keys[k->bucket],
               "serial %" PRIu64 ": the key before it is %" PRIu64
               " and not %" PRIu64,
               rec->serial, prev, unit_keys[k->bucket]);

    unit_keys[k->bucket] = rec->serial;
}


/* they lead to the newest, or out of the log */
static void
unit_check_buckets(ngx_msgbus_log_t *log)
{
    uint32_t              n, back;
    uint64_t              newest;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;

    for (n = 0; n <= log->key_mask; n++) {

        back = (uint32_t) sh->next_serial - log->keys[n];

        newest = back && back <= sh->next_serial - sh->head_serial
                 ? sh->next_serial - back : 0;

        unit_check(newest == unit_keys[n],
                   "bucket %u leads to %" PRIu64 " and not to %" PRIu64,
                   n, newest, unit_keys[n]);
    }
}


static void
unit_check_list(ngx_msgbus_log_t *log, uint32_t n, ngx_uint_t tree)
{
    ngx_uint_t            i, slot;
    unit_node_t          *node;
    ngx_msgbus_list_t    *list;
    ngx_msgbus_record_t  *rec;

    node = &unit_nodes[n];
    list = tree ? &log->nodes.nodes[n].tree : &log->nodes.nodes[n].exact;

    unit_check(list->newest == node->last[tree],
               "node %u: newest is %" PRIu64 " and not %" PRIu64,
               n, list->newest, node->last[tree]);

    unit_check(list->dropped <= log->sh->evicted_id,
               "node %u has dropped what is there", n);

    if (list->newest == 0) {
        return;
    }

    unit_check(list->oldest == node->first[tree],
               "node %u: oldest is %" PRIu64 " and not %" PRIu64,
               n, list->oldest, node->first[tree]);

    unit_check(list->newest_id == node->last_id[tree],
               "node %u: the newest id is %" PRIu64 " and not %" PRIu64,
               n, list->newest_id, node->last_id[tree]);

    /* the slot of the exact list is 0, that of the tree the node's level */

    for (slot = 0, i = 0; tree && i < log->nodes.nodes[n].len; i++) {
        slot += log->nodes.nodes[n].name[i] == '/';
    }

    rec = ngx_msgbus_log_record(log, list->newest);

    unit_check(rec->filing[slot].node == n && rec->filing[slot].next == 0,
               "node %u: something follows the newest", n);
}
