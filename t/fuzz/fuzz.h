
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include "ngx_http_msgbus.h"


/* says what is wrong and ends the program, so that libFuzzer keeps the input */
void fuzz_fail(const char *fmt, ...)
    __attribute__ ((format(printf, 1, 2), noreturn));

#define fuzz_check(cond, ...)                                                 \
    do {                                                                      \
        if (!(cond)) {                                                        \
            fuzz_fail(__VA_ARGS__);                                           \
        }                                                                     \
    } while (0)


/*
 * A GET in a location with the defaults of the documents, which the harness
 * may change.  All that its pool gives lies in blocks of their exact size,
 * and is gone with fuzz_end().
 */
typedef struct {
    ngx_http_request_t          request;
    ngx_connection_t            connection;
    ngx_pool_t                  pool;
    ngx_http_msgbus_loc_conf_t  conf;
    ngx_http_msgbus_ctx_t       ctx;
    void                       *confs[1];
    void                       *ctxs[1];
} fuzz_request_t;


void fuzz_begin(fuzz_request_t *fr);
void fuzz_end(void);

/* a copy in a block of its exact size, gone with fuzz_end() */
ngx_str_t fuzz_copy(const u_char *p, size_t len);

/*
 * The input as lines: takes one from the front, without its '\n'; an empty
 * one at the end of the input, and from then on.
 */
ngx_str_t fuzz_line(const u_char **p, size_t *len);

/* the next byte of the input, 0 at its end */
u_char fuzz_byte(const u_char **p, size_t *len);

/*
 * May rc be the answer of ngx_msgbus_json_check()?  By a plain reader of RFC
 * 8259.  Of a text that is both too deep and wrong behind that, either will do.
 */
ngx_uint_t fuzz_json(const u_char *p, size_t len, ngx_uint_t max_depth,
    ngx_int_t rc);

/* the length of the UTF-8 character at p, 0: it is none */
size_t fuzz_utf8(const u_char *p, size_t len);

/*
 * Can text stand in a JSON string, and is it this input, with U+FFFD for each
 * byte that is no UTF-8?  Returns the bytes of the input that it stands for.
 */
size_t fuzz_unescape(ngx_str_t *text, const u_char *p, size_t len);

/* decodes %XX as nginx does, and '+' */
ngx_str_t fuzz_decode(const u_char *p, size_t len);


#endif /* _FUZZ_H_INCLUDED_ */
