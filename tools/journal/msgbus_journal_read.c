
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What only reads a journal: verify and dump.
 */


#include "msgbus_journal.h"


static int same_keys(int fd, ngx_msgbus_journal_header_t *h,
    ngx_msgbus_journal_index_t *index);
static int is_torn_in_the_middle(ngx_msgbus_journal_reader_t *r,
    ngx_uint_t i, ngx_msgbus_journal_step_t *end);
static ngx_int_t dump_all(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_journal_page_t *page);
static ngx_int_t print_event(void *data, ngx_msgbus_journal_event_t *ev);
static void print_string(const char *name, ngx_str_t *s);
static void print_binary(const char *name, u_char *p, size_t len);
static void print_base64(u_char *p, size_t len);


static uint64_t  printed;


/* each frame of each segment, the chain between them, and the indexes */
int
verify(const char *folder, ngx_uint_t offline)
{
    uint64_t                      done, all, events;
    ngx_int_t                     rc;
    ngx_uint_t                    i, bad;
    ngx_msgbus_journal_index_t    index, stored;
    ngx_msgbus_journal_reader_t   r;
    ngx_msgbus_journal_opened_t  *o;
    ngx_msgbus_journal_window_t   w;

    if (ngx_msgbus_journal_reader_open(&r, folder, &ngx_msgbus_disk)
        != NGX_OK)
    {
        fprintf(stderr, "msgbus-journal: %s\n", r.error);
        return 2;
    }

    r.offline = offline;

    rc = ngx_msgbus_journal_reader_look(&r);

    if (rc != NGX_OK) {
        fprintf(stderr, "msgbus-journal: %s\n", r.error);
        return rc == NGX_DECLINED ? 1 : 2;
    }

    all = 0;
    done = 0;
    events = 0;
    bad = 0;

    for (i = 0; i < r.list.n; i++) {
        all += r.list.elts[i].bytes;
    }

    for (i = 0; i < r.list.n; i++) {

        o = ngx_msgbus_journal_opened(&r, i, &rc);

        if (o == NULL) {
            progress(NULL, 0, 0);
            fprintf(stderr, "msgbus-journal: %s\n", r.error);
            bad++;
            continue;
        }

        /* from the frames, whatever the index says */

        ngx_msgbus_journal_index_init(&index, &r.list.elts[i].header);
        index.keyed = 1;

        ngx_msgbus_journal_window_init(&w, &ngx_msgbus_disk, o->fd,
                                       o->index.end.offset);

        rc = ngx_msgbus_journal_index_extend(&index, &w,
                                             o->index.end.offset);

        if (rc != NGX_OK
            || (i + 1 < r.list.n
                && (index.end.id != r.list.elts[i + 1].header.last_id
                    || index.end.frame
                       != r.list.elts[i + 1].header.last_frame)))
        {
            progress(NULL, 0, 0);
            ngx_msgbus_journal_read_bad(&r, i, index.end.offset,
                                        rc == NGX_ERROR ? ngx_errno : 0);
            fprintf(stderr, "msgbus-journal: %s\n", r.error);
            bad++;

        } else if (i + 1 < r.list.n
                   && ngx_msgbus_journal_index_load(&stored, &ngx_msgbus_disk,
                          o->fd, &r.list.elts[i].header,
                          o->index.end.offset)
                      == NGX_OK)
        {
            if (stored.records != index.records
                || !same_keys(o->fd, &r.list.elts[i].header, &index))
            {
                fprintf(stderr, "msgbus-journal: the index of segment %lu is "
                        "not of its frames\n",
                        (unsigned long) r.list.elts[i].sequence);
                bad++;
            }

            ngx_msgbus_journal_index_free(&stored);
        }

        if (r.offline && i + 1 == r.list.n
            && is_torn_in_the_middle(&r, i, &index.end))
        {
            progress(NULL, 0, 0);
            ngx_msgbus_journal_read_bad(&r, i, index.end.offset, 0);
            fprintf(stderr, "msgbus-journal: %s\n", r.error);
            bad++;
        }

        events += index.records;
        done += r.list.elts[i].bytes;

        ngx_msgbus_journal_window_free(&w);
        ngx_msgbus_journal_index_free(&index);

        progress("verify", done, all);
    }

    progress(NULL, 0, 0);

    printf("%lu segments, %lu events, ids up to %lu: %s\n",
           (unsigned long) r.list.n, (unsigned long) events,
           (unsigned long) r.newest, bad ? "damaged" : "well");

    ngx_msgbus_journal_reader_close(&r);

    return bad ? 1 : 0;
}


