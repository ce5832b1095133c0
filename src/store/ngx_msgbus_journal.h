
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_disk.h"
#include "ngx_msgbus_journal_error.h"
#include "ngx_msgbus_journal_format.h"
#include "ngx_msgbus_journal_segment.h"


/* how far the mark of ids is raised ahead */
#define NGX_MSGBUS_JOURNAL_AHEAD      10000

/* "sync off" */
#define NGX_MSGBUS_JOURNAL_NEVER      ((uint64_t) -1)


/* what a journal is to be like */
typedef struct {
    const char            *path;       /* of its folder */
    uint64_t               segment;    /* bytes of a segment */
    uint64_t               size;       /* of all, 0: no limit */
    uint64_t               ttl;        /* ms, 0: no limit */
    uint64_t               sync;       /* us; 0: always; NEVER: off */
    uint64_t               patience;   /* with who has the lock, us */
    uint64_t               unsynced;   /* bytes at most */
} ngx_msgbus_journal_conf_t;


/* a place between two frames of a segment, and what is before it */
typedef struct {
    uint64_t               offset;
    uint64_t               frame;      /* sequence of the last one */
    uint64_t               id;         /* ids up to it are before */
    uint64_t               created;    /* newest, ms since 1970 */
} ngx_msgbus_journal_place_t;


/*
 * One who writes to a journal; used by one thread at a time.  What it knows
 * of the journal holds under the lock only: others may write in between.
 *
 *     segment:  header | frame frame | frame frame frame | zeros
 *                      ^             ^kept ^durable      ^at
 *
 * kept <= durable <= at.  The bytes from kept on are in memory, too: should a
 * sync fail, they are all that is sure.
 */
typedef struct {
    ngx_msgbus_journal_conf_t    conf;
    ngx_msgbus_disk_t           *disk;
    uint64_t                     writer;
    uint64_t                     self;       /* which file the mark's is */
    u_char                       boot[NGX_MSGBUS_JOURNAL_BOOT_LEN];

    int                          folder;
    int                          lock_fd;    /* and the mark's */
    int                          turn_fd;
    int                          nodes_fd;

    int                          fd;         /* of the current segment */
    ngx_msgbus_journal_header_t  header;
    ngx_msgbus_journal_place_t   kept;
    ngx_msgbus_journal_place_t   durable;
    ngx_msgbus_journal_place_t   at;
    uint64_t                     ids;        /* mark of ids, written */
    uint64_t                     durable_ids;
    ngx_msgbus_journal_mark_t    mark;       /* as last read or written */

    u_char                      *bytes;      /* from kept to at: */
    size_t                       start;      /*   begin here */
    size_t                       size;       /*   of this room */

    uint64_t                     voided;     /* names that were not got */
    size_t                       want;       /* room in the next segment */
    uint64_t                     expects;    /* of an insert: the last id that
                                                is taken; 0: any below its
                                                first */
    uint64_t                     synced;     /* when last, us */
    uint64_t                     looked;     /* for others, when last, us */
    uint64_t                     segments;   /* begun by this writer */
    uint64_t                     healed;     /* failures that were made good */

    unsigned                     known:1;    /* what stands above is true of
                                                "mark" */
    unsigned                     failed:1;   /* the file is not trusted: what
                                                is kept goes to a new one */
    unsigned                     crowded:1;  /* others write, too */
    unsigned                     apart:1;    /* others do not know of us */
    unsigned                     begins:1;   /* a frame is about to be
                                                written */
    unsigned                     lost:1;     /* a hole is due */
    unsigned                     copied:1;   /* what is there is a copy: others
                                                may have gone on from it */
    unsigned                     bare:1;     /* an empty one begins at any id,
                                                not at the clock; for tools */
    unsigned                     damaged:1;  /* the error tells of damage */

    char                         error[NGX_MSGBUS_JOURNAL_ERROR_LEN];
} ngx_msgbus_journal_t;


/*
 * All of it blocks as long as the disk does, and is for one thread.  After
 * NGX_ERROR, NGX_ABORT and NGX_BUSY, error tells why in words.
 */

/* opens the files in a folder that is there; NGX_OK or NGX_ERROR */
ngx_int_t ngx_msgbus_journal_open(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_conf_t *conf, ngx_msgbus_disk_t *disk);

/* lets them go; nothing is written.  Also after a failed open() */
void ngx_msgbus_journal_close(ngx_msgbus_journal_t *j);

/* notes that all is well, so that ids go on where they are; likewise */
ngx_int_t ngx_msgbus_journal_stop(ngx_msgbus_journal_t *j);

/*
 * Writes events with rising ids in one frame:
 *
 * NGX_OK        all are as durable as conf.sync says
 * NGX_DECLINED  the first id is taken, or j->expects is not 0 nor the last one
 *               that is: look, and try with higher ones
 * NGX_ABORT     nothing is stored, and will not be
 * NGX_ERROR     it is not known; it will be after a look that went well
 *
 * created is raised where it is below that of an event before.
 */
