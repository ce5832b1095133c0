#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: with "proxy_buffering on", nginx holds a stream back that ends with
# its connection, and passes on at once one that comes in chunks.
#
# Version: nginx 1.22.1, Debian 12's.
#
# Behavior: a server sends a stream in small pieces.  By default nginx asks it
# by HTTP/1.0, so the stream has no length and no chunks.  Then nginx passes on
# only full buffers: the client gets no event until 4 or 8 KB are there, or the
# stream ends.  With "proxy_http_version 1.1" the same stream comes in chunks.
# Then nginx passes on each chunk when it has it, although buffering is on.
# What counts is the chunks, not the version: an answer by HTTP/1.1 without
# them is held back, too.
#
# Why one would guess wrong: "proxy_buffering off" is known as what a stream
# needs, and the version as a matter of kept connections.  So a test that
# passes without the first one seems to show that the server's own header does
# it, or that nginx knows streams of events by their type.  The same
# configuration holds them back before a server that sends no chunks, and
# without the line with the version.
#
# What to do: set "proxy_http_version 1.1" for streams, and let the server send
# chunks.  Where it can not, it needs "X-Accel-Buffering: no" in its answer or
# "proxy_buffering off". The header counts for the next nginx only, which takes
# it out.
#
# Here a server sends two events with pauses of 2 seconds, and ends.
# Seen, in seconds until the first event:
#
#     HTTP/1.0                                4.4
#     HTTP/1.1, chunks                        0.2
#     HTTP/1.1, no chunks                     4.4
#     HTTP/1.0 with X-Accel-Buffering: no     0.2
#
# It needs apt-get with the packages of Debian 12, and python3.  It ends with 0
# while this is so, and with 1, and a sentence, when it is not any more.

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


# --- the server

cat > server.py <<'PY'
import http.server
import os
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        chunks = self.path == "/chunks" and self.request_version == "HTTP/1.1"

        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")

        if self.path == "/unbuffered":
            self.send_header("X-Accel-Buffering", "no")

        if chunks:
            self.send_header("Transfer-Encoding", "chunked")

        self.end_headers()

        for event in (b"data: one\n\n", b"data: two\n\n"):
            time.sleep(0.2)

            if chunks:
                event = b"%x\r\n%s\r\n" % (len(event), event)

            self.wfile.write(event)
            time.sleep(2)

        if chunks:
            self.wfile.write(b"0\r\n\r\n")

        self.close_connection = True

    def log_message(self, *args):
        pass


threading.Timer(120, os._exit, (1,)).start()

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

with open("port.new", "w") as port:
    port.write(str(server.server_port))

os.rename("port.new", "port")
server.serve_forever()
PY

python3 server.py &
server=$!

for try in $(seq 100); do
    [ ! -e port ] || break
    sleep 0.1
done


# --- nginx in front of it

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
    access_log off;
    client_body_temp_path $tmp/a;
    proxy_temp_path $tmp/b;
    fastcgi_temp_path $tmp/c;
    uwsgi_temp_path $tmp/d;
    scgi_temp_path $tmp/e;

    server {
        listen 127.0.0.1:$old;

        location / {
            proxy_pass http://127.0.0.1:$(cat port);
        }
    }

    server {
        listen 127.0.0.1:$new;

        location / {
            proxy_pass http://127.0.0.1:$(cat port);
            proxy_http_version 1.1;
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


# --- what it does

cat > client.py <<'PY'
import sys
import time
import urllib.request

began = time.monotonic()

with urllib.request.urlopen("http://127.0.0.1:" + sys.argv[1],
                            timeout=20) as answer:
    assert answer.readline() == b"data: one\n"
    print("%.1f" % (time.monotonic() - began))
    answer.read()
PY

ready=yes
changed=0

# check NAME PORT/PATH LEAST MOST: whether the first event comes within these
# seconds

check() {
    local got

    got=$(timeout 30 python3 client.py "$2") || got=99

    echo "nginx 1.22.1, $1: the first event came after $got s"

    if [ "${got%.*}" -lt "$3" ] || [ "${got%.*}" -ge "$4" ]; then
        echo "Changed: $1, it came after $3 s or more, and before $4 s."
        changed=1
    fi
}

check "HTTP/1.0" "$old/chunks" 3 10
check "HTTP/1.1, chunks" "$new/chunks" 0 3
check "HTTP/1.1, no chunks" "$new/plain" 3 10
check "HTTP/1.0 with X-Accel-Buffering: no" "$old/unbuffered" 0 3

exit $changed
