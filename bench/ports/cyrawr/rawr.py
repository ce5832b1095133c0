# Copyright (C) the msgbus authors

"""The raw HTTP layer: bytes of a connection to requests, answers to bytes.

Made to be compiled by Cython; it knows as much of HTTP/1.1 as clients of a bus
use: request line, headers, Content-Length, keep-alive.
"""

import http.client

HEADS = {n: ("HTTP/1.1 %d %s\r\n" % (n, http.client.responses[n])).encode()
         for n in (200, 201, 204, 400, 405, 503)}

MOST = 1 << 20


def serve(sock, handler):
    """Answer the requests of one connection until it ends."""

    data = b""

    while True:
        end = data.find(b"\r\n\r\n")

        while end < 0:
            more = sock.recv(65536)

            if not more or len(data) > MOST:
                return

            data += more
            end = data.find(b"\r\n\r\n")

        lines = data[:end].decode("latin-1").split("\r\n")
        data = data[end + 4:]

        first = lines[0].split(" ")

        if len(first) != 3:
            sock.sendall(answer(400, b"", False))
            return

        headers = {}

        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()

        method, target, version = first
        connection = headers.get("connection", "").lower()
        keep = (connection != "close" if version == "HTTP/1.1"
                else connection == "keep-alive")
        length = headers.get("content-length", "0")

        if not length.isdigit() or int(length) > MOST:
            sock.sendall(answer(400, b"", False))
            return

        size = int(length)

        while len(data) < size:
            more = sock.recv(65536)

            if not more:
                return

            data += more

        body = data[:size]
        data = data[size:]

        path, _, query = target.partition("?")

        status, content = handler.handle(
            method, path, query, headers.get("user-agent", ""), body)

        sock.sendall(answer(status, content, keep))

        if not keep:
            return


def answer(status, body, keep):
    head = HEADS[status]

    if not keep:
        head += b"Connection: close\r\n"

    if body:
        head += b"Content-Type: application/json; charset=utf-8\r\n"

    if status != 204:
        head += b"Content-Length: %d\r\n" % len(body)

    return head + b"\r\n" + body
