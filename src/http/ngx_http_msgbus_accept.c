
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What form of an answer a client accepts: a page of JSON, or a stream.
 *
 * A stream is for whom its type is named, with a quality not below that of
 * application/json and not below that of what stands for all types: so a
 * browser's or curl's "any type" is a page.  Where qualities are equal, the
 * type that is named first.  Nobody is refused with 406: who accepts nothing
 * that there is gets a page.  Numbers are told in the same way.
 */


#include "ngx_http_msgbus_accept.h"
#include "ngx_http_msgbus_headers.h"


typedef struct {
    ngx_str_t                 *types;         /* that there are, */
    ngx_uint_t                 n;             /*   so many */
    ngx_uint_t                 type;          /* the one to answer with */
    ngx_uint_t                 quality;       /* thousandths */
    ngx_uint_t                 any;           /* of a range of types */
} ngx_http_msgbus_wish_t;


static void ngx_http_msgbus_accept_header(ngx_http_msgbus_wish_t *wish,
    ngx_str_t *value);
static void ngx_http_msgbus_accept_range(ngx_http_msgbus_wish_t *wish,
    u_char *p, u_char *last);
static ngx_uint_t ngx_http_msgbus_accept_quality(u_char *p, u_char *last);


ngx_msgbus_form_e
ngx_http_msgbus_accept(ngx_http_request_t *r)
{
    /* by form */

    static ngx_str_t  types[] = {
        ngx_string("application/json"),
        ngx_string("text/event-stream"),
        ngx_string("application/x-ndjson")
    };

    return ngx_http_msgbus_accept_of(r, types, 3);
}


ngx_uint_t
ngx_http_msgbus_accept_of(ngx_http_request_t *r, ngx_str_t *types,
    ngx_uint_t n)
{
    ngx_str_t                  *value;
    ngx_http_msgbus_wish_t      wish;
    ngx_http_msgbus_headers_t   headers;

    static ngx_str_t  name = ngx_string("Accept");

    wish.types = types;
    wish.n = n;
    wish.type = 0;
    wish.quality = 0;
    wish.any = 0;

    ngx_http_msgbus_headers_init(&headers, r);

    while ((value = ngx_http_msgbus_headers_next(&headers, &name)) != NULL) {
        ngx_http_msgbus_accept_header(&wish, value);
    }

    return wish.any > wish.quality ? 0 : wish.type;
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
    ngx_uint_t   i, quality;

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

    for (i = 0; i < wish->n; i++) {

        if (type.len == wish->types[i].len
            && ngx_strncasecmp(type.data, wish->types[i].data, type.len) == 0)
        {
            if (quality > wish->quality) {
                wish->type = i;
                wish->quality = quality;
            }

            return;
        }
    }

    if (type.len && end[-1] == '*') {
        wish->any = ngx_max(wish->any, quality);
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
