
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The zone's lock and its undo record, among processes and threads that live,
 * stand still and die.
 *
 *     lock_check kill MS       processes that count together and are killed at
 *                              any moment: nobody holds it beside another, and
 *                              both halves of a step are there or none
 *     lock_check zombie        the holder is dead, its parent does not ask for
 *                              it
 *     lock_check thread        the holder is a thread that has ended, of a
 *                              process that lives
 *     lock_check greedy N      one takes it again as soon as it has let it go,
 *                              while another one has waited for long; N times
 *     lock_check many MS N     N processes hold it in turn and do nothing else:
 *                              how many holds in a row one of them waits
 *     lock_check heir          the one to whom it is handed over dies
 *     lock_check stopped N     the one to whom it is handed over is stopped, and
 *                              another one takes it N times meanwhile
 *     lock_check unloved MS N  N processes never rest, and the system runs one
 *                              more only when it has little else to run
 *     lock_check steps N       who waits, is handed it or hands it over dies,
 *                              each time N instructions later
 *     lock_check alarm N       the holder is dead, and signals come faster than
 *                              a sleep ends; N times
 *
 * Nothing in here stands in for the lock: all of it is the module's own.
 */


#define _GNU_SOURCE

#include <ngx_config.h>
#include <ngx_core.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include "ngx_msgbus_lock.h"
#include "ngx_msgbus_undo.h"


#define CHECK_PROCESSES  32
#define CHECK_SECONDS    60

/* who has waited for so long, us, has it next; and has to be found late first */
#define CHECK_PATIENCE   4000
#define CHECK_LATE       2000

/* the trap flag */
#define CHECK_TRAP       0x100


/* what the processes share */
typedef struct {
    ngx_msgbus_lock_sh_t   lock;
    ngx_msgbus_undo_t      undo;

    uint64_t               sum;
    uint64_t               counted[CHECK_PROCESSES];
    volatile uint64_t      holder;
    volatile uint64_t      holds;
    volatile uint64_t      overlaps;
    volatile uint64_t      repairs;
    volatile uint64_t      stop;
    volatile uint64_t      waits[CHECK_PROCESSES];   /* of others' holds */
    volatile uint64_t      longest[CHECK_PROCESSES]; /* us */

    volatile uint64_t      unloved;    /* its claims' id */
    volatile uint64_t      since;      /* its wait that is looked at, ns */
    volatile uint64_t      passed;     /* by holds, in this wait */
    volatile uint64_t      most;       /* in one wait */

    volatile uint64_t      traps;
} check_t;


static uint64_t check_now(void);
static void check_take(ngx_msgbus_lock_t *lock);
static void check_count(ngx_uint_t n);
static pid_t check_fork(void (*run)(ngx_uint_t n), ngx_uint_t n);
static void check_kill(ngx_uint_t ms);
static void check_die(ngx_uint_t n);
static void check_zombie(void);
static void *check_thread(void *data);
static void check_threads(void);
static void check_wait(ngx_uint_t n);
static void check_greedy(ngx_uint_t trials);
static void check_hold(ngx_uint_t n);
static void check_many(ngx_uint_t ms, ngx_uint_t n);
static void check_sleep(ngx_uint_t n);
static void check_heir(void);
static void check_stopped(ngx_uint_t times);
static void check_rarely(ngx_uint_t n);
static void check_busy(ngx_uint_t n);
static void check_pass(void);
static void check_unloved(ngx_uint_t ms, ngx_uint_t n);
static void check_trap(int signo);
static void check_step(void);
static void check_wait_in_steps(ngx_uint_t n);
static void check_give_in_steps(ngx_uint_t n);
static uint64_t check_death(ngx_uint_t kind, uint64_t at);
static ngx_uint_t check_claims(void);
static void check_steps(ngx_uint_t stride);
static void check_signal(int signo);
static void check_alarm(ngx_uint_t trials);


ngx_int_t              ngx_ncpu = 2;
volatile ngx_cycle_t  *ngx_cycle;


static check_t            *shared;
static ngx_msgbus_lock_t   view;
static volatile uint32_t   signals;
static uint64_t            last_trap;


