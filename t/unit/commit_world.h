
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _COMMIT_WORLD_H_INCLUDED_
#define _COMMIT_WORLD_H_INCLUDED_


/*
 * What the committer's rooms need of others, where it does not matter what
 * that is: of JSON all is right, nobody is woken, a time has one text.  And of
 * a store what is the same in each model.
 */


#include "unit.h"
#include "ngx_msgbus_store.h"


void world_nothing(ngx_msgbus_db_t *db);
const char *world_text(ngx_msgbus_db_t *db);
const char *world_warnings(ngx_msgbus_db_t *db);


/* a store that several nodes write to, and that forgets, of db_*() functions */
#define WORLD_STORE                                                           \
    ngx_string("array"), ngx_string("place"),                                 \
    NGX_MSGBUS_STORE_SHARED|NGX_MSGBUS_STORE_EXPIRES, 0, NULL, NULL,          \
    NULL, db_create, world_nothing, db_connect, world_nothing, world_text,    \
    world_text, world_warnings, db_insert, db_newest, db_oldest, db_after,    \
    db_touch, db_counter, db_raise, NULL, NULL, NULL, NULL


#endif /* _COMMIT_WORLD_H_INCLUDED_ */
