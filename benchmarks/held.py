"""How far response times behind threads that are held while others answer are from a simulation of the whole shop, up to its knee.

    python benchmarks/held.py [--requests 400000]

`data/storefront` at its medians, today's fleet: at today's peak, at the steady load that breaks its first promise, and between. Seed 7.
Errors stand as they are, with nothing taken off for the simulation's own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from perfplan.models.simulate import Arrivals, percentiles
from perfplan.plan import State
from perfplan.reading.reader import read
from perfplan.study.sweeps import knee, steady
from perfplan.study.verify import PERCENTILES, system

STOREFRONT = Path(__file__).parents[1] / "data" / "storefront" / "scenario.yaml"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=400_000)
    requests = parser.parse_args().requests
    scenario = read(STOREFRONT).at()
    found, (pools, journeys) = knee(steady(scenario)), system(scenario)
    worst = dict.fromkeys(PERCENTILES, 0.0)
    for rps in np.linspace(found.peak_rps, found.rps, 4):
        state = State(scenario, np.array([[rps]]))
        for name, estimates in percentiles(
            pools, journeys, Arrivals(rates=[float(rps)]), PERCENTILES, requests=requests, most=5 * requests, seed=7
        ).items():
            errors = [float(y[0, 0]) / e.value - 1 for y, e in zip(state.percentiles_s(name, PERCENTILES), estimates, strict=False)]
            print(f"{rps:7,.0f} rps  {name:10}", "  ".join(f"p{100 * p:g} {e:+.1%}" for p, e in zip(PERCENTILES, errors, strict=True)))
            worst = {p: max(worst[p], e, key=abs) for p, e in zip(PERCENTILES, errors, strict=True)}
    print("worst", "  ".join(f"p{100 * p:g} {e:+.1%}" for p, e in worst.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
