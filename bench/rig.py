# Copyright (C) the msgbus authors

"""The rig of bench/: one nginx with one worker, a load beside it, and meters.

The server runs on the first core that we may use, the load on the last.  All
figures are the server's own cost a request: CPU time from the scheduler, or
instructions counted by callgrind.  Everything stays on 127.0.0.1.
"""

import collections
import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.path.dirname(BENCH), "build")
WORK = os.path.join(BUILD, "bench")

# Debian's nginx is in /usr/sbin, which not every user's path has
os.environ["PATH"] += ":/usr/sbin:/sbin"

# nginx itself takes a $NGINX for sockets that it inherits
NGINX = os.environ.pop("NGINX", "nginx")
NGINX_SRC = os.environ.get("NGINX_SRC", "/usr/share/nginx/src")
NGINX_FLAGS = os.environ.get("NGINX_FLAGS", "--with-compat")
MODULE = os.path.abspath(
    os.environ.get("MODULE") or BUILD + "/ngx_http_msgbus_module.so")

CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, LOAD_CPU = CPUS[0], CPUS[-1]


# of each nginx: temporary files in its folder, connections that are kept

KEPT = """\
client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;"""

CONFIG = """\
daemon off;
worker_processes 1;
error_log {folder}/error.log notice;
pid {folder}/nginx.pid;
{modules}
{user}
events {{ worker_connections 4096; }}

http {{
    access_log off;
    default_type "application/json; charset=utf-8";
    {kept}

{http}

    server {{
        listen 127.0.0.1:{port};

{server}
    }}
}}
"""


class Failure(Exception):
    """Something that ends the bench with a sentence, not with a trace."""


# one kind of request; "check" looks at one Answer and raises Failure

Request = collections.namedtuple("Request", "method path headers body check")
Answer = collections.namedtuple("Answer", "status headers body wire")


def main(function):
    """Run a tool: SIGTERM unwinds as Ctrl-C does, a Failure is one line."""

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    try:
        sys.exit(function())
    except Failure as e:
        sys.exit("%s: %s" % (os.path.basename(sys.argv[0]), e))
    except KeyboardInterrupt:
        sys.exit(130)


def need(tool, package):
    if shutil.which(tool) is None:
        raise Failure("%s not found, install %s" % (tool, package))


def number(name, default):
    """A whole number above 0 from the environment."""

    text = os.environ.get(name, str(default))

    if not re.fullmatch("[1-9][0-9]*", text):
        raise Failure('%s="%s" is no number above 0' % (name, text))

    return int(text)


def connections():
    return number("CONNECTIONS", 64)


def machine():
    """The line without which no figure means anything."""

    cpu = "unknown CPU"

    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break

    version = subprocess.run([NGINX, "-v"], capture_output=True, text=True)

    return "Linux %s, %s, %d cores, %s, load average %.2f, %s" % (
        platform.release(), cpu, len(CPUS),
        version.stderr.strip().split(": ")[-1], os.getloadavg()[0],
        time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))


