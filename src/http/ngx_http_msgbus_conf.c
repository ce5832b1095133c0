
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What the directives set: parsing, defaults, inheritance, refusals.
 *
 * A bus is named before or after it is declared: names are resolved when
 * the locations are merged, and with them the content handler is set, so
 * that "if" and "limit_except" blocks inherit it as they do proxy_pass.
 * Nothing here runs after the configuration is read.
 */


#include "ngx_http_msgbus_conf.h"
#include "ngx_http_msgbus_detour.h"
#include "ngx_http_msgbus_guard.h"
#include "ngx_http_msgbus_origin.h"
#include "ngx_http_msgbus_request.h"


/* a day: clients count ms, in 32 bits some of them */
#define NGX_HTTP_MSGBUS_RETRY       86400000

/* a request costs more to be made again than to be held a moment, ms */
#define NGX_HTTP_MSGBUS_PARK_AFTER  1000


static ngx_int_t ngx_http_msgbus_merge_rse(ngx_conf_t *cf,
    ngx_http_msgbus_loc_conf_t *prev, ngx_http_msgbus_loc_conf_t *conf);
static ngx_int_t ngx_http_msgbus_merge_bus(ngx_conf_t *cf,
    ngx_http_msgbus_loc_conf_t *prev, ngx_http_msgbus_loc_conf_t *conf);
static ngx_int_t ngx_http_msgbus_merge_handler(ngx_conf_t *cf,
    ngx_http_msgbus_loc_conf_t *prev, ngx_http_msgbus_loc_conf_t *conf);
static ngx_msgbus_t *ngx_http_msgbus_find(ngx_conf_t *cf, ngx_str_t *name);
static char *ngx_http_msgbus_set_handler(ngx_conf_t *cf,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_http_handler_pt handler);
static char *ngx_http_msgbus_conf_time(ngx_conf_t *cf, const char *name,
    ngx_int_t max, ngx_msec_t *time);


