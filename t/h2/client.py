#!/usr/bin/env python3
# Copyright (C) the msgbus authors

"""
An HTTP/2 client that leaves where no ordinary one does.

    t/h2/client.py PORT SCENARIO

A scenario goes through many places to leave at, and prints a line for each:
where that was, and what the server answered afterwards.  t/071-http2-resets.t
knows what is to be there.  python3-h2 makes the frames and minds the rules.
"""

import socket
import struct
import sys

import h2.config
import h2.connection
import h2.errors
import h2.events

TIMEOUT = 30
SMALL = b'{"n":1,"text":"nothing of this is stored"}'
LARGE = b'["' + b"x" * 300000 + b'"]'
ENDED = (h2.events.StreamEnded, h2.events.StreamReset)


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.answers = {}
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def receive(self, consume=True):
        """Take what has come; with consume=False no window is opened again."""

        data = self.sock.recv(65536)

        if not data:
            raise EOFError("nginx has closed the connection")

        for event in self.h2.receive_data(data):

            if isinstance(event, h2.events.ConnectionTerminated):
                raise EOFError("GOAWAY %s" % event.error_code)

            answer = self.answers.get(getattr(event, "stream_id", None))

            if answer is None:
                continue

            if isinstance(event, h2.events.ResponseReceived):
                answer["status"] = dict(event.headers)[":status"]

            elif isinstance(event, h2.events.DataReceived):
                answer["body"] += event.data

                if consume:
                    self.h2.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id)

            elif isinstance(event, ENDED):
                answer["ended"] = True
                answer["reset"] |= isinstance(event, h2.events.StreamReset)

        self.flush()

    def begin(self, method, path, length=None, end=True, *more):
        stream = self.h2.get_next_available_stream_id()
        headers = [(":method", method), (":path", path), (":scheme", "http"),
                   (":authority", "bus"), ("user-agent", "h2/1.0 uuid/w")]

        headers.extend(more)

        if length is not None:
            headers.append(("content-length", str(length)))

        self.answers[stream] = {"status": "none", "body": b"", "ended": False,
                                "reset": False}
        self.h2.send_headers(stream, headers, end_stream=end)
        self.flush()

        return stream

    def send(self, stream, data, step=16384):
        """
        Frames of at most step bytes, as the windows let them go, until there
        is an answer: what is left then.
        """

        while data and not self.answers[stream]["ended"]:
            room = min(step, self.h2.local_flow_control_window(stream),
                       self.h2.max_outbound_frame_size)

            if room == 0:
                self.receive()
                continue

            self.h2.send_data(stream, data[:room])
            self.flush()
            data = data[room:]

        return data

    def end(self, stream):
        self.h2.end_stream(stream)
        self.flush()

    def reset(self, stream):
        if not self.answers.pop(stream)["ended"]:
            self.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
            self.flush()

    def answer(self, stream):
        while not self.answers[stream]["ended"]:
            self.receive()

        return self.answers.pop(stream)

    def get(self, path):
        return self.answer(self.begin("GET", path))

    def post(self, path, body):
        stream = self.begin("POST", path, len(body), False)
        self.send(stream, body)
        self.end(stream)

        return self.answer(stream)

    def leave(self, how):
        """goaway, close, or a TCP reset"""

        if how == "goaway":
            self.h2.close_connection()
            self.flush()

        elif how == "tcp":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))

        self.sock.close()


def show(where, answer):
    print(where, answer["status"])


def small(port):
    """Reset after each byte of a body, then a read by the same connection."""

    client = Client(port)

    for length in len(SMALL), None:
        for n in range(len(SMALL) + 1):
            stream = client.begin("POST", "/cut", length, False)
            client.send(stream, SMALL[:n], 1 if n % 2 else 16384)
            client.reset(stream)
            show("%s %d" % (length, n), client.get("/cut?echo=true"))

    show("post", client.post("/kept", SMALL))
    client.leave("goaway")


def large(port):
    """The same where the body goes through a file."""

    client = Client(port)

    for n in 1, 1000, 16384, 16385, 65535, 65536, 100000, len(LARGE):
        stream = client.begin("POST", "/file/cut", len(LARGE), False)
        client.send(stream, LARGE[:n])
        client.reset(stream)
        show(n, client.get("/file/cut?echo=true"))

    show("post", client.post("/file/large", LARGE))
    client.leave("goaway")


def many(port):
    """Many bodies at a time, of which each second is reset."""

    client = Client(port)

    for n in range(20):
        streams = [client.begin("POST", "/many" if i % 2 else "/cut", None,
                                False) for i in range(40)]

        for stream in streams:
            client.send(stream, SMALL[:n * 2])

        for i, stream in enumerate(streams):
            if i % 2 == 0:
                client.reset(stream)

        for i, stream in enumerate(streams):
            if i % 2:
                client.send(stream, SMALL[n * 2:])
                client.end(stream)

        answers = [client.answer(stream)["status"]
                   for i, stream in enumerate(streams) if i % 2]
        print(n, *sorted(set(answers)))

    client.leave("goaway")


def late(port):
    """Reset right after the end of a body: stored or not, as a whole."""

    client = Client(port)

    for n in range(100):
        stream = client.begin("POST", "/late", None, False)
        client.send(stream, SMALL)
        client.end(stream)
        client.reset(stream)

    show("read", client.get("/quiet"))
    client.leave("goaway")


