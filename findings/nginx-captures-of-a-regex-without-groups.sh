#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: in a location chosen by a regular expression without groups, nginx
# says that the request has captures, and has none.
#
# Version: nginx 1.22.1 with PCRE2 10.42, Debian 12's.
#
# Behavior: r->captures has pairs of offsets into r->captures_data, and
# r->ncaptures is the number of offsets that count: 2 for the match as a whole,
# 2 more for each group.  After a match of "location ~ ^/plain", r->ncaptures is
# 2, but nothing was written: r->captures is still NULL.  Where another regular
# expression with a group has been tried before, there is room, with what that
# one left in it, if anything.
#
# Why one would guess wrong: PCRE counts the whole match, so that "2" is what a
# match without groups should give, and with groups the first pair is right.
# But nginx passes room for no offset where the expression has no group, since
# $0 can not be asked for; the return value of PCRE2, which is 1 then, is made
# a 2 all the same.  The former PCRE, by its manual, gave 0.  nginx itself looks
# at pairs from the second on.
#
# What to do: a module that keeps or copies captures reads them only where
# r->ncaptures is above 2.
#
# Here a small module says what both words are.  Seen:
#
#     location ~ ^/plain       ncaptures 2, captures none
#     location ~ ^/g(roup)     ncaptures 4, captures there
#     location /none           ncaptures 0, captures there: room for those of
#                              the other two, which were tried
#
# It needs apt-get with the packages of Debian 12, gcc, make and python3.  It
# ends with 0 while this is so, and with 1, and a sentence, when it is not any
# more.

set -euo pipefail

tmp=$(mktemp -d)
ready=
nginx=

leave() {
    [ -z "$nginx" ] || kill "$nginx" 2> /dev/null || true
    [ -z "$nginx" ] || wait "$nginx" 2> /dev/null || true
    rm -rf "$tmp"

    if [ -z "$ready" ]; then
        echo "It could not be set up: this says nothing." >&2
        exit 2
    fi
}

trap leave EXIT
cd "$tmp"

timeout 300 apt-get download -qq nginx=1.22.1-9* nginx-dev=1.22.1-9* \
    libpcre2-dev=10.42-1* libpcre2-8-0=10.42-1* libssl3 libcrypt1 zlib1g \
    2> apt.log || {
    cat apt.log
    exit 1
}

for package in *.deb; do
    dpkg -x "$package" .
done

libs=$tmp/usr/lib/$(gcc -dumpmachine)
export LD_LIBRARY_PATH=$libs:$tmp/lib/$(gcc -dumpmachine)


# --- a module that tells

mkdir tell

cat > tell/config <<'END'
ngx_module_type=HTTP
ngx_module_name=ngx_http_tell_module
ngx_module_srcs="$ngx_addon_dir/tell.c"
. auto/module
END

cat > tell/tell.c <<'END'
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

static ngx_int_t
tell_handler(ngx_http_request_t *r)
{
    u_char     *p;
    ngx_str_t   type = ngx_string("text/plain");

    ngx_http_complex_value_t  cv;

    p = ngx_pnalloc(r->pool, 64);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = p;
    cv.value.len = ngx_sprintf(p, "ncaptures %ui, captures %s", r->ncaptures,
                               r->captures ? "there" : "none") - p;

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}

static char *
tell(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = tell_handler;

    return NGX_CONF_OK;
}

static ngx_command_t  tell_commands[] = {
    { ngx_string("tell"), NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS, tell, 0, 0, NULL },
    ngx_null_command
};

static ngx_http_module_t  tell_context = {
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
};

ngx_module_t  ngx_http_tell_module = {
    NGX_MODULE_V1,
    &tell_context, tell_commands, NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};
END

cd usr/share/nginx/src

bash ./configure --with-compat --with-threads --with-pcre-jit \
    --without-http_gzip_module \
    --with-cc-opt="-g -O2 -fPIC -I$tmp/usr/include" \
    --with-ld-opt="-fPIC -L$libs" \
    --add-dynamic-module="$tmp/tell" --builddir="$tmp/build" \
    > "$tmp/configure.log" 2>&1 || {
    tail -n 5 "$tmp/configure.log"
    exit 1
}

make -f "$tmp/build/Makefile" modules > "$tmp/make.log" 2>&1 || {
    tail -n 20 "$tmp/make.log"
    exit 1
}

cd "$tmp"


# --- nginx with it

port=$(python3 -c 'import socket; s = socket.socket()
s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

mkdir logs

cat > nginx.conf <<END
load_module $tmp/build/ngx_http_tell_module.so;
daemon off;
master_process off;
pid $tmp/pid;
error_log $tmp/logs/error.log;

events {}

http {
    access_log off;
    client_body_temp_path $tmp/a;
    proxy_temp_path $tmp/b;
    fastcgi_temp_path $tmp/c;
    uwsgi_temp_path $tmp/d;
    scgi_temp_path $tmp/e;

    server {
        listen 127.0.0.1:$port;

        location ~ ^/plain { tell; }
        location ~ ^/g(roup) { tell; }
        location /none { tell; }
    }
}
END

"$tmp/usr/sbin/nginx" -p "$tmp" -c "$tmp/nginx.conf" 2> nginx.log &
nginx=$!

ask() {
    python3 - "$port" "$1" <<'END'
import sys
import time
import urllib.request

for attempt in range(50):
    try:
        print(urllib.request.urlopen("http://127.0.0.1:%s%s"
                                     % tuple(sys.argv[1:]), timeout=5)
              .read().decode())
        break
    except OSError:
        time.sleep(0.1)
END
}

plain=$(ask /plain)

if [ -z "$plain" ]; then
    cat nginx.log logs/error.log
    exit 1
fi

ready=1

printf '%s\n' "plain: $plain" "group: $(ask /group)" "none:  $(ask /none)" \
    | tee seen

cat > expected <<'END'
plain: ncaptures 2, captures none
group: ncaptures 4, captures there
none:  ncaptures 0, captures there
END

if ! cmp -s seen expected; then
    echo "It is not so any more: what a match without groups leaves has changed."
    exit 1
fi

echo "It is so: a match without groups says 2, and nothing is there."
