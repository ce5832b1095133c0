
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A disk that loses what it may lose.
 *
 * What is written is seen at once, and is on the disk only after a sync, all
 * of it; before, any part of it may be, in any order.  A sync that fails
 * drops what it had to write: what is seen is not on the disk, and no later
 * sync brings it there.  Names are as bytes: a rename or an unlink that the
 * folder was not synced after may be there or not.
 */


#include "journal_sim.h"


static int sim_folder(void *disk, const char *path);
static int sim_open(void *disk, int folder, const char *name, ngx_uint_t how);
static void sim_close(void *disk, int fd);
static ssize_t sim_pread(void *disk, int fd, void *p, size_t len,
    uint64_t offset);
static ngx_int_t sim_pwrite(void *disk, int fd, const void *p, size_t len,
    uint64_t offset);
static ngx_int_t sim_sync(void *disk, int fd);
static ngx_int_t sim_rename(void *disk, int folder, const char *from,
    const char *to);
static ngx_int_t sim_unlink(void *disk, int folder, const char *name);
static ngx_int_t sim_truncate(void *disk, int fd, uint64_t size);
static ngx_int_t sim_allocate(void *disk, int fd, uint64_t size);
static ngx_int_t sim_size(void *disk, int fd, uint64_t *size);
static ngx_int_t sim_which(void *disk, int fd, uint64_t *file,
    uint64_t *changed);
static ngx_int_t sim_list(void *disk, int folder,
    ngx_msgbus_disk_name_pt handler, void *data);
static ngx_int_t sim_lock(void *disk, int fd, ngx_uint_t how);
static void sim_unlock(void *disk, int fd);
static void sim_pause(void *disk, uint64_t us);
static uint64_t sim_wall(void *disk);
static uint64_t sim_monotonic(void *disk);
static ngx_int_t sim_boot(void *disk, u_char *id);
static ngx_int_t sim_random(void *disk, void *p, size_t len);

static ngx_uint_t sim_fails(sim_t *sim);
static void sim_changes(sim_t *sim, const char *name);
static void sim_wrote(sim_t *sim, const u_char *p, size_t len);
static int sim_new_fd(sim_t *sim, int file);
static sim_file_t *sim_file(sim_t *sim, int fd);
static int sim_new_file(sim_t *sim);
static void sim_unref(sim_t *sim, int file);
static int sim_lookup(sim_name_t *names, ngx_uint_t n, const char *name);
static void sim_set_name(sim_name_t *names, ngx_uint_t *n, const char *name,
    int file);
static void sim_change_name(sim_t *sim, const char *name, int file,
    const char *gone);
static void sim_pend(sim_file_t *f, uint32_t offset, const u_char *p,
    uint32_t len);
static void sim_apply(sim_file_t *f, u_char *bytes, uint32_t *size,
    sim_write_t *w, uint32_t from, uint32_t to);
static void sim_flush(sim_file_t *f);
static void sim_some(sim_file_t *f, u_char *bytes, uint32_t *size);
static void sim_clear(sim_t *sim);


static uint64_t  sim_boots;
static uint64_t  sim_ticks;


void
sim_init(sim_t *sim)
{
    ngx_uint_t  i;

    memset(sim, 0, sizeof(sim_t));

    for (i = 0; i < SIM_FILES; i++) {
        sim->files[i].cache = malloc(SIM_BYTES);
        sim->files[i].disk = malloc(SIM_BYTES);
        sim->files[i].arena = malloc(4 * SIM_BYTES);
    }

    sim_clear(sim);

    sim->wall = 1000000;
    sim->monotonic = 1000000;
    sim->boot = ++sim_boots;
}


static void
sim_clear(sim_t *sim)
{
    ngx_uint_t  i;

    for (i = 0; i < SIM_FILES; i++) {
        sim->files[i].refs = 0;
        sim->files[i].n = 0;
        sim->files[i].arena_len = 0;
        sim->files[i].exclusive = -1;
        sim->files[i].shared = 0;
    }

    for (i = 0; i < SIM_FDS; i++) {
        sim->fds[i].file = -1;
    }

    sim->nnames = 0;
    sim->ndurable = 0;
    sim->nchanges = 0;
    sim->fail_in = 0;
    sim->failures = 0;
    sim->full = 0;
    sim->hook = NULL;
    sim->written = NULL;
}


