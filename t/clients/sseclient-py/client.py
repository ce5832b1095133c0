# Copyright (C) the msgbus authors

# requests with sseclient-py.  It reads one answer: coming back, and when, is
# the program's.  What a stream that ends in the middle of an event had of it
# comes as an event: so it counts if its data is whole, and the id is taken
# from there.

import json
import sys
import time

import requests
from sseclient import SSEClient


def show(**line):
    print(json.dumps(line), flush=True)


session = requests.Session()
session.trust_env = False
last, wait = None, 3

while True:
    headers = {"Accept": "text/event-stream"}

    if last is not None:
        headers["Last-Event-ID"] = str(last)

    try:
        answer = session.get(sys.argv[1], headers=headers, stream=True,
                             timeout=(5, 60))
        answer.raise_for_status()
        show(state="open", text=answer.encoding)

        for event in SSEClient(answer).events():
            try:
                data = json.loads(event.data)

            except ValueError:
                show(state="error", text="an event is not whole")
                continue

            if event.event == "message":
                last = data["id"]

            elif event.event == "msgbus.ping":
                last = data["ping"]

            wait = int(event.retry) / 1000 if event.retry else wait
            show(event=event.event, id=str(last), data=event.data)

        show(state="error", text="the stream has ended")

    except requests.RequestException as e:
        show(state="error", text=repr(e))

    time.sleep(wait)
