
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Who reads what, in the zone: for each worker, how many of its readers name
 * which channel.
 *
 * Seats of one size, as many as the zone affords: an entry takes as many of
 * them as its name is long.  So neither a crowd of readers nor long names take
 * more than that, and what has no seat is told as untold.  Entries stand in a
 * list for each worker, by which a dead one's are found, and in chains of a
 * hash of names, by which one channel's are.
 *
 * An entry that comes or leaves is a step: whoever dies in the middle of one,
 * the next that takes the lock takes it back.  What the counts are, who tells
 * them and when, is not this room's.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_presence.h"


/* the share of a zone, and the least of it */
#define NGX_MSGBUS_PRESENCE_SHARE  32
#define NGX_MSGBUS_PRESENCE_MIN    8192


static ngx_uint_t ngx_msgbus_presence_seats(size_t len);
static uint32_t ngx_msgbus_presence_take(ngx_msgbus_presence_t *p,
    uint32_t more, ngx_uint_t use);
static ngx_uint_t ngx_msgbus_presence_is(ngx_msgbus_presence_t *p,
    ngx_msgbus_seat_t *seat, ngx_msgbus_named_t *named);


size_t
ngx_msgbus_presence_size(size_t zone)
{
    return ngx_max(zone / NGX_MSGBUS_PRESENCE_SHARE, NGX_MSGBUS_PRESENCE_MIN);
}


void
ngx_msgbus_presence_init(ngx_msgbus_presence_t *p, u_char *addr, size_t size,
    ngx_uint_t fresh)
{
    u_char      *last;
    size_t       room;
    uint32_t     buckets;
    ngx_uint_t   i;

    last = addr + size;

    addr = ngx_align_ptr(addr, 64);
    p->sh = (ngx_msgbus_presence_sh_t *) addr;
    addr += ngx_align(sizeof(ngx_msgbus_presence_sh_t), 64);

    room = last - addr;

    /* 1 bucket to 2 for each seat, at most */

    p->capacity = (uint32_t) ngx_min(room / (sizeof(ngx_msgbus_seat_t)
                                             + 2 * sizeof(uint32_t)),
                                     NGX_MSGBUS_SEAT_NONE / 4);

    for (buckets = 1; buckets < p->capacity; buckets <<= 1) { /* void */ }

    p->mask = buckets - 1;

    p->seats = (ngx_msgbus_seat_t *) addr;
    p->buckets = (uint32_t *) (addr + (size_t) p->capacity
                                      * sizeof(ngx_msgbus_seat_t));

    if (!fresh) {
        return;
    }

    ngx_memzero(p->sh, sizeof(ngx_msgbus_presence_sh_t));
    ngx_memset(p->buckets, 0xff, (size_t) buckets * sizeof(uint32_t));

    p->sh->free = NGX_MSGBUS_SEAT_NONE;
    p->sh->left = p->capacity;

    for (i = 0; i < NGX_MSGBUS_SLOTS; i++) {
        p->sh->slots[i].head = NGX_MSGBUS_SEAT_NONE;
    }
}


