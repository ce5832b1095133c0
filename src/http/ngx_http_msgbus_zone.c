
/*
 * Copyright (C) the msgbus authors
 */


/*
 * msgbus_zone: a bus, by its name, its size and its limits.
 *
 * What can be seen to be wrong in the directive alone is refused here, with
 * its line.  Which store is meant, and whether it goes with the rest, is found
 * when all of "http" has been read; whether the size is enough for it, when
 * the zone is made.
 */


#include "ngx_http_msgbus_zone.h"


static ngx_uint_t ngx_http_msgbus_zone_is_twice(ngx_str_t *args, ngx_uint_t n);
static ngx_int_t ngx_http_msgbus_zone_arg(ngx_conf_t *cf,
    ngx_msgbus_conf_t *zone, ngx_str_t *arg);
static ngx_int_t ngx_http_msgbus_zone_size(ngx_conf_t *cf,
    ngx_msgbus_conf_t *zone, ngx_str_t *arg, ngx_str_t *value);
static ngx_int_t ngx_http_msgbus_zone_limits(ngx_msgbus_conf_t *zone,
    ngx_str_t *arg, ngx_str_t *value);
static ngx_int_t ngx_http_msgbus_zone_modes(ngx_msgbus_conf_t *zone,
    ngx_str_t *arg, ngx_str_t *value);
static ngx_uint_t ngx_http_msgbus_arg(ngx_str_t *arg, const char *name,
    ngx_str_t *value);


char *
ngx_http_msgbus_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_msgbus_main_conf_t  *mcf = conf;

    ngx_str_t          *value;
    ngx_uint_t          i;
    ngx_msgbus_t      **bus;
    ngx_msgbus_conf_t   zone;

    ngx_memzero(&zone, sizeof(ngx_msgbus_conf_t));

    ngx_str_set(&zone.store, "memory");
    zone.ttl = 120000;
    zone.max_events = NGX_MAX_UINT32_VALUE;

    zone.place = ngx_msgbus_place(cf);
    if (zone.place == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_msgbus_zone_is_twice(&value[1], i - 1)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "parameter \"%V\" of \"%V\" is duplicate",
                               &value[i], &cmd->name);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_msgbus_zone_arg(cf, &zone, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (zone.name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have \"zone=name:size\"", &cmd->name);
        return NGX_CONF_ERROR;
    }

    bus = ngx_array_push(&mcf->buses);
    if (bus == NULL) {
        return NGX_CONF_ERROR;
    }

    *bus = ngx_msgbus_add(cf, &zone, &ngx_http_msgbus_module);

    return *bus ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* is the same parameter as args[n] before it?  The later one would win. */
static ngx_uint_t
ngx_http_msgbus_zone_is_twice(ngx_str_t *args, ngx_uint_t n)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   i;

    p = (u_char *) ngx_strchr(args[n].data, '=');

    if (p == NULL) {
        return 0;
    }

    len = p + 1 - args[n].data;

    for (i = 0; i < n; i++) {

        if (ngx_strncmp(args[i].data, args[n].data, len) == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_msgbus_zone_arg(ngx_conf_t *cf, ngx_msgbus_conf_t *zone,
    ngx_str_t *arg)
{
    ngx_int_t  rc;
    ngx_str_t  value;

    if (ngx_http_msgbus_arg(arg, "zone=", &value)) {
        return ngx_http_msgbus_zone_size(cf, zone, arg, &value);
    }

    rc = ngx_http_msgbus_zone_limits(zone, arg, &value);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_msgbus_zone_modes(zone, arg, &value);
    }

    if (rc != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid %s \"%V\"",
                           rc == NGX_DECLINED ? "parameter" : "value of",
                           arg);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_zone_size(ngx_conf_t *cf, ngx_msgbus_conf_t *zone,
    ngx_str_t *arg, ngx_str_t *value)
{
    off_t       size;
    size_t      least;
    u_char     *p;
    ngx_str_t   s;

    p = (u_char *) ngx_strchr(value->data, ':');

    if (p == NULL || p == value->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\", it is \"zone=name:size\"",
                           arg);
        return NGX_ERROR;
    }

    zone->name.data = value->data;
    zone->name.len = p - value->data;

    if (!ngx_msgbus_json_plain(&zone->name)) {

        /* it is shown in the health report */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid character in the zone's name \"%V\", it "
                           "is printable ASCII without quotes and backslashes",
                           arg);
        return NGX_ERROR;
    }

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    size = ngx_parse_offset(&s);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\", it is a number of "
                           "bytes such as 16m", arg);
        return NGX_ERROR;
    }

    /* where pages are of 64 KB it takes some of them */

    least = ngx_max(NGX_MSGBUS_MIN_ZONE, 8 * ngx_pagesize);

    if ((size_t) size < least) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it needs %uzk", arg,
                           least / 1024);
        return NGX_ERROR;
    }

    zone->size = size;

    return NGX_OK;
}


/* NGX_DECLINED: none of them, NGX_ERROR: the value is wrong */
static ngx_int_t
ngx_http_msgbus_zone_limits(ngx_msgbus_conf_t *zone, ngx_str_t *arg,
    ngx_str_t *value)
{
    ssize_t    size;
    ngx_int_t  n;

    if (ngx_http_msgbus_arg(arg, "ttl=", value)) {
        n = ngx_parse_time(value, 0);

        if (n == NGX_ERROR || n == 0) {
            return NGX_ERROR;
        }

        zone->ttl = n;
        return NGX_OK;
    }

    if (ngx_http_msgbus_arg(arg, "max_events=", value)) {
        n = ngx_atoi(value->data, value->len);

        if (n == NGX_ERROR || n == 0) {
            return NGX_ERROR;
        }

        zone->max_events = n;
        return NGX_OK;
    }

    if (ngx_http_msgbus_arg(arg, "max_event_size=", value)) {
        size = ngx_parse_size(value);

        if (size == NGX_ERROR || size == 0) {
            return NGX_ERROR;
        }

        zone->max_event_size = size;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_msgbus_zone_modes(ngx_msgbus_conf_t *zone, ngx_str_t *arg,
    ngx_str_t *value)
{
    off_t  n;

    if (ngx_http_msgbus_arg(arg, "store=", value)) {
        zone->store = *value;
        return value->len ? NGX_OK : NGX_ERROR;
    }

    if (ngx_http_msgbus_arg(arg, "full=", value)) {

        if (ngx_strcmp(value->data, "evict") == 0) {
            zone->reject = 0;

        } else if (ngx_strcmp(value->data, "reject") == 0) {
            zone->reject = 1;

        } else {
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (ngx_http_msgbus_arg(arg, "first_id=", value)) {

        if (ngx_strcmp(value->data, "time") == 0) {
            zone->first_id = 0;
            return NGX_OK;
        }

        n = ngx_atoof(value->data, value->len);

        /* ids stay below 2^53; half of that leaves some */

        if (n == NGX_ERROR || n == 0 || n > (off_t) 1 << 52) {
            return NGX_ERROR;
        }

        zone->first_id = n;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* does an argument begin with name?  Then value is the rest of it. */
static ngx_uint_t
ngx_http_msgbus_arg(ngx_str_t *arg, const char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (arg->len < len || ngx_strncmp(arg->data, name, len) != 0) {
        return 0;
    }

    value->len = arg->len - len;
    value->data = arg->data + len;

    return 1;
}
