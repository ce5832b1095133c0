
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The arguments of a request, and the preferences in its headers.
 *
 * Names that are known are found and decoded in one pass over the query
 * string; one that comes twice: the last counts; others are ignored.  What a
 * read makes of them is written into pass->query.
 */


#include "ngx_http_msgbus_args.h"
#include "ngx_http_msgbus_error.h"


#define ngx_http_msgbus_is_nocase(s, text)                                    \
    ((s)->len == sizeof(text) - 1                                             \
     && ngx_strncasecmp((s)->data, (u_char *) text, sizeof(text) - 1) == 0)


static ngx_int_t ngx_http_msgbus_arg_decode(ngx_pool_t *pool, ngx_str_t *s);
static ngx_str_t *ngx_http_msgbus_arg_slot(ngx_http_msgbus_args_t *args,
    ngx_str_t *name);
static ngx_int_t ngx_http_msgbus_arg_stream(ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args);
static ngx_int_t ngx_http_msgbus_arg_cursor(ngx_http_msgbus_pass_t *pass,
    ngx_str_t *value);
static ngx_int_t ngx_http_msgbus_arg_max_events(ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_str_t *value);
static ngx_int_t ngx_http_msgbus_arg_wait(ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_str_t *value);
static ngx_int_t ngx_http_msgbus_number(ngx_str_t *s, int64_t *n);
static void ngx_http_msgbus_prefer_one(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, u_char *p, u_char *last);
static u_char *ngx_http_msgbus_prefer_end(u_char *p, u_char *last, u_char ch);
static void ngx_http_msgbus_prefer_trim(ngx_str_t *s);


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


