
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_KEY_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_KEY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_disk.h"
#include "ngx_msgbus_journal_format.h"


/* of the keys in a file: their head, a block of the filter, a key */
#define NGX_MSGBUS_JOURNAL_KEYS_HEAD   48
#define NGX_MSGBUS_JOURNAL_KEYS_BLOCK  32
#define NGX_MSGBUS_JOURNAL_KEYS_KEY    12


/* a record that has a key */
typedef struct {
    u_char                 name[8];    /* of its name, the first bytes */
    uint32_t               place;      /* offset / 8 */
    uint32_t               next;       /* of the same hash, older, + 1 */
} ngx_msgbus_journal_key_t;


/* those of a segment, in the order of places, as they are read */
typedef struct {
    ngx_msgbus_journal_key_t  *elts;
    ngx_uint_t                 n;
    ngx_uint_t                 size;
    uint32_t                  *buckets;
    ngx_uint_t                 nbuckets;
} ngx_msgbus_journal_keytab_t;


/*
 * The keys of a sealed segment: a filter, which is in memory, and behind it,
 * sorted, the begin of each name with the place of its record, which are read
 * when the filter says that one may be there.  As they stand in the file; or,
 * where they do not, all of it made from the frames.
 */
typedef struct {
    u_char                *bytes;      /* head and filter; or all; or NULL */
    uint64_t               at;         /* of them, in the file */
    uint32_t               n;          /* keys */
    uint32_t               blocks;     /* of the filter */
    ngx_uint_t             made;       /* all is in memory */
    ngx_uint_t             checked;    /* the crc of the keys is right */
} ngx_msgbus_journal_keys_t;


/*
 * Plain functions on bytes and files, for one thread.
 */

/*
 * Takes the key of a record, if it has one; NGX_OK, NGX_ERROR: no memory.  And
 * frees them all.
 */
ngx_int_t ngx_msgbus_journal_key_add(ngx_msgbus_journal_keytab_t *tab,
    ngx_msgbus_journal_event_t *ev, uint64_t offset);
void ngx_msgbus_journal_key_free(ngx_msgbus_journal_keytab_t *tab);

/*
 * The newest record whose name begins so, + 1, as "next" of it tells the one
 * before it; 0: there is none.
 */
uint32_t ngx_msgbus_journal_key_newest(ngx_msgbus_journal_keytab_t *tab,
    const u_char *name);

/*
 * What they take in a file; and writes them to p, for a segment that ends at an
 * offset.
 */
size_t ngx_msgbus_journal_key_bytes(ngx_msgbus_journal_keytab_t *tab);
void ngx_msgbus_journal_key_save(ngx_msgbus_journal_keytab_t *tab,
    uint64_t salt, uint64_t end, u_char *p);

/*
 * Loads those that stand from an offset up to the end of the file, as far as
 * they are kept in memory.  NGX_OK; NGX_DECLINED: they are bad; NGX_ERROR: the
 * system's, or no memory.
 */
ngx_int_t ngx_msgbus_journal_keys_load(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_disk_t *disk, int fd, uint64_t salt, uint64_t end,
    uint64_t at, uint64_t size);

/* all of them in memory; NGX_OK or NGX_ERROR */
ngx_int_t ngx_msgbus_journal_keys_make(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_journal_keytab_t *tab, uint64_t salt, uint64_t end);
void ngx_msgbus_journal_keys_free(ngx_msgbus_journal_keys_t *keys);

/* are those that are in the file good?  NGX_OK, NGX_DECLINED, NGX_ERROR */
ngx_int_t ngx_msgbus_journal_keys_whole(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_disk_t *disk, int fd);

/* may a name be one of them?  0: it is not */
ngx_uint_t ngx_msgbus_journal_keys_may(ngx_msgbus_journal_keys_t *keys,
    const u_char *name);

/*
 * So many of them are not above a name: those that begin as it does, if there
 * are any, are the last of them.  NGX_OK, NGX_ERROR, NGX_DECLINED: the file is
 * too short.  And the n-th of them, of KEYS_KEY bytes; likewise.
 */
ngx_int_t ngx_msgbus_journal_keys_upto(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_disk_t *disk, int fd, const u_char *name, uint32_t *n);
ngx_int_t ngx_msgbus_journal_keys_get(ngx_msgbus_journal_keys_t *keys,
    ngx_msgbus_disk_t *disk, int fd, uint32_t n, u_char *key);


#endif /* _NGX_MSGBUS_JOURNAL_KEY_H_INCLUDED_ */
