
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The poster: one of the load's processes, which posts events and waits until
 * they have reached everybody.
 */


#include "poster.h"

#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>


#define MAX_EVENT          65536

/* nothing is still to come after so long a silence */
#define PATIENCE           (5 * SECOND)


typedef struct {
    int        fd;
    int        probe;
    uint32_t   seq;
    uint64_t   sent_at;     /* 0: idle */
    size_t     n;
    char       in[4096];
} poster_t;


typedef struct {
    uint64_t  *v;
    size_t     n;
    size_t     room;
} times_t;


/* one "post" command */

typedef struct {
    uint32_t   window;
    uint32_t   posts;
    uint32_t   size;
    double     rate;
    double     seconds;
    double     probes;

    uint32_t   first;       /* number of its first event */
    uint32_t   sent;
    uint32_t   done;        /* those below it are with everybody */

    uint64_t   begin;
    uint64_t   end;
    uint64_t   next;        /* when to post */
    uint64_t   next_probe;
    uint64_t   last_at;     /* the latest delivery */
    uint64_t   last_news;   /* when anything came, and how much had come */
    uint64_t   news;

    process_t  before;      /* sums of what there was */
    int        ep;
    int        timer;
} run_t;


static void command_post(char *text);
static void begin(run_t *r);
static void look(run_t *r, uint64_t t);
static void post_more(run_t *r, uint64_t t);
static int under_way(void);
static void wait_for(run_t *r, uint64_t t);
static void report(run_t *r, uint64_t t);
static void post(uint32_t seq, int is_probe, const char *body, size_t size);
static void answer(poster_t *p);
static void hang_up(poster_t *p);
static void record(times_t *t, uint64_t v);
static int compare(const void *one, const void *two);
static void print_times(const char *name, times_t *t);
static uint64_t pause_of(double rate);


static poster_t   posters[MAX_POSTERS];
static uint64_t   answered;     /* events of this run */
static times_t    unsure;       /* numbers of those that got no answer */
static times_t    post_times;
static times_t    last_times;
static times_t    probe_times;


void
command(char *text)
{
    int       n;
    uint64_t  worst, v, give_up;

    if (strncmp(text, "post ", 5) == 0) {
        command_post(text + 5);
        return;
    }

    if (strncmp(text, "check", 5) == 0) {
        shared->check++;
        v = 1;
        worst = 0;
        give_up = now() + 10 * SECOND;

        for (n = 0; n < options.processes && options.subscribers; n++) {
            if (write(check_fd[n], &v, sizeof(v)) == -1) {
                die("write");
            }
        }

        for (n = 0; n < options.processes && options.subscribers; n++) {
            while (__atomic_load_n(&shared->process[n].checked,
                                   __ATOMIC_ACQUIRE) != shared->check)
            {
                if (now() > give_up) {
                    errno = 0;
                    die("a process of subscribers does not answer");
                }

                usleep(1000);
            }

            if (shared->process[n].worst > worst) {
                worst = shared->process[n].worst;
            }
        }

        printf("{\"posted\":%u,\"got\":%llu,\"twice\":%llu,"
               "\"incomplete\":%llu,\"worst\":%llu,\"late\":%llu,"
               "\"disorder\":%llu,\"gaps\":%llu,\"closed\":%llu,"
               "\"reconnected\":%llu,"
               "\"errors\":%llu",
               shared->posted,
               (unsigned long long) sum(offsetof(process_t, got)),
               (unsigned long long) sum(offsetof(process_t, twice)),
               (unsigned long long) sum(offsetof(process_t, incomplete)),
               (unsigned long long) worst,
               (unsigned long long) sum(offsetof(process_t, late)),
               (unsigned long long) sum(offsetof(process_t, disorder)),
               (unsigned long long) sum(offsetof(process_t, gaps)),
               (unsigned long long) sum(offsetof(process_t, closed)),
               (unsigned long long) sum(offsetof(process_t, reconnected)),
               (unsigned long long) sum(offsetof(process_t, errors)));
        first_error();
        printf("}\n");
        return;
    }

    if (strncmp(text, "quit", 4) == 0) {
        exit(0);
    }

    errno = 0;
    die("no such command");
}


