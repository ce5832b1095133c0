# Copyright (C) the msgbus authors

"""The bus on the standard library's WSGI server: server.py PORT

It serves one connection after the other, and one request each.
"""

import sys

from wsgiref import simple_server

import rse_wsgi


class Server(simple_server.WSGIServer):
    request_queue_size = 1024


class Handler(simple_server.WSGIRequestHandler):

    def log_message(self, *_):
        pass

    def address_string(self):
        return self.client_address[0]


simple_server.make_server("127.0.0.1", int(sys.argv[1]),
                          rse_wsgi.application, Server,
                          Handler).serve_forever()
