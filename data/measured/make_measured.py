"""Makes measured/*.csv from a folder of measurements of real servers (points.csv and low/NAME.csv.xz).

    python make_measured.py FOLDER

The servers: gunicorn with four sync workers, and PgBouncer with a pool of four before PostgreSQL, on one Linux machine, loopback only;
requests sleep for a time drawn from a law (nine of ten short, one ten times as long), so that the queue is what is measured. An
idle server takes 1.1 to 1.4 ms longer than it was asked to; 85 % of that is counted as its work, the rest is waking it.
"""

from __future__ import annotations

import csv
import lzma
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).parent / "measured"
STATIONS = {"web": "gunicorn-c4-bimodal", "db": "pgbouncer-p4-bimodal"}
UNDER_LOAD = 0.85  # of an idle server's overhead
VERSIONS = "gunicorn 27.0.1 (Python 3.11.7), PgBouncer 1.18.0, PostgreSQL 15.18; two virtual cores, Debian 12, loopback"


def main(folder: Path) -> None:
    """Write samples and points of each station."""
    HERE.mkdir(exist_ok=True)
    with (folder / "points.csv").open(newline="", encoding="utf-8") as file:
        points = list(csv.DictReader(file))
    for name, station in STATIONS.items():
        with lzma.open(folder / "low" / f"{station}.csv.xz", "rt") as file:
            rows = [(float(r["service_requested_s"]), float(r["latency_s"])) for r in csv.DictReader(file)]
        overhead = statistics.median(latency - asked for asked, latency in rows)
        head = [f"# {station}: {VERSIONS}"]
        about = [*head, f"# {len(rows)} requests at 5 % load: time asked for and 85 % of the median overhead, {overhead * 1e3:.2f} ms"]
        lines = [*about, "seconds", *(f"{asked + UNDER_LOAD * overhead:.6f}" for asked, _ in rows)]
        (HERE / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        about = [*head, "# open-loop load, percentiles of all requests after warm-up; half_width: of the 95 % interval, from batch means"]
        lines = [*about, "rps,percentile,seconds,half_width"]
        for point in points:
            if point["name"] == station and point["point"] == "high" and point["usable"] == "1" and float(point["rho_low"]) <= 0.92:
                half = {"p50": point["hw_p50_s"], "p95": point["hw_p95_s"], "p99": point["hw_p99_s"]}
                lines += [f"{point['rate_offered']},{p[1:]},{point[f'{p}_s']},{half[p]}" for p in ("p50", "p95", "p99")]
        (HERE / f"{name}_load.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
