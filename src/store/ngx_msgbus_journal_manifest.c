
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The folder of a journal, and the file in it that says whose it is:
 *
 *     msgbus journal 1
 *     zone bus
 *     ttl 604800000
 *     segment 67108864
 *     size 10737418240
 *
 * The zone's name never changes.  The rest may, as long as no other nginx
 * writes to the journal: two that differ would remove each other's events.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/file.h>
#include "ngx_msgbus_journal_disk.h"
#include "ngx_msgbus_journal_manifest.h"
#include "ngx_msgbus_journal_segment.h"


#define NGX_MSGBUS_JOURNAL_MANIFEST  "manifest"
#define NGX_MSGBUS_JOURNAL_TEXT      1024
#define NGX_MSGBUS_JOURNAL_ALONE_MS  5000


static const char *ngx_msgbus_journal_take(ngx_msgbus_journal_block_t *jb,
    ngx_msgbus_store_zone_t *zone);
static const char *ngx_msgbus_journal_make(ngx_msgbus_journal_block_t *jb,
    ngx_msgbus_store_zone_t *zone);
static const char *ngx_msgbus_journal_alone(const char *name, int *fd);
static const char *ngx_msgbus_journal_folder(ngx_msgbus_journal_block_t *jb,
    ngx_msgbus_store_zone_t *zone);
static const char *ngx_msgbus_journal_give(const char *name,
    ngx_msgbus_store_zone_t *zone, uid_t owner);
static ngx_uint_t ngx_msgbus_journal_empty(const char *name);
static const char *ngx_msgbus_journal_local(const char *path);
static const char *ngx_msgbus_journal_parent(ngx_msgbus_journal_block_t *jb,
    ngx_uint_t sync);
static const char *ngx_msgbus_journal_compare(ngx_msgbus_journal_block_t *jb,
    ngx_msgbus_store_zone_t *zone, u_char *want, u_char *last);
static ngx_uint_t ngx_msgbus_journal_is_used(ngx_msgbus_journal_block_t *jb);
static const char *ngx_msgbus_journal_manifest(
    ngx_msgbus_journal_block_t *jb, ngx_msgbus_store_zone_t *zone,
    u_char *text, size_t len);
static u_char *ngx_msgbus_journal_path(ngx_msgbus_journal_block_t *jb,
    const char *name);
static const char *ngx_msgbus_journal_wrong(const char *what,
    ngx_err_t err);


static u_char  ngx_msgbus_journal_paths[2][NGX_MAX_PATH];
static u_char  ngx_msgbus_journal_said[NGX_MSGBUS_ERROR_LEN];


const char *
ngx_msgbus_journal_prepare(ngx_msgbus_store_conf_t *conf,
    ngx_msgbus_store_zone_t *zone)
{
    ngx_msgbus_journal_block_t *jb = (ngx_msgbus_journal_block_t *) conf;

    int          fd;
    const char  *wrong;

    wrong = ngx_msgbus_journal_make(jb, zone);

    if (wrong) {
        return wrong;
    }

    if (zone->test) {
        return ngx_msgbus_journal_take(jb, zone);
    }

    wrong = ngx_msgbus_journal_alone((const char *) jb->path.data, &fd);

    if (wrong) {
        return wrong;
    }

    wrong = ngx_msgbus_journal_take(jb, zone);

    (void) close(fd);

    return wrong;
}


static const char *
ngx_msgbus_journal_take(ngx_msgbus_journal_block_t *jb,
    ngx_msgbus_store_zone_t *zone)
{
    u_char       want[NGX_MSGBUS_JOURNAL_TEXT], *last;
    const char  *wrong;

    wrong = ngx_msgbus_journal_folder(jb, zone);

    if (wrong) {
        return wrong;
    }

    last = ngx_snprintf(want, NGX_MSGBUS_JOURNAL_TEXT,
                        "msgbus journal 1\nzone %V\nttl %uL\nsegment %O\n"
                        "size %O\n", zone->zone, zone->ttl, jb->segment,
                        jb->size);

    wrong = ngx_msgbus_journal_compare(jb, zone, want, last);

    if (wrong == NULL && !zone->test && !zone->adopted
        && !ngx_msgbus_journal_is_used(jb))
    {
        /* a start: from now on the clock is to go on as the machine's time */

        (void) unlink((char *) ngx_msgbus_journal_path(jb,
                                   NGX_MSGBUS_JOURNAL_KEEP_FILE));
    }

    return wrong;
}


/* with zone->test it need not be there afterwards */
static const char *
ngx_msgbus_journal_make(ngx_msgbus_journal_block_t *jb,
    ngx_msgbus_store_zone_t *zone)
{
    const char   *name, *wrong;
    struct stat   st;

    name = (const char *) jb->path.data;

    if (stat(name, &st) == 0) {
        return S_ISDIR(st.st_mode) ? ngx_msgbus_journal_local(name)
                                   : "it is no folder";
    }

    if (ngx_errno != NGX_ENOENT) {
        return ngx_msgbus_journal_wrong("stat() failed", ngx_errno);
    }

    wrong = ngx_msgbus_journal_parent(jb, 0);

    if (wrong || zone->test) {
        return wrong;
    }

    /* another nginx may make it at this moment */

    if (mkdir(name, 0700) != 0 && ngx_errno != NGX_EEXIST) {
        return ngx_msgbus_journal_wrong("mkdir() failed", ngx_errno);
    }

    return ngx_msgbus_journal_parent(jb, 1);
}


