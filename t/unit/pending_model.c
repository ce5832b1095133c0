
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Pending posts against a plain model of them, in random steps.
 *
 * The model is an array of all posts ever, of which a part at the end is in
 * the ring; each has a state as an entry, and what its poster knows or could
 * find out.  It foretells each answer: who is refused for want of room or of
 * a cell, what a cancel says, which outcomes a slot takes, where the head
 * stands.  A round is one ring; rounds differ in size and in the sizes of
 * posts.  Steps are those of posters, of one committer, of workers that die
 * and come, and a repair of lists that may be anything.  No death in the
 * middle of a step: that is pending_crash.c.
 *
 *     pending_model STEPS
 */


#include "check.h"


#define MODEL_SLOTS      5
#define MODEL_NOISE      1048576
#define MODEL_POSTS      40000             /* of a round, at most */
#define MODEL_OUTCOMES   64
#define MODEL_KEYS       500

/* the sizes of a round's posts */
#define MODEL_TINY       0
#define MODEL_ANY        1
#define MODEL_LARGE      2


/* what a cell says of a post */
#define MODEL_WAITS      0
#define MODEL_DONE       1                 /* its outcome is there */
#define MODEL_GONE       2                 /* taken, given up, swept */


typedef struct {
    uint64_t               tag;
    uint64_t               posted;
    uint64_t               id;             /* of its outcome */
    uint64_t               created;
    uint64_t               generation;
    size_t                 offset;
    size_t                 size;
    uint32_t               cell;
    uint32_t               state;          /* of its entry */
    uint32_t               slot;
    uint32_t               told;
    uint32_t               channel_len;
    uint32_t               uuid_len;
    uint32_t               agent_len;
    uint32_t               data_len;
    uint32_t               noise;
    uint32_t               key;            /* 0: none */
} model_post_t;


typedef struct {
    model_post_t          *posts;
    size_t                 first;          /* those in the ring: */
    size_t                 end;            /*   first to end - 1 */
    size_t                 known;          /* all before it are gone */
    size_t                 head;
    size_t                 tail;
    uint32_t               cells;          /* that are not free */
    uint64_t               entries;
    uint64_t               last_id;
} model_t;


static void model_round(uint64_t steps);
static void model_every_place(void);
static void model_make(ngx_msgbus_pending_t *p, size_t size);
static void model_step(void);
static void model_put(size_t bytes);
static void model_fill(model_post_t *post, size_t bytes);
static ngx_int_t model_put_one(model_post_t *post,
    ngx_msgbus_outcome_t *outcome);
static void model_key(ngx_msgbus_key_t *key, uint32_t n);
static void model_find_key(void);
static ngx_uint_t model_fits(size_t size);
static void model_cancel(size_t n);
static void model_take(ngx_uint_t slot, ngx_uint_t max);
static void model_commit(void);
static void model_walk(ngx_uint_t mark);
static void model_settle(model_post_t *post, uint64_t id);
static void model_trim(void);
static void model_sweep(void);
static void model_worker(void);
static void model_torn(void);
static void model_drain(void);
static ngx_uint_t model_is_open(model_post_t *post);
static void model_compare(void);
static void model_compare_all(void);


static model_t                the_model, *model = &the_model;
static ngx_msgbus_pending_t   the_pending, *p = &the_pending;
static ngx_msgbus_slots_sh_t  slots;
static ngx_msgbus_undo_t      undo;
static u_char                *noise;
static u_char                *block;
static ngx_uint_t             kind;
static uint64_t               patience;     /* of the committer */

/* how often each corner was reached */
static struct {
    uint64_t               rounds;
    uint64_t               puts;
    uint64_t               wraps;
    uint64_t               exact;          /* to the ring's last byte */
    uint64_t               full;
    uint64_t               no_cell;
    uint64_t               largest;        /* into an empty ring */
    uint64_t               canceled;
    uint64_t               unsure;
    uint64_t               late;
    uint64_t               nobody;
    uint64_t               stored;
    uint64_t               refused;
    uint64_t               out_of_order;
    uint64_t               unsent;
    uint64_t               taken;
    uint64_t               swept;
    uint64_t               dead;           /* settled for a dead worker */
    uint64_t               inherited;      /* taken by another worker */
    uint64_t               held;           /* trims that had to stop */
    uint64_t               repairs;
    uint64_t               most;           /* entries in a ring */
    uint64_t               keys;           /* of entries that wait, found */
    uint64_t               no_keys;
} reached;


