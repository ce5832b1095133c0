
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_FRESH_H_INCLUDED_
#define _NGX_MSGBUS_FRESH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_msgbus_fresh_s  ngx_msgbus_fresh_t;

typedef void (*ngx_msgbus_fresh_pt)(ngx_msgbus_fresh_t *w, ngx_int_t rc);


/*
 * One who waits for a look at the store; a part of whatever it is, zero at
 * first but for the handler.  Linked by ngx_msgbus_look(), unlinked once:
 * before the handler is called, or by ngx_msgbus_look_forget().  The handler
 * runs on the event loop, with NGX_OK, or NGX_DECLINED: the store has not
 * answered in time.
 */
struct ngx_msgbus_fresh_s {
    ngx_queue_t            queue;
    uint64_t               asked;      /* monotonic, us */
    ngx_msec_t             since;      /* the same, by nginx's clock */
    ngx_msgbus_fresh_pt    handler;
    unsigned               linked:1;
};


/* all of this worker's for one bus, who asked first is the first */
typedef struct {
    ngx_queue_t            queue;      /* next NULL: none yet */
    ngx_uint_t             n;
    ngx_msec_t             patience;   /* with the store */
    ngx_event_t            timer;      /* of the first one */
} ngx_msgbus_freshes_t;


/* patience is set; handler and data are its timer's */
void ngx_msgbus_fresh_init(ngx_msgbus_freshes_t *ws,
    ngx_event_handler_pt handler, void *data, ngx_log_t *log);

/* asked is set */
void ngx_msgbus_fresh_link(ngx_msgbus_freshes_t *ws, ngx_msgbus_fresh_t *w);
void ngx_msgbus_fresh_unlink(ngx_msgbus_freshes_t *ws, ngx_msgbus_fresh_t *w);

/*
 * Calls up to max of those who asked before looked (monotonic, us), or have no
 * patience left.  NGX_OK, or NGX_AGAIN: there are more of them.
 */
ngx_int_t ngx_msgbus_fresh_call(ngx_msgbus_freshes_t *ws, uint64_t looked,
    ngx_uint_t max);


#endif /* _NGX_MSGBUS_FRESH_H_INCLUDED_ */
