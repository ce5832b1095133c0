# Copyright (C) the msgbus authors

"""A MongoDB that does as it is told: for the faults that no real one has at
will.  Documents live in memory, in BSON's order of their ids.

    python3 fake.py PORT

Each line of the input is [what, with], in JSON (types: from_json below), and is
answered by a line: {"result": ...} or {"error": "..."}.  `what` is a method of
Orders below.  It ends with its input.
"""

import bisect
import collections
import itertools
import json
import socket
import struct
import sys
import threading
import time

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013

HELLO = {
    "helloOk": True, "ismaster": True, "isWritablePrimary": True,
    "maxBsonObjectSize": 16777216, "maxMessageSizeBytes": 48000000,
    "maxWriteBatchSize": 100000, "minWireVersion": 0, "maxWireVersion": 17,
    "readOnly": False,
}

# --- BSON, with its types: a plain int is an int32, a float a double

class Tagged:
    """A value of a type that Python does not have."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return type(self) is type(other) and self.value == other.value

    def __lt__(self, other):
        return self.value < other.value


class Long(Tagged):
    """An int64."""


class Date(Tagged):
    """Milliseconds since 1970, of any year."""


class ObjectId(Tagged):
    """12 bytes."""


class Binary(Tagged):
    """Its subtype and its bytes, in one."""


def encode(document):
    body = b"".join(encode_element(name.encode(), value)
                    for name, value in document.items())

    return struct.pack("<i", len(body) + 5) + body + b"\0"


def encode_element(name, value):
    name += b"\0"

    if isinstance(value, bool):
        return b"\x08" + name + (b"\1" if value else b"\0")
    if isinstance(value, int):
        return b"\x10" + name + struct.pack("<i", value)
    if isinstance(value, float):
        return b"\x01" + name + struct.pack("<d", value)
    if isinstance(value, str):
        text = value.encode() + b"\0"
        return b"\x02" + name + struct.pack("<i", len(text)) + text
    if isinstance(value, dict):
        return b"\x03" + name + encode(value)
    if isinstance(value, list):
        return b"\x04" + name + encode({str(i): v
                                        for i, v in enumerate(value)})
    if isinstance(value, Long):
        return b"\x12" + name + struct.pack("<q", value.value)
    if isinstance(value, Date):
        return b"\x09" + name + struct.pack("<q", value.value)
    if isinstance(value, ObjectId):
        return b"\x07" + name + value.value
    if isinstance(value, Binary):
        return (b"\x05" + name + struct.pack("<i", len(value.value) - 1)
                + value.value)
    if value is None:
        return b"\x0a" + name

    raise ValueError("no BSON for %r" % value)


def decode(data, at=0):
    """A document, and where it ends."""

    size, = struct.unpack_from("<i", data, at)
    end = at + size
    at += 4
    document = {}

    while data[at]:
        kind = data[at]
        zero = data.index(b"\0", at)
        name = data[at + 1:zero].decode()

        document[name], at = decode_value(kind, data, zero + 1)

    return document, end


def decode_value(kind, data, at):
    if kind in (0x03, 0x04):
        value, at = decode(data, at)
        return (value if kind == 0x03 else list(value.values())), at

    if kind == 0x02:
        size, = struct.unpack_from("<i", data, at)
        return data[at + 4:at + 3 + size].decode(), at + 4 + size

    if kind == 0x05:
        size, = struct.unpack_from("<i", data, at)
        return Binary(data[at + 4:at + 5 + size]), at + 5 + size

    if kind == 0x07:
        return ObjectId(data[at:at + 12]), at + 12

    if kind == 0x08:
        return bool(data[at]), at + 1

    if kind == 0x0a:
        return None, at

    form, size, made = {0x01: ("<d", 8, float), 0x10: ("<i", 4, int),
                        0x12: ("<q", 8, Long), 0x09: ("<q", 8, Date),
                        0x11: ("<q", 8, Long)}[kind]

    return made(*struct.unpack_from(form, data, at)), at + size


# --- the same as JSON, for orders: {"$long": 7}, {"$date": 0}, {"$id": "hex"}

def from_json(value):
    if isinstance(value, list):
        return [from_json(v) for v in value]

    if not isinstance(value, dict):
        return value

    for tag, made in (("$long", lambda v: Long(int(v))),
                      ("$date", lambda v: Date(int(v))),
                      ("$double", float),
                      ("$id", lambda v: ObjectId(bytes.fromhex(v)))):
        if tag in value:
            return made(value[tag])

    return {name: from_json(v) for name, v in value.items()}


def to_json(value):
    if isinstance(value, list):
        return [to_json(v) for v in value]

    if isinstance(value, dict):
        return {name: to_json(v) for name, v in value.items()}

    if isinstance(value, (ObjectId, Binary)):
        return value.value.hex()

    return value.value if isinstance(value, Tagged) else value


def number(value):
    """What a limit or a length is, whatever its type."""

    return value.value if isinstance(value, Long) else value


# BSON's order of types, as far as these are met
RANKS = [(bool, 40), ((int, float, Long), 10), (str, 20), (dict, 25),
         (ObjectId, 35), (Date, 45)]


def rank(value):
    """What an id is sorted by: its type, then its value."""

    for types, place in RANKS:
        if isinstance(value, types):
            value = value.value if isinstance(value, Tagged) else value

            return (place, str(value) if isinstance(value, dict) else value)

    return (50, str(value))


def holds(document, wanted):
    """Is it what a filter asks for?  A comparison is with the same type."""

    for name, condition in wanted.items():
        if name == "$or":
            if not any(holds(document, branch) for branch in condition):
                return False
            continue

        value = document.get(name)

        if not isinstance(condition, dict):
            if value != condition:
                return False
            continue

        for operator, limit in condition.items():
            if operator in ("$in", "$ne"):
                if (value in limit if operator == "$in" else value != limit):
                    continue
                return False

            if value is None or rank(value)[0] != rank(limit)[0]:
                return False

            one, two = rank(value), rank(limit)

            if not {"$gt": one > two, "$gte": one >= two, "$lt": one < two,
                    "$lte": one <= two, "$eq": one == two}[operator]:
                return False

    return True


class Collection:
    def __init__(self):
        self.keys = []          # sorted, one for each document
        self.documents = []
        self.indexes = []

    def add(self, document):
        at = bisect.bisect_left(self.keys, rank(document["_id"]))

        self.keys.insert(at, rank(document["_id"]))
        self.documents.insert(at, document)

    def has(self, key):
        at = bisect.bisect_left(self.keys, rank(key))

        return at < len(self.keys) and self.keys[at] == rank(key)

    def find(self, wanted, by, order, skip, limit):
        """The documents behind a lower bound of their ids, sorted."""

        bound = wanted.get("_id")
        low = 0

        if isinstance(bound, dict) and "$gt" in bound:
            low = bisect.bisect_right(self.keys, rank(bound["$gt"]))

        rows = range(low, len(self.documents))
        found = (self.documents[i] for i in (reversed(rows) if order < 0
                                             else rows)
                 if holds(self.documents[i], wanted))
        if by != "_id":
            found = sorted(found, key=lambda d: rank(d[by]),
                           reverse=order < 0)

        found = itertools.islice(found, skip, skip + limit if limit else None)

        return list(found)

    def remove(self, wanted):
        kept = [d for d in self.documents if not holds(d, wanted)]
        gone = len(self.documents) - len(kept)

        self.documents = kept
        self.keys = [rank(d["_id"]) for d in kept]

        return gone


class Server:
    def __init__(self):
        self.lock = threading.RLock()
        self.collections = {}
        self.hello = {}
        self.refused = []       # [text in data, code, more of the error]
        self.unreadable = None  # a read from this id on is cut off
        self.away = False       # nothing is answered any more
        self.rate = 0           # bytes a second that it takes; 0: no limit
        self.free = 0.0         # when the path is free for more
        self.mute = False       # an insert is done, and not answered
        self.no_unique = False  # no unique index is made
        self.patternless = ""   # a duplicate's pattern is not told, but for
                                # this in its text, unless it is "mute"
        self.locked = False     # a write waits, as long as it may take
        self.skip_cost = 0.0    # seconds for each document that is skipped
        self.late = 0.0         # seconds from what a find saw to its answer
        self.cursors = {}       # what is left of a find, by the cursor's id
        self.counts = {}        # commands, by name
        self.limits = {}        # the maxTimeMS of those that write
        self.largest = 0        # documents of an insert
        self.finds = collections.deque(maxlen=1000)    # the last ones
        self.wide = 0           # a find over more ids takes too long
        self.expires = 0        # ids up to it leave behind the next find

    def collection(self, database, name):
        return self.collections.setdefault((database, name), Collection())

    # --- commands

    def command(self, c):
        name = next(iter(c))

        self.counts[name] = self.counts.get(name, 0) + 1

        method = getattr(self, "do_" + name.lower(), None)

        if method is None:
            return {"ok": 0.0, "errmsg": "no such command: " + name,
                    "code": 59}

        reply = method(c)
        reply.setdefault("ok", 1.0)

        return reply

    def do_hello(self, c):
        return {**HELLO, "localTime": Date(int(time.time() * 1000)),
                **self.hello}

    do_ismaster = do_hello

    def do_buildinfo(self, c):
        return {"version": "7.0.0"}

    def do_ping(self, c):
        return {}

    do_endsessions = do_ping

    def do_listindexes(self, c):
        made = self.collection(c["$db"], c["listIndexes"]).indexes
        every = [{"v": 2, "key": {"_id": 1}, "name": "_id_"}] + made

        return self.cursor(c, every)

    def do_createindexes(self, c):
        if self.no_unique and any(i.get("unique") for i in c["indexes"]):
            return {"ok": 0.0, "code": 67, "errmsg": "no unique index here"}

        self.collection(c["$db"], c["createIndexes"]).indexes += c["indexes"]

        return {}

    def do_find(self, c):
        wanted = c.get("filter", {})
        bound = wanted.get("_id")

        if (self.unreadable is not None and isinstance(bound, dict)
                and number(bound.get("$gt", -1)) >= self.unreadable):
            raise EOFError

        by, order = next(iter(c.get("sort", {"_id": 1}).items()))
        skip = number(c.get("skip", 0))
        collection = self.collection(c["$db"], c["find"])
        found = collection.find(wanted, by, number(order), skip,
                                number(c.get("limit", 0)))

        self.finds.append({n: v for n, v in c.items() if n in (
            "find", "filter", "sort", "limit", "batchSize", "maxTimeMS",
            "readConcern", "$readPreference")})

        if self.wide and self.width(wanted) > self.wide:
            return {"ok": 0.0, "code": 50, "codeName": "MaxTimeMSExpired",
                    "errmsg": "operation exceeded time limit"}

        time.sleep(min(skip, len(collection.keys)) * self.skip_cost)

        if self.expires:
            collection.remove({"_id": {"$lte": Long(self.expires)}})
            self.expires = 0

        return self.cursor(c, found, number(c.get("batchSize", 101)))

    def width(self, wanted):
        """How many ids a filter is about, in whichever branch."""

        bound = wanted.get("$or", [wanted])[0].get("_id", {})

        if "$gt" not in bound or "$lte" not in bound:
            return 0

        return number(bound["$lte"]) - number(bound["$gt"])

    def cursor(self, c, found, size=101):
        """A batch of what was found, as MongoDB cuts it: 101 at first."""

        name = "%s.%s" % (c["$db"], c[next(iter(c))])
        rest = len(self.cursors) + 1 if len(found) > size else 0

        if rest:
            self.cursors[rest] = found[size:]

        return {"cursor": {"id": Long(rest), "ns": name,
                           "firstBatch": found[:size]}}

    def do_getmore(self, c):
        return {"cursor": {"id": Long(0),
                           "ns": "%s.%s" % (c["$db"], c["collection"]),
                           "nextBatch": self.cursors[number(c["getMore"])]}}

    def do_killcursors(self, c):
        return {}

    def do_insert(self, c):
        if not self.unlocked(c):
            return {"ok": 0.0, "code": 50, "errmsg": "time limit exceeded"}

        collection = self.collection(c["$db"], c["insert"])
        documents = c["documents"]

        self.largest = max(self.largest, len(documents))

        if len(documents) > {**HELLO, **self.hello}["maxWriteBatchSize"]:
            return {"ok": 0.0, "code": 16, "errmsg": "too many documents"}

        for index, document in enumerate(documents):
            error = self.refusal(collection, document)

            if error is not None and self.patternless:
                error = {"code": error["code"], "errmsg": error["errmsg"]
                         + (": index " + self.patternless
                            if self.patternless != "mute" else "")}

            if error is not None:
                return {"n": index, "writeErrors": [{"index": index, **error}]}

            collection.add(document)

        return {"n": len(documents)}

    def refusal(self, collection, document):
        for text, code, more in self.refused:
            if text in document.get("data", ""):
                return {"code": code, "errmsg": "refused for " + text, **more}

        if collection.has(document["_id"]):
            return {"code": 11000, "errmsg": "duplicate key",
                    "keyPattern": {"_id": 1},
                    "keyValue": {"_id": document["_id"]}}

        for unique in collection.indexes:
            if not unique.get("unique"):
                continue

            wanted = {name: document.get(name) for name in unique["key"]}

            if None not in wanted.values() and any(
                    holds(d, wanted) for d in collection.documents):
                return {"code": 11000, "errmsg": "duplicate key",
                        "keyPattern": unique["key"], "keyValue": wanted}

        return None

    def do_update(self, c):
        if not self.unlocked(c):
            return {"ok": 0.0, "code": 50, "errmsg": "time limit exceeded"}

        collection = self.collection(c["$db"], c["update"])
        matched, upserted = 0, []

        for index, u in enumerate(c["updates"]):
            found = [d for d in collection.documents if holds(d, u["q"])][:1]

            if found:
                matched += 1

            elif u.get("upsert"):
                found = [dict(u["q"])]
                collection.add(found[0])
                upserted.append({"index": index, "_id": found[0]["_id"]})

            for d in found:
                d.update(u["u"].get("$set", {}))

                for name, value in u["u"].get("$max", {}).items():
                    d[name] = max(d.get(name, value), value, key=rank)

        reply = {"n": matched + len(upserted), "nModified": matched}

        if upserted:
            reply["upserted"] = upserted

        return reply

    def do_delete(self, c):
        collection = self.collection(c["$db"], c["delete"])

        return {"n": sum(collection.remove(d["q"]) for d in c["deletes"])}

    def unlocked(self, c):
        """Waits for a lock, also for who has gone; false: not in time."""

        limit = number(c.get("maxTimeMS", 0))
        self.limits.setdefault(next(iter(c)), []).append(limit)
        until = time.monotonic() + (limit or 1e6) / 1000

        while self.locked:
            if time.monotonic() > until:
                return False

            self.lock.release()
            time.sleep(0.01)
            self.lock.acquire()

        return True

    # --- the path

    def wait(self, size):
        """Until so many bytes have come through, and it is not away."""

        while self.away:
            time.sleep(0.01)

        if not self.rate:
            return

        with self.lock:
            self.free = max(self.free, time.monotonic()) + size / self.rate
            until = self.free

        while time.monotonic() < until:
            time.sleep(min(0.01, max(0, until - time.monotonic())))

        while self.away:
            time.sleep(0.01)


class Connection(threading.Thread):
    def __init__(self, server, sock):
        super().__init__(daemon=True)
        self.server = server
        self.sock = sock

    def run(self):
        try:
            while True:
                self.serve()
        except (EOFError, OSError):
            pass
        finally:
            self.sock.close()

    def read(self, size):
        parts = []

        while size:
            part = self.sock.recv(min(size, 16384))

            if not part:
                raise EOFError

            self.server.wait(len(part))
            parts.append(part)
            size -= len(part)

        return b"".join(parts)

    def serve(self):
        length, request, _, opcode = struct.unpack("<iiii", self.read(16))
        body = self.read(length - 16)

        if opcode == OP_QUERY:
            at = body.index(b"\0", 4) + 9
            command, more = decode(body, at)[0], False
        else:
            command, more = self.message(body)

        with self.server.lock:
            reply = encode(self.server.command(command))

            if self.server.mute and "insert" in command:
                raise EOFError

        if "find" in command:
            time.sleep(self.server.late)

        if more:
            return

        if opcode == OP_QUERY:
            head, opcode = struct.pack("<iqii", 8, 0, 0, 1), OP_REPLY
        else:
            head = struct.pack("<iB", 0, 0)

        reply = head + reply

        self.sock.sendall(struct.pack("<iiii", 16 + len(reply), 0, request,
                                      opcode) + reply)

    def message(self, body):
        """The command of an OP_MSG, and whether nobody wants an answer."""

        flags, = struct.unpack_from("<I", body)
        end = len(body) - (4 if flags & 1 else 0)
        at, command, lists = 4, {}, {}

        while at < end:
            kind = body[at]
            size, = struct.unpack_from("<i", body, at + 1)
            section = body[at + 1:at + 1 + size]
            at += 1 + size

            if kind == 0:
                command, _ = decode(section)
                continue

            zero = section.index(b"\0", 4)
            documents, begin = [], zero + 1

            while begin < size:
                document, begin = decode(section, begin)
                documents.append(document)

            lists[section[4:zero].decode()] = documents

        command.update(lists)
        command.setdefault("$db", "admin")

        return command, bool(flags & 2)


class Orders:
    def __init__(self, server):
        self.server = server

    def set(self, **values):
        """What is to be set, as Server has it."""

        for name, value in values.items():
            if name not in ("hello", "refused", "unreadable", "away", "rate",
                            "skip_cost", "locked", "mute", "late", "wide",
                            "expires", "no_unique", "patternless"):
                raise ValueError("there is no " + name)

            setattr(self.server, name, value)

    def put(self, database, documents, collection="events"):
        for document in documents:
            self.server.collection(database, collection).add(document)

    def append(self, database, document):
        """With the id that is next, as another node would."""

        collection = self.server.collection(database, "events")
        newest = max(d["_id"].value for d in collection.documents
                     if isinstance(d["_id"], Long)
                     and d["_id"].value < 1 << 53)

        document["_id"] = Long(newest + 1)
        collection.add(document)

    def indexes(self, database):
        return self.server.collection(database, "events").indexes

    def get(self, database, collection="events"):
        return self.server.collection(database, collection).documents

    def remove(self, database, query):
        return self.server.collection(database, "events").remove(query)

    def change(self, database, query, values):
        """The members of those that are found."""

        for d in self.server.collection(database, "events").documents:
            if holds(d, query):
                d.update(values)

    def limits(self):
        return self.server.limits

    def finds(self):
        """Those since the last time."""

        finds = list(self.server.finds)
        self.server.finds.clear()

        return finds

    def counts(self):
        return {**self.server.counts, "largest": self.server.largest}


def main():
    server = Server()
    orders = Orders(server)

    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # what is on its way is not in the kernel for long
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    listening.bind(("127.0.0.1", int(sys.argv[1])))
    listening.listen(64)

    def accept():
        while True:
            sock, _ = listening.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Connection(server, sock).start()

    threading.Thread(target=accept, daemon=True).start()

    for line in sys.stdin:
        try:
            what, given = json.loads(line)
            given = {name: from_json(v) for name, v in given.items()}

            with server.lock:
                answer = to_json(getattr(orders, what)(**given))

            text = json.dumps({"result": answer})
        except Exception as e:
            text = json.dumps({"error": repr(e)})

        print(text, flush=True)


main()
