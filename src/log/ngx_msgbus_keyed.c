
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Records by their keys.
 *
 * A record with a key lies in a bucket of its key's name: the bucket knows the
 * newest, and each knows by a distance in serials the one before it.  So
 * nothing dangles when records leave, and nothing is to be done then: a way
 * that leads before the log's head has come to its end.
 *
 * Names are hashes of what a client chooses, so he could try until many fall
 * into one bucket, if he knew which: the zone's seed keeps that from him.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_keyed.h"


static uint64_t ngx_msgbus_keyed_newest(ngx_msgbus_log_t *log,
    uint32_t bucket);
static ngx_msgbus_record_t *ngx_msgbus_keyed_record(ngx_msgbus_log_t *log,
    uint64_t serial, uint32_t bucket);


#define ngx_msgbus_keyed_bucket(log, key)                                     \
    ngx_msgbus_key_bucket(key, (log)->sh->seed, (log)->key_mask)


void
ngx_msgbus_keyed_fill(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec,
    ngx_msgbus_key_t *key)
{
    uint32_t               bucket;
    uint64_t               serial;
    ngx_msgbus_keyed_t    *k;

    k = ngx_msgbus_record_keyed(rec);

    bucket = ngx_msgbus_keyed_bucket(log, key);
    serial = ngx_msgbus_keyed_newest(log, bucket);

    k->prev = serial ? (uint32_t) (rec->serial - serial) : 0;
    k->bucket = bucket;
    k->key = *key;
}


void
ngx_msgbus_keyed_add_locked(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec)
{
    ngx_msgbus_keyed_t  *k;

    k = ngx_msgbus_record_keyed(rec);

    ngx_msgbus_undo_set(log->undo, log->keys[k->bucket],
                        (uint32_t) rec->serial);
}


ngx_msgbus_record_t *
ngx_msgbus_keyed_find_locked(ngx_msgbus_log_t *log, ngx_msgbus_key_t *key,
    uint64_t now)
{
    uint32_t              bucket;
    uint64_t              serial;
    ngx_uint_t            n;
    ngx_msgbus_keyed_t   *k;
    ngx_msgbus_record_t  *rec;

    bucket = ngx_msgbus_keyed_bucket(log, key);
    serial = ngx_msgbus_keyed_newest(log, bucket);

    /* not bounded by chance alone: so many share a bucket by a fault only */

    for (n = 0; serial && n < NGX_MSGBUS_HOLD_RECORDS; n++) {

        rec = ngx_msgbus_keyed_record(log, serial, bucket);

        if (rec == NULL || (int64_t) now - rec->since >= (int64_t) log->ttl) {

            /* all before it are as old, too */

            return NULL;
        }

        k = ngx_msgbus_record_keyed(rec);

        if (ngx_memcmp(k->key.name, key->name, NGX_MSGBUS_KEY_NAME) == 0) {
            return rec;
        }

        serial = k->prev && serial - k->prev >= log->sh->head_serial
                 ? serial - k->prev : 0;
    }

    return NULL;
}


ngx_int_t
ngx_msgbus_keyed_known_locked(ngx_msgbus_log_t *log, ngx_msgbus_key_t *key,
    uint64_t now, uint64_t *id)
{
    u_char               *body;
    ngx_msgbus_record_t  *rec;

    rec = ngx_msgbus_keyed_find_locked(log, key, now);

    if (rec == NULL) {
        return NGX_DECLINED;
    }

    body = ngx_msgbus_record_keyed(rec)->key.body;

    *id = ngx_memcmp(body, key->body, NGX_MSGBUS_KEY_BODY) == 0 ? rec->id : 0;

    return NGX_DONE;
}


/* the serial that a bucket leads to; 0: none that is in the log */
static uint64_t
ngx_msgbus_keyed_newest(ngx_msgbus_log_t *log, uint32_t bucket)
{
    uint32_t              back;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;
    back = (uint32_t) sh->next_serial - log->keys[bucket];

    return back && back <= sh->next_serial - sh->head_serial
           ? sh->next_serial - back : 0;
}


/*
 * NULL: it is none of this bucket.  So it may be 2^32 records after the last
 * one of the bucket, when its low half comes again.
 */
static ngx_msgbus_record_t *
ngx_msgbus_keyed_record(ngx_msgbus_log_t *log, uint64_t serial,
    uint32_t bucket)
{
    ngx_msgbus_record_t  *rec;

    rec = ngx_msgbus_log_record(log, serial);

    return rec->keyed && ngx_msgbus_record_keyed(rec)->bucket == bucket
           ? rec : NULL;
}
