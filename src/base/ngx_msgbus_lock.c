
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The lock of a zone: a futex that knows its holder.
 *
 * Who finds it taken spins for about as long as a short hold lasts, and then
 * sleeps.  Whoever runs takes a free lock before one who was just woken: that
 * is what makes it fast, and unfair.  So who has waited for some milliseconds
 * is given it: an unlock hands it to the longest sleeper, or, if none sleeps,
 * keeps it for who was woken and does not run yet.  The others sleep
 * meanwhile, and leave it the processor.
 *
 * Nobody sleeps for ever: after each sleep one looks whether the holder lives,
 * at first after a millisecond.  So whoever dies, the holder, who was to be
 * woken, or who was about to wake, costs the others that time and no more.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include "ngx_msgbus_lock.h"
#include "ngx_msgbus_owner.h"


#define NGX_MSGBUS_LOCK_WAITERS  0x00400000
#define NGX_MSGBUS_LOCK_HUNGRY   0x00800000
#define NGX_MSGBUS_LOCK_KEPT     0x01000000

#define NGX_MSGBUS_LOCK_FLAGS                                                 \
    (uint64_t) (NGX_MSGBUS_LOCK_WAITERS|NGX_MSGBUS_LOCK_HUNGRY)

/* pauses between looks at a taken lock: 1, 2, 4, ..., then one sleeps */
#define NGX_MSGBUS_LOCK_SPIN     1024

/* who has waited for so long is given it, ns */
#define NGX_MSGBUS_LOCK_PATIENCE 3000000

/* a sleep, ns: the first, and twice as long each time up to the longest */
#define NGX_MSGBUS_LOCK_SLEEP    1000000
#define NGX_MSGBUS_LOCK_SLEEPS   16000000


/* so many holds go by between two looks at those who claim it */
#define NGX_MSGBUS_LOCK_PASSED   16

/* and so many until it is asked whether all of them live */
#define NGX_MSGBUS_LOCK_ASKED    512

/* what is kept for another one is taken after a sleep of that length, ns */
#define NGX_MSGBUS_LOCK_LOST     4000000


/* places for a claim that are looked at */
#define NGX_MSGBUS_LOCK_TRIES    8


/* of one who waits */
typedef struct {
    uint64_t               since;      /* ns */
    uint64_t               sleep;      /* ns, the next one */
    uint64_t               seen;       /* the word before the last sleep */
    ngx_int_t              claim;      /* -1: none */
    unsigned               sleeps:1;   /* once at least */
    unsigned               woken:1;    /* by an unlock */
    unsigned               slept:1;    /* to the end */
    unsigned               hungry:1;
} ngx_msgbus_lock_wait_t;


static void ngx_msgbus_lock_wait(ngx_msgbus_lock_t *lock);
static ngx_uint_t ngx_msgbus_lock_spin(ngx_msgbus_lock_t *lock,
    ngx_msgbus_lock_wait_t *w);
static ngx_uint_t ngx_msgbus_lock_try(ngx_msgbus_lock_t *lock,
    ngx_msgbus_lock_wait_t *w, uint64_t word);
static ngx_uint_t ngx_msgbus_lock_is_mine(ngx_msgbus_lock_wait_t *w,
    uint64_t word);
static ngx_uint_t ngx_msgbus_lock_is_late(uint64_t since);
static ngx_uint_t ngx_msgbus_lock_is_orphaned(ngx_msgbus_lock_wait_t *w,
    uint64_t word);
static ngx_uint_t ngx_msgbus_lock_is_dead(uint64_t id);
static void ngx_msgbus_lock_sleep(ngx_msgbus_lock_t *lock,
    ngx_msgbus_lock_wait_t *w, uint64_t word);
static void ngx_msgbus_lock_claim(ngx_msgbus_lock_t *lock,
    ngx_msgbus_lock_wait_t *w);
static void ngx_msgbus_lock_unclaim(ngx_msgbus_lock_t *lock,
    ngx_msgbus_lock_wait_t *w);
static ngx_uint_t ngx_msgbus_lock_is_claimed(ngx_msgbus_lock_t *lock);
static void ngx_msgbus_lock_forget_dead(ngx_msgbus_lock_t *lock);
static void ngx_msgbus_lock_hand_over(ngx_msgbus_lock_t *lock);
static ngx_uint_t ngx_msgbus_lock_wake(ngx_msgbus_lock_t *lock);
static uint32_t *ngx_msgbus_lock_futex(ngx_msgbus_lock_t *lock);
static uint64_t ngx_msgbus_lock_me(void);
static uint64_t ngx_msgbus_lock_now(void);


