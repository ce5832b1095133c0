
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Events as streams send them, rendered once for all their readers.
 *
 * A frame holds the events of a channel, or of what else a query names, that
 * have ids above "from"; the first of them is "until".  So it fits every
 * reader of the same whose cursor is from "from" on and below "until".  It
 * keeps the posters' uuids: who hides one's events gets a frame without them.
 *
 * The chunk of HTTP/1.1 is around it, so that it can be sent as it is.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_frame.h"
#include "ngx_msgbus_number.h"
#include "ngx_msgbus_uuid.h"


#define NGX_MSGBUS_FRAME_BUCKETS  256

/* what is kept for those who are woken later */
#define NGX_MSGBUS_FRAMES         1024
#define NGX_MSGBUS_FRAMES_SIZE    4194304

/* "1fffffff\r\n" */
#define NGX_MSGBUS_CHUNK_HEAD     10


static uint32_t ngx_msgbus_frame_hash(ngx_msgbus_query_t *query);
static ngx_str_t *ngx_msgbus_frame_name(ngx_msgbus_query_t *query);
static ngx_queue_t *ngx_msgbus_frame_bucket(ngx_msgbus_frames_t *frames,
    uint32_t hash, ngx_uint_t scope, ngx_msgbus_form_e form);
static void ngx_msgbus_frame_unshare(ngx_msgbus_frames_t *frames,
    ngx_msgbus_frame_t *frame);
static ngx_msgbus_frame_t *ngx_msgbus_frame_alloc(ngx_uint_t events,
    size_t size, size_t tail, ngx_log_t *log);
static void ngx_msgbus_frame_close(ngx_msgbus_frame_t *frame, u_char *last);
static size_t ngx_msgbus_frame_len(ngx_msgbus_rendered_t *rendered,
    size_t *uuids, size_t *escapes);
static size_t ngx_msgbus_frame_escapes(ngx_msgbus_mark_t *mark);
static size_t ngx_msgbus_frame_escape(u_char *dst, u_char *p, u_char *last);
static u_char *ngx_msgbus_frame_event(u_char *p, ngx_msgbus_mark_t *mark,
    ngx_msgbus_form_e form, size_t escapes);
static u_char *ngx_msgbus_frame_text(u_char *p, ngx_msgbus_mark_t *mark);
static void ngx_msgbus_frame_spaces(u_char *p, u_char *last, u_char c);
static u_char *ngx_msgbus_frame_gap(u_char *p,
    ngx_msgbus_rendered_t *rendered, ngx_msgbus_form_e form);
static u_char *ngx_msgbus_frame_id(u_char *p, uint64_t id,
    ngx_msgbus_form_e form);
static ngx_uint_t ngx_msgbus_frame_is_by(ngx_msgbus_frame_t *frame,
    ngx_uint_t n, ngx_str_t *uuid, uint32_t key);


/* the longest that frame_gap and frame_id write, and what is around events */
#define NGX_MSGBUS_FRAME_GAP                                                  \
    (sizeof("event: msgbus.gap\ndata: {\"after\":,\"oldest\":}\nid: \n\n")    \
     + 3 * NGX_INT64_LEN)
#define NGX_MSGBUS_FRAME_ID                                                   \
    (sizeof("event: msgbus.ping\ndata: {\"ping\":}\nid: \n\n")               \
     + 2 * NGX_INT64_LEN)
#define NGX_MSGBUS_FRAME_EVENT  (sizeof("data: \nid: \n\n") + NGX_INT64_LEN)

/* how long a reader shall wait before it comes back, ms: from, and how much
   more by lot, so that a crowd does not come back in one moment */
#define NGX_MSGBUS_RETRY         2000
#define NGX_MSGBUS_RETRY_SPREAD  2000


ngx_int_t
ngx_msgbus_frames_init(ngx_msgbus_frames_t *frames, ngx_pool_t *pool)
{
    ngx_uint_t  i;

    frames->buckets = ngx_palloc(pool, NGX_MSGBUS_FRAME_BUCKETS
                                       * sizeof(ngx_queue_t));
    if (frames->buckets == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_MSGBUS_FRAME_BUCKETS; i++) {
        ngx_queue_init(&frames->buckets[i]);
    }

    ngx_queue_init(&frames->ages);

    frames->n = 0;
    frames->size = 0;

    return NGX_OK;
}


