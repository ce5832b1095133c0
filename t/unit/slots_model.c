
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The slots of a zone, and up to 200 workers that start, die, leave, and look
 * again, in random steps.
 *
 * No two that live have one slot; and whoever looks often enough has one, as
 * long as no more live than there are slots.  What a worker is in nginx, a
 * connection and a timer, stands here for itself; so does whether it lives.
 *
 *     slots_model STEPS
 */


#include "unit.h"
#include <ngx_event.h>
#include "ngx_msgbus_notify.h"
#include "ngx_msgbus_owner.h"


#define MODEL_WORKERS  200


typedef struct {
    ngx_pid_t              pid;        /* 0: none */
    ngx_msgbus_notify_t    notify;
} model_worker_t;


static ngx_int_t model_add(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t flags);
static void model_handler(void *data);
static void model_start(model_worker_t *w);
static void model_again(model_worker_t *w);
static void model_check(void);


ngx_event_actions_t         ngx_event_actions = {
    .add = model_add, .del = model_add
};
ngx_queue_t                 ngx_posted_events;
ngx_rbtree_t                ngx_event_timer_rbtree;
volatile ngx_msec_t         ngx_current_msec;
ngx_uint_t                  ngx_use_epoll_rdhup;

static model_worker_t          workers[MODEL_WORKERS];
static ngx_msgbus_slots_sh_t   slots;
static ngx_msgbus_eventfds_t  *eventfds;
static ngx_connection_t        connection;
static ngx_event_t             events[2];
static ngx_uint_t              alive, connections;

/* how often each corner was reached */
static struct {
    uint64_t               started;
    uint64_t               died;
    uint64_t               left;
    uint64_t               without;
    uint64_t               later;
    uint64_t               settled;
} reached;


/* --- what the room needs of nginx and of the system */

static ngx_int_t
model_add(ngx_event_t *ev, ngx_int_t event, ngx_uint_t flags)
{
    return NGX_OK;
}


ngx_connection_t *
ngx_get_connection(ngx_socket_t s, ngx_log_t *log)
{
    connection.read = &events[0];
    connection.write = &events[1];
    connections++;

    return &connection;
}


void
ngx_free_connection(ngx_connection_t *c)
{
    connections--;
}


void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
}


void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
}


ngx_atomic_uint_t
ngx_msgbus_owner(ngx_pid_t id)
{
    return (ngx_atomic_uint_t) id;
}


ngx_uint_t
ngx_msgbus_owner_is_dead(ngx_atomic_uint_t owner)
{
    ngx_uint_t  i;

    for (i = 0; i < MODEL_WORKERS; i++) {
        if (workers[i].pid == (ngx_pid_t) owner) {
            return 0;
        }
    }

    return 1;
}


/* --- the steps */

int
main(int argc, char **argv)
{
    uint64_t         steps;
    ngx_uint_t       i, crowd;
    model_worker_t  *w;

    static ngx_str_t  name = ngx_string("bus");

    unit_init();

    steps = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;

    eventfds = ngx_msgbus_eventfds_create(&name, ngx_cycle->log);
    unit_check(eventfds != NULL, "no eventfds");

    crowd = 1;

    for (unit_step = 0; unit_step < steps; unit_step++) {

        /* now few of them, now a reload of many */

        if (unit_once_in(300)) {
            crowd = 1 + unit_below(MODEL_WORKERS);
        }

        w = &workers[unit_below(MODEL_WORKERS)];

        if (w->pid == 0) {

            if (alive < crowd) {
                model_start(w);
            }

        } else if (alive > crowd || unit_once_in(10)) {

            ngx_pid = w->pid;

            if (unit_once_in(2)) {
                ngx_msgbus_notify_exit(&w->notify);
                reached.left++;

            } else {
                connections -= w->notify.slot != -1;
                reached.died++;
            }

            w->pid = 0;
            alive--;

        } else {
            model_again(w);
        }

        model_check();

        if (!unit_once_in(500) || alive > NGX_MSGBUS_SLOTS) {
            continue;
        }

        /* each looks as often as there are slots */

        for (i = 0; i < MODEL_WORKERS * NGX_MSGBUS_SLOTS; i++) {
            model_again(&workers[i % MODEL_WORKERS]);
        }

        for (i = 0; i < MODEL_WORKERS; i++) {
            unit_check(workers[i].pid == 0 || workers[i].notify.slot != -1,
                       "a worker of %u never gets a slot", (unsigned) alive);
        }

        reached.settled++;
    }

    printf("started: %" PRIu64 "\n", reached.started);
    printf("died: %" PRIu64 "\n", reached.died);
    printf("left: %" PRIu64 "\n", reached.left);
    printf("without a slot: %" PRIu64 "\n", reached.without);
    printf("a slot later: %" PRIu64 "\n", reached.later);
    printf("settled: %" PRIu64 "\n", reached.settled);

    return 0;
}


static void
model_handler(void *data)
{
}


static void
model_start(model_worker_t *w)
{
    static ngx_pid_t  last = 1;

    memset(&w->notify, 0, sizeof(ngx_msgbus_notify_t));

    w->pid = ++last;
    w->notify.sh = &slots;
    w->notify.eventfds = eventfds;

    ngx_pid = w->pid;

    unit_check(ngx_msgbus_notify_init(&w->notify, (ngx_cycle_t *) ngx_cycle,
                                      model_handler, NULL) == NGX_OK,
               "a worker does not start");

    alive++;
    reached.started++;
    reached.without += w->notify.slot == -1;
}


static void
model_again(model_worker_t *w)
{
    if (w->pid == 0 || w->notify.slot != -1) {
        return;
    }

    ngx_pid = w->pid;

    reached.later += ngx_msgbus_notify_again(&w->notify,
                                             (ngx_cycle_t *) ngx_cycle)
                     == NGX_OK;
}


static void
model_check(void)
{
    ngx_int_t   slot;
    ngx_uint_t  i, n;
    u_char      taken[NGX_MSGBUS_SLOTS];

    memset(taken, 0, NGX_MSGBUS_SLOTS);

    for (i = 0, n = 0; i < MODEL_WORKERS; i++) {

        slot = workers[i].notify.slot;

        if (workers[i].pid == 0 || slot == -1) {
            continue;
        }

        unit_check(!taken[slot], "two workers have slot %d", (int) slot);
        unit_check(slots.owner[slot] == (ngx_atomic_uint_t) workers[i].pid,
                   "slot %d is another's", (int) slot);

        taken[slot] = 1;
        n++;
    }

    unit_check(connections == n, "%u connections, %u slots",
               (unsigned) connections, (unsigned) n);
}
