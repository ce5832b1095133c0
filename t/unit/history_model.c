
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The hand-over between the log and a store, in random steps.
 *
 * The log is the real one, and small; the store is an array of all events
 * ever, with a floor below which it has forgotten them.  Readers of all scopes
 * and both sorts ask for pages, or for frames of a stream, and follow their
 * cursors.  Between any two holds of the lock, and while the store is asked,
 * events come, leave the log, expire, are forgotten; some pass the log by.
 *
 * Whoever has a cursor has got each event up to it once, in order, byte for
 * byte; what is missing the store has forgotten, and he was told of a gap; and
 * he was told of none otherwise.
 *
 *     history_model STEPS
 */


#include "check.h"
#include "ngx_msgbus_handover.h"
#include "ngx_msgbus_show.h"


#define MODEL_MANY      7
#define MODEL_EVENTS  200000
#define MODEL_NAMES   14
#define MODEL_UUIDS   4
#define MODEL_NOISE   65536
#define MODEL_PAGE    600
#define MODEL_TEXT    8388608


typedef struct {
    ngx_msgbus_event_t     ev;
    uint32_t               name;
    uint32_t               uuid;
    ngx_uint_t             passed_by;      /* never in the log */
} model_event_t;


/* what a reader was shown since his cursor */
typedef struct {
    ngx_msgbus_query_t     q;
    uint32_t               name;
    uint32_t               hide;
    ngx_uint_t             stream;

    uint64_t               ids[MODEL_PAGE];
    ngx_uint_t             n;
    uint64_t               began;          /* the newest id when it began */
    ngx_uint_t             asked;          /* pages of the store */
    ngx_uint_t             holds;

    /* several channels, as the reader names them */
    size_t                 names[MODEL_MANY];
    ngx_uint_t             below[MODEL_MANY];
    ngx_uint_t             n_names;
    ngx_msgbus_many_t      many;
    u_char                 canonical[NGX_MSGBUS_MANY_LEN];
} model_reader_t;


static void model_round(uint64_t steps);
static void model_begin(void);
static void model_event(void);
static void model_append(model_event_t *e);
static void model_meanwhile(void);
static void model_follow(void);
static void model_choose(model_reader_t *r);
static void model_page(model_reader_t *r, ngx_msgbus_view_t *view);
static void model_frame(model_reader_t *r, ngx_msgbus_view_t *view);
static ngx_int_t model_ask(model_reader_t *r, ngx_msgbus_view_t *view,
    u_char **last);
static void model_store(ngx_msgbus_history_t *question,
    ngx_msgbus_past_t *page);
static ngx_uint_t model_in_scopes(ngx_msgbus_history_t *question,
    model_event_t *e);
static void model_choose_many(model_reader_t *r);
static ngx_uint_t model_covers(model_reader_t *r, model_event_t *e);
static ngx_uint_t model_covers_many(model_reader_t *r, model_event_t *e);
static ngx_uint_t model_hidden(model_reader_t *r, model_event_t *e);
static size_t model_at(uint64_t id);
static size_t model_render(model_reader_t *r, model_event_t *e, uint64_t age,
    u_char *p);
static void model_take(model_reader_t *r, ngx_msgbus_view_t *view, u_char *p,
    u_char *last);
static void model_check_up(model_reader_t *r, ngx_msgbus_view_t *view);
static void model_check_down(model_reader_t *r, ngx_msgbus_view_t *view);
static void model_check_gap(model_reader_t *r, ngx_msgbus_view_t *view,
    ngx_uint_t missing);
static void model_check_alarm(model_reader_t *r, ngx_msgbus_view_t *view);


static const char  *model_names[MODEL_NAMES] = {
    "/a", "/a/b", "/a/b/c", "/ab", "/a/bc", "/a-b", "/b", "/b/a", "/c/d/e/f",
    "/c/d", "/c", "/quiet", "/quiet/below", "/never"
};