static ngx_int_t
ngx_http_msgbus_arg_decode(ngx_pool_t *pool, ngx_str_t *s)
{
    u_char  *p, *src, *dst;

    dst = ngx_pnalloc(pool, s->len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    /* a plus is a space; one that is encoded is none */

    for (p = s->data, src = dst; p < s->data + s->len; p++) {
        *src++ = *p == '+' ? ' ' : *p;
    }

    src = dst;
    p = dst;

    ngx_unescape_uri(&p, &src, s->len, 0);

    s->data = dst;
    s->len = p - dst;

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

    case 6:
        if (ngx_http_msgbus_is(name, "events")) {
            return &args->events;
        }

        return ngx_http_msgbus_is(name, "method") ? &args->method : NULL;

    case 7:
        return ngx_http_msgbus_is(name, "verbose") ? &args->verbose : NULL;

    case 8:
        return ngx_http_msgbus_is(name, "callback") ? &args->callback : NULL;

    case 9:
        return ngx_http_msgbus_is(name, "post-data") ? &args->post_data
                                                     : NULL;
    case 10:
        return ngx_http_msgbus_is(name, "max-events") ? &args->max_events
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
ngx_http_msgbus_request_query(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args)
{
    ngx_msgbus_query_t          *q;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    q = &pass->query;

    q->channel = pass->channel;
    q->max_events = lcf->max_events;
    q->max_bytes = lcf->max_response;
    q->scope = NGX_MSGBUS_EXACT;

    pass->echo = ngx_http_msgbus_is(&args->echo, "true");
    q->newest_first = ngx_http_msgbus_is(&args->sort, "-1");

    if (ngx_http_msgbus_is(&args->events, "parent")) {
        q->scope = NGX_MSGBUS_PARENT;
        q->name = 1;

    } else if (ngx_http_msgbus_is(&args->events, "all")) {
        q->scope = NGX_MSGBUS_ALL;
        q->name = 1;
    }

    if (pass->form != NGX_HTTP_MSGBUS_PAGE) {
        return ngx_http_msgbus_arg_stream(pass, args);
    }

    if (args->last_known_id.data
        && ngx_http_msgbus_arg_cursor(pass, &args->last_known_id) != NGX_OK)
    {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid last-known-id");
    }

    if (args->max_events.data
        && ngx_http_msgbus_arg_max_events(pass, lcf, &args->max_events)
           != NGX_OK)
    {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid max-events");
    }

    if (args->wait.data == NULL) {
        ngx_http_msgbus_prefer(r, pass);

    } else if (ngx_http_msgbus_arg_wait(pass, lcf, &args->wait) != NGX_OK) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid wait");
    }

    return NGX_OK;
}


/* a stream takes all there is: of the rest its place alone counts */
static ngx_int_t
ngx_http_msgbus_arg_stream(ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args)
{
    pass->query.max_events = (ngx_uint_t) -1;
    pass->query.max_bytes = (size_t) -1;

    if (args->last_event_id.data) {

        if (ngx_http_msgbus_arg_cursor(pass, &args->last_event_id) == NGX_OK) {
            return NGX_OK;
        }

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid last-event-id");
    }

    if (args->last_known_id.data
        && ngx_http_msgbus_arg_cursor(pass, &args->last_known_id) != NGX_OK)
    {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid last-known-id");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_arg_cursor(ngx_http_msgbus_pass_t *pass, ngx_str_t *value)
{
    int64_t  n;

    if (ngx_http_msgbus_is(value, "latest")) {
        pass->query.latest = 1;
        return NGX_OK;
    }

    if (ngx_http_msgbus_number(value, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    pass->query.after = n > 0 ? (uint64_t) n : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_arg_max_events(ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_str_t *value)
{
    int64_t  n;

    if (ngx_http_msgbus_number(value, &n) != NGX_OK || n < 1) {
        return NGX_ERROR;
    }

    pass->query.max_events = ngx_min((uint64_t) n, lcf->max_events_cap);

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_arg_wait(ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_str_t *value)
{
    int64_t  n;

    /* a plus sign is for what the reference has, and takes with it */

    if ((value->len && value->data[0] == '+')
        || ngx_http_msgbus_number(value, &n) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (n > 0) {
        pass->wait = (ngx_uint_t) n > lcf->max_wait / 1000
                    ? lcf->max_wait : (ngx_msec_t) n * 1000;
    }

    return NGX_OK;
}


/* a decimal number of 64 bits, with a sign or without */
static ngx_int_t
ngx_http_msgbus_number(ngx_str_t *s, int64_t *n)
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


void
ngx_http_msgbus_prefer(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass)
{
    u_char           *p, *last, *end;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len != sizeof("Prefer") - 1
            || ngx_strncasecmp(h[i].key.data, (u_char *) "Prefer",
                               sizeof("Prefer") - 1) != 0)
        {
            continue;
        }

        p = h[i].value.data;
        last = p + h[i].value.len;

        for ( /* void */ ; p < last; p = end + 1) {

            end = ngx_http_msgbus_prefer_end(p, last, ',');

            ngx_http_msgbus_prefer_one(r, pass, p, end);
        }
    }
}


/*
 * One preference, name=value, where the value may be a quoted string; of
 * several that wish the same, the first that is understood counts.
 */
static void
ngx_http_msgbus_prefer_one(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    u_char *p, u_char *last)
{
    u_char                      *eq;
    ngx_str_t                    name, value;
    ngx_http_msgbus_loc_conf_t  *lcf;

    /* none of those known has parameters */

    last = ngx_http_msgbus_prefer_end(p, last, ';');

    eq = ngx_strlchr(p, last, '=');
    if (eq == NULL) {
        return;
    }

    name.data = p;
    name.len = eq - p;
    ngx_http_msgbus_prefer_trim(&name);

    value.data = eq + 1;
    value.len = last - value.data;
    ngx_http_msgbus_prefer_trim(&value);

    if (value.len > 1
        && value.data[0] == '"'
        && value.data[value.len - 1] == '"')
    {
        /* a quoted pair needs no care: none of those known has one */

        value.data++;
        value.len -= 2;
    }

    if (ngx_http_msgbus_is_nocase(&name, "return")) {

        if (ngx_http_msgbus_is_nocase(&value, "representation")) {
            pass->prefer_representation = 1;
        }

        return;
    }

    if (pass->prefer_wait || !ngx_http_msgbus_is_nocase(&name, "wait")) {
        return;
    }

    if (value.len && value.data[0] == '-') {
        return;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (ngx_http_msgbus_arg_wait(pass, lcf, &value) == NGX_OK) {
        pass->prefer_wait = 1;
    }
}


/* the first ch that is not in a quoted string, else last */
static u_char *
ngx_http_msgbus_prefer_end(u_char *p, u_char *last, u_char ch)
{
    ngx_uint_t  quoted;

    quoted = 0;

    for ( /* void */ ; p < last; p++) {

        if (*p == '"') {
            quoted = !quoted;

        } else if (quoted) {

            if (*p == '\\' && p + 1 < last) {
                p++;
            }

        } else if (*p == ch) {
            return p;
        }
    }

    return last;
}


static void
ngx_http_msgbus_prefer_trim(ngx_str_t *s)
{
    while (s->len && (s->data[0] == ' ' || s->data[0] == '\t')) {
        s->data++;
        s->len--;
    }

    while (s->len
           && (s->data[s->len - 1] == ' ' || s->data[s->len - 1] == '\t'))
    {
        s->len--;
    }
}
