
/*
 * Copyright (C) the msgbus authors
 */


/*
 * import: events of a dump, or of a database, into a journal.
 */


#include "msgbus_journal.h"
#include "msgbus_journal_swap.h"
#include <yajl/yajl_tree.h>


/* what an event points to beside its line */
typedef struct {
    u_char  token[NGX_MSGBUS_JOURNAL_TOKEN];
    u_char  fields[NGX_MSGBUS_JOURNAL_KEY_FIELD];
} bytes_t;

typedef struct {
    writer_t   w;
    bytes_t    pointed[BATCH];
    yajl_val   trees[BATCH];
    uint64_t   newest;     /* time of the events up to here */
    uint64_t   raised;     /* events whose time is not theirs */
} input_t;


static int take_lines(input_t *in);
static int store(input_t *in);
static const char *parse(char *line, size_t len,
    ngx_msgbus_journal_event_t *ev, bytes_t *bytes, yajl_val *tree);
static const char *escapes(const char *p);
static unsigned long hex(const char *p);
static const char *text(yajl_val doc, const char *name, size_t max,
    ngx_str_t *s);
static const char *key_of(yajl_val doc, ngx_msgbus_journal_event_t *ev,
    bytes_t *bytes);
static int number(yajl_val v, int64_t *n);
static int date(yajl_val v, uint64_t *ms);
static int iso_date(const char *p, int64_t *ms);
static int zone(const char *p, int64_t *ms);
static int binary(yajl_val doc, const char *name, u_char *bytes);


/* events with rising ids above those that are there */
int
import(const char *folder)
{
    int  fd;

    static input_t  in;

    owner(folder);

    /* nobody is there; and nobody comes, once the writer has the lock */

    fd = keep_off(folder);

    if (fd == -1) {
        return 2;
    }

    close(fd);

    if (writer_open(&in.w, folder, folder) != 0) {
        return 2;
    }

    if (ngx_msgbus_disk.lock(NULL, in.w.writer.nodes_fd,
                             NGX_MSGBUS_DISK_EXCLUSIVE)
        != NGX_OK)
    {
        fprintf(stderr, "msgbus-journal: nginx writes to %s, stop it first\n",
                folder);
        return 2;
    }

    in.newest = in.w.writer.at.created;

    if (take_lines(&in) != 0 || store(&in) != 0 || writer_close(&in.w) != 0) {
        fprintf(stderr, "msgbus-journal: %lu events are stored, those from "
                "the next on are not\n", (unsigned long) in.w.written);
        return 2;
    }

    if (in.raised) {
        fprintf(stderr, "msgbus-journal: %lu events have the time of one "
                "before them now, theirs were older\n",
                (unsigned long) in.raised);
    }

    printf("%lu events\n", (unsigned long) in.w.written);

    return 0;
}


static int
take_lines(input_t *in)
{
    char        *line;
    size_t       size, bytes;
    ssize_t      len;
    writer_t    *w;
    uint64_t     lines;
    const char  *why;

    w = &in->w;
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

        why = parse(line, (size_t) len, &w->events[w->n], &in->pointed[w->n],
                    &in->trees[w->n]);
        if (why) {
            fprintf(stderr, "msgbus-journal: line %lu is no event: %s\n",
                    (unsigned long) lines, why);
            return 2;
        }

        if (w->events[w->n].id <= w->last) {
            fprintf(stderr, "msgbus-journal: line %lu: id %lu does not come "
                    "after %lu\n", (unsigned long) lines,
                    (unsigned long) w->events[w->n].id,
                    (unsigned long) w->last);
            return 2;
        }

        w->last = w->events[w->n++].id;
        bytes += (size_t) len;

        if (w->n == BATCH || bytes > BYTES) {

            if (store(in) != 0) {
                return 2;
            }

            bytes = 0;
        }
    }

    free(line);

    return feof(stdin) ? 0 : cannot("read", "standard input");
}


/* what has been taken; times rise in a journal, and an older one is raised */
static int
store(input_t *in)
{
    uint64_t    created;
    ngx_uint_t  i, n;

    n = in->w.n;

    for (i = 0; i < n; i++) {
        created = in->w.events[i].created;

        /* one that has none gets that of the one before it */

        in->raised += created && created < in->newest;
        in->newest = ngx_max(in->newest, created);
    }

    if (writer_flush(&in->w) != 0) {
        return 2;
    }

    for (i = 0; i < n; i++) {
        yajl_tree_free(in->trees[i]);
    }

    return 0;
}


/*
 * An event as it stands in a line, or why it is none: what cannot be taken as
 * it is would be stored as something else.
 */
