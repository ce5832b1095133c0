
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Processes that all have the same to tell, all the time, on a clock of their
 * own that goes fast, and of which one is killed now and then: a line is
 * written once a minute, never twice, and what is left out is counted.
 */


#include "unit.h"
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "ngx_msgbus_tell.h"
#include "ngx_msgbus_time.h"


#define TELL_PROCESSES  6
#define TELL_BEGIN      12345
#define TELL_MINUTES    400

/* one who looks at the clock is this long about it, in tenths of a second */
#define TELL_SLOW       30


/* what all processes see */
typedef struct {
    ngx_msgbus_tells_t  tells;
    ngx_atomic_t        now;           /* tenths of a second */
    ngx_atomic_t        told;          /* by callers */
    ngx_atomic_t        stop;
    ngx_atomic_t        lines;
    ngx_atomic_t        counted;       /* as left out, by lines, */
    ngx_atomic_t        passed;        /*   in so many seconds */
} tell_shared_t;


static void tell_begin(void);
static void tell_one(ngx_uint_t kind, ngx_uint_t level);
static void tell_alone(void);
static void tell_together(ngx_uint_t kills);
static pid_t tell_process(void);


static tell_shared_t  *shared;
static ngx_log_t       tell_log = { .log_level = NGX_LOG_WARN };
static ngx_uint_t      tell_busy;
static char            tell_more[64];


int
main(void)
{
    unit_init();

    shared = mmap(NULL, sizeof(tell_shared_t), PROT_READ|PROT_WRITE,
                  MAP_ANON|MAP_SHARED, -1, 0);
    unit_check(shared != MAP_FAILED, "no memory");

    tell_alone();
    tell_together(0);
    tell_together(1);

    return 0;
}


/* as nginx's, as far as they are needed here: of each line that is written */

u_char *
ngx_vslprintf(u_char *buf, u_char *last, const char *fmt, va_list args)
{
    (void) ngx_atomic_fetch_add(&shared->lines, 1);

    return buf;
}


u_char * ngx_cdecl
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    va_list   args;
    uint64_t  left, passed;

    va_start(args, fmt);
    left = va_arg(args, ngx_atomic_uint_t);
    passed = va_arg(args, uint64_t);
    va_end(args);

    (void) ngx_atomic_fetch_add(&shared->counted, left);
    (void) ngx_atomic_fetch_add(&shared->passed, passed);

    snprintf(tell_more, sizeof(tell_more), "%" PRIu64 " in %" PRIu64, left,
             passed);

    return buf;
}


uint64_t
ngx_msgbus_time_monotonic(void)
{
    uint64_t  now, later;

    now = shared->now;

    if (tell_busy && unit_once_in(50)) {

        /* the others go on before this one does */

        later = now + unit_below(TELL_SLOW);

        while (shared->now < later && !shared->stop) {
            sched_yield();
        }
    }

    return now * 100000;
}


static void
tell_begin(void)
{
    memset(shared, 0, sizeof(tell_shared_t));
    tell_more[0] = '\0';
    shared->now = TELL_BEGIN;
}


static void
tell_one(ngx_uint_t kind, ngx_uint_t level)
{
    ngx_msgbus_tell(&shared->tells, kind, level, &tell_log, 0, "line");
}


