
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_SEGMENT_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_SEGMENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_disk.h"
#include "ngx_msgbus_journal_format.h"


#define NGX_MSGBUS_JOURNAL_MARK_FILE   "mark"
#define NGX_MSGBUS_JOURNAL_TURN_FILE   "turn"
#define NGX_MSGBUS_JOURNAL_NODES_FILE  "nodes"
#define NGX_MSGBUS_JOURNAL_KEEP_FILE   "keep"

/* folders that are there while a repair is not finished */
#define NGX_MSGBUS_JOURNAL_REPAIR_LEAVE  "repair-leave"
#define NGX_MSGBUS_JOURNAL_REPAIR_ENTER  "repair-enter"

/* of a segment's file, of one that is being made, of one that is ready */
#define NGX_MSGBUS_JOURNAL_SUFFIX      ".journal"
#define NGX_MSGBUS_JOURNAL_NEW         "new-"
#define NGX_MSGBUS_JOURNAL_SPARE       "spare-"


/* a file of the folder that is named as a segment */
typedef struct {
    uint64_t                     sequence;
    uint64_t                     first_id;
    uint64_t                     bytes;    /* of the file */
    ngx_msgbus_journal_header_t  header;
} ngx_msgbus_journal_segment_t;


/* those of a folder, by their sequence */
typedef struct {
    ngx_msgbus_journal_segment_t  *elts;
    ngx_uint_t                     n;
    ngx_uint_t                     size;
    ngx_uint_t                     failed;   /* no memory */
} ngx_msgbus_journal_list_t;


/*
 * Opens a folder: a descriptor, or -1, and error tells why.  A folder in which
 * a repair was not finished has files of two journals, and is not opened.
 */
int ngx_msgbus_journal_folder_open(ngx_msgbus_disk_t *disk, const char *path,
    char *error);

/*
 * Lists the segments, without their headers; what was in the list is not.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_msgbus_journal_list(ngx_msgbus_disk_t *disk, int folder,
    ngx_msgbus_journal_list_t *list);
void ngx_msgbus_journal_list_free(ngx_msgbus_journal_list_t *list);

/*
 * Lists them with headers and sizes, and sees that each goes on where the one
 * before it ends.  NGX_OK; NGX_ERROR: the system's; NGX_DECLINED: a segment
 * is bad, or missing.  error tells which.
 */
ngx_int_t ngx_msgbus_journal_chain(ngx_msgbus_disk_t *disk, int folder,
    ngx_msgbus_journal_list_t *list, char *error);

/* the name of a segment's file; and what a name says, NGX_OK or NGX_DECLINED */
void ngx_msgbus_journal_name(char *name, uint64_t sequence,
    uint64_t first_id);
ngx_int_t ngx_msgbus_journal_name_parse(const char *name,
    uint64_t *sequence, uint64_t *first_id);

/* a name that only this writer has: prefix and 16 digits */
void ngx_msgbus_journal_name_own(char *name, const char *prefix,
    uint64_t writer);

/*
 * Opens a segment that is to be there, and reads its header: a descriptor, or
 * -1, and error tells why; *damaged is 1 where the file is there but bad.
 */
int ngx_msgbus_journal_segment_open(ngx_msgbus_disk_t *disk, int folder,
    ngx_msgbus_journal_segment_t *seg, ngx_uint_t how, char *error,
    ngx_uint_t *damaged);

/*
 * Makes a file of zeros, all of it on the disk, locked by its descriptor as a
 * sign of life; or -1, and there is no such file.  It gives up when *stop is
 * set, which may be NULL.
 */
int ngx_msgbus_journal_zeros(ngx_msgbus_disk_t *disk, int folder,
    const char *name, uint64_t size, ngx_uint_t *stop);


/*
 * Reads a file through a window of memory that moves on and grows.
 */
typedef struct {
    ngx_msgbus_disk_t     *disk;
    int                    fd;
    uint64_t               end;        /* nothing is read from it on */
    uint64_t               offset;     /* of what is in the window */
    size_t                 len;
    size_t                 size;
    u_char                *bytes;
    ngx_err_t              err;        /* why nothing could be read; or 0 */
} ngx_msgbus_journal_window_t;


/* for what stands before end; holds no memory yet.  And frees it. */
void ngx_msgbus_journal_window_init(ngx_msgbus_journal_window_t *w,
    ngx_msgbus_disk_t *disk, int fd, uint64_t end);
void ngx_msgbus_journal_window_free(ngx_msgbus_journal_window_t *w);

/* len bytes from an offset on; NULL: not before the end, or an error */
u_char *ngx_msgbus_journal_window_at(ngx_msgbus_journal_window_t *w,
    uint64_t offset, size_t len);

/* the frame at an offset, as ngx_msgbus_journal_frame_read() has it */
ngx_int_t ngx_msgbus_journal_window_frame(ngx_msgbus_journal_window_t *w,
    ngx_msgbus_journal_frame_t *f, uint64_t salt, uint64_t offset);


#endif /* _NGX_MSGBUS_JOURNAL_SEGMENT_H_INCLUDED_ */
