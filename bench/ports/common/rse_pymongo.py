# Copyright (C) the msgbus authors

"""RSE's schema and its way to insert, on PyMongo: the caller waits."""

import os

import pymongo

import rse


class Store:

    def __init__(self):
        self.client = pymongo.MongoClient(os.environ["BUS_MONGODB"])
        database = self.client[os.environ["BUS_DATABASE"]]
        self.events = database.events
        self.counters = database.counters

    def next_id(self):
        newest = self.events.find_one({}, {"_id": 1}, sort=[("_id", -1)])

        if newest is not None:
            return newest["_id"] + 1

        counter = self.counters.find_one({"_id": "last_known_id"})

        return counter["c"] + 1 if counter is not None else 1

    def insert(self, post):
        for _ in range(rse.TRIES):
            try:
                self.events.insert_one(rse.document(self.next_id(), post))
                break
            except pymongo.errors.DuplicateKeyError:
                pass
        else:
            raise rse.Refused(503, "Others were faster")

        self.counters.update_one({"_id": "last_known_id"}, {"$inc": {"c": 1}},
                                 upsert=True)

    def find(self, question):
        return list(self.events.find(
            rse.wanted(question), sort=[("_id", 1)], limit=question.limit,
            batch_size=question.limit))