int
main(int argc, char **argv)
{
    size_t    i;
    uint64_t  steps, round;

    unit_init();

    steps = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;

    noise = malloc(MODEL_NOISE);

    for (i = 0; i < MODEL_NOISE; i++) {
        noise[i] = (u_char) unit_random();
    }

    model->posts = malloc(MODEL_POSTS * sizeof(model_post_t));

    model_every_place();

    while (unit_step < steps) {
        round = 500 + unit_below(MODEL_POSTS - 600);
        model_round(ngx_min(round, steps - unit_step));
    }

    printf("steps: %" PRIu64 "\n", unit_step);
    printf("rounds: %" PRIu64 "\n", reached.rounds);
    printf("puts: %" PRIu64 "\n", reached.puts);
    printf("wraps: %" PRIu64 "\n", reached.wraps);
    printf("to the last byte: %" PRIu64 "\n", reached.exact);
    printf("full: %" PRIu64 "\n", reached.full);
    printf("no cell: %" PRIu64 "\n", reached.no_cell);
    printf("largest into an empty ring: %" PRIu64 "\n", reached.largest);
    printf("canceled: %" PRIu64 "\n", reached.canceled);
    printf("canceled too late to know: %" PRIu64 "\n", reached.unsure);
    printf("canceled too late: %" PRIu64 "\n", reached.late);
    printf("canceled in vain: %" PRIu64 "\n", reached.nobody);
    printf("stored: %" PRIu64 "\n", reached.stored);
    printf("not stored: %" PRIu64 "\n", reached.refused);
    printf("settled out of order: %" PRIu64 "\n", reached.out_of_order);
    printf("queued again: %" PRIu64 "\n", reached.unsent);
    printf("taken: %" PRIu64 "\n", reached.taken);
    printf("taken by another worker: %" PRIu64 "\n", reached.inherited);
    printf("swept: %" PRIu64 "\n", reached.swept);
    printf("settled for the dead: %" PRIu64 "\n", reached.dead);
    printf("trims in several holds: %" PRIu64 "\n", reached.held);
    printf("repairs: %" PRIu64 "\n", reached.repairs);
    printf("most entries: %" PRIu64 "\n", reached.most);
    printf("keys that wait: %" PRIu64 "\n", reached.keys);
    printf("keys that do not wait: %" PRIu64 "\n", reached.no_keys);

    return 0;
}


static void
model_round(uint64_t steps)
{
    uint64_t  last, torn;

    reached.rounds++;

    kind = unit_below(3);
    patience = unit_once_in(2) ? 1 : unit_once_in(2) ? 20 : 200;
    torn = unit_once_in(2) ? 500 : (uint64_t) -1;

    switch (unit_below(5)) {

    case 0:
        model_make(p, 16384 + 8 * unit_below(1000));
        break;

    case 1:

        /* many in one, for which the committer does not come */

        kind = MODEL_TINY;
        patience = 200;
        model_make(p, 500000);
        break;

    case 2:
        model_make(p, 262144 + 8 * unit_below(10000));
        break;

    default:
        model_make(p, 20000 + unit_below(60000));
    }

    for (last = unit_step + steps; unit_step < last; unit_step++) {

        model_step();
        model_compare();

        if (unit_once_in(200)) {
            model_compare_all();
        }

        if (unit_once_in(torn)) {
            model_torn();
        }
    }

    model_drain();

    unit_check(model->cells == 0, "%u cells are not accounted for",
               model->cells);

    free(block);
}


/* an empty ring takes the largest there is, wherever it is empty */
static void
model_every_place(void)
{
    size_t  offset, size;

    for (size = 7000; size < 7016; size += 8) {
        model_make(p, size);

        for (offset = 0; offset <= p->size; offset += 8) {

            p->sh->head = offset;
            p->sh->tail = offset;

            model->first = 0;
            model->end = 0;
            model->known = 0;
            model->head = offset;
            model->tail = offset;

            model_put(ngx_msgbus_pending_max(p));
            unit_check(model->end == 1, "%zu bytes do not fit into an empty"
                       " ring of %zu bytes, at %zu",
                       ngx_msgbus_pending_max(p), p->size, offset);

            model_compare_all();
            model_drain();
        }

        free(block);
    }
}


