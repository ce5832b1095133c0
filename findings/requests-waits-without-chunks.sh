#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: requests hands out a stream without chunks by pieces of a fixed size:
# a line waits until those after it have filled the piece.
#
# Versions: requests 2.32.5 with urllib3 2.5.0, and sseclient-py 1.9.0 over it
# (PyPI).
#
# Behavior: a program reads a stream with stream=True and iter_lines().  If the
# server sends chunks, each chunk is handed out when it comes, whatever
# chunk_size says.  If the stream just ends with its connection, a read waits
# for chunk_size bytes: 512 by default.  chunk_size=None waits for the end of
# the stream.  sseclient-py reads by pieces of 128 bytes, without a setting.
#
# Why one would guess wrong: a read of a socket returns what is there, and one
# takes the size for the most that is read at once.  With chunks it is so.  The
# same program prints events at once before one server, and nothing for minutes
# before another.  Servers for development, HTTP/1.0 and old proxies send no
# chunks.  So one looks for a buffer in the server.
#
# What to do: pass chunk_size=1, and give sseclient-py
# response.iter_content(chunk_size=1) in place of the response.  Or use httpx,
# which hands out what has come.
#
# Here a server sends 3 short events, with 0.7 seconds behind each, and ends.
# Seen, as the number of events that came within 0.6 seconds:
#
#                                   chunks   no chunks
#     iter_lines()                  3        0
#     iter_lines(chunk_size=None)   3        0
#     iter_lines(chunk_size=1)      3        3
#     sseclient-py                  3        0
#     sseclient-py, pieces of 1     3        3
#     httpx 0.28.1                  3        3
#
# It needs python3 with venv.  It ends with 0 while this is so, and with 1, and
# a sentence, when it is not any more.

set -euo pipefail

tmp=$(mktemp -d)
ready=
server=

leave() {
    [ -z "$server" ] || kill "$server" 2> /dev/null || true
    rm -rf "$tmp"

    if [ -z "$ready" ]; then
        echo "It could not be set up: this says nothing." >&2
        exit 2
    fi
}

trap leave EXIT
cd "$tmp"

python3 -m venv venv

timeout 300 venv/bin/pip install --quiet --no-cache-dir \
    --disable-pip-version-check requests==2.32.5 urllib3==2.5.0 \
    sseclient-py==1.9.0 httpx==0.28.1


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

        for i in range(3):
            event = b"data: %.3f\n\n" % time.monotonic()

            if chunks:
                event = b"%x\r\n%s\r\n" % (len(event), event)

            self.wfile.write(event)
            time.sleep(0.7)

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


# --- the clients: each prints how many events came within 0.6 seconds

cat > client.py <<'PY'
import sys
import time

import httpx
import requests
import sseclient



def events(how, url):
    if how == "httpx":
        with httpx.stream("GET", url, timeout=10) as answer:
            for line in answer.iter_lines():
                if line:
                    yield line[6:]

        return

    answer = requests.get(url, stream=True, timeout=10)

    if how == "sseclient":
        for event in sseclient.SSEClient(answer).events():
            yield event.data

    elif how == "sseclient-1":
        pieces = answer.iter_content(chunk_size=1)

        for event in sseclient.SSEClient(pieces).events():
            yield event.data

    else:
        how = {"lines": {}, "lines-none": {"chunk_size": None},
               "lines-1": {"chunk_size": 1}}[how]

        for line in answer.iter_lines(**how):
            if line:
                yield line[6:]


print(sum(time.monotonic() - float(sent) < 0.6
          for sent in events(*sys.argv[1:])))
PY

python3 server.py &
server=$!

for try in $(seq 100); do
    [ ! -e port ] || break
    sleep 0.1
done

url=http://127.0.0.1:$(cat port)


# --- what they do

ready=yes
changed=0

# count HOW PATH: how many events come at once

count() {
    timeout 20 venv/bin/python client.py "$1" "$url/$2" || echo -
}

# check NAME HOW CHUNKS NONE: whether so many do, with chunks and without

check() {
    local chunks none pid

    count "$2" chunks > chunks &
    pid=$!
    none=$(count "$2" plain)
    wait "$pid"
    chunks=$(cat chunks)

    echo "$1: of 3 events came at once $chunks with chunks, $none without"

    if [ "$chunks" != "$3" ] || [ "$none" != "$4" ]; then
        echo "Changed: $1, it was $3 with chunks, $4 without."
        changed=1
    fi
}

check "iter_lines() of requests 2.32.5" lines 3 0
check "iter_lines(chunk_size=None)" lines-none 3 0
check "iter_lines(chunk_size=1)" lines-1 3 3
check "sseclient-py 1.9.0" sseclient 3 0
check "sseclient-py 1.9.0, pieces of 1" sseclient-1 3 3
check "httpx 0.28.1" httpx 3 3

exit $changed