static const char  *model_uuids[MODEL_UUIDS] = {
    "", "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "6ba7b810-9dad-11d1-80b4-00c04fd430c9", "x"
};


static model_event_t           *events;
static size_t                   n_events;
static size_t                   n_old;     /* of them are older than the ttl */
static u_char                  *noise;
static ngx_msgbus_channel_t     channels[MODEL_NAMES];

static uint64_t                 now;       /* since boot, ms */
static uint64_t                 floor_id;  /* forgotten by the store */
static uint64_t                 hole_id;   /* ids up to it may be lost */
static ngx_uint_t               older_hole; /* there was one before it */
static uint64_t                 newest_id;
static ngx_uint_t               calm;      /* nothing happens meanwhile */

static ngx_msgbus_log_t         the_log, *log_ = &the_log;
static ngx_slab_pool_t          the_pool;
static ngx_msgbus_undo_t        the_undo;

static u_char                  *text;      /* of a page */
static u_char                  *expected;
static ngx_msgbus_mark_t        marks[NGX_MSGBUS_HOLD_RECORDS];

static struct {
    uint64_t               pages;
    uint64_t               frames;
    uint64_t               shown;
    uint64_t               asked;
    uint64_t               both;           /* pages from the store and the log */
    uint64_t               again;          /* the store was asked again: the
                                              log had moved on */
    uint64_t               gaps;
    uint64_t               no_gap;         /* from below the log, and none */
    uint64_t               cuts;
    uint64_t               down;
    uint64_t               passed_by;
    uint64_t               forgotten;
    uint64_t               holes;
    uint64_t               followed;
    uint64_t               memory;         /* pages without the store */
} reached;


int
main(int argc, char **argv)
{
    size_t    i;
    uint64_t  steps;

    unit_init();

    steps = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;

    noise = malloc(MODEL_NOISE);

    for (i = 0; i < MODEL_NOISE; i++) {
        noise[i] = (u_char) (' ' + unit_below(95));
    }

    events = malloc(MODEL_EVENTS * sizeof(model_event_t));
    text = malloc(MODEL_TEXT);
    expected = malloc(MODEL_TEXT);

    while (unit_step < steps) {
        model_round(ngx_min(200 + unit_below(600), steps - unit_step));
    }

    printf("steps: %" PRIu64 "\n", unit_step);
    printf("pages: %" PRIu64 "\n", reached.pages);
    printf("frames: %" PRIu64 "\n", reached.frames);
    printf("events shown: %" PRIu64 "\n", reached.shown);
    printf("questions: %" PRIu64 "\n", reached.asked);
    printf("pages of both: %" PRIu64 "\n", reached.both);
    printf("pages of the log: %" PRIu64 "\n", reached.memory);
    printf("asked again: %" PRIu64 "\n", reached.again);
    printf("gaps: %" PRIu64 "\n", reached.gaps);
    printf("no gap below the log: %" PRIu64 "\n", reached.no_gap);
    printf("pages cut: %" PRIu64 "\n", reached.cuts);
    printf("newest first: %" PRIu64 "\n", reached.down);
    printf("passed by: %" PRIu64 "\n", reached.passed_by);
    printf("forgotten: %" PRIu64 "\n", reached.forgotten);
    printf("holes: %" PRIu64 "\n", reached.holes);
    printf("followed to the end: %" PRIu64 "\n", reached.followed);

    return 0;
}


static void
model_round(uint64_t steps)
{
    u_char    *block;
    size_t     size;
    uint64_t   last;

    size = 40000 + unit_below(120000);
    block = malloc(size);

    memset(log_, 0, sizeof(ngx_msgbus_log_t));
    memset(&the_pool, 0, sizeof(ngx_slab_pool_t));

    the_pool.log_ctx = (u_char *) " in a test";
    log_->shpool = &the_pool;
    log_->undo = &the_undo;
    log_->ttl = unit_once_in(3) ? 1 + unit_below(3000) : 1000000;
    log_->max_events = unit_once_in(2) ? 1 + unit_below(100)
                                       : NGX_MAX_UINT32_VALUE;
    log_->follows = 1;

    unit_check(ngx_msgbus_log_init(log_, block, size, 1) == NGX_OK,
               "no log in %zu bytes", size);

    now = 1000000;
    ngx_msgbus_log_start(log_, 1, unit_random(), 0);

    model_begin();

    for (last = unit_step + steps; unit_step < last; unit_step++) {

        calm = unit_once_in(3);

        if (unit_once_in(3)) {
            model_follow();

        } else {
            model_meanwhile();
        }
    }

    free(block);
}


