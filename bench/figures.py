#!/usr/bin/env python3
"""What the bench measured, and the tables of README and docs/ that come of it.

    figures.py --keep FILE COMMAND...  run what measures, and keep its figures in FILE
    figures.py                         print each figure and the tables: median (lowest to highest)
    figures.py PAGE...                 put each table where a page has one with the same heads

The command prints FIGURE,PROGRAM,QUANTITY,VALUE in each round; a file has the values of all rounds,
as measured[figure][program][quantity].
"""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
RESULTS, BY_SYSTEMD = (json.loads((HERE / name).read_text())
                       for name in ("results.json", "results-systemd.json"))
MEASURED = RESULTS["measured"] | BY_SYSTEMD["measured"]
RELEASES = sorted(BY_SYSTEMD["measured"])

# The figure, and what it compares timesvc-static and timesvc with.
RATIOS = (
    ("connections a second, compared with a Python handler", "connections-1", "handler.py", "handler.py"),
    ("... a shell handler", "connections-1", "handler.sh", "handler.sh"),
    ("... the floor, a fixed reply: confined like the left, linked like the right",
     "connections-1", "confined", "linked"),
    ("... the floor, 8 clients at once", "connections-8", "confined", "linked"),
    ("... a threaded Python server, which starts no process",
     "connections-1", "threaded.py", "threaded.py"),
    ("pipelined replies a second, compared with a handler that does not look at its input",
     "pump", "linked", "linked"),
    ("private memory of an idle connection, compared with a Python handler",
     "memory", "handler.py", "handler.py"),
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
    programs = MEASURED[figure]
    return [a / b for a, b in zip(programs[ours][quantity], programs[theirs][quantity])]


def ratios(show):
    yield "ratio", "`timesvc-static`", "`timesvc`"
    for title, figure, *others in RATIOS:
        quantity = "private_kb" if figure == "memory" else "per_second"
        pairs = zip(("timesvc-static", "timesvc"), others)
        yield title, *(show(beside(figure, quantity, *pair), times) for pair in pairs)


def units(show):
    yield "unit", *RELEASES, "exposure"
    for unit, title in (("bare", "bare, with the floor"), ("shipped", "as shipped"),
                        ("static", "with static.conf"),
                        ("most-sandboxed", "with most-sandboxed.conf"),
                        ("tcpserver", "timesvc-tcpserver.service")):
        yield (title, *(show(beside(release, "first_reply_us", unit, "bare"), times)
                        for release in RELEASES), MEASURED[RELEASES[0]][unit]["exposure"][0])


def machine():
    def median(figure, program, quantity="per_second"):
        return statistics.median(MEASURED[figure][program][quantity])

    cores = RESULTS["machine"]["cores"]
    static = median("connections-8", "timesvc-static")
    million = 1_000_000 / static * cores
    yield "the machine of the bench", "figure"
    yield "cores", cores
    yield "connections a second, `timesvc-static` under tcpserver, 8 clients", f"{static:,.0f}"
    yield "... `timesvc`, the same", f"{median('connections-8', 'timesvc'):,.0f}"
    for release in RELEASES:
        yield (f"... `timesvc` by the shipped unit, {release}, one client",
               f"{median(release, 'shipped'):,.0f}")
        yield (f"... `timesvc-static` by timesvc-tcpserver.service, {release}, 8 clients",
               f"{median(release, 'tcpserver-8'):,.0f}")
    yield ("private memory of an idle connection, `timesvc-static`",
           f"{median('memory', 'timesvc-static', 'private_kb'):.0f} KB")
    yield "cores for a million connections a second, at the first rate", f"{million:,.0f}"
    yield "... in hosts of 64 cores", f"{-(-million // 64):,.0f}"


def tables(show):
    for heads, *others in ratios(show), units(show), machine():
        lines = [heads, ["---"] * len(heads), *others]
        yield "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def put(page):
    content = page.read_text()
    for table in tables(middle):
        heads = re.escape(table.split("\n")[0])
        content = re.sub(rf"^{heads}\n(\|.*\n)*", lambda _: table, content, flags=re.M)
    page.write_text(content)


def print_all():
    for figure, programs in MEASURED.items():
        for program, quantities in programs.items():
            for quantity, values in quantities.items():
                print(f"{figure:14} {program:15} {quantity:15} {spread(values, '{:,.1f}'.format)}")
    print("", *tables(spread), sep="\n", end="")


def keep(path, command):
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit("nothing is kept")
    measured = {}
    for line in run.stdout.splitlines():
        figure, program, quantity, value = line.split(",")
        programs = measured.setdefault(figure, {})
        programs.setdefault(program, {}).setdefault(quantity, []).append(float(value))
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    version = subprocess.check_output([HERE.parent / "timesvc", "--version"], text=True)
    results = {"machine": {"processor": model[1], "cores": os.cpu_count(),
                           "kernel": os.uname().release.split("-")[0], "program": version.strip()},
               "measured": measured}
    # The rounds in one line.
    path.write_text(re.sub(r"\[[^]]*\]", lambda found: " ".join(found[0].split()),
                           json.dumps(results, indent=1)) + "\n")


if sys.argv[1:2] == ["--keep"]:
    keep(pathlib.Path(sys.argv[2]), sys.argv[3:])
elif len(sys.argv) > 1:
    for name in sys.argv[1:]:
        put(pathlib.Path(name))
else:
    print_all()
