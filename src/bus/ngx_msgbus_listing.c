
/*
 * Copyright (C) the msgbus authors
 */


/*
 * A list of channels, from memory, a page at a time.
 *
 * Neither nodes nor entries of readers are in any order: all of them are looked
 * at for each page, some at a time under the lock, and of these the names that
 * belong to the page, as far as is known, are copied.  Behind the lock they are
 * sorted in; no more than a page and one name are kept.  What is beyond the
 * last of them is passed by under the lock, so that of many channels few are
 * copied.
 *
 * How many events a channel has nobody keeps: it is counted for the channels of
 * the page alone, along the jumps of their lists.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_msgbus_filing.h"
#include "ngx_msgbus_listing.h"


/* holds of the lock in one turn of the event loop */
#define NGX_MSGBUS_LISTING_HOLDS  32

/* channels whose events are counted in one hold */
#define NGX_MSGBUS_LISTING_COUNTS  8

#define NGX_MSGBUS_LISTING_NODES   0
#define NGX_MSGBUS_LISTING_SEATS   1
#define NGX_MSGBUS_LISTING_EVENTS  2
#define NGX_MSGBUS_LISTING_DONE    3


/* a name that one hold has found, and the readers that it has found with it */
typedef struct {
    uint32_t               count[NGX_MSGBUS_MANNERS];
    ngx_uint_t             tree;       /* unsigned  tree:1; */
    size_t                 len;
    u_char                 name[NGX_MSGBUS_CHANNEL_LEN];
} ngx_msgbus_found_t;


static ngx_uint_t ngx_msgbus_listing_nodes_locked(
    ngx_msgbus_listing_t *listing, ngx_msgbus_nodes_t *nodes);
static ngx_uint_t ngx_msgbus_listing_seats_locked(
    ngx_msgbus_listing_t *listing, ngx_msgbus_presence_t *p);
static ngx_uint_t ngx_msgbus_listing_wants(ngx_msgbus_listing_t *listing,
    u_char *name, size_t len);
static ngx_int_t ngx_msgbus_listing_take(ngx_msgbus_listing_t *listing,
    ngx_msgbus_found_t *found);
static ngx_msgbus_listed_t *ngx_msgbus_listing_item(
    ngx_msgbus_listing_t *listing, u_char *name, size_t len);
static void ngx_msgbus_listing_count(ngx_msgbus_listing_t *listing,
    ngx_msgbus_log_t *log);
static void ngx_msgbus_listing_count_locked(ngx_msgbus_listed_t *item,
    ngx_msgbus_log_t *log, ngx_msgbus_channel_t *ch);
static void ngx_msgbus_listing_close(ngx_msgbus_listing_t *listing);
static ngx_int_t ngx_msgbus_listing_compare(u_char *s1, size_t len1,
    u_char *s2, size_t len2);


