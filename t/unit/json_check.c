
/*
 * Copyright (C) the msgbus authors
 */


/*
 * The check of JSON texts against a plain reader of RFC 8259, and the escape
 * of texts against a plain decoder of UTF-8.
 *
 * Each text lies in a block of its exact size, so that ASan sees who reads
 * past its end.  That yajl stays within the memory that it is said to need is
 * told by an alert in the error log, which is a fault here.
 *
 *     json_check PART    table utf8 escape depth truncated random
 */


#include "unit.h"
#include "ngx_msgbus_json.h"


#define JSON_YES   NGX_OK
#define JSON_NO    NGX_DECLINED
#define JSON_DEEP  NGX_BUSY

#define JSON_DEPTH  512


typedef struct {
    const char            *text;
    size_t                 len;
    ngx_int_t              rc;
} json_text_t;


typedef struct {
    const char            *name;
    void                 (*run)(void);
} json_part_t;


/* the reader's place; rc as soon as it knows */
typedef struct {
    u_char                *p;
    u_char                *last;
    ngx_uint_t             depth;
    ngx_uint_t             max_depth;
    ngx_int_t              rc;
} json_reader_t;


static void json_table(void);
static void json_utf8(void);
static void json_escape(void);
static void json_depth(void);
static void json_truncated(void);
static void json_random(void);

static ngx_int_t json_check(u_char *p, size_t len, ngx_uint_t max_depth);
static void json_expect(u_char *p, size_t len, ngx_uint_t max_depth,
    ngx_int_t rc);
static char *json_show(u_char *p, size_t len);
static void json_compare(u_char *p, size_t len, ngx_uint_t max_depth);
static void json_prefixes(u_char *p, size_t len, size_t step);

static ngx_int_t json_read(u_char *p, size_t len, ngx_uint_t max_depth);
static void json_value(json_reader_t *r);
static void json_string(json_reader_t *r);
static void json_number(json_reader_t *r);
static void json_word(json_reader_t *r, const char *word);
static void json_space(json_reader_t *r);
static int json_next(json_reader_t *r);
static size_t json_char(u_char *p, u_char *last);
static size_t json_escaped(u_char *dst, u_char *p, size_t len);
static void json_compare_escape(u_char *p, size_t len);
static void json_compare_unescape(ngx_str_t *text, ngx_str_t *escaped);
static size_t json_make(u_char *p, ngx_uint_t depth);


#define json_text(text, rc)  { text, sizeof(text) - 1, rc }

