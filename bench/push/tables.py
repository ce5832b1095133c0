# Copyright (C) the msgbus authors

"""The figures of bench/push/run as Markdown."""

import statistics


def percentile(values, p):
    if not values:
        return float("nan")

    values = sorted(values)

    return values[min(len(values) - 1, int(p * len(values)))]


def pair(values):
    """Microseconds: p50 / p99 in milliseconds."""

    if not values:
        return "-"

    return "%.2f / %.2f" % (percentile(values, 0.5) / 1e3,
                            percentile(values, 0.99) / 1e3)


def spread(values, form):
    return " / ".join(form % v for v in
                      (min(values), statistics.median(values), max(values)))


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]

    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def names(rows):
    return list(dict.fromkeys(row["system"] for row in rows))


def of(rows, part, **fields):
    return [row for row in rows if row["part"] == part
            and all(row[k] == v for k, v in fields.items())]


def per_second(run):
    return run["deliveries"] / run["seconds"]


def per_delivery(run):
    return run["cpu"] / 1e3 / max(run["deliveries"], 1)


def fanout(rows):
    text = []

    for n in dict.fromkeys(row["subscribers"] for row in rows):
        some = of(rows, "fanout", subscribers=n)

        text.append("### 300 bytes to %s subscribers" % format(n, ","))
        text.append(throughput(some))
        text.append(latency(some))
        text.append(
            "%d rounds; noise of the floor: deliveries/s ±%.0f %%. The load's "
            "own core was busy for %s of the bursts: near 100 %% it is the "
            "load that is measured." % (
                len(set(row["round"] for row in some)),
                noise([per_second(row["burst"]) for row in
                       of(some, "fanout", system=names(some)[0])]),
                load(some)))

    return "\n\n".join(text)


def throughput(rows):
    """Deliveries/s, beside those of the floor in the same round, and CPU."""

    out = []

    for name in names(rows):
        line = [name]

        for run in ("one", "burst"):
            floor = {row["round"]: per_second(row[run]) for row
                     in of(rows, "fanout", system="floor")}
            mine = {row["round"]: per_second(row[run]) for row
                    in of(rows, "fanout", system=name)}
            ratios = [mine[k] / floor[k] for k in mine if floor.get(k)]

            line += [
                spread([rate / 1000 for rate in mine.values()], "%.0f"),
                "**%.2f** (%.2f-%.2f)" % (
                    statistics.median(ratios), min(ratios), max(ratios))
                if ratios else "-",
                spread([per_delivery(row[run]) for row
                        in of(rows, "fanout", system=name)], "%.2f")]

        out.append(line)

    return table(
        ["SSE, 1 worker, min / median / max",
         "one event at a time: 1,000 deliveries/s", "× floor (each round)",
         "CPU µs/delivery",
         "4 under way: 1,000 deliveries/s", "× floor (each round)",
         "CPU µs/delivery"], out)


def latency(rows):
    out = []

    for name in names(rows):
        mine = of(rows, "fanout", system=name)

        out.append([name] + [
            pair([t for row in mine for t in row[run][kind]])
            for run, kind in (("one", "last"), ("one", "post"),
                              ("busy", "last"), ("busy", "post"),
                              ("busy", "probe"))])

    return table(
        ["p50 / p99 ms", "one at a time: POST → last", "POST's own answer",
         "at %.1f posts/s, at random: POST → last" % rows[0]["rate"],
         "POST's own answer", "answer of a POST to a quiet channel"], out)


def load(rows):
    return ", ".join("%.0f %% (%s)" % (statistics.median(
        100 * row["burst"]["load_cpu"] / 1e9 / row["burst"]["seconds"]
        for row in of(rows, "fanout", system=name)), name)
        for name in names(rows))


def noise(values):
    return (max(values) - min(values)) / 2 / statistics.median(values) * 100


def memory(rows):
    def bytes_of(name, smallest, key):
        for row in of(rows, "memory", system=name, smallest=smallest):
            if row[key] is not None:
                return format(round(row[key]), ",")
        return "-"

    out = [[name] + [bytes_of(name, smallest, key)
                     for smallest in (False, True)
                     for key in ("own", "after", "shared")]
           for name in names(rows)]

    return "### Memory of a waiting subscriber\n\n%s\n\n%s" % (
        table(["bytes each, of %s" % format(rows[0]["subscribers"], ","),
               "default pools", "after 60 events", "shared memory",
               "smallest pools", "after 60 events", "shared memory"], out),
        "Without the slot of nginx's table of connections, which is there "
        "from the start, and without the kernel's sockets.")


def crowd(rows):
    out = []

    for name in names(rows):
        mine = of(rows, "crowd", system=name)
        lasts = [t for row in mine for t in row["one"]["last"]]

        out.append([
            name, format(mine[0]["subscribers"], ","),
            str(mine[0]["workers"]), "%.1f" % mine[0]["opened"],
            format(round(mine[0]["own"]), ","),
            format(round(mine[0]["shared"]), ","),
            spread([t / 1e3 for t in lasts], "%.0f") if lasts else "-",
            "%.2f" % statistics.median(per_delivery(row["one"])
                                       for row in mine)])

    return "### A crowd\n\n%s" % table(
        ["SSE", "subscribers", "workers", "let in within s",
         "bytes a subscriber", "of shared memory",
         "one event to all, ms, min / median / max", "CPU µs/delivery"], out)


def stall(rows):
    out = []

    for name in names(rows):
        mine = of(rows, "stall", system=name)
        first, last = mine[0], mine[-1]

        def cost(row):
            return row["cpu"] / 1e6 / max(row["posts"], 1)

        out.append([
            name,
            "%d" % sum(row["one"]["posts"] for row in mine),
            "%.3f / %.3f" % (cost(first["one"]), cost(last["one"])),
            " / ".join("%.1f" % (row["own"] / 1e6) for row in (first, last)),
            " / ".join("%.1f" % (row["shared"] / 1e6)
                       for row in (first, last)),
            pair([t for row in mine[-1:] for t in row["one"]["post"]]),
        ])

    return "### %d clients that never read, 10 KB events\n\n%s" % (
        rows[0]["subscribers"],
        table(["SSE", "posts", "CPU ms/post, first / last 1,000",
               "more MB of its own, after the first / last 1,000",
               "more MB of shared memory, likewise",
               "a POST's answer, last 1,000, p50 / p99 ms"], out))


def render(rows, faults, machine):
    parts = []

    for part, function in (("fanout", fanout), ("memory", memory),
                           ("crowd", crowd), ("stall", stall)):
        some = of(rows, part)

        if some:
            parts.append(function(some))

    if faults:
        parts.append("### Faults\n\n" + "\n".join("- " + f for f in faults))

    return "\n\n".join(parts + [machine])
