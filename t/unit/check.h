
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _CHECK_H_INCLUDED_
#define _CHECK_H_INCLUDED_


#include "unit.h"
#include "ngx_msgbus_filing.h"
#include "ngx_msgbus_keyed.h"
#include "ngx_msgbus_pending.h"
#include "ngx_msgbus_presence.h"
#include "ngx_msgbus_view.h"


/*
 * Checks that all of a log fits together: ring, index, nodes, lists.  Works
 * from the ring alone, without knowing what has been appended.
 */
void unit_check_log(ngx_msgbus_log_t *log);

/* the same of pending posts: ring, cells, their lists, the count */
void unit_check_pending(ngx_msgbus_pending_t *p);

/* the same of presence: seats, lists of slots, chains, those that are free */
void unit_check_presence(ngx_msgbus_presence_t *p);


#endif /* _CHECK_H_INCLUDED_ */