void *
ngx_http_msgbus_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_msgbus_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_msgbus_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mcf->buses, cf->pool, 2, sizeof(ngx_msgbus_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&mcf->stores, cf->pool, 2,
                       sizeof(ngx_msgbus_store_conf_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


/* a zone may name a store that is declared behind it */
char *
ngx_http_msgbus_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_msgbus_main_conf_t  *mcf = conf;

    ngx_uint_t      i;
    ngx_msgbus_t  **bus;

    bus = mcf->buses.elts;

    for (i = 0; i < mcf->buses.nelts; i++) {

        if (ngx_msgbus_resolve(cf, bus[i], mcf->stores.elts,
                               mcf->stores.nelts)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


void *
ngx_http_msgbus_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_msgbus_loc_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     lcf->zone = { 0, NULL };
     *     lcf->bus, place, channel_place = NULL;
     *     lcf->told_zone, told_by = { 0, NULL };
     *     lcf->told_bus, tells = NULL;
     *     lcf->channel = NULL;
     *     lcf->prefix = { 0, NULL };
     *     lcf->identity = NULL;
     *     lcf->methods = 0;
     *     lcf->limit_except = 0;
     *     lcf->said.scope = 0;
     *     lcf->require_uuid, jsonp, scope, origins, names: by merging
     *     lcf->auth_prefix = { 0, NULL };
     *     lcf->retry = 0;
     */

    lcf->max_events = NGX_CONF_UNSET_UINT;
    lcf->max_events_cap = NGX_CONF_UNSET_UINT;
    lcf->max_response = NGX_CONF_UNSET_SIZE;
    lcf->max_depth = NGX_CONF_UNSET_UINT;
    lcf->fresh_reads = NGX_CONF_UNSET;
    lcf->history = NGX_CONF_UNSET;
    lcf->rse = NGX_CONF_UNSET;
    lcf->said.require_uuid = NGX_CONF_UNSET;
    lcf->said.jsonp = NGX_CONF_UNSET_UINT;
    lcf->said.origins = NGX_CONF_UNSET_PTR;
    lcf->many_below = NGX_CONF_UNSET_PTR;
    lcf->test_mode = NGX_CONF_UNSET;
    lcf->max_wait = NGX_CONF_UNSET_MSEC;
    lcf->max_waiters = NGX_CONF_UNSET_UINT;
    lcf->ping = NGX_CONF_UNSET_MSEC;
    lcf->park = NGX_CONF_UNSET;
    lcf->park_after = NGX_CONF_UNSET_MSEC;
    lcf->stream_buffer = NGX_CONF_UNSET_SIZE;

    return lcf;
}


char *
ngx_http_msgbus_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_msgbus_loc_conf_t  *prev = parent;
    ngx_http_msgbus_loc_conf_t  *conf = child;

    if (conf->channel == NULL) {
        conf->channel = prev->channel;
        conf->channel_place = prev->channel_place;
    }

    if (conf->identity == NULL) {
        conf->identity = prev->identity;
    }

    ngx_conf_merge_bitmask_value(conf->methods, prev->methods,
                                 (NGX_CONF_BITMASK_SET
                                  |NGX_HTTP_MSGBUS_PUBLISH
                                  |NGX_HTTP_MSGBUS_READ));

    ngx_conf_merge_uint_value(conf->max_events, prev->max_events, 200);
    ngx_conf_merge_uint_value(conf->max_events_cap, prev->max_events_cap,
                              500);
    ngx_conf_merge_size_value(conf->max_response, prev->max_response,
                              1024 * 1024);
    ngx_conf_merge_uint_value(conf->max_depth, prev->max_depth, 512);
    ngx_conf_merge_value(conf->fresh_reads, prev->fresh_reads, 0);
    ngx_conf_merge_value(conf->history, prev->history, 1);
    ngx_conf_merge_ptr_value(conf->many_below, prev->many_below, NULL);
    ngx_conf_merge_value(conf->test_mode, prev->test_mode, 0);
    ngx_conf_merge_str_value(conf->auth_prefix, prev->auth_prefix, "");
    ngx_conf_merge_msec_value(conf->max_wait, prev->max_wait, 30000);

    if (conf->max_waiters == NGX_CONF_UNSET_UINT) {
        conf->retry = prev->retry;
    }

    ngx_conf_merge_uint_value(conf->max_waiters, prev->max_waiters, 0);
    ngx_conf_merge_msec_value(conf->ping, prev->ping, 15000);

    if (conf->park == NGX_CONF_UNSET) {
        conf->park_after = prev->park_after;
    }

    ngx_conf_merge_value(conf->park, prev->park, 1);
    ngx_conf_init_msec_value(conf->park_after, NGX_HTTP_MSGBUS_PARK_AFTER);
    ngx_conf_merge_size_value(conf->stream_buffer, prev->stream_buffer,
                              256 * 1024);

    if (ngx_http_msgbus_merge_rse(cf, prev, conf) != NGX_OK
        || ngx_http_msgbus_merge_bus(cf, prev, conf) != NGX_OK
        || (conf->bus && ngx_http_msgbus_detours(cf) != NGX_OK))
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * What is said goes on as it is: a default is not one of the location that
 * msgbus_rse is said for, if it was taken at the level above.
 */
static ngx_int_t
ngx_http_msgbus_merge_rse(ngx_conf_t *cf, ngx_http_msgbus_loc_conf_t *prev,
    ngx_http_msgbus_loc_conf_t *conf)
{
    ngx_http_msgbus_said_t  *said;

    static ngx_array_t       any;    /* has no element */

    said = &conf->said;

    ngx_conf_merge_value(conf->rse, prev->rse, 0);

    ngx_conf_merge_value(said->require_uuid, prev->said.require_uuid,
                         NGX_CONF_UNSET);
    ngx_conf_merge_uint_value(said->jsonp, prev->said.jsonp,
                              NGX_CONF_UNSET_UINT);
    ngx_conf_merge_ptr_value(said->origins, prev->said.origins,
                             NGX_CONF_UNSET_PTR);

    if (said->scope == 0) {
        said->scope = prev->said.scope;
    }

    conf->require_uuid = said->require_uuid;
    conf->jsonp = said->jsonp;
    conf->scope = said->scope;
    conf->origins = said->origins;

    ngx_conf_init_value(conf->require_uuid, conf->rse);
    ngx_conf_init_uint_value(conf->jsonp, conf->rse
                                          ? NGX_HTTP_MSGBUS_JSONP_ON
                                          : NGX_HTTP_MSGBUS_JSONP_OFF);
    ngx_conf_init_ptr_value(conf->origins, conf->rse ? &any : NULL);

    if (conf->scope == 0) {
        conf->scope = conf->rse
                      ? NGX_HTTP_MSGBUS_EXACT|NGX_HTTP_MSGBUS_PARENT
                        |NGX_HTTP_MSGBUS_ALL
                      : NGX_HTTP_MSGBUS_EXACT;
    }

    /* http has none; of a server's locations all have the server's */

    conf->names = prev->names ? prev->names
                              : ngx_http_msgbus_origin_names(cf);

    return conf->names ? NGX_OK : NGX_ERROR;
}


/* sets conf->bus and the content handler, where msgbus is on */
static ngx_int_t
ngx_http_msgbus_merge_bus(ngx_conf_t *cf, ngx_http_msgbus_loc_conf_t *prev,
    ngx_http_msgbus_loc_conf_t *conf)
{
    ngx_conf_t                 at;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_http_msgbus_merge_handler(cf, prev, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->zone.len == 0) {
        return NGX_OK;
    }

    ngx_msgbus_place_at(&at, cf, conf->place);

    conf->bus = ngx_http_msgbus_find(&at, &conf->zone);
    if (conf->bus == NULL) {
        return NGX_ERROR;
    }

    conf->prefix = clcf->name;

    if (conf->prefix.len
        && conf->prefix.data[conf->prefix.len - 1] == '/')
    {
        conf->prefix.len--;
    }

    if (conf->channel == NULL
        && !clcf->noname
        && (clcf->exact_match
#if (NGX_PCRE)
            || clcf->regex
#endif
            || clcf->named))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, &at, 0,
                           "\"msgbus\" in location \"%V\", which is %s, "
                           "needs \"msgbus_channel\" to name the channel",
                           &clcf->name,
                           clcf->exact_match ? "exact"
                           : clcf->named ? "named" : "a regex");
        return NGX_ERROR;
    }

    if (conf->channel
        && conf->channel->lengths == NULL
        && !ngx_msgbus_is_channel(&conf->channel->value))
    {
        ngx_msgbus_place_at(&at, cf, conf->channel_place);

        ngx_conf_log_error(NGX_LOG_EMERG, &at, 0,
                           "\"msgbus_channel\" of location \"%V\" is \"%V\", "
                           "which is no channel, write such as \"/news\"",
                           &clcf->name, &conf->channel->value);
        return NGX_ERROR;
    }

    if (conf->test_mode) {
        ngx_conf_log_error(NGX_LOG_WARN, &at, 0,
                           "msgbus_test_mode is on in location \"%V\": "
                           "nobody needs a uuid, and /all shows every event",
                           &clcf->name);
    }

    return ngx_http_msgbus_guard_note(cf, conf);
}


/* what an "if" and limit_except have of their location, and who answers */
static ngx_int_t
ngx_http_msgbus_merge_handler(ngx_conf_t *cf,
    ngx_http_msgbus_loc_conf_t *prev, ngx_http_msgbus_loc_conf_t *conf)
{
    ngx_conf_t                 at;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* in an "if" nginx forgets what limit_except holds against a POST */

    conf->limit_except = clcf->limit_except;

    if (clcf->noname && !clcf->lmt_excpt) {
        conf->limit_except = prev->limit_except;
    }

    if (conf->zone.data == NULL && clcf->noname && clcf->handler == NULL) {

        /* an "if" or limit_except without a handler of its own */

        conf->place = prev->place;

        if (prev->zone.len) {
            conf->zone = prev->zone;
            clcf->handler = ngx_http_msgbus_handler;

        } else if (prev->told_by.len) {
            conf->told_zone = prev->told_zone;
            conf->told_by = prev->told_by;
            conf->tells = prev->tells;
            clcf->handler = prev->tells;
        }
    }

    ngx_msgbus_place_at(&at, cf, conf->place);

    if (conf->told_zone.data) {
        conf->told_bus = ngx_http_msgbus_find(&at, &conf->told_zone);
        if (conf->told_bus == NULL) {
            return NGX_ERROR;
        }
    }

    if ((conf->zone.len && clcf->handler != ngx_http_msgbus_handler)
        || (conf->told_by.len && clcf->handler != conf->tells))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, &at, 0,
                           "\"%s\" of location \"%V\" stands beside another "
                           "directive that answers all requests there, "
                           "remove one of them",
                           conf->zone.len ? "msgbus"
                                          : (char *) conf->told_by.data,
                           &clcf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_msgbus_t *
ngx_http_msgbus_find(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_str_t                    *known;
    ngx_uint_t                    i;
    ngx_msgbus_t                **bus;
    ngx_http_msgbus_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_msgbus_module);
    bus = mcf->buses.elts;

    for (i = 0; i < mcf->buses.nelts; i++) {
        known = ngx_msgbus_name(bus[i]);

        if (known->len == name->len
            && ngx_strncmp(known->data, name->data, name->len) == 0)
        {
            return bus[i];
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown msgbus zone \"%V\", declare it with "
                       "\"msgbus_zone zone=%V:64m;\" in http", name, name);
    return NULL;
}


char *
ngx_http_msgbus_conf_msgbus(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_msgbus_loc_conf_t  *lcf = conf;

    ngx_str_t  *value;

    if (lcf->zone.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "needs the name of a zone, or \"off\"";
    }

    lcf->zone = value[1];

    if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->zone.len = 0;
        return NGX_CONF_OK;
    }

    return ngx_http_msgbus_set_handler(cf, lcf, ngx_http_msgbus_handler);
}


char *
ngx_http_msgbus_conf_tells(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_msgbus_loc_conf_t  *lcf = conf;

    ngx_str_t  *value;

    if (lcf->told_by.data == cmd->name.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (value[1].len == 0) {
            return "needs the name of a zone";
        }

        lcf->told_zone = value[1];
    }

    lcf->told_by = cmd->name;
    lcf->tells = *(ngx_http_handler_pt *) cmd->post;

    return ngx_http_msgbus_set_handler(cf, lcf, lcf->tells);
}


/* the one that comes later would win, and nobody would be told */
static char *
ngx_http_msgbus_set_handler(ngx_conf_t *cf, ngx_http_msgbus_loc_conf_t *lcf,
    ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "stands beside another directive that answers all requests "
               "of its location";
    }

    clcf->handler = handler;

    lcf->place = ngx_msgbus_place(cf);

    return lcf->place ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_msgbus_conf_channel(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_msgbus_loc_conf_t  *lcf = conf;

    char  *rv;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    lcf->channel_place = ngx_msgbus_place(cf);

    return lcf->channel_place ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_msgbus_conf_max_events(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_msgbus_loc_conf_t  *lcf = conf;

    ngx_int_t    n[2];
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (lcf->max_events != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    n[1] = 500;

    for (i = 0; i < cf->args->nelts - 1; i++) {
        n[i] = ngx_atoi(value[i + 1].data, value[i + 1].len);

        if (n[i] == NGX_ERROR || n[i] == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of events \"%V\", it is 1 or "
                               "more",
                               &value[i + 1]);
            return NGX_CONF_ERROR;
        }
    }

    if (cf->args->nelts == 2) {
        n[1] = ngx_max(n[0], n[1]);
    }

    if (n[0] > n[1]) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the default \"%V\" of \"%V\" is above its cap "
                           "\"%V\"", &value[1], &cmd->name, &value[2]);
        return NGX_CONF_ERROR;
    }

    lcf->max_events = n[0];
    lcf->max_events_cap = n[1];

    return NGX_CONF_OK;
}


