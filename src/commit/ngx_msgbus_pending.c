
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


static void ngx_msgbus_pending_rebuild(ngx_msgbus_pending_t *p);
static size_t ngx_msgbus_pending_room(ngx_msgbus_pending_t *p, size_t size);
static void ngx_msgbus_pending_free(ngx_msgbus_pending_t *p, uint32_t n);
static void ngx_msgbus_pending_begin(ngx_msgbus_pending_t *p);
static void ngx_msgbus_pending_end(ngx_msgbus_pending_t *p);


ngx_int_t
ngx_msgbus_pending_init(ngx_msgbus_pending_t *p, u_char *addr, size_t size,
    ngx_uint_t fresh)
{
    u_char      *pos, *last;
    uint32_t     n;

    pos = ngx_align_ptr(addr, 64);
    last = addr + size;

    n = (uint32_t) ngx_min(size / NGX_MSGBUS_BYTES_A_CELL,
                           NGX_MSGBUS_MAX_CELLS);

    p->ncells = ngx_max(n, NGX_MSGBUS_MIN_CELLS);

    p->sh = (ngx_msgbus_pending_sh_t *) pos;
    pos += ngx_align(sizeof(ngx_msgbus_pending_sh_t), 64);

    p->cells = (ngx_msgbus_cell_t *) pos;
    pos += ngx_align(p->ncells * sizeof(ngx_msgbus_cell_t), 64);

    if (last - pos < 4096) {
        return NGX_ERROR;
    }

    p->ring = pos;
    p->size = ngx_min((size_t) (last - pos), (size_t) 0xffffffff * 8) & ~7UL;

    if (fresh) {
        ngx_memzero(p->sh, sizeof(ngx_msgbus_pending_sh_t));
        ngx_memzero(p->cells, p->ncells * sizeof(ngx_msgbus_cell_t));

        ngx_msgbus_pending_rebuild(p);
    }

    return NGX_OK;
}


void
ngx_msgbus_pending_check_locked(ngx_msgbus_pending_t *p)
{
    if (p->sh->busy) {
        ngx_msgbus_pending_rebuild(p);
    }
}


/* cells, their lists, and the number of entries, from ring and cells */
static void
ngx_msgbus_pending_rebuild(ngx_msgbus_pending_t *p)
{
    size_t               offset;
    uint32_t             n;
    ngx_uint_t           slot, waits;
    ngx_msgbus_cell_t   *cell;
    ngx_msgbus_entry_t  *e;

    ngx_msgbus_pending_begin(p);

    p->sh->entries = 0;
    p->sh->free = NGX_MSGBUS_CELL_NONE;

    for (slot = 0; slot < NGX_MSGBUS_SLOTS; slot++) {
        p->sh->done[slot] = NGX_MSGBUS_CELL_NONE;
    }

    for (n = 0; n < p->ncells; n++) {
        p->cells[n].next = NGX_MSGBUS_CELL_NONE;

        if (p->cells[n].slot >= NGX_MSGBUS_SLOTS) {
            p->cells[n].state = NGX_MSGBUS_CELL_FREE;
        }
    }

    /*
     * A cell that waits does so for an entry.  One whose entry is settled
     * was about to be told that it is not stored: what is stored has its
     * cell done first.
     */

    offset = p->sh->head;

    while ((e = ngx_msgbus_pending_at_locked(p, &offset)) != NULL) {

        waits = e->state == NGX_MSGBUS_QUEUED || e->state == NGX_MSGBUS_SENT;
        p->sh->entries += waits;

        if (e->cell < p->ncells) {
            cell = &p->cells[e->cell];

            if (cell->state != NGX_MSGBUS_CELL_WAITING
                || cell->entry != (uint32_t) (offset / 8))
            {
                e->cell = NGX_MSGBUS_CELL_NONE;

            } else if (waits) {
                cell->next = e->cell;    /* a mark */

            } else {

                if (e->state == NGX_MSGBUS_SETTLED) {
                    cell->id = 0;
                    cell->created = 0;
                    cell->state = NGX_MSGBUS_CELL_DONE;
                }

                ngx_msgbus_barrier();
                e->cell = NGX_MSGBUS_CELL_NONE;
            }
        }

        offset += e->size;
    }

    for (n = 0; n < p->ncells; n++) {
        cell = &p->cells[n];

        if (cell->state == NGX_MSGBUS_CELL_DONE) {
            cell->next = p->sh->done[cell->slot];
            p->sh->done[cell->slot] = n;

        } else if (cell->next != n) {
            cell->state = NGX_MSGBUS_CELL_FREE;
            cell->next = p->sh->free;
            p->sh->free = n;

        } else {
            cell->next = NGX_MSGBUS_CELL_NONE;
        }
    }

    ngx_msgbus_pending_end(p);
}


