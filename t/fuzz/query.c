
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The arguments of a read and its Prefer headers mean what docs/api.md says.
 *
 * The input is lines: first the limits, a byte each; then the query string;
 * then the values of Prefer headers.
 */


#include "fuzz.h"


#define QUERY_ARGS     10
#define QUERY_HEADERS  4


/* an argument, and where the module has put it */
typedef struct {
    const char            *name;
    size_t                 offset;
    ngx_str_t              value;
    ngx_uint_t             came;
} query_arg_t;


#define query_arg(name, field)                                                \
    { name, offsetof(ngx_http_msgbus_args_t, field), ngx_null_string, 0 }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void query_split(ngx_str_t *text);
static ngx_int_t query_expect(fuzz_request_t *fr, ngx_str_t *prefer,
    ngx_uint_t n, ngx_msgbus_query_t *q, ngx_msec_t *wait,
    ngx_uint_t *by_header, ngx_int_t *strict, const char **message);
static ngx_str_t *query_value(const char *name);
static ngx_uint_t query_is(const char *name, const char *value);
static ngx_uint_t query_number(ngx_str_t *s, int64_t *n);
static ngx_uint_t query_prefer(ngx_str_t *s, int64_t *n, ngx_int_t *strict);
static ngx_msec_t query_wait(fuzz_request_t *fr, int64_t n);


static query_arg_t  query_args[QUERY_ARGS] = {
    query_arg("last-known-id", last_known_id),
    query_arg("max-events", max_events),
    query_arg("sort", sort),
    query_arg("events", events),
    query_arg("echo", echo),
    query_arg("wait", wait),
    query_arg("callback", callback),
    query_arg("method", method),
    query_arg("post-data", post_data),
    query_arg("verbose", verbose)
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t            rc, expected, strict;
    ngx_str_t            limits, *value, prefer[QUERY_HEADERS];
    ngx_uint_t           i, n, by_header;
    ngx_msec_t           wait;
    const char          *message;
    ngx_table_elt_t     *headers;
    fuzz_request_t       fr;
    ngx_msgbus_query_t   q, *found;

    fuzz_begin(&fr);

    limits = fuzz_line(&data, &size);

    if (limits.len > 0) {
        fr.conf.max_wait = limits.data[0] * 250;
    }

    if (limits.len > 1) {
        fr.conf.max_events_cap = limits.data[1] + 1;
        fr.conf.max_events = ngx_min(200, fr.conf.max_events_cap);
    }

    fr.request.args = fuzz_line(&data, &size);

    /* the headers in two parts, as when there are many */

    for (n = 0; n < QUERY_HEADERS && size; n++) {
        prefer[n] = fuzz_line(&data, &size);
    }

    headers = ngx_pcalloc(NULL, n * sizeof(ngx_table_elt_t));

    for (i = 0; i < n; i++) {
        ngx_str_set(&headers[i].key, "pREFER");
        headers[i].value = prefer[i];
    }

    fr.request.headers_in.headers.part.elts = headers;
    fr.request.headers_in.headers.part.nelts = n;
    fr.request.headers_in.headers.last =
                                       &fr.request.headers_in.headers.part;

    query_split(&fr.request.args);

    fuzz_check(ngx_http_msgbus_args(&fr.request, &fr.ctx.args) == NGX_OK,
               "no arguments");

    for (i = 0; i < QUERY_ARGS; i++) {
        value = (ngx_str_t *) ((u_char *) &fr.ctx.args + query_args[i].offset);

        fuzz_check((value->data != NULL) == query_args[i].came,
                   "%s %s", query_args[i].name,
                   value->data ? "did not come" : "is missed");

        fuzz_check(value->len == query_args[i].value.len
                   && (value->len == 0
                       || memcmp(value->data, query_args[i].value.data,
                                 value->len) == 0),
                   "%s has another value", query_args[i].name);
    }

    rc = ngx_http_msgbus_request_query(&fr.request, &fr.ctx);

    expected = query_expect(&fr, prefer, n, &q, &wait, &by_header,
                            &strict, &message);

    fuzz_check(rc == expected, "status %ld, not %ld", (long) rc,
               (long) expected);

    if (rc != NGX_OK) {
        fuzz_check(fr.ctx.message && strcmp(fr.ctx.message, message) == 0,
                   "not \"%s\"", message);

    } else {
        found = &fr.ctx.query;

        fuzz_check(found->after == q.after, "another cursor");
        fuzz_check(found->latest == q.latest, "latest");
        fuzz_check(found->max_events == q.max_events, "another max-events");
        fuzz_check(found->newest_first == q.newest_first, "another sort");
        fuzz_check(found->scope == q.scope, "another scope");
        fuzz_check(found->name == (q.scope != NGX_MSGBUS_EXACT), "name");
        fuzz_check(fr.ctx.echo == query_is("echo", "true"), "echo");
        fuzz_check(!strict || fr.ctx.wait == wait, "waits %lu ms, not %lu",
                   (unsigned long) fr.ctx.wait, (unsigned long) wait);
        fuzz_check(fr.ctx.wait <= fr.conf.max_wait, "waits too long");

        /* the answer says so; a parameter wins over the headers */

        fuzz_check(!strict || fr.ctx.prefer_wait == by_header,
                   "it waits%s because of a header",
                   fr.ctx.prefer_wait ? "" : " not");
    }

    fuzz_end();

    return 0;
}


