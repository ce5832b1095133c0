# Copyright (C) the msgbus authors

"""The bus of the ports: what is asked, what is stored, what is answered.

Nothing here talks to a client or a database.  It is RSE's interface as far as
the bench needs it: POST /channel, GET /channel with last-known-id, max-events
and echo, and RSE's documents, one event each.
"""

import collections
import datetime
import json
import re

from urllib.parse import parse_qsl

from bson.int64 import Int64

CHANNEL = re.compile("(/[A-Za-z0-9_-]+)+")
UUID = re.compile("uuid/([^ ]+)")

JSON = "application/json; charset=utf-8"

# how often an insert is tried when others were faster

TRIES = 10

Post = collections.namedtuple("Post", "channel data user_agent uuid")
Question = collections.namedtuple("Question", "channel after limit uuid")


class Refused(Exception):

    def __init__(self, status, message):
        Exception.__init__(self, message)
        self.status = status
        self.body = ('{ "message": "%s" }' % message).encode()


def channel_of(path):
    if len(path) > 255 or not CHANNEL.fullmatch(path):
        raise Refused(400, "Invalid channel name")

    return path


def uuid_of(user_agent):
    if not user_agent:
        raise Refused(400, "Missing header: User-Agent")

    found = UUID.search(user_agent)

    if found is None:
        raise Refused(400, "Missing UUID in User-Agent header")

    return found.group(1)


def post(path, user_agent, body):
    channel = channel_of(path)
    uuid = uuid_of(user_agent)

    try:
        data = body.decode()
        value = json.loads(data)
    except ValueError:
        raise Refused(400, "Invalid JSON") from None

    if not isinstance(value, (dict, list)):
        raise Refused(400, "Invalid JSON")

    return Post(channel, data, user_agent, uuid)


def question(path, query, user_agent):
    arguments = dict(parse_qsl(query))

    try:
        after = int(arguments.get("last-known-id", 0))
        limit = min(int(arguments.get("max-events", 200)), 500)
    except ValueError:
        raise Refused(400, "Invalid number") from None

    echo = arguments.get("echo") == "true"

    return Question(channel_of(path), after, max(limit, 1),
                    None if echo else uuid_of(user_agent))


def document(number, p):
    """What is stored of a Post; the id is 64 bits, however small."""

    return {
        "_id": Int64(number),
        "data": p.data,
        "channel": p.channel,
        "user_agent": p.user_agent,
        "uuid": p.uuid,
        "created_at": datetime.datetime.utcnow(),
    }


def wanted(q):
    """The filter that finds what a Question asks for."""

    found = {"channel": q.channel, "_id": {"$gt": Int64(q.after)}}

    if q.uuid is not None:
        found["uuid"] = {"$ne": q.uuid}

    return found


def page(q, events):
    """The answer: status and body."""

    if not events:
        return 204, b""

    now = datetime.datetime.utcnow()

    return 200, ('{"channel":"%s","events":[%s]}' % (q.channel, ",".join([
        '{"id":%d,"user_agent":%s,"created_at":"%sZ","age":%d,"data":%s}' % (
            e["_id"], json.dumps(e["user_agent"]),
            e["created_at"].isoformat(" ", "seconds"),
            max((now - e["created_at"]).total_seconds(), 0), e["data"])
        for e in events]))).encode()
