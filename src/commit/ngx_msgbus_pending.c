
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What waits for a commit, for a store that takes its time.
 *
 * A post puts its event into a ring in the zone, so that whichever worker
 * commits finds it, and gets a cell in which its outcome will stand: also
 * when the event has been evicted from the log by then.  A cell belongs to a
 * slot; done cells hang in a list of their slot, from which the slot's worker
 * takes them.  What a dead worker leaves is swept.
 *
 * This room knows no store, no log and no order of ids.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_pending.h"


/* a cell for this many bytes of the ring */
#define NGX_MSGBUS_BYTES_A_CELL  256

#define NGX_MSGBUS_MIN_CELLS     16
#define NGX_MSGBUS_MAX_CELLS     65536

/* the entry at an offset / 8 */
#define ngx_msgbus_pending_entry(p, n)                                        \
    ((ngx_msgbus_entry_t *) ((p)->ring + (size_t) (n) * 8))


static size_t ngx_msgbus_pending_room(ngx_msgbus_pending_t *p, size_t size);
static void ngx_msgbus_pending_key_add(ngx_msgbus_pending_t *p,
    ngx_msgbus_entry_t *e);
static void ngx_msgbus_pending_key_drop(ngx_msgbus_pending_t *p,
    ngx_msgbus_entry_t *e);
static void ngx_msgbus_pending_done(ngx_msgbus_pending_t *p, uint32_t n);
static void ngx_msgbus_pending_undone(ngx_msgbus_pending_t *p, uint32_t n);
static void ngx_msgbus_pending_free(ngx_msgbus_pending_t *p, uint32_t n);


