
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Lines that a thread has for the error log.
 *
 * nginx's log is the event loop's: one that goes to syslog or to memory keeps
 * buffers and a connection that no two threads may use.  So a thread has a
 * log of its own, whose lines wait here until the loop writes them, in their
 * order and with the time at which they were told.  There is room for some
 * hundred; what there is no room for is counted.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <pthread.h>
#include "ngx_msgbus_lines.h"


#define NGX_MSGBUS_LINES_SIZE  65536


/* before each line */
typedef struct {
    uint32_t               level;
    uint32_t               len;
} ngx_msgbus_line_t;


struct ngx_msgbus_lines_s {
    ngx_log_t              log;        /* the thread's */
    ngx_log_t             *to;
    ngx_msgbus_tells_t    *tells;
    int                    fd;
    pthread_mutex_t        mutex;      /* of what follows */
    ngx_uint_t             lost;
    size_t                 used;
    u_char                 buf[NGX_MSGBUS_LINES_SIZE];
};


static void ngx_msgbus_lines_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);
static void ngx_msgbus_lines_tell(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);


ngx_msgbus_lines_t *
ngx_msgbus_lines_create(ngx_msgbus_tells_t *tells, ngx_log_t *log, int fd)
{
    ngx_msgbus_lines_t  *lines;

    lines = ngx_alloc(sizeof(ngx_msgbus_lines_t), log);
    if (lines == NULL) {
        return NULL;
    }

    ngx_memzero(&lines->log, sizeof(ngx_log_t));

    lines->log.log_level = log->log_level;
    lines->log.writer = ngx_msgbus_lines_writer;
    lines->log.wdata = lines;

    lines->to = log;
    lines->tells = tells;
    lines->fd = fd;
    lines->lost = 0;
    lines->used = 0;

    if (pthread_mutex_init(&lines->mutex, NULL) != 0) {
        ngx_free(lines);
        return NULL;
    }

    return lines;
}


ngx_log_t *
ngx_msgbus_lines_log(ngx_msgbus_lines_t *lines)
{
    return &lines->log;
}


/* nginx calls it with a line, its end included, in the thread */
static void
ngx_msgbus_lines_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    ngx_msgbus_line_t    line;
    ngx_msgbus_lines_t  *lines = log->wdata;

    static uint64_t      one = 1;

    line.level = (uint32_t) level;
    line.len = (uint32_t) len;

    (void) pthread_mutex_lock(&lines->mutex);

    if (sizeof(ngx_msgbus_line_t) + len > NGX_MSGBUS_LINES_SIZE - lines->used) {
        lines->lost++;

    } else {
        ngx_memcpy(lines->buf + lines->used, &line, sizeof(ngx_msgbus_line_t));
        lines->used += sizeof(ngx_msgbus_line_t);

        ngx_memcpy(lines->buf + lines->used, buf, len);
        lines->used += len;
    }

    (void) pthread_mutex_unlock(&lines->mutex);

    /* without it, the loop looks by itself a little later */

    if (write(lines->fd, &one, sizeof(uint64_t)) == -1) {
        return;
    }
}


void
ngx_msgbus_lines_write(ngx_msgbus_lines_t *lines)
{
    size_t              used;
    u_char             *p;
    ngx_uint_t          lost;
    ngx_msgbus_line_t   line;

    static u_char       buf[NGX_MSGBUS_LINES_SIZE];

    (void) pthread_mutex_lock(&lines->mutex);

    used = lines->used;
    lost = lines->lost;

    ngx_memcpy(buf, lines->buf, used);

    lines->used = 0;
    lines->lost = 0;

    (void) pthread_mutex_unlock(&lines->mutex);

    for (p = buf; p < buf + used; p += line.len) {
        ngx_memcpy(&line, p, sizeof(ngx_msgbus_line_t));
        p += sizeof(ngx_msgbus_line_t);

        ngx_msgbus_lines_tell(lines->to, line.level, p, line.len);
    }

    if (lost) {
        ngx_msgbus_tell(lines->tells, NGX_MSGBUS_TELL_LINES, NGX_LOG_ERR,
                        lines->to, 0,
                        "msgbus had no room for %ui more lines of its thread",
                        lost);
    }
}


/* as nginx would have written it */
static void
ngx_msgbus_lines_tell(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    for ( /* void */ ; log && log->log_level >= level; log = log->next) {

        if (log->writer) {
            log->writer(log, level, buf, len);

        } else if (log->file && log->file->fd != NGX_INVALID_FILE) {
            (void) ngx_write_fd(log->file->fd, buf, len);
        }
    }
}


void
ngx_msgbus_lines_destroy(ngx_msgbus_lines_t *lines)
{
    ngx_msgbus_lines_write(lines);

    (void) pthread_mutex_destroy(&lines->mutex);
    ngx_free(lines);
}
