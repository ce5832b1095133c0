
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The swap of a repaired journal for the damaged one, on folders that lose what
 * they may lose: a name that is made, changed or removed is seen at once, and
 * is on the disk only when a folder that it is in was synced; before, it may be
 * there or not, whatever became of others.  A rename is one change.
 *
 *     repair_swap              the power is cut at each call, and again at each
 *                              call of the repair behind it, and then in any
 *                              way that is left; and each call fails
 *     repair_swap N            likewise, but the N-th place that syncs does not
 *
 * Whoever looks finds the old journal whole, or the new one whole and the old
 * one's files kept, or a swap that is open, which keeps all others off; who
 * goes on comes to the end.
 */


#include "unit.h"
#include "ngx_msgbus_journal.h"
#include "../../tools/journal/msgbus_journal_swap.h"
#include <dirent.h>
#include <setjmp.h>


#define LEAVE     NGX_MSGBUS_JOURNAL_REPAIR_LEAVE
#define ENTER     NGX_MSGBUS_JOURNAL_REPAIR_ENTER
#define MARK      NGX_MSGBUS_JOURNAL_MARK_FILE

#define OBJECTS   64
#define NAMES     100
#define CHANGES   100
#define FDS       16
#define OLD       3        /* segments of the old one; and its mark */
#define NEW       4        /* of the new one, some with the same names */
#define ROUNDS    40


/* a name, in a folder; objects from 1 on, 1 is the journal's folder */
typedef struct {
    int                    in;
    char                   name[64];
    int                    object;
} entry_t;


typedef struct {
    entry_t                names[NAMES];
    ngx_uint_t             n;
} tree_t;


/* a name that goes, one that comes, or both */
typedef struct {
    entry_t                gone;
    entry_t                come;
} change_t;


static void begin(void);
static int run(void);
static ngx_uint_t look(ngx_uint_t *whole);
static ngx_uint_t has(tree_t *t, int in, int first, ngx_uint_t n);
static entry_t *find(tree_t *t, int in, const char *name);
static int resolve(int in, const char *path, const char **last);
static void apply(tree_t *t, change_t *c);
static void change(entry_t *gone, int in, const char *name, int object);
static void cut(void);
static ngx_uint_t call(void);
static ngx_uint_t dies(ngx_uint_t at);
static void check_cut(ngx_uint_t first, ngx_uint_t second);
static void check_cuts(void);
static void check_failures(void);


static tree_t      seen, disk;
static change_t    changes[CHANGES];
static ngx_uint_t  nchanges;

static int         objects;                /* so far */
static int         is_folder[OBJECTS];
static int         fds[FDS];
static ngx_uint_t  listed[FDS];            /* names read by readdir() */

static ngx_uint_t  calls, die_at, fail_at, failed;
static ngx_uint_t  syncs, no_sync;
static jmp_buf     death;
static ngx_uint_t  cuts, opened, olds, news;


int
main(int argc, char **argv)
{
    ngx_uint_t  i;

    unit_init();

    /* what the swap says, it says to nobody */

    (void) dup2(STDOUT_FILENO, STDERR_FILENO);

    no_sync = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;

    for (i = 0; i < ROUNDS; i++) {
        check_cuts();
    }

    check_failures();

    printf("cuts: %lu\n", (unsigned long) cuts);
    printf("open: %lu\n", (unsigned long) opened);
    printf("old: %lu\n", (unsigned long) olds);
    printf("new: %lu\n", (unsigned long) news);

    return 0;
}


/* a damaged journal, all of it on the disk */
static void
begin(void)
{
    ngx_uint_t  i;

    memset(&seen, 0, sizeof(seen));
    memset(is_folder, 0, sizeof(is_folder));
    memset(fds, 0, sizeof(fds));

    objects = 1;
    is_folder[1] = 1;
    nchanges = 0;
    calls = 0;
    failed = 0;
    fds[3] = 1;

    for (i = 0; i < OLD; i++) {
        seen.names[i].in = 1;
        seen.names[i].object = ++objects;
        sprintf(seen.names[i].name, "%d.journal", (int) i);
    }

    seen.names[i].in = 1;
    seen.names[i].object = ++objects;
    strcpy(seen.names[i].name, MARK);

    seen.n = i + 1;
    objects = OBJECTS / 2;
    disk = seen;
}


/*
 * A repair, from wherever the last one ended.  The new files are on the disk
 * when the swap begins, but not their names.
 */
