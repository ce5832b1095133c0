#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: over HTTP/2, httpx does not report the status of a post that is
# refused for its size, but an error of the protocol or a time-out.
#
# Versions: httpx 0.28.1 with httpcore 1.0.9 and h2 4.3.0 (PyPI), against nginx
# 1.22.1, Debian 12's.
#
# Behavior: nginx refuses a body that is too large when it has the header of
# the request: it answers 413, and takes no more of the body.  httpx sends the
# whole body before it looks at the answer.  When the window of 65,535 bytes is
# used up, it waits for a larger one.  On a new connection it reads there that
# nginx has ended the stream, and raises LocalProtocolError.  On one that has
# been used it raises ReadTimeout after 5 seconds.  The answer has come in both
# cases.
#
# Why one would guess wrong: HTTP/2 lets both sides speak at once, so an answer
# can be read while the body waits.  The same program gets 413 over HTTP/1.1,
# and over HTTP/2 for a body that fits into the window.  "Local" makes one look
# for a fault in the program.  A time-out is taken for a reason to post again.
#
# What to do: post large bodies over HTTP/1.1.  Or let the server read a body
# before it refuses it.  Do not repeat a large post without an end.
#
# Here nginx has "client_max_body_size 1k", and gets bodies that are larger.
# Seen with Python 3.11, node 20:
#
#     httpx, HTTP/1.1, 66,000 bytes                 413
#     httpx, HTTP/2, 60,000 bytes                   413
#     httpx, HTTP/2, 66,000 bytes                   LocalProtocolError
#     httpx, HTTP/2, 66,000 bytes, the second post  ReadTimeout
#     http2 of node, 66,000 bytes                   413
#
# The log of nginx has 413 for each of them.
#
# It needs apt-get with the packages of Debian 12, node, and python3 with venv.
# It ends with 0 while this is so, and with 1, and a sentence, when it is not
# any more.

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

node --version > /dev/null

timeout 300 apt-get download -qq nginx=1.22.1-9* libpcre2-8-0=10.42-1* libssl3 \
    libcrypt1 zlib1g 2> apt.log || {
    cat apt.log
    exit 1
}

for package in *.deb; do
    dpkg -x "$package" .
done

python3 -m venv venv

timeout 300 venv/bin/pip install --quiet --no-cache-dir \
    --disable-pip-version-check httpx==0.28.1 httpcore==1.0.9 h2==4.3.0


# --- nginx, which refuses what is larger than 1 KB

libraries=$tmp/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)

read -r old new < <(python3 - <<'PY'
import socket

sockets = [socket.create_server(("127.0.0.1", 0)) for i in range(2)]
print(*(s.getsockname()[1] for s in sockets))
PY
)

cat > nginx.conf <<END
daemon off;
master_process off;
pid $tmp/pid;
error_log $tmp/error.log;

events {}

http {
    log_format short '\$uri \$status';
    access_log $tmp/access.log short;
    client_body_temp_path $tmp/a;
    proxy_temp_path $tmp/b;
    fastcgi_temp_path $tmp/c;
    uwsgi_temp_path $tmp/d;
    scgi_temp_path $tmp/e;

    client_max_body_size 1k;

    server {
        listen 127.0.0.1:$old;
        listen 127.0.0.1:$new http2;

        location / {
            return 200;
        }
    }
}
END

LD_LIBRARY_PATH=$libraries usr/sbin/nginx -p "$tmp" -c "$tmp/nginx.conf" \
    2> nginx.log &
nginx=$!

for try in $(seq 100); do
    ! (: < "/dev/tcp/127.0.0.1/$new") 2> /dev/null || break
    sleep 0.1
done

(: < "/dev/tcp/127.0.0.1/$new") 2> /dev/null || {
    cat nginx.log error.log
    exit 1
}


# --- the clients: each posts that many bytes, and prints the status or an error

cat > client.py <<'PY'
import sys

import httpx

_, version, used, url = sys.argv[:4]

with httpx.Client(http1=version == "1", http2=version == "2") as client:
    if used == "used":
        client.post(url + "-first", content=b"x").raise_for_status()

    try:
        print(client.post(url, content=b"x" * int(sys.argv[4])).status_code)
    except httpx.HTTPError as error:
        print(type(error).__name__)
PY

cat > client.js <<'JS'
const [ , , url, size] = process.argv;
const { origin, pathname } = new URL(url);
const session = require('http2').connect(origin);

const stream = session.request({ ':method': 'POST', ':path': pathname,
                                 'content-length': size });

stream.on('response', headers => {
    console.log(headers[':status']);
    process.exit(0);
});

stream.on('error', () => {});
stream.end(Buffer.alloc(Number(size)));
JS


# --- what they do

ready=yes
changed=0

# check NAME SEEN URL SIZE PROGRAM...: whether it says this, and nginx 413

check() {
    local name=$1 seen=$2 url=$3 size=$4 got logged

    shift 4
    got=$(timeout 20 "$@" "$url" "$size") || got="$got (it failed)"
    logged=$(sed -n "s|^/${url##*/} ||p" access.log)

    echo "$name, $size bytes: $got; the log of nginx: $logged"

    if [ "$got" != "$seen" ] || [ "$logged" != 413 ]; then
        echo "Changed: $name, it was $seen; the log of nginx: 413."
        changed=1
    fi
}

old=http://127.0.0.1:$old
new=http://127.0.0.1:$new

check "httpx 0.28.1, HTTP/1.1" 413 "$old/a" 66000 \
    venv/bin/python client.py 1 new

check "httpx 0.28.1, HTTP/2" 413 "$new/b" 60000 venv/bin/python client.py 2 new

check "httpx 0.28.1, HTTP/2" LocalProtocolError "$new/c" 66000 \
    venv/bin/python client.py 2 new

check "httpx 0.28.1, HTTP/2, the second post" ReadTimeout "$new/d" 66000 \
    venv/bin/python client.py 2 used

check "http2 of node" 413 "$new/e" 66000 node client.js

exit $changed
