
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What a reader asks of the bus: channels, cursor, limits, whose events are
 * hidden, for how long to wait; or the error that he gets.
 *
 * All of it is built and checked here, from the arguments, the headers and the
 * location, before anything is read.
 */


#include "ngx_http_msgbus_agent.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_headers.h"
#include "ngx_http_msgbus_many.h"
#include "ngx_http_msgbus_query.h"


static ngx_int_t ngx_http_msgbus_query_scope(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass);
static ngx_int_t ngx_http_msgbus_query_args(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args);
static ngx_int_t ngx_http_msgbus_query_stream(ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args);
static ngx_int_t ngx_http_msgbus_query_cursor(ngx_http_msgbus_pass_t *pass,
    ngx_str_t *value);
static ngx_int_t ngx_http_msgbus_query_max_events(
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_loc_conf_t *lcf,
    ngx_str_t *value);


ngx_int_t
ngx_http_msgbus_query(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args)
{
    ngx_int_t                    rc;
    ngx_http_msgbus_loc_conf_t  *lcf;

    rc = ngx_http_msgbus_query_args(r, pass, args);

    if (rc != NGX_OK) {
        return rc;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    if ((pass->query.latest
         || (pass->form == NGX_MSGBUS_PAGE
             && ngx_msgbus_loads_soon(lcf->bus)))
        && !lcf->fresh_reads
        && !ngx_msgbus_is_loaded(lcf->bus))
    {
        /* what is older than now is not known; who waits for a look knows */

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_SERVICE_UNAVAILABLE,
                                      "The store has not answered yet");
    }

    rc = args->channels.data ? ngx_http_msgbus_many(r, pass, &args->channels)
                             : ngx_http_msgbus_query_scope(r, pass);

    if (rc != NGX_OK) {
        return rc;
    }

    if (pass->channel->depth == 0 && args->channels.data == NULL) {

        /* "/" is the whole bus and nothing else */

        if (pass->query.scope != NGX_MSGBUS_ALL) {
            return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                          "Invalid channel name");
        }

        pass->query.scope = NGX_MSGBUS_WHOLE;
    }

    if (pass->form != NGX_MSGBUS_PAGE && pass->query.newest_first) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "A stream needs sort=1");
    }

    if (pass->wait && pass->query.newest_first) {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "To wait needs sort=1");
    }

    /* who has no cursor yet asks for no replay of days */

    pass->history = lcf->history
                    && ngx_msgbus_has_history(lcf->bus)
                    && !r->post_action;

    pass->query.history = pass->history && (pass->cursor || lcf->rse);

    if (pass->echo) {
        return NGX_OK;
    }

    rc = ngx_http_msgbus_agent(r, pass, 0);

    if (rc == NGX_OK) {
        pass->query.hide = pass->uuid;
    }

    return rc;
}


/* may the events of these channels be asked for here? */
static ngx_int_t
ngx_http_msgbus_query_scope(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass)
{
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    switch (pass->query.scope) {

    case NGX_MSGBUS_PARENT:
        if (lcf->scope & NGX_HTTP_MSGBUS_PARENT) {
            return NGX_OK;
        }

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_FORBIDDEN,
                                      "events=parent is off");

    case NGX_MSGBUS_ALL:
        if (lcf->scope & NGX_HTTP_MSGBUS_ALL) {
            return NGX_OK;
        }

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_FORBIDDEN,
                                      "events=all is off");

    default:
        if (lcf->scope & NGX_HTTP_MSGBUS_EXACT) {
            return NGX_OK;
        }

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_FORBIDDEN,
                                      "events=exact is off");
    }
}


ngx_int_t
ngx_http_msgbus_query_all(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args)
{
    ngx_int_t            rc;
    ngx_msgbus_query_t  *q;

    rc = ngx_http_msgbus_query_args(r, pass, args);

    if (rc != NGX_OK) {
        return rc;
    }

    q = &pass->query;
    q->scope = NGX_MSGBUS_WHOLE;
    q->name = 0;
    q->latest = 0;
    q->after = 0;
    q->max_events = (ngx_uint_t) -1;
    q->max_bytes = (size_t) -1;

    return NGX_OK;
}


/* what the arguments alone say */
static ngx_int_t
ngx_http_msgbus_query_args(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args)
{
    ngx_msgbus_query_t          *q;
    ngx_http_msgbus_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    q = &pass->query;

    q->channel = pass->channel;
    q->max_events = lcf->max_events;
    q->max_bytes = lcf->max_response;
    q->scope = NGX_MSGBUS_EXACT;

    pass->echo = ngx_http_msgbus_is(&args->echo, "true");
    q->newest_first = ngx_http_msgbus_is(&args->sort, "-1");

    if (ngx_http_msgbus_is(&args->events, "parent")) {
        q->scope = NGX_MSGBUS_PARENT;
        q->name = 1;

    } else if (ngx_http_msgbus_is(&args->events, "all")) {
        q->scope = NGX_MSGBUS_ALL;
        q->name = 1;
    }

    if (pass->form != NGX_MSGBUS_PAGE) {
        return ngx_http_msgbus_query_stream(pass, args);
    }

    if (args->last_known_id.data
        && ngx_http_msgbus_query_cursor(pass, &args->last_known_id) != NGX_OK)
    {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid last-known-id");
    }

    if (args->max_events.data
        && ngx_http_msgbus_query_max_events(pass, lcf, &args->max_events)
           != NGX_OK)
    {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid max-events");
    }

    return ngx_http_msgbus_query_wait(r, pass, args);
}


ngx_int_t
ngx_http_msgbus_query_wait(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_args_t *args)
{
    if (args->wait.data == NULL) {
        ngx_http_msgbus_headers_prefer(r, pass);

    } else if (ngx_http_msgbus_args_wait(r, &args->wait, &pass->wait)
               != NGX_OK)
    {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid wait");
    }

    return NGX_OK;
}


/* a stream takes all there is: of the rest its place alone counts */
static ngx_int_t
ngx_http_msgbus_query_stream(ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_args_t *args)
{
    pass->query.max_events = (ngx_uint_t) -1;
    pass->query.max_bytes = (size_t) -1;

    if (args->last_event_id.data) {

        if (ngx_http_msgbus_query_cursor(pass, &args->last_event_id)
            == NGX_OK)
        {
            return NGX_OK;
        }

        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid last-event-id");
    }

    if (args->last_known_id.data
        && ngx_http_msgbus_query_cursor(pass, &args->last_known_id) != NGX_OK)
    {
        return ngx_http_msgbus_refuse(pass, NGX_HTTP_BAD_REQUEST,
                                      "Invalid last-known-id");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_query_cursor(ngx_http_msgbus_pass_t *pass, ngx_str_t *value)
{
    int64_t  n;

    pass->cursor = 1;

    if (ngx_http_msgbus_is(value, "latest")) {
        pass->query.latest = 1;
        return NGX_OK;
    }

    if (ngx_http_msgbus_args_number(value, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    pass->query.after = n > 0 ? (uint64_t) n : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_msgbus_query_max_events(ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_loc_conf_t *lcf, ngx_str_t *value)
{
    int64_t  n;

    if (ngx_http_msgbus_args_number(value, &n) != NGX_OK || n < 1) {
        return NGX_ERROR;
    }

    pass->query.max_events = ngx_min((uint64_t) n, lcf->max_events_cap);

    return NGX_OK;
}
