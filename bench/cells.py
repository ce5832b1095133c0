# Copyright (C) the msgbus authors

"""What bench/quick and bench/profile measure: the cells and their nginx.

A cell is one kind of request, asked of the bus and of its ceiling, which is
what plain nginx needs for an answer of the same size.  The URIs of the two are
of the same length, their headers are the same, and the locations are named so
that none of them is costlier to find.
"""

import json
import os

import rig

WRITER = "bench/1.0 uuid/6ba7b810-9dad-11d1-80b4-00c04fd430c8"
READER = "bench/1.0 uuid/6ba7b811-9dad-11d1-80b4-00c04fd430c8"

# name, most that the bus may cost as a multiple of its ceiling

CELLS = (("POST", 1.15), ("GET", 1.15), ("GET-204", 1.10))

# Two zones, so that the flood of POSTs does not evict what is read.  The ring
# of the first is full after the warm-up: a measured POST also evicts.  Under
# callgrind the warm-up is shorter, and so is the ring.

ZONES = """
    msgbus_zone zone=post:%s ttl=1h;
    msgbus_zone zone=read:64m ttl=1h;
"""

BUS = """
        location /post/ { msgbus post; }
        location /read/ { msgbus read; }
        location /idle/ { msgbus read; }
"""

CEILING = """
        location /%s/ { ceiling_post; }
        location /%s/ { return 200 "%s"; }
        location /%s/ { return 204; }
"""


def event(size):
    """A JSON object of so many bytes, with a bit of everything in it."""

    head = ('{"type":"order.changed","seq":12345,"ok":true,"price":19.99,'
            '"tags":["new","paid"],"who":{"id":77,"name":"Someone"},"text":"')
    text = "the quick brown fox jumps over the lazy dog, "
    room = size - len(head) - len('"}')

    return (head + (text * (room // len(text) + 1))[:room] + '"}').encode()


POSTED = event(300)
STORED = event(1024)


def post(path, body, bus):
    def check(a):
        assert a.status == 201 and a.body == b""
        assert not bus or int(a.headers["msgbus-id"]) > 0

    return rig.Request("POST", path, {"User-Agent": WRITER}, body, check)


def get(path, check):
    return rig.Request("GET", path, {"User-Agent": READER}, b"", check)


def bus_event(answer):
    assert answer.status == 200
    found = json.loads(answer.body)
    assert found["channel"] == "/bench/event" and len(found["events"]) == 1
    assert found["events"][0]["data"] == json.loads(STORED)
    assert STORED in answer.body


def bus_nothing(answer):
    assert answer.status == 204 and answer.body == b""
    assert int(answer.headers["msgbus-last-id"]) > 0


def nothing(answer):
    assert answer.status == 204 and answer.body == b""


def requests(nginx, null):
    """
    Store what will be read; name -> (request to the ceiling, to the bus).
    With "null" there is no bus, its cells are ceilings too.
    """

    def stored(channel):
        answer = nginx.ask(post("/read" + channel, STORED, True))

        if answer.status != 201:
            raise rig.Failure("POST: %d %r" % (answer.status, answer.body))

        return answer.headers["msgbus-id"]

    if null:
        old = new = "1234567890123456"

    else:
        old = stored("/bench/event")    # the cursor of the reader ...
        stored("/bench/event")          # ... this is what it gets
        new = stored("/bench/quiet")

    page = "/%s/bench/event?last-known-id=" + old
    idle = "/%s/bench/quiet?last-known-id=" + new
    length = len(nginx.ask(get(page % "read", None)).body)

    def same_length(answer):
        assert answer.status == 200
        equal(len(answer.body), length)

    return {
        "POST": (post("/body/bench/topic", POSTED, False),
                 post("/post/bench/topic", POSTED, not null)),
        "GET": (get(page % "page", same_length),
                get(page % "read", same_length if null else bus_event)),
        "GET-204": (get(idle % "none", nothing),
                    get(idle % "idle", nothing if null else bus_nothing)),
    }


def equal(a, b):
    assert a == b, "%r is not %r" % (a, b)


def nginx(null, callgrind=False, module=rig.MODULE):
    """
    The nginx of all cells, with this build of the module; the ceiling's page
    is as long as the bus's.
    """

    length = 1200

    if not null:
        with bus_nginx(1, False, module) as probe:
            bus = requests(probe, False)["GET"][1]
            length = len(probe.ask(bus).body)

        return bus_nginx(length, callgrind, module)

    server = ceiling(length) + CEILING % ("post", "read", "x" * length, "idle")

    return rig.Nginx("", server, [rig.ceiling_module()], callgrind)


def bus_nginx(length, callgrind, module):
    if not os.path.exists(module):
        raise rig.Failure("%s is not there, run make" % module)

    return rig.Nginx(ZONES % ("1m" if callgrind else "64m"),
                     ceiling(length) + BUS,
                     [module, rig.ceiling_module()], callgrind)


def ceiling(length):
    return CEILING % ("body", "page", "x" * length, "none")