/* of exact size, so that ASan sees what is done outside */
static void
model_make(ngx_msgbus_pending_t *pending, size_t size)
{
    ngx_uint_t  slot;

    block = malloc(size);
    memset(block, 0xa5, size);

    memset(pending, 0, sizeof(ngx_msgbus_pending_t));
    memset(&slots, 0, sizeof(ngx_msgbus_slots_sh_t));

    pending->slots = &slots;
    pending->undo = &undo;

    unit_check(ngx_msgbus_pending_init(pending, block, size, 1) == NGX_OK,
               "no room for pending posts in %zu bytes", size);

    unit_check(pending->ring + pending->size <= block + size,
               "the ring is too large");

    unit_poison(pending->ring + pending->size,
                block + size - pending->ring - pending->size);

    for (slot = 0; slot < MODEL_SLOTS; slot++) {
        slots.owner[slot] = 1 + slot;
    }

    model->first = 0;
    model->end = 0;
    model->known = 0;
    model->head = 0;
    model->tail = 0;
    model->cells = 0;
    model->entries = 0;
    model->last_id = unit_below(1000000);
}


static void
model_step(void)
{
    size_t  max;

    switch (unit_below(16)) {

    case 0:

        if (unit_once_in(patience)) {
            model_commit();
        }

        break;

    case 1:
        model_cancel(unit_once_in(patience == 200 ? 50 : 500) ? MODEL_POSTS
                     : unit_once_in(2) ? 1 : unit_below(20));
        break;

    case 2: case 3:
        model_take(unit_below(MODEL_SLOTS), 1 + unit_below(MODEL_OUTCOMES));
        break;

    case 4:

        if (unit_once_in(4)) {
            model_sweep();

        } else {
            model_trim();
            ngx_msgbus_pending_trim_locked(p);
        }

        break;

    case 5:

        if (unit_once_in(100)) {
            model_worker();

        } else {
            model_find_key();
        }

        break;

    case 6:

        if (unit_once_in(100)) {
            model_drain();

            model_put(ngx_msgbus_pending_max(p));
            unit_check(model->end - model->first == 1,
                       "the largest does not fit into an empty ring");
            reached.largest++;
        }

        break;

    default:
        max = ngx_msgbus_pending_max(p);

        switch (kind) {

        case MODEL_TINY:
            model_put(unit_once_in(1000) ? unit_below(max) : unit_below(2));
            break;

        case MODEL_ANY:
            model_put(unit_once_in(10) ? unit_below(max)
                                       : unit_below(max / 20));
            break;

        default:
            model_put(unit_once_in(4) ? max : unit_below(max));
        }
    }
}


/* about so many bytes in the ring, and the least if these are too few */
static void
model_put(size_t bytes)
{
    ngx_int_t              rc, expected_rc;
    model_post_t          *post;
    ngx_msgbus_outcome_t   outcome;

    post = &model->posts[model->end];

    model_fill(post, bytes);

    expected_rc = NGX_OK;

    if (model->cells == p->ncells) {
        expected_rc = NGX_BUSY;
        reached.no_cell++;

    } else if (!model_fits(post->size)) {
        expected_rc = NGX_BUSY;
        reached.full++;
    }

    rc = model_put_one(post, &outcome);

    unit_check(rc == expected_rc, "put: %d instead of %d", (int) rc,
               (int) expected_rc);

    if (rc != NGX_OK) {
        return;
    }

    unit_check(outcome.cell < p->ncells && outcome.generation,
               "a post in cell %u", outcome.cell);

    post->cell = outcome.cell;
    post->generation = outcome.generation;
    post->state = NGX_MSGBUS_QUEUED;
    post->told = MODEL_WAITS;
    post->id = 0;
    post->created = 0;
    post->offset = p->size - model->tail < post->size ? 0 : model->tail;

    reached.puts++;
    reached.wraps += post->offset == 0;

    model->tail = post->offset + post->size;
    model->end++;
    model->cells++;
    model->entries++;

    reached.exact += model->tail == p->size;
    reached.most = ngx_max(reached.most, model->entries);
}


