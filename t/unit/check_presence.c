
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Does presence fit together?
 *
 * Each seat is free, or an entry of one slot's list and of one chain, or a part
 * of the name of one.  Nothing is changed, and nothing is known of who reads.
 */


#include "check.h"


static void unit_check_entry(ngx_msgbus_presence_t *p, uint32_t n,
    ngx_uint_t slot);
static void unit_check_take(ngx_msgbus_presence_t *p, uint32_t n,
    uint8_t use);


/* how often each seat was found */
static u_char  *unit_seats;


void
unit_check_presence(ngx_msgbus_presence_t *p)
{
    uint32_t    n, prev, i, entries, chained, taken;
    ngx_uint_t  slot;

    unit_check(p->undo->n == 0, "a step is left open");
    unit_check(p->sh->used <= p->capacity, "%u seats of %u", p->sh->used,
               p->capacity);

    unit_seats = realloc(unit_seats, p->capacity);
    memset(unit_seats, 0, p->capacity);

    entries = 0;

    for (slot = 0; slot < NGX_MSGBUS_SLOTS; slot++) {

        prev = NGX_MSGBUS_SEAT_NONE;

        for (n = p->sh->slots[slot].head;
             n != NGX_MSGBUS_SEAT_NONE;
             n = p->seats[n].u.entry.next)
        {
            unit_check_entry(p, n, slot);

            unit_check(p->seats[n].u.entry.prev == prev,
                       "before seat %u is %u, not %u", n, prev,
                       p->seats[n].u.entry.prev);

            prev = n;
            entries++;
        }
    }

    chained = 0;

    for (i = 0; i <= p->mask; i++) {

        for (n = p->buckets[i];
             n != NGX_MSGBUS_SEAT_NONE;
             n = p->seats[n].u.entry.chain)
        {
            unit_check(n < p->sh->used
                       && p->seats[n].use == NGX_MSGBUS_SEAT_ENTRY
                       && (p->seats[n].u.entry.hash & p->mask) == i
                       && ++chained <= entries,
                       "seat %u is in chain %u", n, i);
        }
    }

    unit_check(chained == entries, "%u entries, %u in chains", entries,
               chained);

    for (taken = 0, i = 0; i < p->capacity; i++) {
        taken += unit_seats[i];
    }

    for (n = p->sh->free, i = 0; n != NGX_MSGBUS_SEAT_NONE; i++) {
        unit_check_take(p, n, NGX_MSGBUS_SEAT_FREE);
        n = p->seats[n].more;
    }

    unit_check(taken + i == p->sh->used, "%u seats are lost",
               p->sh->used - taken - i);
    unit_check(p->sh->left == p->capacity - taken,
               "%u seats are left, of %u, %u are taken", p->sh->left,
               p->capacity, taken);
}


static void
unit_check_entry(ngx_msgbus_presence_t *p, uint32_t n, ngx_uint_t slot)
{
    size_t              room;
    uint32_t            m;
    ngx_msgbus_seat_t  *seat;

    unit_check_take(p, n, NGX_MSGBUS_SEAT_ENTRY);

    seat = &p->seats[n];
    room = NGX_MSGBUS_SEAT_FIRST;

    unit_check(seat->slot == slot, "seat %u is of slot %u, not of %u", n,
               seat->slot, (unsigned) slot);
    unit_check(seat->len > 0 && seat->len <= NGX_MSGBUS_CHANNEL_LEN
               && seat->tree <= 1,
               "seat %u has %u bytes, tree %u", n, seat->len, seat->tree);

    for (m = seat->more; m != NGX_MSGBUS_SEAT_NONE; m = p->seats[m].more) {
        unit_check(room < seat->len, "seat %u has seats for more", n);
        unit_check_take(p, m, NGX_MSGBUS_SEAT_NAME);

        room += NGX_MSGBUS_SEAT_MORE;
    }

    unit_check(room >= seat->len, "seat %u has %zu bytes for %u", n, room,
               seat->len);
}


static void
unit_check_take(ngx_msgbus_presence_t *p, uint32_t n, uint8_t use)
{
    unit_check(n < p->sh->used, "seat %u, of %u", n, p->sh->used);
    unit_check(p->seats[n].use == use, "seat %u is used for %u, not for %u",
               n, p->seats[n].use, use);
    unit_check(unit_seats[n]++ == 0, "seat %u is in two places", n);
}
