#!/usr/bin/env python3

"""Posts the lines of its input, each once, whatever becomes of connections:

    publish.py URL NAME < EVENTS

NAME and the number of a line are the key of its event: who runs it again, with
the same input, is told the same ids, and nothing is stored twice.
"""

import http.client
import json
import sys
import time
import urllib.error
import urllib.request


def seconds(text, default):
    """Of Retry-After, where it is a number and not a date."""

    return int(text) if text and text.isdecimal() else default


def publish(url, key, event):
    """Returns the event's id, and whether it was there already."""

    quoted = key.replace("\\", "\\\\").replace('"', '\\"')

    while True:
        pause = 1

        request = urllib.request.Request(url, data=event, headers={
            "Content-Type": "application/json",
            "Idempotency-Key": '"%s"' % quoted,
            # an answer with a body, which shows whether all of it has come
            "Prefer": "return=representation",
        })

        try:
            # longer than a bus waits for its store
            with urllib.request.urlopen(request, timeout=30) as answer:
                event_stored = answer.read()
                again = "Idempotency-Replayed" in answer.headers

                # what has left memory is not shown again: then it is
                # Msgbus-Stored that comes last, behind the id
                if again and answer.headers["Content-Length"] == "0" \
                        and answer.headers["Msgbus-Stored"] == "all":
                    return answer.headers["Msgbus-Id"], again

                return json.loads(event_stored)["id"], again

        except urllib.error.HTTPError as e:
            # 409: the one before this is still on its way; 429: too often
            if e.code < 500 and e.code not in (409, 429):
                sys.exit("%s: %s" % (url, e.read().decode()))

            pause = seconds(e.headers.get("Retry-After"), pause)
            print(e, file=sys.stderr)

        except (OSError, ValueError, http.client.HTTPException) as e:
            # it may be stored or not: the key will tell
            print(e, file=sys.stderr)

        time.sleep(pause)


if __name__ == "__main__":
    url, name = sys.argv[1:]

    for number, line in enumerate(sys.stdin.buffer, 1):
        id, again = publish(url, "%s/%d" % (name, number), line.rstrip(b"\n"))

        print(id, "again" if again else "new", flush=True)
