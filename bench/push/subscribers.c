
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Subscribers: one process of them, with an epoll of its own.
 *
 * The framing is read in full, chunks, lines and all: what is no HTTP and no
 * stream of events is an error, and not an event.  Each subscriber knows which
 * numbers have come to it, in whatever order, and which came again.
 */


#include "subscribers.h"

#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>


/* of one process: a full queue of the listening socket drops connections */
#define MAX_CONNECTING     128

#define RECEIVE            (256 * 1024)

/* posters that wait long are overtaken: what is so late counts as lost */
#define WINDOW             2048


typedef enum {
    STATE_NONE = 0,
    STATE_CONNECTING,
    STATE_HEAD,
    STATE_SIZE,         /* of a chunk */
    STATE_DATA,
    STATE_CRLF,         /* behind a chunk */
    STATE_RAW,          /* no chunks */
    STATE_QUIET,        /* nothing more is read */
    STATE_CLOSED
} state_e;


typedef struct {
    int        fd;
    uint8_t    state;
    uint8_t    ready;
    uint8_t    retried;
    uint32_t   number;
    uint32_t   chunk;       /* bytes left of it */

    uint32_t   next;        /* the lowest number that has not come */
    uint32_t   top;         /* above the highest that has */
    uint64_t   come[WINDOW / 64];   /* of next .. next + WINDOW - 1 */
    uint32_t   got;         /* different ones */
    uint32_t   twice;

    uint32_t   carried;     /* a line, or a head, of which more will come */
    uint32_t   room;
    char      *carry;

    uint32_t   seq;         /* of an event that is not whole yet, */
    uint8_t    has_seq;     /*   if there is one */
    char       id[24];      /* of the last whole event */
    char       new_id[24];
    uint64_t   retry_at;
} subscriber_t;


static void start_more(void);
static void start(subscriber_t *s);
static void handle(subscriber_t *s, uint32_t events);
static void ask(subscriber_t *s);
static void ready(subscriber_t *s);
static void lost(subscriber_t *s);
static void fail(subscriber_t *s, const char *why);
static void feed(subscriber_t *s, char *p, size_t n);
static size_t head(subscriber_t *s, char *p, size_t n);
static void lines(subscriber_t *s, char *p, size_t n);
static void keep(subscriber_t *s, const char *p, size_t n);
static void line(subscriber_t *s, char *p, size_t n);
static uint64_t *bits(subscriber_t *s, uint32_t seq);
static uint64_t bit(uint32_t seq);
static void event(subscriber_t *s, uint32_t seq);
static void check_all(void);


static process_t     *own;
static subscriber_t  *subs;
static int            nsubs;
static int            ep;
static int            started;
static int            connecting;
static int            retrying;
static char          *buffer;


void
subscriber_process(int n)
{
    int                 i, k;
    uint64_t            v;
    struct epoll_event  ev, events[512];

    own = &shared->process[n];
    nsubs = options.subscribers / options.processes
            + (n < options.subscribers % options.processes);
    subs = calloc(nsubs, sizeof(subscriber_t));
    buffer = malloc(RECEIVE);
    ep = epoll_create1(EPOLL_CLOEXEC);

    if (subs == NULL || buffer == NULL || ep == -1) {
        snprintf(own->error, sizeof(own->error), "no memory");
        own->errors++;
        return;
    }

    for (i = 0; i < nsubs; i++) {
        subs[i].number = i * options.processes + n;
        subs[i].fd = -1;
    }

    ev.events = EPOLLIN;
    ev.data.ptr = NULL;
    epoll_ctl(ep, EPOLL_CTL_ADD, check_fd[n], &ev);

    for ( ;; ) {
        start_more();

        k = epoll_wait(ep, events, 512,
                       retrying || (started < nsubs && connecting == 0)
                       ? 20 : -1);

        for (i = 0; i < k; i++) {
            if (events[i].data.ptr) {
                handle(events[i].data.ptr, events[i].events);
                continue;
            }

            if (read(check_fd[n], &v, sizeof(v)) == sizeof(v)) {
                check_all();
            }
        }
    }
}


static void
start_more(void)
{
    int       i;
    uint64_t  t;

    while (started < nsubs && connecting < MAX_CONNECTING) {
        start(&subs[started++]);
    }

    if (retrying == 0) {
        return;
    }

    t = now();

    for (i = 0; i < started && connecting < MAX_CONNECTING; i++) {
        if (subs[i].retry_at && subs[i].retry_at <= t) {
            subs[i].retry_at = 0;
            retrying--;
            start(&subs[i]);
        }
    }
}


