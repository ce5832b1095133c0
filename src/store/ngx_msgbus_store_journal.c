
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The journal as a store: what the commit asks for, by one who writes to the
 * files, one who reads them, and, in a thread of his own, one who keeps the
 * folder in order.
 *
 * A failure does not close the files: what the writer keeps in memory is all
 * that is sure, until it is in a new file.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <poll.h>
#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_journal_conf.h"
#include "ngx_msgbus_journal_history.h"
#include "ngx_msgbus_journal_known.h"
#include "ngx_msgbus_journal_manifest.h"
#include "ngx_msgbus_journal_read.h"
#include "ngx_msgbus_journal_thread.h"
#include "ngx_msgbus_journal_usage.h"
#include "ngx_msgbus_store.h"


/* one insert, and how long to wait for who has the lock, us */
#define NGX_MSGBUS_JOURNAL_EVENTS_MAX  1000
#define NGX_MSGBUS_JOURNAL_BYTES_MAX   (8 * 1024 * 1024)
#define NGX_MSGBUS_JOURNAL_PATIENCE    2000000

/* what is not synced yet, at most */
#define NGX_MSGBUS_JOURNAL_UNSYNCED    (32 * 1024 * 1024)

/* looks for one page of history, and ms between them */
#define NGX_MSGBUS_JOURNAL_LOOKS       100
#define NGX_MSGBUS_JOURNAL_BREAK       10

/* segments that leave one after another while one reads */
#define NGX_MSGBUS_JOURNAL_TRIES       10


/* a journal in use; a committer's */
typedef struct {
    ngx_msgbus_journal_conf_t    conf;
    ngx_msgbus_journal_t         writer;
    ngx_msgbus_journal_reader_t  reader;
    ngx_msgbus_journal_known_t   known;
    ngx_msgbus_journal_event_t   events[NGX_MSGBUS_JOURNAL_EVENTS_MAX];
    u_char                       fields[NGX_MSGBUS_JOURNAL_EVENTS_MAX]
                                       [NGX_MSGBUS_JOURNAL_KEY_FIELD];
    ngx_uint_t                   open;       /* writer and reader are */
    ngx_uint_t                   attached;   /* the reader is, alone */
    ngx_uint_t                   knows;      /* keys were asked for: "known"
                                                is open */
    char                        *error;
    char                         text[NGX_MSGBUS_JOURNAL_ERROR_LEN];
    char                         warnings[NGX_MSGBUS_WARNINGS_LEN];

    /* of one look */
    ngx_msgbus_doc_pt            handler;
    void                        *data;
    uint64_t                     last;

    char                        *warned;     /* end of the warnings */

    ngx_msgbus_journal_thread_t  keeper;
    ngx_msgbus_journal_watch_t   watch;
} ngx_msgbus_journal_db_t;


static const char *ngx_msgbus_journal_check(ngx_msgbus_store_conf_t *conf,
    ngx_pool_t *pool);
static ngx_uint_t ngx_msgbus_journal_same(ngx_msgbus_store_conf_t *one,
    ngx_msgbus_store_conf_t *two);
static ngx_msgbus_db_t *ngx_msgbus_journal_create(
    ngx_msgbus_store_conf_t *conf, uint64_t ttl, ngx_msgbus_tells_t *tells,
    ngx_log_t *log);
static void ngx_msgbus_journal_destroy(ngx_msgbus_db_t *db);
static ngx_int_t ngx_msgbus_journal_connect(ngx_msgbus_db_t *db,
    ngx_msgbus_limits_t *limits);
