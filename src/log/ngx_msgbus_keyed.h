
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_KEYED_H_INCLUDED_
#define _NGX_MSGBUS_KEYED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_ring.h"


/*
 * A bucket of names for so many places of the index, which has more places than
 * the log has records.  A bucket is the low half of the serial of the newest
 * record in it; one that leads out of the log is empty.
 */
#define NGX_MSGBUS_PLACES_A_BUCKET  8


/*
 * Writes the key of the newest record, whose size has room for it; and puts it
 * into its bucket, a part of the step by which the record is in the log.
 */
void ngx_msgbus_keyed_fill(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec,
    ngx_msgbus_key_t *key);
void ngx_msgbus_keyed_add_locked(ngx_msgbus_log_t *log,
    ngx_msgbus_record_t *rec);

/*
 * The newest record with a key's name that is not older than its ttl, or NULL:
 * there is none, or none any more.
 */
ngx_msgbus_record_t *ngx_msgbus_keyed_find_locked(ngx_msgbus_log_t *log,
    ngx_msgbus_key_t *key, uint64_t now);

/*
 * What an event with a key is to become: NGX_DECLINED, nothing is known of its
 * key's name; NGX_DONE, there is one with that name: *id is its id, or 0 if it
 * has another body.
 */
ngx_int_t ngx_msgbus_keyed_known_locked(ngx_msgbus_log_t *log,
    ngx_msgbus_key_t *key, uint64_t now, uint64_t *id);


#endif /* _NGX_MSGBUS_KEYED_H_INCLUDED_ */