static void
start(subscriber_t *s)
{
    int                 on;
    uint32_t            address;
    struct sockaddr_in  from;
    struct epoll_event  ev;

    on = 1;

    s->fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (s->fd == -1) {
        fail(s, "socket");
        return;
    }

    /* 127.1.0.1, 127.1.0.2, ... */

    address = s->number / options.per_address;

    memset(&from, 0, sizeof(from));
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl((127 << 24) + (1 << 16)
                                 + (address / 250 << 8) + address % 250 + 1);

    setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));

    if (options.receive_buffer) {
        setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer,
                   sizeof(options.receive_buffer));
    }

    if (bind(s->fd, (struct sockaddr *) &from, sizeof(from)) == -1) {
        fail(s, "bind");
        return;
    }

    if (connect(s->fd, (struct sockaddr *) &options.to,
                sizeof(options.to)) == -1
        && errno != EINPROGRESS)
    {
        lost(s);
        return;
    }

    s->state = STATE_CONNECTING;
    s->carried = 0;
    s->has_seq = 0;
    connecting++;

    ev.events = EPOLLIN|EPOLLOUT|EPOLLRDHUP|EPOLLET;
    ev.data.ptr = s;

    epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &ev);
}


static void
handle(subscriber_t *s, uint32_t events)
{
    size_t   want;
    ssize_t  n;

    if (s->state == STATE_CONNECTING) {
        if (events & (EPOLLERR|EPOLLHUP)) {
            lost(s);
            return;
        }

        if (!(events & EPOLLOUT)) {
            return;
        }

        ask(s);
    }

    if (s->state == STATE_QUIET && (events & (EPOLLRDHUP|EPOLLHUP|EPOLLERR))) {
        lost(s);
        return;
    }

    while (s->state != STATE_CLOSED && s->state != STATE_QUIET) {

        /* who will not read shall not have read much */
        want = options.kind == KIND_STALL ? 512 : RECEIVE;

        n = recv(s->fd, buffer, want, 0);

        if (n > 0) {
            own->bytes += n;
            feed(s, buffer, n);

            if ((size_t) n < want && !(events & (EPOLLRDHUP|EPOLLHUP))) {
                return;
            }

            continue;
        }

        if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }

        lost(s);
    }
}


static void
ask(subscriber_t *s)
{
    int   n, on;
    char  text[1024 + MAX_HEAD];

    on = 1;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    n = snprintf(text, sizeof(text),
                 "GET %s HTTP/1.1\r\n"
                 "Host: %s\r\n"
                 "User-Agent: bench/1.0 uuid/"
                 "6ba7b811-9dad-11d1-80b4-%012x\r\n"
                 "%s%s%s%s",
                 options.subscribe, options.host, s->number,
                 options.kind == KIND_IDLE || options.kind == KIND_POLL
                 ? "" : "Accept: text/event-stream\r\n",
                 s->id[0] ? "Last-Event-ID: " : "", s->id,
                 s->id[0] ? "\r\n" : "");

    if (options.head) {

        /* another one for each, as it is with sessions */

        n += snprintf(text + n, sizeof(text) - n, "Cookie: %0*d\r\n",
                      options.head, s->number);
    }

    n += snprintf(text + n, sizeof(text) - n, "\r\n");

    s->state = STATE_HEAD;

    if (send(s->fd, text, n, MSG_NOSIGNAL) != n) {
        lost(s);
        return;
    }

    if (options.kind == KIND_POLL) {
        ready(s);
    }
}


static void
ready(subscriber_t *s)
{
    connecting--;

    if (!s->ready) {
        s->ready = 1;
        own->ready++;

    } else {
        own->reconnected++;
    }
}


/* the server has closed, or has not let in */

static void
lost(subscriber_t *s)
{
    if (s->state == STATE_CONNECTING || s->state == STATE_HEAD) {

        if (options.kind != KIND_POLL || s->state == STATE_CONNECTING) {
            connecting--;
        }

    } else if (s->state != STATE_NONE && s->state != STATE_CLOSED) {
        own->closed++;
    }

    if (s->fd != -1) {
        close(s->fd);
        s->fd = -1;
    }

    if (!options.reconnect && s->state == STATE_HEAD) {
        fail(s, "closed before the answer");
        return;
    }

    s->state = STATE_CLOSED;
    s->carried = 0;

    if (options.reconnect || !s->ready) {
        if (!options.reconnect && ++s->retried > 100) {
            fail(s, "no connection");
            return;
        }

        s->retry_at = now();
        retrying++;
    }
}


