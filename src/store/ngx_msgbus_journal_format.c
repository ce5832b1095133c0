
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The bytes of a journal: headers of segments, frames with their records, and
 * the mark.  docs/dev/journal-format.md tells of each byte.
 *
 * Numbers are little-endian, whatever the machine is.  A crc starts from the
 * segment's salt and from its own offset, so that bytes of another life of
 * the same file, or of another place in it, are not taken for good.  A
 * record's crc covers its bytes, a frame's crc its header and the crcs of its
 * records: so each byte is looked at once, and a record can be read alone.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_journal_crc.h"
#include "ngx_msgbus_journal_format.h"
#include "ngx_msgbus_journal_rule.h"


#define NGX_MSGBUS_JOURNAL_MAGIC       "MSGBUSJ\n"
#define NGX_MSGBUS_JOURNAL_MARK_MAGIC  "MSGBUSM\n"


#define ngx_msgbus_journal_get64(p)     ngx_msgbus_journal_get(p, 8)
#define ngx_msgbus_journal_put64(p, n)  ngx_msgbus_journal_put(p, 8, n)


static u_char *ngx_msgbus_journal_text(u_char *p, ngx_str_t *text);
static void ngx_msgbus_journal_frame_head(ngx_msgbus_journal_frame_t *f,
    u_char *p);
static uint64_t ngx_msgbus_journal_frame_end(ngx_msgbus_journal_frame_t *f,
    uint64_t id);
static uint32_t ngx_msgbus_journal_seed(uint64_t salt, uint64_t offset);


void
ngx_msgbus_journal_header_write(ngx_msgbus_journal_header_t *h, u_char *p)
{
    ngx_memzero(p, NGX_MSGBUS_JOURNAL_HEADER);

    ngx_memcpy(p, NGX_MSGBUS_JOURNAL_MAGIC, 8);

    ngx_msgbus_journal_put(p + 12, 4, NGX_MSGBUS_JOURNAL_VERSION);
    ngx_msgbus_journal_put64(p + 16, h->sequence);
    ngx_msgbus_journal_put64(p + 24, h->salt);
    ngx_msgbus_journal_put64(p + 32, h->size);
    ngx_msgbus_journal_put64(p + 40, h->pred);
    ngx_msgbus_journal_put64(p + 48, h->pred_end);
    ngx_msgbus_journal_put64(p + 56, h->last_frame);
    ngx_msgbus_journal_put64(p + 64, h->last_id);
    ngx_msgbus_journal_put64(p + 72, h->created);
    ngx_msgbus_journal_put64(p + 80, h->mark);
    ngx_msgbus_journal_put64(p + 88, h->made);
    ngx_memcpy(p + 96, h->boot, NGX_MSGBUS_JOURNAL_BOOT_LEN);
    ngx_msgbus_journal_put(p + 112, 4, h->flags);
    ngx_msgbus_journal_put64(p + 120, h->durable);

    ngx_msgbus_journal_put(p + 8, 4,
        ngx_msgbus_journal_crc(0, p + 12, NGX_MSGBUS_JOURNAL_HEADER - 12));
}


ngx_int_t
ngx_msgbus_journal_header_read(ngx_msgbus_journal_header_t *h,
    const u_char *p)
{
    if (ngx_memcmp(p, NGX_MSGBUS_JOURNAL_MAGIC, 8) != 0
        || ngx_msgbus_journal_get(p + 8, 4)
           != ngx_msgbus_journal_crc(0, p + 12,
                                     NGX_MSGBUS_JOURNAL_HEADER - 12))
    {
        return NGX_ERROR;
    }

    if (ngx_msgbus_journal_get(p + 12, 4) != NGX_MSGBUS_JOURNAL_VERSION) {
        return NGX_DECLINED;
    }

    h->sequence = ngx_msgbus_journal_get64(p + 16);
    h->salt = ngx_msgbus_journal_get64(p + 24);
    h->size = ngx_msgbus_journal_get64(p + 32);
    h->pred = ngx_msgbus_journal_get64(p + 40);
    h->pred_end = ngx_msgbus_journal_get64(p + 48);
    h->last_frame = ngx_msgbus_journal_get64(p + 56);
    h->last_id = ngx_msgbus_journal_get64(p + 64);
    h->created = ngx_msgbus_journal_get64(p + 72);
    h->mark = ngx_msgbus_journal_get64(p + 80);
    h->made = ngx_msgbus_journal_get64(p + 88);
    ngx_memcpy(h->boot, p + 96, NGX_MSGBUS_JOURNAL_BOOT_LEN);
    h->flags = (uint32_t) ngx_msgbus_journal_get(p + 112, 4);
    h->durable = ngx_msgbus_journal_get64(p + 120);

    return NGX_OK;
}


