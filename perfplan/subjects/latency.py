"""Where the time of a request goes."""

from __future__ import annotations

from perfplan.operate.kind import today
from perfplan.plan.uptime import visits_of
from perfplan.study import Study
from perfplan.study.sweeps import pools, shares_of_latency
from perfplan.subjects.kind import ARCHITECTURE, Found, Item
from perfplan.words import duration, listed, share


def _databases(study: Study) -> Found | None:
    names = [place.tier for place in pools(study)]
    if not names:
        return None
    carried, said = study.middle.carried, []
    for journey, times in shares_of_latency(study).items():
        reach = visits_of(study.scenario, journey, carried.hit_ratio)
        inside = sum(today(study, reach.get(name, 0.0)) * today(study, carried.responses[name].mean_s) for name in names)
        said.append(f"{journey} {share(min(inside / sum(map(sum, times.values())), 1.0))}")
    return Found(text=f"share of the mean response time that is spent in databases: {', '.join(said)}")


def _steps(study: Study) -> Found:
    """Steps that take more than a quarter of the p95 of their journey."""
    said = []
    for journey, times in shares_of_latency(study).items():
        p95_s = today(study, study.middle.percentile_s[journey][0.95])
        long = [
            f"{step} ({duration(sum(parts))})" for step, parts in times.items() if sum(parts) > p95_s / 4 and step in study.scenario.tiers
        ]
        said += [f"{journey} waits for {listed(long)} of its p95 of {duration(p95_s)}"] if long else []
    if not said:
        return Found(text="no step takes more than a quarter of the p95 of its journey")
    return Found(text=f"{'; '.join(said)}; nothing says whether that could be done later", verdict="at risk")


ITEMS = (
    Item("2.4.1", _steps, ARCHITECTURE, shares_of_latency),
    Item("CI.1", _databases, ARCHITECTURE, shares_of_latency),
)