void
sim_calls(ngx_msgbus_disk_t *disk, sim_t *sim)
{
    static ngx_msgbus_disk_t  calls = {
        sim_folder, sim_open, sim_close, sim_pread, sim_pwrite, sim_sync,
        sim_sync, sim_rename, sim_unlink, sim_truncate, sim_allocate, sim_size,
        sim_which, sim_list, sim_lock, sim_unlock, sim_pause, sim_wall, sim_monotonic,
        sim_boot, sim_random, NULL
    };

    *disk = calls;
    disk->disk = sim;
}


void
sim_crash(sim_t *to, sim_t *from)
{
    ngx_uint_t   i;
    sim_file_t  *f, *t;
    sim_name_t  *c;

    sim_clear(to);

    memcpy(to->durable, from->durable, sizeof(from->durable));
    to->ndurable = from->ndurable;

    /* of the changes of names any may have been made */

    for (i = 0; i < from->nchanges; i++) {
        c = &from->changes[i];

        if (unit_once_in(2)) {
            sim_set_name(to->durable, &to->ndurable, c->name, c->file);

            if (c->gone[0]) {
                sim_set_name(to->durable, &to->ndurable, c->gone, -1);
            }
        }
    }

    memcpy(to->names, to->durable, sizeof(to->durable));
    to->nnames = to->ndurable;

    for (i = 0; i < to->nnames; i++) {
        f = &from->files[to->names[i].file];
        t = &to->files[to->names[i].file];

        t->refs += 2;

        if (t->refs > 2) {
            continue;
        }

        t->disk_size = f->disk_size;
        memcpy(t->disk, f->disk, f->disk_size);

        sim_some(f, t->disk, &t->disk_size);

        /* when it was last changed reaches the disk by itself, or does not */

        t->number = f->number;
        t->disk_changed = unit_once_in(2) ? f->changed : f->disk_changed;
        t->changed = t->disk_changed;

        t->size = t->disk_size;
        memcpy(t->cache, t->disk, t->size);
    }

    to->wall = from->wall + 1;
    to->monotonic = 1000000;
    to->boot = ++sim_boots;
}


void
sim_killed(sim_t *to, sim_t *from)
{
    ngx_uint_t   i;
    sim_file_t  *f, *t;

    sim_clear(to);

    memcpy(to->durable, from->durable, sizeof(from->durable));
    memcpy(to->names, from->names, sizeof(from->names));
    memcpy(to->changes, from->changes, sizeof(from->changes));

    to->ndurable = from->ndurable;
    to->nnames = from->nnames;
    to->nchanges = from->nchanges;

    for (i = 0; i < SIM_FILES; i++) {
        f = &from->files[i];
        t = &to->files[i];

        if (f->refs == 0) {
            continue;
        }

        t->size = f->size;
        t->disk_size = f->disk_size;
        t->number = f->number;
        t->changed = f->changed;
        t->disk_changed = f->disk_changed;
        t->n = f->n;
        t->arena_len = f->arena_len;
        memcpy(t->cache, f->cache, f->size);
        memcpy(t->disk, f->disk, f->disk_size);
        memcpy(t->arena, f->arena, f->arena_len);
        memcpy(t->pending, f->pending, f->n * sizeof(sim_write_t));
    }

    for (i = 0; i < to->nnames; i++) {
        to->files[to->names[i].file].refs++;
    }

    /* names that are to go, or come, in a crash */

    for (i = 0; i < to->ndurable; i++) {
        to->files[to->durable[i].file].refs++;
    }

    for (i = 0; i < to->nchanges; i++) {

        if (to->changes[i].file != -1) {
            to->files[to->changes[i].file].refs++;
        }
    }

    to->wall = from->wall;
    to->monotonic = from->monotonic;
    to->boot = from->boot;
}


void
sim_copied(sim_t *sim, ngx_uint_t how)
{
    ngx_uint_t   i;
    sim_file_t  *mark;

    mark = sim_find(sim, NGX_MSGBUS_JOURNAL_MARK_FILE);

    for (i = 0; i < SIM_FILES; i++) {
        sim_ticks++;

        if (how == 0 || (how == 2 && &sim->files[i] != mark)) {
            sim->files[i].number = sim_ticks;
        }

        if (how != 2) {
            sim->files[i].changed = sim_ticks;
            sim->files[i].disk_changed = sim_ticks;
        }
    }
}


