
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The journal's own path of a batch, without the bus, and the floor below it:
 * the same number of bytes by pwrite() and fdatasync() alone, into a file that
 * is there and full of zeros.
 *
 * The journal's segments are made ahead by its keeper, in a thread, as in the
 * bus; so is the file of the floor, which begins anew at its end.
 */


#include "store.h"

#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_journal_keep.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>


#define FILE_SIZE  (16 * 1024 * 1024)


static void journal_open(const char *folder);
static void journal_write(uint64_t first, unsigned n);
static void journal_close(void);
static void *keep(void *data);
static void files_open(const char *folder);
static void files_write(uint64_t first, unsigned n);
static void files_close(void);
static void event(ngx_msgbus_journal_event_t *ev, uint64_t id,
    unsigned char *bytes);


static ngx_msgbus_journal_conf_t     conf;
static ngx_msgbus_journal_t          writer;
static ngx_msgbus_journal_keeper_t   keeper;
static ngx_msgbus_journal_event_t    events[BATCH_MAX];
static unsigned char                 tokens[BATCH_MAX][TOKEN_LEN];

static pthread_t                     thread;
static volatile int                  stop;

static int                           fd;
static off_t                         offset;
static u_char                       *bytes;


writer_t  journal_writer = {
    "journal", journal_open, journal_write, journal_close
};

writer_t  files_writer = {
    "files", files_open, files_write, files_close
};


/* the little of nginx's core that the rooms of a journal need */

u_char *
ngx_cpystrn(u_char *dst, u_char *src, size_t n)
{
    while (n > 1 && *src) {
        *dst++ = *src++;
        n--;
    }

    if (n) {
        *dst = '\0';
    }

    return dst;
}


static void
journal_open(const char *folder)
{
    conf.path = folder;
    conf.segment = FILE_SIZE;
    conf.patience = 1000000;

    if (ngx_msgbus_journal_open(&writer, &conf, &ngx_msgbus_disk) != NGX_OK
        || ngx_msgbus_journal_look(&writer) != NGX_OK)
    {
        die(writer.error);
    }

    if (ngx_msgbus_journal_keeper_open(&keeper, &conf, &ngx_msgbus_disk,
                                       writer.writer)
        != NGX_OK)
    {
        die(keeper.error);
    }

    while (ngx_msgbus_journal_keeper_turn(&keeper) == NGX_AGAIN) {
        /* void */
    }

    if (pthread_create(&thread, NULL, keep, NULL)) {
        die("pthread_create()");
    }
}


static void *
keep(void *data)
{
    struct timespec  rest = { 0, 20000000 };

    (void) data;

    while (!stop) {
        (void) ngx_msgbus_journal_keeper_turn(&keeper);
        (void) nanosleep(&rest, NULL);
    }

    return NULL;
}


static void
journal_write(uint64_t first, unsigned n)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        event(&events[i], first + i, tokens[i]);
    }

    if (ngx_msgbus_journal_insert(&writer, events, n) != NGX_OK) {
        die(writer.error);
    }
}


static void
journal_close(void)
{
    stop = 1;

    (void) pthread_join(thread, NULL);
    (void) ngx_msgbus_journal_stop(&writer);

    ngx_msgbus_journal_keeper_close(&keeper);
    ngx_msgbus_journal_close(&writer);
}


static void
files_open(const char *folder)
{
    char         path[4096];
    struct stat  st;

    (void) snprintf(path, sizeof(path), "%s/floor", folder);

    fd = open(path, O_RDWR|O_CREAT, 0600);
    bytes = calloc(1, FILE_SIZE);

    if (fd == -1 || bytes == NULL || fstat(fd, &st) == -1) {
        die(path);
    }

    if (st.st_size == FILE_SIZE) {
        return;
    }

    if (pwrite(fd, bytes, FILE_SIZE, 0) != FILE_SIZE || fsync(fd) == -1) {
        die(path);
    }
}


static void
files_write(uint64_t first, unsigned n)
{
    u_char                      *p;
    unsigned                     i;
    ngx_msgbus_journal_event_t   ev;

    p = bytes + NGX_MSGBUS_JOURNAL_FRAME;

    for (i = 0; i < n; i++) {
        event(&ev, first + i, tokens[0]);
        p = ngx_msgbus_journal_record_write(&ev, p);
    }

    if (offset + (p - bytes) > FILE_SIZE) {
        offset = 0;
    }

    if (pwrite(fd, bytes, p - bytes, offset) != p - bytes
        || fdatasync(fd) == -1)
    {
        die("the floor");
    }

    offset += p - bytes;
}


static void
files_close(void)
{
    free(bytes);
    (void) close(fd);
}


static void
event(ngx_msgbus_journal_event_t *ev, uint64_t id, unsigned char *bytes)
{
    ev->id = id;
    ev->created = wall_ms();

    ngx_str_set(&ev->channel, CHANNEL);
    ngx_str_set(&ev->uuid, UUID);
    ngx_str_set(&ev->user_agent, AGENT);
    ngx_str_null(&ev->fields);

    ev->data.data = (u_char *) data();
    ev->data.len = DATA_LEN;

    token(id, bytes);
    ev->token = bytes;
}