ngx_int_t
ngx_msgbus_listing_init(ngx_msgbus_listing_t *listing, ngx_pool_t *pool)
{
    listing->pool = pool;
    listing->n = 0;
    ngx_str_null(&listing->next);
    listing->incomplete = 0;
    listing->phase = NGX_MSGBUS_LISTING_NODES;
    listing->at = 0;

    /* one more than the page has tells whether there are others */

    listing->items = ngx_palloc(pool, (listing->limit + 1)
                                      * sizeof(ngx_msgbus_listed_t *));
    if (listing->items == NULL) {
        return NGX_ERROR;
    }

    listing->found = ngx_palloc(pool, NGX_MSGBUS_HOLD_NODES
                                      * sizeof(ngx_msgbus_found_t));

    return listing->found ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_msgbus_listing_next(ngx_msgbus_listing_t *listing, ngx_msgbus_log_t *log,
    ngx_msgbus_present_t *present)
{
    uint32_t             end;
    ngx_uint_t           i, n, holds;
    ngx_msgbus_found_t  *found;

    for (holds = 0; holds < NGX_MSGBUS_LISTING_HOLDS; holds++) {

        if (listing->phase == NGX_MSGBUS_LISTING_DONE) {
            return NGX_OK;
        }

        if (listing->phase == NGX_MSGBUS_LISTING_EVENTS) {
            ngx_msgbus_listing_count(listing, log);
            continue;
        }

        ngx_msgbus_log_lock(log);

        if (listing->phase == NGX_MSGBUS_LISTING_NODES) {
            n = ngx_msgbus_listing_nodes_locked(listing, &log->nodes);
            end = log->nodes.sh->used;

        } else {
            n = ngx_msgbus_listing_seats_locked(listing, &present->presence);
            end = present->presence.sh->used;
        }

        ngx_msgbus_log_unlock(log);

        found = (ngx_msgbus_found_t *) listing->found;

        for (i = 0; i < n; i++) {
            if (ngx_msgbus_listing_take(listing, &found[i]) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        if (listing->at >= end) {
            listing->at = 0;
            listing->phase++;

            if (listing->phase == NGX_MSGBUS_LISTING_EVENTS) {
                listing->incomplete = ngx_msgbus_present_incomplete(present);
            }
        }
    }

    return NGX_AGAIN;
}


/* the next nodes; returns how many names were found in them */
static ngx_uint_t
ngx_msgbus_listing_nodes_locked(ngx_msgbus_listing_t *listing,
    ngx_msgbus_nodes_t *nodes)
{
    uint32_t             last;
    ngx_uint_t           n;
    ngx_msgbus_node_t   *node;
    ngx_msgbus_found_t  *found;

    n = 0;
    found = (ngx_msgbus_found_t *) listing->found;

    last = ngx_min(listing->at + NGX_MSGBUS_HOLD_NODES, nodes->sh->used);

    for ( /* void */ ; listing->at < last; listing->at++) {
        node = &nodes->nodes[listing->at];

        if (node->exact.newest == 0
            || !ngx_msgbus_listing_wants(listing, node->name, node->len))
        {
            continue;
        }

        found[n].count[NGX_MSGBUS_LONG_POLL] = 0;
        found[n].count[NGX_MSGBUS_STREAM] = 0;
        found[n].tree = 0;
        found[n].len = node->len;
        ngx_memcpy(found[n].name, node->name, node->len);

        n++;
    }

    return n;
}


/* the same of seats */
static ngx_uint_t
ngx_msgbus_listing_seats_locked(ngx_msgbus_listing_t *listing,
    ngx_msgbus_presence_t *p)
{
    uint32_t             last;
    ngx_uint_t           n;
    ngx_msgbus_seat_t   *seat;
    ngx_msgbus_found_t  *f;

    n = 0;
    last = ngx_min(listing->at + NGX_MSGBUS_HOLD_NODES, p->sh->used);

    for ( /* void */ ; listing->at < last; listing->at++) {
        seat = &p->seats[listing->at];

        if (seat->use != NGX_MSGBUS_SEAT_ENTRY
            || !ngx_msgbus_presence_counts_locked(p, seat))
        {
            continue;
        }

        f = (ngx_msgbus_found_t *) listing->found + n;

        f->len = seat->len;
        ngx_msgbus_presence_name_locked(p, seat, f->name);

        if (ngx_msgbus_listing_wants(listing, f->name, f->len)) {
            f->count[NGX_MSGBUS_LONG_POLL] =
                                   seat->u.entry.count[NGX_MSGBUS_LONG_POLL];
            f->count[NGX_MSGBUS_STREAM] =
                                      seat->u.entry.count[NGX_MSGBUS_STREAM];
            f->tree = seat->tree;

            n++;
        }
    }

    return n;
}


/* does it belong to the page, as far as that is known? */
static ngx_uint_t
ngx_msgbus_listing_wants(ngx_msgbus_listing_t *listing, u_char *name,
    size_t len)
{
    ngx_str_t            *below;
    ngx_msgbus_listed_t  *last;

    below = &listing->below;

    if (below->len > 1
        && (len < below->len
            || ngx_memcmp(name, below->data, below->len) != 0
            || (len > below->len && name[below->len] != '/')))
    {
        return 0;
    }

    if (listing->after.len
        && ngx_msgbus_listing_compare(name, len, listing->after.data,
                                      listing->after.len)
           <= 0)
    {
        return 0;
    }

    if (listing->n <= listing->limit) {
        return 1;
    }

    last = listing->items[listing->n - 1];

    return ngx_msgbus_listing_compare(name, len, last->name.data,
                                      last->name.len)
           <= 0;
}


/* what was found becomes a part of the page, or not */
static ngx_int_t
ngx_msgbus_listing_take(ngx_msgbus_listing_t *listing,
    ngx_msgbus_found_t *found)
{
    uint64_t             *count;
    ngx_msgbus_listed_t  *item;

    /* the page may have filled up since it was found */

    if (!ngx_msgbus_listing_wants(listing, found->name, found->len)) {
        return NGX_OK;
    }

    item = ngx_msgbus_listing_item(listing, found->name, found->len);
    if (item == NULL) {
        return NGX_ERROR;
    }

    count = found->tree ? item->tree : item->own;

    count[NGX_MSGBUS_LONG_POLL] += found->count[NGX_MSGBUS_LONG_POLL];
    count[NGX_MSGBUS_STREAM] += found->count[NGX_MSGBUS_STREAM];

    return NGX_OK;
}


/*
 * The item of this name, made where there is none: of a full page in place of
 * the last one.
 */
static ngx_msgbus_listed_t *
ngx_msgbus_listing_item(ngx_msgbus_listing_t *listing, u_char *name,
    size_t len)
{
    ngx_int_t             rc;
    ngx_uint_t            low, high, middle;
    ngx_msgbus_listed_t  *item;

    low = 0;
    high = listing->n;

    while (low < high) {
        middle = low + (high - low) / 2;
        item = listing->items[middle];

        rc = ngx_msgbus_listing_compare(name, len, item->name.data,
                                        item->name.len);
        if (rc == 0) {
            return item;
        }

        if (rc < 0) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    if (listing->n <= listing->limit) {
        item = ngx_palloc(listing->pool, sizeof(ngx_msgbus_listed_t));
        if (item == NULL) {
            return NULL;
        }

        listing->n++;

    } else {
        item = listing->items[listing->n - 1];
    }

    ngx_memmove(&listing->items[low + 1], &listing->items[low],
                (listing->n - 1 - low) * sizeof(ngx_msgbus_listed_t *));

    listing->items[low] = item;

    ngx_memzero(item, offsetof(ngx_msgbus_listed_t, bytes));
    ngx_memcpy(item->bytes, name, len);

    item->name.data = item->bytes;
    item->name.len = len;

    return item;
}


/* events of the next channels of the page; the last one closes it */
static void
ngx_msgbus_listing_count(ngx_msgbus_listing_t *listing, ngx_msgbus_log_t *log)
{
    ngx_uint_t            i, n;
    ngx_msgbus_channel_t  channels[NGX_MSGBUS_LISTING_COUNTS];

    if (listing->n > listing->limit) {
        listing->n = listing->limit;
        listing->next = listing->items[listing->n - 1]->name;
    }

    n = ngx_min(listing->n - listing->at, NGX_MSGBUS_LISTING_COUNTS);

    for (i = 0; i < n; i++) {
        (void) ngx_msgbus_channel_parse(&channels[i],
                                       &listing->items[listing->at + i]->name,
                                       log->sh->seed);
    }

    ngx_msgbus_log_lock(log);

    for (i = 0; i < n; i++) {
        ngx_msgbus_listing_count_locked(listing->items[listing->at + i], log,
                                        &channels[i]);
    }

    ngx_msgbus_log_unlock(log);

    listing->at += n;

    if (listing->at == listing->n) {
        ngx_msgbus_listing_close(listing);
    }
}


static void
ngx_msgbus_listing_count_locked(ngx_msgbus_listed_t *item,
    ngx_msgbus_log_t *log, ngx_msgbus_channel_t *ch)
{
    u_char               *front;
    ngx_msgbus_node_t    *node;
    ngx_msgbus_record_t  *rec;

    if (ch->depth == 0) {
        return;
    }

    node = ngx_msgbus_node_find_locked(&log->nodes, ch, ch->depth - 1);

    if (node == NULL || node->exact.newest == 0) {
        return;
    }

    item->events = ngx_msgbus_filing_count_locked(log, &node->exact, 0);
    item->newest = node->exact.newest_id;

    /* the front ends with when it was created */

    rec = ngx_msgbus_log_record(log, node->exact.newest);

    front = ngx_msgbus_record_front(rec);
    front += rec->front_len - (sizeof("\",\"age\":") - 1)
             - NGX_MSGBUS_TIME_LEN;

    ngx_memcpy(item->newest_at, front, NGX_MSGBUS_TIME_LEN);
}


/* those that had events when they were found, and have nothing now, go */
static void
ngx_msgbus_listing_close(ngx_msgbus_listing_t *listing)
{
    ngx_uint_t            i, n;
    ngx_msgbus_listed_t  *item;

    listing->phase = NGX_MSGBUS_LISTING_DONE;

    for (i = 0, n = 0; i < listing->n; i++) {
        item = listing->items[i];

        if (item->events
            || item->own[NGX_MSGBUS_LONG_POLL]
            || item->own[NGX_MSGBUS_STREAM]
            || item->tree[NGX_MSGBUS_LONG_POLL]
            || item->tree[NGX_MSGBUS_STREAM])
        {
            listing->items[n++] = item;
        }
    }

    listing->n = n;
}


static ngx_int_t
ngx_msgbus_listing_compare(u_char *s1, size_t len1, u_char *s2, size_t len2)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(s1, s2, ngx_min(len1, len2));

    return rc ? rc : (ngx_int_t) len1 - (ngx_int_t) len2;
}