/* of nginx's core: a path of /proc is all that is asked for */
u_char *
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    buf += sprintf((char *) buf, "/proc/%d/stat", va_arg(args, int));
    va_end(args);

    return buf;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    abort();
}


static uint64_t
check_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


int
main(int argc, char **argv)
{
    ngx_uint_t  ms;

    setvbuf(stdout, NULL, _IONBF, 0);

    shared = mmap(NULL, sizeof(check_t), PROT_READ|PROT_WRITE,
                  MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    view.sh = &shared->lock;
    ms = argc > 2 ? atoi(argv[2]) : 0;

    /* rather than to wait for ever */

    alarm(CHECK_SECONDS);

    if (strcmp(argv[1], "kill") == 0) {
        check_kill(ms);

    } else if (strcmp(argv[1], "zombie") == 0) {
        check_zombie();

    } else if (strcmp(argv[1], "thread") == 0) {
        check_threads();

    } else if (strcmp(argv[1], "greedy") == 0) {
        check_greedy(ms);

    } else if (strcmp(argv[1], "many") == 0) {
        check_many(ms, atoi(argv[3]));

    } else if (strcmp(argv[1], "heir") == 0) {
        check_heir();

    } else if (strcmp(argv[1], "alarm") == 0) {
        check_alarm(ms);

    } else if (strcmp(argv[1], "stopped") == 0) {
        check_stopped(ms);

    } else if (strcmp(argv[1], "unloved") == 0) {
        check_unloved(ms, atoi(argv[3]));

    } else if (strcmp(argv[1], "steps") == 0) {
        check_steps(ms);
    }

    return 0;
}


/* as the log does it */
static void
check_take(ngx_msgbus_lock_t *lock)
{
    ngx_msgbus_lock(lock);

    if (shared->undo.n) {
        ngx_msgbus_undo_locked(&shared->undo);
        shared->repairs++;
    }
}


/* both numbers, or neither */
static void
check_count(ngx_uint_t n)
{
    ngx_uint_t  i;

    for ( ;; ) {
        check_take(&view);

        shared->holder = n + 1;

        ngx_msgbus_undo_set(&shared->undo, shared->sum, shared->sum + 1);

        for (i = 0; i < 500; i++) {
            ngx_msgbus_barrier();
        }

        if (shared->holder != n + 1) {
            shared->overlaps++;
        }

        ngx_msgbus_undo_set(&shared->undo, shared->counted[n],
                            shared->counted[n] + 1);
        ngx_msgbus_undo_done(&shared->undo);

        ngx_msgbus_unlock(&view);
    }
}


static pid_t
check_fork(void (*run)(ngx_uint_t n), ngx_uint_t n)
{
    pid_t  pid;

    pid = fork();

    if (pid == 0) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);

        ngx_msgbus_lock_moved(&view);
        run(n);
        _exit(0);
    }

    return pid;
}


static void
check_kill(ngx_uint_t ms)
{
    pid_t       pids[4];
    uint64_t    until, sum;
    ngx_uint_t  i, n, kills;

    for (n = 0; n < 4; n++) {
        pids[n] = check_fork(check_count, n);
    }

    srandom(getpid());
    kills = 0;
    until = check_now() + ms * 1000;

    while (check_now() < until) {

        usleep(200 + random() % 3000);

        i = random() % 4;

        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
        kills++;

        if (n < CHECK_PROCESSES) {
            pids[i] = check_fork(check_count, n++);

        } else {
            pids[i] = check_fork(check_count, i);
        }
    }

    for (i = 0; i < 4; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }

    check_take(&view);

    for (sum = 0, i = 0; i < CHECK_PROCESSES; i++) {
        sum += shared->counted[i];
    }

    printf("kills: %u\n", (unsigned) kills);
    printf("counted: %" PRIu64 "\n", sum);
    printf("difference: %" PRId64 "\n", (int64_t) (sum - shared->sum));
    printf("overlaps: %" PRIu64 "\n", shared->overlaps);
    printf("repairs: %" PRIu64 "\n", shared->repairs);
}


