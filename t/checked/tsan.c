
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What ThreadSanitizer has to be told of nginx, for "make tsan": preloaded
 * into it, with the sanitizer's library before it.
 *
 * The lock of a zone needs none of it: the module's own, it is compiled with the
 * sanitizer, and made of what that knows.
 *
 * A word that is volatile, as all of ngx_atomic_t are, is nginx's way to have
 * one that is read and written whole, by whomever at any time.  gcc calls one
 * of the others before each access to such a word (with
 * --param tsan-distinguish-volatile=1), and they have it taken for an atomic
 * one without an order: what stands beside the word still needs the lock.
 */


#include <stdint.h>


void __tsan_volatile_read1(void *p);
void __tsan_volatile_read2(void *p);
void __tsan_volatile_read4(void *p);
void __tsan_volatile_read8(void *p);
void __tsan_volatile_write1(void *p);
void __tsan_volatile_write2(void *p);
void __tsan_volatile_write4(void *p);
void __tsan_volatile_write8(void *p);


void
__tsan_volatile_read1(void *p)
{
    (void) __atomic_load_n((uint8_t *) p, __ATOMIC_RELAXED);
}


void
__tsan_volatile_read2(void *p)
{
    (void) __atomic_load_n((uint16_t *) p, __ATOMIC_RELAXED);
}


void
__tsan_volatile_read4(void *p)
{
    (void) __atomic_load_n((uint32_t *) p, __ATOMIC_RELAXED);
}


void
__tsan_volatile_read8(void *p)
{
    (void) __atomic_load_n((uint64_t *) p, __ATOMIC_RELAXED);
}


/* the write itself comes after the call: until then the word stays as it is */

void
__tsan_volatile_write1(void *p)
{
    (void) __atomic_fetch_add((uint8_t *) p, 0, __ATOMIC_RELAXED);
}


void
__tsan_volatile_write2(void *p)
{
    (void) __atomic_fetch_add((uint16_t *) p, 0, __ATOMIC_RELAXED);
}


void
__tsan_volatile_write4(void *p)
{
    (void) __atomic_fetch_add((uint32_t *) p, 0, __ATOMIC_RELAXED);
}


void
__tsan_volatile_write8(void *p)
{
    (void) __atomic_fetch_add((uint64_t *) p, 0, __ATOMIC_RELAXED);
}
