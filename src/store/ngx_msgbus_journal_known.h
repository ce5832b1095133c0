
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_KNOWN_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_KNOWN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_read.h"


/* events that are asked for at once, at most */
#define NGX_MSGBUS_JOURNAL_KNOWN_BATCH  1000


/* a segment's keys */
typedef struct {
    uint64_t                     sequence;
    uint64_t                     salt;
    ngx_uint_t                   loaded;
    ngx_msgbus_journal_keys_t    keys;
} ngx_msgbus_journal_keyring_t;


/*
 * One who finds events by their keys: beside its writers, as a reader does.
 * What it has in memory is a filter for each segment, once it was asked, and
 * all keys of the current one.  For one thread.
 */
typedef struct {
    ngx_msgbus_journal_reader_t    reader;
    ngx_msgbus_journal_keyring_t  *rings;    /* of the reader's segments */
    ngx_uint_t                     n;
    u_char                        *bytes;    /* room for a record */
    size_t                         size;
    uint64_t                       reads;    /* of keys and of records */
} ngx_msgbus_journal_known_t;


/* an event that has a key */
typedef struct {
    uint64_t                       id;
    uint64_t                       created;  /* ms since 1970 */
    u_char                         body[16];
} ngx_msgbus_journal_found_t;


/*
 * Opens a journal that is there; NGX_OK, or NGX_ERROR, and reader.error tells
 * why.  And lets it go, also after a failed open().
 */
ngx_int_t ngx_msgbus_journal_known_open(ngx_msgbus_journal_known_t *known,
    const char *path, ngx_msgbus_disk_t *disk);
void ngx_msgbus_journal_known_close(ngx_msgbus_journal_known_t *known);

/*
 * Looks which segments there are, and how far they are written by now: events
 * with ids up to known->reader.newest can be found.  As reader_look() has it.
 */
ngx_int_t ngx_msgbus_journal_known_look(ngx_msgbus_journal_known_t *known);

/*
 * The newest event with a key of that name, 16 bytes, that was not created
 * before since, ms; among those that the last look has seen.
 *
 * NGX_OK
 * NGX_DONE      there is none
 * NGX_DECLINED  the journal is damaged
 * NGX_ERROR     the system's, or no memory
 */
ngx_int_t ngx_msgbus_journal_known_find(ngx_msgbus_journal_known_t *known,
    const u_char *name, uint64_t since, ngx_msgbus_journal_found_t *found);

/*
 * The first of n events with a key that such an event has, or one before it
 * among them; its index.  Likewise.
 */
ngx_int_t ngx_msgbus_journal_known_first(ngx_msgbus_journal_known_t *known,
    ngx_msgbus_journal_event_t *events, ngx_uint_t n, uint64_t since,
    ngx_uint_t *index, ngx_msgbus_journal_found_t *found);


#endif /* _NGX_MSGBUS_JOURNAL_KNOWN_H_INCLUDED_ */
