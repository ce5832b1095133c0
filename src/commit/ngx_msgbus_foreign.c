
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What stands in a store, as an event that readers can be shown: whoever
 * wrote it there.  One place for it, so that a reader gets the same bytes
 * from the log and from the store.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_foreign.h"
#include "ngx_msgbus_time.h"


/* nesting that is taken over from other nodes */
#define NGX_MSGBUS_DEPTH  65536


void
ngx_msgbus_foreign_times(ngx_msgbus_doc_t *doc, ngx_msgbus_event_t *ev)
{
    uint64_t  limit;

    limit = ngx_msgbus_time_wall() + NGX_MSGBUS_AHEAD;

    doc->created = ngx_min(doc->created, limit);
    doc->since = ngx_min(doc->since, limit);

    ev->id = doc->id;
    ev->created = doc->created;
    ev->since = ngx_msgbus_time_since(doc->created);
}


ngx_int_t
ngx_msgbus_foreign(ngx_msgbus_doc_t *doc, ngx_msgbus_event_t *ev,
    u_char *agent, uint64_t seed, size_t max, ngx_log_t *log)
{
    ngx_int_t  rc;
    ngx_str_t  as_posted;

    as_posted.data = doc->user_agent.data;
    as_posted.len = ngx_msgbus_json_cut(&doc->user_agent, NGX_MSGBUS_UA_LEN);

    ev->user_agent.data = agent;
    ev->user_agent.len = ngx_msgbus_json_escape(agent, &as_posted) - agent;

    ev->uuid.data = doc->uuid.data;
    ev->uuid.len = ngx_msgbus_json_cut(&doc->uuid, NGX_MSGBUS_UA_LEN);

    ev->data = doc->data;
    ev->key = doc->key;

    if (ngx_msgbus_channel_parse(ev->channel, &doc->channel, seed) != NGX_OK
        || ev->channel->depth == 0)
    {
        return NGX_DECLINED;
    }

    if (doc->data.len > max) {
        return NGX_BUSY;
    }

    rc = ngx_msgbus_json_check_alone(&doc->data, NGX_MSGBUS_DEPTH, log);

    return rc == NGX_BUSY ? NGX_DECLINED : rc;
}
