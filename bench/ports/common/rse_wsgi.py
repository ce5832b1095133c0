# Copyright (C) the msgbus authors

"""The bus as a WSGI application."""

import http.client

import rse
import rse_handler
import rse_pymongo

LINES = {n: "%d %s" % (n, http.client.responses[n])
         for n in (200, 201, 204, 400, 405, 503)}

handler = rse_handler.Handler(rse_pymongo.Store())


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)

    status, body = handler.handle(
        environ["REQUEST_METHOD"], environ["PATH_INFO"],
        environ.get("QUERY_STRING", ""), environ.get("HTTP_USER_AGENT", ""),
        environ["wsgi.input"].read(length) if length else b"")

    headers = []

    if body:
        headers.append(("Content-Type", rse.JSON))

    # 204 has no length; but uWSGI's router closes a connection without one
    if status != 204 or "uwsgi.version" in environ:
        headers.append(("Content-Length", str(len(body))))

    start_response(LINES[status], headers)

    return [body] if body else []
