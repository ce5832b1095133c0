# Copyright (C) the msgbus authors

"""The bus on Tornado and Motor: server.py PORT

The modules that must be compiled are named in BUS_COMPILED.
"""

import asyncio
import importlib
import os
import sys

import tornado.httpserver
import tornado.netutil
import tornado.web

for name in os.environ.get("BUS_COMPILED", "").split():
    if importlib.import_module(name).__file__.endswith(".py"):
        sys.exit("%s is not compiled" % name)

import bus


async def main():
    application = tornado.web.Application(
        [("/.*", bus.Handler, {"store": bus.Store()})],
        log_function=lambda _: None)

    tornado.httpserver.HTTPServer(application).add_sockets(
        tornado.netutil.bind_sockets(int(sys.argv[1]), "127.0.0.1",
                                     backlog=1024))

    await asyncio.Event().wait()


asyncio.run(main())
