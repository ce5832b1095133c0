#!/usr/bin/env python3

"""Prints the events of a channel, or of some, each once, whatever becomes of connections:

    subscribe.py URL [CURSOR [COUNT]]

It begins after the event CURSOR (0), and ends after COUNT events (never).
"""

import http.client
import itertools
import json
import sys
import time
import urllib.error
import urllib.request


def messages(url, cursor):
    """Yields (kind, object); comes back after the last one when cut off."""

    while True:
        request = urllib.request.Request(url, headers={
            "Accept": "text/event-stream",
            "Last-Event-ID": str(cursor),
        })

        try:
            # longer than from one ping of the bus to the next
            with urllib.request.urlopen(request, timeout=60) as stream:
                seen, kind, data = cursor, "message", None

                for line in stream:
                    field, _, value = line.decode().strip("\n").partition(": ")

                    if field == "id":
                        seen = value

                    elif field == "event":
                        kind = value

                    elif field == "data":
                        data = value

                    elif line == b"\n":
                        # it is whole: now its id counts
                        cursor = seen

                        if data:
                            yield kind, json.loads(data)

                        kind, data = "message", None

        except urllib.error.HTTPError as e:
            if e.code < 500:
                sys.exit("%s: %s" % (url, e.read().decode()))

        except (OSError, http.client.HTTPException) as e:
            print(e, file=sys.stderr)

        time.sleep(1)


def events(url, cursor):
    for kind, event in messages(url, cursor):
        if kind == "message":
            yield event

        elif kind != "msgbus.ping":
            # msgbus.gap: some have gone before they were read
            print(kind, event, file=sys.stderr)


def main(url, cursor=0, count=None):
    for event in itertools.islice(events(url, cursor), count and int(count)):
        # where several are asked for, each event says of which it is
        channel = [event["channel"]] if "channel" in event else []

        print(event["id"], *channel, json.dumps(event["data"]), flush=True)


main(*sys.argv[1:])
