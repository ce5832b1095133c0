
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Stand-ins for what the engine's rooms need of nginx's core, and what all
 * unit tests need: random numbers, and an end with a sentence.
 *
 * The mutex is only looked at: it must be free when it is taken and held
 * when it is let go.  A line of the error log at ALERT or above is a fault.
 */


#include "unit.h"
#include <stdarg.h>


unit_core_t  unit_core;
uint64_t     unit_seed;
uint64_t     unit_step;


static ngx_log_t    unit_log;
static ngx_cycle_t  unit_cycle;
static uint64_t     unit_state;


volatile ngx_cycle_t  *ngx_cycle = &unit_cycle;
ngx_pid_t              ngx_pid = 1;


void
unit_init(void)
{
    char             *env;
    struct timespec   ts;

    env = getenv("SEED");

    if (env && *env) {
        unit_seed = strtoull(env, NULL, 10);

    } else {
        clock_gettime(CLOCK_REALTIME, &ts);
        unit_seed = ((uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec)
                    % 1000000000;
    }

    /* at once, for what ends the program without a word of ours */

    printf("seed: %" PRIu64 "\n", unit_seed);
    fflush(stdout);

    unit_state = unit_seed;
    unit_log.log_level = NGX_LOG_DEBUG;
    unit_cycle.log = &unit_log;
}


void
unit_fail(const char *fmt, ...)
{
    va_list  args;

    printf("SEED=%" PRIu64 ", step %" PRIu64 ": ", unit_seed, unit_step);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");
    fflush(stdout);

    _exit(1);
}


uint64_t
unit_random(void)
{
    uint64_t  z;

    /* splitmix64 */

    z = (unit_state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


uint64_t
unit_below(uint64_t n)
{
    return unit_random() % n;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    unit_check(level > NGX_LOG_ALERT, "in the error log: %s", fmt);

    if (level == NGX_LOG_CRIT) {
        unit_core.crits++;

    } else {
        unit_core.warnings++;
    }
}


/* as if each line were due; where ngx_msgbus_tell.c is linked, it is that */

__attribute__((weak)) void
ngx_msgbus_tell(ngx_msgbus_tells_t *tells, ngx_uint_t kind, ngx_uint_t level,
    ngx_log_t *log, ngx_err_t err, const char *fmt, ...)
{
    ngx_log_error_core(level, log, err, fmt);
}


__attribute__((weak)) ngx_uint_t
ngx_msgbus_tell_due(ngx_msgbus_tells_t *tells, ngx_uint_t kind, uint64_t now)
{
    return 1;
}


__attribute__((weak)) ngx_uint_t
ngx_msgbus_tell_ends(ngx_msgbus_tells_t *tells, ngx_uint_t kind,
    ngx_uint_t end)
{
    return 1;
}


void
ngx_msgbus_lock(ngx_msgbus_lock_t *lock)
{
    unit_check(!unit_core.locked, "locked twice");

    unit_core.locked = 1;
    unit_core.locks++;
}


void
ngx_msgbus_unlock(ngx_msgbus_lock_t *lock)
{
    unit_check(unit_core.locked, "unlocked without a lock");

    unit_core.locked = 0;

    if (unit_core.unlocked) {
        unit_core.unlocked();
    }
}


void
unit_tear(ngx_msgbus_undo_t *undo, void *p, size_t size)
{
    uint64_t  i, n, *word;

    n = 1 + unit_below(NGX_MSGBUS_UNDO_WORDS);

    for (i = 0; i < n; i++) {
        word = (uint64_t *) p + unit_below(size / 8);

        ngx_msgbus_undo_note(undo, word);

        if (!unit_once_in(10)) {
            *word = unit_random();
        }

        if (undo->n == NGX_MSGBUS_UNDO_WORDS) {
            break;
        }
    }
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}
