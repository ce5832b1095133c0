
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The engine's face: a bus is a shared zone with a log in it, a store, and
 * in each worker a buffer to render into.  Declaring it, finding it again
 * after a reload, publishing and reading go through here; what they mean is
 * in the rooms behind (commit, view, log, channel).
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus.h"
#include "ngx_msgbus_commit.h"
#include "ngx_msgbus_notify.h"
#include "ngx_msgbus_store.h"


/* how often an idle bus looks for events past their ttl, ms */
#define NGX_MSGBUS_EXPIRE_PERIOD  1000

/* holds of the mutex that one such look may take */
#define NGX_MSGBUS_EXPIRE_HOLDS   64

/* readers woken in one turn of the event loop */
#define NGX_MSGBUS_WAKES          64


/*
 * Root of the zone, at shpool->data.  Written when the zone is made, constant
 * from then on.
 */
typedef struct {
    u_char                *addr;           /* the log's memory */
    size_t                 size;
    ngx_msgbus_slots_sh_t *slots;
} ngx_msgbus_root_t;


struct ngx_msgbus_s {
    ngx_msgbus_conf_t      conf;
    ngx_msgbus_store_t    *store;
    ngx_msgbus_log_t       log;
    ngx_shm_zone_t        *shm_zone;
    ngx_pool_cleanup_t    *cleanup;        /* of the cycle */

    /* this worker's */
    u_char                *scratch;
    ngx_event_t            expire;
    ngx_event_t            more;           /* readers are still to be woken */
    ngx_msgbus_notify_t    notify;
    ngx_msgbus_waiters_t   waiters;
    ngx_msgbus_frames_t    frames;         /* while readers are woken */
};


static ngx_int_t ngx_msgbus_init_zone(ngx_shm_zone_t *shm_zone, void *data);
static ngx_int_t ngx_msgbus_make_root(ngx_msgbus_t *bus,
    ngx_slab_pool_t *shpool);
static uint64_t ngx_msgbus_seed(ngx_log_t *log);
static ngx_int_t ngx_msgbus_init_eventfds(ngx_msgbus_t *bus,
    ngx_msgbus_t *old);
static void ngx_msgbus_cleanup_eventfds(void *data);
static void ngx_msgbus_expire_handler(ngx_event_t *ev);
static void ngx_msgbus_wake_handler(void *data);
static void ngx_msgbus_more_handler(ngx_event_t *ev);
static ngx_msgbus_frame_t *ngx_msgbus_frame_render(ngx_msgbus_t *bus,
    ngx_msgbus_query_t *query, ngx_uint_t form, ngx_log_t *log);
static ngx_chain_t *ngx_msgbus_page_add(ngx_pool_t *pool, u_char *data,
    size_t len, size_t head, size_t tail);
static uint64_t ngx_msgbus_now(void);
static u_char *ngx_msgbus_now_text(void);


ngx_msgbus_t *
ngx_msgbus_add(ngx_conf_t *cf, ngx_msgbus_conf_t *conf, void *tag)
{
    ngx_msgbus_t        *bus;
    ngx_msgbus_store_t  *store;

    store = &ngx_msgbus_store_memory;

    if (conf->store.len != store->name.len
        || ngx_strncmp(conf->store.data, store->name.data, store->name.len)
           != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown store \"%V\", it can be \"memory\"",
                           &conf->store);
        return NULL;
    }

    bus = ngx_pcalloc(cf->pool, sizeof(ngx_msgbus_t));
    if (bus == NULL) {
        return NULL;
    }

    bus->conf = *conf;
    bus->store = store;
    bus->notify.slot = -1;

    bus->cleanup = ngx_pool_cleanup_add(cf->pool, 0);
    if (bus->cleanup == NULL) {
        return NULL;
    }

    bus->shm_zone = ngx_shared_memory_add(cf, &bus->conf.name,
                                          bus->conf.size, tag);
    if (bus->shm_zone == NULL) {
        return NULL;
    }

    if (bus->shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is declared twice", &conf->name);
        return NULL;
    }

    bus->shm_zone->init = ngx_msgbus_init_zone;
    bus->shm_zone->data = bus;

    return bus;
}