static int
run(void)
{
    int          rc, made;
    char         name[16];
    entry_t     *e;
    ngx_uint_t   i, whole;

    syncs = 0;

    if (!swap_is_open(3)) {

        (void) look(&whole);

        if (whole == 2) {
            return 0;
        }

        rc = swap_make(3);

        if (rc == 0) {
            e = find(&seen, 1, SWAP_MAKE);
            made = e->object;

            for (i = 0; i <= NEW; i++) {
                sprintf(name, "%d.journal", (int) i + 1);
                change(NULL, made, i < NEW ? name : MARK,
                       OBJECTS - NEW - 1 + i);
            }

            rc = swap_begin(3, 1);
        }

        if (rc != 0) {
            if (!swap_is_open(3)) {
                swap_forget(3);
            }

            return rc;
        }
    }

    return swap_finish("journal", 3);
}


/* is a swap open?  whole: 1 the old one, 2 the new one with the old one kept */
static ngx_uint_t
look(ngx_uint_t *whole)
{
    ngx_uint_t  i, open;

    open = find(&seen, 1, LEAVE) || find(&seen, 1, ENTER);
    *whole = 0;

    if (has(&seen, 1, 2, OLD + 1)) {
        *whole = 1;
    }

    if (has(&seen, 1, OBJECTS - NEW - 1, NEW + 1)) {

        for (i = 0; i < seen.n; i++) {

            if (seen.names[i].in == 1
                && strncmp(seen.names[i].name, "damaged-", 8) == 0
                && has(&seen, seen.names[i].object, 2, OLD + 1))
            {
                *whole = 2;
            }
        }
    }

    return open;
}


/* are these the files of a folder, all of them, and no others? */
static ngx_uint_t
has(tree_t *t, int in, int first, ngx_uint_t n)
{
    ngx_uint_t  i, found;

    found = 0;

    for (i = 0; i < t->n; i++) {

        if (t->names[i].in != in || is_folder[t->names[i].object]) {
            continue;
        }

        if (t->names[i].object < first
            || t->names[i].object >= first + (int) n)
        {
            return 0;
        }

        found++;
    }

    return found == n;
}


static entry_t *
find(tree_t *t, int in, const char *name)
{
    ngx_uint_t  i;

    for (i = 0; i < t->n; i++) {
        if (t->names[i].in == in && strcmp(t->names[i].name, name) == 0) {
            return &t->names[i];
        }
    }

    return NULL;
}


/* the folder that the last part of a path is in; 0: there is none */
static int
resolve(int in, const char *path, const char **last)
{
    char         part[64];
    entry_t     *e;
    const char  *slash;

    while ((slash = strchr(path, '/')) != NULL) {
        sprintf(part, "%.*s", (int) (slash - path), path);

        e = find(&seen, in, part);

        if (e == NULL) {
            return 0;
        }

        in = e->object;
        path = slash + 1;
    }

    *last = path;

    return in;
}


static void
apply(tree_t *t, change_t *c)
{
    entry_t  *e;

    if (c->gone.in) {
        e = find(t, c->gone.in, c->gone.name);

        if (e && e->object == c->gone.object) {
            *e = t->names[--t->n];
        }
    }

    if (c->come.in) {
        e = find(t, c->come.in, c->come.name);

        if (e == NULL) {
            unit_check(t->n < NAMES, "too many names");
            e = &t->names[t->n++];
        }

        *e = c->come;
    }
}


static void
change(entry_t *gone, int in, const char *name, int object)
{
    change_t  *c;

    unit_check(nchanges < CHANGES, "too many changes");

    c = &changes[nchanges++];
    memset(c, 0, sizeof(change_t));

    if (gone) {
        c->gone = *gone;
    }

    if (in) {
        c->come.in = in;
        c->come.object = object;
        strcpy(c->come.name, name);
    }

    apply(&seen, c);
}


/* what was not synced is on the disk, or not, change by change */
static void
cut(void)
{
    ngx_uint_t  i, odds;

    odds = unit_below(4);

    for (i = 0; i < nchanges; i++) {
        if (odds == 3 || unit_below(3) < odds) {
            apply(&disk, &changes[i]);
        }
    }

    seen = disk;
    nchanges = 0;
    cuts++;

    memset(fds, 0, sizeof(fds));
    fds[3] = 1;
}


/* before each call of the system: 1: it fails; or this is the end */
static ngx_uint_t
call(void)
{
    calls++;

    if (calls == die_at) {
        longjmp(death, 1);
    }

    if (calls == fail_at) {
        failed = 1;
        errno = EIO;

        return 1;
    }

    return 0;
}


