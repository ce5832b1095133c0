
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The load of bench/push: subscribers, and a poster who times them.
 *
 *     client --to 127.0.0.1:8080 --subscribers 10000 --subscribe /a
 *            --publish /a ...
 *
 * Subscribers live in forked processes, each with an epoll of its own, and
 * have addresses of 127/8 in turn, so that neither ports nor descriptors run
 * out.  The poster is the first process.  It does what its standard input
 * says, a command a line, and answers with one line of JSON each:
 *
 *     open        (by itself) {"ready":10000,...}: all of them are subscribed
 *     post WINDOW RATE SECONDS POSTS SIZE PROBES
 *                 posts events, at most WINDOW of them not yet with everybody
 *                 (0: any number), RATE a second at random moments (0: as fast
 *                 as WINDOW lets it), until SECONDS or POSTS (0: any) are over;
 *                 meanwhile PROBES a second go to the channel --probe
 *     check       what each subscriber has missed or got twice, so far
 *     quit        (also the end of the input)
 *
 * Events are JSON objects with a number, {"seq":"000000000042",...}; that is
 * what subscribers count by.  Times are of CLOCK_MONOTONIC, which is the same
 * in all processes: an event's begins just before its POST is sent.
 *
 * A POST that gets no answer is not sent again.  Its event may have been stored
 * or not ("unsure"), but it must reach all subscribers or none of them.  With
 * --close each POST has a connection of its own, so that a reload of nginx
 * leaves none without an answer; with --reconnect subscribers come back with
 * the id of their last event.
 *
 * With --head N a subscriber's request has a cookie of its own of N bytes, as a
 * browser's has.
 *
 * The framing is read in full, chunks, lines and all: what is no HTTP and no
 * stream of events is an error, and not an event.
 */


#include "poster.h"
#include "subscribers.h"

#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>


static void options_of(int argc, char **argv);
static void wait_until_ready(void);


int
main(int argc, char **argv)
{
    int   n;
    char  text[256];

    options_of(argc, argv);

    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);

    share();

    for (n = 0; n < options.processes && options.subscribers; n++) {
        switch (fork()) {

        case -1:
            die("cannot fork");
            break;

        case 0:
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            subscriber_process(n);
            _exit(0);
        }
    }

    /* the poster shall not wait for those whom it measures */
    if (setpriority(PRIO_PROCESS, 0, -15) == -1) {
        (void) setpriority(PRIO_PROCESS, 0, 0);
    }

    wait_until_ready();

    while (fgets(text, sizeof(text), stdin)) {
        command(text);
    }

    return 0;
}


static void
options_of(int argc, char **argv)
{
    int  c;

    static struct option  names[] = {
        { "to", 1, NULL, 't' },
        { "subscribers", 1, NULL, 'n' },
        { "processes", 1, NULL, 'p' },
        { "subscribe", 1, NULL, 's' },
        { "publish", 1, NULL, 'u' },
        { "probe", 1, NULL, 'q' },
        { "kind", 1, NULL, 'k' },
        { "reconnect", 0, NULL, 'r' },
        { "close", 0, NULL, 'c' },
        { "receive-buffer", 1, NULL, 'b' },
        { "per-address", 1, NULL, 'a' },
        { "head", 1, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {

        case 't':
            options.host = optarg;
            break;

        case 'n':
            options.subscribers = atoi(optarg);
            break;

        case 'p':
            options.processes = atoi(optarg);
            break;

        case 's':
            options.subscribe = optarg;
            break;

        case 'u':
            options.publish = optarg;
            break;

        case 'q':
            options.probe = optarg;
            break;

        case 'k':
            options.kind = !strcmp(optarg, "sse") ? KIND_SSE
                 : !strcmp(optarg, "idle") ? KIND_IDLE
                 : !strcmp(optarg, "poll") ? KIND_POLL
                 : !strcmp(optarg, "stall") ? KIND_STALL
                 : (die("--kind: sse, idle, poll or stall"), KIND_SSE);
            break;

        case 'r':
            options.reconnect = 1;
            break;

        case 'c':
            options.close_posts = 1;
            break;

        case 'b':
            options.receive_buffer = atoi(optarg);
            break;

        case 'a':
            options.per_address = atoi(optarg);
            break;

        case 'h':
            options.head = atoi(optarg);

            if (options.head > MAX_HEAD) {
                die("--head: too much");
            }

            break;

        default:
            exit(2);
        }
    }

    options.to = loopback(options.host, "--to ADDRESS:PORT is missing");

    if (options.processes < 1 || options.processes > MAX_PROCESSES
        || options.subscribers < 0 || options.per_address < 1)
    {
        die("a number is out of range");
    }

    if ((uint64_t) (options.subscribers / options.processes + 100
                    + MAX_POSTERS)
        > all_descriptors())
    {
        die("more subscribers a process than it may have descriptors");
    }
}


static void
wait_until_ready(void)
{
    uint64_t  before, give_up, have;

    before = now();
    give_up = before + 120 * SECOND;

    do {
        usleep(1000);
        have = sum(offsetof(process_t, ready));
    } while (have < (uint64_t) options.subscribers && now() < give_up
             && sum(offsetof(process_t, errors)) == 0);

    printf("{\"ready\":%llu,\"seconds\":%.3f,\"errors\":%llu",
           (unsigned long long) have, (now() - before) / 1e9,
           (unsigned long long) sum(offsetof(process_t, errors)));
    first_error();
    printf("}\n");
}
