
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Questions about the past: a copy that outlives its asker, and which of them
 * are as good as one.
 *
 * A page may always end before what was asked for; so one that was asked for
 * first, when the bus had less, serves who asks the same later.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_asked.h"


ngx_msgbus_asked_t *
ngx_msgbus_asked_create(ngx_msgbus_history_t *h, ngx_log_t *log)
{
    size_t               size;
    u_char              *p;
    ngx_uint_t           i;
    ngx_msgbus_asked_t  *asked;

    size = sizeof(ngx_msgbus_asked_t)
           + h->nscopes * sizeof(ngx_msgbus_scope_t) + h->hide.len;

    for (i = 0; i < h->nscopes; i++) {
        size += h->scopes[i].channel.len;
    }

    p = ngx_alloc(size, log);
    if (p == NULL) {
        return NULL;
    }

    asked = (ngx_msgbus_asked_t *) p;
    ngx_memzero(asked, sizeof(ngx_msgbus_asked_t));

    asked->h = *h;
    asked->h.scopes = (ngx_msgbus_scope_t *) (asked + 1);

    p = (u_char *) (asked->h.scopes + h->nscopes);

    for (i = 0; i < h->nscopes; i++) {
        asked->h.scopes[i] = h->scopes[i];
        asked->h.scopes[i].channel.data = p;

        /* the whole bus has no name */

        if (h->scopes[i].channel.len) {
            p = ngx_cpymem(p, h->scopes[i].channel.data,
                           h->scopes[i].channel.len);
        }
    }

    if (h->hide.len) {
        asked->h.hide.data = p;
        ngx_memcpy(p, h->hide.data, h->hide.len);
    }

    asked->state = NGX_MSGBUS_ASKED_WAITS;
    ngx_queue_init(&asked->asks);

    return asked;
}


ngx_uint_t
ngx_msgbus_asked_serves(ngx_msgbus_history_t *one, ngx_msgbus_history_t *two)
{
    ngx_uint_t           i;
    ngx_msgbus_scope_t  *a, *b;

    if (one->after != two->after
        || one->max != two->max
        || one->max_bytes != two->max_bytes
        || one->newest_first != two->newest_first
        || one->nscopes != two->nscopes)
    {
        return 0;
    }

    /* a page may end early, but no later than what its asker has looked at */

    if (one->upto != two->upto
        && (one->newest_first || one->upto > two->upto))
    {
        return 0;
    }

    for (i = 0; i < one->nscopes; i++) {
        a = &one->scopes[i];
        b = &two->scopes[i];

        if (a->below != b->below
            || a->channel.len != b->channel.len
            || (a->channel.len
                && ngx_memcmp(a->channel.data, b->channel.data, a->channel.len)
                   != 0))
        {
            return 0;
        }
    }

    return 1;
}
