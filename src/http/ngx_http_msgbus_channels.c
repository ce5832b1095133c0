
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Which channels there are, and who reads them: msgbus_channels.
 *
 * A page of a list, as JSON.  A large bus has to be looked through for it: the
 * request is held meanwhile, and others have their turns.
 */


#include "ngx_http_msgbus_args.h"
#include "ngx_http_msgbus_body.h"
#include "ngx_http_msgbus_channels.h"
#include "ngx_http_msgbus_drain.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_hold.h"
#include "ngx_http_msgbus_reply.h"


/* channels of a page by default, and at most */
#define NGX_HTTP_MSGBUS_LIMIT      100
#define NGX_HTTP_MSGBUS_LIMIT_MAX  1000

/* any time: it is there until the list is whole */
#define NGX_HTTP_MSGBUS_CHANNELS_TIMER  60000


typedef struct {
    ngx_http_msgbus_hold_t         hold;
    ngx_msgbus_listing_t           listing;
    ngx_msgbus_t                  *bus;
    ngx_event_t                    next;   /* turn */
} ngx_http_msgbus_channels_t;


static ngx_int_t ngx_http_msgbus_channels(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_t *bus);
static ngx_int_t ngx_http_msgbus_channels_query(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_listing_t *listing);
static ngx_int_t ngx_http_msgbus_channels_name(ngx_str_t *name);
static ngx_int_t ngx_http_msgbus_channels_begin(ngx_http_request_t *r,
    ngx_http_msgbus_channels_t *ch);
static void ngx_http_msgbus_channels_turn(ngx_http_msgbus_channels_t *ch);
static void ngx_http_msgbus_channels_next_handler(ngx_event_t *ev);
static void ngx_http_msgbus_channels_release(ngx_http_msgbus_hold_t *hold);
static ngx_int_t ngx_http_msgbus_channels_send(ngx_http_request_t *r,
    ngx_msgbus_listing_t *listing);
static u_char *ngx_http_msgbus_channels_item(u_char *p,
    ngx_msgbus_listed_t *item);


static ngx_http_msgbus_hold_kind_t  ngx_http_msgbus_channels_kind = {
    sizeof(ngx_http_msgbus_channels_t),
    ngx_http_msgbus_channels_release,
    NULL,
    NULL
};


ngx_int_t
ngx_http_msgbus_channels_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->told_bus == NULL) {

        /* "msgbus off" in an "if" of this location */

        return NGX_DECLINED;
    }

    ctx = ngx_http_msgbus_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
         ? ngx_http_msgbus_channels(r, ctx, lcf->told_bus)
         : ngx_http_msgbus_allow(r, NGX_HTTP_MSGBUS_READ);

    return ngx_http_msgbus_drain(r, rc);
}


static ngx_int_t
ngx_http_msgbus_channels(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx,
    ngx_msgbus_t *bus)
{
    ngx_int_t                    rc;
    ngx_msgbus_listing_t         listing;
    ngx_http_msgbus_channels_t  *ch;

    rc = ngx_http_msgbus_channels_query(r, &ctx->pass, &listing);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_msgbus_body_discard(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ch = ngx_http_msgbus_hold_create(r, &ngx_http_msgbus_channels_kind);
    if (ch == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ch->listing = listing;
    ch->bus = bus;

    ch->next.handler = ngx_http_msgbus_channels_next_handler;
    ch->next.data = ch;
    ch->next.log = r->connection->log;

    return ngx_http_msgbus_channels_begin(r, ch);
}


static ngx_int_t
ngx_http_msgbus_channels_query(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_listing_t *listing)
{
    int64_t                 n;
    ngx_http_msgbus_args_t  args;

    if (ngx_http_msgbus_args(r, &args) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    listing->below = args.prefix;
    listing->after = args.after;
    listing->limit = NGX_HTTP_MSGBUS_LIMIT;

    if (ngx_http_msgbus_channels_name(&args.prefix) != NGX_OK) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid prefix");
    }

    if (ngx_http_msgbus_channels_name(&args.after) != NGX_OK) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid after");
    }

    if (args.limit.data) {

        if (ngx_http_msgbus_args_number(&args.limit, &n) != NGX_OK || n < 1) {
            return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                          "Invalid limit");
        }

        listing->limit = ngx_min((uint64_t) n, NGX_HTTP_MSGBUS_LIMIT_MAX);
    }

    return NGX_OK;
}