ngx_int_t
ngx_msgbus_presence_add_locked(ngx_msgbus_presence_t *p, ngx_uint_t slot,
    ngx_msgbus_named_t *named, uint32_t *found)
{
    size_t                       len, rest;
    uint32_t                     n, more, *bucket;
    ngx_uint_t                   seats;
    ngx_msgbus_seat_t           *seat;
    ngx_msgbus_undo_t           *undo;
    ngx_msgbus_presence_slot_t  *s;

    undo = p->undo;
    len = named->name.len;
    seats = ngx_msgbus_presence_seats(len);

    if (seats > p->sh->left) {
        return NGX_BUSY;
    }

    ngx_msgbus_undo_set(undo, p->sh->left, p->sh->left - (uint32_t) seats);

    /* the end of the name first: each seat knows the one behind it */

    more = NGX_MSGBUS_SEAT_NONE;

    while (len > NGX_MSGBUS_SEAT_FIRST) {
        rest = (len - NGX_MSGBUS_SEAT_FIRST - 1) % NGX_MSGBUS_SEAT_MORE + 1;
        len -= rest;

        more = ngx_msgbus_presence_take(p, more, NGX_MSGBUS_SEAT_NAME);
        ngx_memcpy(p->seats[more].u.name, named->name.data + len, rest);
    }

    n = ngx_msgbus_presence_take(p, more, NGX_MSGBUS_SEAT_ENTRY);

    seat = &p->seats[n];
    s = &p->sh->slots[slot];
    bucket = &p->buckets[named->hash & p->mask];

    seat->slot = (uint8_t) slot;
    seat->tree = (uint8_t) named->tree;
    seat->len = (uint8_t) named->name.len;

    seat->u.entry.hash = named->hash;
    seat->u.entry.chain = *bucket;
    seat->u.entry.next = s->head;
    seat->u.entry.prev = NGX_MSGBUS_SEAT_NONE;
    seat->u.entry.count[NGX_MSGBUS_LONG_POLL] = 0;
    seat->u.entry.count[NGX_MSGBUS_STREAM] = 0;
    ngx_memcpy(seat->u.entry.name, named->name.data, len);

    if (s->head != NGX_MSGBUS_SEAT_NONE) {
        ngx_msgbus_undo_set(undo, p->seats[s->head].u.entry.prev, n);
    }

    ngx_msgbus_undo_set(undo, s->head, n);
    ngx_msgbus_undo_set(undo, *bucket, n);
    ngx_msgbus_undo_done(undo);

    *found = n;

    return NGX_OK;
}


static ngx_uint_t
ngx_msgbus_presence_seats(size_t len)
{
    if (len <= NGX_MSGBUS_SEAT_FIRST) {
        return 1;
    }

    return 1 + (len - NGX_MSGBUS_SEAT_FIRST + NGX_MSGBUS_SEAT_MORE - 1)
               / NGX_MSGBUS_SEAT_MORE;
}


/* a part of the step of an entry that comes; there is a seat */
static uint32_t
ngx_msgbus_presence_take(ngx_msgbus_presence_t *p, uint32_t more,
    ngx_uint_t use)
{
    uint32_t                   n;
    ngx_msgbus_seat_t         *seat;
    ngx_msgbus_presence_sh_t  *sh;

    sh = p->sh;
    n = sh->free;

    if (n != NGX_MSGBUS_SEAT_NONE) {
        ngx_msgbus_undo_set(p->undo, sh->free, p->seats[n].more);

    } else {
        n = sh->used;
        ngx_msgbus_undo_set(p->undo, sh->used, n + 1);
    }

    seat = &p->seats[n];

    /* one word: "more" and all up to "len" */

    ngx_msgbus_undo_note(p->undo, &seat->more);

    seat->more = more;
    seat->use = (uint8_t) use;

    return n;
}


