
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Preloaded into nginx: the so-manieth call fails by which the module asks for
 * memory, or anything else that may be refused.
 *
 * nginx's own functions cannot be replaced by a preloaded library.  But the
 * module is loaded by dlopen(), which can; and then its table of addresses (GOT)
 * is changed, so that its calls come by here, and nobody else's do.
 *
 * $NTH_CALL is a file of numbers that the test shares with all processes, as
 * nth_call_t has them.  A thread beside the event loop has counts of its own.
 * Memory that a call gets is filled with rubbish: what reads it unset is seen.
 * What is given back with free() is counted too: "live" is what the module holds
 * of memory that is no pool's.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>


#define NTH_PLACES  1024


/* of whom are the calls: the event loop's (or the master's), other threads' */

typedef struct {
    int64_t       fail;      /* which of the calls from now on; 0: none */
    int64_t       calls;     /* so many so far */
    int64_t       failed;    /* 1: it has failed */
    int64_t       place;     /*    where, in the module */
    char          name[32];  /*    and what */
} nth_whose_t;


typedef struct {
    int64_t       pid;       /* only this process; -pid: any but it; 0: any */
    int64_t       live;      /* blocks of malloc() that the module has */
    nth_whose_t   whose[2];
    int64_t       seen[NTH_PLACES];    /* the places of calls */
    int64_t       refused[NTH_PLACES];
} nth_call_t;


typedef long (*nth_pt)(long a, long b, long c, long d, long e, long f);


typedef struct {
    const char   *name;
    nth_pt        ours;
    nth_pt        real;
} nth_wrapped_t;


static nth_call_t     *shared;
static char           *base;
static nth_wrapped_t   wrapped[];

static int counts(void);
static int refused(int which, void *caller, int err);
static void patch(struct link_map *map);
static void patch_table(struct link_map *map, ElfW(Rela) *rela, size_t n,
    ElfW(Sym) *symbols, char *strings);
static void lives(long n);
static void spoil(int which, void *p, long a, long b);


/*
 * What is refused, what comes back then, errno, and whether free() takes it back
 * (2: if it was not there before).  Arguments are integers and addresses, which
 * go where longs do.
 */

#define CALLS                                                                 \
    W(ngx_alloc, 0, ENOMEM, 1)                                                \
    W(ngx_calloc, 0, ENOMEM, 1)                                               \
    W(ngx_memalign, 0, ENOMEM, 1)                                             \
    W(malloc, 0, ENOMEM, 1)                                                   \
    W(calloc, 0, ENOMEM, 1)                                                   \
    W(realloc, 0, ENOMEM, 2)                                                  \
    W(ngx_palloc, 0, ENOMEM, 0)                                               \
    W(ngx_pcalloc, 0, ENOMEM, 0)                                              \
    W(ngx_pnalloc, 0, ENOMEM, 0)                                              \
    W(ngx_pstrdup, 0, ENOMEM, 0)                                              \
    W(ngx_alloc_chain_link, 0, ENOMEM, 0)                                     \
    W(ngx_array_create, 0, ENOMEM, 0)                                         \
    W(ngx_array_push, 0, ENOMEM, 0)                                           \
    W(ngx_array_push_n, 0, ENOMEM, 0)                                         \
    W(ngx_create_pool, 0, ENOMEM, 0)                                          \
    W(ngx_create_temp_buf, 0, ENOMEM, 0)                                      \
    W(ngx_list_push, 0, ENOMEM, 0)                                            \
    W(ngx_pool_cleanup_add, 0, ENOMEM, 0)                                     \
    W(ngx_slab_alloc, 0, ENOMEM, 0)                                           \
    W(ngx_slab_calloc, 0, ENOMEM, 0)                                          \
    W(ngx_get_connection, 0, EMFILE, 0)                                       \
    W(ngx_shared_memory_add, 0, ENOMEM, 0)                                    \
    W(ngx_http_add_variable, 0, ENOMEM, 0)                                    \
    W(ngx_http_create_request, 0, ENOMEM, 0)                                  \
    W(ngx_http_get_indexed_variable, 0, ENOMEM, 0)                            \
    W(yajl_alloc, 0, ENOMEM, 0)                                               \
    W(EVP_MD_CTX_new, 0, ENOMEM, 0)                                           \
    W(EVP_DigestInit_ex, 0, ENOMEM, 0)                                        \
    W(EVP_DigestUpdate, 0, ENOMEM, 0)                                         \
    W(EVP_DigestFinal_ex, 0, ENOMEM, 0)                                       \
    W(ngx_http_complex_value, -1, ENOMEM, 0)                                  \
    W(ngx_handle_write_event, -1, ENOMEM, 0)                                  \
    W(ngx_connection_local_sockaddr, -1, ENOMEM, 0)                           \
    W(ngx_http_set_exten, 0, 0, 0)                                            \
    W(ngx_http_discard_request_body, 500, ENOMEM, 0)                          \
    W(ngx_http_read_client_request_body, 500, ENOMEM, 0)                      \
    W(ngx_http_read_unbuffered_request_body, 500, ENOMEM, 0)                  \
    W(ngx_http_send_header, -1, ENOMEM, 0)                                    \
    W(ngx_http_send_special, -1, ENOMEM, 0)                                   \
    W(ngx_http_output_filter, -1, ENOMEM, 0)                                  \
    W(ngx_http_write_filter, -1, ENOMEM, 0)                                   \
    W(ngx_read_file, -1, EIO, 0)                                              \
    W(eventfd, -1, EMFILE, 0)                                                 \
    W(pthread_create, EAGAIN, 0, 0)                                           \
    W(pthread_mutex_init, ENOMEM, 0, 0)                                       \
    W(pthread_cond_init, ENOMEM, 0, 0)                                        \
    W(pthread_condattr_init, ENOMEM, 0, 0)                                    \
    W(pthread_attr_init, ENOMEM, 0, 0)                                        \
    W(mmap64, -1, ENOMEM, 0)                                                  \
    W(open64, -1, EMFILE, 0)                                                  \
    W(openat64, -1, EMFILE, 0)                                                \
    W(pread64, -1, EIO, 0)                                                    \
    W(fdopendir, 0, ENOMEM, 0)                                                \
    W(mkdir, -1, ENOSPC, 0)                                                   \
    W(fstat64, -1, EIO, 0)                                                    \
    W(stat64, -1, EIO, 0)                                                     \
    W(statfs64, -1, EIO, 0)                                                   \
    W(flock, -1, ENOLCK, 0)                                                   \
    W(mongoc_uri_new_with_error, 0, 0, 0)                                     \
    W(mongoc_client_new_from_uri, 0, 0, 0)


