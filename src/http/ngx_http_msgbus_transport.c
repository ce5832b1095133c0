
/*
 * Copyright (C) the msgbus authors
 */


/*
 * How the frames of a stream reach its client, one at a time.
 *
 * A frame goes to the socket as it is, with its chunk around it, if no filter
 * has asked to see bodies and no protocol is in between; else through the
 * filters, in which case r->pool does not grow with it either.  What the socket
 * does not take waits for the client, as long as send_timeout.
 */


#include "ngx_http_msgbus_tally.h"
#include "ngx_http_msgbus_transport.h"


static ngx_uint_t ngx_http_msgbus_transport_is_filtered(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_transport_begin(ngx_http_request_t *r);
static ngx_uint_t ngx_http_msgbus_transport_is_chunked(
    ngx_http_msgbus_reader_t *reader);
static ngx_int_t ngx_http_msgbus_transport_flush(
    ngx_http_msgbus_reader_t *reader, ngx_http_msgbus_transport_t *tp);
static ngx_int_t ngx_http_msgbus_transport_write(
    ngx_http_msgbus_reader_t *reader, ngx_http_msgbus_transport_t *tp);
static ngx_int_t ngx_http_msgbus_transport_filter(
    ngx_http_msgbus_reader_t *reader, ngx_http_msgbus_transport_t *tp);
static ngx_uint_t ngx_http_msgbus_transport_is_buffered(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_transport_blocked(
    ngx_http_msgbus_reader_t *reader);


ngx_int_t
ngx_http_msgbus_transport_open(ngx_http_msgbus_reader_t *reader,
    ngx_http_msgbus_transport_t *tp)
{
    ngx_buf_t           *b;
    ngx_http_request_t  *r;

    r = ngx_http_msgbus_reader_request(reader);

    if (!ngx_http_msgbus_transport_is_filtered(r)) {

        if (ngx_http_msgbus_transport_begin(r) == NGX_ERROR) {
            return NGX_ERROR;
        }

        /* limit_rate is known since */

        if (r->limit_rate == 0) {
            return NGX_OK;
        }
    }

    tp->out = ngx_alloc_chain_link(r->pool);
    b = ngx_calloc_buf(r->pool);

    if (tp->out == NULL || b == NULL) {
        return NGX_ERROR;
    }

    b->memory = 1;
    b->flush = 1;
    b->tag = (ngx_buf_tag_t) &ngx_http_msgbus_module;

    tp->out->buf = b;
    tp->out->next = NULL;

    return NGX_OK;
}


/* or may frames go to the socket as they are? */
static ngx_uint_t
ngx_http_msgbus_transport_is_filtered(ngx_http_request_t *r)
{
    /*
     * Not by the macros of HTTP/2, HTTP/3 and TLS: a module that was built
     * with --with-compat alone does not have them, and runs in an nginx that
     * has all three.  The fields are there in each.
     */

    if (r->stream || r->http_version > NGX_HTTP_VERSION_11) {
        return 1;
    }

#if (NGX_SSL || NGX_COMPAT)

    if (r->connection->ssl) {
        return 1;
    }

#endif

    /*
     * whoever wants to see bodies asks to have them in memory; the one that
     * puts other answers around them, to have that of the client preserved
     */

    return r->filter_need_in_memory
           || r->filter_need_temporary
           || r->main_filter_need_in_memory
           || r->preserve_body
           || r->buffered
           || r->postponed;
}


/*
 * The header, through the filters: one may put something in front of a body
 * without a wish to see it.  Nobody writes to a buffer that holds nothing: so
 * it is one for all, and not of a stream's memory.
 */
static ngx_int_t
ngx_http_msgbus_transport_begin(ngx_http_request_t *r)
{
    ngx_chain_t       out;

    static ngx_buf_t  nothing;

    nothing.flush = 1;

    out.buf = &nothing;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


void
ngx_http_msgbus_transport_set(ngx_http_msgbus_reader_t *reader,
    ngx_http_msgbus_transport_t *tp, ngx_msgbus_frame_t *frame)
{
    ngx_http_msgbus_tally_frame(reader->topic->lcf->bus, frame);

    tp->frame = frame;
    tp->pos = ngx_http_msgbus_transport_is_chunked(reader) ? frame->start
                                                           : frame->pos;
}


/* who is parked has no other answer */
static ngx_uint_t
ngx_http_msgbus_transport_is_chunked(ngx_http_msgbus_reader_t *reader)
{
    return reader->parked || ngx_http_msgbus_reader_request(reader)->chunked;
}


ngx_int_t
ngx_http_msgbus_transport_send(ngx_http_msgbus_reader_t *reader,
    ngx_http_msgbus_transport_t *tp)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ngx_http_msgbus_reader_request(reader);

    if (r && r->out && (tp->frame == NULL || tp->out == NULL)) {
        rc = ngx_http_msgbus_transport_flush(reader, tp);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (tp->frame == NULL) {
        return NGX_OK;
    }

    return tp->out ? ngx_http_msgbus_transport_filter(reader, tp)
                   : ngx_http_msgbus_transport_write(reader, tp);
}


/* the header, which the socket did not take */
static ngx_int_t
ngx_http_msgbus_transport_flush(ngx_http_msgbus_reader_t *reader,
    ngx_http_msgbus_transport_t *tp)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ngx_http_msgbus_reader_request(reader);

    rc = tp->out ? ngx_http_output_filter(r, NULL)
                 : ngx_http_write_filter(r, NULL);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    return r->out ? ngx_http_msgbus_transport_blocked(reader) : NGX_OK;
}


/* to the socket */
static ngx_int_t
ngx_http_msgbus_transport_write(ngx_http_msgbus_reader_t *reader,
    ngx_http_msgbus_transport_t *tp)
{
    u_char            *end;
    ssize_t            n;
    ngx_connection_t  *c;

    c = reader->connection;

    end = ngx_http_msgbus_transport_is_chunked(reader) ? tp->frame->end
                                                       : tp->frame->last;

    while (c->write->ready) {

        n = c->send(c, tp->pos, end - tp->pos);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN) {
            break;
        }

        tp->pos += n;

        if (tp->pos == end) {
            ngx_http_msgbus_transport_drop(tp);

            if (c->write->timer_set) {
                ngx_del_timer(c->write);
            }

            return NGX_OK;
        }
    }

    return ngx_http_msgbus_transport_blocked(reader);
}


static ngx_int_t
ngx_http_msgbus_transport_filter(ngx_http_msgbus_reader_t *reader,
    ngx_http_msgbus_transport_t *tp)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ngx_http_msgbus_reader_request(reader);
    c = r->connection;
    b = tp->out->buf;

    if (tp->pos) {
        b->pos = tp->frame->pos;
        b->last = tp->frame->last;

        tp->pos = NULL;
        rc = ngx_http_output_filter(r, tp->out);

    } else {
        rc = ngx_http_output_filter(r, NULL);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (b->pos != b->last || r->postponed
        || ngx_http_msgbus_transport_is_buffered(r))
    {
        return ngx_http_msgbus_transport_blocked(reader);
    }

    ngx_http_msgbus_transport_drop(tp);

    if (c->write->timer_set && !c->write->delayed) {
        ngx_del_timer(c->write);
    }

    return NGX_OK;
}


/*
 * Is something of a frame on its way?  What filters note of themselves in
 * "buffered" does not say so: not all of them take it back.
 */
static ngx_uint_t
ngx_http_msgbus_transport_is_buffered(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (r->out) {
        return 1;
    }

#if (NGX_HTTP_V2)

    if (r->stream) {
        return r->stream->queued != 0;
    }

#endif

    if (r->stream || r->http_version > NGX_HTTP_VERSION_11) {
        return (c->buffered & NGX_LOWLEVEL_BUFFERED) != 0;
    }

#if (NGX_SSL || NGX_COMPAT)

    if (c->ssl) {
        return (c->buffered & NGX_SSL_BUFFERED) != 0;
    }

#endif

    return 0;
}


/* until the client reads, or for send_timeout since it last did */
static ngx_int_t
ngx_http_msgbus_transport_blocked(ngx_http_msgbus_reader_t *reader)
{
    ngx_event_t  *wev;

    wev = reader->connection->write;

    if (!wev->delayed) {
        ngx_add_timer(wev, reader->topic->clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


/*
 * The filters of a request that was made again have not seen its header: its
 * last chunk goes to the socket, as frames do.
 */
ngx_int_t
ngx_http_msgbus_transport_end(ngx_http_msgbus_reader_t *reader)
{
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    static u_char        last[] = "0" CRLF CRLF;

    r = ngx_http_msgbus_reader_request(reader);

    if (!reader->again) {
        return ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    b->pos = last;
    b->last = last + sizeof(last) - 1;
    b->memory = 1;
    b->last_buf = 1;

    cl->buf = b;
    cl->next = NULL;

    return ngx_http_write_filter(r, cl);
}


void
ngx_http_msgbus_transport_drop(ngx_http_msgbus_transport_t *tp)
{
    if (tp->frame) {
        ngx_msgbus_release(tp->frame);
        tp->frame = NULL;
    }
}
