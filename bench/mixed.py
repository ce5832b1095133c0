# Copyright (C) the msgbus authors

"""The load of the original in production: many clients that poll, some post.

    mixed.py PORT RATE SECONDS

16 boxes of it served 500,000 requests a minute to 70,000 clients.  Each client
here is a cursor and a channel of 700; it polls in its turn, one request in ten
is a POST.  Requests leave at their time, whether or not others are answered,
on as many keep-alive connections as are needed; the time of an answer counts
from when its request should have left.  Prints one line of JSON.
"""

import json
import re
import selectors
import socket
import sys
import time

CLIENTS = 70000
CHANNELS = 700
CONNECTIONS = 500
POSTS = 10          # one request in so many

POSTER = "bench/1.0 uuid/6ba7b810-9dad-11d1-80b4-00c04fd430c8"
READER = "bench/1.0 uuid/6ba7b811-9dad-11d1-80b4-00c04fd430c8"

LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n", re.I)
LAST = re.compile(rb'\{"id":(\d+),')


class Connection:
    """One request at a time."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.data = b""


class Load:

    def __init__(self, port, rate, seconds, body, cursor):
        self.port = port
        self.rate = rate
        self.count = int(rate * seconds)
        self.cursors = [cursor] * CLIENTS
        self.selector = selectors.EpollSelector()
        self.free = [self.connect() for _ in range(CONNECTIONS // 5)]
        self.opened = len(self.free)
        self.times = {"GET": [], "POST": []}
        self.wrong = 0
        self.polls = 0
        self.events = 0

        self.post = (
            "POST /mixed/%%d HTTP/1.1\r\nHost: bench\r\nUser-Agent: %s\r\n"
            "Content-Length: %d\r\n\r\n%s" % (POSTER, len(body), body)
        )
        self.get = (
            "GET /mixed/%%d?last-known-id=%%d HTTP/1.1\r\nHost: bench\r\n"
            "User-Agent: %s\r\n\r\n" % READER
        )

    def connect(self):
        c = Connection(self.port)
        self.selector.register(c.sock, selectors.EVENT_READ, c)

        return c

    def run(self):
        began = time.perf_counter() + 0.1
        sent = answered = late = 0

        while answered < self.count:
            now = time.perf_counter()
            due = min(int((now - began) * self.rate), self.count)

            while sent < due and (self.free or self.opened < CONNECTIONS):
                if not self.free:
                    self.free.append(self.connect())
                    self.opened += 1

                self.send(self.free.pop(), sent, began + sent / self.rate)
                sent += 1

            if now > began + self.count / self.rate + 10:
                late = self.count - answered
                break

            wait = 0.01 if sent < due else 0.0005

            for key, _ in self.selector.select(wait):
                answered += self.receive(key.data)

        return {
            "seconds": time.perf_counter() - began,
            "load_us": time.process_time() * 1000000 / max(sent, 1),
            "attempted": self.count,
            "answered": answered - self.wrong,
            "wrong": self.wrong + late,
            "connections": self.opened,
            "events": self.events,
            "GET": percentiles(self.times["GET"]),
            "POST": percentiles(self.times["POST"]),
            "all": percentiles(self.times["GET"] + self.times["POST"]),
        }

    def send(self, c, n, due):
        c.due = due

        if n % POSTS == 0:
            c.method = "POST"
            request = self.post % (n // POSTS % CHANNELS)

        else:
            c.method = "GET"
            # each in its turn, neighbours on other channels
            self.polls += 1
            c.client = self.polls * 7919 % CLIENTS
            request = self.get % (c.client % CHANNELS,
                                  self.cursors[c.client])

        c.sock.send(request.encode())

    def receive(self, c):
        """The number of answers that have come: 0 or 1."""

        try:
            more = c.sock.recv(1 << 18)
        except BlockingIOError:
            return 0

        if not more:
            sys.exit("the server closed a connection")

        data = c.data + more
        end = data.find(b"\r\n\r\n")

        if end < 0:
            c.data = data
            return 0

        status = data[9:12]
        length = LENGTH.search(data, 0, end + 2)

        if length and len(data) - end - 4 < int(length[1]):
            c.data = data
            return 0

        self.times[c.method].append(time.perf_counter() - c.due)
        c.data = b""

        if c.method == "POST":
            self.wrong += status != b"201"

        elif status == b"200":
            ids = LAST.findall(data, end)
            self.cursors[c.client] = int(ids[-1])
            self.events += len(ids)

        elif status != b"204":
            self.wrong += 1

        self.free.append(c)

        return 1


def percentiles(times):
    times.sort()

    return {name: times[min(int(len(times) * share), len(times) - 1)] * 1000
            for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999),
                                ("max", 1))} if times else {}


def tool():
    port, rate, seconds = sys.argv[1:4]
    body = ('{"text":"%s"}' % ("x" * 289))
    load = Load(int(port), float(rate), float(seconds), body, 508)

    print(json.dumps(load.run()))


if __name__ == "__main__":
    tool()
