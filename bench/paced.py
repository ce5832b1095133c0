# Copyright (C) the msgbus authors

"""A load at a fixed rate: bench/paced.c in place of wrk.

Two servers cannot be compared while each is driven as fast as it can: the
faster one keeps its client busy, while the slower one also pays, in the
kernel, for waking a client that waits for it.  At the same rate, and with a
client that goes by the clock, both pay for what they do and for no more.
"""

import programs
import rig


def rate():
    """Requests a second, which the slowest of what is compared must reach."""

    return rig.number("RATE", 20000)


class Load(rig.Load):
    """One cell, as rig.Load; and how many turns found no answer yet."""

    def __init__(self, server, name, request):
        super().__init__(server, name, request)
        self.late = 0

    def load(self, seconds):
        got = rig.said(rig.on_load_core(
            programs.compiled("paced"), "127.0.0.1:%d" % self.nginx.port,
            str(self.clients), str(rate()), str(seconds), str(self.status)),
            rig.Client.rendered(self.nginx.port, self.request))
        self.late += got["late"]

        return got
