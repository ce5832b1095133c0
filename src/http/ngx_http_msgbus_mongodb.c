
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The block msgbus_mongodb: where a database is, and how patient to be with
 * it.  What it says is checked here; nothing connects to anything before a
 * worker starts.
 */


#include "ngx_http_msgbus_mongodb.h"


/* a URI, with a long list of hosts */
#define NGX_HTTP_MSGBUS_URI_LEN  8192


static char *ngx_http_msgbus_mongodb_line(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static char *ngx_http_msgbus_mongodb_uri_file(ngx_conf_t *cf,
    ngx_str_t *name, ngx_str_t *uri);
static char *ngx_http_msgbus_mongodb_database(ngx_conf_t *cf,
    ngx_str_t *value, ngx_str_t *database);
static char *ngx_http_msgbus_mongodb_time(ngx_conf_t *cf, ngx_str_t *value,
    ngx_msec_t *msec);
static char *ngx_http_msgbus_mongodb_retry(ngx_conf_t *cf, ngx_str_t *value,
    ngx_msgbus_mongodb_conf_t *db);
static char *ngx_http_msgbus_mongodb_done(ngx_conf_t *cf,
    ngx_msgbus_mongodb_conf_t *db);


char *
ngx_http_msgbus_conf_mongodb(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_msgbus_main_conf_t  *mcf = conf;

    char                       *rv;
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_conf_t                  save;
    ngx_msgbus_mongodb_conf_t  *db;

    value = cf->args->elts;
    db = mcf->mongodb.elts;

    if (value[1].len == 0 || ngx_strcmp(value[1].data, "memory") == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" can not be named \"%V\"", &cmd->name,
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (!ngx_msgbus_json_plain(&value[1])) {

        /* it is shown in the health report */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid character in the name \"%V\" of \"%V\"",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < mcf->mongodb.nelts; i++) {

        if (db[i].name.len == value[1].len
            && ngx_strncmp(db[i].name.data, value[1].data, value[1].len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V %V\" is declared twice", &cmd->name,
                               &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    db = ngx_array_push(&mcf->mongodb);
    if (db == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(db, sizeof(ngx_msgbus_mongodb_conf_t));

    db->name = value[1];
    db->connect_timeout = NGX_CONF_UNSET_MSEC;
    db->timeout = NGX_CONF_UNSET_MSEC;
    db->tries = NGX_CONF_UNSET_UINT;
    db->delay = NGX_CONF_UNSET_MSEC;
    db->poll = NGX_CONF_UNSET_MSEC;

    save = *cf;

    cf->handler = ngx_http_msgbus_mongodb_line;
    cf->handler_conf = (void *) db;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv == NGX_CONF_OK ? ngx_http_msgbus_mongodb_done(cf, db) : rv;
}


static char *
ngx_http_msgbus_mongodb_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_msgbus_mongodb_conf_t  *db = conf;

    char       *rv;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts != 2 && ngx_strcmp(value[0].data, "retry") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of msgbus_mongodb takes one value",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    if (ngx_strcmp(value[0].data, "uri") == 0) {
        rv = db->uri.data ? "is duplicate" : NGX_CONF_OK;
        db->uri = value[1];

    } else if (ngx_strcmp(value[0].data, "uri_file") == 0) {
        rv = db->uri.data ? "is duplicate"
                          : ngx_http_msgbus_mongodb_uri_file(cf, &value[1],
                                                             &db->uri);

    } else if (ngx_strcmp(value[0].data, "database") == 0) {
        rv = ngx_http_msgbus_mongodb_database(cf, &value[1], &db->database);

    } else if (ngx_strcmp(value[0].data, "connect_timeout") == 0) {
        rv = ngx_http_msgbus_mongodb_time(cf, &value[1],
                                          &db->connect_timeout);

    } else if (ngx_strcmp(value[0].data, "timeout") == 0) {
        rv = ngx_http_msgbus_mongodb_time(cf, &value[1], &db->timeout);

    } else if (ngx_strcmp(value[0].data, "poll") == 0) {

        if (ngx_strcmp(value[1].data, "off") == 0
            && db->poll == NGX_CONF_UNSET_MSEC)
        {
            db->poll = 0;
            rv = NGX_CONF_OK;

        } else {
            rv = ngx_http_msgbus_mongodb_time(cf, &value[1], &db->poll);
        }

    } else if (ngx_strcmp(value[0].data, "retry") == 0) {
        rv = ngx_http_msgbus_mongodb_retry(cf, value, db);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown directive \"%V\" in msgbus_mongodb",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of msgbus_mongodb %s", &value[0], rv);
        return NGX_CONF_ERROR;
    }

    return rv;
}


/* the first line of a file that only root has to be able to read */
static char *
ngx_http_msgbus_mongodb_uri_file(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *uri)
{
    u_char    *p, *buf;
    ssize_t    n;
    ngx_fd_t   fd;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    buf = ngx_pnalloc(cf->pool, NGX_HTTP_MSGBUS_URI_LEN + 1);
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, buf, NGX_HTTP_MSGBUS_URI_LEN);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", name);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", name);
    }

    if (n == -1) {
        return NGX_CONF_ERROR;
    }

    for (p = buf; p < buf + n && *p > ' '; p++) { /* void */ }

    *p = '\0';

    uri->data = buf;
    uri->len = p - buf;

    if (uri->len == 0 || uri->len == NGX_HTTP_MSGBUS_URI_LEN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has no URI in its first line", name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_msgbus_mongodb_database(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *database)
{
    ngx_uint_t  i;

    if (database->data) {
        return "is duplicate";
    }

    for (i = 0; i < value->len; i++) {

        if (value->data[i] <= ' ' || value->data[i] >= 0x7f
            || ngx_strchr("/\\.\"$*<>:|?", value->data[i]))
        {
            break;
        }
    }

    if (value->len == 0 || value->len > 63 || i < value->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name of a database \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    *database = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_msgbus_mongodb_time(ngx_conf_t *cf, ngx_str_t *value,
    ngx_msec_t *msec)
{
    ngx_int_t  n;

    if (*msec != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    n = ngx_parse_time(value, 0);

    if (n == NGX_ERROR || n == 0 || n > 3600000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in msgbus_mongodb", value);
        return NGX_CONF_ERROR;
    }

    *msec = n;

    return NGX_CONF_OK;
}


/* retry tries=10 delay=500ms */
static char *
ngx_http_msgbus_mongodb_retry(ngx_conf_t *cf, ngx_str_t *value,
    ngx_msgbus_mongodb_conf_t *db)
{
    ngx_int_t   n;
    ngx_str_t   s;
    ngx_uint_t  i;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "tries=", 6) == 0) {

            if (db->tries != NGX_CONF_UNSET_UINT) {
                return "is duplicate";
            }

            n = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (n == NGX_ERROR || n == 0 || n > 1000) {
                goto invalid;
            }

            db->tries = n;
            continue;
        }

        if (ngx_strncmp(value[i].data, "delay=", 6) == 0) {

            if (db->delay != NGX_CONF_UNSET_MSEC) {
                return "is duplicate";
            }

            s.data = value[i].data + 6;
            s.len = value[i].len - 6;

            n = ngx_parse_time(&s, 0);

            if (n == NGX_ERROR || n == 0 || n > 60000) {
                goto invalid;
            }

            db->delay = n;
            continue;
        }

        goto invalid;
    }

    return i == 1 ? "needs tries= or delay=" : NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" of \"retry\" in msgbus_mongodb",
                       &value[i]);
    return NGX_CONF_ERROR;
}


/* defaults, and whether the driver can make something of the URI */
static char *
ngx_http_msgbus_mongodb_done(ngx_conf_t *cf, ngx_msgbus_mongodb_conf_t *db)
{
    const char  *wrong;

    if (db->uri.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "msgbus_mongodb \"%V\" must have \"uri\" or "
                           "\"uri_file\"", &db->name);
        return NGX_CONF_ERROR;
    }

    if (db->database.data == NULL) {
        ngx_str_set(&db->database, "rse");
    }

    ngx_conf_init_msec_value(db->connect_timeout, 1000);
    ngx_conf_init_msec_value(db->timeout, 2000);
    ngx_conf_init_uint_value(db->tries, 10);
    ngx_conf_init_msec_value(db->delay, 500);
    ngx_conf_init_msec_value(db->poll, 50);

    wrong = ngx_msgbus_mongodb_check(db, cf->pool);

    if (wrong) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\" of msgbus_mongodb \"%V\": %s",
                           &db->shown, &db->name, wrong);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
