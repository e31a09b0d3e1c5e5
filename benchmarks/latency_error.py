"""Error of the percentile grid: the storefront's journeys against the same series with 8,192 terms, and
single stations against their exact percentiles.

    python benchmarks/latency_error.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from perfplan.models.stations.queueing import MMc
from perfplan.models.times import latency
from perfplan.models.times.distributions import Exponential, Series
from perfplan.plan import demand_rps
from perfplan.plan.paths import carry
from perfplan.reading import read

PS = (0.5, 0.95, 0.99)


def main() -> int:
    """Print the worst relative error of each percentile."""
    drawn = read(Path(__file__).parents[1] / "data" / "storefront" / "scenario.yaml").at(60)
    rps = demand_rps(drawn)[:, ::3]
    for name, path in carry(drawn, rps).journeys.items():
        found = latency.percentiles_s(path, PS, rps.shape)
        exact = latency.percentiles_s(path, PS, rps.shape, terms=8192)
        print(f"{name:12}", *(f"p{p * 100:g} {_worst(a, b):.2%}" for p, a, b in zip(PS, found, exact, strict=True)))
    rho, servers = np.meshgrid(np.linspace(0.05, 0.98, 40), [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0])
    station = MMc(arrival_rps=rho * servers, service_s=1.0, servers=servers)
    path = Series(parts=(station.wait_law(), Exponential(mean_s=1.0)))
    found = latency.percentiles_s(path, PS, rho.shape)
    print(f"{'M/M/c':12}", *(f"p{p * 100:g} {_worst(a, station.response_quantile_s(p)):.2%}" for p, a in zip(PS, found, strict=True)))
    return 0


def _worst(found: np.ndarray, exact: np.ndarray) -> float:
    known = np.isfinite(found) & np.isfinite(exact)
    return float(np.abs(found[known] / np.asarray(exact)[known] - 1).max())


if __name__ == "__main__":
    sys.exit(main())
