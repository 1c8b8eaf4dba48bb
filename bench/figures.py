#!/usr/bin/env python3
"""From what bench/run measured to a table, results.json and a plot.

    figures.py MEASURED [DIRECTORY]

MEASURED has a line of JSON for each figure of each program in each round. Prints the table;
in DIRECTORY, if given, results.json and results.svg are made. Fails if any reply was wrong.
"""
import collections
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import textwrap

PEERS = {
    "floor": "the floor: no libc, fixed reply",
    "timesvc-static": "timesvc-static",
    "unconfined": "... with --sandbox=off",
    "linked": "the floor, linked as timesvc is",
    "timesvc": "timesvc",
    "handler.py": "Python handler",
    "handler.sh": "shell handler",
    "threaded.py": "Python server, threads, no exec",
    "xinetd": "xinetd's own daytime, no exec",
    "unparsed": "no look at the input",
}

# Title, and the quantities with their headings and formats; of the first the spread is shown.
TABLES = {
    "connections-1": ("connections, one client", [
        ("per_second", "each second", ",.0f"), ("first_reply_p50_us", "first reply p50 µs", ".0f"),
        ("first_reply_p99_us", "p99 µs", ".0f")]),
    "connections-8": ("connections, 8 clients", [
        ("per_second", "each second", ",.0f"), ("first_reply_p50_us", "first reply p50 µs", ".0f"),
        ("first_reply_p99_us", "p99 µs", ".0f")]),
    "roundtrip": ("round trip between two cores", [
        ("p50_us", "p50 µs", ".2f"), ("p99_us", "p99 µs", ".1f")]),
    "one-core": ("round trip on one core", [
        ("p50_us", "p50 µs", ".2f"), ("p99_us", "p99 µs", ".1f")]),
    "pump": ("pipelined replies", [("per_second", "each second", ",.0f")]),
    "pieces": ("pipelined, in random pieces", [("per_second", "each second", ",.0f")]),
    "memory": ("idle connection, private memory", [
        ("private_kb", "KB", ".0f"), ("page_tables_kb", "page tables KB", ".0f")]),
    "idle": ("idle connection, the kernel's share and both its ends included", [
        ("each_kb", "KB", ".1f")]),
    "held": ("idle connections held at once", [
        ("each_kb", "KB each", ".1f"), ("held", "connections", ",.0f"),
        ("accept_seconds", "s to accept", ".1f"), ("answered", "answered", ",.0f"),
        ("answered_again", "... at the end", ",.0f")]),
    "instructions": ("instructions from exec to exit, TIME and QUIT, sandbox off", [
        ("instructions", "of the program", ",.0f")]),
}

# Figure, quantity, program, the program beside it, and what their ratio must reach; or None
# beside it, and what the figure itself may be at most.
TARGETS = [
    ("connections-1", "per_second", "timesvc-static", "floor", 0.92),
    ("connections-8", "per_second", "timesvc-static", "floor", 0.92),
    ("connections-1", "per_second", "timesvc", "linked", 0.93),
    ("connections-8", "per_second", "timesvc", "linked", 0.93),
    ("roundtrip", "p50_us", "timesvc-static", "floor", 0.97),
    ("pump", "per_second", "timesvc-static", "unparsed", 0.85),
    ("pieces", "per_second", "timesvc-static", "unparsed", 0.5),
    ("memory", "private_kb", "timesvc-static", None, 20),
    ("memory", "private_kb", "timesvc", None, 260),
    ("held", "each_kb", "unconfined", None, 200),
]
LESS_IS_BETTER = ("p50_us", "private_kb", "each_kb")


def read(path):
    """found[figure][peer][quantity]: the values, a round each; and the number of failures."""
    found = collections.defaultdict(lambda: collections.defaultdict(dict))
    failed = 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            failed += entry["values"].pop("failed")
            for quantity, value in entry["values"].items():
                peer = found[entry["figure"]][entry["peer"]]
                peer.setdefault(quantity, []).append(value)
    return found, failed


def summary(values):
    return {"median": round(statistics.median(values), 3), "lowest": round(min(values), 3),
            "highest": round(max(values), 3)}


