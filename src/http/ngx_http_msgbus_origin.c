
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Which pages may post: msgbus_origin.
 *
 * A browser sends the origin of the page with each POST, and lets any page
 * post a text anywhere without asking first.  So the origin is compared with
 * a list, or with the names that the server has in its configuration: never
 * with the Host of the request, which is the page's own choice where a name
 * is made to point here.  A program sends no Origin, and is not meant.
 */


#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_headers.h"
#include "ngx_http_msgbus_origin.h"


/* of an origin that is written to the error log */
#define NGX_HTTP_MSGBUS_ORIGIN_LEN  128


typedef struct {
    ngx_str_t                  scheme;
    ngx_str_t                  host;          /* "[::1]" with its brackets */
    ngx_int_t                  port;          /* 0: of a scheme without one */
} ngx_http_msgbus_origin_t;


static ngx_int_t ngx_http_msgbus_origin_parse(ngx_http_msgbus_origin_t *origin,
    ngx_str_t *text, ngx_uint_t pattern);
static ngx_int_t ngx_http_msgbus_origin_port(ngx_http_msgbus_origin_t *origin,
    u_char *p, u_char *last);
static ngx_uint_t ngx_http_msgbus_origin_is_listed(ngx_array_t *origins,
    ngx_http_msgbus_origin_t *origin);
static ngx_uint_t ngx_http_msgbus_origin_is_own(ngx_http_request_t *r,
    ngx_http_msgbus_origin_t *origin);
static ngx_uint_t ngx_http_msgbus_origin_is_name(ngx_http_request_t *r,
    ngx_http_server_name_t *name, ngx_str_t *host);
static ngx_uint_t ngx_http_msgbus_origin_is_wildcard(ngx_str_t *name,
    ngx_str_t *host);
static ngx_uint_t ngx_http_msgbus_origin_same(ngx_str_t *a, ngx_str_t *b);


