
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_FORMAT_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_FORMAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_disk.h"


#define NGX_MSGBUS_JOURNAL_VERSION    1

/* a segment's header is alone in its block; frames begin behind it */
#define NGX_MSGBUS_JOURNAL_BLOCK      4096
#define NGX_MSGBUS_JOURNAL_HEADER     512

#define NGX_MSGBUS_JOURNAL_FRAME      64
#define NGX_MSGBUS_JOURNAL_RECORD     56
#define NGX_MSGBUS_JOURNAL_TOKEN      16

/* the mark: one of two slots, written in turn */
#define NGX_MSGBUS_JOURNAL_MARK       192
#define NGX_MSGBUS_JOURNAL_SLOT       512

/* of a frame, header and all */
#define NGX_MSGBUS_JOURNAL_MAX_FRAME  (64 * 1024 * 1024)


/* a frame's type */
#define NGX_MSGBUS_JOURNAL_EVENTS     1     /* records of events */
#define NGX_MSGBUS_JOURNAL_SKIP       2     /* ids that nobody got */
#define NGX_MSGBUS_JOURNAL_HOLE       3     /* ids whose events may be lost */
#define NGX_MSGBUS_JOURNAL_NOTE       4     /* what its header says, alone */
#define NGX_MSGBUS_JOURNAL_STOP       5     /* a clean stop: nothing follows */


/* a segment's flags */
#define NGX_MSGBUS_JOURNAL_LAZY       0x01  /* told of before it was synced */
#define NGX_MSGBUS_JOURNAL_KEYED      0x10  /* there may be keys in it, and in
                                               all behind it */

/* a mark's flags; LAZY too */
#define NGX_MSGBUS_JOURNAL_DIRTY      0x02  /* the folder is being changed, or
                                               a file is not to be trusted */
#define NGX_MSGBUS_JOURNAL_STOPPED    0x04  /* the last frame is a STOP */
#define NGX_MSGBUS_JOURNAL_LOST       0x08  /* a hole is due */


/* a field's type: a name and the body's hash, 16 bytes each */
#define NGX_MSGBUS_JOURNAL_FIELD_KEY  1

#define NGX_MSGBUS_JOURNAL_KEY_NAME   16
#define NGX_MSGBUS_JOURNAL_KEY        32

/* with its type and its length */
#define NGX_MSGBUS_JOURNAL_KEY_FIELD  36


/* the header of a segment */
typedef struct {
    uint64_t               sequence;   /* from 1 on */
    uint64_t               salt;
    uint64_t               size;       /* frames stand below it */
    uint64_t               pred;       /* the segment before it, 0: none */
    uint64_t               pred_end;   /* where that one ends */
    uint64_t               last_frame; /* sequence of the frame before */
    uint64_t               last_id;    /* ids up to it are before */
    uint64_t               created;    /* newest before, ms since 1970 */
    uint64_t               mark;       /* no id above it was given out */
    uint64_t               made;       /* ms since 1970 */
    uint64_t               durable;    /* frames up to it came with the file */
    u_char                 boot[NGX_MSGBUS_JOURNAL_BOOT_LEN];
    uint32_t               flags;
} ngx_msgbus_journal_header_t;


/* a frame, as it was written or is to be */
typedef struct {
    uint32_t               length;     /* multiple of 8, header and all */
    uint32_t               count;      /* records */
    uint16_t               type;
    uint64_t               sequence;   /* the one before + 1 */
    uint64_t               first_id;   /* of its events; behind what is
                                          skipped; else prev_id + 1 */
    uint64_t               prev_id;    /* ids up to it are before */
    uint64_t               durable;    /* frames up to it are on the disk */
    uint64_t               mark;       /* no id above it was given out before
                                          this frame was on the disk */
    uint64_t               created;    /* newest so far, ms since 1970 */

    uint64_t               last_id;    /* ids up to it are there; not stored */
    u_char                *records;
} ngx_msgbus_journal_frame_t;


/* an event; what it points to is the frame's bytes, or the caller's */
typedef struct {
    uint64_t               id;
    uint64_t               created;    /* ms since 1970 */
    ngx_str_t              channel;    /* empty: its id is taken, no more */
    ngx_str_t              uuid;
    ngx_str_t              user_agent; /* as posted */
    ngx_str_t              data;
    ngx_str_t              fields;     /* type, length, bytes; 16 bits each */
    u_char                *token;      /* NULL: none */
} ngx_msgbus_journal_event_t;


/*
 * What the writers of a journal tell each other: how far it is durable.  In a
 * file that is never synced, for it says nothing of a disk that was not there
 * when it was written: after a power cut it may claim less than is true.
 */
