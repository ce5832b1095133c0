
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a poster is told: 201 and the id, or why not.
 *
 * Once an event is stored no error is answered that would make the poster post
 * it again: rather nothing at all.
 */


#include "ngx_http_msgbus_answer.h"
#include "ngx_http_msgbus_batch.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_jsonp.h"
#include "ngx_http_msgbus_key.h"
#include "ngx_http_msgbus_reply.h"
#include "ngx_http_msgbus_tally.h"


static uint64_t ngx_http_msgbus_answer_last(ngx_msgbus_post_t *post);
static ngx_int_t ngx_http_msgbus_answer_stored(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_post_t *post);
static ngx_int_t ngx_http_msgbus_answer_all(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_post_t *post);
static ngx_int_t ngx_http_msgbus_answer_done(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_post_t *post);
static ngx_int_t ngx_http_msgbus_answer_shown(ngx_http_request_t *r,
    ngx_msgbus_event_t *ev);
static ngx_int_t ngx_http_msgbus_answer_again(ngx_http_request_t *r,
    uint64_t id);
static ngx_int_t ngx_http_msgbus_answer_event(ngx_http_request_t *r,
    ngx_buf_t *b);


ngx_int_t
ngx_http_msgbus_answer(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx,
    ngx_msgbus_post_t *post, ngx_int_t rc)
{
    ngx_http_msgbus_pass_t  *pass;

    pass = &ctx->pass;

    if (post->stored || post->unsure) {

        /* brought back by an error_page it is not posted again */

        ctx->published = 1;
    }

    if (post->stored) {
        ctx->id = ngx_http_msgbus_answer_last(post);
    }

    ngx_http_msgbus_tally_post(r, pass, post, rc);

    if (ngx_http_msgbus_answer_stored(r, ctx, post) != NGX_OK) {
        return ctx->published ? NGX_ERROR : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (post->stored == post->n) {
        return ngx_http_msgbus_answer_all(r, pass, post);
    }

    if (post->stored) {
        return ngx_http_msgbus_batch_failed(r, pass, post);
    }

    if (post->conflicts) {
        return ngx_http_msgbus_key_conflicts(pass);
    }

    if (post->waits) {
        return ngx_http_msgbus_key_waits(pass);
    }

    if (post->unsure) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "The store does not answer, it may have "
                                      "been stored");
    }

    if (post->refused) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_MSGBUS_UNPROCESSABLE,
                                      "The store refuses the event, nothing "
                                      "was stored");
    }

    switch (rc) {

    case NGX_DECLINED:
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;

    case NGX_BUSY:
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_INSUFFICIENT_STORAGE,
                                      "No room for events");

    case NGX_ERROR:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    case NGX_AGAIN:
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "The store does not answer, nothing was "
                                      "stored");

    default:
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "Too many events wait for the store");
    }
}


/* the id of the last event that is stored; one before it may be refused */
static uint64_t
ngx_http_msgbus_answer_last(ngx_msgbus_post_t *post)
{
    ngx_uint_t  i;

    i = post->n;

    while (post->events[i - 1].id == 0) {
        i--;
    }

    return post->events[i - 1].id;
}


/* how much of it is stored, whatever comes of the answer */
static ngx_int_t
ngx_http_msgbus_answer_stored(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_post_t *post)
{
    u_char     *p;
    ngx_str_t   value;

    static ngx_str_t  all = ngx_string("all");
    static ngx_str_t  none = ngx_string("none");
    static ngx_str_t  unknown = ngx_string("unknown");

    if (post->unsure || post->waits) {

        /* or what is under way will be */

        return ngx_http_msgbus_stored(r, ctx, &unknown);
    }

    if (post->stored == post->n) {
        return ngx_http_msgbus_stored(r, ctx, &all);
    }

    if (post->stored == 0) {
        return ngx_http_msgbus_stored(r, ctx, &none);
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_msgbus_number(p, post->stored) - p;

    return ngx_http_msgbus_stored(r, ctx, &value);
}


/*
 * All is stored: from here on no error is answered, rather nothing at all
 */
static ngx_int_t
ngx_http_msgbus_answer_all(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_post_t *post)
{
    static ngx_str_t  yes = ngx_string("true");

    if (post->replayed == post->n
        && ngx_http_msgbus_add_header(r, "Idempotency-Replayed", &yes)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return pass->batch ? ngx_http_msgbus_batch_done(r, pass, post)
                       : ngx_http_msgbus_answer_done(r, pass, post);
}


static ngx_int_t
ngx_http_msgbus_answer_done(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_post_t *post)
{
    ngx_msgbus_event_t  *ev;

    ev = post->events;

    if (ngx_http_msgbus_add_number(r, "Msgbus-Id", ev->id) != NGX_OK) {
        return NGX_ERROR;
    }

    if (pass->callback.len) {
        return ngx_http_msgbus_jsonp_send_empty(r, pass);
    }

    if (pass->prefer_representation) {
        return post->replayed ? ngx_http_msgbus_answer_again(r, ev->id)
                              : ngx_http_msgbus_answer_shown(r, ev);
    }

    return ngx_http_msgbus_send_empty(r, NGX_HTTP_CREATED);
}


/* Prefer: return=representation: 201 with the event as readers see it */
static ngx_int_t
ngx_http_msgbus_answer_shown(ngx_http_request_t *r, ngx_msgbus_event_t *ev)
{
    ngx_buf_t  *b;

    b = ngx_create_temp_buf(r->pool, ngx_msgbus_shown_len(ev));
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_msgbus_show(b->last, ev);

    return ngx_http_msgbus_answer_event(r, b);
}


/*
 * That of an event that was stored before, by whom and when it was; a wish that
 * is not granted where it has left memory
 */
static ngx_int_t
ngx_http_msgbus_answer_again(ngx_http_request_t *r, uint64_t id)
{
    ngx_buf_t                   *b;
    ngx_str_t                    text;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (ngx_msgbus_stored(lcf->bus, id, &text) != NGX_OK) {
        return ngx_http_msgbus_send_empty(r, NGX_HTTP_CREATED);
    }

    b = ngx_create_temp_buf(r->pool, text.len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, text.data, text.len);

    return ngx_http_msgbus_answer_event(r, b);
}


static ngx_int_t
ngx_http_msgbus_answer_event(ngx_http_request_t *r, ngx_buf_t *b)
{
    ngx_chain_t  out;

    static ngx_str_t  applied = ngx_string("return=representation");

    if (ngx_http_msgbus_add_header(r, "Preference-Applied", &applied)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = NGX_HTTP_CREATED;
    ngx_http_msgbus_content_type(r, "application/json; charset=utf-8");

    return ngx_http_msgbus_send(r, &out, ngx_buf_size(b));
}
