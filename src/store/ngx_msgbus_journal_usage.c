
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What is about to run out for a journal: its size, after which events leave
 * before their ttl, and the disk, after which posts are refused.
 *
 * A journal that has reached its size stays there, so that is said once, and
 * then whenever events have left too early.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_usage.h"
#include "ngx_msgbus_time.h"


/* a warning comes at so many percent of the size, and can come again below */
#define NGX_MSGBUS_JOURNAL_NEAR      90
#define NGX_MSGBUS_JOURNAL_AGAIN     80

/* of fewer segments some percent say nothing */
#define NGX_MSGBUS_JOURNAL_SEGMENTS  10

/* what a larger size may be: it is a guess */
#define NGX_MSGBUS_JOURNAL_TIMES     16

#define NGX_MSGBUS_JOURNAL_MEGABYTE  (1024 * 1024)


static void ngx_msgbus_journal_watch_size(ngx_msgbus_journal_watch_t *w,
    ngx_msgbus_usage_t *usage);
static void ngx_msgbus_journal_watch_disk(ngx_msgbus_journal_watch_t *w,
    ngx_msgbus_usage_t *usage);


void
ngx_msgbus_journal_watch(ngx_msgbus_journal_watch_t *w,
    ngx_msgbus_usage_t *usage, uint64_t before)
{
    usage->most = w->conf->size;

    w->dropped += usage->dropped - before;

    if (w->dropped
        && ngx_msgbus_tell_due(w->tells, NGX_MSGBUS_TELL_DROPPED,
                               ngx_msgbus_time_monotonic() / 1000))
    {
        ngx_log_error(NGX_LOG_WARN, w->log, 0,
                      "msgbus journal \"%s\" is full: %uL bytes of events left "
                      "it before their ttl, raise its size or lower the ttl",
                      w->conf->path, w->dropped);
        w->dropped = 0;
    }

    ngx_msgbus_journal_watch_size(w, usage);
    ngx_msgbus_journal_watch_disk(w, usage);
}


static void
ngx_msgbus_journal_watch_size(ngx_msgbus_journal_watch_t *w,
    ngx_msgbus_usage_t *usage)
{
    uint64_t    stay, times;
    ngx_uint_t  percent;

    if (usage->most < NGX_MSGBUS_JOURNAL_SEGMENTS * w->conf->segment) {
        return;
    }

    percent = (ngx_uint_t) (usage->bytes / (usage->most / 100));

    if (percent < NGX_MSGBUS_JOURNAL_AGAIN) {
        w->near = 0;
    }

    if (w->near || percent < NGX_MSGBUS_JOURNAL_NEAR) {
        return;
    }

    /* how old the oldest event is when there is no room for another one */

    stay = usage->age * 100 / percent;

    if (w->conf->ttl == 0 || stay >= w->conf->ttl) {
        return;
    }

    w->near = 1;

    times = w->conf->ttl / ngx_max(stay, 1) + 1;
    times = ngx_min(times, NGX_MSGBUS_JOURNAL_TIMES);

    ngx_msgbus_tell(w->tells, NGX_MSGBUS_TELL_GROWN, NGX_LOG_WARN, w->log, 0,
                    "msgbus journal \"%s\" takes %ui%% of its size, at this "
                    "pace events leave it after %uLs and not after their ttl: "
                    "set size %uLm or a shorter ttl", w->conf->path, percent,
                    stay / 1000,
                    times * usage->most / NGX_MSGBUS_JOURNAL_MEGABYTE + 1);
}


/* room for the next segment, and for the one that is made ready behind it */
static void
ngx_msgbus_journal_watch_disk(ngx_msgbus_journal_watch_t *w,
    ngx_msgbus_usage_t *usage)
{
    uint64_t  need;

    need = 2 * w->conf->segment;

    if (usage->bytes < usage->most) {
        need += ngx_min(usage->most - usage->bytes, need);
    }

    if (usage->left >= need) {
        return;
    }

    ngx_msgbus_tell(w->tells, NGX_MSGBUS_TELL_DISK, NGX_LOG_WARN, w->log, 0,
                    "the disk of msgbus journal \"%s\" has %uL bytes left, and "
                    "posts are refused when it is full: make room there, or "
                    "lower the size of the journal", w->conf->path,
                    usage->left);
}
