
/*
 * Copyright (C) the msgbus authors
 */


/*
 * How an event tells its time, beside the C library's strftime(): the ends of
 * years and leap days, and times at random up to the year 9999.
 */


#include "unit.h"
#include "ngx_msgbus_time.h"
#include <time.h>


#define TIME_LAST  253402300799LL    /* of 9999 */


static void time_check(time_t sec);


/* as nginx's */

void
ngx_gmtime(time_t t, ngx_tm_t *tp)
{
    (void) gmtime_r(&t, tp);

    tp->ngx_tm_mon++;
    tp->ngx_tm_year += 1900;
}


int
main(void)
{
    time_t      years;
    ngx_uint_t  i;

    unit_init();

    for (i = 0; i < 8030; i++) {
        years = (time_t) i * 31556952;

        time_check(years);
        time_check(years / 86400 * 86400);
        time_check(years / 86400 * 86400 + 86399);
    }

    for (i = 0; i < 1000000; i++) {
        time_check((time_t) (unit_random() % TIME_LAST));
    }

    time_check(0);
    time_check(951782400);
    time_check(TIME_LAST);

    printf("checks %d\n", (int) i + 3 * 8030 + 3);

    return 0;
}


static void
time_check(time_t sec)
{
    char       said[32];
    u_char     text[NGX_MSGBUS_TIME_LEN];
    struct tm  tm;

    (void) gmtime_r(&sec, &tm);
    (void) strftime(said, sizeof(said), "%Y-%m-%d %H:%M:%SZ", &tm);

    ngx_msgbus_time_text(text, (uint64_t) sec * 1000 + 999);

    unit_check(ngx_memcmp(text, said, NGX_MSGBUS_TIME_LEN) == 0,
               "%.20s is told, not %s", text, said);
}
