
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a process leaves that dies at some step of a change of presence.
 *
 * Who takes the lock next must find each entry as it was before the change, or
 * as it is after it: whole, with its name, in all lists or in none, and no seat
 * lost.  And whatever it finds it can sweep, and use all seats again.  How it
 * dies is in crash.c.
 */


#include "crash.h"


#define CRASH_SIZE      16384
#define CRASH_PRESENCE  6016           /* of it: some 50 seats */
#define CRASH_NAMES     80
#define CRASH_SLOTS     3


/* of what is named, and whose: is there an entry? */
typedef struct {
    ngx_uint_t             before;
    ngx_uint_t             after;
} crash_fate_t;


static void crash_begin(void);
static void crash_prepared(void);
static void crash_known(void);
static ngx_uint_t crash_inherit(u_char *addr, ngx_uint_t level);
static void crash_take_over(void);
static void crash_autopsy(ngx_uint_t level, ngx_uint_t busy);

static void crash_view(ngx_msgbus_presence_t *p, u_char *addr,
    ngx_uint_t fresh);
static void crash_name(ngx_uint_t n, ngx_msgbus_named_t *named);
static uint32_t crash_find(ngx_msgbus_presence_t *p, ngx_uint_t n,
    ngx_uint_t slot);
static ngx_int_t crash_add(ngx_msgbus_presence_t *p, ngx_uint_t n,
    ngx_uint_t slot);
static void crash_remove(ngx_uint_t n, ngx_uint_t slot);
static void crash_some(void);
static void crash_full(void);

static void crash_prepare_first(void);
static void crash_prepare_short(void);
static void crash_prepare_long(void);
static void crash_prepare_again(void);
static void crash_prepare_again_long(void);
static void crash_prepare_no_seat(void);
static void crash_prepare_newest(void);
static void crash_prepare_oldest(void);
static void crash_prepare_middle(void);
static void crash_prepare_leave_long(void);
static void crash_prepare_sweep(void);
static void crash_change_add(void);
static void crash_change_remove(void);
static void crash_change_sweep(void);


static crash_case_t  cases[] = {

    { "the first entry",
      crash_prepare_first, crash_change_add },

    { "an entry with others in its chain and in its list",
      crash_prepare_short, crash_change_add },

    { "an entry with a name of 255 bytes",
      crash_prepare_long, crash_change_add },

    { "an entry in the seat of one that has left",
      crash_prepare_again, crash_change_add },

    { "an entry in such seats and new ones",
      crash_prepare_again_long, crash_change_add },

    { "an entry that finds no seat",
      crash_prepare_no_seat, crash_change_add },

    { "the newest of a list leaves",
      crash_prepare_newest, crash_change_remove },

    { "the oldest of a list leaves",
      crash_prepare_oldest, crash_change_remove },

    { "one in the middle leaves",
      crash_prepare_middle, crash_change_remove },

    { "one with a long name leaves",
      crash_prepare_leave_long, crash_change_remove },

    { "sweeping",
      crash_prepare_sweep, crash_change_sweep },

    { NULL, NULL, NULL }
};


static crash_subject_t  subject = {
    CRASH_SIZE,
    crash_begin,
    crash_prepared,
    crash_known,
    crash_inherit,
    crash_take_over,
    crash_autopsy
};


static ngx_msgbus_presence_t   the_presence, heirs[CRASH_LEVELS], *heir;
static crash_fate_t            fates[CRASH_NAMES][CRASH_SLOTS];
static u_char                  names[CRASH_NAMES][NGX_MSGBUS_CHANNEL_LEN];
static ngx_uint_t              target, target_slot;


int
main(void)
{
    unit_init();

    crash_run(&subject, cases);

    return 0;
}


static void
crash_begin(void)
{
    memset(crash_zone, 0xa5, CRASH_SIZE);
    memset(crash_zone, 0, ngx_align(sizeof(ngx_msgbus_slots_sh_t), 64)
                          + sizeof(ngx_msgbus_guard_sh_t));

    crash_view(&the_presence, crash_zone, 1);
}


