
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_ERROR_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_ERROR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_MSGBUS_JOURNAL_ERROR_LEN  256


/*
 * Writes to error, of ERROR_LEN bytes, what failed, with a name where it is
 * not NULL, and the system's reason where err is not 0.  From any thread.
 */
void ngx_msgbus_journal_error(char *error, ngx_err_t err, const char *what,
    const char *name);

/* the same of damage, at an offset of a file */
void ngx_msgbus_journal_error_at(char *error, uint64_t offset,
    const char *name);


#endif /* _NGX_MSGBUS_JOURNAL_ERROR_H_INCLUDED_ */
