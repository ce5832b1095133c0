
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The same events to a bus, by one POST after the other on one connection.
 */


#include "store.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


static void post_open(const char *port);
static void post_write(uint64_t first, unsigned n);
static void post_close(void);


static int   fd;
static int   len;
static char  request[1024];


writer_t  post_writer = { "post", post_open, post_write, post_close };


static void
post_open(const char *port)
{
    int                  one;
    char                 text[32];
    struct sockaddr_in   to;

    (void) snprintf(text, sizeof(text), "127.0.0.1:%s", port);

    one = 1;
    to = loopback(text, "post=PORT");
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1
        || connect(fd, (struct sockaddr *) &to, sizeof(to)) == -1
        || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1)
    {
        die(text);
    }

    len = snprintf(request, sizeof(request),
                   "POST " CHANNEL " HTTP/1.1\r\nHost: %s\r\n"
                   "User-Agent: " AGENT "\r\nContent-Length: %d\r\n\r\n%s",
                   text, DATA_LEN, data());
}


static void
post_write(uint64_t first, unsigned n)
{
    char     answer[4096];
    ssize_t  got, size;

    (void) first;

    for ( /* void */ ; n; n--) {

        if (write(fd, request, len) != len) {
            die("a POST");
        }

        size = 0;

        do {
            got = read(fd, answer + size, sizeof(answer) - 1 - size);

            if (got <= 0) {
                die("the answer to a POST");
            }

            size += got;
            answer[size] = '\0';

        } while (strstr(answer, "\r\n\r\n") == NULL);

        if (strncmp(answer, "HTTP/1.1 201", 12) != 0) {
            die("a POST was not stored");
        }
    }
}


static void
post_close(void)
{
    (void) close(fd);
}
