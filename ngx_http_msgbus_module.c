
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A message bus inside nginx: table of contents.
 *
 * The directives, where they may stand, what the module hooks into, and how
 * a worker begins and ends.  What directives set and the defaults are in
 * src/http/ngx_http_msgbus_conf.c; what happens to a request starts in
 * src/http/ngx_http_msgbus_request.c.
 */


#include "ngx_http_msgbus_channels.h"
#include "ngx_http_msgbus_conf.h"
#include "ngx_http_msgbus_error.h"
#include "ngx_http_msgbus_guard.h"
#include "ngx_http_msgbus_health.h"
#include "ngx_http_msgbus_journal.h"
#include "ngx_http_msgbus_key.h"
#include "ngx_http_msgbus_many.h"
#include "ngx_http_msgbus_mongodb.h"
#include "ngx_http_msgbus_origin.h"
#include "ngx_http_msgbus_status.h"
#include "ngx_http_msgbus_variable.h"
#include "ngx_http_msgbus_zone.h"


static ngx_int_t ngx_http_msgbus_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_msgbus_init_process(ngx_cycle_t *cycle);
static void ngx_http_msgbus_exit_process(ngx_cycle_t *cycle);


static ngx_conf_bitmask_t  ngx_http_msgbus_methods[] = {
    { ngx_string("publish"), NGX_HTTP_MSGBUS_PUBLISH },
    { ngx_string("read"), NGX_HTTP_MSGBUS_READ },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_http_msgbus_scopes[] = {
    { ngx_string("exact"), NGX_HTTP_MSGBUS_EXACT },
    { ngx_string("parent"), NGX_HTTP_MSGBUS_PARENT },
    { ngx_string("all"), NGX_HTTP_MSGBUS_ALL },
    { ngx_string("many"), NGX_HTTP_MSGBUS_MANY },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_msgbus_jsonp[] = {
    { ngx_string("off"), NGX_HTTP_MSGBUS_JSONP_OFF },
    { ngx_string("read"), NGX_HTTP_MSGBUS_JSONP_READ },
    { ngx_string("on"), NGX_HTTP_MSGBUS_JSONP_ON },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_msgbus_depth_bounds = {
    ngx_conf_check_num_bounds, 1, 65536
};


static ngx_conf_post_t  ngx_http_msgbus_ping_bounds = {
    ngx_http_msgbus_conf_ping
};


/* who answers where a location tells of a bus */
static ngx_http_handler_pt  ngx_http_msgbus_tells_health =
    ngx_http_msgbus_health_handler;

static ngx_http_handler_pt  ngx_http_msgbus_tells_channels =
    ngx_http_msgbus_channels_handler;

static ngx_http_handler_pt  ngx_http_msgbus_tells_status =
    ngx_http_msgbus_status_handler;


static ngx_command_t  ngx_http_msgbus_commands[] = {

    { ngx_string("msgbus_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_msgbus_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("msgbus_journal"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_msgbus_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      &ngx_http_msgbus_journal_block },

    { ngx_string("msgbus_mongodb"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_msgbus_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      &ngx_http_msgbus_mongodb_block },

    { ngx_string("msgbus"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_HTTP_LMT_CONF|NGX_CONF_TAKE1,
      ngx_http_msgbus_conf_msgbus,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("msgbus_channel"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_msgbus_conf_channel,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, channel),
      NULL },

    { ngx_string("msgbus_methods"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, methods),
      &ngx_http_msgbus_methods },

    { ngx_string("msgbus_max_events"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_msgbus_conf_max_events,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("msgbus_max_response"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, max_response),
      NULL },

    { ngx_string("msgbus_max_depth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, max_depth),
      &ngx_http_msgbus_depth_bounds },

    { ngx_string("msgbus_fresh_reads"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, fresh_reads),
      NULL },

    { ngx_string("msgbus_history"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, history),
      NULL },

    { ngx_string("msgbus_rse"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, rse),
      NULL },

    { ngx_string("msgbus_scope"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, said.scope),
      &ngx_http_msgbus_scopes },

    { ngx_string("msgbus_many_below"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_msgbus_conf_many_below,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("msgbus_origin"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_msgbus_conf_origin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("msgbus_require_uuid"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, said.require_uuid),
      NULL },

    { ngx_string("msgbus_test_mode"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, test_mode),
      NULL },

    { ngx_string("msgbus_jsonp"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, said.jsonp),
      &ngx_http_msgbus_jsonp },

    { ngx_string("msgbus_auth_prefix"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, auth_prefix),
      NULL },

    { ngx_string("msgbus_identity"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_msgbus_conf_identity,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, identity),
      NULL },

    { ngx_string("msgbus_max_wait"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, max_wait),
      NULL },

    { ngx_string("msgbus_max_waiters"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_msgbus_conf_max_waiters,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, max_waiters),
      NULL },

    { ngx_string("msgbus_park"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_msgbus_conf_park,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, park),
      NULL },

    { ngx_string("msgbus_ping"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, ping),
      &ngx_http_msgbus_ping_bounds },

    { ngx_string("msgbus_stream_buffer"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_msgbus_loc_conf_t, stream_buffer),
      NULL },

    { ngx_string("msgbus_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_msgbus_conf_tells,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_msgbus_tells_health },

    { ngx_string("msgbus_channels"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_msgbus_conf_tells,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_msgbus_tells_channels },

    { ngx_string("msgbus_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_msgbus_conf_tells,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_msgbus_tells_status },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_msgbus_module_ctx = {
    ngx_http_msgbus_variables,             /* preconfiguration */
    ngx_http_msgbus_postconfiguration,     /* postconfiguration */

    ngx_http_msgbus_create_main_conf,      /* create main configuration */
    ngx_http_msgbus_init_main_conf,        /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_msgbus_create_loc_conf,       /* create location configuration */
    ngx_http_msgbus_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_msgbus_module = {
    NGX_MODULE_V1,
    &ngx_http_msgbus_module_ctx,           /* module context */
    ngx_http_msgbus_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_msgbus_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_msgbus_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_msgbus_postconfiguration(ngx_conf_t *cf)
{
    if (ngx_http_msgbus_guard(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_msgbus_error_init(cf);
}


static ngx_int_t
ngx_http_msgbus_init_process(ngx_cycle_t *cycle)
{
    ngx_http_msgbus_main_conf_t  *mcf;

    /* the cache manager and loader come here too */

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_msgbus_module);

    if (mcf == NULL) {
        return NGX_OK;    /* a configuration without http */
    }

    return ngx_msgbus_init_worker(mcf->buses.elts, mcf->buses.nelts, cycle);
}


static void
ngx_http_msgbus_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_msgbus_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_msgbus_module);

    if (mcf == NULL) {
        return;
    }

    ngx_msgbus_exit_worker(mcf->buses.elts, mcf->buses.nelts);
}