void
sim_kill(sim_t *sim, ngx_uint_t owner)
{
    ngx_uint_t  i;

    for (i = 0; i < SIM_FDS; i++) {

        if (sim->fds[i].file != -1 && sim->fds[i].owner == owner) {
            sim_close(sim, (int) i);
        }
    }
}


sim_file_t *
sim_find(sim_t *sim, const char *name)
{
    int  i;

    i = sim_lookup(sim->names, sim->nnames, name);

    return i == -1 ? NULL : &sim->files[sim->names[i].file];
}


/* any part of what is pending, torn at any byte */
static void
sim_some(sim_file_t *f, u_char *bytes, uint32_t *size)
{
    uint32_t     from, to;
    ngx_uint_t   i;
    sim_write_t  *w;

    for (i = 0; i < f->n; i++) {
        w = &f->pending[i];

        switch (unit_below(6)) {

        case 0:
            break;

        case 1:
        case 2:
            sim_apply(f, bytes, size, w, 0, w->len);
            break;

        case 3:
            sim_apply(f, bytes, size, w, 0, (uint32_t) unit_below(w->len + 1));
            break;

        case 4:
            sim_apply(f, bytes, size, w, (uint32_t) unit_below(w->len + 1),
                      w->len);
            break;

        default:
            /* block by block */

            for (from = 0; from < w->len; from = to) {
                to = w->offset + from;
                to = to - to % 512 + 512 - w->offset;
                to = ngx_min(to, w->len);

                if (unit_once_in(2)) {
                    sim_apply(f, bytes, size, w, from, to);
                }
            }
        }
    }
}


static void
sim_apply(sim_file_t *f, u_char *bytes, uint32_t *size, sim_write_t *w,
    uint32_t from, uint32_t to)
{
    if (w->len == 0) {

        if (w->offset > *size) {
            memset(bytes + *size, 0, w->offset - *size);
        }

        *size = w->offset;
        return;
    }

    if (from >= to) {
        return;
    }

    if (w->offset + to > *size) {
        memset(bytes + *size, 0, w->offset + to - *size);
        *size = w->offset + to;
    }

    memcpy(bytes + w->offset + from, f->arena + w->at + from, to - from);
}


static void
sim_flush(sim_file_t *f)
{
    ngx_uint_t  i;

    for (i = 0; i < f->n; i++) {
        sim_apply(f, f->disk, &f->disk_size, &f->pending[i], 0,
                  f->pending[i].len);
    }

    f->n = 0;
    f->arena_len = 0;
    f->disk_changed = f->changed;
}


static void
sim_pend(sim_file_t *f, uint32_t offset, const u_char *p, uint32_t len)
{
    sim_write_t  *w;

    if (f->n == SIM_PENDING || f->arena_len + len > 4 * SIM_BYTES) {

        /* the system writes by itself, too */

        sim_flush(f);
    }

    w = &f->pending[f->n++];
    w->offset = offset;
    w->len = len;
    w->at = f->arena_len;

    if (len) {
        memcpy(f->arena + f->arena_len, p, len);
    }

    f->arena_len += len;
    f->changed = ++sim_ticks;

    sim_apply(f, f->cache, &f->size, w, 0, len);
}


static ngx_uint_t
sim_fails(sim_t *sim)
{
    sim->monotonic += 10;

    if (sim->fail_in == 0 || --sim->fail_in) {
        return 0;
    }

    if (sim->failures) {
        sim->failures--;
        sim->fail_in = 1;
    }

    sim->failed++;
    ngx_set_errno(EIO);

    return 1;
}


static void
sim_changes(sim_t *sim, const char *name)
{
    if (sim->hook) {
        sim->hook(sim->data, name);
    }
}


static void
sim_wrote(sim_t *sim, const u_char *p, size_t len)
{
    if (sim->written) {
        sim->written(p, len);
    }
}