/* an argument that names a channel, or did not come */
static ngx_int_t
ngx_http_msgbus_channels_name(ngx_str_t *name)
{
    return name->data == NULL || ngx_msgbus_is_channel(name)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_msgbus_channels_begin(ngx_http_request_t *r,
    ngx_http_msgbus_channels_t *ch)
{
    ngx_int_t  rc;

    if (ngx_msgbus_list(&ch->listing, r->pool) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    do {
        rc = ngx_msgbus_list_next(ch->bus, &ch->listing);

        /* a subrequest can not be held */

    } while (rc == NGX_AGAIN && (r != r->main || r->post_action));

    if (rc == NGX_AGAIN) {
        ngx_http_msgbus_channels_turn(ch);

        return ngx_http_msgbus_hold(&ch->hold);
    }

    return rc == NGX_OK ? ngx_http_msgbus_channels_send(r, &ch->listing)
                        : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* a worker that is to end waits for timers, but not for posted events */
static void
ngx_http_msgbus_channels_turn(ngx_http_msgbus_channels_t *ch)
{
    ngx_post_event(&ch->next, &ngx_posted_next_events);
    ngx_add_timer(&ch->next, NGX_HTTP_MSGBUS_CHANNELS_TIMER);
}


static void
ngx_http_msgbus_channels_next_handler(ngx_event_t *ev)
{
    ngx_int_t                    rc;
    ngx_http_request_t          *r;
    ngx_http_msgbus_channels_t  *ch;

    ch = ev->data;
    ev->timedout = 0;

    r = ngx_http_msgbus_hold_enter(&ch->hold);

    rc = ngx_msgbus_list_next(ch->bus, &ch->listing);

    if (rc == NGX_AGAIN) {
        ngx_http_msgbus_channels_turn(ch);
        return;
    }

    rc = rc == NGX_OK ? ngx_http_msgbus_channels_send(r, &ch->listing)
                      : NGX_HTTP_INTERNAL_SERVER_ERROR;

    ngx_http_msgbus_hold_end(&ch->hold, rc);
}


static void
ngx_http_msgbus_channels_release(ngx_http_msgbus_hold_t *hold)
{
    ngx_http_msgbus_channels_t  *ch;

    ch = (ngx_http_msgbus_channels_t *) hold;

    if (ch->next.posted) {
        ngx_delete_posted_event(&ch->next);
    }

    if (ch->next.timer_set) {
        ngx_del_timer(&ch->next);
    }
}


#define NGX_HTTP_MSGBUS_CHANNELS_ITEM                                         \
    "{\"channel\":\"%V\",\"events\":%uL,"
#define NGX_HTTP_MSGBUS_CHANNELS_NEWEST                                       \
    "\"newest\":%uL,\"newest_at\":\"%*s\","
#define NGX_HTTP_MSGBUS_CHANNELS_NONE                                         \
    "\"newest\":null,\"newest_at\":null,"
#define NGX_HTTP_MSGBUS_CHANNELS_READERS                                      \
    "\"subscribers\":{\"long_poll\":%uL,\"stream\":%uL},"                     \
    "\"tree_subscribers\":{\"long_poll\":%uL,\"stream\":%uL}}"


static ngx_int_t
ngx_http_msgbus_channels_send(ngx_http_request_t *r,
    ngx_msgbus_listing_t *listing)
{
    size_t            size;
    ngx_buf_t        *b;
    ngx_uint_t        i;
    ngx_chain_t       out;

    static ngx_str_t  cache_control = ngx_string("no-store");

    if (ngx_http_msgbus_cache_control(r, &cache_control) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    size = sizeof("{\"channels\":[],\"next\":\"\",\"incomplete\":true}")
           + listing->next.len;

    for (i = 0; i < listing->n; i++) {
        size += sizeof(NGX_HTTP_MSGBUS_CHANNELS_ITEM
                       NGX_HTTP_MSGBUS_CHANNELS_NEWEST
                       NGX_HTTP_MSGBUS_CHANNELS_READERS ",")
                + 6 * NGX_INT64_LEN + NGX_MSGBUS_TIME_LEN
                + listing->items[i]->name.len;
    }

    b = ngx_create_temp_buf(r->pool, size);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->last, "{\"channels\":[",
                         sizeof("{\"channels\":[") - 1);

    for (i = 0; i < listing->n; i++) {

        if (i) {
            *b->last++ = ',';
        }

        b->last = ngx_http_msgbus_channels_item(b->last, listing->items[i]);
    }

    *b->last++ = ']';

    if (listing->next.len) {
        b->last = ngx_sprintf(b->last, ",\"next\":\"%V\"", &listing->next);
    }

    if (listing->incomplete) {
        b->last = ngx_sprintf(b->last, ",\"incomplete\":true");
    }

    *b->last++ = '}';

    out.buf = b;
    out.next = NULL;

    ngx_http_msgbus_content_type(r, "application/json; charset=utf-8");

    return ngx_http_msgbus_send(r, &out, ngx_buf_size(b));
}


static u_char *
ngx_http_msgbus_channels_item(u_char *p, ngx_msgbus_listed_t *item)
{
    p = ngx_sprintf(p, NGX_HTTP_MSGBUS_CHANNELS_ITEM, &item->name,
                    item->events);

    if (item->events) {
        p = ngx_sprintf(p, NGX_HTTP_MSGBUS_CHANNELS_NEWEST, item->newest,
                        (size_t) NGX_MSGBUS_TIME_LEN, item->newest_at);

    } else {
        p = ngx_sprintf(p, NGX_HTTP_MSGBUS_CHANNELS_NONE);
    }

    return ngx_sprintf(p, NGX_HTTP_MSGBUS_CHANNELS_READERS,
                       item->own[NGX_MSGBUS_LONG_POLL],
                       item->own[NGX_MSGBUS_STREAM],
                       item->tree[NGX_MSGBUS_LONG_POLL],
                       item->tree[NGX_MSGBUS_STREAM]);
}