static ngx_inline ngx_uint_t
ngx_msgbus_lock_set(ngx_msgbus_lock_t *lock, uint64_t old, uint64_t word)
{
    return __atomic_compare_exchange_n(&lock->sh->word, &old, word, 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}


/* lets another thread of the same core run; nginx knows that of x86 only */
static ngx_inline void
ngx_msgbus_lock_pause(void)
{
#if (defined(__aarch64__))
    __asm__ volatile ("isb" ::: "memory");
#else
    ngx_cpu_pause();
#endif
}


void
ngx_msgbus_lock(ngx_msgbus_lock_t *lock)
{
    if (lock->me == 0) {
        lock->me = ngx_msgbus_lock_me();
    }

    if (!ngx_msgbus_lock_set(lock, 0, lock->me)) {
        ngx_msgbus_lock_wait(lock);
    }
}


void
ngx_msgbus_unlock(ngx_msgbus_lock_t *lock)
{
    uint32_t               passed;
    uint64_t               word;
    ngx_msgbus_lock_sh_t  *sh;

    sh = lock->sh;

    if (__atomic_load_n(&sh->claims, __ATOMIC_RELAXED)
        && ++sh->passed % NGX_MSGBUS_LOCK_PASSED == 0
        && ngx_msgbus_lock_is_claimed(lock))
    {
        passed = sh->passed;

        ngx_msgbus_lock_hand_over(lock);

        if (passed % NGX_MSGBUS_LOCK_ASKED == 0) {
            ngx_msgbus_lock_forget_dead(lock);
        }

        return;
    }

    if (ngx_msgbus_lock_set(lock, lock->me, 0)) {
        return;
    }

    for ( ;; ) {
        word = __atomic_load_n(&sh->word, __ATOMIC_RELAXED);

        if (word & NGX_MSGBUS_LOCK_HUNGRY) {
            ngx_msgbus_lock_hand_over(lock);
            return;
        }

        if (ngx_msgbus_lock_set(lock, word, 0)) {
            (void) ngx_msgbus_lock_wake(lock);
            return;
        }
    }
}


static void
ngx_msgbus_lock_wait(ngx_msgbus_lock_t *lock)
{
    uint64_t                word;
    ngx_msgbus_lock_wait_t  w;

    ngx_memzero(&w, sizeof(ngx_msgbus_lock_wait_t));

    w.since = ngx_msgbus_lock_now();
    w.sleep = NGX_MSGBUS_LOCK_SLEEP;

    ngx_msgbus_lock_claim(lock, &w);

    while (!ngx_msgbus_lock_spin(lock, &w)) {

        word = __atomic_load_n(&lock->sh->word, __ATOMIC_RELAXED);

        if (ngx_msgbus_lock_try(lock, &w, word)) {
            break;
        }

        if (word) {
            ngx_msgbus_lock_sleep(lock, &w, word);
        }
    }

    ngx_msgbus_lock_unclaim(lock, &w);

    lock->longest = ngx_max(lock->longest, ngx_msgbus_lock_now() - w.since);
}


static ngx_uint_t
ngx_msgbus_lock_spin(ngx_msgbus_lock_t *lock, ngx_msgbus_lock_wait_t *w)
{
    uint64_t    word, mine;
    ngx_uint_t  i, n;

    if (ngx_ncpu == 1) {
        return 0;
    }

    /* behind one who has slept others may sleep, for all that it knows */

    mine = lock->me | (w->sleeps ? NGX_MSGBUS_LOCK_WAITERS : 0);

    for (n = 1; n < NGX_MSGBUS_LOCK_SPIN; n <<= 1) {

        word = __atomic_load_n(&lock->sh->word, __ATOMIC_RELAXED);

        if (word == 0) {
            if (ngx_msgbus_lock_set(lock, 0, mine)) {
                return 1;
            }

        } else if (word & (NGX_MSGBUS_LOCK_HUNGRY|NGX_MSGBUS_LOCK_KEPT)) {

            /* others are to have it first */

            return 0;
        }

        for (i = 0; i < n; i++) {
            ngx_msgbus_lock_pause();
        }
    }

    return 0;
}


/* takes what may be taken; others may sleep, for all that one knows */
static ngx_uint_t
ngx_msgbus_lock_try(ngx_msgbus_lock_t *lock, ngx_msgbus_lock_wait_t *w,
    uint64_t word)
{
    if (word && !ngx_msgbus_lock_is_mine(w, word)) {

        if (!ngx_msgbus_lock_is_orphaned(w, word)) {
            return 0;
        }

        ngx_msgbus_lock_forget_dead(lock);
    }

    return ngx_msgbus_lock_set(lock, word,
                               lock->me | NGX_MSGBUS_LOCK_WAITERS
                               | (w->hungry ? NGX_MSGBUS_LOCK_HUNGRY : 0));
}


/* it is kept for those who ... */
static ngx_uint_t
ngx_msgbus_lock_is_mine(ngx_msgbus_lock_wait_t *w, uint64_t word)
{
    if (!(word & NGX_MSGBUS_LOCK_KEPT)) {
        return 0;
    }

    if (!w->woken && !w->hungry) {
        w->hungry = ngx_msgbus_lock_is_late(w->since);
    }

    return w->woken || w->hungry;
}


static ngx_uint_t
ngx_msgbus_lock_is_late(uint64_t since)
{
    return (int64_t) (ngx_msgbus_lock_now() - since)
           >= NGX_MSGBUS_LOCK_PATIENCE;
}


/*
 * The same thread holds it as before the last sleep, which nobody has ended:
 * is it dead?  Or it is kept for that long, and nobody has taken it.
 */
static ngx_uint_t
ngx_msgbus_lock_is_orphaned(ngx_msgbus_lock_wait_t *w, uint64_t word)
{
    if (!w->slept
        || ((word ^ w->seen) & ~NGX_MSGBUS_LOCK_FLAGS) != 0)
    {
        return 0;
    }

    if (word & NGX_MSGBUS_LOCK_KEPT) {
        return w->sleep > NGX_MSGBUS_LOCK_LOST;
    }

    return ngx_msgbus_lock_is_dead(word);
}


static ngx_uint_t
ngx_msgbus_lock_is_dead(uint64_t id)
{
    return ngx_msgbus_owner_thread_is_dead(
               (ngx_pid_t) (id & NGX_MSGBUS_OWNER_MASK),
               (ngx_atomic_uint_t) (id >> 32), 0xffffffff);
}


static void
ngx_msgbus_lock_sleep(ngx_msgbus_lock_t *lock, ngx_msgbus_lock_wait_t *w,
    uint64_t word)
{
    int              rc, err;
    uint64_t         marked, until;
    struct timespec  ts;

    w->sleeps = 1;
    w->woken = 0;
    w->slept = 0;

    if (!(word & NGX_MSGBUS_LOCK_KEPT)) {

        marked = word | NGX_MSGBUS_LOCK_WAITERS
                 | (w->hungry ? NGX_MSGBUS_LOCK_HUNGRY : 0);

        if (marked != word && !ngx_msgbus_lock_set(lock, word, marked)) {
            return;
        }

        word = marked;
    }

    w->seen = word;

    /* an end, not a length: signals come as often as timer_resolution says */

    until = ngx_msgbus_lock_now() + w->sleep;

    ts.tv_sec = (time_t) (until / 1000000000);
    ts.tv_nsec = (long) (until % 1000000000);

    do {
        rc = (int) syscall(SYS_futex, ngx_msgbus_lock_futex(lock),
                           FUTEX_WAIT_BITSET, (uint32_t) word, &ts, NULL,
                           FUTEX_BITSET_MATCH_ANY);
        err = ngx_errno;

    } while (rc == -1 && err == NGX_EINTR);

    w->woken = (rc == 0);

    if (rc == -1 && err == NGX_ETIMEDOUT) {
        w->slept = 1;
        w->sleep = ngx_min(w->sleep * 2, NGX_MSGBUS_LOCK_SLEEPS);
    }

    w->hungry = ngx_msgbus_lock_is_late(w->since);
}


/* from here on, who unlocks can see that this thread waits, and since when */
static void
ngx_msgbus_lock_claim(ngx_msgbus_lock_t *lock, ngx_msgbus_lock_wait_t *w)
{
    uint64_t                  id;
    ngx_uint_t                i, n;
    ngx_msgbus_lock_claim_t  *claim;

    for (i = 0; i < NGX_MSGBUS_LOCK_TRIES; i++) {

        n = (lock->me + i) % NGX_MSGBUS_LOCK_CLAIMS;
        claim = &lock->sh->claim[n];
        id = 0;

        if (__atomic_load_n(&claim->id, __ATOMIC_RELAXED) == 0
            && __atomic_compare_exchange_n(&claim->id, &id, lock->me, 0,
                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        {
            __atomic_store_n(&claim->since, w->since, __ATOMIC_RELAXED);
            (void) __atomic_add_fetch(&lock->sh->claims, 1, __ATOMIC_RELAXED);

            w->claim = n;
            return;
        }
    }

    w->claim = -1;
}


static void
ngx_msgbus_lock_unclaim(ngx_msgbus_lock_t *lock, ngx_msgbus_lock_wait_t *w)
{
    ngx_msgbus_lock_claim_t  *claim;

    if (w->claim == -1) {
        return;
    }

    claim = &lock->sh->claim[w->claim];

    (void) __atomic_sub_fetch(&lock->sh->claims, 1, __ATOMIC_RELAXED);

    __atomic_store_n(&claim->since, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&claim->id, 0, __ATOMIC_RELEASE);

    w->claim = -1;
}


/* has one of those who wait done so for too long? */
static ngx_uint_t
ngx_msgbus_lock_is_claimed(ngx_msgbus_lock_t *lock)
{
    uint64_t                  now, since;
    ngx_uint_t                i;
    ngx_msgbus_lock_claim_t  *claim;

    now = ngx_msgbus_lock_now();

    for (i = 0; i < NGX_MSGBUS_LOCK_CLAIMS; i++) {

        claim = &lock->sh->claim[i];
        since = __atomic_load_n(&claim->since, __ATOMIC_RELAXED);

        if (since
            && (int64_t) (now - since) >= NGX_MSGBUS_LOCK_PATIENCE
            && __atomic_load_n(&claim->id, __ATOMIC_RELAXED) != lock->me)
        {
            return 1;
        }
    }

    return 0;
}


/* it was perhaps kept for one that is dead; not under the lock */
static void
ngx_msgbus_lock_forget_dead(ngx_msgbus_lock_t *lock)
{
    uint64_t                  id, since;
    ngx_uint_t                i;
    ngx_msgbus_lock_claim_t  *claim;

    for (i = 0; i < NGX_MSGBUS_LOCK_CLAIMS; i++) {

        claim = &lock->sh->claim[i];
        id = __atomic_load_n(&claim->id, __ATOMIC_RELAXED);
        since = __atomic_load_n(&claim->since, __ATOMIC_RELAXED);

        if (id == 0 || id == lock->me
            || !ngx_msgbus_lock_is_late(since)
            || !ngx_msgbus_lock_is_dead(id))
        {
            continue;
        }

        __atomic_store_n(&claim->since, 0, __ATOMIC_RELAXED);

        if (__atomic_compare_exchange_n(&claim->id, &id, 0, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        {
            (void) __atomic_sub_fetch(&lock->sh->claims, 1, __ATOMIC_RELAXED);
        }
    }
}


/*
 * Keeps it for those who have been woken, the longest sleeper that is, or have
 * waited for too long
 */
static void
ngx_msgbus_lock_hand_over(ngx_msgbus_lock_t *lock)
{
    uint64_t  word, kept;

    kept = (++lock->sh->kept << 25) | NGX_MSGBUS_LOCK_KEPT;

    do {
        word = __atomic_load_n(&lock->sh->word, __ATOMIC_RELAXED);
    } while (!ngx_msgbus_lock_set(lock, word, kept));

    if (ngx_msgbus_lock_wake(lock) || ngx_msgbus_lock_is_claimed(lock)) {
        return;
    }

    /* nobody sleeps any more, or not yet: who is about to finds it free */

    if (ngx_msgbus_lock_set(lock, kept, 0)) {
        (void) ngx_msgbus_lock_wake(lock);
    }
}


/* the longest sleeper; 0: there is none */
static ngx_uint_t
ngx_msgbus_lock_wake(ngx_msgbus_lock_t *lock)
{
    return syscall(SYS_futex, ngx_msgbus_lock_futex(lock), FUTEX_WAKE, 1,
                   NULL, NULL, 0) == 1;
}


/* the half of the word with the id and the flags in it */
static uint32_t *
ngx_msgbus_lock_futex(ngx_msgbus_lock_t *lock)
{
#if (NGX_HAVE_LITTLE_ENDIAN)
    return (uint32_t *) &lock->sh->word;
#else
    return (uint32_t *) &lock->sh->word + 1;
#endif
}


static uint64_t
ngx_msgbus_lock_me(void)
{
    ngx_atomic_uint_t  owner;

    owner = ngx_msgbus_owner_thread();

    return (uint64_t) (owner >> NGX_MSGBUS_OWNER_BITS) << 32
           | (owner & NGX_MSGBUS_OWNER_MASK);
}


static uint64_t
ngx_msgbus_lock_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}
