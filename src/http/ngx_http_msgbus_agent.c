
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Who posts or reads: the User-Agent, and the uuid in it.
 *
 * A reader's uuid hides what he has posted himself; a poster's User-Agent is
 * shown to readers, as it stands in JSON.
 */


#include "ngx_http_msgbus_agent.h"
#include "ngx_http_msgbus_error.h"


static void ngx_http_msgbus_find_uuid(ngx_str_t *ua, ngx_str_t *uuid);
static ngx_int_t ngx_http_msgbus_clean_uuid(ngx_http_request_t *r,
    ngx_str_t *uuid);
static ngx_int_t ngx_http_msgbus_escape_ua(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *ua);


ngx_int_t
ngx_http_msgbus_agent(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_uint_t publish)
{
    ngx_str_t                   *ua;
    ngx_uint_t                   asked;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    asked = lcf->require_uuid && !lcf->test_mode;

    ngx_str_set(&pass->uuid, "");
    ngx_str_set(&pass->user_agent, "");

    if (r->headers_in.user_agent == NULL) {

        if (asked) {
            return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                          "Missing header: User-Agent");
        }

        return NGX_OK;
    }

    ua = &r->headers_in.user_agent->value;

    ngx_http_msgbus_find_uuid(ua, &pass->uuid);

    if (ngx_http_msgbus_clean_uuid(r, &pass->uuid) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pass->uuid.len == 0 && asked) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Missing UUID in User-Agent header");
    }

    return publish ? ngx_http_msgbus_escape_ua(r, pass, ua) : NGX_OK;
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
    uuid->len = ngx_msgbus_json_cut(uuid, NGX_MSGBUS_UA_LEN);
}


/*
 * Each byte that is no UTF-8 becomes U+FFFD, as in the User-Agent: a database
 * keeps strings of UTF-8, and a driver does not read a document with another.
 */
static ngx_int_t
ngx_http_msgbus_clean_uuid(ngx_http_request_t *r, ngx_str_t *uuid)
{
    u_char     *p;
    ngx_str_t   s;

    if (ngx_msgbus_json_plain(uuid)) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, uuid->len * NGX_MSGBUS_JSON_ESCAPED);
    if (p == NULL) {
        return NGX_ERROR;
    }

    s.data = p;
    s.len = ngx_msgbus_json_escape(p, uuid) - p;

    uuid->data = p;
    uuid->len = ngx_msgbus_json_unescape(p, &s) - p;

    uuid->len = ngx_msgbus_json_cut(uuid, NGX_MSGBUS_UA_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_escape_ua(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_str_t *ua)
{
    u_char     *p;
    ngx_str_t   s;

    s.data = ua->data;
    s.len = ngx_msgbus_json_cut(ua, NGX_MSGBUS_UA_LEN);

    if (ngx_msgbus_json_plain(&s)) {
        pass->user_agent = s;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, s.len * NGX_MSGBUS_JSON_ESCAPED);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pass->user_agent.data = p;
    pass->user_agent.len = ngx_msgbus_json_escape(p, &s) - p;

    return NGX_OK;
}