/* the store has events already, and the log begins with the last of them */
static void
model_begin(void)
{
    size_t      i, n;
    ngx_str_t   name;

    for (i = 0; i < MODEL_NAMES; i++) {
        name.data = (u_char *) model_names[i];
        name.len = strlen(model_names[i]);

        unit_check(ngx_msgbus_channel_parse(&channels[i], &name,
                                            log_->sh->seed)
                   == NGX_OK, "no channel: %s", model_names[i]);
    }

    n_events = 0;
    n_old = 0;
    floor_id = unit_once_in(2) ? unit_below(1000) : 0;
    newest_id = floor_id;
    hole_id = 0;
    older_hole = 0;

    n = unit_once_in(4) ? 0 : unit_below(800);

    for (i = 0; i < n; i++) {
        model_event();
    }

    i = n - (n ? unit_below(ngx_min(n, 50)) : 0);

    log_->sh->last_id = i < n ? events[i].ev.id - 1 : newest_id;
    log_->sh->evicted_id = log_->sh->last_id;
    log_->sh->nodes.floor = log_->sh->last_id;

    for ( /* void */ ; i < n; i++) {
        model_append(&events[i]);
    }
}


static void
model_event(void)
{
    model_event_t       *e;
    ngx_msgbus_event_t  *ev;

    unit_check(n_events < MODEL_EVENTS, "too many events for the model");

    e = &events[n_events++];
    ev = &e->ev;

    newest_id += unit_once_in(8) ? 1 + unit_below(20) : 1;

    e->name = unit_below(unit_once_in(12) ? MODEL_NAMES - 1 : 11);
    e->uuid = unit_below(MODEL_UUIDS);
    e->passed_by = unit_once_in(200);

    ev->channel = &channels[e->name];
    ev->uuid.data = (u_char *) model_uuids[e->uuid];
    ev->uuid.len = strlen(model_uuids[e->uuid]);
    ev->user_agent = ev->uuid;
    ev->key = NULL;
    ev->id = newest_id;
    ev->created = now;
    ev->since = (int64_t) now;
    ev->data.data = noise + unit_below(MODEL_NOISE / 2);
    ev->data.len = unit_once_in(30) ? unit_below(6000) : unit_below(300);

    (void) sprintf((char *) text, "%020" PRIu64, newest_id);
    memcpy(ev->created_text, text, NGX_MSGBUS_TIME_LEN);
}


/* durable first, and then in the log: what readers see of the bus */
static void
model_append(model_event_t *e)
{
    ngx_int_t  rc;

    if (e->passed_by) {

        /* too large for it, or cut off */

        log_->sh->last_id = e->ev.id;
        log_->sh->lapsed_id = e->ev.id;
        reached.passed_by++;
        return;
    }

    do {
        ngx_msgbus_log_lock(log_);
        rc = ngx_msgbus_log_append_locked(log_, &e->ev, now);
        ngx_msgbus_log_unlock(log_);
    } while (rc == NGX_AGAIN);

    unit_check(rc == NGX_OK, "append: %d", (int) rc);
}


