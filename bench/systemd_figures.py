#!/usr/bin/env python3
"""From what bench/systemd measured to a table and results-systemd.json.

    systemd_figures.py MEASURED [DIRECTORY]

MEASURED has a line of JSON for each unit in each round. Prints the table; in DIRECTORY, if
given, results-systemd.json is made. Fails if any reply was wrong.
"""
import collections
import json
import statistics
import sys

from figures import machine, save

UNITS = {
    "bare": "the floor, in a bare unit",
    "shipped": "timesvc, the unit as shipped",
    "static": "... with static.conf",
    "most-sandboxed": "... with most-sandboxed.conf",
}
REPLY = "first_reply_p50_us"
# What the shipped unit may take of the bare one's first reply, and its exposure.
RATIO = {"252": 3.0, "257": 2.0}
EXPOSURE = 3.0


def read(path):
    """found[systemd][unit][quantity]: the values, a round each."""
    found = collections.defaultdict(
        lambda: collections.defaultdict(lambda: collections.defaultdict(list)))
    with open(path, encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            for quantity, value in record["values"].items():
                found[record["systemd"]][record["unit"]][quantity].append(value)
    return found


def figures(of_unit, bare):
    """The medians, and the first reply beside the bare unit's: the ratio of each round."""
    beside = [one / other for one, other in zip(of_unit[REPLY], bare[REPLY])]
    return {
        "exposure": of_unit["exposure"][0],
        REPLY: {"median": statistics.median(of_unit[REPLY]), "rounds": of_unit[REPLY]},
        "per_second": {"median": statistics.median(of_unit["per_second"]),
                       "rounds": of_unit["per_second"]},
        "beside_bare": {"median": round(statistics.median(beside), 2),
                        "least": round(min(beside), 2), "most": round(max(beside), 2)},
    }


def print_table(systemd, units):
    """A line for each unit, and the targets."""
    print(f"systemd {systemd}: connections one at a time")
    print(f"  {'':30} {'exposure':>8} {'first reply p50 ms':>19} {'beside bare':>18} {'each second':>12}")
    for unit, of_unit in units.items():
        ratio = of_unit["beside_bare"]
        spread = f"{ratio['median']:.2f} ({ratio['least']:.2f}-{ratio['most']:.2f})"
        print(f"  {UNITS[unit]:30} {of_unit['exposure']:8.1f} {of_unit[REPLY]['median'] / 1000:19.2f}"
              f" {spread:>18} {of_unit['per_second']['median']:12.0f}")
    shipped = units["shipped"]
    limit = RATIO.get(systemd)
    if limit:
        met = shipped["beside_bare"]["median"] <= limit and shipped["exposure"] <= EXPOSURE
        print(f"  as shipped: ≤ {limit:.1f} times the bare unit, exposure ≤ {EXPOSURE}:"
              f" {'reached' if met else 'MISSED'}")


def main():
    """Table, file, status."""
    found = read(sys.argv[1])
    results = {"machine": machine(), "systemd": {}}
    failed = 0
    for systemd, units in found.items():
        results["systemd"][systemd] = {unit: figures(units[unit], units["bare"]) for unit in UNITS}
        failed += sum(sum(units[unit]["failed"]) for unit in UNITS)
        print_table(systemd, results["systemd"][systemd])
    print(f"failed conversations: {failed:.0f}")
    if len(sys.argv) > 2:
        save(f"{sys.argv[2]}/results-systemd.json", results)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
