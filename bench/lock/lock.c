
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What the lock of a zone costs those who want it, and what a death costs.
 *
 *     lock wait SECONDS PROCESSES   all of them append to one full log, as fast
 *                                   as they can; for 1 s after each 3 they read
 *                                   the clock, and do nothing else
 *     lock repair MEGABYTES         a zone is filled; processes die in it, at
 *                                   instructions of a change chosen at random,
 *                                   and the next one takes the lock
 *
 * The log is the module's own.  So is the lock, or another one is linked in its
 * place: plain.c.
 */


#define _GNU_SOURCE

#include <ngx_config.h>
#include <ngx_core.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include "ngx_msgbus_log.h"


#define BENCH_PROCESSES  64
#define BENCH_EVENT      300
#define BENCH_NAMES      100000
#define BENCH_DEATHS     300
#define BENCH_TRAP       0x100


/* in shared memory, beside the zone */
typedef struct {
    volatile uint64_t      holds;
    volatile uint64_t      stop;
    volatile uint64_t      traps;
    volatile uint64_t      resting;    /* nobody wants the lock */
    uint64_t               row[BENCH_PROCESSES];
    uint64_t               longest[BENCH_PROCESSES];   /* ns */
    uint64_t               lock[BENCH_PROCESSES];      /* ns */
    uint64_t               hold[BENCH_PROCESSES];      /* ns, the longest */
    uint64_t               gap[BENCH_PROCESSES];       /* ns, off its core */
    uint64_t               total[BENCH_PROCESSES];
    uint64_t               done[BENCH_PROCESSES];
} bench_t;


static uint64_t bench_now(void);
static void bench_zone(size_t size);
static ngx_int_t bench_append(uint64_t n, ngx_uint_t deep);
static void bench_spend(uint64_t ns);
static void bench_rest(ngx_uint_t n);
static void bench_work(ngx_uint_t n);
static uint64_t bench_most(uint64_t *of, ngx_uint_t processes);
static void bench_wait(ngx_uint_t seconds, ngx_uint_t processes);
static void bench_repair(size_t size);


ngx_int_t              ngx_ncpu;
ngx_pid_t              ngx_pid;
volatile ngx_cycle_t  *ngx_cycle;
static ngx_cycle_t     cycle;
static ngx_log_t       quiet;

static bench_t            *shared;
static ngx_msgbus_log_t    log_view, *log = &log_view;
static ngx_slab_pool_t     pool;
static u_char              data[BENCH_EVENT];
static uint64_t            work;


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *l, ngx_err_t err,
    const char *fmt, ...)
{
}


static uint64_t
bench_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


