
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_UUID_H_INCLUDED_
#define _NGX_MSGBUS_UUID_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_MSGBUS_UUID_LEN     36
#define NGX_MSGBUS_UUID_PACKED  16


/*
 * Packs a uuid as most write it, in lower case with its dashes, into 16 bytes.
 * 0: it is written in some other way.
 */
ngx_uint_t ngx_msgbus_uuid_pack(u_char *packed, ngx_str_t *uuid);

/* as it was written: NGX_MSGBUS_UUID_LEN bytes */
void ngx_msgbus_uuid_unpack(u_char *p, u_char *packed);

/*
 * A number that tells most uuids from each other: one that is packed has the
 * number of its text.
 */
uint32_t ngx_msgbus_uuid_key(u_char *packed);
uint32_t ngx_msgbus_uuid_text_key(ngx_str_t *uuid);


#endif /* _NGX_MSGBUS_UUID_H_INCLUDED_ */