static int
sim_new_fd(sim_t *sim, int file)
{
    int  i;

    for (i = 0; i < SIM_FDS; i++) {

        if (sim->fds[i].file == -1) {
            sim->fds[i].file = file;
            sim->fds[i].locked = 0;
            sim->fds[i].owner = sim->owner;
            return i;
        }
    }

    unit_fail("the simulated disk has no more descriptors");
}


static sim_file_t *
sim_file(sim_t *sim, int fd)
{
    unit_check(fd >= 0 && fd < SIM_FDS && sim->fds[fd].file >= 0,
               "a call with descriptor %d, which is not open", fd);

    return &sim->files[sim->fds[fd].file];
}


static int
sim_new_file(sim_t *sim)
{
    int  i;

    for (i = 0; i < SIM_FILES; i++) {

        if (sim->files[i].refs == 0) {
            sim->files[i].number = ++sim_ticks;
            sim->files[i].changed = sim_ticks;
            sim->files[i].disk_changed = sim_ticks;
            sim->files[i].size = 0;
            sim->files[i].disk_size = 0;
            sim->files[i].n = 0;
            sim->files[i].arena_len = 0;
            sim->files[i].exclusive = -1;
            sim->files[i].shared = 0;
            return i;
        }
    }

    unit_fail("the simulated disk has no more files");
}


static void
sim_unref(sim_t *sim, int file)
{
    sim->files[file].refs--;
}


static int
sim_lookup(sim_name_t *names, ngx_uint_t n, const char *name)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {

        if (strcmp(names[i].name, name) == 0) {
            return (int) i;
        }
    }

    return -1;
}


static void
sim_set_name(sim_name_t *names, ngx_uint_t *n, const char *name, int file)
{
    int  i;

    i = sim_lookup(names, *n, name);

    if (i == -1 && file != -1) {
        unit_check(*n < SIM_FILES, "too many names");
        i = (int) (*n)++;
        strcpy(names[i].name, name);
    }

    if (i == -1) {
        return;
    }

    names[i].file = file;

    if (file == -1) {
        names[i] = names[--*n];
    }
}


/* as the system shows it, and to be synced */
static void
sim_change_name(sim_t *sim, const char *name, int file, const char *gone)
{
    int          i;
    sim_name_t  *c;

    unit_check(sim->nchanges < SIM_PENDING,
               "too many changes of names without a sync");

    i = sim_lookup(sim->names, sim->nnames, name);

    if (i != -1) {
        sim_unref(sim, sim->names[i].file);
    }

    c = &sim->changes[sim->nchanges++];
    strcpy(c->name, name);
    c->file = file;
    c->gone[0] = '\0';

    if (file != -1) {
        sim->files[file].refs += 2;
    }

    sim_set_name(sim->names, &sim->nnames, name, file);

    if (gone) {
        strcpy(c->gone, gone);
        sim_unref(sim, file);
        sim_set_name(sim->names, &sim->nnames, gone, -1);
    }
}


static int
sim_folder(void *disk, const char *path)
{
    if (sim_fails(disk)) {
        return -1;
    }

    return sim_new_fd(disk, -2);
}


static int
sim_open(void *disk, int folder, const char *name, ngx_uint_t how)
{
    sim_t *sim = disk;

    int  i, file;

    if (sim_fails(sim)) {
        return -1;
    }

    i = sim_lookup(sim->names, sim->nnames, name);

    if (i == -1 && how < NGX_MSGBUS_DISK_CREATE) {
        ngx_set_errno(ENOENT);
        return -1;
    }

    if (i != -1 && how == NGX_MSGBUS_DISK_NEW) {
        ngx_set_errno(EEXIST);
        return -1;
    }

    if (i != -1) {
        file = sim->names[i].file;

    } else {
        sim_changes(sim, name);

        file = sim_new_file(sim);
        sim_change_name(sim, name, file, NULL);
    }

    sim->files[file].refs++;

    return sim_new_fd(sim, file);
}


static void
sim_close(void *disk, int fd)
{
    sim_t *sim = disk;

    sim_unlock(disk, fd);

    if (sim->fds[fd].file >= 0) {
        sim_unref(sim, sim->fds[fd].file);
    }

    sim->fds[fd].file = -1;
}


