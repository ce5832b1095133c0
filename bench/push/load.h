
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What the processes of the load share: what they were told, and the memory
 * through which subscribers tell the poster what has come.
 */


#ifndef _LOAD_H_INCLUDED_
#define _LOAD_H_INCLUDED_


#define _GNU_SOURCE

#include "../program.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#define MAX_PROCESSES      64
#define MAX_POSTERS        512

/* events that may be under way at a time */
#define RING               (1 << 16)

/* latencies by their first 6 bits: within 3 % */
#define HISTOGRAM          (64 * 32)


typedef enum {
    KIND_SSE = 0,       /* ready with the head of the answer */
    KIND_IDLE,          /* the answer is whole, the connection is kept */
    KIND_POLL,          /* ready when asked: the answer is still to come */
    KIND_STALL          /* as SSE, and then never reads again */
} kind_e;


/* of one process of subscribers; written by it alone */

typedef struct {
    uint64_t   ready;
    uint64_t   got;         /* events, each counted once a subscriber */
    uint64_t   twice;
    uint64_t   late;        /* of them: after one with a higher number */
    uint64_t   disorder;    /* ids of the server that were below the last */
    uint64_t   gaps;        /* told by the server */
    uint64_t   closed;
    uint64_t   errors;
    uint64_t   reconnected;
    uint64_t   bytes;

    /* "check" */
    uint64_t   checked;
    uint64_t   incomplete;  /* subscribers that have missed one */
    uint64_t   worst;       /* most that one has missed */

    char       error[128];
    uint32_t   each[HISTOGRAM];
} process_t;


/* seen by all processes */

typedef struct {
    uint32_t   total;       /* subscribers that an event must reach */
    uint32_t   posted;      /* events, all numbers below it */
    uint32_t   check;       /* asked for so many times */
    uint64_t   posted_at[RING];
    uint32_t   reached[RING];
    uint64_t   last_at[RING];
    process_t  process[MAX_PROCESSES];
} shared_t;


#define MAX_HEAD  4000


/* what main() was told */

typedef struct {
    struct sockaddr_in   to;
    const char          *host;
    const char          *subscribe;
    const char          *publish;
    const char          *probe;
    int                  subscribers;
    int                  processes;
    int                  per_address;
    int                  reconnect;
    int                  close_posts;
    int                  receive_buffer;
    int                  head;        /* bytes of a cookie, beside the rest */
    kind_e               kind;
} options_t;


extern options_t   options;
extern shared_t   *shared;

/* eventfds: an event has reached everybody; a process shall check */
extern int         reached_fd;
extern int         check_fd[MAX_PROCESSES];


/* makes what is shared of what the options say; before there are processes */
void share(void);

/* of all processes: the sum of a field of process_t, and what failed first */
uint64_t sum(size_t offset);
void first_error(void);

/* latencies of deliveries, in a histogram of a process */
int histogram_slot(uint64_t ns);
uint64_t each_percentile(double p);


#endif /* _LOAD_H_INCLUDED_ */
