
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What is kept of a request, so that it can be made again.
 *
 * While a reader is parked there is no request.  Its end has to be logged as
 * that of any other, by whatever access log there is; and whatever is asked of
 * the request then - its line, its headers, a variable that was set by
 * "set" or by auth_request_set, the client's address as realip has it - is to
 * be what it was.  So these are written down, one behind the other, each with
 * its length before it:
 *
 *     line, server, uri, args, address, its text, captures, their subject,
 *     headers: name, value, ...; an empty name; variables: number, value, ...
 *
 * Uri and arguments are empty if they are as the line has them.  Readers of a
 * crowd differ by little: so one text is kept whole for all who ask the same,
 * and of each no more than what tells it from that.
 *
 * The request that is made of it goes through no phase again: who may read was
 * decided when it came.
 */


#include "ngx_http_msgbus_kept.h"


/* a request with a longer header, or longer variables, is not parked */
#define NGX_HTTP_MSGBUS_KEPT_MAX  65536


struct ngx_http_msgbus_kept_s {
    time_t                   start_sec;
    uint32_t                 start_msec;
    uint32_t                 request_length;
    uint32_t                 header_size;
    uint32_t                 size;          /* of the text, as it was */

    unsigned                 based:1;       /* it tells differences */
    unsigned                 plain:1;       /* uri and args are the line's */
    unsigned                 pipeline:1;
    unsigned                 internal:1;
    unsigned                 error_page:1;
    unsigned                 err_status:16;
    unsigned                 limit_conn_status:2;
    unsigned                 limit_req_status:3;

    u_char                   text[1];       /* squeezed */
};


/* what is being written: only counted at first */
typedef struct {
    u_char                  *pos;           /* NULL: counted */
    size_t                   size;
} ngx_http_msgbus_kept_text_t;


static ngx_int_t ngx_http_msgbus_kept_base(ngx_str_t *base, ngx_str_t *text,
    ngx_log_t *log);
static void ngx_http_msgbus_kept_look(ngx_http_request_t *r);
static void ngx_http_msgbus_kept_write(ngx_http_request_t *r,
    ngx_http_msgbus_kept_text_t *text);
static ngx_uint_t ngx_http_msgbus_kept_is_plain(ngx_http_request_t *r);
static void ngx_http_msgbus_kept_plain(ngx_http_request_t *r, ngx_str_t *uri,
    ngx_str_t *args);
static ngx_uint_t ngx_http_msgbus_kept_has_captures(ngx_http_request_t *r);
static size_t ngx_http_msgbus_kept_captured(ngx_http_request_t *r);
static void ngx_http_msgbus_kept_add(ngx_http_msgbus_kept_text_t *text,
    void *data, size_t len);
static ngx_uint_t ngx_http_msgbus_kept_is_others(ngx_connection_t *c);
static ngx_int_t ngx_http_msgbus_kept_read(ngx_http_request_t *r,
    ngx_http_msgbus_kept_t *kept, ngx_str_t *base);
static u_char *ngx_http_msgbus_kept_whole(ngx_http_request_t *r,
    ngx_http_msgbus_kept_t *kept, ngx_str_t *base);
static void ngx_http_msgbus_kept_numbers(ngx_http_request_t *r,
    ngx_http_msgbus_kept_t *kept);
static ngx_str_t ngx_http_msgbus_kept_next(u_char **p);
static ngx_int_t ngx_http_msgbus_kept_line(ngx_http_request_t *r,
    ngx_str_t *line);
static ngx_int_t ngx_http_msgbus_kept_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_msgbus_kept_address(ngx_http_request_t *r,
    ngx_str_t *sockaddr, ngx_str_t *text);
static void ngx_http_msgbus_kept_address_cleanup(void *data);
static ngx_int_t ngx_http_msgbus_kept_captures(ngx_http_request_t *r,
    ngx_str_t *captures, ngx_str_t *subject);


