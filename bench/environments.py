# Copyright (C) the msgbus authors

"""What the ports run in: virtual environments, node_modules, compiled modules.

Each is made once, in .cache/bench/, with the versions that are pinned in
bench/ports/, and made anew when those or the interpreter change.  What cannot
be had raises Unavailable with the reason.
"""

import concurrent.futures
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading

import rig

PORTS = os.path.join(rig.BENCH, "ports")
ROOT = os.path.dirname(rig.BENCH)
CACHE = os.path.join(ROOT, ".cache", "bench")

# what Cython compiles, by the name of the folder that it comes to

COMPILED = {
    "rawr": ("cyrawr/rawr.py",),
    "handler": ("common/rse.py", "common/rse_handler.py",
                "common/rse_pymongo.py"),
    "tornado": ("common/rse.py", "tornado/bus.py"),
}


class Unavailable(rig.Failure):
    """A system cannot be had here: why, in a sentence."""


def folder(name):
    return os.path.join(CACHE, name)


def python(name):
    return os.path.join(folder(name), "bin", "python")


def compiled(name):
    return os.path.join(folder("compiled"), name)


def port(name):
    return os.path.join(PORTS, name)


def prepare(name):
    """Make the environment of this name, if it is not there yet."""

    {
        "cpython": lambda: venv(name, sys.executable, CPYTHON, "cpython"),
        "uwsgi": lambda: venv(name, sys.executable, CPYTHON, "uwsgi"),
        "callbacks": lambda: venv(name, sys.executable, CPYTHON, "callbacks"),
        "pypy": lambda: venv(name, "pypy3", PYPY, "pypy"),
        "pypy-callbacks": lambda: venv(name, "pypy3", PYPY, "callbacks"),
        "compiled": cython,
        "node": node,
        "gcc": lambda: packages(CPYTHON),
        "nchan": lambda: packages(["libnginx-mod-nchan"]),
        "webdis": lambda: packages(["webdis", "redis-server"]),
    }[name]()


CPYTHON = ["gcc", "libc6-dev"]
PYPY = ["pypy3", "pypy3-dev", "pypy3-venv", "gcc", "libc6-dev"]

# what is made of another one comes after it; the rest at the same time

AFTER = {"compiled": "cpython"}

# apt has a lock, and whoever does not get it gives up

APT = threading.Lock()


def prepare_all(names):
    """All of these at once: why each cannot be had, or None."""

    names = set(names)
    names |= {AFTER[n] for n in names if n in AFTER}
    made = {}

    def make(name):
        if name in AFTER:
            made[AFTER[name]].result()

        try:
            prepare(name)
        except Unavailable as e:
            return str(e)

    with concurrent.futures.ThreadPoolExecutor(len(names) or 1) as pool:
        for name in sorted(names, key=lambda n: (n in AFTER, n)):
            made[name] = pool.submit(make, name)

    return {name: future.result() for name, future in made.items()}


def run(command, **more):
    """Run it; what it says last is the reason when it fails."""

    try:
        r = subprocess.run(command, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, errors="replace", **more)
    except OSError as e:
        raise Unavailable("%s: %s" % (command[0], e.strerror)) from None

    if r.returncode:
        lines = [line for line in r.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if re.search("error", line, re.I)]
        raise Unavailable("%s: %s" % (os.path.basename(command[0]),
                                      (errors or lines or ["failed"])[-1]))

    return r.stdout


def packages(names):
    with APT:
        run([os.path.join(ROOT, "tools", "deps")] + names)


def digest(*parts):
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def slurp(path):
    with open(path) as f:
        return f.read()


def made(name, want):
    """Whether it is there as wanted; else its folder is made empty."""

    stamp = os.path.join(folder(name), "made")

    if os.path.exists(stamp) and slurp(stamp) == want:
        return True

    print("making .cache/bench/%s ..." % name, flush=True)
    shutil.rmtree(folder(name), ignore_errors=True)
    os.makedirs(folder(name))

    return False


def done(name, want):
    with open(os.path.join(folder(name), "made"), "w") as f:
        f.write(want)


def venv(name, interpreter, needs, pinned):
    packages(needs)

    requirements = os.path.join(PORTS, "requirements", pinned + ".txt")
    want = digest(slurp(requirements),
                  run([interpreter, "-c", "import sys; print(sys.version)"]))

    if made(name, want):
        return

    try:
        run([interpreter, "-m", "venv", folder(name)])
    except Unavailable:
        # Debian has it in a package of its own
        packages(["python3-venv"])
        run([interpreter, "-m", "venv", folder(name)])

    run([python(name), "-m", "pip", "install", "--quiet", "-r", requirements])
    done(name, want)


def cython():
    prepare("cpython")

    sources = sorted({s for group in COMPILED.values() for s in group})
    want = digest(slurp(os.path.join(folder("cpython"), "made")),
                  *[slurp(port(s)) for s in sources])

    if made("compiled", want):
        return

    for name, group in COMPILED.items():
        os.makedirs(compiled(name))

        for source in group:
            shutil.copy(port(source), compiled(name))

    # Python.h is in a package of its own
    if not os.path.exists(os.path.join(sysconfig.get_path("include"),
                                       "Python.h")):
        packages(["python3-dev"])

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda item: cythonize(*item), COMPILED.items()):
            pass

    for name, group in COMPILED.items():
        for source in group:
            os.remove(os.path.join(compiled(name), os.path.basename(source)))

    done("compiled", want)


def cythonize(name, group):
    run([python("cpython"), "-m", "Cython.Build.Cythonize", "-3", "-q", "-i"]
        + [os.path.basename(source) for source in group], cwd=compiled(name))


def node():
    need_node()

    lock = port("node/package-lock.json")
    want = digest(slurp(lock), run(["node", "--version"]))

    if made("node", want):
        return

    for source in (port("node/package.json"), lock):
        shutil.copy(source, folder("node"))

    run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder("node"))
    done("node", want)


def need_node():
    if shutil.which("node") is None or shutil.which("npm") is None:
        packages(["nodejs", "npm"])

    version = run(["node", "--version"]).strip()
    numbers = [int(n) for n in re.findall(r"\d+", version)[:2]]

    if numbers < [20, 19]:
        raise Unavailable("its MongoDB driver needs Node.js 20.19, here is %s"
                          % version)
