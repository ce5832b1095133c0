
/*
 * Copyright (C) the msgbus authors
 */


/*
 * How much a store is given at once.
 *
 * A batch that the path to the store can not carry within its time-out fails
 * as a whole, however often it is sent again.  So a batch that fails is halved,
 * or quartered where that was not enough, and one that is done early makes room
 * for twice as much, or four times where it was very early; what takes about a
 * quarter of the time that it may is right: there is little to gain beyond
 * that, and a path that becomes four times slower does not break.  Only what
 * was carried makes room for more: of many small events the batch may be full
 * by their number.
 *
 * It knows bytes and time alone: not what is sent, nor to whom.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_pace.h"


/* the first batch: a path that is not known yet */
#define NGX_MSGBUS_PACE_FIRST  (1024 * 1024)


void
ngx_msgbus_pace_init(ngx_msgbus_pace_t *pace, uint64_t time)
{
    pace->bytes = time ? NGX_MSGBUS_PACE_FIRST : NGX_MSGBUS_PACE_MOST;
    pace->time = time;
    pace->took = 0;
    pace->rate = 0;
    pace->failed = 0;
}


void
ngx_msgbus_pace_done(ngx_msgbus_pace_t *pace, size_t bytes, uint64_t took,
    ngx_uint_t full)
{
    size_t    more;
    uint64_t  rate;

    pace->took = pace->took ? (3 * pace->took + took) / 4 : took;
    pace->failed = 0;

    if (pace->time == 0) {
        return;
    }

    if (took > pace->time / 2) {
        more = took > pace->time ? bytes / 4 : bytes / 4 * 3;
        more = ngx_max(more, NGX_MSGBUS_PACE_LEAST);
        pace->bytes = ngx_min(pace->bytes, more);
    }

    if (!full) {
        pace->rate = 0;
        return;
    }

    if (took < pace->time / 4) {
        more = took < pace->time / 16 ? 4 * bytes : 2 * bytes;
        more = ngx_min(more, NGX_MSGBUS_PACE_MOST);

        if (more > pace->bytes) {
            pace->bytes = more;
            return;
        }
    }

    /* it is not by being careful that no more was stored in this time */

    rate = (uint64_t) bytes * 1000000 / ngx_max(took, 1);

    pace->rate = pace->rate ? (7 * pace->rate + rate) / 8 : rate;
}


void
ngx_msgbus_pace_failed(ngx_msgbus_pace_t *pace, size_t bytes)
{
    if (pace->time == 0) {
        return;
    }

    /* each one costs a whole time-out; to grow again costs next to nothing */

    bytes = ngx_min(bytes, pace->bytes) / (pace->failed++ ? 4 : 2);

    pace->bytes = ngx_max(bytes, NGX_MSGBUS_PACE_LEAST);
    pace->rate = 0;
}
