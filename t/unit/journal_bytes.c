
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Each byte of a sealed segment is another one, by one bit and by all: that is
 * told, or the answers are what they were.
 *
 * A header, and each byte of a frame, are told of: by those who read it.  An
 * index is made anew from the frames, and changes no answer; the keeper writes
 * it again, byte by byte as it was.  What is left is of nobody.  And what a
 * later version has written is refused, and not touched.
 *
 *     journal_bytes [EACH]
 */


#include "journal_sim.h"
#include "ngx_msgbus_journal_crc.h"
#include "ngx_msgbus_journal_history.h"
#include "ngx_msgbus_journal_keep.h"
#include "ngx_msgbus_journal_known.h"
#include "ngx_msgbus_journal_rule.h"


#define SEGMENT    8192
#define EVENTS     60
#define QUESTIONS  10


/* an answer */
typedef struct {
    ngx_int_t              rc;
    uint64_t               digest;
} answer_t;


static void fill(void);
static void keep(void);
static void ask(ngx_uint_t offline, answer_t *answers);
static void ask_one(ngx_msgbus_journal_reader_t *r, ngx_uint_t n,
    answer_t *answer);
static void find(ngx_uint_t offline, answer_t *answer);
static void make_key(uint64_t n, u_char *key);
static ngx_int_t take(void *data, ngx_msgbus_journal_event_t *ev);
static void add(uint64_t *digest, const void *p, size_t len);
static void flip(uint32_t at, u_char by);
static ngx_uint_t told(answer_t *answer);
static void later(const char *name, uint32_t at, uint32_t len);


ngx_uint_t  ngx_msgbus_journal_left_out;


static sim_t                        disk;
static ngx_msgbus_disk_t            calls;
static ngx_msgbus_journal_conf_t    conf;
static ngx_msgbus_journal_t         writer;
static ngx_msgbus_journal_keeper_t  keeper;
static sim_file_t                  *file;
static const char                  *newest = "";
static uint64_t                     end;
static answer_t                     wanted[2][QUESTIONS];
static u_char                       text[300];
static uint64_t                     damaged, derived, nobody, again;


int
main(int argc, char **argv)
{
    uint32_t  at, each;

    unit_init();
    each = argc > 1 ? (uint32_t) strtoul(argv[1], NULL, 10) : 1;

    memset(text, 'x', sizeof(text));

    sim_init(&disk);
    sim_calls(&calls, &disk);
    disk.wall = 1000000;

    fill();
    keep();

    ask(0, wanted[0]);
    ask(1, wanted[1]);

    for (at = 0; at < file->size; at += each) {
        unit_step = at;

        flip(at, (u_char) (1 << unit_below(8)));
        flip(at, 0xff);
    }

    later("mark", 0, 192);
    later("mark", 512, 192);
    later(newest, 0, 512);

    printf("bytes: %u\n", file->size);
    printf("damaged: %" PRIu64 "\n", damaged);
    printf("derived: %" PRIu64 "\n", derived);
    printf("of nobody: %" PRIu64 "\n", nobody);
    printf("made again: %" PRIu64 "\n", again);

    return 0;
}


/* three segments, of which the first one is looked at */
static void
fill(void)
{
    uint64_t                     id;
    ngx_uint_t                   i, k, n;
    u_char                       key[NGX_MSGBUS_JOURNAL_KEY];
    u_char                       fields[3][NGX_MSGBUS_JOURNAL_KEY_FIELD];
    ngx_msgbus_journal_event_t   ev[3];

    static const char  *channels[] = { "/a", "/a/b", "/c", "/a-b" };

    conf.path = "journal";
    conf.segment = SEGMENT;
    conf.patience = 1000;

    unit_check(ngx_msgbus_journal_open(&writer, &conf, &calls) == NGX_OK
               && ngx_msgbus_journal_look(&writer) == NGX_OK,
               "no journal: %s", writer.error);

    id = writer.at.id;

    for (i = 0; i < EVENTS; i += n) {
        n = 1 + unit_below(3);

        memset(ev, 0, sizeof(ev));

        for (k = 0; k < n; k++) {
            ev[k].id = ++id;
            ev[k].created = disk.wall;
            ev[k].channel.data = (u_char *) channels[(i + k) % 4];
            ev[k].channel.len = strlen(channels[(i + k) % 4]);
            ev[k].user_agent.data = text;
            ev[k].user_agent.len = unit_below(9);
            ev[k].data.data = text;
            ev[k].data.len = 100 + unit_below(200);

            if ((i + k) % 3) {
                make_key(i + k, key);
                (void) ngx_msgbus_journal_key_write(key, fields[k]);

                ev[k].fields.data = fields[k];
                ev[k].fields.len = sizeof(fields[k]);
            }
        }

        unit_check(ngx_msgbus_journal_insert(&writer, ev, n) == NGX_OK,
                   "not inserted: %s", writer.error);
        disk.wall += 10;
    }

    for (i = 0; i < disk.nnames; i++) {

        if (strncmp(disk.names[i].name, "0000000001-", 11) == 0) {
            file = sim_find(&disk, disk.names[i].name);
        }

        if (strstr(disk.names[i].name, ".journal")
            && strcmp(disk.names[i].name, newest) > 0)
        {
            newest = disk.names[i].name;
        }
    }

    unit_check(file && writer.header.sequence > 2, "no sealed segment");
}