ngx_int_t
ngx_msgbus_pending_put_locked(ngx_msgbus_pending_t *p, ngx_uint_t slot,
    ngx_msgbus_event_t *ev, u_char *token, uint64_t posted,
    ngx_msgbus_outcome_t *outcome)
{
    size_t               size, offset;
    u_char              *pos;
    uint32_t             n;
    ngx_msgbus_cell_t   *cell;
    ngx_msgbus_entry_t  *e;

    size = offsetof(ngx_msgbus_entry_t, bytes) + ev->channel->name.len
           + ev->uuid.len + ev->user_agent.len + ev->data.len;
    size = ngx_align(size, 8);

    n = p->sh->free;
    offset = ngx_msgbus_pending_room(p, size);

    if (n == NGX_MSGBUS_CELL_NONE || offset == p->size) {
        return NGX_BUSY;
    }

    if (offset != p->sh->tail && p->size - p->sh->tail >= 8) {
        ((ngx_msgbus_entry_t *) (p->ring + p->sh->tail))->size = 0;
    }

    e = (ngx_msgbus_entry_t *) (p->ring + offset);

    ngx_msgbus_barrier();

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

    ngx_memcpy(e->token, token, NGX_MSGBUS_TOKEN_LEN);

    pos = e->bytes;
    pos = ngx_cpymem(pos, ev->channel->name.data, ev->channel->name.len);
    pos = ngx_cpymem(pos, ev->uuid.data, ev->uuid.len);
    pos = ngx_cpymem(pos, ev->user_agent.data, ev->user_agent.len);
    ngx_memcpy(pos, ev->data.data, ev->data.len);

    ngx_msgbus_pending_begin(p);

    cell = &p->cells[n];

    p->sh->free = cell->next;

    cell->generation++;
    cell->id = 0;
    cell->created = 0;
    cell->slot = (uint32_t) slot;
    cell->entry = (uint32_t) (offset / 8);
    cell->next = NGX_MSGBUS_CELL_NONE;
    cell->state = NGX_MSGBUS_CELL_WAITING;

    ngx_msgbus_barrier();

    p->sh->tail = offset + size;
    p->sh->entries++;

    ngx_msgbus_pending_end(p);

    outcome->cell = n;
    outcome->generation = cell->generation;

    return NGX_OK;
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
    uint32_t            *link;
    ngx_int_t            rc;
    ngx_msgbus_cell_t   *cell;
    ngx_msgbus_entry_t  *e;

    cell = &p->cells[outcome->cell];

    if (cell->generation != outcome->generation
        || cell->state == NGX_MSGBUS_CELL_FREE)
    {
        return NGX_DECLINED;
    }

    ngx_msgbus_pending_begin(p);

    if (cell->state == NGX_MSGBUS_CELL_DONE) {

        link = &p->sh->done[cell->slot];

        while (*link != outcome->cell) {
            link = &p->cells[*link].next;
        }

        *link = cell->next;

        outcome->id = cell->id;
        outcome->created = cell->created;

        rc = NGX_DONE;

    } else {
        e = (ngx_msgbus_entry_t *) (p->ring + (size_t) cell->entry * 8);
        e->cell = NGX_MSGBUS_CELL_NONE;

        if (e->state == NGX_MSGBUS_QUEUED) {
            e->state = NGX_MSGBUS_CANCELED;
            p->sh->entries--;
            rc = NGX_OK;

        } else {
            rc = NGX_AGAIN;
        }
    }

    ngx_msgbus_pending_free(p, outcome->cell);

    ngx_msgbus_pending_end(p);

    return rc;
}


