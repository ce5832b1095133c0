# Copyright (C) the msgbus authors

"""The databases below the systems: a real one, and a fast fake.

Both are MongoDB servers to their clients.  They run on the load's core; their
CPU time is counted apart from that of the system under test.
"""

import os
import socket
import subprocess
import tempfile
import time

import environments
import programs
import rig

TOOL = os.path.join(environments.ROOT, "tools", "mongodb")

# not RSE's name: the bench empties it

NAME = "msgbus_bench"


def begin_setup():
    """Make a real database, if there is none; a process to wait for."""

    if os.environ.get("MSGBUS_TEST_MONGODB_URI") or not os.path.exists(TOOL):
        return None

    return subprocess.Popen([TOOL, "setup"], stdin=subprocess.DEVNULL)


def tool(*words):
    r = subprocess.run((TOOL,) + words, capture_output=True, text=True)
    return r.stdout.strip(), (r.stderr or r.stdout).strip()


class Database:
    """What runs, as processes of ours, while in `with`."""

    def __init__(self):
        self.processes = []
        os.makedirs(rig.WORK, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="database-", dir=rig.WORK)

    def __exit__(self, *_):
        for process in reversed(self.processes):
            rig.end(process)

        subprocess.run(["rm", "-rf", self.folder])

    def start(self, name, command, port):
        log = os.path.join(self.folder, name + ".log")

        with open(log, "w") as f:
            self.processes.append(subprocess.Popen(
                ["taskset", "-c", str(rig.LOAD_CPU)] + command, stdout=f,
                stderr=f, stdin=subprocess.DEVNULL, start_new_session=True))

        deadline = time.monotonic() + 60

        while time.monotonic() < deadline:
            if self.processes[-1].poll() is not None:
                break

            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                time.sleep(0.1)

        with open(log, errors="replace") as f:
            text = f.read()

        self.__exit__()
        raise environments.Unavailable("%s did not start: %s" % (
            name, (text.splitlines() or ["it says nothing"])[-1]))

    def cpu(self):
        """Nanoseconds; None of a server that is not ours."""

        if not self.processes:
            return None

        return sum(rig.tree_cpu(p.pid) for p in self.processes)

    def rest(self):
        """Wait until it has little left to do, 2 s at most: nodes poll it."""

        deadline = time.monotonic() + 2

        while time.monotonic() < deadline:
            before = self.cpu()

            if before is None:
                time.sleep(0.5)
                return

            time.sleep(0.1)

            if self.cpu() - before < 10000000:
                return

    def env(self):
        return {"BUS_MONGODB": self.uri, "BUS_DATABASE": NAME,
                "PYTHONPATH": environments.port("common")}

    def seed(self, *words):
        """Run ports/common/rse_seed.py; what it complains of is raised."""

        r = subprocess.run(
            [environments.python("cpython"),
             environments.port("common/rse_seed.py")] + list(words),
            env=dict(os.environ, **self.env()), capture_output=True,
            text=True, stdin=subprocess.DEVNULL)

        if r.returncode:
            raise rig.Failure("rse_seed.py: " + r.stderr.strip()
                              .rpartition("\n")[2])


class Real(Database):
    """The first there is: a server by URI, mongod, FerretDB."""

    def __enter__(self):
        if os.environ.get("MSGBUS_TEST_MONGODB_URI"):
            self.uri = os.environ["MSGBUS_TEST_MONGODB_URI"]
            self.name = "the server of MSGBUS_TEST_MONGODB_URI"
            return self

        if not os.path.exists(TOOL):
            raise environments.Unavailable("no MSGBUS_TEST_MONGODB_URI")

        said = tool("setup")[1]
        kind = tool("kind")[0]

        port = rig.free_port()

        if kind == "mongod":
            self.name = "mongod"
            self.start("mongod", [TOOL, "mongod", self.folder, str(port)],
                       port)

        elif kind == "ferretdb":
            self.name = "FerretDB v2 on PostgreSQL with DocumentDB"
            below = rig.free_port()
            self.start("postgres", [TOOL, "postgres", self.folder + "/pg",
                                    str(below)], below)
            self.start("ferretdb", [TOOL, "ferretdb", self.folder + "/ferret",
                                    str(below), str(port), "--no-auth"],
                       port)

        else:
            raise environments.Unavailable(said or "there is no MongoDB")

        self.uri = "mongodb://127.0.0.1:%d/" % port

        return self


class Fake(Database):
    """bench/fakemongo: the protocol and a log in memory, nothing below."""

    name = "bench/fakemongo"

    def __enter__(self):
        environments.packages(["gcc", "pkg-config", "libbson-dev"])

        try:
            program = programs.compiled("fakemongo")
        except rig.Failure as e:
            raise environments.Unavailable(str(e)) from None

        port = rig.free_port()
        self.start("fakemongo", [program, "--port", str(port)], port)
        self.uri = "mongodb://127.0.0.1:%d/" % port

        return self
