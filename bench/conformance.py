# Copyright (C) the msgbus authors

"""What a bus must do before it is measured.

    conformance.py PORT         of a bus on 127.0.0.1 that somebody else runs

It holds what the bench asks for, not all of RSE: who may post, which JSON is
one, the cursor, the order, one's own events, many who post at once.
"""

import json
import sys
import threading

import rig

ALICE = "alice/1.0 uuid/6ba7b812-9dad-11d1-80b4-00c04fd430c8"
BOB = "bob/1.0 uuid/6ba7b813-9dad-11d1-80b4-00c04fd430c8"

# enough to meet each other in the database, and all get in with ten tries

POSTERS = 4
POSTS = 5


def ask(server, method, path, agent=ALICE, body=b"", status=200):
    headers = {"User-Agent": agent} if agent else {}

    # a connection each: not every server keeps one
    answer = server.ask(rig.Request(method, path, headers, body, None))

    if answer.status != status:
        raise AssertionError("%s %s %r: %d, not %d, %r" % (
            method, path, body[:40], answer.status, status,
            answer.body[:200]))

    return answer


def read(server, path):
    """The events of a page, each looked at."""

    answer = ask(server, "GET", path, BOB)
    page = json.loads(answer.body)

    assert list(page) == ["channel", "events"], list(page)
    assert page["channel"] == path.partition("?")[0], page["channel"]
    assert answer.headers["content-type"] == \
        "application/json; charset=utf-8", answer.headers

    for e in page["events"]:
        assert list(e) == ["id", "user_agent", "created_at", "age",
                           "data"], list(e)
        assert isinstance(e["id"], int) and isinstance(e["age"], int)

    return page["events"]


def who_may_post(server):
    ask(server, "POST", "/check/who", None, b"{}", 400)
    ask(server, "POST", "/check/who", "nobody/1.0", b"{}", 400)
    ask(server, "GET", "/check/who", "nobody/1.0", b"", 400)
    ask(server, "GET", "/check/who", BOB, b"", 204)


def what_may_be_posted(server):
    for bad in (b"{", b"[1,]", b"\xff", b"{'a':1}", b'"text"', b"{}{}"):
        ask(server, "POST", "/check/what", ALICE, bad, 400)

    ask(server, "POST", "/check/wh%20t", ALICE, b"{}", 400)
    ask(server, "GET", "/check/what", BOB, b"", 204)
    ask(server, "GET", "/check/what?last-known-id=x", BOB, b"", 400)


def one_event(server):
    body = b'{"text":"\xc3\xa4 \\n \\u20ac","n":[1,2.50,null]}'

    answer = ask(server, "POST", "/check/one", ALICE, body, 201)
    assert answer.body == b"", answer.body

    event, = read(server, "/check/one?last-known-id=0")
    assert event["user_agent"] == ALICE, event
    assert event["data"] == json.loads(body), event
    assert event["age"] <= 60, event

    raw = ask(server, "GET", "/check/one", BOB).body
    assert b'"data":' + body + b"}" in raw, "not as posted: %r" % raw

    ask(server, "GET", "/check/one?last-known-id=%d" % event["id"], BOB, b"",
        204)
    ask(server, "GET", "/check/one", ALICE, b"", 204)       # her own
    ask(server, "GET", "/check/one?echo=true", ALICE)
    ask(server, "GET", "/check", BOB, b"", 204)             # another channel


def the_cursor(server):
    for n in range(5):
        ask(server, "POST", "/check/cursor", ALICE, b'{"n":%d}' % n, 201)

    path = "/check/cursor?last-known-id=%d&max-events=%d"
    found = read(server, path % (0, 2))
    cursor = found[-1]["id"]
    found += read(server, path % (cursor, 200))

    assert [e["data"]["n"] for e in found] == list(range(5)), found
    assert len(read(server, path % (0, 2))) == 2

    ids = [e["id"] for e in found]
    assert ids == sorted(set(ids)), ids


def many_at_once(server):
    failed = []

    def poster(n):
        try:
            for k in range(POSTS):
                ask(server, "POST", "/check/many", ALICE,
                    b'{"n":%d}' % (n * POSTS + k), 201)
        except Exception as e:
            failed.append(e)

    threads = [threading.Thread(target=poster, args=(n,))
               for n in range(POSTERS)]

    for t in threads:
        t.start()
    for t in threads:
        t.join()

    if failed:
        raise failed[0]

    found = read(server, "/check/many")
    posted = [e["data"]["n"] for e in found]
    ids = [e["id"] for e in found]

    assert sorted(posted) == list(range(POSTERS * POSTS)), posted
    assert ids == sorted(set(ids)), ids


CHECKS = (who_may_post, what_may_be_posted, one_event, the_cursor,
          many_at_once)


def check(server, database=None):
    """Raise Failure at the first promise that is not kept."""

    for promise in CHECKS:
        try:
            promise(server)
        except (AssertionError, KeyError, ValueError) as e:
            raise rig.Failure("conformance, %s: %s" % (
                promise.__name__.replace("_", " "), e)) from e

    if database is not None:
        database.seed("check", "/check/cursor")


class Running(rig.Server):

    def __init__(self, port):
        self.port = port


def tool():
    check(Running(int(sys.argv[1])))
    print("%d promises kept" % len(CHECKS))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    rig.main(tool)