static ssize_t
sim_pread(void *disk, int fd, void *p, size_t len, uint64_t offset)
{
    size_t       n;
    sim_file_t  *f;

    f = sim_file(disk, fd);

    if (sim_fails(disk)) {
        return -1;
    }

    if (offset >= f->size) {
        return 0;
    }

    n = ngx_min(len, f->size - offset);
    memcpy(p, f->cache + offset, n);

    return (ssize_t) n;
}


static ngx_int_t
sim_pwrite(void *disk, int fd, const void *p, size_t len, uint64_t offset)
{
    sim_t *sim = disk;

    size_t       part;
    sim_file_t  *f;

    f = sim_file(sim, fd);

    unit_check(offset + len <= SIM_BYTES, "a file of %zu bytes",
               (size_t) offset + len);

    /* a process may die when some of it is written */

    sim->segment = offset >= NGX_MSGBUS_JOURNAL_BLOCK;
    sim_changes(sim, "write");

    if (sim_fails(sim)) {
        part = unit_below(len + 1);

        if (part) {
            sim_pend(f, (uint32_t) offset, p, (uint32_t) part);
            sim_wrote(sim, p, part);
        }

        return NGX_ERROR;
    }

    if (sim->hook && unit_once_in(4)) {
        part = 1 + unit_below(len);

        sim_pend(f, (uint32_t) offset, p, (uint32_t) part);
        sim_wrote(sim, p, part);
        sim_changes(sim, "part");
    }

    sim_pend(f, (uint32_t) offset, p, (uint32_t) len);
    sim_wrote(sim, p, len);
    sim->segment = 0;

    return NGX_OK;
}


static ngx_int_t
sim_sync(void *disk, int fd)
{
    sim_t *sim = disk;

    uint32_t     from;
    ngx_uint_t   i;
    sim_file_t  *f;

    sim_changes(sim, "sync");

    if (sim->fds[fd].file == -2) {

        if (sim_fails(sim)) {
            return NGX_ERROR;
        }

        for (i = 0; i < sim->nchanges; i++) {

            if (sim->changes[i].file != -1) {
                sim_unref(sim, sim->changes[i].file);
            }
        }

        for (i = 0; i < sim->ndurable; i++) {
            sim_unref(sim, sim->durable[i].file);
        }

        memcpy(sim->durable, sim->names, sizeof(sim->names));
        sim->ndurable = sim->nnames;
        sim->nchanges = 0;

        for (i = 0; i < sim->ndurable; i++) {
            sim->files[sim->durable[i].file].refs++;
        }

        return NGX_OK;
    }

    f = sim_file(sim, fd);

    if (sim_fails(sim)) {

        /* some of it is on the disk, and nobody writes the rest any more */

        sim_some(f, f->disk, &f->disk_size);

        if (f->n && sim->destroys && unit_once_in(3)
            && f->pending[0].offset > NGX_MSGBUS_JOURNAL_BLOCK)
        {
            /* a block that is half written is a block that is gone */

            from = f->pending[0].offset
                   - f->pending[0].offset % NGX_MSGBUS_JOURNAL_BLOCK;

            memset(f->disk + from, 0x55, f->pending[0].offset - from);
            sim->destroyed = 1;
        }

        f->n = 0;
        f->arena_len = 0;

        if (unit_once_in(3)) {

            /* nor remembers it */

            f->size = f->disk_size;
            memcpy(f->cache, f->disk, f->size);
        }

        return NGX_ERROR;
    }

    sim_flush(f);

    return NGX_OK;
}


static ngx_int_t
sim_rename(void *disk, int folder, const char *from, const char *to)
{
    sim_t *sim = disk;

    int  i, file;

    sim_changes(sim, "rename");

    if (sim_fails(sim)) {
        return NGX_ERROR;
    }

    i = sim_lookup(sim->names, sim->nnames, from);

    if (i == -1) {
        ngx_set_errno(ENOENT);
        return NGX_ERROR;
    }

    file = sim->names[i].file;
    sim->files[file].changed = ++sim_ticks;

    sim_change_name(sim, to, file, from);

    return NGX_OK;
}


