
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A watch of all stores of the rooms under test.
 *
 * They are compiled with -fsanitize=thread but linked with this file instead
 * of the sanitizer's library: so each access to memory calls a function
 * below, before it is done.  memcpy() and memset() are wrapped by the linker
 * and done in two halves.
 */


#include "watch.h"


typedef struct {
    u_char                *start;
    u_char                *end;
    void                 (*moment)(void);
} watch_t;


static ngx_uint_t watch_covers(void *addr, size_t size);
static void watch_store(void *addr, size_t size);


ngx_uint_t  watch_affords = 12;


static watch_t  watch;


void *__real_memcpy(void *dst, const void *src, size_t n);
void *__real_memset(void *dst, int c, size_t n);


void
watch_run(u_char *addr, size_t size, void (*moment)(void),
    void (*do_it)(void))
{
    watch_t  outer;

    outer = watch;

    watch.start = addr;
    watch.end = addr + size;
    watch.moment = moment;

    do_it();

    watch = outer;
}


ngx_uint_t
watch_works(void)
{
    return 1;
}


static ngx_uint_t
watch_covers(void *addr, size_t size)
{
    u_char  *p;

    p = addr;

    return watch.moment && size && p < watch.end && p + size > watch.start;
}


static void
watch_store(void *addr, size_t size)
{
    watch_t  outer;

    if (!watch_covers(addr, size)) {
        return;
    }

    unit_check((u_char *) addr >= watch.start
               && (u_char *) addr + size <= watch.end,
               "a store over the end of the zone");

    outer = watch;
    watch.moment = NULL;

    outer.moment();

    watch = outer;
}


void *
__wrap_memcpy(void *dst, const void *src, size_t n)
{
    watch_store(dst, n);

    if (watch_covers(dst, n)) {
        __real_memcpy(dst, src, n / 2);
        watch_store(dst, n);
        __real_memcpy((u_char *) dst + n / 2, (u_char *) src + n / 2,
                      n - n / 2);
        return dst;
    }

    return __real_memcpy(dst, src, n);
}


void *
__wrap_memset(void *dst, int c, size_t n)
{
    watch_store(dst, n);

    if (watch_covers(dst, n)) {
        __real_memset(dst, c, n / 2);
        watch_store(dst, n);
        __real_memset((u_char *) dst + n / 2, c, n - n / 2);
        return dst;
    }

    return __real_memset(dst, c, n);
}


/* what the compiler calls */

#define watch_access(size)                                                    \
    void __tsan_read##size(void *addr);                                       \
    void __tsan_write##size(void *addr);                                      \
    void __tsan_unaligned_read##size(void *addr);                             \
    void __tsan_unaligned_write##size(void *addr);                            \
    void __tsan_read_write##size(void *addr);                                 \
    void __tsan_unaligned_read_write##size(void *addr);                       \
    void __tsan_volatile_read##size(void *addr);                              \
    void __tsan_volatile_write##size(void *addr);                             \
    void __tsan_read##size(void *addr) { }                                    \
    void __tsan_unaligned_read##size(void *addr) { }                          \
    void __tsan_volatile_read##size(void *addr) { }                           \
    void __tsan_write##size(void *addr) { watch_store(addr, size); }          \
    void __tsan_unaligned_write##size(void *addr) { watch_store(addr, size); }\
    void __tsan_volatile_write##size(void *addr) { watch_store(addr, size); } \
    void __tsan_read_write##size(void *addr) { watch_store(addr, size); }     \
    void __tsan_unaligned_read_write##size(void *addr)                        \
        { watch_store(addr, size); }

watch_access(1)
watch_access(2)
watch_access(4)
watch_access(8)
watch_access(16)

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_read_range(void *addr, unsigned long size);
void __tsan_write_range(void *addr, unsigned long size);
unsigned long __tsan_atomic64_load(unsigned long *addr, int order);
unsigned long __tsan_atomic64_fetch_add(unsigned long *addr, unsigned long n,
    int order);


void
__tsan_init(void)
{
}


void
__tsan_func_entry(void *caller)
{
}


void
__tsan_func_exit(void)
{
}


void
__tsan_read_range(void *addr, unsigned long size)
{
}


void
__tsan_write_range(void *addr, unsigned long size)
{
    watch_store(addr, size);
}


/* counters: no step has them */
unsigned long
__tsan_atomic64_load(unsigned long *addr, int order)
{
    (void) order;

    return *addr;
}


unsigned long
__tsan_atomic64_fetch_add(unsigned long *addr, unsigned long n, int order)
{
    unsigned long  old;

    (void) order;

    watch_store(addr, 8);

    old = *addr;
    *addr = old + n;

    return old;
}
