
/*
 * Copyright (C) the msgbus authors
 */


/*
 * One event to a crowd: the short way.
 *
 * Of a hundred thousand who wait for the same, nearly all get the same bytes in
 * the same state: parked, with nothing under way, at the same place.  For them
 * there is one question - is this frame theirs, too? - and one send().  Whoever
 * differs goes the way of all others.
 *
 * A send() is some thousand instructions of the kernel's, which leave nothing
 * of the next reader in the cache.  So what is going to be needed of him is
 * fetched meanwhile.
 */


#include "ngx_http_msgbus_crowd.h"
#include "ngx_http_msgbus_tally.h"


ngx_int_t
ngx_http_msgbus_crowd_send(ngx_http_msgbus_reader_t *reader,
    ngx_msgbus_frame_t **frame, size_t *sent)
{
    size_t                    size;
    ssize_t                   n;
    uint32_t                  key;
    ngx_connection_t         *c;
    ngx_msgbus_frame_t       *theirs;
    ngx_http_msgbus_topic_t  *topic;

    c = reader->connection;
    topic = reader->topic;

    key = 0;

    if (reader->hide) {
        key = ngx_http_msgbus_reader_key(reader);
    }

    theirs = ngx_msgbus_others_frame(topic->lcf->bus, &topic->query,
                                     reader->after, reader->hide ? &key : NULL,
                                     topic->form);

    /*
     * who has been woken by another's event, or by an id that never came, has
     * nothing to get; an empty chunk would be the end
     */

    if (theirs == NULL || theirs->pos == theirs->last || !c->write->ready) {
        return NGX_DECLINED;
    }

    size = theirs->end - theirs->start;

    n = c->send(c, theirs->start, size);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (n != (ssize_t) size) {
        *frame = theirs;
        *sent = n == NGX_AGAIN ? 0 : n;

        return NGX_AGAIN;
    }

    ngx_http_msgbus_tally_frame(topic->lcf->bus, theirs);

    reader->after = theirs->last_id;
    reader->events += (uint32_t) theirs->events;
    reader->recent = 0;

    return NGX_OK;
}


void
ngx_http_msgbus_crowd_soon(ngx_msgbus_waiter_t *w)
{
    ngx_uint_t         n;
    ngx_connection_t  *c;

    c = ((ngx_http_msgbus_reader_t *) w)->connection;

    if (c < ngx_cycle->connections) {
        return;
    }

    n = c - ngx_cycle->connections;

    if (n < ngx_cycle->connection_n) {

        /* up to what was sent; and its event, which c->write would be */

        ngx_msgbus_prefetch(c, offsetof(ngx_connection_t, pool));
        ngx_msgbus_prefetch(&ngx_cycle->write_events[n], 1);
    }
}
