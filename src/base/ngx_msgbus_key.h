
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_KEY_H_INCLUDED_
#define _NGX_MSGBUS_KEY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* bytes of each half of a key */
#define NGX_MSGBUS_KEY_NAME  16
#define NGX_MSGBUS_KEY_BODY  16


/*
 * The key of an event: what its poster has named it by, so that it is stored
 * once however often it is posted.  Both halves are the first bytes of a
 * SHA-256, and stand as they are in a store:
 *
 *     name    of the channel, who posts, the Idempotency-Key, and the line of
 *             a batch
 *     body    of the request's body and its Content-Type
 *
 * So many bytes are enough.  Who wants another's name has to find a second
 * text for a hash of 128 bits; and who finds two texts for one hash has only
 * himself to cheat.
 */
typedef struct {
    u_char                 name[NGX_MSGBUS_KEY_NAME];
    u_char                 body[NGX_MSGBUS_KEY_BODY];
} ngx_msgbus_key_t;


/*
 * Which of mask + 1 buckets a name is in, a power of two of up to 2^32; nobody
 * can tell who does not know the seed.
 */
static ngx_inline uint32_t
ngx_msgbus_key_bucket(ngx_msgbus_key_t *key, uint64_t seed, uint32_t mask)
{
    uint64_t  n;

    ngx_memcpy(&n, key->name, sizeof(uint64_t));

    /* the upper bits, for the lower ones of both are those of the product */

    n = n * (seed | 1) >> 32;

    return (uint32_t) (n * ((uint64_t) mask + 1) >> 32);
}


#endif /* _NGX_MSGBUS_KEY_H_INCLUDED_ */
