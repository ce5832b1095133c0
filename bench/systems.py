# Copyright (C) the msgbus authors

"""The systems that are compared: what each is, how it starts, what it is asked.

A new one is an entry in SYSTEMS; what it runs in is in environments.py.
"""

import collections
import hashlib
import json
import os
import re
import time
import urllib.parse

import cells
import environments
import rig
import work

# kind is "original" (a port of the bus), "msgbus", "peer", "streams", "ceiling";
# stores are the databases below it, None for none; start(database) gives a
# server to use in `with`; fill(server) puts the events there when no database
# has them; requests(server) what to ask it; clients: connections of wrk for
# each work, where it is not 64.

System = collections.namedtuple(
    "System", "name kind group environments stores start fill requests"
    " warm_up clients note")

MODULES = ("/usr/lib/nginx/modules", "/usr/share/nginx/modules",
           "/usr/lib64/nginx/modules")

# RSE's way to insert looks for the highest id and tries anew when another was
# faster: from three connections on more of them cost more and store less, and
# some run out of their ten tries

POSTERS = 2

# enough for a server whose core is busy with two or three

CLIENTS = {"GET": 16, "GET-204": 16, "catch-up": 16, "POST": POSTERS}

# what must be compiled, or the port ends

COMPILED = {
    "rawr": "rawr",
    "rawr handler": "rawr rse rse_handler rse_pymongo",
    "tornado": "rse bus",
}


def nothing(*_):
    pass


# --- the original's systems

def port(name, group, environment, command, path=(), compiled=None,
         warm_up=1, note=""):
    """A port; path: folders in front of ports/common."""

    def start(database):
        env = database.env()
        env["PYTHONPATH"] = os.pathsep.join(
            [p() for p in path] + [environments.port("common")])
        env["PYTHONSAFEPATH"] = env["PYTHONDONTWRITEBYTECODE"] = "1"
        env["PYTHONWARNINGS"] = "ignore"
        env["NODE_PATH"] = environments.folder("node") + "/node_modules"
        env["BUS_COMPILED"] = COMPILED[compiled] if compiled else ""

        return rig.Program([word() if callable(word) else word
                            for word in command], env, has_page)

    needs = (environment, "compiled") if compiled else (environment,)

    return System(name, "original", group, needs, ("real", "fake"), start,
                  nothing, work.rse, warm_up, CLIENTS, note)


def has_page(server):
    return server.ask(work.rse(server)["GET"]).status == 200


def binary(environment, name):
    return lambda: os.path.join(environments.folder(environment), "bin", name)


def script(name):
    return lambda: environments.port(name)


def compiled(name):
    return lambda: environments.compiled(name)


def python(environment, name):
    return [binary(environment, "python"), script(name), "{port}"]


CYRAWR = python("cpython", "cyrawr/server.py")
TORNADO = script("tornado")

