
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Clocks, for those who can not trust the one that nginx's event loop keeps:
 * a thread beside it, and whoever needs to know what came first.  And how an
 * event tells its time.
 *
 * It knows nothing of the log, and decides no order.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_time.h"


static u_char *ngx_msgbus_time_two(u_char *p, ngx_int_t n, u_char after);


uint64_t
ngx_msgbus_time_wall(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


uint64_t
ngx_msgbus_time_monotonic(void)
{
    struct timespec  ts;

    /* a machine that sleeps must not take old news for new */

    clock_gettime(CLOCK_BOOTTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


int64_t
ngx_msgbus_time_since(uint64_t wall)
{
    int64_t   now;
    uint64_t  t;

    now = (int64_t) (ngx_msgbus_time_monotonic() / 1000);
    t = ngx_msgbus_time_wall();

    return t > wall ? now - (int64_t) (t - wall) : now;
}


void
ngx_msgbus_time_text(u_char *text, uint64_t ms)
{
    u_char    *p;
    ngx_tm_t   tm;

    ngx_gmtime((time_t) (ms / 1000), &tm);

    /* by hand: where events are committed, a format costs more than the rest */

    p = ngx_msgbus_time_two(text, tm.ngx_tm_year / 100, '0');
    p = ngx_msgbus_time_two(p - 1, tm.ngx_tm_year, '-');
    p = ngx_msgbus_time_two(p, tm.ngx_tm_mon, '-');
    p = ngx_msgbus_time_two(p, tm.ngx_tm_mday, ' ');
    p = ngx_msgbus_time_two(p, tm.ngx_tm_hour, ':');
    p = ngx_msgbus_time_two(p, tm.ngx_tm_min, ':');
    (void) ngx_msgbus_time_two(p, tm.ngx_tm_sec, 'Z');
}


/* the last two digits of a number, and what stands behind them; the end */
static u_char *
ngx_msgbus_time_two(u_char *p, ngx_int_t n, u_char after)
{
    *p++ = (u_char) ('0' + n / 10 % 10);
    *p++ = (u_char) ('0' + n % 10);
    *p++ = after;

    return p;
}