static json_text_t  texts[] = {

    /* what is posted is one object or one array */

    json_text("{}", JSON_YES),
    json_text("[]", JSON_YES),
    json_text(" \t\r\n{} \t\r\n", JSON_YES),
    json_text("", JSON_NO),
    json_text(" ", JSON_NO),
    json_text("\n", JSON_NO),
    json_text("1", JSON_NO),
    json_text("\"a\"", JSON_NO),
    json_text("true", JSON_NO),
    json_text("null", JSON_NO),
    json_text("[][]", JSON_NO),
    json_text("{}{}", JSON_NO),
    json_text("[],", JSON_NO),
    json_text("[]]", JSON_NO),
    json_text("{}}", JSON_NO),
    json_text("[] 1", JSON_NO),
    json_text("[]x", JSON_NO),
    json_text("[]\"", JSON_NO),
    json_text("{}\"a", JSON_NO),
    json_text("[] \"]", JSON_NO),
    json_text("[]\"a\"", JSON_NO),
    json_text("[]-", JSON_NO),
    json_text("[]t", JSON_NO),
    json_text("[]/", JSON_NO),
    json_text("[][", JSON_NO),
    json_text("[]{", JSON_NO),
    json_text("[]\0", JSON_NO),
    json_text("\0[]", JSON_NO),
    json_text("\xef\xbb\xbf[]", JSON_NO),
    json_text("[]\xef\xbb\xbf", JSON_NO),
    json_text("[\xef\xbb\xbf]", JSON_NO),

    /* arrays */

    json_text("[1]", JSON_YES),
    json_text("[1,2]", JSON_YES),
    json_text("[ 1 , 2 ]", JSON_YES),
    json_text("[[[]],[]]", JSON_YES),
    json_text("[", JSON_NO),
    json_text("]", JSON_NO),
    json_text("[1", JSON_NO),
    json_text("[1,", JSON_NO),
    json_text("[1,]", JSON_NO),
    json_text("[,1]", JSON_NO),
    json_text("[,]", JSON_NO),
    json_text("[1,,2]", JSON_NO),
    json_text("[1 2]", JSON_NO),
    json_text("[1:2]", JSON_NO),
    json_text("[1}", JSON_NO),
    json_text("[{]", JSON_NO),
    json_text("[(1)]", JSON_NO),

    /* objects */

    json_text("{\"a\":1}", JSON_YES),
    json_text("{\"a\":1,\"b\":2}", JSON_YES),
    json_text("{\"a\":1,\"a\":2}", JSON_YES),
    json_text("{\"\":0}", JSON_YES),
    json_text("{ \"a\" : { } , \"b\" : [ ] }", JSON_YES),
    json_text("{", JSON_NO),
    json_text("}", JSON_NO),
    json_text("{\"a\"", JSON_NO),
    json_text("{\"a\":", JSON_NO),
    json_text("{\"a\"}", JSON_NO),
    json_text("{\"a\":}", JSON_NO),
    json_text("{:1}", JSON_NO),
    json_text("{\"a\" 1}", JSON_NO),
    json_text("{\"a\",1}", JSON_NO),
    json_text("{\"a\"::1}", JSON_NO),
    json_text("{\"a\":1,}", JSON_NO),
    json_text("{,\"a\":1}", JSON_NO),
    json_text("{\"a\":1,,\"b\":2}", JSON_NO),
    json_text("{\"a\":1 \"b\":2}", JSON_NO),
    json_text("{\"a\":1:2}", JSON_NO),
    json_text("{a:1}", JSON_NO),
    json_text("{'a':1}", JSON_NO),
    json_text("{1:1}", JSON_NO),
    json_text("{null:1}", JSON_NO),
    json_text("{[]:1}", JSON_NO),
    json_text("{\"a\":1]", JSON_NO),

    /* words */

    json_text("[true,false,null]", JSON_YES),
    json_text("[True]", JSON_NO),
    json_text("[tru]", JSON_NO),
    json_text("[truee]", JSON_NO),
    json_text("[nul]", JSON_NO),
    json_text("[fals]", JSON_NO),
    json_text("[nulltrue]", JSON_NO),
    json_text("[NaN]", JSON_NO),
    json_text("[Infinity]", JSON_NO),
    json_text("[-Infinity]", JSON_NO),
    json_text("[undefined]", JSON_NO),

    /* numbers */

    json_text("[0]", JSON_YES),
    json_text("[-0]", JSON_YES),
    json_text("[-1]", JSON_YES),
    json_text("[0.0]", JSON_YES),
    json_text("[1.25]", JSON_YES),
    json_text("[1e5]", JSON_YES),
    json_text("[1E+5]", JSON_YES),
    json_text("[1e-5]", JSON_YES),
    json_text("[0e0]", JSON_YES),
    json_text("[1e01]", JSON_YES),
    json_text("[-1.5e+10]", JSON_YES),
    json_text("[1e99999]", JSON_YES),
    json_text("[123456789012345678901234567890]", JSON_YES),
    json_text("[-123456789012345678901234567890.5e-99999]", JSON_YES),
    json_text("[01]", JSON_NO),
    json_text("[-01]", JSON_NO),
    json_text("[00]", JSON_NO),
    json_text("[+1]", JSON_NO),
    json_text("[-]", JSON_NO),
    json_text("[--1]", JSON_NO),
    json_text("[- 1]", JSON_NO),
    json_text("[.5]", JSON_NO),
    json_text("[-.5]", JSON_NO),
    json_text("[1.]", JSON_NO),
    json_text("[1.e5]", JSON_NO),
    json_text("[1e]", JSON_NO),
    json_text("[1e+]", JSON_NO),
    json_text("[1e5.5]", JSON_NO),
    json_text("[1.2.3]", JSON_NO),
    json_text("[1-2]", JSON_NO),
    json_text("[0x1]", JSON_NO),
    json_text("[1a]", JSON_NO),
    json_text("[1_000]", JSON_NO),
    json_text("[\xef\xbc\x91]", JSON_NO),

    /* strings */

    json_text("[\"\"]", JSON_YES),
    json_text("[\"a\"]", JSON_YES),
    json_text("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", JSON_YES),
    json_text("[\"\\u0041\\u00e9\\uFFFF\\uabCD\"]", JSON_YES),
    json_text("[\"\\u0000\"]", JSON_YES),
    json_text("[\"\\ud83d\\ude00\"]", JSON_YES),
    json_text("[\"\\ud800\"]", JSON_YES),
    json_text("[\"\\udc00\\ud800\"]", JSON_YES),
    json_text("[\"\x7f\"]", JSON_YES),
    json_text("[\"\xc3\xa9\"]", JSON_YES),
    json_text("[\"\xe2\x82\xac\xf0\x9f\x98\x80\"]", JSON_YES),
    json_text("[\"\xe2\x80\xa8\xe2\x80\xa9\"]", JSON_YES),
    json_text("[\"\xef\xbf\xbe\xef\xbf\xbf\"]", JSON_YES),
    json_text("[\"//\", \"/*\"]", JSON_YES),
    json_text("[\"]", JSON_NO),
    json_text("[\"a]", JSON_NO),
    json_text("[\"a\\\"]", JSON_NO),
    json_text("[\"\\\"]", JSON_NO),
    json_text("[\"\\x41\"]", JSON_NO),
    json_text("[\"\\a\"]", JSON_NO),
    json_text("[\"\\'\"]", JSON_NO),
    json_text("[\"\\0\"]", JSON_NO),
    json_text("[\"\\U0041\"]", JSON_NO),
    json_text("[\"\\u\"]", JSON_NO),
    json_text("[\"\\u004\"]", JSON_NO),
    json_text("[\"\\u00g0\"]", JSON_NO),
    json_text("[\"\\u 041\"]", JSON_NO),
    json_text("[\"\\\n\"]", JSON_NO),
    json_text("[\"\t\"]", JSON_NO),
    json_text("[\"\n\"]", JSON_NO),
    json_text("[\"\0\"]", JSON_NO),
    json_text("[\"\x1f\"]", JSON_NO),
    json_text("['a']", JSON_NO),
    json_text("[\"a\"\"b\"]", JSON_NO),
    json_text("[\"a\" \"b\"]", JSON_NO),

    /* bytes that are no UTF-8 */

    json_text("[\"\x80\"]", JSON_NO),
    json_text("[\"\xc3\"]", JSON_NO),
    json_text("[\"\xc0\xaf\"]", JSON_NO),
    json_text("[\"\xe0\x80\xaf\"]", JSON_NO),
    json_text("[\"\xed\xa0\x80\"]", JSON_NO),
    json_text("[\"\xf4\x90\x80\x80\"]", JSON_NO),
    json_text("[\"\xf8\x88\x80\x80\x80\"]", JSON_NO),
    json_text("[\"\xfe\"]", JSON_NO),
    json_text("[\"\xff\"]", JSON_NO),

    /* white space is four characters, comments are none */

    json_text("[ \t\r\n1]", JSON_YES),
    json_text("[\f1]", JSON_NO),
    json_text("[1\f]", JSON_NO),
    json_text("[\v1]", JSON_NO),
    json_text("{\"a\":\v1}", JSON_NO),
    json_text("[]\f", JSON_NO),
    json_text("\v[]", JSON_NO),
    json_text("[\xc2\xa0" "1]", JSON_NO),
    json_text("[\xe2\x80\xa8" "1]", JSON_NO),
    json_text("[1/**/]", JSON_NO),
    json_text("[1//\n]", JSON_NO),
    json_text("[1#\n]", JSON_NO),
    json_text("/**/[]", JSON_NO),
    json_text("[]//", JSON_NO),
    json_text("[]#", JSON_NO)
};


