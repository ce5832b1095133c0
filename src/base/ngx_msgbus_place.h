
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_PLACE_H_INCLUDED_
#define _NGX_MSGBUS_PLACE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* where a directive stands in the configuration: a file and a line of it */
typedef ngx_conf_file_t  ngx_msgbus_place_t;


/*
 * The place of the directive that is being read, to be told of later; NULL:
 * no memory.  It lives as long as cf->pool.
 */
ngx_msgbus_place_t *ngx_msgbus_place(ngx_conf_t *cf);

/*
 * Makes of at what cf is, but at a place that was kept; where that is NULL,
 * at the place of cf.  What ngx_conf_log_error() says with it names that
 * place.  at is not for ngx_conf_parse().
 */
void ngx_msgbus_place_at(ngx_conf_t *at, ngx_conf_t *cf,
    ngx_msgbus_place_t *place);


#endif /* _NGX_MSGBUS_PLACE_H_INCLUDED_ */
