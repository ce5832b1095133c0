
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The lock of a zone: a futex that knows its holder.
 *
 * Who finds it taken spins for about as long as a short hold lasts, and then
 * sleeps.  Whoever runs takes a free lock before one who was just woken: that
 * is what makes it fast, and unfair.  So who has waited for some milliseconds
 * is given it: an unlock hands it over to the one who has waited for longest,
 * by name, and then to all who waited at that time.  Such a one may not run
 * yet, for the system has others to run first, for tens of milliseconds where
 * they never rest; but they want the lock, and sleep until it was there, and
 * so leave it the processor.
 *
 * Nobody sleeps for ever: after each sleep one looks whether the holder lives,
 * at first after a millisecond.  So whoever dies, the holder, who was to be
 * woken, or who was about to wake, costs the others that time and no more.
 * Nor is it left with one to whom it was handed over and who stands still.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include "ngx_msgbus_lock.h"
#include "ngx_msgbus_owner.h"


#define NGX_MSGBUS_LOCK_WAITERS  0x00400000
#define NGX_MSGBUS_LOCK_HANDED   0x01000000
#define NGX_MSGBUS_LOCK_HANDS    25

/* what of a word is not its thread */
#define NGX_MSGBUS_LOCK_FLAGS    (uint64_t) 0xffc00000

/* pauses between looks at a taken lock: 1, 2, 4, ..., then one sleeps */
#define NGX_MSGBUS_LOCK_SPIN     1024

/*
 * Who has waited for so long is given it, ns.  With less than a slice of the
 * scheduler, 4 ms with 250 ticks a second, most of the waits of a machine with
 * more to run than processors would end in a hand-over, and each makes others
 * sleep and wait
 */
#define NGX_MSGBUS_LOCK_PATIENCE 4000000

/* a sleep, ns: the first, and twice as long each time up to the longest */
#define NGX_MSGBUS_LOCK_SLEEP    1000000
#define NGX_MSGBUS_LOCK_SLEEPS   16000000

/* so many holds go by between two looks at those who claim it */
#define NGX_MSGBUS_LOCK_PASSED   16

/* who did not take what it was given is given nothing for so long, ns */
#define NGX_MSGBUS_LOCK_PENANCE  100000000

/* places for a claim that are looked at */
#define NGX_MSGBUS_LOCK_TRIES    8


/* of one who waits */
typedef struct {
    uint64_t               since;      /* ns */
    uint64_t               sleep;      /* ns, the next one */
    uint64_t               seen;       /* the word before the last sleep */
    ngx_int_t              claim;      /* -1: none */
    unsigned               sleeps:1;   /* once at least */
    unsigned               slept:1;    /* to the end */
} ngx_msgbus_lock_wait_t;


static void ngx_msgbus_lock_wait(ngx_msgbus_lock_t *lock);
static ngx_uint_t ngx_msgbus_lock_spin(ngx_msgbus_lock_t *lock,
    ngx_msgbus_lock_wait_t *w);
static ngx_uint_t ngx_msgbus_lock_try(ngx_msgbus_lock_t *lock,
    ngx_msgbus_lock_wait_t *w, uint64_t word);
static ngx_uint_t ngx_msgbus_lock_is_mine(ngx_msgbus_lock_t *lock,
    uint64_t word);
static ngx_uint_t ngx_msgbus_lock_is_orphaned(ngx_msgbus_lock_wait_t *w,
    uint64_t word);
static void ngx_msgbus_lock_sleep(ngx_msgbus_lock_t *lock,
    ngx_msgbus_lock_wait_t *w, uint64_t word);
static void ngx_msgbus_lock_claim(ngx_msgbus_lock_t *lock,
    ngx_msgbus_lock_wait_t *w);
static void ngx_msgbus_lock_unclaim(ngx_msgbus_lock_t *lock,
    ngx_msgbus_lock_wait_t *w);
static ngx_int_t ngx_msgbus_lock_heir_locked(ngx_msgbus_lock_t *lock);
static void ngx_msgbus_lock_pass_over_locked(ngx_msgbus_lock_t *lock,
    uint64_t word);
static ngx_uint_t ngx_msgbus_lock_is_late(uint64_t since, uint64_t now);
static void ngx_msgbus_lock_hand_over(ngx_msgbus_lock_t *lock, ngx_uint_t n);
static void ngx_msgbus_lock_wake(ngx_msgbus_lock_t *lock, ngx_uint_t n,
    uint32_t bits);
static uint32_t ngx_msgbus_lock_bit(ngx_int_t claim);
static uint32_t *ngx_msgbus_lock_futex(ngx_msgbus_lock_t *lock);
static uint64_t ngx_msgbus_lock_me(void);


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

    lock->sh->holds++;
    lock->taken = ngx_msgbus_lock_now();
}