/* are the keys of a file those of its frames, where it has some? */
static int
same_keys(int fd, ngx_msgbus_journal_header_t *h,
    ngx_msgbus_journal_index_t *index)
{
    int                        same;
    size_t                     len;
    u_char                    *stored;
    ngx_msgbus_journal_keys_t  keys, made;

    if (ngx_msgbus_journal_index_keys(&keys, &ngx_msgbus_disk, fd, h,
                                      index->end.offset)
        != NGX_OK)
    {
        /* they are made again, as an index is */

        return 1;
    }

    same = 0;
    len = ngx_msgbus_journal_key_bytes(&index->keys);
    stored = malloc(len);

    if (stored
        && ngx_msgbus_journal_keys_make(&made, &index->keys, index->salt,
                                        index->end.offset)
           == NGX_OK)
    {
        same = keys.n == made.n
               && pread(fd, stored, len, (off_t) keys.at) == (ssize_t) len
               && memcmp(stored, made.bytes, len) == 0;

        ngx_msgbus_journal_keys_free(&made);
    }

    free(stored);
    ngx_msgbus_journal_keys_free(&keys);

    return same;
}


/* does anything say that there was more behind the end of the newest? */
static int
is_torn_in_the_middle(ngx_msgbus_journal_reader_t *r, ngx_uint_t i,
    ngx_msgbus_journal_step_t *end)
{
    uint64_t                      offset, durable;
    ngx_int_t                     rc;
    ngx_msgbus_journal_mark_t     m;
    ngx_msgbus_journal_frame_t    f;
    ngx_msgbus_journal_header_t  *h;
    ngx_msgbus_journal_window_t   w;

    h = &r->list.elts[i].header;
    durable = h->durable;

    if (r->mark_fd != -1
        && ngx_msgbus_journal_mark_load(&ngx_msgbus_disk, r->mark_fd, &m)
           == NGX_OK
        && m.segment == h->sequence && m.salt == h->salt)
    {
        durable = ngx_max(durable, m.frame);
    }

    ngx_msgbus_journal_window_init(&w, &ngx_msgbus_disk,
                                   ngx_msgbus_journal_opened(r, i, &rc)->fd,
                                   h->size);

    for (offset = end->offset; offset < h->size; /* void */ ) {

        rc = ngx_msgbus_journal_window_frame(&w, &f, h->salt, offset);

        if (rc == NGX_OK) {
            durable = ngx_max(durable, f.durable);
            offset += f.length;

        } else {
            offset += 8;
        }
    }

    ngx_msgbus_journal_window_free(&w);

    return durable > end->frame;
}


int
dump(const char *folder, ngx_uint_t offline)
{
    ngx_int_t                     rc;
    ngx_msgbus_journal_page_t     page;
    ngx_msgbus_journal_reader_t   r;

    if (ngx_msgbus_journal_reader_open(&r, folder, &ngx_msgbus_disk)
        != NGX_OK)
    {
        fprintf(stderr, "msgbus-journal: %s\n", r.error);
        return 2;
    }

    r.offline = offline;

    rc = ngx_msgbus_journal_reader_look(&r);

    if (rc == NGX_OK) {
        rc = dump_all(&r, &page);
        progress(NULL, 0, 0);
    }

    if (rc != NGX_OK) {
        fprintf(stderr, "msgbus-journal: %s\n", r.error);
        return rc == NGX_DECLINED ? 1 : 2;
    }

    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "msgbus-journal: the dump could not be written\n");
        return 2;
    }

    if (page.lost) {
        fprintf(stderr, "msgbus-journal: events with ids up to %lu may be "
                "missing, they were lost with a machine\n",
                (unsigned long) page.lost);
    }

    ngx_msgbus_journal_reader_close(&r);

    return 0;
}