ngx_msgbus_frame_t *
ngx_msgbus_frame_find(ngx_msgbus_frames_t *frames, ngx_msgbus_query_t *query,
    uint64_t after, ngx_msgbus_form_e form)
{
    uint32_t             hash;
    ngx_str_t           *name;
    ngx_queue_t         *q, *bucket;
    ngx_msgbus_frame_t  *frame;

    if (frames->n == 0 || query->latest
        || (query->history && after == 0))
    {
        /* from the beginning others may have what is left of it in the log */

        return NULL;
    }

    hash = ngx_msgbus_frame_hash(query);
    name = ngx_msgbus_frame_name(query);
    bucket = ngx_msgbus_frame_bucket(frames, hash, query->scope, form);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        frame = ngx_queue_data(q, ngx_msgbus_frame_t, queue);

        if (after >= frame->from
            && after < frame->until
            && frame->hash == hash
            && frame->scope == query->scope
            && frame->form == form
            && frame->name.len == name->len
            && ngx_memcmp(frame->name.data, name->data, name->len) == 0)
        {
            return frame;
        }
    }

    return NULL;
}


static uint32_t
ngx_msgbus_frame_hash(ngx_msgbus_query_t *query)
{
    ngx_msgbus_channel_t  *ch;

    if (query->scope == NGX_MSGBUS_MANY) {
        return query->many->hash;
    }

    ch = query->channel;

    return ch->depth ? ch->levels[ch->depth - 1].hash : 0;
}


/* with the scope it says which events a frame is for */
static ngx_str_t *
ngx_msgbus_frame_name(ngx_msgbus_query_t *query)
{
    return query->scope == NGX_MSGBUS_MANY ? &query->many->text
                                           : &query->channel->name;
}


static ngx_queue_t *
ngx_msgbus_frame_bucket(ngx_msgbus_frames_t *frames, uint32_t hash,
    ngx_uint_t scope, ngx_msgbus_form_e form)
{
    return &frames->buckets[(hash + scope * 2 + form)
                            % NGX_MSGBUS_FRAME_BUCKETS];
}


ngx_uint_t
ngx_msgbus_frame_may_be_by(ngx_msgbus_frame_t *frame, uint32_t key)
{
    ngx_uint_t  i;

    for (i = 0; i < frame->events; i++) {
        if (frame->event[i].key == key) {
            return 1;
        }
    }

    return 0;
}


void
ngx_msgbus_frame_share(ngx_msgbus_frames_t *frames, ngx_msgbus_frame_t *frame)
{
    ngx_queue_t         *q;
    ngx_msgbus_frame_t  *old;

    if (frame->gap || frame->until <= frame->from) {

        /* it names the one reader's cursor; or it fits no other */

        return;
    }

    frame->owners++;
    frame->shared = 1;

    q = ngx_msgbus_frame_bucket(frames, frame->hash, frame->scope,
                                frame->form);

    ngx_queue_insert_tail(q, &frame->queue);
    ngx_queue_insert_tail(&frames->ages, &frame->age);

    frames->n++;
    frames->size += frame->end - frame->start;

    while (frames->n > NGX_MSGBUS_FRAMES
           || frames->size > NGX_MSGBUS_FRAMES_SIZE)
    {
        q = ngx_queue_head(&frames->ages);
        old = ngx_queue_data(q, ngx_msgbus_frame_t, age);

        ngx_msgbus_frame_unshare(frames, old);
    }
}


static void
ngx_msgbus_frame_unshare(ngx_msgbus_frames_t *frames,
    ngx_msgbus_frame_t *frame)
{
    ngx_queue_remove(&frame->queue);
    ngx_queue_remove(&frame->age);

    frame->shared = 0;
    frames->n--;
    frames->size -= frame->end - frame->start;

    ngx_msgbus_frame_release(frame);
}


void
ngx_msgbus_frames_forget(ngx_msgbus_frames_t *frames)
{
    ngx_queue_t         *q;
    ngx_msgbus_frame_t  *frame;

    while (!ngx_queue_empty(&frames->ages)) {
        q = ngx_queue_head(&frames->ages);
        frame = ngx_queue_data(q, ngx_msgbus_frame_t, age);

        ngx_msgbus_frame_unshare(frames, frame);
    }
}