static json_part_t  parts[] = {
    { "table", json_table },
    { "utf8", json_utf8 },
    { "escape", json_escape },
    { "depth", json_depth },
    { "truncated", json_truncated },
    { "random", json_random }
};


int
main(int argc, char **argv)
{
    ngx_uint_t  i;

    unit_init();

    for (i = 0; argc > 1 && i < sizeof(parts) / sizeof(json_part_t); i++) {

        if (strcmp(argv[1], parts[i].name) == 0) {
            parts[i].run();
            printf("checks: %" PRIu64 "\n", unit_step);
            return 0;
        }
    }

    unit_fail("no such part");
}


/* all of the table, the plain reader too */
static void
json_table(void)
{
    size_t        i, n;
    ngx_int_t     rc;
    json_text_t  *t;

    /* all of them, to tell all that are wrong */

    for (i = 0, n = 0; i < sizeof(texts) / sizeof(json_text_t); i++) {
        t = &texts[i];

        unit_check(json_read((u_char *) t->text, t->len, JSON_DEPTH) == t->rc,
                   "the plain reader is wrong about: %s", t->text);

        rc = json_check((u_char *) t->text, t->len, JSON_DEPTH);

        if (rc != t->rc) {
            printf("wrong, %s: %s\n", rc == NGX_OK ? "taken" : "refused",
                   json_show((u_char *) t->text, t->len));
            n++;
        }
    }

    unit_check(n == 0, "%zu texts of the table", n);
}


