
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The system's calls below a journal, as they are: files by pread() and
 * pwrite(), locks by flock(), which belong to a descriptor and go with its
 * process.
 *
 * It knows nothing of journals, and does not try again what failed, but for a
 * signal.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <dirent.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include "ngx_msgbus_journal_disk.h"


#define NGX_MSGBUS_DISK_BOOT_ID  "/proc/sys/kernel/random/boot_id"


typedef struct {
    uint32_t               type;
    const char            *name;
} ngx_msgbus_disk_type_t;


static int ngx_msgbus_disk_folder(void *disk, const char *path);
static int ngx_msgbus_disk_open(void *disk, int folder, const char *name,
    ngx_uint_t how);
static void ngx_msgbus_disk_close(void *disk, int fd);
static ssize_t ngx_msgbus_disk_pread(void *disk, int fd, void *p, size_t len,
    uint64_t offset);
static ngx_int_t ngx_msgbus_disk_pwrite(void *disk, int fd, const void *p,
    size_t len, uint64_t offset);
static ngx_int_t ngx_msgbus_disk_datasync(void *disk, int fd);
static ngx_int_t ngx_msgbus_disk_sync(void *disk, int fd);
static ngx_int_t ngx_msgbus_disk_rename(void *disk, int folder,
    const char *from, const char *to);
static ngx_int_t ngx_msgbus_disk_unlink(void *disk, int folder,
    const char *name);
static ngx_int_t ngx_msgbus_disk_truncate(void *disk, int fd, uint64_t size);
static ngx_int_t ngx_msgbus_disk_allocate(void *disk, int fd, uint64_t size);
static ngx_int_t ngx_msgbus_disk_size(void *disk, int fd, uint64_t *size);
static ngx_int_t ngx_msgbus_disk_which(void *disk, int fd, uint64_t *file,
    uint64_t *changed);
static ngx_int_t ngx_msgbus_disk_list(void *disk, int folder,
    ngx_msgbus_disk_name_pt handler, void *data);
static ngx_int_t ngx_msgbus_disk_lock(void *disk, int fd, ngx_uint_t how);
static void ngx_msgbus_disk_unlock(void *disk, int fd);
static void ngx_msgbus_disk_pause(void *disk, uint64_t us);
static uint64_t ngx_msgbus_disk_wall(void *disk);
static uint64_t ngx_msgbus_disk_monotonic(void *disk);
static ngx_int_t ngx_msgbus_disk_boot(void *disk, u_char *id);
static ngx_int_t ngx_msgbus_disk_random(void *disk, void *p, size_t len);


ngx_msgbus_disk_t  ngx_msgbus_disk = {
    ngx_msgbus_disk_folder,
    ngx_msgbus_disk_open,
    ngx_msgbus_disk_close,
    ngx_msgbus_disk_pread,
    ngx_msgbus_disk_pwrite,
    ngx_msgbus_disk_datasync,
    ngx_msgbus_disk_sync,
    ngx_msgbus_disk_rename,
    ngx_msgbus_disk_unlink,
    ngx_msgbus_disk_truncate,
    ngx_msgbus_disk_allocate,
    ngx_msgbus_disk_size,
    ngx_msgbus_disk_which,
    ngx_msgbus_disk_list,
    ngx_msgbus_disk_lock,
    ngx_msgbus_disk_unlock,
    ngx_msgbus_disk_pause,
    ngx_msgbus_disk_wall,
    ngx_msgbus_disk_monotonic,
    ngx_msgbus_disk_boot,
    ngx_msgbus_disk_random,
    NULL
};


/*
 * By the magic numbers of statfs(2).  What lies behind FUSE can not be told:
 * sshfs and GlusterFS do, and they are no place for a journal.
 */
