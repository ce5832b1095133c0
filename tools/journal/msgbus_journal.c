
/*
 * Copyright (C) the msgbus authors
 */


/*
 * msgbus-journal: looks after a journal's folder from the command line.
 *
 *     msgbus-journal verify FOLDER
 *     msgbus-journal dump FOLDER > FILE
 *     msgbus-journal import FOLDER < FILE
 *     msgbus-journal repair FOLDER
 *
 * A line of a dump is a document as MongoDB's mongoimport takes it, and
 * mongoexport writes it: so a dump is the way from a journal to a database,
 * and back.  Exit codes: 0 well; 1 damage, or something is lost; 2 it could
 * not be done.
 */


#include "msgbus_journal.h"
#include <sys/file.h>
#include <sys/stat.h>


int
main(int argc, char **argv)
{
    const char  *what;

    if (argc == 3) {
        what = argv[1];

        if (strcmp(what, "verify") == 0) {
            return verify(argv[2], alone(argv[2]));
        }

        if (strcmp(what, "dump") == 0) {
            return dump(argv[2], alone(argv[2]));
        }

        if (strcmp(what, "import") == 0) {
            return import(argv[2]);
        }

        if (strcmp(what, "repair") == 0) {
            return repair(argv[2]);
        }
    }

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("msgbus-journal %s\n", MSGBUS_VERSION);
        return 0;
    }

    fprintf(stderr, "usage: msgbus-journal verify|dump|import|repair FOLDER\n");

    return 2;
}


ngx_uint_t
alone(const char *folder)
{
    int   fd, rc;
    char  path[NGX_MAX_PATH];

    (void) snprintf(path, sizeof(path), "%s/%s", folder,
                    NGX_MSGBUS_JOURNAL_NODES_FILE);

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return 1;
    }

    /* each of them has a shared lock */

    rc = flock(fd, LOCK_EX|LOCK_NB);
    close(fd);

    return rc == 0;
}


int
keep_off(const char *folder)
{
    int   fd;
    char  path[NGX_MAX_PATH];

    (void) snprintf(path, sizeof(path), "%s/%s", folder,
                    NGX_MSGBUS_JOURNAL_NODES_FILE);

    fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC, 0600);

    if (fd == -1) {
        fprintf(stderr, "msgbus-journal: can not open %s: %s\n", path,
                strerror(errno));
        return -1;
    }

    if (flock(fd, LOCK_EX|LOCK_NB) != 0) {
        fprintf(stderr, "msgbus-journal: nginx writes to %s, stop it first\n",
                folder);
        close(fd);

        return -1;
    }

    return fd;
}


void
owner(const char *folder)
{
    struct stat  st;

    if (geteuid() == 0 && stat(folder, &st) == 0
        && (setegid(st.st_gid) != 0 || seteuid(st.st_uid) != 0))
    {
        fprintf(stderr, "msgbus-journal: the owner of %s can not be taken\n",
                folder);
        exit(2);
    }
}


int
writer_open(writer_t *w, const char *folder, const char *of)
{
    FILE           *f;
    char            path[NGX_MAX_PATH], line[256];
    unsigned long   segment;

    memset(w, 0, sizeof(writer_t));

    w->conf.path = folder;
    w->conf.segment = 64 * 1024 * 1024;
    w->conf.patience = 1000000;

    (void) snprintf(path, sizeof(path), "%s/manifest", of);

    f = fopen(path, "r");

    while (f && fgets(line, sizeof(line), f)) {

        if (sscanf(line, "segment %lu", &segment) == 1) {
            w->conf.segment = segment;
        }
    }

    if (f) {
        fclose(f);
    }

    if (ngx_msgbus_journal_open(&w->writer, &w->conf, &ngx_msgbus_disk)
        != NGX_OK)
    {
        fprintf(stderr, "msgbus-journal: %s\n", w->writer.error);
        return 2;
    }

    /* an empty one begins at its first event, and not at the clock */

    w->writer.bare = 1;

    if (ngx_msgbus_journal_look(&w->writer) != NGX_OK) {
        fprintf(stderr, "msgbus-journal: %s\n", w->writer.error);
        return 2;
    }

    w->last = w->writer.at.id;

    return 0;
}


int
writer_flush(writer_t *w)
{
    if (w->n == 0) {
        return 0;
    }

    if (ngx_msgbus_journal_insert(&w->writer, w->events, w->n) != NGX_OK) {
        fprintf(stderr, "msgbus-journal: %s\n", w->writer.error);
        return 2;
    }

    w->written += w->n;
    w->n = 0;

    progress("events", w->written, 0);

    return 0;
}


int
writer_close(writer_t *w)
{
    ngx_int_t  rc;

    progress(NULL, 0, 0);

    rc = ngx_msgbus_journal_stop(&w->writer);

    if (rc != NGX_OK) {
        fprintf(stderr, "msgbus-journal: %s\n", w->writer.error);
    }

    ngx_msgbus_journal_close(&w->writer);

    return rc == NGX_OK ? 0 : 2;
}


void
progress(const char *what, uint64_t done, uint64_t all)
{
    uint64_t         now;

    static uint64_t  told;

    if (!isatty(STDERR_FILENO)) {
        return;
    }

    now = ngx_msgbus_disk.monotonic(NULL);

    if (what == NULL) {

        if (told) {
            fprintf(stderr, "\r\033[K");
        }

        told = 0;

    } else if (now - told > 200000) {
        told = now;

        if (all) {
            fprintf(stderr, "\r%s: %lu %%", what,
                    (unsigned long) (done * 100 / all));

        } else {
            fprintf(stderr, "\r%s: %lu", what, (unsigned long) done);
        }
    }
}
