
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_NUMBER_H_INCLUDED_
#define _NGX_MSGBUS_NUMBER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* writes a number, at most NGX_INT64_LEN bytes; returns its end.  Anywhere. */
u_char *ngx_msgbus_number(u_char *p, uint64_t n);


#endif /* _NGX_MSGBUS_NUMBER_H_INCLUDED_ */
