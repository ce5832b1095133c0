
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Two channels, one of which begins as the other does, with one and the same
 * hash: a seed was looked for that gives them that.  Who asks for the one and
 * all below it gets nothing of the other, whether the newest records are looked
 * at for him, or the lists.
 */


#include "unit.h"
#include "ngx_msgbus_view.h"


#define NAMED_SIZE  65536
#define NAMED_SEED  0xb417ac677ab0ee4c     /* "/a" and "/ab" */


static void named_post(uint64_t id, const char *name);
static void named_read(const char *list, uint64_t after, const char *due);


static u_char             zone[NAMED_SIZE];
static u_char             buf[NGX_MSGBUS_HOLD_BYTES + NAMED_SIZE];
static ngx_slab_pool_t    pool;
static ngx_msgbus_log_t   log;
static ngx_msgbus_undo_t  undo;


int
main(void)
{
    uint64_t              id;
    ngx_str_t             a = ngx_string("/a"), ab = ngx_string("/ab");
    ngx_msgbus_channel_t  one, two;

    unit_init();

    pool.log_ctx = (u_char *) " in a test";

    log.shpool = &pool;
    log.undo = &undo;
    log.ttl = 1000000;
    log.max_events = NGX_MAX_UINT32_VALUE;

    unit_check(ngx_msgbus_log_init(&log, zone, NAMED_SIZE, 1) == NGX_OK,
               "no log");

    ngx_msgbus_log_start(&log, 1, NAMED_SEED, 0);

    (void) ngx_msgbus_channel_parse(&one, &a, NAMED_SEED);
    (void) ngx_msgbus_channel_parse(&two, &ab, NAMED_SEED);

    unit_check(one.levels[0].hash == two.levels[0].hash,
               "the two have not one hash: another seed is needed");

    named_post(1, "/ab");
    named_post(2, "/a/b");
    named_post(3, "/a");
    named_post(4, "/ab/c");

    named_read("/a/*,/x", 0, "23");
    named_read("/a,/x", 0, "3");
    named_read("/ab/*,/x", 0, "14");
    named_read("/a/*,/ab", 0, "123");

    /* so many that the lists are found */

    for (id = 5; id < 105; id++) {
        named_post(id, "/y");
    }

    named_read("/a/*,/x", 0, "23");
    named_read("/ab/*,/x", 0, "14");

    return 0;
}


static void
named_post(uint64_t id, const char *name)
{
    ngx_str_t             text;
    ngx_msgbus_event_t    ev;
    ngx_msgbus_channel_t  channel;

    text.data = (u_char *) name;
    text.len = strlen(name);

    (void) ngx_msgbus_channel_parse(&channel, &text, NAMED_SEED);

    memset(&ev, 0, sizeof(ngx_msgbus_event_t));

    ev.channel = &channel;
    ev.id = id;
    ngx_str_set(&ev.uuid, "x");
    ngx_str_set(&ev.user_agent, "u");
    ngx_str_set(&ev.data, "{}");
    memset(ev.created_text, 'a', NGX_MSGBUS_TIME_LEN);

    ngx_msgbus_log_lock(&log);

    unit_check(ngx_msgbus_log_append_locked(&log, &ev, 1) == NGX_OK,
               "event %d is not taken", (int) id);

    ngx_msgbus_log_unlock(&log);
}


/* due: the ids, a digit each */
static void
named_read(const char *list, uint64_t after, const char *due)
{
    char                *id;
    u_char              *last;
    ngx_str_t            text;
    ngx_msgbus_many_t    many;
    ngx_msgbus_view_t    view;
    ngx_msgbus_query_t   q;
    u_char               canonical[NGX_MSGBUS_MANY_LEN];
    char                 got[16], *p;

    text.data = (u_char *) list;
    text.len = strlen(list);

    unit_check(ngx_msgbus_many_parse(&many, &text, canonical, NAMED_SEED)
               == NGX_OK, "%s is no list", list);

    memset(&q, 0, sizeof(ngx_msgbus_query_t));

    q.scope = NGX_MSGBUS_MANY;
    q.many = &many;
    q.after = after;
    q.max_events = 9;
    q.max_bytes = NAMED_SIZE;

    ngx_msgbus_view_init(&view, &q);

    ngx_msgbus_log_lock(&log);

    unit_check(ngx_msgbus_view_next_locked(&log, &view, buf, &last, 1)
               == NGX_OK, "%s is not read in one hold", list);

    ngx_msgbus_log_unlock(&log);

    *last = '\0';
    p = got;

    for (id = (char *) buf; (id = strstr(id, "{\"id\":")) != NULL; id++) {
        *p++ = id[6];
    }

    *p = '\0';

    unit_check(strcmp(got, due) == 0, "%s: %s instead of %s", list, got, due);
}