def ceiling_module():
    """Build the module of bench/ceiling, as that of the bus is built."""

    source = os.path.join(BENCH, "ceiling")
    target = os.path.join(WORK, "ceiling")
    module = os.path.join(target, "ngx_http_ceiling_module.so")

    need(NGINX, "nginx")
    version = subprocess.run([NGINX, "-V"], capture_output=True, text=True)
    want = "\n".join([NGINX_SRC, NGINX_FLAGS, version.stderr])

    for name in sorted(os.listdir(source)):
        with open(os.path.join(source, name)) as f:
            want += f.read()

    if os.path.exists(module) and os.path.exists(target + "/built"):
        with open(target + "/built") as f:
            if f.read() == want:
                return module

    if not os.path.exists(NGINX_SRC + "/configure"):
        raise Failure("no sources of nginx in %s, install nginx-dev"
                      % NGINX_SRC)

    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)

    r = subprocess.run(
        ["bash", "-ec", """
         cd "$1"

         if [ -f conf_flags ]; then
             . ./conf_flags
         else
             NGX_CONF_FLAGS=($4)
         fi

         ./configure "${NGX_CONF_FLAGS[@]}" --with-cc-opt="-g -O2 -fPIC" \
             --with-ld-opt=-fPIC --add-dynamic-module="$2" --builddir="$3"
         make -f "$3/Makefile" modules
         """, "bash", NGINX_SRC, source, target, NGINX_FLAGS],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    if r.returncode:
        raise Failure("bench/ceiling does not build:\n" + r.stdout[-2000:])

    with open(target + "/built", "w") as f:
        f.write(want)

    return module


class Server:
    """What all that is measured has: a folder, a port, a clock of its CPU."""

    def drain(self):
        """Wait until the server is idle; its CPU clock is exact then."""

        used = self.cpu()

        # what httperf has given up, a slow server still answers
        for _ in range(600):
            time.sleep(0.05)
            last, used = used, self.cpu()

            if used - last < 500000:
                return used

        raise Failure("the server is not idle after 30 s")

    def ask(self, request):
        with Client(self.port) as client:
            return client.ask(request)

    def __enter__(self):
        self.begin()

        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

        return self


class Nginx(Server):
    """One nginx with one worker, in a folder of its own, while in `with`."""

    def __init__(self, http, server, modules, callgrind=False):
        os.makedirs(WORK, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="run-", dir=WORK)
        self.callgrind = callgrind

        self.port = free_port()

        with open(self.folder + "/nginx.conf", "w") as f:
            f.write(CONFIG.format(
                folder=self.folder, port=self.port, http=http, server=server,
                kept=KEPT.format(folder=self.folder),
                modules="".join('load_module "%s";\n' % m for m in modules),
                user="user root;" if os.geteuid() == 0 else ""))

    def begin(self):
        command = ["taskset", "-c", str(SERVER_CPU), NGINX,
                   "-p", self.folder, "-e", "error.log",
                   "-c", self.folder + "/nginx.conf"]

        if self.callgrind:
            # trace-children: else vgdb cannot reach the forked worker
            command[3:3] = ["valgrind", "--tool=callgrind", "--quiet",
                            "--trace-children=yes",
                            "--callgrind-out-file=" + self.folder + "/cg.%p"]

        with open(self.folder + "/stderr", "w") as f:
            self.master = subprocess.Popen(command, stdout=f, stderr=f,
                                           stdin=subprocess.DEVNULL)

    def __exit__(self, kind, value, trace):
        self.stop()
        log = self.log()

        if kind is None and re.search(r"\[(alert|crit|emerg|error)\]", log):
            raise Failure("nginx complained, see %s/error.log" % self.folder)

        if kind in (None, KeyboardInterrupt, SystemExit):
            shutil.rmtree(self.folder)

    def wait_ready(self):
        deadline = time.monotonic() + 30

        while time.monotonic() < deadline:
            if self.master.poll() is not None:
                raise Failure("nginx did not start:\n" + self.log())

            workers = children(self.master.pid)

            if workers:
                try:
                    socket.create_connection(("127.0.0.1", self.port)).close()
                    self.worker = workers[0]
                    return
                except OSError:
                    pass

            time.sleep(0.05)

        raise Failure("nginx is not ready after 30 s")

    def stop(self):
        end(self.master)

    def log(self):
        text = ""

        for name in ("/stderr", "/error.log"):
            if os.path.exists(self.folder + name):
                with open(self.folder + name, errors="replace") as f:
                    text += f.read()

        return text

    def cpu(self):
        """Nanoseconds of CPU that the worker has used, user and system."""

        try:
            return cpu_of(self.worker)
        except ProcessLookupError:
            raise Failure("the worker has died, see %s/error.log"
                          % self.folder) from None

    def ticks(self):
        return ticks_of(self.worker)

    def instructions(self, request, count, connections=8):
        """
        User-space instructions a request, over `count` requests after as many
        to warm up, on open connections.  Returns the figure, callgrind's dump
        and the count.
        """

        clients = [Client(self.port) for _ in range(connections)]

        def run(n):
            for _ in range(n // connections):
                for c in clients:
                    c.send(request)
                for c in clients:
                    check(request, c.receive())

        count -= count % connections
        run(count)
        self.control("zero")
        run(count)
        before = set(os.listdir(self.folder))
        self.control("dump")

        for c in clients:
            c.close()

        for name in set(os.listdir(self.folder)) - before:
            with open(os.path.join(self.folder, name)) as f:
                total = re.search(r"^(?:summary|totals): (\d+)", f.read(),
                                  re.M)
            if total:
                return (int(total[1]) / count,
                        os.path.join(self.folder, name), count)

        raise Failure("callgrind wrote no figures")

    def control(self, command):
        # not callgrind_control: it does not know a process by nginx's title
        r = subprocess.run(["vgdb", "--pid=%d" % self.worker, command],
                           capture_output=True, text=True)

        if r.returncode:
            raise Failure("vgdb %s: %s%s" % (command, r.stdout, r.stderr))


class Program(Server):
    """Another server, its children included, while in `with`."""

    def __init__(self, command, env, ready):
        """
        "{port}" and "{folder}" in the command are filled in; ready(program)
        says whether it answers yet.
        """

        os.makedirs(WORK, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="run-", dir=WORK)
        self.port = free_port()
        self.command = [word.format(port=self.port, folder=self.folder)
                        for word in command]
        self.env = dict(os.environ, **env)
        self.ready = ready
        self.on = SERVER_CPU

    def begin(self):
        with open(self.folder + "/log", "w") as f:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(self.on)] + self.command,
                env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=f, stderr=f, start_new_session=True)

    def __exit__(self, kind, value, trace):
        self.stop()

        if kind in (None, KeyboardInterrupt, SystemExit):
            shutil.rmtree(self.folder)

    def wait_ready(self):
        deadline = time.monotonic() + 60

        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break

            try:
                if self.ready(self):
                    return
            except (OSError, Failure):
                pass

            time.sleep(0.1)

        raise Failure("%s did not start: %s" % (
            os.path.basename(self.command[0]), self.log()[-2000:]))

    def stop(self):
        end(self.process)

        # its session holds its children, also when it has left them behind
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def log(self):
        with open(self.folder + "/log", errors="replace") as f:
            return f.read()

    def cpu(self):
        return tree_cpu(self.process.pid)

    def ticks(self):
        found = [ticks_of(pid) for pid in [self.process.pid]
                 + descendants(self.process.pid)]

        return tuple(map(sum, zip(*found)))