static ngx_int_t
sim_unlink(void *disk, int folder, const char *name)
{
    sim_t *sim = disk;

    if (sim_lookup(sim->names, sim->nnames, name) == -1) {
        ngx_set_errno(ENOENT);
        return NGX_ERROR;
    }

    sim_changes(sim, "unlink");

    if (sim_fails(sim)) {
        return NGX_ERROR;
    }

    sim_change_name(sim, name, -1, NULL);

    return NGX_OK;
}


static ngx_int_t
sim_truncate(void *disk, int fd, uint64_t size)
{
    sim_file_t  *f;

    f = sim_file(disk, fd);

    sim_changes(disk, "truncate");

    if (sim_fails(disk)) {
        return NGX_ERROR;
    }

    sim_pend(f, (uint32_t) size, NULL, 0);

    return NGX_OK;
}


static ngx_int_t
sim_allocate(void *disk, int fd, uint64_t size)
{
    sim_t *sim = disk;

    sim_changes(sim, "allocate");

    if (sim->full) {
        ngx_set_errno(ENOSPC);
        return NGX_ERROR;
    }

    if (sim_fails(sim)) {
        return NGX_ERROR;
    }

    return unit_once_in(2) ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
sim_size(void *disk, int fd, uint64_t *size)
{
    if (sim_fails(disk)) {
        return NGX_ERROR;
    }

    *size = sim_file(disk, fd)->size;

    return NGX_OK;
}


static ngx_int_t
sim_which(void *disk, int fd, uint64_t *file, uint64_t *changed)
{
    sim_file_t  *f;

    f = sim_file(disk, fd);

    if (sim_fails(disk)) {
        return NGX_ERROR;
    }

    *file = f->number;
    *changed = f->changed;

    return NGX_OK;
}


static ngx_int_t
sim_list(void *disk, int folder, ngx_msgbus_disk_name_pt handler, void *data)
{
    sim_t *sim = disk;

    ngx_uint_t  i;

    if (sim_fails(sim)) {
        return NGX_ERROR;
    }

    for (i = 0; i < sim->nnames; i++) {
        handler(data, sim->names[i].name);
    }

    return NGX_OK;
}


static ngx_int_t
sim_lock(void *disk, int fd, ngx_uint_t how)
{
    sim_t *sim = disk;

    sim_file_t  *f;

    if (sim_fails(sim)) {
        return NGX_ERROR;
    }

    sim_unlock(sim, fd);

    f = sim_file(sim, fd);

    if (f->exclusive != -1
        || (how == NGX_MSGBUS_DISK_EXCLUSIVE && f->shared))
    {
        return NGX_BUSY;
    }

    if (how == NGX_MSGBUS_DISK_EXCLUSIVE) {
        f->exclusive = fd;
        sim->fds[fd].locked = 2;

    } else {
        f->shared++;
        sim->fds[fd].locked = 1;
    }

    return NGX_OK;
}


static void
sim_unlock(void *disk, int fd)
{
    sim_t *sim = disk;

    sim_file_t  *f;

    if (sim->fds[fd].file < 0) {
        return;
    }

    f = &sim->files[sim->fds[fd].file];

    if (sim->fds[fd].locked == 2) {
        f->exclusive = -1;

    } else if (sim->fds[fd].locked == 1) {
        f->shared--;
    }

    sim->fds[fd].locked = 0;
}


static void
sim_pause(void *disk, uint64_t us)
{
    sim_t *sim = disk;

    sim->monotonic += us;
}


static uint64_t
sim_wall(void *disk)
{
    sim_t *sim = disk;

    return sim->wall + sim->monotonic / 1000;
}


static uint64_t
sim_monotonic(void *disk)
{
    sim_t *sim = disk;

    return ++sim->monotonic;
}


static ngx_int_t
sim_boot(void *disk, u_char *id)
{
    sim_t *sim = disk;

    memset(id, 7, NGX_MSGBUS_JOURNAL_BOOT_LEN);
    memcpy(id, &sim->boot, sizeof(uint64_t));

    return NGX_OK;
}


static ngx_int_t
sim_random(void *disk, void *p, size_t len)
{
    u_char      *to;
    ngx_uint_t   i;

    to = p;

    for (i = 0; i < len; i++) {
        to[i] = (u_char) unit_random();
    }

    return NGX_OK;
}
