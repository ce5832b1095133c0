
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The ceilings: the least that an honest handler can do.
 *
 * "ceiling_post;" makes a location read the request body as any handler does
 * (from memory, one or several buffers), look at every byte of it, and answer
 * 201 with an empty body.  No JSON check, no store, no header of its own: what
 * a real handler costs above this is its own work.
 *
 * A body that nginx has put into a temporary file is refused with 413: the
 * bench never sends one that large, and its cost would be the file's.
 *
 * "ceiling_hold;" makes a location send the headers of a stream of events, and
 * then hold the request open until the client leaves: what a reader who waits
 * costs nginx itself.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


static ngx_int_t ngx_http_ceiling_handler(ngx_http_request_t *r);
static void ngx_http_ceiling_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ceiling_hold_handler(ngx_http_request_t *r);
static char *ngx_http_ceiling_post(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ceiling_hold(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_http_ceiling_commands[] = {

    { ngx_string("ceiling_post"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_ceiling_post,
      0,
      0,
      NULL },

    { ngx_string("ceiling_hold"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_ceiling_hold,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_ceiling_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_ceiling_module = {
    NGX_MODULE_V1,
    &ngx_http_ceiling_module_ctx,          /* module context */
    ngx_http_ceiling_commands,             /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* volatile: or the compiler would see that nobody wants the sum */
static volatile uint32_t  ngx_http_ceiling_sum;


static ngx_int_t
ngx_http_ceiling_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r->method != NGX_HTTP_POST) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_ceiling_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_ceiling_body_handler(ngx_http_request_t *r)
{
    u_char       *p;
    uint32_t      sum;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    sum = 0;

    cl = r->request_body ? r->request_body->bufs : NULL;

    for ( /* void */ ; cl; cl = cl->next) {
        b = cl->buf;

        if (b->in_file) {
            ngx_http_finalize_request(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE);
            return;
        }

        for (p = b->pos; p < b->last; p++) {
            sum += *p;
        }
    }

    ngx_http_ceiling_sum = sum;

    r->headers_out.status = NGX_HTTP_CREATED;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    rc = ngx_http_send_header(r);

    ngx_http_finalize_request(r, rc);
}


static ngx_int_t
ngx_http_ceiling_hold_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = NGX_HTTP_OK;
    ngx_str_set(&r->headers_out.content_type, "text/event-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (ngx_http_send_special(r, NGX_HTTP_FLUSH) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->main->count++;

    return NGX_DONE;
}


static char *
ngx_http_ceiling_post(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_ceiling_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_ceiling_hold(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_ceiling_hold_handler;

    return NGX_CONF_OK;
}
