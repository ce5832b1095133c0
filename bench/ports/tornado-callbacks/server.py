# Copyright (C) the msgbus authors

"""The bus on Tornado and Motor as it was written with callbacks:
server.py PORT

These versions are older than the Python that runs them: they look for the
abstract classes of collections where they were until 3.9.
"""

import collections
import collections.abc

for name in collections.abc.__all__:
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))

import os
import sys

import motor
import pymongo
import tornado.httpserver
import tornado.ioloop
import tornado.netutil
import tornado.web

import rse


class Insert:
    """RSE's way to insert, a step a callback; then done(error)."""

    def __init__(self, database, post, done):
        self.events = database.events
        self.counters = database.counters
        self.post = post
        self.done = done
        self.tries = rse.TRIES
        self.begin()

    def begin(self):
        self.events.find_one({}, {"_id": 1}, sort=[("_id", -1)],
                             callback=self.on_newest)

    def on_newest(self, newest, error):
        if error:
            self.done(error)
        elif newest is not None:
            self.insert(newest["_id"] + 1)
        else:
            self.counters.find_one({"_id": "last_known_id"},
                                   callback=self.on_counter)

    def on_counter(self, counter, error):
        if error:
            self.done(error)
        else:
            self.insert(counter["c"] + 1 if counter is not None else 1)

    def insert(self, number):
        self.events.insert_one(rse.document(number, self.post),
                               callback=self.on_inserted)

    def on_inserted(self, _, error):
        if isinstance(error, pymongo.errors.DuplicateKeyError):
            self.tries -= 1

            if self.tries:
                self.begin()
            else:
                self.done(rse.Refused(503, "Others were faster"))

        elif error:
            self.done(error)

        else:
            self.counters.update_one(
                {"_id": "last_known_id"}, {"$inc": {"c": 1}}, upsert=True,
                callback=self.on_counted)

    def on_counted(self, _, error):
        self.done(error)


class Handler(tornado.web.RequestHandler):

    def initialize(self, database):
        self.database = database

    @tornado.web.asynchronous
    def get(self):
        request = self.request

        try:
            self.question = rse.question(request.path, request.query,
                                         request.headers.get("User-Agent"))
        except rse.Refused as e:
            self.refuse(e)
            return

        self.database.events.find(
            rse.wanted(self.question), sort=[("_id", 1)],
            limit=self.question.limit, batch_size=self.question.limit,
        ).to_list(self.question.limit, callback=self.on_found)

    def on_found(self, events, error):
        if error:
            self.refuse(error)
        else:
            self.answer(*rse.page(self.question, events))

    @tornado.web.asynchronous
    def post(self):
        request = self.request

        try:
            post = rse.post(request.path, request.headers.get("User-Agent"),
                            request.body)
        except rse.Refused as e:
            self.refuse(e)
            return

        Insert(self.database, post, self.on_stored)

    def on_stored(self, error):
        if error:
            self.refuse(error)
        else:
            self.answer(201, b"")

    def refuse(self, error):
        if isinstance(error, rse.Refused):
            self.answer(error.status, error.body)
        else:
            self.answer(503, b'{ "message": "Database" }')

    def answer(self, status, body):
        self.set_status(status)

        if body:
            self.set_header("Content-Type", rse.JSON)
            self.write(body)

        else:
            self.clear_header("Content-Type")

        self.finish()

    def compute_etag(self):
        # nobody asks with If-None-Match
        return None


client = motor.MotorClient(os.environ["BUS_MONGODB"])

application = tornado.web.Application(
    [("/.*", Handler, {"database": client[os.environ["BUS_DATABASE"]]})],
    log_function=lambda _: None)

tornado.httpserver.HTTPServer(application).add_sockets(
    tornado.netutil.bind_sockets(int(sys.argv[1]), "127.0.0.1", backlog=1024))

tornado.ioloop.IOLoop.current().start()
