
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Guarded locations, and who reads past them.
 *
 * A location that may show more than the channel of its path, by "all", "many"
 * or "parent", does not ask the locations below it: their rules hold for
 * requests that nginx has brought to them.  So "nginx -t" warns of those that
 * have some.
 *
 * What other modules keep for a location only they know.  But whether it is
 * the same as where nobody has said anything, or as in another location, is to
 * be seen without that: they are asked to make one for which nothing is said,
 * by the functions that nginx asks, and the bytes are compared.  Only modules
 * that are known to keep nothing but what was said are asked.  What is written
 * in two locations in the same words is not the same bytes, and so is warned
 * of; what both have from their server is.  Rules by "if", by variables, by
 * other modules and in a proxy before it are not seen.
 */


#include "ngx_http_msgbus_guard.h"


/* a location that serves a bus */
typedef struct {
    void                       **srv_conf;
    void                       **loc_conf;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_msgbus_loc_conf_t  *lcf;
} ngx_http_msgbus_served_t;


static void ngx_http_msgbus_guard_pair(ngx_conf_t *cf,
    ngx_http_msgbus_served_t *wide, ngx_http_msgbus_served_t *below);
static const char *ngx_http_msgbus_guard_shows(ngx_http_msgbus_served_t *wide,
    ngx_http_msgbus_served_t *below);
static ngx_uint_t ngx_http_msgbus_guard_is_root(
    ngx_http_msgbus_loc_conf_t *lcf);
static ngx_uint_t ngx_http_msgbus_guard_overlaps(ngx_array_t *many_below,
    ngx_http_msgbus_served_t *below);
static ngx_uint_t ngx_http_msgbus_guard_is_below(ngx_str_t *name,
    ngx_str_t *prefix);
static const char *ngx_http_msgbus_guard_rule(ngx_conf_t *cf,
    ngx_http_msgbus_served_t *wide, ngx_http_msgbus_served_t *below);
static ngx_uint_t ngx_http_msgbus_guard_differs(ngx_conf_t *cf,
    ngx_module_t *module, void *one, void *two);
static void *ngx_http_msgbus_guard_nothing(ngx_conf_t *cf,
    ngx_http_module_t *module, size_t *size);


/* whose rules say who may come in, and that keep nothing else */
static const char  *ngx_http_msgbus_guard_modules[] = {
    "ngx_http_access_module",
    "ngx_http_auth_basic_module",
    "ngx_http_auth_request_module",
    "ngx_http_limit_conn_module",
    "ngx_http_limit_req_module",
    NULL
};


ngx_int_t
ngx_http_msgbus_guard_note(ngx_conf_t *cf, ngx_http_msgbus_loc_conf_t *lcf)
{
    ngx_http_conf_ctx_t          *ctx;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_msgbus_served_t     *served;
    ngx_http_msgbus_main_conf_t  *mcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname || clcf->named) {

        /* a part of a location; or reached from another one only */

        return NGX_OK;
    }

    ctx = cf->ctx;
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_msgbus_module);

    if (mcf->served == NULL) {
        mcf->served = ngx_array_create(cf->temp_pool, 4,
                                       sizeof(ngx_http_msgbus_served_t));
        if (mcf->served == NULL) {
            return NGX_ERROR;
        }
    }

    served = ngx_array_push(mcf->served);
    if (served == NULL) {
        return NGX_ERROR;
    }

    served->srv_conf = ctx->srv_conf;
    served->loc_conf = ctx->loc_conf;
    served->clcf = clcf;
    served->lcf = lcf;

    return NGX_OK;
}


ngx_int_t
ngx_http_msgbus_guard(ngx_conf_t *cf)
{
    ngx_uint_t                    i, j;
    ngx_http_msgbus_served_t     *served;
    ngx_http_msgbus_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_msgbus_module);

    if (mcf->served == NULL) {
        return NGX_OK;
    }

    served = mcf->served->elts;

    for (i = 0; i < mcf->served->nelts; i++) {

        if (!(served[i].lcf->methods & NGX_HTTP_MSGBUS_READ)
            || served[i].lcf->scope == NGX_HTTP_MSGBUS_EXACT)
        {
            continue;
        }

        for (j = 0; j < mcf->served->nelts; j++) {

            if (i != j && served[i].srv_conf == served[j].srv_conf
                && served[i].lcf->bus == served[j].lcf->bus)
            {
                ngx_http_msgbus_guard_pair(cf, &served[i], &served[j]);
            }
        }
    }

    /* of the temporary pool */

    mcf->served = NULL;

    return NGX_OK;
}


static void
ngx_http_msgbus_guard_pair(ngx_conf_t *cf, ngx_http_msgbus_served_t *wide,
    ngx_http_msgbus_served_t *below)
{
    ngx_conf_t   at;
    const char  *scope, *rule;

    scope = ngx_http_msgbus_guard_shows(wide, below);

    if (scope == NULL) {
        return;
    }

    rule = ngx_http_msgbus_guard_rule(cf, wide, below);

    if (rule == NULL) {
        return;
    }

    ngx_msgbus_place_at(&at, cf, wide->lcf->place);

    ngx_conf_log_error(NGX_LOG_WARN, &at, 0,
                       "location \"%V\" is guarded by %s, but what is posted "
                       "there can be read in location \"%V\" by msgbus_scope "
                       "\"%s\"",
                       &below->clcf->name, rule, &wide->clcf->name, scope);
}