/* the rules, one by one */
static void
tell_alone(void)
{
    ngx_uint_t  n;

    tell_begin();

    for (n = 0; n < 18; n++) {
        tell_one(NGX_MSGBUS_TELL_FAILED, NGX_LOG_WARN);
    }

    unit_check(shared->lines == 1, "%d lines of one kind", (int) shared->lines);
    unit_check(tell_more[0] == '\0', "the first line knows of others");

    /* another kind, another zone, and what the log does not want */

    tell_one(NGX_MSGBUS_TELL_BODY, NGX_LOG_WARN);
    unit_check(shared->lines == 2, "one kind hides another");

    tell_one(NGX_MSGBUS_TELL_HASH, NGX_LOG_NOTICE);
    tell_one(NGX_MSGBUS_TELL_HASH, NGX_LOG_WARN);
    unit_check(shared->lines == 3, "a line that is not wanted takes a turn");

    shared->now += 600;
    tell_one(NGX_MSGBUS_TELL_FAILED, NGX_LOG_WARN);
    unit_check(shared->lines == 3, "it comes again before a minute is over");

    shared->now += 10;
    tell_one(NGX_MSGBUS_TELL_FAILED, NGX_LOG_WARN);
    unit_check(shared->lines == 4, "it does not come again");
    unit_check(strcmp(tell_more, "18 in 61") == 0, "it says \"%s\"", tell_more);

    /* of no zone in particular: unlimited at first */

    for (n = 0; n < 3; n++) {
        ngx_msgbus_tell(NULL, NGX_MSGBUS_TELL_JSON, NGX_LOG_WARN, &tell_log, 0,
                        "line");
    }

    unit_check(shared->lines == 7, "nobody has named a zone");

    ngx_msgbus_tell_common(&shared->tells);

    for (n = 0; n < 3; n++) {
        ngx_msgbus_tell(NULL, NGX_MSGBUS_TELL_JSON, NGX_LOG_WARN, &tell_log, 0,
                        "line");
    }

    unit_check(shared->lines == 8, "a zone counts what is told of none");

    /* trouble ends once, and not before it was told */

    tell_begin();

    unit_check(!ngx_msgbus_tell_ends(&shared->tells, NGX_MSGBUS_TELL_FAILED,
                                     NGX_MSGBUS_TELL_WELL),
               "what has not begun ends");

    tell_one(NGX_MSGBUS_TELL_FAILED, NGX_LOG_WARN);

    for (n = 0; n < 2; n++) {
        unit_check(ngx_msgbus_tell_ends(&shared->tells, NGX_MSGBUS_TELL_FAILED,
                                        NGX_MSGBUS_TELL_WELL) == !n,
                   "its end is told %d times", (int) n);
    }

    /* an end that may not be told yet is told later */

    shared->now += 500;
    tell_one(NGX_MSGBUS_TELL_FAILED, NGX_LOG_WARN);
    shared->now += 105;
    unit_check(!ngx_msgbus_tell_ends(&shared->tells, NGX_MSGBUS_TELL_FAILED,
                                     NGX_MSGBUS_TELL_WELL),
               "what was left out ends");
    tell_one(NGX_MSGBUS_TELL_FAILED, NGX_LOG_WARN);
    shared->now += 10;
    tell_one(NGX_MSGBUS_TELL_FAILED, NGX_LOG_WARN);

    unit_check(ngx_msgbus_tell_ends(&shared->tells, NGX_MSGBUS_TELL_FAILED,
                                    NGX_MSGBUS_TELL_WELL),
               "trouble that came again does not end");
}


static void
tell_together(ngx_uint_t kills)
{
    int         status;
    pid_t       pid[TELL_PROCESSES];
    uint64_t    lines;
    ngx_uint_t  i, n, killed;

    tell_begin();
    killed = 0;

    for (i = 0; i < TELL_PROCESSES; i++) {
        pid[i] = tell_process();
    }

    for (n = 0; n < TELL_MINUTES * 60; n++) {
        (void) ngx_atomic_fetch_add(&shared->now, 10);
        usleep(1);

        if (kills && n % 1000 == 0) {
            i = n / 1000 % TELL_PROCESSES;

            unit_check(kill(pid[i], SIGKILL) == 0, "kill");
            unit_check(waitpid(pid[i], &status, 0) == pid[i], "waitpid");

            killed++;
            pid[i] = tell_process();
        }
    }

    shared->stop = 1;

    for (i = 0; i < TELL_PROCESSES; i++) {
        unit_check(waitpid(pid[i], &status, 0) == pid[i] && status == 0,
                   "a process ends by %d", status);
    }

    lines = shared->lines;

    /* the system may let nobody run for some seconds of this clock */

    unit_check(lines <= TELL_MINUTES, "%d lines in %d minutes", (int) lines,
               TELL_MINUTES);
    unit_check(lines + killed >= TELL_MINUTES / 4, "%d lines in %d minutes",
               (int) lines, TELL_MINUTES);
    unit_check(shared->told > 100 * lines, "there is little to tell");

    /* each second is of one line */

    unit_check(shared->passed <= shared->now / 10 - TELL_BEGIN / 10,
               "%d s of lines in %d s", (int) shared->passed,
               (int) (shared->now / 10 - TELL_BEGIN / 10));

    /* who is killed takes with it what it had in hand */

    if (kills == 0) {
        unit_check(shared->counted + lines
                   + shared->tells.kind[NGX_MSGBUS_TELL_FAILED].left
                   == shared->told,
                   "%d told, %d counted and %d lines", (int) shared->told,
                   (int) shared->counted, (int) lines);
    }

    printf("lines %d of %d, killed %d\n", (int) lines, (int) shared->told,
           (int) killed);
}


static pid_t
tell_process(void)
{
    pid_t  pid;

    (void) unit_random();
    pid = fork();
    unit_check(pid != -1, "fork");

    if (pid) {
        return pid;
    }

    tell_busy = 1;

    while (!shared->stop) {
        (void) ngx_atomic_fetch_add(&shared->told, 1);
        tell_one(NGX_MSGBUS_TELL_FAILED, NGX_LOG_WARN);
    }

    _exit(0);
}
