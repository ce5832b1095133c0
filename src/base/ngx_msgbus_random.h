
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_RANDOM_H_INCLUDED_
#define _NGX_MSGBUS_RANDOM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Fills up to 256 bytes with what nobody outside can guess.  NGX_ERROR where
 * the system has none, which is logged then.  From anywhere.
 */
ngx_int_t ngx_msgbus_random(void *p, size_t len, ngx_log_t *log);


#endif /* _NGX_MSGBUS_RANDOM_H_INCLUDED_ */