#define W(name, value, err, memory)  nth_##name,

enum {
    CALLS
    NTH_N
};

#undef W


#define W(name, value, err, memory)                                           \
    static long                                                               \
    ours_##name(long a, long b, long c, long d, long e, long f)               \
    {                                                                         \
        long  r;                                                              \
                                                                              \
        if (refused(nth_##name, __builtin_return_address(0), err)) {          \
            return value;                                                     \
        }                                                                     \
                                                                              \
        r = wrapped[nth_##name].real(a, b, c, d, e, f);                       \
                                                                              \
        if (memory && r && (memory == 1 || a == 0)) {                         \
            lives(1);                                                         \
        }                                                                     \
                                                                              \
        spoil(nth_##name, (void *) r, a, b);                                  \
                                                                              \
        return r;                                                             \
    }

CALLS

#undef W


static void
ours_free(void *p)
{
    lives(-(p != NULL));

    free(p);
}


#define W(name, value, err, memory)  { #name, ours_##name, NULL },

static nth_wrapped_t  wrapped[] = { CALLS };

#undef W


static void
lives(long n)
{
    if (counts()) {
        __atomic_add_fetch(&shared->live, n, __ATOMIC_RELAXED);
    }
}


/* memory that nobody has set yet is not left to be zero by good luck */
static void
spoil(int which, void *p, long a, long b)
{
    size_t  size;

    switch (which) {

    case nth_ngx_alloc:
    case nth_malloc:
        size = (size_t) a;
        break;

    case nth_ngx_memalign:
    case nth_ngx_palloc:
    case nth_ngx_pnalloc:
        size = (size_t) b;
        break;

    /* of an element, as ngx_list_t and ngx_array_t have it */

    case nth_ngx_list_push:
        size = ((size_t *) a)[4];
        break;

    case nth_ngx_array_push:
        size = ((size_t *) a)[2];
        break;

    default:
        return;
    }

    if (p && counts()) {
        memset(p, 0xbe, size);
    }
}


static int
counts(void)
{
    return shared->pid > 0 ? shared->pid == getpid() : -shared->pid != getpid();
}


/* has this call to fail?  Then errno is set */
static int
refused(int which, void *caller, int err)
{
    int           i;
    int64_t       n, place;
    nth_whose_t  *whose;

    if (!counts()) {
        return 0;
    }

    place = (char *) caller - base;
    whose = &shared->whose[syscall(SYS_gettid) != getpid()];

    n = __atomic_add_fetch(&whose->calls, 1, __ATOMIC_SEQ_CST);

    for (i = 0; i < NTH_PLACES; i++) {
        if (shared->seen[i] == 0) {
            shared->seen[i] = place;
        }

        if (shared->seen[i] == place) {
            break;
        }
    }

    if (n != whose->fail) {
        return 0;
    }

    if (i < NTH_PLACES) {
        shared->refused[i] = place;
    }

    whose->place = place;
    (void) snprintf(whose->name, sizeof(whose->name), "%s",
                    wrapped[which].name);
    whose->failed = 1;

    errno = err;

    return 1;
}


void *
dlopen(const char *path, int flags)
{
    void             *handle;
    struct link_map  *map;

    static void     *(*real)(const char *path, int flags);

    if (real == NULL) {
        real = (void *(*)(const char *, int)) dlsym(RTLD_NEXT, "dlopen");
    }

    handle = real(path, flags);

    if (handle && path && strstr(path, "ngx_http_msgbus_module")
        && getenv("NTH_CALL")
        && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0)
    {
        patch(map);
    }

    return handle;
}


static void
patch(struct link_map *map)
{
    int           fd, i;
    char         *strings;
    size_t        n[2];
    ElfW(Dyn)    *d;
    ElfW(Sym)    *symbols;
    ElfW(Rela)   *rela[2];

    if (shared == NULL) {
        fd = open(getenv("NTH_CALL"), O_RDWR|O_CLOEXEC);

        if (fd == -1) {
            return;
        }

        shared = mmap(NULL, sizeof(nth_call_t), PROT_READ|PROT_WRITE,
                      MAP_SHARED, fd, 0);
        close(fd);

        if (shared == MAP_FAILED) {
            abort();
        }
    }

    base = (char *) map->l_addr;

    rela[0] = NULL;
    rela[1] = NULL;
    n[0] = 0;
    n[1] = 0;
    symbols = NULL;
    strings = NULL;

    for (d = map->l_ld; d->d_tag != DT_NULL; d++) {

        switch (d->d_tag) {

        case DT_JMPREL:
            rela[0] = (ElfW(Rela) *) d->d_un.d_ptr;
            break;

        case DT_PLTRELSZ:
            n[0] = d->d_un.d_val / sizeof(ElfW(Rela));
            break;

        case DT_RELA:
            rela[1] = (ElfW(Rela) *) d->d_un.d_ptr;
            break;

        case DT_RELASZ:
            n[1] = d->d_un.d_val / sizeof(ElfW(Rela));
            break;

        case DT_SYMTAB:
            symbols = (ElfW(Sym) *) d->d_un.d_ptr;
            break;

        case DT_STRTAB:
            strings = (char *) d->d_un.d_ptr;
            break;
        }
    }

    for (i = 0; i < NTH_N; i++) {
        wrapped[i].real = (nth_pt) dlsym(RTLD_DEFAULT, wrapped[i].name);
    }

    for (i = 0; i < 2; i++) {
        patch_table(map, rela[i], n[i], symbols, strings);
    }
}


static void
patch_table(struct link_map *map, ElfW(Rela) *rela, size_t n,
    ElfW(Sym) *symbols, char *strings)
{
    int      i;
    char    *page, *name;
    void    *ours, **slot;
    size_t   size;

    size = (size_t) sysconf(_SC_PAGESIZE);

    for (/* void */; n; n--, rela++) {

        /* a name that is no part of an expression: an entry of the table */

        name = strings + symbols[ELF64_R_SYM(rela->r_info)].st_name;

        if (*name == '\0' || rela->r_addend) {
            continue;
        }

        ours = strcmp(name, "free") == 0 ? (void *) ours_free : NULL;

        for (i = 0; i < NTH_N; i++) {
            if (strcmp(name, wrapped[i].name) == 0) {
                ours = (void *) wrapped[i].ours;
            }
        }

        if (ours == NULL) {
            continue;
        }

        slot = (void **) (map->l_addr + rela->r_offset);
        page = (char *) ((uintptr_t) slot & ~(uintptr_t) (size - 1));

        if (mprotect(page, size, PROT_READ|PROT_WRITE) == -1) {
            abort();
        }

        *slot = ours;
    }
}