static void
keep(void)
{
    unit_check(ngx_msgbus_journal_keeper_open(&keeper, &conf, &calls,
                                              writer.writer)
               == NGX_OK,
               "no keeper: %s", keeper.error);

    while (ngx_msgbus_journal_keeper_turn(&keeper) == NGX_AGAIN) {
        /* void */
    }

    unit_check(keeper.made > 1 && keeper.bad == 0, "no indexes: %s",
               keeper.error);
}


/* all questions, to one who has read nothing before */
static void
ask(ngx_uint_t offline, answer_t *answers)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_msgbus_journal_reader_t  r;

    unit_check(ngx_msgbus_journal_reader_open(&r, conf.path, &calls)
               == NGX_OK,
               "no reader: %s", r.error);

    r.offline = offline;

    rc = ngx_msgbus_journal_reader_look(&r);

    if (rc == NGX_OK && end == 0) {
        end = ngx_msgbus_journal_end(&r, 0);
    }

    for (i = 0; i < QUESTIONS; i++) {
        answers[i].rc = rc;
        answers[i].digest = 0;

        if (rc != NGX_OK) {
            continue;
        }

        if (i == QUESTIONS - 1) {
            find(offline, &answers[i]);

        } else {
            ask_one(&r, i, &answers[i]);
        }
    }

    ngx_msgbus_journal_reader_close(&r);
}


static void
ask_one(ngx_msgbus_journal_reader_t *r, ngx_uint_t n, answer_t *answer)
{
    uint64_t                   id;
    ngx_msgbus_scope_t         scope;
    ngx_msgbus_history_t       h;
    ngx_msgbus_examined_t      examined;
    ngx_msgbus_journal_page_t  page;

    memset(&h, 0, sizeof(h));
    memset(&scope, 0, sizeof(scope));
    memset(&page, 0, sizeof(page));
    memset(&examined, 0, sizeof(examined));

    id = 0;

    h.scopes = &scope;
    h.nscopes = 1;
    h.upto = r->newest;
    h.max = EVENTS + 9;
    h.max_bytes = 1000000;
    h.newest_first = n % 2;

    switch (n) {

    case 0:
        answer->rc = ngx_msgbus_journal_read(r, 0, 0, EVENTS + 9, 0, take,
                                             &answer->digest, &page);
        break;

    case 1:
        break;

    case 2:
    case 3:
    case 4:
        ngx_str_set(&scope.channel, "/a");
        scope.below = n != 2;
        break;

    case 5:
        ngx_str_set(&scope.channel, "/c");
        break;

    case 6:
        ngx_str_set(&scope.channel, "/none");
        break;

    case 7:
        answer->rc = ngx_msgbus_journal_floor(r, 1000050, &id);
        break;

    default:
        answer->rc = ngx_msgbus_journal_begin(r, EVENTS - 5, 0, &id);
    }

    if (n > 0 && n < 7) {
        answer->rc = ngx_msgbus_journal_history(r, &h, take, &answer->digest,
                                                &examined);
    }

    add(&answer->digest, &id, sizeof(id));
    add(&answer->digest, &page, sizeof(page));
    add(&answer->digest, &examined, sizeof(examined));
}


static ngx_int_t
take(void *data, ngx_msgbus_journal_event_t *ev)
{
    add(data, &ev->id, sizeof(ev->id));
    add(data, &ev->created, sizeof(ev->created));
    add(data, ev->channel.data, ev->channel.len);
    add(data, ev->user_agent.data, ev->user_agent.len);
    add(data, ev->data.data, ev->data.len);

    return NGX_OK;
}


/* some events by their keys, and some that are not there */
static void
find(ngx_uint_t offline, answer_t *answer)
{
    u_char                       key[NGX_MSGBUS_JOURNAL_KEY];
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_msgbus_journal_known_t   known;
    ngx_msgbus_journal_found_t   f;

    unit_check(ngx_msgbus_journal_known_open(&known, conf.path, &calls)
               == NGX_OK,
               "no keys: %s", known.reader.error);

    known.reader.offline = offline;

    rc = ngx_msgbus_journal_known_look(&known);

    for (i = 0; i < 12 && rc != NGX_DECLINED; i++) {
        memset(&f, 0, sizeof(f));
        make_key(i, key);

        rc = ngx_msgbus_journal_known_find(&known, key, 0, &f);

        add(&answer->digest, &rc, sizeof(rc));
        add(&answer->digest, &f, sizeof(f));
    }

    answer->rc = rc == NGX_DONE ? NGX_OK : rc;

    ngx_msgbus_journal_known_close(&known);
}