static const char *
parse(char *line, size_t len, ngx_msgbus_journal_event_t *ev, bytes_t *bytes,
    yajl_val *tree)
{
    int64_t      id;
    yajl_val     doc;
    const char  *why;

    static const char  *path[] = { "_id", NULL };
    static const char  *created[] = { "created_at", NULL };

    if (strlen(line) != len) {
        return "it has a byte of zero";
    }

    doc = yajl_tree_parse(line, NULL, 0);

    if (!YAJL_IS_OBJECT(doc)) {
        return "it is no JSON object";
    }

    why = escapes(line);

    if (why) {
        return why;
    }

    *tree = doc;
    memset(ev, 0, sizeof(ngx_msgbus_journal_event_t));

    if (!number(yajl_tree_get(doc, path, yajl_t_any), &id)
        || id <= 0 || id >= (int64_t) 1 << 53)
    {
        return "its \"_id\" is no id";
    }

    ev->id = (uint64_t) id;

    if (!date(yajl_tree_get(doc, created, yajl_t_any), &ev->created)) {
        return "its \"created_at\" is no time in ms from 1970 on";
    }

    why = text(doc, "channel", 255, &ev->channel);
    why = why ? why : text(doc, "data", (size_t) -1, &ev->data);
    why = why ? why : text(doc, "user_agent", 65535, &ev->user_agent);
    why = why ? why : text(doc, "uuid", 65535, &ev->uuid);

    return why ? why : key_of(doc, ev, bytes);
}


/* the tree's strings end at a zero, and a half of a pair is a "?" in them */
static const char *
escapes(const char *p)
{
    unsigned long  n, low;

    while ((p = strchr(p, '\\')) != NULL) {

        if (p[1] != 'u') {
            p += 2;
            continue;
        }

        n = hex(p + 2);
        p += 6;

        if (n == 0) {
            return "it has \\u0000";
        }

        if (n < 0xd800 || n > 0xdfff) {
            continue;
        }

        low = p[0] == '\\' && p[1] == 'u' ? hex(p + 2) : 0;

        if (n > 0xdbff || low < 0xdc00 || low > 0xdfff) {
            return "it has a half of a surrogate pair";
        }

        p += 6;
    }

    return NULL;
}


/* of the four digits that are there in all that could be parsed */
static unsigned long
hex(const char *p)
{
    char  digits[5];

    memcpy(digits, p, 4);
    digits[4] = '\0';

    return strtoul(digits, NULL, 16);
}


static const char *
text(yajl_val doc, const char *name, size_t max, ngx_str_t *s)
{
    yajl_val     v;
    const char  *path[2];

    static char  why[64];

    path[0] = name;
    path[1] = NULL;

    v = yajl_tree_get(doc, path, yajl_t_any);

    if (v == NULL || YAJL_IS_NULL(v)) {
        return NULL;
    }

    (void) snprintf(why, sizeof(why), "its \"%s\" is no string, or too long",
                    name);

    if (!YAJL_IS_STRING(v)) {
        return why;
    }

    s->data = (u_char *) v->u.string;
    s->len = strlen(v->u.string);

    return s->len > max ? why : NULL;
}


static const char *
key_of(yajl_val doc, ngx_msgbus_journal_event_t *ev, bytes_t *bytes)
{
    int     token, name, body;
    u_char  key[NGX_MSGBUS_JOURNAL_KEY];

    token = binary(doc, "token", bytes->token);
    name = binary(doc, "key", key);
    body = binary(doc, "body", key + NGX_MSGBUS_JOURNAL_KEY_NAME);

    if (token == -1 || name == -1 || body == -1) {
        return "its \"token\", \"key\" or \"body\" is not 16 bytes";
    }

    if (name != body) {
        return "of its \"key\" and \"body\" one is missing";
    }

    if (token) {
        ev->token = bytes->token;
    }

    if (name) {
        (void) ngx_msgbus_journal_key_write(key, bytes->fields);

        ev->fields.data = bytes->fields;
        ev->fields.len = NGX_MSGBUS_JOURNAL_KEY_FIELD;
    }

    return NULL;
}


