
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_COMMIT_H_INCLUDED_
#define _NGX_MSGBUS_COMMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_ledger.h"


/*
 * A turn of the committer: looks at the database if it is time to, commits
 * what waits, tells who is concerned.  Blocks as long as the database does,
 * holds the lock for short steps only.  Returns how many ms may pass until
 * the next turn; *idle: a post should end them early.
 */
ngx_msec_t ngx_msgbus_commit_turn(ngx_msgbus_ledger_t *c, ngx_uint_t *idle);


#endif /* _NGX_MSGBUS_COMMIT_H_INCLUDED_ */
