
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Preloaded into nginx: a worker that dies in the middle of a change of the log,
 * or stands still there.  It stands before a function of the module that is a
 * part of each step by which an event comes into the log.
 *
 * The file that $TORN names has what happens the next time, once: 64 bits; 0:
 * nothing, -1: it dies, else it stands still for so many ms.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>


typedef void (*torn_step_pt)(void *log, void *rec, uint32_t *nodes);


static int64_t            torn_never;
static volatile int64_t  *torn = &torn_never;
static char              *torn_module;   /* nginx drops its environment */


void ngx_msgbus_filing_add_locked(void *log, void *rec, uint32_t *nodes);


__attribute__((constructor)) static void
torn_begin(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("TORN");

    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDWR|O_CLOEXEC);

    if (fd == -1) {
        abort();
    }

    p = mmap(NULL, sizeof(int64_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) {
        abort();
    }

    torn = p;
    torn_module = strdup(getenv("TORN_MODULE"));

    close(fd);
}


void
ngx_msgbus_filing_add_locked(void *log, void *rec, uint32_t *nodes)
{
    int64_t              what;
    void                *module;
    struct timespec      ts;
    static torn_step_pt  step;

    if (step == NULL) {

        /* nginx has loaded it: no other one is */

        module = dlopen(torn_module, RTLD_NOW|RTLD_NOLOAD);

        if (module == NULL) {
            abort();
        }

        step = (torn_step_pt) dlsym(module, "ngx_msgbus_filing_add_locked");

        if (step == NULL || step == ngx_msgbus_filing_add_locked) {
            abort();
        }
    }

    step(log, rec, nodes);

    what = *torn;

    if (what == 0 || !__atomic_compare_exchange_n((int64_t *) torn, &what, 0, 0,
                                                  __ATOMIC_SEQ_CST,
                                                  __ATOMIC_SEQ_CST))
    {
        return;
    }

    if (what == -1) {
        raise(SIGKILL);
    }

    ts.tv_sec = what / 1000;
    ts.tv_nsec = what % 1000 * 1000000;

    while (nanosleep(&ts, &ts) == -1) { /* void */ }
}
