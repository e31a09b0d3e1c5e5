"""How fast the plan is, as ratios within one run.

    python benchmarks/speed.py [--worlds 10000]

1. `plan()` without percentiles and objectives against the same expressions in bare numpy: aim <= 2.
2. `plan()` with percentiles of all journeys: aim < 20 s CPU and < 2 GB at 10,000 worlds x 37 months.
3. `import perfplan` and its models against `import numpy, scipy.special`: aim <= 1.5.
4. `perfplan check` (500 worlds): aim < 3 s CPU, start-up included.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import gammaincc, gammaln, xlogy

from perfplan.plan import plan
from perfplan.plan.paths import hit_ratios
from perfplan.reading import read

ROOT = Path(__file__).parents[1]
STOREFRONT = ROOT / "data" / "storefront" / "scenario.yaml"


def cpu_s(work: Callable[[], Any], times: int = 3) -> float:
    """The least CPU time of a few runs."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def bare(s: Any, hits: Any) -> tuple[Any, ...]:
    """The storefront's rates, stations, waits, traffic and cost, written down directly."""
    t, months = s.traffic, np.arange(37.0)
    events = np.ones((np.shape(t.peak_users)[0], 37))
    for e, m in zip(t.events, (5, 12), strict=True):
        events[:, m : m + 1] *= e.factor
    rps = t.peak_users * t.requests_per_user_rps * (1 + t.growth_per_month) ** months * events
    edge = 0.4 * s.cdn.hit_ratio
    browse, search, checkout = rps * 0.62 * (1 - edge), rps * 0.28, rps * 0.10
    api = browse + 1.2 * search + 1.5 * checkout
    redis = 6 * browse + 3 * search + 4 * checkout
    postgres = redis * (1 - hits) + search + 8 * checkout

    def mmc(rate: Any, service: Any, servers: float) -> tuple[Any, Any]:
        a = rate * service
        a0 = np.where(np.isinf(a), 0.0, a)
        with np.errstate(all="ignore"):
            b = np.exp(xlogy(servers, a0) - a0 - gammaln(servers + 1)) / gammaincc(servers + 1, a0)
            rho = a / servers
            wait = np.where(rho < 1, b / (1 - rho * (1 - b)), 1.0)
            return rho, np.where(rho < 1, wait / (servers / service - rate), np.inf)

    db, tiers = s.tiers["postgres"], s.tiers
    primary, primary_wait = mmc(postgres * (1 - db.read_share), db.service_time_s, 8.0)
    _, replica_wait = mmc(postgres * db.read_share, db.service_time_s, 8.0)
    query = db.read_share * replica_wait + (1 - db.read_share) * primary_wait + db.service_time_s
    pool, pool_wait = mmc(postgres, query + db.hold_time_s, 40.0)
    node, node_wait = mmc(redis / 3, tiers["redis"].service_time_s, 1.0)
    store = pool_wait + query + db.hold_time_s
    lookup = node_wait + tiers["redis"].service_time_s + (1 - hits) * store
    pay = tiers["payments"].p50_s * np.exp((np.log(tiers["payments"].p99_s / tiers["payments"].p50_s) / 2.3263478740408408) ** 2 / 2)
    held = (
        tiers["api"].service_time_s
        + (browse * 6 * lookup + search * (3 * lookup + store) + checkout * (4 * lookup + 8 * store + 0.25 * pay)) / api
    )
    threads, threads_wait = mmc(api / 36, held, 4.0)
    mails, _ = mmc(0.12 * checkout, tiers["order-mails"].service_time_s, 14.0)
    reports, _ = mmc(0.002 * checkout, tiers["reports"].service_time_s, 20.0)
    sent = browse * 38e3 + search * 24e3 + checkout * 12e3 + (1 - s.cdn.hit_ratio) * (rps * 0.62 * 70e3 + search * 20e3)
    stored = db.storage_bytes + np.cumsum(rps / rps[:, :1], axis=1) * db.storage_growth_bytes
    cost = sent * 3600 * 0.06e-9 * 730 + stored * 2 * 0.115e-9
    return rps, primary, pool, node, threads, threads_wait, mails, reports, sent, cost


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=10_000)
    options = parser.parse_args()
    drawn = read(STOREFRONT).at(options.worlds)
    hits = hit_ratios(drawn)["redis"]
    ours = cpu_s(lambda: plan(drawn, percentiles=(), objectives=()))
    theirs = cpu_s(lambda: (hit_ratios(drawn), bare(drawn, hits)))
    alone = cpu_s(lambda: bare(drawn, hits))
    print(
        f"plan without percentiles: {ours:.2f} s CPU, {ours / theirs:.2f} x bare numpy with the same hit ratios (hit ratios "
        f"alone {theirs - alone:.2f} s)"
    )
    full = cpu_s(lambda: plan(drawn, objectives=()), 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"plan with percentiles: {full:.1f} s CPU, {peak:.2f} GB at {options.worlds:,} worlds x 37 months")
    imports = [
        min(_command([sys.executable, "-c", code]) for _ in range(5))
        for code in ("import perfplan, perfplan.plan", "import numpy, scipy.special")
    ]
    print(f"import perfplan: {imports[0] / imports[1]:.2f} x import numpy, scipy.special")
    print(f"perfplan check: {min(_command([sys.executable, '-m', 'perfplan', 'check', str(STOREFRONT)]) for _ in range(3)):.2f} s CPU")
    return 0


def _command(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