static ngx_int_t
ngx_msgbus_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_msgbus_t       *old = data;

    ngx_uint_t          fresh;
    ngx_msgbus_t       *bus;
    ngx_slab_pool_t    *shpool;
    ngx_msgbus_log_t   *log;
    ngx_msgbus_root_t  *root;

    bus = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    log = &bus->log;
    log->shpool = shpool;
    log->ttl = bus->conf.ttl;
    log->max_events = bus->conf.max_events;
    log->reject = bus->conf.reject;

    fresh = old == NULL && !shm_zone->shm.exists;

    if (fresh && ngx_msgbus_make_root(bus, shpool) != NGX_OK) {
        return NGX_ERROR;
    }

    root = shpool->data;
    bus->notify.sh = root->slots;

    if (ngx_msgbus_log_init(log, root->addr, root->size, fresh) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "msgbus zone \"%V\" is too small, %uz bytes",
                      &shm_zone->shm.name, shm_zone->shm.size);
        return NGX_ERROR;
    }

    if (fresh) {
        ngx_msgbus_log_start(log, bus->store->first_id(bus->conf.first_id),
                             ngx_msgbus_seed(shm_zone->shm.log),
                             ngx_msgbus_store_clock());

    } else if (log->sh->version != NGX_MSGBUS_LOG_VERSION) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "msgbus zone \"%V\" was made by another version of the "
                      "module, restart nginx", &shm_zone->shm.name);
        return NGX_ERROR;
    }

    log->max_event_size = bus->conf.max_event_size
                          ? bus->conf.max_event_size
                          : ngx_min(1024 * 1024, log->size / 8);

    if (log->max_event_size > log->size / 8) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "max_event_size %uz is too large for msgbus zone "
                      "\"%V\", which takes %uz",
                      log->max_event_size, &shm_zone->shm.name,
                      log->size / 8);
        return NGX_ERROR;
    }

    return ngx_msgbus_init_eventfds(bus, old);
}


/* takes all of a new zone, in one piece */
static ngx_int_t
ngx_msgbus_make_root(ngx_msgbus_t *bus, ngx_slab_pool_t *shpool)
{
    size_t              len;
    ngx_msgbus_root_t  *root;

    len = sizeof(" in msgbus zone \"\"") + bus->conf.name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(shpool->log_ctx, " in msgbus zone \"%V\"%Z", &bus->conf.name);

    root = ngx_slab_alloc(shpool, sizeof(ngx_msgbus_root_t));
    if (root == NULL) {
        return NGX_ERROR;
    }

    root->slots = ngx_slab_calloc(shpool, sizeof(ngx_msgbus_slots_sh_t));
    if (root->slots == NULL) {
        return NGX_ERROR;
    }

    root->size = shpool->pfree * ngx_pagesize;

    root->addr = ngx_slab_alloc(shpool, root->size);
    if (root->addr == NULL) {
        return NGX_ERROR;
    }

    shpool->data = root;

    return NGX_OK;
}


/* what the names' hash starts from: nobody outside may know it */
static uint64_t
ngx_msgbus_seed(ngx_log_t *log)
{
    ssize_t   n;
    ngx_fd_t  fd;
    uint64_t  seed;

    fd = ngx_open_file((u_char *) "/dev/urandom", NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd != NGX_INVALID_FILE) {
        n = ngx_read_fd(fd, &seed, sizeof(uint64_t));

        if (ngx_close_file(fd) == NGX_FILE_ERROR) {
            ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                          ngx_close_file_n " \"/dev/urandom\" failed");
        }

        if (n == (ssize_t) sizeof(uint64_t)) {
            return seed;
        }
    }

    return ((uint64_t) ngx_random() << 33) ^ ((uint64_t) ngx_random() << 11)
           ^ (uint64_t) ngx_pid;
}


/* what wakes the workers goes on from cycle to cycle */
static ngx_int_t
ngx_msgbus_init_eventfds(ngx_msgbus_t *bus, ngx_msgbus_t *old)
{
    bus->cleanup->handler = ngx_msgbus_cleanup_eventfds;
    bus->cleanup->data = bus;

    if (old) {
        bus->notify.eventfds = old->notify.eventfds;
        bus->notify.eventfds->cycles++;

        return NGX_OK;
    }

    bus->notify.eventfds = ngx_msgbus_eventfds_create(bus->shm_zone->shm.log);

    return bus->notify.eventfds ? NGX_OK : NGX_ERROR;
}


