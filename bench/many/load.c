
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The load of bench/many: streams that each read some channels, and a poster.
 *
 *     load 127.0.0.1:8080 STREAMS EACH CHANNELS PATH SEED
 *
 * Each stream is NDJSON, on a connection of its own, of EACH channels that are
 * drawn by lot from so many, "/c0" and on: by "channels=" below PATH, or, where
 * EACH is 0, by the path of one channel.  When all have their first line, one
 * line of JSON is printed.  Then, for each line "RATE SECONDS" on the standard
 * input, events are posted on one connection, in the order of their numbers, to
 * channels drawn by lot, and when all has come, or nothing has for a while, a
 * line of JSON says what did.
 *
 * Every stream is to get exactly the events of its channels, in the order in
 * which they were posted: whatever else comes is "wrong", what does not come
 * "missing".
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
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define MAX_EACH  32
#define BUFFER    65536

/* what has not come by then does not come any more */
#define PATIENCE  (5 * SECOND)

/* posts that may be on the way */
#define AHEAD     256


typedef struct {
    int        fd;
    int        begun;       /* its first line is there */
    uint32_t   channels[MAX_EACH];
    uint32_t   nchannels;

    /* the numbers of events that it is to get */
    uint32_t  *expected;
    size_t     first, last, room;

    size_t     n;
    char       in[BUFFER];
} stream_t;


/* who reads a channel */
typedef struct {
    uint32_t  *streams;
    uint32_t   n, room;
} readers_t;


static void open_stream(stream_t *s, struct sockaddr_in *to, const char *path);
static void draw(stream_t *s);
static void expect(uint32_t channel, uint32_t number);
static void run(double rate, double seconds);
static void post(uint32_t number);
static void answers(void);
static void turn(int ms);
static void take(stream_t *s);
static void line(stream_t *s, char *text);
static uint64_t missing(void);
static uint32_t below(uint32_t n);
static int connected(struct sockaddr_in *to, int rcvbuf);
static void all(int fd, const char *text, size_t len);


static stream_t   *streams;
static readers_t  *readers;
static uint32_t    nstreams, each, nchannels, number;
static uint64_t    lot, deliveries, wrong, begun;
static int         poll_fd, poster;
static int         under_way;       /* posts without an answer */
static char        reply[BUFFER];
static size_t      reply_len;


int
main(int argc, char **argv)
{
    char                line[64];
    double              rate, seconds;
    uint32_t            i;
    uint64_t            until;
    struct epoll_event  ev;
    struct sockaddr_in  to;

    static const char  usage[] =
        "load ADDRESS:PORT STREAMS EACH CHANNELS PATH SEED";

    to = loopback(argc == 7 ? argv[1] : NULL, usage);
    nstreams = atoi(argv[2]);
    each = atoi(argv[3]);
    nchannels = atoi(argv[4]);
    lot = atoi(argv[6]);

    if (nchannels < 1 || each > MAX_EACH || each > nchannels) {
        die(usage);
    }

    signal(SIGPIPE, SIG_IGN);

    if (all_descriptors() < nstreams + 16) {
        die("more descriptors are needed: ulimit -n");
    }

    streams = calloc(nstreams + 1, sizeof(stream_t));
    readers = calloc(nchannels, sizeof(readers_t));
    poll_fd = epoll_create1(0);

    if (streams == NULL || readers == NULL || poll_fd == -1) {
        die("it cannot begin");
    }

    for (i = 0; i < nstreams; i++) {
        open_stream(&streams[i], &to, argv[5]);

        ev.events = EPOLLIN;
        ev.data.ptr = &streams[i];

        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, streams[i].fd, &ev) == -1) {
            die("epoll_ctl");
        }
    }

    for (until = now() + 6 * PATIENCE; begun < nstreams && now() < until; ) {
        turn(20);
    }

    poster = connected(&to, 0);

    printf("{\"streams\":%llu,\"wrong\":%llu}\n", (unsigned long long) begun,
           (unsigned long long) wrong);
    fflush(stdout);

    while (fgets(line, sizeof(line), stdin)) {

        if (sscanf(line, "%lf %lf", &rate, &seconds) == 2) {
            run(rate, seconds);
        }
    }

    return 0;
}


static void
open_stream(stream_t *s, struct sockaddr_in *to, const char *path)
{
    char      text[8192], *p;
    uint32_t  i;

    draw(s);

    p = text;

    if (each) {
        p += sprintf(p, "GET %s?channels=", path);

        for (i = 0; i < s->nchannels; i++) {
            p += sprintf(p, "%s/c%u", i ? "," : "", s->channels[i]);
        }

        p += sprintf(p, "&last-known-id=latest");

    } else {
        p += sprintf(p, "GET %sc%u?last-known-id=latest", path,
                     s->channels[0]);
    }

    p += sprintf(p, " HTTP/1.1\r\nHost: b\r\nAccept: application/x-ndjson\r\n"
                    "\r\n");

    s->fd = connected(to, 4096);
    all(s->fd, text, p - text);

    if (fcntl(s->fd, F_SETFL, O_NONBLOCK) == -1) {
        die("fcntl");
    }
}


/* which channels it reads, none of them twice */
static void
draw(stream_t *s)
{
    uint32_t    i, c;
    readers_t  *r;

    while (s->nchannels < (each ? each : 1)) {
        c = below(nchannels);

        for (i = 0; i < s->nchannels && s->channels[i] != c; i++) {
            /* void */
        }

        if (i < s->nchannels) {
            continue;
        }

        s->channels[s->nchannels++] = c;

        r = &readers[c];

        if (r->n == r->room) {
            r->room = r->room ? 2 * r->room : 4;
            r->streams = realloc(r->streams, r->room * sizeof(uint32_t));

            if (r->streams == NULL) {
                die("no memory");
            }
        }

        r->streams[r->n++] = s - streams;
    }
}


