
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_OWNER_H_INCLUDED_
#define _NGX_MSGBUS_OWNER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * A process, or a thread, in one word, so that whoever finds it in shared
 * memory can ask whether it still lives:
 *
 *     63                                   22 21                       0
 *    +---------------------------------------+--------------------------+
 *    | time of its start, ticks since boot   | pid, or id of the thread |
 *    +---------------------------------------+--------------------------+
 *
 * The id alone would do until another process gets it, be it a worker or
 * not.  Linux has no id of more than 22 bits; 42 bits of ticks last longer
 * than a thousand years.  Where /proc does not tell, the time is 0.
 */
#define NGX_MSGBUS_OWNER_BITS  22
#define NGX_MSGBUS_OWNER_MASK  0x3fffff


/* the owner that a process, or a thread, of this id is; anywhere */
ngx_atomic_uint_t ngx_msgbus_owner(ngx_pid_t id);

/* the same of the calling thread */
ngx_atomic_uint_t ngx_msgbus_owner_thread(void);

/*
 * A process: is it gone, with all of its threads, whether its parent has
 * asked for its status or not?  Anywhere; it costs some system calls.
 */
ngx_uint_t ngx_msgbus_owner_is_dead(ngx_atomic_uint_t owner);

/*
 * A thread: NGX_OK, it runs or may run again; NGX_BUSY, it stands still until
 * somebody lets it go on; NGX_DECLINED, it is dead.  ticks are as many of the
 * lower bits of the time of its start as are in mask.  Likewise.
 */
ngx_int_t ngx_msgbus_owner_thread_state(ngx_pid_t id, ngx_atomic_uint_t ticks,
    ngx_atomic_uint_t mask);


#endif /* _NGX_MSGBUS_OWNER_H_INCLUDED_ */