ORIGINALS = (
    port("Gevent", "gevent", "cpython",
         python("cpython", "gevent/server.py"),
         note="gevent.pywsgi, with TCP_NODELAY"),
    port("Gevent CyRawr", "gevent", "cpython", CYRAWR,
         [compiled("rawr")], "rawr",
         note="the HTTP layer compiled by Cython, on gevent's sockets"),
    port("Gevent CyRawr CyHandler", "gevent", "cpython", CYRAWR,
         [compiled("rawr"), compiled("handler")], "rawr handler",
         note="the bus compiled by Cython, too"),
    port("uWSGI Gevent", "gevent", "uwsgi",
         [binary("uwsgi", "uwsgi"), "--http", "127.0.0.1:{port}",
          "--http-keepalive=1", "--gevent", "1024", "--gevent-monkey-patch",
          "--lazy-apps", "--module", "rse_wsgi", "--master", "--processes",
          "1", "--listen", "1024", "--disable-logging", "--die-on-term"],
         note="one worker; its HTTP router is counted, too"),
    port("Gunicorn Gevent", "gevent", "cpython",
         [binary("cpython", "gunicorn"), "-k", "gevent", "-w", "1",
          "--backlog", "1024", "-b", "127.0.0.1:{port}",
          "rse_wsgi:application"], note="one worker"),

    port("Tornado Motor", "tornado", "cpython",
         python("cpython", "tornado/server.py"), [TORNADO],
         note="coroutines"),
    port("Tornado Motor CyHandler", "tornado", "cpython",
         python("cpython", "tornado/server.py"), [compiled("tornado")],
         "tornado", note="handler and bus compiled by Cython"),
    port("Tornado Motor callbacks", "tornado", "callbacks",
         python("callbacks", "tornado-callbacks/server.py"),
         note="the versions of the era: Tornado 5.1, Motor 1.3, PyMongo 3.13"),
    port("Tornado Motor PyPy", "tornado", "pypy",
         python("pypy", "tornado/server.py"), [TORNADO], warm_up=8,
         note="coroutines"),
    port("Tornado Motor callbacks PyPy", "tornado", "pypy-callbacks",
         python("pypy-callbacks", "tornado-callbacks/server.py"), warm_up=8,
         note="the versions of the era"),

    port("wsgiref", "others", "cpython",
         python("cpython", "wsgiref/server.py"),
         note="HTTP/1.0: one request a connection, one at a time"),
    port("wsgiref PyPy", "others", "pypy",
         python("pypy", "wsgiref/server.py"), warm_up=8,
         note="HTTP/1.0: one request a connection, one at a time"),
    port("Node.js", "others", "node",
         ["node", script("node/server.js"), "{port}"], warm_up=2),
)


# --- the module

LOCATIONS = """
        location / { msgbus bus; msgbus_rse on; }
"""


def modules(*names):
    found = []

    for name in names:
        for folder in MODULES:
            if os.path.exists(os.path.join(folder, name)):
                found.append(os.path.join(folder, name))
                break
        else:
            raise environments.Unavailable("no %s in %s"
                                           % (name, " or ".join(MODULES)))

    return found


def msgbus_memory(_):
    return rig.Nginx("    msgbus_zone zone=bus:64m ttl=1h first_id=1;\n",
                     LOCATIONS, [rig.MODULE])


def msgbus_mongodb(database):
    return rig.Nginx(
        "    msgbus_mongodb main { uri %s; database %s; poll 50ms; }\n"
        "    msgbus_zone zone=bus:64m store=main ttl=1h;\n" % (
            database.uri, database.env()["BUS_DATABASE"]),
        LOCATIONS, [rig.MODULE])


def is_filled(server):
    """A start fills the log from the database."""

    deadline = time.monotonic() + 30

    while not has_page(server):
        if time.monotonic() > deadline:
            raise rig.Failure("the log is not filled after 30 s")

        time.sleep(0.1)


def mongodb_clients():
    return {"POST": rig.number("BENCH_POSTERS", 256)}


MSGBUS = (
    System("msgbus, MongoDB", "msgbus", None, (), ("real", "fake"),
           msgbus_mongodb, is_filled, work.rse, 1, mongodb_clients(),
           "this module, one worker; 201 when the database has the event"),
    System("msgbus, memory", "msgbus", None, (), (None,),
           msgbus_memory, work.fill, work.rse, 1, {},
           "this module, one worker; its memory store: nothing is durable"),
)


# --- peers

MESSAGE = cells.event(1028)

NCHAN = """
        nchan_message_buffer_length 600;
        nchan_message_timeout 1h;
        nchan_subscriber_first_message oldest;
        nchan_max_channel_subscribers 10000;

        location = /pub/page   { nchan_publisher; nchan_channel_id page; }
        location = /pub/behind { nchan_publisher; nchan_channel_id behind; }
        location = /pub/post   { nchan_publisher; nchan_channel_id post; }

        location = /sub/page {
            nchan_subscriber intervalpoll;
            nchan_channel_id page;
        }

        location = /sub/behind {
            nchan_subscriber intervalpoll;
            nchan_channel_id behind;
        }
"""


