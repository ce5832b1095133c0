
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_UNDO_H_INCLUDED_
#define _NGX_MSGBUS_UNDO_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Keeps the compiler from moving stores in shared memory over each other.
 * More is not needed: what one worker wrote under the lock, another sees
 * under the lock; and the stores of a killed worker that were not done are
 * those that come last in program order.
 */
#define ngx_msgbus_barrier()      __asm__ volatile ("" ::: "memory")


/*
 * Words of the largest step, which is an event that is filed in 33 lists, 3
 * words in each, and takes 32 nodes off the idle ones, 4 words; or one that
 * leaves as many lists, 2 words, and makes as many nodes idle, 4 words
 */
#define NGX_MSGBUS_UNDO_WORDS     256


/* any 8 bytes at a multiple of 8 */
typedef uint64_t  ngx_msgbus_word_t  __attribute__ ((may_alias));


/* a word as it was */
typedef struct {
    int64_t                at;         /* bytes from the record's start */
    uint64_t               old;
} ngx_msgbus_undo_word_t;


/*
 * The step that a zone is in the middle of: each word that it has changed or
 * is about to, as it was before.  In the zone, so that whoever takes the lock
 * from a dead process can take its step back.
 *
 * Lock      the zone's, for all
 * Writers   who changes what shares the zone
 * Readers   who takes the lock
 * Lifetime  as the zone's
 * Crash     a word is noted first, then n counts it, then it changes; n is 0
 *           again when the step is done.  Who undoes it goes backwards, and
 *           may die too: what was put back already is put back again
 * Layout    NGX_MSGBUS_LOG_VERSION
 */
typedef struct {
    volatile uint64_t      n;
    ngx_msgbus_undo_word_t words[NGX_MSGBUS_UNDO_WORDS];
} ngx_msgbus_undo_t;


/* puts everything back as it was before the step */
void ngx_msgbus_undo_locked(ngx_msgbus_undo_t *undo);

/* a step has more words than there are: a fault of ours; it does not return */
void ngx_msgbus_undo_overflow(void);


/*
 * To be called before each store to what must be whole between two steps: it
 * notes the word of 8 bytes that p points to or into.
 */
static ngx_inline void
ngx_msgbus_undo_note(ngx_msgbus_undo_t *undo, void *p)
{
    uint64_t                 n;
    ngx_msgbus_word_t       *word;
    ngx_msgbus_undo_word_t  *w;

    word = (ngx_msgbus_word_t *) ((uintptr_t) p & ~(uintptr_t) 7);
    n = undo->n;

    if (n == NGX_MSGBUS_UNDO_WORDS) {
        ngx_msgbus_undo_overflow();
    }

    w = &undo->words[n];

    w->at = (u_char *) word - (u_char *) undo;
    w->old = *word;

    ngx_msgbus_barrier();
    undo->n = n + 1;
    ngx_msgbus_barrier();
}


/* the step is done: nothing of it can be taken back any more */
static ngx_inline void
ngx_msgbus_undo_done(ngx_msgbus_undo_t *undo)
{
    ngx_msgbus_barrier();
    undo->n = 0;
    ngx_msgbus_barrier();
}


/* notes and stores */
#define ngx_msgbus_undo_set(undo, field, value)                               \
    do {                                                                      \
        ngx_msgbus_undo_note(undo, (void *) &(field));                        \
        (field) = (value);                                                    \
    } while (0)


#endif /* _NGX_MSGBUS_UNDO_H_INCLUDED_ */