static void
command_post(char *text)
{
    int       n;
    run_t     r;
    uint64_t  t;

    memset(&r, 0, sizeof(run_t));

    if (sscanf(text, "%u %lf %lf %u %u %lf", &r.window, &r.rate, &r.seconds,
               &r.posts, &r.size, &r.probes) != 6
        || r.size < 64 || r.size > MAX_EVENT
        || (r.probes && options.probe == NULL))
    {
        errno = 0;
        die("post WINDOW RATE SECONDS POSTS SIZE PROBES");
    }

    begin(&r);

    for ( ;; ) {
        t = now();

        look(&r, t);

        if (t < r.end && (r.posts == 0 || r.sent < r.posts)) {
            post_more(&r, t);

        } else if ((r.done == r.sent && under_way() == 0)
                   || t - r.last_news > PATIENCE)
        {
            break;
        }

        wait_for(&r, now());
    }

    /* to the end of the last delivery */
    t = r.last_at ? r.last_at : now();

    for (n = 0; n < MAX_POSTERS; n++) {
        if (posters[n].sent_at) {
            hang_up(&posters[n]);
        }
    }

    report(&r, t);

    close(r.timer);
    close(r.ep);
}


static void
begin(run_t *r)
{
    int                 n;
    struct epoll_event  ev;

    r->ep = epoll_create1(EPOLL_CLOEXEC);
    r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK|TFD_CLOEXEC);

    if (r->ep == -1 || r->timer == -1) {
        die("no descriptors");
    }

    ev.events = EPOLLIN;
    ev.data.ptr = &reached_fd;
    epoll_ctl(r->ep, EPOLL_CTL_ADD, reached_fd, &ev);
    ev.data.ptr = &r->timer;
    epoll_ctl(r->ep, EPOLL_CTL_ADD, r->timer, &ev);

    for (n = 0; n < options.processes; n++) {
        memset(shared->process[n].each, 0, sizeof(shared->process[n].each));
    }

    post_times.n = 0;
    last_times.n = 0;
    probe_times.n = 0;
    unsure.n = 0;
    answered = 0;

    r->before.got = sum(offsetof(process_t, got));
    r->before.twice = sum(offsetof(process_t, twice));
    r->before.late = sum(offsetof(process_t, late));
    r->before.closed = sum(offsetof(process_t, closed));
    r->before.errors = sum(offsetof(process_t, errors));

    r->first = shared->posted;
    r->begin = now();
    r->last_news = r->begin;
    r->end = r->begin + r->seconds * 1e9;
    r->next = r->begin;
    r->next_probe = r->probes ? r->begin + pause_of(r->probes) : UINT64_MAX;
}


/* which events have reached everybody?  They need not do so in turn */

static void
look(run_t *r, uint64_t t)
{
    int       given_up;
    size_t    i, k;
    uint64_t  v;

    while (r->done < r->sent) {
        i = (r->first + r->done) & (RING - 1);

        if (shared->total == 0) {
            /* nobody counts: the answer will do */

            if (answered + unsure.n <= r->done) {
                break;
            }

            r->done++;
            r->last_at = t;
            continue;
        }

        v = __atomic_load_n(&shared->last_at[i], __ATOMIC_ACQUIRE);

        if (v) {
            record(&last_times, v - shared->posted_at[i]);
            r->last_at = v > r->last_at ? v : r->last_at;
            r->done++;
            continue;
        }

        /* who has got no answer may wait for ever */

        given_up = 0;

        for (k = 0; k < unsure.n; k++) {
            given_up |= unsure.v[k] == r->first + r->done;
        }

        if (!given_up || t - shared->posted_at[i] < SECOND) {
            break;
        }

        r->done++;
    }

    v = sum(offsetof(process_t, got)) + post_times.n;

    if (v != r->news) {
        r->news = v;
        r->last_news = t;
    }
}


