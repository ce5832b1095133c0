
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_HEADERS_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_HEADERS_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* is a string this constant, in whatever case? */
#define ngx_http_msgbus_is_nocase(s, text)                                    \
    ((s)->len == sizeof(text) - 1                                             \
     && ngx_strncasecmp((s)->data, (u_char *) text, sizeof(text) - 1) == 0)


/* a walk over the headers of a request */
typedef struct {
    ngx_list_part_t         *part;
    ngx_uint_t               n;
} ngx_http_msgbus_headers_t;


void ngx_http_msgbus_headers_init(ngx_http_msgbus_headers_t *headers,
    ngx_http_request_t *r);

/* the value of the next line with this name, in whatever case; NULL: none */
ngx_str_t *ngx_http_msgbus_headers_next(ngx_http_msgbus_headers_t *headers,
    ngx_str_t *name);

/* of several the last; NULL: it did not come, or is empty */
ngx_str_t *ngx_http_msgbus_headers_last_event_id(ngx_http_request_t *r);

/* X-Auth-Token, of several the first; NULL: it did not come */
ngx_str_t *ngx_http_msgbus_headers_token(ngx_http_request_t *r);

/*
 * What a POST has of them, found in one walk: the preferences are noted, the
 * Idempotency-Key as it stands there, and whether its body is encoded; the
 * Origin is returned, of two an empty one, NULL: it did not come.
 */
ngx_str_t *ngx_http_msgbus_headers_post(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);

/* does the browser say that a page of another site asks?  Sec-Fetch-Site */
ngx_uint_t ngx_http_msgbus_headers_cross_site(ngx_http_request_t *r);

/*
 * Notes the preferences of the Prefer headers (RFC 7240) that are known, in
 * pass->wait and its flags.
 */
void ngx_http_msgbus_headers_prefer(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);


#endif /* _NGX_HTTP_MSGBUS_HEADERS_H_INCLUDED_ */
