"""When to start to scale each count, so that what is ordered is there before its limit is passed by growth alone; events of the plan have
orders with dates of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfplan.operate.source import Source
from perfplan.plan.resources import lead_time_s
from perfplan.quantity import MONTH, median
from perfplan.study import Study, once
from perfplan.study.inside import inside_rps
from perfplan.study.sweeps import todays_knee
from perfplan.tiers import count_of, kind_of
from perfplan.tiers.place import Place


@dataclass(frozen=True, kw_only=True)
class Start:
    """One count: the load at its limit, the load at which to start, and how long it takes."""

    place: Place
    today: float
    planned: float  # by the last month asked for
    full_rps: float  # requests of all that come to the balancer; inf: within its limit at every load that was tried
    start_rps: float
    lead_s: float


@once
def starts(study: Study) -> list[Start]:
    """Every count that is bought, the first to be started first."""
    source, knee, scenario = Source(study=study), todays_knee(study), study.scenario
    grows = scenario.traffic.growth_per_month
    monthly = max(median(grows), 0.0) if grows is not None else 0.0
    found, inside = [], float(np.median(inside_rps(study)[:, 0] / study.worlds.rps[:, 0]))
    for name, tier in scenario.tiers.items():
        for one in kind_of(tier).owned.bought:
            place = Place(name, one.field)
            full, lead_s = inside * knee.resources.get(place, float("inf")), lead_time_s(scenario, place)
            found.append(
                Start(
                    place=place,
                    today=count_of(tier, one.field),
                    planned=source.count(name, one.field)[0],
                    full_rps=full,
                    start_rps=full / (1 + monthly) ** (lead_s / MONTH) if np.isfinite(full) else full,
                    lead_s=lead_s,
                )
            )
    return sorted(found, key=lambda one: one.start_rps)
