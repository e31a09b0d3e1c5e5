"""Availability of tiers and of journeys, and the share of calls that is refused."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from perfplan.models.availability import in_series
from perfplan.plan.demand import levels
from perfplan.plan.maintenance import share_down
from perfplan.plan.paths import Carried
from perfplan.quantity import FloatArray, Value
from perfplan.scenario import Scenario
from perfplan.scenario.rules import call_order
from perfplan.tiers import kind_of


def tier_availability(scenario: Scenario, carried: Carried, name: str) -> FloatArray:
    """Probability that *name* is up with enough nodes for the load."""
    tier = scenario.tiers[name]
    used = {place.field: station.utilization for place, station in carried.stations.items() if place.tier == name}
    accepted = kind_of(tier).owned.rate_limit(tier)
    refused = 0.0 if accepted is None else _refused(scenario, carried.calls_rps[name], accepted)
    return np.asarray(kind_of(tier).kept.available(tier, used, refused))


def _refused(scenario: Scenario, calls_rps: Value, limit_rps: Value) -> FloatArray:
    """Share of all calls of a week beyond a rate limit, *calls_rps* at its peak hour."""
    level, time = levels(scenario)
    calls = np.asarray(calls_rps, dtype=float)[..., None] * level
    over = np.maximum(calls - np.asarray(limit_rps, dtype=float)[..., None], 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nan_to_num((over * time).sum(axis=-1) / (calls * time).sum(axis=-1), nan=0.0))


def path_availability(scenario: Scenario, carried: Carried, journey: str) -> FloatArray:
    """Availability of a journey: each tier must be up for the share of its requests that reach it, and no maintenance counted."""
    reached = visits_of(scenario, journey, carried.hit_ratio)
    up = in_series(*(1 - np.minimum(visits, 1.0) * (1 - tier_availability(scenario, carried, name)) for name, visits in reached.items()))
    edge = carried.edge[journey]
    return np.asarray(edge + (1 - edge) * up * (1 - share_down(scenario)) + 0 * carried.rps)


def visits_of(scenario: Scenario, journey: str, hits: Mapping[str, Value]) -> dict[str, Value]:
    """Mean visits to each tier of one request of *journey* that the edge did not answer, through caches and services too."""
    visits: dict[str, Value] = dict(scenario.journeys[journey].calls)
    for name in call_order(scenario):
        tier = scenario.tiers[name]
        for called, times in kind_of(tier).carries.passes(tier, hits.get(name, 0.0)).items() if name in visits else ():
            visits[called] = visits.get(called, 0.0) + visits[name] * times
    return visits


def availabilities(scenario: Scenario, carried: Carried) -> dict[str, float]:
    """Of each journey, in the first world and month: today, where every input is at its median."""
    return {name: float(path_availability(scenario, carried, name)[0, 0]) for name in scenario.journeys}