/* a repair that ends at this call, if it has so many */
static ngx_uint_t
dies(ngx_uint_t at)
{
    calls = 0;
    die_at = at;

    if (setjmp(death)) {
        die_at = 0;
        return 1;
    }

    (void) run();
    die_at = 0;

    return 0;
}


/* the power is cut: what is left? */
static void
check_cut(ngx_uint_t first, ngx_uint_t second)
{
    ngx_uint_t  open, whole;

    cut();

    open = look(&whole);

    unit_check(open || whole, "half a journal, and no swap is open, after "
               "%lu calls, %lu calls", (unsigned long) first,
               (unsigned long) second);

    opened += open;
    olds += !open && whole == 1;
    news += !open && whole == 2;
}


/* at each call, then at each call of the next repair, and then no more */
static void
check_cuts(void)
{
    ngx_uint_t  whole, first, second, more, again;

    more = 1;

    for (first = 1; more; first++) {
        again = 1;

        for (second = 0; again; second++) {
            begin();
            unit_step++;

            more = dies(first);
            again = more;

            if (more) {
                check_cut(first, 0);

                if (second) {
                    again = dies(second);

                    if (again) {
                        check_cut(first, second);
                    }
                }
            }

            unit_check(run() < 2 && !look(&whole) && whole == 2,
                       "it does not come to an end, after %lu calls, %lu calls",
                       (unsigned long) first, (unsigned long) second);

            /* what was said to be done is done */

            cut();

            unit_check(!look(&whole) || find(&seen, 1, ENTER), "it begins anew");
            unit_check(whole == 2, "a swap that has ended is undone");
        }
    }
}


/* each call fails, and then the power is cut, or not */
static void
check_failures(void)
{
    int         rc;
    ngx_uint_t  open, whole, i;

    die_at = 0;

    for (fail_at = 1, failed = 1; failed; fail_at++) {
        for (i = 0; i < 2; i++) {

            begin();
            unit_step++;

            rc = run();
            open = look(&whole);

            unit_check(open || whole, "half a journal after call %lu failed",
                       (unsigned long) fail_at);
            unit_check(rc == 2 || whole == 2, "it is said to be well when "
                       "call %lu has failed", (unsigned long) fail_at);

            if (i) {
                cut();
                open = look(&whole);

                unit_check(open || whole, "half a journal, cut after call %lu "
                           "had failed", (unsigned long) fail_at);
            }

            /* by now it goes well */

            calls = fail_at;

            unit_check(run() < 2 && !look(&whole) && whole == 2,
                       "it does not come to an end after call %lu failed",
                       (unsigned long) fail_at);
        }
    }
}


/* --- the calls of the system */

int __wrap_openat(int fd, const char *path, int flags, ...);
int __wrap_openat64(int fd, const char *path, int flags, ...);
int __wrap_close(int fd);
int __wrap_fsync(int fd);
int __wrap_renameat(int from, const char *one, int to, const char *two);
int __wrap_mkdirat(int fd, const char *path, mode_t mode);
int __wrap_unlinkat(int fd, const char *path, int flags);
int __wrap_faccessat(int fd, const char *path, int mode, int flags);
DIR *__wrap_fdopendir(int fd);
struct dirent *__wrap_readdir(DIR *dir);
struct dirent *__wrap_readdir64(DIR *dir);
int __wrap_closedir(DIR *dir);


int
__wrap_openat(int fd, const char *path, int flags, ...)
{
    int          in, i;
    entry_t     *e;
    const char  *name;

    if (call()) {
        return -1;
    }

    in = resolve(fds[fd], path, &name);
    e = in ? find(&seen, in, name) : NULL;

    if (e == NULL && in && (flags & O_CREAT)) {
        change(NULL, in, name, ++objects);
        e = find(&seen, in, name);
    }

    if (e == NULL) {
        errno = ENOENT;
        return -1;
    }

    for (i = 4; fds[i]; i++) {
        unit_check(i < FDS - 1, "too many descriptors are open");
    }

    fds[i] = e->object;
    listed[i] = 0;

    return i;
}


int
__wrap_openat64(int fd, const char *path, int flags, ...)
{
    return __wrap_openat(fd, path, flags);
}


int
__wrap_close(int fd)
{
    fds[fd] = 0;

    return 0;
}