static ngx_int_t ngx_msgbus_journal_settled(ngx_msgbus_journal_db_t *jd);
static void ngx_msgbus_journal_disconnect(ngx_msgbus_db_t *db);
static void ngx_msgbus_journal_shut(ngx_msgbus_journal_db_t *jd);
static const char *ngx_msgbus_journal_db_error(ngx_msgbus_db_t *db);
static const char *ngx_msgbus_journal_version(ngx_msgbus_db_t *db);
static const char *ngx_msgbus_journal_warnings(ngx_msgbus_db_t *db);
static void ngx_msgbus_journal_warning(void *data, const char *text);
static ngx_int_t ngx_msgbus_journal_put_docs(ngx_msgbus_db_t *db,
    ngx_msgbus_doc_t *docs, ngx_uint_t n, ngx_msgbus_refusal_t *refusal);
static ngx_int_t ngx_msgbus_journal_refused(ngx_msgbus_journal_db_t *jd,
    ngx_msgbus_doc_t *docs, ngx_uint_t n, ngx_msgbus_refusal_t *refusal);
static ngx_int_t ngx_msgbus_journal_db_newest(ngx_msgbus_db_t *db,
    uint64_t *id, uint64_t *created);
static ngx_int_t ngx_msgbus_journal_oldest(ngx_msgbus_db_t *db, ngx_uint_t n,
    size_t bytes, uint64_t *id);
static ngx_int_t ngx_msgbus_journal_after(ngx_msgbus_db_t *db, uint64_t id,
    ngx_uint_t max, ngx_msgbus_doc_pt handler, void *data);
static ngx_uint_t ngx_msgbus_journal_anew(ngx_msgbus_journal_db_t *jd,
    ngx_uint_t *tries);
static ngx_int_t ngx_msgbus_journal_take(void *data,
    ngx_msgbus_journal_event_t *ev);
static void ngx_msgbus_journal_gone(void *data, uint64_t id);
static ngx_int_t ngx_msgbus_journal_touch(ngx_msgbus_db_t *db, uint64_t id,
    uint64_t now);
static ngx_int_t ngx_msgbus_journal_counter(ngx_msgbus_db_t *db,
    uint64_t *c);
static ngx_int_t ngx_msgbus_journal_raise(ngx_msgbus_db_t *db, uint64_t c);
static ngx_int_t ngx_msgbus_journal_attach(ngx_msgbus_db_t *db);
static ngx_int_t ngx_msgbus_journal_db_history(ngx_msgbus_db_t *db,
    ngx_msgbus_history_t *h, ngx_msgbus_doc_pt handler, void *data,
    ngx_msgbus_examined_t *page);
static uint64_t ngx_msgbus_journal_since(ngx_msgbus_journal_db_t *jd);
static void ngx_msgbus_journal_usage(ngx_msgbus_db_t *db,
    ngx_msgbus_usage_t *usage);


ngx_msgbus_store_t  ngx_msgbus_store_journal = {
    ngx_string("journal"),
    ngx_string("path"),
    NGX_MSGBUS_STORE_SHARED|NGX_MSGBUS_STORE_ALONE,
    1000,

    ngx_msgbus_journal_check,
    ngx_msgbus_journal_same,
    ngx_msgbus_journal_prepare,
    ngx_msgbus_journal_create,
    ngx_msgbus_journal_destroy,
    ngx_msgbus_journal_connect,
    ngx_msgbus_journal_disconnect,
    ngx_msgbus_journal_db_error,
    ngx_msgbus_journal_version,
    ngx_msgbus_journal_warnings,
    ngx_msgbus_journal_put_docs,
    ngx_msgbus_journal_db_newest,
    ngx_msgbus_journal_oldest,
    ngx_msgbus_journal_after,
    ngx_msgbus_journal_touch,
    ngx_msgbus_journal_counter,
    ngx_msgbus_journal_raise,
    ngx_msgbus_journal_attach,
    ngx_msgbus_journal_db_history,
    NULL,
    ngx_msgbus_journal_usage
};


static const char *
ngx_msgbus_journal_check(ngx_msgbus_store_conf_t *conf, ngx_pool_t *pool)
{
    ngx_msgbus_journal_block_t *jb = (ngx_msgbus_journal_block_t *) conf;

    conf->shown = jb->path;
    conf->silence = NGX_MSGBUS_JOURNAL_PATIENCE / 1000;

    return NULL;
}