static void
check_die(ngx_uint_t n)
{
    check_take(&view);

    ngx_msgbus_undo_set(&shared->undo, shared->sum, shared->sum + 1);

    kill(getpid(), SIGKILL);
}


static void
check_zombie(void)
{
    uint64_t   begin;
    siginfo_t  info;

    (void) check_fork(check_die, 0);

    /* it has ended, and is there as long as nobody asks for its status */

    waitid(P_ALL, 0, &info, WEXITED|WNOWAIT);

    begin = check_now();

    check_take(&view);

    printf("waited ms: %.1f\n", (check_now() - begin) / 1000.0);
    printf("repairs: %" PRIu64 "\n", shared->repairs);
    printf("sum: %" PRIu64 "\n", shared->sum);
}


static void *
check_thread(void *data)
{
    ngx_msgbus_lock_t  mine;

    mine = view;
    ngx_msgbus_lock_moved(&mine);

    check_take(&mine);

    return data;
}


static void
check_threads(void)
{
    uint64_t   begin;
    pthread_t  thread;

    /* this thread's view is in use before it is copied */

    check_take(&view);
    ngx_msgbus_unlock(&view);

    pthread_create(&thread, NULL, check_thread, NULL);
    pthread_join(thread, NULL);

    begin = check_now();

    check_take(&view);

    printf("waited ms: %.1f\n", (check_now() - begin) / 1000.0);
}


static void
check_wait(ngx_uint_t n)
{
    check_take(&view);

    shared->waits[n] = shared->holds;
    shared->longest[n] = 1;

    ngx_msgbus_unlock(&view);
}


/* two wait, one after the other, and get it before the greedy one, in order */
static void
check_greedy(ngx_uint_t trials)
{
    pid_t       first, second;
    ngx_uint_t  i, good;

    good = 0;

    for (i = 0; i < trials; i++) {

        shared->holds = 0;
        shared->longest[0] = 0;
        shared->longest[1] = 0;

        check_take(&view);

        first = check_fork(check_wait, 0);
        usleep(20000);
        second = check_fork(check_wait, 1);
        usleep(20000);

        while (!shared->longest[0] || !shared->longest[1]) {
            shared->holds++;
            ngx_msgbus_unlock(&view);
            check_take(&view);
        }

        ngx_msgbus_unlock(&view);

        waitpid(first, NULL, 0);
        waitpid(second, NULL, 0);

        good += shared->waits[0] == 1 && shared->waits[1] == 1;
    }

    printf("greedy: %u\n", (unsigned) good);
}


/* lets go and takes it again */
static void
check_hold(ngx_uint_t n)
{
    uint64_t  begin, before, waited, now;

    while (!shared->stop) {

        begin = check_now();
        before = shared->holds;

        check_take(&view);

        now = check_now();
        waited = shared->holds - before;
        shared->holds++;

        if (waited > shared->waits[n]) {
            shared->waits[n] = waited;
        }

        if (now - begin > shared->longest[n]) {
            shared->longest[n] = now - begin;
        }

        while (check_now() - now < 20) {
            /* void */
        }

        ngx_msgbus_unlock(&view);
    }
}


static void
check_many(ngx_uint_t ms, ngx_uint_t n)
{
    uint64_t    waits, longest;
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        (void) check_fork(check_hold, i);
    }

    usleep(ms * 1000);
    shared->stop = 1;

    waits = 0;
    longest = 0;

    for (i = 0; i < n; i++) {
        wait(NULL);
    }

    for (i = 0; i < n; i++) {
        waits = ngx_max(waits, shared->waits[i]);
        longest = ngx_max(longest, shared->longest[i]);
    }

    printf("holds: %" PRIu64 "\n", shared->holds);
    printf("foreign holds in a row: %" PRIu64 "\n", waits);
    printf("longest wait ms: %.1f\n", longest / 1000.0);
}


static void
check_sleep(ngx_uint_t n)
{
    check_take(&view);
    ngx_msgbus_unlock(&view);
}


