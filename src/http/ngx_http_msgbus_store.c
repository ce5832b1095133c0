
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The block of a store: its name, its lines, and whether they are all right.
 * Which lines there are, each kind of store says in a room of its own; here
 * is what all kinds have in common.  Nothing connects to anything before a
 * worker starts.
 */


#include "ngx_http_msgbus_store.h"


/* a block that is being read */
typedef struct {
    ngx_http_msgbus_store_block_t  *block;
    ngx_msgbus_store_conf_t        *conf;
} ngx_http_msgbus_store_ctx_t;


static char *ngx_http_msgbus_store_name(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_array_t *stores, ngx_str_t *name);
static char *ngx_http_msgbus_store_line(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static char *ngx_http_msgbus_store_done(ngx_conf_t *cf,
    ngx_http_msgbus_store_ctx_t *ctx);


char *
ngx_http_msgbus_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_msgbus_main_conf_t  *mcf = conf;

    char                         *rv;
    ngx_str_t                    *value;
    ngx_conf_t                    save;
    ngx_msgbus_store_conf_t     **store;
    ngx_http_msgbus_store_ctx_t   ctx;

    ctx.block = cmd->post;

    if (ctx.block->kind->check == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not in this build of the module, which "
                           "was made with MSGBUS_WITHOUT_MONGODB", &cmd->name);
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (ngx_http_msgbus_store_name(cf, cmd, &mcf->stores, &value[1])
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ctx.conf = ngx_pcalloc(cf->pool, ctx.block->size);
    if (ctx.conf == NULL) {
        return NGX_CONF_ERROR;
    }

    store = ngx_array_push(&mcf->stores);
    if (store == NULL) {
        return NGX_CONF_ERROR;
    }

    *store = ctx.conf;

    ctx.conf->kind = ctx.block->kind;
    ctx.conf->name = value[1];
    ctx.conf->tries = NGX_CONF_UNSET_UINT;
    ctx.conf->delay = NGX_CONF_UNSET_MSEC;
    ctx.conf->poll = NGX_CONF_UNSET_MSEC;

    ctx.block->create(ctx.conf);

    save = *cf;

    cf->handler = ngx_http_msgbus_store_line;
    cf->handler_conf = (void *) &ctx;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv == NGX_CONF_OK ? ngx_http_msgbus_store_done(cf, &ctx) : rv;
}


/* one of its own, that can be shown in the health report */
static char *
ngx_http_msgbus_store_name(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_array_t *stores, ngx_str_t *name)
{
    ngx_uint_t                 i;
    ngx_msgbus_store_conf_t  **store;

    if (name->len == 0 || ngx_strcmp(name->data, "memory") == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" can not be named \"%V\", choose another "
                           "name", &cmd->name, name);
        return NGX_CONF_ERROR;
    }

    if (!ngx_msgbus_json_plain(name)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid character in the name \"%V\" of \"%V\", "
                           "it is printable ASCII without quotes and "
                           "backslashes", name, &cmd->name);
        return NGX_CONF_ERROR;
    }

    store = stores->elts;

    for (i = 0; i < stores->nelts; i++) {

        if (ngx_strcmp(store[i]->name.data, name->data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V %V\" is declared twice", &cmd->name,
                               name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_msgbus_store_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_http_msgbus_store_ctx_t *ctx = conf;

    char                          *rv;
    ngx_str_t                     *value, *kind;
    ngx_http_msgbus_store_line_t  *line;

    value = cf->args->elts;
    kind = &ctx->block->kind->name;

    for (line = ctx->block->lines; line->name.len; line++) {
        if (ngx_strcmp(line->name.data, value[0].data) == 0) {
            break;
        }
    }

    if (cf->args->nelts != 2 && !line->many) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of msgbus_%V takes one value", &value[0],
                           kind);
        return NGX_CONF_ERROR;
    }

    if (line->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown directive \"%V\" in msgbus_%V", &value[0],
                           kind);
        return NGX_CONF_ERROR;
    }

    rv = line->set(cf, ctx->conf, (char *) ctx->conf + line->offset);

    if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of msgbus_%V %s", &value[0], kind, rv);
        return NGX_CONF_ERROR;
    }

    return rv;
}


char *
ngx_http_msgbus_store_time(ngx_conf_t *cf, ngx_msgbus_store_conf_t *conf,
    void *field)
{
    ngx_msec_t *msec = field;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (*msec != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_parse_time(&value[1], 0);

    if (n == NGX_ERROR || n == 0 || n > 3600000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in msgbus_%V, it is from 1ms "
                           "to 1h", &value[1], &conf->kind->name);
        return NGX_CONF_ERROR;
    }

    *msec = n;

    return NGX_CONF_OK;
}


char *
ngx_http_msgbus_store_poll(ngx_conf_t *cf, ngx_msgbus_store_conf_t *conf,
    void *field)
{
    ngx_msec_t *msec = field;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0
        && *msec == NGX_CONF_UNSET_MSEC)
    {
        *msec = 0;
        return NGX_CONF_OK;
    }

    return ngx_http_msgbus_store_time(cf, conf, field);
}


/* retry tries=10 delay=500ms */
char *
ngx_http_msgbus_store_retry(ngx_conf_t *cf, ngx_msgbus_store_conf_t *conf,
    void *field)
{
    ngx_int_t   n;
    ngx_str_t   s, *value;
    ngx_uint_t  i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "tries=", 6) == 0) {

            if (conf->tries != NGX_CONF_UNSET_UINT) {
                return "is duplicate";
            }

            n = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (n == NGX_ERROR || n == 0 || n > 1000) {
                goto invalid;
            }

            conf->tries = n;
            continue;
        }

        if (ngx_strncmp(value[i].data, "delay=", 6) == 0) {

            if (conf->delay != NGX_CONF_UNSET_MSEC) {
                return "is duplicate";
            }

            s.data = value[i].data + 6;
            s.len = value[i].len - 6;

            n = ngx_parse_time(&s, 0);

            if (n == NGX_ERROR || n == 0 || n > 60000) {
                goto invalid;
            }

            conf->delay = n;
            continue;
        }

        goto invalid;
    }

    return i == 1 ? "needs tries= or delay=" : NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" of \"retry\" in msgbus_%V, it is "
                       "tries=1 to tries=1000, or delay=1ms to delay=1m",
                       &value[i], &conf->kind->name);
    return NGX_CONF_ERROR;
}


/* defaults, and whether the store can make something of it */
static char *
ngx_http_msgbus_store_done(ngx_conf_t *cf, ngx_http_msgbus_store_ctx_t *ctx)
{
    const char               *wrong;
    ngx_msgbus_store_conf_t  *conf;

    conf = ctx->conf;

    ngx_conf_init_uint_value(conf->tries, 10);
    ngx_conf_init_msec_value(conf->delay, 500);
    ngx_conf_init_msec_value(conf->poll, 50);

    if (ctx->block->done(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    wrong = conf->kind->check(conf, cf->pool);

    if (wrong) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid %V \"%V\" of msgbus_%V \"%V\": %s",
                           &conf->kind->place, &conf->shown,
                           &conf->kind->name, &conf->name, wrong);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