/* all sequences of two and three bytes, many of four, at all places */
static void
json_utf8(void)
{
    size_t           len, before, after;
    u_char          *p, *text;
    uint32_t         a, b, c, n;

    static u_char    third[] = { 0x00, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0xbf,
                                 0xc0, 0xff };

    p = malloc(6);
    memcpy(p, "[\"", 2);
    memcpy(p + 4, "\"]", 2);

    for (a = 0x80; a < 0x100; a++) {
        for (b = 0; b < 0x100; b++) {
            p[2] = a;
            p[3] = b;
            json_compare(p, 6, JSON_DEPTH);
        }
    }

    free(p);

    p = malloc(7);
    memcpy(p, "[\"", 2);
    memcpy(p + 5, "\"]", 2);

    for (a = 0x80; a < 0x100; a++) {
        for (b = 0; b < 0x100; b++) {
            for (c = 0; c < 0x100; c++) {
                p[2] = a;
                p[3] = b;
                p[4] = c;
                json_compare(p, 7, JSON_DEPTH);
            }
        }
    }

    free(p);

    p = malloc(8);
    memcpy(p, "[\"", 2);
    memcpy(p + 6, "\"]", 2);

    for (a = 0xe0; a < 0x100; a++) {
        for (b = 0; b < 0x100; b++) {
            for (c = 0; c < 81; c++) {
                p[2] = a;
                p[3] = b;
                p[4] = third[c / 9];
                p[5] = third[c % 9];
                json_compare(p, 8, JSON_DEPTH);
            }
        }
    }

    for (n = 0; n < 500000; n++) {
        a = unit_random();
        p[2] = 0xf0 + (a & 7);
        p[3] = a >> 8;
        p[4] = (unit_once_in(8) ? 0 : 0x80) | (a >> 16 & 0x3f);
        p[5] = (unit_once_in(8) ? 0 : 0x80) | (a >> 24 & 0x3f);
        json_compare(p, 8, JSON_DEPTH);
    }

    free(p);

    /* the check looks at many bytes at once: at all distances from both ends */

    for (before = 0; before < 80; before++) {
        for (after = 0; after < 80; after++) {
            len = before + after + 8;
            text = malloc(len);
            memset(text, 'x', len);
            memcpy(text, "[\"", 2);
            memcpy(text + len - 2, "\"]", 2);

            for (n = 0; n < 8; n++) {
                p = text + 2 + before;
                a = unit_random();
                p[0] = n & 4 ? 0xf0 : n & 2 ? 0xe1 : 0xc3;
                p[1] = 0x90 | (a & 0x2f);
                p[2] = n & 6 ? 0x80 | (a >> 8 & 0x3f) : 'y';
                p[3] = n & 4 ? 0x80 | (a >> 16 & 0x3f) : 'y';
                p[a >> 24 & 3] ^= n & 1 ? 1 << (a >> 26 & 7) : 0;
                json_compare(text, len, JSON_DEPTH);
            }

            free(text);
        }
    }
}


/* all sequences of up to three bytes, many longer ones */
static void
json_escape(void)
{
    size_t    len, i;
    u_char   *p;
    uint32_t  n;

    p = malloc(1);

    for (n = 0; n < 0x100; n++) {
        p[0] = n;
        json_compare_escape(p, 1);
    }

    json_compare_escape(p, 0);
    free(p);

    p = malloc(2);

    for (n = 0; n < 0x10000; n++) {
        p[0] = n >> 8;
        p[1] = n;
        json_compare_escape(p, 2);
    }

    free(p);

    p = malloc(3);

    for (n = 0x000000; n < 0x1000000; n++) {

        /* of what starts below 0x80 a part: it is two bytes and one */

        if (n < 0x800000 && n % 7) {
            continue;
        }

        p[0] = n >> 16;
        p[1] = n >> 8;
        p[2] = n;
        json_compare_escape(p, 3);
    }

    free(p);

    for (n = 0; n < 300000; n++) {
        len = unit_below(unit_once_in(10) ? 300 : 40);
        p = malloc(len);

        for (i = 0; i < len; i++) {
            switch (n % 4) {

            case 0:
                p[i] = unit_random();
                break;

            case 1:
                p[i] = 0x80 | unit_random();
                break;

            default:
                p[i] = ' ' + unit_below(95);

                if (unit_once_in(50)) {
                    p[i] = "\"\\\x7f\x1f\x80\x20\x21\x7e"[unit_below(8)];
                }
            }
        }

        json_compare_escape(p, len);
        free(p);
    }

    /* each byte at each place of a text that is looked at in words */

    for (len = 1; len <= 33; len++) {
        p = malloc(len);
        memset(p, 'a', len);

        for (i = 0; i < len; i++) {
            for (n = 0; n < 0x100; n++) {
                p[i] = n;
                json_compare_escape(p, len);
            }

            p[i] = 'a';
        }

        free(p);
    }
}