void
ngx_msgbus_presence_remove_locked(ngx_msgbus_presence_t *p, uint32_t n)
{
    uint32_t                     i, last, seats, *link;
    ngx_msgbus_seat_t           *seat;
    ngx_msgbus_undo_t           *undo;
    ngx_msgbus_presence_sh_t    *sh;
    ngx_msgbus_presence_slot_t  *s;

    sh = p->sh;
    undo = p->undo;
    seat = &p->seats[n];
    s = &sh->slots[seat->slot];

    for (link = &p->buckets[seat->u.entry.hash & p->mask];
         *link != n;
         link = &p->seats[*link].u.entry.chain)
    {
        /* void */
    }

    ngx_msgbus_undo_set(undo, *link, seat->u.entry.chain);

    if (seat->u.entry.prev == NGX_MSGBUS_SEAT_NONE) {
        ngx_msgbus_undo_set(undo, s->head, seat->u.entry.next);

    } else {
        ngx_msgbus_undo_set(undo, p->seats[seat->u.entry.prev].u.entry.next,
                            seat->u.entry.next);
    }

    if (seat->u.entry.next != NGX_MSGBUS_SEAT_NONE) {
        ngx_msgbus_undo_set(undo, p->seats[seat->u.entry.next].u.entry.prev,
                            seat->u.entry.prev);
    }

    /* its seats hang together as those that are free do */

    last = n;
    seats = 0;

    for (i = n; i != NGX_MSGBUS_SEAT_NONE; i = p->seats[i].more) {
        ngx_msgbus_undo_note(undo, &p->seats[i].more);
        p->seats[i].use = NGX_MSGBUS_SEAT_FREE;

        last = i;
        seats++;
    }

    p->seats[last].more = sh->free;

    ngx_msgbus_undo_set(undo, sh->free, n);
    ngx_msgbus_undo_set(undo, sh->left, sh->left + seats);
    ngx_msgbus_undo_done(undo);
}


ngx_int_t
ngx_msgbus_presence_sweep_locked(ngx_msgbus_presence_t *p, ngx_uint_t slot,
    ngx_uint_t max)
{
    ngx_msgbus_presence_slot_t  *s;

    s = &p->sh->slots[slot];

    while (s->head != NGX_MSGBUS_SEAT_NONE) {

        if (max-- == 0) {
            return NGX_AGAIN;
        }

        ngx_msgbus_presence_remove_locked(p, s->head);
    }

    s->untold = 0;

    return NGX_OK;
}


ngx_uint_t
ngx_msgbus_presence_counts_locked(ngx_msgbus_presence_t *p,
    ngx_msgbus_seat_t *seat)
{
    ngx_atomic_uint_t  owner;

    owner = p->sh->slots[seat->slot].owner;

    return owner && owner == p->workers->owner[seat->slot];
}


uint64_t
ngx_msgbus_presence_sum_locked(ngx_msgbus_presence_t *p,
    ngx_msgbus_named_t *named, ngx_int_t but)
{
    uint32_t            n;
    uint64_t            sum;
    ngx_msgbus_seat_t  *seat;

    sum = 0;

    for (n = p->buckets[named->hash & p->mask];
         n != NGX_MSGBUS_SEAT_NONE;
         n = seat->u.entry.chain)
    {
        seat = &p->seats[n];

        if (seat->slot != but
            && ngx_msgbus_presence_is(p, seat, named)
            && ngx_msgbus_presence_counts_locked(p, seat))
        {
            sum += seat->u.entry.count[NGX_MSGBUS_LONG_POLL];
            sum += seat->u.entry.count[NGX_MSGBUS_STREAM];
        }
    }

    return sum;
}


/* an entry of what is named? */
static ngx_uint_t
ngx_msgbus_presence_is(ngx_msgbus_presence_t *p, ngx_msgbus_seat_t *seat,
    ngx_msgbus_named_t *named)
{
    u_char  name[NGX_MSGBUS_CHANNEL_LEN];

    if (seat->u.entry.hash != named->hash
        || seat->tree != named->tree
        || seat->len != named->name.len)
    {
        return 0;
    }

    ngx_msgbus_presence_name_locked(p, seat, name);

    return ngx_memcmp(name, named->name.data, named->name.len) == 0;
}


void
ngx_msgbus_presence_name_locked(ngx_msgbus_presence_t *p,
    ngx_msgbus_seat_t *seat, u_char *name)
{
    size_t  len, part;

    len = seat->len;
    part = ngx_min(len, NGX_MSGBUS_SEAT_FIRST);

    name = ngx_cpymem(name, seat->u.entry.name, part);

    for (len -= part; len; len -= part) {
        seat = &p->seats[seat->more];
        part = ngx_min(len, NGX_MSGBUS_SEAT_MORE);

        name = ngx_cpymem(name, seat->u.name, part);
    }
}
