"""Predictions for real single stations, from what was measured of them when they were nearly idle.

    python benchmarks/servers.py FOLDER [--csv OUT]

FOLDER has points.csv and low/NAME.csv.xz (service_requested_s, latency_s). Used for a prediction: the low-load rows, the number of
servers and the rate; nothing that was measured under load. The time a server is held is what was requested and 85 % of the
overhead of an idle server (median of latency less requested): part of that overhead is waking a worker, which a busy one is not.
Whoever does not wait meets the whole overhead. Error: against measured x long / sim (steady state over the same trace), less the
measurement's own half width. OUT: name, rho_target, quantile, computed, method; empty where unanswered.
"""

from __future__ import annotations

import argparse
import csv
import functools
import lzma
import statistics
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from perfplan.models.stations.queueing import MMc
from perfplan.models.stations.service import QueueWait, Served, Shape
from perfplan.models.times.distributions import Series
from perfplan.models.times.latency import percentiles_s
from perfplan.quantity import FloatArray

SINGLE = ("gunicorn", "pgbouncer", "cpu")  # systems that are one station with one queue
QUANTILES = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}
UNDER_LOAD = 0.85  # of an idle server's overhead


@functools.lru_cache(maxsize=64)
def low(path: Path) -> tuple[Shape, Shape]:
    """The law of the time a busy server is held, and of the time that a request takes at an idle one."""
    with lzma.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    requested, latency = (np.array([float(r[c]) for r in rows]) for c in ("service_requested_s", "latency_s"))
    overhead = float(np.median(latency - requested))
    return Shape.of_samples(requested + UNDER_LOAD * overhead), Shape.of_samples(requested + overhead)


def predict(point: dict[str, str], folder: Path) -> list[float] | None:
    """p50, p95 and p99 of a point; None where the station is not a single one."""
    samples = folder / "low" / f"{point['name']}.csv.xz"
    if point["system"] not in SINGLE or not samples.exists():
        return None
    busy, idle = low(samples)
    servers = float(point["pool"] if point["system"] == "pgbouncer" and point["pool"] else point["c"])
    station = MMc(arrival_rps=float(point["rate_offered"]), service_s=busy.factor, servers=servers)
    path = Series(parts=(QueueWait.of(station, busy), Served(mean_s=idle.factor, shape=idle)))
    found: list[FloatArray] = percentiles_s(path, tuple(QUANTILES.values()))
    return [float(v) for v in found]


def main() -> int:
    """Predict, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    with (options.folder / "points.csv").open(newline="", encoding="utf-8") as file:
        points = [p for p in csv.DictReader(file) if p.get("point") != "low"]
    rows, errors = [], defaultdict(list)
    for point in points:
        found = predict(point, options.folder)
        for i, name in enumerate(QUANTILES):
            rows.append(
                {
                    "name": point["name"],
                    "rho_target": point["rho_target"],
                    "quantile": name,
                    "computed": "" if found is None else repr(found[i]),
                    "method": "" if found is None else "models.service.QueueWait",
                }
            )
            if found is not None and point.get("usable") in ("1", "yes") and float(point["rho_low"]) <= 0.92:
                steady = float(point[name]) * float(point[f"long_{name}"]) / float(point[f"sim_{name}"])
                error = max(0.0, abs(found[i] - steady) - float(point[f"hw_{name}"])) / steady
                errors[point["system"]].append((error, point["name"], point["rho_target"], name))
    for system, found_errors in errors.items():
        worst = max(found_errors)
        print(
            f"{system:<10} {len(found_errors):>4} values, median error {statistics.median(e[0] for e in found_errors):.3f}, "
            f"worst {worst[0]:.3f} ({' '.join(worst[1:])})"
        )
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