/* each limit from 1 to 1000, in arrays, objects, both; closed or not */
static void
json_depth(void)
{
    size_t      i, len, half;
    u_char     *p;
    ngx_uint_t  max, depth, kind;

    p = malloc(1100 * 6 * 2 + 2048);

    for (max = 1; max <= 1000; max++) {
        for (kind = 0; kind < 3; kind++) {
            for (depth = max; depth <= max + 1; depth++) {

                for (i = 0, len = 0; i < depth; i++) {

                    if (kind == 0 || (kind == 2 && i % 3)) {
                        p[len++] = '[';

                    } else {
                        memcpy(p + len, i + 1 < depth ? "{\"\":" : "{",
                               i + 1 < depth ? 4 : 1);
                        len += i + 1 < depth ? 4 : 1;
                    }
                }

                half = len;

                while (i--) {
                    p[len++] = kind == 0 || (kind == 2 && i % 3) ? ']' : '}';
                }

                json_expect(p, len, max, depth > max ? JSON_DEEP : JSON_YES);
                json_expect(p, half, max, depth > max ? JSON_DEEP : JSON_NO);
                json_expect(p, len - 1, max,
                            depth > max ? JSON_DEEP : JSON_NO);

                /* in the depth, a token without an end: yajl keeps a copy */

                if (kind == 0 && depth == max) {
                    p[half] = '"';
                    memset(p + half + 1, 'a', 2047);
                    json_expect(p, half + 1 + unit_below(2047), max, JSON_NO);
                }
            }
        }
    }

    free(p);
}


/* what ends too early is refused wherever it ends, and needs no more memory */
static void
json_truncated(void)
{
    size_t       len, i, power;
    u_char      *p;
    ngx_uint_t   kind;

    static char  document[] =
        "{\"a\":[1,-2.5e+10,true,false,null,\"x\\u00e9\\n\\\\\"],"
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\":{\"b\":{}},\"c\":[[],{}]}";

    json_prefixes((u_char *) document, sizeof(document) - 1, 1);

    p = malloc(1048576 + 64);

    for (i = 0; i < 200; i++) {
        len = json_make(p, 1 + unit_below(8));
        json_prefixes(p, len, 1 + len / 500);
    }

    /* tokens of up to 1 MB: a string, a key, a number, a run of spaces */

    for (kind = 0; kind < 5; kind++) {

        len = 1048576;

        switch (kind) {

        case 0:
            memset(p, 'a', len);
            memcpy(p, "[\"", 2);
            memcpy(p + len - 2, "\"]", 2);
            break;

        case 1:
            memset(p, 'k', len);
            memcpy(p, "{\"", 2);
            memcpy(p + len - 4, "\":1}", 4);
            break;

        case 2:
            memset(p, '7', len);
            p[0] = '[';
            p[len - 1] = ']';
            break;

        case 3:
            memset(p, ' ', len);
            p[0] = '[';
            p[len - 1] = ']';
            break;

        default:
            for (i = 0; i < len; i += 2) {
                memcpy(p + i, "\\\"", 2);
            }

            memcpy(p, "[\"", 2);
            memcpy(p + len - 2, "\"]", 2);
        }

        json_expect(p, len, JSON_DEPTH, JSON_YES);

        for (i = 0; i < 40; i++) {
            json_expect(p, unit_below(len), JSON_DEPTH, JSON_NO);
        }

        /* around the sizes to which buffers grow */

        for (power = 64; power < len; power *= 2) {
            for (i = 0; i < 9; i++) {
                json_expect(p, power + i - 4, JSON_DEPTH, JSON_NO);
                json_expect(p, power + i - 4, 1, JSON_NO);
                json_expect(p, power + i - 4, 5000, JSON_NO);
            }
        }

        for (i = 20000; i < 32768 && kind == 0; i += 1 + i % 37) {
            json_expect(p, i / 4, JSON_DEPTH, JSON_NO);
        }
    }

    free(p);
}