static void
model_fill(model_post_t *post, size_t bytes)
{
    size_t  least;

    post->tag = unit_random();
    post->posted = unit_random();
    post->slot = unit_below(MODEL_SLOTS);
    post->channel_len = 1 + unit_below(unit_once_in(4) ? 255 : 10);
    post->uuid_len = unit_below(unit_once_in(4) ? 100 : 2);
    post->agent_len = unit_below(unit_once_in(4) ? 1000 : 2);

    /* the largest has none, or it would be too large */

    post->key = bytes < ngx_msgbus_pending_max(p) / 2 && unit_once_in(2)
                ? 1 + unit_below(MODEL_KEYS) : 0;

    least = offsetof(ngx_msgbus_entry_t, bytes);

    while (bytes && least + post->channel_len + post->uuid_len
                    + post->agent_len > bytes)
    {
        post->channel_len = 1;
        post->uuid_len = 0;
        post->agent_len = 0;
        bytes = ngx_max(bytes, least + 1);
    }

    least += post->channel_len + post->uuid_len + post->agent_len;
    bytes &= ~7UL;

    post->data_len = bytes > least ? bytes - least : unit_below(8);
    post->noise = unit_below(MODEL_NOISE - post->channel_len - post->uuid_len
                             - post->agent_len - post->data_len);
    post->size = ngx_align(least + post->data_len, 8)
                 + (post->key ? sizeof(ngx_msgbus_waiting_key_t) : 0);
}


static ngx_int_t
model_put_one(model_post_t *post, ngx_msgbus_outcome_t *outcome)
{
    u_char                token[NGX_MSGBUS_TOKEN_LEN];
    ngx_msgbus_key_t      key;
    ngx_msgbus_event_t    ev;
    ngx_msgbus_channel_t  ch;

    memset(&ev, 0, sizeof(ngx_msgbus_event_t));
    memset(&ch, 0, sizeof(ngx_msgbus_channel_t));
    memset(outcome, 0, sizeof(ngx_msgbus_outcome_t));

    memcpy(token, &post->tag, 8);
    memcpy(token + 8, &post->tag, 8);

    ev.channel = &ch;
    ch.name.data = noise + post->noise;
    ch.name.len = post->channel_len;
    ev.uuid.data = ch.name.data + post->channel_len;
    ev.uuid.len = post->uuid_len;
    ev.user_agent.data = ev.uuid.data + post->uuid_len;
    ev.user_agent.len = post->agent_len;
    ev.data.data = ev.user_agent.data + post->agent_len;
    ev.data.len = post->data_len;

    if (post->key) {
        model_key(&key, post->key);
        ev.key = &key;
    }

    return ngx_msgbus_pending_put_locked(p, post->slot, &ev, token,
                                         post->posted, outcome);
}


static void
model_key(ngx_msgbus_key_t *key, uint32_t n)
{
    uint64_t  mixed;

    mixed = n * 0x9e3779b97f4a7c15;

    memset(key, (int) n, sizeof(ngx_msgbus_key_t));
    memcpy(key->name, &mixed, sizeof(uint64_t));
}


static void
model_find_key(void)
{
    size_t             i;
    uint32_t           n;
    ngx_uint_t         waits;
    ngx_msgbus_key_t   key;

    n = 1 + unit_below(MODEL_KEYS);
    model_key(&key, n);

    waits = 0;

    for (i = model->first; i < model->end; i++) {
        if (model->posts[i].key == n && model_is_open(&model->posts[i])) {
            waits = 1;
            break;
        }
    }

    unit_check(ngx_msgbus_pending_keyed_locked(p, &key) == waits,
               "a key waits%s", waits ? ", and is not found" : " no more");

    if (waits) {
        reached.keys++;

    } else {
        reached.no_keys++;
    }
}


/*
 * Behind the newest, else at the ring's start; never so that the ring would
 * be full to the last byte, as it would look empty.
 */
static ngx_uint_t
model_fits(size_t size)
{
    if (model->tail < model->head) {
        return model->tail + size < model->head;
    }

    return model->tail + size <= p->size || size < model->head;
}


