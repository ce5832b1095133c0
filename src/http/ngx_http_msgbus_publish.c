
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


#include "ngx_http_msgbus_agent.h"
#include "ngx_http_msgbus_batch.h"
#include "ngx_http_msgbus_body.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_key.h"
#include "ngx_http_msgbus_publish.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_submit.h"


static void ngx_http_msgbus_publish_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_publish_read(ngx_http_request_t *r);
static ngx_uint_t ngx_http_msgbus_is_batch(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_publish_encoded(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_publish_jsonp(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *data);
static ngx_int_t ngx_http_msgbus_publish_event(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *data);
static ngx_int_t ngx_http_msgbus_publish_check(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *body);


ngx_int_t
ngx_http_msgbus_publish(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args)
{
    size_t                       limit;
    ngx_int_t                    rc;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (pass->channel->depth == 0) {

        /* "/" is the whole bus, which can only be read */

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid channel name");
    }

    rc = ngx_http_msgbus_agent(r, pass, 1);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_msgbus_key_read(r, pass);

    if (rc != NGX_OK) {
        return rc;
    }

    if (pass->encoded) {
        return ngx_http_msgbus_publish_encoded(r);
    }

    limit = ngx_http_msgbus_is_batch(r)
            ? ngx_msgbus_max_batch_size(lcf->bus)
            : ngx_msgbus_max_event_size(lcf->bus);

    if (r->headers_in.content_length_n > (off_t) limit) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (r->method == NGX_HTTP_GET) {
        return ngx_http_msgbus_publish_jsonp(r, pass, &args->post_data);
    }

    if (r->reading_body) {

        /* a redirect while a proxy read it: a part of it is no event */

        ngx_http_msgbus_body_abandon(r);

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Incomplete body");
    }

    return ngx_http_msgbus_body_read(r, ngx_http_msgbus_publish_body);
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
    ngx_http_msgbus_pass_t      *pass;
    ngx_http_msgbus_loc_conf_t  *lcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);
    pass = &ctx->pass;
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    batch = ngx_http_msgbus_is_batch(r);

    rc = ngx_http_msgbus_body(r, batch ? ngx_msgbus_max_batch_size(lcf->bus)
                                       : ngx_msgbus_max_event_size(lcf->bus),
                              &body);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!batch) {
        return ngx_http_msgbus_publish_event(r, pass, &body);
    }

    post = ngx_palloc(r->pool, sizeof(ngx_msgbus_post_t));
    if (post == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_msgbus_batch(r, pass, &body, post);

    return rc == NGX_OK ? ngx_http_msgbus_submit(r, post) : rc;
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


/* no coding is undone here (RFC 9110, 15.5.16) */
static ngx_int_t
ngx_http_msgbus_publish_encoded(ngx_http_request_t *r)
{
    static ngx_str_t  identity = ngx_string("identity");

    if (ngx_http_msgbus_add_header(r, "Accept-Encoding", &identity) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
}


/* GET ?method=POST&post-data=... */
static ngx_int_t
ngx_http_msgbus_publish_jsonp(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *data)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (data->data == NULL) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Missing parameter: post-data");
    }

    if (data->len > ngx_msgbus_max_event_size(lcf->bus)) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    rc = ngx_http_msgbus_body_discard(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_msgbus_publish_event(r, pass, data);
}


static ngx_int_t
ngx_http_msgbus_publish_event(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *data)
{
    ngx_int_t                    rc;
    ngx_msgbus_post_t           *post;
    ngx_msgbus_event_t          *ev;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    /* while the JSON is checked, the log's memory comes nearer */

    ngx_msgbus_expect(lcf->bus, data->len);

    rc = ngx_http_msgbus_publish_check(r, pass, data);

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

    ev->channel = pass->channel;
    ev->uuid = pass->uuid;
    ev->user_agent = pass->user_agent;
    ev->data = *data;
    ev->key = NULL;

    post->events = ev;
    post->n = 1;

    rc = ngx_http_msgbus_key(r, pass, data, ev, 1);

    return rc == NGX_OK ? ngx_http_msgbus_submit(r, post) : rc;
}


static ngx_int_t
ngx_http_msgbus_publish_check(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *body)
{
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    switch (ngx_msgbus_json_check(body, lcf->max_depth, r->connection->log)) {

    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "msgbus: client sent invalid JSON");

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid JSON");

    case NGX_BUSY:
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "JSON is nested too deep");

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}