/* what others do between two steps of a reader */
static void
model_meanwhile(void)
{
    uint64_t    id;
    ngx_int_t   rc;
    ngx_uint_t  n;

    if (unit_once_in(3)) {
        now += unit_below(log_->ttl < 10000 ? 300 : 3);

        do {
            ngx_msgbus_log_lock(log_);
            rc = ngx_msgbus_log_expire_locked(log_, now);
            ngx_msgbus_log_unlock(log_);
        } while (rc == NGX_AGAIN);
    }

    n = unit_below(3);

    if (unit_once_in(20)) {
        n = unit_below(300);
    }

    while (n--) {
        if (n_events == MODEL_EVENTS) {
            break;
        }

        model_event();
        model_append(&events[n_events - 1]);
    }

    /* what is too old counts as forgotten */

    while (n_old < n_events
           && now - (uint64_t) events[n_old].ev.since >= log_->ttl)
    {
        floor_id = ngx_max(floor_id, events[n_old].ev.id);
        n_old++;
    }

    unit_check(log_->sh->forgotten_id <= floor_id,
               "%" PRIu64 " counts as forgotten, and the floor is %" PRIu64,
               log_->sh->forgotten_id, floor_id);

    if (n_events && unit_once_in(60)) {

        /* the store forgets; it never forgets what is newest */

        id = events[unit_below(n_events)].ev.id;

        if (id > floor_id && id < newest_id && unit_once_in(2)) {
            floor_id = id;
            reached.forgotten++;
        }
    }

    if (n_events && unit_once_in(300)) {

        /* an anchor: what was there before it may be lost */

        newest_id += 5;
        older_hole = (hole_id > floor_id);
        hole_id = newest_id;
        log_->sh->last_id = newest_id;
        log_->sh->lapsed_id = newest_id;
        reached.holes++;
    }
}


/* a reader follows his cursor, most often to the end */
static void
model_follow(void)
{
    ngx_uint_t                n;
    ngx_msgbus_view_t         view;

    static model_reader_t     r;

    model_choose(&r);

    for (n = 1 + unit_below(40); n; n--) {

        r.n = 0;
        r.asked = 0;
        r.holds = 0;

        if (r.stream) {
            model_frame(&r, &view);
            reached.frames++;

        } else {
            model_page(&r, &view);
            reached.pages++;
        }

        reached.shown += r.n;
        reached.asked += r.asked;

        if (r.asked == 0) {
            reached.memory++;
        }

        if (r.asked > 1 && !view.cut) {
            reached.again++;
        }

        if (view.gap) {
            reached.gaps++;

        } else if (r.asked && r.q.after) {
            reached.no_gap++;
        }

        if (r.q.newest_first) {
            model_check_down(&r, &view);
            reached.down++;
            return;
        }

        model_check_up(&r, &view);

        unit_check(view.last_id > r.q.after || view.last_id == newest_id,
                   "the cursor %" PRIu64 " does not move on", r.q.after);

        r.q.after = view.last_id;

        if (view.last_id == newest_id) {
            reached.followed++;
            return;
        }
    }
}


static void
model_choose(model_reader_t *r)
{
    uint64_t             back;
    ngx_msgbus_query_t  *q;

    q = &r->q;
    memset(q, 0, sizeof(ngx_msgbus_query_t));

    r->name = unit_below(MODEL_NAMES);
    r->hide = unit_once_in(3) ? 1 + unit_below(MODEL_UUIDS - 1) : 0;

    q->history = 1;
    q->channel = &channels[r->name];
    q->scope = unit_below(5);
    q->name = q->scope != NGX_MSGBUS_EXACT;
    q->newest_first = unit_once_in(4);

    if (q->scope == NGX_MSGBUS_MANY) {
        model_choose_many(r);
    }

    q->max_events = unit_once_in(2) ? 1 + unit_below(10)
                                    : 1 + unit_below(500);
    q->max_bytes = unit_once_in(3) ? 1 + unit_below(5000) : 1048576;

    r->stream = !q->newest_first && unit_once_in(2);

    if (r->stream) {
        q->max_events = (ngx_uint_t) -1;
        q->max_bytes = (size_t) -1;
    }

    if (r->hide) {
        q->hide.data = (u_char *) model_uuids[r->hide];
        q->hide.len = strlen(model_uuids[r->hide]);
    }

    switch (unit_below(4)) {

    case 0:
        q->after = 0;
        break;

    case 1:
        q->after = unit_below(newest_id + 1);
        break;

    case 2:
        back = unit_below(200);
        q->after = newest_id - ngx_min(newest_id, back);
        break;

    default:
        q->after = floor_id + unit_below(newest_id - floor_id + 1);
    }
}


