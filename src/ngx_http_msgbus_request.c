
/*
 * Copyright (C) the msgbus authors
 */


/*
 * From an HTTP request to what is asked of the bus: the channel, the cursor
 * and limits, who asks; or the error that it gets.  Nothing here publishes,
 * reads or keeps anything.
 */


#include "ngx_http_msgbus.h"


/* the arguments of a read; one that comes twice: the last counts */
typedef struct {
    ngx_str_t              last_known_id;
    ngx_str_t              max_events;
    ngx_str_t              sort;
    ngx_str_t              events;
    ngx_str_t              echo;
    ngx_str_t              wait;
} ngx_http_msgbus_args_t;


static void ngx_http_msgbus_ctx_cleanup(void *data);
static ngx_int_t ngx_http_msgbus_request_name(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);
static ngx_int_t ngx_http_msgbus_dispatch(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);
static ngx_int_t ngx_http_msgbus_channel(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);
static void ngx_http_msgbus_find_uuid(ngx_str_t *ua, ngx_str_t *uuid);
static ngx_int_t ngx_http_msgbus_escape_ua(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_str_t *ua);
static ngx_int_t ngx_http_msgbus_args(ngx_http_request_t *r,
    ngx_http_msgbus_args_t *args);
static ngx_int_t ngx_http_msgbus_arg_decode(ngx_pool_t *pool, ngx_str_t *s);
static ngx_str_t *ngx_http_msgbus_arg_slot(ngx_http_msgbus_args_t *args,
    ngx_str_t *name);
static ngx_int_t ngx_http_msgbus_arg_cursor(ngx_http_msgbus_ctx_t *ctx,
    ngx_str_t *value);
static ngx_int_t ngx_http_msgbus_arg_max_events(ngx_http_msgbus_ctx_t *ctx,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_str_t *value);
static ngx_int_t ngx_http_msgbus_arg_wait(ngx_http_msgbus_ctx_t *ctx,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_str_t *value);
static void ngx_http_msgbus_prefer(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);
static ngx_uint_t ngx_http_msgbus_prefer_wait(ngx_http_msgbus_ctx_t *ctx,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_str_t prefer);
static ngx_int_t ngx_http_msgbus_number(ngx_str_t *s, int64_t *n);


ngx_int_t
ngx_http_msgbus_handler(ngx_http_request_t *r)
{
    ngx_http_msgbus_ctx_t       *ctx;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->bus == NULL) {

        /* "msgbus off" in an "if" of this location */

        return NGX_DECLINED;
    }

    ctx = ngx_http_msgbus_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_msgbus_finish(r, ngx_http_msgbus_dispatch(r, ctx));
}


ngx_http_msgbus_ctx_t *
ngx_http_msgbus_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_msgbus_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_msgbus_module);

    if (ctx) {
        return ctx;
    }

    if (r->internal || r->post_action) {

        /* after a redirect, which has wiped r->ctx */

        for (cln = r->pool->cleanup; cln; cln = cln->next) {

            if (cln->handler == ngx_http_msgbus_ctx_cleanup) {
                ctx = cln->data;

                if (ctx->request == r) {
                    goto found;
                }
            }
        }
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_msgbus_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_msgbus_ctx_cleanup;
    ctx = cln->data;

    ctx->request = r;
    ctx->published = 0;

found:

    ctx->message = NULL;
    ctx->replied = 0;
    ctx->replaced = 0;

    ngx_http_set_ctx(r, ctx, ngx_http_msgbus_module);

    return ctx;
}


/* there is nothing to free: its address marks our context in the pool */
static void
ngx_http_msgbus_ctx_cleanup(void *data)
{
    (void) data;
}


