
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_ANSWER_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_ANSWER_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * Answers a post of which all is known; rc as ngx_msgbus_publish() has it,
 * NGX_AGAIN where it has waited and not all of it is stored.  Returns what the
 * request is to be finalized with, by way of ngx_http_msgbus_finish().
 */
ngx_int_t ngx_http_msgbus_answer(ngx_http_request_t *r,
    ngx_http_msgbus_ctx_t *ctx, ngx_msgbus_post_t *post, ngx_int_t rc);


#endif /* _NGX_HTTP_MSGBUS_ANSWER_H_INCLUDED_ */