/* as ngx_msgbus_read() does it */
static void
model_page(model_reader_t *r, ngx_msgbus_view_t *view)
{
    u_char     *last, *to;
    ngx_int_t   rc;

    ngx_msgbus_view_init(view, &r->q);

    to = text + MODEL_TEXT / 2;
    r->began = newest_id;

    for ( ;; ) {
        ngx_msgbus_log_lock(log_);
        rc = ngx_msgbus_view_next_locked(log_, view, text, &last, now);
        ngx_msgbus_log_unlock(log_);

        r->holds++;
        to = ngx_cpymem(to, text, last - text);

        if (rc != NGX_OK && !calm) {
            model_meanwhile();
        }

        while (rc == NGX_DECLINED) {
            rc = model_ask(r, view, &last);
            to = ngx_cpymem(to, text, last - text);
        }

        if (rc == NGX_OK) {
            break;
        }
    }

    model_take(r, view, text + MODEL_TEXT / 2, to);
}


/* as ngx_msgbus_frame() does it */
static void
model_frame(model_reader_t *r, ngx_msgbus_view_t *view)
{
    u_char         *last;
    ngx_int_t       rc;
    ngx_uint_t      i;
    model_event_t  *e;

    ngx_msgbus_view_init(view, &r->q);
    view->marks = marks;

    ngx_msgbus_log_lock(log_);
    rc = ngx_msgbus_view_next_locked(log_, view, text, &last, now);
    ngx_msgbus_log_unlock(log_);

    r->holds++;

    if (rc == NGX_DECLINED) {

        /* a frame that told of it would lead past what the store has */

        unit_check(!view->gap, "a gap is told before the store is asked");

        if (!calm) {
            model_meanwhile();
        }

        rc = model_ask(r, view, &last);

        unit_check(rc == NGX_AGAIN || rc == NGX_DECLINED,
                   "a frame of the store: %d", (int) rc);
    }

    if (rc != NGX_OK) {
        view->last_id = view->place;
    }

    unit_check(view->events <= NGX_MSGBUS_HOLD_RECORDS, "too many events");

    for (i = 0; i < view->events; i++) {
        r->ids[i] = marks[i].id;

        e = &events[model_at(marks[i].id)];

        unit_check(model_render(r, e, (now - (uint64_t) e->ev.since) / 1000,
                                expected)
                   == marks[i].len
                   && memcmp(expected, marks[i].text, marks[i].len) == 0,
                   "event %" PRIu64 " is rendered otherwise", marks[i].id);

        unit_check(marks[i].uuid.len == e->ev.uuid.len
                   && memcmp(marks[i].uuid.data, e->ev.uuid.data,
                             e->ev.uuid.len) == 0, "another uuid");
    }

    r->n = view->events;
    view->cut = 1;
}


static ngx_int_t
model_ask(model_reader_t *r, ngx_msgbus_view_t *view, u_char **last)
{
    size_t                   size;
    uint64_t                 place;
    ngx_int_t                rc;
    ngx_msgbus_history_t     question;
    ngx_msgbus_scope_t       scopes[NGX_MSGBUS_MANY_MAX];
    ngx_msgbus_past_t   page;

    unit_check(++r->asked < 10000, "the store is asked without an end");

    place = view->place;

    ngx_msgbus_handover_question(view, log_->sh->last_id, &question, scopes);

    unit_check(question.after < question.upto && question.max
               && question.max_bytes, "a question for nothing: %d %d %d", (int) question.max, (int) question.max_bytes, (int) (question.upto - question.after));

    if (!calm) {
        model_meanwhile();
    }

    model_store(&question, &page);

    if (!calm) {
        model_meanwhile();
    }

    if (unit_once_in(2)) {
        ngx_msgbus_log_lock(log_);
        ngx_msgbus_log_forgotten_locked(log_, page.examined.gone);
        ngx_msgbus_log_unlock(log_);
    }

    size = ngx_msgbus_handover_size(view, &page);

    rc = ngx_msgbus_handover_take(view, &page, text, last, now);

    unit_check((size_t) (*last - text) <= size, "more bytes than foretold");
    unit_check(rc == NGX_OK || view->place != place, "no way forth: %d",
               (int) rc);
    unit_check(rc != NGX_ERROR, "the page is refused");

    free(page.events);

    return rc;
}