static ngx_int_t
ngx_http_msgbus_request_name(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx)
{
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->channel) {

        if (ngx_http_complex_value(r, lcf->channel, &ctx->name) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_OK;
    }

    if (r->uri.len < lcf->prefix.len
        || ngx_strncmp(r->uri.data, lcf->prefix.data, lcf->prefix.len) != 0)
    {
        /* after a rewrite ... break, or in an "if" of a regex location */

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "msgbus finds no channel in \"%V\" below location "
                      "\"%V\", use msgbus_channel", &r->uri, &lcf->prefix);

        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Invalid channel name");
    }

    ctx->name.data = r->uri.data + lcf->prefix.len;
    ctx->name.len = r->uri.len - lcf->prefix.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_dispatch(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_uint_t                   methods;
    ngx_http_msgbus_loc_conf_t  *lcf;

    rc = ngx_http_msgbus_request_name(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    methods = lcf->methods;

    if (ngx_http_msgbus_is(&ctx->name, "/health")) {

        if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
            return ngx_http_msgbus_health(r, lcf->bus);
        }

        methods = NGX_HTTP_MSGBUS_READ;

    } else if (lcf->test_mode && ngx_http_msgbus_is(&ctx->name, "/all")) {

        methods &= ~NGX_HTTP_MSGBUS_PUBLISH;

        if ((r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
            && (methods & NGX_HTTP_MSGBUS_READ))
        {
            return ngx_http_msgbus_read_all(r, ctx);
        }
    }

    if ((r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        && (methods & NGX_HTTP_MSGBUS_READ))
    {
        rc = ngx_http_msgbus_channel(r, ctx);

        return rc == NGX_OK ? ngx_http_msgbus_read(r, ctx) : rc;
    }

    if (r->method == NGX_HTTP_POST
        && (methods & NGX_HTTP_MSGBUS_PUBLISH)
        && r == r->main)
    {
        if (ctx->published) {

            /* an error_page, X-Accel-Redirect or post_action brought it back */

            ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                          "msgbus does not publish a request twice");

            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        rc = ngx_http_msgbus_channel(r, ctx);

        return rc == NGX_OK ? ngx_http_msgbus_publish(r, ctx) : rc;
    }

    return ngx_http_msgbus_allow(r, r->method == NGX_HTTP_OPTIONS
                                    ? NGX_HTTP_NO_CONTENT
                                    : NGX_HTTP_NOT_ALLOWED, methods);
}


static ngx_int_t
ngx_http_msgbus_channel(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx)
{
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (ngx_msgbus_channel(lcf->bus, &ctx->channel, &ctx->name) != NGX_OK) {
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Invalid channel name");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_msgbus_request_who(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx,
    ngx_uint_t asked)
{
    ngx_str_t                   *ua;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->test_mode || !lcf->require_uuid) {
        asked = 0;
    }

    ngx_str_null(&ctx->uuid);
    ngx_str_null(&ctx->user_agent);

    if (r->headers_in.user_agent == NULL) {

        if (asked) {
            return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                          "Missing header: User-Agent");
        }

        return NGX_OK;
    }

    ua = &r->headers_in.user_agent->value;

    ngx_http_msgbus_find_uuid(ua, &ctx->uuid);

    if (ctx->uuid.len == 0 && asked) {
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Missing UUID in User-Agent header");
    }

    if (r->method != NGX_HTTP_POST) {
        return NGX_OK;
    }

    return ngx_http_msgbus_escape_ua(r, ctx, ua);
}


/* whatever follows "uuid/" up to a space; case matters */
static void
ngx_http_msgbus_find_uuid(ngx_str_t *ua, ngx_str_t *uuid)
{
    u_char  *p, *last;

    p = ua->data;
    last = p + ua->len;

    for ( ;; ) {
        p = memchr(p, '/', last - p);

        if (p == NULL) {
            return;
        }

        p++;

        if (p - ua->data >= (ssize_t) sizeof("uuid/") - 1
            && ngx_memcmp(p - (sizeof("uuid/") - 1), "uuid/",
                          sizeof("uuid/") - 1) == 0)
        {
            break;
        }
    }

    uuid->data = p;

    p = memchr(p, ' ', last - p);

    uuid->len = (p ? p : last) - uuid->data;
    uuid->len = ngx_min(uuid->len, NGX_MSGBUS_UA_LEN);
}


static ngx_int_t
ngx_http_msgbus_escape_ua(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx,
    ngx_str_t *ua)
{
    u_char     *p;
    ngx_str_t   s;

    s = *ua;

    if (s.len > NGX_MSGBUS_UA_LEN) {
        s.len = NGX_MSGBUS_UA_LEN;

        /* not in the middle of a character */

        while (s.len > NGX_MSGBUS_UA_LEN - 3
               && (s.data[s.len] & 0xc0) == 0x80)
        {
            s.len--;
        }
    }

    if (ngx_msgbus_json_plain(&s)) {
        ctx->user_agent = s;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, s.len * NGX_MSGBUS_JSON_ESCAPED);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->user_agent.data = p;
    ctx->user_agent.len = ngx_msgbus_json_escape(p, &s) - p;

    return NGX_OK;
}


ngx_int_t
ngx_http_msgbus_request_query(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx)
{
    ngx_msgbus_query_t          *q;
    ngx_http_msgbus_args_t       args;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (ngx_http_msgbus_args(r, &args) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    q = &ctx->query;
    ngx_memzero(q, sizeof(ngx_msgbus_query_t));

    q->channel = &ctx->channel;
    q->max_events = lcf->max_events;
    q->max_bytes = lcf->max_response;
    q->scope = NGX_MSGBUS_EXACT;

    ctx->echo = ngx_http_msgbus_is(&args.echo, "true");
    q->newest_first = ngx_http_msgbus_is(&args.sort, "-1");

    if (ngx_http_msgbus_is(&args.events, "parent")) {
        q->scope = NGX_MSGBUS_PARENT;
        q->name = 1;

    } else if (ngx_http_msgbus_is(&args.events, "all")) {
        q->scope = NGX_MSGBUS_ALL;
        q->name = 1;
    }

    if (args.last_known_id.data
        && ngx_http_msgbus_arg_cursor(ctx, &args.last_known_id) != NGX_OK)
    {
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Invalid last-known-id");
    }

    if (args.max_events.data
        && ngx_http_msgbus_arg_max_events(ctx, lcf, &args.max_events)
           != NGX_OK)
    {
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Invalid max-events");
    }

    ctx->wait = 0;
    ctx->prefer_wait = 0;

    if (args.wait.data == NULL) {
        ngx_http_msgbus_prefer(r, ctx);

    } else if (ngx_http_msgbus_arg_wait(ctx, lcf, &args.wait) != NGX_OK) {
        return ngx_http_msgbus_refuse(ctx, NGX_HTTP_BAD_REQUEST,
                                      "Invalid wait");
    }

    return NGX_OK;
}


/* points the known arguments to their values, decoded; data NULL: absent */
static ngx_int_t
ngx_http_msgbus_args(ngx_http_request_t *r, ngx_http_msgbus_args_t *args)
{
    u_char      *p, *last, *end, *eq;
    ngx_str_t    name, value, *slot;
    ngx_uint_t   encoded;

    ngx_memzero(args, sizeof(ngx_http_msgbus_args_t));

    p = r->args.data;
    last = p + r->args.len;

    encoded = r->args.len
              && (memchr(p, '%', r->args.len) || memchr(p, '+', r->args.len));

    for ( /* void */ ; p < last; p = end + 1) {

        end = memchr(p, '&', last - p);
        if (end == NULL) {
            end = last;
        }

        eq = memchr(p, '=', end - p);
        if (eq == NULL) {
            eq = end;
        }

        name.data = p;
        name.len = eq - p;

        value.data = eq < end ? eq + 1 : end;
        value.len = end - value.data;

        if (encoded
            && (ngx_http_msgbus_arg_decode(r->pool, &name) != NGX_OK
                || ngx_http_msgbus_arg_decode(r->pool, &value) != NGX_OK))
        {
            return NGX_ERROR;
        }

        slot = ngx_http_msgbus_arg_slot(args, &name);

        if (slot) {
            *slot = value;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_arg_decode(ngx_pool_t *pool, ngx_str_t *s)
{
    u_char  *p, *src, *dst;

    dst = ngx_pnalloc(pool, s->len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    /* a plus is a space; one that is encoded is none */

    for (p = s->data, src = dst; p < s->data + s->len; p++) {
        *src++ = *p == '+' ? ' ' : *p;
    }

    src = dst;
    p = dst;

    ngx_unescape_uri(&p, &src, s->len, 0);

    s->data = dst;
    s->len = p - dst;

    return NGX_OK;
}


static ngx_str_t *
ngx_http_msgbus_arg_slot(ngx_http_msgbus_args_t *args, ngx_str_t *name)
{
    switch (name->len) {

    case 4:
        if (ngx_http_msgbus_is(name, "sort")) {
            return &args->sort;
        }

        if (ngx_http_msgbus_is(name, "echo")) {
            return &args->echo;
        }

        return ngx_http_msgbus_is(name, "wait") ? &args->wait : NULL;

    case 6:
        return ngx_http_msgbus_is(name, "events") ? &args->events : NULL;

    case 10:
        return ngx_http_msgbus_is(name, "max-events") ? &args->max_events
                                                      : NULL;
    case 13:
        return ngx_http_msgbus_is(name, "last-known-id")
               ? &args->last_known_id : NULL;

    default:
        return NULL;
    }
}


static ngx_int_t
ngx_http_msgbus_arg_cursor(ngx_http_msgbus_ctx_t *ctx, ngx_str_t *value)
{
    int64_t  n;

    if (ngx_http_msgbus_is(value, "latest")) {
        ctx->query.latest = 1;
        return NGX_OK;
    }

    if (ngx_http_msgbus_number(value, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->query.after = n > 0 ? (uint64_t) n : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_arg_max_events(ngx_http_msgbus_ctx_t *ctx,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_str_t *value)
{
    int64_t  n;

    if (ngx_http_msgbus_number(value, &n) != NGX_OK || n < 1) {
        return NGX_ERROR;
    }

    ctx->query.max_events = ngx_min((uint64_t) n, lcf->max_events_cap);

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_arg_wait(ngx_http_msgbus_ctx_t *ctx,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_str_t *value)
{
    int64_t  n;

    if (ngx_http_msgbus_number(value, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    if (n > 0) {
        ctx->wait = (ngx_uint_t) n > lcf->max_wait / 1000
                    ? lcf->max_wait : (ngx_msec_t) n * 1000;
    }

    return NGX_OK;
}


/*
 * Prefer: wait=20, alone or among other preferences (RFC 7240), which are
 * wishes: what is not understood is passed over
 */
static void
ngx_http_msgbus_prefer(ngx_http_request_t *r, ngx_http_msgbus_ctx_t *ctx)
{
    ngx_uint_t                   i;
    ngx_list_part_t             *part;
    ngx_table_elt_t             *h;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("Prefer") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Prefer",
                               sizeof("Prefer") - 1) == 0
            && ngx_http_msgbus_prefer_wait(ctx, lcf, h[i].value))
        {
            return;
        }
    }
}


/* is there a wait among the preferences of a header?  The first counts. */
static ngx_uint_t
ngx_http_msgbus_prefer_wait(ngx_http_msgbus_ctx_t *ctx,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_str_t prefer)
{
    u_char     *p, *last, *end;
    ngx_str_t   value;

    p = prefer.data;
    last = p + prefer.len;

    for ( /* void */ ; p < last; p = end + 1) {

        while (p < last && (*p == ' ' || *p == '\t')) {
            p++;
        }

        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        if (end - p < (ssize_t) sizeof("wait=") - 1
            || ngx_strncasecmp(p, (u_char *) "wait=", sizeof("wait=") - 1)
               != 0)
        {
            continue;
        }

        value.data = p + sizeof("wait=") - 1;

        for (p = value.data; p < end && *p >= '0' && *p <= '9'; p++) {
            /* void */
        }

        value.len = p - value.data;

        if (ngx_http_msgbus_arg_wait(ctx, lcf, &value) == NGX_OK) {
            ctx->prefer_wait = 1;
            return 1;
        }
    }

    return 0;
}


/* a decimal number of 64 bits, with a sign or without */
static ngx_int_t
ngx_http_msgbus_number(ngx_str_t *s, int64_t *n)
{
    u_char      *p, *start, *last;
    uint64_t     value, limit;
    ngx_uint_t   negative;

    p = s->data;
    last = p + s->len;

    negative = p < last && *p == '-';
    limit = (uint64_t) 0x7fffffffffffffff + negative;

    if (p < last && (*p == '-' || *p == '+')) {
        p++;
    }

    if (p == last) {
        return NGX_ERROR;
    }

    start = p;

    for (value = 0; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        /* 18 digits fit whatever they are */

        if (last - start > 18 && value > (limit - (*p - '0')) / 10) {
            return NGX_ERROR;
        }

        value = value * 10 + (*p - '0');
    }

    *n = negative ? (int64_t) (0 - value) : (int64_t) value;

    return NGX_OK;
}
