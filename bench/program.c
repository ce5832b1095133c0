
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The end, the clock and the addresses of the bench's programs.
 */


#define _GNU_SOURCE

#include "program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>


void
die(const char *text)
{
    fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, text,
            errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}


uint64_t
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * SECOND + ts.tv_nsec;
}


struct sockaddr_in
loopback(const char *text, const char *usage)
{
    char                host[32];
    const char         *colon;
    struct sockaddr_in  at;

    colon = text ? strchr(text, ':') : NULL;
    errno = 0;

    if (colon == NULL || colon - text >= (int) sizeof(host)) {
        die(usage);
    }

    memcpy(host, text, colon - text);
    host[colon - text] = '\0';

    memset(&at, 0, sizeof(at));
    at.sin_family = AF_INET;
    at.sin_port = htons(atoi(colon + 1));

    if (inet_pton(AF_INET, host, &at.sin_addr) != 1
        || (ntohl(at.sin_addr.s_addr) >> 24) != 127)
    {
        die("the address must be one of 127/8: this is a load for one's own");
    }

    return at;
}


uint64_t
all_descriptors(void)
{
    struct rlimit  rl;

    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);

    return rl.rlim_max;
}
