"""How the CPU of a study grows with worlds, months asked for, journeys and tiers: none faster than linearly.

    python benchmarks/growth.py [--most 40]

Made-up services: each journey enters by one and calls some of the next, at most eight; three of them must grow (where all must, the search
is what costs, and stops by its own bound). Each size is a study of its own, in CPU seconds, with the exponent of its growth from the size
before (1: linear); with the tiers go half as many journeys. The largest number of tiers is *most*.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path

from perfplan.reading import read
from perfplan.study import study

WORLDS, TIERS, JOURNEYS, MONTHS = 500, 12, 6, 12
SHORT, BUSY, CALM = 3, 0.62, 0.4  # tiers that must grow, how busy they are today, and the others


def scenario(tiers: int, journeys: int, months: int) -> str:
    """A scenario of so many tiers and journeys, promised for so many months."""
    users, per = 60_000, min(max(2, tiers // journeys), 8)
    ways = [[(j * per + i) % tiers for i in range(per)] for j in range(journeys)]
    lines = [
        "name: growth",
        "as_of: 2026-11-24",
        f"traffic: {{peak_users: {0.9 * users:.0f} to {1.1 * users:.0f}, requests_per_user: 6/min, growth: 2%/month to 4%/month}}",
        "regions: {near: {share: 100%, round_trip: 20ms}}",
        "journeys:",
    ]
    for j, way in enumerate(ways):
        calls = ", ".join(f"s{i}: 1" for i in dict.fromkeys(way))
        lines.append(f"  j{j}: {{share: {100 / journeys:.6g}%, entry: s{way[0]}, calls: {{{calls}}}}}")
    lines.append("tiers:")
    for i in range(tiers):
        rps = sum(way.count(i) for way in ways) / journeys * users * 0.1
        count = max(2, round(rps * 0.01 / 4 / (BUSY if i < SHORT else CALM)))
        price = 0.05 + 0.01 * (i % 7)  # where all prices are one, as many answers cost the same, proofs take a hundred times as long
        served = f"threads: 4, service_time: 9ms to 11ms, io: async, price: ${price:.2f}/h"
        lines.append(f"  s{i}: {{kind: service, instances: {count}, {served}}}")
    lines.append("objectives:")
    lines += [f"  j{j} p95: {{kind: latency, journey: j{j}, below: {60 + 40 * per}ms, until: {months} months}}" for j in range(journeys)]
    return "\n".join(lines) + "\n"


def cpu_s(worlds: int = WORLDS, tiers: int = TIERS, journeys: int = JOURNEYS, months: int = MONTHS) -> float:
    """CPU of one study."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text(scenario(tiers, journeys, months), encoding="utf-8")
        statement = read(path)
        start = time.process_time()
        study(statement, worlds=worlds)
        return time.process_time() - start


def main() -> None:
    """Print each size with its CPU and how fast that grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=48)
    most = parser.parse_args().most
    cpu_s(worlds=100)  # what is loaded and compiled once
    for name, sizes in (
        ("worlds", (500, 1000, 2000, 4000)),
        ("months", (6, 12, 24, 36)),
        ("journeys", (3, 6, 12, 24)),
        ("tiers", [n for n in (6, 12, 24, 48) if n <= most]),
    ):
        before: tuple[int, float] | None = None
        for size in sizes:
            took = cpu_s(**{name: size}, **({"journeys": size // 2} if name == "tiers" else {}))
            grew = "" if before is None else f"{math.log(took / before[1]) / math.log(size / before[0]):6.2f}"
            print(f"{name:<9} {size:>5} {took:8.2f} s {grew}", flush=True)
            before = size, took


if __name__ == "__main__":
    main()
