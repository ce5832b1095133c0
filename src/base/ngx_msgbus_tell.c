
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Lines of the error log that come again and again.
 *
 * A store that is away, a zone that is full, a client that does the same
 * wrong thing all day: each would fill the log.  So a line of one kind is
 * written once a minute for a zone, whatever the number of workers, and says
 * how many were left out.  Each kind has its own limit.
 *
 * It takes no lock, and keeps nothing that a process could die with.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_tell.h"
#include "ngx_msgbus_time.h"


/* " (N more lines like this in the last N s)" */
#define NGX_MSGBUS_TELL_MORE  (2 * NGX_INT64_LEN + 64)


static ngx_uint_t ngx_msgbus_tell_take(ngx_msgbus_told_t *told, uint64_t now,
    uint64_t *passed);
static ngx_msgbus_told_t *ngx_msgbus_tell_kind(ngx_msgbus_tells_t *tells,
    ngx_uint_t kind);
static ngx_atomic_uint_t ngx_msgbus_tell_swap(ngx_atomic_t *word,
    ngx_atomic_uint_t value);


static ngx_msgbus_tells_t  *ngx_msgbus_tells;


void
ngx_msgbus_tell_common(ngx_msgbus_tells_t *tells)
{
    ngx_msgbus_tells = tells;
}


void ngx_cdecl
ngx_msgbus_tell(ngx_msgbus_tells_t *tells, ngx_uint_t kind, ngx_uint_t level,
    ngx_log_t *log, ngx_err_t err, const char *fmt, ...)
{
    u_char             *p;
    va_list             args;
    uint64_t            passed;
    ngx_msgbus_told_t  *told;
    ngx_atomic_uint_t   left;
    u_char              text[NGX_MAX_ERROR_STR];

    if (log->log_level < level) {
        return;
    }

    left = 0;
    passed = 0;
    told = ngx_msgbus_tell_kind(tells, kind);

    if (told) {

        if (!ngx_msgbus_tell_take(told, ngx_msgbus_time_monotonic() / 1000,
                                  &passed))
        {
            (void) ngx_atomic_fetch_add(&told->left, 1);
            return;
        }

        left = ngx_msgbus_tell_swap(&told->left, 0);
        told->open = 1;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + NGX_MAX_ERROR_STR - NGX_MSGBUS_TELL_MORE,
                      fmt, args);
    va_end(args);

    if (left) {
        p = ngx_sprintf(p, " (%uA more in the last %uL s)", left, passed);
    }

    ngx_log_error(level, log, err, "%*s", (size_t) (p - text), text);
}


ngx_uint_t
ngx_msgbus_tell_due(ngx_msgbus_tells_t *tells, ngx_uint_t kind, uint64_t now)
{
    uint64_t            passed;
    ngx_msgbus_told_t  *told;

    told = ngx_msgbus_tell_kind(tells, kind);

    return told == NULL || ngx_msgbus_tell_take(told, now, &passed);
}


ngx_uint_t
ngx_msgbus_tell_ends(ngx_msgbus_tells_t *tells, ngx_uint_t kind,
    ngx_uint_t end)
{
    ngx_msgbus_told_t  *told;

    told = ngx_msgbus_tell_kind(tells, kind);

    if (told == NULL || told->open == 0
        || !ngx_msgbus_tell_due(tells, end,
                                ngx_msgbus_time_monotonic() / 1000))
    {
        return 0;
    }

    return ngx_msgbus_tell_swap(&told->open, 0) != 0;
}


/* is it the caller's turn?  How long ago the last one was, s */
static ngx_uint_t
ngx_msgbus_tell_take(ngx_msgbus_told_t *told, uint64_t now, uint64_t *passed)
{
    ngx_atomic_uint_t  at, second;

    second = (ngx_atomic_uint_t) (now / 1000 + 1);
    at = told->at;

    /* another one may have looked at the clock later, and been faster */

    if ((at && second <= at + NGX_MSGBUS_TELL_PERIOD)
        || !ngx_atomic_cmp_set(&told->at, at, second))
    {
        return 0;
    }

    *passed = at ? second - at : 0;

    return 1;
}


static ngx_msgbus_told_t *
ngx_msgbus_tell_kind(ngx_msgbus_tells_t *tells, ngx_uint_t kind)
{
    if (tells == NULL) {
        tells = ngx_msgbus_tells;
    }

    return tells ? &tells->kind[kind] : NULL;
}


static ngx_atomic_uint_t
ngx_msgbus_tell_swap(ngx_atomic_t *word, ngx_atomic_uint_t value)
{
    ngx_atomic_uint_t  old;

    do {
        old = *word;
    } while (!ngx_atomic_cmp_set(word, old, value));

    return old;
}