static void
post_more(run_t *r, uint64_t t)
{
    int     n;
    size_t  i;

    static char  body[MAX_EVENT + 1];

    while ((r->window == 0 || r->sent - r->done < r->window)
           && t >= r->next && t < r->end
           && (r->posts == 0 || r->sent < r->posts)
           && under_way() < MAX_POSTERS && r->sent - r->done < RING / 2)
    {
        i = (r->first + r->sent) & (RING - 1);

        n = sprintf(body, "{\"seq\":\"%012u\",\"text\":\"",
                    r->first + r->sent);
        memset(body + n, 'x', r->size - n - 2);
        memcpy(body + r->size - 2, "\"}", 2);

        shared->reached[i] = 0;
        shared->last_at[i] = 0;
        shared->posted_at[i] = now();
        __atomic_store_n(&shared->posted, r->first + r->sent + 1,
                         __ATOMIC_RELEASE);

        post(r->first + r->sent, 0, body, r->size);

        r->sent++;
        r->next = r->rate ? r->next + pause_of(r->rate) : 0;
        t = now();
        r->last_news = t;
    }

    if (t >= r->next_probe && under_way() < MAX_POSTERS) {
        n = sprintf(body, "{\"probe\":\"");
        memset(body + n, 'x', 300 - n - 2);
        memcpy(body + 300 - 2, "\"}", 2);

        post(0, 1, body, 300);

        r->next_probe += pause_of(r->probes);
    }
}


static int
under_way(void)
{
    int  n, busy;

    busy = 0;

    for (n = 0; n < MAX_POSTERS; n++) {
        busy += posters[n].sent_at != 0;
    }

    return busy;
}


/* for an answer, a delivery to the last one, or the time to post */

static void
wait_for(run_t *r, uint64_t t)
{
    int                 n, k;
    uint64_t            v;
    struct epoll_event  ev, events[64];
    struct itimerspec   its;

    v = t + SECOND / 10;
    v = r->next > t && r->next < v ? r->next : v;
    v = r->next_probe < v ? r->next_probe : v;
    v = v > t ? v - t : 1;

    memset(&its, 0, sizeof(its));
    its.it_value.tv_sec = v / SECOND;
    its.it_value.tv_nsec = v % SECOND;
    timerfd_settime(r->timer, 0, &its, NULL);

    for (n = 0; n < MAX_POSTERS; n++) {
        if (posters[n].sent_at) {
            /* those that are there already stay as they are */
            ev.events = EPOLLIN;
            ev.data.ptr = &posters[n];
            epoll_ctl(r->ep, EPOLL_CTL_ADD, posters[n].fd, &ev);
        }
    }

    k = epoll_wait(r->ep, events, 64, 1000);

    for (n = 0; n < k; n++) {
        if (events[n].data.ptr == &r->timer
            || events[n].data.ptr == &reached_fd)
        {
            if (read(*(int *) events[n].data.ptr, &v, sizeof(v)) == -1
                && errno != EAGAIN)
            {
                die("read");
            }

            continue;
        }

        answer(events[n].data.ptr);
    }
}


static void
report(run_t *r, uint64_t t)
{
    size_t    i;
    uint64_t  v, got, missed, stored, torn;

    got = sum(offsetof(process_t, got)) - r->before.got;
    missed = (uint64_t) r->sent * shared->total - got;
    stored = 0;
    torn = 0;

    /* events without an answer are stored or not, but never for some only */

    for (i = 0; i < unsure.n && shared->total; i++) {
        v = __atomic_load_n(&shared->reached[unsure.v[i] & (RING - 1)],
                            __ATOMIC_ACQUIRE);
        stored += v == shared->total;
        torn += v && v != shared->total;
        missed -= v ? 0 : shared->total;
    }

    printf("{\"posts\":%u,\"seconds\":%.6f,\"deliveries\":%llu,"
           "\"lost\":%lld,\"twice\":%llu,\"late\":%llu,\"closed\":%llu,"
           "\"errors\":%llu,\"posts_failed\":%zu,\"stored\":%llu,"
           "\"torn\":%llu",
           r->sent, (t - r->begin) / 1e9, (unsigned long long) got,
           (long long) missed,
           (unsigned long long) (sum(offsetof(process_t, twice))
                                 - r->before.twice),
           (unsigned long long) (sum(offsetof(process_t, late))
                                 - r->before.late),
           (unsigned long long) (sum(offsetof(process_t, closed))
                                 - r->before.closed),
           (unsigned long long) (sum(offsetof(process_t, errors))
                                 - r->before.errors),
           unsure.n, (unsigned long long) stored, (unsigned long long) torn);

    print_times("post", &post_times);
    print_times("last", &last_times);
    print_times("probe", &probe_times);

    printf(",\"each\":{\"p50\":%.1f,\"p99\":%.1f}",
           each_percentile(0.5) / 1e3, each_percentile(0.99) / 1e3);
    first_error();
    printf("}\n");
}


