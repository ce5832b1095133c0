"""Compares the streams of a running bus with docs/asyncapi.yaml.

Prints a line for each message that is not as described, and at the end how
many there were of each kind.  The bus is at URL/bus/, has the scope "exact all
many", and sends a heartbeat several times a second.
"""

import collections
import http.client
import json
import urllib.parse

import jsonschema_rs

from description import Description

seen = collections.Counter()
complaints = []


class Streams(Description):
    def messages(self, channel):
        """Of a channel: {name: (payload's validator, that of headers)}."""

        none = {"type": "object", "maxProperties": 0}

        return {
            message["name"]: (
                jsonschema_rs.validator_for(message["payload"]),
                jsonschema_rs.validator_for(message.get("headers", none)))
            for message in self.top["channels"][channel]["messages"].values()
        }


class Bus:
    def __init__(self, url):
        self.host = urllib.parse.urlsplit(url).netloc

    def post(self, channel, data):
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request("POST", "/bus" + channel, data.encode(),
                           {"User-Agent": "contract/1.0 \"\\ é".encode("latin-1")})

        if connection.getresponse().status != 201:
            raise SystemExit("not posted: " + data)

    def stream(self, path, accept, **headers):
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request("GET", path, headers={"Accept": accept, **headers})
        response = connection.getresponse()
        found = response.getheader("Content-Type")

        if response.status != 200 or found != accept + "; charset=utf-8":
            raise SystemExit("%s: %s, %s" % (path, response.status, found))

        return response


def sse(response):
    """(name, headers, payload) of each message, by the field's own rules."""

    fields = {}

    for line in response:
        text = line.decode().rstrip("\n")

        if text:
            name, _, value = text.partition(": ")

            if name in fields or name not in ("event", "data", "id", "retry"):
                complaints.append("sse: a line %r after %r" % (text, fields))

            fields[name] = value
            continue

        payload = json.loads(fields.pop("data"))

        yield fields.get("event", "message"), fields, payload
        fields = {}


def ndjson(response):
    for line in response:
        payload = json.loads(line)
        names = [name for name in ("ping", "gap") if name in payload]

        yield names[0] if names else "event", {}, payload


def check(channel, messages, known, ends):
    """Until all kinds of "ends" have come, and a heartbeat behind them."""

    missing = set(ends)

    for name, headers, payload in messages:
        seen[channel + " " + name] += 1

        if name not in known:
            complaints.append("%s: an unknown message: %s" % (channel, name))
            continue

        for validator, value in zip(known[name], (payload, headers)):
            for error in validator.iter_errors(value):
                complaints.append("%s: %s: %s: %s" % (
                    channel, name, json.dumps(value), error.message))

        if not missing and name in ("ping", "msgbus.ping"):
            return

        missing.discard(name)


def main(path, url):
    description = Streams(path)
    bus = Bus(url)

    for data in ('{"a": 1}', "[]", '{"\u2028": "\u0085 \\"quoted\\""}', '{\n}'):
        bus.post("/contract", data)

    bus.post("/contract/below", "{}")

    for channel, parse, accept, event, gap in (
            ("sse", sse, "text/event-stream", "message", "msgbus.gap"),
            ("ndjson", ndjson, "application/x-ndjson", "event", "gap")):

        known = description.messages(channel)
        address = description.top["channels"][channel]["address"]
        address = address.replace("{channel}", "contract")

        # each way to send a cursor; one that the bus has not given is a gap
        # in time

        for query, headers, ends in (
                ("?last-known-id=0", {}, [event]),
                ("?last-event-id=0&last-known-id=latest", {}, [event]),
                ("?last-event-id=latest", {"Last-Event-ID": "0"}, [event]),
                ("?last-known-id=9007199254740000", {}, [gap, event]),
                ("?events=all&last-known-id=0", {}, [event]),
                ("?last-known-id=latest&echo=true", {}, [])):

            check(channel,
                  parse(bus.stream(address + query, accept, **headers)),
                  known, ends)

        check(channel,
              parse(bus.stream("/bus/?channels=/contract/*&last-known-id=0",
                               accept)),
              known, [event])

    for complaint in complaints:
        print(complaint)

    for name, count in sorted(seen.items()):
        print("seen:", name, count)
