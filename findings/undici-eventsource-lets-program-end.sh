#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: a program that reads a stream by the EventSource of undici ends
# silently when the server ends the stream.
#
# Versions: undici 7.30.2 (npm), and the EventSource of Node 20.20.2 itself,
# which is undici's (--experimental-eventsource).
#
# Behavior: the stream ends.  EventSource fires "error" with readyState 0,
# CONNECTING, and sets a timer to reconnect.  The timer is unref'd, so it does
# not keep Node alive.  If the program has nothing else to do, Node ends within
# milliseconds, with exit code 0.  The reconnection never happens.
#
# Why one would guess wrong: readyState says that it reconnects, and in a
# browser and with the package eventsource it does.  A service with a listening
# socket stays alive by that, and so does a test with a server in the same
# process.  Only the small program that just subscribes ends, at the first
# restart of the server.  A supervisor that restarts on failure does not help,
# for 0 is no failure.
#
# What to do: keep the program alive by a timer or a socket of its own while it
# subscribes, and clear that when it is done.  Or use the package eventsource.
#
# Here a server ends the answer behind the first of two events, and says "retry:
# 200".  Seen with node 20.20.2:
#
#     undici 7.30.2:            got 1;   exit code 0, readyState 0, 1 request
#     node's own:               got 1;   exit code 0, readyState 0, 1 request
#     undici, setInterval:      got 1 2; 2 requests
#     eventsource 4.1.1:        got 1 2; 2 requests
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


# --- the server: the path of each request goes to "requests"

cat > server.py <<'PY'
import http.server
import os
import threading


class Handler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):
        with open("requests", "a") as requests:
            requests.write(self.path + "\n")

        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()

        i = int(self.headers.get("Last-Event-ID", "0")) + 1
        self.wfile.write(b"retry: 200\ndata: event\nid: %d\n\n" % i)

    def log_message(self, *args):
        pass


threading.Timer(120, os._exit, (1,)).start()

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

with open("port.new", "w") as port:
    port.write(str(server.server_port))

os.rename("port.new", "port")
server.serve_forever()
PY


# --- the client: it prints the ids that it has got, up to 2, and how it ends

cat > client.js <<'JS'
const [ , , name, url, keep] = process.argv;
const Source = name == 'node' ? EventSource : require(name).EventSource;
const source = new Source(url);
const got = [];

if (keep) {
    setInterval(() => {}, 60000);
}

source.onmessage = event => {
    got.push(event.lastEventId);

    if (event.lastEventId == '2') {
        console.log(`got ${got.join(' ')}`);
        process.exit(0);
    }
};

process.on('exit', code => {
    if (got.length < 2) {
        console.log(`got ${got.join(' ')}; exit code ${code}, `
                    + `readyState ${source.readyState}`);
    }
});
JS

echo '{ "private": true }' > package.json

timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts \
    --cache "$tmp/npm" --save-exact \
    "node-linux-$(node -p process.arch)@20.20.2" \
    undici@7.30.2 eventsource@4.1.1 eventsource-parser@3.0.6

node=$(echo "$tmp"/node_modules/node-linux-*/bin/node)

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

# check NAME SEEN REQUESTS PATH ARGUMENT...: whether it says this, by so many
# requests

check() {
    local name=$1 seen=$2 number=$3 path=$4 source=$5 got requests

    shift 5
    got=$(timeout 20 "$node" --no-warnings --experimental-eventsource \
        client.js "$source" "$url/$path" "$@") || got="$got (it failed)"
    requests=$(grep -c "^/$path$" requests) || requests=0

    echo "$name: $got; requests: $requests"

    if [ "$got" != "$seen" ] || [ "$requests" != "$number" ]; then
        echo "Changed: of $name was seen: $seen; requests: $number."
        changed=1
    fi
}

ended="got 1; exit code 0, readyState 0"

check "undici 7.30.2" "$ended" 1 undici undici
check "node's own" "$ended" 1 node node
check "undici 7.30.2 with setInterval" "got 1 2" 2 kept undici keep
check "eventsource 4.1.1" "got 1 2" 2 eventsource eventsource

exit $changed
