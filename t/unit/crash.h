
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _CRASH_H_INCLUDED_
#define _CRASH_H_INCLUDED_


#include "check.h"


/* processes one after the other: who dies, the next one, the one after */
#define CRASH_LEVELS  3


typedef struct {
    const char            *title;
    void                 (*prepare)(void);
    void                 (*change)(void);
} crash_case_t;


/* what is in the zone: a log, pending posts */
typedef struct {
    size_t                 size;

    /* before a case is prepared; after that; after its change */
    void                 (*begin)(void);
    void                 (*prepared)(void);
    void                 (*known)(void);

    /* a new process has found it at addr, of a level from 1 on: is it busy? */
    ngx_uint_t           (*inherit)(u_char *addr, ngx_uint_t level);

    /* what it repairs; and a look at the outcome, and at the life after */
    void                 (*take_over)(void);
    void                 (*autopsy)(ngx_uint_t level, ngx_uint_t busy);
} crash_subject_t;


/* the zone of who dies, in which cases are prepared and changed */
extern u_char      *crash_zone;

/* the process that is running: 0, or its heirs */
extern ngx_uint_t   crash_level;


/*
 * Runs all cases, and dies at each moment of their changes: crash.c.  A death
 * is a copy of the zone at another address, in which a new process looks.  Says
 * so, and runs none, where nothing can be watched.
 */
void crash_run(crash_subject_t *subject, crash_case_t *cases);


#endif /* _CRASH_H_INCLUDED_ */
