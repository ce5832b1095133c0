
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _LOG_CRASH_H_INCLUDED_
#define _LOG_CRASH_H_INCLUDED_


#include "unit.h"


/*
 * Watches a block of memory while do_it() runs.  moment() is called whenever
 * the block is as a process could leave it that dies there and then; it may
 * start a watch of its own.
 *
 * There are two watches.  crash_stores.c: before each store that the sources
 * ask for, and in the middle of those that copy.  crash_steps.c: after each
 * machine instruction of what the module itself is made of.
 */
void crash_watch(u_char *addr, size_t size, void (*moment)(void),
    void (*do_it)(void));

/* can it be done here? */
ngx_uint_t crash_can_watch(void);

/* after so many of a change's deaths the rebuild is watched as well */
extern ngx_uint_t  crash_rebuilds;


#endif /* _LOG_CRASH_H_INCLUDED_ */
