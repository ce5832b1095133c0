
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Where a directive stands.  What is wrong with it may be found when all of
 * the configuration has been read, by its end: zones and stores may be named
 * before they are declared.  nginx would name the last line of "http" then.
 */


#include "ngx_msgbus_place.h"


ngx_msgbus_place_t *
ngx_msgbus_place(ngx_conf_t *cf)
{
    ngx_msgbus_place_t  *place;

    place = ngx_pcalloc(cf->pool, sizeof(ngx_msgbus_place_t));
    if (place == NULL) {
        return NULL;
    }

    /* no more than ngx_conf_log_error() looks at: the file is closed soon */

    place->file.fd = cf->conf_file->file.fd;
    place->file.name = cf->conf_file->file.name;
    place->line = cf->conf_file->line;

    return place;
}


void
ngx_msgbus_place_at(ngx_conf_t *at, ngx_conf_t *cf, ngx_msgbus_place_t *place)
{
    *at = *cf;

    if (place) {
        at->conf_file = place;
    }
}
