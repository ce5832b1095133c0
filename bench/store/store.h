
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What the bare writers of events have in common: an event as the bus writes
 * it when 300 bytes are posted, and a run: batches one after the other, each
 * durable before the next, for so many seconds.  The result is a line of JSON:
 *
 *     {"events":N,"batches":N,"us":N,"cpu_us":N,"p50_us":N}
 */


#ifndef _STORE_H_INCLUDED_
#define _STORE_H_INCLUDED_


#include "../program.h"

#include <stdint.h>


#define DATA_LEN   300
#define TOKEN_LEN  16

#define CHANNEL    "/bench/topic"
#define UUID       "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
#define AGENT      "bench/1.0 uuid/" UUID


/* a writer of batches: opens in a folder, writes events from an id on */
typedef struct {
    const char  *name;
    void       (*open)(const char *folder);
    void       (*write)(uint64_t first, unsigned n);
    void       (*close)(void);
} writer_t;


/* FOLDER BATCH SECONDS */
int run(writer_t *w, char **argv);

/* of the event with an id */
const char *data(void);
void token(uint64_t id, unsigned char *bytes);
uint64_t wall_ms(void);


#endif /* _STORE_H_INCLUDED_ */
