#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: three clients of Server-Sent Events keep half a block over a
# reconnection.
#
# Versions: npm's eventsource 2.0.2; PyPI's aiohttp-sse-client 0.2.1 and
# aiohttp-sse-client2 0.3.0, both over aiohttp 3.13.2.
#
# Behavior: what they have of a block's data when an answer ends stays, and is
# put before the data of the first block of the next answer.  So an event that
# is cut off behind its data, and that the server rightly sends again, comes
# with its data twice, with a line feed in between: JSON that no parser takes.
#
# Why one would guess wrong: by the specification, what is left at the end of a
# stream without an empty line is thrown away.  So one thinks of an event that
# is cut off as late, not as spoiled: the library comes back, the server sends
# it again, and all tests with a client that follows the specification pass.
#
# What to do: as a server, begin each answer with a block that has data and that
# nobody misses, of a type of its own, as a sign of life: it takes the half with
# it.  An empty line alone is not enough: it makes an event of the half.  As a
# client, take an event whose data is not whole for a fault, and reconnect from
# the last whole one; or use eventsource 4, which does it right.
#
# Here a server has events 1, 2 and 3, and ends the first answer behind the data
# of event 2.  All come back with Last-Event-ID 1.  Seen with node 20, Python
# 3.11:
#
#     eventsource 2.0.2:         one | two\ntwo | three
#     aiohttp-sse-client 0.2.1:  one | two\ntwo | three
#     aiohttp-sse-client2 0.3.0: one | two\ntwo | three
#     eventsource 4.1.1:         one | two | three
#
# It needs npm, and python3 with venv.  It ends with 0 while this is so, and
# with 1, and a sentence, when it is not any more.

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


# --- the server: what it is asked for goes to NAME.ids, for a path /NAME

cat > server.py <<'PY'
import http.server
import os
import threading

seen = set()


class Handler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):
        name = os.path.basename(self.path)
        last = int(self.headers.get("Last-Event-ID", "0"))

        with open(name + ".ids", "a") as ids:
            ids.write("%d\n" % last)

        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()

        for i, text in enumerate((b"one", b"two", b"three"), 1):
            if i <= last:
                continue

            self.wfile.write(b"data: %s\n" % text)

            if i == 2 and name not in seen:
                seen.add(name)
                return

            self.wfile.write(b"id: %d\n\n" % i)

    def log_message(self, *args):
        pass


threading.Timer(180, os._exit, (1,)).start()

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

with open("port.new", "w") as port:
    port.write(str(server.server_port))

os.rename("port.new", "port")
server.serve_forever()
PY


# --- the clients: each prints the data that it has got, up to "three"

cat > eventsource.js <<'JS'
const [ , , version, url] = process.argv;
const module_ = require(`eventsource-${version}`);
const EventSource = module_.EventSource ?? module_;
const got = [];

new EventSource(url).onmessage = event => {
    got.push(event.data.replace(/\n/g, '\\n'));

    if (event.data.endsWith('three')) {
        console.log(got.join(' | '));
        process.exit(0);
    }
};
JS

cat > aiohttp_client.py <<'PY'
import asyncio
import datetime
import importlib
import sys

_, package, url = sys.argv
EventSource = importlib.import_module(package + ".client").EventSource


async def main():
    got = []
    soon = datetime.timedelta(milliseconds=100)

    async with EventSource(url, reconnection_time=soon) as source:
        async for event in source:
            got.append(event.data.replace("\n", "\\n"))

            if event.data.endswith("three"):
                break

    print(" | ".join(got))


asyncio.run(main())
PY

echo '{ "private": true }' > package.json

timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts \
    --cache "$tmp/npm" --save-exact \
    eventsource-2@npm:eventsource@2.0.2 \
    eventsource-4@npm:eventsource@4.1.1 eventsource-parser@3.0.6

python3 -m venv venv

timeout 300 venv/bin/pip install --quiet --no-cache-dir \
    --disable-pip-version-check \
    aiohttp==3.13.2 aiohttp-sse-client==0.2.1 aiohttp-sse-client2==0.3.0

python3 server.py &
server=$!

for try in $(seq 100); do
    [ ! -e port ] || break
    sleep 0.1
done

port=$(cat port)
url=http://127.0.0.1:$port


# --- what they do

ready=yes
changed=0

# check NAME DATA PROGRAM...: whether it gets this data

check() {
    local name=$1 data=$2 got back

    shift 2
    got=$(timeout 30 "$@" "$url/$name") || got="$got (it failed)"
    back=$(sed -n 2p "$name.ids") || back=none

    echo "$name: got $got, came back with Last-Event-ID $back"

    if [ "$got" != "$data" ] || [ "$back" != 1 ]; then
        echo "Changed: $name was seen to get $data, and to come back with 1."
        changed=1
    fi
}

spoiled='one | two\ntwo | three'

check eventsource-2.0.2 "$spoiled" node eventsource.js 2

check aiohttp-sse-client-0.2.1 "$spoiled" \
    venv/bin/python aiohttp_client.py aiohttp_sse_client

check aiohttp-sse-client2-0.3.0 "$spoiled" \
    venv/bin/python aiohttp_client.py aiohttp_sse_client2

check eventsource-4.1.1 'one | two | three' node eventsource.js 4

exit $changed