/* as a store may answer: cut anywhere, with hidden events or without */
static void
model_store(ngx_msgbus_history_t *question, ngx_msgbus_past_t *page)
{
    size_t              at;
    uint64_t            low, high;
    ngx_uint_t          max, hides;
    model_event_t      *e;
    ngx_msgbus_past_event_t  *past;

    max = question->max;

    if (unit_once_in(2)) {
        max = 1 + unit_below(max);
    }

    hides = unit_once_in(2);

    page->events = malloc(max * sizeof(ngx_msgbus_past_event_t));
    page->n = 0;

    page->examined.gone = floor_id;
    page->examined.lost = 0;
    page->examined.examined = question->newest_first ? question->after + 1
                                                     : question->upto;

    at = question->newest_first ? model_at(question->upto + 1)
                                : model_at(question->after + 1);

    for ( ;; ) {

        if (question->newest_first ? at == 0 : at == n_events) {
            break;
        }

        e = &events[question->newest_first ? --at : at++];

        if (question->newest_first ? e->ev.id <= question->after
                                   : e->ev.id > question->upto)
        {
            break;
        }

        if (e->ev.id <= floor_id) {
            continue;
        }

        if (model_in_scopes(question, e)
            && !(hides && question->hide.len
                 && e->ev.uuid.len == question->hide.len
                 && memcmp(e->ev.uuid.data, question->hide.data,
                           question->hide.len) == 0))
        {
            past = &page->events[page->n++];
            past->ev = e->ev;
            past->ev.channel = NULL;
            past->channel = e->ev.channel->name;
        }

        if (page->n == max || unit_once_in(1000)) {
            page->examined.examined = e->ev.id;
            break;
        }
    }

    /* a hole between the events that were looked at */

    low = question->newest_first ? page->examined.examined - 1
                                 : question->after;
    high = question->newest_first ? question->upto : page->examined.examined;

    if (hole_id > low && hole_id <= high) {
        page->examined.lost = hole_id;
    }

    if (unit_once_in(2) && !calm) {
        model_meanwhile();
    }

    page->examined.floor = floor_id;

    if (page->examined.lost <= floor_id) {
        page->examined.lost = 0;
    }
}


static ngx_uint_t
model_in_scopes(ngx_msgbus_history_t *question, model_event_t *e)
{
    ngx_str_t   *name, *ch;
    ngx_uint_t   i;

    name = &e->ev.channel->name;

    for (i = 0; i < question->nscopes; i++) {
        ch = &question->scopes[i].channel;

        if (ch->len == 0
            || (name->len == ch->len
                && memcmp(name->data, ch->data, ch->len) == 0)
            || (question->scopes[i].below
                && name->len > ch->len
                && name->data[ch->len] == '/'
                && memcmp(name->data, ch->data, ch->len) == 0))
        {
            return 1;
        }
    }

    return 0;
}


static void
model_choose_many(model_reader_t *r)
{
    u_char      *p, list[NGX_MSGBUS_MANY_LEN];
    ngx_str_t    s;
    ngx_uint_t   i;

    r->n_names = 1 + unit_below(MODEL_MANY);
    p = list;

    for (i = 0; i < r->n_names; i++) {
        r->names[i] = unit_below(MODEL_NAMES);
        r->below[i] = unit_once_in(4);

        p += sprintf((char *) p, "%s%s%s", i ? "," : "",
                     model_names[r->names[i]], r->below[i] ? "/*" : "");
    }

    s.data = list;
    s.len = p - list;

    unit_check(ngx_msgbus_many_parse(&r->many, &s, r->canonical,
                                     log_->sh->seed)
               == NGX_OK, "no channels: %.*s", (int) s.len, list);

    r->q.many = &r->many;
}


