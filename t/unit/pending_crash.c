
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a process leaves that dies at some step of a change of pending posts.
 *
 * Who takes the lock next must find each post as it was before the change, or
 * as it is after it.  All in their order, no cell lost or used twice, and fit
 * for whatever comes next: all outcomes are told, once, and all cells can be
 * had again.  How it dies is in crash.c.
 */


#include "crash.h"


#define CRASH_SIZE     16384
#define CRASH_PENDING  6080            /* of it: pending posts */
#define CRASH_POSTS    100
#define CRASH_UNKEYED  200             /* larger ones have no key, */
#define CRASH_NO_KEY   11              /*   nor those below it */
#define CRASH_SLOTS    4
#define CRASH_DEAD     3               /* a slot without a worker */
#define CRASH_ID       1000            /* of the first post */
#define CRASH_CREATED  1330000000000
#define CRASH_TAKEN    8


/* of a post, as others can see it */
typedef struct {
    uint32_t               state;      /* of its entry; 0: none, or closed */
    uint32_t               asked;      /* its entry knows its cell */
    uint32_t               outcome;    /* state of its cell; 0: it has none */
    uint64_t               id;
} crash_fate_t;


typedef struct {
    uint32_t               cell;
    uint64_t               generation;
    ngx_uint_t             slot;
    size_t                 len;
    crash_fate_t           before;
    crash_fate_t           after;
    crash_fate_t           found;
    ngx_uint_t             told;
} crash_post_t;


#define crash_keyed(n)                                                        \
    (posts[n].len >= CRASH_NO_KEY && posts[n].len < CRASH_UNKEYED)


static void crash_begin(void);
static void crash_prepared(void);
static void crash_known(void);
static ngx_uint_t crash_inherit(u_char *addr, ngx_uint_t level);
static void crash_take_over(void);
static void crash_autopsy(ngx_uint_t level, ngx_uint_t busy);
static void crash_look(ngx_msgbus_pending_t *p);
static void crash_fate(ngx_msgbus_pending_t *p, ngx_uint_t n,
    crash_fate_t *fate);
static ngx_uint_t crash_same(crash_fate_t *one, crash_fate_t *two);
static void crash_judge(ngx_uint_t n);
static void crash_settle_all(ngx_msgbus_pending_t *p);
static void crash_take_all(ngx_msgbus_pending_t *p);
static void crash_cells(ngx_msgbus_pending_t *p);

static ngx_uint_t crash_tag(ngx_msgbus_entry_t *e);
static ngx_msgbus_entry_t *crash_entry(ngx_msgbus_pending_t *p,
    ngx_uint_t n);
static ngx_int_t crash_put(ngx_msgbus_pending_t *p, ngx_uint_t n,
    ngx_msgbus_outcome_t *outcome);
static void crash_key(ngx_msgbus_key_t *key, ngx_uint_t n);
static void crash_view(ngx_msgbus_pending_t *p, u_char *addr,
    ngx_uint_t fresh);

static void crash_start(void);
static void crash_post(ngx_uint_t slot, size_t len);
static void crash_posts(ngx_uint_t n);
static void crash_send(ngx_uint_t n);
static void crash_settle(ngx_uint_t n, uint64_t id);
static void crash_fill_up(size_t left);
static void crash_plan(ngx_uint_t slot, size_t len);

static void crash_prepare_first(void);
static void crash_prepare_behind(void);
static void crash_prepare_wrap(void);
static void crash_prepare_wrap_exact(void);
static void crash_prepare_wrap_empty(void);
static void crash_prepare_full(void);
static void crash_prepare_no_cell(void);
static void crash_prepare_cancel_queued(void);
static void crash_prepare_cancel_sent(void);
static void crash_prepare_cancel_done(void);
static void crash_prepare_done(void);
static void crash_prepare_settle(void);
static void crash_prepare_settle_middle(void);
static void crash_prepare_settle_given_up(void);
static void crash_prepare_settle_dead(void);
static void crash_prepare_refuse(void);
static void crash_prepare_refuse_queued(void);
static void crash_prepare_refuse_given_up(void);
static void crash_prepare_refuse_dead(void);
static void crash_prepare_sweep(void);
static void crash_prepare_trim(void);
static void crash_change_put(void);
static void crash_change_cancel(void);
static void crash_change_take(void);
static void crash_change_settle(void);
static void crash_change_sweep(void);
static void crash_change_trim(void);


