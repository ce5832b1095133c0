
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Idempotency-Key: what a post is named by, so that it is stored once however
 * often it is sent.
 *
 * The header is a string of RFC 8941, as the IETF's draft has it, or bare.  It
 * is hashed together with the channel and with who posts: nobody meets
 * another's key.  The hashes stand in stores for good.  What goes into them,
 * numbers of four bytes, big-endian:
 *
 *     name    1, channel, identity, key: before each its length, as a number;
 *             the line, a number: 0, and in a batch that of the event
 *     body    1, the Content-Type, its length before it, and the body
 *
 * The 1 is a byte, and would be another one if this were ever done otherwise.
 * A single event and the first one of a batch have one name: a key is used for
 * this or for that.
 */


#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_key.h"
#if (NGX_SSL || NGX_MSGBUS_SHA512)
#include <openssl/evp.h>
#endif


/* bytes, of what it says */
#define NGX_HTTP_MSGBUS_KEY_MAX      255

#define NGX_HTTP_MSGBUS_KEY_VERSION  1


static ngx_int_t ngx_http_msgbus_key_quoted(ngx_http_msgbus_pass_t *pass,
    ngx_str_t *value, ngx_str_t *key);
static ngx_int_t ngx_http_msgbus_key_bare(ngx_http_msgbus_pass_t *pass,
    ngx_str_t *value, ngx_str_t *key);
static ngx_int_t ngx_http_msgbus_key_bad_byte(ngx_http_msgbus_pass_t *pass);
static void ngx_http_msgbus_key_trim(ngx_str_t *s);
#if (NGX_SSL || NGX_MSGBUS_SHA512)
static ngx_int_t ngx_http_msgbus_key_names(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *identity, ngx_msgbus_key_t *key,
    ngx_uint_t n);
static ngx_int_t ngx_http_msgbus_key_body(ngx_http_request_t *r,
    ngx_str_t *body, u_char *hash);
static u_char *ngx_http_msgbus_key_part(u_char *p, ngx_str_t *s);
static u_char *ngx_http_msgbus_key_number(u_char *p, size_t n);
static ngx_int_t ngx_http_msgbus_key_hash(ngx_str_t *parts, ngx_uint_t n,
    u_char *hash, ngx_log_t *log);
#endif


char *
ngx_http_msgbus_conf_identity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
#if (NGX_SSL || NGX_MSGBUS_SHA512)
    return ngx_http_set_complex_value_slot(cf, cmd, conf);
#else
    return "needs OpenSSL, and the module was built without it";
#endif
}


ngx_int_t
ngx_http_msgbus_key_read(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass)
{
    ngx_int_t  rc;
    ngx_str_t  key, value;

    if (!pass->keyed) {
        return NGX_OK;
    }

#if !(NGX_SSL || NGX_MSGBUS_SHA512)

    return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                  "No Idempotency-Key is taken here");
#endif

    if (pass->rekeyed) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "More than one Idempotency-Key");
    }

    value = pass->key;
    ngx_http_msgbus_key_trim(&value);

    /* what it says is no longer than how it says it */

    key.len = 0;
    key.data = ngx_pnalloc(r->pool, value.len + 1);
    if (key.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = value.len && value.data[0] == '"'
         ? ngx_http_msgbus_key_quoted(pass, &value, &key)
         : ngx_http_msgbus_key_bare(pass, &value, &key);

    if (rc != NGX_OK) {
        return rc;
    }

    if (key.len == 0) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Empty Idempotency-Key");
    }

    if (key.len > NGX_HTTP_MSGBUS_KEY_MAX) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Idempotency-Key is longer than 255 "
                                      "bytes");
    }

    pass->key = key;

    return NGX_OK;
}


/*
 * A string of RFC 8941, 3.3.3: the draft gives it no parameters, so nothing
 * stands behind it
 */
static ngx_int_t
ngx_http_msgbus_key_quoted(ngx_http_msgbus_pass_t *pass, ngx_str_t *value,
    ngx_str_t *key)
{
    u_char  *p, *last, ch;

    last = value->data + value->len;

    for (p = value->data + 1; p < last; p++) {
        ch = *p;

        if (ch == '"') {

            if (p + 1 == last) {
                return NGX_OK;
            }

            return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                          "Idempotency-Key goes on behind its "
                                          "string");
        }

        if (ch == '\\') {

            if (++p == last) {
                break;
            }

            ch = *p;

            if (ch != '"' && ch != '\\') {
                return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                              "Idempotency-Key has a backslash "
                                              "that escapes nothing");
            }
        }

        if (ch < ' ' || ch > '~') {
            return ngx_http_msgbus_key_bad_byte(pass);
        }

        key->data[key->len++] = ch;
    }

    return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                  "Idempotency-Key has no quote at its end");
}


/*
 * Whatever is visible, but what has a meaning in such a header: a UUID is no
 * token of RFC 8941, and is what most clients send
 */
static ngx_int_t
ngx_http_msgbus_key_bare(ngx_http_msgbus_pass_t *pass, ngx_str_t *value,
    ngx_str_t *key)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if (ch <= ' ' || ch > '~'
            || ch == '"' || ch == '\\' || ch == ',' || ch == ';')
        {
            return ngx_http_msgbus_key_bad_byte(pass);
        }

        key->data[key->len++] = ch;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_key_bad_byte(ngx_http_msgbus_pass_t *pass)
{
    return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                  "Idempotency-Key has a byte that it may not "
                                  "have");
}