/* of nginx's own, which has no header for it */
extern ngx_module_t  ngx_http_log_module;


/*
 * Who asks is the access log, where the location has one; or a handler of the
 * log phase that is not nginx's.  The configuration of nginx's own begins with
 * its logs, NULL with "access_log off", in all versions: if that changes, the
 * worst of it is memory, or t/246.
 */
ngx_uint_t
ngx_http_msgbus_kept_is_needed(ngx_http_request_t *r)
{
    ngx_array_t                *handlers, **logs;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    handlers = &cmcf->phases[NGX_HTTP_LOG_PHASE].handlers;

    logs = ngx_http_get_module_loc_conf(r, ngx_http_log_module);

    return handlers->nelts > 1 || logs == NULL || *logs != NULL;
}


ngx_http_msgbus_kept_t *
ngx_http_msgbus_kept(ngx_http_request_t *r, ngx_str_t *base)
{
    u_char                       *end;
    ngx_str_t                     whole, nobody;
    ngx_http_msgbus_kept_t       *kept;
    ngx_http_msgbus_kept_text_t   text;

    static u_char                 whole_text[NGX_HTTP_MSGBUS_KEPT_MAX];
    static u_char                 squeezed[NGX_MSGBUS_SQUEEZE_SIZE(
                                                  NGX_HTTP_MSGBUS_KEPT_MAX)];

    ngx_http_msgbus_kept_look(r);

    text.pos = NULL;
    text.size = 0;

    ngx_http_msgbus_kept_write(r, &text);

    if (text.size > NGX_HTTP_MSGBUS_KEPT_MAX) {
        return NULL;
    }

    whole.data = whole_text;
    whole.len = text.size;

    text.pos = whole.data;
    ngx_http_msgbus_kept_write(r, &text);

    if (base
        && ngx_http_msgbus_kept_base(base, &whole, r->connection->log)
           != NGX_OK)
    {
        return NULL;
    }

    ngx_str_null(&nobody);

    end = ngx_msgbus_squeeze(squeezed, &whole, base ? base : &nobody);

    kept = ngx_alloc(offsetof(ngx_http_msgbus_kept_t, text) + (end - squeezed),
                     r->connection->log);
    if (kept == NULL) {
        return NULL;
    }

    ngx_memcpy(kept->text, squeezed, end - squeezed);

    kept->start_sec = r->start_sec;
    kept->start_msec = (uint32_t) r->start_msec;
    kept->request_length = (uint32_t) r->request_length;
    kept->header_size = (uint32_t) r->header_size;
    kept->size = (uint32_t) whole.len;
    kept->based = (base != NULL);
    kept->plain = ngx_http_msgbus_kept_is_plain(r);
    kept->pipeline = r->pipeline;
    kept->internal = r->internal;
    kept->error_page = r->error_page;
    kept->err_status = r->err_status;
    kept->limit_conn_status = r->limit_conn_status;
    kept->limit_req_status = r->limit_req_status;

    return kept;
}


/* the first of a crowd is what all are compared with */
static ngx_int_t
ngx_http_msgbus_kept_base(ngx_str_t *base, ngx_str_t *text, ngx_log_t *log)
{
    if (base->data) {
        return NGX_OK;
    }

    base->data = ngx_alloc(text->len, log);
    if (base->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(base->data, text->data, text->len);
    base->len = text->len;

    return NGX_OK;
}


void
ngx_http_msgbus_kept_free(ngx_http_msgbus_kept_t *kept)
{
    if (kept) {
        ngx_free(kept);
    }
}


/*
 * What depends on the answer, or on what goes with the request, is looked up
 * while it is there.
 */
static void
ngx_http_msgbus_kept_look(ngx_http_request_t *r)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    static ngx_str_t            names[] = {
        ngx_string("sent_http_"),
        ngx_string("realip_"),
        ngx_string("secure_link"),
        ngx_string("uid_"),
        ngx_null_string
    };

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        for (name = names; name->len; name++) {

            if (name->data[0] == 'u' && !r->header_sent) {

                /* an answer that is to come chooses one */

                continue;
            }

            if (v[i].name.len >= name->len
                && ngx_strncmp(v[i].name.data, name->data, name->len) == 0)
            {
                (void) ngx_http_get_indexed_variable(r, i);
            }
        }
    }
}


