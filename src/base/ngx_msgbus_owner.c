
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Who has something in shared memory, and whether it is still there to use
 * it: processes that own slots, threads that hold a lock.
 *
 * What the system says is all that counts.  It does not matter who the parent
 * is, and whether that one looks after its children.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/syscall.h>
#include "ngx_msgbus_owner.h"


/* what /proc tells of a thread, and of its process */
typedef struct {
    u_char                 state;
    ngx_uint_t             threads;    /* of the process */
    ngx_atomic_uint_t      ticks;      /* of its start, since boot */
} ngx_msgbus_stat_t;


static ngx_uint_t ngx_msgbus_owner_ended(ngx_msgbus_stat_t *st);
static ngx_uint_t ngx_msgbus_owner_is_gone(ngx_pid_t id);
static ngx_int_t ngx_msgbus_owner_stat(ngx_pid_t id, ngx_msgbus_stat_t *st);


ngx_atomic_uint_t
ngx_msgbus_owner(ngx_pid_t id)
{
    ngx_msgbus_stat_t  st;

    if (ngx_msgbus_owner_stat(id, &st) != NGX_OK) {
        st.ticks = 0;
    }

    return (st.ticks << NGX_MSGBUS_OWNER_BITS) | (ngx_atomic_uint_t) id;
}


ngx_atomic_uint_t
ngx_msgbus_owner_thread(void)
{
    return ngx_msgbus_owner((ngx_pid_t) syscall(SYS_gettid));
}


ngx_uint_t
ngx_msgbus_owner_is_dead(ngx_atomic_uint_t owner)
{
    ngx_pid_t          pid;
    ngx_atomic_uint_t  ticks;
    ngx_msgbus_stat_t  st;

    pid = (ngx_pid_t) (owner & NGX_MSGBUS_OWNER_MASK);
    ticks = owner >> NGX_MSGBUS_OWNER_BITS;

    if (ngx_msgbus_owner_stat(pid, &st) != NGX_OK) {
        return ngx_msgbus_owner_is_gone(pid);
    }

    if (ticks && st.ticks && ticks != st.ticks) {
        return 1;
    }

    /* its first thread may have ended before the others */

    return ngx_msgbus_owner_ended(&st) && st.threads <= 1;
}


ngx_int_t
ngx_msgbus_owner_thread_state(ngx_pid_t id, ngx_atomic_uint_t ticks,
    ngx_atomic_uint_t mask)
{
    ngx_msgbus_stat_t  st;

    if (ngx_msgbus_owner_stat(id, &st) != NGX_OK) {
        return ngx_msgbus_owner_is_gone(id) ? NGX_DECLINED : NGX_OK;
    }

    if (ticks && (st.ticks & mask) && ticks != (st.ticks & mask)) {
        return NGX_DECLINED;
    }

    if (ngx_msgbus_owner_ended(&st)) {
        return NGX_DECLINED;
    }

    return st.state == 'T' || st.state == 't' ? NGX_BUSY : NGX_OK;
}


/* it waits for its parent to ask for it, or not even that */
static ngx_uint_t
ngx_msgbus_owner_ended(ngx_msgbus_stat_t *st)
{
    return st->state == 'Z' || st->state == 'X' || st->state == 'x';
}


/* where /proc says nothing */
static ngx_uint_t
ngx_msgbus_owner_is_gone(ngx_pid_t id)
{
    return kill(id, 0) == -1 && ngx_errno == ESRCH;
}


/* NGX_OK, or NGX_DECLINED: there is no such thread, or no /proc */
static ngx_int_t
ngx_msgbus_owner_stat(ngx_pid_t id, ngx_msgbus_stat_t *st)
{
    int                 n, fd;
    u_char             *p, *last;
    ngx_uint_t          field;
    ngx_atomic_uint_t   value;
    u_char              name[sizeof("/proc//stat") + NGX_INT64_LEN];
    u_char              buf[1024];

    *ngx_sprintf(name, "/proc/%P/stat", id) = '\0';

    fd = open((char *) name, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return NGX_DECLINED;
    }

    n = read(fd, buf, sizeof(buf));

    (void) close(fd);

    if (n <= 0) {
        return NGX_DECLINED;
    }

    /* field 2, a name, may have any bytes; the third is the state */

    last = buf + n;
    p = last;

    while (p > buf && p[-1] != ')') {
        p--;
    }

    if (last - p < 2) {
        return NGX_DECLINED;
    }

    st->state = p[1];
    st->threads = 1;
    st->ticks = 0;

    /* threads are the 20th, the start is the 22nd */

    for (field = 2; p < last && field < 22; /* void */ ) {

        if (*p++ != ' ' || (++field != 20 && field != 22)) {
            continue;
        }

        for (value = 0; p < last && *p >= '0' && *p <= '9'; p++) {
            value = value * 10 + (*p - '0');
        }

        if (field == 20) {
            st->threads = value;

        } else {
            st->ticks = value;
        }
    }

    return NGX_OK;
}
