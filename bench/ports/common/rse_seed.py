# Copyright (C) the msgbus authors

"""What every system finds in the database: rse_seed.py [check CHANNEL]

An emptied database with RSE's indexes and the same 508 events; "check" looks
at how a system has stored the events of a channel.
"""

import datetime
import os
import sys

import pymongo

from bson.int64 import Int64

WRITER = "bench/1.0 uuid/6ba7b810-9dad-11d1-80b4-00c04fd430c8"

# those that work.py asks for

EVENTS = ["/bench/page"] * 7 + ["/bench/behind"] * 500 + ["/bench/quiet"]

database = pymongo.MongoClient(
    os.environ["BUS_MONGODB"])[os.environ["BUS_DATABASE"]]


def seed():
    database.events.drop()
    database.counters.drop()

    database.events.create_index(
        [("channel", 1), ("_id", 1), ("uuid", 1)], name="get_events")
    database.events.create_index("created_at", name="ttl",
                                 expireAfterSeconds=3600)

    now = datetime.datetime.utcnow()

    database.events.insert_many([{
        "_id": Int64(n), "data": '{"light":"on"}', "channel": channel,
        "user_agent": WRITER, "uuid": WRITER.partition("uuid/")[2],
        "created_at": now} for n, channel in enumerate(EVENTS, 1)])

    database.counters.update_one({"_id": "last_known_id"},
                                 {"$set": {"c": Int64(len(EVENTS))}},
                                 upsert=True)


def check(channel):
    """RSE's fields and types; ids are the next ones; the counter follows."""

    stored = list(database.events.find({"channel": channel},
                                       sort=[("_id", 1)]))
    assert stored, "nothing is stored"

    for e in stored:
        assert isinstance(e["_id"], Int64), "_id is %s" % type(e["_id"])
        assert isinstance(e["data"], str), "data is no text"
        assert isinstance(e["created_at"], datetime.datetime), "created_at"
        assert e["uuid"] == e["user_agent"].partition("uuid/")[2], "uuid"

    counter = database.counters.find_one({"_id": "last_known_id"})
    newest = database.events.find_one({}, sort=[("_id", -1)])
    assert counter["c"] >= newest["_id"], "the counter is behind"

    ids = [e["_id"] for e in stored]
    assert ids == list(range(ids[0], ids[0] + len(ids))), "ids have holes"


if sys.argv[1:2] == ["check"]:
    check(sys.argv[2])
else:
    seed()
