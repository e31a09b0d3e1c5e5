"""Is what the search calls cheapest the cheapest? Random small scenarios against brute force over all counts and options.

    python benchmarks/deciding.py [--scenarios 100] [--seed 1] [--worlds 100]

Each has up to 3 things to buy, in up to 5 steps, up to 3 options and 12 months; half of them have cores that hinder each other. Both are
judged in the same worlds: the brute force plans every count with every set of options, month by month, and takes the cheapest way
through the months, never fewer than before. Dollars are the sum to the last month: counts, price, effort at the day rate, running price.
Printed: how many cost the same, the worst difference, how often "proven" was said, CPU of both.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from perfplan.plan import month_factors, plan
from perfplan.quantity import FloatArray
from perfplan.reading import read
from perfplan.study.fleet import Room, room
from perfplan.study.search.cheapest import Found, Search
from perfplan.study.search.worlds import There

MONTHS = 12
TEXT = """\
name: case {seed}
as_of: 2026-11-24
order_ahead: 1d
day_rate: ${rate}
traffic:
  peak: {low} rps to {high} rps
  growth: {slow}%/month to {fast}%/month
  events: [{{name: a sale, month: 2027-{event:02d}, factor: 1.1 to 1.4}}]
regions:
  near: {{share: 100%, round_trip: 10ms}}
journeys:
  read:
    share: 100%
    calls: {{app: 1, {calls}}}