ngx_msgbus_frame_t *
ngx_msgbus_frame_create(ngx_msgbus_rendered_t *rendered, ngx_msgbus_form_e form,
    ngx_log_t *log)
{
    u_char                    *p, *uuid;
    size_t                     size, uuids, escapes;
    ngx_str_t                 *name;
    ngx_uint_t                 i;
    ngx_msgbus_mark_t         *mark;
    ngx_msgbus_view_t         *view;
    ngx_msgbus_frame_t        *frame;
    ngx_msgbus_query_t        *query;
    ngx_msgbus_frame_event_t  *event;

    view = rendered->view;
    query = view->query;
    name = ngx_msgbus_frame_name(query);

    size = ngx_msgbus_frame_len(rendered, &uuids, &escapes);

    frame = ngx_msgbus_frame_alloc(view->events, size,
                                   uuids + name->len, log);
    if (frame == NULL) {
        return NULL;
    }

    p = frame->pos;
    uuid = p + size + sizeof("\r\n") - 1;

    if (view->gap) {
        p = ngx_msgbus_frame_gap(p, rendered, form);

        if (view->events == 0 && !rendered->more) {
            p = ngx_msgbus_frame_id(p, view->last_id, form);
        }
    }

    frame->head = p - frame->pos;

    for (i = 0; i < view->events; i++) {
        mark = &rendered->marks[i];
        event = &frame->event[i];

        p = ngx_msgbus_frame_event(p, mark, form, escapes);

        event->end = (uint32_t) (p - frame->pos);
        event->uuid = (uint32_t) (uuid - frame->pos);
        event->uuid_len = (uint32_t) mark->uuid.len;
        event->key = ngx_msgbus_uuid_text_key(&mark->uuid);

        uuid = ngx_cpymem(uuid, mark->uuid.data, mark->uuid.len);
    }

    frame->from = query->after;
    frame->last_id = view->last_id;
    frame->until = view->events ? view->first : view->last_id;

    if (view->less) {

        /* of what is missing others are to be told: it fits none of them */

        frame->until = frame->from;
    }

    frame->scope = query->scope;
    frame->form = form;
    frame->hash = ngx_msgbus_frame_hash(query);
    frame->name.len = name->len;
    frame->name.data = uuid;
    ngx_memcpy(uuid, name->data, name->len);

    frame->more = rendered->more;
    frame->lost = rendered->lost;
    frame->gap = view->gap;

    ngx_msgbus_frame_close(frame, p);

    return frame;
}


/*
 * The struct, the events, the chunk, and behind it what is not sent: of so
 * many bytes.  size bounds what is between pos and last.
 */
static ngx_msgbus_frame_t *
ngx_msgbus_frame_alloc(ngx_uint_t events, size_t size, size_t tail,
    ngx_log_t *log)
{
    ngx_msgbus_frame_t  *frame;

    frame = ngx_alloc(sizeof(ngx_msgbus_frame_t)
                      + events * sizeof(ngx_msgbus_frame_event_t)
                      + NGX_MSGBUS_CHUNK_HEAD + size + sizeof("\r\n") - 1
                      + tail, log);
    if (frame == NULL) {
        return NULL;
    }

    ngx_memzero(frame, sizeof(ngx_msgbus_frame_t));

    frame->owners = 1;
    frame->events = events;
    frame->event = (ngx_msgbus_frame_event_t *) (frame + 1);
    frame->pos = (u_char *) (frame->event + events) + NGX_MSGBUS_CHUNK_HEAD;

    return frame;
}


/* writes the chunk around what ends at last */
static void
ngx_msgbus_frame_close(ngx_msgbus_frame_t *frame, u_char *last)
{
    size_t  len;
    u_char  head[NGX_MSGBUS_CHUNK_HEAD];

    frame->last = last;

    len = ngx_sprintf(head, "%xz\r\n", (size_t) (last - frame->pos)) - head;

    frame->start = frame->pos - len;
    ngx_memcpy(frame->start, head, len);

    frame->end = ngx_cpymem(last, "\r\n", sizeof("\r\n") - 1);
}


static size_t
ngx_msgbus_frame_len(ngx_msgbus_rendered_t *rendered, size_t *uuids,
    size_t *escapes)
{
    size_t              size;
    ngx_uint_t          i;
    ngx_msgbus_mark_t  *mark;

    size = rendered->view->gap ? NGX_MSGBUS_FRAME_GAP + NGX_MSGBUS_FRAME_ID
                               : 0;
    *uuids = 0;
    *escapes = 0;

    for (i = 0; i < rendered->view->events; i++) {
        mark = &rendered->marks[i];

        size += NGX_MSGBUS_FRAME_EVENT + mark->len;
        *uuids += mark->uuid.len;
        *escapes += ngx_msgbus_frame_escapes(mark);
    }

    return size + *escapes;
}


