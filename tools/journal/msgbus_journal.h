
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _MSGBUS_JOURNAL_H_INCLUDED_
#define _MSGBUS_JOURNAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <stdio.h>
#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_journal_known.h"


/* events, and bytes of them, that are written at a time */
#define BATCH  500
#define BYTES  (8 * 1024 * 1024)


/* who writes events to a folder */
typedef struct {
    ngx_msgbus_journal_t         writer;
    ngx_msgbus_journal_conf_t    conf;
    ngx_msgbus_journal_event_t   events[BATCH];
    ngx_uint_t                   n;
    uint64_t                     written;
    uint64_t                     last;
} writer_t;


/*
 * What each command does; they return the exit code: 0 well; 1 damage, or
 * something is lost; 2 it could not be done, and standard error says why.
 */

/* offline: nobody writes, whatever the mark says */
int verify(const char *folder, ngx_uint_t offline);
int dump(const char *folder, ngx_uint_t offline);
int import(const char *folder);
int repair(const char *folder);


/* does no nginx write to it? */
ngx_uint_t alone(const char *folder);

/*
 * Keeps every nginx off a folder until the process ends: a descriptor, or -1,
 * and it has said that one is there.
 */
int keep_off(const char *folder);

/* files that root makes are for the user whose folder it is; or it exits */
void owner(const char *folder);

/*
 * The following return 0, or 2, and have said why.  open() begins in a folder,
 * with segments as large as those of another one are to be, "of".
 */
int writer_open(writer_t *w, const char *folder, const char *of);
int writer_flush(writer_t *w);
int writer_close(writer_t *w);

/* on a terminal only; a name of NULL ends it */
void progress(const char *what, uint64_t done, uint64_t all);


#endif /* _MSGBUS_JOURNAL_H_INCLUDED_ */
