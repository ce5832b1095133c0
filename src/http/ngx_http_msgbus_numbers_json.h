
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_NUMBERS_JSON_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_NUMBERS_JSON_H_INCLUDED_


#include "ngx_http_msgbus_numbers.h"
#include "ngx_http_msgbus_text.h"


/* writes numbers as JSON */
void ngx_http_msgbus_numbers_json(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers);


#endif /* _NGX_HTTP_MSGBUS_NUMBERS_JSON_H_INCLUDED_ */