def end(process, seconds=10):
    """Ask a process of ours to end; then it and its children have to."""

    process.terminate()

    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        for pid in descendants(process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

        process.kill()
        process.wait()


def on_load_core(*command):
    return ["taskset", "-c", str(LOAD_CPU)] + list(command)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_of(pid):
    """Nanoseconds of CPU that a process has used, user and system."""

    tasks = "/proc/%d/task/" % pid
    total = 0

    try:
        for task in os.listdir(tasks):
            with open(tasks + task + "/schedstat") as f:
                total += int(f.read().split()[0])

    except FileNotFoundError:
        if not os.path.exists(tasks):
            raise ProcessLookupError(pid) from None

        # no schedstat in this kernel: ticks, so runs must be long
        total = sum(ticks_of(pid)) * 1000000000 // os.sysconf("SC_CLK_TCK")

    return total


def ticks_of(pid):
    """
    (user, system) ticks of a process, usually of 10 ms: good for the share of
    the kernel in a run of a second, and for no more.
    """

    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0

    return int(fields[11]), int(fields[12])


def tree_cpu(pid):
    """The same of a process and all its descendants."""

    total = cpu_of(pid)

    for child in descendants(pid):
        try:
            total += cpu_of(child)
        except ProcessLookupError:
            pass

    return total


def descendants(pid):
    parents = processes()
    found = [pid]

    for parent in found:
        found += [child for child, its in parents.items() if its == parent]

    return found[1:]


def children(pid):
    return [child for child, its in processes().items() if its == pid]


def processes():
    """The parent of each process; one look at /proc, which takes a while."""

    found = {}

    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as f:
                    fields = f.read().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue

            found[int(name)] = int(fields[1])

    return found


class Client:
    """A keep-alive connection; the bytes it sends are those that wrk sends."""

    def __init__(self, port):
        self.port = port
        self.sock = socket.create_connection(("127.0.0.1", port), 30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    @staticmethod
    def rendered(port, r):
        """The bytes of a request."""

        headers = dict(r.headers, Host="127.0.0.1:%d" % port)

        if r.body:
            headers["Content-Length"] = len(r.body)

        return ("%s %s HTTP/1.1\r\n%s\r\n" % (r.method, r.path, "".join(
            "%s: %s\r\n" % h for h in headers.items()))).encode() + r.body

    def send(self, request):
        self.sock.sendall(self.rendered(self.port, request))

    def receive(self):
        data = self.left

        while b"\r\n\r\n" not in data:
            data += self.more()

        head, data = data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin1").split("\r\n")
        headers = {k.lower(): v.strip() for k, v in
                   (line.split(":", 1) for line in lines[1:])}
        length = int(headers.get("content-length", 0))

        while len(data) < length:
            data += self.more()

        self.left = data[length:]

        return Answer(int(lines[0].split()[1]), headers, data[:length],
                      len(head) + 4 + length)

    def more(self):
        data = self.sock.recv(1 << 20)

        if not data:
            raise Failure("the server closed the connection")

        return data

    def ask(self, request):
        self.send(request)
        return self.receive()

    def post_all(self, requests, batch=256):
        """Pipelined POSTs, one batch ahead; returns the last Answer."""

        answer, sent = None, collections.deque()
        requests = iter(requests)

        while True:
            chunk = [self.rendered(self.port, r) for _, r in zip(range(batch), requests)]

            if chunk:
                self.sock.sendall(b"".join(chunk))
                sent.append(len(chunk))

            if not sent:
                return answer

            if len(sent) > 1 or not chunk:
                for _ in range(sent.popleft()):
                    answer = self.receive()

                    if answer.status != 201:
                        raise Failure("POST: %d %r"
                                      % (answer.status, answer.body))


def check(request, answer):
    """The answer must be what the cell claims to measure."""

    try:
        request.check(answer)
    except (AssertionError, KeyError, ValueError) as e:
        raise Failure("%s %s: wrong answer %d %r (%s: %s)" % (
            request.method, request.path, answer.status, answer.body[:200],
            type(e).__name__, e)) from e


# A random cursor for each request: the records, index entries and jumps
# on the way are then as cold as those of a real crowd of late readers.

DRAWN = """
    local drawn, n = {}, 0

    function init()
        for i = 1, 50000 do
            n = (n * 16807 + 12345) %% 2147483647
            drawn[i] = wrk.format(nil, "%(path)s&last-known-id=" ..
                                       1 + n %% (%(newest)d - 1))
        end
    end

    function request()
        n = n %% #drawn + 1
        return drawn[n]
    end
"""


# What wrk counted, as a line of JSON: its times are microseconds.

DONE = """
    function done(s, latency)
        io.write(string.format('\\n{"requests":%d,"us":%d,"bytes":%d,' ..
            '"status":%d,"socket":%d,"p50":%d,"p99":%d,"max":%d}\\n',
            s.requests, s.duration, s.bytes, s.errors.status,
            s.errors.connect + s.errors.read + s.errors.write +
            s.errors.timeout, latency:percentile(50), latency:percentile(99),
            latency.max))
    end
"""


def wrk_script(path, request, more=""):
    """Write the script with which wrk sends this request; its path."""

    with open(path, "w") as f:
        f.write("wrk.method = %s\nwrk.body = %s\n%s\n%s\n%s" % (
            lua(request.method),
            lua(request.body.decode()) if request.body else "nil",
            "\n".join("wrk.headers[%s] = %s" % (lua(k), lua(v))
                      for k, v in request.headers.items()),
            more, DONE))

    return path


def wrk(port, path, script, clients, seconds, *options):
    """Run wrk on the load's core; what it counted."""

    return said(on_load_core(
        "wrk", "-t1", "-c%d" % clients, "-d%ds" % seconds, *options, "-s",
        script, "http://127.0.0.1:%d%s" % (port, path)))


def said(command, given=None):
    """Run a load; the JSON that it ends with."""

    r = subprocess.run(command, capture_output=True, input=given)
    last = r.stdout.decode().strip().rpartition("\n")[2]

    if r.returncode or not last.startswith("{"):
        raise Failure("%s: %s" % (os.path.basename(command[3]),
                                  (r.stdout + r.stderr).decode()))

    return json.loads(last)


class Load:
    """What wrk sends in one cell, and what has come of it so far."""

    def __init__(self, nginx, name, request, lua_request="", clients=None,
                 slack=0.01):
        self.nginx = nginx
        self.clients = clients or connections()
        self.slack = slack
        self.name = name
        self.request = request
        self.lua_request = lua_request
        self.faults = []
        self.rounds = []        # (CPU us/request, requests/s) of each round
        self.begin()

        # wire length of one answer: loads count bytes, but look at no body
        answer = nginx.ask(request)
        check(request, answer)
        self.wire = answer.wire
        self.status = answer.status

    def load(self, seconds):
        script = wrk_script("%s/%s.lua" % (
            self.nginx.folder, re.sub(r"\W", "-", self.name)), self.request,
            self.lua_request)

        return wrk(self.nginx.port, self.request.path, script, self.clients,
                   seconds)

    def begin(self):
        self.ns = self.us = self.requests = 0

    def run(self, seconds):
        """One slice; adds to the round, and returns what was counted."""

        before = self.nginx.drain()
        got = self.load(seconds)
        self.ns += self.nginx.drain() - before
        self.us += got["us"]
        self.requests += got["requests"]

        if not got["requests"]:
            self.faults.append("no request was answered")
            return got

        if got["status"] or got["socket"]:
            self.faults.append("%d error statuses, %d socket errors"
                               % (got["status"], got["socket"]))

        # ages and ids may grow by a few digits
        wire = got["bytes"] / got["requests"]

        if abs(wire - self.wire) > 8 + self.slack * self.wire:
            self.faults.append("answers of %.0f bytes, not %d"
                               % (wire, self.wire))

        return got

    def end(self):
        if self.requests:
            self.rounds.append((self.ns / 1000 / self.requests,
                                self.requests * 1000000 / self.us))
        self.begin()


def lua(text):
    """A Lua string; json's escapes are Lua's, for plain ASCII."""

    return json.dumps(text)


def measure(pairs, rounds, seconds, warm_up):
    """
    Interleave: in each round the loads of a pair take turns second by second,
    the order turning round each time, so that drift of the machine hits both.
    """

    loads = [load for pair in pairs for load in pair]

    for load in loads:
        load.run(warm_up)
        load.begin()

    for n in range(rounds):
        for pair in pairs:
            for second in range(seconds):
                for load in pair[::-1] if (n + second) % 2 else pair:
                    load.run(1)

        for load in loads:
            load.end()

    for load in loads:
        try:
            check(load.request, load.nginx.ask(load.request))
        except Failure as e:
            load.faults.append(str(e))


def table(title, base_title, rows, limit):
    """Rows of one load each, and of the load that it is compared with."""

    print("| %s, 1 worker, wrk -t1 -c%d | CPU µs/request,"
          " min / median / max | × %s | target |"
          % (title, connections(), base_title))
    print("|---|---|---|---|")

    for row, base in rows:
        if row.faults or not row.rounds:
            print("| %s | FAILED: %s |||"
                  % (row.name, "; ".join(sorted(set(row.faults)))))
            continue

        cost = [us for us, _ in row.rounds]
        median = statistics.median(cost)
        last = " | |"

        if base and base.rounds:
            ratio = median / statistics.median([us for us, _ in base.rounds])
            last = "**%.2f** | ≤ %.1f, %s |" % (
                ratio, limit, "met" if ratio <= limit else "not met")

        print("| %s | %.2f / %.2f / %.2f | %s" % (
            row.name, min(cost), median, max(cost), last))
