
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The shared zone of a bus: declaring it, dividing it when it is new, finding
 * it again after a reload, and the store that it was made for.
 *
 * A zone is divided once, and nothing in it is allocated afterwards.  All of
 * this is the master's, while it reads a configuration; what the workers do
 * with it is in the bus's room.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <pthread.h>
#include "ngx_msgbus_direct.h"
#include "ngx_msgbus_random.h"
#include "ngx_msgbus_time.h"
#include "ngx_msgbus_zone.h"


/* the share of the zone that pending posts get */
#define NGX_MSGBUS_PENDING_SHARE  8


/*
 * Root of the zone, at shpool->data.  Written when the zone is made, constant
 * from then on.
 */
typedef struct {
    ngx_msgbus_guard_sh_t *guard;
    u_char                *addr;           /* the log's memory */
    size_t                 size;
    ngx_msgbus_slots_sh_t *slots;
    u_char                *presence;
    size_t                 presence_size;
    ngx_msgbus_gauges_t   *gauges;
    ngx_msgbus_counts_t   *counts;
    ngx_uint_t             counts_slots;
    uint64_t               started;        /* since 1970, ms */

    /* NULL where the log is all there is */
    u_char                *pending;
    size_t                 pending_size;
    ngx_msgbus_ledger_sh_t  *ledger;
} ngx_msgbus_root_t;


static ngx_int_t ngx_msgbus_resolve_alone(ngx_conf_t *cf, ngx_msgbus_t *bus,
    ngx_msgbus_store_conf_t **stores, ngx_uint_t n);
static ngx_int_t ngx_msgbus_init_zone(ngx_shm_zone_t *shm_zone, void *data);
static ngx_int_t ngx_msgbus_adopt_store(ngx_msgbus_t *bus,
    ngx_msgbus_t *old, ngx_msgbus_root_t *root);
static ngx_int_t ngx_msgbus_prepare_store(ngx_msgbus_t *bus,
    ngx_msgbus_t *old);
static ngx_msgbus_t *ngx_msgbus_of_last_cycle(ngx_msgbus_t *bus);
static ngx_int_t ngx_msgbus_init_log(ngx_msgbus_t *bus,
    ngx_msgbus_root_t *root, ngx_uint_t fresh);
static ngx_int_t ngx_msgbus_init_limit(ngx_msgbus_t *bus);
static ngx_int_t ngx_msgbus_init_commit(ngx_msgbus_t *bus,
    ngx_msgbus_root_t *root, ngx_uint_t fresh);
static ngx_int_t ngx_msgbus_make_root(ngx_msgbus_t *bus,
    ngx_slab_pool_t *shpool);
static ngx_int_t ngx_msgbus_init_workers(ngx_msgbus_t *bus);
static ngx_int_t ngx_msgbus_check_connections(ngx_msgbus_t *bus,
    ngx_uint_t zones);
static ngx_int_t ngx_msgbus_check_threads(ngx_msgbus_t *bus,
    ngx_uint_t stores);
static ngx_int_t ngx_msgbus_init_eventfds(ngx_msgbus_t *bus,
    ngx_msgbus_t *old);
static void ngx_msgbus_cleanup_eventfds(void *data);


