
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_VIEW_H_INCLUDED_
#define _NGX_MSGBUS_VIEW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_many.h"


#define NGX_MSGBUS_EXACT   0    /* the channel's own events */
#define NGX_MSGBUS_PARENT  1    /* and those of the channels above it */
#define NGX_MSGBUS_ALL     2    /* and those of the channels below it */
#define NGX_MSGBUS_WHOLE   3    /* every event of the bus */
#define NGX_MSGBUS_MANY    4    /* of several channels */


/* what a reader asks for */
typedef struct {
    ngx_msgbus_channel_t  *channel;    /* the root with NGX_MSGBUS_WHOLE
                                          and NGX_MSGBUS_MANY */
    ngx_msgbus_many_t     *many;       /* with the latter: which */
    uint64_t               after;      /* the cursor */
    uint64_t               asked;      /* when one above all ids was asked for
                                          first, monotonic, us; else 0 */
    ngx_uint_t             max_events;
    size_t                 max_bytes;
    ngx_str_t              hide;       /* a poster's uuid; empty: none */

    unsigned               scope:3;    /* NGX_MSGBUS_* */
    unsigned               latest:1;   /* the cursor is the newest event */
    unsigned               newest_first:1;
    unsigned               name:1;     /* "channel" ends each event */
    unsigned               history:1;  /* what the log has no more, a store
                                          may have */
} ngx_msgbus_query_t;


/* an event that stands apart in the buffer that it was rendered into */
typedef struct {
    u_char                *text;           /* its JSON */
    size_t                 len;
    ngx_str_t              uuid;           /* the poster's, behind the text */
    uint64_t               id;
} ngx_msgbus_mark_t;


/*
 * A read in progress: what one hold of the lock leaves for the next.  The
 * place is kept as an id, never as a pointer: between two holds the log
 * moves on.
 */
typedef struct {
    ngx_msgbus_query_t    *query;
    ngx_msgbus_mark_t     *marks;      /* NULL: events are not told apart */

    uint64_t               place;      /* last id that was looked at */
    uint64_t               stop;       /* newest first: not down to this one */
    uint64_t               last_id;    /* the cursor to use next */
    ngx_uint_t             events;     /* rendered so far */
    uint64_t               first;      /* id of the first of them */
    uint64_t               last;       /* and of the last */
    size_t                 bytes;

    unsigned               started:1;
    unsigned               cut:1;      /* by a limit of the query */
    unsigned               gap:1;
    unsigned               less:1;     /* likewise, of which one without a
                                          cursor is not told */
    unsigned               unsure:1;   /* is the cursor another node's? */
    unsigned               lost:1;     /* the log has not all that is behind
                                          the place */
    unsigned               near:1;     /* of several channels: all records are
                                          looked at, for they are few */
} ngx_msgbus_view_t;


/* begins a read; the query outlives it */
void ngx_msgbus_view_init(ngx_msgbus_view_t *view, ngx_msgbus_query_t *query);

/*
 * Renders the next events into buf and moves *last past them: separated by
 * commas; or apart, noted in view->marks, which has NGX_MSGBUS_HOLD_RECORDS
 * places and so is for a single call.  buf has NGX_MSGBUS_HOLD_BYTES and room
 * for one record of any size behind.  Examines NGX_MSGBUS_HOLD_RECORDS at
 * most.
 *
 * NGX_OK        done: view holds the outcome
 * NGX_AGAIN     there is more: unlock, take the bytes away, lock, call again
 * NGX_DECLINED  what comes next the log may have lost: of a query with history
 *               a store is to be asked, for what is behind view->place; then
 *               call again, unless that was the end
 */
ngx_int_t ngx_msgbus_view_next_locked(ngx_msgbus_log_t *log,
    ngx_msgbus_view_t *view, u_char *buf, u_char **last, uint64_t now);


/*
 * Is there room in the page for one more event, of so many bytes?  Else the
 * page is cut before it.
 */
static ngx_inline ngx_uint_t
ngx_msgbus_view_has_room(ngx_msgbus_view_t *view, size_t bytes)
{
    ngx_msgbus_query_t  *q;

    q = view->query;

    if (view->events == q->max_events
        || (view->events && view->bytes + bytes > q->max_bytes))
    {
        if (!q->newest_first) {
            view->last_id = view->place;
        }

        view->cut = 1;
        return 0;
    }

    return 1;
}


/* before one that is rendered at p: its comma */
static ngx_inline u_char *
ngx_msgbus_view_comma(ngx_msgbus_view_t *view, uint64_t id, u_char *p)
{
    if (view->events == 0) {
        view->first = id;

    } else if (view->marks == NULL) {
        *p++ = ',';
    }

    return p;
}


/* behind it: it counts */
static ngx_inline void
ngx_msgbus_view_count(ngx_msgbus_view_t *view, uint64_t id, size_t bytes)
{
    view->last = id;
    view->events++;
    view->bytes += bytes;
}


/* is an event of this poster's to be left out? */
static ngx_inline ngx_uint_t
ngx_msgbus_view_hides(ngx_msgbus_query_t *q, u_char *uuid, size_t len)
{
    return q->hide.len
           && len == q->hide.len
           && ngx_memcmp(uuid, q->hide.data, len) == 0;
}


/* notes the event at text, which ends at p, and puts its uuid there */
static ngx_inline u_char *
ngx_msgbus_view_mark(ngx_msgbus_mark_t *mark, uint64_t id, u_char *text,
    u_char *p, u_char *uuid, size_t len)
{
    mark->text = text;
    mark->len = p - text;
    mark->id = id;
    mark->uuid.data = p;
    mark->uuid.len = len;

    return ngx_cpymem(p, uuid, len);
}


/* what rendering can add to a record's own bytes */
#define NGX_MSGBUS_VIEW_OVERHEAD                                              \
    (sizeof(",\"data\":,\"channel\":\"\"},") + NGX_INT64_LEN                  \
     + NGX_MSGBUS_CHANNEL_LEN)


#endif /* _NGX_MSGBUS_VIEW_H_INCLUDED_ */