/* so many, or all of them */
static void
model_cancel(size_t n)
{
    size_t                 from;
    ngx_int_t              rc, expected_rc;
    ngx_uint_t             all;
    model_post_t          *post;
    ngx_msgbus_outcome_t   outcome;

    if (model->end == 0) {
        return;
    }

    /* also those that are long gone */

    from = unit_once_in(4) ? 0 : model->first;

    if (from == model->end) {
        from = 0;
    }

    all = n >= model->end - from;
    n = ngx_min(n, model->end - from);

    for ( /* void */ ; n; n--) {

        post = &model->posts[from + (all ? n - 1
                                         : unit_below(model->end - from))];

        memset(&outcome, 0, sizeof(ngx_msgbus_outcome_t));

        outcome.cell = post->cell;
        outcome.generation = post->generation;

        rc = ngx_msgbus_pending_cancel_locked(p, &outcome);

        switch (post->told) {

        case MODEL_WAITS:

            if (post->state == NGX_MSGBUS_QUEUED) {
                post->state = NGX_MSGBUS_CANCELED;
                model->entries--;
                expected_rc = NGX_OK;
                reached.canceled++;

            } else {
                expected_rc = NGX_AGAIN;
                reached.unsure++;
            }

            model->cells--;
            break;

        case MODEL_DONE:
            expected_rc = NGX_DONE;

            unit_check(outcome.id == post->id
                       && outcome.created == post->created,
                       "a canceled post has id %" PRIu64 " and not %" PRIu64,
                       outcome.id, post->id);

            reached.late++;
            model->cells--;
            break;

        default:
            expected_rc = NGX_DECLINED;
            reached.nobody++;
        }

        unit_check(rc == expected_rc, "cancel: %d instead of %d", (int) rc,
                   (int) expected_rc);

        post->told = MODEL_GONE;
    }
}


static void
model_take(ngx_uint_t slot, ngx_uint_t max)
{
    size_t                 i;
    ngx_uint_t             n, k, there;
    model_post_t          *post;
    ngx_msgbus_outcome_t   outcomes[MODEL_OUTCOMES];

    there = 0;

    while (model->known < model->end
           && model->posts[model->known].told == MODEL_GONE)
    {
        model->known++;
    }

    for (i = model->known; i < model->end; i++) {
        post = &model->posts[i];
        there += post->told == MODEL_DONE && post->slot == slot;
    }

    n = ngx_msgbus_pending_take_locked(p, slot, outcomes, max);

    unit_check(n == ngx_min(there, max), "%u outcomes of %u are taken",
               (unsigned) n, (unsigned) there);

    for (k = 0; k < n; k++) {

        for (i = model->known; i < model->end; i++) {
            post = &model->posts[i];

            if (post->told == MODEL_DONE
                && post->cell == outcomes[k].cell
                && post->generation == outcomes[k].generation)
            {
                break;
            }
        }

        unit_check(i < model->end, "an outcome of no post, in cell %u",
                   outcomes[k].cell);

        unit_check(post->slot == slot, "an outcome for slot %u is told to"
                   " slot %u", post->slot, (unsigned) slot);

        unit_check(outcomes[k].id == post->id
                   && outcomes[k].created == post->created,
                   "an outcome with id %" PRIu64 " and not %" PRIu64,
                   outcomes[k].id, post->id);

        post->told = MODEL_GONE;
        model->cells--;

        reached.taken++;
        reached.inherited += slots.owner[slot] > MODEL_SLOTS;
    }
}


/* what a committer does in a turn, and what may come in between */
static void
model_commit(void)
{
    size_t         i;
    ngx_uint_t     n, order;
    model_post_t  *post;

    model_walk(unit_below(4));

    order = unit_below(4);

    for (n = unit_once_in(4) ? unit_below(300) : unit_below(40); n; n--) {

        if (model->first == model->end) {
            return;
        }

        i = order ? model->first
                  : model->first + unit_below(model->end - model->first);

        while (i < model->end && !model_is_open(&model->posts[i])) {
            i++;
        }

        if (i == model->end) {
            return;
        }

        post = &model->posts[i];

        if (order == 3 && post->state == NGX_MSGBUS_SENT && unit_once_in(2)) {
            ((ngx_msgbus_entry_t *) (p->ring + post->offset))->state =
                                                          NGX_MSGBUS_QUEUED;
            post->state = NGX_MSGBUS_QUEUED;
            reached.unsent++;
            return;
        }

        reached.out_of_order += i != model->first;

        model_settle(post, unit_once_in(5) ? 0 : ++model->last_id);
    }
}


