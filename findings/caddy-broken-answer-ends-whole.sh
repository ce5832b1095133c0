#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: Caddy ends an answer in chunks as if it were whole when the server
# behind it has broken off.
#
# Version: Caddy 2.6.2, Debian 12's.
#
# Behavior: "reverse_proxy" passes on an answer in chunks.  The server behind
# dies, and its connection ends without the last chunk.  Caddy logs "aborting
# with incomplete response".  But what it sends to the client is the last
# chunk, the mark of a whole answer.  With "Content-Length", the client sees by
# the length that bytes are missing.
#
# Why one would guess wrong: chunks exist to tell an end from a break, and the
# log says that Caddy aborts.  The proxy of Go's standard library, from which
# Caddy's was made, breaks the client's connection there.  So one trusts a
# client to raise an error.  It does in each test without Caddy.  With it, half
# an event looks like the last one, and a list that lost its second half looks
# complete.
#
# What to do: let a client see from the data itself that it is whole: by a last
# line, a number of records, or JSON that closes.  Drop an event that has no
# empty line behind it.  A server sends "Content-Length" where it knows it.
#
# Here a server sends a list of numbers, and breaks off in its middle.  Seen, as
# what a client makes of it:
#
#     chunks, without Caddy:  broken
#     chunks, by Caddy:       whole, with [1,2,3
#     length, by Caddy:       broken
#
# It needs apt-get with the packages of Debian 12, and python3.  It ends with 0
# while this is so, and with 1, and a sentence, when it is not any more.

set -euo pipefail

tmp=$(mktemp -d)
ready=
caddy=
server=

leave() {
    for pid in $caddy $server; do
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

timeout 300 apt-get download -qq caddy=2.6.2-5* 2> apt.log || {
    cat apt.log
    exit 1
}

dpkg -x caddy_*.deb .


# --- the server: it breaks off each answer

cat > server.py <<'PY'
import http.server
import os
import threading


class Handler(http.server.BaseHTTPRequestHandler):

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")

        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"6\r\n[1,2,3\r\n")

        else:
            self.send_header("Content-Length", "9")
            self.end_headers()
            self.wfile.write(b"[1,2,3")

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


# --- the client: it says what it makes of an answer

cat > client.py <<'PY'
import http.client
import sys

_, port, path = sys.argv
connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
connection.request("GET", path)

try:
    print("whole, with", connection.getresponse().read().decode())
except (http.client.IncompleteRead, ConnectionResetError):
    print("broken")
PY

python3 server.py &
server=$!

for try in $(seq 100); do
    [ ! -e port ] || break
    sleep 0.1
done

direct=$(cat port)

proxy=$(python3 -c 'import socket; s = socket.socket()
s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

cat > Caddyfile <<CADDY
{
	admin off
	auto_https off
}

http://127.0.0.1:$proxy {
	reverse_proxy 127.0.0.1:$direct
}
CADDY

HOME=$tmp XDG_CONFIG_HOME=$tmp XDG_DATA_HOME=$tmp timeout 120 \
    usr/bin/caddy run --adapter caddyfile --config Caddyfile 2> caddy.log &
caddy=$!

for try in $(seq 100); do
    ! (: < "/dev/tcp/127.0.0.1/$proxy") 2> /dev/null || break
    sleep 0.1
done

(: < "/dev/tcp/127.0.0.1/$proxy") 2> /dev/null || {
    cat caddy.log
    exit 1
}


# --- what it does

ready=yes
changed=0

# check NAME SEEN PORT PATH: whether the client says this

check() {
    local got

    got=$(timeout 20 python3 client.py "$3" "$4") || got="$got (it failed)"

    echo "$1: $got"

    if [ "$got" != "$2" ]; then
        echo "Changed: $1, the client said: $2."
        changed=1
    fi
}

check "chunks, without Caddy" "broken" "$direct" /chunks
check "chunks, by Caddy 2.6.2" "whole, with [1,2,3" "$proxy" /chunks
check "length, by Caddy 2.6.2" "broken" "$proxy" /length

exit $changed