static void
ngx_http_msgbus_kept_write(ngx_http_request_t *r,
    ngx_http_msgbus_kept_text_t *text)
{
    uint16_t                    n;
    ngx_uint_t                  i;
    ngx_list_part_t            *part;
    ngx_table_elt_t            *h;
    ngx_connection_t           *c;
    ngx_http_variable_value_t  *v;
    ngx_http_core_main_conf_t  *cmcf;

    c = r->connection;

    ngx_http_msgbus_kept_add(text, r->request_line.data, r->request_line.len);
    ngx_http_msgbus_kept_add(text, r->headers_in.server.data,
                             r->headers_in.server.len);
    if (ngx_http_msgbus_kept_is_plain(r)) {
        ngx_http_msgbus_kept_add(text, NULL, 0);
        ngx_http_msgbus_kept_add(text, NULL, 0);

    } else {
        ngx_http_msgbus_kept_add(text, r->uri.data, r->uri.len);
        ngx_http_msgbus_kept_add(text, r->args.data, r->args.len);
    }

    if (ngx_http_msgbus_kept_is_others(c)) {
        ngx_http_msgbus_kept_add(text, c->sockaddr, c->socklen);
        ngx_http_msgbus_kept_add(text, c->addr_text.data, c->addr_text.len);

    } else {
        ngx_http_msgbus_kept_add(text, NULL, 0);
        ngx_http_msgbus_kept_add(text, NULL, 0);
    }

#if (NGX_PCRE)

    if (ngx_http_msgbus_kept_has_captures(r)) {
        ngx_http_msgbus_kept_add(text, r->captures,
                                 r->ncaptures * sizeof(int));
        ngx_http_msgbus_kept_add(text, r->captures_data,
                                 ngx_http_msgbus_kept_captured(r));

    } else

#endif

    {
        ngx_http_msgbus_kept_add(text, NULL, 0);
        ngx_http_msgbus_kept_add(text, NULL, 0);
    }

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

        if (h[i].hash && h[i].key.len) {
            ngx_http_msgbus_kept_add(text, h[i].key.data, h[i].key.len);
            ngx_http_msgbus_kept_add(text, h[i].value.data, h[i].value.len);
        }
    }

    ngx_http_msgbus_kept_add(text, NULL, 0);

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    v = r->variables;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (v[i].valid && !v[i].no_cacheable) {
            n = (uint16_t) i;

            ngx_http_msgbus_kept_add(text, &n, sizeof(uint16_t));
            ngx_http_msgbus_kept_add(text, v[i].data, v[i].len);
        }
    }
}


/* are its uri and its arguments what stands in its line? */
static ngx_uint_t
ngx_http_msgbus_kept_is_plain(ngx_http_request_t *r)
{
    ngx_str_t  uri, args;

    ngx_http_msgbus_kept_plain(r, &uri, &args);

    return uri.len == r->uri.len
           && args.len == r->args.len
           && ngx_memcmp(uri.data, r->uri.data, uri.len) == 0
           && (args.len == 0
               || ngx_memcmp(args.data, r->args.data, args.len) == 0);
}


/* as it came, from where the parser has found it */
static void
ngx_http_msgbus_kept_plain(ngx_http_request_t *r, ngx_str_t *uri,
    ngx_str_t *args)
{
    *uri = r->unparsed_uri;
    ngx_str_null(args);

    args->data = ngx_strlchr(uri->data, uri->data + uri->len, '?');

    if (args->data) {
        args->data++;
        args->len = uri->data + uri->len - args->data;
        uri->len -= args->len + 1;
    }
}


