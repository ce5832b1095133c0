
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JSON_H_INCLUDED_
#define _NGX_MSGBUS_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Is it one JSON object or array (RFC 8259, UTF-8), nested max_depth deep at
 * most?  NGX_OK; NGX_DECLINED: no; NGX_BUSY: too deep; NGX_ERROR: no memory.
 * On the event loop only: it works in a buffer of the process.
 */
ngx_int_t ngx_msgbus_json_check(ngx_str_t *text, ngx_uint_t max_depth,
    ngx_log_t *log);

/* the same, in memory of its own: from any thread, and slower */
ngx_int_t ngx_msgbus_json_check_alone(ngx_str_t *text, ngx_uint_t max_depth,
    ngx_log_t *log);

/* can it stand between the quotes of a JSON string as it is? */
ngx_uint_t ngx_msgbus_json_plain(ngx_str_t *text);

/* how much of a text max bytes hold without a part of a character; anywhere */
size_t ngx_msgbus_json_cut(ngx_str_t *text, size_t max);

/*
 * Writes text as it stands between the quotes of a JSON string; each byte
 * that is no UTF-8 becomes U+FFFD.  dst has NGX_MSGBUS_JSON_ESCAPED times
 * text->len bytes.  Returns the end.  Anywhere.
 */
u_char *ngx_msgbus_json_escape(u_char *dst, ngx_str_t *text);

#define NGX_MSGBUS_JSON_ESCAPED  6

/* takes back what ngx_msgbus_json_escape() wrote; never longer.  Anywhere. */
u_char *ngx_msgbus_json_unescape(u_char *dst, ngx_str_t *text);

#endif /* _NGX_MSGBUS_JSON_H_INCLUDED_ */
