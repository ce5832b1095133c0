
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Random bytes of the system: what the names' hash of a zone starts from, and
 * what tells the tokens of one process from those of all others.
 *
 * By the system call and not from /dev/urandom: it needs no file, so no
 * descriptor and no /dev, and up to 256 bytes come whole or not at all.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/random.h>
#include "ngx_msgbus_random.h"


ngx_int_t
ngx_msgbus_random(void *p, size_t len, ngx_log_t *log)
{
    ssize_t  n;

    do {
        n = getrandom(p, len, 0);
    } while (n == -1 && ngx_errno == NGX_EINTR);

    if (n != (ssize_t) len) {
        ngx_log_error(NGX_LOG_EMERG, log, n == -1 ? ngx_errno : 0,
                      "getrandom() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}