int
__wrap_fsync(int fd)
{
    ngx_uint_t  i, k;

    if (call()) {
        return -1;
    }

    if (++syncs == no_sync) {
        return 0;
    }

    for (i = 0, k = 0; i < nchanges; i++) {

        if (changes[i].gone.in == fds[fd] || changes[i].come.in == fds[fd]) {
            apply(&disk, &changes[i]);

        } else {
            changes[k++] = changes[i];
        }
    }

    nchanges = k;

    return 0;
}


int
__wrap_renameat(int from, const char *one, int to, const char *two)
{
    int          in, out;
    entry_t     *e, *old;
    ngx_uint_t   i;
    const char  *name, *was;

    if (call()) {
        return -1;
    }

    out = resolve(fds[from], one, &was);
    e = out ? find(&seen, out, was) : NULL;
    in = resolve(fds[to], two, &name);

    if (e == NULL || in == 0) {
        errno = ENOENT;
        return -1;
    }

    old = find(&seen, in, name);

    for (i = 0; old && is_folder[old->object] && i < seen.n; i++) {
        if (seen.names[i].in == old->object) {
            errno = ENOTEMPTY;
            return -1;
        }
    }

    unit_check(old == NULL || is_folder[old->object],
               "%s is written over", name);

    change(e, in, name, e->object);

    return 0;
}


int
__wrap_mkdirat(int fd, const char *path, mode_t mode)
{
    int          in;
    const char  *name;

    if (call()) {
        return -1;
    }

    in = resolve(fds[fd], path, &name);

    if (in == 0 || find(&seen, in, name)) {
        errno = in ? EEXIST : ENOENT;
        return -1;
    }

    is_folder[++objects] = 1;
    change(NULL, in, name, objects);

    return 0;
}


int
__wrap_unlinkat(int fd, const char *path, int flags)
{
    entry_t     *e;
    ngx_uint_t   i;

    if (call()) {
        return -1;
    }

    e = find(&seen, fds[fd], path);

    if (e == NULL) {
        errno = ENOENT;
        return -1;
    }

    for (i = 0; i < seen.n; i++) {
        if (seen.names[i].in == e->object) {
            errno = ENOTEMPTY;
            return -1;
        }
    }

    unit_check(e->object > OLD + 2, "%s of the old journal is removed", path);

    change(e, 0, NULL, 0);

    return 0;
}


int
__wrap_faccessat(int fd, const char *path, int mode, int flags)
{
    int          in;
    const char  *name;

    in = resolve(fds[fd], path, &name);

    if (in && find(&seen, in, name)) {
        return 0;
    }

    errno = ENOENT;

    return -1;
}


DIR *
__wrap_fdopendir(int fd)
{
    return (DIR *) (intptr_t) fd;
}


struct dirent *
__wrap_readdir(DIR *dir)
{
    int                    fd;
    ngx_uint_t             i;

    static struct dirent   de;

    fd = (int) (intptr_t) dir;

    /* the last one first: the one that was told may have gone meanwhile */

    for (i = seen.n; i; i--) {

        if (seen.names[i - 1].in == fds[fd] && listed[fd]++ < NAMES) {
            strcpy(de.d_name, seen.names[i - 1].name);
            return &de;
        }
    }

    return NULL;
}


struct dirent *
__wrap_readdir64(DIR *dir)
{
    return __wrap_readdir(dir);
}


int
__wrap_closedir(DIR *dir)
{
    fds[(intptr_t) dir] = 0;

    return 0;
}


/* --- what the swap needs of the journal's rooms */

ngx_msgbus_disk_t  ngx_msgbus_disk;


ngx_int_t
ngx_msgbus_journal_list(ngx_msgbus_disk_t *d, int folder,
    ngx_msgbus_journal_list_t *list)
{
    ngx_uint_t                            i;

    static ngx_msgbus_journal_segment_t   segments[NAMES];

    if (call()) {
        return NGX_ERROR;
    }

    list->elts = segments;
    list->n = 0;

    for (i = 0; i < seen.n; i++) {

        if (seen.names[i].in == fds[folder]
            && strstr(seen.names[i].name, ".journal"))
        {
            segments[list->n++].sequence = atoi(seen.names[i].name);
        }
    }

    return NGX_OK;
}


void
ngx_msgbus_journal_list_free(ngx_msgbus_journal_list_t *list)
{
}


void
ngx_msgbus_journal_name(char *name, uint64_t sequence, uint64_t first_id)
{
    sprintf(name, "%d.journal", (int) sequence);
}