ngx_int_t ngx_msgbus_journal_insert(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_event_t *events, ngx_uint_t n);

/*
 * Settles what others left, and what a failure left undone.  From then on
 * j->at.id is the last id that is taken, j->durable.id one that all others
 * may know.  NGX_OK, NGX_ERROR, or NGX_ABORT, NGX_BUSY: not now.
 */
ngx_int_t ngx_msgbus_journal_look(ngx_msgbus_journal_t *j);

/* would look() find more than "at", or has it something to do? */
ngx_uint_t ngx_msgbus_journal_moved(ngx_msgbus_journal_t *j);

/* syncs what is not, if its time has come (or now); NGX_OK or NGX_ERROR */
ngx_int_t ngx_msgbus_journal_flush(ngx_msgbus_journal_t *j, ngx_uint_t now);


/*
 * For the rooms of the journal alone.
 */

/*
 * The lock, and a journal that is known and whole behind it: then NGX_OK.
 * Else it is let go.
 */
ngx_int_t ngx_msgbus_journal_enter(ngx_msgbus_journal_t *j);

/*
 * Lets the lock go; where there are other writers what is not synced is synced
 * first.  NGX_OK, or NGX_ERROR: that failed, and so did the new file in its
 * place; what is not synced is in memory alone until the next enter().
 */
ngx_int_t ngx_msgbus_journal_leave(ngx_msgbus_journal_t *j);

/* tells others that there is one more writer; NGX_OK or NGX_ERROR */
ngx_int_t ngx_msgbus_journal_join(ngx_msgbus_journal_t *j);

/* goes on where the mark says that others have come to; under the lock */
ngx_int_t ngx_msgbus_journal_adopt(ngx_msgbus_journal_t *j);

/* is there something where the next frame is to go?  Best under the lock */
ngx_uint_t ngx_msgbus_journal_tail(ngx_msgbus_journal_t *j);

/*
 * Under the lock: writes a frame without events; NGX_OK, NGX_ERROR: the file
 * is not to be trusted, NGX_DECLINED: nothing has begun.  Syncs what is
 * written; likewise.  And what a failure of these asks for: what is kept,
 * which is all that is sure, goes to a new file.
 */
ngx_int_t ngx_msgbus_journal_note(ngx_msgbus_journal_t *j,
    ngx_uint_t type);
ngx_int_t ngx_msgbus_journal_sync(ngx_msgbus_journal_t *j);
ngx_int_t ngx_msgbus_journal_heal(ngx_msgbus_journal_t *j);

/* what stands in the mark's file; NGX_OK, NGX_DECLINED: nothing good, ERROR */
ngx_int_t ngx_msgbus_journal_mark_load(ngx_msgbus_disk_t *disk, int fd,
    ngx_msgbus_journal_mark_t *m);

/* tells others how far it is durable; under the lock */
ngx_int_t ngx_msgbus_journal_publish(ngx_msgbus_journal_t *j,
    uint32_t flags);

/*
 * A clean stop is noted: the next publish() tells which file it is in.  And
 * is it that file that the mark tells of, as it was left?
 */
void ngx_msgbus_journal_stamp(ngx_msgbus_journal_t *j);
ngx_uint_t ngx_msgbus_journal_stamped(ngx_msgbus_journal_t *j);

/* learns all anew from the files; under the lock */
ngx_int_t ngx_msgbus_journal_recover(ngx_msgbus_journal_t *j,
    ngx_uint_t marked);

/* settles a tail at "at" that somebody else wrote; under the lock */
ngx_int_t ngx_msgbus_journal_foreign(ngx_msgbus_journal_t *j);

/*
 * Begins a new segment behind a place of the current one, with all that is
 * kept from that place on, and with a frame that skips ids up to below base,
 * where base is not 0; all of that is durable when it returns NGX_OK.
 * NGX_ERROR: nothing has changed for the writer; it may try again.
 */
ngx_int_t ngx_msgbus_journal_move(ngx_msgbus_journal_t *j,
    ngx_msgbus_journal_place_t *cut, uint64_t base, ngx_uint_t type);

/* the first id that is surely above all that was given out */
uint64_t ngx_msgbus_journal_base(ngx_msgbus_journal_t *j, uint64_t ids);

/* room for len more bytes behind what is kept; or NULL */
u_char *ngx_msgbus_journal_room(ngx_msgbus_journal_t *j, size_t len);

/* drops what is kept but no longer needed after a sync */
void ngx_msgbus_journal_trim(ngx_msgbus_journal_t *j);

#define ngx_msgbus_journal_kept(j)                                            \
    ((size_t) ((j)->at.offset - (j)->kept.offset))


#endif /* _NGX_MSGBUS_JOURNAL_H_INCLUDED_ */