static ngx_uint_t
model_covers_many(model_reader_t *r, model_event_t *e)
{
    size_t       len;
    ngx_uint_t   i;
    const char  *mine, *name;

    name = model_names[e->name];

    for (i = 0; i < r->n_names; i++) {
        mine = model_names[r->names[i]];
        len = strlen(mine);

        if (e->name == r->names[i]
            || (r->below[i] && strncmp(mine, name, len) == 0
                && name[len] == '/'))
        {
            return 1;
        }
    }

    return 0;
}


/* the same, by what the reader has asked for */
static ngx_uint_t
model_covers(model_reader_t *r, model_event_t *e)
{
    size_t       len;
    const char  *mine, *name;

    mine = model_names[r->name];
    name = model_names[e->name];

    switch (r->q.scope) {

    case NGX_MSGBUS_EXACT:
        return e->name == r->name;

    case NGX_MSGBUS_PARENT:
        len = strlen(name);
        return strncmp(mine, name, len) == 0
               && (mine[len] == '/' || mine[len] == '\0');

    case NGX_MSGBUS_ALL:
        len = strlen(mine);
        return strncmp(mine, name, len) == 0
               && (name[len] == '/' || name[len] == '\0');

    case NGX_MSGBUS_MANY:
        return model_covers_many(r, e);

    default:
        return 1;
    }
}


static ngx_uint_t
model_hidden(model_reader_t *r, model_event_t *e)
{
    return r->hide && e->uuid == r->hide;
}