void
ngx_msgbus_journal_mark_write(ngx_msgbus_journal_mark_t *m, u_char *p)
{
    ngx_memzero(p, NGX_MSGBUS_JOURNAL_MARK);

    ngx_memcpy(p, NGX_MSGBUS_JOURNAL_MARK_MAGIC, 8);

    ngx_msgbus_journal_put(p + 12, 4, NGX_MSGBUS_JOURNAL_VERSION);
    ngx_msgbus_journal_put64(p + 16, m->counter);
    ngx_memcpy(p + 24, m->boot, NGX_MSGBUS_JOURNAL_BOOT_LEN);
    ngx_msgbus_journal_put64(p + 40, m->segment);
    ngx_msgbus_journal_put64(p + 48, m->salt);
    ngx_msgbus_journal_put64(p + 56, m->offset);
    ngx_msgbus_journal_put64(p + 64, m->frame);
    ngx_msgbus_journal_put64(p + 72, m->kept);
    ngx_msgbus_journal_put64(p + 80, m->kept_frame);
    ngx_msgbus_journal_put64(p + 88, m->kept_id);
    ngx_msgbus_journal_put64(p + 96, m->kept_created);
    ngx_msgbus_journal_put64(p + 104, m->written);
    ngx_msgbus_journal_put64(p + 112, m->written_frame);
    ngx_msgbus_journal_put64(p + 120, m->mark);
    ngx_msgbus_journal_put64(p + 128, m->writer);
    ngx_msgbus_journal_put(p + 136, 4, m->flags);
    ngx_msgbus_journal_put64(p + 144, m->begun);
    ngx_msgbus_journal_put64(p + 152, m->file);
    ngx_msgbus_journal_put64(p + 160, m->changed);
    ngx_msgbus_journal_put64(p + 168, m->self);

    ngx_msgbus_journal_put(p + 8, 4,
        ngx_msgbus_journal_crc(0, p + 12, NGX_MSGBUS_JOURNAL_MARK - 12));
}


ngx_int_t
ngx_msgbus_journal_mark_read(ngx_msgbus_journal_mark_t *m, const u_char *p)
{
    if (ngx_memcmp(p, NGX_MSGBUS_JOURNAL_MARK_MAGIC, 8) != 0
        || ngx_msgbus_journal_get(p + 8, 4)
           != ngx_msgbus_journal_crc(0, p + 12, NGX_MSGBUS_JOURNAL_MARK - 12))
    {
        return NGX_ERROR;
    }

    if (ngx_msgbus_journal_get(p + 12, 4) != NGX_MSGBUS_JOURNAL_VERSION) {
        return NGX_DECLINED;
    }

    m->counter = ngx_msgbus_journal_get64(p + 16);
    ngx_memcpy(m->boot, p + 24, NGX_MSGBUS_JOURNAL_BOOT_LEN);
    m->segment = ngx_msgbus_journal_get64(p + 40);
    m->salt = ngx_msgbus_journal_get64(p + 48);
    m->offset = ngx_msgbus_journal_get64(p + 56);
    m->frame = ngx_msgbus_journal_get64(p + 64);
    m->kept = ngx_msgbus_journal_get64(p + 72);
    m->kept_frame = ngx_msgbus_journal_get64(p + 80);
    m->kept_id = ngx_msgbus_journal_get64(p + 88);
    m->kept_created = ngx_msgbus_journal_get64(p + 96);
    m->written = ngx_msgbus_journal_get64(p + 104);
    m->written_frame = ngx_msgbus_journal_get64(p + 112);
    m->mark = ngx_msgbus_journal_get64(p + 120);
    m->writer = ngx_msgbus_journal_get64(p + 128);
    m->flags = (uint32_t) ngx_msgbus_journal_get(p + 136, 4);
    m->begun = ngx_msgbus_journal_get64(p + 144);
    m->file = ngx_msgbus_journal_get64(p + 152);
    m->changed = ngx_msgbus_journal_get64(p + 160);
    m->self = ngx_msgbus_journal_get64(p + 168);

    return NGX_OK;
}


