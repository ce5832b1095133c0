
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Readers of several workers who come and go, and workers that tell of them,
 * die in the middle of a step or beside it, leave their slots, get others, and
 * have none, in random steps; in a zone that has too few seats, now and then.
 *
 * Once all have told, counts are those of all readers of all workers that live
 * and have a slot; or it is said that they are not.  No seat is ever lost.
 *
 *     presence_model STEPS
 */


#include "check.h"
#include <ngx_event.h>
#include "ngx_msgbus_owner.h"
#include "ngx_msgbus_present.h"


#define MODEL_WORKERS  6
#define MODEL_SLOTS    8
#define MODEL_NAMES    60
#define MODEL_SIZE     5400            /* of presence: some 40 seats */


typedef struct {
    ngx_atomic_uint_t      pid;        /* 0: none */
    ngx_msgbus_present_t   present;
    ngx_msgbus_notify_t    notify;
    uint32_t               readers[MODEL_NAMES][NGX_MSGBUS_MANNERS];
} model_worker_t;


static void model_start(model_worker_t *w);
static void model_slot(model_worker_t *w);
static void model_die(model_worker_t *w);
static void model_forget(model_worker_t *w);
static void model_reader(model_worker_t *w);
static void model_tell(model_worker_t *w);
static void model_settle(void);
static uint64_t model_list(ngx_uint_t n);
static uint64_t model_truth(ngx_uint_t n, model_worker_t *own);
static void model_names(void);


ngx_rbtree_t                ngx_event_timer_rbtree;
volatile ngx_msec_t         ngx_current_msec;
ngx_uint_t                  ngx_exiting;

static model_worker_t          workers[MODEL_WORKERS];
static ngx_msgbus_slots_sh_t   slots;
static ngx_msgbus_undo_t       undo;
static ngx_msgbus_log_t        the_log;
static u_char                  memory[MODEL_SIZE + 64];
static u_char                 *zone;
static u_char                  text[MODEL_NAMES][NGX_MSGBUS_CHANNEL_LEN];
static ngx_msgbus_named_t      names[MODEL_NAMES];
static uint64_t                now = 1000;
static ngx_uint_t              few;        /* names, so that all have seats */

/* how often each corner was reached */
static struct {
    uint64_t               started;
    uint64_t               died;
    uint64_t               torn;
    uint64_t               left;
    uint64_t               settled;
    uint64_t               incomplete;
    uint64_t               complete;
} reached;


/* --- what the room needs of nginx, and of others */

void
ngx_msgbus_log_lock(ngx_msgbus_log_t *log)
{
    unit_check(!unit_core.locked, "locked twice");
    unit_core.locked = 1;

    if (undo.n) {
        ngx_msgbus_undo_locked(&undo);
    }
}


void
ngx_msgbus_log_unlock(ngx_msgbus_log_t *log)
{
    unit_check(unit_core.locked, "unlocked without a lock");
    unit_core.locked = 0;
}


uint64_t
ngx_msgbus_time_monotonic(void)
{
    return now * 1000;
}


ngx_uint_t
ngx_msgbus_owner_is_dead(ngx_atomic_uint_t owner)
{
    ngx_uint_t  i;

    for (i = 0; i < MODEL_WORKERS; i++) {
        if (workers[i].pid == owner) {
            return 0;
        }
    }

    return 1;
}


/* a tree without balance; timers need none at all */

void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    if (tree == &ngx_event_timer_rbtree) {
        return;
    }

    if (tree->root == tree->sentinel) {
        node->parent = NULL;
        node->left = tree->sentinel;
        node->right = tree->sentinel;
        tree->root = node;
        return;
    }

    tree->insert(tree->root, node, tree->sentinel);
}


static void
model_replace(ngx_rbtree_t *tree, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *by)
{
    if (node->parent == NULL) {
        tree->root = by;

    } else if (node->parent->left == node) {
        node->parent->left = by;

    } else {
        node->parent->right = by;
    }

    if (by != tree->sentinel) {
        by->parent = node->parent;
    }
}


void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    ngx_rbtree_node_t  *next;

    if (tree == &ngx_event_timer_rbtree) {
        return;
    }

    if (node->left == tree->sentinel) {
        model_replace(tree, node, node->right);
        return;
    }

    if (node->right == tree->sentinel) {
        model_replace(tree, node, node->left);
        return;
    }

    next = ngx_rbtree_min(node->right, tree->sentinel);

    if (next->parent != node) {
        model_replace(tree, next, next->right);
        next->right = node->right;
        next->right->parent = next;
    }

    model_replace(tree, node, next);
    next->left = node->left;
    next->left->parent = next;
}


ngx_rbtree_node_t *
ngx_rbtree_next(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    if (node->right != tree->sentinel) {
        return ngx_rbtree_min(node->right, tree->sentinel);
    }

    while (node->parent && node->parent->right == node) {
        node = node->parent;
    }

    return node->parent;
}


