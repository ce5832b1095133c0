# tools/style complains of each thing that it looks for, and of nothing else.
#
# A small project that is in order is spoiled in one place at a time: the
# complaints must be those expected, no more and no fewer.

use strict;
use warnings;

use Cwd qw( abs_path );
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Msgbus::Spoiled;


my $tool = abs_path('tools/style');
my $build = abs_path($ENV{BUILD} || 'build');

plan skip_all => 'the headers need build/: run "make" first'
    if !$build || ! -f "$build/ngx_auto_config.h";

my $main = 'ngx_http_msgbus_module.c';
my $log_c = 'src/log/ngx_msgbus_log.c';
my $log_h = 'src/log/ngx_msgbus_log.h';

# the real one only where it matters: it takes its time
my $cc = 'gcc';

my %good;

my $copyright = <<'END';

/*
 * Copyright (C) the msgbus authors
 */


END

$good{$main} = $copyright . <<'END';
/*
 * The table of contents of a project that is in order.
 *
 * It promises nothing.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_msgbus.h"
#include "ngx_msgbus_json.h"


static ngx_int_t ngx_http_msgbus_one(ngx_http_request_t *r);
static ngx_int_t ngx_http_msgbus_two(ngx_http_request_t *r,
    ngx_str_t *value);


static ngx_command_t  ngx_http_msgbus_commands[] = {

    { ngx_string("msgbus"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      NULL,
      0,
      0,
      NULL },

      ngx_null_command
};


ngx_int_t
ngx_http_msgbus_zero(ngx_http_request_t *r)
{
    return NGX_OK;
}


/* has a comment that says // and printf( and if( */
static ngx_int_t
ngx_http_msgbus_one(ngx_http_request_t *r)
{
    size_t               len;
    u_char              *p, *last;
    ngx_uint_t           i;
    ngx_http_request_t  *main;
    u_char               buf[64];

    p = (u_char *) "// is no comment, \" and printf( no call";
    len = sizeof(ngx_str_t) * 2 + (len - 1);

    for ( ;; ) {
        if (p == NULL) {
            break;
        }

        if (len == 0
            || i == 0)
        {
            len = 1;

        } else {
            len = 2;
        }

        switch (i) {

        case 1:
            if (len) {
                break;
            }

            /* fall through */

        default:
            break;
        }
    }

    do {
        len--;
    } while (len);

    return ngx_sprintf(p, "%d", (int) len) ? NGX_OK : NGX_ERROR;
}


#if (NGX_DEBUG)

static ngx_int_t
ngx_http_msgbus_two(ngx_http_request_t *r, ngx_str_t *value)
{
    return NGX_OK;
}

#endif
END

$good{$log_c} = $copyright . <<'END';
/*
 * The event log.
 *
 * It promises nothing.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_msgbus_log.h"


void
ngx_msgbus_log_append(ngx_msgbus_log_sh_t *log)
{
    log->tail++;
}
END

$good{'src/base/ngx_msgbus_json.c'} = $copyright . <<'END';
/*
 * JSON.
 *
 * It promises nothing.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <yajl/yajl_parse.h>
#include "ngx_msgbus_json.h"
END

sub header {
    my ($name, $rest) = @_;

    my $guard = "_NGX_MSGBUS${name}_H_INCLUDED_";

    return "$copyright#ifndef $guard\n#define $guard\n\n\n"
           . "#include <ngx_config.h>\n#include <ngx_core.h>\n$rest"
           . "\n\n#endif /* $guard */\n";
}

$good{$log_h} = header('_LOG', <<'END');
#include "ngx_msgbus_ring.h"


/*
 * Lives in the shared zone.
 *
 * Lock      none
 * Writers   any
 * Readers   any
 * Lifetime  short
 * Crash     lost
 * Layout    free
 */
typedef struct {
    size_t               head;

    size_t               tail;
} ngx_msgbus_log_sh_t;


/* appends */
void ngx_msgbus_log_append(ngx_msgbus_log_sh_t *log);
void ngx_msgbus_log_append_two(ngx_msgbus_log_sh_t *log,
    ngx_str_t *data);