char *
ngx_http_msgbus_conf_park(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_msgbus_loc_conf_t  *lcf = conf;

    char  *rv;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    /* who is not parked is not parked after a time */

    return ngx_http_msgbus_conf_time(cf, lcf->park ? "after=" : NULL,
                                     NGX_MAX_INT_T_VALUE, &lcf->park_after);
}


char *
ngx_http_msgbus_conf_max_waiters(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_msgbus_loc_conf_t  *lcf = conf;

    char  *rv;

    rv = ngx_conf_set_num_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_msgbus_conf_time(cf, "retry=", NGX_HTTP_MSGBUS_RETRY,
                                     &lcf->retry);
}


/*
 * A directive's second argument, if there is one: a time by this name, "x=",
 * from 1 ms to max.  NULL in place of the name: there must be none.
 */
static char *
ngx_http_msgbus_conf_time(ngx_conf_t *cf, const char *name, ngx_int_t max,
    ngx_msec_t *time)
{
    size_t      len;
    ngx_int_t   ms;
    ngx_str_t  *value, s;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;
    s = value[2];
    len = name ? ngx_strlen(name) : 0;

    if (name == NULL || ngx_strncmp(s.data, name, len) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    s.data += len;
    s.len -= len;

    ms = ngx_parse_time(&s, 0);

    if (ms <= 0 || ms > max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value of \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    *time = (ngx_msec_t) ms;

    return NGX_CONF_OK;
}


/* a stream without pings would never notice that its reader has vanished */
char *
ngx_http_msgbus_conf_ping(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *ping = data;

    return *ping == 0 ? "must not be 0" : NGX_CONF_OK;
}
