
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_FOREIGN_H_INCLUDED_
#define _NGX_MSGBUS_FOREIGN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_json.h"
#include "ngx_msgbus_log.h"
#include "ngx_msgbus_store.h"


/* how far ahead of ours a clock may be that an event's time is from, ms */
#define NGX_MSGBUS_AHEAD         60000

/* room for a User-Agent as it stands in JSON */
#define NGX_MSGBUS_FOREIGN_ROOM  (NGX_MSGBUS_UA_LEN * NGX_MSGBUS_JSON_ESCAPED)


/*
 * Sets id and times of an event as a store has them.  A time that is far
 * ahead is taken back, in doc as well: all later events would inherit it.
 * Anywhere.
 */
void ngx_msgbus_foreign_times(ngx_msgbus_doc_t *doc, ngx_msgbus_event_t *ev);

/*
 * Is it an event that can be shown?  Then all else of ev is set, its channel
 * parsed into ev->channel with the zone's seed, its User-Agent written to
 * agent[NGX_MSGBUS_FOREIGN_ROOM]; the rest points to the doc's.
 *
 * NGX_OK
 * NGX_BUSY      yes, but it has more than max bytes of data
 * NGX_DECLINED  no
 * NGX_ERROR     no memory
 *
 * From any thread.
 */
ngx_int_t ngx_msgbus_foreign(ngx_msgbus_doc_t *doc, ngx_msgbus_event_t *ev,
    u_char *agent, uint64_t seed, size_t max, ngx_log_t *log);


#endif /* _NGX_MSGBUS_FOREIGN_H_INCLUDED_ */
