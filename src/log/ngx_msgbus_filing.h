
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_FILING_H_INCLUDED_
#define _NGX_MSGBUS_FILING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_ring.h"


/*
 * Files the newest record under the nodes of its channel's levels, in all
 * its lists.  The record is in the index, its serial is next_serial.  A part
 * of a step, as the next one is.
 */
void ngx_msgbus_filing_add_locked(ngx_msgbus_log_t *log,
    ngx_msgbus_record_t *rec, uint32_t *nodes);

/* takes the oldest record, still in the index, out of all its lists */
void ngx_msgbus_filing_drop_locked(ngx_msgbus_log_t *log,
    ngx_msgbus_record_t *rec);

/*
 * A record of a list, by its id; slot is the list's place in a record's
 * filings (0: exact, else the node's level).  The returned serial is 0 where
 * there is no such record.  O(log n).
 */
uint64_t ngx_msgbus_filing_after_locked(ngx_msgbus_log_t *log,
    ngx_msgbus_list_t *list, ngx_uint_t slot, uint64_t id);
uint64_t ngx_msgbus_filing_before_locked(ngx_msgbus_log_t *log,
    ngx_msgbus_list_t *list, ngx_uint_t slot, uint64_t id);

/* how many records a list has; O(log n) */
uint64_t ngx_msgbus_filing_count_locked(ngx_msgbus_log_t *log,
    ngx_msgbus_list_t *list, ngx_uint_t slot);

/* the neighbour in a list, or 0 */
uint64_t ngx_msgbus_filing_next_locked(ngx_msgbus_log_t *log,
    uint64_t serial, ngx_uint_t slot);
uint64_t ngx_msgbus_filing_prev_locked(ngx_msgbus_log_t *log,
    uint64_t serial, ngx_uint_t slot);


#endif /* _NGX_MSGBUS_FILING_H_INCLUDED_ */
