
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Preloaded into a program: calls on the files of a folder fail as told.
 *
 * $FAULTY is a folder that anybody may write to.  A file in it that has the
 * name of a call, "pwrite", "fsync", "fdatasync", "fallocate", "ftruncate",
 * "rename", "unlink", "mkdir", "open" (of a file that may be made), "keep" (of
 * the one that is named so), or "all", holds the errno with which it fails, and
 * perhaps how many times; a file "statfs" the type of file system that is told;
 * "slow" how many ms an fsync of a file takes whose name begins with "make-".
 * Only files in folders count whose path has $FAULTY_IN in it.
 *
 * With $KILL_AT the process kills itself before the so-manieth call that
 * changes something; with $FAULTY_QUICK nothing is synced.
 */


#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>


static int fails(const char *call, int fd, const char *path);
static int told(const char *call, long *value);
static int counts(int fd, const char *path);
static void slow(int fd);


/* is this call to fail?  Then errno is set */
static int
fails(const char *call, int fd, const char *path)
{
    long  err;

    if (!counts(fd, path)) {
        return 0;
    }

    if (told(call, &err) || told("all", &err)) {
        errno = (int) err;
        return 1;
    }

    return 0;
}


static int
told(const char *call, long *value)
{
    int          fd, times;
    char         name[4096], text[64];
    ssize_t      n;
    const char  *folder;

    folder = getenv("FAULTY");

    if (folder == NULL) {
        return 0;
    }

    (void) snprintf(name, sizeof(name), "%s/%s", folder, call);

    fd = (int) syscall(SYS_openat, AT_FDCWD, name, O_RDWR|O_CLOEXEC, 0);

    if (fd == -1) {
        return 0;
    }

    n = read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';

    switch (sscanf(text, "%li %d", value, &times)) {

    case 2:

        if (times == 0) {
            close(fd);
            return 0;
        }

        n = snprintf(text, sizeof(text), "%ld %d\n", *value, times - 1);

        if (syscall(SYS_pwrite64, fd, text, (size_t) n, (off_t) 0) != n) {
            abort();
        }

        break;

    case 1:
        break;

    default:
        close(fd);
        return 0;
    }

    close(fd);

    return 1;
}


/* a call that changes something; one too many for who is to be killed */
static int
counts(int fd, const char *path)
{
    char         link[64], name[4096];
    ssize_t      n;
    const char  *in, *at;

    static int   calls;

    in = getenv("FAULTY_IN");

    if (in == NULL) {
        return 0;
    }

    if (path == NULL || path[0] != '/') {
        (void) snprintf(link, sizeof(link),
                        fd == AT_FDCWD ? "/proc/self/cwd"
                                       : "/proc/self/fd/%d", fd);

        n = readlink(link, name, sizeof(name) - 1);
        name[n > 0 ? n : 0] = '\0';
        path = name;
    }

    if (strstr(path, in) == NULL) {
        return 0;
    }

    at = getenv("KILL_AT");

    if (at && ++calls == atoi(at)) {
        kill(getpid(), SIGKILL);
    }

    return 1;
}


/* a file that is made ahead comes to the disk slowly */
static void
slow(int fd)
{
    char     link[64], name[4096];
    long     ms;
    ssize_t  n;

    (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, name, sizeof(name) - 1);
    name[n > 0 ? n : 0] = '\0';

    if (strstr(name, "/make-") && told("slow", &ms)) {
        usleep((useconds_t) ms * 1000);
    }
}


ssize_t
pwrite64(int fd, const void *p, size_t len, off64_t offset)
{
    return fails("pwrite", fd, NULL) ? -1
           : syscall(SYS_pwrite64, fd, p, len, offset);
}


ssize_t
pwrite(int fd, const void *p, size_t len, off_t offset)
{
    return pwrite64(fd, p, len, offset);
}


int
fsync(int fd)
{
    slow(fd);

    return fails("fsync", fd, NULL) ? -1
           : getenv("FAULTY_QUICK") ? 0 : (int) syscall(SYS_fsync, fd);
}


int
fdatasync(int fd)
{
    return fails("fdatasync", fd, NULL) ? -1
           : getenv("FAULTY_QUICK") ? 0 : (int) syscall(SYS_fdatasync, fd);
}


int
fallocate64(int fd, int mode, off64_t offset, off64_t len)
{
    return fails("fallocate", fd, NULL) ? -1
           : (int) syscall(SYS_fallocate, fd, mode, offset, len);
}


int
fallocate(int fd, int mode, off_t offset, off_t len)
{
    return fallocate64(fd, mode, offset, len);
}


int
ftruncate64(int fd, off64_t size)
{
    return fails("ftruncate", fd, NULL) ? -1
           : (int) syscall(SYS_ftruncate, fd, size);
}


int
ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}


int
renameat(int from, const char *name, int to, const char *new)
{
    return fails("rename", to, new) ? -1
           : (int) syscall(SYS_renameat2, from, name, to, new, 0);
}


int
rename(const char *name, const char *new)
{
    return renameat(AT_FDCWD, name, AT_FDCWD, new);
}


int
unlinkat(int fd, const char *name, int flags)
{
    return fails("unlink", fd, name) ? -1
           : (int) syscall(SYS_unlinkat, fd, name, flags);
}


int
unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}


int
rmdir(const char *name)
{
    return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}


int
mkdirat(int fd, const char *name, mode_t mode)
{
    return fails("mkdir", fd, name) ? -1
           : (int) syscall(SYS_mkdirat, fd, name, mode);
}


int
mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}


int
openat64(int fd, const char *name, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);

    if ((flags & O_CREAT)
        && (fails("open", fd, name)
            || (strcmp(name, "keep") == 0 && fails("keep", fd, name))))
    {
        return -1;
    }

    return (int) syscall(SYS_openat, fd, name, flags, mode);
}


int
openat(int fd, const char *name, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);

    return openat64(fd, name, flags, mode);
}


int
statfs64(const char *path, struct statfs64 *st)
{
    long         type;
    const char  *in;

    if (syscall(SYS_statfs, path, st) == -1) {
        return -1;
    }

    in = getenv("FAULTY_IN");

    if (in && strstr(path, in) && told("statfs", &type)) {
        st->f_type = type;
    }

    return 0;
}


int
statfs(const char *path, struct statfs *st)
{
    return statfs64(path, (struct statfs64 *) (void *) st);
}