char *
ngx_http_msgbus_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_msgbus_loc_conf_t  *lcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_msgbus_origin_t  *origin;

    if (lcf->said.origins != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lcf->said.origins = ngx_array_create(cf->pool, cf->args->nelts,
                                         sizeof(ngx_http_msgbus_origin_t));
    if (lcf->said.origins == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "any") == 0) {

        /* an empty list */

        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        origin = ngx_array_push(lcf->said.origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_msgbus_origin_parse(origin, &value[i], 1) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid origin \"%V\", write it as "
                               "\"https://example.org\", or \"any\" alone",
                               &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_array_t *
ngx_http_msgbus_origin_names(ngx_conf_t *cf)
{
    ngx_array_t               *names;
    ngx_http_server_name_t    *name;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    names = ngx_array_create(cf->pool, cscf->server_names.nelts + 1,
                             sizeof(ngx_http_server_name_t));
    if (names == NULL) {
        return NULL;
    }

    name = ngx_array_push_n(names, cscf->server_names.nelts);
    if (name == NULL) {
        return NULL;
    }

    ngx_memcpy(name, cscf->server_names.elts,
               cscf->server_names.nelts * sizeof(ngx_http_server_name_t));

    return names;
}


ngx_int_t
ngx_http_msgbus_origin(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_str_t *value)
{
    ngx_str_t                    shown;
    ngx_http_msgbus_origin_t     origin;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if (lcf->origins && lcf->origins->nelts == 0) {
        return NGX_OK;
    }

    if (r->method == NGX_HTTP_GET && ngx_http_msgbus_headers_cross_site(r)) {
        goto refused;
    }

    if (value == NULL) {
        return NGX_OK;
    }

    if (ngx_http_msgbus_origin_parse(&origin, value, 0) == NGX_OK) {

        if (lcf->origins
            ? ngx_http_msgbus_origin_is_listed(lcf->origins, &origin)
            : ngx_http_msgbus_origin_is_own(r, &origin))
        {
            return NGX_OK;
        }

        shown = *value;
        shown.len = ngx_min(shown.len, NGX_HTTP_MSGBUS_ORIGIN_LEN);

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "msgbus refused a post by a page of \"%V\", list it in "
                      "msgbus_origin",
                      &shown);
    }

refused:

    return ngx_http_msgbus_refuse(pass, NGX_HTTP_FORBIDDEN,
                                  "Origin not allowed");
}


/*
 * scheme://host or scheme://host:port, and nothing else; of a pattern the host
 * may begin with "*."
 */
static ngx_int_t
ngx_http_msgbus_origin_parse(ngx_http_msgbus_origin_t *origin,
    ngx_str_t *text, ngx_uint_t pattern)
{
    u_char  *p, *last, c;

    last = text->data + text->len;
    p = ngx_strlchr(text->data, last, ':');

    if (p == NULL || p == text->data || last - p < (ssize_t) sizeof("://")
        || p[1] != '/' || p[2] != '/')
    {
        return NGX_ERROR;
    }

    origin->scheme.data = text->data;
    origin->scheme.len = p - text->data;

    p += sizeof("://") - 1;
    origin->host.data = p;

    if (*p == '[') {

        /* an address of IPv6 */

        for (p++; p < last && *p != ']'; p++) {

            if (*p != ':' && *p != '.'
                && !(*p >= '0' && *p <= '9')
                && !((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f'))
            {
                return NGX_ERROR;
            }
        }

        if (p++ == last) {
            return NGX_ERROR;
        }

    } else {

        if (pattern && last - p > 2 && p[0] == '*' && p[1] == '.') {
            p += 2;
        }

        for ( /* void */ ; p < last && *p != ':'; p++) {
            c = *p | 0x20;

            if (*p != '-' && *p != '.' && *p != '_'
                && !(*p >= '0' && *p <= '9')
                && !(c >= 'a' && c <= 'z'))
            {
                return NGX_ERROR;
            }
        }
    }

    origin->host.len = p - origin->host.data;

    if (origin->host.len == 0) {
        return NGX_ERROR;
    }

    return ngx_http_msgbus_origin_port(origin, p, last);
}


static ngx_int_t
ngx_http_msgbus_origin_port(ngx_http_msgbus_origin_t *origin, u_char *p,
    u_char *last)
{
    static ngx_str_t  http = ngx_string("http");
    static ngx_str_t  https = ngx_string("https");

    if (p == last) {
        origin->port = ngx_http_msgbus_origin_same(&origin->scheme, &http)
                       ? 80
                       : ngx_http_msgbus_origin_same(&origin->scheme, &https)
                         ? 443 : 0;
        return NGX_OK;
    }

    if (*p++ != ':') {
        return NGX_ERROR;
    }

    origin->port = ngx_atoi(p, last - p);

    return origin->port > 0 && origin->port < 65536 ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_http_msgbus_origin_is_listed(ngx_array_t *origins,
    ngx_http_msgbus_origin_t *origin)
{
    ngx_uint_t                 i;
    ngx_http_msgbus_origin_t  *known;

    known = origins->elts;

    for (i = 0; i < origins->nelts; i++) {

        if (known[i].port == origin->port
            && ngx_http_msgbus_origin_same(&known[i].scheme, &origin->scheme)
            && (ngx_http_msgbus_origin_same(&known[i].host, &origin->host)
                || ngx_http_msgbus_origin_is_wildcard(&known[i].host,
                                                      &origin->host)))
        {
            return 1;
        }
    }

    return 0;
}


/* a name of the server, by the scheme and at the port that the request took */
static ngx_uint_t
ngx_http_msgbus_origin_is_own(ngx_http_request_t *r,
    ngx_http_msgbus_origin_t *origin)
{
    ngx_str_t                   *scheme;
    ngx_uint_t                   i;
    ngx_connection_t            *c;
    ngx_http_server_name_t      *name;
    ngx_http_msgbus_loc_conf_t  *lcf;

    static ngx_str_t             schemes[] = {
        ngx_string("http"),
        ngx_string("https")
    };

    c = r->connection;
    scheme = &schemes[0];

#if (NGX_SSL || NGX_COMPAT)

    if (c->ssl) {
        scheme = &schemes[1];
    }

#endif

    if (!ngx_http_msgbus_origin_same(scheme, &origin->scheme)
        || ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK
        || ngx_inet_get_port(c->local_sockaddr) != origin->port)
    {
        return 0;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);
    name = lcf->names->elts;

    for (i = 0; i < lcf->names->nelts; i++) {
        if (ngx_http_msgbus_origin_is_name(r, &name[i], &origin->host)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_msgbus_origin_is_name(ngx_http_request_t *r,
    ngx_http_server_name_t *name, ngx_str_t *host)
{
    if (ngx_http_msgbus_origin_same(&name->name, host)) {
        return 1;
    }

    /*
     * Of a pattern, which may be open to others (*.example.org for what each
     * customer has), the one name counts that the request has itself.
     */

    if (!ngx_http_msgbus_origin_same(&r->headers_in.server, host)) {
        return 0;
    }

#if (NGX_PCRE)

    if (name->regex) {
        return ngx_regex_exec(name->regex->regex, &r->headers_in.server,
                              NULL, 0) >= 0;
    }

#endif

    return ngx_http_msgbus_origin_is_wildcard(&name->name, host);
}


/*
 * .example.org, *.example.org; but not www.example.*, whose end anybody can
 * have: www.example.com.evil.example, made to point here, is one of them
 */
static ngx_uint_t
ngx_http_msgbus_origin_is_wildcard(ngx_str_t *name, ngx_str_t *host)
{
    size_t     len;
    ngx_str_t  part;

    if (name->len < 3) {
        return 0;
    }

    part = *name;

    if (part.data[0] == '*') {
        part.data++;
        part.len--;

    } else if (part.data[0] != '.') {
        return 0;

    } else if (host->len == part.len - 1) {

        /* .example.org is example.org, too */

        return ngx_strncasecmp(host->data, part.data + 1, host->len) == 0;
    }

    if (host->len <= part.len) {
        return 0;
    }

    len = host->len - part.len;

    return ngx_strncasecmp(host->data + len, part.data, part.len) == 0;
}


static ngx_uint_t
ngx_http_msgbus_origin_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && ngx_strncasecmp(a->data, b->data, a->len) == 0;
}
