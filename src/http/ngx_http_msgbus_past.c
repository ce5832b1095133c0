
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a stream asks the store for.
 *
 * Its header is out: so it can not be refused any more, and it would come back
 * to the same store.  It waits instead, with pings, until that answers.
 */


#include "ngx_http_msgbus_past.h"


/* when to ask again: a store that failed, and one that many ask, ms */
#define NGX_HTTP_MSGBUS_PAST_FAILED  1000
#define NGX_HTTP_MSGBUS_PAST_BUSY    50


static void ngx_http_msgbus_past_try(ngx_http_msgbus_past_t *past);
static void ngx_http_msgbus_past_ask_handler(ngx_msgbus_ask_t *ask);
static void ngx_http_msgbus_past_later(ngx_http_msgbus_past_t *past,
    ngx_int_t rc);
static void ngx_http_msgbus_past_retry_handler(ngx_event_t *ev);


void
ngx_http_msgbus_past_ask(ngx_http_msgbus_past_t *past,
    ngx_msgbus_query_t *query)
{
    past->query = *query;
    ngx_str_null(&past->query.hide);

    past->ask.handler = ngx_http_msgbus_past_ask_handler;
    past->ask.data = past;

    past->asking = 1;

    ngx_http_msgbus_past_try(past);
}


static void
ngx_http_msgbus_past_try(ngx_http_msgbus_past_t *past)
{
    ngx_int_t  rc;

    rc = ngx_msgbus_ask_frame(past->bus, &past->query, &past->ask);

    if (rc != NGX_AGAIN) {
        ngx_http_msgbus_past_later(past, rc);
    }
}


static void
ngx_http_msgbus_past_ask_handler(ngx_msgbus_ask_t *ask)
{
    ngx_http_msgbus_past_t  *past;

    past = ask->data;

    if (ask->rc != NGX_OK) {
        ngx_http_msgbus_past_later(past, ask->rc);
        return;
    }

    past->failed = 0;
    past->asking = 0;
    past->ready = 1;

    past->handler(past);
}


static void
ngx_http_msgbus_past_later(ngx_http_msgbus_past_t *past, ngx_int_t rc)
{
    ngx_msec_t  delay;

    delay = NGX_HTTP_MSGBUS_PAST_BUSY;

    if (rc != NGX_BUSY) {
        delay = NGX_HTTP_MSGBUS_PAST_FAILED;

        if (!past->failed) {
            past->failed = 1;

            ngx_log_error(NGX_LOG_INFO, past->log, 0,
                          "msgbus: a stream waits for the store, which does "
                          "not answer");
        }
    }

    /* a crowd that was refused in one moment does not come back in one */

    delay += ngx_random() % delay;

    past->retry.handler = ngx_http_msgbus_past_retry_handler;
    past->retry.data = past;
    past->retry.log = past->log;

    ngx_add_timer(&past->retry, delay);
}


static void
ngx_http_msgbus_past_retry_handler(ngx_event_t *ev)
{
    ngx_http_msgbus_past_try(ev->data);
}


ngx_msgbus_frame_t *
ngx_http_msgbus_past_take(ngx_http_msgbus_past_t *past,
    ngx_msgbus_query_t *query, ngx_msgbus_form_e form)
{
    past->ready = 0;

    return ngx_msgbus_take_frame(past->bus, query, form, &past->ask, past->log);
}


void
ngx_http_msgbus_past_forget(ngx_http_msgbus_past_t *past)
{
    if (past->retry.timer_set) {
        ngx_del_timer(&past->retry);
    }

    ngx_msgbus_ask_forget(&past->ask);

    past->asking = 0;
    past->ready = 0;
}
