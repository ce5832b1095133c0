#!/usr/bin/env python3

"""Saves the events of a bus from MongoDB, and restores them:

    mongodb-backup.py save URI_FILE DATABASE > BACKUP
    mongodb-backup.py restore URI_FILE DATABASE < BACKUP
    mongodb-backup.py raise URI_FILE DATABASE

Save while nodes run.  Restore into an empty database, while none runs.  "raise"
is the end of a restore, for one that another tool has done: it moves the ids
on, so that none that was used since the backup comes again.
"""

import datetime
import itertools
import sys

import pymongo
from bson import Int64, json_util

# more events than come between a backup and its restore
SINCE = 1_000_000_000


def save(db):
    # a counter that is behind does no harm: a restore moves on from the events
    for name in ("counters", "events"):
        for document in db[name].find().sort("_id"):
            print(name, json_util.dumps(document))


def restore(db):
    if db.events.find_one() or db.counters.find_one():
        sys.exit("the database is not empty: drop events and counters first")

    lines = (line.split(" ", 1) for line in sys.stdin)

    for name, group in itertools.groupby(lines, lambda line: line[0]):
        while batch := list(itertools.islice(group, 1000)):
            db[name].insert_many([json_util.loads(text) for _, text in batch])

    raise_ids(db)


def raise_ids(db):
    newest = db.events.find_one(sort=[("_id", -1)])
    counter = db.counters.find_one("last_known_id")
    last = max(newest["_id"] if newest else 0, counter["c"] if counter else 0)

    # an anchor: an event that no client sees
    db.events.insert_one({
        "_id": Int64(last + SINCE), "data": "{}", "channel": "",
        "user_agent": "", "uuid": "",
        "created_at": datetime.datetime.now(datetime.timezone.utc),
    })

    print("ids go on above %d" % (last + SINCE), file=sys.stderr)


if len(sys.argv) != 4 or sys.argv[1] not in ("save", "restore", "raise"):
    sys.exit(__doc__)

with open(sys.argv[2]) as file:
    client = pymongo.MongoClient(file.readline().strip())

{"save": save, "restore": restore, "raise": raise_ids}[sys.argv[1]](
    client[sys.argv[3]])