def nchan(_):
    return rig.Nginx("    nchan_shared_memory_size 64m;\n", NCHAN,
                     modules("ngx_nchan_module.so"))


def nchan_post(channel, body):
    def check(answer):
        assert 200 <= answer.status <= 202, answer.status

    return rig.Request("POST", "/pub/" + channel,
                       {"User-Agent": cells.WRITER}, body, check)


def nchan_get(channel, status, body, headers=None):
    def check(answer):
        assert answer.status == status and answer.body == body

    return rig.Request("GET", "/sub/" + channel,
                       dict(headers or {}, **{"User-Agent": cells.READER}),
                       b"", check)


def nchan_fill(server):
    with rig.Client(server.port) as client:
        for channel, body in ([("page", MESSAGE)]
                              + [("behind", work.STORED)] * 500):
            answer = client.ask(nchan_post(channel, body))

            if answer.status not in (201, 202):
                raise rig.Failure("Nchan: %d to a POST" % answer.status)


def nchan_requests(server):
    first = server.ask(nchan_get("page", 200, MESSAGE))
    cursor = {"If-Modified-Since": first.headers["last-modified"],
              "If-None-Match": first.headers["etag"]}

    return {
        "GET": nchan_get("page", 200, MESSAGE),
        "GET-204": nchan_get("page", 304, b"", cursor),
        "catch-up": nchan_get("behind", 200, work.STORED),
        "POST": nchan_post("post", cells.POSTED),
    }


WEBDIS = """{
    "redis_host": "127.0.0.1", "redis_port": %d,
    "http_host": "127.0.0.1", "http_port": %d,
    "threads": 1, "pool_size": 16, "daemonize": false,
    "websockets": false, "acl": [{"disabled": []}],
    "verbosity": 1, "logfile": "/dev/null"
}
"""


class Webdis(rig.Program):
    """Webdis on the server's core, Redis beside the load as databases are."""

    def __init__(self):
        rig.Program.__init__(
            self, ["webdis", "{folder}/webdis.json"], {},
            lambda server: server.ask(webdis_get("PING", None)).status == 200)

        self.redis = rig.Program(
            ["redis-server", "--port", "{port}", "--bind", "127.0.0.1",
             "--save", "", "--dir", "{folder}"], {}, redis_is_ready)

    def __enter__(self):
        with open(self.folder + "/webdis.json", "w") as f:
            f.write(WEBDIS % (self.redis.port, self.port))

        self.redis.on = rig.LOAD_CPU
        self.redis.__enter__()

        try:
            return rig.Program.__enter__(self)
        except BaseException:
            self.redis.stop()
            raise

    def __exit__(self, *why):
        try:
            rig.Program.__exit__(self, *why)
        finally:
            self.redis.__exit__(*why)

    def database_cpu(self):
        return self.redis.cpu()


def redis_is_ready(server):
    rig.socket.create_connection(("127.0.0.1", server.port)).close()
    return True


def webdis_get(command, check):
    return rig.Request("GET", "/" + command, {"User-Agent": cells.READER},
                       b"", check)


def webdis_add(stream, number, data):
    """number: the event's id, or "*"."""

    def check(answer):
        assert answer.status == 200 and b'{"XADD":"' in answer.body

    body = "XADD/%s/MAXLEN/~/10000/%s/data/%s" % (
        stream, number, urllib.parse.quote(data.decode(), safe=""))

    return rig.Request("POST", "/", {"User-Agent": cells.WRITER},
                       body.encode(), check)


