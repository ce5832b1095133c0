
/*
 * Copyright (C) the msgbus authors
 */


/*
 * msgbus-journal: looks after a journal's folder from the command line.
 *
 *     msgbus-journal verify FOLDER
 *     msgbus-journal dump FOLDER > FILE
 *     msgbus-journal import FOLDER < FILE
 *     msgbus-journal repair FOLDER
 *
 * A line of a dump is a document as MongoDB's mongoimport takes it, and
 * mongoexport writes it: so a dump is the way from a journal to a database,
 * and back.  Exit codes: 0 well; 1 damage, or something is lost; 2 it could
 * not be done.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <yajl/yajl_tree.h>
#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_journal_read.h"


/* events, and bytes of them, that are written at a time */
#define BATCH  500
#define BYTES  (8 * 1024 * 1024)


/* what is being done */
typedef struct {
    ngx_msgbus_journal_t         writer;
    ngx_msgbus_journal_conf_t    conf;
    ngx_msgbus_journal_event_t   events[BATCH];
    char                        *texts[BATCH];
    ngx_uint_t                   n;
    uint64_t                     written;
    uint64_t                     last;

    /* of what is repaired: */
    uint64_t                     ids;        /* the highest mark of ids */
    uint64_t                     frame;      /* the last good one */
    ngx_uint_t                   stopped;    /* it is a clean stop */
    ngx_uint_t                   bad;        /* what is behind it is not
                                                zeros */
} writer_t;


static int verify(const char *folder);
static int is_torn_in_the_middle(ngx_msgbus_journal_reader_t *r,
    ngx_uint_t i, ngx_msgbus_journal_step_t *end);
static int dump(const char *folder);
static int import(const char *folder);
static int repair(const char *folder);
static ngx_int_t print_event(void *data, ngx_msgbus_journal_event_t *ev);
static void print_string(const char *name, ngx_str_t *s);
static void print_base64(u_char *p, size_t len);
static ngx_int_t parse(char *line, ngx_msgbus_journal_event_t *ev,
    u_char *token, yajl_val *tree);
static uint64_t number(yajl_val v);
static uint64_t date(yajl_val v);
static void text(yajl_val doc, const char *name, ngx_str_t *s);
static int rebuild(const char *folder, const char *saved,
    ngx_msgbus_journal_list_t *list);
static void put_back(const char *folder, const char *saved,
    ngx_msgbus_journal_list_t *list, int begun);
static int alone(const char *folder);
static void owner(const char *folder);
static int writer_open(writer_t *w, const char *folder);
static int writer_flush(writer_t *w);
static int writer_close(writer_t *w);
static int copy_segment(writer_t *w, const char *folder,
    ngx_msgbus_journal_segment_t *seg, uint64_t end, uint64_t *lost);
static int copy_end(writer_t *w, const char *folder,
    ngx_msgbus_journal_list_t *list, uint64_t *lost);
static int missing(writer_t *w, uint64_t upto, uint64_t *lost);
static int hole(writer_t *w, uint64_t base, ngx_uint_t type);
static void progress(const char *what, uint64_t done, uint64_t all);


int
main(int argc, char **argv)
{
    const char  *what;

    if (argc == 3) {
        what = argv[1];

        if (strcmp(what, "verify") == 0) {
            return verify(argv[2]);
        }

        if (strcmp(what, "dump") == 0) {
            return dump(argv[2]);
        }

        if (strcmp(what, "import") == 0) {
            return import(argv[2]);
        }

        if (strcmp(what, "repair") == 0) {
            return repair(argv[2]);
        }
    }

    fprintf(stderr, "usage: msgbus-journal verify|dump|import|repair FOLDER\n");

    return 2;
}


