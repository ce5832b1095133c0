#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: when a connection ends in the middle of the header of an answer,
# requests and urllib3 hand out a whole answer, with half of a value in it.
# curl hands out one without that line, and exits with 0.
#
# Versions: requests 2.32.5, urllib3 2.5.0, httpx 0.28.1 with h11 0.16.0,
# aiohttp 3.12.15 (PyPI), with Python 3.11.7; curl 7.88.1, Debian 12's.
#
# Behavior: the server says "Content-Length: 0", and then ends the connection
# within the line "Location: /orders/12345".  The empty line that ends a header
# never comes.  requests and urllib3 take the end of the connection for it:
# their answer is 201, and its Location is "/orders/12".  curl drops the line
# that has no end; the rest is the answer.  httpx, aiohttp and the fetch() of
# node report an error.
#
# Why one would guess wrong: of a body that is too short, each of them tells.
# A header is guarded by nothing but its end, and RFC 9112, 8, calls a message
# without it incomplete.
#
# What to do: where a value in a header counts, such as the place or the id of
# what was made, let the server send a line behind it that the client asks for.
# A client that misses that line does not know what was done, and asks again,
# with the same Idempotency-Key, for example.
#
# Seen with node 20:
#
#     requests  201, Location: /orders/12
#     urllib3   201, Location: /orders/12
#     httpx     RemoteProtocolError
#     aiohttp   ServerDisconnectedError
#     curl      201, Location: none, exit code 0
#     node      UND_ERR_SOCKET
#
# It needs curl, node, and python3 with venv.  It ends with 0 while this is so,
# and with 1, and a sentence, when it is not any more.

set -euo pipefail

tmp=$(mktemp -d)
ready=
server=

leave() {
    [ -z "$server" ] || kill "$server" 2> /dev/null || true
    [ -z "$server" ] || wait "$server" 2> /dev/null || true
    rm -rf "$tmp"

    if [ -z "$ready" ]; then
        echo "It could not be set up: this says nothing." >&2
        exit 2
    fi
}

trap leave EXIT
cd "$tmp"

node --version > /dev/null
curl --version > /dev/null

python3 -m venv venv

timeout 300 venv/bin/pip install --quiet --no-cache-dir \
    --disable-pip-version-check requests==2.32.5 urllib3==2.5.0 \
    httpx==0.28.1 httpcore==1.0.9 h11==0.16.0 aiohttp==3.12.15


# --- a server whose answer ends within its last line

cat > server.py <<'PY'
import os
import socket

listening = socket.create_server(("127.0.0.1", 0))

with open("port.new", "w") as out:
    print(listening.getsockname()[1], file=out)

os.rename("port.new", "port")

while True:
    connection, _ = listening.accept()
    asked = b""

    while b"\r\n\r\n" not in asked:
        more = connection.recv(65536)

        if not more:
            break

        asked += more

    else:
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n"
                           b"Location: /orders/12")
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    connection.close()
PY

python3 server.py &
server=$!

for try in $(seq 100); do
    [ ! -f port ] || break
    sleep 0.1
done

url=http://127.0.0.1:$(cat port)/


# --- the clients: each says what it got, or which error

cat > client.py <<'PY'
import asyncio
import sys

import aiohttp
import httpx
import requests
import urllib3


async def by_aiohttp(url):
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            return answer.status, answer.headers


def get(client, url):
    if client == "requests":
        answer = requests.get(url, timeout=10)
        return answer.status_code, answer.headers

    if client == "urllib3":
        answer = urllib3.request("GET", url, timeout=10, retries=False)
        return answer.status, answer.headers

    if client == "httpx":
        answer = httpx.get(url)
        return answer.status_code, answer.headers

    return asyncio.run(by_aiohttp(url))


try:
    status, headers = get(sys.argv[1], sys.argv[2])
    print(f"{status}, Location: {headers.get('Location')}")

except Exception as error:
    print(type(error).__name__)
PY

cat > client.sh <<'SH'
code=0
status=$(curl -s -m 10 -D headers -w '%{http_code}' "$1") || code=$?
place=$(sed -n 's/^Location: //p' headers)

echo "$status, Location: ${place:-none}, exit code $code"
SH

cat > client.js <<'JS'
fetch(process.argv[2]).then(
    answer => console.log(`${answer.status}, Location: `
                          + answer.headers.get('location')),
    error => console.log(error.cause.code));
JS


# --- what they do

ready=yes
changed=0

# check NAME SEEN PROGRAM...: whether it says this

check() {
    local name=$1 seen=$2 got

    shift 2
    got=$(timeout 30 "$@" "$url") || got="$got (it failed)"

    echo "$name: $got"

    if [ "$got" != "$seen" ]; then
        echo "Changed: $name, it was: $seen"
        changed=1
    fi
}

check "requests 2.32.5" "201, Location: /orders/12" \
    venv/bin/python client.py requests

check "urllib3 2.5.0" "201, Location: /orders/12" \
    venv/bin/python client.py urllib3

check "httpx 0.28.1" RemoteProtocolError venv/bin/python client.py httpx
check "aiohttp 3.12.15" ServerDisconnectedError venv/bin/python client.py aiohttp
check "curl" "201, Location: none, exit code 0" bash client.sh
check "node" UND_ERR_SOCKET node client.js

exit $changed