/* all entries, in their order; marks one of so many that are queued */
static void
model_walk(ngx_uint_t mark)
{
    size_t               i, offset;
    ngx_str_t            channel;
    model_post_t        *post;
    ngx_msgbus_event_t   ev;
    ngx_msgbus_entry_t  *e;

    offset = p->sh->head;

    for (i = model->first; i < model->end; i++) {
        post = &model->posts[i];

        e = ngx_msgbus_pending_at_locked(p, &offset);

        unit_check(e && offset == post->offset && e->size == post->size,
                   "an entry is lost");
        unit_check(e->state == post->state, "an entry in state %u and not %u",
                   e->state, post->state);

        unit_check(e->cell == (post->told == MODEL_WAITS
                               ? post->cell : NGX_MSGBUS_CELL_NONE),
                   "an entry of another cell");

        ngx_msgbus_entry_event(e, &channel, &ev);

        unit_check(memcmp(e->token, &post->tag, 8) == 0
                   && memcmp(e->token + 8, &post->tag, 8) == 0
                   && e->posted == post->posted
                   && channel.len == post->channel_len
                   && ev.uuid.len == post->uuid_len
                   && ev.user_agent.len == post->agent_len
                   && ev.data.len == post->data_len
                   && memcmp(channel.data, noise + post->noise,
                             channel.len + ev.uuid.len + ev.user_agent.len
                             + ev.data.len) == 0
                   && (ev.key != NULL) == (post->key != 0),
                   "an entry is another one than what was put");

        if (mark && post->state == NGX_MSGBUS_QUEUED && unit_once_in(mark)) {
            e->state = NGX_MSGBUS_SENT;
            post->state = NGX_MSGBUS_SENT;
        }

        offset += e->size;
    }

    unit_check(ngx_msgbus_pending_at_locked(p, &offset) == NULL,
               "an entry too many");
}


static void
model_settle(model_post_t *post, uint64_t id)
{
    uint64_t             created;
    ngx_int_t            slot, expected_slot;
    ngx_msgbus_entry_t  *e;

    created = id ? unit_random() : 0;
    expected_slot = -1;

    if (post->told == MODEL_WAITS) {

        if (slots.owner[post->slot]) {
            expected_slot = post->slot;
            post->told = MODEL_DONE;
            post->id = id;
            post->created = created;

        } else {
            post->told = MODEL_GONE;
            model->cells--;
            reached.dead++;
        }
    }

    post->state = NGX_MSGBUS_SETTLED;
    model->entries--;

    reached.stored += id != 0;
    reached.refused += id == 0;

    e = (ngx_msgbus_entry_t *) (p->ring + post->offset);

    slot = ngx_msgbus_pending_settle_locked(p, e, id, created);

    unit_check(slot == expected_slot, "slot %d is to be woken, and not %d",
               (int) slot, (int) expected_slot);

    unit_check(e->state == NGX_MSGBUS_SETTLED, "what is settled is not");

    /* the head goes over what is settled, not over all at once */

    model_trim();
}


/* what one trim does */
static void
model_trim(void)
{
    size_t  n;

    for (n = 0;
         n < NGX_MSGBUS_HOLD_RECORDS && model->first < model->end
         && !model_is_open(&model->posts[model->first]);
         n++)
    {
        model->head = model->posts[model->first].offset
                      + model->posts[model->first].size;
        model->first++;
    }

    reached.held += n == NGX_MSGBUS_HOLD_RECORDS;
}


static void
model_sweep(void)
{
    size_t         i;
    uint32_t       n;
    model_post_t  *post;

    for (n = 0; n < p->ncells; n += NGX_MSGBUS_HOLD_RECORDS) {
        ngx_msgbus_pending_sweep_locked(p);
    }

    for (i = model->known; i < model->end; i++) {
        post = &model->posts[i];

        if (post->told == MODEL_DONE && !slots.owner[post->slot]) {
            post->told = MODEL_GONE;
            model->cells--;
            reached.swept++;
        }
    }
}


