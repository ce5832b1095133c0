# Copyright (C) the msgbus authors

# httpx with httpx-sse.  It reads one answer: coming back, and when, is the
# program's.  httpx gives up after 5 seconds without a byte, unless it is told
# another time, which shall be longer than from one ping to the next.

import json
import sys
import time

import httpx
from httpx_sse import connect_sse


def show(**line):
    print(json.dumps(line), flush=True)


timeout = httpx.Timeout(5, read=60)
last, wait = "", 3

with httpx.Client(timeout=timeout, trust_env=False) as client:
    while True:
        headers = {"Last-Event-ID": last} if last else {}

        try:
            with connect_sse(client, "GET", sys.argv[1],
                             headers=headers) as source:
                source.response.raise_for_status()
                show(state="open")

                for sse in source.iter_sse():
                    last = sse.id
                    wait = wait if sse.retry is None else sse.retry / 1000
                    show(event=sse.event, id=sse.id, data=sse.data)

            show(state="error", text="the stream has ended")

        except httpx.HTTPError as e:
            show(state="error", text=repr(e))

        time.sleep(wait)
