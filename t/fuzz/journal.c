
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Whatever stands in the files of a journal, reading it touches no byte
 * outside, and what is taken for good is in itself: headers, marks, frames
 * with their records, indexes, keys.  Crcs are made right where the lengths allow
 * it, or no input would get behind them.
 */


#include "fuzz.h"
#include "ngx_msgbus_journal_crc.h"
#include "ngx_msgbus_journal_format.h"
#include "ngx_msgbus_journal_index.h"


#define SALT    7
#define OFFSET  NGX_MSGBUS_JOURNAL_BLOCK


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frame(ngx_str_t *in);
static void mend(ngx_str_t *in);
static void index_of(ngx_str_t *in);
static void keys_of(ngx_str_t *in);
static ssize_t mem_pread(void *disk, int fd, void *p, size_t len,
    uint64_t offset);
static ngx_int_t mem_size(void *disk, int fd, uint64_t *size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                       kind, *key;
    ngx_str_t                    in;
    ngx_msgbus_journal_mark_t    m;
    ngx_msgbus_journal_event_t   ev;
    ngx_msgbus_journal_header_t  h;

    kind = fuzz_byte(&data, &size);
    in = fuzz_copy(data, size);

    switch (kind % 7) {

    case 0:
        if (size >= NGX_MSGBUS_JOURNAL_HEADER) {
            ngx_msgbus_journal_put(in.data + 8, 4,
                ngx_msgbus_journal_crc(0, in.data + 12,
                                       NGX_MSGBUS_JOURNAL_HEADER - 12));
            (void) ngx_msgbus_journal_header_read(&h, in.data);
        }

        break;

    case 1:
        if (size >= NGX_MSGBUS_JOURNAL_MARK) {
            ngx_msgbus_journal_put(in.data + 8, 4,
                ngx_msgbus_journal_crc(0, in.data + 12,
                                       NGX_MSGBUS_JOURNAL_MARK - 12));
            (void) ngx_msgbus_journal_mark_read(&m, in.data);
        }

        break;

    case 2:
        if (ngx_msgbus_journal_record_read(&ev, in.data, size) == NGX_OK) {
            fuzz_check(ngx_msgbus_journal_record_len(&ev) <= size,
                       "a record longer than its bytes");

            key = ngx_msgbus_journal_key_read(&ev);

            fuzz_check(key == NULL
                       || (key > in.data && key + NGX_MSGBUS_JOURNAL_KEY
                                            <= in.data + size),
                       "a key behind its record");
        }

        break;

    case 3:
        frame(&in);
        break;

    case 4:
        mend(&in);
        frame(&in);
        break;

    case 5:
        keys_of(&in);
        break;

    default:
        index_of(&in);
    }

    fuzz_end();

    return 0;
}


static void
frame(ngx_str_t *in)
{
    u_char                      *p;
    size_t                       len;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_msgbus_journal_event_t   ev;
    ngx_msgbus_journal_frame_t   f, last;

    rc = ngx_msgbus_journal_frame_read(&f, in->data, in->len, SALT, OFFSET);

    fuzz_check(rc != NGX_AGAIN || f.length > in->len
               || in->len < NGX_MSGBUS_JOURNAL_FRAME,
               "more is wanted than is said");

    if (rc != NGX_OK) {
        return;
    }

    fuzz_check(f.length <= in->len, "a frame longer than its bytes");

    p = f.records;

    for (i = 0; i < f.count; i++) {
        len = (size_t) ngx_msgbus_journal_get(p + 4, 4);

        fuzz_check(p + len <= in->data + f.length, "a record behind the end");

        rc = ngx_msgbus_journal_record_read(&ev, p, len);

        fuzz_check(rc == NGX_OK && ev.id >= f.first_id && ev.id <= f.last_id,
                   "a bad record in a good frame");
        p += len;
    }

    fuzz_check(p == in->data + f.length, "bytes behind the records");

    ngx_msgbus_journal_frame_last(&last, in->data);

    fuzz_check(last.last_id == f.last_id && last.sequence == f.sequence,
               "a frame that is another the second time");
}


/* the crcs of a frame, where its lengths lead from record to record */
static void
mend(ngx_str_t *in)
{
    size_t                      at, len;
    ngx_uint_t                  i, count;
    ngx_msgbus_journal_frame_t  f;

    if (in->len < NGX_MSGBUS_JOURNAL_FRAME) {
        return;
    }

    count = (ngx_uint_t) ngx_msgbus_journal_get(in->data + 24, 4);
    at = NGX_MSGBUS_JOURNAL_FRAME;

    for (i = 0; i < count; i++) {

        if (in->len - at < NGX_MSGBUS_JOURNAL_RECORD) {
            return;
        }

        len = (size_t) ngx_msgbus_journal_get(in->data + at + 4, 4);

        if (len < NGX_MSGBUS_JOURNAL_RECORD || len > in->len - at) {
            return;
        }

        at += len;
    }

    f.length = (uint32_t) at;
    f.count = (uint32_t) count;
    f.type = (uint16_t) ngx_msgbus_journal_get(in->data + 28, 2);
    f.sequence = ngx_msgbus_journal_get(in->data + 8, 8);
    f.first_id = ngx_msgbus_journal_get(in->data + 16, 8);
    f.prev_id = ngx_msgbus_journal_get(in->data + 32, 8);
    f.durable = ngx_msgbus_journal_get(in->data + 40, 8);
    f.mark = ngx_msgbus_journal_get(in->data + 48, 8);
    f.created = ngx_msgbus_journal_get(in->data + 56, 8);

    ngx_msgbus_journal_frame_seal(&f, in->data, SALT, OFFSET);
}