tiers:
  app: {{kind: service, instances: {instances}, threads: 4, service_time: {work}ms, io: {io}, price: ${app}/h, lead_time: {soon}d}}
{tiers}
objectives:
  read p95: {{kind: latency, journey: read, below: {target}ms, until: 11 months}}
  peak: {{kind: throughput, until: 11 months}}
{options}
"""


def case(seed: int) -> str:
    """A scenario: what is there carries the first months with some room, and not the last."""
    draw = np.random.default_rng(seed)
    pick = lambda *values: values[int(draw.integers(len(values)))]  # noqa: E731
    rate = float(draw.uniform(80, 160))
    work, queries, query = float(draw.uniform(5, 15)), int(draw.integers(1, 5)), float(draw.uniform(1, 4))
    instances = max(2, round(rate * (work / 1e3 + queries * query / 1e3) / 4 / draw.uniform(0.4, 0.7)))
    cores = pick(2, 4, 8)
    hindered = "discipline: ps, contention: 3%, coherency: 1%, " if seed % 2 else ""
    fields = f"cores: {cores}, {hindered}connections: {int(draw.integers(12, 40))}, max_connections: 400, service_time: {query:.2f}ms"
    tiers = [f"  store: {{kind: database, {fields}, hold_time: 1ms, price: ${draw.uniform(0.05, 0.2):.2f}/h, lead_time: 20d}}"]
    calls = [f"store: {queries}"]
    if draw.random() < 0.6:
        fields = f"instances: {int(draw.integers(1, 3))}, hit_ratio: 80%, service_time: {draw.uniform(0.5, 2):.2f}ms, origin: store"
        tiers.append(f"  keys: {{kind: cache, {fields}, price: ${draw.uniform(0.05, 0.3):.2f}/h, lead_time: 2d}}")
        calls.append(f"keys: {int(draw.integers(1, 4))}")
    texts = {
        "fewer queries": f"journeys.read.calls.store={queries * 0.6:g}",
        "early release": "tiers.store.hold_time=0.3ms",
        "faster code": f"tiers.app.service_time={work * 0.7:.2f}ms",
        "async": "tiers.app.io=async",
    }
    options = [
        f"  {name}: {{set: [{texts[name]}], price: ${int(draw.integers(0, 900))}, effort: {int(draw.integers(1, 20))}d, "
        f"monthly: ${int(draw.integers(0, 60))}, lead_time: {int(draw.integers(1, 120))}d}}"
        for name in draw.permutation(list(texts))[: int(draw.integers(0, 4))]
    ]
    return TEXT.format(
        seed=seed,
        rate=pick(0, 50, 400),
        low=round(rate * 0.9),
        high=round(rate * 1.1),
        slow=int(draw.integers(0, 3)),
        fast=int(draw.integers(4, 9)),
        event=int(draw.integers(1, 11)),
        calls=", ".join(calls),
        instances=instances,
        work=f"{work:.2f}",
        io=pick("blocking", "async"),
        app=f"{draw.uniform(0.05, 0.3):.2f}",
        soon=int(draw.integers(1, 5)),
        tiers="\n".join(tiers),
        target=round(work + queries * (query + 1) + draw.uniform(15, 120)),
        options="options:\n" + "\n".join(options) if options else "",
    )


def brute_usd(here: Room, search: Search, aim: float, options: frozenset[str]) -> float:
    """Least dollars with *options*; inf where no counts keep every month."""
    worlds, last = here.searched, here.last
    taken = [o for o in here.offers if o.name in options]
    states = list(itertools.product(*(range(len(one.counts)) for one in worlds.ladders)))
    good, usd = np.zeros((last + 1, len(states)), dtype=bool), np.zeros((last + 1, len(states)))
    for active in {frozenset(o.name for o in taken if o.works_from <= m) for m in range(last + 1)}:
        months = [m for m in range(last + 1) if frozenset(o.name for o in taken if o.works_from <= m) == active]
        for i, state in enumerate(states):
            scenario = worlds.scenario(There(active, state))
            rps, factor = worlds.rps(active)[:, : last + 1], month_factors(scenario, last + 1)
            made = plan(scenario, rps, percentiles=(), month_factor=factor)
            for m in months:
                if any(k and one.works_from > m for k, one in zip(state, worlds.ladders, strict=True)):
                    continue
                held = np.all([made.judged[name].holds[:, m] for name in search.asked.names[m]], axis=0)
                need = min(aim, search.asked.top[m]) - 1e-9
                kept = [(r.utilization <= r.limit)[:, m].mean() for p, r in made.resources.items() if p in search.asked.limits[m]]
                good[m, i] = held.mean() >= need and all(share >= need for share in kept)
                usd[m, i] = made.cost_month_usd[:, m].mean()
    nothing = worlds.scenario(There(frozenset(), states[0]))
    today = plan(
        nothing, worlds.rps(frozenset())[:, : last + 1], percentiles=(), objectives=(), month_factor=month_factors(nothing, last + 1)
    )
    grows = np.array([[all(a <= b for a, b in zip(one, other, strict=True)) for other in states] for one in states])
    best: FloatArray = np.where(np.array([not any(s) for s in states]), 0.0, np.inf)
    for m in range(last + 1):
        reached = np.where(grows, best[:, None], np.inf).min(axis=0)
        best = np.where(good[m], reached + usd[m] - today.cost_month_usd[:, m].mean(), np.inf)
    return float(best.min()) + sum(o.once_usd + o.monthly_usd * (last + 1 - o.works_from) for o in taken)


def compare(seed: int, worlds: int, folder: Path) -> tuple[float, float, float, float, float] | None:
    """Dollars of the search and of brute force, the gap that the search states, CPU of both; None where the case does not fit."""
    path = folder / f"{seed}.yaml"
    path.write_text(case(seed), encoding="utf-8")
    statement = read(path)
    today = plan(statement.at(worlds, 7), months=MONTHS, percentiles=())
    start = time.process_time()
    here = room(statement, today, 7, searched=worlds, most=2 + seed % 4)
    searches = here.searches()
    if any(search.lost for search in searches):
        return None
    best_of = here.cheapest(searches, here.asked)
    middle = time.process_time()
    assert best_of is not None
    answer: Found = best_of[1]
    names = [o.name for o in here.offers]
    by_mode = {search.always: search for search in searches}
    sets = [frozenset(some) for size in range(len(names) + 1) for some in itertools.combinations(names, size)]
    able = [one for one in sets if one & here.apart in by_mode]
    best = min(brute_usd(here, by_mode[one & here.apart], here.asked, one) for one in able)
    return answer.usd, best, answer.gap, middle - start, time.process_time() - middle


def main() -> int:
    """Compare, case by case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worlds", type=int, default=100)
    given = parser.parse_args()
    rows = []
    seed = given.seed
    with tempfile.TemporaryDirectory() as folder:
        while len(rows) < given.scenarios:
            found = compare(seed, given.worlds, Path(folder))
            if found is not None:
                rows.append(found)
                usd, best, gap, one, other = found
                off = (usd - best) / max(abs(best), 1.0)
                print(f"{seed:5}  {usd:10,.2f}  {best:10,.2f}  {off:8.3%}  gap {gap:.1%}  {one:.1f} s : {other:.1f} s", flush=True)
            seed += 1
    differences = [(usd - best) / max(abs(best), 1.0) for usd, best, *_ in rows]
    equal, worst = sum(abs(x) <= 1e-3 for x in differences), max(differences, key=abs)
    print(
        f"{len(rows)} cases, {equal} within 0.1 % of brute force, worst {worst:.2%}; proven {sum(row[2] == 0 for row in rows)}; "
        f"more than today {sum(row[0] > 1 for row in rows)}; CPU {sum(row[3] for row in rows):.0f} s : {sum(row[4] for row in rows):.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
