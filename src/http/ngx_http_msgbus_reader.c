
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Who waits for events: a reader.
 *
 * What is delivered to it, and when, does not depend on what it waits with: a
 * request that is held, or a connection alone.  So it has its own memory, and
 * a request that is held with it knows it, and not the other way round, but
 * for its end.  A hundred thousand of them may wait: whatever is the same for
 * many is their topic's.
 */


#include "ngx_http_msgbus_reader.h"


ngx_http_msgbus_reader_t *
ngx_http_msgbus_reader_create(ngx_http_request_t *r,
    ngx_http_msgbus_reader_kind_t *kind)
{
    size_t                          len;
    ngx_uint_t                      packed;
    ngx_http_msgbus_pass_t         *pass;
    ngx_http_msgbus_reader_t       *reader;
    ngx_http_msgbus_reader_hold_t  *rh;
    u_char                          uuid[NGX_MSGBUS_UUID_PACKED];

    rh = ngx_http_msgbus_hold_create(r, kind->hold);
    if (rh == NULL) {
        return NULL;
    }

    pass = &rh->hold.ctx->pass;

    packed = ngx_msgbus_uuid_pack(uuid, &pass->query.hide);
    len = packed ? NGX_MSGBUS_UUID_PACKED : pass->query.hide.len;

    reader = ngx_alloc(kind->size + len, r->connection->log);
    if (reader == NULL) {
        return NULL;
    }

    ngx_memzero(reader, kind->size);

    if (len) {
        ngx_memcpy((u_char *) reader + kind->size,
                   packed ? uuid : pass->query.hide.data, len);
    }

    reader->topic = ngx_http_msgbus_topic(r, pass, kind);
    if (reader->topic == NULL) {
        ngx_free(reader);
        return NULL;
    }

    reader->connection = r->connection;
    reader->after = pass->query.after;
    reader->recent = !pass->query.history;
    reader->hide = pass->query.hide.len;
    reader->packed = packed;

    reader->by.hold = rh;
    rh->reader = reader;

    return reader;
}


void
ngx_http_msgbus_reader_free(ngx_http_msgbus_reader_t *reader)
{
    if (reader->kept) {
        ngx_http_msgbus_kept_free(reader->kept);
    }

    ngx_http_msgbus_topic_release(reader->topic);
    ngx_free(reader);
}


ngx_int_t
ngx_http_msgbus_reader_enter(ngx_http_msgbus_reader_t *reader)
{
    ngx_http_msgbus_topic_t  *topic;

    topic = reader->topic;

    if (ngx_msgbus_enter(topic->lcf->bus, &topic->query, topic->form)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    reader->present = 1;

    return NGX_OK;
}


void
ngx_http_msgbus_reader_leave(ngx_http_msgbus_reader_t *reader)
{
    ngx_http_msgbus_topic_t  *topic;

    if (reader->present) {
        topic = reader->topic;
        reader->present = 0;

        ngx_msgbus_leave(topic->lcf->bus, &topic->query, topic->form);
    }
}


ngx_http_request_t *
ngx_http_msgbus_reader_request(ngx_http_msgbus_reader_t *reader)
{
    return reader->parked ? NULL : reader->by.hold->hold.ctx->request;
}


void
ngx_http_msgbus_reader_slow(ngx_http_msgbus_reader_t *reader, size_t unread)
{
    ngx_http_request_t       *r;
    ngx_http_msgbus_topic_t  *topic;

    r = ngx_http_msgbus_reader_request(reader);
    topic = reader->topic;

    if (r) {
        ngx_http_set_log_request(r->connection->log, r);
    }

    ngx_log_error(NGX_LOG_INFO, reader->connection->log, 0,
                  "msgbus closes a stream of channel \"%V\", its "
                  "client has not read %uz bytes",
                  &topic->channel.name, unread);

    ngx_msgbus_count(topic->lcf->bus, NGX_MSGBUS_COUNT_SLOW, 1);
}


void
ngx_http_msgbus_reader_query(ngx_http_msgbus_reader_t *reader,
    ngx_msgbus_query_t *query)
{
    u_char         *p;

    static u_char   uuid[NGX_MSGBUS_UUID_LEN];

    *query = reader->topic->query;

    query->after = reader->after;
    query->history = reader->topic->query.history && !reader->recent;
    query->hide.len = reader->hide;

    p = (u_char *) reader + reader->topic->kind->size;

    if (reader->packed) {
        ngx_msgbus_uuid_unpack(uuid, p);
        p = uuid;
    }

    query->hide.data = p;
}


uint32_t
ngx_http_msgbus_reader_key(ngx_http_msgbus_reader_t *reader)
{
    u_char     *p;
    ngx_str_t   uuid;

    p = (u_char *) reader + reader->topic->kind->size;

    if (reader->packed) {
        return ngx_msgbus_uuid_key(p);
    }

    uuid.data = p;
    uuid.len = reader->hide;

    return ngx_msgbus_uuid_text_key(&uuid);
}
