# Copyright (C) the msgbus authors

"""Databases below a bus, and whether it has come to them.

Both are MongoDB servers. Whoever starts them says on which core, by rig.
"""

import json
import os
import subprocess
import time

import programs
import rig

ROOT = os.path.dirname(rig.BENCH)


class Server:
    """A database, while in `with`: .uri"""

    def __init__(self, *command):
        self.command = command

    def __enter__(self):
        self.process = subprocess.Popen(
            rig.on_load_core(*self.command), stdout=subprocess.PIPE, text=True,
            stdin=subprocess.DEVNULL)
        said = self.process.stdout.readline().strip()

        if not said:
            raise rig.Failure("%s did not start" % self.command[0])

        self.uri = ("mongodb://127.0.0.1:%s/" % said if said.isdigit()
                    else said)
        return self

    def __exit__(self, *_):
        rig.end(self.process, 20)


class Named:
    """A server that somebody else runs."""

    def __init__(self, uri):
        self.uri = uri

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def real():
    uri = os.environ.get("MSGBUS_TEST_MONGODB_URI")

    if uri:
        return Named(uri)

    return Server(os.path.join(ROOT, "tools/mongodb"), "run",
                  str(rig.free_port()))


def fake(ms):
    """One that does nearly nothing, and takes so many ms for it."""

    return Server(programs.compiled("fakemongo"), "--delay-ms", str(ms))


def health(nginx):
    answer = nginx.ask(rig.Request("GET", "/report?verbose=true", {}, b"",
                                   None))
    report = json.loads(answer.body)

    return answer.status, report


def wait_until_up(nginx):
    until = time.monotonic() + 20

    while time.monotonic() < until:
        status, report = health(nginx)

        if status == 200:
            return report

        time.sleep(0.05)

    raise rig.Failure("the bus is not up after 20 s: %s" % report)
