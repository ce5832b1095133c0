
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_THREAD_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_THREAD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <pthread.h>
#include "ngx_msgbus_cond.h"
#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_store.h"


/* the thread of a journal's keeper; of one other thread, but for init() */
typedef struct {
    ngx_msgbus_journal_conf_t   *conf;
    uint64_t                     writer;     /* for whom it keeps */
    ngx_uint_t                   started;
    pthread_t                    thread;

    ngx_msgbus_cond_t            cond;

    /* under its mutex: */
    ngx_uint_t                   stop;       /* atomic, too */
    ngx_uint_t                   due;        /* a segment has begun */
    ngx_uint_t                   clock;      /* it was set */
    uint64_t                     bad;        /* indexes */
    ngx_uint_t                   looked;     /* the next ones are known: */
    uint64_t                     bytes;      /* of all segments, */
    uint64_t                     oldest;     /*   since when, ms; 0: none; */
    uint64_t                     left;       /* on the disk; */
    uint64_t                     dropped;    /* of segments before their time,
                                                not asked for yet */
    char                         error[NGX_MSGBUS_JOURNAL_ERROR_LEN];
} ngx_msgbus_journal_thread_t;


/* takes a warning of its; a line that is gone after the call */
typedef void (*ngx_msgbus_journal_warning_pt)(void *data, const char *text);


/* begins nothing yet; NGX_OK or NGX_ERROR.  And frees it, when it has ended */
ngx_int_t ngx_msgbus_journal_thread_init(ngx_msgbus_journal_thread_t *t,
    ngx_msgbus_journal_conf_t *conf);
void ngx_msgbus_journal_thread_free(ngx_msgbus_journal_thread_t *t);

/*
 * Begins it, where it is not at work; one that was told to stop is waited for
 * first.  0, or an errno.
 */
ngx_err_t ngx_msgbus_journal_thread_start(ngx_msgbus_journal_thread_t *t,
    uint64_t writer);

/* tells it to stop, and waits for nothing; and waits for it */
void ngx_msgbus_journal_thread_stop(ngx_msgbus_journal_thread_t *t);
void ngx_msgbus_journal_thread_join(ngx_msgbus_journal_thread_t *t);

/* the next segment is to be made ready */
void ngx_msgbus_journal_thread_due(ngx_msgbus_journal_thread_t *t);

/* what an administrator should know */
void ngx_msgbus_journal_thread_warn(ngx_msgbus_journal_thread_t *t,
    ngx_msgbus_journal_warning_pt handler, void *data);

/*
 * What the segments take, without what they may: NGX_OK; NGX_DECLINED, it is
 * not known yet.  What was dropped is added, once.
 */
ngx_int_t ngx_msgbus_journal_thread_usage(ngx_msgbus_journal_thread_t *t,
    ngx_msgbus_usage_t *usage);


#endif /* _NGX_MSGBUS_JOURNAL_THREAD_H_INCLUDED_ */