ngx_msgbus_t *
ngx_msgbus_add(ngx_conf_t *cf, ngx_msgbus_conf_t *conf, void *tag)
{
    ngx_msgbus_t  *bus;

    bus = ngx_pcalloc(cf->pool, sizeof(ngx_msgbus_t));
    if (bus == NULL) {
        return NULL;
    }

    bus->conf = *conf;
    bus->cycle = cf->cycle;
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


ngx_int_t
ngx_msgbus_resolve(ngx_conf_t *cf, ngx_msgbus_t *bus,
    ngx_msgbus_store_conf_t **stores, ngx_uint_t n)
{
    ngx_str_t   *name;
    ngx_conf_t   at;
    ngx_uint_t   i;

    ngx_msgbus_place_at(&at, cf, bus->conf.place);
    cf = &at;

    name = &bus->conf.store;

    if (ngx_strcmp(name->data, "memory") == 0) {
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {

        if (ngx_strcmp(name->data, stores[i]->name.data) == 0) {
            break;
        }
    }

    if (i == n) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown store \"%V\" of zone \"%V\", it can be "
                           "\"memory\" or the name of a \"msgbus_mongodb\" "
                           "or \"msgbus_journal\"",
                           name, &bus->conf.name);
        return NGX_ERROR;
    }

    if (bus->conf.reject || bus->conf.first_id) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s\" of zone \"%V\" is for store=memory only, "
                           "remove it",
                           bus->conf.reject ? "full=reject" : "first_id",
                           &bus->conf.name);
        return NGX_ERROR;
    }

    bus->store_conf = stores[i];
    bus->store = stores[i]->kind;

    if (bus->conf.ttl < bus->store->min_ttl) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the ttl of zone \"%V\" is below %uLs, which is the "
                           "least with a store", &bus->conf.name,
                           bus->store->min_ttl / 1000);
        return NGX_ERROR;
    }

    return ngx_msgbus_resolve_alone(cf, bus, stores, n);
}


/* some stores are of one zone only, by whatever names they are known */
static ngx_int_t
ngx_msgbus_resolve_alone(ngx_conf_t *cf, ngx_msgbus_t *bus,
    ngx_msgbus_store_conf_t **stores, ngx_uint_t n)
{
    ngx_uint_t  i;

    if (!(bus->store->flags & NGX_MSGBUS_STORE_ALONE)) {
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {

        if (stores[i]->zone
            && stores[i]->kind == bus->store
            && bus->store->same(stores[i], bus->store_conf))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the %V \"%V\" of zone \"%V\" is that of zone "
                               "\"%V\", too", &bus->store->place,
                               &bus->store_conf->shown, &bus->conf.name,
                               stores[i]->zone);
            return NGX_ERROR;
        }
    }

    bus->store_conf->zone = &bus->conf.name;

    return NGX_OK;
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

    bus->at.log = shm_zone->shm.log;
    bus->at.conf_file = bus->conf.place;

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

    bus->notify.gauges = root->gauges;
    bus->counters.sh = root->counts;
    bus->counters.slots = root->counts_slots;
    bus->started = root->started;

    log->lock.sh = &root->guard->lock;
    log->undo = &root->guard->undo;

    bus->present.presence.workers = root->slots;
    bus->present.presence.undo = log->undo;
    bus->present.log = log;
    bus->present.notify = &bus->notify;

    if (ngx_msgbus_adopt_store(bus, old, root) != NGX_OK
        || ngx_msgbus_prepare_store(bus, old) != NGX_OK
        || ngx_msgbus_init_log(bus, root, fresh) != NGX_OK)
    {
        return NGX_ERROR;
    }

    bus->notify.tells = &log->sh->tells;

    ngx_msgbus_presence_init(&bus->present.presence, root->presence,
                             root->presence_size, fresh);

    if (bus->store && ngx_msgbus_init_commit(bus, root, fresh) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_msgbus_init_limit(bus) != NGX_OK
        || ngx_msgbus_init_workers(bus) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_msgbus_init_eventfds(bus, old);
}