/* each frame of each segment, the chain between them, and the indexes */
static int
verify(const char *folder)
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

    r.offline = alone(folder);

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
            if (stored.records != index.records) {
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


static int
dump(const char *folder)
{
    ngx_int_t                     rc;
    ngx_msgbus_journal_page_t     page;
    ngx_msgbus_journal_what_t     what;
    ngx_msgbus_journal_reader_t   r;

    if (ngx_msgbus_journal_reader_open(&r, folder, &ngx_msgbus_disk)
        != NGX_OK)
    {
        fprintf(stderr, "msgbus-journal: %s\n", r.error);
        return 2;
    }

    r.offline = alone(folder);

    rc = ngx_msgbus_journal_reader_look(&r);

    memset(&what, 0, sizeof(what));

    if (rc == NGX_OK) {
        rc = ngx_msgbus_journal_read(&r, &what, 0, 0, (ngx_uint_t) -1, 0,
                                     print_event, &r, &page);
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
print_event(void *data, ngx_msgbus_journal_event_t *ev)
{
    ngx_msgbus_journal_reader_t *r = data;

    printf("{\"_id\":{\"$numberLong\":\"%lu\"}", (unsigned long) ev->id);

    print_string("channel", &ev->channel);
    print_string("data", &ev->data);
    print_string("user_agent", &ev->user_agent);
    print_string("uuid", &ev->uuid);

    printf(",\"created_at\":{\"$date\":{\"$numberLong\":\"%lu\"}}",
           (unsigned long) ev->created);

    if (ev->token) {
        printf(",\"token\":{\"$binary\":{\"base64\":\"");
        print_base64(ev->token, NGX_MSGBUS_JOURNAL_TOKEN);
        printf("\",\"subType\":\"00\"}}");
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


/* events with rising ids above those that are there */
static int
import(const char *folder)
{
    char          *line;
    size_t         size, bytes;
    u_char         tokens[BATCH][NGX_MSGBUS_JOURNAL_TOKEN];
    ssize_t        len;
    uint64_t       lines;
    yajl_val       trees[BATCH];
    ngx_uint_t     i, n;

    static writer_t  w;

    if (!alone(folder)) {
        fprintf(stderr, "msgbus-journal: nginx writes to %s, stop it first\n",
                folder);
        return 2;
    }

    owner(folder);

    if (writer_open(&w, folder) != 0) {
        return 2;
    }

    line = NULL;
    size = 0;
    bytes = 0;
    lines = 0;

    while ((len = getline(&line, &size, stdin)) > 0) {
        lines++;

        if (line[len - 1] == '\n') {
            line[--len] = '\0';
        }

        if (len == 0) {
            continue;
        }

        if (parse(line, &w.events[w.n], tokens[w.n], &trees[w.n]) != NGX_OK) {
            fprintf(stderr, "msgbus-journal: line %lu is no event\n",
                    (unsigned long) lines);
            goto failed;
        }

        if (w.events[w.n].id <= w.last) {
            fprintf(stderr, "msgbus-journal: line %lu: id %lu does not come "
                    "after %lu\n", (unsigned long) lines,
                    (unsigned long) w.events[w.n].id,
                    (unsigned long) w.last);
            goto failed;
        }

        w.last = w.events[w.n++].id;
        bytes += (size_t) len;

        if (w.n == BATCH || bytes > BYTES) {
            n = w.n;

            if (writer_flush(&w) != 0) {
                goto failed;
            }

            for (i = 0; i < n; i++) {
                yajl_tree_free(trees[i]);
            }

            bytes = 0;
        }
    }

    free(line);

    if (writer_flush(&w) != 0 || writer_close(&w) != 0) {
        goto failed;
    }

    printf("%lu events\n", (unsigned long) w.written);

    return 0;

failed:

    fprintf(stderr, "msgbus-journal: %lu events are stored, those from the "
            "next on are not\n", (unsigned long) w.written);

    return 2;
}


static ngx_int_t
parse(char *line, ngx_msgbus_journal_event_t *ev, u_char *token,
    yajl_val *tree)
{
    yajl_val  doc;

    static const char  *id[] = { "_id", NULL };
    static const char  *created[] = { "created_at", NULL };

    doc = yajl_tree_parse(line, NULL, 0);

    if (doc == NULL) {
        return NGX_ERROR;
    }

    *tree = doc;
    memset(ev, 0, sizeof(ngx_msgbus_journal_event_t));

    ev->id = number(yajl_tree_get(doc, id, yajl_t_any));
    ev->created = date(yajl_tree_get(doc, created, yajl_t_any));

    text(doc, "channel", &ev->channel);
    text(doc, "data", &ev->data);
    text(doc, "user_agent", &ev->user_agent);
    text(doc, "uuid", &ev->uuid);

    if (ev->id == 0 || ev->id >= (uint64_t) 1 << 53
        || ev->channel.len > 255 || ev->uuid.len > 65535
        || ev->user_agent.len > 65535)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* 7, {"$numberLong":"7"}, {"$numberInt":"7"} */
static uint64_t
number(yajl_val v)
{
    size_t  i;

    if (v == NULL) {
        return 0;
    }

    if (YAJL_IS_INTEGER(v)) {
        return YAJL_GET_INTEGER(v) > 0 ? (uint64_t) YAJL_GET_INTEGER(v) : 0;
    }

    if (YAJL_IS_OBJECT(v)) {
        for (i = 0; i < YAJL_GET_OBJECT(v)->len; i++) {

            if (strncmp(YAJL_GET_OBJECT(v)->keys[i], "$number", 7) == 0
                && YAJL_IS_STRING(YAJL_GET_OBJECT(v)->values[i]))
            {
                return strtoull(YAJL_GET_OBJECT(v)->values[i]->u.string, NULL,
                                10);
            }
        }
    }

    return 0;
}


/* {"$date":{"$numberLong":"ms"}}, {"$date":"2012-03-16T13:25:29.123Z"} */
static uint64_t
date(yajl_val v)
{
    int        ms;
    char      *end;
    yajl_val   d;
    struct tm  tm;

    static const char  *path[] = { "$date", NULL };

    d = yajl_tree_get(v, path, yajl_t_any);

    if (d == NULL) {
        return number(v);
    }

    if (!YAJL_IS_STRING(d)) {
        return number(d);
    }

    memset(&tm, 0, sizeof(tm));

    end = strptime(YAJL_GET_STRING(d), "%Y-%m-%dT%H:%M:%S", &tm);

    if (end == NULL) {
        return 0;
    }

    ms = *end == '.' ? (int) (strtod(end, NULL) * 1000 + 0.5) : 0;

    return (uint64_t) timegm(&tm) * 1000 + (uint64_t) ms;
}


static void
text(yajl_val doc, const char *name, ngx_str_t *s)
{
    yajl_val     v;
    const char  *path[2];

    path[0] = name;
    path[1] = NULL;

    v = yajl_tree_get(doc, path, yajl_t_string);

    if (v) {
        s->data = (u_char *) v->u.string;
        s->len = strlen(v->u.string);
    }
}


/*
 * All that is good goes to new files; the old ones are kept in a folder
 * beside them.
 */
static int
repair(const char *folder)
{
    int                           rc;
    char                          saved[NGX_MAX_PATH], from[NGX_MAX_PATH + 80],
                                  to[NGX_MAX_PATH + 80];
    char                          name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    ngx_uint_t                    i;
    ngx_msgbus_journal_list_t     list;

    if (!alone(folder)) {
        fprintf(stderr, "msgbus-journal: nginx writes to %s, stop it first\n",
                folder);
        return 2;
    }

    rc = verify(folder);

    if (rc != 1) {
        return rc;
    }

    owner(folder);

    (void) snprintf(saved, sizeof(saved), "%s/damaged-%lu", folder,
                    (unsigned long) time(NULL));

    memset(&list, 0, sizeof(list));
    i = (ngx_uint_t) ngx_msgbus_disk.folder(NULL, folder);

    if ((int) i == -1 || mkdir(saved, 0700) != 0
        || ngx_msgbus_journal_list(&ngx_msgbus_disk, (int) i, &list) != NGX_OK)
    {
        fprintf(stderr, "msgbus-journal: can not make %s: %s\n", saved,
                strerror(errno));
        return 2;
    }

    close((int) i);

    for (i = 0; i < list.n; i++) {
        ngx_msgbus_journal_name(name, list.elts[i].sequence,
                                list.elts[i].first_id);
        (void) snprintf(from, sizeof(from), "%s/%s", folder, name);
        (void) snprintf(to, sizeof(to), "%s/%s", saved, name);

        if (rename(from, to) != 0) {
            fprintf(stderr, "msgbus-journal: can not move %s: %s\n", from,
                    strerror(errno));
            put_back(folder, saved, &list, 0);
            return 2;
        }
    }

    (void) snprintf(from, sizeof(from), "%s/mark", folder);
    (void) snprintf(to, sizeof(to), "%s/mark", saved);
    (void) rename(from, to);

    rc = rebuild(folder, saved, &list);

    if (rc == 2) {
        put_back(folder, saved, &list, 1);
    }

    ngx_msgbus_journal_list_free(&list);

    return rc;
}


/* it could not be done: all is where it was before; begun: new files may be */
static void
put_back(const char *folder, const char *saved,
    ngx_msgbus_journal_list_t *list, int begun)
{
    int                         fd;
    char                        name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    char                        from[NGX_MAX_PATH + 80],
                                to[NGX_MAX_PATH + 80];
    ngx_uint_t                  i, failed;
    ngx_msgbus_journal_list_t   made;

    memset(&made, 0, sizeof(made));
    fd = begun ? ngx_msgbus_disk.folder(NULL, folder) : -1;

    if (fd != -1
        && ngx_msgbus_journal_list(&ngx_msgbus_disk, fd, &made) == NGX_OK)
    {
        for (i = 0; i < made.n; i++) {
            ngx_msgbus_journal_name(name, made.elts[i].sequence,
                                    made.elts[i].first_id);
            (void) unlinkat(fd, name, 0);
        }

        (void) unlinkat(fd, NGX_MSGBUS_JOURNAL_MARK_FILE, 0);
    }

    failed = 0;

    for (i = 0; i < list->n; i++) {
        ngx_msgbus_journal_name(name, list->elts[i].sequence,
                                list->elts[i].first_id);
        (void) snprintf(from, sizeof(from), "%s/%s", saved, name);
        (void) snprintf(to, sizeof(to), "%s/%s", folder, name);

        failed += rename(from, to) != 0 && errno != ENOENT;
    }

    (void) snprintf(from, sizeof(from), "%s/mark", saved);
    (void) snprintf(to, sizeof(to), "%s/mark", folder);

    failed += rename(from, to) != 0 && errno != ENOENT;

    (void) rmdir(saved);

    if (fd != -1) {
        close(fd);
    }

    ngx_msgbus_journal_list_free(&made);

    if (failed) {
        fprintf(stderr, "msgbus-journal: the old files are in %s: move them "
                "back before nginx starts\n", saved);

    } else {
        fprintf(stderr, "msgbus-journal: nothing has changed\n");
    }
}


/* the new files, from those that are saved */
static int
rebuild(const char *folder, const char *saved,
    ngx_msgbus_journal_list_t *list)
{
    char                          error[NGX_MSGBUS_JOURNAL_ERROR_LEN];
    uint64_t                      end, lost;
    ngx_uint_t                    i, damaged, n;
    ngx_msgbus_journal_segment_t  next;

    static writer_t  w;

    if (writer_open(&w, folder) != 0) {
        return 2;
    }

    lost = 0;

    for (i = 0; i < list->n; i++) {

        int  fd, nfd, dir;

        /* headers are read here: some may be what is bad */

        dir = ngx_msgbus_disk.folder(NULL, saved);
        fd = ngx_msgbus_journal_segment_open(&ngx_msgbus_disk, dir,
                                             &list->elts[i],
                                             NGX_MSGBUS_DISK_READ, error,
                                             &damaged);
        if (fd == -1) {
            fprintf(stderr, "msgbus-journal: %s: all of it is lost\n", error);
            lost++;
            w.stopped = 0;
            close(dir);
            continue;
        }

        close(fd);

        end = list->elts[i].header.size;
        n = i + 1;

        if (n < list->n) {
            next = list->elts[n];
            nfd = ngx_msgbus_journal_segment_open(&ngx_msgbus_disk, dir, &next,
                                                  NGX_MSGBUS_DISK_READ, error,
                                                  &damaged);
            if (nfd != -1) {
                close(nfd);

                if (next.header.pred == list->elts[i].sequence) {
                    end = next.header.pred_end;
                }
            }
        }

        close(dir);

        /* what has left before the first one is no loss, but is told, too */

        if (i == 0 && list->elts[0].header.last_id > w.last
            && hole(&w, list->elts[0].header.last_id + 1,
                    NGX_MSGBUS_JOURNAL_HOLE)
               != 0)
        {
            return 2;
        }

        if (copy_segment(&w, saved, &list->elts[i], end, &lost) != 0) {
            return 2;
        }
    }

    if (copy_end(&w, saved, list, &lost) != 0 || writer_close(&w) != 0) {
        return 2;
    }

    printf("%lu events are kept, %s; the old files are in %s\n",
           (unsigned long) w.written,
           lost ? "readers are told of a gap where some may be lost"
                : "none is lost",
           saved);

    return lost ? 1 : 0;
}


/* all good frames of it, also those behind a bad place */
static int
copy_segment(writer_t *w, const char *folder,
    ngx_msgbus_journal_segment_t *seg, uint64_t end, uint64_t *lost)
{
    int                          fd;
    char                         path[NGX_MAX_PATH + 80];
    char                         name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    u_char                      *p;
    uint64_t                     offset;
    ngx_int_t                    rc;
    ngx_uint_t                   i, bad;
    ngx_msgbus_journal_event_t   ev;
    ngx_msgbus_journal_frame_t   f;
    ngx_msgbus_journal_window_t  win;

    ngx_msgbus_journal_name(name, seg->sequence, seg->first_id);
    (void) snprintf(path, sizeof(path), "%s/%s", folder, name);

    fd = open(path, O_RDONLY);

    if (fd == -1) {
        fprintf(stderr, "msgbus-journal: can not open %s\n", path);
        return 2;
    }

    ngx_msgbus_journal_window_init(&win, &ngx_msgbus_disk, fd, end);

    bad = 0;

    w->ids = ngx_max(w->ids, seg->header.mark);
    w->frame = seg->header.last_frame;
    w->stopped = 0;

    /* the end of the one before it, or all of that */

    if (missing(w, seg->header.last_id, lost) != 0) {
        return 2;
    }

    for (offset = NGX_MSGBUS_JOURNAL_BLOCK; offset < end; /* void */ ) {

        rc = ngx_msgbus_journal_window_frame(&win, &f, seg->header.salt,
                                             offset);
        if (rc != NGX_OK) {

            if (rc == NGX_ERROR && !bad) {
                fprintf(stderr, "msgbus-journal: damaged at offset %lu of "
                        "%s\n", (unsigned long) offset, name);
                bad = 1;
            }

            win.err = 0;
            offset += 8;
            continue;
        }

        bad = 0;

        w->ids = ngx_max(w->ids, f.mark);
        w->frame = f.sequence;
        w->stopped = f.type == NGX_MSGBUS_JOURNAL_STOP;

        if (missing(w, f.prev_id, lost) != 0) {
            return 2;
        }

        if ((f.type == NGX_MSGBUS_JOURNAL_SKIP
                    || f.type == NGX_MSGBUS_JOURNAL_HOLE)
                   && f.first_id - 1 > w->last)
        {
            if (hole(w, f.first_id, f.type) != 0) {
                return 2;
            }
        }

        p = f.records;

        for (i = 0; i < f.count; i++) {
            (void) ngx_msgbus_journal_record_read(&ev, p,
                       (size_t) ngx_msgbus_journal_get(p + 4, 4));
            p += ngx_msgbus_journal_get(p + 4, 4);

            if (ev.id <= w->last) {
                continue;
            }

            w->events[w->n++] = ev;
            w->last = ev.id;

            if (w->n == BATCH && writer_flush(w) != 0) {
                return 2;
            }
        }

        /* what they point to is in the window */

        if (writer_flush(w) != 0) {
            return 2;
        }

        offset += f.length;
    }

    w->bad = bad;

    ngx_msgbus_journal_window_free(&win);
    close(fd);

    return 0;
}


/* ids up to this one were given out: what is not there of them is lost */
static int
missing(writer_t *w, uint64_t upto, uint64_t *lost)
{
    if (upto <= w->last) {
        return 0;
    }

    fprintf(stderr, "msgbus-journal: events with ids from %lu to %lu are "
            "lost\n", (unsigned long) w->last + 1, (unsigned long) upto);

    (*lost)++;

    return hole(w, upto + 1, NGX_MSGBUS_JOURNAL_HOLE);
}


/*
 * Without a clean stop, more ids may have been given out than there are: the
 * next ones come above them all, and readers are told.
 */
static int
copy_end(writer_t *w, const char *folder, ngx_msgbus_journal_list_t *list,
    uint64_t *lost)
{
    int                            fd;
    char                           path[NGX_MAX_PATH + 80];
    ngx_msgbus_journal_mark_t      m;
    ngx_msgbus_journal_segment_t  *seg;

    if (writer_flush(w) != 0) {
        return 2;
    }

    if (w->stopped && !w->bad) {
        return 0;
    }

    (void) snprintf(path, sizeof(path), "%s/mark", folder);

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd != -1) {
        seg = list->n ? &list->elts[list->n - 1] : NULL;

        if (seg
            && ngx_msgbus_journal_mark_load(&ngx_msgbus_disk, fd, &m)
               == NGX_OK)
        {
            w->ids = ngx_max(w->ids, m.mark);

            if (m.segment == seg->sequence && m.frame > w->frame) {
                w->bad = 1;
            }
        }

        close(fd);
    }

    if (w->bad) {
        fprintf(stderr, "msgbus-journal: events with ids above %lu may be "
                "lost\n", (unsigned long) w->last);
        (*lost)++;
    }

    return hole(w, ngx_msgbus_journal_base(&w->writer, w->ids),
                NGX_MSGBUS_JOURNAL_HOLE);
}


/* a frame that says so stands at the start of a segment */
static int
hole(writer_t *w, uint64_t base, ngx_uint_t type)
{
    ngx_int_t  rc;

    if (writer_flush(w) != 0) {
        return 2;
    }

    rc = ngx_msgbus_journal_enter(&w->writer);

    if (rc == NGX_OK) {

        if (base > w->writer.at.id + 1) {
            rc = ngx_msgbus_journal_move(&w->writer, &w->writer.at, base,
                                         type);
        }

        ngx_msgbus_journal_leave(&w->writer);
    }

    if (rc != NGX_OK) {
        fprintf(stderr, "msgbus-journal: %s\n", w->writer.error);
        return 2;
    }

    w->last = ngx_max(w->last, base - 1);

    return 0;
}


/* does no nginx write to it?  Each has a shared lock */
static int
alone(const char *folder)
{
    int   fd, rc;
    char  path[NGX_MAX_PATH];

    (void) snprintf(path, sizeof(path), "%s/%s", folder,
                    NGX_MSGBUS_JOURNAL_NODES_FILE);

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return 1;
    }

    rc = flock(fd, LOCK_EX|LOCK_NB);
    close(fd);

    return rc == 0;
}


/* files that root makes are for the user whose folder it is */
static void
owner(const char *folder)
{
    struct stat  st;

    if (geteuid() == 0 && stat(folder, &st) == 0
        && (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0))
    {
        fprintf(stderr, "msgbus-journal: the owner of %s can not be taken\n",
                folder);
        exit(2);
    }
}


static int
writer_open(writer_t *w, const char *folder)
{
    FILE           *f;
    char            path[NGX_MAX_PATH], line[256];
    unsigned long   segment;

    memset(w, 0, sizeof(writer_t));

    w->conf.path = folder;
    w->conf.segment = 64 * 1024 * 1024;
    w->conf.patience = 1000000;

    (void) snprintf(path, sizeof(path), "%s/manifest", folder);

    f = fopen(path, "r");

    while (f && fgets(line, sizeof(line), f)) {

        if (sscanf(line, "segment %lu", &segment) == 1) {
            w->conf.segment = segment;
        }
    }

    if (f) {
        fclose(f);
    }

    if (ngx_msgbus_journal_open(&w->writer, &w->conf, &ngx_msgbus_disk)
        != NGX_OK)
    {
        fprintf(stderr, "msgbus-journal: %s\n", w->writer.error);
        return 2;
    }

    /* an empty one begins at its first event, and not at the clock */

    w->writer.bare = 1;

    if (ngx_msgbus_journal_look(&w->writer) != NGX_OK) {
        fprintf(stderr, "msgbus-journal: %s\n", w->writer.error);
        return 2;
    }

    w->last = w->writer.at.id;

    return 0;
}


static int
writer_flush(writer_t *w)
{
    if (w->n == 0) {
        return 0;
    }

    if (ngx_msgbus_journal_insert(&w->writer, w->events, w->n) != NGX_OK) {
        fprintf(stderr, "msgbus-journal: %s\n", w->writer.error);
        return 2;
    }

    w->written += w->n;
    w->n = 0;

    progress("events", w->written, 0);

    return 0;
}


static int
writer_close(writer_t *w)
{
    ngx_int_t  rc;

    progress(NULL, 0, 0);

    rc = ngx_msgbus_journal_stop(&w->writer);

    if (rc != NGX_OK) {
        fprintf(stderr, "msgbus-journal: %s\n", w->writer.error);
    }

    ngx_msgbus_journal_close(&w->writer);

    return rc == NGX_OK ? 0 : 2;
}


/* on a terminal only; a name of NULL ends it */
static void
progress(const char *what, uint64_t done, uint64_t all)
{
    uint64_t         now;

    static uint64_t  told;

    if (!isatty(STDERR_FILENO)) {
        return;
    }

    now = ngx_msgbus_disk.monotonic(NULL);

    if (what == NULL) {

        if (told) {
            fprintf(stderr, "\r\033[K");
        }

        told = 0;

    } else if (now - told > 200000) {
        told = now;

        if (all) {
            fprintf(stderr, "\r%s: %lu %%", what,
                    (unsigned long) (done * 100 / all));

        } else {
            fprintf(stderr, "\r%s: %lu", what, (unsigned long) done);
        }
    }
}