static ngx_inline size_t
ngx_msgbus_log_size(ngx_msgbus_log_sh_t *log)
{
    return log->tail - log->head;
}
END

$good{'src/base/ngx_msgbus_json.h'} = header('_JSON', '');
$good{'src/store/ngx_msgbus_store.h'} = header('_STORE', '');
$good{'src/store/ngx_msgbus_disk_conf.h'}
    = header('_DISK_CONF', qq(#include "ngx_msgbus_store.h"\n));
$good{'src/log/ngx_msgbus_ring.h'}
    = header('_RING', qq(#include "ngx_msgbus_store.h"\n));
$good{'src/bus/ngx_msgbus.h'} = header('', qq(#include "ngx_msgbus_log.h"\n));
$good{'src/http/ngx_http_msgbus_disk.h'} = $copyright . <<'END';
#ifndef _NGX_HTTP_MSGBUS_DISK_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_DISK_H_INCLUDED_


#include <ngx_http.h>
#include "ngx_msgbus.h"
#include "ngx_http_msgbus_two.h"


#endif /* _NGX_HTTP_MSGBUS_DISK_H_INCLUDED_ */
END
$good{'src/http/ngx_http_msgbus_two.h'} = $copyright . <<'END';
#ifndef _NGX_HTTP_MSGBUS_TWO_H_INCLUDED_
#define _NGX_HTTP_MSGBUS_TWO_H_INCLUDED_


#include <ngx_http.h>
#include "ngx_msgbus.h"


#endif /* _NGX_HTTP_MSGBUS_TWO_H_INCLUDED_ */
END
$good{'src/http/ngx_http_msgbus_disk.c'} = $copyright . <<'END';
/*
 * Directives of a store.
 *
 * They promise nothing.
 */


#include "ngx_http_msgbus_disk.h"
#include "ngx_msgbus_disk_conf.h"
END

$good{config} = "ngx_module_deps=\"\n"
    . join('', map { "    \$ngx_addon_dir/$_ \\\n" } sort keys %good) . "\"\n";


my $project = Msgbus::Spoiled->new(\%good, sub {
    return "CC='$cc' BUILD='$build' '$tool' '$_[0]'";
});

sub spoil { return $project->spoil(@_) }


my ($rc, $said) = $project->run;

is($rc, 0, 'a project in order passes');
like($said, qr/^style: 12 files, \d+ lines, no complaint\n\z/,
     'and that is said in one line');

$cc = 'true';


# lines

spoil('longer than 80 columns', $log_c, 'The event log.', 'x' x 78);
spoil('a tab', $log_c, 'event log', "event\tlog");
spoil('white space at the end', $log_c, "tail++;\n", "tail++; \n");
spoil('more than two blank lines', $log_c, "\n\n\nvoid", "\n\n\n\nvoid");
spoil('blank lines, at the end', $log_c, "++;\n}\n", "++;\n}\n\n");
spoil('no line feed', $log_c, "++;\n}\n", "++;\n}");
spoil('longer than 900 lines', $log_c, "++;\n}\n",
      "++;\n}\n" . "\n\n/* x */" x 450 . "\n");


# heads

spoil('copyright comment', $log_c, 'the msgbus authors', 'somebody');
spoil('does not open with a comment', $log_c,
      " *\n * It promises nothing.\n", '');
spoil('does not open with a comment', $log_c, " *\n", " *\n" x 17);
spoil('is not guarded by _NGX_MSGBUS_LOG_H_INCLUDED_', $log_h,
      'ifndef _NGX_MSGBUS_LOG_H_INCLUDED_', 'ifndef _LOG_H_INCLUDED_',
      'define _NGX_MSGBUS_LOG_H_INCLUDED_', 'define _LOG_H_INCLUDED_');
spoil('is not guarded', $log_h, ' /* _NGX_MSGBUS_LOG_H_INCLUDED_ */', '');


# words

spoil('a // comment', $log_c, 'tail++;', 'tail++; // grows');
spoil('printf() in the module', $log_c, 'log->tail++;', 'printf("x");');
spoil('fprintf() in the module', $log_c,
      'log->tail++;', 'fprintf(stderr, "");');
spoil('dd() in the module', $log_c, 'log->tail++;', 'dd("x");');
spoil('"for ( ;; )"', $main, 'for ( ;; )', 'for (;;)');
spoil('"for ( ;; )"', $main, 'for ( ;; )', 'while (1)');
spoil('no space after "if"', $main, 'if (p', 'if(p');
spoil('no space after "while"', $main, 'while (len)', 'while(len)');
spoil('no space before "{"', $main, 'switch (i) {', 'switch (i){');
spoil('no space after a cast', $main, '(int) len', '(int)len');
spoil('no space after a cast', $main, '(u_char *) "', '(u_char *)"');


# blocks

spoil('not indented by a multiple of 4', $main, "  len--;", "   len--;");
spoil('no blank line before "else"', $main, "1;\n\n        }", "1;\n        }");
spoil('"else" is not behind its "}"', $main, '} else {', "}\n\n        else {");
spoil('no blank line after the block', $main,
      "}\n\n        switch", "}\n        switch");


# functions

my $zero = "ngx_int_t\nngx_http_msgbus_zero(ngx_http_request_t *r)\n{";

spoil('is not at the start of a line', $main,
      $zero, "ngx_int_t ngx_http_msgbus_zero(ngx_http_request_t *r)\n{");
spoil('is not on its own line', $main,
      $zero, "ngx_int_t\nngx_http_msgbus_zero(ngx_http_request_t *r) {");
spoil('a function longer than 90 lines', $main,
      'len--;', join "\n        ", ('len--;') x 80);
spoil('is not on its own line', $main,
      $zero, "ngx_int_t\nngx_http_msgbus_zero(ngx_http_request_t *r,\n"
             . "    int i) {");
spoil('not two blank lines after the function', $main,
      "OK;\n}\n\n\n/* has", "OK;\n}\n\n/* has");
spoil('not two blank lines before the function', $main,
      "};\n\n\nngx_int_t", "};\n\nngx_int_t");
spoil('no prototype of ngx_http_msgbus_one() at the top', $main,
      "static ngx_int_t ngx_http_msgbus_one(ngx_http_request_t *r);\n", '');
spoil('ngx_http_msgbus_two() does not stand in order', $main,
      'static ngx_int_t ngx_http_msgbus_one(ngx_http_request_t *r);', '%',
      "static ngx_int_t ngx_http_msgbus_two(ngx_http_request_t *r,\n"
      . '    ngx_str_t *value);',
      'static ngx_int_t ngx_http_msgbus_one(ngx_http_request_t *r);',
      '%', "static ngx_int_t ngx_http_msgbus_two(ngx_http_request_t *r,\n"
           . '    ngx_str_t *value);');
spoil('names of locals are not in one column', $main, '  *p, ', ' *p, ');
spoil('locals are not sorted', $main,
      "    size_t               len;\n", '',
      "    ngx_uint_t           i;\n",
      "    ngx_uint_t           i;\n    size_t               len;\n");


# includes

my $own = '#include "ngx_msgbus_log.h"';

spoil('includes a .c file', $log_c, $own, "$own\n#include \"x.c\"");
spoil('the engine knows nothing of HTTP', $log_c,
      $own, "$own\n#include <ngx_http.h>");
spoil('the engine knows nothing of HTTP', $log_c,
      $own, "$own\n#include \"ngx_http_msgbus.h\"");
spoil('log includes bus, which is above it', $log_c,
      $own, "$own\n#include \"ngx_msgbus.h\"");
spoil('base includes log, which is above it', 'src/base/ngx_msgbus_json.c',
      '#include "ngx_msgbus_json.h"', $own);
spoil('store includes bus, which is above it', 'src/store/ngx_msgbus_store.h',
      "core.h>\n", "core.h>\n#include \"ngx_msgbus.h\"\n");
spoil('a handler does not see ngx_msgbus_log.h', $main,
      '"ngx_msgbus_json.h"', '"ngx_msgbus_log.h"');
spoil("a handler calls ngx_msgbus_log_append() behind the bus's back", $main,
      'len--;', 'ngx_msgbus_log_append(NULL);');
spoil('a handler does not see ngx_msgbus_ring.h',
      'src/http/ngx_http_msgbus_disk.h',
      '"ngx_msgbus.h"', '"ngx_msgbus_ring.h"');
spoil('a handler does not see ngx_msgbus_disk_conf.h', $main,
      '"ngx_msgbus_json.h"', '"ngx_msgbus_disk_conf.h"');
spoil('a handler does not see ngx_msgbus_store.h',
      'src/http/ngx_http_msgbus_disk.c', '_disk_conf.h', '_store.h');
spoil('closes a circle of includes: ngx_msgbus_log -> ngx_msgbus_ring'
      . ' -> ngx_msgbus_log', 'src/log/ngx_msgbus_ring.h',
      '#include "ngx_msgbus_store.h"',
      "$own\n#include \"ngx_msgbus_store.h\"");
spoil('closes a circle of includes: ngx_http_msgbus_disk -> ngx_http_msgbus_two'
      . ' -> ngx_http_msgbus_disk', 'src/http/ngx_http_msgbus_two.h',
      '#include "ngx_msgbus.h"', '#include "ngx_http_msgbus_disk.h"');
spoil('yajl is for src/base/ngx_msgbus_json.c only', $log_c,
      $own, "$own\n#include <yajl/yajl_gen.h>");
spoil('mongoc is for src/store/ngx_msgbus_mongodb.h only', $log_c,
      $own, "$own\n#include <mongoc/mongoc.h>");
spoil('mongoc is for src/store/ngx_msgbus_mongodb.h only', $log_c,
      $own, "$own\n#include <libmongoc-1.0/mongoc.h>");

$good{'t/001-one.t'} = "plan\n";

spoil('has the number of t/001-one.t', 't/001-two.t', '' => "plan\n");

$good{'src/attic/ngx_msgbus_room.c'} = $good{$log_c};
$good{config} =~ s/\n"/\n\$ngx_addon_dir\/src\/attic\/ngx_msgbus_room.c\n"/;

spoil('folder "attic" has no place', 'src/attic/ngx_msgbus_room.c');

delete $good{'src/attic/ngx_msgbus_room.c'};
$good{config} =~ s/.*room.*\n//;


# comments

spoil('a prototype without a comment', $log_h, "/* appends */\n", '');

for (qw( Lock Writers Readers Lifetime Crash Layout )) {
    spoil("does not say: $_", $log_h, " * $_ ", " * Nothing ");
}


# config

spoil('does not name src/log/ngx_msgbus_log.h', 'config',
      "\$ngx_addon_dir/$log_h \\\n", '');
spoil('there is no src/log/ngx_msgbus_gone.c', 'config',
      '"', '"$ngx_addon_dir/src/log/ngx_msgbus_gone.c ');
spoil("there is no $log_h, or it is named twice", 'config',
      '"', "\"\$ngx_addon_dir/$log_h ");
spoil("there is no src/log/ngx_msgbus_gone.c", 'config',
      'ngx_module_deps', "ngx_msgbus_log=\"gone\"\nngx_module_deps");
spoil("there is no src/http/ngx_http_msgbus_gone.c", 'config',
      'ngx_module_deps', "ngx_msgbus_http=\"\n gone\"\nngx_module_deps");
spoil("there is no src/log/ngx_msgbus_log.c, or it is named twice", 'config',
      "\\\n\"\n", "\\\n\"\nngx_msgbus_log=\"log\"\n");
spoil('longer than 150 lines', 'config', "\n", "\n" x 150);


# each header by itself

$cc = 'gcc';

spoil('does not compile alone', 'src/base/ngx_msgbus_json.h',
      "<ngx_core.h>\n", "<ngx_core.h>\n\n\nextern ngx_nothing_t  nothing;\n");

done_testing();
