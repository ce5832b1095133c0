
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The lists that records are filed in.
 *
 * A list is linked from record to record by distances in serials.  At the
 * append the predecessor learns its next, and the new filing gets a jump far
 * back: where the predecessor's jump and the one after it span the same
 * number of filings, the new jump spans both (Myers' skew-binary list).  So
 * the way from the newest filing to any other takes O(log n) steps, however
 * far behind a reader is.  Records leave at the old end only; a jump that
 * leads before the log's head is as good as none, and the search goes on
 * with prev.
 *
 * All links but "node" and "next" of a record are written once; "next" once
 * more, by the successor.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_filing.h"


/* records behind a cursor that are looked at before the jumps are */
#define NGX_MSGBUS_NEAR  8


static void ngx_msgbus_filing_link(ngx_msgbus_log_t *log,
    ngx_msgbus_record_t *rec, ngx_uint_t slot, ngx_msgbus_list_t *list);
static void ngx_msgbus_filing_unlink(ngx_msgbus_log_t *log,
    ngx_msgbus_record_t *rec, ngx_uint_t slot, ngx_msgbus_list_t *list);
static uint64_t ngx_msgbus_filing_near(ngx_msgbus_log_t *log,
    ngx_msgbus_list_t *list, ngx_uint_t slot, uint64_t id);


/* the serial that lies dist before, or 0 if that has left the log */
static ngx_inline uint64_t
ngx_msgbus_filing_back(ngx_msgbus_log_t *log, uint64_t serial, uint32_t dist)
{
    if (dist == 0 || serial - dist < log->sh->head_serial) {
        return 0;
    }

    return serial - dist;
}


void
ngx_msgbus_filing_add_locked(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec,
    uint32_t *nodes)
{
    uint32_t             n;
    ngx_uint_t           i, depth;
    ngx_msgbus_node_t   *node;

    depth = rec->filings - 1;

    n = nodes[depth - 1];
    node = &log->nodes.nodes[n];

    if (node->exact.newest == 0) {
        ngx_msgbus_undo_set(log->undo, log->nodes.sh->channels,
                            log->nodes.sh->channels + 1);
    }

    rec->filing[0].node = n;
    ngx_msgbus_filing_link(log, rec, 0, &node->exact);

    for (i = 1; i <= depth; i++) {
        n = nodes[i - 1];
        node = &log->nodes.nodes[n];

        rec->filing[i].node = n;
        ngx_msgbus_filing_link(log, rec, i, &node->tree);
    }
}


static void
ngx_msgbus_filing_link(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec,
    ngx_uint_t slot, ngx_msgbus_list_t *list)
{
    uint64_t              jump;
    ngx_msgbus_undo_t    *undo;
    ngx_msgbus_filing_t  *f, *p, *j;

    undo = log->undo;
    f = &rec->filing[slot];
    f->next = 0;

    if (list->newest == 0) {
        f->prev = 0;
        f->jump = 0;
        f->span = 0;

        ngx_msgbus_undo_set(undo, list->oldest, rec->serial);

    } else {
        p = &ngx_msgbus_log_record(log, list->newest)->filing[slot];
        ngx_msgbus_undo_set(undo, p->next,
                            (uint32_t) (rec->serial - list->newest));

        f->prev = p->next;

        jump = ngx_msgbus_filing_back(log, list->newest, p->jump);
        j = jump ? &ngx_msgbus_log_record(log, jump)->filing[slot] : NULL;

        if (j && j->span == p->span
            && ngx_msgbus_filing_back(log, jump, j->jump))
        {
            f->jump = (uint32_t) (rec->serial - (jump - j->jump));
            f->span = 1 + p->span + j->span;

        } else {
            f->jump = f->prev;
            f->span = 1;
        }
    }

    ngx_msgbus_undo_set(undo, list->newest, rec->serial);
    ngx_msgbus_undo_set(undo, list->newest_id, rec->id);
}


void
ngx_msgbus_filing_drop_locked(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec)
{
    ngx_uint_t          i;
    ngx_msgbus_node_t  *node;

    node = &log->nodes.nodes[rec->filing[0].node];
    ngx_msgbus_filing_unlink(log, rec, 0, &node->exact);

    if (node->exact.newest == 0) {
        ngx_msgbus_undo_set(log->undo, log->nodes.sh->channels,
                            log->nodes.sh->channels - 1);
    }

    for (i = 1; i < rec->filings; i++) {
        node = &log->nodes.nodes[rec->filing[i].node];
        ngx_msgbus_filing_unlink(log, rec, i, &node->tree);

        if (node->tree.newest == 0) {
            ngx_msgbus_node_idle_locked(&log->nodes, rec->filing[i].node);
        }
    }
}


static void
ngx_msgbus_filing_unlink(ngx_msgbus_log_t *log, ngx_msgbus_record_t *rec,
    ngx_uint_t slot, ngx_msgbus_list_t *list)
{
    ngx_msgbus_undo_t  *undo;

    undo = log->undo;

    ngx_msgbus_undo_set(undo, list->dropped, rec->id);

    if (list->newest == rec->serial) {
        ngx_msgbus_undo_set(undo, list->newest, 0);

    } else {
        ngx_msgbus_undo_set(undo, list->oldest,
                            rec->serial + rec->filing[slot].next);
    }
}


/*
 * A short cut for the usual cursor: an event that is still in the log.  While
 * ids go on without holes its serial follows from its id, and the list's next
 * filing is its own "next", or not far behind it.  Each step of the way by
 * jumps is a cache miss; this takes one or two.  0: the other way, please.
 */
static uint64_t
ngx_msgbus_filing_near(ngx_msgbus_log_t *log, ngx_msgbus_list_t *list,
    ngx_uint_t slot, uint64_t id)
{
    uint64_t              serial, back;
    ngx_uint_t            i;
    ngx_msgbus_list_t    *l;
    ngx_msgbus_node_t    *node;
    ngx_msgbus_record_t  *rec;
    ngx_msgbus_log_sh_t  *sh;

    sh = log->sh;
    back = sh->last_id - id;

    if (back >= sh->next_serial - sh->head_serial) {
        return 0;
    }

    serial = sh->next_serial - 1 - back;

    if (ngx_msgbus_log_record(log, serial)->id != id) {
        return 0;
    }

    for (i = 0; i < NGX_MSGBUS_NEAR && serial < sh->next_serial; i++) {

        rec = ngx_msgbus_log_record(log, serial);

        if (slot < rec->filings) {
            node = &log->nodes.nodes[rec->filing[slot].node];
            l = slot ? &node->tree : &node->exact;

            if (l == list) {
                return i ? serial : serial + rec->filing[slot].next;
            }
        }

        serial++;
    }

    return 0;
}


uint64_t
ngx_msgbus_filing_after_locked(ngx_msgbus_log_t *log, ngx_msgbus_list_t *list,
    ngx_uint_t slot, uint64_t id)
{
    uint64_t              serial, s;
    ngx_msgbus_filing_t  *f;

    serial = list->newest;

    if (serial == 0 || list->newest_id <= id) {
        return 0;
    }

    s = ngx_msgbus_filing_near(log, list, slot, id);

    if (s) {
        return s;
    }

    for ( ;; ) {
        f = &ngx_msgbus_log_record(log, serial)->filing[slot];

        s = ngx_msgbus_filing_back(log, serial, f->jump);

        if (s == 0 || ngx_msgbus_log_record(log, s)->id <= id) {

            s = ngx_msgbus_filing_back(log, serial, f->prev);

            if (s == 0 || ngx_msgbus_log_record(log, s)->id <= id) {
                return serial;
            }
        }

        serial = s;
    }
}


uint64_t
ngx_msgbus_filing_before_locked(ngx_msgbus_log_t *log,
    ngx_msgbus_list_t *list, ngx_uint_t slot, uint64_t id)
{
    uint64_t              serial, s;
    ngx_msgbus_filing_t  *f;

    serial = list->newest;

    if (serial == 0 || list->newest_id < id) {
        return serial;
    }

    for ( ;; ) {
        f = &ngx_msgbus_log_record(log, serial)->filing[slot];

        s = ngx_msgbus_filing_back(log, serial, f->jump);

        if (s == 0 || ngx_msgbus_log_record(log, s)->id < id) {

            s = ngx_msgbus_filing_back(log, serial, f->prev);

            if (s == 0 || ngx_msgbus_log_record(log, s)->id < id) {
                return s;
            }
        }

        serial = s;
    }
}


uint64_t
ngx_msgbus_filing_count_locked(ngx_msgbus_log_t *log, ngx_msgbus_list_t *list,
    ngx_uint_t slot)
{
    uint64_t              serial, s, n;
    ngx_msgbus_filing_t  *f;

    serial = list->newest;

    for (n = serial ? 1 : 0; serial; serial = s) {
        f = &ngx_msgbus_log_record(log, serial)->filing[slot];

        s = ngx_msgbus_filing_back(log, serial, f->jump);

        if (s) {
            n += f->span;
            continue;
        }

        s = ngx_msgbus_filing_back(log, serial, f->prev);
        n += s != 0;
    }

    return n;
}


uint64_t
ngx_msgbus_filing_next_locked(ngx_msgbus_log_t *log, uint64_t serial,
    ngx_uint_t slot)
{
    uint32_t  dist;

    dist = ngx_msgbus_log_record(log, serial)->filing[slot].next;

    return dist ? serial + dist : 0;
}


uint64_t
ngx_msgbus_filing_prev_locked(ngx_msgbus_log_t *log, uint64_t serial,
    ngx_uint_t slot)
{
    uint32_t  dist;

    dist = ngx_msgbus_log_record(log, serial)->filing[slot].prev;

    return ngx_msgbus_filing_back(log, serial, dist);
}