/* by name, and, where the folders are there, by what they are */
static ngx_uint_t
ngx_msgbus_journal_same(ngx_msgbus_store_conf_t *one,
    ngx_msgbus_store_conf_t *two)
{
    struct stat                  a, b;
    ngx_msgbus_journal_block_t  *p, *q;

    p = (ngx_msgbus_journal_block_t *) one;
    q = (ngx_msgbus_journal_block_t *) two;

    if (ngx_strcmp(p->path.data, q->path.data) == 0) {
        return 1;
    }

    return stat((char *) p->path.data, &a) == 0
           && stat((char *) q->path.data, &b) == 0
           && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}


static ngx_msgbus_db_t *
ngx_msgbus_journal_create(ngx_msgbus_store_conf_t *conf, uint64_t ttl,
    ngx_msgbus_tells_t *tells, ngx_log_t *log)
{
    ngx_msgbus_journal_db_t     *jd;
    ngx_msgbus_journal_block_t  *jb;

    jb = (ngx_msgbus_journal_block_t *) conf;

    jd = ngx_calloc(sizeof(ngx_msgbus_journal_db_t), log);
    if (jd == NULL) {
        return NULL;
    }

    if (ngx_msgbus_journal_thread_init(&jd->keeper, &jd->conf) != NGX_OK) {
        ngx_free(jd);
        return NULL;
    }

    jd->conf.path = (char *) jb->path.data;
    jd->conf.segment = (uint64_t) jb->segment;
    jd->conf.size = (uint64_t) jb->size;
    jd->conf.ttl = ttl;
    jd->conf.sync = jb->sync == NGX_MSGBUS_JOURNAL_SYNC_OFF
                    ? NGX_MSGBUS_JOURNAL_NEVER
                    : (uint64_t) jb->sync * 1000;
    jd->conf.patience = NGX_MSGBUS_JOURNAL_PATIENCE;
    jd->conf.unsynced = NGX_MSGBUS_JOURNAL_UNSYNCED;
    jd->error = jd->text;
    jd->watch.conf = &jd->conf;
    jd->watch.tells = tells;
    jd->watch.log = log;

    return (ngx_msgbus_db_t *) jd;
}


static void
ngx_msgbus_journal_destroy(ngx_msgbus_db_t *db)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    if (jd->attached) {
        ngx_msgbus_journal_reader_close(&jd->reader);
    }

    if (jd->open) {
        ngx_msgbus_journal_shut(jd);
    }

    ngx_msgbus_journal_thread_join(&jd->keeper);
    ngx_msgbus_journal_thread_free(&jd->keeper);

    ngx_free(jd);
}