static void
crash_prepared(void)
{
    ngx_uint_t  n, slot;

    unit_check_presence(&the_presence);

    for (n = 0; n < CRASH_NAMES; n++) {
        for (slot = 0; slot < CRASH_SLOTS; slot++) {
            fates[n][slot].before = crash_find(&the_presence, n, slot)
                                    != NGX_MSGBUS_SEAT_NONE;
        }
    }
}


static void
crash_known(void)
{
    ngx_uint_t  n, slot;

    unit_check_presence(&the_presence);

    for (n = 0; n < CRASH_NAMES; n++) {
        for (slot = 0; slot < CRASH_SLOTS; slot++) {
            fates[n][slot].after = crash_find(&the_presence, n, slot)
                                   != NGX_MSGBUS_SEAT_NONE;
        }
    }
}


static ngx_uint_t
crash_inherit(u_char *addr, ngx_uint_t level)
{
    heir = &heirs[level];
    crash_view(heir, addr, 0);

    return heir->undo->n != 0;
}


static void
crash_take_over(void)
{
    ngx_msgbus_undo_locked(heir->undo);
}


static void
crash_autopsy(ngx_uint_t level, ngx_uint_t busy)
{
    uint32_t                left;
    ngx_uint_t              n, slot, found, seats;
    ngx_msgbus_presence_t  *p;

    p = &heirs[level];
    seats = 0;

    unit_check_presence(p);

    for (n = 0; n < CRASH_NAMES; n++) {
        for (slot = 0; slot < CRASH_SLOTS; slot++) {

            found = crash_find(p, n, slot) != NGX_MSGBUS_SEAT_NONE;

            unit_check(found == fates[n][slot].before
                       || found == fates[n][slot].after,
                       "entry %u of slot %u is %u, and was %u",
                       (unsigned) n, (unsigned) slot, (unsigned) found,
                       (unsigned) fates[n][slot].before);
        }
    }

    /* the life after: one more of each kind, and none at all */

    for (n = 0; n < CRASH_NAMES; n++) {
        if (crash_find(p, n, 1) == NGX_MSGBUS_SEAT_NONE) {
            seats += crash_add(p, n, 1) == NGX_OK;
        }
    }

    unit_check(seats || p->sh->left == 0, "nothing can be added");
    unit_check_presence(p);

    for (slot = 0; slot < CRASH_SLOTS; slot++) {
        while (ngx_msgbus_presence_sweep_locked(p, slot, 7) == NGX_AGAIN) {
            left = p->sh->left;
            unit_check(left < p->capacity, "there is no end of slot %u",
                       (unsigned) slot);
        }
    }

    unit_check_presence(p);
    unit_check(p->sh->left == p->capacity, "%u of %u seats are left",
               p->sh->left, p->capacity);
}


static void
crash_view(ngx_msgbus_presence_t *p, u_char *addr, ngx_uint_t fresh)
{
    ngx_msgbus_guard_sh_t  *guard;

    memset(p, 0, sizeof(ngx_msgbus_presence_t));

    p->workers = (ngx_msgbus_slots_sh_t *) addr;
    addr += ngx_align(sizeof(ngx_msgbus_slots_sh_t), 64);

    guard = (ngx_msgbus_guard_sh_t *) addr;
    addr += ngx_align(sizeof(ngx_msgbus_guard_sh_t), 64);

    p->undo = &guard->undo;

    ngx_msgbus_presence_init(p, addr, CRASH_PRESENCE, fresh);
}


/*
 * Of all lengths, few hashes, and each second one a tree.  Each has bytes of its
 * own: an autopsy comes in the middle of a change, and looks for others.
 */
