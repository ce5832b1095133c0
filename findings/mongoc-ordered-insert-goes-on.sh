#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: an ordered insert of mongo-c-driver goes on after a duplicate key, if
# the driver has split it.
#
# Version: mongo-c-driver 1.23.1, Debian 12's libmongoc.
#
# Behavior: mongoc_collection_insert_many() of more documents than the server's
# hello says in maxWriteBatchSize, or of more bytes than in maxMessageSizeBytes,
# sends several messages.  It is ordered by default: after a write error nothing
# more should be written.  The server keeps to that within a message.  But after
# a message with a write error, the driver sends the next ones all the same, and
# their documents are stored, behind the hole that the error left.
#
# Why one would guess wrong: "ordered" is a promise about the whole call, in the
# manual and in the drivers' common specification of bulk writes, and drivers of
# other languages keep it.  With MongoDB's own limits, 100000 documents and 48
# MB, few calls are split, so it is hardly ever seen; servers that speak its
# protocol have smaller ones.
#
# What to do: where a hole matters, read both limits from hello, and send no
# more by one call than fits into one message.  Do not reckon from the index of
# the first write error that nothing behind it is stored.
#
# Here a server that says maxWriteBatchSize 2 already has _id 2, and the
# documents 1 to 6 are inserted, ordered.  Seen:
#
#     mongo-c-driver 1.23.1: inserts sent: 3, stored: 1 3 4 5 6, error at index 1
#     pymongo 4.10.1:        inserts sent: 1, stored: 1, error at index 1
#
# It needs apt-get with the packages of Debian 12, gcc, and python3 with venv.
# It ends with 0 while this is so, and with 1, and a sentence, when it is not
# any more.

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


# --- the server, of MongoDB's wire protocol as much as two drivers need

cat > server.py <<'PY'
import os
import socketserver
import struct
import threading

import bson

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013

HELLO = {"ok": 1, "ismaster": True, "isWritablePrimary": True, "helloOk": True,
         "minWireVersion": 0, "maxWireVersion": 17, "maxWriteBatchSize": 2,
         "maxBsonObjectSize": 16 << 20, "maxMessageSizeBytes": 48000000}

stored = {}             # a collection's name: the _ids that it has
messages = {}           # a collection's name: inserts that have come


def insert(name, documents):
    has = stored.setdefault(name, [2])
    messages[name] = messages.get(name, 0) + 1

    for done, document in enumerate(documents):
        if document["_id"] in has:
            return {"ok": 1, "n": done, "writeErrors": [
                {"index": done, "code": 11000, "errmsg": "duplicate key"}]}

        has.append(document["_id"])

    return {"ok": 1, "n": len(documents)}


def answer(command):
    what = next(iter(command))

    if what.lower() in ("hello", "ismaster"):
        return HELLO

    if what == "insert":
        assert command.get("ordered", True)
        return insert(command["insert"], command["documents"])

    if what == "look":
        name = command["look"]
        return {"ok": 1, "stored": sorted(set(stored[name]) - {2}),
                "messages": messages[name]}

    return {"ok": 1}


def sections(body):
    """An OP_MSG's command, with the documents beside it put into it."""

    command, lists, at = {}, {}, 4

    while at < len(body):
        kind, size = struct.unpack_from("<bi", body, at)
        part = body[at + 1:at + 1 + size]
        at += 1 + size

        if kind == 0:
            command = bson.decode(part)
        else:
            end = part.index(b"\0", 4)
            lists[part[4:end].decode()] = bson.decode_all(part[end + 1:])

    return {**command, **lists}


class Handler(socketserver.StreamRequestHandler):

    def handle(self):
        while head := self.rfile.read(16):
            size, request, _, code = struct.unpack("<iiii", head)
            body = self.rfile.read(size - 16)

            if code == OP_QUERY:
                query = body[body.index(b"\0", 4) + 9:]
                size = struct.unpack_from("<i", query)[0]
                reply = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(
                    answer(bson.decode(query[:size])))
                code = OP_REPLY

            else:
                assert code == OP_MSG
                reply = b"\0" * 5 + bson.encode(answer(sections(body)))

            self.wfile.write(struct.pack("<iiii", 16 + len(reply), 1, request,
                                         code) + reply)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *args):
        pass


