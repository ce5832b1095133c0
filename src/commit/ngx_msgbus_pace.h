
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_PACE_H_INCLUDED_
#define _NGX_MSGBUS_PACE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Bytes of one insert at most, less than one message of the wire; at least: an
 * event or a few, whatever they are, for a path that hardly carries any more
 */
#define NGX_MSGBUS_PACE_MOST   (8 * 1024 * 1024)
#define NGX_MSGBUS_PACE_LEAST  1024


/* how much a store is given at once; a committer's own */
typedef struct {
    size_t                 bytes;      /* that the next batch may have */
    uint64_t               time;       /* us that a batch may take */
    uint64_t               took;       /* us that batches take */
    uint64_t               rate;       /* bytes a second that it takes; 0: more
                                          than is there for it, or unknown */
    ngx_uint_t             failed;     /* batches in a row */
} ngx_msgbus_pace_t;


/* time: us that an insert may take; 0: whatever it takes, and no pace */
void ngx_msgbus_pace_init(ngx_msgbus_pace_t *pace, uint64_t time);

/* a batch was stored in so many us; full: there was more behind it */
void ngx_msgbus_pace_done(ngx_msgbus_pace_t *pace, size_t bytes,
    uint64_t took, ngx_uint_t full);

/* a batch was not answered */
void ngx_msgbus_pace_failed(ngx_msgbus_pace_t *pace, size_t bytes);


#endif /* _NGX_MSGBUS_PACE_H_INCLUDED_ */