static void
post(uint32_t seq, int is_probe, const char *body, size_t size)
{
    int        n, on;
    char       text[512];
    poster_t  *p;

    on = 1;
    p = NULL;

    for (n = 0; n < MAX_POSTERS; n++) {
        if (posters[n].sent_at == 0 && posters[n].fd > 0) {
            p = &posters[n];
            break;
        }

        if (posters[n].fd <= 0 && p == NULL) {
            p = &posters[n];
        }
    }

    if (p == NULL) {
        die("no room for another POST");
    }

    p->seq = seq;
    p->probe = is_probe;
    p->n = 0;

    if (p->fd <= 0) {
        p->fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);

        if (p->fd == -1
            || connect(p->fd, (struct sockaddr *) &options.to,
                       sizeof(options.to)) == -1)
        {
            hang_up(p);
            return;
        }

        setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }

    n = snprintf(text, sizeof(text),
                 "POST %s HTTP/1.1\r\n"
                 "Host: %s\r\n"
                 "User-Agent: bench/1.0 uuid/"
                 "6ba7b810-9dad-11d1-80b4-00c04fd430c8\r\n"
                 "%sContent-Length: %zu\r\n\r\n",
                 is_probe ? options.probe : options.publish, options.host,
                 options.close_posts ? "Connection: close\r\n" : "", size);

    p->sent_at = now();

    if (send(p->fd, text, n, MSG_NOSIGNAL|MSG_MORE) != n
        || send(p->fd, body, size, MSG_NOSIGNAL) != (ssize_t) size)
    {
        hang_up(p);
    }
}


static void
answer(poster_t *p)
{
    char     *body, *length;
    size_t    want;
    ssize_t   n;
    uint64_t  t;

    n = recv(p->fd, p->in + p->n, sizeof(p->in) - 1 - p->n, MSG_DONTWAIT);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        hang_up(p);
        return;
    }

    t = now();
    p->n += n;
    p->in[p->n] = '\0';

    body = strstr(p->in, "\r\n\r\n");

    if (body == NULL) {
        return;
    }

    length = strcasestr(p->in, "\r\nContent-Length:");
    want = length && length < body ? strtoul(length + 17, NULL, 10) : 0;

    if (p->n < body + 4 - p->in + want) {
        return;
    }

    if (strncmp(p->in, "HTTP/1.1 20", 11) != 0) {
        hang_up(p);
        return;
    }

    record(p->probe ? &probe_times : &post_times, t - p->sent_at);

    if (!p->probe) {
        answered++;
    }

    p->sent_at = 0;

    if (options.close_posts || strcasestr(p->in, "\r\nConnection: close")) {
        close(p->fd);
        p->fd = 0;
    }
}


static void
hang_up(poster_t *p)
{
    if (!p->probe) {
        record(&unsure, p->seq);
    }

    if (p->fd > 0) {
        close(p->fd);
    }

    p->fd = 0;
    p->sent_at = 0;
}


static void
record(times_t *t, uint64_t v)
{
    if (t->n == t->room) {
        t->room = t->room ? t->room * 2 : 4096;
        t->v = realloc(t->v, t->room * sizeof(uint64_t));

        if (t->v == NULL) {
            die("no memory");
        }
    }

    t->v[t->n++] = v;
}


static int
compare(const void *one, const void *two)
{
    uint64_t  a, b;

    a = *(const uint64_t *) one;
    b = *(const uint64_t *) two;

    return a < b ? -1 : a > b;
}


/* all of them, in microseconds: the rounds of a bench are put together */

static void
print_times(const char *name, times_t *t)
{
    size_t  i;

    qsort(t->v, t->n, sizeof(uint64_t), compare);

    printf(",\"%s\":[", name);

    for (i = 0; i < t->n; i++) {
        printf("%s%.1f", i ? "," : "", t->v[i] / 1e3);
    }

    printf("]");
}


static uint64_t
pause_of(double rate)
{
    double    u, e;
    uint64_t  mean;

    mean = 1e9 / rate;
    u = drand48();

    /* -ln(u) by halving, so that the mathematical library is not needed */

    for (e = 0; u < 0.5; u *= 2) {
        e += 0.69314718;
    }

    u = 1 - u;
    e += u + u * u / 2 + u * u * u / 3 + u * u * u * u / 4;

    return mean * (e > 4 ? 4 : e);
}
