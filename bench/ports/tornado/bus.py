# Copyright (C) the msgbus authors

"""The bus as a Tornado handler with coroutines, on Motor.

Made to be run as it is, or compiled by Cython.
"""

import os

import motor.motor_tornado
import pymongo
import tornado.web

import rse


class Store:
    """RSE's schema and its way to insert; the loop goes on meanwhile."""

    def __init__(self):
        client = motor.motor_tornado.MotorClient(os.environ["BUS_MONGODB"])
        database = client[os.environ["BUS_DATABASE"]]
        self.events = database.events
        self.counters = database.counters

    async def next_id(self):
        newest = await self.events.find_one({}, {"_id": 1},
                                            sort=[("_id", -1)])
        if newest is not None:
            return newest["_id"] + 1

        counter = await self.counters.find_one({"_id": "last_known_id"})

        return counter["c"] + 1 if counter is not None else 1

    async def insert(self, post):
        for _ in range(rse.TRIES):
            try:
                number = await self.next_id()
                await self.events.insert_one(rse.document(number, post))
                break
            except pymongo.errors.DuplicateKeyError:
                pass
        else:
            raise rse.Refused(503, "Others were faster")

        await self.counters.update_one({"_id": "last_known_id"},
                                       {"$inc": {"c": 1}}, upsert=True)

    async def find(self, question):
        cursor = self.events.find(
            rse.wanted(question), sort=[("_id", 1)], limit=question.limit,
            batch_size=question.limit)

        return await cursor.to_list(question.limit)


class Handler(tornado.web.RequestHandler):

    def initialize(self, store):
        self.store = store

    async def get(self):
        request = self.request

        try:
            question = rse.question(request.path, request.query,
                                    request.headers.get("User-Agent"))
            status, body = rse.page(question, await self.store.find(question))

        except rse.Refused as e:
            status, body = e.status, e.body

        self.answer(status, body)

    async def post(self):
        request = self.request

        try:
            await self.store.insert(rse.post(
                request.path, request.headers.get("User-Agent"),
                request.body))
            status, body = 201, b""

        except rse.Refused as e:
            status, body = e.status, e.body

        self.answer(status, body)

    def answer(self, status, body):
        self.set_status(status)

        if body:
            self.set_header("Content-Type", rse.JSON)
            self.write(body)

        else:
            self.clear_header("Content-Type")

    def compute_etag(self):
        # nobody asks with If-None-Match
        return None
