
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _JOURNAL_SIM_H_INCLUDED_
#define _JOURNAL_SIM_H_INCLUDED_


#include "unit.h"
#include "ngx_msgbus_journal.h"


#define SIM_FILES    24
#define SIM_FDS      48
#define SIM_PENDING  96
#define SIM_BYTES    (20 * 1024)


/* a write that has not reached the disk */
typedef struct {
    uint32_t               offset;
    uint32_t               len;        /* 0: the size is cut to offset */
    uint32_t               at;         /* of its bytes, in the arena */
} sim_write_t;


/* a file: what the system shows of it, what the disk has of it */
typedef struct {
    ngx_uint_t             refs;       /* names, and descriptors; 0: free */
    uint64_t               number;
    uint64_t               changed;    /* when, last */
    uint64_t               disk_changed;
    uint32_t               size;
    uint32_t               disk_size;
    u_char                *cache;
    u_char                *disk;
    ngx_uint_t             n;
    sim_write_t            pending[SIM_PENDING];
    uint32_t               arena_len;
    u_char                *arena;
    int                    exclusive;  /* the descriptor that has the lock */
    ngx_uint_t             shared;
} sim_file_t;


typedef struct {
    char                   name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    int                    file;       /* -1: the name is gone */
    char                   gone[NGX_MSGBUS_JOURNAL_NAME_LEN];  /* with it */
} sim_name_t;


/* a disk, its cache, and the clocks of its machine */
typedef struct {
    sim_file_t             files[SIM_FILES];

    sim_name_t             names[SIM_FILES];   /* as the system shows it */
    ngx_uint_t             nnames;
    sim_name_t             durable[SIM_FILES];
    ngx_uint_t             ndurable;
    sim_name_t             changes[SIM_PENDING];   /* not on the disk yet */
    ngx_uint_t             nchanges;

    struct {
        int                file;       /* -1: free; -2: the folder */
        ngx_uint_t         locked;     /* 1: shared, 2: exclusive */
        ngx_uint_t         owner;      /* the process whose it is */
    } fds[SIM_FDS];

    uint64_t               wall;
    uint64_t               monotonic;
    uint64_t               boot;

    ngx_uint_t             fail_in;    /* calls until one fails; 0: none */
    ngx_uint_t             failures;   /* and so many after it, too */
    ngx_uint_t             destroys;   /* a failed sync may take what stands
                                          in the same block with it */
    ngx_uint_t             destroyed;  /* it has */
    ngx_uint_t             full;       /* nothing can be allocated */
    ngx_uint_t             failed;     /* calls that did */

    ngx_uint_t             owner;      /* who calls */

    /* called before each call that changes something; may not return */
    void                 (*hook)(void *data, const char *name);
    void                  *data;
    ngx_uint_t             segment;    /* that call writes to a segment */

    /* called after bytes were written; it returns */
    void                 (*written)(const u_char *p, size_t len);
} sim_t;


void sim_init(sim_t *sim);

/* the table of calls on a disk */
void sim_calls(ngx_msgbus_disk_t *disk, sim_t *sim);

/*
 * What the disk has after a power cut now: what was synced, and of what was
 * not any part, in any order, torn at any byte.  "to" was a disk before.
 */
void sim_crash(sim_t *to, sim_t *from);

/* what it has when only processes die: all that was written */
void sim_killed(sim_t *to, sim_t *from);

/*
 * What it has is a copy.  0: all files are others; 1: written over those that
 * were there; 2: so was the mark, and the time of a change can be set.
 */
void sim_copied(sim_t *sim, ngx_uint_t how);

/* a process dies: its descriptors are closed */
void sim_kill(sim_t *sim, ngx_uint_t owner);

/* the bytes of a file, on the disk and in the cache; NULL: there is none */
sim_file_t *sim_find(sim_t *sim, const char *name);


#endif /* _JOURNAL_SIM_H_INCLUDED_ */
