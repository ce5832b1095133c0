
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_KEEP_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_KEEP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal.h"


/*
 * One who keeps a journal's folder in order beside its writers, in a thread
 * of his own: what takes long is done here.  Of several, one is at work.
 */
typedef struct {
    ngx_msgbus_journal_conf_t    conf;
    ngx_msgbus_disk_t           *disk;
    uint64_t                     writer;     /* for whom segments are made */
    u_char                       boot[NGX_MSGBUS_JOURNAL_BOOT_LEN];

    int                          folder;
    int                          keep_fd;
    int                          mark_fd;
    int                          spare_fd;

    ngx_uint_t                  *stop;       /* set by another thread: what
                                                takes long is given up; or
                                                NULL */

    uint64_t                     wall;       /* when nginx was started, ms */
    uint64_t                     monotonic;  /* likewise, us */
    uint64_t                     indexed;    /* segments up to it are */

    uint64_t                     bytes;      /* of all segments */
    uint64_t                     removed;    /* segments, */
    uint64_t                     pressed;    /*   of them before their time, */
    uint64_t                     dropped;    /*   and bytes of these */
    uint64_t                     oldest;     /* segment's begin, ms; 0: none */
    uint64_t                     made;       /* indexes, */
    uint64_t                     bad;        /*   of them in place of one that
                                                was bad, or half written */

    unsigned                     clock:1;    /* it does not agree */

    char                         error[NGX_MSGBUS_JOURNAL_ERROR_LEN];
} ngx_msgbus_journal_keeper_t;


/* opens the folder for a writer; NGX_OK or NGX_ERROR, and error tells why */
ngx_int_t ngx_msgbus_journal_keeper_open(ngx_msgbus_journal_keeper_t *k,
    ngx_msgbus_journal_conf_t *conf, ngx_msgbus_disk_t *disk,
    uint64_t writer);

/* also after a failed open() */
void ngx_msgbus_journal_keeper_close(ngx_msgbus_journal_keeper_t *k);

/*
 * Does what is due: a file of zeros for the next segment, an index of a
 * sealed one, the removal of what is too old or too much, and of what the
 * dead have left.
 *
 * NGX_OK        nothing is left to do
 * NGX_AGAIN     there is more
 * NGX_ERROR     error tells what failed
 */
ngx_int_t ngx_msgbus_journal_keeper_turn(ngx_msgbus_journal_keeper_t *k);


#endif /* _NGX_MSGBUS_JOURNAL_KEEP_H_INCLUDED_ */
