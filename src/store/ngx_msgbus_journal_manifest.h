
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_MANIFEST_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_MANIFEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_conf.h"


/*
 * Makes the folder of a journal for the workers' user, where it is missing,
 * and sees that it is this zone's, with the same limits as those who write to
 * it at this moment.  NULL, or what is wrong, in a static buffer.  In the
 * master; with zone->test nothing is made.
 */
const char *ngx_msgbus_journal_prepare(ngx_msgbus_store_conf_t *conf,
    ngx_msgbus_store_zone_t *zone);


#endif /* _NGX_MSGBUS_JOURNAL_MANIFEST_H_INCLUDED_ */