def bytewise(port):
    """
    The bytes of a connection with a POST, of which the first n are sent before
    the client is gone.  With all of them the event is stored: waits for that.
    """

    probe = h2.connection.H2Connection()
    probe.initiate_connection()
    probe.send_headers(1, [(":method", "POST"), (":path", "/bytes"),
                           (":scheme", "http"), (":authority", "bus"),
                           ("user-agent", "h2/1.0 uuid/w")])
    probe.send_data(1, SMALL, end_stream=True)
    data = probe.data_to_send()

    for how in "close", "tcp":
        for n in range(len(data)):
            client = Client.__new__(Client)
            client.sock = socket.create_connection(("127.0.0.1", port))
            client.sock.sendall(data[:n])
            client.leave(how)

        client = Client(port)
        show(how, client.get("/bytes?echo=true"))
        client.leave("goaway")


def leave(port):
    """A connection that ends with bodies and answers of it under way."""

    for how in "goaway", "close", "tcp":
        for n in 0, 1, len(SMALL) // 2, len(SMALL):
            client = Client(port)

            for length in len(SMALL), None:
                stream = client.begin("POST", "/cut", length, False)
                client.send(stream, SMALL[:n])

            stream = client.begin("POST", "/file/cut", len(LARGE), False)
            client.send(stream, LARGE[:60000])

            client.begin("GET", "/page?echo=true")
            client.begin("GET", "/quiet?wait=30")
            client.leave(how)

            client = Client(port)
            show("%s %d" % (how, n), client.get("/cut?echo=true"))
            client.leave("goaway")


def page(port):
    """Reset in the middle of an answer that the window holds back."""

    client = Client(port)

    for n in range(5):
        show("post", client.post("/page", LARGE[:100000] + b'"]'))

    whole = len(client.get("/page?echo=true")["body"])
    client.leave("goaway")

    for n in 0, 1, 1000, 16384, 30000, 50000, 60000:
        client = Client(port)
        stream = client.begin("GET", "/page?echo=true")
        answer = client.answers[stream]

        while len(answer["body"]) < n:
            client.receive(False)

        got = len(answer["body"])
        assert got < whole
        client.reset(stream)

        if got:
            # that much of the connection's window is still taken
            client.h2.increment_flow_control_window(got)
            client.flush()

        again = client.get("/page?echo=true")
        print(n, again["status"],
              "whole" if len(again["body"]) == whole else len(again["body"]))
        client.leave("goaway")


def waits(port):
    """Readers who wait are reset: each makes room for the next."""

    client = Client(port)

    for n in range(20):
        stream = client.begin("GET", "/few/quiet?wait=30")
        show("full", client.get("/few/quiet?wait=30"))
        client.reset(stream)
        show("room", client.get("/few/quiet?wait=0"))

    stream = client.begin("GET", "/few/quiet?wait=30")
    show("post", client.post("/few/quiet", SMALL.replace(b"1", b"2")))
    client.reset(stream)
    client.leave("goaway")


def refused(port):
    """What cannot be stored, of many sizes: is all of it taken first?"""

    client = Client(port)

    for path in "/bad.name", "/health", "/off/c", "/small/c":
        for length in 1000, 65535, 65536, 200000, 1000000:
            for known in True, False:
                body = b'["' + b"x" * (length - 4) + b'"]'
                stream = client.begin("POST", path,
                                      length if known else None, False)
                left = client.send(stream, body)

                if not left:
                    client.end(stream)

                answer = client.answer(stream)
                print(path, answer["status"], answer["body"].decode(),
                      "early" if left else "reset" if answer["reset"]
                      else "whole")

    show("then", client.post("/c", SMALL))
    client.leave("goaway")


def excess(port):
    """More than the bus ever takes, or 100-continue: the answer comes first."""

    client = Client(port)

    for length in 1100000, 3000000:
        stream = client.begin("POST", "/bad.name", length, False)
        left = client.send(stream, b"x" * length)
        print(length, client.answer(stream)["status"], len(left) > 0)

    client.leave("goaway")
    client = Client(port)
    stream = client.begin("POST", "/bad.name", 500000, False,
                          ("expect", "100-continue"))
    print("expect", client.answer(stream)["status"], True)
    client.leave("goaway")


def paged(port):
    """An error_page of a proxied server, when the body has been thrown away."""

    client = Client(port)

    for known in True, False:
        stream = client.begin("POST", "/paged/bad.name",
                              1000 if known else None, False)
        client.send(stream, b"x" * 1000)

        if not known:
            client.end(stream)

        answer = client.answer(stream)
        print(answer["status"], answer["body"].decode())

    client.leave("goaway")


def slow(port):
    """Bodies that do not go on, or whose clients leave."""

    client = Client(port)
    streams = [client.begin("POST", "/bad.name", 500000, False)
               for n in range(4)]

    for stream in streams:
        client.send(stream, b"x" * 5000)

    client.reset(streams[0])

    for stream in streams[1:]:
        show("late", client.answer(stream))

    client = Client(port)
    client.send(client.begin("POST", "/bad.name", 500000, False), b"x" * 5000)
    client.leave("tcp")


SCENARIOS = {f.__name__: f for f in (small, large, many, late, bytewise,
                                     leave, page, waits, refused, excess, paged,
                                     slow)}

SCENARIOS[sys.argv[2]](int(sys.argv[1]))
