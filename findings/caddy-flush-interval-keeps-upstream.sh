#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: with flush_interval -1, Caddy does not tell the upstream that a
# client has left a quiet stream.
#
# Version: Caddy 2.6.2, Debian 12's.
#
# Behavior: a client that reads a stream through "reverse_proxy" leaves.  By
# default, Caddy closes its connection to the upstream at once.  With
# "flush_interval -1" it keeps it as long as nothing comes: it notices only when
# it cannot write what the upstream has sent, and not by the first piece.  If the
# upstream never writes, it does not notice at all.
#
# Why one would guess wrong: the option's name speaks of buffers, and it is what
# is often recommended for Server-Sent Events.  But since 2.6 it also says
# that a request is to be finished though its client has left.  And it is not
# needed for them: what is text/event-stream, or has no length, is flushed at
# once anyway.  Nothing looks wrong but the upstream's number of connections,
# which grows with each page that is loaded again.
#
# What to do: leave it out in front of streams.  Where it must be, let the
# upstream send a sign of life every some seconds.
#
# Here a client reads one event of a stream and leaves; the upstream is quiet
# for 10 seconds, and writes a comment every second from then on.  Seen, in
# seconds from the client's leaving to the upstream's seeing its connection
# closed:
#
#     without:           0.0
#     flush_interval -1: 13.0
#
# It needs apt-get with the packages of Debian 12, and python3.  It ends with 0
# while this is so, and with 1, and a sentence, when it is not any more.

set -euo pipefail

tmp=$(mktemp -d)
ready=
caddy=

leave() {
    [ -z "$caddy" ] || kill "$caddy" 2> /dev/null || true
    [ -z "$caddy" ] || wait "$caddy" 2> /dev/null || true
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

# three ports that were free a moment ago

read -r upstream plain flush < <(python3 - <<'PY'
import socket

sockets = [socket.create_server(("127.0.0.1", 0)) for i in range(3)]
print(*(s.getsockname()[1] for s in sockets))
PY
)

cat > Caddyfile <<CADDY
{
	admin off
	auto_https off
}

http://127.0.0.1:$plain {
	reverse_proxy 127.0.0.1:$upstream
}

http://127.0.0.1:$flush {
	reverse_proxy 127.0.0.1:$upstream {
		flush_interval -1
	}
}
CADDY

HOME=$tmp XDG_CONFIG_HOME=$tmp XDG_DATA_HOME=$tmp timeout 120 \
    usr/bin/caddy run --adapter caddyfile --config Caddyfile 2> caddy.log &
caddy=$!


# --- the upstream, and a client: seconds until the upstream sees it leave

cat > measure.py <<'PY'
import select
import socket
import sys
import time

QUIET = 10
LONGEST = 30

upstream, proxy = map(int, sys.argv[1:])
listening = socket.create_server(("127.0.0.1", upstream))
listening.settimeout(10)

for attempt in range(100):
    try:
        client = socket.create_connection(("127.0.0.1", proxy), 10)
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
else:
    sys.exit("Caddy does not listen")

client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
               b"Accept: text/event-stream\r\n\r\n" % proxy)

stream, _ = listening.accept()
stream.settimeout(10)
request = b""

while b"\r\n\r\n" not in request:
    request += stream.recv(4096)

stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
               b"Connection: close\r\n\r\ndata: hello\nid: 1\n\n")

answer = b""

while b"id: 1\n\n" not in answer:
    piece = client.recv(4096)

    if not piece:
        sys.exit("no event came")

    answer += piece

client.close()

left = time.monotonic()
wait = QUIET

while time.monotonic() < left + LONGEST:
    if select.select([stream], [], [], wait)[0]:
        break

    wait = 1

    try:
        stream.sendall(b": still here\n\n")
    except OSError:
        break

print("%.1f" % (time.monotonic() - left))
PY

without=$(timeout 60 python3 measure.py "$upstream" "$plain")
with=$(timeout 60 python3 measure.py "$upstream" "$flush")
ready=yes

echo "Caddy 2.6.2: the upstream saw the client's leaving after $without s;" \
     "with flush_interval -1, after $with s, when it was quiet for 10 s"

if [ "${without%.*}" -ge 5 ] || [ "${with%.*}" -lt 10 ]; then
    echo "Changed: it was seen at once without flush_interval, and with it not" \
         "before the upstream wrote again."
    exit 1
fi
