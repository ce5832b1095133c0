
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Takes back what a process had begun to change when it died.
 *
 * Whatever shares the zone's lock is changed in steps, each of which notes
 * the words it is going to change.  So a repair is as short as the step that
 * was torn, however large the zone is, and leaves everything as if the step
 * had never begun.  This room knows nothing of what the words mean.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_undo.h"


void
ngx_msgbus_undo_locked(ngx_msgbus_undo_t *undo)
{
    uint64_t                 n;
    ngx_msgbus_undo_word_t  *w;

    /* a word that was noted twice was first what was noted first */

    for (n = undo->n; n; n--) {
        w = &undo->words[n - 1];

        *(ngx_msgbus_word_t *) ((u_char *) undo + w->at) = w->old;

        ngx_msgbus_barrier();
        undo->n = n - 1;
        ngx_msgbus_barrier();
    }
}


void
ngx_msgbus_undo_overflow(void)
{
    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                  "msgbus has changed more in a step than it can take back");

    /* whoever comes next takes back what was done so far */

    ngx_abort();
}