static void
expect(uint32_t channel, uint32_t n)
{
    uint32_t    i;
    stream_t   *s;
    readers_t  *r;

    r = &readers[channel];

    for (i = 0; i < r->n; i++) {
        s = &streams[r->streams[i]];

        if (s->first == s->last) {
            s->first = 0;
            s->last = 0;
        }

        if (s->last == s->room) {
            s->room = s->room ? 2 * s->room : 16;
            s->expected = realloc(s->expected, s->room * sizeof(uint32_t));

            if (s->expected == NULL) {
                die("no memory");
            }
        }

        s->expected[s->last++] = n;
    }
}


static void
run(double rate, double seconds)
{
    uint64_t  begin, end, next, period, posts, had, until, t;

    posts = 0;
    deliveries = 0;
    wrong = 0;

    period = SECOND / rate;
    begin = now();
    end = begin + seconds * SECOND;

    for (next = begin; next < end; ) {

        for (t = now(); next <= t && next < end && under_way < AHEAD;
             next += period)
        {
            post(number++);
            posts++;
        }

        turn(1);
        answers();
    }

    had = 0;

    for (until = now() + PATIENCE;
         (under_way || missing()) && now() < until; )
    {
        turn(1);
        answers();

        if (deliveries != had) {
            had = deliveries;
            until = now() + PATIENCE;
        }
    }

    /* what is too much comes after what is due */

    turn(20);
    turn(20);

    printf("{\"posts\":%llu,\"us\":%llu,\"deliveries\":%llu,\"wrong\":%llu,"
           "\"missing\":%llu}\n",
           (unsigned long long) posts,
           (unsigned long long) (now() - begin) / 1000,
           (unsigned long long) deliveries, (unsigned long long) wrong,
           (unsigned long long) missing() + under_way);
    fflush(stdout);
}


/* a request as wide as 300 bytes of data */
static void
post(uint32_t n)
{
    int       len;
    char      data[400], text[800];
    uint32_t  channel;

    channel = below(nchannels);

    len = sprintf(data, "{\"n\":%u,\"text\":\"%0270d\"}", n, 0);
    len = sprintf(text, "POST /c%u HTTP/1.1\r\nHost: b\r\n"
                        "Content-Length: %d\r\n\r\n%s", channel, len, data);

    expect(channel, n);
    all(poster, text, len);
    under_way++;
}


/* of the poster: each is 201 */
static void
answers(void)
{
    char     *p, *end;
    ssize_t   n;

    n = recv(poster, reply + reply_len, sizeof(reply) - 1 - reply_len,
             MSG_DONTWAIT);

    if (n == 0 || (n == -1 && errno != EAGAIN)) {
        die("the poster's connection has ended");
    }

    if (n == -1) {
        return;
    }

    reply_len += n;
    reply[reply_len] = '\0';

    for (p = reply; (end = strstr(p, "\r\n\r\n")) != NULL; p = end + 4) {
        wrong += strncmp(p, "HTTP/1.1 201 ", 13) != 0;
        under_way--;
    }

    reply_len -= p - reply;
    memmove(reply, p, reply_len);
}


static void
turn(int ms)
{
    int                 i, n;
    struct epoll_event  events[256];

    n = epoll_wait(poll_fd, events, 256, ms);

    for (i = 0; i < n; i++) {
        take(events[i].data.ptr);
    }
}


/* lines, chunks taken off: a line never begins with a digit, a chunk does */
static void
take(stream_t *s)
{
    char     *p, *end;
    ssize_t   n;

    n = recv(s->fd, s->in + s->n, BUFFER - s->n, 0);

    if (n <= 0) {

        if (n == -1 && errno == EAGAIN) {
            return;
        }

        wrong++;
        close(s->fd);
        return;
    }

    s->n += n;

    for (p = s->in; (end = memchr(p, '\n', s->in + s->n - p)) != NULL;
         p = end + 1)
    {
        *end = '\0';

        if (*p == '{') {
            line(s, p);
        }
    }

    s->n -= p - s->in;
    memmove(s->in, p, s->n);

    if (s->n == BUFFER) {
        die("a line is too long");
    }
}


static void
line(stream_t *s, char *text)
{
    char  *p;

    if (strncmp(text, "{\"ping\":", 8) == 0) {
        begun += !s->begun;
        s->begun = 1;
        return;
    }

    p = strstr(text, "\"data\":{\"n\":");

    if (p == NULL || s->first == s->last
        || s->expected[s->first] != strtoul(p + 12, NULL, 10))
    {
        wrong++;
        return;
    }

    s->first++;
    deliveries++;
}


static uint64_t
missing(void)
{
    uint32_t  i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < nstreams; i++) {
        n += streams[i].last - streams[i].first;
    }

    return n;
}


static uint32_t
below(uint32_t n)
{
    lot = lot * 6364136223846793005ULL + 1442695040888963407ULL;

    return (uint32_t) ((lot >> 33) % n);
}


static int
connected(struct sockaddr_in *to, int rcvbuf)
{
    int  fd, on;

    on = 1;
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1
        || (rcvbuf && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf,
                                 sizeof(int)) == -1)
        || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int)) == -1
        || connect(fd, (struct sockaddr *) to, sizeof(*to)) == -1)
    {
        die("connect");
    }

    return fd;
}


static void
all(int fd, const char *text, size_t len)
{
    ssize_t  n;

    while (len) {
        n = send(fd, text, len, 0);

        if (n == -1) {
            die("send");
        }

        text += n;
        len -= n;
    }
}
