
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_TOPIC_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_TOPIC_H_INCLUDED_


#include "ngx_http_msgbus.h"


typedef struct ngx_http_msgbus_reader_kind_s  ngx_http_msgbus_reader_kind_t;


/*
 * What a reader has asked for, and where: all of it that does not differ from
 * reader to reader.  Of this worker; it exists while it has an owner.
 */
typedef struct {
    ngx_str_node_t               node;      /* str: all that tells it apart */
    ngx_uint_t                   owners;
    ngx_http_msgbus_reader_kind_t *kind;    /* of those who read it */

    void                       **srv_conf;
    void                       **loc_conf;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_msgbus_loc_conf_t  *lcf;

    ngx_str_t                    kept;      /* of a request: what is kept of
                                               others differs from it; of its
                                               own memory, or empty */

    ngx_msgbus_form_e            form;
    ngx_msgbus_query_t           query;     /* of nobody's cursor and uuid */
    ngx_msgbus_channel_t         channel;   /* no more levels than it has;
                                               behind it query.many */
} ngx_http_msgbus_topic_t;


/*
 * The topic of a request's pass, with one owner more.  The form of the answer
 * says of which kind all its readers are.  NULL: no memory.
 */
ngx_http_msgbus_topic_t *ngx_http_msgbus_topic(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_http_msgbus_reader_kind_t *kind);

/* one owner less */
void ngx_http_msgbus_topic_release(ngx_http_msgbus_topic_t *topic);


#endif /* _NGX_HTTP_MSGBUS_TOPIC_H_INCLUDED_ */
