
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The lines of the block msgbus_mongodb: where a database is, and how patient
 * to be with it.
 *
 * What is the same for all kinds of stores is in the room "store"; whether
 * the driver can make something of the URI, in the store itself.
 */


#include "ngx_http_msgbus_mongodb.h"
#include "ngx_msgbus_mongodb_conf.h"


/* a URI, with a long list of hosts */
#define NGX_HTTP_MSGBUS_URI_LEN  8192


static char *ngx_http_msgbus_mongodb_uri(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf, void *field);
static char *ngx_http_msgbus_mongodb_uri_file(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf, void *field);
static char *ngx_http_msgbus_mongodb_database(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf, void *field);
static void ngx_http_msgbus_mongodb_create(ngx_msgbus_store_conf_t *conf);
static char *ngx_http_msgbus_mongodb_done(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf);


static ngx_http_msgbus_store_line_t  ngx_http_msgbus_mongodb_lines[] = {

    { ngx_string("uri"), 0,
      ngx_http_msgbus_mongodb_uri,
      offsetof(ngx_msgbus_mongodb_conf_t, uri) },

    { ngx_string("uri_file"), 0,
      ngx_http_msgbus_mongodb_uri_file,
      offsetof(ngx_msgbus_mongodb_conf_t, uri) },

    { ngx_string("database"), 0,
      ngx_http_msgbus_mongodb_database,
      offsetof(ngx_msgbus_mongodb_conf_t, database) },

    { ngx_string("connect_timeout"), 0,
      ngx_http_msgbus_store_time,
      offsetof(ngx_msgbus_mongodb_conf_t, connect_timeout) },

    { ngx_string("timeout"), 0,
      ngx_http_msgbus_store_time,
      offsetof(ngx_msgbus_mongodb_conf_t, timeout) },

    { ngx_string("poll"), 0,
      ngx_http_msgbus_store_poll,
      offsetof(ngx_msgbus_store_conf_t, poll) },

    { ngx_string("retry"), 1,
      ngx_http_msgbus_store_retry,
      0 },

    { ngx_null_string, 0, NULL, 0 }
};


ngx_http_msgbus_store_block_t  ngx_http_msgbus_mongodb_block = {
    &ngx_msgbus_store_mongodb,
    sizeof(ngx_msgbus_mongodb_conf_t),
    ngx_http_msgbus_mongodb_lines,
    ngx_http_msgbus_mongodb_create,
    ngx_http_msgbus_mongodb_done
};


static char *
ngx_http_msgbus_mongodb_uri(ngx_conf_t *cf, ngx_msgbus_store_conf_t *conf,
    void *field)
{
    ngx_str_t *uri = field;

    ngx_str_t  *value;

    if (uri->data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    *uri = value[1];

    return NGX_CONF_OK;
}


/* the first line of a file that only root has to be able to read */
static char *
ngx_http_msgbus_mongodb_uri_file(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf, void *field)
{
    ngx_str_t *uri = field;

    u_char     *p, *buf;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t  *name;

    if (uri->data) {
        return "is duplicate";
    }

    name = cf->args->elts;
    name++;

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
ngx_http_msgbus_mongodb_database(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf, void *field)
{
    ngx_str_t *database = field;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (database->data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    value++;

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


static void
ngx_http_msgbus_mongodb_create(ngx_msgbus_store_conf_t *conf)
{
    ngx_msgbus_mongodb_conf_t  *db;

    db = (ngx_msgbus_mongodb_conf_t *) conf;

    db->connect_timeout = NGX_CONF_UNSET_MSEC;
    db->timeout = NGX_CONF_UNSET_MSEC;
}


static char *
ngx_http_msgbus_mongodb_done(ngx_conf_t *cf, ngx_msgbus_store_conf_t *conf)
{
    ngx_msgbus_mongodb_conf_t  *db;

    db = (ngx_msgbus_mongodb_conf_t *) conf;

    if (db->uri.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "msgbus_mongodb \"%V\" must have \"uri\" or "
                           "\"uri_file\"", &conf->name);
        return NGX_CONF_ERROR;
    }

    if (db->database.data == NULL) {
        ngx_str_set(&db->database, "rse");
    }

    ngx_conf_init_msec_value(db->connect_timeout, 1000);
    ngx_conf_init_msec_value(db->timeout, 2000);

    return NGX_CONF_OK;
}
