
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The numbers of all zones, gathered once for an answer: what they are is not
 * asked a second time while it is written.  How they are written is for other
 * rooms to know.
 */


#include "ngx_http_msgbus_numbers.h"


ngx_http_msgbus_numbers_t *
ngx_http_msgbus_numbers(ngx_http_request_t *r)
{
    ngx_uint_t                     i;
    ngx_time_t                    *tp;
    ngx_msgbus_t                 **bus;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_msgbus_numbers_t     *numbers;
    ngx_http_msgbus_main_conf_t   *mcf;
    ngx_http_msgbus_zone_stats_t  *zone;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    mcf = ngx_http_get_module_main_conf(r, ngx_http_msgbus_module);

    numbers = ngx_pcalloc(r->pool, sizeof(ngx_http_msgbus_numbers_t)
                                   + NGX_MSGBUS_SLOTS
                                     * sizeof(ngx_msgbus_worker_stats_t));
    if (numbers == NULL) {
        return NULL;
    }

    bus = mcf->buses.elts;
    numbers->nzones = mcf->buses.nelts;

    zone = ngx_palloc(r->pool, (numbers->nzones + 1)
                               * sizeof(ngx_http_msgbus_zone_stats_t));
    if (zone == NULL) {
        return NULL;
    }

    tp = ngx_timeofday();

    numbers->version = NGX_MSGBUS_VERSION;
    numbers->nginx = clcf->server_tokens ? NGINX_VERSION : "";
    numbers->library = ngx_msgbus_store_mongodb.library
                       ? ngx_msgbus_store_mongodb.library() : "";
    numbers->now = (uint64_t) tp->sec * 1000 + tp->msec;
    numbers->started = numbers->now;

    numbers->workers = (ngx_msgbus_worker_stats_t *) (numbers + 1);
    numbers->zones = zone;

    if (numbers->nzones) {
        numbers->nworkers = ngx_msgbus_workers(bus[0], numbers->workers);
    }

    for (i = 0; i < numbers->nzones; i++) {
        ngx_msgbus_stats(bus[i], &zone[i].stats);

        zone[i].name = *ngx_msgbus_name(bus[i]);
        zone[i].store = zone[i].stats.status.conf;

        zone[i].stored = zone[i].store == NULL ? NGX_HTTP_MSGBUS_STORED_NO
                         : zone[i].store->kind->usage == NULL
                           ? NGX_HTTP_MSGBUS_STORED
                           : NGX_HTTP_MSGBUS_STORED_FILES;

        numbers->stored = ngx_max(numbers->stored, zone[i].stored);

        numbers->started = ngx_min(numbers->started, zone[i].stats.started);
    }

    return numbers;
}
