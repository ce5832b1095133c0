
/*
 * Copyright (C) the msgbus authors
 */


/*
 * How a thread waits for another one of its process.
 *
 * By the clock that nobody sets: one that is set back would have a thread wait
 * for as long as that was.  POSIX knows it as CLOCK_MONOTONIC, and Linux stops
 * it while the machine sleeps, so its times are not those of
 * ngx_msgbus_time_monotonic().
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_cond.h"


ngx_int_t
ngx_msgbus_cond_init(ngx_msgbus_cond_t *cond)
{
    int                 err;
    pthread_condattr_t  attr;

    if (pthread_mutex_init(&cond->mutex, NULL) != 0) {
        return NGX_ERROR;
    }

    err = pthread_condattr_init(&attr);

    if (err == 0) {
        err = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);

        if (err == 0) {
            err = pthread_cond_init(&cond->cond, &attr);
        }

        (void) pthread_condattr_destroy(&attr);
    }

    if (err) {
        (void) pthread_mutex_destroy(&cond->mutex);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_msgbus_cond_destroy(ngx_msgbus_cond_t *cond)
{
    (void) pthread_cond_destroy(&cond->cond);
    (void) pthread_mutex_destroy(&cond->mutex);
}


void
ngx_msgbus_cond_lock(ngx_msgbus_cond_t *cond)
{
    (void) pthread_mutex_lock(&cond->mutex);
}


void
ngx_msgbus_cond_unlock(ngx_msgbus_cond_t *cond)
{
    (void) pthread_mutex_unlock(&cond->mutex);
}


void
ngx_msgbus_cond_signal_locked(ngx_msgbus_cond_t *cond)
{
    (void) pthread_cond_signal(&cond->cond);
}


uint64_t
ngx_msgbus_cond_deadline(ngx_msec_t ms)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    /* a part of a millisecond counts as one: not too early */

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000 + 1
           + ms;
}


ngx_int_t
ngx_msgbus_cond_wait_locked(ngx_msgbus_cond_t *cond, uint64_t deadline)
{
    struct timespec  ts;

    if (deadline == 0) {
        (void) pthread_cond_wait(&cond->cond, &cond->mutex);
        return NGX_OK;
    }

    ts.tv_sec = (time_t) (deadline / 1000);
    ts.tv_nsec = (long) (deadline % 1000 * 1000000);

    return pthread_cond_timedwait(&cond->cond, &cond->mutex, &ts) == 0
           ? NGX_OK : NGX_AGAIN;
}
