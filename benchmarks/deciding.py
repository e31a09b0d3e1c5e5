"""How much do the numbers matter that decide between steps of the search for a fleet?

    python benchmarks/deciding.py [SCENARIO ...]

Each is set to a third, a half, twice and three times of itself; printed are the cost of the recommended fleet over the whole plan against
what it is with the number as it stands, and the lowest P in the months asked for.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from perfplan.plan import plan
from perfplan.reading import read
from perfplan.study import fleet
from perfplan.study.worlds import horizon
from perfplan.tiers import kind

ROOT = Path(__file__).parents[1]
NUMBERS = ((fleet, "NEARER"), (fleet, "FREE_USD"), (fleet, "IDLE"), (kind, "STEP"))
WORLDS, SEED = 200, 7


def main() -> None:
    """Print a row a number and factor."""
    for file in sys.argv[1:] or [str(ROOT / "data" / one / "scenario.yaml") for one in ("storefront", "measured")]:
        drawn = read(file).at(WORLDS, SEED)
        today, last = plan(drawn, percentiles=()), horizon(drawn)
        start = float(np.median(fleet.recommend(today).cost_usd.sum(axis=1)))
        print(f"{file}: {start:,.0f} USD in all")
        for module, name in NUMBERS:
            value = getattr(module, name)
            for factor in (1 / 3, 0.5, 2.0, 3.0):
                setattr(module, name, value * factor)
                found = fleet.recommend(today)
                cost = float(np.median(found.cost_usd.sum(axis=1)))
                print(
                    f"  {name} x {factor:.2f}: cost {100 * (cost / start - 1):+.2f} %, P at least {found.p_all[: last + 1].min():.3f}",
                    flush=True,
                )
            setattr(module, name, value)


if __name__ == "__main__":
    main()
