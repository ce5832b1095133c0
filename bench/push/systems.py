# Copyright (C) the msgbus authors

"""The servers that bench/push/run measures, and the load that it sends.

Each is a process, or a tree of them, on the first core, while in `with`; the
load is on the last.
"""

import json
import os
import re
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import programs
import rig

HERE = os.path.dirname(os.path.abspath(__file__))
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

# of those tried, the ones with which one who waits costs least: a held request
# of this load, whose head is short, and a stream, whose header is out

SMALLEST = """
    connection_pool_size 256;
    client_header_buffer_size 256;
    request_pool_size %d;
"""
HELD, STREAM = 512, 896

CONFIG = """\
daemon off;
worker_processes {workers};
worker_rlimit_nofile {descriptors};
error_log {folder}/error.log notice;
pid {folder}/nginx.pid;
{modules}
{user}
events {{ worker_connections {connections}; }}

http {{
    access_log off;
    {kept}
    client_header_timeout 1h;
    send_timeout 1h;

{http}
}}
"""


def nchan():
    """Nchan's module, or None."""

    if os.environ.get("NCHAN"):
        return os.path.abspath(os.environ["NCHAN"])

    said = subprocess.run([rig.NGINX, "-V"], capture_output=True, text=True)
    found = re.search(r"--modules-path=(\S+)", said.stderr)
    module = (found[1] if found else "/usr/lib/nginx/modules") + \
        "/ngx_nchan_module.so"

    return module if os.path.exists(module) else None


