
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_HANDOVER_H_INCLUDED_
#define _NGX_MSGBUS_HANDOVER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_past.h"
#include "ngx_msgbus_view.h"


/*
 * The question for what is behind the place of a view that the log has
 * declined, with scopes for its channels, NGX_MSGBUS_MANY_MAX of them at
 * most; newest is the log's newest id, taken before the store is asked.  It
 * points into the query.
 */
void ngx_msgbus_handover_question(ngx_msgbus_view_t *view, uint64_t newest,
    ngx_msgbus_history_t *question, ngx_msgbus_scope_t *scopes);

/* bytes that ngx_msgbus_handover_take() writes at most */
size_t ngx_msgbus_handover_size(ngx_msgbus_view_t *view,
    ngx_msgbus_past_t *page);

/*
 * Renders what a store has told into buf, as ngx_msgbus_view_next_locked()
 * renders what the log has, and moves *last and the view's place past it.
 * With marks NGX_MSGBUS_HOLD_RECORDS events at most.
 *
 * NGX_OK        done: view holds the outcome
 * NGX_AGAIN     go on in the log
 * NGX_DECLINED  ask the store for more
 * NGX_ERROR     the store's page leads nowhere
 */
ngx_int_t ngx_msgbus_handover_take(ngx_msgbus_view_t *view,
    ngx_msgbus_past_t *page, u_char *buf, u_char **last, uint64_t now);

/*
 * Behind a gap that such a page has told of, to a reader who came from this
 * id: what the bus has again begins here.
 */
uint64_t ngx_msgbus_handover_oldest(ngx_msgbus_view_t *view, uint64_t from,
    ngx_msgbus_past_t *page);


#endif /* _NGX_MSGBUS_HANDOVER_H_INCLUDED_ */
