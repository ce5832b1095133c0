
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_DETOUR_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_DETOUR_H_INCLUDED_


#include "ngx_http_msgbus.h"


/*
 * Has each error_page of the location that is merged note, when it is used,
 * what it is used for.  NGX_OK or NGX_ERROR.  In merging, with msgbus on.
 */
ngx_int_t ngx_http_msgbus_detours(ngx_conf_t *cf);

/*
 * A request is about to be answered, in whatever location: if it was refused,
 * and no bus answers it otherwise, that counts now.
 */
void ngx_http_msgbus_detour_ends(ngx_http_request_t *r);


#endif /* _NGX_HTTP_MSGBUS_DETOUR_H_INCLUDED_ */
