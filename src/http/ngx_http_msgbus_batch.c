
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A batch: one POST, a line of NDJSON for each event.
 *
 * All lines are checked before the first is stored; a bad one is named and
 * nothing is stored.  Then they are one post, and become visible one by one.
 * Should the bus fail in the middle, the answer says how many of them it has.
 */


#include "ngx_http_msgbus_batch.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_jsonp.h"
#include "ngx_http_msgbus_key.h"
#include "ngx_http_msgbus_reply.h"


#define NGX_HTTP_MSGBUS_BATCH_LINES  1000


static ngx_int_t ngx_http_msgbus_batch_check(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *body, ngx_array_t *lines);
static const char *ngx_http_msgbus_batch_message(ngx_pool_t *pool,
    const char *text, ngx_uint_t line);


ngx_int_t
ngx_http_msgbus_batch(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_str_t *body, ngx_msgbus_post_t *post)
{
    ngx_int_t            rc;
    ngx_str_t           *line;
    ngx_uint_t           i;
    ngx_array_t          lines;
    ngx_msgbus_event_t  *ev;

    if (ngx_array_init(&lines, r->pool, 32, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_msgbus_batch_check(r, pass, body, &lines);

    if (rc != NGX_OK) {
        return rc;
    }

    ev = ngx_palloc(r->pool, lines.nelts * sizeof(ngx_msgbus_event_t));
    if (ev == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    post->events = ev;
    post->n = lines.nelts;

    line = lines.elts;

    for (i = 0; i < lines.nelts; i++) {
        ev[i].id = 0;
        ev[i].channel = pass->channel;
        ev[i].uuid = pass->uuid;
        ev[i].user_agent = pass->user_agent;
        ev[i].data = line[i];
        ev[i].key = NULL;
    }

    pass->batch = 1;

    return ngx_http_msgbus_key(r, pass, body, ev, post->n);
}


/* finds the lines and checks them; NGX_OK, or the status of the error */
static ngx_int_t
ngx_http_msgbus_batch_check(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_str_t *body, ngx_array_t *lines)
{
    u_char                      *p, *last, *end;
    ngx_str_t                   *line, s;
    ngx_int_t                    rc;
    ngx_uint_t                   n;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    p = body->data;
    last = p + body->len;

    for (n = 1; p < last; n++, p = end + 1) {

        end = memchr(p, '\n', last - p);
        if (end == NULL) {
            end = last;
        }

        s.data = p;
        s.len = end - p;

        if (s.len && s.data[s.len - 1] == '\r') {
            s.len--;
        }

        if (s.len == 0) {
            continue;
        }

        if (s.len > ngx_msgbus_max_event_size(lcf->bus)
            || lines->nelts == NGX_HTTP_MSGBUS_BATCH_LINES)
        {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        rc = ngx_msgbus_json_check(&s, lcf->max_depth, r->connection->log);

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (rc != NGX_OK) {
            pass->message = ngx_http_msgbus_batch_message(r->pool,
                               rc == NGX_BUSY
                               ? "JSON is nested too deep in line %ui%Z"
                               : "Invalid JSON in line %ui%Z", n);

            return pass->message ? NGX_HTTP_BAD_REQUEST
                                : NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        line = ngx_array_push(lines);
        if (line == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        *line = s;
    }

    if (lines->nelts == 0) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "No event in the batch");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_msgbus_batch_failed(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_post_t *post)
{
    u_char      *p;
    ngx_int_t    rc;
    ngx_str_t   *ids;
    ngx_uint_t   i;

    /* an error after which something is stored, and which says what */

    ids = ngx_palloc(r->pool, sizeof(ngx_str_t) + sizeof(", \"ids\": []")
                              + post->stored * (NGX_INT64_LEN + 1));
    if (ids == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) (ids + 1);

    ids->data = p;
    pass->ids = ids;

    p = ngx_cpymem(p, ", \"ids\": [", sizeof(", \"ids\": [") - 1);

    for (i = 0; i < post->n; i++) {
        if (post->events[i].id) {
            p = ngx_msgbus_number(p, post->events[i].id);
            *p++ = ',';
        }
    }

    p[-1] = ']';
    ids->len = p - ids->data;

    rc = NGX_HTTP_SERVICE_UNAVAILABLE;

    if (post->conflicts) {
        rc = ngx_http_msgbus_key_conflicts(pass);

    } else if (post->waits) {
        rc = ngx_http_msgbus_key_waits(pass);

    } else if (post->stored + post->refused == post->n) {
        rc = NGX_HTTP_MSGBUS_UNPROCESSABLE;

        pass->message = ngx_http_msgbus_batch_message(r->pool,
                         "The store refuses %ui events, the others it has%Z",
                         post->refused);

    } else {
        pass->message = ngx_http_msgbus_batch_message(r->pool,
                           post->unsure || post->refused
                           ? "Only %ui events are known to be stored%Z"
                           : "Only the first %ui events were stored%Z",
                           post->stored);
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "msgbus stored %ui of the %ui events of a batch",
                  post->stored, post->n);

    return pass->message ? rc : NGX_ERROR;
}


/* 201 {"ids":[7,8,9]} */
ngx_int_t
ngx_http_msgbus_batch_done(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_msgbus_post_t *post)
{
    ngx_buf_t    *b;
    ngx_uint_t    i, n;
    ngx_chain_t   out;

    n = post->n;

    if (ngx_http_msgbus_add_number(r, "Msgbus-Id", post->events[n - 1].id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (pass->callback.len) {
        return ngx_http_msgbus_jsonp_send_empty(r, pass);
    }

    b = ngx_create_temp_buf(r->pool, sizeof("{\"ids\":[]}")
                                     + n * (NGX_INT64_LEN + 1));
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, "{\"ids\":[", sizeof("{\"ids\":[") - 1);

    for (i = 0; i < n; i++) {
        if (i) {
            *b->last++ = ',';
        }

        b->last = ngx_msgbus_number(b->last, post->events[i].id);
    }

    b->last = ngx_cpymem(b->last, "]}", 2);

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = NGX_HTTP_CREATED;
    ngx_http_msgbus_content_type(r, "application/json; charset=utf-8");

    return ngx_http_msgbus_send(r, &out, ngx_buf_size(b));
}


/* text is a format with one %ui and a %Z at its end; NULL: no memory */
static const char *
ngx_http_msgbus_batch_message(ngx_pool_t *pool, const char *text,
    ngx_uint_t line)
{
    u_char  *p;

    p = ngx_pnalloc(pool, ngx_strlen(text) + NGX_INT_T_LEN);

    if (p) {
        ngx_sprintf(p, text, line);
    }

    return (const char *) p;
}