static void
fail(subscriber_t *s, const char *why)
{
    if (own->errors++ == 0) {
        snprintf(own->error, sizeof(own->error), "%s%s%.60s", why,
                 errno ? ", errno: " : "", errno ? strerror(errno) : "");
    }

    if (s->fd != -1) {
        close(s->fd);
        s->fd = -1;
    }

    if (s->state == STATE_CONNECTING || s->state == STATE_HEAD) {
        connecting--;
    }

    s->state = STATE_CLOSED;
}


static void
feed(subscriber_t *s, char *p, size_t n)
{
    int     digit;
    char   *end;
    size_t  size;

    end = p + n;

    while (p < end) {

        switch (s->state) {

        case STATE_HEAD:
            p += head(s, p, end - p);
            break;

        case STATE_SIZE:

            /* the high bit tells that there was a digit */

            if (*p == '\n') {
                size = s->chunk & 0x7fffffff;

                if (s->chunk == 0) {
                    errno = 0;
                    fail(s, "a chunk without size");
                    return;
                }

                s->chunk = size;
                s->state = size ? STATE_DATA : STATE_CRLF;

                if (size == 0) {
                    /* the end; what follows is the close */
                    lost(s);
                    return;
                }

            } else if (*p != '\r') {
                digit = *p >= '0' && *p <= '9' ? *p - '0'
                      : (*p | 0x20) >= 'a' && (*p | 0x20) <= 'f'
                        ? (*p | 0x20) - 'a' + 10 : -1;

                if (digit == -1 || (s->chunk & 0x7f000000)) {
                    errno = 0;
                    fail(s, "no size of a chunk");
                    return;
                }

                s->chunk = ((s->chunk & 0x7fffffff) << 4) + digit;
                s->chunk |= 0x80000000;
            }

            p++;
            break;

        case STATE_DATA:
            size = end - p;
            size = size < s->chunk ? size : s->chunk;

            lines(s, p, size);

            if (s->state == STATE_CLOSED) {
                return;
            }

            p += size;
            s->chunk -= size;

            if (s->chunk == 0) {
                s->state = STATE_CRLF;
            }

            break;

        case STATE_CRLF:

            if (*p == '\n') {
                s->state = STATE_SIZE;
                s->chunk = 0;

            } else if (*p != '\r') {
                errno = 0;
                fail(s, "a chunk is longer than its size");
                return;
            }

            p++;
            break;

        case STATE_RAW:
            lines(s, p, end - p);
            return;

        default:
            return;
        }
    }
}


/* returns how much of the bytes it was */

static size_t
head(subscriber_t *s, char *p, size_t n)
{
    char    *end;
    size_t   had;

    had = s->carried;

    keep(s, p, n);
    keep(s, "", 1);
    s->carried--;

    end = strstr(s->carry, "\r\n\r\n");

    if (end == NULL) {
        if (s->carried > 8192) {
            errno = 0;
            fail(s, "a head without end");
        }

        return n;
    }

    *end = '\0';
    n = end + 4 - s->carry - had;

    if (strncmp(s->carry, "HTTP/1.1 20", 11) != 0) {
        errno = 0;
        s->carry[32] = '\0';
        fail(s, s->carry);
        return n;
    }

    s->state = strcasestr(s->carry, "\r\nTransfer-Encoding: chunked")
               ? STATE_SIZE : STATE_RAW;
    s->chunk = 0;
    s->carried = 0;

    if (options.kind == KIND_POLL) {
        s->state = STATE_QUIET;
        own->closed++;      /* it no longer waits */
        return n;
    }

    ready(s);

    if (options.kind == KIND_IDLE || options.kind == KIND_STALL) {
        s->state = STATE_QUIET;

    } else if (strcasestr(s->carry, "\r\nContent-Type: text/event-stream")
               == NULL)
    {
        errno = 0;
        fail(s, "not text/event-stream");
    }

    /* 100,000 of these buffers would be a load of their own */
    free(s->carry);
    s->carry = NULL;
    s->room = 0;

    return n;
}


static void
lines(subscriber_t *s, char *p, size_t n)
{
    char  *eol, *end;

    end = p + n;

    while (p < end) {
        eol = memchr(p, '\n', end - p);

        if (eol == NULL) {
            keep(s, p, end - p);
            return;
        }

        if (s->carried == 0) {
            line(s, p, eol - p);

        } else {
            keep(s, p, eol - p);
            n = s->carried;
            s->carried = 0;
            line(s, s->carry, n);
        }

        if (s->state == STATE_CLOSED) {
            return;
        }

        p = eol + 1;
    }
}


