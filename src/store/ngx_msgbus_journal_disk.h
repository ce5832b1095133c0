
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_DISK_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_DISK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_MSGBUS_JOURNAL_BOOT_LEN  16

/* of a path below a journal's folder, with its NUL */
#define NGX_MSGBUS_JOURNAL_NAME_LEN  64


/* how a file is opened */
#define NGX_MSGBUS_DISK_READ         0
#define NGX_MSGBUS_DISK_WRITE        1     /* and read; it is there */
#define NGX_MSGBUS_DISK_CREATE       2     /* and read; empty if not there */
#define NGX_MSGBUS_DISK_NEW          3     /* and read; it is not there */


/* how a file is locked */
#define NGX_MSGBUS_DISK_SHARED       0
#define NGX_MSGBUS_DISK_EXCLUSIVE    1


typedef void (*ngx_msgbus_disk_name_pt)(void *data, const char *name);


/*
 * The few calls that a journal makes of the system, so that a disk that fails
 * as told can stand below it.  "disk" is the table's own business.  Names are
 * relative to the journal's folder.  What fails sets ngx_errno.  All of it
 * blocks; any thread, but a descriptor belongs to one at a time.
 */
typedef struct {
    /* a descriptor of the folder, for the other calls; or -1 */
    int          (*folder)(void *disk, const char *path);

    int          (*open)(void *disk, int folder, const char *name,
                         ngx_uint_t how);
    void         (*close)(void *disk, int fd);

    /* bytes read, less at the end of the file only; or -1 */
    ssize_t      (*pread)(void *disk, int fd, void *p, size_t len,
                          uint64_t offset);

    /* NGX_OK: all of it is written; NGX_ERROR: some of it may be */
    ngx_int_t    (*pwrite)(void *disk, int fd, const void *p, size_t len,
                           uint64_t offset);

    /* NGX_OK, or NGX_ERROR: it is not known what is on the disk */
    ngx_int_t    (*datasync)(void *disk, int fd);
    ngx_int_t    (*sync)(void *disk, int fd);        /* a folder's, too */

    ngx_int_t    (*rename)(void *disk, int folder, const char *from,
                           const char *to);
    ngx_int_t    (*unlink)(void *disk, int folder, const char *name);
    ngx_int_t    (*truncate)(void *disk, int fd, uint64_t size);

    /* reserves room; NGX_DECLINED: this file system does not know how */
    ngx_int_t    (*allocate)(void *disk, int fd, uint64_t size);

    /* NGX_OK or NGX_ERROR */
    ngx_int_t    (*size)(void *disk, int fd, uint64_t *size);

    /*
     * Which file it is, and when it was last changed, ns since 1970: a copy is
     * another one, or was changed later.  NGX_OK or NGX_ERROR
     */
    ngx_int_t    (*which)(void *disk, int fd, uint64_t *file,
                          uint64_t *changed);

    /* NGX_OK or NGX_ERROR */
    ngx_int_t    (*list)(void *disk, int folder,
                         ngx_msgbus_disk_name_pt handler, void *data);

    /* does not wait.  NGX_OK; NGX_BUSY: another has it; NGX_ERROR */
    ngx_int_t    (*lock)(void *disk, int fd, ngx_uint_t how);
    void         (*unlock)(void *disk, int fd);

    void         (*pause)(void *disk, uint64_t us);

    /* ms since 1970; us since the boot, never set back; of this boot */
    uint64_t     (*wall)(void *disk);
    uint64_t     (*monotonic)(void *disk);
    ngx_int_t    (*boot)(void *disk, u_char *id);

    /* NGX_OK or NGX_ERROR; up to 256 bytes that nobody can guess */
    ngx_int_t    (*random)(void *disk, void *p, size_t len);

    void          *disk;
} ngx_msgbus_disk_t;


/* the system's own */
extern ngx_msgbus_disk_t  ngx_msgbus_disk;


/*
 * The name of the network file system that a path, which is there, lies on,
 * or NULL: it is a local one.  From any thread.
 */
const char *ngx_msgbus_disk_network(const char *path);

/* bytes left there for anybody; NGX_OK or NGX_ERROR.  From any thread. */
ngx_int_t ngx_msgbus_disk_left(const char *path, uint64_t *bytes);


#endif /* _NGX_MSGBUS_JOURNAL_DISK_H_INCLUDED_ */