ngx_int_t
ngx_msgbus_pending_init(ngx_msgbus_pending_t *p, u_char *addr, size_t size,
    ngx_uint_t fresh)
{
    u_char      *pos, *last;
    uint32_t     n;
    ngx_uint_t   slot;

    pos = ngx_align_ptr(addr, 64);
    last = addr + size;

    n = (uint32_t) ngx_min(size / NGX_MSGBUS_BYTES_A_CELL,
                           NGX_MSGBUS_MAX_CELLS);

    p->ncells = ngx_max(n, NGX_MSGBUS_MIN_CELLS);

    p->sh = (ngx_msgbus_pending_sh_t *) pos;
    pos += ngx_align(sizeof(ngx_msgbus_pending_sh_t), 64);

    p->cells = (ngx_msgbus_cell_t *) pos;
    pos += ngx_align(p->ncells * sizeof(ngx_msgbus_cell_t), 64);

    for (n = NGX_MSGBUS_MIN_CELLS; n < p->ncells; n <<= 1) {
        /* void */
    }

    p->key_mask = n - 1;

    p->keys = (uint32_t *) pos;
    pos += ngx_align(n * sizeof(uint32_t), 64);

    if (last - pos < 4096) {
        return NGX_ERROR;
    }

    p->ring = pos;
    p->size = ngx_min((size_t) (last - pos), (size_t) 0xffffffff * 8) & ~7UL;

    if (fresh) {
        ngx_memzero(p->sh, sizeof(ngx_msgbus_pending_sh_t));
        ngx_memzero(p->cells, p->ncells * sizeof(ngx_msgbus_cell_t));

        for (n = 0; n <= p->key_mask; n++) {
            p->keys[n] = NGX_MSGBUS_ENTRY_NONE;
        }

        p->sh->free = NGX_MSGBUS_CELL_NONE;

        for (n = 0; n < p->ncells; n++) {
            p->cells[n].next = p->sh->free;
            p->sh->free = n;
        }

        for (slot = 0; slot < NGX_MSGBUS_SLOTS; slot++) {
            p->sh->done[slot] = NGX_MSGBUS_CELL_NONE;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_pending_put_locked(ngx_msgbus_pending_t *p, ngx_uint_t slot,
    ngx_msgbus_event_t *ev, u_char *token, uint64_t posted,
    ngx_msgbus_outcome_t *outcome)
{
    size_t               size, offset;
    u_char              *pos;
    uint32_t             n;
    ngx_msgbus_undo_t   *undo;
    ngx_msgbus_cell_t   *cell;
    ngx_msgbus_entry_t  *e;

    size = ngx_msgbus_pending_size(ev);

    n = p->sh->free;
    offset = ngx_msgbus_pending_room(p, size);

    if (n == NGX_MSGBUS_CELL_NONE || offset == p->size) {
        return NGX_BUSY;
    }

    if (offset != p->sh->tail && p->size - p->sh->tail >= 8) {
        ((ngx_msgbus_entry_t *) (p->ring + p->sh->tail))->size = 0;
    }

    /* nobody looks there yet */

    e = (ngx_msgbus_entry_t *) (p->ring + offset);

    e->size = (uint32_t) size;
    e->state = NGX_MSGBUS_QUEUED;
    e->cell = n;
    e->data_len = (uint32_t) ev->data.len;
    e->id = 0;
    e->posted = posted;
    e->agent_len = (uint16_t) ev->user_agent.len;
    e->uuid_len = (uint16_t) ev->uuid.len;
    e->channel_len = (uint8_t) ev->channel->name.len;
    e->doubt = 0;
    e->keyed = ev->key != NULL;
    e->follows = 0;

    ngx_memcpy(e->token, token, NGX_MSGBUS_TOKEN_LEN);

    pos = e->bytes;
    pos = ngx_cpymem(pos, ev->channel->name.data, ev->channel->name.len);
    pos = ngx_cpymem(pos, ev->uuid.data, ev->uuid.len);
    pos = ngx_cpymem(pos, ev->user_agent.data, ev->user_agent.len);
    ngx_memcpy(pos, ev->data.data, ev->data.len);

    undo = p->undo;
    cell = &p->cells[n];

    if (ev->key) {
        ngx_msgbus_entry_key(e)->key = *ev->key;
        ngx_msgbus_pending_key_add(p, e);
    }

    ngx_msgbus_undo_set(undo, p->sh->free, cell->next);

    /* of a cell that is free nobody looks at these */

    cell->generation++;
    cell->id = 0;
    cell->created = 0;

    /* two words of two each */

    ngx_msgbus_undo_set(undo, cell->state, NGX_MSGBUS_CELL_WAITING);
    cell->slot = (uint32_t) slot;

    ngx_msgbus_undo_set(undo, cell->next, NGX_MSGBUS_CELL_NONE);
    cell->entry = (uint32_t) (offset / 8);

    ngx_msgbus_undo_set(undo, p->sh->tail, offset + size);
    ngx_msgbus_undo_set(undo, p->sh->entries, p->sh->entries + 1);
    ngx_msgbus_undo_set(undo, p->sh->bytes, p->sh->bytes + size);

    ngx_msgbus_undo_done(undo);

    outcome->cell = n;
    outcome->generation = cell->generation;

    return NGX_OK;
}


void
ngx_msgbus_pending_follows_locked(ngx_msgbus_pending_t *p,
    ngx_msgbus_outcome_t *outcome)
{
    ngx_msgbus_pending_entry(p, p->cells[outcome->cell].entry)->follows = 1;
}


/* where size bytes fit behind the tail; the ring's size if nowhere */
static size_t
ngx_msgbus_pending_room(ngx_msgbus_pending_t *p, size_t size)
{
    size_t  head, tail;

    head = p->sh->head;
    tail = p->sh->tail;

    if (tail < head) {
        return head - tail > size ? tail : p->size;
    }

    if (p->size - tail >= size) {
        return tail;
    }

    /* past the ring's end; the tail must not come to stand at the head */

    return head > size ? 0 : p->size;
}


ngx_int_t
ngx_msgbus_pending_cancel_locked(ngx_msgbus_pending_t *p,
    ngx_msgbus_outcome_t *outcome)
{
    ngx_int_t            rc;
    ngx_msgbus_undo_t   *undo;
    ngx_msgbus_cell_t   *cell;
    ngx_msgbus_entry_t  *e;

    undo = p->undo;
    cell = &p->cells[outcome->cell];

    if (cell->generation != outcome->generation
        || cell->state == NGX_MSGBUS_CELL_FREE)
    {
        return NGX_DECLINED;
    }

    if (cell->state == NGX_MSGBUS_CELL_DONE) {

        ngx_msgbus_pending_undone(p, outcome->cell);

        outcome->id = cell->id;
        outcome->created = cell->created;

        rc = NGX_DONE;

    } else {
        e = (ngx_msgbus_entry_t *) (p->ring + (size_t) cell->entry * 8);
        ngx_msgbus_undo_set(undo, e->cell, NGX_MSGBUS_CELL_NONE);

        if (e->state == NGX_MSGBUS_QUEUED) {
            ngx_msgbus_pending_key_drop(p, e);
            ngx_msgbus_undo_set(undo, e->state, NGX_MSGBUS_CANCELED);
            ngx_msgbus_undo_set(undo, p->sh->entries, p->sh->entries - 1);
            ngx_msgbus_undo_set(undo, p->sh->bytes, p->sh->bytes - e->size);
            rc = NGX_OK;

        } else {
            rc = NGX_AGAIN;
        }
    }

    ngx_msgbus_pending_free(p, outcome->cell);

    ngx_msgbus_undo_done(undo);

    return rc;
}


ngx_uint_t
ngx_msgbus_pending_take_locked(ngx_msgbus_pending_t *p, ngx_uint_t slot,
    ngx_msgbus_outcome_t *outcomes, ngx_uint_t max)
{
    uint32_t            n;
    ngx_uint_t          taken;
    ngx_msgbus_cell_t  *cell;

    for (taken = 0; taken < max; taken++) {

        n = p->sh->done[slot];

        if (n == NGX_MSGBUS_CELL_NONE) {
            break;
        }

        cell = &p->cells[n];

        outcomes[taken].cell = n;
        outcomes[taken].generation = cell->generation;
        outcomes[taken].id = cell->id;
        outcomes[taken].created = cell->created;

        /* a step each */

        ngx_msgbus_pending_undone(p, n);
        ngx_msgbus_pending_free(p, n);

        ngx_msgbus_undo_done(p->undo);
    }

    return taken;
}


void
ngx_msgbus_pending_sweep_locked(ngx_msgbus_pending_t *p)
{
    uint32_t    cell;
    ngx_uint_t  slot, n;

    n = 0;

    for (slot = 0; slot < NGX_MSGBUS_SLOTS; slot++) {

        if (p->slots->owner[slot]) {
            continue;
        }

        for ( ;; ) {
            cell = p->sh->done[slot];

            if (cell == NGX_MSGBUS_CELL_NONE) {
                break;
            }

            if (n++ == NGX_MSGBUS_HOLD_RECORDS) {
                return;
            }

            ngx_msgbus_pending_undone(p, cell);
            ngx_msgbus_pending_free(p, cell);

            ngx_msgbus_undo_done(p->undo);
        }
    }
}


ngx_uint_t
ngx_msgbus_pending_keyed_locked(ngx_msgbus_pending_t *p,
    ngx_msgbus_key_t *key)
{
    uint32_t                   n;
    ngx_msgbus_waiting_key_t  *k;

    n = p->keys[ngx_msgbus_key_bucket(key, p->seed, p->key_mask)];

    while (n != NGX_MSGBUS_ENTRY_NONE) {
        k = ngx_msgbus_entry_key(ngx_msgbus_pending_entry(p, n));

        if (ngx_memcmp(k->key.name, key->name, NGX_MSGBUS_KEY_NAME) == 0) {
            return 1;
        }

        n = k->next;
    }

    return 0;
}


/* into its bucket: a part of a step, as the next one is */
static void
ngx_msgbus_pending_key_add(ngx_msgbus_pending_t *p, ngx_msgbus_entry_t *e)
{
    ngx_msgbus_waiting_key_t  *k;

    k = ngx_msgbus_entry_key(e);

    k->bucket = ngx_msgbus_key_bucket(&k->key, p->seed, p->key_mask);
    k->next = p->keys[k->bucket];

    ngx_msgbus_undo_set(p->undo, p->keys[k->bucket],
                        (uint32_t) (((u_char *) e - p->ring) / 8));
}


/* out of it: it waits no more */
static void
ngx_msgbus_pending_key_drop(ngx_msgbus_pending_t *p, ngx_msgbus_entry_t *e)
{
    uint32_t                  *n;
    ngx_msgbus_entry_t        *other;
    ngx_msgbus_waiting_key_t  *k;

    if (!e->keyed) {
        return;
    }

    k = ngx_msgbus_entry_key(e);
    n = &p->keys[k->bucket];

    while (*n != NGX_MSGBUS_ENTRY_NONE) {
        other = ngx_msgbus_pending_entry(p, *n);

        if (other == e) {
            ngx_msgbus_undo_set(p->undo, *n, k->next);
            return;
        }

        n = &ngx_msgbus_entry_key(other)->next;
    }
}


/* into the list of its slot: a part of a step, as the next two are */
static void
ngx_msgbus_pending_done(ngx_msgbus_pending_t *p, uint32_t n)
{
    uint32_t            *first;
    ngx_msgbus_undo_t   *undo;
    ngx_msgbus_cell_t   *cell;

    undo = p->undo;
    cell = &p->cells[n];
    first = &p->sh->done[cell->slot];

    ngx_msgbus_undo_set(undo, cell->state, NGX_MSGBUS_CELL_DONE);

    /* both links are in one word */

    ngx_msgbus_undo_set(undo, cell->next, *first);
    cell->prev = NGX_MSGBUS_CELL_NONE;

    if (*first != NGX_MSGBUS_CELL_NONE) {
        ngx_msgbus_undo_set(undo, p->cells[*first].prev, n);
    }

    ngx_msgbus_undo_set(undo, *first, n);
}


static void
ngx_msgbus_pending_undone(ngx_msgbus_pending_t *p, uint32_t n)
{
    ngx_msgbus_undo_t   *undo;
    ngx_msgbus_cell_t   *cell;

    undo = p->undo;
    cell = &p->cells[n];

    if (cell->next != NGX_MSGBUS_CELL_NONE) {
        ngx_msgbus_undo_set(undo, p->cells[cell->next].prev, cell->prev);
    }

    if (cell->prev != NGX_MSGBUS_CELL_NONE) {
        ngx_msgbus_undo_set(undo, p->cells[cell->prev].next, cell->next);

    } else {
        ngx_msgbus_undo_set(undo, p->sh->done[cell->slot], cell->next);
    }
}


static void
ngx_msgbus_pending_free(ngx_msgbus_pending_t *p, uint32_t n)
{
    ngx_msgbus_undo_t   *undo;
    ngx_msgbus_cell_t   *cell;

    undo = p->undo;
    cell = &p->cells[n];

    ngx_msgbus_undo_set(undo, cell->state, NGX_MSGBUS_CELL_FREE);
    ngx_msgbus_undo_set(undo, cell->next, p->sh->free);

    ngx_msgbus_undo_set(undo, p->sh->free, n);
}


ngx_msgbus_entry_t *
ngx_msgbus_pending_at_locked(ngx_msgbus_pending_t *p, size_t *offset)
{
    ngx_msgbus_entry_t  *e;

    if (*offset == p->sh->tail) {
        return NULL;
    }

    e = (ngx_msgbus_entry_t *) (p->ring + *offset);

    if (*offset == p->size || e->size == 0) {
        *offset = 0;
        e = (ngx_msgbus_entry_t *) p->ring;
    }

    return e;
}


void
ngx_msgbus_entry_event(ngx_msgbus_entry_t *e, ngx_str_t *channel,
    ngx_msgbus_event_t *ev)
{
    channel->data = e->bytes;
    channel->len = e->channel_len;

    ev->uuid.data = channel->data + channel->len;
    ev->uuid.len = e->uuid_len;

    ev->user_agent.data = ev->uuid.data + ev->uuid.len;
    ev->user_agent.len = e->agent_len;

    ev->data.data = ev->user_agent.data + ev->user_agent.len;
    ev->data.len = e->data_len;

    ev->key = e->keyed ? &ngx_msgbus_entry_key(e)->key : NULL;
}


ngx_int_t
ngx_msgbus_pending_settle_locked(ngx_msgbus_pending_t *p,
    ngx_msgbus_entry_t *e, uint64_t id, uint64_t created)
{
    ngx_int_t           slot;
    ngx_msgbus_undo_t  *undo;
    ngx_msgbus_cell_t  *cell;

    slot = -1;
    undo = p->undo;

    ngx_msgbus_undo_set(undo, p->sh->entries, p->sh->entries - 1);
    ngx_msgbus_undo_set(undo, p->sh->bytes, p->sh->bytes - e->size);

    if (e->cell != NGX_MSGBUS_CELL_NONE) {
        cell = &p->cells[e->cell];

        if (p->slots->owner[cell->slot]) {
            slot = cell->slot;

            /* nor at these, before it is done */

            cell->id = id;
            cell->created = created;

            ngx_msgbus_pending_done(p, e->cell);

        } else {
            ngx_msgbus_pending_free(p, e->cell);
        }

        ngx_msgbus_undo_set(undo, e->cell, NGX_MSGBUS_CELL_NONE);
    }

    ngx_msgbus_pending_key_drop(p, e);
    ngx_msgbus_undo_set(undo, e->state, NGX_MSGBUS_SETTLED);

    ngx_msgbus_undo_done(undo);

    ngx_msgbus_pending_trim_locked(p);

    return slot;
}


void
ngx_msgbus_pending_trim_locked(ngx_msgbus_pending_t *p)
{
    size_t               offset;
    ngx_uint_t           n;
    ngx_msgbus_entry_t  *e;

    offset = p->sh->head;

    for (n = 0; n < NGX_MSGBUS_HOLD_RECORDS; n++) {

        e = ngx_msgbus_pending_at_locked(p, &offset);

        if (e == NULL
            || e->state == NGX_MSGBUS_QUEUED
            || e->state == NGX_MSGBUS_SENT)
        {
            break;
        }

        offset += e->size;
        p->sh->head = offset;
    }
}