/* by what does one location show the channels of another, which is below it? */
static const char *
ngx_http_msgbus_guard_shows(ngx_http_msgbus_served_t *wide,
    ngx_http_msgbus_served_t *below)
{
    ngx_uint_t  scope;

    /* an exact one asks for one channel: for the root, or for no more */

    if ((wide->clcf->exact_match && !ngx_http_msgbus_guard_is_root(wide->lcf))
#if (NGX_PCRE)
        || wide->clcf->regex || below->clcf->regex
#endif
        || !ngx_http_msgbus_guard_is_below(&below->clcf->name,
                                           &wide->lcf->prefix))
    {
        return NULL;
    }

    scope = wide->lcf->scope;

    if (scope & NGX_HTTP_MSGBUS_ALL) {
        return "all";
    }

    if ((scope & NGX_HTTP_MSGBUS_MANY)
        && (wide->lcf->many_below == NULL
            || ngx_http_msgbus_guard_overlaps(wide->lcf->many_below, below)))
    {
        return "many";
    }

    /* the children of any other one are in that, and not in this one */

    if ((scope & NGX_HTTP_MSGBUS_PARENT)
        && !wide->clcf->exact_match
        && below->clcf->exact_match)
    {
        return "parent";
    }

    return NULL;
}


/* does msgbus_channel say that its channel is the whole bus? */
static ngx_uint_t
ngx_http_msgbus_guard_is_root(ngx_http_msgbus_loc_conf_t *lcf)
{
    return lcf->channel
           && lcf->channel->lengths == NULL
           && lcf->channel->value.len == 1;
}


/* may channels= name one that is posted to there? */
static ngx_uint_t
ngx_http_msgbus_guard_overlaps(ngx_array_t *many_below,
    ngx_http_msgbus_served_t *below)
{
    ngx_str_t   *prefix, *channel;
    ngx_uint_t   i;

    if (below->lcf->channel == NULL) {

        /* what follows its name: any channel of the bus */

        return 1;
    }

    /* with variables it is most often $uri */

    channel = below->lcf->channel->lengths ? &below->lcf->prefix
                                           : &below->lcf->channel->value;

    prefix = many_below->elts;

    for (i = 0; i < many_below->nelts; i++) {

        if (ngx_http_msgbus_guard_is_below(channel, &prefix[i])
            || ngx_http_msgbus_guard_is_below(&prefix[i], channel))
        {
            return 1;
        }
    }

    return 0;
}


/* is it the same name, or one below it?  A prefix does not end in a slash. */
static ngx_uint_t
ngx_http_msgbus_guard_is_below(ngx_str_t *name, ngx_str_t *prefix)
{
    return name->len >= prefix->len
           && ngx_strncmp(name->data, prefix->data, prefix->len) == 0
           && (name->len == prefix->len || name->data[prefix->len] == '/');
}


/* what one location has against readers, and the other has not; or NULL */
static const char *
ngx_http_msgbus_guard_rule(ngx_conf_t *cf, ngx_http_msgbus_served_t *wide,
    ngx_http_msgbus_served_t *below)
{
    ngx_uint_t      i, n;
    const char    **name;
    ngx_module_t   *module;

    if (!(below->lcf->methods & NGX_HTTP_MSGBUS_READ)) {
        return "msgbus_methods";
    }

    if (below->lcf->require_uuid && !wide->lcf->require_uuid) {
        return "msgbus_require_uuid";
    }

    if (below->clcf->limit_except & ~wide->clcf->limit_except
        & NGX_HTTP_GET)
    {
        return "limit_except";
    }

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        if (module->type != NGX_HTTP_MODULE) {
            continue;
        }

        for (name = ngx_http_msgbus_guard_modules; *name; name++) {
            n = module->ctx_index;

            if (ngx_strcmp(module->name, *name) == 0
                && ngx_http_msgbus_guard_differs(cf, module,
                                                 below->loc_conf[n],
                                                 wide->loc_conf[n]))
            {
                return *name;
            }
        }
    }

    return NULL;
}


/* has one location something of this module that the other has not? */
static ngx_uint_t
ngx_http_msgbus_guard_differs(ngx_conf_t *cf, ngx_module_t *module, void *one,
    void *two)
{
    void               *prev, *nothing;
    size_t              size;
    ngx_uint_t          differs;
    ngx_pool_t         *pool;
    ngx_conf_t          conf;
    ngx_http_module_t  *m;

    m = module->ctx;

    if (m->create_loc_conf == NULL || m->merge_loc_conf == NULL) {
        return 0;
    }

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, cf->log);
    if (pool == NULL) {
        return 0;
    }

    conf = *cf;
    conf.pool = pool;
    conf.temp_pool = pool;

    differs = 0;

    prev = ngx_http_msgbus_guard_nothing(&conf, m, &size);
    nothing = prev ? ngx_http_msgbus_guard_nothing(&conf, m, &size) : NULL;

    if (nothing && m->merge_loc_conf(&conf, prev, nothing) == NGX_CONF_OK) {
        differs = ngx_memcmp(one, nothing, size) != 0
                  && ngx_memcmp(one, two, size) != 0;
    }

    ngx_destroy_pool(pool);

    return differs;
}


/* what a module keeps where nothing was said, and how large that is; or NULL */
static void *
ngx_http_msgbus_guard_nothing(ngx_conf_t *cf, ngx_http_module_t *module,
    size_t *size)
{
    u_char  *conf;

    conf = module->create_loc_conf(cf);

    if (conf == NULL || conf < (u_char *) cf->pool
        || conf >= cf->pool->d.last)
    {
        /* no memory; or each piece is one of malloc(), as for ASan */

        return NULL;
    }

    *size = cf->pool->d.last - conf;

    return conf;
}
