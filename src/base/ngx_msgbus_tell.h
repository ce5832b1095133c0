
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_TELL_H_INCLUDED_
#define _NGX_MSGBUS_TELL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* a line of one kind is not written again for so long, s */
#define NGX_MSGBUS_TELL_PERIOD  60


/*
 * What can be told more than once.  Each kind has a limit of its own, so that
 * no line hides another.
 */
typedef enum {
    /* of the zone */
    NGX_MSGBUS_TELL_REPAIRED = 0,
    NGX_MSGBUS_TELL_PRESSED,
    NGX_MSGBUS_TELL_REFUSED,
    NGX_MSGBUS_TELL_FORGOTTEN,
    NGX_MSGBUS_TELL_FILLING,

    /* of a worker */
    NGX_MSGBUS_TELL_CONNECTIONS,
    NGX_MSGBUS_TELL_NO_SLOT,
    NGX_MSGBUS_TELL_SLOT,
    NGX_MSGBUS_TELL_WAKE,
    NGX_MSGBUS_TELL_EVENTFD,
    NGX_MSGBUS_TELL_READER,
    NGX_MSGBUS_TELL_LINES,
    NGX_MSGBUS_TELL_EXIT,

    /* of a request */
    NGX_MSGBUS_TELL_TWICE,
    NGX_MSGBUS_TELL_BODY,
    NGX_MSGBUS_TELL_HASH,
    NGX_MSGBUS_TELL_JSON,

    /* of the committer and its store */
    NGX_MSGBUS_TELL_COMMITTER,
    NGX_MSGBUS_TELL_START,
    NGX_MSGBUS_TELL_FAILED,
    NGX_MSGBUS_TELL_WELL,
    NGX_MSGBUS_TELL_UNWANTED,
    NGX_MSGBUS_TELL_PASSED,
    NGX_MSGBUS_TELL_NO_ROOM,
    NGX_MSGBUS_TELL_CONCERN,
    NGX_MSGBUS_TELL_INDEXES,
    NGX_MSGBUS_TELL_ODD,
    NGX_MSGBUS_TELL_OVERDUE,
    NGX_MSGBUS_TELL_DROPPED,
    NGX_MSGBUS_TELL_GROWN,
    NGX_MSGBUS_TELL_DISK,

    /* of history */
    NGX_MSGBUS_TELL_HISTORY,
    NGX_MSGBUS_TELL_HISTORY_WELL,
    NGX_MSGBUS_TELL_HISTORY_START,
    NGX_MSGBUS_TELL_HISTORY_ROOM,

    NGX_MSGBUS_TELL_KINDS
} ngx_msgbus_tell_e;


/* of one kind */
typedef struct {
    ngx_atomic_t           at;         /* last one, s since boot; 0: never */
    ngx_atomic_t           left;       /* left out since */
    ngx_atomic_t           open;       /* the trouble is not said to be over */
} ngx_msgbus_told_t;


/*
 * What was told in the error log, and when; in the zone, so that all workers
 * together write a line once.
 *
 * Lock      none: atomic words
 * Writers   any thread of any worker
 * Readers   likewise
 * Lifetime  as the zone's
 * Crash     who dies between taking its turn and writing has a line lost that
 *           comes again a minute later; nothing waits for anybody
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    ngx_msgbus_told_t      kind[NGX_MSGBUS_TELL_KINDS];
} ngx_msgbus_tells_t;


/*
 * Names the zone that counts what is told of no zone in particular, where
 * tells is NULL below; without it, nothing of that is left out.  In a worker,
 * before its threads.
 */
void ngx_msgbus_tell_common(ngx_msgbus_tells_t *tells);

/*
 * Writes a line of a kind, as ngx_log_error() does, unless one was written in
 * the last minute: then it is counted, and the next line says how many were.
 * From any thread, log is that one's; the lock is not held.
 */
void ngx_cdecl ngx_msgbus_tell(ngx_msgbus_tells_t *tells, ngx_uint_t kind,
    ngx_uint_t level, ngx_log_t *log, ngx_err_t err, const char *fmt, ...);

/*
 * For lines that have a count of their own: may one of this kind be written at
 * now, ms since boot?  1: the caller does it, by ngx_log_error(), and nobody
 * else for a minute.  From any thread, with or without the lock.
 */
ngx_uint_t ngx_msgbus_tell_due(ngx_msgbus_tells_t *tells, ngx_uint_t kind,
    uint64_t now);

/*
 * Has trouble of a kind been written, and not its end?  And says that it ends:
 * 1, where a line of the kind "end" may be written now; 0: ask again later.
 */
ngx_uint_t ngx_msgbus_tell_ends(ngx_msgbus_tells_t *tells, ngx_uint_t kind,
    ngx_uint_t end);


#endif /* _NGX_MSGBUS_TELL_H_INCLUDED_ */