threading.Timer(180, os._exit, (1,)).start()

server = Server(("127.0.0.1", 0), Handler)

with open("port.new", "w") as port:
    port.write(str(server.server_address[1]))

os.rename("port.new", "port")
server.serve_forever()
PY


# --- the clients: each inserts 1 to 6, and prints the index of the write error

cat > client.c <<'C'
#include <mongoc/mongoc.h>

int
main(int argc, char **argv)
{
    int                   i;
    bool                  ok;
    bson_t               *docs[6], reply;
    bson_iter_t           iter, at;
    bson_error_t          error;
    mongoc_client_t      *client;
    mongoc_collection_t  *collection;

    mongoc_init();

    client = mongoc_client_new(argc > 1 ? argv[1] : "");

    if (client == NULL) {
        return 2;
    }

    collection = mongoc_client_get_collection(client, "test", "c");

    for (i = 0; i < 6; i++) {
        docs[i] = BCON_NEW("_id", BCON_INT32(i + 1));
    }

    ok = mongoc_collection_insert_many(collection, (const bson_t **) docs, 6,
                                       NULL, &reply, &error);

    if (ok || !bson_iter_init(&iter, &reply)
        || !bson_iter_find_descendant(&iter, "writeErrors.0.index", &at))
    {
        printf("none: %s\n", ok ? "it succeeded" : error.message);

    } else {
        printf("%d\n", bson_iter_int32(&at));
    }

    bson_destroy(&reply);

    for (i = 0; i < 6; i++) {
        bson_destroy(docs[i]);
    }

    mongoc_collection_destroy(collection);
    mongoc_client_destroy(client);
    mongoc_cleanup();

    return 0;
}
C

cat > client.py <<'PY'
import sys

import pymongo
import pymongo.errors

collection = pymongo.MongoClient(sys.argv[1]).test.python

try:
    collection.insert_many([{"_id": i} for i in range(1, 7)])
    print("none: it succeeded")

except pymongo.errors.BulkWriteError as e:
    print(e.details["writeErrors"][0]["index"])
PY

cat > look.py <<'PY'
import sys

import pymongo

seen = pymongo.MongoClient(sys.argv[1]).test.command("look", sys.argv[2])

print("inserts sent: %d, stored: %s"
      % (seen["messages"], " ".join(map(str, seen["stored"]))))
PY

libraries=$tmp/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)

gcc -o client -Iusr/include/libmongoc-1.0 -Iusr/include/libbson-1.0 client.c \
    -L"$libraries" -Wl,-rpath-link,"$libraries" -lmongoc-1.0 -lbson-1.0

venv/bin/python server.py &
server=$!

for try in $(seq 100); do
    [ ! -e port ] || break
    sleep 0.1
done

port=$(cat port)
uri="mongodb://127.0.0.1:$port/?serverSelectionTimeoutMS=5000"


# --- what they do

ready=yes
changed=0

# check NAME COLLECTION SEEN PROGRAM...: whether that is stored, and said

check() {
    local name=$1 collection=$2 seen=$3 got

    shift 3
    got=$(timeout 30 "$@" "$uri") || got="none: it failed"
    got="$(timeout 30 venv/bin/python look.py "$uri" "$collection"), error at\
 index $got"

    echo "$name: $got"

    if [ "$got" != "$seen" ]; then
        echo "Changed: $name was seen to have $seen."
        changed=1
    fi
}

check "mongo-c-driver 1.23.1" c \
    "inserts sent: 3, stored: 1 3 4 5 6, error at index 1" \
    env LD_LIBRARY_PATH="$libraries" ./client

check "pymongo 4.10.1" python "inserts sent: 1, stored: 1, error at index 1" \
    venv/bin/python client.py

exit $changed
