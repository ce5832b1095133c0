
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A watch of all machine instructions.
 *
 * The processor's trap flag makes it stop after each one of them, those of
 * the C library's memcpy() and each turn of a "rep movsb" among them.  There
 * is a moment wherever the block has changed since the last one.  So what is
 * tested is what the compiler has made of the sources, with the flags that
 * the module is built with, and not only the sources.  x86-64 only.
 */


#define _GNU_SOURCE

#include "watch.h"
#include <signal.h>
#include <ucontext.h>


/* a signal for each instruction: this takes its time */

ngx_uint_t  watch_affords = 3;


#if (defined(__x86_64__) && defined(__linux__))

#define WATCH_DEPTH  2
#define WATCH_TRAP   0x100


typedef struct {
    u_char                *addr;
    u_char                *last;
    size_t                 size;
    void                 (*moment)(void);
    ngx_uint_t             end;
} watch_t;


static void watch_trap(int signo, siginfo_t *info, void *context);
static void watch_nothing(void);


static watch_t           watches[WATCH_DEPTH + 1], *watch;
static volatile size_t   trapped;


void
watch_run(u_char *addr, size_t size, void (*moment)(void),
    void (*do_it)(void))
{
    watch_t     *outer;
    struct sigaction   sa;

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_sigaction = watch_trap;
    sa.sa_flags = SA_SIGINFO|SA_NODEFER;
    sigaction(SIGTRAP, &sa, NULL);

    outer = watch;
    watch = outer ? outer + 1 : watches;

    unit_check(watch < watches + WATCH_DEPTH, "watches too deep");

    watch->last = realloc(watch->last, size);
    memcpy(watch->last, addr, size);

    watch->addr = addr;
    watch->size = size;
    watch->moment = moment;
    watch->end = 0;

    /* the red zone below the stack's end is not ours to push into */

    __asm__ volatile ("sub $128, %%rsp; pushfq; orq %0, (%%rsp); popfq;"
                      "add $128, %%rsp" : : "i" (WATCH_TRAP) : "cc", "memory");

    do_it();

    watch->end = 1;

    /* trapped once more, and no longer */

    __asm__ volatile ("nop; nop" : : : "memory");

    watch = outer;
}


static void
watch_trap(int signo, siginfo_t *info, void *context)
{
    ucontext_t     *uc = context;
    watch_t  *w;

    trapped++;
    w = watch;

    if (w->end) {
        uc->uc_mcontext.gregs[REG_EFL] &= ~WATCH_TRAP;
        return;
    }

    if (memcmp(w->last, w->addr, w->size) == 0) {
        return;
    }

    memcpy(w->last, w->addr, w->size);

    w->moment();
}


ngx_uint_t
watch_works(void)
{
    u_char  block[1];

    block[0] = 0;
    trapped = 0;

    watch_run(block, 1, watch_nothing, watch_nothing);

    return trapped > 2;
}


#else


static void watch_nothing(void);


void
watch_run(u_char *addr, size_t size, void (*moment)(void),
    void (*do_it)(void))
{
    do_it();
    watch_nothing();
}


ngx_uint_t
watch_works(void)
{
    return 0;
}

#endif


static void
watch_nothing(void)
{
}