void
ngx_msgbus_unlock(ngx_msgbus_lock_t *lock)
{
    uint64_t               word, held;
    ngx_int_t              heir;
    ngx_msgbus_lock_sh_t  *sh;

    sh = lock->sh;

    held = ngx_msgbus_lock_now() - lock->taken;

    if (held > sh->longest) {
        sh->longest = held;
    }

    if (__atomic_load_n(&sh->waiting, __ATOMIC_RELAXED) == 0
        || ++sh->passed % NGX_MSGBUS_LOCK_PASSED)
    {
        if (ngx_msgbus_lock_set(lock, lock->me, 0)) {
            return;
        }
    }

    /* somebody sleeps, or has perhaps waited for long without a sleep */

    heir = ngx_msgbus_lock_heir_locked(lock);

    if (heir != -1) {
        ngx_msgbus_lock_hand_over(lock, heir);
        return;
    }

    do {
        word = __atomic_load_n(&sh->word, __ATOMIC_RELAXED);
    } while (!ngx_msgbus_lock_set(lock, word, 0));

    if (word & NGX_MSGBUS_LOCK_WAITERS) {
        ngx_msgbus_lock_wake(lock, 1, FUTEX_BITSET_MATCH_ANY);
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
    w.claim = -1;

    for ( ;; ) {
        ngx_msgbus_lock_claim(lock, &w);

        if (ngx_msgbus_lock_spin(lock, &w)) {
            break;
        }

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

        } else if (word & NGX_MSGBUS_LOCK_HANDED) {

            /* to this one, or another one needs the processor */

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
    ngx_uint_t  orphaned;

    orphaned = 0;

    if (word && !ngx_msgbus_lock_is_mine(lock, word)) {

        orphaned = ngx_msgbus_lock_is_orphaned(w, word);

        if (!orphaned) {
            return 0;
        }
    }

    if (!ngx_msgbus_lock_set(lock, word, lock->me | NGX_MSGBUS_LOCK_WAITERS)) {
        return 0;
    }

    if (orphaned || w->claim == -1) {
        ngx_msgbus_lock_pass_over_locked(lock, orphaned ? word : 0);
    }

    return 1;
}


/* it was handed over to this one */
static ngx_uint_t
ngx_msgbus_lock_is_mine(ngx_msgbus_lock_t *lock, uint64_t word)
{
    return ((word ^ lock->me) & ~NGX_MSGBUS_LOCK_FLAGS) == 0;
}


/*
 * The same thread has it as before the last sleep, which nobody has ended: is
 * it dead?  Or it was handed over to one who does not take it: one that stands
 * still, or, what the system does not tell in all cases, for that long.
 */
static ngx_uint_t
ngx_msgbus_lock_is_orphaned(ngx_msgbus_lock_wait_t *w, uint64_t word)
{
    ngx_int_t  rc;

    if (!w->slept
        || ((word ^ w->seen) & ~(uint64_t) NGX_MSGBUS_LOCK_WAITERS) != 0)
    {
        return 0;
    }

    rc = ngx_msgbus_owner_thread_state((ngx_pid_t) (word
                                                    & NGX_MSGBUS_OWNER_MASK),
                                       (ngx_atomic_uint_t) (word >> 32),
                                       0xffffffff);

    if (word & NGX_MSGBUS_LOCK_HANDED) {
        return rc != NGX_OK || w->sleep == NGX_MSGBUS_LOCK_SLEEPS;
    }

    return rc == NGX_DECLINED;
}


static void
ngx_msgbus_lock_sleep(ngx_msgbus_lock_t *lock, ngx_msgbus_lock_wait_t *w,
    uint64_t word)
{
    int              rc, err;
    uint64_t         marked, until;
    struct timespec  ts;

    w->sleeps = 1;
    w->slept = 0;

    /* who takes what was handed over to it marks it by itself */

    if (!(word & NGX_MSGBUS_LOCK_HANDED)) {

        marked = word | NGX_MSGBUS_LOCK_WAITERS;

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
                           ngx_msgbus_lock_bit(w->claim));
        err = ngx_errno;

    } while (rc == -1 && err == NGX_EINTR);

    if (rc == -1 && err == NGX_ETIMEDOUT) {
        w->slept = 1;
        w->sleep = ngx_min(w->sleep * 2, NGX_MSGBUS_LOCK_SLEEPS);
    }
}


/* from here on, who unlocks can see that this thread waits, and since when */
static void
ngx_msgbus_lock_claim(ngx_msgbus_lock_t *lock, ngx_msgbus_lock_wait_t *w)
{
    uint64_t                  id;
    ngx_uint_t                i, n;
    ngx_msgbus_lock_claim_t  *claim;

    for (i = 0; i < NGX_MSGBUS_LOCK_TRIES && w->claim == -1; i++) {

        n = (lock->me + i) % NGX_MSGBUS_LOCK_CLAIMS;
        claim = &lock->sh->claim[n];
        id = 0;

        if (__atomic_load_n(&claim->id, __ATOMIC_RELAXED) == 0
            && __atomic_compare_exchange_n(&claim->id, &id, lock->me, 0,
                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        {
            __atomic_store_n(&claim->since, w->since, __ATOMIC_RELAXED);
            (void) __atomic_fetch_or(&lock->sh->waiting, (uint64_t) 1 << n,
                                     __ATOMIC_RELEASE);
            w->claim = n;
        }
    }
}


/* it has it */
static void
ngx_msgbus_lock_unclaim(ngx_msgbus_lock_t *lock, ngx_msgbus_lock_wait_t *w)
{
    if (w->claim == -1) {
        return;
    }

    (void) __atomic_fetch_and(&lock->sh->waiting, ~((uint64_t) 1 << w->claim),
                              __ATOMIC_RELAXED);

    __atomic_store_n(&lock->sh->claim[w->claim].id, 0, __ATOMIC_RELEASE);
}


/*
 * The one who has waited for longest, if that is too long; and then, one after
 * the other, all who waited at that time: what keeps one waiting keeps them
 * all.  -1: nobody is in need
 */
static ngx_int_t
ngx_msgbus_lock_heir_locked(ngx_msgbus_lock_t *lock)
{
    uint64_t               now, oldest, since, waiting;
    ngx_int_t              heir;
    ngx_uint_t             n;
    ngx_msgbus_lock_sh_t  *sh;

    sh = lock->sh;
    now = ngx_msgbus_lock_now();
    oldest = now;
    heir = -1;

    waiting = __atomic_load_n(&sh->waiting, __ATOMIC_ACQUIRE);

    for ( /* void */ ; waiting; waiting &= waiting - 1) {

        n = __builtin_ctzll(waiting);
        since = __atomic_load_n(&sh->claim[n].since, __ATOMIC_RELAXED);

        if ((int64_t) (oldest - since) > 0) {
            oldest = since;
            heir = n;
        }
    }

    if (ngx_msgbus_lock_is_late(oldest, now)) {
        sh->urgent = now;
    }

    return (int64_t) (sh->urgent - oldest) > 0 ? heir : -1;
}


/*
 * The thread of this word, if it is not 0, has not taken what was handed over
 * to it, and others who claim the lock may be dead.  System calls under the
 * lock, but only after a death or what looks like one.
 */
static void
ngx_msgbus_lock_pass_over_locked(ngx_msgbus_lock_t *lock, uint64_t word)
{
    uint64_t                  id, now;
    ngx_uint_t                n;
    ngx_msgbus_lock_claim_t  *claim;

    now = ngx_msgbus_lock_now();

    for (n = 0; n < NGX_MSGBUS_LOCK_CLAIMS; n++) {

        claim = &lock->sh->claim[n];
        id = __atomic_load_n(&claim->id, __ATOMIC_RELAXED);

        if (id == 0 || id == lock->me
            || !ngx_msgbus_lock_is_late(claim->since, now))
        {
            continue;
        }

        if (ngx_msgbus_owner_thread_state((ngx_pid_t) (id
                                                   & NGX_MSGBUS_OWNER_MASK),
                                          (ngx_atomic_uint_t) (id >> 32),
                                          0xffffffff)
            == NGX_DECLINED)
        {
            (void) __atomic_fetch_and(&lock->sh->waiting, ~((uint64_t) 1 << n),
                                      __ATOMIC_RELAXED);

            __atomic_store_n(&claim->id, 0, __ATOMIC_RELEASE);

        } else if (((id ^ word) & ~NGX_MSGBUS_LOCK_FLAGS) == 0) {
            __atomic_store_n(&claim->since, now + NGX_MSGBUS_LOCK_PENANCE,
                             __ATOMIC_RELAXED);
        }
    }
}


static ngx_uint_t
ngx_msgbus_lock_is_late(uint64_t since, uint64_t now)
{
    return (int64_t) (now - since) >= NGX_MSGBUS_LOCK_PATIENCE;
}


/* not under the lock from here on */
static void
ngx_msgbus_lock_hand_over(ngx_msgbus_lock_t *lock, ngx_uint_t n)
{
    uint64_t               word, handed;
    ngx_msgbus_lock_sh_t  *sh;

    sh = lock->sh;

    handed = __atomic_load_n(&sh->claim[n].id, __ATOMIC_RELAXED)
             | NGX_MSGBUS_LOCK_HANDED
             | (uint32_t) ++sh->handed << NGX_MSGBUS_LOCK_HANDS;

    do {
        word = __atomic_load_n(&sh->word, __ATOMIC_RELAXED);
    } while (!ngx_msgbus_lock_set(lock, word, handed));

    ngx_msgbus_lock_wake(lock, NGX_MSGBUS_LOCK_CLAIMS, ngx_msgbus_lock_bit(n));
}


/* so many of those who sleep with one of these bits, the longest first */
static void
ngx_msgbus_lock_wake(ngx_msgbus_lock_t *lock, ngx_uint_t n, uint32_t bits)
{
    (void) syscall(SYS_futex, ngx_msgbus_lock_futex(lock), FUTEX_WAKE_BITSET,
                   (int) n, NULL, NULL, bits);
}


/* two claims share one: a wake too many does no harm */
static uint32_t
ngx_msgbus_lock_bit(ngx_int_t claim)
{
    return claim == -1 ? FUTEX_BITSET_MATCH_ANY : (uint32_t) 1 << claim % 32;
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


uint64_t
ngx_msgbus_lock_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}
