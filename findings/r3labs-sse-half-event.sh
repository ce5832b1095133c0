#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: r3labs/sse hands out half an event at the end of a stream, and comes
# back with half of its id.
#
# Version: github.com/r3labs/sse/v2 v2.10.0 (Go).
#
# Behavior: when an answer ends in the middle of an event, what has come of it
# is given to the handler as an event like any other.  If it ended within the
# "id:" line, the event has the first digits of the id, and these are sent as
# Last-Event-ID of the next request.  If it ended within the data, the event has
# the id of the one before.
#
# Why one would guess wrong: by the specification, what is left at the end of a
# stream without an empty line is thrown away, its id too.  An event that is cut
# off is then only late.  Here it is wrong: its data may lack its end, and an id
# of 42 becomes 4, so that a server repeats all from 5 on.
#
# What to do: put the id into the data as well, as JSON, whose end can be seen.
# Take an event whose JSON is not whole for none, and one whose id is not above
# the last one for a repetition.  Set client.LastEventID in the handler to the
# last whole event's id: the library has written it before it calls the handler.
#
# Here a server has events 41, 42 and 43, ends the first answer within the id of
# event 42, and the second within the data of event 43.  Subscribe returns
# without an error there, and is called again.  Seen with go 1.26, as id:data:
#
#     got: 41:forty-one 4:forty-two 41:forty-one 42:forty-two 42:forty-th
#          43:forty-three
#     came back with Last-Event-ID 4, then with 42
#
# It needs go and python3.  It ends with 0 while this is so, and with 1, and a
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


# --- the server: the Last-Event-ID of each request goes to ids

cat > server.py <<'PY'
import http.server
import os
import threading

events = {41: b"forty-one", 42: b"forty-two", 43: b"forty-three"}
requests = 0


class Handler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):
        global requests

        requests += 1
        last = int(self.headers.get("Last-Event-ID") or 0)

        with open("ids", "a") as ids:
            ids.write("%d\n" % last)

        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()

        for i in sorted(events):
            if i <= last:
                continue

            if i == 42 and requests == 1:
                self.wfile.write(b"data: %s\nid: 4" % events[i])
                return

            if i == 43 and requests == 2:
                self.wfile.write(b"data: forty-th")
                return

            self.wfile.write(b"data: %s\nid: %d\n\n" % (events[i], i))

    def log_message(self, *args):
        pass


threading.Timer(400, os._exit, (1,)).start()

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)

with open("port.new", "w") as port:
    port.write(str(server.server_port))

os.rename("port.new", "port")
server.serve_forever()
PY


# --- the client: it prints what it has got of three answers

cat > go.mod <<'MOD'
module finding

go 1.21

require github.com/r3labs/sse/v2 v2.10.0

require (
	golang.org/x/net v0.0.0-20191116160921-f9c825593386 // indirect
	gopkg.in/cenkalti/backoff.v1 v1.1.0 // indirect
)
MOD

cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/r3labs/sse/v2"
)

func main() {
	var got []string

	client := sse.NewClient(os.Args[1])

	for i := 0; i < 3; i++ {
		err := client.SubscribeRaw(func(event *sse.Event) {
			got = append(got, string(event.ID)+":"+string(event.Data))
		})

		if err != nil {
			got = append(got, err.Error())
		}
	}

	fmt.Println(strings.Join(got, " "))
}
GO

export GOMODCACHE=$tmp/modules GOFLAGS="-mod=mod -modcacherw"

timeout 300 go build -o client .

python3 server.py &
server=$!

for try in $(seq 100); do
    [ ! -e port ] || break
    sleep 0.1
done

port=$(cat port)


# --- what it does

ready=yes

got=$(timeout 30 ./client "http://127.0.0.1:$port/") || got="$got (it failed)"

back=$(sed -n 2,3p ids | paste -sd " ") || back=none

echo "r3labs/sse 2.10.0: got $got, came back with Last-Event-ID $back"

seen="41:forty-one 4:forty-two"
seen="$seen 41:forty-one 42:forty-two 42:forty-th 43:forty-three"

if [ "$got" != "$seen" ] || [ "$back" != "4 42" ]; then
    echo "Changed: it was seen to get $seen, and to come back with 4 42."
    exit 1
fi