static void
crash_name(ngx_uint_t n, ngx_msgbus_named_t *named)
{
    u_char     *name;
    ngx_uint_t  i;

    name = names[n];

    named->name.data = name;
    named->name.len = n % 8 == 7 ? 255 : 2 + n % 8 * 13;
    named->hash = n % 5;
    named->tree = n % 2;

    if (name[0]) {
        return;
    }

    name[0] = '/';

    for (i = 1; i < named->name.len; i++) {
        name[i] = 'A' + (n + i * 7) % 26;
    }

    name[1] = '0' + n;
}


static uint32_t
crash_find(ngx_msgbus_presence_t *p, ngx_uint_t n, ngx_uint_t slot)
{
    uint32_t            m;
    u_char              name[NGX_MSGBUS_CHANNEL_LEN];
    ngx_msgbus_seat_t  *seat;
    ngx_msgbus_named_t  named;

    crash_name(n, &named);

    for (m = p->sh->slots[slot].head;
         m != NGX_MSGBUS_SEAT_NONE;
         m = seat->u.entry.next)
    {
        seat = &p->seats[m];
        ngx_msgbus_presence_name_locked(p, seat, name);

        if (seat->len == named.name.len && seat->tree == named.tree
            && memcmp(name, named.name.data, seat->len) == 0)
        {
            unit_check(seat->u.entry.hash == named.hash,
                       "entry %u has hash %u", (unsigned) n,
                       seat->u.entry.hash);
            return m;
        }
    }

    return NGX_MSGBUS_SEAT_NONE;
}


static ngx_int_t
crash_add(ngx_msgbus_presence_t *p, ngx_uint_t n, ngx_uint_t slot)
{
    uint32_t            seat;
    ngx_msgbus_named_t  named;

    crash_name(n, &named);

    return ngx_msgbus_presence_add_locked(p, slot, &named, &seat);
}


static void
crash_remove(ngx_uint_t n, ngx_uint_t slot)
{
    ngx_msgbus_presence_remove_locked(&the_presence,
                                      crash_find(&the_presence, n, slot));
}


static void
crash_some(void)
{
    ngx_uint_t  n;

    for (n = 0; n < 12; n++) {
        unit_check(crash_add(&the_presence, n, n % CRASH_SLOTS) == NGX_OK,
                   "no seat");
    }

    target = 20;
    target_slot = 0;
}


static void
crash_full(void)
{
    ngx_uint_t  n;

    for (n = 0; n < CRASH_NAMES; n += 8) {
        (void) crash_add(&the_presence, n, 2);
    }

    for (n = 0; crash_add(&the_presence, n, n % CRASH_SLOTS) == NGX_OK; n++) {
        /* void */
    }
}


static void
crash_prepare_first(void)
{
    target = 0;
    target_slot = 0;
}


static void
crash_prepare_short(void)
{
    crash_some();

    target = 24;
}


static void
crash_prepare_long(void)
{
    crash_some();

    target = 23;
}


static void
crash_prepare_again(void)
{
    crash_some();
    crash_remove(4, 1);
    crash_remove(3, 0);

    target = 16;
}


static void
crash_prepare_again_long(void)
{
    crash_some();
    crash_remove(0, 0);
    crash_remove(2, 2);

    target = 15;
}


static void
crash_prepare_no_seat(void)
{
    crash_full();

    target = 79;
    target_slot = 1;
}


static void
crash_prepare_newest(void)
{
    crash_some();

    target = 9;
}


static void
crash_prepare_oldest(void)
{
    crash_some();

    target = 0;
}


static void
crash_prepare_middle(void)
{
    crash_some();

    target = 6;
}


static void
crash_prepare_leave_long(void)
{
    crash_some();
    crash_remove(9, 0);

    target = 7;
    target_slot = 1;
}


static void
crash_prepare_sweep(void)
{
    crash_some();

    target_slot = 1;
}


static void
crash_change_add(void)
{
    (void) crash_add(&the_presence, target, target_slot);
}


static void
crash_change_remove(void)
{
    crash_remove(target, target_slot);
}


static void
crash_change_sweep(void)
{
    (void) ngx_msgbus_presence_sweep_locked(&the_presence, target_slot, 64);
}
