
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_COND_H_INCLUDED_
#define _NGX_MSGBUS_COND_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <pthread.h>


/*
 * What threads of one process have together: a mutex, and a condition to wait
 * for.  Both are the process's own, and go with it; nothing of it lies in a
 * zone.
 */
typedef struct {
    pthread_mutex_t  mutex;
    pthread_cond_t   cond;
} ngx_msgbus_cond_t;


/* NGX_OK, or NGX_ERROR: the system has none left, there is nothing to free */
ngx_int_t ngx_msgbus_cond_init(ngx_msgbus_cond_t *cond);

/* frees it; no thread holds it or waits any more */
void ngx_msgbus_cond_destroy(ngx_msgbus_cond_t *cond);

/* short: the event loop takes it as well as a thread */
void ngx_msgbus_cond_lock(ngx_msgbus_cond_t *cond);
void ngx_msgbus_cond_unlock(ngx_msgbus_cond_t *cond);

/* wakes one that waits; the mutex is held */
void ngx_msgbus_cond_signal_locked(ngx_msgbus_cond_t *cond);

/* a deadline, so many ms from now; by no clock but that of the waits below */
uint64_t ngx_msgbus_cond_deadline(ngx_msec_t ms);

/*
 * Waits until it is signaled, or until a deadline, if that is not 0.  The mutex
 * is held before and after, and not in between; who waits looks again at what
 * it waits for, for it may be woken for nothing.  Never on the event loop.
 *
 * NGX_OK     it was woken
 * NGX_AGAIN  the deadline has passed
 */
ngx_int_t ngx_msgbus_cond_wait_locked(ngx_msgbus_cond_t *cond,
    uint64_t deadline);


#endif /* _NGX_MSGBUS_COND_H_INCLUDED_ */
