# Copyright (C) the msgbus authors

"""The bus on a raw HTTP layer and gevent's sockets: server.py PORT

Which of rawr, rse, rse_handler and rse_pymongo are compiled is decided by what
stands first on the path; the names of those that are must be in BUS_COMPILED,
so that nothing slower is measured by mistake.
"""

from gevent import monkey

monkey.patch_all()

import importlib
import os
import socket
import sys

from gevent.server import StreamServer

for name in os.environ["BUS_COMPILED"].split():
    if importlib.import_module(name).__file__.endswith(".py"):
        sys.exit("%s is not compiled" % name)

import rawr
import rse_handler
import rse_pymongo

handler = rse_handler.Handler(rse_pymongo.Store())


def connection(sock, _):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    try:
        rawr.serve(sock, handler)
    except ConnectionError:
        pass
    finally:
        sock.close()


StreamServer(("127.0.0.1", int(sys.argv[1])), connection,
             backlog=1024).serve_forever()
