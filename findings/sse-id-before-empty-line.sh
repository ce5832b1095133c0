#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: two clients of Server-Sent Events take an id before its event is
# whole.
#
# Versions: npm's eventsource 2.0.2 and @microsoft/fetch-event-source 2.0.1.
#
# Behavior: they take the value of an "id:" line as the last event id when the
# line is read.  The event is handed out later, at the empty line.  If the
# connection ends in between, the event is not handed out, as it should be, but
# the next request says in Last-Event-ID that it has come.  A server that sends
# what is newer then passes over it: the event is lost for good, without an
# error.  (Its data may still turn up within another's: sse-half-block-kept.sh.)
#
# Why one would guess wrong: in the specification an "id:" line only sets a
# buffer, and the last event id changes with the dispatch, at the empty line.
# Browsers and newer libraries do that.  And most servers, and most examples,
# write "id:" as the first line of a block, where the gap is as long as the
# data.
#
# What to do: as a server, write "id:" as the last line of a block, behind
# "data:"; the gap is then one line feed.  As a client, keep the id of the last
# event that was handed out, and say that one: eventsource 2 reads its option
# headers again at each connection, fetch-event-source takes a fetch of one's
# own.  eventsource 4 does it right.
#
# Here a server has events 1, 2 and 3, writes "id:" first, and ends the first
# answer before the empty line of event 2.  Seen with node 20:
#
#     eventsource 2.0.2:        got 1 3     came back with Last-Event-ID 2
#     fetch-event-source 2.0.1: got 1 3     came back with Last-Event-ID 2
#     eventsource 4.1.1:        got 1 2 3   came back with Last-Event-ID 1
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


# --- the server: what it is asked for goes to NAME.ids, for a path /NAME

cat > server.py <<'PY'
import http.server
import os
import threading

seen = set()


class Handler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):
        name = os.path.basename(self.path)
        last = self.headers.get("Last-Event-ID", "0")

        with open(name + ".ids", "a") as ids:
            ids.write(last + "\n")

        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()

        for i in range(int(last) + 1, 4):
            self.wfile.write(b"id: %d\ndata: event %d\n" % (i, i))

            if i == 2 and name not in seen:
                seen.add(name)
                return

            self.wfile.write(b"\n")

    def log_message(self, *args):
        pass


threading.Timer(120, os._exit, (1,)).start()

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

with open("port.new", "w") as port:
    port.write(str(server.server_port))

os.rename("port.new", "port")
server.serve_forever()
PY


# --- the clients: each prints the ids that it has got, up to 3

cat > eventsource.js <<'JS'
const [ , , version, url] = process.argv;
const module_ = require(`eventsource-${version}`);
const EventSource = module_.EventSource ?? module_;
const got = [];

new EventSource(url).onmessage = event => {
    got.push(event.lastEventId);

    if (event.lastEventId == '3') {
        console.log(got.join(' '));
        process.exit(0);
    }
};
JS

cat > fetch-event-source.js <<'JS'
globalThis.window = globalThis;
globalThis.document = { addEventListener() {}, removeEventListener() {} };

const { fetchEventSource } = require('@microsoft/fetch-event-source');
const got = [];

fetchEventSource(process.argv[2], {
    openWhenHidden: true,

    onmessage(event) {
        got.push(event.id);

        if (event.id == '3') {
            console.log(got.join(' '));
            process.exit(0);
        }
    },

    onclose() { throw new Error('come back'); },
    onerror() { return 100; },
});
JS

echo '{ "private": true }' > package.json

timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts \
    --cache "$tmp/npm" --save-exact \
    eventsource-2@npm:eventsource@2.0.2 \
    eventsource-4@npm:eventsource@4.1.1 eventsource-parser@3.0.6 \
    @microsoft/fetch-event-source@2.0.1

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

# check NAME IDS LAST PROGRAM...: whether it gets the ids, and comes back with LAST

check() {
    local name=$1 ids=$2 last=$3 got back

    shift 3
    got=$(timeout 30 node "$@" "$url/$name") || got="$got (it failed)"
    back=$(sed -n 2p "$name.ids") || back=none

    echo "$name: got $got, came back with Last-Event-ID $back"

    if [ "$got" != "$ids" ] || [ "$back" != "$last" ]; then
        echo "Changed: $name was seen to get $ids, and to come back with $last."
        changed=1
    fi
}

check eventsource-2.0.2 "1 3" 2 eventsource.js 2
check fetch-event-source-2.0.1 "1 3" 2 fetch-event-source.js
check eventsource-4.1.1 "1 2 3" 1 eventsource.js 4

exit $changed
