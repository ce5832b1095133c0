
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The store in MongoDB, of a build that is without it: in place of the room
 * "store_mongodb" and of those that it needs.
 *
 * The directive stays, and its block says why nginx can not start with it.
 * None of the store's functions is there.
 */


#include "ngx_msgbus_store.h"


ngx_msgbus_store_t  ngx_msgbus_store_mongodb = {
    ngx_string("mongodb"),
    ngx_string("URI"),
    0,
    0,
    NULL,                      /* check: it is not in this build */
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL
};
