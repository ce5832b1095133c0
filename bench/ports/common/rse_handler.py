# Copyright (C) the msgbus authors

"""From a request to its answer, for servers whose handlers may wait."""

import rse


class Handler:

    def __init__(self, store):
        self.store = store

    def handle(self, method, path, query, user_agent, body):
        """Returns status and body."""

        try:
            if method == "GET":
                question = rse.question(path, query, user_agent)
                return rse.page(question, self.store.find(question))

            if method == "POST":
                self.store.insert(rse.post(path, user_agent, body))
                return 201, b""

        except rse.Refused as e:
            return e.status, e.body

        return 405, b'{ "message": "Method Not Allowed" }'
