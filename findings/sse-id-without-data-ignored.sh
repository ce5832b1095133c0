#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: three clients of Server-Sent Events ignore the id of a block that has
# no data.
#
# Versions: npm's eventsource 4.1.1 and eventsource-client 1.2.0, both with
# eventsource-parser 3.0.6, and launchdarkly-eventsource 2.2.0.
#
# Behavior: a server sends a block of an "id:" line alone, to say how far a
# client is while nothing comes for it.  These clients drop the block with its
# id.  At a reconnection they send the id of the last event that had data,
# however old.
#
# Why one would guess wrong: by the specification, the last event id is set at
# the empty line, before it is looked whether there is data.  No event is
# fired, but the id counts.  Browsers do that, and so does the older
# eventsource 2. So an id alone looks like the way to move a cursor without
# waking a program.  It works in each test with a browser.  A client of these,
# with filters that let little through, comes back with a cursor of yesterday.
# The server then repeats much, or says that events are lost that this client
# never wanted.
#
# What to do: as a server, give such a block data, and a type of its own, so
# that "message" handlers do not see it.  As a client, listen for that type.
#
# Here a server sends event 1, then a block of "id: 7" alone, and ends the
# answer.  Seen with node 20, as the Last-Event-ID of the next request:
#
#     eventsource 4.1.1               1
#     eventsource-client 1.2.0        1
#     launchdarkly-eventsource 2.2.0  1
#     eventsource 2.0.2               7
#     undici 7.30.2                   7
#
# With "event: sign" and "data: x" beside the id it is 7 for all of them.
#
# It needs npm and python3.  It ends with 0 while this is so, and with 1, and a
# sentence, when it is not any more.

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


# --- the server: the data of its second answer is the id that it was asked with

cat > server.py <<'PY'
import http.server
import os
import threading


class Handler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):
        last = self.headers.get("Last-Event-ID")

        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()

        if last is None:
            self.wfile.write(b"retry: 100\ndata: first\nid: 1\n\n")

            if self.path == "/data":
                self.wfile.write(b"event: sign\ndata: x\nid: 7\n\n")
            else:
                self.wfile.write(b"id: 7\n\n")

        else:
            self.wfile.write(b"data: %s\nid: 9\n\n" % last.encode())

    def log_message(self, *args):
        pass


threading.Timer(120, os._exit, (1,)).start()

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

with open("port.new", "w") as port:
    port.write(str(server.server_port))

os.rename("port.new", "port")
server.serve_forever()
PY


# --- the client: it prints the data of the second answer

cat > client.mjs <<'JS'
const [ , , name, url] = process.argv;
const library = await import(name);

setInterval(() => {}, 60000);

function message(event) {
    if (event.data != 'first' && event.data != 'x') {
        console.log(event.data);
        process.exit(0);
    }
}

if (library.createEventSource) {
    library.createEventSource({ url, onMessage: message });

} else {
    const EventSource = library.EventSource ?? library.default;
    const source = new EventSource(url, { initialRetryDelayMillis: 100 });

    source.onmessage = message;
    source.onerror = () => {};
}
JS

echo '{ "private": true }' > package.json

timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts \
    --cache "$tmp/npm" --save-exact \
    eventsource-2@npm:eventsource@2.0.2 \
    eventsource-4@npm:eventsource@4.1.1 eventsource-parser@3.0.6 \
    eventsource-client@1.2.0 launchdarkly-eventsource@2.2.0 undici@7.30.2

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

# check NAME MODULE ID: whether it comes back with this id, and with 7 if there
# is data

check() {
    local alone data

    alone=$(timeout 20 node --no-warnings client.mjs "$2" "$url/alone") ||
        alone=none
    data=$(timeout 20 node --no-warnings client.mjs "$2" "$url/data") ||
        data=none

    echo "$1: came back with $alone after an id alone, with $data after data"

    if [ "$alone" != "$3" ] || [ "$data" != 7 ]; then
        echo "Changed: $1 came back with $3 after an id alone, else with 7."
        changed=1
    fi
}

check "eventsource 4.1.1" eventsource-4 1
check "eventsource-client 1.2.0" eventsource-client 1
check "launchdarkly-eventsource 2.2.0" launchdarkly-eventsource 1
check "eventsource 2.0.2" eventsource-2 7
check "undici 7.30.2" undici 7

exit $changed
