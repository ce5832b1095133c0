
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The mark: how writers and readers of a journal tell each other how far it
 * is durable.  It stands in a file of its own, in two slots that are written
 * in turn, each with a counter and a crc: so a reader that reads while it is
 * written, and a writer that dies in there, do no harm.
 *
 * It is never synced.  While the machine is up it is exact, whoever dies; of
 * another boot it is only what was durable at least.
 *
 * It tells which file it stands in, and which one a clean stop is in: in a
 * copy that is put back, neither is the same.  Events may have got ids
 * meanwhile that the copy does not know of, so ids do not go on from its last
 * one.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal.h"
#include "ngx_msgbus_journal_rule.h"


ngx_int_t
ngx_msgbus_journal_mark_load(ngx_msgbus_disk_t *disk, int fd,
    ngx_msgbus_journal_mark_t *m)
{
    u_char                     bytes[2 * NGX_MSGBUS_JOURNAL_SLOT];
    ssize_t                    n;
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_msgbus_journal_mark_t  slot;

    n = disk->pread(disk->disk, fd, bytes, sizeof(bytes), 0);

    if (n == -1) {
        return NGX_ERROR;
    }

    m->counter = 0;

    for (i = 0; i < 2; i++) {

        if (n < (ssize_t) (i * NGX_MSGBUS_JOURNAL_SLOT
                           + NGX_MSGBUS_JOURNAL_MARK))
        {
            break;
        }

        rc = ngx_msgbus_journal_mark_read(&slot,
                                          bytes + i * NGX_MSGBUS_JOURNAL_SLOT);

        if (rc == NGX_DECLINED) {

            /* a later version is there, and this one does not know its ways */

            ngx_set_errno(EPROTONOSUPPORT);
            return NGX_ERROR;
        }

        if (rc == NGX_OK && slot.counter > m->counter) {
            *m = slot;
        }
    }

    return m->counter ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_msgbus_journal_publish(ngx_msgbus_journal_t *j, uint32_t flags)
{
    u_char                     bytes[NGX_MSGBUS_JOURNAL_SLOT];
    ngx_int_t                  rc;
    ngx_msgbus_journal_mark_t  m;

    m.counter = j->mark.counter + 1;
    ngx_memcpy(m.boot, j->boot, NGX_MSGBUS_JOURNAL_BOOT_LEN);
    m.segment = j->header.sequence;
    m.salt = j->header.salt;
    m.offset = j->durable.offset;
    m.frame = j->durable.frame;
    m.kept = j->kept.offset;
    m.kept_frame = j->kept.frame;
    m.kept_id = j->kept.id;
    m.kept_created = j->kept.created;
    m.written = j->at.offset;
    m.written_frame = j->at.frame;
    m.mark = j->durable_ids;
    m.writer = j->writer;
    m.begun = j->at.frame + j->begins;
    m.self = j->self;

    if (flags & NGX_MSGBUS_JOURNAL_DIRTY) {
        flags |= j->mark.flags & NGX_MSGBUS_JOURNAL_STOPPED;
    }

    m.flags = flags | (j->header.flags & NGX_MSGBUS_JOURNAL_LAZY)
              | (j->lost ? NGX_MSGBUS_JOURNAL_LOST : 0);

    if (m.flags & NGX_MSGBUS_JOURNAL_STOPPED) {
        m.file = j->mark.file;
        m.changed = j->mark.changed;

    } else {
        m.file = 0;
        m.changed = 0;
    }

    ngx_memzero(bytes, NGX_MSGBUS_JOURNAL_SLOT);
    ngx_msgbus_journal_mark_write(&m, bytes);

    rc = j->disk->pwrite(j->disk->disk, j->lock_fd, bytes,
                         NGX_MSGBUS_JOURNAL_SLOT,
                         (m.counter & 1) * NGX_MSGBUS_JOURNAL_SLOT);

    if (rc != NGX_OK) {
        ngx_msgbus_journal_error(j->error, ngx_errno, "can not write the mark "
                                 "of", j->conf.path);
        return NGX_ERROR;
    }

    j->mark = m;

    return NGX_OK;
}


void
ngx_msgbus_journal_stamp(ngx_msgbus_journal_t *j)
{
    if (j->copied
        || j->disk->which(j->disk->disk, j->fd, &j->mark.file,
                          &j->mark.changed)
           != NGX_OK)
    {
        /* whoever comes next takes it for a copy */

        j->mark.file = 0;
    }
}


ngx_uint_t
ngx_msgbus_journal_stamped(ngx_msgbus_journal_t *j)
{
    uint64_t  file, changed;

    if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_COPIED)) {
        return 1;
    }

    return j->mark.file
           && j->disk->which(j->disk->disk, j->fd, &file, &changed) == NGX_OK
           && file == j->mark.file
           && changed == j->mark.changed;
}
