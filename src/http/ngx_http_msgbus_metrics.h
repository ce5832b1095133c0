
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_HTTP_MSGBUS_METRICS_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_METRICS_H_INCLUDED_


#include "ngx_http_msgbus_numbers.h"
#include "ngx_http_msgbus_text.h"


/* writes numbers as Prometheus reads them; open: as OpenMetrics 1.0 has it */
void ngx_http_msgbus_metrics(ngx_http_msgbus_text_t *text,
    ngx_http_msgbus_numbers_t *numbers, ngx_uint_t open);


#endif /* _NGX_HTTP_MSGBUS_METRICS_H_INCLUDED_ */
