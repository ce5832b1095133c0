
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_GUARD_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_GUARD_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* notes a location that serves a bus, when it is merged; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_msgbus_guard_note(ngx_conf_t *cf,
    ngx_http_msgbus_loc_conf_t *lcf);

/*
 * Warns of locations whose rules do not hold for what is read from above them;
 * when all is merged, in postconfiguration.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_msgbus_guard(ngx_conf_t *cf);


#endif /* _NGX_HTTP_MSGBUS_GUARD_H_INCLUDED_ */
