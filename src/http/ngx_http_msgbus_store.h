
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_STORE_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_STORE_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * A directive of a store's block.  set() has the line in cf->args and writes
 * to the field at that offset of the configuration; it returns NGX_CONF_OK,
 * NGX_CONF_ERROR after it has logged why, or what is wrong with the line.
 */
typedef struct {
    ngx_str_t                  name;
    ngx_uint_t                 many;          /* it may have several values */
    char                    *(*set)(ngx_conf_t *cf,
                                    ngx_msgbus_store_conf_t *conf,
                                    void *field);
    size_t                     offset;
} ngx_http_msgbus_store_line_t;


/* the block of a kind of store, as "post" of its command */
typedef struct {
    ngx_msgbus_store_t        *kind;
    size_t                     size;          /* of its configuration */
    ngx_http_msgbus_store_line_t  *lines;     /* the last one has no name */

    /* unset values, all else being zero; and defaults, and what is missing */
    void                     (*create)(ngx_msgbus_store_conf_t *conf);
    char                    *(*done)(ngx_conf_t *cf,
                                     ngx_msgbus_store_conf_t *conf);
} ngx_http_msgbus_store_block_t;


/* the handler of a command that begins a block */
char *ngx_http_msgbus_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* lines that kinds have in common: a time, poll, and retry (field is unused) */
char *ngx_http_msgbus_store_time(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf, void *field);
char *ngx_http_msgbus_store_poll(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf, void *field);
char *ngx_http_msgbus_store_retry(ngx_conf_t *cf,
    ngx_msgbus_store_conf_t *conf, void *field);


#endif /* _NGX_HTTP_MSGBUS_STORE_H_INCLUDED_ */
