#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: a lone client of mongo-c-driver says "connection refused" for seconds
# after the server has come back, without trying to connect.
#
# Version: mongo-c-driver 1.23.1, Debian 12's libmongoc.
#
# Behavior: a client of mongoc_client_new() has no thread that watches the
# servers.  It looks at them when it has a command, and after a look that
# failed it leaves that server alone for 5 seconds.  Until then each command
# fails at once.  About each half second the error is "connection refused
# calling hello", that of the old look.  In between it is "No servers yet
# eligible for rescan".
#
# Why one would guess wrong: serverSelectionTimeoutMS says how long a command
# waits for a server, 30 seconds by default.  So one expects that a restart of
# a second is waited for, or mended by a few retries of one's own.  But lone
# clients have serverSelectionTryOnce, which is on by default and sets that
# option aside.  And "connection refused" sends one to look for the fault at
# the server, or at a firewall.
#
# What to do: use a pool, also for a single thread.  Or set
# serverSelectionTryOnce=false: then a command waits for the rest of the 5
# seconds, and succeeds.  Retries of one's own must go on for more than 5
# seconds.
#
# Here a server is away for a second, and a client sends a ping each 50 ms.
# Seen, from the server's return on:
#
#     mongoc_client_new():      4.4 s to the first connection; 77 pings failed, 8
#                               of them with "connection refused"
#     ... with serverSelectionTryOnce=false:  4.4 s; none failed
#     mongoc_client_pool_new():               0.2 s; none failed
#     pymongo 4.10.1:                         0.3 s; none failed
#
# It needs apt-get with the packages of Debian 12, gcc, and python3 with venv.
# It ends with 0 while this is so, and with 1, and a sentence, when it is not
# any more.

set -euo pipefail

tmp=$(mktemp -d)
ready=
server=
client=

leave() {
    for pid in $client $server; do
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

python3 -m venv venv

timeout 300 venv/bin/pip install --quiet --no-cache-dir \
    --disable-pip-version-check pymongo==4.10.1

# with all that it is linked with, except what any Debian has

timeout 300 apt-get download -qq libmongoc-1.0-0=1.23.1* libmongoc-dev=1.23.1* \
    libbson-1.0-0=1.23.1* libbson-dev=1.23.1* libmongocrypt0 libsnappy1v5 \
    libsasl2-2 libicu72 2> apt.log || {
    cat apt.log
    exit 1
}

for package in *.deb; do
    dpkg -x "$package" .
done


# --- the server: it answers hello and ping, and notes when it is up, and when
# --- its first connection comes

cat > server.py <<'PY'
import os
import socketserver
import struct
import sys
import threading
import time

import bson

OP_REPLY, OP_QUERY = 1, 2004

HELLO = {"ok": 1, "ismaster": True, "isWritablePrimary": True, "helloOk": True,
         "minWireVersion": 0, "maxWireVersion": 17, "maxWriteBatchSize": 1000,
         "maxBsonObjectSize": 16 << 20, "maxMessageSizeBytes": 48000000}

first = threading.Lock()


def note(what):
    with open(what + ".new", "w") as file:
        file.write("%.3f" % time.monotonic())

    os.rename(what + ".new", what)


class Handler(socketserver.StreamRequestHandler):

    def handle(self):
        if first.acquire(blocking=False):
            note("first")

        while head := self.rfile.read(16):
            size, request, _, code = struct.unpack("<iiii", head)
            body = self.rfile.read(size - 16)

            if code == OP_QUERY:
                reply = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(HELLO)
                code = OP_REPLY
            else:
                reply = b"\0" * 5 + bson.encode(HELLO)

            self.wfile.write(struct.pack("<iiii", 16 + len(reply), 1, request,
                                         code) + reply)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, *args):
        pass


threading.Timer(60, os._exit, (1,)).start()

server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
note("up")
server.serve_forever()
PY


# --- the clients: a ping each 50 ms, up to the first that succeeds after one
# --- that failed

cat > client.c <<'C'
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mongoc/mongoc.h>

