
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_PARK_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_PARK_H_INCLUDED_


#include "ngx_http_msgbus_reader.h"


/*
 * Parks a held reader to whom nothing is being sent; the last thing that a
 * handler of its request's events does.
 *
 * NGX_OK        it is parked, and the request is gone
 * NGX_DECLINED  it stays held; it may be parked later unless it is fixed
 * NGX_ABORT     the connection is gone, and the reader is to be freed
 */
ngx_int_t ngx_http_msgbus_park(ngx_http_msgbus_reader_t *reader);

/*
 * Gives a parked reader a request again, and holds that: the one that it had
 * before, with all that was sent.  NULL: no memory, its connection is gone,
 * and the reader is to be freed.
 */
ngx_http_msgbus_hold_t *ngx_http_msgbus_unpark(
    ngx_http_msgbus_reader_t *reader);


#endif /* _NGX_HTTP_MSGBUS_PARK_H_INCLUDED_ */
