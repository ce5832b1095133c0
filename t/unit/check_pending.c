
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Do pending posts fit together?
 *
 * The ring is walked from its oldest entry to its newest; each cell is free,
 * or done in the list of its slot, or waits for one entry, which knows it.
 * Nothing is changed, and nothing is known of what has been posted.
 */


#include "check.h"


static size_t unit_check_entry(ngx_msgbus_pending_t *p, size_t offset);
static void unit_check_keys(ngx_msgbus_pending_t *p, uint64_t keyed);
static void unit_check_cells(ngx_msgbus_pending_t *p, uint32_t n,
    uint32_t state, ngx_uint_t slot);


/* where each cell was found */
static u_char  *unit_cells;

#define UNIT_NOWHERE  0xff


void
unit_check_pending(ngx_msgbus_pending_t *p)
{
    size_t               offset, bytes;
    uint32_t             n;
    uint64_t             count, keyed;
    ngx_uint_t           slot;
    ngx_msgbus_entry_t  *e;

    unit_check(p->undo->n == 0, "a step is left open");

    unit_check(p->sh->head <= p->size && p->sh->tail <= p->size
               && p->sh->head % 8 == 0 && p->sh->tail % 8 == 0,
               "head %zu, tail %zu in a ring of %zu bytes",
               p->sh->head, p->sh->tail, p->size);

    unit_cells = realloc(unit_cells, p->ncells);
    memset(unit_cells, UNIT_NOWHERE, p->ncells);

    count = 0;
    keyed = 0;
    bytes = 0;
    offset = p->sh->head;

    while ((e = ngx_msgbus_pending_at_locked(p, &offset)) != NULL) {

        bytes += unit_check_entry(p, offset);
        offset += e->size;

        unit_check(bytes <= p->size, "the entries have no end");

        if (e->state == NGX_MSGBUS_QUEUED || e->state == NGX_MSGBUS_SENT) {
            count++;
            keyed += e->keyed;
        }
    }

    unit_check_keys(p, keyed);

    unit_check(p->sh->entries == count,
               "%" PRIu64 " entries wait, known are %" PRIu64,
               count, p->sh->entries);

    unit_check_cells(p, p->sh->free, NGX_MSGBUS_CELL_FREE, 0);

    for (slot = 0; slot < NGX_MSGBUS_SLOTS; slot++) {
        unit_check_cells(p, p->sh->done[slot], NGX_MSGBUS_CELL_DONE, slot);
    }

    for (n = 0; n < p->ncells; n++) {
        unit_check(unit_cells[n] != UNIT_NOWHERE,
                   "cell %u, state %u, is lost", n, p->cells[n].state);
    }
}


static size_t
unit_check_entry(ngx_msgbus_pending_t *p, size_t offset)
{
    size_t               size;
    ngx_msgbus_cell_t   *cell;
    ngx_msgbus_entry_t  *e;

    unit_check(p->size - offset >= offsetof(ngx_msgbus_entry_t, bytes),
               "an entry at %zu, at the end of the ring", offset);

    e = (ngx_msgbus_entry_t *) (p->ring + offset);

    size = offsetof(ngx_msgbus_entry_t, bytes) + e->channel_len + e->uuid_len
           + e->agent_len + (size_t) e->data_len;

    size = ngx_align(size, 8)
           + (e->keyed ? sizeof(ngx_msgbus_waiting_key_t) : 0);

    unit_check(e->size == size && e->keyed <= 1
               && p->size - offset >= e->size,
               "an entry at %zu has %u bytes", offset, e->size);

    unit_check(e->state >= NGX_MSGBUS_QUEUED
               && e->state <= NGX_MSGBUS_SETTLED,
               "an entry at %zu is in state %u", offset, e->state);

    if (e->cell == NGX_MSGBUS_CELL_NONE) {
        return e->size;
    }

    unit_check(e->state == NGX_MSGBUS_QUEUED || e->state == NGX_MSGBUS_SENT,
               "an entry at %zu that waits no more has a cell", offset);

    unit_check(e->cell < p->ncells, "an entry at %zu has cell %u", offset,
               e->cell);

    cell = &p->cells[e->cell];

    unit_check(cell->state == NGX_MSGBUS_CELL_WAITING
               && cell->entry == offset / 8
               && cell->slot < NGX_MSGBUS_SLOTS,
               "cell %u does not wait for the entry at %zu", e->cell, offset);

    unit_check(unit_cells[e->cell] == UNIT_NOWHERE,
               "cell %u has two entries", e->cell);

    unit_cells[e->cell] = NGX_MSGBUS_CELL_WAITING;

    return e->size;
}


/* those that wait are in their buckets, each once, and no others */
static void
unit_check_keys(ngx_msgbus_pending_t *p, uint64_t keyed)
{
    uint32_t                   b, n;
    uint64_t                   count;
    ngx_msgbus_entry_t        *e;
    ngx_msgbus_waiting_key_t  *k;

    count = 0;

    for (b = 0; b <= p->key_mask; b++) {
        for (n = p->keys[b]; n != NGX_MSGBUS_ENTRY_NONE; n = k->next) {

            unit_check((size_t) n * 8 < p->size, "a key at %zu",
                       (size_t) n * 8);

            e = (ngx_msgbus_entry_t *) (p->ring + (size_t) n * 8);
            k = ngx_msgbus_entry_key(e);

            unit_check(e->keyed && (e->state == NGX_MSGBUS_QUEUED
                                    || e->state == NGX_MSGBUS_SENT),
                       "a key of an entry in state %u", e->state);
            unit_check(k->bucket == b
                       && b == ngx_msgbus_key_bucket(&k->key, p->seed,
                                                     p->key_mask),
                       "a key in bucket %u", b);

            unit_check(++count <= keyed, "there are more keys than entries");
        }
    }

    unit_check(count == keyed, "%" PRIu64 " keys wait instead of %" PRIu64,
               count, keyed);
}


/* a list of them, from n on */
static void
unit_check_cells(ngx_msgbus_pending_t *p, uint32_t n, uint32_t state,
    ngx_uint_t slot)
{
    uint32_t  prev;

    prev = NGX_MSGBUS_CELL_NONE;

    while (n != NGX_MSGBUS_CELL_NONE) {
        unit_check(n < p->ncells, "a list leads to cell %u", n);
        unit_check(unit_cells[n] == UNIT_NOWHERE, "cell %u is found twice", n);
        unit_check(p->cells[n].state == state,
                   "cell %u, state %u, is in a list of state %u", n,
                   p->cells[n].state, state);
        unit_check(state == NGX_MSGBUS_CELL_FREE || p->cells[n].slot == slot,
                   "cell %u of slot %u is in the list of slot %u", n,
                   p->cells[n].slot, (unsigned) slot);

        unit_check(state == NGX_MSGBUS_CELL_FREE || p->cells[n].prev == prev,
                   "cell %u does not know the one before it", n);

        unit_cells[n] = (u_char) state;
        prev = n;
        n = p->cells[n].next;
    }
}
