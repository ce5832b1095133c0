
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <inttypes.h>
#include "ngx_msgbus_lock.h"
#include "ngx_msgbus_tell.h"
#include "ngx_msgbus_undo.h"


#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNIT_ASAN  1
#endif
#endif

#if (UNIT_ASAN || defined(__SANITIZE_ADDRESS__))

#include <sanitizer/asan_interface.h>

#define unit_poison(p, len)    ASAN_POISON_MEMORY_REGION(p, len)
#define unit_unpoison(p, len)  ASAN_UNPOISON_MEMORY_REGION(p, len)

#else

#define unit_poison(p, len)
#define unit_unpoison(p, len)

#endif


/* what the stand-ins have seen */
typedef struct {
    ngx_uint_t             locked;     /* the mutex is held */
    ngx_uint_t             locks;
    void                 (*unlocked)(void);  /* another one's turn; or NULL */
    ngx_uint_t             warnings;   /* log lines of this level, */
    ngx_uint_t             crits;      /*   and of this; an alert fails */
} unit_core_t;


extern unit_core_t  unit_core;
extern uint64_t     unit_seed;
extern uint64_t     unit_step;


/* takes the seed from $SEED, or from the clock */
void unit_init(void);

/* says what is wrong, at which step of which seed, and ends the program */
void unit_fail(const char *fmt, ...)
    __attribute__ ((format(printf, 1, 2), noreturn));

#define unit_check(cond, ...)                                                 \
    do {                                                                      \
        if (!(cond)) {                                                        \
            unit_fail(__VA_ARGS__);                                           \
        }                                                                     \
    } while (0)

/* a random number; one below n; true once in n times */
uint64_t unit_random(void);
uint64_t unit_below(uint64_t n);
#define unit_once_in(n)  (unit_below(n) == 0)

/* changes some words at p, as a process would that dies then: a torn step */
void unit_tear(ngx_msgbus_undo_t *undo, void *p, size_t size);


#endif /* _UNIT_H_INCLUDED_ */
