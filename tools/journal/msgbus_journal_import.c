
/*
 * Copyright (C) the msgbus authors
 */


/*
 * import: events of a dump, or of a database, into a journal.
 */


#include "msgbus_journal.h"
#include <yajl/yajl_tree.h>


/* what an event points to beside its line */
typedef struct {
    u_char  token[NGX_MSGBUS_JOURNAL_TOKEN];
    u_char  fields[NGX_MSGBUS_JOURNAL_KEY_FIELD];
} bytes_t;


static ngx_int_t parse(char *line, ngx_msgbus_journal_event_t *ev,
    bytes_t *bytes, yajl_val *tree);
static uint64_t number(yajl_val v);
static uint64_t date(yajl_val v);
static void text(yajl_val doc, const char *name, ngx_str_t *s);
static ngx_uint_t binary(yajl_val doc, const char *name, u_char *bytes);


/* events with rising ids above those that are there */
int
import(const char *folder)
{
    int            fd;
    char          *line;
    size_t         size, bytes;
    ssize_t        len;
    uint64_t       lines;
    yajl_val       trees[BATCH];
    ngx_uint_t     i, n;

    static writer_t  w;
    static bytes_t   pointed[BATCH];

    owner(folder);

    /* nobody is there; and nobody comes, once the writer has the lock */

    fd = keep_off(folder);

    if (fd == -1) {
        return 2;
    }

    close(fd);

    if (writer_open(&w, folder, folder) != 0) {
        return 2;
    }

    if (ngx_msgbus_disk.lock(NULL, w.writer.nodes_fd,
                             NGX_MSGBUS_DISK_EXCLUSIVE)
        != NGX_OK)
    {
        fprintf(stderr, "msgbus-journal: nginx writes to %s, stop it first\n",
                folder);
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

        if (parse(line, &w.events[w.n], &pointed[w.n], &trees[w.n])
            != NGX_OK)
        {
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
parse(char *line, ngx_msgbus_journal_event_t *ev, bytes_t *bytes,
    yajl_val *tree)
{
    u_char    key[NGX_MSGBUS_JOURNAL_KEY];
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

    if (binary(doc, "token", bytes->token)) {
        ev->token = bytes->token;
    }

    if (binary(doc, "key", key)
        && binary(doc, "body", key + NGX_MSGBUS_JOURNAL_KEY_NAME))
    {
        (void) ngx_msgbus_journal_key_write(key, bytes->fields);

        ev->fields.data = bytes->fields;
        ev->fields.len = NGX_MSGBUS_JOURNAL_KEY_FIELD;
    }

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
 * {"$binary":{"base64":"...","subType":"00"}}, as older tools have it
 * {"$binary":"...","$type":"00"}; are there 16 bytes of that name?
 */
static ngx_uint_t
binary(yajl_val doc, const char *name, u_char *bytes)
{
    yajl_val     v;
    uint32_t     bits;
    ngx_uint_t   i, n, digit;
    const char  *p, *path[4];

    static const char  chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";

    path[0] = name;
    path[1] = "$binary";
    path[2] = "base64";
    path[3] = NULL;

    v = yajl_tree_get(doc, path, yajl_t_string);

    if (v == NULL) {
        path[2] = NULL;
        v = yajl_tree_get(doc, path, yajl_t_string);
    }

    if (v == NULL || strlen(v->u.string) != 24) {
        return 0;
    }

    bits = 0;
    n = 0;

    for (i = 0; i < 22; i++) {
        p = strchr(chars, v->u.string[i]);

        if (p == NULL) {
            return 0;
        }

        digit = (ngx_uint_t) (p - chars);
        bits = bits << 6 | (uint32_t) digit;

        if (i % 4) {
            bytes[n++] = (u_char) (bits >> (6 - 2 * (i % 4)));
        }
    }

    return strcmp(v->u.string + 22, "==") == 0
           && n == NGX_MSGBUS_JOURNAL_TOKEN;
}
