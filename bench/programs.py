# Copyright (C) the msgbus authors

"""The C programs of bench/: servers and loads, compiled when they are needed.

Each is made anew when a source of it, or a header, is younger than it is.
"""

import glob
import os
import subprocess

import rig

# name -> sources, and the library that pkg-config knows them to need

PROGRAMS = {
    "paced": (("paced.c",), None),
    "client": (("push/client.c", "push/subscribers.c", "push/poster.c",
                "push/load.c"), None),
    "floor": (("push/floor.c",), None),
    "fakemongo": (("fakemongo/fakemongo.c",), "libbson-1.0"),
    "rawinsert": (("fakemongo/rawinsert.c",), "libmongoc-1.0"),
}


def compiled(name):
    """The path of a program."""

    files, library = PROGRAMS[name]
    sources = [os.path.join(rig.BENCH, f) for f in files + ("program.c",)]
    headers = glob.glob(rig.BENCH + "/*.h") + glob.glob(rig.BENCH + "/*/*.h")
    target = os.path.join(rig.WORK, name)

    if (os.path.exists(target) and os.path.getmtime(target)
            > max(map(os.path.getmtime, sources + headers))):
        return target

    os.makedirs(rig.WORK, exist_ok=True)
    command = [os.environ.get("CC") or "cc", "-O2", "-Wall", "-Wextra", "-o",
               target] + sources

    if library:
        command += said_by("pkg-config", "--cflags", "--libs", library).split()

    said_by(*command)

    return target


def said_by(*command):
    rig.need(command[0], command[0])

    r = subprocess.run(command, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)

    if r.returncode:
        raise rig.Failure("%s:\n%s" % (" ".join(command), r.stdout[-2000:]))

    return r.stdout
