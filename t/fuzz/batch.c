
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A batch of any bytes is split into its lines, and all of them are stored,
 * or none and the first bad line is named.
 *
 * The first bytes are the limits: of an event's size, of its depth, and how
 * many events the bus takes before it fails.
 */


#include "fuzz.h"
#include "ngx_http_msgbus_batch.h"
#include "ngx_http_msgbus_key.h"
#include "ngx_http_msgbus_reply.h"


#define BATCH_LINES  1000


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ngx_int_t batch_expect(const u_char *p, size_t len,
    ngx_uint_t max_depth);
static void batch_body(ngx_http_request_t *r);


static size_t       batch_max_size;
static ngx_uint_t   batch_room;         /* events that the bus takes */
static ngx_uint_t   batch_lines;        /* that a plain reader finds */
static ngx_str_t    batch_found[BATCH_LINES + 1];
static ngx_uint_t   batch_bad;          /* the number of the first bad line */
static ngx_uint_t   batch_deep;         /* it is too deep, or may be */
static ngx_str_t    batch_answer;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char             message[128];
    u_char           byte;
    ngx_int_t        rc, expected;
    ngx_str_t        body;
    ngx_uint_t       i;
    fuzz_request_t   fr;
    ngx_msgbus_post_t  post;

    static size_t      sizes[] = { 65536, 2, 3, 16, 100, 1000 };
    static ngx_uint_t  depths[] = { 512, 1, 2, 3 };

    fuzz_begin(&fr);
    fr.request.method = NGX_HTTP_POST;

    ngx_str_null(&fr.ctx.pass.callback);
    ngx_str_null(&fr.ctx.pass.uuid);
    ngx_str_null(&fr.ctx.pass.user_agent);

    byte = fuzz_byte(&data, &size);
    batch_max_size = sizes[byte % 6];

    byte = fuzz_byte(&data, &size);
    fr.conf.max_depth = depths[byte & 3];

    byte = fuzz_byte(&data, &size);
    batch_room = byte ? byte - 1 : BATCH_LINES + 1;

    ngx_str_null(&batch_answer);

    body = fuzz_copy(data, size);

    ngx_memzero(&post, sizeof(ngx_msgbus_post_t));

    rc = ngx_http_msgbus_batch(&fr.request, &fr.ctx.pass, &body, &post);

    fuzz_check(memcmp(body.data, data, size) == 0, "the body was changed");

    expected = batch_expect(body.data, body.len, fr.conf.max_depth);

    if (expected != NGX_OK) {
        fuzz_check(rc == expected, "status %ld, not %ld", (long) rc,
                   (long) expected);
        fuzz_check(post.n == 0, "there is something to store");

        if (batch_bad) {
            fuzz_check(fr.ctx.pass.message != NULL, "no message");

            snprintf(message, sizeof(message), "Invalid JSON in line %lu",
                     (unsigned long) batch_bad);

            if (strcmp(fr.ctx.pass.message, message) != 0) {
                snprintf(message, sizeof(message),
                         "JSON is nested too deep in line %lu",
                         (unsigned long) batch_bad);

                fuzz_check(strcmp(fr.ctx.pass.message, message) == 0
                           && batch_deep, "\"%s\"", fr.ctx.pass.message);
            }
        }

        goto done;
    }

    fuzz_check(rc == NGX_OK && fr.ctx.pass.batch, "status %ld", (long) rc);

    fuzz_check(post.n == batch_lines, "%lu events of %lu lines",
               (unsigned long) post.n, (unsigned long) batch_lines);

    for (i = 0; i < post.n; i++) {
        fuzz_check(post.events[i].data.len == batch_found[i].len
                   && post.events[i].data.data == batch_found[i].data,
                   "event %lu is another", (unsigned long) i);

        /* of 16 digits, the longest there are */
        post.events[i].id = 9007199254740001 + i;
    }

    /* the bus has stored the first of them */

    post.stored = ngx_min(batch_lines, batch_room);

    if (post.stored == 0) {
        goto done;
    }

    /* what is not stored has no id, which is what the answer goes by */

    for (i = post.stored; i < post.n; i++) {
        post.events[i].id = 0;
    }

    fr.ctx.id = post.events[post.stored - 1].id;

    if (post.stored == batch_lines) {
        rc = ngx_http_msgbus_batch_done(&fr.request, &fr.ctx.pass, &post);

        fuzz_check(rc == NGX_OK && batch_answer.data, "status %ld", (long) rc);
        batch_body(&fr.request);

    } else {
        post.unsure = batch_room & 1;

        rc = ngx_http_msgbus_batch_failed(&fr.request, &fr.ctx.pass, &post);

        snprintf(message, sizeof(message), post.unsure
                 ? "Only %lu events are known to be stored"
                 : "Only the first %lu events were stored",
                 (unsigned long) post.stored);

        fuzz_check(rc == NGX_HTTP_SERVICE_UNAVAILABLE && fr.ctx.pass.message
                   && strcmp(fr.ctx.pass.message, message) == 0,
                   "status %ld of a part", (long) rc);
    }