/* may the zone go on with what its store is now? */
static ngx_int_t
ngx_msgbus_adopt_store(ngx_msgbus_t *bus, ngx_msgbus_t *old,
    ngx_msgbus_root_t *root)
{
    if ((root->ledger != NULL) != (bus->store != NULL)) {
        ngx_conf_log_error(NGX_LOG_EMERG, &bus->at, 0,
                           "the store of msgbus zone \"%V\" can not change "
                           "from or to \"memory\" at a reload, restart nginx "
                           "or use another name", &bus->shm_zone->shm.name);
        return NGX_ERROR;
    }

    if (old && old->store
        && (old->store != bus->store
            || !bus->store->same(old->store_conf, bus->store_conf)))
    {
        /* its ids are others, and what was sent to the old one may be there */

        ngx_conf_log_error(NGX_LOG_EMERG, &bus->at, 0,
                           "the store of msgbus zone \"%V\" can not change "
                           "at a reload, restart nginx or use another name",
                           &bus->shm_zone->shm.name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_prepare_store(ngx_msgbus_t *bus, ngx_msgbus_t *old)
{
    const char               *wrong;
    ngx_core_conf_t          *ccf;
    ngx_msgbus_store_zone_t   zone;

    if (bus->store == NULL || bus->store->prepare == NULL) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(bus->cycle->conf_ctx,
                                           ngx_core_module);

    zone.zone = &bus->conf.name;
    zone.ttl = bus->conf.ttl;
    zone.user = ccf->user;
    zone.group = ccf->group;
    zone.test = ngx_test_config;

    if (old == NULL) {
        old = ngx_msgbus_of_last_cycle(bus);
    }

    zone.adopted = old && old->store == bus->store
                   && bus->store->same(old->store_conf, bus->store_conf);

    wrong = bus->store->prepare(bus->store_conf, &zone);

    if (wrong) {
        ngx_conf_log_error(NGX_LOG_EMERG, &bus->at, 0,
                           "msgbus zone \"%V\" can not use its %V \"%V\": %s",
                           &bus->conf.name, &bus->store->place,
                           &bus->store_conf->shown, wrong);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* of another size: nginx tells of an old zone only where it goes on; or NULL */
static ngx_msgbus_t *
ngx_msgbus_of_last_cycle(ngx_msgbus_t *bus)
{
    ngx_str_t        *name;
    ngx_uint_t        i;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    name = &bus->shm_zone->shm.name;

    part = &bus->cycle->old_cycle->shared_memory.part;
    zone = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            zone = part->elts;
            i = 0;
        }

        if (zone[i].tag == bus->shm_zone->tag
            && zone[i].shm.name.len == name->len
            && ngx_strncmp(zone[i].shm.name.data, name->data, name->len) == 0)
        {
            return zone[i].data;
        }
    }
}


static ngx_int_t
ngx_msgbus_init_log(ngx_msgbus_t *bus, ngx_msgbus_root_t *root,
    ngx_uint_t fresh)
{
    uint64_t           seed, first_id;
    ngx_shm_t         *shm;
    ngx_msgbus_log_t  *log;

    log = &bus->log;
    shm = &bus->shm_zone->shm;

    if (ngx_msgbus_log_init(log, root->addr, root->size, fresh) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, &bus->at, 0,
                           "msgbus zone \"%V\" is too small, %uz bytes: "
                           "enlarge it",
                           &shm->name, shm->size);
        return NGX_ERROR;
    }

    if (fresh) {

        /* nobody outside may know what the names' hash starts from */

        if (ngx_msgbus_random(&seed, sizeof(uint64_t), shm->log) != NGX_OK) {
            return NGX_ERROR;
        }

        /* a store is asked for the log's beginning later on */

        first_id = bus->store
                   ? 1 : ngx_msgbus_direct_first_id(bus->conf.first_id);

        ngx_msgbus_log_start(log, first_id, seed,
                             ngx_msgbus_time_monotonic());

    } else if (log->sh->version != NGX_MSGBUS_LOG_VERSION) {
        ngx_conf_log_error(NGX_LOG_EMERG, &bus->at, 0,
                           "msgbus zone \"%V\" was made by another "
                           "version of the module, restart nginx", &shm->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* what an event may have at most */
static ngx_int_t
ngx_msgbus_init_limit(ngx_msgbus_t *bus)
{
    size_t             limit;
    ngx_msgbus_log_t  *log;

    log = &bus->log;
    limit = log->size / 8;

    if (bus->store) {
        limit = ngx_min(limit, ngx_msgbus_zone_max_posts(bus));
    }

    log->max_event_size = bus->conf.max_event_size
                          ? bus->conf.max_event_size
                          : ngx_min(1024 * 1024, limit);

    if (log->max_event_size > limit) {
        ngx_conf_log_error(NGX_LOG_EMERG, &bus->at, 0,
                           "max_event_size %uz is too large for msgbus zone "
                           "\"%V\", which takes %uz",
                           log->max_event_size, &bus->shm_zone->shm.name,
                           limit);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* what a database needs: posts that wait, and what a committer knows */
static ngx_int_t
ngx_msgbus_init_commit(ngx_msgbus_t *bus, ngx_msgbus_root_t *root,
    ngx_uint_t fresh)
{
    ngx_msgbus_ledger_t   *c;
    ngx_msgbus_pending_t  *p;

    p = &bus->posts.pending;

    if (ngx_msgbus_pending_init(p, root->pending, root->pending_size, fresh)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, &bus->at, 0,
                           "msgbus zone \"%V\" is too small, %uz bytes: "
                           "enlarge it",
                           &bus->shm_zone->shm.name, bus->shm_zone->shm.size);
        return NGX_ERROR;
    }

    p->slots = root->slots;
    p->undo = bus->log.undo;
    p->seed = bus->log.sh->seed;

    bus->log.stored = 1;
    bus->log.follows = (bus->store->flags & NGX_MSGBUS_STORE_SHARED) != 0;

    bus->posts.log = &bus->log;
    bus->posts.slot = &bus->notify.slot;
    bus->posts.patience = bus->store_conf->tries * bus->store_conf->delay;

    bus->fresh.patience = bus->posts.patience;

    c = &bus->ledger;

    c->sh = root->ledger;
    c->pending = *p;
    c->notify = &bus->notify;
    c->store = bus->store;

    return NGX_OK;
}


/* takes all of a new zone, in one piece */
static ngx_int_t
ngx_msgbus_make_root(ngx_msgbus_t *bus, ngx_slab_pool_t *shpool)
{
    size_t              len, size;
    u_char             *p;
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

    root->guard = ngx_slab_calloc(shpool, sizeof(ngx_msgbus_guard_sh_t));
    root->slots = ngx_slab_calloc(shpool, sizeof(ngx_msgbus_slots_sh_t));

    if (root->guard == NULL || root->slots == NULL) {
        return NGX_ERROR;
    }

    root->started = ngx_msgbus_time_wall();
    root->counts_slots = ngx_msgbus_count_slots(shpool->pfree * ngx_pagesize);

    /* in one piece: with a small zone it is a page */

    size = root->counts_slots * sizeof(ngx_msgbus_counts_t)
           + NGX_MSGBUS_SLOTS * sizeof(ngx_msgbus_gauges_t) + 64;

    p = ngx_slab_calloc(shpool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    root->counts = (ngx_msgbus_counts_t *) ngx_align_ptr(p, 64);
    root->gauges = (ngx_msgbus_gauges_t *) (root->counts + root->counts_slots);

    root->presence_size = ngx_msgbus_presence_size(shpool->pfree
                                                   * ngx_pagesize);
    root->presence = ngx_slab_alloc(shpool, root->presence_size);

    if (root->presence == NULL) {
        return NGX_ERROR;
    }

    root->pending = NULL;
    root->ledger = NULL;

    if (bus->store) {
        root->ledger = ngx_slab_calloc(shpool,
                                       sizeof(ngx_msgbus_ledger_sh_t));

        root->pending_size = shpool->pfree * ngx_pagesize
                             / NGX_MSGBUS_PENDING_SHARE;
        root->pending = ngx_slab_alloc(shpool, root->pending_size);

        if (root->ledger == NULL || root->pending == NULL) {
            return NGX_ERROR;
        }
    }

    root->size = shpool->pfree * ngx_pagesize;

    root->addr = ngx_slab_alloc(shpool, root->size);
    if (root->addr == NULL) {
        return NGX_ERROR;
    }

    shpool->data = root;

    return NGX_OK;
}


/*
 * What each worker is going to need for the zone.  A worker that finds it
 * missing ends at once, and nginx does not start another one: so it is for
 * the master to refuse the configuration.
 */
static ngx_int_t
ngx_msgbus_init_workers(ngx_msgbus_t *bus)
{
    size_t            size;
    ngx_uint_t        i, zones, stores;
    ngx_msgbus_t     *other;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    /*
     * Made here, and so each worker has one of its own by being forked; most
     * of it is never touched, and costs address space only.
     */

    size = NGX_MSGBUS_HOLD_BYTES + ngx_msgbus_log_max_record(&bus->log)
           + NGX_MSGBUS_VIEW_OVERHEAD;

    bus->scratch = ngx_palloc(bus->cycle->pool, size);

    if (bus->scratch == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, &bus->at, 0,
                           "no address space for msgbus zone \"%V\", which "
                           "needs %uz bytes of it in each process, beside "
                           "its own", &bus->conf.name, size);
        return NGX_ERROR;
    }

    zones = 0;
    stores = 0;

    part = &bus->cycle->shared_memory.part;
    zone = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            zone = part->elts;
            i = 0;
        }

        if (zone[i].init == ngx_msgbus_init_zone) {
            other = zone[i].data;

            zones++;
            stores += other->store != NULL;
        }
    }

    if (ngx_msgbus_check_connections(bus, zones) != NGX_OK) {
        return NGX_ERROR;
    }

    return stores ? ngx_msgbus_check_threads(bus, stores) : NGX_OK;
}


/* a worker listens to its eventfds, its master and its clients */
static ngx_int_t
ngx_msgbus_check_connections(ngx_msgbus_t *bus, ngx_uint_t zones)
{
    ngx_uint_t        i, n;
    ngx_cycle_t      *cycle;
    ngx_listening_t  *ls;

    cycle = bus->cycle;
    ls = cycle->listening.elts;
    n = 0;

    for (i = 0; i < cycle->listening.nelts; i++) {
        if (!ls[i].reuseport || ls[i].worker == 0) {
            n++;
        }
    }

    if (cycle->connection_n >= n + zones + 2) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, bus->shm_zone->shm.log, 0,
                  "%ui worker_connections are not enough: with %ui listening "
                  "sockets and %ui msgbus zones a worker needs %ui to take "
                  "a client", cycle->connection_n, n, zones, n + zones + 2);

    return NGX_ERROR;
}


/* a thread for each store, by its stack */
static ngx_int_t
ngx_msgbus_check_threads(ngx_msgbus_t *bus, ngx_uint_t stores)
{
    void            *p;
    size_t           size;
    pthread_attr_t   attr;

    if (pthread_attr_init(&attr) != 0) {
        return NGX_OK;
    }

    if (pthread_attr_getstacksize(&attr, &size) != 0) {
        size = 0;
    }

    (void) pthread_attr_destroy(&attr);

    if (size == 0) {
        return NGX_OK;
    }

    size *= stores;

    p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE|MAP_ANON|MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, bus->shm_zone->shm.log, ngx_errno,
                      "no address space for the thread of msgbus zone \"%V\" "
                      "in each worker, those of all zones take %uz bytes",
                      &bus->conf.name, size);
        return NGX_ERROR;
    }

    (void) munmap(p, size);

    return NGX_OK;
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

    bus->notify.eventfds = ngx_msgbus_eventfds_create(&bus->conf.name,
                                                     bus->shm_zone->shm.log);

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


size_t
ngx_msgbus_zone_max_posts(ngx_msgbus_t *bus)
{
    return ngx_min(ngx_msgbus_pending_max(&bus->posts.pending),
                   NGX_MSGBUS_PACE_MOST) / 2;
}