/* who sleeps longest is stopped, gets the lock in its sleep, and is killed */
static void
check_heir(void)
{
    pid_t     first, second;
    uint64_t  begin;

    check_take(&view);

    first = check_fork(check_sleep, 0);
    usleep(20000);

    kill(first, SIGSTOP);

    second = check_fork(check_sleep, 1);
    usleep(20000);

    /* both have waited for longer than they like to */

    ngx_msgbus_unlock(&view);

    begin = check_now();
    kill(first, SIGKILL);
    waitpid(first, NULL, 0);
    waitpid(second, NULL, 0);

    printf("waited ms: %.1f\n", (check_now() - begin) / 1000.0);
}


/* it was to have the lock, and does not move */
static void
check_stopped(ngx_uint_t times)
{
    pid_t       pid;
    uint64_t    begin;
    ngx_uint_t  i;

    check_take(&view);

    pid = check_fork(check_sleep, 0);
    usleep(20000);

    kill(pid, SIGSTOP);
    ngx_msgbus_unlock(&view);

    begin = check_now();

    for (i = 0; i < times; i++) {
        check_take(&view);
        ngx_msgbus_unlock(&view);
    }

    printf("waited ms: %.1f\n", (check_now() - begin) / 1000.0);

    kill(pid, SIGCONT);
    waitpid(pid, NULL, 0);

    printf("claims: %u\n", (unsigned) check_claims());
}


static void
check_rarely(ngx_uint_t n)
{
    (void) setpriority(PRIO_PROCESS, 0, 19);

    /* its first hold makes it known */

    while (!shared->stop) {
        check_take(&view);
        shared->unloved = view.me;
        shared->longest[n] = view.longest / 1000;
        ngx_msgbus_unlock(&view);
    }
}


static void
check_busy(ngx_uint_t n)
{
    uint64_t  begin;

    while (!shared->stop) {

        check_take(&view);

        check_pass();

        ngx_msgbus_unlock(&view);

        begin = check_now();

        while (check_now() - begin < 5) {
            /* void */
        }
    }
}


/* this hold passes it by, and it has waited for too long */
static void
check_pass(void)
{
    uint64_t                  since;
    ngx_uint_t                i;
    ngx_msgbus_lock_claim_t  *claim;

    for (i = 0; i < NGX_MSGBUS_LOCK_CLAIMS; i++) {

        claim = &shared->lock.claim[i];

        if (claim->id == 0 || claim->id != shared->unloved
            || (shared->lock.waiting & (uint64_t) 1 << i) == 0)
        {
            continue;
        }

        since = claim->since;

        if (since / 1000 + CHECK_PATIENCE + CHECK_LATE > check_now()) {
            return;
        }

        if (since != shared->since) {
            shared->since = since;
            shared->passed = 0;
        }

        shared->passed++;
        shared->most = ngx_max(shared->most, shared->passed);
    }
}


static void
check_unloved(ngx_uint_t ms, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        (void) check_fork(check_busy, i);
    }

    (void) check_fork(check_rarely, n);

    usleep(ms * 1000);
    shared->stop = 1;

    while (wait(NULL) != -1) {
        /* void */
    }

    printf("waited ms: %.1f\n", shared->longest[n] / 1000.0);
    printf("passed by: %" PRIu64 "\n", shared->most);
}


static void
check_trap(int signo)
{
    (void) signo;

    if (++shared->traps == last_trap) {
        kill(getpid(), SIGKILL);
    }
}


/* from here on each instruction is one step */
static void
check_step(void)
{
    struct sigaction  sa;

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = check_trap;
    sigaction(SIGTRAP, &sa, NULL);

#if (defined(__x86_64__))
    __asm__ volatile ("pushfq; orq %0, (%%rsp); popfq"
                      : : "i" (CHECK_TRAP) : "cc", "memory");
#endif
}


static void
check_wait_in_steps(ngx_uint_t n)
{
    view.me = 0;

    /* a first time, for it to know who it is */

    shared->holder = 1;
    check_take(&view);
    ngx_msgbus_unlock(&view);

    while (shared->holder != 2) {
        usleep(100);
    }

    check_step();

    check_take(&view);
    ngx_msgbus_unlock(&view);
}


