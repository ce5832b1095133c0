
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The floor of bench/push: the least that a server of streams can do.
 *
 *     floor 127.0.0.1:8080
 *
 * One process, one epoll.  A GET opens a stream of text/event-stream.  A POST
 * is answered, and its body goes to all of them: one frame is made, with the
 * bytes that the bus would send, and each subscriber costs one send().  What a
 * socket does not take at once is kept for it.
 *
 * No JSON check, no log, no cursor, one channel; any HTTP that the load does
 * not speak is refused by closing.  Three paths are there to prove the load:
 * POST /lose leaves out the newest subscriber, POST /twice sends to it twice,
 * and POST /quiet sends to nobody.
 */


#define _GNU_SOURCE

#include "../program.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define MAX_REQUEST  (128 * 1024)


typedef struct {
    int      fd;
    int      place;     /* among the subscribers, -1: it is none */
    char    *in;        /* of a request that is not whole yet */
    size_t   n;
    char    *out;       /* what the socket has not taken */
    size_t   left;
    size_t   room;
} connection_t;


static int             ep;
static connection_t  **subscriber;
static size_t          subscribers;
static size_t          subscribers_room;
static uint64_t        last_id = 1000000000000ULL;
static char            frame[MAX_REQUEST + 1024];
static char            input[MAX_REQUEST];


static void accept_all(int listener);
static void readable(connection_t *c);
static size_t request(connection_t *c, char *p, size_t n);
static void stream(connection_t *c);
static void fan_out(const char *path, const char *body, size_t n);
static void put(connection_t *c, const char *p, size_t n);
static void flush(connection_t *c);
static void hang_up(connection_t *c);


int
main(int argc, char **argv)
{
    int                 i, n, on, listener;
    struct sockaddr_in  at;
    struct epoll_event  ev, events[512];

    at = loopback(argc == 2 ? argv[1] : NULL, "floor ADDRESS:PORT");
    on = 1;

    (void) all_descriptors();

    signal(SIGPIPE, SIG_IGN);

    listener = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));

    if (bind(listener, (struct sockaddr *) &at, sizeof(at)) == -1
        || listen(listener, 511) == -1)
    {
        die("cannot listen");
    }

    ep = epoll_create1(EPOLL_CLOEXEC);
    ev.events = EPOLLIN;
    ev.data.ptr = NULL;
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);

    for ( ;; ) {
        n = epoll_wait(ep, events, 512, -1);

        for (i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                accept_all(listener);
                continue;
            }

            if (events[i].events & EPOLLOUT) {
                flush(events[i].data.ptr);
            }

            /* last: it may free the connection */
            if (events[i].events & (EPOLLIN|EPOLLHUP|EPOLLERR)) {
                readable(events[i].data.ptr);
            }
        }
    }
}


static void
accept_all(int listener)
{
    int                  fd, on;
    connection_t        *c;
    struct epoll_event   ev;

    on = 1;

    for ( ;; ) {
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);

        if (fd == -1) {
            return;
        }

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

        c = calloc(1, sizeof(connection_t));

        if (c == NULL) {
            die("no memory");
        }

        c->fd = fd;
        c->place = -1;

        ev.events = EPOLLIN|EPOLLOUT|EPOLLET;
        ev.data.ptr = c;
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    }
}


static void
readable(connection_t *c)
{
    size_t   used, n;
    ssize_t  got;

    for ( ;; ) {
        got = recv(c->fd, input + c->n, sizeof(input) - c->n, 0);

        if (got == -1 && errno == EAGAIN) {
            return;
        }

        if (got <= 0) {
            hang_up(c);
            return;
        }

        if (c->n) {
            memcpy(input, c->in, c->n);
            free(c->in);
            c->in = NULL;
        }

        n = c->n + got;
        c->n = 0;

        while (n) {
            used = request(c, input, n);

            if (used == (size_t) -1) {
                hang_up(c);
                return;
            }

            if (used == 0) {
                break;
            }

            memmove(input, input + used, n - used);
            n -= used;
        }

        if (n == sizeof(input)) {
            hang_up(c);
            return;
        }

        if (n) {
            c->in = malloc(n);

            if (c->in == NULL) {
                die("no memory");
            }

            memcpy(c->in, input, n);
            c->n = n;
        }
    }
}


/* how many of the bytes it was, 0: it is not whole, -1: it is none */

