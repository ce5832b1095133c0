
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What form of an answer a reader accepts: a page of JSON, or a stream.
 *
 * A stream is for whom its type is named, with a quality not below that of
 * application/json and not below that of what stands for all types: so a
 * browser's or curl's "any type" is a page.  Where qualities are equal, the
 * type that is named first.  Nobody is refused with 406: who accepts nothing
 * that there is gets a page.
 */


#include "ngx_http_msgbus_accept.h"


typedef struct {
    ngx_uint_t                 form;
    ngx_uint_t                 quality;       /* thousandths */
    ngx_uint_t                 any;           /* of a range of types */
} ngx_http_msgbus_wish_t;


static void ngx_http_msgbus_accept_header(ngx_http_msgbus_wish_t *wish,
    ngx_str_t *value);
static void ngx_http_msgbus_accept_range(ngx_http_msgbus_wish_t *wish,
    u_char *p, u_char *last);
static ngx_uint_t ngx_http_msgbus_accept_quality(u_char *p, u_char *last);
static ngx_uint_t ngx_http_msgbus_same(ngx_str_t *s, const char *name);


ngx_uint_t
ngx_http_msgbus_accept(ngx_http_request_t *r, ngx_str_t *cursor)
{
    ngx_str_t               *last_event_id;
    ngx_uint_t               i;
    ngx_list_part_t         *part;
    ngx_table_elt_t         *h;
    ngx_http_msgbus_wish_t   wish;

    wish.form = NGX_HTTP_MSGBUS_PAGE;
    wish.quality = 0;
    wish.any = 0;

    last_event_id = NULL;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (ngx_http_msgbus_same(&h[i].key, "Accept")) {
            ngx_http_msgbus_accept_header(&wish, &h[i].value);

        } else if (ngx_http_msgbus_same(&h[i].key, "Last-Event-ID")) {
            last_event_id = &h[i].value;
        }
    }

    if (wish.form == NGX_HTTP_MSGBUS_PAGE || wish.any > wish.quality) {
        return NGX_HTTP_MSGBUS_PAGE;
    }

    if (last_event_id && last_event_id->len) {
        *cursor = *last_event_id;
    }

    return wish.form;
}


static void
ngx_http_msgbus_accept_header(ngx_http_msgbus_wish_t *wish, ngx_str_t *value)
{
    u_char  *p, *last, *end;

    p = value->data;
    last = p + value->len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = memchr(p, ',', last - p);
        if (end == NULL) {
            end = last;
        }

        ngx_http_msgbus_accept_range(wish, p, end);
    }
}


static void
ngx_http_msgbus_accept_range(ngx_http_msgbus_wish_t *wish, u_char *p,
    u_char *last)
{
    u_char      *end;
    ngx_str_t    type;
    ngx_uint_t   form, quality;

    end = memchr(p, ';', last - p);
    if (end == NULL) {
        end = last;
    }

    quality = ngx_http_msgbus_accept_quality(end, last);

    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    type.data = p;
    type.len = end - p;

    if (ngx_http_msgbus_same(&type, "text/event-stream")) {
        form = NGX_HTTP_MSGBUS_SSE;

    } else if (ngx_http_msgbus_same(&type, "application/x-ndjson")) {
        form = NGX_HTTP_MSGBUS_NDJSON;

    } else if (ngx_http_msgbus_same(&type, "application/json")) {
        form = NGX_HTTP_MSGBUS_PAGE;

    } else {
        if (type.len && end[-1] == '*') {
            wish->any = ngx_max(wish->any, quality);
        }

        return;
    }

    if (quality > wish->quality) {
        wish->form = form;
        wish->quality = quality;
    }
}


/* of ";q=0.5" among the parameters, in thousandths */
static ngx_uint_t
ngx_http_msgbus_accept_quality(u_char *p, u_char *last)
{
    ngx_uint_t  n, unit;

    while (p < last) {

        for (p++; p < last && (*p == ' ' || *p == '\t'); p++) { /* void */ }

        if (last - p >= 2 && (p[0] == 'q' || p[0] == 'Q') && p[1] == '=') {
            p += 2;
            n = (p < last && *p == '1') ? 1000 : 0;
            unit = 100;

            for (p += 2; p < last && *p >= '0' && *p <= '9'; p++) {
                n += (*p - '0') * unit;
                unit /= 10;
            }

            return ngx_min(n, 1000);
        }

        p = memchr(p, ';', last - p);

        if (p == NULL) {
            break;
        }
    }

    return 1000;
}


/* names of headers and types, in whatever case */
static ngx_uint_t
ngx_http_msgbus_same(ngx_str_t *s, const char *name)
{
    return s->len == ngx_strlen(name)
           && ngx_strncasecmp(s->data, (u_char *) name, s->len) == 0;
}
