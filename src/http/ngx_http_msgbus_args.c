
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The arguments of a request, and the values that they may have.
 *
 * Names that are known are found and decoded in one pass over the query
 * string; one that comes twice: the last counts; others are ignored.
 */


#include "ngx_http_msgbus_args.h"


static ngx_int_t ngx_http_msgbus_arg_decode(ngx_pool_t *pool, ngx_str_t *s);
static ngx_str_t *ngx_http_msgbus_arg_slot(ngx_http_msgbus_args_t *args,
    ngx_str_t *name);


ngx_int_t
ngx_http_msgbus_args(ngx_http_request_t *r, ngx_http_msgbus_args_t *args)
{
    u_char      *p, *last, *end, *eq;
    ngx_str_t    name, value, *slot;
    ngx_uint_t   encoded;

    ngx_memzero(args, sizeof(ngx_http_msgbus_args_t));

    p = r->args.data;
    last = p + r->args.len;

    encoded = r->args.len
              && (memchr(p, '%', r->args.len) || memchr(p, '+', r->args.len));

    for ( /* void */ ; p < last; p = end + 1) {

        end = memchr(p, '&', last - p);
        if (end == NULL) {
            end = last;
        }

        eq = memchr(p, '=', end - p);
        if (eq == NULL) {
            eq = end;
        }

        name.data = p;
        name.len = eq - p;

        value.data = eq < end ? eq + 1 : end;
        value.len = end - value.data;

        if (encoded
            && (ngx_http_msgbus_arg_decode(r->pool, &name) != NGX_OK
                || ngx_http_msgbus_arg_decode(r->pool, &value) != NGX_OK))
        {
            return NGX_ERROR;
        }

        slot = ngx_http_msgbus_arg_slot(args, &name);

        if (slot) {
            *slot = value;
        }
    }

    return NGX_OK;
}


/*
 * As a form's: a plus is a space, one that is encoded is none.  A percent sign
 * without two digits is one: what follows must not vanish, and be another name.
 */
static ngx_int_t
ngx_http_msgbus_arg_decode(ngx_pool_t *pool, ngx_str_t *s)
{
    u_char     *p, *last, *dst;
    ngx_int_t   n;

    dst = ngx_pnalloc(pool, s->len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    p = s->data;
    last = p + s->len;

    s->data = dst;

    for ( /* void */ ; p < last; p++) {

        n = *p == '%' && last - p > 2 ? ngx_hextoi(p + 1, 2) : NGX_ERROR;

        if (n != NGX_ERROR) {
            *dst++ = (u_char) n;
            p += 2;

        } else {
            *dst++ = *p == '+' ? ' ' : *p;
        }
    }

    s->len = dst - s->data;

    return NGX_OK;
}


static ngx_str_t *
ngx_http_msgbus_arg_slot(ngx_http_msgbus_args_t *args, ngx_str_t *name)
{
    switch (name->len) {

    case 4:
        if (ngx_http_msgbus_is(name, "sort")) {
            return &args->sort;
        }

        if (ngx_http_msgbus_is(name, "echo")) {
            return &args->echo;
        }

        return ngx_http_msgbus_is(name, "wait") ? &args->wait : NULL;

    case 5:
        if (ngx_http_msgbus_is(name, "limit")) {
            return &args->limit;
        }

        return ngx_http_msgbus_is(name, "after") ? &args->after : NULL;

    case 6:
        if (ngx_http_msgbus_is(name, "events")) {
            return &args->events;
        }

        if (ngx_http_msgbus_is(name, "prefix")) {
            return &args->prefix;
        }

        if (ngx_http_msgbus_is(name, "format")) {
            return &args->format;
        }

        return ngx_http_msgbus_is(name, "method") ? &args->method : NULL;

    case 7:
        return ngx_http_msgbus_is(name, "verbose") ? &args->verbose : NULL;

    case 8:
        if (ngx_http_msgbus_is(name, "channels")) {
            return &args->channels;
        }

        return ngx_http_msgbus_is(name, "callback") ? &args->callback : NULL;

    case 9:
        return ngx_http_msgbus_is(name, "post-data") ? &args->post_data
                                                     : NULL;
    case 10:
        return ngx_http_msgbus_is(name, "max-events") ? &args->max_events
                                                      : NULL;
    case 11:
        return ngx_http_msgbus_is(name, "lastEventId") ? &args->last_event_id
                                                       : NULL;
    case 13:
        if (ngx_http_msgbus_is(name, "last-event-id")) {

            return &args->last_event_id;
        }

        return ngx_http_msgbus_is(name, "last-known-id")
               ? &args->last_known_id : NULL;

    default:
        return NULL;
    }
}


ngx_uint_t
ngx_http_msgbus_is_publish(ngx_http_request_t *r,
    ngx_http_msgbus_args_t *args)
{
    return r->method == NGX_HTTP_POST
           || (r->method == NGX_HTTP_GET
               && ngx_http_msgbus_is(&args->method, "POST"));
}


ngx_int_t
ngx_http_msgbus_args_posted(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass)
{
    ngx_http_msgbus_args_t  args;

    if (pass->publish || r->method != NGX_HTTP_GET) {
        return NGX_OK;
    }

    if (ngx_http_msgbus_args(r, &args) != NGX_OK) {
        return NGX_ERROR;
    }

    pass->publish = ngx_http_msgbus_is_publish(r, &args);

    return NGX_OK;
}


ngx_int_t
ngx_http_msgbus_args_wait(ngx_http_request_t *r, ngx_str_t *value,
    ngx_msec_t *wait)
{
    int64_t                      n;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    /* a plus sign is for what the reference has, and takes with it */

    if ((value->len && value->data[0] == '+')
        || ngx_http_msgbus_args_number(value, &n) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (n > 0) {
        *wait = (ngx_uint_t) n > lcf->max_wait / 1000
                ? lcf->max_wait : (ngx_msec_t) n * 1000;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_msgbus_args_number(ngx_str_t *s, int64_t *n)
{
    u_char      *p, *start, *last;
    uint64_t     value, limit;
    ngx_uint_t   negative;

    p = s->data;
    last = p + s->len;

    negative = p < last && *p == '-';
    limit = (uint64_t) 0x7fffffffffffffff + negative;

    if (negative || (p < last && *p == '+')) {
        p++;
    }

    if (p == last) {
        return NGX_ERROR;
    }

    start = p;

    for (value = 0; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        /* 18 digits fit whatever they are */

        if (last - start > 18 && value > (limit - (*p - '0')) / 10) {
            return NGX_ERROR;
        }

        value = value * 10 + (*p - '0');
    }

    *n = negative ? (int64_t) (0 - value) : (int64_t) value;

    return NGX_OK;
}
