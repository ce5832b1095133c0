
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_TALLY_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_TALLY_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * The outcome of a post, before it is answered; rc is what the bus returned,
 * NGX_AGAIN where it has waited.
 */
void ngx_http_msgbus_tally_post(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_post_t *post, ngx_int_t rc);

/*
 * A request that gets an error in this location.  It does not count yet: an
 * error_page may lead it to another one.
 */
void ngx_http_msgbus_tally_refused(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_uint_t status);

/* notes what a page has, before it is sent */
void ngx_http_msgbus_tally_page(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_msgbus_page_t *page);

/*
 * A read that is answered, once its status is known; nothing for others.  The
 * bus is that of the read: an error_page may have led elsewhere since.
 */
void ngx_http_msgbus_tally_read(ngx_http_request_t *r, ngx_msgbus_t *bus,
    ngx_http_msgbus_pass_t *pass);

/* a stream begins */
void ngx_http_msgbus_tally_stream(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx);

/* a frame goes to a subscriber */
void ngx_http_msgbus_tally_frame(ngx_msgbus_t *bus, ngx_msgbus_frame_t *frame);


#endif /* _NGX_HTTP_MSGBUS_TALLY_H_INCLUDED_ */