/* 7, {"$numberLong":"7"}, {"$numberInt":"7"}; 0: it is no whole number */
static int
number(yajl_val v, int64_t *n)
{
    char        *end;
    const char  *s;

    if (YAJL_IS_INTEGER(v)) {
        *n = YAJL_GET_INTEGER(v);
        return 1;
    }

    if (!YAJL_IS_OBJECT(v) || YAJL_GET_OBJECT(v)->len != 1
        || !YAJL_IS_STRING(YAJL_GET_OBJECT(v)->values[0])
        || (strcmp(YAJL_GET_OBJECT(v)->keys[0], "$numberLong") != 0
            && strcmp(YAJL_GET_OBJECT(v)->keys[0], "$numberInt") != 0))
    {
        return 0;
    }

    s = YAJL_GET_STRING(YAJL_GET_OBJECT(v)->values[0]);

    errno = 0;
    *n = strtoll(s, &end, 10);

    return end != s && *end == '\0' && errno == 0;
}


/* {"$date":{"$numberLong":"ms"}}, {"$date":"2012-03-16T13:25:29.123Z"} */
static int
date(yajl_val v, uint64_t *ms)
{
    int        ok;
    int64_t    n;
    yajl_val   d;

    static const char  *path[] = { "$date", NULL };

    if (v == NULL) {
        return 1;
    }

    d = yajl_tree_get(v, path, yajl_t_any);

    ok = YAJL_IS_STRING(d) ? iso_date(YAJL_GET_STRING(d), &n)
                           : number(d ? d : v, &n);

    *ms = ok && n >= 0 ? (uint64_t) n : 0;

    return ok && n >= 0;
}


/* with a zone of Z, +02:00, or, of older tools, +0200; 0: it is no time */
static int
iso_date(const char *p, int64_t *ms)
{
    int         i;
    char       *end;
    time_t      t;
    struct tm   tm, same;

    memset(&tm, 0, sizeof(tm));

    end = strptime(p, "%Y-%m-%dT%H:%M:%S", &tm);

    if (end == NULL) {
        return 0;
    }

    /* a day that its month does not have would be one of the next */

    same = tm;
    t = timegm(&same);

    if (same.tm_mday != tm.tm_mday || same.tm_sec != tm.tm_sec) {
        return 0;
    }

    *ms = (int64_t) t * 1000;

    if (*end == '.') {
        end++;

        for (i = 100; *end >= '0' && *end <= '9'; i /= 10, end++) {

            if (i == 0 && *end != '0') {
                return 0;
            }

            *ms += i * (*end - '0');
        }
    }

    return zone(end, ms);
}


static int
zone(const char *p, int64_t *ms)
{
    int      hours, minutes;
    size_t   colon;

    if (strcmp(p, "Z") == 0) {
        return 1;
    }

    colon = strlen(p) == 6 && p[3] == ':';

    if ((*p != '+' && *p != '-') || strlen(p) != 5 + colon
        || strspn(p + 1, "0123456789") < 4 - 2 * colon
        || strspn(p + 3 + colon, "0123456789") != 2)
    {
        return 0;
    }

    hours = 10 * (p[1] - '0') + p[2] - '0';
    minutes = 10 * (p[3 + colon] - '0') + p[4 + colon] - '0';

    if (hours > 23 || minutes > 59) {
        return 0;
    }

    minutes += 60 * hours;
    *ms -= (int64_t) (*p == '+' ? minutes : -minutes) * 60000;

    return 1;
}


/*
 * {"$binary":{"base64":"...","subType":"00"}}, as older tools have it
 * {"$binary":"...","$type":"00"}; 1: there are 16 bytes of that name; 0: it is
 * not there; -1: it is something else
 */
static int
binary(yajl_val doc, const char *name, u_char *bytes)
{
    yajl_val     v;
    uint32_t     bits;
    ngx_uint_t   i, n, digit;
    const char  *p, *path[4];

    static const char  chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";

    path[0] = name;
    path[1] = NULL;

    v = yajl_tree_get(doc, path, yajl_t_any);

    if (v == NULL || YAJL_IS_NULL(v)) {
        return 0;
    }

    path[1] = "$binary";
    path[2] = "base64";
    path[3] = NULL;

    v = yajl_tree_get(doc, path, yajl_t_string);

    if (v == NULL) {
        path[2] = NULL;
        v = yajl_tree_get(doc, path, yajl_t_string);
    }

    if (v == NULL || strlen(v->u.string) != 24) {
        return -1;
    }

    bits = 0;
    n = 0;

    for (i = 0; i < 22; i++) {
        p = strchr(chars, v->u.string[i]);

        if (p == NULL) {
            return -1;
        }

        digit = (ngx_uint_t) (p - chars);
        bits = bits << 6 | (uint32_t) digit;

        if (i % 4) {
            bytes[n++] = (u_char) (bits >> (6 - 2 * (i % 4)));
        }
    }

    return strcmp(v->u.string + 22, "==") == 0
           && n == NGX_MSGBUS_JOURNAL_TOKEN ? 1 : -1;
}
