# Copyright (C) the msgbus authors

"""A plain MongoDB driver for the tests, and a writer and reader as RSE's.

    python3 mongodb.py URI DATABASE

Each line of the input is [what, with], in JSON, and is answered by a line:
{"result": ...} or {"error": "..."}.  `what` is a method of Database below.
"""

import datetime
import json
import sys

import bson
import pymongo
import pymongo.errors

EPOCH = datetime.datetime(1970, 1, 1)
TIME = datetime.timedelta(milliseconds=1)


def plain(value):
    """What JSON can hold; a document with the types of its members."""

    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // TIME

    if isinstance(value, bytes):
        return value.hex()

    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}

    if isinstance(value, list):
        return [plain(v) for v in value]

    return value


class Database:
    def __init__(self, uri, name):
        self.client = pymongo.MongoClient(
            uri, connect=False, serverSelectionTimeoutMS=10000)
        self.database = self.client[name]
        self.events = self.database.events
        self.counters = self.database.counters

    # --- looking

    def count(self, **query):
        return self.events.count_documents(query)

    def find(self, query={}, sort=1, limit=0):
        """Documents as they are; times in ms, bytes in hex."""

        found = self.events.find(query).sort("_id", sort).limit(limit)

        return [plain(event) for event in found]

    def types(self, query={}):
        """The names of BSON's types of the members of the newest event."""

        raw = self.events.with_options(bson.CodecOptions(
            document_class=bson.raw_bson.RawBSONDocument))
        found = list(raw.find(query).sort("_id", -1).limit(1))

        return members(found[0].raw) if found else None

    def counter(self):
        found = self.counters.find_one({"_id": "last_known_id"})

        return plain(found)

    def indexes(self):
        return {name: plain(dict(index, key=[list(k) for k in index["key"]]))
                for name, index in self.events.index_information().items()}

    def server(self):
        return self.client.server_info()["version"]

    # --- changing

    def insert(self, events):
        for event in events:
            if "created_at" in event:
                event["created_at"] = EPOCH + event["created_at"] * TIME

            event["_id"] = bson.Int64(event["_id"])

        return len(self.events.insert_many(events).inserted_ids)

    def set_counter(self, c):
        self.counters.update_one({"_id": "last_known_id"},
                                 {"$set": {"c": bson.Int64(c)}}, upsert=True)

    def empty(self):
        """What a TTL that has removed all of them leaves."""

        return self.events.delete_many({}).deleted_count

    def expire(self, seconds):
        """What the clockwork of a TTL index does."""

        before = (datetime.datetime.utcnow()
                  - datetime.timedelta(seconds=seconds))

        return self.events.delete_many(
            {"created_at": {"$lt": before}}).deleted_count

    def older(self, seconds):
        """As if all events had been posted that much earlier."""

        by = datetime.timedelta(seconds=seconds)

        for event in list(self.events.find({}, {"created_at": 1})):
            self.events.update_one(
                {"_id": event["_id"]},
                {"$set": {"created_at": event["created_at"] - by}})

    def create_index(self, keys, name, **options):
        return self.events.create_index([tuple(k) for k in keys], name=name,
                                        **options)

    def command(self, command):
        return plain(self.database.command(command))

    def explain(self, filter, sort, limit=0):
        """How the server would look for that."""

        command = {"find": "events", "filter": filter, "sort": sort}

        if limit:
            command["limit"] = limit

        return plain(self.database.command({"explain": command,
                                            "verbosity": "executionStats"}))

    def drop(self):
        self.client.drop_database(self.database.name)

    # --- as RSE does

    def rse_insert(self, channel, data, user_agent, uuid):
        """
        Its protocol: the highest id there is, else the counter's, and one
        more; again when somebody was faster; then the counter one up.
        """

        event = {"channel": channel, "data": data, "user_agent": user_agent,
                 "uuid": uuid}
        tries = 0

        while True:
            found = list(self.events.find({}, {"_id": 1})
                         .sort("_id", -1).limit(1))

            if found:
                last = found[0]["_id"]

            else:
                counter = self.counters.find_one({"_id": "last_known_id"})
                last = counter["c"] if counter else 0

            event["_id"] = bson.Int64(last + 1)
            event["created_at"] = datetime.datetime.utcnow()
            tries += 1

            try:
                self.events.insert_one(event)
                break

            except pymongo.errors.DuplicateKeyError:
                continue

        self.counters.update_one({"_id": "last_known_id"},
                                 {"$inc": {"c": bson.Int64(1)}}, upsert=True)

        return [event["_id"], tries]

    def rse_get(self, channel, last_known_id=0, max_events=500, sort=1,
                uuid=None, events="exact"):
        """Its query for the events of a channel."""

        if events == "all":
            channel = {"$regex": "^" + channel}

        elif events == "parent":
            parts = channel.split("/")
            channel = {"$in": ["/".join(parts[:n])
                               for n in range(2, len(parts) + 1)]}

        query = {"_id": {"$gt": bson.Int64(last_known_id)},
                 "channel": channel}

        if uuid is not None:
            query["uuid"] = {"$ne": uuid}

        return [plain(event) for event in self.events.find(
            query, {"uuid": 0}).sort("_id", sort).limit(max_events)]


TYPES = {0x01: "double", 0x02: "string", 0x03: "document", 0x04: "array",
         0x05: "binary", 0x07: "objectid", 0x08: "bool", 0x09: "date",
         0x0A: "null", 0x10: "int32", 0x12: "int64"}

LENGTHS = {0x01: 8, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x12: 8}


def members(raw):
    """The names and types of a document, in order, from its bytes."""

    found, at = [], 4

    while raw[at]:
        kind = raw[at]
        end = raw.index(b"\0", at + 1)
        name = raw[at + 1:end].decode()
        length = int.from_bytes(raw[end + 1:end + 5], "little")
        found.append([name, TYPES.get(kind, hex(kind))])

        at = end + 1 + (LENGTHS[kind] if kind in LENGTHS
                        else length if kind in (0x03, 0x04)
                        else length + 5 if kind == 0x05
                        else length + 4)

    return found


def main():
    database = Database(*sys.argv[1:3])

    for line in sys.stdin:
        what, arguments = json.loads(line)

        try:
            answer = {"result": getattr(database, what)(**arguments)}

        except Exception as e:
            answer = {"error": "%s: %s" % (type(e).__name__, e)}

        print(json.dumps(answer), flush=True)


main()