/* how many bytes escapes add to an event, most often none */
static size_t
ngx_msgbus_frame_escapes(ngx_msgbus_mark_t *mark)
{
    size_t       n;
    u_char      *p, *last;
    ngx_uint_t   i;

    static const u_char  leads[] = { 0xc2, 0xe2 };

    last = mark->text + mark->len;
    n = 0;

    for (i = 0; i < sizeof(leads); i++) {

        for (p = mark->text; p < last; p++) {

            p = memchr(p, leads[i], last - p);

            if (p == NULL) {
                break;
            }

            n += ngx_msgbus_frame_escape(NULL, p, last);
        }
    }

    return n;
}


/*
 * Line readers of Python, and of others, end lines at U+0085, U+2028 and
 * U+2029 too, which JSON has in strings only: C2 85, E2 80 A8, E2 80 A9.  If
 * one of them is at p, writes its escape to dst, unless that is NULL; how
 * many bytes longer than itself that is, or 0.
 */
static size_t
ngx_msgbus_frame_escape(u_char *dst, u_char *p, u_char *last)
{
    u_char  *text;
    size_t   more;

    if (*p == 0xc2 && last - p >= 2 && p[1] == 0x85) {
        text = (u_char *) "\\u0085";
        more = 4;

    } else if (*p == 0xe2 && last - p >= 3 && p[1] == 0x80
               && (p[2] & 0xfe) == 0xa8)
    {
        text = (u_char *) (p[2] == 0xa8 ? "\\u2028" : "\\u2029");
        more = 3;

    } else {
        return 0;
    }

    if (dst) {
        ngx_memcpy(dst, text, sizeof("\\u2028") - 1);
    }

    return more;
}


/*
 * The id stands behind the data: clients that take it as soon as they have
 * its line would not come back to an event that is cut off before its end.
 */
static u_char *
ngx_msgbus_frame_event(u_char *p, ngx_msgbus_mark_t *mark,
    ngx_msgbus_form_e form, size_t escapes)
{
    u_char  *text;

    if (form == NGX_MSGBUS_SSE) {
        p = ngx_cpymem(p, "data: ", sizeof("data: ") - 1);
    }

    text = p;
    p = escapes ? ngx_msgbus_frame_text(p, mark)
                : ngx_cpymem(p, mark->text, mark->len);

    /* it is one line: what ends lines in its white space is made spaces */

    ngx_msgbus_frame_spaces(text, p, '\n');
    ngx_msgbus_frame_spaces(text, p, '\r');

    *p++ = '\n';

    if (form == NGX_MSGBUS_SSE) {
        p = ngx_cpymem(p, "id: ", sizeof("id: ") - 1);
        p = ngx_msgbus_number(p, mark->id);
        p = ngx_cpymem(p, "\n\n", sizeof("\n\n") - 1);
    }

    return p;
}


static u_char *
ngx_msgbus_frame_text(u_char *p, ngx_msgbus_mark_t *mark)
{
    size_t   more;
    u_char  *text, *last;

    last = mark->text + mark->len;

    for (text = mark->text; text < last; text++) {

        more = ngx_msgbus_frame_escape(p, text, last);

        if (more) {
            p += sizeof("\\u2028") - 1;
            text += sizeof("\\u2028") - 1 - more - 1;

        } else {
            *p++ = *text;
        }
    }

    return p;
}


static void
ngx_msgbus_frame_spaces(u_char *p, u_char *last, u_char c)
{
    for ( /* void */ ; p < last; p++) {

        p = memchr(p, c, last - p);

        if (p == NULL) {
            break;
        }

        *p = ' ';
    }
}


/*
 * Who comes back from here gets what is left, and is not told again; who is
 * cut off before this id has come, is.
 */
static u_char *
ngx_msgbus_frame_gap(u_char *p, ngx_msgbus_rendered_t *rendered,
    ngx_msgbus_form_e form)
{
    uint64_t  after;

    after = rendered->view->query->after;

    if (form == NGX_MSGBUS_SSE) {
        return ngx_sprintf(p, "event: msgbus.gap\n"
                              "data: {\"after\":%uL,\"oldest\":%uL}\n"
                              "id: %uL\n\n",
                           after, rendered->oldest,
                           rendered->invented ? rendered->oldest - 1
                               : ngx_max(after, rendered->oldest - 1));
    }

    return ngx_sprintf(p, "{\"gap\":{\"after\":%uL,\"oldest\":%uL}}\n",
                       after, rendered->oldest);
}


