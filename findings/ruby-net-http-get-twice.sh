#!/bin/bash

# Copyright (C) the msgbus authors

# Finding: Ruby's Net::HTTP repeats a GET by itself after a part of its answer
# has been given to the block.
#
# Version: Ruby 3.1.2 with net-http 0.2.0, Debian 12's.
#
# Behavior: a program reads an answer piece by piece, with a block given to
# "read_body". The connection breaks in the middle.  Net::HTTP closes it,
# connects again, sends the same request, and calls the same block with the new
# answer from its start.  Nothing is raised or logged.  Only the second break
# is an error.
#
# Why one would guess wrong: it is known that Net::HTTP repeats what is
# idempotent once, for kept connections that the server has closed.  There it
# helps, since nothing of the answer has come.  But it does so after any number
# of pieces, and GET is idempotent for the server, not for the block.  A stream
# of events comes from its old cursor again: all that was read is read twice.
# A download into a file has its beginning twice.
#
# What to do: set "max_retries = 0", rescue EOFError, and ask again with the
# cursor of what has come.  Drop events whose id is not above the last one.
#
# Here a server has 4 events, one a line, and breaks its first answer behind
# the third.  Seen, as ids that the block got:
#
#     by default:      1 2 3 1 2 3 4, then it returned; requests: 2
#     max_retries = 0: 1 2 3, then EOFError;            requests: 1
#
# It needs apt-get with the packages of Debian 12, and python3.  It ends with 0
# while this is so, and with 1, and a sentence, when it is not any more.

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

# without gems: none is needed

timeout 300 apt-get download -qq ruby3.1=3.1.* libruby3.1=3.1.* libgmp10 \
    libcrypt1 zlib1g libssl3 libyaml-0-2 2> apt.log || {
    cat apt.log
    exit 1
}

for package in *.deb; do
    dpkg -x "$package" .
done


# --- the server: it breaks the first answer of each path, and notes requests

cat > server.py <<'PY'
import http.server
import os
import threading

seen = set()


class Handler(http.server.BaseHTTPRequestHandler):

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with open("requests", "a") as requests:
            requests.write(self.path + "\n")

        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True

        for i in range(1, 5):
            if i == 4 and self.path not in seen:
                seen.add(self.path)
                return

            self.wfile.write(b"3\r\n%d \n\r\n" % i)

        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


threading.Timer(120, os._exit, (1,)).start()

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

with open("port.new", "w") as port:
    port.write(str(server.server_port))

os.rename("port.new", "port")
server.serve_forever()
PY


# --- the client: it prints what its block gets, and how it ends

cat > client.rb <<'RB'
require "net/http"

url = URI(ARGV[0])
got = +""
http = Net::HTTP.new(url.host, url.port)
http.max_retries = ARGV[1].to_i if ARGV[1]

begin
  http.start do
    http.request(Net::HTTP::Get.new(url)) do |answer|
      answer.read_body { |piece| got << piece }
    end
  end

  how = "it returned"
rescue => error
  how = error.class
end

puts "#{got.split.join(" ")}, then #{how}"
RB

python3 server.py &
server=$!

for try in $(seq 100); do
    [ ! -e port ] || break
    sleep 0.1
done

port=$(cat port)
lib=$tmp/usr/lib
arch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)

ruby() {
    LD_LIBRARY_PATH=$lib/$arch:$tmp/lib/$arch \
        RUBYLIB=$lib/ruby/3.1.0:$lib/$arch/ruby/3.1.0 \
        timeout 20 "$tmp/usr/bin/ruby3.1" --disable-gems "$@"
}

# Debian has packages of several numbers with this version in them

version=$(ruby -e 'require "net/http"; puts RUBY_VERSION, Net::HTTP::VERSION' |
    paste -sd " ")

if [ "$version" != "3.1.2 0.2.0" ]; then
    echo "The packages have Ruby and net-http $version."
    exit 1
fi


# --- what it does

ready=yes
changed=0

# check NAME SEEN REQUESTS PATH OPTION...: whether it gets this, by so many
# requests

check() {
    local name=$1 seen=$2 number=$3 path=$4 got requests

    shift 4
    got=$(ruby client.rb "http://127.0.0.1:$port/$path" "$@") || \
        got="$got (it failed)"
    requests=$(grep -c "^/$path$" requests) || requests=0

    echo "net-http 0.2.0, $name: $got; requests: $requests"

    if [ "$got" != "$seen" ] || [ "$requests" != "$number" ]; then
        echo "Changed: $name, it was $seen, with $number requests."
        changed=1
    fi
}

check "by default" "1 2 3 1 2 3 4, then it returned" 2 default
check "max_retries = 0" "1 2 3, then EOFError" 1 none 0

exit $changed