/* the first event from this id on */
static size_t
model_at(uint64_t id)
{
    size_t  low, high, middle;

    low = 0;
    high = n_events;

    while (low < high) {
        middle = (low + high) / 2;

        if (events[middle].ev.id < id) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low;
}


static size_t
model_render(model_reader_t *r, model_event_t *e, uint64_t age, u_char *p)
{
    int  n;

    n = sprintf((char *) p, "{\"id\":%" PRIu64 ",\"user_agent\":\"%s\","
                "\"created_at\":\"%020" PRIu64 "\",\"age\":%" PRIu64
                ",\"data\":%.*s", e->ev.id, model_uuids[e->uuid], e->ev.id,
                age, (int) e->ev.data.len, (char *) e->ev.data.data);

    if (r->q.name) {
        n += sprintf((char *) p + n, ",\"channel\":\"%s\"",
                     model_names[e->name]);
    }

    p[n++] = '}';

    return (size_t) n;
}


/* which events a page shows, and that nothing else is in it */
static void
model_take(model_reader_t *r, ngx_msgbus_view_t *view, u_char *p,
    u_char *last)
{
    char           *at;
    size_t          len, bytes;
    uint64_t        id, age;
    model_event_t  *e;

    bytes = 0;
    *last = '\0';

    while (p < last) {

        if (r->n && *p++ != ',') {
            unit_fail("no comma between events");
        }

        at = strstr((char *) p, "\"age\":");

        unit_check(sscanf((char *) p, "{\"id\":%" SCNu64, &id) == 1
                   && at && sscanf(at, "\"age\":%" SCNu64, &age) == 1,
                   "no event");

        e = &events[model_at(id)];

        unit_check(e->ev.id == id, "no such event");
        unit_check(age <= (now - (uint64_t) e->ev.since) / 1000, "an age");

        len = model_render(r, e, age, expected);

        unit_check((size_t) (last - p) >= len && memcmp(p, expected, len) == 0,
                   "event %" PRIu64 " is rendered otherwise", id);

        p += len;
        bytes += len + 1;

        r->ids[r->n++] = id;
    }

    unit_check(r->n == view->events, "%d events are counted",
               (int) view->events);
    unit_check(r->n <= r->q.max_events, "more events than asked for");
    unit_check(r->n <= 1 || bytes <= r->q.max_bytes, "more bytes");
}


/* all up to the new cursor was there, and nothing twice */
static void
model_check_up(model_reader_t *r, ngx_msgbus_view_t *view)
{
    size_t          at;
    uint64_t        store, log;
    ngx_uint_t      i, missing;
    model_event_t  *e;

    i = 0;
    missing = 0;
    store = 0;
    log = 0;

    for (at = model_at(r->q.after + 1);
         at < n_events && events[at].ev.id <= view->last_id;
         at++)
    {
        e = &events[at];

        if (!model_covers(r, e) || model_hidden(r, e)) {
            continue;
        }

        if (i < r->n && r->ids[i] == e->ev.id) {
            i++;

            if (e->ev.id <= log_->sh->evicted_id) {
                store++;

            } else {
                log++;
            }

            continue;
        }

        unit_check(e->ev.id <= floor_id,
                   "event %" PRIu64 " is missing in (%" PRIu64 ", %" PRIu64
                   "], the floor is %" PRIu64, e->ev.id, r->q.after,
                   view->last_id, floor_id);
        missing = 1;
    }

    unit_check(i == r->n, "event %" PRIu64 " is not due", r->ids[i]);

    if (r->asked && store && log) {
        reached.both++;
    }

    model_check_gap(r, view, missing);

    if (view->last_id == newest_id) {
        return;
    }

    if (view->cut) {
        reached.cuts++;
        return;
    }

    unit_fail("a page ends at %" PRIu64 ", and is not cut", view->last_id);
}


static void
model_check_down(model_reader_t *r, ngx_msgbus_view_t *view)
{
    size_t          at;
    uint64_t        lowest;
    ngx_uint_t      i, missing;
    model_event_t  *e;

    unit_check(view->last_id == r->began, "newest first: the cursor");

    i = 0;
    missing = 0;
    lowest = view->cut && r->n ? r->ids[r->n - 1] : r->q.after + 1;

    for (at = model_at(r->began + 1); at; at--) {
        e = &events[at - 1];

        if (e->ev.id < lowest) {
            break;
        }

        if (!model_covers(r, e) || model_hidden(r, e)) {
            continue;
        }

        if (i < r->n && r->ids[i] == e->ev.id) {
            i++;
            continue;
        }

        unit_check(e->ev.id <= floor_id,
                   "newest first: event %" PRIu64 " is missing, the floor is "
                   "%" PRIu64, e->ev.id, floor_id);
        missing = 1;
    }

    unit_check(i == r->n, "newest first: event %" PRIu64 " is not due",
               r->ids[i]);

    if (view->cut) {

        /* what is further down, he has not asked for */

        unit_check(view->gap || !missing || r->q.after == 0,
                   "newest first: something is missing without a gap");
        model_check_alarm(r, view);
        reached.cuts++;
        return;
    }

    model_check_gap(r, view, missing);
}


/* never false silence, and never a false alarm */
static void
model_check_gap(model_reader_t *r, ngx_msgbus_view_t *view,
    ngx_uint_t missing)
{
    if (r->q.after && missing) {
        unit_check(view->gap, "something is missing, and no gap was told");
    }

    if (r->q.after && hole_id > r->q.after && hole_id <= view->last_id) {
        unit_check(view->gap || floor_id >= hole_id,
                   "a hole is passed, and no gap was told");
    }

    model_check_alarm(r, view);
}


static void
model_check_alarm(model_reader_t *r, ngx_msgbus_view_t *view)
{
    if (view->gap) {
        unit_check(floor_id > r->q.after
                   || (hole_id > r->q.after
                       && (r->q.newest_first || hole_id <= view->last_id))
                   || older_hole,
                   "a gap is told, and nothing was forgotten");
    }
}