/* --- the steps */

int
main(int argc, char **argv)
{
    uint64_t               steps;
    ngx_uint_t             i;
    model_worker_t        *w;
    ngx_msgbus_presence_t  p;

    unit_init();

    steps = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;

    zone = ngx_align_ptr(memory, 64);

    memset(&p, 0, sizeof(ngx_msgbus_presence_t));
    p.undo = &undo;
    ngx_msgbus_presence_init(&p, zone, MODEL_SIZE, 1);

    model_names();

    for (unit_step = 0; unit_step < steps; unit_step++) {

        now += unit_below(20);
        ngx_current_msec = now;

        if (unit_once_in(500)) {
            few = !few;
        }

        w = &workers[unit_below(MODEL_WORKERS)];

        if (w->pid == 0) {
            model_start(w);

        } else if (unit_once_in(200)) {
            model_die(w);

        } else if (unit_once_in(200) && w->notify.slot != -1) {

            /* it leaves its slot, and may get another one */

            slots.owner[w->notify.slot] = 0;
            w->notify.slot = -1;
            reached.left++;

        } else if (unit_once_in(50)) {
            model_slot(w);

        } else if (unit_once_in(5)) {
            model_tell(w);

        } else if (unit_once_in(20)) {
            ngx_msgbus_present_look(&w->present);

        } else {
            model_reader(w);
        }

        if (unit_once_in(100)) {
            model_settle();
        }
    }

    /* all leave */

    for (i = 0; i < MODEL_WORKERS; i++) {
        if (workers[i].pid) {
            model_die(&workers[i]);
        }
    }

    model_start(&workers[0]);
    model_settle();

    unit_check(workers[0].present.presence.sh->left == p.capacity,
               "seats are taken, and nobody is there");

    model_forget(&workers[0]);

    printf("started: %" PRIu64 "\n", reached.started);
    printf("died: %" PRIu64 "\n", reached.died);
    printf("in a step: %" PRIu64 "\n", reached.torn);
    printf("left a slot: %" PRIu64 "\n", reached.left);
    printf("settled: %" PRIu64 "\n", reached.settled);
    printf("complete: %" PRIu64 "\n", reached.complete);
    printf("incomplete: %" PRIu64 "\n", reached.incomplete);

    return 0;
}


static void
model_start(model_worker_t *w)
{
    static ngx_atomic_uint_t  last;

    memset(w, 0, sizeof(model_worker_t));

    w->pid = ++last;
    w->notify.owner = w->pid;
    w->notify.slot = -1;

    w->present.log = &the_log;
    w->present.notify = &w->notify;
    w->present.presence.workers = &slots;
    w->present.presence.undo = &undo;

    ngx_msgbus_presence_init(&w->present.presence, zone, MODEL_SIZE, 0);
    ngx_msgbus_present_init(&w->present, ngx_cycle->log);

    model_slot(w);

    reached.started++;
}


/* a free one, or a dead worker's, if there is one and it is lucky */
static void
model_slot(model_worker_t *w)
{
    ngx_uint_t  i;

    if (w->notify.slot != -1 || unit_once_in(4)) {
        return;
    }

    i = unit_below(MODEL_SLOTS);

    if (slots.owner[i] == 0 || ngx_msgbus_owner_is_dead(slots.owner[i])) {
        slots.owner[i] = w->pid;
        w->notify.slot = i;
    }
}


static void
model_die(model_worker_t *w)
{
    ngx_msgbus_presence_sh_t  *sh;

    sh = w->present.presence.sh;

    if (unit_once_in(3)) {

        /* in the middle of a step, whatever that was going to be */

        ngx_msgbus_log_lock(&the_log);
        unit_tear(&undo, sh, w->present.presence.capacity
                             * sizeof(ngx_msgbus_seat_t));
        unit_core.locked = 0;

        reached.torn++;
    }

    model_forget(w);

    w->pid = 0;
    memset(w->readers, 0, sizeof(w->readers));

    reached.died++;
}


/* with the process goes its memory */
static void
model_forget(model_worker_t *w)
{
    ngx_rbtree_node_t  *node;

    while (w->present.entries.root != &w->present.sentinel) {
        node = w->present.entries.root;
        ngx_rbtree_delete(&w->present.entries, node);
        free(node);
    }
}


static void
model_reader(model_worker_t *w)
{
    ngx_uint_t  n, manner;

    n = unit_below(few ? 5 : MODEL_NAMES);
    manner = unit_below(NGX_MSGBUS_MANNERS);

    if (unit_once_in(2) && !few) {

        /* who is there leaves */

        for (n = 0; n < MODEL_NAMES; n++) {
            if (w->readers[n][manner] && unit_once_in(4)) {
                break;
            }
        }

    } else if (few && unit_once_in(2)) {

        for (n = MODEL_NAMES; n && w->readers[n - 1][manner] == 0; n--) {
            /* void */
        }

        n = n ? n - 1 : MODEL_NAMES;

    } else {
        unit_check(ngx_msgbus_present_enter(&w->present, &names[n], manner)
                   == NGX_OK, "no memory");
        w->readers[n][manner]++;
        return;
    }

    if (n < MODEL_NAMES && w->readers[n][manner]) {
        ngx_msgbus_present_leave(&w->present, &names[n], manner);
        w->readers[n][manner]--;
    }
}