static void
make_key(uint64_t n, u_char *key)
{
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        ngx_msgbus_journal_put(key + 8 * i, 8,
                               (n + 1 + i * 1000) * 0x9e3779b97f4a7c15);
    }
}


/* FNV-1a */
static void
add(uint64_t *digest, const void *p, size_t len)
{
    const u_char  *byte;

    *digest += 14695981039346656037ull;

    for (byte = p; len; len--) {
        *digest = (*digest ^ *byte++) * 1099511628211ull;
    }
}


static void
flip(uint32_t at, u_char by)
{
    u_char      was;
    uint64_t    index;
    ngx_uint_t  i, k;
    answer_t    answers[2][QUESTIONS];

    was = file->cache[at];
    file->cache[at] ^= by;

    index = ngx_align(end, NGX_MSGBUS_JOURNAL_BLOCK);

    ask(0, answers[0]);
    ask(1, answers[1]);

    for (i = 0; i < 2; i++) {

        for (k = 0; k < QUESTIONS; k++) {

            if (at < NGX_MSGBUS_JOURNAL_HEADER) {
                unit_check(told(&answers[i][k]), "a header that is bad at %u, "
                           "and question %lu is answered", at,
                           (unsigned long) k);
                continue;
            }

            if (at >= NGX_MSGBUS_JOURNAL_BLOCK && at < end
                && told(&answers[i][k]))
            {
                continue;
            }

            unit_check(answers[i][k].rc == NGX_OK
                       && answers[i][k].digest == wanted[i][k].digest,
                       "byte %u is another one, and question %lu has another "
                       "answer, %ld", at, (unsigned long) k,
                       (long) answers[i][k].rc);
        }

        /* who reads all reads it */

        if (at >= NGX_MSGBUS_JOURNAL_BLOCK && at < end) {
            unit_check(told(&answers[i][0]), "byte %u of a frame is another "
                       "one, and is not told", at);
        }
    }

    if (at < NGX_MSGBUS_JOURNAL_HEADER
        || (at >= NGX_MSGBUS_JOURNAL_BLOCK && at < end))
    {
        damaged++;

    } else if (at >= index) {
        derived++;

        /* one that begins looks at each */

        keeper.indexed = 0;
        k = keeper.bad;

        while (ngx_msgbus_journal_keeper_turn(&keeper) == NGX_AGAIN) {
            /* void */
        }

        again += keeper.bad - k;

        unit_check(keeper.bad == k + (file->cache[at] == was),
                   "byte %u of an index is another one, and is not told", at);

    } else {
        nobody++;
    }

    file->cache[at] = was;
}


static ngx_uint_t
told(answer_t *answer)
{
    return answer->rc == NGX_DECLINED;
}


/* a mark, or a header, that says that a later version has written it */
static void
later(const char *name, uint32_t at, uint32_t len)
{
    u_char                       *p, was[512], *before;
    uint64_t                      n;
    ngx_uint_t                    i;
    sim_file_t                   *f;
    ngx_msgbus_journal_t          j;
    ngx_msgbus_journal_reader_t   r;

    f = sim_find(&disk, name);
    p = f->cache + at;
    memcpy(was, p, len);

    n = ngx_msgbus_journal_get(p + 12, 4);
    ngx_msgbus_journal_put(p + 12, 4, n + 1);
    ngx_msgbus_journal_put(p + 8, 4,
                           ngx_msgbus_journal_crc(0, p + 12, len - 12));

    before = malloc(SIM_FILES * SIM_BYTES);
    unit_check(before != NULL, "no memory");

    for (i = 0; i < SIM_FILES; i++) {
        memcpy(before + i * SIM_BYTES, disk.files[i].cache, SIM_BYTES);
    }

    n = disk.nnames;

    unit_check(ngx_msgbus_journal_open(&j, &conf, &calls) == NGX_OK,
               "not opened: %s", j.error);
    unit_check(ngx_msgbus_journal_look(&j) != NGX_OK && !j.damaged,
               "a later version's %s is written to, or taken for damage",
               name);
    ngx_msgbus_journal_close(&j);

    unit_check(ngx_msgbus_journal_reader_open(&r, conf.path, &calls)
               == NGX_OK
               && ngx_msgbus_journal_reader_look(&r) != NGX_OK,
               "a later version's %s is read", name);
    ngx_msgbus_journal_reader_close(&r);

    unit_check(n == disk.nnames, "a file more, or less");

    for (i = 0; i < SIM_FILES; i++) {
        unit_check(memcmp(before + i * SIM_BYTES, disk.files[i].cache,
                          SIM_BYTES)
                   == 0,
                   "a file has changed");
    }

    free(before);
    memcpy(p, was, len);
}
