
/*
 * Copyright (C) the msgbus authors
 */


/*
 * POST: one event, or a batch of them; GET where JSONP posts by it.
 *
 * All that can be refused without the body is refused before it is read;
 * then the body is made one piece, checked to be JSON, and handed to the bus.
 * 201 goes out when the bus has it.
 */


#include "ngx_http_msgbus.h"


static void ngx_http_msgbus_publish_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_publish_read(ngx_http_request_t *r);
static ngx_uint_t ngx_http_msgbus_is_batch(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_publish_jsonp(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_str_t *data);
static ngx_int_t ngx_http_msgbus_publish_event(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_str_t *data);
static ngx_int_t ngx_http_msgbus_publish_check(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_str_t *body);
static ngx_int_t ngx_http_msgbus_publish_done(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_event_t *ev);
static ngx_int_t ngx_http_msgbus_publish_shown(ngx_http_request_t *r,
    ngx_msgbus_event_t *ev);
static ngx_int_t ngx_http_msgbus_body(ngx_http_request_t *r, size_t limit,
    ngx_str_t *body);
static ngx_int_t ngx_http_msgbus_body_copy(ngx_http_request_t *r,
    ngx_buf_t *b, u_char *p, size_t len);


ngx_int_t
ngx_http_msgbus_publish(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx,
    ngx_http_msgbus_args_t *args)
{
    size_t                       limit;
    ngx_int_t                    rc;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (ctx->channel->depth == 0) {

        /* "/" is the whole bus, which can only be read */

        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Invalid channel name");
    }

    rc = ngx_http_msgbus_request_who(r, ctx, 1);

    if (rc != NGX_OK) {
        return rc;
    }

    limit = ngx_http_msgbus_is_batch(r)
            ? ngx_msgbus_max_batch_size(lcf->bus)
            : ngx_msgbus_max_event_size(lcf->bus);

    if (r->headers_in.content_length_n > (off_t) limit) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (r->method == NGX_HTTP_GET) {
        return ngx_http_msgbus_publish_jsonp(r, ctx, &args->post_data);
    }

    if (r->reading_body) {

        /* a redirect while a proxy read it: a part of it is no event */

        r->keepalive = 0;
        r->lingering_close = 1;

        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Incomplete body");
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_msgbus_publish_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {

        /* what is left of the body must not be taken for a request */

        r->keepalive = 0;
        r->lingering_close = 1;

        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_msgbus_publish_body(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_msgbus_finish(r, ngx_http_msgbus_publish_read(r));

    ngx_http_finalize_request(r, rc);
}


static ngx_int_t
ngx_http_msgbus_publish_read(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_str_t                    body;
    ngx_uint_t                   batch;
    ngx_msgbus_post_t           *post;
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_loc_conf_t  *lcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    batch = ngx_http_msgbus_is_batch(r);

    rc = ngx_http_msgbus_body(r, batch ? ngx_msgbus_max_batch_size(lcf->bus)
                                       : ngx_msgbus_max_event_size(lcf->bus),
                              &body);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!batch) {
        return ngx_http_msgbus_publish_event(r, ctx, &body);
    }

    post = ngx_palloc(r->pool, sizeof(ngx_msgbus_post_t));
    if (post == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_msgbus_batch(r, ctx, &body, post);

    return rc == NGX_OK ? ngx_http_msgbus_post(r, ctx, post) : rc;
}


static ngx_uint_t
ngx_http_msgbus_is_batch(ngx_http_request_t *r)
{
    ngx_str_t  *type;

    static u_char  ndjson[] = "application/x-ndjson";

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;

    return type->len >= sizeof(ndjson) - 1
           && ngx_strncasecmp(type->data, ndjson, sizeof(ndjson) - 1) == 0
           && (type->len == sizeof(ndjson) - 1
               || type->data[sizeof(ndjson) - 1] == ';'
               || type->data[sizeof(ndjson) - 1] == ' ');
}


/* GET ?method=POST&post-data=... */
static ngx_int_t
ngx_http_msgbus_publish_jsonp(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_str_t *data)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (data->data == NULL) {
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Missing parameter: post-data");
    }

    if (data->len > ngx_msgbus_max_event_size(lcf->bus)) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    return ngx_http_msgbus_publish_event(r, ctx, data);
}


static ngx_int_t
ngx_http_msgbus_publish_event(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_str_t *data)
{
    ngx_int_t                    rc;
    ngx_msgbus_post_t           *post;
    ngx_msgbus_event_t          *ev;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    /* while the JSON is checked, the log's memory comes nearer */

    ngx_msgbus_expect(lcf->bus, data->len);

    rc = ngx_http_msgbus_publish_check(r, ctx, data);

    if (rc != NGX_OK) {
        return rc;
    }

    /* in one piece: a post may have to wait, so not on the stack */

    post = ngx_palloc(r->pool, sizeof(ngx_msgbus_post_t)
                               + sizeof(ngx_msgbus_event_t));
    if (post == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ev = (ngx_msgbus_event_t *) (post + 1);

    ev->channel = ctx->channel;
    ev->uuid = ctx->uuid;
    ev->user_agent = ctx->user_agent;
    ev->data = *data;

    post->events = ev;
    post->n = 1;

    return ngx_http_msgbus_post(r, ctx, post);
}


static ngx_int_t
ngx_http_msgbus_publish_check(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_str_t *body)
{
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    switch (ngx_msgbus_json_check(body, lcf->max_depth, r->connection->log)) {

    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "msgbus: client sent invalid JSON");

        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Invalid JSON");

    case NGX_BUSY:
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "JSON is nested too deep");

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


ngx_int_t
ngx_http_msgbus_publish_answer(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_post_t *post, ngx_int_t rc)
{
    if (post->stored) {
        ctx->id = post->events[post->stored - 1].id;
        ctx->published = 1;
    }

    if (post->stored == post->n) {
        return ctx->batch ? ngx_http_msgbus_batch_done(r, ctx, post)
                          : ngx_http_msgbus_publish_done(r, ctx,
                                                         post->events);
    }

    if (post->stored) {
        return ngx_http_msgbus_batch_failed(r, ctx, post);
    }

    if (post->unsure) {

        /* it may be: brought back by an error_page it is not posted again */

        ctx->published = 1;

        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "The store does not answer, it may have "
                                      "been stored");
    }

    switch (rc) {

    case NGX_DECLINED:
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;

    case NGX_BUSY:
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_INSUFFICIENT_STORAGE,
                                      "No room for events");

    case NGX_ERROR:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    case NGX_AGAIN:
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "The store does not answer, nothing was "
                                      "stored");

    default:
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "Too many events wait for the store");
    }
}


