
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_HISTORY_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_HISTORY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_read.h"
#include "ngx_msgbus_store.h"


/*
 * A page of history, as a store has it, with its floor.  Events that are older
 * than h->since are passed over.  NGX_OK; NGX_AGAIN: nothing was handed over,
 * and it is to be asked for once more, soon; NGX_DECLINED: damage; NGX_ERROR.
 * It blocks as long as the disk does.
 */
ngx_int_t ngx_msgbus_journal_history(ngx_msgbus_journal_reader_t *r,
    ngx_msgbus_history_t *h, ngx_msgbus_journal_event_pt handler, void *data,
    ngx_msgbus_examined_t *page);


#endif /* _NGX_MSGBUS_JOURNAL_HISTORY_H_INCLUDED_ */
