
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
    ngx_tm_t  tm;

    ngx_gmtime((time_t) (ms / 1000), &tm);

    (void) ngx_snprintf(text, NGX_MSGBUS_TIME_LEN,
                        "%04d-%02d-%02d %02d:%02d:%02dZ",
                        tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                        tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
}
