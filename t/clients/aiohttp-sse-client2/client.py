# Copyright (C) the msgbus authors

# aiohttp with aiohttp-sse-client2.  It comes back from a stream that has
# ended; from one that broke, or an error, it raises.  aiohttp ends whatever
# has lasted for 5 minutes, unless it is told otherwise.

import asyncio
import json
import os
import sys

import aiohttp
from aiohttp_sse_client2.client import EventSource


def show(**line):
    print(json.dumps(line), flush=True)


async def main(url):
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
    last, wait = None, float(os.environ.get("MSGBUS_WAIT", 3))

    while True:
        headers = {"Last-Event-Id": last} if last else {}

        try:
            async with EventSource(url, timeout=timeout, headers=headers,
                                   on_open=lambda: show(state="open")) as s:
                async for event in s:
                    last = event.last_event_id
                    show(event=event.type or "message",
                         id=event.last_event_id, data=event.data)

        except (aiohttp.ClientError, ConnectionError, OSError,
                asyncio.TimeoutError) as e:
            show(state="error", text=repr(e))

        await asyncio.sleep(wait)


asyncio.run(main(sys.argv[1]))
