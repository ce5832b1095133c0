
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What is wrong with a journal, in words, for the error log, a report, and
 * whoever runs the tool.
 *
 * It prints nothing itself, and needs nothing of nginx.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_error.h"


static char *ngx_msgbus_journal_error_add(char *p, char *last,
    const char *text);


void
ngx_msgbus_journal_error(char *error, ngx_err_t err, const char *what,
    const char *name)
{
    char  *p, *last, reason[128];

    p = error;
    last = error + NGX_MSGBUS_JOURNAL_ERROR_LEN - 1;

    p = ngx_msgbus_journal_error_add(p, last, what);

    if (name) {
        p = ngx_msgbus_journal_error_add(p, last, " \"");
        p = ngx_msgbus_journal_error_add(p, last, name);
        p = ngx_msgbus_journal_error_add(p, last, "\"");
    }

    if (err) {
        p = ngx_msgbus_journal_error_add(p, last, ": ");
        p = ngx_msgbus_journal_error_add(p, last,
                                         strerror_r(err, reason,
                                                    sizeof(reason)));
    }

    *p = '\0';
}


void
ngx_msgbus_journal_error_at(char *error, uint64_t offset, const char *name)
{
    char  *p, *end, *last, digits[NGX_INT64_LEN + 1], what[NGX_INT64_LEN + 32];

    p = digits + NGX_INT64_LEN;
    *p = '\0';

    do {
        *--p = (char) ('0' + offset % 10);
        offset /= 10;
    } while (offset);

    last = what + sizeof(what) - 1;

    end = ngx_msgbus_journal_error_add(what, last, "damaged at offset ");
    end = ngx_msgbus_journal_error_add(end, last, p);
    end = ngx_msgbus_journal_error_add(end, last, " of");
    *end = '\0';

    ngx_msgbus_journal_error(error, 0, what, name);
}


static char *
ngx_msgbus_journal_error_add(char *p, char *last, const char *text)
{
    while (p < last && *text) {
        *p++ = *text++;
    }

    return p;
}