def webdis_fill(server):
    script = rig.Request("POST", "/", {"User-Agent": cells.WRITER}, (
        "SCRIPT/LOAD/" + urllib.parse.quote(PAGE, safe="")).encode(), None)

    with rig.Client(server.port) as client:
        assert PAGE_SHA in client.ask(script).body.decode()

        for n, channel in enumerate(work.CHANNELS, 1):
            request = webdis_add(channel.rpartition("/")[2], "%d-1" % n,
                                 EVENT)
            rig.check(request, client.ask(request))


# as large as an event of the bus is on the wire

EVENT = cells.event(140)

# Webdis writes no lists within lists, which is what XRANGE answers: this makes
# one list of ids and data

PAGE = ("local l = {} for _, e in ipairs(redis.call('XRANGE', KEYS[1],"
        " ARGV[1], '+', 'COUNT', ARGV[2])) do l[#l + 1] = e[1]"
        " l[#l + 1] = e[2][2] end return l")
PAGE_SHA = hashlib.sha1(PAGE.encode()).hexdigest()


def webdis_requests(_):
    def some(count):
        def check(answer):
            found = json.loads(answer.body)["EVALSHA"]
            cells.equal(found[1::2], [EVENT.decode()] * count)

        return check

    def none(answer):
        assert answer.status == 200 and answer.body == b'{"EVALSHA":[]}'

    def page(stream, after, most, check):
        return webdis_get("EVALSHA/%s/1/%s/%s/%d" % (
            PAGE_SHA, stream, after, most), check)

    return {
        "GET": page("page", "0", 200, some(7)),
        "GET-204": page("quiet", "508-2", 200, none),
        "catch-up": page("behind", "7-2", 500, some(500)),
        "POST": webdis_add("post", "*", cells.POSTED),
    }


PEERS = (
    System("Nchan", "peer", None, ("nchan",), (None,), nchan, nchan_fill,
           nchan_requests, 1, {},
           "nginx with Nchan, memory store; one message a GET, so catch-up is"
           " one of its 500 GETs; 304 for nothing new; no check of JSON"),
    System("Webdis, Redis Streams", "peer", None, ("webdis",), (None,),
           lambda _: Webdis(), webdis_fill, webdis_requests, 1, {},
           "XADD, and XRANGE in a script, since Webdis cannot show its answer;"
           " Redis beside the load as databases are; nothing new is 200; no"
           " check of JSON"),
)


# --- ceilings: what plain nginx needs for answers of these sizes

def ceiling(_):
    return rig.Nginx("", cells.ceiling(1028), [rig.ceiling_module()])


def ceiling_requests(_):
    def page(answer):
        assert answer.status == 200 and len(answer.body) == 1028

    return {
        "GET": cells.get("/page/", page),
        "GET-204": cells.get("/none/", cells.nothing),
        "POST": cells.post("/body/", cells.POSTED, False),
    }


CEILINGS = (
    System("nginx ceiling", "ceiling", None, (), (None,), ceiling, nothing,
           ceiling_requests, 1, {},
           "`return 200` of 1 KiB; `return 204`; a module that reads the body"
           " and answers 201"),
)


# --- streams: bench/push/run measures them, and has its own way to start all

STREAMS = (
    System("SSE streams", "streams", None, ("nchan", "gcc"), (None,), None,
           nothing, None, 0, {},
           "SSE to 1,000, and the memory of who waits: the module, Nchan, a"
           " bare epoll server, and a request that nginx holds open"),
)


def by_anyone(requests):
    return requests.get("GET by anyone", requests["GET"])


SYSTEMS = CEILINGS + MSGBUS + PEERS + ORIGINALS
ALL = CEILINGS + MSGBUS + PEERS + STREAMS + ORIGINALS


def named(text):
    """The system that somebody means by this text."""

    def plain(name):
        return re.sub("[^a-z0-9]", "", name.lower())

    for system in ALL:
        if plain(system.name) == plain(text):
            return system

    raise rig.Failure('no system "%s"; there are: %s' % (
        text, ", ".join('"%s"' % s.name for s in ALL)))
