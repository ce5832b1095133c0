
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _WATCH_H_INCLUDED_
#define _WATCH_H_INCLUDED_


#include "unit.h"


/*
 * Watches a block of memory while do_it() runs.  moment() is called whenever
 * the block is as a process could leave it that dies there and then; it may
 * start a watch of its own.
 *
 * There are two watches.  watch_stores.c: before each store that the sources
 * ask for, and in the middle of those that copy.  watch_steps.c: after each
 * machine instruction of what the module itself is made of.
 */
void watch_run(u_char *addr, size_t size, void (*moment)(void),
    void (*do_it)(void));

/* can it be done here? */
ngx_uint_t watch_works(void);

/* how many repairs of a change can be watched beside it, for the time it takes */
extern ngx_uint_t  watch_affords;


#endif /* _WATCH_H_INCLUDED_ */