size_t
ngx_msgbus_journal_record_len(ngx_msgbus_journal_event_t *ev)
{
    return ngx_align(NGX_MSGBUS_JOURNAL_RECORD + ev->channel.len
                     + ev->uuid.len + ev->user_agent.len + ev->data.len
                     + ev->fields.len, 8);
}


u_char *
ngx_msgbus_journal_record_write(ngx_msgbus_journal_event_t *ev, u_char *p)
{
    size_t   len;
    u_char  *last;

    len = ngx_msgbus_journal_record_len(ev);
    last = p + len;

    ngx_msgbus_journal_put(p, 4, 0);
    ngx_msgbus_journal_put(p + 4, 4, len);
    ngx_msgbus_journal_put64(p + 8, ev->id);
    ngx_msgbus_journal_put64(p + 16, ev->created);

    if (ev->token) {
        ngx_memcpy(p + 24, ev->token, NGX_MSGBUS_JOURNAL_TOKEN);

    } else {
        ngx_memzero(p + 24, NGX_MSGBUS_JOURNAL_TOKEN);
    }

    ngx_msgbus_journal_put(p + 40, 4, ev->data.len);
    ngx_msgbus_journal_put(p + 44, 2, ev->user_agent.len);
    ngx_msgbus_journal_put(p + 46, 2, ev->uuid.len);
    ngx_msgbus_journal_put(p + 48, 2, ev->channel.len);
    ngx_msgbus_journal_put(p + 50, 2, ev->fields.len);
    ngx_msgbus_journal_put(p + 52, 4, 0);

    p += NGX_MSGBUS_JOURNAL_RECORD;

    p = ngx_msgbus_journal_text(p, &ev->channel);
    p = ngx_msgbus_journal_text(p, &ev->uuid);
    p = ngx_msgbus_journal_text(p, &ev->user_agent);
    p = ngx_msgbus_journal_text(p, &ev->data);
    p = ngx_msgbus_journal_text(p, &ev->fields);

    ngx_memzero(p, last - p);

    return last;
}


static u_char *
ngx_msgbus_journal_text(u_char *p, ngx_str_t *text)
{
    return text->len ? ngx_cpymem(p, text->data, text->len) : p;
}


ngx_int_t
ngx_msgbus_journal_record_read(ngx_msgbus_journal_event_t *ev, u_char *p,
    size_t len)
{
    static u_char  none[NGX_MSGBUS_JOURNAL_TOKEN];

    if (len < NGX_MSGBUS_JOURNAL_RECORD
        || ngx_msgbus_journal_get(p + 4, 4) > len)
    {
        return NGX_ERROR;
    }

    ev->id = ngx_msgbus_journal_get64(p + 8);
    ev->created = ngx_msgbus_journal_get64(p + 16);

    ev->token = ngx_memcmp(p + 24, none, NGX_MSGBUS_JOURNAL_TOKEN) == 0
                ? NULL : p + 24;

    ev->data.len = (size_t) ngx_msgbus_journal_get(p + 40, 4);
    ev->user_agent.len = (size_t) ngx_msgbus_journal_get(p + 44, 2);
    ev->uuid.len = (size_t) ngx_msgbus_journal_get(p + 46, 2);
    ev->channel.len = (size_t) ngx_msgbus_journal_get(p + 48, 2);
    ev->fields.len = (size_t) ngx_msgbus_journal_get(p + 50, 2);

    /* no sum of these overflows 64 bits */

    if (ngx_msgbus_journal_record_len(ev)
        != ngx_msgbus_journal_get(p + 4, 4))
    {
        return NGX_ERROR;
    }

    ev->channel.data = p + NGX_MSGBUS_JOURNAL_RECORD;
    ev->uuid.data = ev->channel.data + ev->channel.len;
    ev->user_agent.data = ev->uuid.data + ev->uuid.len;
    ev->data.data = ev->user_agent.data + ev->user_agent.len;
    ev->fields.data = ev->data.data + ev->data.len;

    return NGX_OK;
}