static ngx_int_t
dump_all(ngx_msgbus_journal_reader_t *r, ngx_msgbus_journal_page_t *page)
{
    ngx_int_t                     rc;
    ngx_msgbus_journal_event_t    ev;
    ngx_msgbus_journal_opened_t  *o;

    rc = ngx_msgbus_journal_read(r, 0, 0, (ngx_uint_t) -1, 0, print_event, r,
                                 page);

    if (rc != NGX_OK || printed >= r->newest) {
        return rc;
    }

    /*
     * Ids above the last event's were given out, or skipped, and readers may
     * have them as a cursor: an event without a channel, as the module has it
     * in a database, says so.
     */

    o = ngx_msgbus_journal_opened(r, r->list.n - 1, &rc);

    if (o == NULL) {
        return rc;
    }

    memset(&ev, 0, sizeof(ev));

    ev.id = r->newest;
    ev.created = o->index.end.created;
    ngx_str_set(&ev.data, "{}");

    return print_event(r, &ev);
}


static ngx_int_t
print_event(void *data, ngx_msgbus_journal_event_t *ev)
{
    ngx_msgbus_journal_reader_t *r = data;

    u_char  *key;

    printed = ev->id;

    printf("{\"_id\":{\"$numberLong\":\"%lu\"}", (unsigned long) ev->id);

    print_string("channel", &ev->channel);
    print_string("data", &ev->data);
    print_string("user_agent", &ev->user_agent);
    print_string("uuid", &ev->uuid);

    printf(",\"created_at\":{\"$date\":{\"$numberLong\":\"%lu\"}}",
           (unsigned long) ev->created);

    if (ev->token) {
        print_binary("token", ev->token, NGX_MSGBUS_JOURNAL_TOKEN);
    }

    key = ngx_msgbus_journal_key_read(ev);

    if (key) {
        print_binary("key", key, NGX_MSGBUS_JOURNAL_KEY_NAME);
        print_binary("body", key + NGX_MSGBUS_JOURNAL_KEY_NAME,
                     NGX_MSGBUS_JOURNAL_KEY - NGX_MSGBUS_JOURNAL_KEY_NAME);
    }

    printf("}\n");

    progress("dump", ev->id - r->oldest, r->newest - r->oldest);

    return ferror(stdout) ? NGX_DONE : NGX_OK;
}


static void
print_string(const char *name, ngx_str_t *s)
{
    size_t  i;
    u_char  c;

    printf(",\"%s\":\"", name);

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (c == '"' || c == '\\') {
            putchar('\\');
            putchar(c);

        } else if (c < ' ') {
            printf("\\u%04x", c);

        } else {
            putchar(c);
        }
    }

    putchar('"');
}


static void
print_binary(const char *name, u_char *p, size_t len)
{
    printf(",\"%s\":{\"$binary\":{\"base64\":\"", name);
    print_base64(p, len);
    printf("\",\"subType\":\"00\"}}");
}


static void
print_base64(u_char *p, size_t len)
{
    size_t    i;
    uint32_t  n;

    static const char  chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";

    for (i = 0; i < len; i += 3) {
        n = (uint32_t) p[i] << 16
            | (i + 1 < len ? (uint32_t) p[i + 1] << 8 : 0)
            | (i + 2 < len ? p[i + 2] : 0);

        putchar(chars[n >> 18]);
        putchar(chars[n >> 12 & 63]);
        putchar(i + 1 < len ? chars[n >> 6 & 63] : '=');
        putchar(i + 2 < len ? chars[n & 63] : '=');
    }
}


