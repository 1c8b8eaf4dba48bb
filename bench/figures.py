#!/usr/bin/env python3
"""What the bench measured, and the tables of README and docs/ that come of it.

    figures.py --keep FILE <LINES    keep what was measured in FILE, and print it
    figures.py                       print the tables, of what is kept here
    figures.py PAGE...               put each where a page has one with the same heads

A line of JSON has a figure of a program in one round; a file the values of all rounds, as
measured[figure][program][quantity].
"""
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent

# What a row compares timesvc-static and timesvc with; the figure, and its quantity.
RATIOS = (
    ("connections a second, beside a Python handler", ("handler.py", "handler.py"),
     "connections-1", "per_second"),
    ("... a shell handler", ("handler.sh", "handler.sh"), "connections-1", "per_second"),
    ("... the floor: an empty program, linked alike, with a fixed reply",
     ("floor", "linked"), "connections-1", "per_second"),
    ("... the floor, 8 clients at once", ("floor", "linked"),
     "connections-8", "per_second"),
    ("... a threaded Python server, which starts no process", ("threaded.py", "threaded.py"),
     "connections-1", "per_second"),
    ("... xinetd's own daytime, which starts none either", ("xinetd", "xinetd"),
     "connections-1", "per_second"),
    ("pipelined replies a second, beside a handler that does not look at its input",
     ("linked", "linked"), "pump", "per_second"),
    ("private memory of an idle connection, beside a Python handler",
     ("handler.py", "handler.py"), "memory", "private_kb"),
)

UNITS = (
    ("bare, with the floor", "bare"),
    ("as shipped", "shipped"),
    ("with static.conf", "static"),
    ("with most-sandboxed.conf", "most-sandboxed"),
)


def times(ratio):
    if ratio < 0.1:
        return f"1/{1 / ratio:.0f}"
    return f"{ratio:.0f} ×" if ratio >= 10 else f"{ratio:.2f} ×"


def middle(values, form):
    return form(statistics.median(values))


def spread(values, form):
    return f"{middle(values, form)} ({form(min(values))} to {form(max(values))})"


def beside(figure, quantity, ours, theirs):
    """Their ratio in each round, in which they took turns: what slows the machine slows both."""
    return [a / b for a, b in zip(figure[ours][quantity], figure[theirs][quantity])]


def releases(measured):
    return sorted(figure for figure in measured if figure.startswith("systemd "))


def ratios(measured, show=middle):
    yield "ratio", "`timesvc-static`", "`timesvc`"
    for title, others, figure, quantity in RATIOS:
        pairs = zip(("timesvc-static", "timesvc"), others)
        yield (title, *(show(beside(measured[figure], quantity, *pair), times) for pair in pairs))


def units(measured, show=middle):
    systemds = [measured[release] for release in releases(measured)]
    yield "unit", *releases(measured), "exposure"
    for title, unit in UNITS:
        yield (title, *(show(beside(systemd, "first_reply_us", unit, "bare"), "{:.1f} ×".format)
                        for systemd in systemds), systemds[0][unit]["exposure"][0])


def machine(measured, cores):
    def median(figure, program, quantity):
        return statistics.median(measured[figure][program][quantity])

    static = median("connections-8", "timesvc-static", "per_second")
    million = 1_000_000 / static * cores
    yield "the machine of the bench", "figure"
    yield "cores", cores
    yield "connections a second, `timesvc-static` under tcpserver, 8 clients", f"{static:,.0f}"
    yield "... `timesvc`, the same", f"{median('connections-8', 'timesvc', 'per_second'):,.0f}"
    for release in releases(measured):
        yield (f"... `timesvc` by the shipped unit, {release}, one client",
               f"{median(release, 'shipped', 'per_second'):,.0f}")
    yield ("private memory of an idle connection, `timesvc-static`",
           f"{median('memory', 'timesvc-static', 'private_kb'):.0f} KB")
    yield "cores for a million connections a second, at the first rate", f"{million:,.0f}"
    yield "... in hosts of 64 cores", f"{-(-million // 64):,.0f}"


def text(rows):
    heads, *others = rows
    lines = [heads, ["---"] * len(heads), *others]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def tables():
    results, systemd = (json.loads((HERE / name).read_text())
                        for name in ("results.json", "results-systemd.json"))
    measured = results["measured"] | systemd["measured"]
    return [text(ratios(measured)), text(units(measured)),
            text(machine(measured, results["machine"]["cores"]))]


def put(page):
    content = page.read_text()
    for table in tables():
        heads = re.escape(table.split("\n")[0])
        content = re.sub(rf"^{heads}\n(\|.*\n)*", lambda _: table, content, flags=re.M)
    page.write_text(content)


def this_machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*: (.*)", file.read(), re.M)
    version = subprocess.run([HERE.parent / "timesvc", "--version"], capture_output=True,
                             text=True, check=True).stdout.strip()
    return {"processor": model[1] if model else platform.machine(), "cores": os.cpu_count(),
            "kernel": f"{platform.system()} {platform.release()}", "program": version}


def save(path, results):
    """As JSON, with the rounds in one line."""
    rounds = re.compile(r"\[[^]]*\]")
    path.write_text(rounds.sub(lambda found: " ".join(found[0].split()),
                               json.dumps(results, indent=1)) + "\n")


def keep(path, lines):
    measured = {}
    for line in map(json.loads, lines):
        program = measured.setdefault(line["figure"], {}).setdefault(line["program"], {})
        for quantity, value in line["values"].items():
            program.setdefault(quantity, []).append(value)
    save(path, {"machine": this_machine(), "measured": measured})
    for figure, programs in measured.items():
        for program, quantities in programs.items():
            for quantity, values in quantities.items():
                print(f"{figure:14} {program:15} {quantity:15} {spread(values, '{:,.1f}'.format)}")
    print(f"\nThe ratios of each round: the median (lowest to highest).\n"
          f"{text((units if releases(measured) else ratios)(measured, spread))}", end="")


if sys.argv[1:2] == ["--keep"]:
    keep(pathlib.Path(sys.argv[2]), sys.stdin)
elif len(sys.argv) > 1:
    for name in sys.argv[1:]:
        put(pathlib.Path(name))
else:
    print("\n".join(tables()), end="")
