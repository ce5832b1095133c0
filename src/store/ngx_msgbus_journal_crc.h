
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_CRC_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_CRC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * CRC-32C (Castagnoli) of len bytes, going on from the crc of what stands
 * before them, or from 0.  From any thread.
 */
uint32_t ngx_msgbus_journal_crc(uint32_t crc, const void *p, size_t len);

/* the same by table, whatever the processor has; for its test */
uint32_t ngx_msgbus_journal_crc_table(uint32_t crc, const void *p,
    size_t len);


#endif /* _NGX_MSGBUS_JOURNAL_CRC_H_INCLUDED_ */
