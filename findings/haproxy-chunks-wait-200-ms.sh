#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: HAProxy delays each event of a quiet stream by 200 ms, if the stream
# comes in chunks.
#
# Version: HAProxy 2.6.12, Debian 12's, on Linux.
#
# Behavior: a server sends a stream in chunks, with pauses between them.
# HAProxy has a chunk and knows that the message goes on, so it hands the chunk
# to the kernel as a part to which more will come.  The kernel keeps what does
# not fill a packet for 200 ms.  The last event is passed on at once.  So are
# all events of a stream without chunks, which ends with its connection.
#
# Why one would guess wrong: HAProxy does not buffer answers, and turns Nagle's
# algorithm off by itself.  So 200 ms are looked for at the server or at the
# client.  A load test does not show them: events in a row push each other out.
# A test with a server by HTTP/1.0 does not, either.  A delay by a proxy is
# expected to grow with the load; this one is there when there is none.
#
# What to do: set "option http-no-delay" for streams, in "defaults" or in both
# the frontend and the backend.
#
# Here a server sends 6 events with pauses of half a second.  Seen, in ms from
# sending to coming, as the median of the first 5, and of the last one:
#
#     chunks                   205, last 1
#     chunks, http-no-delay    0, last 0
#     no chunks                0, last 0
#
# It needs apt-get with the packages of Debian 12, and python3.  It ends with 0
# while this is so, and with 1, and a sentence, when it is not any more.

set -euo pipefail

tmp=$(mktemp -d)
ready=
haproxy=
server=

leave() {
    for pid in $haproxy $server; do
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

# with all that it is linked with, except what any Debian has

timeout 300 apt-get download -qq haproxy=2.6.12-1* libssl3 liblua5.3-0 \
    libsystemd0 libpcre2-8-0 libopentracing-c-wrapper0 libopentracing1 libcap2 \
    libgcrypt20 libgpg-error0 libcrypt1 2> apt.log || {
    cat apt.log
    exit 1
}

for package in *.deb; do
    dpkg -x "$package" .
done

arch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
libraries=$tmp/usr/lib/$arch:$tmp/lib/$arch


# --- the server: each event says when it was sent

cat > server.py <<'PY'
import http.server
import os
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        chunks = self.path == "/chunks"

        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")

        if chunks:
            self.send_header("Transfer-Encoding", "chunked")

        self.end_headers()

        for i in range(6):
            time.sleep(0.5)
            event = b"data: %.6f\n\n" % time.monotonic()

            if chunks:
                event = b"%x\r\n%s\r\n" % (len(event), event)

            if chunks and i == 5:
                event += b"0\r\n\r\n"

            self.wfile.write(event)

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


# --- HAProxy in front of it

read -r plain no_delay < <(python3 - <<'PY'
import socket

sockets = [socket.create_server(("127.0.0.1", 0)) for i in range(2)]
print(*(s.getsockname()[1] for s in sockets))
PY
)

cat > haproxy.cfg <<CFG
defaults
    mode http
    timeout connect 10s
    timeout client 30s
    timeout server 30s

listen plain
    bind 127.0.0.1:$plain
    server events 127.0.0.1:$(cat port)

listen no-delay
    bind 127.0.0.1:$no_delay
    option http-no-delay
    server events 127.0.0.1:$(cat port)
CFG

LD_LIBRARY_PATH=$libraries usr/sbin/haproxy -db -f haproxy.cfg \
    > haproxy.log 2>&1 &
haproxy=$!

for try in $(seq 100); do
    ! (: < "/dev/tcp/127.0.0.1/$no_delay") 2> /dev/null || break
    sleep 0.1
done

(: < "/dev/tcp/127.0.0.1/$no_delay") 2> /dev/null || {
    cat haproxy.log
    exit 1
}


# --- what it does

cat > client.py <<'PY'
import statistics
import sys
import time
import urllib.request

late = []

with urllib.request.urlopen("http://127.0.0.1:" + sys.argv[1],
                            timeout=20) as answer:
    for line in answer:
        if line.startswith(b"data: "):
            late.append((time.monotonic() - float(line[6:])) * 1000)

print("%.0f %.0f" % (statistics.median(late[:5]), late[5]))
PY

ready=yes
changed=0

# check NAME PORT/PATH LEAST MOST: whether the events but the last are so late

check() {
    local median last

    read -r median last < <(timeout 30 python3 client.py "$2" ||
                            echo 99999 99999)

    echo "HAProxy 2.6.12, $1: median $median ms, last $last ms"

    if [ "$median" -lt "$3" ] || [ "$median" -ge "$4" ] || [ "$last" -ge 150 ]
    then
        echo "Changed: $1, the median was $3 to $4 ms, the last below 150."
        changed=1
    fi
}

check "chunks" "$plain/chunks" 150 400
check "chunks, http-no-delay" "$no_delay/chunks" 0 100
check "no chunks" "$plain/plain" 0 100

exit $changed