ngx_int_t
ngx_msgbus_journal_record_check(ngx_msgbus_journal_event_t *ev, u_char *p,
    size_t len, uint64_t salt, uint64_t offset)
{
    size_t  length;

    if (len < NGX_MSGBUS_JOURNAL_RECORD) {
        return NGX_ERROR;
    }

    length = (size_t) ngx_msgbus_journal_get(p + 4, 4);

    if (length < NGX_MSGBUS_JOURNAL_RECORD || length > len
        || ngx_msgbus_journal_get(p, 4)
           != ngx_msgbus_journal_crc(ngx_msgbus_journal_seed(salt, offset),
                                     p + 4, length - 4))
    {
        return NGX_ERROR;
    }

    return ngx_msgbus_journal_record_read(ev, p, length);
}


u_char *
ngx_msgbus_journal_key_write(const u_char *key, u_char *p)
{
    ngx_msgbus_journal_put(p, 2, NGX_MSGBUS_JOURNAL_FIELD_KEY);
    ngx_msgbus_journal_put(p + 2, 2, NGX_MSGBUS_JOURNAL_KEY);

    return ngx_cpymem(p + 4, key, NGX_MSGBUS_JOURNAL_KEY);
}


u_char *
ngx_msgbus_journal_key_read(ngx_msgbus_journal_event_t *ev)
{
    size_t   left, len;
    u_char  *p;

    p = ev->fields.data;
    left = ev->fields.len;

    while (left >= 4) {
        len = (size_t) ngx_msgbus_journal_get(p + 2, 2);

        if (len > left - 4) {
            return NULL;
        }

        if (ngx_msgbus_journal_get(p, 2) == NGX_MSGBUS_JOURNAL_FIELD_KEY
            && len == NGX_MSGBUS_JOURNAL_KEY)
        {
            return p + 4;
        }

        p += 4 + len;
        left -= 4 + len;
    }

    return NULL;
}


void
ngx_msgbus_journal_frame_seal(ngx_msgbus_journal_frame_t *f, u_char *p,
    uint64_t salt, uint64_t offset)
{
    size_t      at, length;
    uint32_t    crc, record;
    ngx_uint_t  i;

    ngx_msgbus_journal_put(p + 4, 4, f->length);
    ngx_msgbus_journal_put64(p + 8, f->sequence);
    ngx_msgbus_journal_put64(p + 16, f->first_id);
    ngx_msgbus_journal_put(p + 24, 4, f->count);
    ngx_msgbus_journal_put(p + 28, 4, f->type);
    ngx_msgbus_journal_put64(p + 32, f->prev_id);
    ngx_msgbus_journal_put64(p + 40, f->durable);
    ngx_msgbus_journal_put64(p + 48, f->mark);
    ngx_msgbus_journal_put64(p + 56, f->created);

    crc = ngx_msgbus_journal_crc(ngx_msgbus_journal_seed(salt, offset),
                                 p + 4, NGX_MSGBUS_JOURNAL_FRAME - 4);

    at = NGX_MSGBUS_JOURNAL_FRAME;

    for (i = 0; i < f->count; i++) {
        length = (size_t) ngx_msgbus_journal_get(p + at + 4, 4);

        record = ngx_msgbus_journal_crc(
                     ngx_msgbus_journal_seed(salt, offset + at),
                     p + at + 4, length - 4);

        ngx_msgbus_journal_put(p + at, 4, record);
        crc = ngx_msgbus_journal_crc(crc, p + at, 4);

        at += length;
    }

    ngx_msgbus_journal_put(p, 4, crc);
}