int
main(int argc, char **argv)
{
    if (argc < 3) {
        return 2;
    }

    setvbuf(stdout, NULL, _IONBF, 0);

    ngx_ncpu = sysconf(_SC_NPROCESSORS_ONLN);
    ngx_pid = getpid();
    cycle.log = &quiet;
    ngx_cycle = &cycle;
    pool.log_ctx = (u_char *) "";

    memset(data, 'x', BENCH_EVENT);

    shared = mmap(NULL, sizeof(bench_t), PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (strcmp(argv[1], "wait") == 0) {
        work = argc > 4 ? atoi(argv[4]) : 0;
        bench_wait(atoi(argv[2]), argc > 3 ? atoi(argv[3]) : 8);

    } else {
        bench_repair((size_t) atoi(argv[2]) * 1024 * 1024);
    }

    return 0;
}


static void
bench_zone(size_t size)
{
    u_char                 *addr;
    size_t                  head;
    ngx_msgbus_guard_sh_t  *guard;

    addr = mmap(NULL, size, PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (addr == MAP_FAILED) {
        printf("no memory\n");
        exit(1);
    }

    guard = (ngx_msgbus_guard_sh_t *) addr;
    head = ngx_align(sizeof(ngx_msgbus_guard_sh_t), 4096);

    log->lock.sh = &guard->lock;
    log->undo = &guard->undo;
    log->shpool = &pool;
    log->ttl = (uint64_t) 1 << 60;
    log->max_events = NGX_MAX_UINT32_VALUE;

    if (ngx_msgbus_log_init(log, addr + head, size - head, 1) != NGX_OK) {
        exit(1);
    }

    ngx_msgbus_log_start(log, 1, 7, 0);
}


/* one of many channels, or of a new one that is as deep as can be */
static ngx_int_t
bench_append(uint64_t n, ngx_uint_t deep)
{
    u_char                *p, text[NGX_MSGBUS_CHANNEL_LEN + 1];
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_str_t              name;
    ngx_msgbus_event_t     ev;
    ngx_msgbus_channel_t   ch;

    p = text;

    if (deep) {
        for (i = 0; i < NGX_MSGBUS_CHANNEL_DEPTH; i++) {
            p += sprintf((char *) p, "/%" PRIu64, n % 100000 + i);
        }

    } else {
        p += sprintf((char *) p, "/channel/%" PRIu64, n % BENCH_NAMES);
    }

    name.data = text;
    name.len = p - text;

    if (ngx_msgbus_channel_parse(&ch, &name, log->sh->seed) != NGX_OK) {
        exit(1);
    }

    memset(&ev, 0, sizeof(ngx_msgbus_event_t));

    ev.channel = &ch;
    ev.created = 1;
    ev.since = 1;
    ev.data.data = data;
    ev.data.len = BENCH_EVENT;
    ngx_str_set(&ev.user_agent, "bench");

    do {
        ngx_msgbus_log_lock(log);

        shared->holds++;
        ev.id = log->sh->last_id + 1;

        rc = ngx_msgbus_log_append_locked(log, &ev, 1);

        ngx_msgbus_log_unlock(log);

    } while (rc == NGX_AGAIN);

    return rc;
}


/* what a process does without the lock, about so many ns */
static void
bench_spend(uint64_t ns)
{
    uint64_t  until;

    until = bench_now() + ns;

    while (ns && bench_now() < until) {
        /* void */
    }
}


/*
 * The floor: between two readings of the clock it was off its core.  No lock
 * can be faster than that for one who is not asleep.
 */
static void
bench_rest(ngx_uint_t n)
{
    uint64_t  now, last;

    last = bench_now();

    while (shared->resting && !shared->stop) {
        now = bench_now();
        shared->gap[n] = ngx_max(shared->gap[n], now - last);
        last = now;
    }
}


static void
bench_work(ngx_uint_t n)
{
    u_char                text[64];
    uint64_t              begin, held, waited, before, row, i;
    ngx_str_t             name;
    ngx_msgbus_event_t    ev;
    ngx_msgbus_channel_t  ch;

    ngx_pid = getpid();
    ngx_msgbus_lock_moved(&log->lock);

    for (i = n; !shared->stop; i += BENCH_PROCESSES) {

        bench_rest(n);

        name.data = text;
        name.len = sprintf((char *) text, "/channel/%" PRIu64, i % 1000);

        (void) ngx_msgbus_channel_parse(&ch, &name, log->sh->seed);

        memset(&ev, 0, sizeof(ngx_msgbus_event_t));

        ev.channel = &ch;
        ev.created = 1;
        ev.since = 1;
        ev.data.data = data;
        ev.data.len = BENCH_EVENT;
        ngx_str_set(&ev.user_agent, "bench");

        bench_spend(work);

        log->lock.longest = 0;

        begin = bench_now();
        before = shared->holds;

        ngx_msgbus_log_lock(log);

        held = bench_now();
        row = shared->holds - before;
        waited = held - begin;
        shared->holds++;

        ev.id = log->sh->last_id + 1;
        (void) ngx_msgbus_log_append_locked(log, &ev, 1);

        held = bench_now() - held;

        ngx_msgbus_log_unlock(log);

        if (shared->resting) {

            /* others may have left it their core no more */

            continue;
        }

        shared->done[n]++;
        shared->total[n] += waited;
        shared->row[n] = ngx_max(shared->row[n], row);
        shared->hold[n] = ngx_max(shared->hold[n], held);
        shared->longest[n] = ngx_max(shared->longest[n], waited);
        shared->lock[n] = ngx_max(shared->lock[n], log->lock.longest);
    }
}


static uint64_t
bench_most(uint64_t *of, ngx_uint_t processes)
{
    uint64_t    most;
    ngx_uint_t  i;

    most = 0;

    for (i = 0; i < processes; i++) {
        most = ngx_max(most, of[i]);
    }

    return most;
}


static void
bench_wait(ngx_uint_t seconds, ngx_uint_t processes)
{
    uint64_t       i, longest, lock, gap, total, done;
    ngx_uint_t     s;

    bench_zone(64 * 1024 * 1024);

    for (i = 0; i < 300000; i++) {
        (void) bench_append(i, 0);
    }

    shared->holds = 0;

    for (i = 0; i < processes; i++) {
        if (fork() == 0) {
            bench_work(i);
            _exit(0);
        }
    }

    for (s = 1; s <= seconds; s++) {
        sleep(1);

        if (s % 3 == 0 || s == seconds) {
            shared->resting = 1;
            sleep(1);
            shared->resting = 0;
        }
    }

    shared->stop = 1;

    while (wait(NULL) != -1) {
        /* void */
    }

    total = done = 0;

    for (i = 0; i < processes; i++) {
        total += shared->total[i];
        done += shared->done[i];
    }

    longest = bench_most(shared->longest, processes);
    lock = bench_most(shared->lock, processes);
    gap = bench_most(shared->gap, processes);

    printf("%.0f | %.2f | %.2f | %.2f | %" PRIu64 " | %.2f | %.2f | ",
           (double) done / seconds, (double) total / done / 1000,
           (double) longest / 1e6, (double) lock / 1e6,
           bench_most(shared->row, processes),
           (double) bench_most(shared->hold, processes) / 1e6,
           (double) gap / 1e6);

    /* a lock that does not say so is looked at from outside alone */

    printf("%.2f\n", (double) (lock ? lock : longest) / gap);
}


/* dies at one of its traps; or counts them */
static uint64_t  last_trap;


static void
bench_trap(int signo, siginfo_t *info, void *context)
{
    if (++shared->traps == last_trap) {
        kill(getpid(), SIGKILL);
    }
}


static void
bench_repair(size_t size)
{
#if (defined(__x86_64__))

    pid_t             pid;
    double            waited, longest, sum, slept;
    uint64_t          i, n, begin, events, repairs, traps[2];
    siginfo_t         info;
    ngx_uint_t        deep;
    struct sigaction  sa;

    bench_zone(size);

    begin = bench_now();

    for (i = 0; log->sh->evicted_id == 0; i++) {
        (void) bench_append(i, 0);
    }

    events = log->sh->next_serial - log->sh->head_serial;

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_sigaction = bench_trap;
    sa.sa_flags = SA_SIGINFO;

    longest = sum = 0;
    traps[0] = traps[1] = 0;

    for (n = 0; n < BENCH_DEATHS + 2; n++) {

        deep = n & 1;
        shared->traps = 0;
        last_trap = n < 2 ? 0 : 1 + random() % traps[deep];

        pid = fork();

        if (pid == 0) {
            ngx_pid = getpid();
            ngx_msgbus_lock_moved(&log->lock);

            /* attached, and the cache is warm */

            ngx_msgbus_log_lock(log);
            ngx_msgbus_log_unlock(log);

            sigaction(SIGTRAP, &sa, NULL);

            __asm__ volatile ("pushfq; orq %0, (%%rsp); popfq"
                              : : "i" (BENCH_TRAP) : "cc", "memory");

            (void) bench_append(i + n, deep);

            _exit(0);
        }

        waitid(P_PID, pid, &info, WEXITED|WNOWAIT);

        if (n < 2) {
            traps[deep] = shared->traps;
        }

        begin = bench_now();

        ngx_msgbus_log_lock(log);

        waited = (bench_now() - begin) / 1e6;
        ngx_msgbus_log_unlock(log);

        waitpid(pid, NULL, 0);

        longest = ngx_max(longest, waited);
        sum += waited;
    }

    repairs = log->sh->repairs;

    /* of what was waited, most is the first sleep of who looks after it */

    slept = sum / (BENCH_DEATHS + 2);

    printf("%zu MB | %" PRIu64 " | %d of %" PRIu64 " and %" PRIu64 " | %"
           PRIu64 " | %.3f | %.3f\n",
           size >> 20, events, BENCH_DEATHS, traps[0], traps[1], repairs,
           slept, longest);
#else
    printf("deaths at an instruction need an x86-64\n");
#endif
}
