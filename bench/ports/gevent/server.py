# Copyright (C) the msgbus authors

"""The bus on gevent's own WSGI server: server.py PORT"""

from gevent import monkey

monkey.patch_all()

import socket
import sys

from gevent import pywsgi

import rse_wsgi


class Handler(pywsgi.WSGIHandler):

    def __init__(self, sock, address, server, rfile=None):
        # head and body are sent apart: without this each answer waits 40 ms
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pywsgi.WSGIHandler.__init__(self, sock, address, server, rfile)


pywsgi.WSGIServer(("127.0.0.1", int(sys.argv[1])), rse_wsgi.application,
                  backlog=1024, log=None,
                  handler_class=Handler).serve_forever()