int
main(int argc, char **argv)
{
    int                    failed, i, ok, pooled;
    bson_t                *ping;
    bson_error_t           error;
    mongoc_uri_t          *uri;
    mongoc_client_t       *client;
    struct timespec        now;
    mongoc_client_pool_t  *pool;

    if (argc != 3) {
        return 2;
    }

    setvbuf(stdout, NULL, _IOLBF, 0);
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);

    pooled = strcmp(argv[1], "pool") == 0;
    uri = mongoc_uri_new(argv[2]);
    pool = mongoc_client_pool_new(uri);
    client = pooled ? NULL : mongoc_client_new_from_uri(uri);
    ping = BCON_NEW("ping", BCON_INT32(1));

    failed = 0;

    for (i = 0; i < 300; i++) {

        if (pooled) {
            client = mongoc_client_pool_pop(pool);
        }

        ok = mongoc_client_command_simple(client, "test", ping, NULL, NULL,
                                          &error);

        if (pooled) {
            mongoc_client_pool_push(pool, client);
        }

        clock_gettime(CLOCK_MONOTONIC, &now);

        printf("%.3f %s\n", now.tv_sec + now.tv_nsec / 1e9,
               ok ? "ok" : error.message);

        if (ok && failed) {
            break;
        }

        failed |= !ok;
        usleep(50000);
    }

    if (!pooled) {
        mongoc_client_destroy(client);
    }

    bson_destroy(ping);
    mongoc_client_pool_destroy(pool);
    mongoc_uri_destroy(uri);
    mongoc_cleanup();

    return 0;
}
C

cat > client.py <<'PY'
import sys
import time

import pymongo
import pymongo.errors

client = pymongo.MongoClient(sys.argv[1])
failed = False

for i in range(300):
    try:
        client.test.command("ping")
        how = "ok"
    except pymongo.errors.PyMongoError as error:
        how = str(error).split("\n")[0]

    print("%.3f %s" % (time.monotonic(), how), flush=True)

    if how != "ok":
        failed = True
    elif failed:
        break

    time.sleep(0.05)
PY

libraries=$tmp/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)

gcc -o client -Iusr/include/libmongoc-1.0 -Iusr/include/libbson-1.0 client.c \
    -L"$libraries" -Wl,-rpath-link,"$libraries" -lmongoc-1.0 -lbson-1.0

port=$(python3 -c 'import socket; s = socket.socket()
s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

uri="mongodb://127.0.0.1:$port/?serverSelectionTimeoutMS=20000"

# wait_for COMMAND...: until it succeeds, for 10 seconds

wait_for() {
    for try in $(seq 200); do
        ! "$@" || return 0
        sleep 0.05
    done

    echo "It did not come to that: $*"
    exit 1
}

start() {
    rm -f up first
    venv/bin/python server.py "$port" &
    server=$!
    wait_for test -e up
}

stop() {
    kill "$server"
    wait "$server" 2> /dev/null || true
    server=
}


# --- what they do

cat > tell.py <<'PY'
up = float(open("up").read())
late = float(open("first").read()) - up
after = [line.split(" ", 1) for line in open("pings")]
errors = [how for when, how in after if float(when) > up and how != "ok\n"]
refused = sum("connection refused" in how for how in errors)

print("late" if late > 3 else "soon", "many" if len(errors) > 30 else
      "none" if not errors else "some", "refused" if refused else "-")
print("%.1f s to the first connection, %d pings failed, %d of them with"
      " \"connection refused\"" % (late, len(errors), refused))
PY

changed=0

# check NAME SEEN PROGRAM...: when it comes back, and what it says until then

check() {
    local name=$1 seen=$2

    shift 2
    start
    timeout 40 "$@" > pings 2> client.log &
    client=$!
    wait_for grep -q "ok$" pings

    stop
    wait_for grep -qv "ok$" pings
    sleep 1

    start
    wait "$client" || true
    client=
    stop
    ready=yes

    python3 tell.py > told

    echo "$name: $(sed -n 2p told)"

    if [ "$(sed -n 1p told)" != "$seen" ]; then
        echo "Changed: of $name was seen: $seen."
        changed=1
    fi
}

mongoc="env LD_LIBRARY_PATH=$libraries ./client"

check "mongoc_client_new()" "late many refused" $mongoc lone "$uri"
check "with serverSelectionTryOnce=false" "late none -" \
    $mongoc lone "$uri&serverSelectionTryOnce=false"
check "mongoc_client_pool_new()" "soon none -" $mongoc pool "$uri"
check "pymongo 4.10.1" "soon none -" venv/bin/python client.py "$uri"

exit $changed