ngx_int_t
ngx_msgbus_journal_frame_read(ngx_msgbus_journal_frame_t *f, u_char *p,
    size_t len, uint64_t salt, uint64_t offset)
{
    size_t                      at, length;
    uint32_t                    crc;
    uint64_t                    id;
    ngx_uint_t                  i;
    ngx_msgbus_journal_event_t  ev;

    if (len < NGX_MSGBUS_JOURNAL_FRAME) {
        f->length = NGX_MSGBUS_JOURNAL_FRAME;
        return NGX_AGAIN;
    }

    f->length = (uint32_t) ngx_msgbus_journal_get(p + 4, 4);

    if (f->length == 0 && ngx_msgbus_journal_get(p, 4) == 0) {
        return NGX_DONE;
    }

    ngx_msgbus_journal_frame_head(f, p);

    /* what can be told without a crc, for places where there is no frame */

    if (f->length < NGX_MSGBUS_JOURNAL_FRAME
        || f->length > NGX_MSGBUS_JOURNAL_MAX_FRAME
        || f->length % 8
        || f->type < NGX_MSGBUS_JOURNAL_EVENTS
        || f->type > NGX_MSGBUS_JOURNAL_STOP
        || ngx_msgbus_journal_get(p + 30, 2)
        || (f->type == NGX_MSGBUS_JOURNAL_EVENTS) != (f->count != 0)
        || f->count > (f->length - NGX_MSGBUS_JOURNAL_FRAME)
                      / NGX_MSGBUS_JOURNAL_RECORD
        || f->first_id <= f->prev_id
        || f->durable >= f->sequence)
    {
        return NGX_ERROR;
    }

    if (f->length > len) {
        return NGX_AGAIN;
    }

    crc = ngx_msgbus_journal_crc(ngx_msgbus_journal_seed(salt, offset),
                                 p + 4, NGX_MSGBUS_JOURNAL_FRAME - 4);

    at = NGX_MSGBUS_JOURNAL_FRAME;
    id = f->first_id - 1;

    for (i = 0; i < f->count; i++) {

        if (ngx_msgbus_journal_record_check(&ev, p + at, f->length - at,
                                            salt, offset + at)
            != NGX_OK
            || ev.id <= id
            || (i == 0 && ev.id != f->first_id))
        {
            return NGX_ERROR;
        }

        crc = ngx_msgbus_journal_crc(crc, p + at, 4);
        id = ev.id;

        length = (size_t) ngx_msgbus_journal_get(p + at + 4, 4);
        at += length;
    }

    if (at != f->length || crc != ngx_msgbus_journal_get(p, 4)) {
        return NGX_ERROR;
    }

    f->last_id = ngx_msgbus_journal_frame_end(f, id);

    return NGX_OK;
}


void
ngx_msgbus_journal_frame_last(ngx_msgbus_journal_frame_t *f, u_char *p)
{
    uint64_t    id;
    ngx_uint_t  i;

    ngx_msgbus_journal_frame_head(f, p);

    id = f->prev_id;
    p = f->records;

    for (i = 0; i < f->count; i++) {
        id = ngx_msgbus_journal_get64(p + 8);
        p += ngx_msgbus_journal_get(p + 4, 4);
    }

    f->last_id = ngx_msgbus_journal_frame_end(f, id);
}


static void
ngx_msgbus_journal_frame_head(ngx_msgbus_journal_frame_t *f, u_char *p)
{
    f->length = (uint32_t) ngx_msgbus_journal_get(p + 4, 4);
    f->sequence = ngx_msgbus_journal_get64(p + 8);
    f->first_id = ngx_msgbus_journal_get64(p + 16);
    f->count = (uint32_t) ngx_msgbus_journal_get(p + 24, 4);
    f->type = (uint16_t) ngx_msgbus_journal_get(p + 28, 2);
    f->prev_id = ngx_msgbus_journal_get64(p + 32);
    f->durable = ngx_msgbus_journal_get64(p + 40);
    f->mark = ngx_msgbus_journal_get64(p + 48);
    f->created = ngx_msgbus_journal_get64(p + 56);
    f->records = p + NGX_MSGBUS_JOURNAL_FRAME;
}


/* the last id of a frame; id is that of its last record */
static uint64_t
ngx_msgbus_journal_frame_end(ngx_msgbus_journal_frame_t *f, uint64_t id)
{
    switch (f->type) {

    case NGX_MSGBUS_JOURNAL_EVENTS:
        return id;

    case NGX_MSGBUS_JOURNAL_SKIP:
    case NGX_MSGBUS_JOURNAL_HOLE:
        return f->first_id - 1;

    default:
        return f->prev_id;
    }
}


static uint32_t
ngx_msgbus_journal_seed(uint64_t salt, uint64_t offset)
{
    u_char  seed[16];

    if (!ngx_msgbus_journal_rule(NGX_MSGBUS_RULE_SEED)) {
        return 0;
    }

    ngx_msgbus_journal_put64(seed, salt);
    ngx_msgbus_journal_put64(seed + 8, offset);

    return ngx_msgbus_journal_crc(0, seed, 16);
}
