
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A page of what the store has, as the log would have had it: read in a thread
 * that may block, then shown by the event loop to all who have asked for it.
 *
 * The strings of all its events stand in one piece of memory, one behind the
 * other; as that may move while it grows, where they are is told at the end.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_past.h"
#include "ngx_msgbus_time.h"


static void ngx_msgbus_past_doc(void *data, ngx_msgbus_doc_t *doc);
static ngx_int_t ngx_msgbus_past_room(ngx_msgbus_past_reader_t *r,
    ngx_msgbus_past_event_t *past);
static void ngx_msgbus_past_finish(ngx_msgbus_past_t *page);


ngx_msgbus_past_t *
ngx_msgbus_past_read(ngx_msgbus_past_reader_t *r, ngx_msgbus_history_t *h,
    ngx_int_t *rc)
{
    r->len = 0;
    r->size = 0;
    r->failed = 0;

    r->page = ngx_calloc(sizeof(ngx_msgbus_past_t)
                         + h->max * sizeof(ngx_msgbus_past_event_t), r->log);
    if (r->page == NULL) {
        *rc = NGX_BUSY;
        return NULL;
    }

    r->page->owners = 1;
    r->page->events = (ngx_msgbus_past_event_t *) (r->page + 1);

    *rc = r->store->history(r->db, h, ngx_msgbus_past_doc, r,
                            &r->page->examined);

    if (*rc == NGX_OK && r->failed) {
        *rc = NGX_BUSY;
    }

    if (*rc != NGX_OK) {
        ngx_msgbus_past_release(r->page);
        return NULL;
    }

    r->page->len = r->len;
    ngx_msgbus_past_finish(r->page);

    return r->page;
}


void
ngx_msgbus_past_release(ngx_msgbus_past_t *past)
{
    if (--past->owners == 0) {
        ngx_free(past->bytes);
        ngx_free(past);
    }
}


/* an event; one that can not be shown is passed over, as in the log */
static void
ngx_msgbus_past_doc(void *data, ngx_msgbus_doc_t *doc)
{
    ngx_msgbus_past_reader_t *r = data;

    ngx_int_t                 rc;
    ngx_msgbus_channel_t      ch;
    ngx_msgbus_past_event_t  *past;

    if (doc->channel.len == 0 || r->failed) {
        return;
    }

    past = &r->page->events[r->page->n];
    past->ev.channel = &ch;

    ngx_msgbus_foreign_times(doc, &past->ev);

    rc = ngx_msgbus_foreign(doc, &past->ev, r->agent, r->seed,
                            (size_t) -1, r->log);

    if (rc == NGX_DECLINED) {
        return;
    }

    past->channel = doc->channel;

    if (rc == NGX_ERROR
        || ngx_msgbus_past_room(r, past) != NGX_OK)
    {
        r->failed = 1;
        return;
    }

    past->ev.channel = NULL;
    ngx_msgbus_time_text(past->ev.created_text, past->ev.created);

    r->page->n++;
}


/* keeps its strings; where they are is told when all are there */
static ngx_int_t
ngx_msgbus_past_room(ngx_msgbus_past_reader_t *r,
    ngx_msgbus_past_event_t *past)
{
    size_t   len, size;
    u_char  *p;

    len = past->channel.len + past->ev.uuid.len + past->ev.user_agent.len
          + past->ev.data.len;

    if (r->size - r->len < len) {

        size = ngx_max(2 * r->size, r->len + len);
        size = ngx_max(size, 4096);

        p = realloc(r->page->bytes, size);
        if (p == NULL) {
            ngx_msgbus_tell(r->tells, NGX_MSGBUS_TELL_HISTORY_ROOM,
                            NGX_LOG_EMERG, r->log, ngx_errno,
                            "msgbus has no memory for a page of history, "
                            "realloc(%uz) failed", size);
            return NGX_ERROR;
        }

        r->page->bytes = p;
        r->size = size;
    }

    p = r->page->bytes + r->len;

    p = ngx_cpymem(p, past->channel.data, past->channel.len);
    p = ngx_cpymem(p, past->ev.uuid.data, past->ev.uuid.len);
    p = ngx_cpymem(p, past->ev.user_agent.data, past->ev.user_agent.len);
    ngx_memcpy(p, past->ev.data.data, past->ev.data.len);

    r->len += len;

    return NGX_OK;
}


static void
ngx_msgbus_past_finish(ngx_msgbus_past_t *page)
{
    u_char                   *p;
    ngx_uint_t                i;
    ngx_msgbus_past_event_t  *past;

    p = page->bytes;

    for (i = 0; i < page->n; i++) {
        past = &page->events[i];

        past->channel.data = p;
        p += past->channel.len;
        past->ev.uuid.data = p;
        p += past->ev.uuid.len;
        past->ev.user_agent.data = p;
        p += past->ev.user_agent.len;
        past->ev.data.data = p;
        p += past->ev.data.len;
    }
}