static ngx_int_t
ngx_msgbus_journal_connect(ngx_msgbus_db_t *db, ngx_msgbus_limits_t *limits)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    ngx_err_t  err;

    limits->events = NGX_MSGBUS_JOURNAL_EVENTS_MAX;
    limits->bytes = NGX_MSGBUS_JOURNAL_BYTES_MAX;
    limits->each = NGX_MSGBUS_JOURNAL_RECORD + 8;

    if (!jd->open) {

        if (ngx_msgbus_journal_open(&jd->writer, &jd->conf, &ngx_msgbus_disk)
            != NGX_OK)
        {
            jd->error = jd->writer.error;
            ngx_msgbus_journal_close(&jd->writer);

            return NGX_ERROR;
        }

        if (ngx_msgbus_journal_reader_open(&jd->reader, jd->conf.path,
                                           &ngx_msgbus_disk)
            != NGX_OK)
        {
            jd->error = jd->reader.error;
            ngx_msgbus_journal_reader_close(&jd->reader);
            ngx_msgbus_journal_close(&jd->writer);

            return NGX_ERROR;
        }

        jd->reader.hole = ngx_msgbus_journal_gone;
        jd->open = 1;
    }

    if (ngx_msgbus_journal_settled(jd) != NGX_OK) {
        return NGX_ERROR;
    }

    err = ngx_msgbus_journal_thread_start(&jd->keeper, jd->writer.writer);

    if (err) {
        jd->error = jd->text;
        ngx_msgbus_journal_error(jd->text, err, "pthread_create() failed",
                                 NULL);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* nothing is left undone, and the reader sees all that is durable */
static ngx_int_t
ngx_msgbus_journal_settled(ngx_msgbus_journal_db_t *jd)
{
    if (ngx_msgbus_journal_moved(&jd->writer)
        && ngx_msgbus_journal_look(&jd->writer) != NGX_OK)
    {
        jd->error = jd->writer.error;
        return NGX_ERROR;
    }

    if (ngx_msgbus_journal_reader_look(&jd->reader) != NGX_OK) {
        jd->error = jd->reader.error;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_msgbus_journal_disconnect(ngx_msgbus_db_t *db)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    if (jd->attached) {
        ngx_msgbus_journal_reader_close(&jd->reader);
        jd->attached = 0;
    }

    if (!jd->open || jd->writer.failed) {
        return;
    }

    if (jd->writer.known && ngx_msgbus_journal_stop(&jd->writer) != NGX_OK) {
        jd->error = jd->writer.error;

        if (jd->writer.failed) {
            return;
        }
    }

    ngx_msgbus_journal_shut(jd);
}


static void
ngx_msgbus_journal_shut(ngx_msgbus_journal_db_t *jd)
{
    ngx_msgbus_journal_thread_stop(&jd->keeper);

    if (jd->knows) {
        ngx_msgbus_journal_known_close(&jd->known);
        jd->knows = 0;
    }

    ngx_msgbus_journal_reader_close(&jd->reader);
    ngx_msgbus_journal_close(&jd->writer);

    jd->open = 0;
}


static const char *
ngx_msgbus_journal_db_error(ngx_msgbus_db_t *db)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    return jd->error;
}


static const char *
ngx_msgbus_journal_version(ngx_msgbus_db_t *db)
{
    return "journal 1";
}


static const char *
ngx_msgbus_journal_warnings(ngx_msgbus_db_t *db)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    jd->warned = jd->warnings;

    ngx_msgbus_journal_thread_warn(&jd->keeper, ngx_msgbus_journal_warning,
                                   jd);

    if (jd->writer.healed) {
        ngx_msgbus_journal_warning(jd, "a write or a sync has failed, and was "
                                   "made good in a new file: look after the "
                                   "disk");
    }

    *jd->warned = '\0';

    return jd->warnings;
}


/* what is in quotes in it, is not in JSON */
static void
ngx_msgbus_journal_warning(void *data, const char *text)
{
    ngx_msgbus_journal_db_t *jd = data;

    char  *p;

    p = jd->warned;

    if ((size_t) (jd->warnings + NGX_MSGBUS_WARNINGS_LEN - 1 - p)
        <= ngx_strlen(text))
    {
        return;
    }

    for ( /* void */ ; *text; text++) {
        *p++ = *text == '"' || *text == '\\' || (u_char) *text < ' '
               ? '\'' : *text;
    }

    *p++ = '\0';

    jd->warned = p;
}


