
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_TIME_H_INCLUDED_
#define _NGX_MSGBUS_TIME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* "2012-03-16 13:25:29Z" */
#define NGX_MSGBUS_TIME_LEN  20


/* all of it from any thread: from the system and not from nginx's cache */

/* since 1970, ms: for display only, it may jump */
uint64_t ngx_msgbus_time_wall(void);

/*
 * Never set back, us.  It counts the time in which the machine sleeps, which
 * ngx_current_msec does not: so it is never behind that one.
 */
uint64_t ngx_msgbus_time_monotonic(void);

/*
 * When it was as long ago as a time of the wall clock is, ms since 1970, on the
 * other clock, in ms; negative before that began.  What comes from elsewhere
 * has no other time than that.  The future is now.
 */
int64_t ngx_msgbus_time_since(uint64_t wall);

/* writes a time, ms since 1970, as events tell it: NGX_MSGBUS_TIME_LEN bytes */
void ngx_msgbus_time_text(u_char *text, uint64_t ms);


#endif /* _NGX_MSGBUS_TIME_H_INCLUDED_ */