class Meters:
    """CPU and memory of a server, whose pids() are known."""

    def cpu(self):
        """Nanoseconds of CPU of all its processes, user and system."""

        total = 0

        for pid in self.pids():
            try:
                with open("/proc/%d/schedstat" % pid) as f:
                    total += int(f.read().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                raise rig.Failure("a process of %s has died"
                                  % self.name) from None

        return total

    def drain(self, limit=30):
        """Wait until it is idle; its CPU clock is exact then."""

        used = self.cpu()
        deadline = time.monotonic() + limit

        while time.monotonic() < deadline:
            time.sleep(0.1)
            last, used = used, self.cpu()

            if used - last < 1000000:
                return used

        raise rig.Failure("%s is not idle after %d s" % (self.name, limit))

    def memory(self):
        """(own, shared) bytes of all its processes, shared ones once."""

        own = shared = 0

        for pid in self.pids():
            with open("/proc/%d/smaps_rollup" % pid) as f:
                fields = dict(re.findall(r"^(\w+): +(\d+) kB", f.read(), re.M))

            own += int(fields["Pss_Anon"]) * 1024
            shared += int(fields["Pss_Shmem"]) * 1024

        return own, shared


class Server(Meters, rig.Nginx):
    """An nginx with a configuration of this folder."""

    def __init__(self, name, config, modules, connections, workers=1,
                 pools="", zone="64m", park="on"):
        os.makedirs(rig.WORK, exist_ok=True)
        self.name = name
        self.workers = workers
        self.callgrind = False
        self.folder = tempfile.mkdtemp(prefix="run-", dir=rig.WORK)
        self.port = rig.free_port()
        self.to = "127.0.0.1:%d" % self.port

        with open("%s/%s" % (HERE, config)) as f:
            http = f.read()

        listen = self.to + " backlog=4096"

        if workers > 1:
            listen += " reuseport"

        for key, value in (("listen", listen), ("pools", pools),
                           ("zone", zone), ("park", park)):
            http = http.replace("@%s@" % key, value)

        if connections + 100 > DESCRIPTORS:
            raise rig.Failure("%d connections a worker, %d descriptors"
                              % (connections, DESCRIPTORS))

        with open(self.folder + "/nginx.conf", "w") as f:
            f.write(CONFIG.format(
                folder=self.folder, http=http, workers=workers,
                kept=rig.KEPT.format(folder=self.folder),
                connections=connections, descriptors=DESCRIPTORS,
                modules="".join('load_module "%s";\n' % m for m in modules),
                user="user root;" if os.geteuid() == 0 else ""))

    def wait_ready(self):
        deadline = time.monotonic() + 30

        while time.monotonic() < deadline:
            if self.master.poll() is not None:
                raise rig.Failure("%s did not start:\n%s"
                                  % (self.name, self.log()))

            if len(rig.children(self.master.pid)) == self.workers:
                try:
                    socket.create_connection(("127.0.0.1", self.port)).close()
                    self.processes = rig.children(self.master.pid)
                    return
                except OSError:
                    pass

            time.sleep(0.05)

        raise rig.Failure("%s is not ready after 30 s" % self.name)

    def __exit__(self, kind, value, trace):
        # what a peer complains of is its own affair

        if self.name.startswith("msgbus"):
            super().__exit__(kind, value, trace)
            return

        self.stop()
        shutil.rmtree(self.folder)

    def pids(self):
        return self.processes


class Floor(Meters):
    """The bare epoll server."""

    name = "floor"

    def __enter__(self):
        self.to = "127.0.0.1:%d" % rig.free_port()
        self.process = subprocess.Popen(
            ["taskset", "-c", str(rig.SERVER_CPU), programs.compiled("floor"),
             self.to], stdin=subprocess.DEVNULL)

        for _ in range(200):
            try:
                host, port = self.to.split(":")
                socket.create_connection((host, int(port))).close()
                return self
            except OSError:
                time.sleep(0.05)

        self.__exit__()
        raise rig.Failure("the floor does not start")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def pids(self):
        return [self.process.pid]


class Load:
    """client.c: subscribers, who come with `with`, and a poster."""

    def __init__(self, server, subscribers, subscribe, kind="sse",
                 processes=1, options=()):
        self.server = server
        self.subscribers = subscribers
        self.command = [
            "taskset", "-c", str(rig.LOAD_CPU), programs.compiled("client"),
            "--to", server.to, "--subscribers", str(subscribers),
            "--processes", str(processes), "--kind", kind,
            "--subscribe", subscribe, "--publish", "/bench",
            "--probe", "/quiet", *options]

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            bufsize=0)
        self.left = b""

        try:
            self.opened = self.answer(150)

            if (self.opened["ready"] != self.subscribers
                    or self.opened["errors"]):
                raise rig.Failure(
                    "%s: %d of %d subscribers are let in, %s"
                    % (self.server.name, self.opened["ready"],
                       self.subscribers, self.opened.get("error", "late")))

        except BaseException:
            self.__exit__()
            raise

        return self

    def __exit__(self, *_):
        # subscribers are killed with the process that has forked them
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def answer(self, limit):
        deadline = time.monotonic() + limit

        while b"\n" not in self.left:
            left = deadline - time.monotonic()

            if left <= 0 or not select.select([self.process.stdout], [], [],
                                              left)[0]:
                raise rig.Failure("the load says nothing for %d s" % limit)

            data = os.read(self.process.stdout.fileno(), 1 << 20)

            if not data:
                raise rig.Failure("the load has ended")

            self.left += data

        line, self.left = self.left.split(b"\n", 1)

        return json.loads(line)

    def ask(self, line, limit):
        self.process.stdin.write(line.encode() + b"\n")

        return self.answer(limit)

    def post(self, window=1, rate=0, seconds=0, posts=0, size=300, probes=0):
        """
        What client.c's "post" says, with the "cpu" ns that it took of the
        server, and "load_cpu" of the load itself.
        """

        before = self.server.drain()
        mine = self.cpu()
        r = self.ask("post %d %f %f %d %d %f" % (
            window, rate, seconds or 3600, posts, size, probes),
            (seconds or 60) + 120)
        r["load_cpu"] = self.cpu() - mine
        r["cpu"] = self.server.drain() - before

        return r

    def cpu(self):
        total = 0

        for pid in [self.process.pid] + rig.children(self.process.pid):
            with open("/proc/%d/schedstat" % pid) as f:
                total += int(f.read().split()[0])

        return total

    def check(self):
        return self.ask("check", 30)
