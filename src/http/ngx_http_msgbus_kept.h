
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_KEPT_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_KEPT_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* what is kept of a request that is no more; opaque, one allocation */
typedef struct ngx_http_msgbus_kept_s  ngx_http_msgbus_kept_t;


/*
 * Will the end of this request be told to anybody who asks what it was?  If
 * not, nothing need be kept of one whose answer is on its way.
 */
ngx_uint_t ngx_http_msgbus_kept_is_needed(ngx_http_request_t *r);

/*
 * Of a request that can be made again; NULL: it can not, or no memory.  base
 * is what was kept of another, to which only differences are noted; one that is
 * empty becomes this request's, of its own memory, and is to outlive all that
 * were made with it.  NULL: none.
 */
ngx_http_msgbus_kept_t *ngx_http_msgbus_kept(ngx_http_request_t *r,
    ngx_str_t *base);

void ngx_http_msgbus_kept_free(ngx_http_msgbus_kept_t *kept);

/*
 * Makes the request again on a connection whose data is hc, as it was when it
 * was kept, by that base if there was one, its answer apart; with kept NULL,
 * one of which nothing is known.  Its handlers are those of a request that is
 * held by nobody.  NULL: it can not, the connection is as it was.
 */
ngx_http_request_t *ngx_http_msgbus_kept_request(ngx_connection_t *c,
    ngx_http_msgbus_kept_t *kept, ngx_str_t *base, void **srv_conf,
    void **loc_conf);


#endif /* _NGX_HTTP_MSGBUS_KEPT_H_INCLUDED_ */