static void
ngx_msgbus_cleanup_eventfds(void *data)
{
    ngx_msgbus_t  *bus = data;

    if (bus->notify.eventfds) {
        ngx_msgbus_eventfds_release(bus->notify.eventfds);
    }
}


ngx_str_t *
ngx_msgbus_name(ngx_msgbus_t *bus)
{
    return &bus->conf.name;
}


size_t
ngx_msgbus_max_event_size(ngx_msgbus_t *bus)
{
    return bus->log.max_event_size;
}


size_t
ngx_msgbus_max_batch_size(ngx_msgbus_t *bus)
{
    return ngx_msgbus_log_max_record(&bus->log);
}


ngx_int_t
ngx_msgbus_init_worker(ngx_msgbus_t *bus, ngx_cycle_t *cycle)
{
    /* most of it is never touched, and so costs address space only */

    bus->scratch = ngx_palloc(cycle->pool,
                              NGX_MSGBUS_HOLD_BYTES
                              + ngx_msgbus_log_max_record(&bus->log)
                              + NGX_MSGBUS_VIEW_OVERHEAD);
    if (bus->scratch == NULL) {
        return NGX_ERROR;
    }

    bus->expire.handler = ngx_msgbus_expire_handler;
    bus->expire.data = bus;
    bus->expire.log = cycle->log;
    bus->expire.cancelable = 1;

    ngx_add_timer(&bus->expire, NGX_MSGBUS_EXPIRE_PERIOD);

    bus->more.handler = ngx_msgbus_more_handler;
    bus->more.data = bus;
    bus->more.log = cycle->log;

    if (ngx_msgbus_waiters_init(&bus->waiters, cycle->pool) != NGX_OK
        || ngx_msgbus_frames_init(&bus->frames, cycle->pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_msgbus_notify_init(&bus->notify, cycle,
                                  ngx_msgbus_wake_handler, bus);
}


void
ngx_msgbus_exit_worker(ngx_msgbus_t *bus)
{
    ngx_msgbus_notify_exit(&bus->notify);
}


static void
ngx_msgbus_expire_handler(ngx_event_t *ev)
{
    ngx_int_t      rc;
    ngx_uint_t     n;
    ngx_msgbus_t  *bus;

    bus = ev->data;

    for (n = 0; n < NGX_MSGBUS_EXPIRE_HOLDS; n++) {

        ngx_msgbus_log_lock(&bus->log);
        rc = ngx_msgbus_log_expire_locked(&bus->log, ngx_msgbus_now());
        ngx_msgbus_log_unlock(&bus->log);

        if (rc == NGX_OK) {
            break;
        }
    }

    /* a wake that got lost with the worker that sent it, or a shutdown */

    if (bus->waiters.n) {
        ngx_msgbus_notify_look(&bus->notify);
    }

    if (!ngx_exiting) {
        ngx_add_timer(ev, n < NGX_MSGBUS_EXPIRE_HOLDS
                          ? NGX_MSGBUS_EXPIRE_PERIOD : 1);
    }
}


/* something was committed, by whomever; or this worker is to exit */
static void
ngx_msgbus_wake_handler(void *data)
{
    ngx_msgbus_t  *bus = data;

    if (ngx_exiting) {
        ngx_msgbus_waiters_all_due(&bus->waiters);

    } else if (bus->waiters.n) {
        ngx_msgbus_waiters_look(&bus->waiters, &bus->log);
    }

    ngx_msgbus_more_handler(&bus->more);
}


static void
ngx_msgbus_more_handler(ngx_event_t *ev)
{
    ngx_msgbus_t  *bus;

    bus = ev->data;

    if (ngx_msgbus_waiters_wake(&bus->waiters, NGX_MSGBUS_WAKES)
        == NGX_AGAIN)
    {
        ngx_post_event(ev, &ngx_posted_next_events);

    } else {
        ngx_msgbus_frames_forget(&bus->frames);
    }

    ngx_msgbus_notify_parked(&bus->notify, bus->waiters.n);
}


ngx_int_t
ngx_msgbus_park(ngx_msgbus_t *bus, ngx_msgbus_waiter_t *w,
    ngx_msgbus_query_t *query, ngx_pool_t *pool)
{
    if (ngx_msgbus_waiter_link(&bus->waiters, w, query, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_msgbus_notify_parked(&bus->notify, bus->waiters.n);

    if (bus->waiters.n == 1) {

        /* nobody has been looking: begin here, before the caller looks */

        ngx_msgbus_log_lock(&bus->log);
        bus->waiters.seen = bus->log.sh->next_serial;
        bus->waiters.seen_id = bus->log.sh->last_id;
        ngx_msgbus_log_unlock(&bus->log);
    }

    return NGX_OK;
}


void
ngx_msgbus_unpark(ngx_msgbus_t *bus, ngx_msgbus_waiter_t *w)
{
    if (w->linked) {
        ngx_msgbus_waiter_unlink(&bus->waiters, w);
        ngx_msgbus_notify_parked(&bus->notify, bus->waiters.n);
    }
}


ngx_uint_t
ngx_msgbus_parked(ngx_msgbus_t *bus)
{
    return ngx_msgbus_notify_total(&bus->notify);
}


ngx_int_t
ngx_msgbus_channel(ngx_msgbus_t *bus, ngx_msgbus_channel_t *ch,
    ngx_str_t *name)
{
    return ngx_msgbus_channel_parse(ch, name, bus->log.sh->seed);
}


void
ngx_msgbus_expect(ngx_msgbus_t *bus, size_t size)
{
    ngx_msgbus_log_expect(&bus->log, size);
}


ngx_int_t
ngx_msgbus_publish(ngx_msgbus_t *bus, ngx_msgbus_event_t *ev)
{
    ngx_int_t  rc;

    ev->created = ngx_msgbus_now();
    ngx_memcpy(ev->created_text, ngx_msgbus_now_text(), NGX_MSGBUS_TIME_LEN);

    rc = ngx_msgbus_commit(&bus->log, bus->store, ev);

    if (rc == NGX_OK) {
        ngx_msgbus_notify_all(&bus->notify);
    }

    return rc;
}


ngx_int_t
ngx_msgbus_read(ngx_msgbus_t *bus, ngx_msgbus_query_t *query, size_t head,
    size_t tail, ngx_pool_t *pool, ngx_msgbus_page_t *page)
{
    u_char              *last;
    size_t               len;
    uint64_t             now;
    ngx_int_t            rc;
    ngx_chain_t         *cl, **ll;
    ngx_msgbus_log_t    *log;
    ngx_msgbus_view_t    view;

    log = &bus->log;
    now = ngx_msgbus_now();

    ngx_msgbus_view_init(&view, query);

    page->out = NULL;
    page->size = 0;
    ll = &page->out;

    do {
        ngx_msgbus_log_lock(log);

        rc = ngx_msgbus_log_expire_locked(log, now);

        if (rc == NGX_AGAIN) {
            ngx_msgbus_log_unlock(log);
            continue;
        }

        rc = ngx_msgbus_view_next_locked(log, &view, bus->scratch, &last,
                                         now);

        ngx_msgbus_log_unlock(log);

        len = last - bus->scratch;

        if (len) {
            cl = ngx_msgbus_page_add(pool, bus->scratch, len,
                                     page->out ? 0 : head, tail);
            if (cl == NULL) {
                return NGX_ERROR;
            }

            *ll = cl;
            ll = &cl->next;

            page->size += len;
        }

    } while (rc == NGX_AGAIN);

    page->events = view.events;
    page->first = view.first;
    page->last = view.last;
    page->last_id = view.last_id;
    page->gap = view.gap;

    return NGX_OK;
}


ngx_msgbus_frame_t *
ngx_msgbus_frame(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_uint_t form, ngx_log_t *log)
{
    ngx_msgbus_frame_t  *frame, *mine;

    frame = ngx_msgbus_frame_find(&bus->frames, query, form);

    if (frame) {
        frame->owners++;

    } else {
        frame = ngx_msgbus_frame_render(bus, query, form, log);
        if (frame == NULL) {
            return NULL;
        }

        if (!ngx_queue_empty(&bus->waiters.due)) {

            /* it may be what those who are woken next need */

            ngx_msgbus_frame_share(&bus->frames, frame);
        }
    }

    if (query->hide.len == 0) {
        return frame;
    }

    mine = ngx_msgbus_frame_without(frame, &query->hide, log);
    ngx_msgbus_frame_release(frame);

    return mine;
}


/* with nobody's events hidden */
static ngx_msgbus_frame_t *
ngx_msgbus_frame_render(ngx_msgbus_t *bus, ngx_msgbus_query_t *query,
    ngx_uint_t form, ngx_log_t *log)
{
    u_char                   *last;
    uint64_t                  now;
    ngx_int_t                 rc;
    ngx_msgbus_log_t         *l;
    ngx_msgbus_view_t         view;
    ngx_msgbus_query_t        q;
    ngx_msgbus_log_sh_t      *sh;
    ngx_msgbus_rendered_t     rendered;

    static ngx_msgbus_mark_t  marks[NGX_MSGBUS_HOLD_RECORDS];

    l = &bus->log;
    sh = l->sh;
    now = ngx_msgbus_now();

    q = *query;
    ngx_str_null(&q.hide);

    ngx_msgbus_view_init(&view, &q);
    view.marks = marks;

    do {
        ngx_msgbus_log_lock(l);

        rc = ngx_msgbus_log_expire_locked(l, now);

        if (rc == NGX_OK) {
            break;
        }

        ngx_msgbus_log_unlock(l);

    } while (rc == NGX_AGAIN);

    rc = ngx_msgbus_view_next_locked(l, &view, bus->scratch, &last, now);

    rendered.oldest = sh->head_serial < sh->next_serial
                      ? ngx_msgbus_log_record(l, sh->head_serial)->id
                      : sh->evicted_id + 1;

    ngx_msgbus_log_unlock(l);

    rendered.view = &view;
    rendered.marks = marks;
    rendered.more = (rc == NGX_AGAIN);

    if (rendered.more) {
        view.last_id = view.place;
    }

    return ngx_msgbus_frame_create(&rendered, form, log);
}


uint64_t
ngx_msgbus_seen(ngx_msgbus_t *bus)
{
    return bus->waiters.seen_id;
}


static ngx_chain_t *
ngx_msgbus_page_add(ngx_pool_t *pool, u_char *data, size_t len, size_t head,
    size_t tail)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(pool);
    if (cl == NULL) {
        return NULL;
    }

    b = ngx_create_temp_buf(pool, head + len + tail);
    if (b == NULL) {
        return NULL;
    }

    b->pos += head;
    b->last = ngx_cpymem(b->pos, data, len);

    cl->buf = b;
    cl->next = NULL;

    return cl;
}


ngx_int_t
ngx_msgbus_health(ngx_msgbus_t *bus)
{
    return bus->store->health(&bus->log);
}


void
ngx_msgbus_status(ngx_msgbus_t *bus, ngx_msgbus_status_t *status)
{
    ngx_msgbus_log_t     *log;
    ngx_msgbus_log_sh_t  *sh;

    log = &bus->log;
    sh = log->sh;

    ngx_msgbus_log_lock(log);

    status->events = sh->next_serial - sh->head_serial;
    status->last_id = sh->last_id;
    status->pressed = sh->pressed;
    status->refused = sh->refused;
    status->rebuilds = sh->rebuilds;

    ngx_msgbus_log_unlock(log);

    status->store = bus->store->name;
    status->parked = ngx_msgbus_notify_total(&bus->notify);
}


/* wall clock, ms: for display and ttl only, it decides no order */
static uint64_t
ngx_msgbus_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


/* the second of ngx_msgbus_now() as events tell it */
static u_char *
ngx_msgbus_now_text(void)
{
    time_t         sec;
    ngx_tm_t       tm;

    static u_char  text[NGX_MSGBUS_TIME_LEN + 1];
    static time_t  rendered = -1;

    sec = ngx_time();

    if (sec != rendered) {
        ngx_gmtime(sec, &tm);

        ngx_sprintf(text, "%04d-%02d-%02d %02d:%02d:%02dZ",
                    tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
        rendered = sec;
    }

    return text;
}