static ngx_int_t
ngx_msgbus_journal_put_docs(ngx_msgbus_db_t *db, ngx_msgbus_doc_t *docs,
    ngx_uint_t n, ngx_msgbus_refusal_t *refusal)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    uint64_t                     segments;
    ngx_int_t                    rc;
    ngx_uint_t                   i, keyed;
    ngx_msgbus_journal_event_t  *ev;

    ngx_memzero(refusal, sizeof(ngx_msgbus_refusal_t));

    keyed = 0;

    for (i = 0; i < n; i++) {
        ev = &jd->events[i];

        ev->id = docs[i].id;
        ev->created = docs[i].created;
        ev->channel = docs[i].channel;
        ev->uuid = docs[i].uuid;
        ev->user_agent = docs[i].user_agent;
        ev->data = docs[i].data;
        ev->token = docs[i].token;
        ngx_str_null(&ev->fields);

        if (docs[i].key) {
            keyed = 1;

            ev->fields.data = jd->fields[i];
            ev->fields.len = ngx_msgbus_journal_key_write(docs[i].key->name,
                                                          jd->fields[i])
                             - jd->fields[i];
        }
    }

    if (keyed) {
        rc = ngx_msgbus_journal_refused(jd, docs, n, refusal);

        if (rc != NGX_OK) {
            return NGX_ABORT;
        }

        if (refusal->known) {
            n = refusal->index;
        }

        if (n == 0) {
            return NGX_DECLINED;
        }
    }

    segments = jd->writer.segments;

    rc = ngx_msgbus_journal_insert(&jd->writer, jd->events, n);

    jd->writer.expects = 0;
    jd->error = jd->writer.error;

    if (segments != jd->writer.segments) {

        ngx_msgbus_journal_thread_due(&jd->keeper);
    }

    switch (rc) {

    case NGX_OK:

        for (i = 0; i < n; i++) {
            docs[i].created = jd->events[i].created;
            docs[i].since = jd->events[i].created;
        }

        return refusal->known ? NGX_DECLINED : NGX_OK;

    case NGX_DECLINED:
        ngx_memzero(refusal, sizeof(ngx_msgbus_refusal_t));
        break;

    default:
        break;
    }

    return rc;
}


/*
 * The first event whose key is there already: in refusal, if there is one; and
 * then what has the keys of those behind it.  An insert goes well only if
 * nobody has written since: what was not there when it was asked for is not
 * there then.  NGX_OK or NGX_ERROR.
 */
