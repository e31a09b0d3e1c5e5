"""The wait behind services of any law (`models.service.QueueWait`) against the project's own simulator: p95 and p99 of the response.

python benchmarks/laws.py
"""

from __future__ import annotations

import itertools
import statistics
import sys

import numpy as np
from scipy.stats import gamma

from perfplan.models.simulate import Arrivals, Draw, Free, Pool, Seize, Spend, percentiles
from perfplan.models.stations.queueing import MMc
from perfplan.models.stations.service import QueueWait, Served, Shape
from perfplan.models.times.distributions import Series
from perfplan.models.times.latency import percentiles_s

SERVERS, LOADS, PS = (1, 2, 8, 32), (0.5, 0.8, 0.92), (0.95, 0.99)


def laws() -> dict[str, tuple[Shape, Draw]]:
    """Each law as the formulas and as the simulator take it."""
    found = {}
    for scv in (0.25, 1.0, 4.0, 10.0):
        sigma = float(np.sqrt(np.log1p(scv)))
        found[f"lognormal, scv {scv:g}"] = (Shape.lognormal(sigma), Draw.lognormal(float(np.exp(-(sigma**2) / 2)), sigma))
    two = np.concatenate([np.full(900, 1 / 1.9), np.full(100, 10 / 1.9)])
    found["nine short, one ten times as long"] = (Shape.of_samples(two), Draw.samples(two))
    found["constant"] = (Shape.of_samples(np.ones(10)), Draw.constant(1.0))
    for scv in (0.25, 3.0):
        x = gamma(1 / scv, scale=scv).ppf((np.arange(200_000) + 0.5) / 200_000)
        found[f"gamma, scv {scv:g}"] = (Shape.of_samples(x), Draw.samples(x))
    return found


def main() -> int:
    """Compare and print."""
    everything = []
    for name, (shape, law) in laws().items():
        errors = []
        for servers, rho in itertools.product(SERVERS, LOADS):
            station = MMc(arrival_rps=rho * servers, service_s=1.0, servers=float(servers))
            path = Series(parts=(QueueWait.of(station, shape), Served(mean_s=1.0, shape=shape)))
            steps = (Seize("desk"), Spend(law), Free("desk"))
            found = percentiles(
                {"desk": Pool(servers=servers)},
                {"all": (1.0, steps)},
                Arrivals(rates=[rho * servers]),
                PS,
                precision=0.01,
                requests=300_000,
                most=30,
            )
            for p, ours, theirs in zip(PS, percentiles_s(path, PS), found["all"], strict=False):
                error = max(abs(float(ours) - theirs.value) - theirs.half, 0.0) / theirs.value
                errors.append((error, servers, rho, p))
        everything += [e[0] for e in errors]
        worst = max(errors)
        print(
            f"{name:<36} median {statistics.median(e[0] for e in errors):.3f}, worst {worst[0]:.3f} (servers {worst[1]}, load "
            f"{worst[2]}, p{100 * worst[3]:g})"
        )
    print(f"{len(everything)} values: median {statistics.median(everything):.3f}, worst {max(everything):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
