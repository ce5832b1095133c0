# Copyright (C) the msgbus authors

"""What is asked of the systems: four kinds of work, each with its check.

Every bus begins with the events of ports/common/rse_seed.py, 1 to 508: seven
in /bench/page, 500 in /bench/behind, one in /bench/quiet.
"""

import json

import cells
import rig

# in the order in which they are measured: posts make the store grow; "GET by
# anyone" is the GET for httperf, which cannot have a uuid

WORK = ("GET", "GET-204", "catch-up", "POST")

TITLES = {
    "GET": "GET of 7 events, 1 KiB",
    "GET-204": "GET, nothing new",
    "catch-up": "GET of 500 events",
    "POST": "POST of 300 bytes",
}

STORED = b'{"light":"on"}'
CHANNELS = ["/bench/page"] * 7 + ["/bench/behind"] * 500 + ["/bench/quiet"]


def events(first, last):
    """A check: the answer has exactly these events."""

    def check(answer):
        assert answer.status == 200
        found = json.loads(answer.body)["events"]
        cells.equal([e["id"] for e in found], list(range(first, last + 1)))
        assert all(e["data"] == {"light": "on"} for e in found)

    return check


def created(answer):
    assert answer.status == 201 and answer.body == b""


def rse(_):
    """The requests of whatever has RSE's interface."""

    return {
        "GET": cells.get("/bench/page?last-known-id=0", events(1, 7)),
        "GET by anyone": cells.get("/bench/page?last-known-id=0&echo=true",
                                   events(1, 7)),
        "GET-204": cells.get("/bench/quiet?last-known-id=508", cells.nothing),
        "catch-up": cells.get(
            "/bench/behind?last-known-id=7&max-events=500", events(8, 507)),
        "POST": rig.Request("POST", "/bench/post",
                            {"User-Agent": cells.WRITER}, cells.POSTED,
                            created),
    }


def fill(server):
    """Post the events to a bus that has no database to find them in."""

    def requests():
        for channel in CHANNELS:
            yield rig.Request("POST", channel, {"User-Agent": cells.WRITER},
                              STORED, created)

    with rig.Client(server.port) as client:
        client.post_all(requests())
