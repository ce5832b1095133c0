
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_SLICE_H_INCLUDED_
#define _NGX_MSGBUS_SLICE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Asks the scheduler to give the calling thread the processor in short turns,
 * as short as it has them, 0.1 ms with Linux 6.12 and later: its share stays,
 * and the event loop, which shares the processor, waits a turn at most.  An
 * older kernel, and another system, takes no notice; a refusal is no error.
 * Its policy and nice value stay.  For threads of a worker.
 */
void ngx_msgbus_slice_short(void);


#endif /* _NGX_MSGBUS_SLICE_H_INCLUDED_ */
