# Copyright (C) the msgbus authors

"""httperf: replies at an attempted rate, whatever the server makes of it.

It sends a User-Agent of its own, in front of any other: what it asks for must
not depend on that.
"""

import re
import statistics
import subprocess

import rig

# what counts as reached: so much of what was attempted, and hardly an error

REPLIES = 0.97
ERRORS = 0.01

# replies a second over the whole run, the wait for the last ones included: a
# server that answers at its leisure afterwards has not kept up

KEPT_UP = 0.9

FIELDS = {
    "connections": r"Total: connections (\d+)",
    "seconds": r"test-duration ([\d.]+) s",
    "rate": r"Request rate: ([\d.]+) req/s",
    "response_ms": r"Reply time \[ms\]: response ([\d.]+)",
    "samples": r"stddev [\d.]+ \((\d+) samples\)",
    "deviation": r"Reply rate .* stddev ([\d.]+) ",
    "ok": r"Reply status: 1xx=\d+ 2xx=(\d+)",
    "errors": r"Errors: total (\d+)",
    "unavailable": r"fd-unavail (\d+)",
}


def run(port, request, rate, calls, seconds, timeout):
    """One run at so many requests a second, `calls` a connection."""

    number = max(round(rate * seconds / calls), 1)

    command = [
        "taskset", "-c", str(rig.LOAD_CPU), "httperf", "--server=127.0.0.1",
        "--port=%d" % port, "--uri=" + request.path,
        "--rate=%g" % (rate / calls), "--num-conns=%d" % number,
        "--num-calls=%d" % calls, "--timeout=%g" % timeout,
    ]

    r = subprocess.run(command, capture_output=True, text=True)

    if r.returncode:
        raise rig.Failure("httperf: " + (r.stderr or r.stdout).strip())

    found = {}

    for name, pattern in FIELDS.items():
        match = re.search(pattern, r.stdout)

        if match is None:
            raise rig.Failure("httperf says nothing of %s:\n%s"
                              % (name, r.stdout))

        found[name] = float(match[1])

    found["attempted"] = number * calls

    return found


def point(server, request, rate, calls, seconds, samples, timeout):
    """
    A point of the four graphs.  With one sample the deviation is httperf's
    own, over its samples of five seconds; else it is that of the runs.
    """

    before = server.drain()
    runs = []

    for _ in range(samples):
        runs.append(run(server.port, request, rate, calls, seconds, timeout))

    ns = server.drain() - before

    attempted = sum(r["attempted"] for r in runs)
    answered = sum(r["ok"] for r in runs)
    rates = [r["ok"] / r["seconds"] for r in runs]

    lost = 1 - answered / attempted
    errors = sum(r["errors"] for r in runs) / sum(
        max(r["connections"], r["attempted"] / calls) for r in runs)

    return {
        "attempted": rate,
        "calls": calls,
        "throughput": statistics.mean(rates),
        "deviation": (statistics.stdev(rates) if samples > 1
                      else runs[0]["deviation"]),
        "response_ms": (sum(r["response_ms"] * r["ok"] for r in runs)
                        / answered if answered else None),
        "errors": 100 * lost,
        "client": sum(r["unavailable"] for r in runs),
        "us": ns / 1000 / answered if answered else None,
        "reached": bool(answered >= REPLIES * attempted and errors < ERRORS
                        and statistics.mean(rates) >= KEPT_UP * rate),
    }