/*
 * The event is stored: from here on no error is answered, rather nothing at
 * all
 */
static ngx_int_t
ngx_http_msgbus_publish_done(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_event_t *ev)
{
    if (ngx_http_msgbus_add_number(r, "Msgbus-Id", ev->id) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->callback.len) {
        return ngx_http_msgbus_jsonp_send_empty(r, ctx);
    }

    ngx_http_msgbus_prefer(r, ctx);

    if (ctx->prefer_representation) {
        return ngx_http_msgbus_publish_shown(r, ev);
    }

    return ngx_http_msgbus_send_empty(r, NGX_HTTP_CREATED);
}


/* Prefer: return=representation: 201 with the event as readers see it */
static ngx_int_t
ngx_http_msgbus_publish_shown(ngx_http_request_t *r, ngx_msgbus_event_t *ev)
{
    ngx_buf_t    *b;
    ngx_chain_t   out;

    static ngx_str_t  applied = ngx_string("return=representation");

    b = ngx_create_temp_buf(r->pool, ngx_msgbus_log_front_len(ev)
                                     + ev->data.len
                                     + sizeof("0,\"data\":}") - 1);

    if (b == NULL
        || ngx_http_msgbus_add_header(r, "Preference-Applied", &applied)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    b->last = ngx_msgbus_log_front(b->last, ev);
    b->last = ngx_cpymem(b->last, "0,\"data\":", sizeof("0,\"data\":") - 1);
    b->last = ngx_cpymem(b->last, ev->data.data, ev->data.len);
    *b->last++ = '}';

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = NGX_HTTP_CREATED;
    ngx_http_msgbus_content_type(r, "application/json; charset=utf-8");

    return ngx_http_msgbus_send(r, &out, ngx_buf_size(b));
}


/*
 * The body in one piece: where it lies, if it is one already.  NGX_OK, or
 * the status of the error.
 */
static ngx_int_t
ngx_http_msgbus_body(ngx_http_request_t *r, size_t limit, ngx_str_t *body)
{
    u_char       *p;
    size_t        n, len;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;
    b = cl->buf;

    if (cl->next == NULL && ngx_buf_in_memory(b)) {
        body->data = b->pos;
        body->len = b->last - b->pos;

        return body->len > limit ? NGX_HTTP_REQUEST_ENTITY_TOO_LARGE : NGX_OK;
    }

    len = 0;

    for ( /* void */ ; cl; cl = cl->next) {
        n = ngx_buf_size(cl->buf);

        if (n > limit - len) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        len += n;
    }

    if (len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;
    body->len = len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        n = ngx_buf_size(cl->buf);

        if (ngx_http_msgbus_body_copy(r, cl->buf, p, n) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_body_copy(ngx_http_request_t *r, ngx_buf_t *b, u_char *p,
    size_t len)
{
    ssize_t  n;

    if (len == 0) {
        return NGX_OK;
    }

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(p, b->pos, len);
        return NGX_OK;
    }

    n = ngx_read_file(b->file, p, len, b->file_pos);

    if (n == NGX_ERROR || (size_t) n != len) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                      "msgbus read only %z of %uz bytes of a request body "
                      "from \"%V\"", n, len, &b->file->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}