static ngx_int_t
ngx_msgbus_journal_refused(ngx_msgbus_journal_db_t *jd, ngx_msgbus_doc_t *docs,
    ngx_uint_t n, ngx_msgbus_refusal_t *refusal)
{
    uint64_t                     since;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_msgbus_known_t          *known;
    ngx_msgbus_journal_found_t   found;

    if (ngx_msgbus_journal_moved(&jd->writer)
        && ngx_msgbus_journal_look(&jd->writer) != NGX_OK)
    {
        jd->error = jd->writer.error;
        return NGX_ERROR;
    }

    jd->error = jd->known.reader.error;

    if (!jd->knows) {

        if (ngx_msgbus_journal_known_open(&jd->known, jd->conf.path,
                                          &ngx_msgbus_disk)
            != NGX_OK)
        {
            ngx_msgbus_journal_known_close(&jd->known);
            return NGX_ERROR;
        }

        jd->knows = 1;
    }

    if (ngx_msgbus_journal_known_look(&jd->known) != NGX_OK) {
        return NGX_ERROR;
    }

    jd->writer.expects = jd->known.reader.newest;

    since = ngx_msgbus_journal_since(jd);

    rc = ngx_msgbus_journal_known_first(&jd->known, jd->events, n, since,
                                        &refusal->index, &found);
    if (rc == NGX_DONE) {
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    refusal->known = 1;
    i = refusal->index;

    do {
        if (rc == NGX_OK) {
            known = &docs[i].known;

            known->id = found.id;
            known->created = found.created;
            ngx_memcpy(known->body, found.body, NGX_MSGBUS_KEY_BODY);
        }

        /* those behind it: else a sync would be needed between each of them */

        while (++i < n && docs[i].key == NULL) {
            /* void */
        }

        if (i < n) {
            rc = ngx_msgbus_journal_known_find(&jd->known, docs[i].key->name,
                                               since, &found);
        }

    } while (i < n && (rc == NGX_OK || rc == NGX_DONE));

    return NGX_OK;
}


/* the last id that is taken; there always is one */
static ngx_int_t
ngx_msgbus_journal_db_newest(ngx_msgbus_db_t *db, uint64_t *id,
    uint64_t *created)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    if (ngx_msgbus_journal_settled(jd) != NGX_OK) {
        return NGX_ERROR;
    }

    *id = jd->writer.at.id;
    *created = jd->writer.at.created;

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_journal_oldest(ngx_msgbus_db_t *db, ngx_uint_t n, size_t bytes,
    uint64_t *id)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    uint64_t    before, floor;
    ngx_int_t   rc;
    ngx_uint_t  tries;

    if (ngx_msgbus_journal_settled(jd) != NGX_OK) {
        return NGX_ERROR;
    }

    tries = 0;
    floor = 0;

    do {
        rc = ngx_msgbus_journal_begin(&jd->reader, n, bytes, &before);

        if (rc == NGX_OK) {
            rc = ngx_msgbus_journal_floor(&jd->reader,
                                          ngx_msgbus_journal_since(jd),
                                          &floor);
        }

    } while (rc == NGX_AGAIN && ngx_msgbus_journal_anew(jd, &tries));

    if (rc != NGX_OK) {
        jd->error = jd->reader.error;
        return NGX_ERROR;
    }

    *id = ngx_max(before, floor) + 1;

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_journal_after(ngx_msgbus_db_t *db, uint64_t id, ngx_uint_t max,
    ngx_msgbus_doc_pt handler, void *data)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    ngx_int_t                   rc;
    ngx_uint_t                  events, tries;
    ngx_msgbus_doc_t            doc;
    ngx_msgbus_journal_page_t   page;

    if (ngx_msgbus_journal_flush(&jd->writer, 0) != NGX_OK) {
        jd->error = jd->writer.error;
        return NGX_ERROR;
    }

    if (ngx_msgbus_journal_settled(jd) != NGX_OK) {
        return NGX_ERROR;
    }

    jd->handler = handler;
    jd->data = data;
    jd->last = id;

    events = 0;
    tries = 0;

    do {

        /* room was made for newer ones, which had not been read here */

        if (jd->reader.oldest > jd->last) {
            ngx_msgbus_journal_gone(jd, jd->reader.oldest);
        }

        rc = ngx_msgbus_journal_read(&jd->reader, jd->last, 0,
                                     max - events, 0, ngx_msgbus_journal_take,
                                     jd, &page);
        events += page.events;

    } while (rc == NGX_AGAIN && ngx_msgbus_journal_anew(jd, &tries));

    if (rc != NGX_OK) {
        jd->error = jd->reader.error;
        return NGX_ERROR;
    }

    if (events < max && page.examined > jd->last) {

        /* ids that nobody got: the next one comes behind them */

        ngx_memzero(&doc, sizeof(ngx_msgbus_doc_t));

        doc.id = page.examined;
        doc.created = jd->writer.at.created;
        doc.since = doc.created;

        handler(data, &doc);
    }

    return (ngx_int_t) events;
}


/* a segment has left while it was to be read: which are there now? */
static ngx_uint_t
ngx_msgbus_journal_anew(ngx_msgbus_journal_db_t *jd, ngx_uint_t *tries)
{
    uint64_t  floor;

    return ++*tries < NGX_MSGBUS_JOURNAL_TRIES
           && ngx_msgbus_journal_floor(&jd->reader, 0, &floor) == NGX_OK;
}


static ngx_int_t
ngx_msgbus_journal_take(void *data, ngx_msgbus_journal_event_t *ev)
{
    ngx_msgbus_journal_db_t *jd = data;

    ngx_msgbus_doc_t  doc;

    doc.id = ev->id;
    doc.created = ev->created;
    doc.since = ev->created;
    doc.channel = ev->channel;
    doc.uuid = ev->uuid;
    doc.user_agent = ev->user_agent;
    doc.data = ev->data;
    doc.token = ev->token;
    doc.key = (ngx_msgbus_key_t *) ngx_msgbus_journal_key_read(ev);
    doc.lost = 0;

    jd->last = ev->id;

    jd->handler(jd->data, &doc);

    return NGX_OK;
}