/* its timer, if that is set */
static void
model_tell(model_worker_t *w)
{
    ngx_event_t  *ev;

    ev = &w->present.timer;

    if (ev->timer_set) {
        ev->timer_set = 0;
        ev->handler(ev);
    }
}


/* all have told: what does each of them, and a list, say? */
static void
model_settle(void)
{
    uint64_t         listed;
    ngx_uint_t       i, n, all, incomplete;
    model_worker_t  *w;

    /* sometimes all have slots */

    all = unit_once_in(2);

    for (i = 0; i < MODEL_WORKERS; i++) {
        while (all && workers[i].pid && workers[i].notify.slot == -1) {
            model_slot(&workers[i]);
        }
    }

    for (n = 0; n < 3; n++) {
        for (i = 0; i < MODEL_WORKERS; i++) {
            if (workers[i].pid) {
                model_tell(&workers[i]);
                now += 300;
                ngx_current_msec = now;
                ngx_msgbus_present_look(&workers[i].present);
            }
        }
    }

    unit_check(undo.n == 0 || !unit_core.locked, "it is locked");

    for (i = 0; i < MODEL_WORKERS; i++) {
        w = &workers[i];

        if (w->pid == 0) {
            continue;
        }

        if (undo.n) {
            ngx_msgbus_log_lock(&the_log);
            ngx_msgbus_log_unlock(&the_log);
        }

        unit_check_presence(&w->present.presence);

        incomplete = ngx_msgbus_present_incomplete(&w->present);

        for (n = 0; n < MODEL_NAMES; n++) {
            listed = ngx_msgbus_present_sum(&w->present, &names[n]);

            unit_check(incomplete ? listed <= model_truth(n, w)
                                  : listed == model_truth(n, w),
                       "worker %u says that %" PRIu64 " read %u, and not %"
                       PRIu64, (unsigned) i, listed, (unsigned) n,
                       model_truth(n, w));

            listed = model_list(n);

            unit_check(incomplete ? listed <= model_truth(n, NULL)
                                  : listed == model_truth(n, NULL),
                       "the list says that %" PRIu64 " read %u, and not %"
                       PRIu64, listed, (unsigned) n, model_truth(n, NULL));
        }

        if (incomplete) {
            reached.incomplete++;

        } else {
            reached.complete++;
        }
    }

    reached.settled++;
}


/* as a list counts */
static uint64_t
model_list(ngx_uint_t n)
{
    u_char                  name[NGX_MSGBUS_CHANNEL_LEN];
    uint32_t                i;
    uint64_t                sum;
    model_worker_t         *w;
    ngx_msgbus_seat_t      *seat;
    ngx_msgbus_presence_t  *p;

    for (w = workers; w->pid == 0; w++) { /* void */ }

    p = &w->present.presence;
    sum = 0;

    for (i = 0; i < p->sh->used; i++) {
        seat = &p->seats[i];

        if (seat->use != NGX_MSGBUS_SEAT_ENTRY
            || !ngx_msgbus_presence_counts_locked(p, seat))
        {
            continue;
        }

        ngx_msgbus_presence_name_locked(p, seat, name);

        if (seat->tree == names[n].tree && seat->len == names[n].name.len
            && memcmp(name, names[n].name.data, seat->len) == 0)
        {
            sum += seat->u.entry.count[0] + seat->u.entry.count[1];
        }
    }

    return sum;
}


/* of those with a slot, and of one's own */
static uint64_t
model_truth(ngx_uint_t n, model_worker_t *own)
{
    uint64_t         sum;
    ngx_uint_t       i;
    model_worker_t  *w;

    sum = 0;

    for (i = 0; i < MODEL_WORKERS; i++) {
        w = &workers[i];

        if (w->pid && (w == own || w->notify.slot != -1)) {
            sum += w->readers[n][0] + w->readers[n][1];
        }
    }

    return sum;
}


static void
model_names(void)
{
    ngx_uint_t  n, i;

    for (n = 0; n < MODEL_NAMES; n++) {
        names[n].name.data = text[n];
        names[n].name.len = n < 5 ? 4 : n % 10 == 9 ? 255 : 4 + n;
        names[n].hash = n % 20;
        names[n].tree = n % 2;

        for (i = 0; i < names[n].name.len; i++) {
            text[n][i] = 'a' + (i + n) % 26;
        }

        text[n][0] = '/';

        if (n < 5) {
            text[n][1] = 'A' + n / 2;
            text[n][2] = text[n][3] = 'x';
        }
    }
}
