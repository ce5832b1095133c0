
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_READ_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_READ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_journal_index.h"


/* of the segments that were read last, that many indexes are kept */
#define NGX_MSGBUS_JOURNAL_INDEXES  8


/* takes an event; its bytes are gone after the call.  NGX_DONE: no more */
typedef ngx_int_t (*ngx_msgbus_journal_event_pt)(void *data,
    ngx_msgbus_journal_event_t *ev);


/* is told, in its place among the events, that ids up to one may be lost */
typedef void (*ngx_msgbus_journal_hole_pt)(void *data, uint64_t id);


/* a segment that is open, and what is known of it */
typedef struct {
    int                          fd;
    uint64_t                     sequence;  /* 0: none */
    uint64_t                     used;
    ngx_msgbus_journal_window_t  window;
    ngx_msgbus_journal_index_t   index;
} ngx_msgbus_journal_opened_t;


/*
 * One who reads a journal: beside its writers, without their lock, up to what
 * the mark says to be durable.  It only reads: any number of them, in any
 * process that may read the folder; each is used by one thread at a time.
 */
typedef struct {
    ngx_msgbus_disk_t           *disk;
    const char                  *path;
    int                          folder;
    int                          mark_fd;
    u_char                       boot[NGX_MSGBUS_JOURNAL_BOOT_LEN];
    ngx_uint_t                   offline;   /* nobody writes: read all there
                                               is, whatever the mark says */

    ngx_uint_t                   keyed;     /* indexes that are made have
                                               keys, too */

    ngx_uint_t                   told;      /* what is told of before it is
                                               synced can be read, too */

    ngx_msgbus_journal_hole_pt   hole;      /* or NULL; of read() */

    ngx_msgbus_journal_mark_t    mark;
    ngx_msgbus_journal_list_t    list;
    uint64_t                     oldest;    /* ids up to it are gone */
    uint64_t                     newest;    /* ids up to it can be read */

    ngx_msgbus_journal_opened_t  opened[NGX_MSGBUS_JOURNAL_INDEXES];
    uint64_t                     uses;
    uint64_t                     rebuilt;   /* indexes made that were bad or
                                               missing */

    char                         error[NGX_MSGBUS_JOURNAL_ERROR_LEN];
} ngx_msgbus_journal_reader_t;


/* what a page has come to */
typedef struct {
    uint64_t                     examined;  /* the page is all that there is
                                               up to this id */
    uint64_t                     lost;      /* ids up to it, of a hole that the
                                               page has come to, may be
                                               lost; or 0 */
    ngx_uint_t                   events;    /* that were taken */
} ngx_msgbus_journal_page_t;


/*
 * After NGX_ERROR and NGX_DECLINED, error tells why in words.  All of it
 * blocks as long as the disk does.
 */

/* opens a journal that is there; NGX_OK or NGX_ERROR */
ngx_int_t ngx_msgbus_journal_reader_open(ngx_msgbus_journal_reader_t *r,
    const char *path, ngx_msgbus_disk_t *disk);
void ngx_msgbus_journal_reader_close(ngx_msgbus_journal_reader_t *r);

/*
 * Looks how far it is durable by now, and which segments there are: sets
 * newest and oldest.
 *
 * NGX_OK
 * NGX_AGAIN     a writer has to settle what a crash left first
 * NGX_DECLINED  the journal is damaged
 * NGX_ERROR     the system's
 */
ngx_int_t ngx_msgbus_journal_reader_look(ngx_msgbus_journal_reader_t *r);

/*
 * Reads events of all channels with ids above after and up to upto (0: all
 * that look() has seen), at most max, in rising order.  Those that were
 * created before since, ms, and records without a channel, are passed over.
 * NGX_OK, NGX_DECLINED, NGX_ERROR;
 * NGX_AGAIN: a segment has left meanwhile: look, and look at the floor.
 */
ngx_int_t ngx_msgbus_journal_read(ngx_msgbus_journal_reader_t *r,
    uint64_t after, uint64_t upto, ngx_uint_t max, uint64_t since,
    ngx_msgbus_journal_event_pt handler, void *data,
    ngx_msgbus_journal_page_t *page);

/*
 * Looks anew which ids are gone, for it forgets while one reads: what was
 * created before since, ms, counts as gone (0: does not).  A page with a
 * cursor below *floor may lack some.  As look().
 */
ngx_int_t ngx_msgbus_journal_floor(ngx_msgbus_journal_reader_t *r,
    uint64_t since, uint64_t *floor);

/*
 * The id behind which there are exactly n events, or, where there are less,
 * all of them; less where so many bytes of segments, and some more, are less,
 * 0: whatever they take.  Reads through one segment.  As look().
 */
ngx_int_t ngx_msgbus_journal_begin(ngx_msgbus_journal_reader_t *r,
    uint64_t n, uint64_t bytes, uint64_t *id);


/* where a segment of the list ends, by its successor or the mark */
uint64_t ngx_msgbus_journal_end(ngx_msgbus_journal_reader_t *r,
    ngx_uint_t i);

/*
 * A segment of the list, open, with its index, good until the next call; NULL
 * and *rc as read() has it.
 */
ngx_msgbus_journal_opened_t *ngx_msgbus_journal_opened(
    ngx_msgbus_journal_reader_t *r, ngx_uint_t i, ngx_int_t *rc);

/*
 * Makes the index of one that is open from its frames, in place of one that
 * was loaded and is bad.  As read().
 */
ngx_int_t ngx_msgbus_journal_reindex(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_journal_opened_t *o, ngx_uint_t i);

/*
 * The record at an offset before o->window.end; NGX_OK; NGX_ERROR: it is none,
 * or o->window.err
 */
ngx_int_t ngx_msgbus_journal_read_record(ngx_msgbus_journal_opened_t *o,
    uint64_t offset, ngx_msgbus_journal_event_t *ev);

/* tells of an error, or, where err is 0, of damage in a segment of the list */
ngx_int_t ngx_msgbus_journal_read_bad(ngx_msgbus_journal_reader_t *r,
    ngx_uint_t i, uint64_t offset, ngx_err_t err);


#endif /* _NGX_MSGBUS_JOURNAL_READ_H_INCLUDED_ */
