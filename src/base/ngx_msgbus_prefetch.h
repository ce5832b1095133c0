
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_PREFETCH_H_INCLUDED_
#define _NGX_MSGBUS_PREFETCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Has memory that is needed soon come into the cache meanwhile, with a compiler
 * that can say so.  It may be anybody's: nothing is read.
 */
static ngx_inline void
ngx_msgbus_prefetch(void *data, size_t size)
{
#if (__GNUC__ || __clang__)

    u_char  *p;

    for (p = data; p < (u_char *) data + size; p += 64) {
        __builtin_prefetch(p);
    }

#else

    (void) data;
    (void) size;

#endif
}


#endif /* _NGX_MSGBUS_PREFETCH_H_INCLUDED_ */
