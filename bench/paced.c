
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The load of bench/quick: one request again and again, at a fixed rate.
 *
 *     paced 127.0.0.1:8080 CONNECTIONS RATE SECONDS STATUS < request
 *
 * All connections are kept alive.  By the clock, RATE / CONNECTIONS times a
 * second, each of them takes the answer that has come and sends the request
 * once more; in between the program sleeps, and no answer wakes it.  So
 * servers that are measured one after the other get the same requests at the
 * same moments, and none of them pays for waking a client that waits, which a
 * server pays that is faster than its load, and no other.
 *
 * An answer that is not there when its connection's turn comes is waited for
 * until the next turn: "late".  What is missed so is not made up for.  At the
 * end stands one line of JSON: answers, microseconds, bytes of the answers,
 * those of another status, connections that failed, turns that were late.
 */


#define _GNU_SOURCE

#include "program.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define MAX_CONNECTIONS  4096
#define MAX_REQUEST      (64 * 1024)
#define MAX_ANSWER       (64 * 1024)

/* what has not come by then does not come any more */
#define PATIENCE         (5 * SECOND)


typedef struct {
    int      fd;        /* -1: it has failed */
    int      waits;     /* for an answer */
    size_t   n;
    char    *in;
} connection_t;


static void connect_all(struct sockaddr_in *to);
static void turn(uint64_t end);
static void answer(connection_t *c);
static void hang_up(connection_t *c);
static void sleep_until(uint64_t when);
static int waiting(void);


static connection_t  connections[MAX_CONNECTIONS];
static int           nconnections;
static char          request[MAX_REQUEST];
static size_t        request_len;
static int           status;

static uint64_t      answers, bytes, wrong, failed, late;


int
main(int argc, char **argv)
{
    double              rate;
    uint64_t            begin, end, next, period, t;
    struct sockaddr_in  to;

    static const char  usage[] =
        "paced ADDRESS:PORT CONNECTIONS RATE SECONDS STATUS < request";

    to = loopback(argc == 6 ? argv[1] : NULL, usage);
    nconnections = atoi(argv[2]);
    rate = atof(argv[3]);
    status = atoi(argv[5]);

    if (nconnections < 1 || nconnections > MAX_CONNECTIONS || !(rate > 0)) {
        die(usage);
    }

    request_len = fread(request, 1, sizeof(request), stdin);

    if (request_len == 0 || request_len == sizeof(request)) {
        die("a request of 1 to 65535 bytes is to be on the standard input");
    }

    signal(SIGPIPE, SIG_IGN);
    (void) all_descriptors();
    connect_all(&to);

    period = SECOND * nconnections / rate;
    begin = now();
    end = begin + atof(argv[4]) * SECOND;

    for (next = begin; next < end; ) {
        turn(end);

        t = now();
        next = next + period > t ? next + period : t;
        sleep_until(next < end ? next : end);
    }

    t = now();

    while (waiting() && now() < t + PATIENCE) {
        sleep_until(now() + SECOND / 1000);
        turn(0);
    }

    printf("{\"requests\":%llu,\"us\":%llu,\"bytes\":%llu,\"status\":%llu,"
           "\"socket\":%llu,\"late\":%llu}\n",
           (unsigned long long) answers,
           (unsigned long long) (t - begin) / 1000,
           (unsigned long long) bytes, (unsigned long long) wrong,
           (unsigned long long) failed + waiting(), (unsigned long long) late);

    return 0;
}


static void
connect_all(struct sockaddr_in *to)
{
    int            i, on;
    connection_t  *c;

    on = 1;

    for (i = 0; i < nconnections; i++) {
        c = &connections[i];
        c->fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);
        c->in = malloc(MAX_ANSWER);

        if (c->fd == -1 || c->in == NULL
            || connect(c->fd, (struct sockaddr *) to, sizeof(*to)) == -1)
        {
            die("no connection");
        }

        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
}


/* each connection takes its answer and sends again, until the end */

static void
turn(uint64_t end)
{
    int            i;
    connection_t  *c;

    for (i = 0; i < nconnections; i++) {
        c = &connections[i];

        if (c->waits) {
            answer(c);
        }

        if (c->fd == -1 || end == 0) {
            continue;
        }

        if (c->waits) {
            late++;
            continue;
        }

        if (send(c->fd, request, request_len, MSG_NOSIGNAL)
            != (ssize_t) request_len)
        {
            hang_up(c);
            continue;
        }

        c->waits = 1;
        c->n = 0;
    }
}


static void
answer(connection_t *c)
{
    char    *body, *length;
    size_t   want;
    ssize_t  n;

    n = recv(c->fd, c->in + c->n, MAX_ANSWER - 1 - c->n, MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        hang_up(c);
        return;
    }

    c->n += n;
    c->in[c->n] = '\0';
    body = strstr(c->in, "\r\n\r\n");

    if (body == NULL) {
        return;
    }

    length = strcasestr(c->in, "\r\nContent-Length:");
    want = length && length < body ? strtoul(length + 17, NULL, 10) : 0;
    want += body + 4 - c->in;

    if (c->n < want) {
        return;
    }

    if (c->n > want || strncmp(c->in, "HTTP/1.1 ", 9) != 0) {
        hang_up(c);
        return;
    }

    answers++;
    bytes += want;
    wrong += atoi(c->in + 9) != status;
    c->waits = 0;
}


static void
hang_up(connection_t *c)
{
    close(c->fd);

    c->fd = -1;
    c->waits = 0;
    failed++;
}


static void
sleep_until(uint64_t when)
{
    struct timespec  ts;

    ts.tv_sec = when / SECOND;
    ts.tv_nsec = when % SECOND;

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL)
           == EINTR)
    {
        /* the rest of it */
    }
}


static int
waiting(void)
{
    int  i, n;

    n = 0;

    for (i = 0; i < nconnections; i++) {
        n += connections[i].waits;
    }

    return n;
}
