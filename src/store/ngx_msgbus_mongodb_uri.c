
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a configuration says of a MongoDB: whether the driver makes of the URI
 * what is written there, whether two of them may mean one database, and what
 * is shown of it.
 *
 * Nothing here connects; it runs in the master.  A password is in the URI
 * alone: what is shown of it, in errors and reports, has none.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <pthread.h>
#include "ngx_msgbus_mongodb.h"


/* what the driver has said to its log while it read a URI */
typedef struct {
    pthread_t  thread;                      /* whose words are meant */
    char       text[NGX_MSGBUS_ERROR_LEN];  /* the first one; empty: none */
} ngx_msgbus_mongodb_said_t;


static ngx_msec_t ngx_msgbus_mongodb_silence(ngx_msgbus_mongodb_conf_t *conf,
    mongoc_uri_t *uri);
static mongoc_uri_t *ngx_msgbus_mongodb_read_uri(ngx_str_t *uri,
    bson_error_t *error, ngx_msgbus_mongodb_said_t *said);
static void ngx_msgbus_mongodb_hear(mongoc_log_level_t level,
    const char *domain, const char *message, void *data);
static const char *ngx_msgbus_mongodb_ignored(ngx_str_t *shown,
    const char *said);
static u_char *ngx_msgbus_mongodb_option_end(u_char *p, u_char *last);
static u_char *ngx_msgbus_mongodb_mask(u_char *p, ngx_str_t *uri);
static u_char *ngx_msgbus_mongodb_mask_options(u_char *p, u_char *start,
    u_char *last);


const char *
ngx_msgbus_mongodb_check(ngx_msgbus_store_conf_t *store, ngx_pool_t *pool)
{
    u_char                        *p;
    ngx_uint_t                     secret;
    const char                    *wrong;
    bson_error_t                   error;
    mongoc_uri_t                  *uri;
    ngx_msgbus_mongodb_conf_t     *conf;
    const mongoc_write_concern_t  *concern;

    static ngx_msgbus_mongodb_said_t  said;

    conf = (ngx_msgbus_mongodb_conf_t *) store;

    /* "a:b" becomes "a:***", and the values of options likewise */

    p = ngx_pnalloc(pool, 3 * conf->uri.len + 1);
    if (p == NULL) {
        return "no memory";
    }

    store->shown.data = p;
    p = ngx_msgbus_mongodb_mask(p, &conf->uri);
    store->shown.len = p - store->shown.data;
    *p = '\0';

    /* then the driver's own words may quote it */

    secret = store->shown.len != conf->uri.len
             || ngx_strncmp(store->shown.data, conf->uri.data, conf->uri.len)
                != 0;

    uri = ngx_msgbus_mongodb_read_uri(&conf->uri, &error, &said);

    if (uri == NULL) {
        if (secret || error.message[0] == '\0') {
            return "it is no connection string of MongoDB";
        }

        (void) ngx_cpystrn((u_char *) said.text, (u_char *) error.message,
                           NGX_MSGBUS_ERROR_LEN);
        return said.text;
    }

    wrong = NULL;
    concern = mongoc_uri_get_write_concern(uri);

    if (said.text[0]) {
        wrong = secret ? ngx_msgbus_mongodb_ignored(&store->shown, said.text)
                       : said.text;

    } else if (!mongoc_write_concern_is_acknowledged(concern)) {
        wrong = "its write concern has nothing acknowledged";
    }

    store->silence = ngx_msgbus_mongodb_silence(conf, uri);

    mongoc_uri_destroy(uri);

    return wrong;
}


/* a connection is made, or a primary found, and then there is an answer */
static ngx_msec_t
ngx_msgbus_mongodb_silence(ngx_msgbus_mongodb_conf_t *conf, mongoc_uri_t *uri)
{
    int32_t  select, answer;

    select = ngx_msgbus_mongodb_timeout(uri,
                     MONGOC_URI_SERVERSELECTIONTIMEOUTMS, conf->timeout);
    answer = ngx_msgbus_mongodb_timeout(uri, MONGOC_URI_SOCKETTIMEOUTMS,
                                        conf->timeout);

    return (ngx_msec_t) ngx_msgbus_mongodb_timeout(uri,
                     MONGOC_URI_CONNECTTIMEOUTMS, conf->connect_timeout)
           + (ngx_msec_t) ngx_max(select, answer);
}


/*
 * The driver takes a URI with an option that it does not know, or makes nothing
 * of, and says so in its log only: to connect without TLS, for a letter, is not
 * what was meant.
 */
static mongoc_uri_t *
ngx_msgbus_mongodb_read_uri(ngx_str_t *uri, bson_error_t *error,
    ngx_msgbus_mongodb_said_t *said)
{
    mongoc_uri_t  *parsed;

    ngx_memzero(error, sizeof(bson_error_t));
    ngx_memzero(said, sizeof(ngx_msgbus_mongodb_said_t));

    said->thread = pthread_self();

    mongoc_log_set_handler(ngx_msgbus_mongodb_hear, said);

    parsed = mongoc_uri_new_with_error((char *) uri->data, error);

    mongoc_log_set_handler(NULL, NULL);

    return parsed;
}


static void
ngx_msgbus_mongodb_hear(mongoc_log_level_t level, const char *domain,
    const char *message, void *data)
{
    ngx_msgbus_mongodb_said_t *said = data;

    /* without a master process, a committer's thread may run beside */

    if (!pthread_equal(said->thread, pthread_self())
        || level > MONGOC_LOG_LEVEL_WARNING
        || said->text[0])
    {
        return;
    }

    /* an old way to say something is heeded all the same */

    if (ngx_strstr(message, "eprecated")) {
        return;
    }

    (void) ngx_cpystrn((u_char *) said->text, (u_char *) message,
                       NGX_MSGBUS_ERROR_LEN);
}


