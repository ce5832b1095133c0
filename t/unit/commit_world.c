
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What the committer's rooms need of others, in the models in which that is
 * of no interest: it does the least that can be right.
 */


#include "commit_world.h"
#include "ngx_msgbus_json.h"
#include "ngx_msgbus_notify.h"
#include "ngx_msgbus_time.h"


void
world_nothing(ngx_msgbus_db_t *db)
{
}


const char *
world_text(ngx_msgbus_db_t *db)
{
    return "";
}


const char *
world_warnings(ngx_msgbus_db_t *db)
{
    static char  none[NGX_MSGBUS_WARNINGS_LEN];

    return none;
}


void
ngx_msgbus_time_text(u_char *text, uint64_t ms)
{
    memset(text, '0', NGX_MSGBUS_TIME_LEN);
}


ngx_int_t
ngx_msgbus_json_check_alone(ngx_str_t *text, ngx_uint_t depth, ngx_log_t *log)
{
    return NGX_OK;
}


size_t
ngx_msgbus_json_cut(ngx_str_t *text, size_t max)
{
    return ngx_min(text->len, max);
}


u_char *
ngx_msgbus_json_escape(u_char *dst, ngx_str_t *text)
{
    return ngx_cpymem(dst, text->data, text->len);
}


u_char *
ngx_msgbus_json_unescape(u_char *dst, ngx_str_t *text)
{
    return ngx_cpymem(dst, text->data, text->len);
}


void
ngx_msgbus_notify_signal(ngx_msgbus_notify_t *notify, ngx_uint_t word,
    ngx_atomic_uint_t bits, ngx_log_t *log)
{
}


u_char *
ngx_cpystrn(u_char *dst, u_char *src, size_t n)
{
    snprintf((char *) dst, n, "%s", src);

    return dst;
}