ngx_uint_t
ngx_msgbus_pending_take_locked(ngx_msgbus_pending_t *p, ngx_uint_t slot,
    ngx_msgbus_outcome_t *outcomes, ngx_uint_t max)
{
    uint32_t            n;
    ngx_uint_t          taken;
    ngx_msgbus_cell_t  *cell;

    if (p->sh->done[slot] == NGX_MSGBUS_CELL_NONE) {
        return 0;
    }

    ngx_msgbus_pending_begin(p);

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

        p->sh->done[slot] = cell->next;

        ngx_msgbus_pending_free(p, n);
    }

    ngx_msgbus_pending_end(p);

    return taken;
}


void
ngx_msgbus_pending_sweep_locked(ngx_msgbus_pending_t *p)
{
    uint32_t    n;
    ngx_uint_t  slot;

    ngx_msgbus_pending_begin(p);

    for (slot = 0; slot < NGX_MSGBUS_SLOTS; slot++) {

        if (p->slots->owner[slot]) {
            continue;
        }

        while (p->sh->done[slot] != NGX_MSGBUS_CELL_NONE) {
            n = p->sh->done[slot];
            p->sh->done[slot] = p->cells[n].next;

            ngx_msgbus_pending_free(p, n);
        }
    }

    ngx_msgbus_pending_end(p);
}


static void
ngx_msgbus_pending_free(ngx_msgbus_pending_t *p, uint32_t n)
{
    ngx_msgbus_cell_t  *cell;

    cell = &p->cells[n];

    cell->state = NGX_MSGBUS_CELL_FREE;
    cell->next = p->sh->free;

    p->sh->free = n;
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
}


ngx_int_t
ngx_msgbus_pending_settle_locked(ngx_msgbus_pending_t *p,
    ngx_msgbus_entry_t *e, uint64_t id, uint64_t created)
{
    ngx_int_t           slot;
    ngx_msgbus_cell_t  *cell;

    slot = -1;

    ngx_msgbus_pending_begin(p);

    p->sh->entries--;

    if (id == 0 || id == NGX_MSGBUS_ID_REFUSED) {

        /* before the cell: what was told not to be stored must not be sent */

        e->state = NGX_MSGBUS_SETTLED;
        ngx_msgbus_barrier();
    }

    if (e->cell != NGX_MSGBUS_CELL_NONE) {
        cell = &p->cells[e->cell];

        if (p->slots->owner[cell->slot]) {
            slot = cell->slot;

            cell->id = id;
            cell->created = created;
            cell->next = p->sh->done[slot];

            ngx_msgbus_barrier();

            cell->state = NGX_MSGBUS_CELL_DONE;
            p->sh->done[slot] = e->cell;

        } else {
            ngx_msgbus_pending_free(p, e->cell);
        }

        e->cell = NGX_MSGBUS_CELL_NONE;
    }

    /* after the cell: who dies in between leaves it to be settled again */

    ngx_msgbus_barrier();
    e->state = NGX_MSGBUS_SETTLED;

    ngx_msgbus_pending_end(p);

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


static void
ngx_msgbus_pending_begin(ngx_msgbus_pending_t *p)
{
    p->sh->busy = 1;
    ngx_msgbus_barrier();
}


static void
ngx_msgbus_pending_end(ngx_msgbus_pending_t *p)
{
    ngx_msgbus_barrier();
    p->sh->busy = 0;
}