typedef struct {
    uint64_t               counter;
    u_char                 boot[NGX_MSGBUS_JOURNAL_BOOT_LEN];
    uint64_t               segment;    /* its sequence, */
    uint64_t               salt;       /*   and its salt */
    uint64_t               offset;     /* end of what is durable */
    uint64_t               frame;      /* the last frame that is durable */
    uint64_t               kept;       /* offset of a frame that stands in the
                                          block in which the durable ends, */
    uint64_t               kept_frame; /*   and what is before it */
    uint64_t               kept_id;
    uint64_t               kept_created;
    uint64_t               written;    /* end of what is written */
    uint64_t               written_frame;
    uint64_t               begun;      /* the last frame that may be begun */
    uint64_t               mark;       /* durable: no id above is given out */
    uint64_t               writer;     /* a random number */
    uint32_t               flags;
    uint64_t               file;       /* of a clean stop: which file it is in,
                                          0: not known; */
    uint64_t               changed;    /*   last changed by it */
    uint64_t               self;       /* which file this stands in, or 0 */
} ngx_msgbus_journal_mark_t;


/*
 * Plain functions on bytes, from any thread.  Whatever the bytes are, nothing
 * outside of them is read.
 */

/* writes HEADER bytes */
void ngx_msgbus_journal_header_write(ngx_msgbus_journal_header_t *h,
    u_char *p);

/* of HEADER bytes; NGX_OK, NGX_DECLINED: of a later version, NGX_ERROR */
ngx_int_t ngx_msgbus_journal_header_read(ngx_msgbus_journal_header_t *h,
    const u_char *p);

/* writes MARK bytes; and reads them, as header_read() does */
void ngx_msgbus_journal_mark_write(ngx_msgbus_journal_mark_t *m, u_char *p);
ngx_int_t ngx_msgbus_journal_mark_read(ngx_msgbus_journal_mark_t *m,
    const u_char *p);


/* bytes of an event's record */
size_t ngx_msgbus_journal_record_len(ngx_msgbus_journal_event_t *ev);

/*
 * Writes a record that will stand at an offset of a segment; its end.  Its
 * crc is written by seal().
 */
u_char *ngx_msgbus_journal_record_write(ngx_msgbus_journal_event_t *ev,
    u_char *p);

/* what a record of length bytes at p says; NGX_OK or NGX_ERROR */
ngx_int_t ngx_msgbus_journal_record_read(ngx_msgbus_journal_event_t *ev,
    u_char *p, size_t len);

/* the same, of one that is read alone: its crc is checked, too */
ngx_int_t ngx_msgbus_journal_record_check(ngx_msgbus_journal_event_t *ev,
    u_char *p, size_t len, uint64_t salt, uint64_t offset);


/* writes a key of KEY bytes as KEY_FIELD bytes of fields; their end */
u_char *ngx_msgbus_journal_key_write(const u_char *key, u_char *p);

/* the key of an event, KEY bytes in its fields; NULL: it has none */
u_char *ngx_msgbus_journal_key_read(ngx_msgbus_journal_event_t *ev);


/*
 * Writes a frame's header before its f->count records, which are there, and
 * all crcs, for a place in a segment.
 */
void ngx_msgbus_journal_frame_seal(ngx_msgbus_journal_frame_t *f, u_char *p,
    uint64_t salt, uint64_t offset);

/*
 * The frame at p, which has len bytes behind it:
 *
 * NGX_OK        it is whole, all crcs are right, and f tells of it
 * NGX_DONE      zeros: nothing was written here
 * NGX_AGAIN     f->length bytes are needed to tell
 * NGX_ERROR     it is no frame of this place
 */
ngx_int_t ngx_msgbus_journal_frame_read(ngx_msgbus_journal_frame_t *f,
    u_char *p, size_t len, uint64_t salt, uint64_t offset);

/* what a frame says that is known to be good */
void ngx_msgbus_journal_frame_last(ngx_msgbus_journal_frame_t *f,
    u_char *p);


/* little-endian numbers at any address */
static ngx_inline uint64_t
ngx_msgbus_journal_get(const u_char *p, ngx_uint_t bytes)
{
    uint64_t    n;
    ngx_uint_t  i;

    n = 0;

    for (i = bytes; i; i--) {
        n = n << 8 | p[i - 1];
    }

    return n;
}


static ngx_inline void
ngx_msgbus_journal_put(u_char *p, ngx_uint_t bytes, uint64_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < bytes; i++) {
        p[i] = (u_char) n;
        n >>= 8;
    }
}


#endif /* _NGX_MSGBUS_JOURNAL_FORMAT_H_INCLUDED_ */
