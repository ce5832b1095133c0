#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: r3labs/sse gives up at the first break of a stream that is older than
# 15 minutes.
#
# Version: github.com/r3labs/sse/v2 v2.10.0 (Go), with its backoff.v1 v1.1.0.
#
# Behavior: Subscribe repeats a request that has failed, with pauses that grow,
# and stops when 15 minutes have passed.  But these count from the call of
# Subscribe, and a stream that worked does not set them back.  In the first
# quarter of an hour a break is mended.  Later the first break ends Subscribe
# at once, with the error of the connection, and without a single attempt.
#
# Why one would guess wrong: a limit for attempts is a limit for a time in
# which the server is away.  So one expects 15 minutes of trying after a break,
# and a program that survives the restart of its server in all tests.  It fails
# in production only, on the first restart of the day.
#
# What to do: call Subscribe in a loop.  Or set client.ReconnectStrategy to an
# exponential backoff with MaxElapsedTime 0.
#
# Here a server breaks the first answer behind the first of two events.  The
# client has the library's own strategy, with a clock that can be set.  The
# handler of the first event sets it forward by some minutes, as if the stream
# had been open so long.  Seen with go 1.26:
#
#     14 minutes:                    got 1 2
#     16 minutes:                    got 1, then unexpected EOF; 1 request
#     16 minutes, MaxElapsedTime 0:  got 1 2
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


# --- the server: the path of each request goes to "requests"

cat > server.py <<'PY'
import http.server
import os
import threading


class Handler(http.server.BaseHTTPRequestHandler):

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        last = int(self.headers.get("Last-Event-ID") or 0)

        with open("requests", "a") as requests:
            requests.write(self.path.split("?")[0] + "\n")

        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        event = b"data: event\nid: %d\n\n" % (last + 1)
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.close_connection = True

        if last == 1:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


threading.Timer(400, os._exit, (1,)).start()

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

with open("port.new", "w") as port:
    port.write(str(server.server_port))

os.rename("port.new", "port")
server.serve_forever()
PY


# --- the client: it prints the ids that it has got, and an error

cat > go.mod <<'MOD'
module finding

go 1.21

require (
	github.com/r3labs/sse/v2 v2.10.0
	gopkg.in/cenkalti/backoff.v1 v1.1.0
)

require golang.org/x/net v0.0.0-20191116160921-f9c825593386 // indirect
MOD

cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/r3labs/sse/v2"
	"gopkg.in/cenkalti/backoff.v1"
)

type clock struct {
	ahead time.Duration
}

func (c *clock) Now() time.Time {
	return time.Now().Add(c.ahead)
}

func main() {
	minutes, _ := strconv.Atoi(os.Args[1])
	now := &clock{}

	strategy := backoff.NewExponentialBackOff()
	strategy.Clock = now

	if os.Args[2] == "no-limit" {
		strategy.MaxElapsedTime = 0
	}

	client := sse.NewClient(os.Args[3])
	client.ReconnectStrategy = strategy

	got := "got"

	err := client.SubscribeRaw(func(event *sse.Event) {
		got += " " + string(event.ID)
		now.ahead = time.Duration(minutes) * time.Minute
	})

	if err != nil {
		got += ", then " + err.Error()
	}

	fmt.Println(got)
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

url=http://127.0.0.1:$(cat port)


# --- what it does

ready=yes
changed=0

# check MINUTES LIMIT SEEN REQUESTS: whether the client says this, by so many
# requests

check() {
    local got requests path=/$1/$2

    got=$(timeout 20 ./client "$1" "$2" "$url$path") || got="$got (it failed)"
    requests=$(grep -c "^$path$" requests) || requests=0

    echo "r3labs/sse 2.10.0, after $1 minutes, $2: $got; requests: $requests"

    if [ "$got" != "$3" ] || [ "$requests" != "$4" ]; then
        echo "Changed: after $1 minutes, $2, it was: $3; requests: $4."
        changed=1
    fi
}

check 14 default "got 1 2" 2
check 16 default "got 1, then unexpected EOF" 1
check 16 no-limit "got 1 2" 2

exit $changed
