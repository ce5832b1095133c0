# Copyright (C) the msgbus authors

"""The C programs of bench/: servers and loads, compiled when they are needed.

Each is made anew when a source of it, or a header, is younger than it is.
"""

import glob
import os
import subprocess

import rig

# the journal's rooms, without those that know of nginx's configuration

# of these the linker takes what the writer of events needs

STORE = tuple("../src/store/" + os.path.basename(f) for f in sorted(glob.glob(
    rig.BENCH + "/../src/store/ngx_msgbus_journal_*.c")))

# name -> sources, and the libraries that pkg-config knows them to need; what
# is of the module is compiled with nginx's headers

PROGRAMS = {
    "paced": (("paced.c",), None),
    "client": (("push/client.c", "push/subscribers.c", "push/poster.c",
                "push/load.c"), None),
    "floor": (("push/floor.c",), None),
    "many": (("many/load.c",), None),
    "fakemongo": (("fakemongo/fakemongo.c",), "libbson-1.0"),
    "rawinsert": (("fakemongo/rawinsert.c",), "libmongoc-1.0"),
    "writers": (("store/store.c", "store/journal.c", "store/sqlite.c",
                 "store/lmdb.c", "store/insert.c", "store/post.c", *STORE),
                "sqlite3 lmdb libmongoc-1.0"),
}


def compiled(name):
    """The path of a program."""

    files, library = PROGRAMS[name]
    sources = [os.path.join(rig.BENCH, f) for f in files + ("program.c",)]
    headers = (glob.glob(rig.BENCH + "/*.h") + glob.glob(rig.BENCH + "/*/*.h")
               + glob.glob(rig.BENCH + "/../src/*/*.h"))
    target = os.path.join(rig.WORK, name)

    if (os.path.exists(target) and os.path.getmtime(target)
            > max(map(os.path.getmtime, sources + headers))):
        return target

    os.makedirs(rig.WORK, exist_ok=True)
    command = [os.environ.get("CC") or "cc", "-O2", "-Wall", "-Wextra", "-o",
               target] + sources

    if any(f.startswith("../src/") for f in files):
        command += ["-Wno-unused-parameter", "-pthread", "-ffunction-sections",
                    "-fdata-sections", "-Wl,--gc-sections"] + [
            "-I" + folder for folder in
            [rig.NGINX_SRC + "/src/" + f
             for f in ("core", "event", "event/modules", "os/unix")]
            + [rig.BUILD, rig.BENCH + "/../src/base",
               rig.BENCH + "/../src/store"]]

    if library:
        command += said_by("pkg-config", "--cflags", "--libs",
                           *map(as_here, library.split())).split()

    said_by(*command)

    return target


def as_here(library):
    """The name that pkg-config has for it: libmongoc 2 has other ones."""

    rig.need("pkg-config", "pkg-config")

    later = {"libbson-1.0": "bson2", "libmongoc-1.0": "mongoc2"}.get(library)

    if later and not subprocess.call(["pkg-config", "--exists", later]):
        return later

    return library


def said_by(*command):
    rig.need(command[0], command[0])

    r = subprocess.run(command, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)

    if r.returncode:
        raise rig.Failure("%s:\n%s" % (" ".join(command), r.stdout[-2000:]))

    return r.stdout