/* it has it, and another one has waited for too long, or just sleeps */
static void
check_give_in_steps(ngx_uint_t n)
{
    check_take(&view);

    shared->holder = 1;

    while (shared->holder != 2) {
        usleep(100);
    }

    check_step();

    ngx_msgbus_unlock(&view);
}


/*
 * Of a kind, at this step; 0: at none.  How many steps there are:
 *
 *     0   it waits for a hold of no time
 *     1   it waits for longer than it likes to
 *     2   it unlocks while another one has done so
 */
static uint64_t
check_death(ngx_uint_t kind, uint64_t at)
{
    pid_t  pid, other;

    shared->traps = 0;
    shared->holder = 0;
    last_trap = at;
    other = -1;

    if (kind < 2) {
        pid = check_fork(check_wait_in_steps, 0);

        while (shared->holder != 1) {
            usleep(100);
        }

        check_take(&view);
        shared->holder = 2;

        usleep(kind ? CHECK_PATIENCE + 2000 : 1000);

        ngx_msgbus_unlock(&view);

    } else {
        pid = check_fork(check_give_in_steps, 0);

        while (shared->holder != 1) {
            usleep(100);
        }

        other = check_fork(check_sleep, 1);
        usleep(CHECK_PATIENCE + 2000);

        shared->holder = 2;
    }

    waitpid(pid, NULL, 0);

    if (other != -1) {
        waitpid(other, NULL, 0);
    }

    check_take(&view);
    ngx_msgbus_unlock(&view);

    return shared->traps;
}


static ngx_uint_t
check_claims(void)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < NGX_MSGBUS_LOCK_CLAIMS; i++) {
        n += shared->lock.claim[i].id != 0;
    }

    return n + (shared->lock.waiting != 0);
}


static void
check_steps(ngx_uint_t stride)
{
    pid_t       pid;
    uint64_t    at, all, begin;
    ngx_uint_t  kind, deaths;

    ngx_ncpu = 1;
    deaths = 0;

    check_step();
    last_trap = (uint64_t) -1;

#if (defined(__x86_64__))
    __asm__ volatile ("pushfq; andq %0, (%%rsp); popfq"
                      : : "i" (~CHECK_TRAP) : "cc", "memory");
#endif

    if (shared->traps == 0) {
        printf("cannot step: here\n");
        return;
    }

    for (kind = 0; kind < 3; kind++) {

        all = check_death(kind, 0);

        for (at = 1 + getpid() % stride; at <= all; at += stride) {
            (void) check_death(kind, at);
            deaths++;
        }

        printf("steps of %u: %" PRIu64 "\n", (unsigned) kind, all);
    }

    /* what they have claimed is given up after one more death at the latest */

    usleep(2 * CHECK_PATIENCE);

    pid = check_fork(check_die, 0);
    waitpid(pid, NULL, 0);

    begin = check_now();
    check_take(&view);
    ngx_msgbus_unlock(&view);

    printf("deaths: %u\n", (unsigned) deaths);
    printf("waited ms: %.1f\n", (check_now() - begin) / 1000.0);
    printf("claims: %u\n", (unsigned) check_claims());
}


static void
check_signal(int signo)
{
    (void) signo;

    /* rather than to wait for ever */

    if (++signals == 20000) {
        _exit(1);
    }
}


/* as "timer_resolution" has it: how many signals come until it is taken */
static void
check_alarm(ngx_uint_t trials)
{
    pid_t             pid;
    ngx_uint_t        i, few;
    struct sigaction  sa;
    struct itimerval  timer, off;

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = check_signal;
    sigaction(SIGALRM, &sa, NULL);

    memset(&off, 0, sizeof(struct itimerval));

    timer.it_interval.tv_sec = 0;
    timer.it_interval.tv_usec = 100;
    timer.it_value = timer.it_interval;

    few = 0;

    for (i = 0; i < trials; i++) {

        pid = check_fork(check_die, 0);
        waitpid(pid, NULL, 0);

        signals = 0;
        setitimer(ITIMER_REAL, &timer, NULL);

        check_take(&view);

        setitimer(ITIMER_REAL, &off, NULL);

        few += signals < 20;

        ngx_msgbus_unlock(&view);
    }

    printf("few: %u\n", (unsigned) few);
}