/* an index behind a segment that ends where frames begin */
static void
index_of(ngx_str_t *in)
{
    size_t                        head;
    uint32_t                     *records;
    ngx_int_t                     rc;
    ngx_uint_t                    n;
    ngx_msgbus_disk_t             disk;
    ngx_msgbus_scope_t     scope;
    ngx_msgbus_journal_index_t    index;
    ngx_msgbus_journal_header_t   h;

    if (in->len < NGX_MSGBUS_JOURNAL_INDEX_HEAD) {
        return;
    }

    ngx_memcpy(in->data, "MSGBUSI\n", 8);
    ngx_msgbus_journal_put(in->data + 12, 4, NGX_MSGBUS_JOURNAL_VERSION);
    ngx_msgbus_journal_put(in->data + 16, 8, SALT);
    ngx_msgbus_journal_put(in->data + 48, 8, OFFSET);

    head = (size_t) ngx_msgbus_journal_get(in->data + 24, 8);

    if (head >= 12 && head <= in->len) {
        ngx_msgbus_journal_put(in->data + 8, 4,
            ngx_msgbus_journal_crc(0, in->data + 12, head - 12));
    }

    ngx_memzero(&disk, sizeof(disk));
    ngx_memzero(&h, sizeof(h));

    disk.pread = mem_pread;
    disk.size = mem_size;
    disk.disk = in;
    h.salt = SALT;

    rc = ngx_msgbus_journal_index_load(&index, &disk, 0, &h, OFFSET);

    if (rc == NGX_OK) {
        (void) ngx_msgbus_journal_index_step(&index, 100);

        ngx_str_set(&scope.channel, "/a");
        scope.below = 1;

        rc = ngx_msgbus_journal_index_find(&index, &disk, 0, &scope, 1, 0,
                                           (uint64_t) -1, &records, &n);
        if (rc == NGX_OK) {
            ngx_free(records);
        }
    }

    ngx_msgbus_journal_index_free(&index);
}


/* keys that stand there alone: as many as there is room for, or not */
static void
keys_of(ngx_str_t *in)
{
    size_t                       head;
    u_char                       name[NGX_MSGBUS_JOURNAL_KEY_NAME];
    u_char                       key[NGX_MSGBUS_JOURNAL_KEYS_KEY];
    uint32_t                     n;
    ngx_int_t                    rc;
    ngx_msgbus_disk_t            disk;
    ngx_msgbus_journal_keys_t    keys;

    if (in->len < NGX_MSGBUS_JOURNAL_KEYS_HEAD) {
        return;
    }

    ngx_memcpy(in->data, "MSGBUSK\n", 8);
    ngx_msgbus_journal_put(in->data + 12, 4, 1);
    ngx_msgbus_journal_put(in->data + 16, 8, SALT);
    ngx_msgbus_journal_put(in->data + 24, 8, OFFSET);

    n = (uint32_t) ngx_msgbus_journal_get(in->data + 36, 4);

    if (n < 1000) {
        head = NGX_MSGBUS_JOURNAL_KEYS_HEAD
               + n * NGX_MSGBUS_JOURNAL_KEYS_BLOCK;

        if (head <= in->len) {
            ngx_msgbus_journal_put(in->data + 32, 4,
                (in->len - head) / NGX_MSGBUS_JOURNAL_KEYS_KEY);
            ngx_msgbus_journal_put(in->data + 8, 4,
                ngx_msgbus_journal_crc(0, in->data + 12, head - 12));
        }
    }

    ngx_memzero(&disk, sizeof(disk));

    disk.pread = mem_pread;
    disk.disk = in;

    rc = ngx_msgbus_journal_keys_load(&keys, &disk, 0, SALT, OFFSET, OFFSET,
                                      OFFSET + in->len);
    if (rc != NGX_OK) {
        return;
    }

    ngx_memcpy(name, in->data + in->len - 12, 12);
    ngx_memzero(name + 12, 4);

    (void) ngx_msgbus_journal_keys_whole(&keys, &disk, 0);
    (void) ngx_msgbus_journal_keys_may(&keys, name);

    rc = ngx_msgbus_journal_keys_upto(&keys, &disk, 0, name, &n);

    fuzz_check(rc == NGX_OK && n <= keys.n, "more keys than there are");

    if (n) {
        (void) ngx_msgbus_journal_keys_get(&keys, &disk, 0, n - 1, key);
    }

    ngx_msgbus_journal_keys_free(&keys);
}


static ssize_t
mem_pread(void *disk, int fd, void *p, size_t len, uint64_t offset)
{
    ngx_str_t *in = disk;

    if (offset < OFFSET || offset - OFFSET >= in->len) {
        return 0;
    }

    len = ngx_min(len, in->len - (size_t) (offset - OFFSET));
    ngx_memcpy(p, in->data + (offset - OFFSET), len);

    return (ssize_t) len;
}


static ngx_int_t
mem_size(void *disk, int fd, uint64_t *size)
{
    ngx_str_t *in = disk;

    *size = OFFSET + in->len;

    return NGX_OK;
}