static void
ngx_msgbus_journal_gone(void *data, uint64_t id)
{
    ngx_msgbus_journal_db_t *jd = data;

    ngx_msgbus_doc_t  doc;

    ngx_memzero(&doc, sizeof(ngx_msgbus_doc_t));

    doc.id = id;
    doc.lost = 1;
    doc.created = jd->writer.at.created;
    doc.since = doc.created;

    jd->last = id;

    jd->handler(jd->data, &doc);
}


/* nothing in it grows old by itself */
static ngx_int_t
ngx_msgbus_journal_touch(ngx_msgbus_db_t *db, uint64_t id, uint64_t now)
{
    return NGX_OK;
}


/* the journal's own mark of ids is ahead of what it gives out */
static ngx_int_t
ngx_msgbus_journal_counter(ngx_msgbus_db_t *db, uint64_t *c)
{
    uint64_t  created;

    return ngx_msgbus_journal_db_newest(db, c, &created);
}


static ngx_int_t
ngx_msgbus_journal_raise(ngx_msgbus_db_t *db, uint64_t c)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    if (c < NGX_MSGBUS_ID_END - NGX_MSGBUS_ID_SPARE) {
        return NGX_OK;
    }

    jd->error = jd->text;
    ngx_msgbus_journal_error(jd->text, 0, "its newest event leaves no ids "
                             "below 2^53", NULL);

    return NGX_ERROR;
}


/* only reads: no lock, no keeper */
static ngx_int_t
ngx_msgbus_journal_attach(ngx_msgbus_db_t *db)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    jd->error = jd->reader.error;

    if (ngx_msgbus_journal_reader_open(&jd->reader, jd->conf.path,
                                       &ngx_msgbus_disk)
        != NGX_OK)
    {
        ngx_msgbus_journal_reader_close(&jd->reader);
        return NGX_ERROR;
    }

    jd->reader.told = 1;
    jd->attached = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_journal_db_history(ngx_msgbus_db_t *db, ngx_msgbus_history_t *h,
    ngx_msgbus_doc_pt handler, void *data, ngx_msgbus_examined_t *page)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    ngx_int_t   rc;
    ngx_uint_t  tries, read;

    jd->handler = handler;
    jd->data = data;

    read = 0;
    rc = NGX_AGAIN;

    /* once more where a segment leaves meanwhile, or a writer begins one */

    for (tries = 0; tries < NGX_MSGBUS_JOURNAL_LOOKS; tries++) {

        if (!read) {
            rc = ngx_msgbus_journal_history(&jd->reader, h,
                                            ngx_msgbus_journal_take, jd, page);
            read = (rc == NGX_OK);
        }

        if (read) {
            rc = ngx_msgbus_journal_floor(&jd->reader, h->since,
                                          &page->floor);
        }

        if (rc != NGX_AGAIN) {
            break;
        }

        (void) poll(NULL, 0, NGX_MSGBUS_JOURNAL_BREAK);
    }

    /* damage: there may be none where others read */

    return rc == NGX_DECLINED ? NGX_ABORT : rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


/* what was created before is to be forgotten */
static uint64_t
ngx_msgbus_journal_since(ngx_msgbus_journal_db_t *jd)
{
    uint64_t  now;

    now = ngx_msgbus_disk.wall(ngx_msgbus_disk.disk);

    return now > jd->conf.ttl ? now - jd->conf.ttl : 0;
}


static void
ngx_msgbus_journal_usage(ngx_msgbus_db_t *db, ngx_msgbus_usage_t *usage)
{
    ngx_msgbus_journal_db_t *jd = (ngx_msgbus_journal_db_t *) db;

    uint64_t  before;

    before = usage->dropped;

    if (ngx_msgbus_journal_thread_usage(&jd->keeper, usage) == NGX_OK) {
        ngx_msgbus_journal_watch(&jd->watch, usage, before);
    }
}
