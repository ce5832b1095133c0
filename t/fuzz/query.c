
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The arguments of a read and its Prefer headers mean what docs/http-api.md
 * says.
 *
 * The input is lines: first the limits, a byte each; then the query string;
 * then the values of Prefer headers.
 */


#include "fuzz.h"
#include "ngx_http_msgbus_agent.h"
#include "ngx_http_msgbus_headers.h"
#include "ngx_http_msgbus_query.h"


#define QUERY_ARGS     10
#define QUERY_HEADERS  4

/* what the first wish for a return is */
#define QUERY_UNSAID   0
#define QUERY_SHOWN    1
#define QUERY_MINIMAL  2


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
    ngx_uint_t *by_header, ngx_uint_t *shown, const char **message);
static ngx_str_t *query_value(const char *name);
static ngx_uint_t query_is(const char *name, const char *value);
static ngx_uint_t query_number(ngx_str_t *s, int64_t *n);
static void query_prefer(ngx_str_t *s, int64_t *n, ngx_uint_t *wait,
    ngx_uint_t *shown);
static void query_word(char *from, char *end, ngx_str_t *word);
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
    ngx_int_t                rc, expected;
    ngx_str_t                limits, *value, prefer[QUERY_HEADERS];
    ngx_uint_t               i, n, by_header, shown;
    ngx_msec_t               wait;
    const char              *message;
    ngx_table_elt_t         *headers;
    fuzz_request_t           fr;
    ngx_msgbus_query_t       q, *found;
    ngx_msgbus_channel_t     channel;
    ngx_http_msgbus_args_t   args;

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

    fuzz_check(ngx_http_msgbus_args(&fr.request, &args) == NGX_OK,
               "no arguments");

    for (i = 0; i < QUERY_ARGS; i++) {
        value = (ngx_str_t *) ((u_char *) &args + query_args[i].offset);

        fuzz_check((value->data != NULL) == query_args[i].came,
                   "%s %s", query_args[i].name,
                   value->data ? "did not come" : "is missed");

        fuzz_check(value->len == query_args[i].value.len
                   && (value->len == 0
                       || memcmp(value->data, query_args[i].value.data,
                                 value->len) == 0),
                   "%s has another value", query_args[i].name);
    }

    fr.ctx.pass.form = NGX_MSGBUS_PAGE;

    channel.depth = 1;
    fr.ctx.pass.channel = &channel;

    /* a list of channels is looked at in a room of its own */

    ngx_str_null(&args.channels);

    rc = ngx_http_msgbus_query(&fr.request, &fr.ctx.pass, &args);

    expected = query_expect(&fr, prefer, n, &q, &wait, &by_header,
                            &shown, &message);

    fuzz_check(rc == expected, "status %ld, not %ld", (long) rc,
               (long) expected);

    if (rc != NGX_OK) {
        fuzz_check(fr.ctx.pass.message && strcmp(fr.ctx.pass.message, message) == 0,
                   "not \"%s\"", message);

    } else {
        found = &fr.ctx.pass.query;

        fuzz_check(found->after == q.after, "another cursor");
        fuzz_check(found->latest == q.latest, "latest");
        fuzz_check(found->max_events == q.max_events, "another max-events");
        fuzz_check(found->newest_first == q.newest_first, "another sort");
        fuzz_check(found->scope == q.scope, "another scope");
        fuzz_check(found->name == (q.scope != NGX_MSGBUS_EXACT), "name");
        fuzz_check(fr.ctx.pass.echo == query_is("echo", "true"), "echo");
        fuzz_check(fr.ctx.pass.wait == wait, "waits %lu ms, not %lu",
                   (unsigned long) fr.ctx.pass.wait, (unsigned long) wait);
        fuzz_check(fr.ctx.pass.wait <= fr.conf.max_wait, "waits too long");

        /* the answer says so; a parameter wins over the headers */

        fuzz_check(fr.ctx.pass.prefer_wait == by_header,
                   "it waits%s because of a header",
                   fr.ctx.pass.prefer_wait ? "" : " not");

        ngx_http_msgbus_headers_prefer(&fr.request, &fr.ctx.pass);

        fuzz_check(fr.ctx.pass.prefer_representation
                   == (shown == QUERY_SHOWN),
                   "the event is%s to be shown",
                   fr.ctx.pass.prefer_representation ? "" : " not");
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
    ngx_uint_t *shown, const char **message)
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
    *shown = QUERY_UNSAID;

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

    number = 0;

    for (i = 0; i < n; i++) {
        query_prefer(&prefer[i], &number, by_header, shown);
    }

    if (query_value("wait")) {

        *by_header = 0;

        if (query_value("wait")->len && query_value("wait")->data[0] == '+') {
            *message = "Invalid wait";
            return NGX_HTTP_BAD_REQUEST;
        }

        if (!query_number(query_value("wait"), &number)) {
            *message = "Invalid wait";
            return NGX_HTTP_BAD_REQUEST;
        }
    }

    *wait = query_wait(fr, number);

    if (*wait && q->newest_first) {
        *message = "To wait needs sort=1";
        return NGX_HTTP_BAD_REQUEST;
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
 * A list as RFC 7240 has it, by two passes: quoted strings are blanked, so
 * that each ',' and ';' left is one; then words are cut out, with the quoted
 * strings as they were.
 */
static void
query_prefer(ngx_str_t *s, int64_t *n, ngx_uint_t *wait, ngx_uint_t *shown)
{
    char       *text, *plain, *p, *end, *cut, *eq;
    size_t      i;
    ngx_str_t   name, value;

    text = (char *) fuzz_copy(s->data, s->len).data;
    plain = ngx_pcalloc(NULL, s->len + 1);

    for (i = 0; i < s->len; i++) {

        plain[i] = text[i] ? text[i] : '0';

        if (text[i] != '"') {
            continue;
        }

        for (i++; i < s->len && text[i] != '"'; i++) {

            plain[i] = '_';

            if (text[i] == '\\' && i + 1 < s->len) {
                plain[++i] = '_';
            }
        }

        if (i < s->len) {
            plain[i] = '"';
        }
    }

    for (p = plain; p; p = end ? end + 1 : NULL) {

        end = strchr(p, ',');

        cut = p + strcspn(p, ",;");
        eq = memchr(p, '=', cut - p);

        if (eq == NULL) {
            continue;
        }

        query_word(text + (p - plain), text + (eq - plain), &name);
        query_word(text + (eq + 1 - plain), text + (cut - plain), &value);

        if (value.len >= 2
            && value.data[0] == '"' && value.data[value.len - 1] == '"')
        {
            value.data++;
            value.len -= 2;
        }

        if (name.len == 6
            && strncasecmp((char *) name.data, "return", 6) == 0)
        {
            if (*shown == QUERY_UNSAID && value.len == 14
                && strncasecmp((char *) value.data, "representation", 14) == 0)
            {
                *shown = QUERY_SHOWN;
            }

            if (*shown == QUERY_UNSAID && value.len == 7
                && strncasecmp((char *) value.data, "minimal", 7) == 0)
            {
                *shown = QUERY_MINIMAL;
            }
        }

        if (name.len == 4 && strncasecmp((char *) name.data, "wait", 4) == 0
            && !*wait
            && value.len && value.data[0] != '-')
        {
            *wait = value.len && value.data[0] != '+'
                    && query_number(&value, n);
        }
    }
}


/* what lies between, without the blanks around it */
static void
query_word(char *from, char *end, ngx_str_t *word)
{
    size_t  blanks;

    for (blanks = 0; from + blanks < end; blanks++) {
        if (from[blanks] != ' ' && from[blanks] != '\t') {
            break;
        }
    }

    from += blanks;

    while (end > from && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    word->data = (u_char *) from;
    word->len = end - from;
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


/* a bus that knows what is newest, and a reader who hides nothing */

ngx_uint_t
ngx_msgbus_is_loaded(ngx_msgbus_t *bus)
{
    return 1;
}


ngx_uint_t
ngx_msgbus_loads_soon(ngx_msgbus_t *bus)
{
    return 0;
}


ngx_int_t
ngx_http_msgbus_agent(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_uint_t publish)
{
    return NGX_OK;
}
