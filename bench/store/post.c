
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


typedef struct {
    int   fd;
    int   len;
    char  request[1024];
} bus_t;


static void open_bus(bus_t *bus, const char *port);
static void post(bus_t *bus, unsigned n);
static void post_open(const char *port);
static void post_write(uint64_t first, unsigned n);
static void post_close(void);
static void memory_open(const char *port);
static void memory_write(uint64_t first, unsigned n);
static void memory_close(void);


static bus_t  stored, memory;


writer_t  post_writer = { "post", post_open, post_write, post_close };
writer_t  memory_writer = { "memory", memory_open, memory_write,
                            memory_close };


static void
open_bus(bus_t *bus, const char *port)
{
    int                  one;
    char                 text[32];
    struct sockaddr_in   to;

    (void) snprintf(text, sizeof(text), "127.0.0.1:%s", port);

    one = 1;
    to = loopback(text, "post=PORT");
    bus->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bus->fd == -1
        || connect(bus->fd, (struct sockaddr *) &to, sizeof(to)) == -1
        || setsockopt(bus->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
           == -1)
    {
        die(text);
    }

    bus->len = snprintf(bus->request, sizeof(bus->request),
                        "POST " CHANNEL " HTTP/1.1\r\nHost: %s\r\n"
                        "User-Agent: " AGENT "\r\nContent-Length: %d\r\n\r\n"
                        "%s", text, DATA_LEN, data());
}


static void
post(bus_t *bus, unsigned n)
{
    char     answer[4096];
    ssize_t  got, size;

    for ( /* void */ ; n; n--) {

        if (write(bus->fd, bus->request, bus->len) != bus->len) {
            die("a POST");
        }

        size = 0;

        do {
            got = read(bus->fd, answer + size, sizeof(answer) - 1 - size);

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
post_open(const char *port)
{
    open_bus(&stored, port);
}


static void
post_write(uint64_t first, unsigned n)
{
    (void) first;

    post(&stored, n);
}


static void
post_close(void)
{
    (void) close(stored.fd);
}


static void
memory_open(const char *port)
{
    open_bus(&memory, port);
}


static void
memory_write(uint64_t first, unsigned n)
{
    (void) first;

    post(&memory, n);
}


static void
memory_close(void)
{
    (void) close(memory.fd);
}
