
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What those who write events have in common: an event as the bus writes it
 * when 300 bytes are posted.  Each writer has a file of its own.
 */


#ifndef _STORE_H_INCLUDED_
#define _STORE_H_INCLUDED_


#include "../program.h"

#include <stdint.h>


#define DATA_LEN   300
#define TOKEN_LEN  16
#define BATCH_MAX  4096

#define CHANNEL    "/bench/topic"
#define UUID       "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
#define AGENT      "bench/1.0 uuid/" UUID


/*
 * A writer of batches: opens a folder, or what else the word behind its name
 * says; writes n events, from an id on, and comes back when they are durable.
 */
typedef struct {
    const char  *name;
    void       (*open)(const char *where);
    void       (*write)(uint64_t first, unsigned n);
    void       (*close)(void);
} writer_t;


extern writer_t  files_writer;
extern writer_t  journal_writer;
extern writer_t  sqlite_writer;
extern writer_t  lmdb_writer;
extern writer_t  insert_writer;
extern writer_t  post_writer;
extern writer_t  memory_writer;


/* of the event with an id */
const char *data(void);
void token(uint64_t id, unsigned char *bytes);
uint64_t wall_ms(void);


#endif /* _STORE_H_INCLUDED_ */
