
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_INDEX_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_INDEX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_format.h"
#include "ngx_msgbus_journal_key.h"
#include "ngx_msgbus_journal_segment.h"
#include "ngx_msgbus_store.h"


/* bytes of frames between two steps, at least */
#define NGX_MSGBUS_JOURNAL_INDEX_STEP    65536

/* of an index in a file: its head, a step, a channel */
#define NGX_MSGBUS_JOURNAL_INDEX_HEAD    64
#define NGX_MSGBUS_JOURNAL_INDEX_STEP_L  32
#define NGX_MSGBUS_JOURNAL_INDEX_CH_L    24


/* a place where reading can begin, and what is before it */
typedef struct {
    uint64_t               offset;
    uint64_t               frame;
    uint64_t               id;
    uint64_t               created;
} ngx_msgbus_journal_step_t;


/* where the records of a channel stand: offsets / 8, rising */
typedef struct {
    u_char                *name;
    uint32_t               name_len;
    uint32_t               n;
    uint32_t               size;
    uint32_t               next;       /* of the same hash, + 1 */
    uint32_t              *records;    /* NULL: in the file, at */
    uint64_t               offset;
    uint32_t               crc;
} ngx_msgbus_journal_index_ch_t;


/*
 * What stands where in a segment.  Derived from it: made while one reads, or
 * loaded from the end of a segment that is sealed.
 */
typedef struct {
    uint64_t                        salt;
    ngx_msgbus_journal_step_t       end;       /* what is in it ends here */

    ngx_msgbus_journal_step_t      *steps;
    ngx_uint_t                      nsteps;
    ngx_uint_t                      steps_size;

    ngx_msgbus_journal_index_ch_t  *channels;  /* sorted, when loaded */
    ngx_uint_t                      nchannels;
    ngx_uint_t                      channels_size;

    uint32_t                       *buckets;   /* NULL: loaded */
    ngx_uint_t                      nbuckets;

    ngx_uint_t                      keyed;     /* keys are wanted, where it is
                                                  made */
    ngx_msgbus_journal_keytab_t     keys;

    u_char                         *loaded;    /* bytes of the file */
    uint64_t                        holes;     /* frames that are holes */
    uint64_t                        records;
} ngx_msgbus_journal_index_t;


/* empty, for a segment that begins so */
void ngx_msgbus_journal_index_init(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_journal_header_t *h);
void ngx_msgbus_journal_index_free(ngx_msgbus_journal_index_t *index);

/*
 * Takes what stands in a segment from where the index ends up to an offset.
 * NGX_OK; NGX_ERROR: the system's, or no memory; NGX_DECLINED: at its end
 * there is no good frame.
 */
ngx_int_t ngx_msgbus_journal_index_extend(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_journal_window_t *w, uint64_t end);

/* the last step that is not behind an id; or a time */
ngx_msgbus_journal_step_t *ngx_msgbus_journal_index_step(
    ngx_msgbus_journal_index_t *index, uint64_t id);

/*
 * Writes it behind the end of a sealed segment, with its keys, cuts the file
 * behind it, and syncs it.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_msgbus_journal_index_save(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_disk_t *disk, int fd);

/*
 * Loads that of a segment that ends at an offset.  NGX_OK; NGX_DECLINED:
 * there is none, or it is bad; NGX_ERROR.
 */
ngx_int_t ngx_msgbus_journal_index_load(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_disk_t *disk, int fd, ngx_msgbus_journal_header_t *h,
    uint64_t end);

/*
 * Loads the keys behind that of a segment.  Likewise; NGX_DONE: there are none,
 * for it was made by who knew of none.
 */
ngx_int_t ngx_msgbus_journal_index_keys(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_disk_t *disk, int fd, ngx_msgbus_journal_header_t *h,
    uint64_t end);

/* is all of one good that was loaded?  NGX_OK, NGX_DECLINED, NGX_ERROR */
ngx_int_t ngx_msgbus_journal_index_whole(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_disk_t *disk, int fd);

/*
 * Offsets / 8 of all records between two offsets of the channels of n scopes,
 * rising, each once, in an array that the caller frees.  NGX_OK, NGX_ERROR;
 * NGX_DECLINED: the index is bad.
 */
ngx_int_t ngx_msgbus_journal_index_find(ngx_msgbus_journal_index_t *index,
    ngx_msgbus_disk_t *disk, int fd, ngx_msgbus_scope_t *scopes,
    ngx_uint_t nscopes, uint64_t from, uint64_t to, uint32_t **records,
    ngx_uint_t *n);

/* is a channel one of a scope? */
ngx_uint_t ngx_msgbus_journal_wanted(ngx_msgbus_scope_t *scope,
    ngx_str_t *channel);


#endif /* _NGX_MSGBUS_JOURNAL_INDEX_H_INCLUDED_ */