/* garbage, and good texts with a few bytes changed */
static void
json_random(void)
{
    size_t             len, i, n;
    u_char            *p;
    ngx_uint_t         round;

    static const char  chars[] = "{}[]:,\"\\/ \t\n0123456789-+.eEtrufalsn"
                                 "\x80\xc3\xa9\xff\v\f";

    p = malloc(1048576);

    for (round = 0; round < 400000; round++) {

        switch (round % 4) {

        case 0:
            len = unit_below(24);

            for (i = 0; i < len; i++) {
                p[i] = chars[unit_below(sizeof(chars) - 1)];
            }

            if (len) {
                p[0] = unit_once_in(2) ? '[' : '{';
            }

            break;

        default:
            len = json_make(p, unit_below(7));

            for (n = unit_below(4); n; n--) {
                i = unit_below(len + 1);

                switch (unit_below(4)) {

                case 0:
                    memmove(p + i + 1, p + i, len - i);
                    p[i] = chars[unit_below(sizeof(chars) - 1)];
                    len++;
                    break;

                case 1:

                    if (i < len) {
                        memmove(p + i, p + i + 1, len - i - 1);
                        len--;
                    }

                    break;

                case 2:

                    if (i < len) {
                        p[i] = unit_random();
                    }

                    break;

                default:

                    if (i < len) {
                        p[i] = chars[unit_below(sizeof(chars) - 1)];
                    }
                }
            }
        }

        json_compare(p, len, unit_once_in(3) ? 1 + unit_below(8) : JSON_DEPTH);
    }

    /* large, and nothing but noise */

    for (round = 0; round < 300; round++) {
        len = 1 + unit_below(100000);

        for (i = 0; i < len; i++) {
            p[i] = unit_random() & 0x7f;
        }

        p[0] = '[';

        if (round % 2) {
            p[1] = '"';

            for (i = 2; i < len; i++) {
                p[i] = 32 + (p[i] % 60) + (p[i] == 34 || p[i] == 92);
            }
        }

        json_compare(p, len, JSON_DEPTH);
    }

    free(p);
}


/* the text at the end of a block of its own */
static ngx_int_t
json_check(u_char *p, size_t len, ngx_uint_t max_depth)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    unit_step++;

    text.len = len;
    text.data = malloc(len);

    if (len) {
        memcpy(text.data, p, len);
    }

    rc = ngx_msgbus_json_check(&text, max_depth, ngx_cycle->log);

    /* all that differ in kind, and of the millions of short ones a part */

    unit_check((len < 16 && unit_step % 8)
               || ngx_msgbus_json_check_alone(&text, max_depth,
                                              ngx_cycle->log)
                  == rc,
               "another answer in memory of its own, %zu bytes:\n%s", len,
               json_show(p, len));

    free(text.data);

    return rc;
}


static void
json_expect(u_char *p, size_t len, ngx_uint_t max_depth, ngx_int_t rc)
{
    ngx_int_t  found;

    found = json_check(p, len, max_depth);

    unit_check(found == rc, "%d instead of %d, depth %u, %zu bytes:\n%s",
               (int) found, (int) rc, (unsigned) max_depth, len,
               json_show(p, len));
}


/* the start of a text, as C has it */
static char *
json_show(u_char *p, size_t len)
{
    char         *s;
    size_t        i;

    static char   shown[4 * 1000 + 1];

    for (i = 0, s = shown; i < len && i < 1000; i++) {
        s += sprintf(s, p[i] < 0x20 || p[i] > 0x7e ? "\\x%02x" : "%c", p[i]);
    }

    *s = '\0';

    return shown;
}


static void
json_compare(u_char *p, size_t len, ngx_uint_t max_depth)
{
    size_t     i;
    ngx_int_t  rc;

    rc = json_read(p, len, max_depth);

    /* bytes that no JSON has may be refused before the nesting is */

    for (i = 0; rc == JSON_DEEP && i < len; i++) {
        if (p[i] < 0x20 && strchr("\t\r\n", p[i]) == NULL
            && json_check(p, len, max_depth) == JSON_NO)
        {
            rc = JSON_NO;
        }
    }

    json_expect(p, len, max_depth, rc);
}


static void
json_prefixes(u_char *p, size_t len, size_t step)
{
    size_t  i;

    json_expect(p, len, JSON_DEPTH, JSON_YES);

    for (i = 0; i < len; i += step) {
        json_expect(p, i, JSON_DEPTH, JSON_NO);
    }
}


/* RFC 8259, read plainly */
static ngx_int_t
json_read(u_char *p, size_t len, ngx_uint_t max_depth)
{
    size_t         n;
    u_char        *c;
    json_reader_t  r;

    r.p = p;
    r.last = p + len;
    r.depth = 0;
    r.max_depth = max_depth;
    r.rc = NGX_OK;

    for (c = p; c < r.last; c += n) {
        n = json_char(c, r.last);

        if (n == 0) {
            return NGX_DECLINED;
        }
    }

    json_space(&r);

    if (json_next(&r) != '{' && json_next(&r) != '[') {
        return NGX_DECLINED;
    }

    json_value(&r);
    json_space(&r);

    if (r.rc == NGX_OK && r.p != r.last) {
        return NGX_DECLINED;
    }

    return r.rc;
}


