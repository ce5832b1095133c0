
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_PAST_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_PAST_H_INCLUDED_


#include "ngx_http_msgbus.h"


typedef struct ngx_http_msgbus_past_s  ngx_http_msgbus_past_t;

typedef void (*ngx_http_msgbus_past_pt)(ngx_http_msgbus_past_t *past);


/*
 * What a stream asks the store for.  Zero at first, but for what is said; in
 * the memory of whoever asks, who forgets it before that goes.
 */
struct ngx_http_msgbus_past_s {
    ngx_msgbus_ask_t           ask;
    ngx_event_t                retry;         /* the store could not answer */
    ngx_msgbus_t              *bus;           /* set by the asker */
    ngx_log_t                 *log;           /*   likewise */
    ngx_http_msgbus_past_pt    handler;       /*   likewise */
    void                      *data;

    ngx_msgbus_query_t         query;         /* with nobody's events hidden */

    unsigned                   asking:1;
    unsigned                   ready:1;       /* the answer is in ask.page */
    unsigned                   failed:1;      /* and that was told */
};


/*
 * Asks for what is behind the query's cursor, as long as it takes: a store that
 * is away is asked again.  The query's channel outlives that.  The handler is
 * called when there is an answer, on the event loop; it may be taken later.
 */
void ngx_http_msgbus_past_ask(ngx_http_msgbus_past_t *past,
    ngx_msgbus_query_t *query);

/*
 * Takes the answer as a frame for the same query, the caller's own; NULL: no
 * memory
 */
ngx_msgbus_frame_t *ngx_http_msgbus_past_take(ngx_http_msgbus_past_t *past,
    ngx_msgbus_query_t *query, ngx_msgbus_form_e form);

/* nobody waits for it any more */
void ngx_http_msgbus_past_forget(ngx_http_msgbus_past_t *past);


#endif /* _NGX_HTTP_MSGBUS_PAST_H_INCLUDED_ */
