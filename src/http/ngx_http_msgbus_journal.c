
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The lines of the block msgbus_journal: where the folder is, how large it may
 * become, and what a 201 promises.
 *
 * What is the same for all kinds of stores is in the room "store"; what a
 * folder has to be like, in the store itself.
 */


#include "ngx_http_msgbus_journal.h"
#include "ngx_msgbus_journal_conf.h"


/* of a segment; places in one are told by 32 bits, in units of 8 bytes */
#define NGX_HTTP_MSGBUS_SEGMENT_MIN  65536
#define NGX_HTTP_MSGBUS_SEGMENT_MAX  ((off_t) 4 * 1024 * 1024 * 1024)


static char *ngx_http_msgbus_journal_path(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf, void *field);
static char *ngx_http_msgbus_journal_size(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf, void *field);
static char *ngx_http_msgbus_journal_sync(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf, void *field);
static void ngx_http_msgbus_journal_create(ngx_msgbus_store_conf_t *conf);
static char *ngx_http_msgbus_journal_done(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf);


static ngx_http_msgbus_store_line_t  ngx_http_msgbus_journal_lines[] = {

    { ngx_string("path"), 0,
      ngx_http_msgbus_journal_path,
      offsetof(ngx_msgbus_journal_block_t, path) },

    { ngx_string("segment"), 0,
      ngx_http_msgbus_journal_size,
      offsetof(ngx_msgbus_journal_block_t, segment) },

    { ngx_string("size"), 0,
      ngx_http_msgbus_journal_size,
      offsetof(ngx_msgbus_journal_block_t, size) },

    { ngx_string("sync"), 0,
      ngx_http_msgbus_journal_sync,
      offsetof(ngx_msgbus_journal_block_t, sync) },

    { ngx_string("poll"), 0,
      ngx_http_msgbus_store_poll,
      offsetof(ngx_msgbus_store_conf_t, poll) },

    { ngx_string("retry"), 1,
      ngx_http_msgbus_store_retry,
      0 },

    { ngx_null_string, 0, NULL, 0 }
};


ngx_http_msgbus_store_block_t  ngx_http_msgbus_journal_block = {
    &ngx_msgbus_store_journal,
    sizeof(ngx_msgbus_journal_block_t),
    ngx_http_msgbus_journal_lines,
    ngx_http_msgbus_journal_create,
    ngx_http_msgbus_journal_done
};


static char *
ngx_http_msgbus_journal_path(ngx_conf_t *cf, ngx_msgbus_store_conf_t *conf,
    void *field)
{
    ngx_str_t *path = field;

    ngx_str_t  *value;

    if (path->data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    *path = value[1];

    if (path->len == 0) {
        return "is empty";
    }

    /* one folder has one name */

    while (path->len > 1 && path->data[path->len - 1] == '/') {
        path->data[--path->len] = '\0';
    }

    return ngx_conf_full_name(cf->cycle, path, 0) == NGX_OK ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


static char *
ngx_http_msgbus_journal_size(ngx_conf_t *cf, ngx_msgbus_store_conf_t *conf,
    void *field)
{
    off_t *size = field;

    ngx_str_t  *value;

    if (*size != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *size = ngx_parse_offset(&value[1]);

    if (*size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" in msgbus_journal, it is a "
                           "number of bytes such as 64m", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* always, off, or a time */
static char *
ngx_http_msgbus_journal_sync(ngx_conf_t *cf, ngx_msgbus_store_conf_t *conf,
    void *field)
{
    ngx_msec_t *sync = field;

    ngx_str_t  *value;

    if (*sync != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "always") == 0) {
        *sync = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        *sync = NGX_MSGBUS_JOURNAL_SYNC_OFF;
        return NGX_CONF_OK;
    }

    return ngx_http_msgbus_store_time(cf, conf, field);
}


static void
ngx_http_msgbus_journal_create(ngx_msgbus_store_conf_t *conf)
{
    ngx_msgbus_journal_block_t *jb = (ngx_msgbus_journal_block_t *) conf;

    jb->segment = NGX_CONF_UNSET;
    jb->size = NGX_CONF_UNSET;
    jb->sync = NGX_CONF_UNSET_MSEC;
}


static char *
ngx_http_msgbus_journal_done(ngx_conf_t *cf, ngx_msgbus_store_conf_t *conf)
{
    ngx_msgbus_journal_block_t *jb = (ngx_msgbus_journal_block_t *) conf;

    if (jb->path.data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "msgbus_journal \"%V\" must have \"path\"",
                           &conf->name);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_value(jb->segment, (off_t) 64 * 1024 * 1024);
    ngx_conf_init_value(jb->size, (off_t) 10 * 1024 * 1024 * 1024);
    ngx_conf_init_msec_value(jb->sync, 0);

    if (jb->segment < NGX_HTTP_MSGBUS_SEGMENT_MIN
        || jb->segment > NGX_HTTP_MSGBUS_SEGMENT_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"segment\" of msgbus_journal \"%V\" must be "
                           "between 64k and 4g", &conf->name);
        return NGX_CONF_ERROR;
    }

    if (jb->size < 2 * jb->segment) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"size\" of msgbus_journal \"%V\" must be at least "
                           "two segments", &conf->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
