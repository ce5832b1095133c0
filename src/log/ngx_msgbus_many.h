
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_MANY_H_INCLUDED_
#define _NGX_MSGBUS_MANY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_channel.h"


/* as many as a channel has levels: whoever reads has room for either */
#define NGX_MSGBUS_MANY_MAX  NGX_MSGBUS_CHANNEL_DEPTH

/* bytes of a list: names, what says "all below" behind them, commas */
#define NGX_MSGBUS_MANY_LEN                                                   \
    (NGX_MSGBUS_MANY_MAX * (NGX_MSGBUS_CHANNEL_LEN + sizeof("/*,") - 1))


/* one of them: a channel, or a channel and all below it */
typedef struct {
    uint32_t               hash;       /* of the channel's name */
    uint16_t               name;       /* where that begins in the text */
    uint8_t                len;
    uint8_t                slot;       /* 0: exact; else the channel's depth */
} ngx_msgbus_many_entry_t;


/*
 * Several channels that are read as one, in canonical form: sorted, each once,
 * none that another one covers.  So an event is in one of them at most, and
 * whoever asks for the same in other words asks for the same.  Worker-local;
 * the entries behind the n-th need not be there.
 */
typedef struct {
    ngx_str_t              text;       /* the list that stands for it */
    uint32_t               hash;       /* of that, seeded as the names' are */
    uint32_t               n;          /* 0: the whole bus */
    ngx_msgbus_many_entry_t entries[NGX_MSGBUS_MANY_MAX];
} ngx_msgbus_many_t;


/* bytes of it that are there */
#define NGX_MSGBUS_MANY_SIZE(many)                                            \
    (offsetof(ngx_msgbus_many_t, entries)                                     \
     + (many)->n * sizeof(ngx_msgbus_many_entry_t))

#define NGX_MSGBUS_MANY_NAME(many, entry)                                     \
    ((many)->text.data + (entry)->name)


/*
 * Reads a list: "/a,/b/c", with a slash and a star behind a name for all below
 * it, too.  Names are hashed by the zone's own seed.
 * text has list->len bytes for the canonical form, and lives as long as many.
 * NGX_OK; NGX_DECLINED: one of them is no channel's name, or there is none;
 * NGX_BUSY: too many.  Anywhere, no lock needed.
 */
ngx_int_t ngx_msgbus_many_parse(ngx_msgbus_many_t *many, ngx_str_t *list,
    u_char *text, uint64_t seed);


#endif /* _NGX_MSGBUS_MANY_H_INCLUDED_ */