static void
json_value(json_reader_t *r)
{
    int  open, close;

    json_space(r);

    open = json_next(r);

    switch (open) {

    case '"':
        json_string(r);
        return;

    case 't':
        json_word(r, "true");
        return;

    case 'f':
        json_word(r, "false");
        return;

    case 'n':
        json_word(r, "null");
        return;

    case '{':
    case '[':
        break;

    default:
        json_number(r);
        return;
    }

    if (++r->depth > r->max_depth) {
        r->rc = NGX_BUSY;
        return;
    }

    close = open == '{' ? '}' : ']';
    r->p++;

    json_space(r);

    if (json_next(r) == close) {
        r->p++;
        r->depth--;
        return;
    }

    for ( ;; ) {

        if (open == '{') {
            json_space(r);
            json_string(r);
            json_space(r);

            if (r->rc != NGX_OK) {
                return;
            }

            if (json_next(r) != ':') {
                break;
            }

            r->p++;
        }

        json_value(r);
        json_space(r);

        if (r->rc != NGX_OK) {
            return;
        }

        if (json_next(r) == close) {
            r->p++;
            r->depth--;
            return;
        }

        if (json_next(r) != ',') {
            break;
        }

        r->p++;
    }

    r->rc = NGX_DECLINED;
}


static void
json_string(json_reader_t *r)
{
    int         c;
    ngx_uint_t  i;

    if (json_next(r) != '"') {
        r->rc = NGX_DECLINED;
        return;
    }

    for (r->p++; json_next(r) != '"'; r->p++) {

        c = json_next(r);

        if (c < 0x20) {
            r->rc = NGX_DECLINED;
            return;
        }

        if (c != '\\') {
            continue;
        }

        r->p++;
        c = json_next(r);

        if (c == 'u') {

            for (i = 0; i < 4; i++) {
                r->p++;
                c = json_next(r);

                if (c < 0 || strchr("0123456789abcdefABCDEF", c) == NULL
                    || c == 0)
                {
                    r->rc = NGX_DECLINED;
                    return;
                }
            }

        } else if (c <= 0 || strchr("\"\\/bfnrt", c) == NULL) {
            r->rc = NGX_DECLINED;
            return;
        }
    }

    r->p++;
}


static void
json_number(json_reader_t *r)
{
    u_char  *digits;

    if (json_next(r) == '-') {
        r->p++;
    }

    if (json_next(r) == '0') {
        r->p++;

    } else {

        for (digits = r->p; json_next(r) >= '0' && json_next(r) <= '9'; r->p++)
        {
            /* void */
        }

        if (r->p == digits) {
            r->rc = NGX_DECLINED;
            return;
        }
    }

    if (json_next(r) == '.') {

        for (digits = ++r->p;
             json_next(r) >= '0' && json_next(r) <= '9';
             r->p++)
        {
            /* void */
        }

        if (r->p == digits) {
            r->rc = NGX_DECLINED;
            return;
        }
    }

    if (json_next(r) == 'e' || json_next(r) == 'E') {
        r->p++;

        if (json_next(r) == '+' || json_next(r) == '-') {
            r->p++;
        }

        for (digits = r->p; json_next(r) >= '0' && json_next(r) <= '9'; r->p++)
        {
            /* void */
        }

        if (r->p == digits) {
            r->rc = NGX_DECLINED;
        }
    }
}


static void
json_word(json_reader_t *r, const char *word)
{
    for ( /* void */ ; *word; word++) {

        if (json_next(r) != *word) {
            r->rc = NGX_DECLINED;
            return;
        }

        r->p++;
    }
}


static void
json_space(json_reader_t *r)
{
    while (json_next(r) == ' ' || json_next(r) == '\t'
           || json_next(r) == '\n' || json_next(r) == '\r')
    {
        r->p++;
    }
}


/* the next byte, or -1 */
static int
json_next(json_reader_t *r)
{
    return r->p < r->last ? *r->p : -1;
}


/* UTF-8, read plainly: the length of the character at p, or 0 */
static size_t
json_char(u_char *p, u_char *last)
{
    size_t    len, i;
    uint32_t  code;

    if (*p < 0x80) {
        return 1;
    }

    if ((*p & 0xe0) == 0xc0) {
        len = 2;
        code = *p & 0x1f;

    } else if ((*p & 0xf0) == 0xe0) {
        len = 3;
        code = *p & 0x0f;

    } else if ((*p & 0xf8) == 0xf0) {
        len = 4;
        code = *p & 0x07;

    } else {
        return 0;
    }

    if ((size_t) (last - p) < len) {
        return 0;
    }

    for (i = 1; i < len; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = code << 6 | (p[i] & 0x3f);
    }

    if (code < (len == 2 ? 0x80u : len == 3 ? 0x800u : 0x10000u)
        || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return 0;
    }

    return len;
}