/* which option the driver has quoted; no other words of its, for a secret */
static const char *
ngx_msgbus_mongodb_ignored(ngx_str_t *shown, const char *said)
{
    size_t       len;
    u_char      *p, *end, *last, *equals;
    const char  *q;

    static char  text[NGX_MSGBUS_ERROR_LEN];

    last = shown->data + shown->len;
    p = ngx_strlchr(shown->data, last, '?');

    for ( /* void */ ; p && p < last; p = end) {

        end = ngx_msgbus_mongodb_option_end(p, last);
        equals = ngx_strlchr(p, end, '=');
        len = (equals ? equals : end) - p - 1;

        for (q = said; *q; q++) {

            if ((*q != '"' && *q != '\'')
                || ngx_strncasecmp((u_char *) q + 1, p + 1, len) != 0
                || q[1 + len] != *q)
            {
                continue;
            }

            *ngx_snprintf((u_char *) text, NGX_MSGBUS_ERROR_LEN - 1,
                          "the driver makes nothing of its option \"%*s\"",
                          len, p + 1) = '\0';
            return text;
        }
    }

    return "the driver makes nothing of one of its options";
}


/* of the option whose "?" or "&" is at p */
static u_char *
ngx_msgbus_mongodb_option_end(u_char *p, u_char *last)
{
    for (p++; p < last && *p != '&' && *p != ';'; p++) { /* void */ }

    return p;
}


ngx_uint_t
ngx_msgbus_mongodb_same(ngx_msgbus_store_conf_t *one,
    ngx_msgbus_store_conf_t *two)
{
    ngx_uint_t                 same;
    const char                *set[2];
    mongoc_uri_t              *uri[2];
    const mongoc_host_list_t  *host, *other;
    ngx_msgbus_mongodb_conf_t *conf[2];

    conf[0] = (ngx_msgbus_mongodb_conf_t *) one;
    conf[1] = (ngx_msgbus_mongodb_conf_t *) two;

    if (conf[0]->database.len != conf[1]->database.len
        || ngx_strncmp(conf[0]->database.data, conf[1]->database.data,
                       conf[0]->database.len) != 0)
    {
        return 0;
    }

    uri[0] = mongoc_uri_new((char *) conf[0]->uri.data);
    uri[1] = mongoc_uri_new((char *) conf[1]->uri.data);

    /* where hosts are not known before they are looked up: who could tell */

    same = uri[0] == NULL || uri[1] == NULL
           || mongoc_uri_get_hosts(uri[0]) == NULL
           || mongoc_uri_get_hosts(uri[1]) == NULL;

    if (!same) {
        set[0] = mongoc_uri_get_replica_set(uri[0]);
        set[1] = mongoc_uri_get_replica_set(uri[1]);

        same = set[0] && set[1] && ngx_strcmp(set[0], set[1]) == 0;

        for (host = mongoc_uri_get_hosts(uri[0]); host; host = host->next) {

            for (other = mongoc_uri_get_hosts(uri[1]);
                 other;
                 other = other->next)
            {
                if (ngx_strcmp(host->host_and_port, other->host_and_port)
                    == 0)
                {
                    same = 1;
                }
            }
        }
    }

    mongoc_uri_destroy(uri[0]);
    mongoc_uri_destroy(uri[1]);

    return same;
}


/*
 * The URI without its password: what stands between the first colon behind
 * the scheme and the last "@", so that a password with bytes that should have
 * been escaped is not shown either.
 */
static u_char *
ngx_msgbus_mongodb_mask(u_char *p, ngx_str_t *uri)
{
    u_char  *at, *last, *start, *colon;

    last = uri->data + uri->len;

    start = (u_char *) ngx_strstr(uri->data, "://");
    start = start ? start + 3 : uri->data;

    for (at = last; at > start && at[-1] != '@'; at--) { /* void */ }

    colon = at > start ? ngx_strlchr(start, at, ':') : NULL;

    if (colon == NULL) {
        p = ngx_cpymem(p, uri->data, at - uri->data);

    } else {
        p = ngx_cpymem(p, uri->data, colon + 1 - uri->data);
        p = ngx_cpymem(p, "***@", 4);
    }

    return ngx_msgbus_mongodb_mask_options(p, at, last);
}


/* of the options behind "?", the values that are secrets */
static u_char *
ngx_msgbus_mongodb_mask_options(u_char *p, u_char *start, u_char *last)
{
    size_t   len;
    u_char  *equals, *end;

    end = ngx_strlchr(start, last, '?');

    if (end == NULL) {
        return ngx_cpymem(p, start, last - start);
    }

    p = ngx_cpymem(p, start, end - start);

    while (end < last) {
        start = end;
        end = ngx_msgbus_mongodb_option_end(start, last);

        equals = ngx_strlchr(start, end, '=');
        len = equals ? (size_t) (equals - start) : 0;

        if ((len > 8 && ngx_strncasecmp(equals - 8, (u_char *) "password", 8)
                        == 0)
            || (len == 24 && ngx_strncasecmp(start + 1, (u_char *)
                                             "authMechanismProperties", 23)
                             == 0))
        {
            p = ngx_cpymem(p, start, equals + 1 - start);
            p = ngx_cpymem(p, "***", 3);

        } else {
            p = ngx_cpymem(p, start, end - start);
        }
    }

    return p;
}
