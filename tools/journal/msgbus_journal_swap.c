
/*
 * Copyright (C) the msgbus authors
 */


/*
 * How a repaired journal takes the place of the damaged one, which is kept in
 * a folder beside it.
 *
 * Whenever it is killed, or the power is cut, the old journal is whole, or the
 * new one is, or the next repair goes on where this one ended and nobody else
 * touches the files until then.  For the new one is made in a folder of its
 * own, which then gets another name, by which all who open the journal know
 * that the old files are leaving; and another one while the new files enter:
 *
 *     repair-make/     the new files; the journal is the old one
 *     repair-leave/    the old files go to repair-leave/damaged/
 *     repair-enter/    and the new ones to the journal's folder
 *
 * A step begins when all of the one before it is on the disk.
 */


#include "msgbus_journal.h"
#include "msgbus_journal_swap.h"
#include <dirent.h>
#include <sys/stat.h>


#define MAKE     SWAP_MAKE
#define LEAVE    NGX_MSGBUS_JOURNAL_REPAIR_LEAVE
#define ENTER    NGX_MSGBUS_JOURNAL_REPAIR_ENTER
#define DAMAGED  "damaged"
#define LOST     "lost"


static int old_files(int folder, const char *to);
static int new_files(int folder);
static int keep_old(const char *folder, int fd);
static int move_files(int from, int to);
static int move_file(int from, int to, const char *name);
static int step(int folder, const char *from, const char *to);
static int empty(int folder, const char *name);


int
swap_is_open(int folder)
{
    return faccessat(folder, LEAVE, F_OK, 0) == 0
           || faccessat(folder, ENTER, F_OK, 0) == 0;
}


int
swap_make(int folder)
{
    (void) empty(folder, MAKE);

    if (mkdirat(folder, MAKE, 0700) != 0
        || mkdirat(folder, MAKE "/" DAMAGED, 0700) != 0)
    {
        return cannot("make", MAKE);
    }

    return 0;
}


void
swap_forget(int folder)
{
    (void) empty(folder, MAKE);
}


int
swap_begin(int folder, int lost)
{
    int  fd, rc;

    if (lost) {
        fd = openat(folder, MAKE "/" LOST, O_WRONLY|O_CREAT|O_CLOEXEC, 0600);

        if (fd == -1) {
            return cannot("make", LOST);
        }

        close(fd);
    }

    fd = openat(folder, MAKE, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        return cannot("open", MAKE);
    }

    rc = fsync(fd) == 0 ? 0 : cannot("sync", MAKE);

    close(fd);

    /* from here on the new one counts */

    return rc == 0 ? step(folder, MAKE, LEAVE) : rc;
}


int
swap_finish(const char *folder, int fd)
{
    int  rc, lost;

    rc = 0;

    if (faccessat(fd, LEAVE, F_OK, 0) == 0) {
        rc = old_files(fd, LEAVE "/" DAMAGED);

        if (rc == 0) {
            rc = step(fd, LEAVE, ENTER);
        }
    }

    if (rc == 0) {
        rc = new_files(fd);
    }

    lost = faccessat(fd, ENTER "/" LOST, F_OK, 0) == 0;

    if (rc == 0) {
        rc = keep_old(folder, fd);
    }

    if (rc == 0 && fsync(fd) != 0) {
        rc = cannot("sync", folder);
    }

    if (rc != 0) {
        return rc;
    }

    /* and now they are nobody's but nginx's */

    rc = empty(fd, ENTER);
    (void) fsync(fd);

    return rc ? rc : lost ? 1 : 0;
}


static int
old_files(int folder, const char *to)
{
    int  rc, fd;

    fd = openat(folder, to, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        return cannot("open", to);
    }

    rc = move_files(folder, fd);

    close(fd);

    return rc;
}


static int
new_files(int folder)
{
    int  rc, fd;

    fd = openat(folder, ENTER, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        return cannot("open", ENTER);
    }

    rc = move_files(fd, folder);

    close(fd);

    return rc;
}


/* under a name that nobody has: there may have been repairs before */
static int
keep_old(const char *folder, int fd)
{
    char    saved[64];
    time_t  now;

    for (now = time(NULL); /* void */ ; now++) {
        (void) snprintf(saved, sizeof(saved), DAMAGED "-%lu",
                        (unsigned long) now);

        if (renameat(fd, ENTER "/" DAMAGED, fd, saved) == 0) {
            printf("the old files are in %s/%s\n", folder, saved);
            return 0;
        }

        if (errno == ENOENT) {

            /* done, before who did it was killed */

            return 0;
        }

        if (errno != ENOTEMPTY && errno != EEXIST) {
            return cannot("rename", ENTER "/" DAMAGED);
        }
    }
}


/* the segments of a folder, and its mark */
static int
move_files(int from, int to)
{
    int                         rc;
    char                        name[NGX_MSGBUS_JOURNAL_NAME_LEN];
    ngx_uint_t                  i;
    ngx_msgbus_journal_list_t   list;

    memset(&list, 0, sizeof(list));

    rc = ngx_msgbus_journal_list(&ngx_msgbus_disk, from, &list) == NGX_OK
         ? 0 : cannot("read", "the folder");

    for (i = 0; rc == 0 && i < list.n; i++) {
        ngx_msgbus_journal_name(name, list.elts[i].sequence,
                                list.elts[i].first_id);
        rc = move_file(from, to, name);
    }

    if (rc == 0) {
        rc = move_file(from, to, NGX_MSGBUS_JOURNAL_MARK_FILE);
    }

    ngx_msgbus_journal_list_free(&list);

    /* each of the two may be the first to reach the disk */

    if (rc == 0 && (fsync(to) != 0 || fsync(from) != 0)) {
        rc = cannot("sync", "the folder");
    }

    return rc;
}


static int
move_file(int from, int to, const char *name)
{
    if (renameat(from, name, to, name) != 0 && errno != ENOENT) {
        return cannot("move", name);
    }

    return 0;
}


/* the folder of a repair gets the name of what comes next */
static int
step(int folder, const char *from, const char *to)
{
    if (fsync(folder) != 0
        || renameat(folder, from, folder, to) != 0
        || fsync(folder) != 0)
    {
        return cannot("rename", from);
    }

    return 0;
}


/* removes a folder, and what is in it; the first that stays is told */
static int
empty(int folder, const char *name)
{
    int             fd, rc;
    DIR            *dir;
    struct dirent  *de;

    fd = openat(folder, name, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    dir = fd == -1 ? NULL : fdopendir(fd);

    if (dir == NULL) {

        if (fd == -1 && errno == ENOENT) {
            return 0;
        }

        rc = cannot("read", name);

        if (fd != -1) {
            close(fd);
        }

        return rc;
    }

    rc = 0;

    while ((de = readdir(dir)) != NULL) {

        if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0
            && unlinkat(fd, de->d_name,
                        strcmp(de->d_name, DAMAGED) == 0 ? AT_REMOVEDIR : 0)
               != 0
            && rc == 0)
        {
            rc = cannot("remove", de->d_name);
        }
    }

    (void) closedir(dir);

    if (unlinkat(folder, name, AT_REMOVEDIR) != 0 && rc == 0) {
        rc = cannot("remove", name);
    }

    return rc;
}


int
cannot(const char *what, const char *name)
{
    fprintf(stderr, "msgbus-journal: can not %s %s: %s\n", what, name,
            strerror(errno));
    return 2;
}
