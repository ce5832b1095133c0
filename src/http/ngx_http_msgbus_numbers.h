
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_NUMBERS_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_NUMBERS_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* what a zone has numbers of besides its own */
#define NGX_HTTP_MSGBUS_STORED_NO      0
#define NGX_HTTP_MSGBUS_STORED         1     /* of a store, */
#define NGX_HTTP_MSGBUS_STORED_FILES   2     /*   and of its files */


/* the numbers of a zone, and its name as it stands in JSON and in a label */
typedef struct {
    ngx_str_t                   name;
    ngx_msgbus_store_conf_t    *store;       /* NULL: it is in memory */
    ngx_uint_t                  stored;      /* NGX_HTTP_MSGBUS_STORED_* */
    ngx_msgbus_stats_t          stats;
} ngx_http_msgbus_zone_stats_t;


/* and of all of them */
typedef struct {
    const char                 *version;
    const char                 *nginx;       /* "" where server_tokens is off */
    const char                 *library;     /* MongoDB's; "": there is none */
    uint64_t                    now;         /* both: since 1970, ms */
    uint64_t                    started;

    ngx_uint_t                  nworkers;
    ngx_msgbus_worker_stats_t  *workers;

    ngx_uint_t                  stored;      /* likewise, the most of all */
    ngx_uint_t                  nzones;
    ngx_http_msgbus_zone_stats_t *zones;
} ngx_http_msgbus_numbers_t;


/* those of this moment, in the request's pool; NULL: no memory */
ngx_http_msgbus_numbers_t *ngx_http_msgbus_numbers(ngx_http_request_t *r);


#endif /* _NGX_HTTP_MSGBUS_NUMBERS_H_INCLUDED_ */