/*
 * Of a regular expression without groups nginx counts the match itself, but
 * does not write down where it was: there may be no place for that, or what
 * another one has left there.
 */
static ngx_uint_t
ngx_http_msgbus_kept_has_captures(ngx_http_request_t *r)
{
#if (NGX_PCRE)

    return r->captures && r->ncaptures > 2;

#else

    (void) r;

    return 0;

#endif
}


/* of what a regular expression was matched with last, all that it has taken */
static size_t
ngx_http_msgbus_kept_captured(ngx_http_request_t *r)
{
    int         end;

#if (NGX_PCRE)
    ngx_uint_t  i;
#endif

    end = 0;

#if (NGX_PCRE)

    for (i = 0; i < r->ncaptures; i++) {
        end = ngx_max(end, r->captures[i]);
    }

#else
    (void) r;
#endif

    return end;
}


static void
ngx_http_msgbus_kept_add(ngx_http_msgbus_kept_text_t *text, void *data,
    size_t len)
{
    uint16_t  n;

    if (text->pos == NULL) {
        text->size += sizeof(uint16_t) + len;
        return;
    }

    n = (uint16_t) len;

    text->pos = ngx_cpymem(text->pos, &n, sizeof(uint16_t));

    if (len) {
        text->pos = ngx_cpymem(text->pos, data, len);
    }
}


/*
 * Has somebody given the client another address, for as long as there is the
 * request?  That of the connection itself is the first in its pool.
 */
static ngx_uint_t
ngx_http_msgbus_kept_is_others(ngx_connection_t *c)
{
    u_char  *p;

    p = (u_char *) c->sockaddr;

    return p < (u_char *) c->pool || p >= c->pool->d.end;
}


ngx_http_request_t *
ngx_http_msgbus_kept_request(ngx_connection_t *c,
    ngx_http_msgbus_kept_t *kept, ngx_str_t *base, void **srv_conf,
    void **loc_conf)
{
    size_t                  size;
    ngx_buf_t              *b;
    ngx_http_request_t     *r;
    ngx_http_connection_t  *hc;

    /*
     * as ngx_http_keepalive_handler() has it: its memory was freed, and who
     * ends a request frees it again
     */

    b = c->buffer;

    if (b->pos == NULL) {
        size = b->end - b->start;

        b->pos = ngx_palloc(c->pool, size);
        if (b->pos == NULL) {
            return NULL;
        }

        b->start = b->pos;
        b->last = b->pos;
        b->end = b->pos + size;
    }

    hc = c->data;

    r = ngx_http_create_request(c);
    if (r == NULL) {
        return NULL;
    }

    c->data = r;
    c->requests--;
    c->destroyed = 0;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_requests, -1);
    (void) ngx_atomic_fetch_add(ngx_stat_reading, -1);
    r->stat_reading = 0;
    (void) ngx_atomic_fetch_add(ngx_stat_writing, 1);
    r->stat_writing = 1;
#endif

    r->http_state = NGX_HTTP_PROCESS_REQUEST_STATE;
    r->method = NGX_HTTP_GET;
    r->http_version = NGX_HTTP_VERSION_11;
    r->valid_location = 1;
    r->expect_tested = 1;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (kept == NULL || ngx_http_msgbus_kept_read(r, kept, base) == NGX_OK) {
        r->srv_conf = srv_conf;
        r->loc_conf = loc_conf;

        return r;
    }

    /* nobody has seen it */

    r->logged = 1;

    ngx_http_free_request(r, 0);

    c->data = hc;

    return NULL;
}


