
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Several channels in one read: which of them a client names, and whether it
 * may.
 *
 * Their names are of the bus, as those in paths below the root are.  Rules of
 * nested locations do not see them: msgbus_many_below says which names a
 * location takes.
 */


#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_many.h"


static ngx_int_t ngx_http_msgbus_many_parse(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *list);
static ngx_int_t ngx_http_msgbus_many_access(ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_loc_conf_t *lcf);
static ngx_uint_t ngx_http_msgbus_many_is_below(u_char *name, size_t len,
    ngx_array_t *below);


char *
ngx_http_msgbus_conf_many_below(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_msgbus_loc_conf_t  *lcf = conf;

    ngx_str_t   *value, *name;
    ngx_uint_t   i;

    if (lcf->many_below != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lcf->many_below = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                       sizeof(ngx_str_t));
    if (lcf->many_below == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        /* the root is a name for all of the bus, and no limit */

        if (value[i].len == 1 || !ngx_msgbus_is_channel(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"%V\" is no channel, write such as "
                               "\"/news\"",
                               &value[i], &cmd->name);
            return NGX_CONF_ERROR;
        }

        name = ngx_array_push(lcf->many_below);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_msgbus_many(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_str_t *list)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (pass->channel->depth) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "channels= needs the root of the bus");
    }

    if (!(lcf->scope & NGX_HTTP_MSGBUS_MANY)) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_FORBIDDEN,
                                      "channels= is off");
    }

    rc = ngx_http_msgbus_many_parse(r, pass, list);

    return rc == NGX_OK ? ngx_http_msgbus_many_access(pass, lcf) : rc;
}


static ngx_int_t
ngx_http_msgbus_many_parse(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_str_t *list)
{
    u_char                      *text;
    size_t                       size;
    ngx_int_t                    rc;
    ngx_msgbus_many_t            many;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    text = ngx_pnalloc(r->pool, list->len);
    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_msgbus_many(lcf->bus, &many, list, text);

    if (rc == NGX_BUSY) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Too many channels");
    }

    if (rc != NGX_OK) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid channel name in channels=");
    }

    /* who waits keeps it: no more of it than its entries */

    size = NGX_MSGBUS_MANY_SIZE(&many);

    pass->query.many = ngx_palloc(r->pool, size);
    if (pass->query.many == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(pass->query.many, &many, size);

    pass->query.scope = many.n ? NGX_MSGBUS_MANY : NGX_MSGBUS_WHOLE;
    pass->query.name = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_many_access(ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_loc_conf_t *lcf)
{
    ngx_uint_t                i, below;
    ngx_msgbus_many_t        *many;
    ngx_msgbus_many_entry_t  *entry;

    many = pass->query.many;
    below = (many->n == 0);

    for (i = 0; i < many->n; i++) {
        entry = &many->entries[i];

        if (entry->slot) {
            below = 1;
        }

        if (lcf->many_below
            && !ngx_http_msgbus_many_is_below(NGX_MSGBUS_MANY_NAME(many, entry),
                                              entry->len, lcf->many_below))
        {
            return ngx_http_msgbus_refuse(pass, NGX_HTTP_FORBIDDEN,
                                          "channels= names one that it may "
                                          "not name here");
        }
    }

    if (lcf->many_below && many->n == 0) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_FORBIDDEN,
                                      "channels= names one that it may not "
                                      "name here");
    }

    if (below && !(lcf->scope & NGX_HTTP_MSGBUS_ALL)) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_FORBIDDEN,
                                      "channels= takes no /* here");
    }

    return NGX_OK;
}


/* is it one of these channels, or below one? */
static ngx_uint_t
ngx_http_msgbus_many_is_below(u_char *name, size_t len, ngx_array_t *below)
{
    ngx_str_t   *prefix;
    ngx_uint_t   i;

    prefix = below->elts;

    for (i = 0; i < below->nelts; i++) {

        if (len >= prefix[i].len
            && ngx_memcmp(name, prefix[i].data, prefix[i].len) == 0
            && (len == prefix[i].len || name[prefix[i].len] == '/'))
        {
            return 1;
        }
    }

    return 0;
}
