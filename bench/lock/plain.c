
/*
 * Copyright (C) the msgbus authors
 */


/*
 * In place of the module's lock, for lock.c to measure: a mutex of the kind
 * that nginx gives its zones.  Who finds it taken looks again after 1, 2, 4,
 * ... pauses, then sleeps on a semaphore; whoever is there first has it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <semaphore.h>
#include <sys/mman.h>
#include "ngx_msgbus_lock.h"


#define PLAIN_SPIN  2048


typedef struct {
    ngx_atomic_t           owner;
    ngx_atomic_t           waiting;
    sem_t                  sem;
} plain_t;


static plain_t  *plain;


/* made by the first, which is the parent of all */
static void
plain_create(void)
{
    if (plain == NULL) {
        plain = mmap(NULL, sizeof(plain_t), PROT_READ|PROT_WRITE,
                     MAP_SHARED|MAP_ANONYMOUS, -1, 0);
        sem_init(&plain->sem, 1, 0);
    }
}


static ngx_uint_t
plain_try(void)
{
    return plain->owner == 0
           && ngx_atomic_cmp_set(&plain->owner, 0, ngx_pid);
}


void
ngx_msgbus_lock(ngx_msgbus_lock_t *lock)
{
    ngx_uint_t  i, n;

    plain_create();

    for ( ;; ) {

        if (plain_try()) {
            return;
        }

        for (n = 1; ngx_ncpu > 1 && n < PLAIN_SPIN; n <<= 1) {

            for (i = 0; i < n; i++) {
                ngx_cpu_pause();
            }

            if (plain_try()) {
                return;
            }
        }

        (void) ngx_atomic_fetch_add(&plain->waiting, 1);

        if (plain_try()) {
            (void) ngx_atomic_fetch_add(&plain->waiting, -1);
            return;
        }

        while (sem_wait(&plain->sem) == -1) {
            /* void */
        }
    }
}


void
ngx_msgbus_unlock(ngx_msgbus_lock_t *lock)
{
    ngx_atomic_uint_t  n;

    (void) ngx_atomic_cmp_set(&plain->owner, ngx_pid, 0);

    do {
        n = plain->waiting;

        if ((ngx_atomic_int_t) n <= 0) {
            return;
        }

    } while (!ngx_atomic_cmp_set(&plain->waiting, n, n - 1));

    (void) sem_post(&plain->sem);
}