static ngx_int_t
ngx_http_msgbus_kept_read(ngx_http_request_t *r,
    ngx_http_msgbus_kept_t *kept, ngx_str_t *base)
{
    u_char                     *p, *end;
    uint16_t                    n;
    ngx_str_t                   line, uri, args, sockaddr, text, captures,
                                subject, name, value;
    ngx_http_variable_value_t  *v;

    p = ngx_http_msgbus_kept_whole(r, kept, base);
    if (p == NULL) {
        return NGX_ERROR;
    }

    end = p + kept->size;

    ngx_http_msgbus_kept_numbers(r, kept);

    line = ngx_http_msgbus_kept_next(&p);

    /* before the Host header, which would choose a server */

    r->headers_in.server = ngx_http_msgbus_kept_next(&p);

    if (ngx_http_msgbus_kept_line(r, &line) != NGX_OK) {
        return NGX_ERROR;
    }

    uri = ngx_http_msgbus_kept_next(&p);
    args = ngx_http_msgbus_kept_next(&p);

    if (kept->plain) {
        ngx_http_msgbus_kept_plain(r, &uri, &args);
    }

    r->uri = uri;
    r->args = args;

    ngx_http_set_exten(r);

    sockaddr = ngx_http_msgbus_kept_next(&p);
    text = ngx_http_msgbus_kept_next(&p);
    captures = ngx_http_msgbus_kept_next(&p);
    subject = ngx_http_msgbus_kept_next(&p);

    if (ngx_http_msgbus_kept_address(r, &sockaddr, &text) != NGX_OK
        || ngx_http_msgbus_kept_captures(r, &captures, &subject) != NGX_OK
        || ngx_list_init(&r->headers_in.headers, r->pool, 20,
                         sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for ( ;; ) {
        name = ngx_http_msgbus_kept_next(&p);

        if (name.len == 0) {
            break;
        }

        value = ngx_http_msgbus_kept_next(&p);

        if (ngx_http_msgbus_kept_header(r, &name, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    while (p < end) {
        name = ngx_http_msgbus_kept_next(&p);
        value = ngx_http_msgbus_kept_next(&p);

        ngx_memcpy(&n, name.data, sizeof(uint16_t));

        v = &r->variables[n];

        v->data = value.data;
        v->len = value.len;
        v->valid = 1;
    }

    return NGX_OK;
}


/* the parser writes to it, and what is found in it stays */
static u_char *
ngx_http_msgbus_kept_whole(ngx_http_request_t *r,
    ngx_http_msgbus_kept_t *kept, ngx_str_t *base)
{
    ngx_str_t  whole, nobody;

    whole.len = kept->size;
    whole.data = ngx_pnalloc(r->pool, whole.len);

    if (whole.data) {
        ngx_str_null(&nobody);

        ngx_msgbus_unsqueeze(&whole, kept->text,
                             kept->based ? base : &nobody);
    }

    return whole.data;
}


static void
ngx_http_msgbus_kept_numbers(ngx_http_request_t *r,
    ngx_http_msgbus_kept_t *kept)
{
    r->start_sec = kept->start_sec;
    r->start_msec = kept->start_msec;
    r->request_length = kept->request_length;
    r->header_size = kept->header_size;
    r->pipeline = kept->pipeline;
    r->internal = kept->internal;
    r->error_page = kept->error_page;
    r->err_status = kept->err_status;
    r->limit_conn_status = kept->limit_conn_status;
    r->limit_req_status = kept->limit_req_status;
}


static ngx_str_t
ngx_http_msgbus_kept_next(u_char **p)
{
    uint16_t   n;
    ngx_str_t  s;

    ngx_memcpy(&n, *p, sizeof(uint16_t));

    s.len = n;
    s.data = *p + sizeof(uint16_t);

    *p = s.data + n;

    return s;
}


/* as ngx_http_process_request_line() does; it was right once */
static ngx_int_t
ngx_http_msgbus_kept_line(ngx_http_request_t *r, ngx_str_t *line)
{
    ngx_buf_t  b;

    ngx_memzero(&b, sizeof(ngx_buf_t));

    b.pos = ngx_pnalloc(r->pool, line->len + 1);
    if (b.pos == NULL) {
        return NGX_ERROR;
    }

    b.start = b.pos;
    b.last = ngx_cpymem(b.pos, line->data, line->len);
    *b.last++ = LF;
    b.end = b.last;

    if (ngx_http_parse_request_line(r, &b) != NGX_OK) {
        return NGX_ERROR;
    }

    r->request_line.data = r->request_start;
    r->request_line.len = r->request_end - r->request_start;

    r->method_name.data = r->request_line.data;
    r->method_name.len = r->method_end - r->request_start + 1;

    if (r->http_protocol.data) {
        r->http_protocol.len = r->request_end - r->http_protocol.data;
    }

    r->unparsed_uri.data = r->uri_start;
    r->unparsed_uri.len = r->uri_end - r->uri_start;

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_kept_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t            *h;
    ngx_http_header_t          *hh;
    ngx_http_core_main_conf_t  *cmcf;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    /* both end in a zero, where nginx is concerned */

    h->key.len = name->len;
    h->key.data = ngx_pnalloc(r->pool, 2 * name->len + 1 + value->len + 1);
    if (h->key.data == NULL) {
        return NGX_ERROR;
    }

    h->value.len = value->len;
    h->value.data = ngx_cpymem(h->key.data, name->data, name->len);
    *h->value.data++ = '\0';

    h->lowcase_key = ngx_cpymem(h->value.data, value->data, value->len);
    *h->lowcase_key++ = '\0';

    h->hash = ngx_hash_strlow(h->lowcase_key, name->data, name->len);

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    hh = ngx_hash_find(&cmcf->headers_in_hash, h->hash, h->lowcase_key,
                       h->key.len);

    return hh ? hh->handler(r, h, hh->offset) : NGX_OK;
}


/* a client's address, and the connection's own again when the request goes */

typedef struct {
    ngx_connection_t        *connection;
    struct sockaddr         *sockaddr;
    socklen_t                socklen;
    ngx_str_t                addr_text;
} ngx_http_msgbus_kept_address_t;


static ngx_int_t
ngx_http_msgbus_kept_address(ngx_http_request_t *r, ngx_str_t *sockaddr,
    ngx_str_t *text)
{
    struct sockaddr                 *sa;
    ngx_connection_t                *c;
    ngx_pool_cleanup_t              *cln;
    ngx_http_msgbus_kept_address_t  *address;

    if (sockaddr->len == 0) {
        return NGX_OK;
    }

    c = r->connection;

    sa = ngx_palloc(r->pool, sockaddr->len);
    cln = ngx_pool_cleanup_add(r->pool,
                               sizeof(ngx_http_msgbus_kept_address_t));
    if (sa == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    address = cln->data;
    cln->handler = ngx_http_msgbus_kept_address_cleanup;

    address->connection = c;
    address->sockaddr = c->sockaddr;
    address->socklen = c->socklen;
    address->addr_text = c->addr_text;

    ngx_memcpy(sa, sockaddr->data, sockaddr->len);

    c->sockaddr = sa;
    c->socklen = (socklen_t) sockaddr->len;
    c->addr_text = *text;

    return NGX_OK;
}


static void
ngx_http_msgbus_kept_address_cleanup(void *data)
{
    ngx_http_msgbus_kept_address_t  *address = data;

    address->connection->sockaddr = address->sockaddr;
    address->connection->socklen = address->socklen;
    address->connection->addr_text = address->addr_text;
}


static ngx_int_t
ngx_http_msgbus_kept_captures(ngx_http_request_t *r, ngx_str_t *captures,
    ngx_str_t *subject)
{
#if (NGX_PCRE)

    ngx_http_core_main_conf_t  *cmcf;

    if (captures->len == 0) {
        return NGX_OK;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    r->captures = ngx_palloc(r->pool, cmcf->ncaptures * sizeof(int));
    if (r->captures == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(r->captures, captures->data, captures->len);

    r->ncaptures = captures->len / sizeof(int);
    r->captures_data = subject->data;

#else

    (void) r;
    (void) captures;
    (void) subject;

#endif

    return NGX_OK;
}
