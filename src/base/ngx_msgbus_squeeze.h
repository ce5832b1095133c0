
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_SQUEEZE_H_INCLUDED_
#define _NGX_MSGBUS_SQUEEZE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the longest of a field: its length is two bytes */
#define NGX_MSGBUS_SQUEEZE_FIELD  65535


/* room for what a text of so many bytes may be squeezed to */
#define NGX_MSGBUS_SQUEEZE_SIZE(size)  (2 * (size))


/*
 * Writes what makes a text of its base, and returns its end.  A text is made
 * of fields, two bytes of a length and so many more; base is another such
 * text, or empty.  Anywhere.
 */
u_char *ngx_msgbus_squeeze(u_char *p, ngx_str_t *text, ngx_str_t *base);

/* the same text again, into text->data, whose length is known */
void ngx_msgbus_unsqueeze(ngx_str_t *text, u_char *p, ngx_str_t *base);


#endif /* _NGX_MSGBUS_SQUEEZE_H_INCLUDED_ */