static crash_case_t  cases[] = {

    { "the first put",
      crash_prepare_first, crash_change_put },

    { "a put behind others",
      crash_prepare_behind, crash_change_put },

    { "a put that goes on at the start of the ring",
      crash_prepare_wrap, crash_change_put },

    { "a put behind the last byte of the ring",
      crash_prepare_wrap_exact, crash_change_put },

    { "a put into an empty ring, at its end",
      crash_prepare_wrap_empty, crash_change_put },

    { "a put that finds no room",
      crash_prepare_full, crash_change_put },

    { "a put that finds no cell",
      crash_prepare_no_cell, crash_change_put },

    { "giving up what is queued",
      crash_prepare_cancel_queued, crash_change_cancel },

    { "giving up what is sent",
      crash_prepare_cancel_sent, crash_change_cancel },

    { "giving up what is done",
      crash_prepare_cancel_done, crash_change_cancel },

    { "taking outcomes",
      crash_prepare_done, crash_change_take },

    { "settling the oldest with an id",
      crash_prepare_settle, crash_change_settle },

    { "settling one in the middle with an id",
      crash_prepare_settle_middle, crash_change_settle },

    { "settling what was given up with an id",
      crash_prepare_settle_given_up, crash_change_settle },

    { "settling with an id for a dead worker",
      crash_prepare_settle_dead, crash_change_settle },

    { "settling what was sent as not stored",
      crash_prepare_refuse, crash_change_settle },

    { "settling what is queued as not stored",
      crash_prepare_refuse_queued, crash_change_settle },

    { "settling what was given up as not stored",
      crash_prepare_refuse_given_up, crash_change_settle },

    { "settling as not stored for a dead worker",
      crash_prepare_refuse_dead, crash_change_settle },

    { "sweeping",
      crash_prepare_sweep, crash_change_sweep },

    { "trimming",
      crash_prepare_trim, crash_change_trim },

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


/* nobody waits for a post any more */
#define crash_dead(n)  (!the_pending.slots->owner[posts[n].slot])


static ngx_msgbus_pending_t   the_pending, heirs[CRASH_LEVELS], *heir;
static u_char                 noise[CRASH_SIZE];

/* of the case */
static crash_post_t           posts[CRASH_POSTS];
static ngx_uint_t             n_posts;
static ngx_uint_t             planned;     /* one more is put */
static ngx_uint_t             target;      /* the post that is changed */
static uint64_t               target_id;


int
main(void)
{
    size_t  i;

    unit_init();

    for (i = 0; i < CRASH_SIZE; i++) {
        noise[i] = (u_char) unit_random();
    }

    crash_run(&subject, cases);

    return 0;
}


static void
crash_begin(void)
{
    memset(posts, 0, sizeof(posts));

    n_posts = 0;
    planned = 0;
    target = 0;
    target_id = 0;
}


static void
crash_prepared(void)
{
    ngx_uint_t  n;

    for (n = 0; n < n_posts; n++) {
        crash_fate(&the_pending, n, &posts[n].before);
    }
}


static void
crash_known(void)
{
    ngx_uint_t  n;

    unit_check_pending(&the_pending);

    n_posts += planned;

    for (n = 0; n < n_posts; n++) {
        crash_fate(&the_pending, n, &posts[n].after);
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
    ngx_uint_t             n;
    ngx_msgbus_pending_t  *p;

    p = &heirs[level];

    unit_check_pending(p);
    crash_look(p);

    for (n = 0; n < n_posts; n++) {
        posts[n].told = 0;
        crash_fate(p, n, &posts[n].found);
        crash_judge(n);
    }

    crash_settle_all(p);
    crash_take_all(p);
    crash_cells(p);
}


/* the entries are those that were put, whole, in their order */
static void
crash_look(ngx_msgbus_pending_t *p)
{
    size_t               offset;
    ngx_str_t            channel;
    ngx_uint_t           n, next;
    ngx_msgbus_key_t     key;
    ngx_msgbus_event_t   ev;
    ngx_msgbus_entry_t  *e;

    offset = p->sh->head;

    for (next = 0;
         (e = ngx_msgbus_pending_at_locked(p, &offset)) != NULL;
         next = n + 1)
    {
        n = crash_tag(e);

        unit_check(n >= next && n < n_posts, "entry %u in place of %u",
                   (unsigned) n, (unsigned) next);

        ngx_msgbus_entry_event(e, &channel, &ev);

        unit_check(channel.len == 2 && ev.uuid.len == 3
                   && ev.user_agent.len == 4
                   && ev.data.len == posts[n].len
                   && memcmp(channel.data, noise + n, 9 + posts[n].len) == 0
                   && e->posted == n,
                   "entry %u is not what was put", (unsigned) n);

        if (crash_keyed(n)) {
            crash_key(&key, n);

            unit_check(ev.key && memcmp(ev.key, &key, sizeof(key)) == 0
                       && ngx_msgbus_pending_keyed_locked(p, &key)
                          == (e->state == NGX_MSGBUS_QUEUED
                              || e->state == NGX_MSGBUS_SENT),
                       "entry %u, state %u, and its key", (unsigned) n,
                       e->state);
        }

        offset += e->size;
    }
}


static void
crash_fate(ngx_msgbus_pending_t *p, ngx_uint_t n, crash_fate_t *fate)
{
    ngx_msgbus_cell_t   *cell;
    ngx_msgbus_entry_t  *e;

    memset(fate, 0, sizeof(crash_fate_t));

    e = crash_entry(p, n);
    cell = &p->cells[posts[n].cell];

    if (e && (e->state == NGX_MSGBUS_QUEUED || e->state == NGX_MSGBUS_SENT)) {
        fate->state = e->state;
        fate->asked = e->cell == posts[n].cell;

        unit_check(fate->asked || e->cell == NGX_MSGBUS_CELL_NONE,
                   "post %u has another's cell", (unsigned) n);
    }

    if (posts[n].generation && cell->generation == posts[n].generation) {
        fate->outcome = cell->state;

        if (cell->state == NGX_MSGBUS_CELL_DONE) {
            fate->id = cell->id;

            unit_check(cell->created == (cell->id ? CRASH_CREATED : 0),
                       "post %u is of %" PRIu64, (unsigned) n, cell->created);
        }
    }
}


static ngx_uint_t
crash_same(crash_fate_t *one, crash_fate_t *two)
{
    return one->state == two->state && one->asked == two->asked
           && one->outcome == two->outcome && one->id == two->id;
}


static void
crash_judge(ngx_uint_t n)
{
    crash_fate_t  *found, *before, *after;

    found = &posts[n].found;
    before = &posts[n].before;
    after = &posts[n].after;

    unit_check(found->outcome != NGX_MSGBUS_CELL_DONE || found->id
               || found->state == 0,
               "post %u is said not to be stored, and may be sent",
               (unsigned) n);

    unit_check(crash_same(found, before) || crash_same(found, after),
               "post %u: entry %u, asked %u, outcome %u, id %" PRIu64
               ", neither as before (%u %u %u %" PRIu64
               ") nor as after (%u %u %u %" PRIu64 ")",
               (unsigned) n, found->state, found->asked, found->outcome,
               found->id, before->state, before->asked, before->outcome,
               before->id, after->state, after->asked, after->outcome,
               after->id);
}


/* what the next committer does */
static void
crash_settle_all(ngx_msgbus_pending_t *p)
{
    uint64_t             id;
    ngx_int_t            slot;
    ngx_uint_t           n;
    crash_fate_t        *found;
    ngx_msgbus_entry_t  *e;

    for (n = 0; n < n_posts; n++) {
        found = &posts[n].found;

        if (found->state == 0) {
            continue;
        }

        /* an id that was told is told again, and no other one */

        id = found->id ? found->id : n % 2 ? CRASH_ID + n : 0;

        e = crash_entry(p, n);

        slot = ngx_msgbus_pending_settle_locked(p, e, id,
                                                id ? CRASH_CREATED : 0);

        unit_check(slot == (found->asked && !crash_dead(n)
                            ? (ngx_int_t) posts[n].slot : -1),
                   "slot %d is woken for post %u", (int) slot, (unsigned) n);

        if (slot != -1) {
            found->outcome = NGX_MSGBUS_CELL_DONE;
            found->id = id;

        } else if (found->asked) {
            found->outcome = NGX_MSGBUS_CELL_FREE;
        }

        unit_check_pending(p);
    }

    ngx_msgbus_pending_trim_locked(p);

    unit_check(p->sh->entries == 0 && p->sh->head == p->sh->tail,
               "%" PRIu64 " entries are left", p->sh->entries);
}


/* all outcomes, each once, those of dead workers by the sweep */
static void
crash_take_all(ngx_msgbus_pending_t *p)
{
    ngx_uint_t             n, i, k, slot;
    ngx_msgbus_outcome_t   outcomes[CRASH_TAKEN];

    ngx_msgbus_pending_sweep_locked(p);

    unit_check_pending(p);

    for (slot = 0; slot < NGX_MSGBUS_SLOTS; slot++) {

        while ((k = ngx_msgbus_pending_take_locked(p, slot, outcomes,
                                                   CRASH_TAKEN))
               > 0)
        {
            for (i = 0; i < k; i++) {

                for (n = 0; n < n_posts; n++) {
                    if (posts[n].cell == outcomes[i].cell
                        && posts[n].generation == outcomes[i].generation)
                    {
                        break;
                    }
                }

                unit_check(n < n_posts && posts[n].slot == slot,
                           "an outcome of no post");
                unit_check(!posts[n].told, "post %u is told twice",
                           (unsigned) n);
                unit_check(posts[n].found.outcome == NGX_MSGBUS_CELL_DONE
                           && posts[n].found.id == outcomes[i].id,
                           "post %u has id %" PRIu64, (unsigned) n,
                           outcomes[i].id);

                posts[n].told = 1;
            }
        }
    }

    for (n = 0; n < n_posts; n++) {
        unit_check(posts[n].told
                   || posts[n].found.outcome == NGX_MSGBUS_CELL_FREE
                   || crash_dead(n),
                   "post %u is never told", (unsigned) n);
    }
}


/* all cells can be had, and the largest entry */
static void
crash_cells(ngx_msgbus_pending_t *p)
{
    uint32_t               n;
    ngx_uint_t             i;
    ngx_msgbus_outcome_t   outcomes[CRASH_POSTS];

    i = CRASH_POSTS - 1;

    posts[i].slot = 0;
    posts[i].len = 1;

    for (n = 0; n < p->ncells; n++) {
        unit_check(crash_put(p, i, &outcomes[n]) == NGX_OK,
                   "%u of %u cells can be taken", n, p->ncells);
    }

    unit_check(crash_put(p, i, &outcomes[n]) == NGX_BUSY, "a cell too many");

    unit_check_pending(p);

    for (n = 0; n < p->ncells; n++) {
        unit_check(ngx_msgbus_pending_cancel_locked(p, &outcomes[n])
                   == NGX_OK, "what is queued cannot be given up");
    }

    ngx_msgbus_pending_trim_locked(p);

    posts[i].len = (ngx_msgbus_pending_max(p) & ~7UL)
                   - offsetof(ngx_msgbus_entry_t, bytes) - 9;

    unit_check(crash_put(p, i, outcomes) == NGX_OK,
               "the largest finds no room");

    unit_check_pending(p);
}


static ngx_uint_t
crash_tag(ngx_msgbus_entry_t *e)
{
    uint64_t  tag;

    memcpy(&tag, e->token, sizeof(uint64_t));
    unit_check(memcmp(e->token + 8, &tag, sizeof(uint64_t)) == 0,
               "half a token");

    return tag;
}


static ngx_msgbus_entry_t *
crash_entry(ngx_msgbus_pending_t *p, ngx_uint_t n)
{
    size_t               offset;
    ngx_msgbus_entry_t  *e;

    offset = p->sh->head;

    while ((e = ngx_msgbus_pending_at_locked(p, &offset)) != NULL) {

        if (crash_tag(e) == n) {
            return e;
        }

        offset += e->size;
    }

    return NULL;
}


static ngx_int_t
crash_put(ngx_msgbus_pending_t *p, ngx_uint_t n,
    ngx_msgbus_outcome_t *outcome)
{
    uint64_t              token[2];
    ngx_msgbus_key_t      key;
    ngx_msgbus_event_t    ev;
    ngx_msgbus_channel_t  ch;

    token[0] = n;
    token[1] = n;

    memset(&ev, 0, sizeof(ngx_msgbus_event_t));
    memset(&ch, 0, sizeof(ngx_msgbus_channel_t));

    ev.channel = &ch;
    ch.name.data = noise + n;
    ch.name.len = 2;
    ev.uuid.data = noise + n + 2;
    ev.uuid.len = 3;
    ev.user_agent.data = noise + n + 5;
    ev.user_agent.len = 4;
    ev.data.data = noise + n + 9;
    ev.data.len = posts[n].len;

    if (crash_keyed(n)) {
        crash_key(&key, n);
        ev.key = &key;
    }

    return ngx_msgbus_pending_put_locked(p, posts[n].slot, &ev,
                                         (u_char *) token, n, outcome);
}


/* four buckets for all */
static void
crash_key(ngx_msgbus_key_t *key, ngx_uint_t n)
{
    uint64_t  mixed;

    mixed = (n % 4 + 1) * 0x9e3779b97f4a7c15;

    memset(key, (int) n, sizeof(ngx_msgbus_key_t));
    memcpy(key->name, &mixed, sizeof(uint64_t));
}


/* slots and guard lie before the ring, as in the zone */
static void
crash_view(ngx_msgbus_pending_t *p, u_char *addr, ngx_uint_t fresh)
{
    ngx_msgbus_guard_sh_t  *guard;

    memset(p, 0, sizeof(ngx_msgbus_pending_t));

    p->slots = (ngx_msgbus_slots_sh_t *) addr;
    addr += ngx_align(sizeof(ngx_msgbus_slots_sh_t), 64);

    guard = (ngx_msgbus_guard_sh_t *) addr;
    addr += ngx_align(sizeof(ngx_msgbus_guard_sh_t), 64);

    p->undo = &guard->undo;

    unit_check(ngx_msgbus_pending_init(p, addr, CRASH_PENDING, fresh)
               == NGX_OK,
               "no room for pending posts");
}


/* an empty ring, and workers, but for one */
static void
crash_start(void)
{
    ngx_uint_t  slot;

    memset(crash_zone, 0xa5, CRASH_SIZE);
    memset(crash_zone, 0, ngx_align(sizeof(ngx_msgbus_slots_sh_t), 64)
                          + sizeof(ngx_msgbus_guard_sh_t));

    crash_view(&the_pending, crash_zone, 1);

    for (slot = 0; slot < CRASH_SLOTS; slot++) {
        the_pending.slots->owner[slot] = slot == CRASH_DEAD ? 0 : 1 + slot;
    }
}


static void
crash_post(ngx_uint_t slot, size_t len)
{
    ngx_msgbus_outcome_t  outcome;

    unit_check(n_posts < CRASH_POSTS - 2, "too many posts");

    posts[n_posts].slot = slot;
    posts[n_posts].len = len;

    unit_check(crash_put(&the_pending, n_posts, &outcome) == NGX_OK,
               "not prepared");

    posts[n_posts].cell = outcome.cell;
    posts[n_posts].generation = outcome.generation;

    n_posts++;
}


static void
crash_posts(ngx_uint_t n)
{
    while (n--) {
        crash_post(n_posts % CRASH_DEAD, 20 + n_posts % 7 * 10);
    }
}


/* marks the first ones as sent */
static void
crash_send(ngx_uint_t n)
{
    while (n--) {
        crash_entry(&the_pending, n)->state = NGX_MSGBUS_SENT;
    }
}


static void
crash_settle(ngx_uint_t n, uint64_t id)
{
    (void) ngx_msgbus_pending_settle_locked(&the_pending,
                                            crash_entry(&the_pending, n), id,
                                            id ? CRASH_CREATED : 0);
}


/* one post, up to where so many bytes are left of the ring */
static void
crash_fill_up(size_t left)
{
    crash_post(0, the_pending.size - the_pending.sh->tail - left
                  - offsetof(ngx_msgbus_entry_t, bytes) - 9);

    unit_check(the_pending.size - the_pending.sh->tail == (left & ~7UL),
               "%zu bytes are left",
               the_pending.size - the_pending.sh->tail);
}


static void
crash_plan(ngx_uint_t slot, size_t len)
{
    planned = 1;
    target = n_posts;

    posts[n_posts].slot = slot;
    posts[n_posts].len = len;
}


static void
crash_prepare_first(void)
{
    crash_start();
    crash_plan(1, 100);
}


static void
crash_prepare_behind(void)
{
    crash_start();
    crash_posts(7);
    crash_send(3);
    crash_settle(1, CRASH_ID + 1);
    crash_plan(2, 100);
}


static void
crash_prepare_wrap(void)
{
    crash_start();
    crash_posts(6);
    crash_fill_up(104);
    crash_send(5);
    crash_settle(0, CRASH_ID);
    crash_settle(1, CRASH_ID + 1);
    crash_settle(2, 0);
    crash_plan(1, 100);
}


static void
crash_prepare_wrap_exact(void)
{
    crash_start();
    crash_posts(6);
    crash_fill_up(0);
    crash_send(5);
    crash_settle(0, CRASH_ID);
    crash_settle(1, CRASH_ID + 1);
    crash_plan(1, 60);
}


static void
crash_prepare_wrap_empty(void)
{
    ngx_msgbus_outcome_t  outcome;

    crash_start();
    crash_fill_up(104);
    crash_settle(0, CRASH_ID);

    unit_check(ngx_msgbus_pending_take_locked(&the_pending, 0, &outcome, 1)
               == 1, "nothing to take");

    crash_plan(1, 100);
}


static void
crash_prepare_full(void)
{
    crash_start();
    crash_posts(6);
    crash_fill_up(104);
    crash_plan(1, 100);
}


static void
crash_prepare_no_cell(void)
{
    crash_start();
    crash_posts(the_pending.ncells);
    crash_settle(0, CRASH_ID);
    crash_plan(1, 10);
}


static void
crash_prepare_cancel_queued(void)
{
    crash_start();
    crash_posts(8);
    crash_send(3);
    target = 5;
}


static void
crash_prepare_cancel_sent(void)
{
    crash_start();
    crash_posts(8);
    crash_send(6);
    target = 4;
}


static void
crash_prepare_cancel_done(void)
{
    crash_prepare_done();
    target = 3;
}


static void
crash_prepare_done(void)
{
    ngx_uint_t  n;

    crash_start();
    crash_posts(15);
    crash_send(12);

    for (n = 0; n < 12; n++) {
        crash_settle(n, n % 4 ? CRASH_ID + n : 0);
    }
}


static void
crash_prepare_settle(void)
{
    crash_start();
    crash_posts(9);
    crash_send(6);
    crash_settle(1, CRASH_ID + 1);
    crash_settle(2, 0);
    crash_settle(3, CRASH_ID + 3);
    target = 0;
    target_id = CRASH_ID;
}


static void
crash_prepare_settle_middle(void)
{
    crash_prepare_settle();
    target = 4;
    target_id = CRASH_ID + 4;
}


static void
crash_prepare_settle_given_up(void)
{
    crash_prepare_settle_middle();
    crash_change_cancel();
}


static void
crash_prepare_settle_dead(void)
{
    crash_start();
    crash_posts(3);
    crash_post(CRASH_DEAD, 50);
    crash_posts(3);
    crash_send(5);
    target = 3;
    target_id = CRASH_ID + 3;
}


static void
crash_prepare_refuse(void)
{
    crash_prepare_settle();
    target_id = 0;
}


static void
crash_prepare_refuse_queued(void)
{
    crash_prepare_settle();
    target = 7;
    target_id = 0;
}


static void
crash_prepare_refuse_given_up(void)
{
    crash_prepare_settle_given_up();
    target_id = 0;
}


static void
crash_prepare_refuse_dead(void)
{
    crash_prepare_settle_dead();
    target_id = 0;
}


/* two workers have died since their posts were settled */
static void
crash_prepare_sweep(void)
{
    crash_prepare_done();

    the_pending.slots->owner[0] = 0;
    the_pending.slots->owner[2] = 0;
}


static void
crash_prepare_trim(void)
{
    ngx_uint_t  n;

    crash_start();
    crash_posts(10);

    for (n = 0; n < 7; n++) {
        target = n;
        crash_change_cancel();
    }
}


static void
crash_change_put(void)
{
    ngx_msgbus_outcome_t  outcome;

    if (crash_put(&the_pending, target, &outcome) == NGX_OK) {
        posts[target].cell = outcome.cell;
        posts[target].generation = outcome.generation;
    }
}


static void
crash_change_cancel(void)
{
    ngx_msgbus_outcome_t  outcome;

    memset(&outcome, 0, sizeof(ngx_msgbus_outcome_t));

    outcome.cell = posts[target].cell;
    outcome.generation = posts[target].generation;

    (void) ngx_msgbus_pending_cancel_locked(&the_pending, &outcome);
}


static void
crash_change_take(void)
{
    ngx_msgbus_outcome_t  outcomes[CRASH_TAKEN];

    (void) ngx_msgbus_pending_take_locked(&the_pending, 1, outcomes, 3);
}


static void
crash_change_settle(void)
{
    crash_settle(target, target_id);
}


static void
crash_change_sweep(void)
{
    ngx_msgbus_pending_sweep_locked(&the_pending);
}


static void
crash_change_trim(void)
{
    ngx_msgbus_pending_trim_locked(&the_pending);
}
