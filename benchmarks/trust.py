"""Writes perfplan/trust.csv: how far each kind of model is from theory, from simulation and from real servers.

    python benchmarks/trust.py QUEUEING_CASES CACHE_CASES SERVERS_FOLDER

The cases are those of `benchmarks/accuracy.py` and `benchmarks/servers.py`; a plan shows the file in its chapter on trust.
"""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
GROUPS = {  # group: (what it is compared with, families)
    "Exponential stations: Erlang, M/M/c, M/M/c/K": ("closed forms", ("erlang", "erlang_b_inverse", "erlang_a", "mmc", "mmck")),
    "Constant and phase-type services, bursty arrivals": ("exact solutions", ("mdc", "dmc", "ph_ph_c", "mmpp2_m_c", "batch_m_1", "mg1")),
    "Processor sharing, priorities, full queues, fork-joins": (
        "exact solutions and long simulations",
        ("mmc_ps", "mgc_ps", "priority", "mgck", "fork_join", "load_balancing_mean_field"),
    ),
    "Load that changes, backlogs that drain": ("numerical solutions", ("mt_mc_transient", "backlog_drain")),
    "Networks of stations": ("exact solutions, textbooks", ("jackson_open", "mva_closed", "mva_schweitzer", "mva_closed_multiclass")),
    "Stations of any law: GI/G/c": ("long simulations", ("gi_g_c",)),
    "Simulator: layered pools, balancers, tandems": ("other simulations", ("tandem_miss", "layered_pools", "load_balancing")),
    "LRU caches": ("exact catalogues and simulations", ("irm_exact", "irm_policy")),
}
SERVERS = {"gunicorn": "gunicorn workers", "pgbouncer": "PgBouncer pools", "cpu": "one pinned core"}


def main() -> int:
    """Measure and write."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from servers import QUANTILES, SINGLE, predict

    queueing, caches, servers = sys.argv[1:4]
    found: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as room:
        for kind, cases in (("queueing", queueing), ("caches", caches)):
            out = Path(room) / f"{kind}.csv"
            subprocess.run([sys.executable, str(ROOT / "benchmarks" / "accuracy.py"), kind, cases, "--csv", str(out)], check=True)
            for row in csv.DictReader(out.open(newline="", encoding="utf-8")):
                if row["computed"]:
                    away = max(0.0, abs(float(row["computed"]) - float(row["value"])) - float(row["halfwidth"]))
                    found[json.loads(row["params_json"])["family"]].append(away / max(abs(float(row["value"])), float(row["floor"])))
    rows = [(group, against, [e for f in families for e in found[f]]) for group, (against, families) in GROUPS.items()]
    by_system: dict[str, list[float]] = defaultdict(list)
    for point in csv.DictReader((Path(servers) / "points.csv").open(newline="", encoding="utf-8")):
        if point["point"] == "high" and point["system"] in SINGLE and point["usable"] == "1" and float(point["rho_low"]) <= 0.92:
            for value, name in zip(predict(point, Path(servers)) or [], QUANTILES, strict=True):
                steady = float(point[name]) * float(point[f"long_{name}"]) / float(point[f"sim_{name}"])
                by_system[point["system"]].append(max(0.0, abs(value - steady) - float(point[f"hw_{name}"])) / steady)
    rows += [(f"Real servers: {label}", "measured p50, p95, p99 under load", by_system[system]) for system, label in SERVERS.items()]
    with (ROOT / "perfplan" / "trust.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("group", "against", "cases", "median", "worst"))
        for group, against, errors in rows:
            writer.writerow((group, against, len(errors), f"{statistics.median(errors):.3g}", f"{max(errors):.3g}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