static ngx_msgbus_disk_type_t  ngx_msgbus_disk_types[] = {
    { 0x6969, "NFS" },
    { 0xff534d42, "CIFS" },
    { 0xfe534d42, "SMB2" },
    { 0x517b, "SMB" },
    { 0x564c, "NCP" },
    { 0x5346414f, "AFS" },
    { 0x6b414653, "AFS" },
    { 0x73757245, "Coda" },
    { 0x00c36400, "Ceph" },
    { 0x01021997, "9P" },
    { 0x0bd00bd0, "Lustre" },
    { 0x01161970, "GFS2" },
    { 0x7461636f, "OCFS2" },
    { 0x47504653, "GPFS" },
    { 0xaad7aaea, "PanFS" },
    { 0x65735546, "FUSE" },
    { 0, NULL }
};


static int
ngx_msgbus_disk_folder(void *disk, const char *path)
{
    return open(path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
}


static int
ngx_msgbus_disk_open(void *disk, int folder, const char *name,
    ngx_uint_t how)
{
    int  flags;

    switch (how) {

    case NGX_MSGBUS_DISK_READ:
        flags = O_RDONLY;
        break;

    case NGX_MSGBUS_DISK_WRITE:
        flags = O_RDWR;
        break;

    case NGX_MSGBUS_DISK_CREATE:
        flags = O_RDWR|O_CREAT;
        break;

    default: /* NGX_MSGBUS_DISK_NEW */
        flags = O_RDWR|O_CREAT|O_EXCL;
    }

    return openat(folder, name, flags|O_CLOEXEC|O_NOFOLLOW, 0600);
}


static void
ngx_msgbus_disk_close(void *disk, int fd)
{
    /* what was to be durable has been synced: an error tells nothing new */

    (void) close(fd);
}


static ssize_t
ngx_msgbus_disk_pread(void *disk, int fd, void *p, size_t len,
    uint64_t offset)
{
    size_t   done;
    ssize_t  n;

    for (done = 0; done < len; done += n) {

        n = pread(fd, (u_char *) p + done, len - done,
                  (off_t) (offset + done));

        if (n == -1 && ngx_errno == NGX_EINTR) {
            n = 0;
            continue;
        }

        if (n == -1) {
            return -1;
        }

        if (n == 0) {
            break;
        }
    }

    return (ssize_t) done;
}


static ngx_int_t
ngx_msgbus_disk_pwrite(void *disk, int fd, const void *p, size_t len,
    uint64_t offset)
{
    size_t   done;
    ssize_t  n;

    for (done = 0; done < len; done += n) {

        n = pwrite(fd, (const u_char *) p + done, len - done,
                   (off_t) (offset + done));

        if (n == -1 && ngx_errno == NGX_EINTR) {
            n = 0;
            continue;
        }

        if (n == -1) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_disk_datasync(void *disk, int fd)
{
    return fdatasync(fd) == 0 ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_msgbus_disk_sync(void *disk, int fd)
{
    return fsync(fd) == 0 ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_msgbus_disk_rename(void *disk, int folder, const char *from,
    const char *to)
{
    return renameat(folder, from, folder, to) == 0 ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_msgbus_disk_unlink(void *disk, int folder, const char *name)
{
    return unlinkat(folder, name, 0) == 0 ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_msgbus_disk_truncate(void *disk, int fd, uint64_t size)
{
    return ftruncate(fd, (off_t) size) == 0 ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_msgbus_disk_allocate(void *disk, int fd, uint64_t size)
{
    if (fallocate(fd, 0, 0, (off_t) size) == 0) {
        return NGX_OK;
    }

    return ngx_errno == EOPNOTSUPP || ngx_errno == ENOSYS ? NGX_DECLINED
                                                           : NGX_ERROR;
}


static ngx_int_t
ngx_msgbus_disk_size(void *disk, int fd, uint64_t *size)
{
    struct stat  st;

    if (fstat(fd, &st) != 0) {
        return NGX_ERROR;
    }

    *size = (uint64_t) st.st_size;

    return NGX_OK;
}


/* nobody can set the time of the last change of an inode, but by the clock */
static ngx_int_t
ngx_msgbus_disk_which(void *disk, int fd, uint64_t *file, uint64_t *changed)
{
    struct stat  st;

    if (fstat(fd, &st) != 0) {
        return NGX_ERROR;
    }

    *file = (uint64_t) st.st_ino;
    *changed = (uint64_t) st.st_ctim.tv_sec * 1000000000
               + (uint64_t) st.st_ctim.tv_nsec;

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_disk_list(void *disk, int folder, ngx_msgbus_disk_name_pt handler,
    void *data)
{
    int             fd;
    DIR            *dir;
    ngx_err_t       err;
    struct dirent  *de;

    /* a position of its own */

    fd = openat(folder, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        return NGX_ERROR;
    }

    dir = fdopendir(fd);

    if (dir == NULL) {
        err = ngx_errno;
        (void) close(fd);
        ngx_set_errno(err);

        return NGX_ERROR;
    }

    for ( ;; ) {
        ngx_set_errno(0);

        de = readdir(dir);

        if (de == NULL) {
            break;
        }

        handler(data, de->d_name);
    }

    err = ngx_errno;
    (void) closedir(dir);
    ngx_set_errno(err);

    return err ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_msgbus_disk_lock(void *disk, int fd, ngx_uint_t how)
{
    int  rc, operation;

    operation = how == NGX_MSGBUS_DISK_SHARED ? LOCK_SH : LOCK_EX;

    do {
        rc = flock(fd, operation|LOCK_NB);
    } while (rc == -1 && ngx_errno == NGX_EINTR);

    if (rc == 0) {
        return NGX_OK;
    }

    return ngx_errno == EWOULDBLOCK ? NGX_BUSY : NGX_ERROR;
}


static void
ngx_msgbus_disk_unlock(void *disk, int fd)
{
    (void) flock(fd, LOCK_UN);
}


static void
ngx_msgbus_disk_pause(void *disk, uint64_t us)
{
    struct timespec  ts;

    ts.tv_sec = (time_t) (us / 1000000);
    ts.tv_nsec = (long) (us % 1000000 * 1000);

    (void) nanosleep(&ts, NULL);
}


static uint64_t
ngx_msgbus_disk_wall(void *disk)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


static uint64_t
ngx_msgbus_disk_monotonic(void *disk)
{
    struct timespec  ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


static ngx_int_t
ngx_msgbus_disk_boot(void *disk, u_char *id)
{
    int         fd;
    u_char      c, text[64];
    ssize_t     n;
    ngx_uint_t  digits, value;

    fd = open(NGX_MSGBUS_DISK_BOOT_ID, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return NGX_ERROR;
    }

    n = ngx_msgbus_disk_pread(disk, fd, text, sizeof(text), 0);
    (void) close(fd);

    ngx_memzero(id, NGX_MSGBUS_JOURNAL_BOOT_LEN);

    /* 8-4-4-4-12 hexadecimal digits */

    digits = 0;

    for (value = 0; (ssize_t) value < n; value++) {
        c = text[value] | 0x20;

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            continue;
        }

        if (digits == 2 * NGX_MSGBUS_JOURNAL_BOOT_LEN) {
            break;
        }

        c = c <= '9' ? c - '0' : c - 'a' + 10;
        id[digits / 2] |= digits % 2 ? c : c << 4;
        digits++;
    }

    if (digits != 2 * NGX_MSGBUS_JOURNAL_BOOT_LEN) {
        ngx_set_errno(NGX_EINVAL);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_msgbus_disk_random(void *disk, void *p, size_t len)
{
    ssize_t  n;

    do {
        n = getrandom(p, len, 0);
    } while (n == -1 && ngx_errno == NGX_EINTR);

    return n == (ssize_t) len ? NGX_OK : NGX_ERROR;
}


const char *
ngx_msgbus_disk_network(const char *path)
{
    struct statfs            st;
    ngx_msgbus_disk_type_t  *type;

    if (statfs(path, &st) != 0) {
        return NULL;
    }

    for (type = ngx_msgbus_disk_types; type->name; type++) {

        if ((uint32_t) st.f_type == type->type) {
            return type->name;
        }
    }

    return NULL;
}


ngx_int_t
ngx_msgbus_disk_left(const char *path, uint64_t *bytes)
{
    struct statfs  st;

    if (statfs(path, &st) != 0) {
        return NGX_ERROR;
    }

    *bytes = (uint64_t) st.f_bavail * (uint64_t) st.f_bsize;

    return NGX_OK;
}