static size_t
request(connection_t *c, char *p, size_t n)
{
    char    *body, *length, path[64];
    size_t   size;

    body = memmem(p, n, "\r\n\r\n", 4);

    if (body == NULL) {
        return 0;
    }

    body += 4;

    if (n > 4 && memcmp(p, "GET ", 4) == 0) {
        stream(c);
        return body - p;
    }

    if (sscanf(p, "POST %63s ", path) != 1) {
        return -1;
    }

    length = strcasestr(p, "\r\nContent-Length: ");

    if (length == NULL || length > body) {
        return -1;
    }

    size = strtoul(length + 18, NULL, 10);

    if (size > MAX_REQUEST - 1024) {
        return -1;
    }

    if (n < body - p + size) {
        return 0;
    }

    put(c, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n"
           "Connection: keep-alive\r\n\r\n", 67);

    fan_out(path, body, size);

    return body - p + size;
}


static void
stream(connection_t *c)
{
    const char  *text;

    text = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
           "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n"
           "Cache-Control: no-cache, no-transform\r\n\r\n"
           "37\r\nretry: 3000\nevent: msgbus.ping\n"
           "data: {\"ping\":0}\nid: 0\n\n\r\n";

    if (c->place != -1) {
        return;
    }

    if (subscribers == subscribers_room) {
        subscribers_room = subscribers_room ? subscribers_room * 2 : 1024;
        subscriber = realloc(subscriber,
                             subscribers_room * sizeof(connection_t *));
        if (subscriber == NULL) {
            die("no memory");
        }
    }

    c->place = subscribers;
    subscriber[subscribers++] = c;

    put(c, text, strlen(text));
}


static void
fan_out(const char *path, const char *body, size_t n)
{
    int        lose, twice, size;
    char       when[32];
    size_t     i;
    time_t     t;
    struct tm  tm;

    if (strcmp(path, "/quiet") == 0) {
        return;
    }

    lose = strcmp(path, "/lose") == 0;
    twice = strcmp(path, "/twice") == 0;

    t = time(NULL);
    gmtime_r(&t, &tm);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%SZ", &tm);

    last_id++;

    /* the size of the chunk is 5 digits, and comes last */

    size = sprintf(frame, "00000\r\ndata: {\"id\":%llu,"
                   "\"user_agent\":\"bench/1.0 uuid/"
                   "6ba7b810-9dad-11d1-80b4-00c04fd430c8\","
                   "\"created_at\":\"%s\",\"age\":0,\"data\":",
                   (unsigned long long) last_id, when);

    memcpy(frame + size, body, n);
    size += n;

    size += sprintf(frame + size, "}\nid: %llu\n\n\r\n",
                    (unsigned long long) last_id);

    sprintf(when, "%05x", size - 9);
    memcpy(frame, when, 5);

    for (i = 0; i < subscribers - (lose && subscribers); i++) {
        put(subscriber[i], frame, size);
    }

    if (twice && subscribers) {
        put(subscriber[subscribers - 1], frame, size);
    }
}


static void
put(connection_t *c, const char *p, size_t n)
{
    ssize_t  sent;

    if (c->left == 0) {
        sent = send(c->fd, p, n, MSG_NOSIGNAL);

        if (sent == (ssize_t) n) {
            return;
        }

        if (sent == -1) {
            if (errno != EAGAIN) {
                /* its end is about to be read */
                return;
            }

            sent = 0;
        }

        p += sent;
        n -= sent;
    }

    if (c->left + n > c->room) {
        c->room = c->left + n;
        c->out = realloc(c->out, c->room);

        if (c->out == NULL) {
            die("no memory");
        }
    }

    memcpy(c->out + c->left, p, n);
    c->left += n;
}


static void
flush(connection_t *c)
{
    ssize_t  sent;

    if (c->left == 0) {
        return;
    }

    sent = send(c->fd, c->out, c->left, MSG_NOSIGNAL);

    if (sent == -1) {
        return;
    }

    c->left -= sent;
    memmove(c->out, c->out + sent, c->left);

    if (c->left == 0) {
        free(c->out);
        c->out = NULL;
        c->room = 0;
    }
}


static void
hang_up(connection_t *c)
{
    if (c->place != -1) {
        subscribers--;
        subscriber[c->place] = subscriber[subscribers];
        subscriber[c->place]->place = c->place;
    }

    close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
}
