
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_SYNC_H_INCLUDED_
#define _NGX_MSGBUS_SYNC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_ledger.h"


/* all of it in the committer's thread; NGX_OK or NGX_ERROR of the database */

/*
 * Learns where ids stand: at the start, and whenever the last look is too
 * long ago.  The log gets its beginning, if it has none.
 */
ngx_int_t ngx_msgbus_sync(ngx_msgbus_ledger_t *c);

/* may events be inserted without a sync? */
ngx_uint_t ngx_msgbus_sync_is_fresh(ngx_msgbus_ledger_t *c);

/*
 * Appends to the log what the database has after its newest event: other
 * nodes' events, and what of ours was sent without a word of what became of
 * it, by its token.
 */
ngx_int_t ngx_msgbus_sync_look(ngx_msgbus_ledger_t *c);

/* sees to it that ids up to last may be given out */
ngx_int_t ngx_msgbus_sync_raise(ngx_msgbus_ledger_t *c, uint64_t last);

/*
 * Keeps an idle collection from running empty.  NGX_OK, NGX_DECLINED: another
 * was faster, look; NGX_ERROR
 */
ngx_int_t ngx_msgbus_sync_anchor(ngx_msgbus_ledger_t *c);


#endif /* _NGX_MSGBUS_SYNC_H_INCLUDED_ */
