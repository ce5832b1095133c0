#!/usr/bin/env python3

"""Prints the events of a channel, or of several, each once:

    subscribe.py URL [CURSOR [COUNT]]

CURSOR is the id of an event, after which it begins (0), or a file that keeps
the id: started again, it goes on from there.  It ends after COUNT events
(never).  It comes back by itself when the connection breaks or is silent.
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request

# seconds: longer than from one heartbeat of the bus to the next
SILENCE = 60


def messages(url, cursor):
    """Yields (type, object, id); reconnects after the last one."""

    while True:
        request = urllib.request.Request(url, headers={
            "Accept": "text/event-stream",
            "Last-Event-ID": cursor,
        })

        try:
            with urllib.request.urlopen(request, timeout=SILENCE) as stream:
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
                        # the event is whole: now its id counts
                        cursor = seen

                        if data:
                            yield kind, json.loads(data), cursor

                        kind, data = "message", None

        except urllib.error.HTTPError as e:
            # another 4xx would be the same the next time
            if e.code < 500 and e.code not in (408, 429):
                sys.exit("%s: %s" % (url, e.read().decode()))

            print(e, file=sys.stderr)

        except (OSError, http.client.HTTPException) as e:
            print(e, file=sys.stderr)

        # not all of a crowd at once
        time.sleep(1 + random.random())


class Cursor:
    """The id of the last event that was handled, in a file where one is named."""

    def __init__(self, name):
        self.file = None if name.isdigit() else name
        self.id = name

        if self.file:
            self.id = "0"

            if os.path.exists(self.file):
                with open(self.file) as file:
                    self.id = file.read().strip()

    def keep(self, id):
        if self.file and id != self.id:
            # whole, or not at all
            with open(self.file + ".new", "w") as file:
                file.write(id + "\n")

            os.replace(self.file + ".new", self.file)

        self.id = id


def main(url, cursor="0", count=None):
    cursor = Cursor(cursor)
    left = int(count or -1)

    for kind, event, id in messages(url, cursor.id):

        if kind == "message":
            # of several channels, each event names its own
            channel = [event["channel"]] if "channel" in event else []

            print(event["id"], *channel, json.dumps(event["data"]), flush=True)
            left -= 1

        elif kind == "msgbus.gap":
            # some have expired before they were read: a program that keeps
            # a state loads all of it here, and goes on
            print("gap", event, file=sys.stderr)

        # after the event is handled; a heartbeat (msgbus.ping) has an id, too
        cursor.keep(id)

        if left == 0:
            break


main(*sys.argv[1:])