static size_t
json_escaped(u_char *dst, u_char *p, size_t len)
{
    size_t   n;
    u_char  *d, *last;

    d = dst;

    for (last = p + len; p < last; p += n) {

        n = json_char(p, last);

        if (n == 0) {
            memcpy(d, "\xef\xbf\xbd", 3);
            d += 3;
            n = 1;

        } else if (*p < 0x20 || *p == 0x7f) {
            d += sprintf((char *) d, "\\u%04x", *p);

        } else {

            if (*p == '"' || *p == '\\') {
                *d++ = '\\';
            }

            memcpy(d, p, n);
            d += n;
        }
    }

    return d - dst;
}


static void
json_compare_escape(u_char *p, size_t len)
{
    size_t         plain_len;
    u_char        *dst, *end;
    ngx_str_t      text, escaped;
    ngx_uint_t     plain;

    static u_char  plainly[2048];

    unit_step++;

    text.data = p;
    text.len = len;

    dst = malloc(NGX_MSGBUS_JSON_ESCAPED * len);
    end = ngx_msgbus_json_escape(dst, &text);

    plain_len = json_escaped(plainly, p, len);

    unit_check((size_t) (end - dst) == plain_len
               && memcmp(dst, plainly, plain_len) == 0,
               "escaped \"%.*s\" instead of \"%.*s\"",
               (int) (end - dst), dst, (int) plain_len, plainly);

    escaped.data = dst;
    escaped.len = end - dst;

    if (len != 3 || unit_step % 8 == 0) {
        json_compare_unescape(&text, &escaped);
    }

    /*
     * what is said to be plain must be so; the converse may be missed for
     * what is not ASCII
     */

    plain = ngx_msgbus_json_plain(&text);

    unit_check(!plain || (plain_len == len && memcmp(p, dst, len) == 0),
               "\"%.*s\" is said to be plain", (int) len, p);

    while (len && p[len - 1] < 0x80) {
        len--;
    }

    unit_check(plain || len || plain_len != text.len,
               "\"%.*s\" is said not to be plain", (int) text.len, p);

    free(dst);
}


/* taken back: the text, with U+FFFD where it is no UTF-8, never longer */
static void
json_compare_unescape(ngx_str_t *text, ngx_str_t *escaped)
{
    size_t   n;
    u_char  *p, *last, *dst, *d, *end;

    /* as much as was escaped, not a byte more */

    dst = malloc(escaped->len);
    end = ngx_msgbus_json_unescape(dst, escaped);

    unit_check((size_t) (end - dst) <= escaped->len,
               "%zu bytes become %zu", escaped->len, (size_t) (end - dst));

    d = dst;

    for (p = text->data, last = p + text->len; p < last; p += n) {

        n = json_char(p, last);

        if (n == 0) {
            unit_check(end - d >= 3 && memcmp(d, "\xef\xbf\xbd", 3) == 0,
                       "no U+FFFD");
            d += 3;
            n = 1;
            continue;
        }

        unit_check((size_t) (end - d) >= n && memcmp(d, p, n) == 0,
                   "taken back: \"%.*s\" instead of \"%.*s\"",
                   (int) (end - dst), dst, (int) text->len, text->data);
        d += n;
    }

    unit_check(d == end, "taken back, with %zu bytes more",
               (size_t) (end - d));

    free(dst);
}


/* a good text, nested so deep at most; returns its length */
static size_t
json_make(u_char *p, ngx_uint_t depth)
{
    u_char             *start;
    ngx_uint_t          n, object;

    static const char  *values[] = {
        "0", "-1", "12.5e-3", "1E5", "true", "false", "null", "\"\"", "\"a b\"",
        "\"\\u00e9\\n\"", "\"\xc3\xa9\xf0\x9f\x98\x80\"", "\"\\\\\\\"\"",
        "-0.0", "9007199254740993", "\"\xed\x9f\xbf\xee\x80\x80\""
    };

    start = p;
    object = unit_once_in(2);

    *p++ = object ? '{' : '[';

    for (n = unit_below(4); n; n--) {

        if (unit_once_in(6)) {
            *p++ = " \t\r\n"[unit_below(4)];
        }

        if (object) {
            p += sprintf((char *) p, "\"k%u\":", (unsigned) n);
        }

        if (depth > 1 && unit_once_in(2)) {
            p += json_make(p, depth - 1);

        } else {
            p += sprintf((char *) p, "%s", values[unit_below(15)]);
        }

        if (unit_once_in(8)) {
            *p++ = ' ';
        }

        if (n > 1) {
            *p++ = ',';
        }
    }

    *p++ = object ? '}' : ']';

    return p - start;
}