static u_char *
ngx_msgbus_frame_id(u_char *p, uint64_t id, ngx_msgbus_form_e form)
{
    if (form == NGX_MSGBUS_SSE) {
        return ngx_sprintf(p, "event: msgbus.ping\n"
                              "data: {\"ping\":%uL}\nid: %uL\n\n", id, id);
    }

    return ngx_sprintf(p, "{\"ping\":%uL}\n", id);
}


ngx_msgbus_frame_t *
ngx_msgbus_frame_without(ngx_msgbus_frame_t *frame, ngx_str_t *uuid,
    ngx_log_t *log)
{
    u_char              *p;
    uint32_t             key, from;
    ngx_uint_t           i, n;
    ngx_msgbus_frame_t  *mine;

    key = ngx_msgbus_uuid_text_key(uuid);

    for (n = 0; n < frame->events; n++) {
        if (ngx_msgbus_frame_is_by(frame, n, uuid, key)) {
            break;
        }
    }

    if (n == frame->events) {
        frame->owners++;
        return frame;
    }

    mine = ngx_msgbus_frame_alloc(0, frame->last - frame->pos, 0, log);
    if (mine == NULL) {
        return NULL;
    }

    mine->last_id = frame->last_id;
    mine->more = frame->more;
    mine->gap = frame->gap;
    mine->head = frame->head;

    p = ngx_cpymem(mine->pos, frame->pos, frame->head);
    from = (uint32_t) frame->head;

    for (i = 0; i < frame->events; i++) {

        if (!ngx_msgbus_frame_is_by(frame, i, uuid, key)) {
            mine->events++;
            p = ngx_cpymem(p, frame->pos + from, frame->event[i].end - from);
        }

        from = frame->event[i].end;
    }

    ngx_msgbus_frame_close(mine, p);

    return mine;
}


static ngx_uint_t
ngx_msgbus_frame_is_by(ngx_msgbus_frame_t *frame, ngx_uint_t n,
    ngx_str_t *uuid, uint32_t key)
{
    ngx_msgbus_frame_event_t  *event;

    event = &frame->event[n];

    return event->key == key
           && event->uuid_len == uuid->len
           && ngx_memcmp(frame->pos + event->uuid, uuid->data, uuid->len)
              == 0;
}


ngx_msgbus_frame_t *
ngx_msgbus_frame_ping(uint64_t id, ngx_msgbus_form_e form, ngx_log_t *log)
{
    ngx_msgbus_frame_t  *frame;

    frame = ngx_msgbus_frame_alloc(0, NGX_MSGBUS_FRAME_ID, 0, log);

    if (frame) {
        ngx_msgbus_frame_close(frame,
                               ngx_msgbus_frame_id(frame->pos, id, form));
    }

    return frame;
}


ngx_msgbus_frame_t *
ngx_msgbus_frame_hello(ngx_msgbus_frame_t *first, uint64_t id,
    ngx_msec_t retry, ngx_msgbus_form_e form, ngx_log_t *log)
{
    u_char              *p;
    size_t               size;
    ngx_msgbus_frame_t  *frame;

    size = first ? first->last - first->pos : 0;

    frame = ngx_msgbus_frame_alloc(0, sizeof("retry: \n") + NGX_INT_T_LEN
                                      + NGX_MSGBUS_FRAME_ID + size, 0, log);
    if (frame == NULL) {
        return NULL;
    }

    p = frame->pos;

    if (form == NGX_MSGBUS_SSE) {

        if (retry == 0) {
            retry = NGX_MSGBUS_RETRY
                    + ngx_random() % (NGX_MSGBUS_RETRY_SPREAD + 1);
        }

        p = ngx_sprintf(p, "retry: %M\n", retry);
    }

    p = ngx_msgbus_frame_id(p, id, form);

    frame->head = p - frame->pos;

    if (first) {
        p = ngx_cpymem(p, first->pos, size);

        frame->head += first->head;
        frame->last_id = first->last_id;
        frame->events = first->events;
        frame->more = first->more;
        frame->lost = first->lost;
        frame->gap = first->gap;
    }

    ngx_msgbus_frame_close(frame, p);

    return frame;
}


void
ngx_msgbus_frame_release(ngx_msgbus_frame_t *frame)
{
    if (--frame->owners == 0) {
        ngx_free(frame);
    }
}