done:

    fuzz_end();

    return 0;
}


static ngx_int_t
batch_expect(const u_char *p, size_t len, ngx_uint_t max_depth)
{
    size_t          n;
    ngx_uint_t      line;
    const u_char   *start;

    batch_lines = 0;
    batch_bad = 0;
    batch_deep = 0;

    for (line = 1; len; line++) {
        start = p;

        while (len && *p != '\n') {
            p++;
            len--;
        }

        n = p - start;

        if (len) {
            p++;
            len--;
        }

        if (n && start[n - 1] == '\r') {
            n--;
        }

        if (n == 0) {
            continue;
        }

        if (n > batch_max_size || batch_lines == BATCH_LINES) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        if (!fuzz_json(start, n, max_depth, NGX_OK)) {
            batch_bad = line;
            batch_deep = fuzz_json(start, n, max_depth, NGX_BUSY);
            return NGX_HTTP_BAD_REQUEST;
        }

        batch_found[batch_lines].data = (u_char *) start;
        batch_found[batch_lines++].len = n;
    }

    return batch_lines ? NGX_OK : NGX_HTTP_BAD_REQUEST;
}


/* {"ids":[...]}, an id for each */
static void
batch_body(ngx_http_request_t *r)
{
    size_t      i;
    ngx_uint_t  ids;

    fuzz_check(r->headers_out.status == NGX_HTTP_CREATED, "not created");
    fuzz_check(fuzz_json(batch_answer.data, batch_answer.len, 2, NGX_OK),
               "the answer is no JSON");

    for (ids = 1, i = 0; i < batch_answer.len; i++) {
        ids += batch_answer.data[i] == ',';
    }

    fuzz_check(ids == batch_lines, "%lu ids of %lu events",
               (unsigned long) ids, (unsigned long) batch_lines);
}


/* the bus, and what sends */

size_t
ngx_msgbus_max_event_size(ngx_msgbus_t *bus)
{
    return batch_max_size;
}


/* no batch comes with a key */
ngx_int_t
ngx_http_msgbus_key(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_str_t *body, ngx_msgbus_event_t *ev, ngx_uint_t n)
{
    return NGX_OK;
}


ngx_int_t
ngx_http_msgbus_add_number(ngx_http_request_t *r, const char *key, uint64_t n)
{
    fuzz_check(n == 9007199254740000 + batch_lines,
               "Msgbus-Id is not the last");

    return NGX_OK;
}


void
ngx_http_msgbus_content_type(ngx_http_request_t *r, const char *type)
{
}


ngx_int_t
ngx_http_msgbus_send(ngx_http_request_t *r, ngx_chain_t *out, size_t size)
{
    batch_answer.data = out->buf->pos;
    batch_answer.len = out->buf->last - out->buf->pos;

    fuzz_check(batch_answer.len == size && out->next == NULL,
               "the size is another");

    return NGX_OK;
}
