#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: two HTTP/2 clients report a post as failed that nginx has taken and
# answers, when nginx ends the connection gracefully.
#
# Versions: httpx 0.28.1 with h2 4.3.0 (PyPI) and undici 7.30.2 (npm), against
# nginx 1.22.1, Debian 12's.
#
# Behavior: after "keepalive_requests" requests or "keepalive_time" on a
# connection, nginx sends GOAWAY without an error.  Its last stream id is that
# of the request that has just come, and nginx answers that request next.  Both
# clients throw the answer away.  In h2 a received GOAWAY closes the state
# machine of the connection, so the next frame is a protocol error.  undici
# destroys the session with all requests that are open on it.
#
# Why one would guess wrong: GOAWAY says which requests the server takes, and
# this one is among them.  So a client should wait for its answer, and use
# another connection for later requests.  The HTTP/2 client of Node itself does
# that.  The tests of an application see nothing, because by default only each
# thousandth request is hit, and a connection that is an hour old.
#
# What to do: as a server, set "keepalive_requests 4294967295" and
# "keepalive_time 365d" where such clients post.  As a client, use HTTP/1.1, or
# repeat the post with a key by which the server knows it again.  Without a key
# it is stored twice.
#
# Here each client posts 30 times through an nginx with "keepalive_requests 10"
# to a server that counts.  Seen with node 20, Python 3.11:
#
#     httpx 0.28.1:  stored 30, failed 10 20 30
#     undici 7.30.2: stored 30, failed 10 20 30
#     http2 of node: stored 30, failed none
#
# It needs apt-get with the packages of Debian 12, npm, and python3 with venv.
# It ends with 0 while this is so, and with 1, and a sentence, when it is not
# any more.

set -euo pipefail

tmp=$(mktemp -d)
ready=
server=
nginx=

leave() {
    for pid in $nginx $server; do
        kill "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done

    rm -rf "$tmp"

    if [ -z "$ready" ]; then
        echo "It could not be set up: this says nothing." >&2
        exit 2
    fi
}

trap leave EXIT
cd "$tmp"

timeout 300 apt-get download -qq nginx=1.22.1-9* libpcre2-8-0=10.42-1* libssl3 \
    libcrypt1 zlib1g 2> apt.log || {
    cat apt.log
    exit 1
}

for package in *.deb; do
    dpkg -x "$package" .
done

echo '{ "private": true }' > package.json

timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts \
    --cache "$tmp/npm" --save-exact undici@7.30.2

python3 -m venv venv

timeout 300 venv/bin/pip install --quiet --no-cache-dir \
    --disable-pip-version-check httpx==0.28.1 httpcore==1.0.9 h2==4.3.0


# --- the server behind nginx: the path of each post goes to "stored"

cat > server.py <<'PY'
import http.server
import os
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))

        with open("stored", "a") as stored:
            stored.write(self.path + "\n")

        time.sleep(0.05)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


threading.Timer(120, os._exit, (1,)).start()

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

with open("port.new", "w") as port:
    port.write(str(server.server_port))

os.rename("port.new", "port")
server.serve_forever()
PY


# --- the clients: each prints which of its 30 posts have failed

cat > httpx_client.py <<'PY'
import sys

import httpx

failed = []

with httpx.Client(http1=False, http2=True) as client:
    for i in range(1, 31):
        try:
            client.post("%s/%d" % (sys.argv[1], i),
                        content=b"x").raise_for_status()
        except httpx.HTTPError:
            failed.append(str(i))

print(" ".join(failed) or "none")
PY

cat > undici_client.js <<'JS'
const { Client } = require('undici');

async function main(url) {
    const client = new Client(url, { allowH2: true, useH2c: true });
    const failed = [];

    for (let i = 1; i <= 30; i++) {
        try {
            const answer = await client.request({ path: `/${i}`, body: 'x',
                                                  method: 'POST' });
            await answer.body.dump();

            if (answer.statusCode != 201) {
                failed.push(i);
            }

        } catch {
            failed.push(i);
        }
    }

    console.log(failed.join(' ') || 'none');
    process.exit(0);
}

main(process.argv[2]);
JS

cat > node_client.js <<'JS'
const http2 = require('http2');

let session;

function post(url, i) {
    if (!session || session.closed) {
        session = http2.connect(url);
        session.on('error', () => {});
    }

    return new Promise(resolve => {
        const stream = session.request({ ':method': 'POST', ':path': `/${i}` });
        let status;

        stream.on('response', headers => { status = headers[':status']; });
        stream.on('error', () => { status = 0; });
        stream.on('close', () => resolve(status == 201));
        stream.resume();
        stream.end('x');
    });
}

async function main(url) {
    const failed = [];

    for (let i = 1; i <= 30; i++) {
        if (!await post(url, i)) {
            failed.push(i);
        }
    }

    console.log(failed.join(' ') || 'none');
    process.exit(0);
}

main(process.argv[2]);
JS


# --- nginx before the server

python3 server.py &
server=$!

for try in $(seq 100); do
    [ ! -e port ] || break
    sleep 0.1
done

port=$(python3 -c 'import socket; s = socket.socket()
s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

cat > nginx.conf <<END
daemon off;
master_process off;
pid $tmp/pid;
error_log $tmp/error.log;

events {}

http {
    access_log off;
    client_body_temp_path $tmp/a;
    proxy_temp_path $tmp/b;
    fastcgi_temp_path $tmp/c;
    uwsgi_temp_path $tmp/d;
    scgi_temp_path $tmp/e;

    server {
        listen 127.0.0.1:$port http2;
        keepalive_requests 10;

        location / {
            proxy_pass http://127.0.0.1:$(cat port);
        }
    }
}
END

libraries=$tmp/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)

LD_LIBRARY_PATH=$libraries usr/sbin/nginx -p "$tmp" -c "$tmp/nginx.conf" \
    2> nginx.log &
nginx=$!

for try in $(seq 100); do
    ! (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null || break
    sleep 0.1
done

(: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null || {
    cat nginx.log error.log
    exit 1
}


# --- what they do

ready=yes
changed=0

# check NAME FAILED PROGRAM...: whether all is stored, and these have failed

check() {
    local name=$1 failed=$2 got stored

    shift 2
    rm -f stored
    got=$(timeout 20 "$@" "http://127.0.0.1:$port") || got="$got (it ended)"
    stored=$(sort -u stored | wc -l) || stored=0

    echo "$name: stored $stored, failed $got"

    if [ "$got" != "$failed" ] || [ "$stored" != 30 ]; then
        echo "Changed: of $name all 30 were stored, and failed: $failed."
        changed=1
    fi
}

check "httpx 0.28.1" "10 20 30" venv/bin/python httpx_client.py
check "undici 7.30.2" "10 20 30" node undici_client.js
check "http2 of node" none node node_client.js

exit $changed
