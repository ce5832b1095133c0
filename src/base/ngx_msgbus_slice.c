
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The turns of a thread that works beside the event loop.
 *
 * Two that want one processor are given it in turns, some ms each.  For the
 * loop that is the wait of a request that comes meanwhile.  The length of a
 * thread's turns is an attribute of its own, apart from its share, since
 * Linux 6.12: sched_setattr(2), sched_runtime.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/syscall.h>
#include "ngx_msgbus_slice.h"


#if (NGX_LINUX && defined SYS_sched_setattr && defined SYS_sched_getattr)

/* ns, the least that the kernel takes */
#define NGX_MSGBUS_SLICE  100000


/* the kernel's struct sched_attr, as it was at first: libc may have none */
typedef struct {
    uint32_t  size;
    uint32_t  policy;
    uint64_t  flags;
    int32_t   nice;
    uint32_t  priority;
    uint64_t  runtime;     /* ns */
    uint64_t  deadline;
    uint64_t  period;
} ngx_msgbus_slice_attr_t;


void
ngx_msgbus_slice_short(void)
{
    ngx_msgbus_slice_attr_t  attr;

    ngx_memzero(&attr, sizeof(ngx_msgbus_slice_attr_t));

    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(ngx_msgbus_slice_attr_t),
                0)
        == -1)
    {
        return;
    }

    if (attr.policy != SCHED_OTHER) {

        /* somebody has set it, who knows better; or runtime is a budget */

        return;
    }

    attr.size = sizeof(ngx_msgbus_slice_attr_t);
    attr.runtime = NGX_MSGBUS_SLICE;

    (void) syscall(SYS_sched_setattr, 0, &attr, 0);
}

#else

void
ngx_msgbus_slice_short(void)
{
    /* void */
}

#endif