static void
keep(subscriber_t *s, const char *p, size_t n)
{
    if (s->carried + n > s->room) {
        s->room = s->carried + n + 256;
        s->carry = realloc(s->carry, s->room);

        if (s->carry == NULL) {
            _exit(1);
        }
    }

    memcpy(s->carry + s->carried, p, n);
    s->carried += n;
}


/* a line of text/event-stream, without its end */

static void
line(subscriber_t *s, char *p, size_t n)
{
    char  *q;

    /* most events have it in the same place as the one before */
    static size_t  at;

    if (n == 0) {
        /* who comes back with a cursor relies on the order of ids */

        if (options.reconnect
            && strtoull(s->new_id, NULL, 10) < strtoull(s->id, NULL, 10))
        {
            own->disorder++;
        }

        /* as a browser does: all counts when the event is whole */
        memcpy(s->id, s->new_id, sizeof(s->id));

        if (s->has_seq) {
            s->has_seq = 0;
            event(s, s->seq);
        }

        return;
    }

    if (n > 4 && memcmp(p, "id: ", 4) == 0) {
        p += 4;
        n -= 4;

        if (n >= sizeof(s->new_id)) {
            errno = 0;
            fail(s, "a long id");
            return;
        }

        memcpy(s->new_id, p, n);
        s->new_id[n] = '\0';
        return;
    }

    if (n > 5 && memcmp(p, "data:", 5) == 0) {

        if (at + 20 > n || memcmp(p + at, "\"seq\":\"", 7) != 0) {
            q = memmem(p, n, "\"seq\":\"", 7);

            if (q == NULL || q + 20 > p + n) {
                /* not an event of ours: what a gap has to say, perhaps */
                return;
            }

            at = q - p;
        }

        q = p + at + 7;

        if (q[12] != '"') {
            errno = 0;
            fail(s, "an event was cut");
            return;
        }

        s->seq = strtoul(q, NULL, 10);
        s->has_seq = 1;
        return;
    }

    if (n == 17 && memcmp(p, "event: msgbus.gap", 17) == 0) {
        own->gaps++;
        return;
    }

    if (p[0] == ':' || memcmp(p, "retry: ", n < 7 ? n : 7) == 0
        || memcmp(p, "event: ", n < 7 ? n : 7) == 0)
    {
        return;
    }

    errno = 0;
    fail(s, "no line of a stream of events");
}


static uint64_t *
bits(subscriber_t *s, uint32_t seq)
{
    return &s->come[seq % WINDOW / 64];
}


static uint64_t
bit(uint32_t seq)
{
    return 1ULL << seq % 64;
}


static void
event(subscriber_t *s, uint32_t seq)
{
    uint64_t   t, one;
    uint32_t   n, slot;

    /* what nobody has posted has come from somewhere else */

    if (seq >= __atomic_load_n(&shared->posted, __ATOMIC_ACQUIRE)) {
        errno = 0;
        fail(s, "an event that was not posted");
        return;
    }

    if (seq < s->next || (seq - s->next < WINDOW && *bits(s, seq) & bit(seq))) {
        s->twice++;
        own->twice++;
        return;
    }

    while (seq - s->next >= WINDOW) {
        *bits(s, s->next) &= ~bit(s->next);
        s->next++;
    }

    *bits(s, seq) |= bit(seq);

    while (*bits(s, s->next) & bit(s->next)) {
        *bits(s, s->next) &= ~bit(s->next);
        s->next++;
    }

    if (seq < s->top) {
        own->late++;

    } else {
        s->top = seq + 1;
    }

    s->got++;
    own->got++;

    t = now();
    slot = seq & (RING - 1);

    own->each[histogram_slot(t - shared->posted_at[slot])]++;

    n = __atomic_add_fetch(&shared->reached[slot], 1, __ATOMIC_ACQ_REL);

    if (n == shared->total) {
        one = 1;
        __atomic_store_n(&shared->last_at[slot], t, __ATOMIC_RELEASE);

        if (write(reached_fd, &one, sizeof(one)) == -1) {
            own->errors++;
        }
    }
}


static void
check_all(void)
{
    int        i;
    uint64_t   missed;
    uint32_t   posted;

    posted = __atomic_load_n(&shared->posted, __ATOMIC_ACQUIRE);
    own->incomplete = 0;
    own->worst = 0;

    for (i = 0; i < nsubs; i++) {
        missed = posted - subs[i].got;

        if (missed) {
            own->incomplete++;
        }

        if (missed > own->worst) {
            own->worst = missed;
        }
    }

    __atomic_store_n(&own->checked, shared->check, __ATOMIC_RELEASE);
}