/* the last of a name counts */
static void
query_split(ngx_str_t *text)
{
    size_t       i, from, eq;
    ngx_str_t    name, value;
    ngx_uint_t   n;

    for (n = 0; n < QUERY_ARGS; n++) {
        ngx_str_null(&query_args[n].value);
        query_args[n].came = 0;
    }

    for (from = 0; from < text->len; from = i + 1) {

        eq = text->len;

        for (i = from; i < text->len && text->data[i] != '&'; i++) {
            if (text->data[i] == '=' && eq == text->len) {
                eq = i;
            }
        }

        eq = ngx_min(eq, i);

        name = fuzz_decode(text->data + from, eq - from);
        value = eq < i ? fuzz_decode(text->data + eq + 1, i - eq - 1)
                       : fuzz_decode(NULL, 0);

        for (n = 0; n < QUERY_ARGS; n++) {

            if (strlen(query_args[n].name) == name.len
                && memcmp(query_args[n].name, name.data, name.len) == 0)
            {
                query_args[n].value = value;
                query_args[n].came = 1;
            }
        }
    }
}


static ngx_int_t
query_expect(fuzz_request_t *fr, ngx_str_t *prefer, ngx_uint_t n,
    ngx_msgbus_query_t *q, ngx_msec_t *wait, ngx_uint_t *by_header,
    ngx_int_t *strict, const char **message)
{
    int64_t      number;
    ngx_uint_t   i;

    memset(q, 0, sizeof(ngx_msgbus_query_t));

    q->max_events = fr->conf.max_events;
    q->newest_first = query_is("sort", "-1");
    q->scope = query_is("events", "parent") ? NGX_MSGBUS_PARENT
               : query_is("events", "all") ? NGX_MSGBUS_ALL
               : NGX_MSGBUS_EXACT;

    *wait = 0;
    *by_header = 0;
    *strict = 1;

    if (query_is("last-known-id", "latest")) {
        q->latest = 1;

    } else if (query_value("last-known-id")) {

        if (!query_number(query_value("last-known-id"), &number)) {
            *message = "Invalid last-known-id";
            return NGX_HTTP_BAD_REQUEST;
        }

        q->after = number < 0 ? 0 : (uint64_t) number;
    }

    if (query_value("max-events")) {

        if (!query_number(query_value("max-events"), &number) || number < 1) {
            *message = "Invalid max-events";
            return NGX_HTTP_BAD_REQUEST;
        }

        q->max_events = (uint64_t) number > fr->conf.max_events_cap
                        ? fr->conf.max_events_cap : (ngx_uint_t) number;
    }

    if (query_value("wait")) {

        if (!query_number(query_value("wait"), &number)) {
            *message = "Invalid wait";
            return NGX_HTTP_BAD_REQUEST;
        }

        *wait = query_wait(fr, number);

        return NGX_OK;
    }

    for (i = 0; i < n; i++) {

        if (query_prefer(&prefer[i], &number, strict)) {
            *wait = query_wait(fr, number);
            *by_header = 1;
            break;
        }
    }

    return NGX_OK;
}


static ngx_str_t *
query_value(const char *name)
{
    ngx_uint_t  n;

    for (n = 0; n < QUERY_ARGS; n++) {
        if (strcmp(query_args[n].name, name) == 0) {
            return query_args[n].came ? &query_args[n].value : NULL;
        }
    }

    return NULL;
}


static ngx_uint_t
query_is(const char *name, const char *value)
{
    ngx_str_t  *s;

    s = query_value(name);

    return s && s->len == strlen(value)
           && memcmp(s->data, value, s->len) == 0;
}


/* by a type that is wider than any number that is taken */
static ngx_uint_t
query_number(ngx_str_t *s, int64_t *n)
{
    size_t    i;
    __int128  value;

    i = s->len && (s->data[0] == '-' || s->data[0] == '+');

    if (i == s->len) {
        return 0;
    }

    for (value = 0; i < s->len; i++) {

        if (s->data[i] < '0' || s->data[i] > '9') {
            return 0;
        }

        if (value < (__int128) 1 << 100) {
            value = value * 10 + (s->data[i] - '0');
        }
    }

    if (s->data[0] == '-') {
        value = -value;
    }

    if (value > INT64_MAX || value < INT64_MIN) {
        return 0;
    }

    *n = (int64_t) value;

    return 1;
}


/*
 * wait=20, the first of them that is understood.  Not strict where something
 * follows the number: whoever reads it may take it or not.
 */
static ngx_uint_t
query_prefer(ngx_str_t *s, int64_t *n, ngx_int_t *strict)
{
    size_t     i, from, end;
    ngx_str_t  number;

    for (from = 0; from < s->len; from = end + 1) {

        for (end = from; end < s->len && s->data[end] != ','; end++) {
            /* void */
        }

        for (i = from; i < end && strchr(" \t", s->data[i]) && s->data[i]; i++)
        {
            /* void */
        }

        if (end - i < 5
            || strncasecmp((char *) s->data + i, "wait=", 5) != 0)
        {
            continue;
        }

        number.data = s->data + i + 5;

        for (number.len = 0; number.data + number.len < s->data + end;
             number.len++)
        {
            if (number.data[number.len] < '0' || number.data[number.len] > '9')
            {
                break;
            }
        }

        for (i = i + 5 + number.len; i < end; i++) {
            if (s->data[i] != ' ' && s->data[i] != '\t') {
                *strict = 0;
            }
        }

        if (number.len && query_number(&number, n)) {
            return 1;
        }
    }

    return 0;
}


static ngx_msec_t
query_wait(fuzz_request_t *fr, int64_t n)
{
    __int128  ms;

    if (n < 0) {
        return 0;
    }

    ms = (__int128) n * 1000;

    return ms > fr->conf.max_wait ? fr->conf.max_wait : (ngx_msec_t) ms;
}
