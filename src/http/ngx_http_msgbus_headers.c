
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The headers of a request that nginx has no field for: Prefer, Origin,
 * Idempotency-Key, Last-Event-ID, the token; and one walk over them all, for
 * these and Accept.
 *
 * Preferences are wishes: what is not understood is passed over.
 */


#include "ngx_http_msgbus_args.h"
#include "ngx_http_msgbus_headers.h"


static ngx_table_elt_t *ngx_http_msgbus_headers_line(
    ngx_http_msgbus_headers_t *headers);
static void ngx_http_msgbus_prefer(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *value);
static void ngx_http_msgbus_prefer_one(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, u_char *p, u_char *last);
static u_char *ngx_http_msgbus_prefer_end(u_char *p, u_char *last, u_char ch);
static void ngx_http_msgbus_prefer_trim(ngx_str_t *s);


void
ngx_http_msgbus_headers_init(ngx_http_msgbus_headers_t *headers,
    ngx_http_request_t *r)
{
    headers->part = &r->headers_in.headers.part;
    headers->n = 0;
}


ngx_str_t *
ngx_http_msgbus_headers_next(ngx_http_msgbus_headers_t *headers,
    ngx_str_t *name)
{
    ngx_table_elt_t  *h;

    while ((h = ngx_http_msgbus_headers_line(headers)) != NULL) {

        if (h->key.len == name->len
            && ngx_strncasecmp(h->key.data, name->data, name->len) == 0)
        {
            return &h->value;
        }
    }

    return NULL;
}


static ngx_table_elt_t *
ngx_http_msgbus_headers_line(ngx_http_msgbus_headers_t *headers)
{
    ngx_table_elt_t  *h;

    while (headers->n == headers->part->nelts) {

        if (headers->part->next == NULL) {
            return NULL;
        }

        headers->part = headers->part->next;
        headers->n = 0;
    }

    h = headers->part->elts;

    return &h[headers->n++];
}


ngx_str_t *
ngx_http_msgbus_headers_last_event_id(ngx_http_request_t *r)
{
    ngx_str_t                  *value, *last;
    ngx_http_msgbus_headers_t   headers;

    static ngx_str_t  name = ngx_string("Last-Event-ID");

    ngx_http_msgbus_headers_init(&headers, r);

    last = NULL;

    while ((value = ngx_http_msgbus_headers_next(&headers, &name)) != NULL) {
        last = value;
    }

    return last && last->len ? last : NULL;
}


ngx_str_t *
ngx_http_msgbus_headers_token(ngx_http_request_t *r)
{
    ngx_http_msgbus_headers_t  headers;

    static ngx_str_t  name = ngx_string("X-Auth-Token");

    ngx_http_msgbus_headers_init(&headers, r);

    return ngx_http_msgbus_headers_next(&headers, &name);
}


ngx_str_t *
ngx_http_msgbus_headers_post(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass)
{
    ngx_str_t                  *origin;
    ngx_table_elt_t            *h;
    ngx_http_msgbus_headers_t   headers;

    static ngx_str_t  none = ngx_string("");

    ngx_http_msgbus_headers_init(&headers, r);

    origin = NULL;

    while ((h = ngx_http_msgbus_headers_line(&headers)) != NULL) {

        if (ngx_http_msgbus_is_nocase(&h->key, "Origin")) {
            origin = origin ? &none : &h->value;

        } else if (ngx_http_msgbus_is_nocase(&h->key, "Prefer")) {
            ngx_http_msgbus_prefer(r, pass, &h->value);

        } else if (ngx_http_msgbus_is_nocase(&h->key, "Content-Encoding")) {

            if (h->value.len
                && !ngx_http_msgbus_is_nocase(&h->value, "identity"))
            {
                pass->encoded = 1;
            }

        } else if (ngx_http_msgbus_is_nocase(&h->key, "Idempotency-Key")) {
            pass->rekeyed = pass->keyed;
            pass->keyed = 1;
            pass->key = h->value;
        }
    }

    return origin;
}


ngx_uint_t
ngx_http_msgbus_headers_cross_site(ngx_http_request_t *r)
{
    ngx_str_t                  *value;
    ngx_http_msgbus_headers_t   headers;

    static ngx_str_t  name = ngx_string("Sec-Fetch-Site");

    ngx_http_msgbus_headers_init(&headers, r);

    while ((value = ngx_http_msgbus_headers_next(&headers, &name)) != NULL) {

        if (ngx_http_msgbus_is_nocase(value, "cross-site")) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_msgbus_headers_prefer(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass)
{
    ngx_str_t                  *value;
    ngx_http_msgbus_headers_t   headers;

    static ngx_str_t  name = ngx_string("Prefer");

    ngx_http_msgbus_headers_init(&headers, r);

    while ((value = ngx_http_msgbus_headers_next(&headers, &name)) != NULL) {
        ngx_http_msgbus_prefer(r, pass, value);
    }
}


static void
ngx_http_msgbus_prefer(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_str_t *value)
{
    u_char  *p, *last, *end;

    p = value->data;
    last = p + value->len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_http_msgbus_prefer_end(p, last, ',');

        ngx_http_msgbus_prefer_one(r, pass, p, end);
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
    u_char     *eq;
    ngx_str_t   name, value;

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

        if (ngx_http_msgbus_is_nocase(&value, "minimal")) {

            /* what is answered without a wish */

            pass->prefer_minimal = 1;

        } else if (!pass->prefer_minimal
                   && ngx_http_msgbus_is_nocase(&value, "representation"))
        {
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

    if (ngx_http_msgbus_args_wait(r, &value, &pass->wait) == NGX_OK) {
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