def compared(found, target):
    """One of TARGETS, beside what was measured; None where that was not."""
    figure, quantity, peer, beside, wanted = target
    values = found[figure][peer].get(quantity)
    if beside and values:
        # Of each round by itself: what slows the machine slows both.
        pairs = zip(values, found[figure][beside].get(quantity, []))
        less = quantity in LESS_IS_BETTER
        values = [(b / a if less else a / b) for a, b in pairs if a and b]
    if not values:
        return None
    result = {"figure": figure, "quantity": quantity, "of": peer, "beside": beside,
              **summary(values), "at_least" if beside else "at_most": wanted}
    median = result["median"]
    result["met"] = median >= wanted if beside else median <= wanted
    return result


def print_table(figure, peers):
    title, quantities = TABLES[figure]
    (_, first, _), *rest = quantities
    print(f"\n{title}\n{'':34}{first:>14}  {'lowest .. highest':^26}"
          + "".join(f"{heading:>20}" for _, heading, _ in rest))
    for peer in (p for p in PEERS if p in peers):
        cells = ""
        for quantity, _, form in quantities:
            s = summary(peers[peer].get(quantity, [0]))
            if cells:
                cells += f"{s['median']:>20{form}}"
            else:
                cells = (f"{s['median']:>14{form}}  "
                         f"{s['lowest']:>11{form}} .. {s['highest']:<11{form}}")
        print(f"  {PEERS[peer]:32}{cells.rstrip()}")


def print_targets(targets):
    print(f"\n{'beside the target':62}{'median':>7}  lowest .. highest  target")
    for t in targets:
        who = t["of"] + (f" / {t['beside']}" if t["beside"] else "")
        form, wanted = (".2f", f"≥ {t['at_least']}") if t["beside"] else (
            ".1f", f"≤ {t['at_most']}")
        print(f"  {TABLES[t['figure']][0]:34}{who:26}{t['median']:>7{form}}"
              f"{t['lowest']:>8{form}} .. {t['highest']:<8{form}} {wanted:7}"
              f" {'met' if t['met'] else 'MISSED'}")


def machine():
    """What it was measured on."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    version = subprocess.run(["./timesvc", "--version"], capture_output=True, text=True,
                             check=True).stdout.strip()
    return {"processor": models[0] if models else platform.machine(), "cores": os.cpu_count(),
            "kernel": f"{platform.system()} {platform.release()}", "program": version}


def save(path, results):
    """As JSON, with a line for what has no more inside."""
    text = json.dumps(results, indent=1)
    text = re.sub(r"\{[^{}]*\}|\[[^][{}]*\]", lambda match: " ".join(match[0].split()), text)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def keep(directory, found, results):
    """results.json, with a line for each quantity and each target."""
    results["measured"] = {
        figure: {peer: {quantity: {**summary(values), "rounds": values}
                        for quantity, values in quantities.items()}
                 for peer, quantities in peers.items()}
        for figure, peers in found.items()}
    save(f"{directory}/results.json", results)


def plot(found, directory):
    """results.svg by gnuplot(1), of the bars that it is given in files."""
    bars = {"connections": ("connections-1", "per_second"), "memory": ("memory", "private_kb")}
    with tempfile.TemporaryDirectory() as scratch:
        for name, (figure, quantity) in bars.items():
            with open(f"{scratch}/{name}", "w", encoding="utf-8") as file:
                for peer in (p for p in reversed(PEERS) if p in found[figure]):
                    s = summary(found[figure][peer].get(quantity, [0]))
                    file.write(f"\"{PEERS[peer]}\" {s['median']} {s['lowest']} "
                               f"{s['highest']}\n")
        subprocess.run(["gnuplot", "-e", f"bars='{scratch}/'; plotted='{directory}/results.svg'",
                        pathlib.Path(__file__).with_name("plot.gp")], check=True)


def main():
    found, failed = read(sys.argv[1])
    calls = {peer: values["calls"][0] for peer, values in found.pop("calls", {}).items()}
    rounds = len(found["memory"]["floor"]["private_kb"])
    print(f"Medians of {rounds} rounds, and their spread.")
    for figure in (f for f in TABLES if f in found):
        print_table(figure, found[figure])
    for peer, names in calls.items():
        print(f"\nsystem calls of {peer} for TIME and QUIT, {len(names)}:")
        print(textwrap.fill(" ".join(names), 100, initial_indent="  ", subsequent_indent="  "))
    targets = [t for t in (compared(found, target) for target in TARGETS) if t]
    print_targets(targets)
    print(f"\nfailed conversations: {failed}")
    if len(sys.argv) > 2:
        keep(sys.argv[2], found, {"machine": machine(), "failed": failed, "targets": targets,
                                  "calls": calls})
        plot(found, sys.argv[2])
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