/*
 * Two that start at once take a folder one after the other: the second sees
 * whose it is by then.  The lock ends with the descriptor.
 */
static const char *
ngx_msgbus_journal_alone(const char *name, int *fd)
{
    ngx_err_t   err;
    ngx_uint_t  i;

    *fd = open(name, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (*fd == -1) {
        return ngx_msgbus_journal_wrong("it can not be opened", ngx_errno);
    }

    for (i = 0; flock(*fd, LOCK_EX|LOCK_NB) != 0; i++) {
        err = ngx_errno;

        if ((err != EWOULDBLOCK && err != NGX_EINTR)
            || i == NGX_MSGBUS_JOURNAL_ALONE_MS / 10)
        {
            (void) close(*fd);

            return err == EWOULDBLOCK
                   ? "another nginx that starts has it locked, start again"
                   : ngx_msgbus_journal_wrong("flock() failed", err);
        }

        ngx_msleep(10);
    }

    return NULL;
}


/* it is the workers' */
static const char *
ngx_msgbus_journal_folder(ngx_msgbus_journal_block_t *jb,
    ngx_msgbus_store_zone_t *zone)
{
    const char   *name;
    struct stat   st;

    name = (const char *) jb->path.data;

    if (stat(name, &st) != 0) {
        return ngx_errno == NGX_ENOENT && zone->test
               ? NULL : ngx_msgbus_journal_wrong("stat() failed", ngx_errno);
    }

    if (geteuid() == 0 && st.st_uid != zone->user) {
        return ngx_msgbus_journal_give(name, zone, st.st_uid);
    }

    return NULL;
}


/*
 * A folder that root has made for us, by hand or by a package; or a master, but
 * a moment ago.
 */
static const char *
ngx_msgbus_journal_give(const char *name, ngx_msgbus_store_zone_t *zone,
    uid_t owner)
{
    if (owner != 0 || !ngx_msgbus_journal_empty(name)) {
        return "it belongs to another user than the workers'";
    }

    if (zone->test) {
        return NULL;
    }

    if (chmod(name, 0700) != 0) {
        return ngx_msgbus_journal_wrong("chmod() failed", ngx_errno);
    }

    if (chown(name, zone->user, zone->group) != 0) {
        return ngx_msgbus_journal_wrong("chown() failed", ngx_errno);
    }

    return NULL;
}


/* no, where one can not see */
static ngx_uint_t
ngx_msgbus_journal_empty(const char *name)
{
    DIR            *dir;
    ngx_uint_t      n;
    struct dirent  *de;

    dir = opendir(name);

    if (dir == NULL) {
        return 0;
    }

    /* itself, and the one that it is in */

    n = 0;

    do {
        ngx_set_errno(0);
        de = readdir(dir);
    } while (de && ++n <= 2);

    if (ngx_errno) {
        n = 3;
    }

    (void) closedir(dir);

    return n <= 2;
}


static const char *
ngx_msgbus_journal_local(const char *path)
{
    const char  *type;

    type = ngx_msgbus_disk_network(path);

    if (type == NULL) {
        return NULL;
    }

    (void) ngx_snprintf(ngx_msgbus_journal_said, NGX_MSGBUS_ERROR_LEN,
                        "it is on a network file system, %s%Z", type);

    return (const char *) ngx_msgbus_journal_said;
}


/* it is there; with sync, what is new in it is there after a power cut, too */
static const char *
ngx_msgbus_journal_parent(ngx_msgbus_journal_block_t *jb, ngx_uint_t sync)
{
    int          fd;
    u_char       name[NGX_MAX_PATH], *p;
    ngx_err_t    err;
    const char  *wrong;

    (void) ngx_cpystrn(name, jb->path.data, NGX_MAX_PATH);

    /* the path is a full one, and does not end with a slash */

    for (p = name + ngx_strlen(name); p > name && *p != '/'; p--) {
        /* void */
    }

    p[p == name] = '\0';

    wrong = ngx_msgbus_journal_local((char *) name);

    if (wrong) {
        return wrong;
    }

    fd = open((char *) name, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {

        /* one may make a folder where one may not read */

        return ngx_errno == NGX_EACCES ? NULL
               : ngx_msgbus_journal_wrong("the folder that it is to be in can "
                                          "not be opened", ngx_errno);
    }

    err = sync && fsync(fd) != 0 ? ngx_errno : 0;

    (void) close(fd);

    return err && err != NGX_EINVAL
           ? ngx_msgbus_journal_wrong("fsync() of the folder that it is in "
                                      "failed", err)
           : NULL;
}


static const char *
ngx_msgbus_journal_compare(ngx_msgbus_journal_block_t *jb,
    ngx_msgbus_store_zone_t *zone, u_char *want, u_char *last)
{
    int       fd;
    u_char    have[NGX_MSGBUS_JOURNAL_TEXT + 1], *line, *end;
    ssize_t   n;

    fd = open((char *) ngx_msgbus_journal_path(jb,
                           NGX_MSGBUS_JOURNAL_MANIFEST), O_RDONLY|O_CLOEXEC);

    if (fd == -1) {

        if (ngx_errno != NGX_ENOENT) {
            return ngx_msgbus_journal_wrong("its manifest can not be opened",
                                            ngx_errno);
        }

        return zone->test ? NULL
               : ngx_msgbus_journal_manifest(jb, zone, want, last - want);
    }

    n = read(fd, have, NGX_MSGBUS_JOURNAL_TEXT);

    (void) close(fd);

    if (n == -1) {
        return ngx_msgbus_journal_wrong("its manifest can not be read",
                                        ngx_errno);
    }

    have[n] = '\0';

    if (n == last - want && ngx_memcmp(have, want, n) == 0) {
        return NULL;
    }

    line = (u_char *) ngx_strstr(have, "\nzone ");

    if (ngx_strncmp(have, "msgbus journal 1\n", 17) != 0 || line == NULL) {
        return "its manifest is damaged, or of a later version";
    }

    line += sizeof("\nzone ") - 1;

    for (end = line; *end && *end != '\n'; end++) { /* void */ }

    if ((size_t) (end - line) != zone->zone->len
        || ngx_memcmp(line, zone->zone->data, end - line) != 0)
    {
        *end = '\0';
        (void) ngx_snprintf(ngx_msgbus_journal_said, NGX_MSGBUS_ERROR_LEN,
                            "it is the journal of zone \"%s\"%Z", line);
        return (const char *) ngx_msgbus_journal_said;
    }

    /*
     * "nginx -t" can not tell another nginx from the one whose next reload it
     * is asked about, and that one may change its own journal
     */

    if (!zone->adopted && !zone->test && ngx_msgbus_journal_is_used(jb)) {
        return "another nginx writes to it with another ttl, size or segment";
    }

    return zone->test ? NULL
           : ngx_msgbus_journal_manifest(jb, zone, want, last - want);
}


/* each writer has a shared lock on that file */
static ngx_uint_t
ngx_msgbus_journal_is_used(ngx_msgbus_journal_block_t *jb)
{
    int         fd;
    ngx_uint_t  used;

    fd = open((char *) ngx_msgbus_journal_path(jb,
                           NGX_MSGBUS_JOURNAL_NODES_FILE), O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return 0;
    }

    used = flock(fd, LOCK_EX|LOCK_NB) == -1 && ngx_errno == EWOULDBLOCK;

    (void) close(fd);

    return used;
}


/* in place of the one that is there, in one step */
static const char *
ngx_msgbus_journal_manifest(ngx_msgbus_journal_block_t *jb,
    ngx_msgbus_store_zone_t *zone, u_char *text, size_t len)
{
    int      fd;
    u_char  *from, *to;

    from = ngx_msgbus_journal_path(jb, NGX_MSGBUS_JOURNAL_MANIFEST ".new");

    fd = open((char *) from, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC|O_NOFOLLOW,
              0600);

    if (fd == -1) {
        return ngx_msgbus_journal_wrong("its manifest can not be written",
                                        ngx_errno);
    }

    if (write(fd, text, len) != (ssize_t) len
        || (geteuid() == 0 && fchown(fd, zone->user, zone->group) != 0)
        || fsync(fd) != 0)
    {
        (void) close(fd);
        return ngx_msgbus_journal_wrong("its manifest can not be written",
                                        ngx_errno);
    }

    (void) close(fd);

    to = ngx_msgbus_journal_path(jb, NGX_MSGBUS_JOURNAL_MANIFEST);

    if (rename((char *) from, (char *) to) != 0) {
        return ngx_msgbus_journal_wrong("its manifest can not be renamed",
                                        ngx_errno);
    }

    return NULL;
}


/* the last two of them are good */
static u_char *
ngx_msgbus_journal_path(ngx_msgbus_journal_block_t *jb, const char *name)
{
    u_char             *path;

    static ngx_uint_t   turn;

    path = ngx_msgbus_journal_paths[turn++ % 2];

    (void) ngx_snprintf(path, NGX_MAX_PATH, "%V/%s%Z", &jb->path, name);

    return path;
}


static const char *
ngx_msgbus_journal_wrong(const char *what, ngx_err_t err)
{
    u_char  *p, *last;

    last = ngx_msgbus_journal_said + NGX_MSGBUS_ERROR_LEN - 1;

    p = ngx_snprintf(ngx_msgbus_journal_said, NGX_MSGBUS_ERROR_LEN - 1,
                     "%s (%d: ", what, err);
    p = ngx_strerror(err, p, last - p);
    p = ngx_snprintf(p, last - p, ")");
    *p = '\0';

    return (const char *) ngx_msgbus_journal_said;
}