/* a worker dies, or another one takes its slot */
static void
model_worker(void)
{
    ngx_uint_t  slot;

    slot = unit_below(MODEL_SLOTS);

    slots.owner[slot] = slots.owner[slot] ? 0 : MODEL_SLOTS + 1 + slot;
}


static void
model_torn(void)
{
    reached.repairs++;

    if (unit_once_in(2)) {
        unit_tear(p->undo, p->sh, sizeof(ngx_msgbus_pending_sh_t));

    } else {
        unit_tear(p->undo, p->cells, p->ncells * sizeof(ngx_msgbus_cell_t));
    }

    ngx_msgbus_undo_locked(p->undo);

    model_compare();
    model_compare_all();
}


/* all is settled and taken, and all cells can be had again */
static void
model_drain(void)
{
    size_t                 i;
    uint32_t               n;
    ngx_uint_t             slot;
    model_post_t          *post, probe;
    ngx_msgbus_entry_t    *e;
    ngx_msgbus_outcome_t   outcome;

    model_walk(0);

    for (i = model->first; i < model->end; i++) {
        post = &model->posts[i];

        if (model_is_open(post)) {
            model_settle(post, unit_once_in(5) ? 0 : ++model->last_id);
        }
    }

    while (model->first < model->end) {
        model_trim();
        ngx_msgbus_pending_trim_locked(p);
    }

    for (slot = 0; slot < MODEL_SLOTS; slot++) {

        do {
            n = model->cells;
            model_take(slot, MODEL_OUTCOMES);
        } while (model->cells < n);
    }

    for (i = 0; i < model->end; i++) {
        unit_check(model->posts[i].told == MODEL_GONE,
                   "a post has no outcome");
    }

    model_compare();
    model_compare_all();

    unit_check(model->cells == 0 && p->sh->entries == 0
               && p->sh->head == p->sh->tail, "something is left");

    for (n = 0; n < p->ncells; n++) {
        model_fill(&probe, 0);

        probe.channel_len = 1;
        probe.uuid_len = 0;
        probe.agent_len = 0;
        probe.data_len = 2;

        unit_check(model_put_one(&probe, &outcome) == NGX_OK,
                   "%u of %u cells can be taken", n, p->ncells);
    }

    unit_check(model_put_one(&probe, &outcome) == NGX_BUSY,
               "there is a cell more than there are");

    /* they are given back by who has not known of them */

    i = p->sh->head;

    while ((e = ngx_msgbus_pending_at_locked(p, &i)) != NULL) {
        i += e->size;

        outcome.cell = e->cell;
        outcome.generation = p->cells[e->cell].generation;

        unit_check(ngx_msgbus_pending_cancel_locked(p, &outcome) == NGX_OK,
                   "what is queued cannot be canceled");
    }

    while (p->sh->head != p->sh->tail) {
        ngx_msgbus_pending_trim_locked(p);
    }

    model->head = p->sh->head;
    model->tail = p->sh->tail;
    model->first = model->end;

    model_compare_all();
}


static ngx_uint_t
model_is_open(model_post_t *post)
{
    return post->state == NGX_MSGBUS_QUEUED || post->state == NGX_MSGBUS_SENT;
}


/* what costs little to compare, after each step */
static void
model_compare(void)
{
    unit_check(p->undo->n == 0, "a step is left open");

    unit_check(p->sh->head == model->head && p->sh->tail == model->tail,
               "head %zu, tail %zu instead of %zu, %zu",
               p->sh->head, p->sh->tail, model->head, model->tail);

    unit_check(p->sh->entries == model->entries,
               "%" PRIu64 " entries instead of %" PRIu64,
               p->sh->entries, model->entries);
}


static void
model_compare_all(void)
{
    uint32_t  n, cells;

    unit_check_pending(p);

    for (n = 0, cells = 0; n < p->ncells; n++) {
        cells += p->cells[n].state != NGX_MSGBUS_CELL_FREE;
    }

    unit_check(cells == model->cells, "%u cells are taken instead of %u",
               cells, model->cells);

    model_walk(0);
}