static void
ngx_http_msgbus_key_trim(ngx_str_t *s)
{
    while (s->len && (s->data[0] == ' ' || s->data[0] == '\t')) {
        s->data++;
        s->len--;
    }

    while (s->len
           && (s->data[s->len - 1] == ' ' || s->data[s->len - 1] == '\t'))
    {
        s->len--;
    }
}


ngx_int_t
ngx_http_msgbus_key_conflicts(ngx_http_msgbus_pass_t *pass)
{
    return ngx_http_msgbus_refuse(pass, NGX_HTTP_MSGBUS_UNPROCESSABLE,
                                  "This Idempotency-Key has named another "
                                  "body");
}


ngx_int_t
ngx_http_msgbus_key_waits(ngx_http_msgbus_pass_t *pass)
{
    return ngx_http_msgbus_refuse(pass, NGX_HTTP_CONFLICT,
                                  "A POST with this Idempotency-Key is under "
                                  "way");
}


ngx_int_t
ngx_http_msgbus_key(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_str_t *body, ngx_msgbus_event_t *ev, ngx_uint_t n)
{
#if (NGX_SSL || NGX_MSGBUS_SHA512)

    ngx_str_t                    identity;
    ngx_uint_t                   i;
    ngx_msgbus_key_t            *key;
    ngx_http_msgbus_loc_conf_t  *lcf;

    if (!pass->keyed) {
        return NGX_OK;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    identity = pass->uuid;

    if (lcf->identity
        && ngx_http_complex_value(r, lcf->identity, &identity) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    key = ngx_pnalloc(r->pool, n * sizeof(ngx_msgbus_key_t));

    if (key == NULL
        || ngx_http_msgbus_key_body(r, body, key->body) != NGX_OK
        || ngx_http_msgbus_key_names(r, pass, &identity, key, n) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < n; i++) {
        ngx_memcpy(key[i].body, key->body, NGX_MSGBUS_KEY_BODY);
        ev[i].key = &key[i];
    }

#endif

    return NGX_OK;
}


#if (NGX_SSL || NGX_MSGBUS_SHA512)

static ngx_int_t
ngx_http_msgbus_key_names(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_str_t *identity, ngx_msgbus_key_t *key, ngx_uint_t n)
{
    u_char      *p;
    ngx_str_t    name;
    ngx_uint_t   i;

    name.len = 1 + 3 * 4 + pass->name.len + identity->len + pass->key.len + 4;

    name.data = ngx_pnalloc(r->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = name.data;

    *p++ = NGX_HTTP_MSGBUS_KEY_VERSION;
    p = ngx_http_msgbus_key_part(p, &pass->name);
    p = ngx_http_msgbus_key_part(p, identity);
    p = ngx_http_msgbus_key_part(p, &pass->key);

    for (i = 0; i < n; i++) {
        ngx_http_msgbus_key_number(p, i);

        if (ngx_http_msgbus_key_hash(&name, 1, key[i].name,
                                     r->connection->log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_key_body(ngx_http_request_t *r, ngx_str_t *body, u_char *hash)
{
    u_char     head[5];
    ngx_str_t  parts[3];

    ngx_str_null(&parts[1]);

    if (r->headers_in.content_type) {
        parts[1] = r->headers_in.content_type->value;
        ngx_http_msgbus_key_trim(&parts[1]);
    }

    head[0] = NGX_HTTP_MSGBUS_KEY_VERSION;
    ngx_http_msgbus_key_number(&head[1], parts[1].len);

    parts[0].data = head;
    parts[0].len = sizeof(head);
    parts[2] = *body;

    return ngx_http_msgbus_key_hash(parts, 3, hash, r->connection->log);
}


static u_char *
ngx_http_msgbus_key_part(u_char *p, ngx_str_t *s)
{
    p = ngx_http_msgbus_key_number(p, s->len);

    return ngx_cpymem(p, s->data, s->len);
}


static u_char *
ngx_http_msgbus_key_number(u_char *p, size_t n)
{
    *p++ = (u_char) (n >> 24);
    *p++ = (u_char) (n >> 16);
    *p++ = (u_char) (n >> 8);
    *p++ = (u_char) n;

    return p;
}


/*
 * The first bytes of the SHA-256 of n parts, one behind the other.  To find the
 * algorithm costs more than to hash a post: it is found once for a process.
 */
static ngx_int_t
ngx_http_msgbus_key_hash(ngx_str_t *parts, ngx_uint_t n, u_char *hash,
    ngx_log_t *log)
{
    u_char         digest[EVP_MAX_MD_SIZE];
    ngx_uint_t     i;
    const EVP_MD  *md;

    static EVP_MD_CTX  *ctx;

    md = NULL;

    if (ctx == NULL) {
        md = EVP_sha256();
        ctx = EVP_MD_CTX_create();
    }

    if (ctx == NULL || EVP_DigestInit_ex(ctx, md, NULL) != 1) {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        if (EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) != 1) {
            goto failed;
        }
    }

    if (EVP_DigestFinal_ex(ctx, digest, NULL) != 1) {
        goto failed;
    }

    ngx_memcpy(hash, digest, NGX_MSGBUS_KEY_NAME);

    return NGX_OK;

failed:

    ngx_msgbus_tell(NULL, NGX_MSGBUS_TELL_HASH, NGX_LOG_ALERT, log, 0,
                    "msgbus can not hash an Idempotency-Key, OpenSSL failed");

    EVP_MD_CTX_destroy(ctx);
    ctx = NULL;

    return NGX_ERROR;
}

#endif
