
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Writers of events side by side: 20 ms of one, 20 ms of the next, and so on,
 * each batch durable before the next begins.  A disk or a neighbor that is slow
 * for a while is so for all of them, and what one has left to the disk, it
 * mostly pays itself.
 *
 *     writers BATCH SECONDS WRITER=WHERE...
 *
 *     files=FOLDER    pwrite() and fdatasync() alone
 *     journal=FOLDER  the journal of the bus, without the bus
 *     sqlite=FOLDER   SQLite, its write-ahead log, synchronous=FULL
 *     lmdb=FOLDER     LMDB, MDB_APPEND
 *     insert=URI      MongoDB, insert_many of libmongoc
 *     post=PORT       a bus: that many POSTs, one after the other
 *     memory=PORT     another bus, likewise
 *
 * Prints a line of JSON, for each writer {"events":N,"us":N,"p50_us":N}, where
 * p50 is of a batch: what a disk that others use does now and then is not in it.
 */


#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define WRITERS  8

/* batches whose time is kept; a longer run has the p50 of the first ones */
#define TIMES    1000000

/* of a writer, in ns */
#define TURN     20000000


typedef struct {
    writer_t  *writer;
    uint64_t   id;
    uint64_t  *times;
    unsigned   n;
} side_t;


static void begin(side_t *side, char *word);
static void turn(side_t *side, unsigned batch);
static void end(side_t *side, unsigned batch);
static int compare(const void *a, const void *b);


static writer_t  *writers[] = {
    &files_writer, &journal_writer, &sqlite_writer, &lmdb_writer,
    &insert_writer, &post_writer, &memory_writer, NULL
};


int
main(int argc, char **argv)
{
    int        i, n;
    side_t     sides[WRITERS];
    unsigned   batch;
    uint64_t   until;

    n = argc - 3;

    if (n < 1 || n > WRITERS || atoi(argv[1]) < 1
        || atoi(argv[1]) > BATCH_MAX || atof(argv[2]) <= 0)
    {
        fprintf(stderr, "usage: writers BATCH SECONDS WRITER=WHERE...\n");
        return 2;
    }

    batch = (unsigned) atoi(argv[1]);

    for (i = 0; i < n; i++) {
        begin(&sides[i], argv[3 + i]);
    }

    /* the first turn of each is not counted */

    for (i = 0; i < n; i++) {
        turn(&sides[i], batch);
        sides[i].n = 0;
    }

    until = now() + (uint64_t) (atof(argv[2]) * SECOND);

    do {
        for (i = 0; i < n; i++) {
            turn(&sides[i], batch);
        }

    } while (now() < until);

    for (i = 0; i < n; i++) {
        printf("%s", i ? "," : "{");
        end(&sides[i], batch);
    }

    printf("}\n");

    return 0;
}


static void
begin(side_t *side, char *word)
{
    char       *where;
    writer_t  **w;

    where = strchr(word, '=');

    if (where == NULL) {
        die(word);
    }

    *where++ = '\0';

    for (w = writers; *w && strcmp((*w)->name, word) != 0; w++) {
        /* void */
    }

    side->writer = *w;
    side->id = wall_ms() * 1000;    /* above those of a run before */
    side->n = 0;
    side->times = malloc(TIMES * sizeof(uint64_t));

    if (side->writer == NULL || side->times == NULL) {
        die(word);
    }

    side->writer->open(where);
}


static void
turn(side_t *side, unsigned batch)
{
    uint64_t  t, last, until;

    last = now();
    until = last + TURN;

    do {
        side->writer->write(side->id, batch);
        side->id += batch;

        t = now();

        if (side->n < TIMES) {
            side->times[side->n++] = t - last;
        }

        last = t;

    } while (t < until);
}


static void
end(side_t *side, unsigned batch)
{
    unsigned  i;
    uint64_t  ns;

    side->writer->close();

    qsort(side->times, side->n, sizeof(uint64_t), compare);

    for (ns = 0, i = 0; i < side->n; i++) {
        ns += side->times[i];
    }

    printf("\"%s\":{\"events\":%llu,\"us\":%.0f,\"p50_us\":%.1f}",
           side->writer->name, (unsigned long long) side->n * batch, ns / 1e3,
           side->times[side->n / 2] / 1e3);

    free(side->times);
}


/* 300 bytes of JSON, as of the POSTs that these are compared with */

const char *
data(void)
{
    static char  text[DATA_LEN + 1];

    if (text[0] == '\0') {
        memset(text, 'x', DATA_LEN);
        memcpy(text, "{\"a\":\"", 6);
        memcpy(text + DATA_LEN - 2, "\"}", 2);
    }

    return text;
}


void
token(uint64_t id, unsigned char *bytes)
{
    memset(bytes, 'x', TOKEN_LEN);
    memcpy(bytes, &id, sizeof(uint64_t));
}


uint64_t
wall_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}


static int
compare(const void *a, const void *b)
{
    uint64_t  x, y;

    x = *(const uint64_t *) a;
    y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}
