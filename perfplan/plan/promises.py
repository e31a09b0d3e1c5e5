"""Objectives judged at a load: the value of each, and whether it holds, in every world and month."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perfplan.models.availability import in_series, k_of_n
from perfplan.models.growth import load_levels, usual_week
from perfplan.models.latency import exceeds
from perfplan.models.slo import binding_error_limit
from perfplan.plan.paths import Carried, carry, traffic_bytes
from perfplan.quantity import FloatArray, Value
from perfplan.scenario import (
    Availability,
    Cache,
    Completion,
    Database,
    Errors,
    Latency,
    Objective,
    Partner,
    Queue,
    Scenario,
    Service,
    Throughput,
    Users,
)
from perfplan.scenario.rules import call_order, calls_of

LEVELS = 32  # load levels of the week
GRID = 12  # loads at which the share of slow requests is computed; levels are interpolated between them


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One objective over worlds x months: the share or rate it is judged by, its bound, and whether it holds."""

    objective: Objective
    value: FloatArray  # share of bad requests, or the rate that is carried
    bound: Value
    holds: NDArray[np.bool_]
    also: FloatArray | None = field(default=None)  # a latency objective judged the other way (28 days or peak hour)


def judge(scenario: Scenario, carried: Carried, *, both: bool = False) -> dict[str, Judged]:
    """Every objective at the load of *carried*; *both*: latency over the peak hour and over 28 days."""
    return {name: _judge(scenario, carried, objective, both) for name, objective in scenario.objectives.items()}


def _judge(scenario: Scenario, carried: Carried, objective: Objective, both: bool) -> Judged:
    if isinstance(objective, Latency):
        return _latency(scenario, carried, objective, both)
    if isinstance(objective, Availability):
        bad = 1 - path_availability(scenario, carried, objective.journey)
        return _bad_share(objective, bad, 1 - objective.above)
    if isinstance(objective, Errors):
        bad = 1 - path_availability(scenario, carried, objective.journey)
        return _bad_share(objective, bad, _binding(scenario, objective))
    if isinstance(objective, Throughput):
        wanted = carried.rps * scenario.traffic.peak_second if objective.above_rps is None else objective.above_rps + 0 * carried.rps
        return _unsaturated(objective, scenario, carried, wanted)
    if isinstance(objective, Users):
        return _users(scenario, carried, objective)
    assert isinstance(objective, Completion)
    station = carried.stations[objective.queue, "workers"]
    return _bad_share(objective, station.response_exceeds(objective.below_s), 1 - objective.percentile)


def _bad_share(objective: Objective, bad: Value, bound: Value) -> Judged:
    return Judged(objective=objective, value=np.asarray(bad), bound=bound, holds=np.asarray(bad) <= np.asarray(bound) * (1 + 1e-9))


def _binding(scenario: Scenario, objective: Errors) -> Value:
    """An availability target of the same journey, counted in requests, may be stricter than the error rate."""
    limit = objective.below
    for other in scenario.objectives.values():
        if isinstance(other, Availability) and other.journey == objective.journey:
            limit = binding_error_limit(float(np.median(limit)), float(np.median(other.above)))
    return limit


def _latency(scenario: Scenario, carried: Carried, objective: Latency, both: bool) -> Judged:
    ways: dict[str, Callable[[], FloatArray]] = {
        "peak hour": lambda: exceeds(carried.journeys[objective.journey], objective.below_s, carried.rps.shape),
        "28 days": lambda: share_slow(scenario, carried, objective),
    }
    bad = ways.pop(objective.over)()
    judged = _bad_share(objective, bad, 1 - objective.percentile)
    if not both:
        return judged
    return Judged(**{**judged.__dict__, "also": ways.popitem()[1]()})


def share_slow(scenario: Scenario, carried: Carried, objective: Latency) -> FloatArray:
    """Share of the requests of four weeks that are slower than the target.

    Load levels of the week, weighted by time and rate. Above the load that saturates the path every request is slow; below,
    the share at each level is interpolated between GRID loads per world, closer together where the load is high.
    """
    level, time = load_levels(scenario.week if scenario.week is not None else usual_week(), LEVELS)
    top = carried.rps.max(axis=-1, keepdims=True)
    full = _saturation(scenario, carried, objective.journey, top)
    high = np.where(full < 1, 0.999 * full, 1.0)
    low = np.minimum(float(level.min() * (carried.rps / top).min()), 0.5 * high)
    grid = high - (high - low) * (1 - np.linspace(0, 1, GRID)) ** 2
    state = carry(scenario, top * grid, carried.hit_ratio)
    slow = exceeds(state.journeys[objective.journey], objective.below_s, state.rps.shape)
    at = (carried.rps / top)[..., None] * level
    place = (1 - np.sqrt(np.clip((high[..., None] - at) / (high - low)[..., None], 0, 1))) * (GRID - 1)
    left = np.minimum(place.astype(np.intp), GRID - 2)
    flat = left.reshape(left.shape[0], -1)
    lower = np.take_along_axis(slow, flat, axis=1).reshape(left.shape)
    upper = np.take_along_axis(slow, flat + 1, axis=1).reshape(left.shape)
    share = np.where((at >= full[..., None]) & (full[..., None] < 1), 1.0, lower + (upper - lower) * (place - left))
    return np.asarray((share * level * time).sum(axis=-1) / (level * time).sum())


def _saturation(scenario: Scenario, carried: Carried, journey: str, top: FloatArray) -> FloatArray:
    """Share of the load *top*, (worlds, 1), at which the path of *journey* saturates, by bisection; 1 where it does not."""

    def settled(part: FloatArray) -> NDArray[np.bool_]:
        state = carry(scenario, top * part, carried.hit_ratio)
        return np.asarray(np.isfinite(np.broadcast_to(np.asarray(state.journeys[journey].mean_s, dtype=float), top.shape)))

    low, high = np.zeros_like(top), np.ones_like(top)
    whole = settled(high)
    for _ in range(0 if whole.all() else 14):
        mid = (low + high) / 2
        good = settled(mid)
        low, high = np.where(good, mid, low), np.where(good, high, mid)
    return np.asarray(np.where(whole, 1.0, low))


def tier_availability(scenario: Scenario, carried: Carried, name: str) -> FloatArray:
    """Probability that *name* is up with enough nodes for the load."""
    tier = scenario.tiers[name]
    if isinstance(tier, Service):
        busy = carried.stations[name, "instances"].utilization * tier.instances
        return k_of_n(np.maximum(busy, 1e-9), tier.instances, tier.node_availability) * tier.availability
    if isinstance(tier, Cache):  # a lost node is a miss, not an error: its keys are read from the origin
        return np.asarray(1.0)
    assert isinstance(tier, (Database, Queue, Partner))
    return np.asarray(tier.availability)


def path_availability(scenario: Scenario, carried: Carried, journey: str) -> FloatArray:
    """Availability of a journey: each tier must be up for the share of its requests that reach it."""
    reached = visits_of(scenario, journey, carried.hit_ratio)
    up = in_series(*(1 - np.minimum(visits, 1.0) * (1 - tier_availability(scenario, carried, name)) for name, visits in reached.items()))
    edge = carried.edge[journey]
    return np.asarray(edge + (1 - edge) * up + 0 * carried.rps)


def visits_of(scenario: Scenario, journey: str, hits: Mapping[str, Value]) -> dict[str, Value]:
    """Mean visits to each tier of one request of *journey* that the edge did not answer, through caches and services too."""
    visits: dict[str, Value] = dict(scenario.journeys[journey].calls)
    for name in call_order(scenario):
        tier = scenario.tiers[name]
        for called, times in calls_of(scenario, name).items() if name in visits else ():
            share = 1 - np.asarray(hits[name]) if isinstance(tier, Cache) else times
            visits[called] = visits.get(called, 0.0) + visits[name] * share
    return visits


def _unsaturated(objective: Objective, scenario: Scenario, carried: Carried, wanted: FloatArray) -> Judged:
    """Whether no station that a request waits for is saturated at the rate *wanted*."""
    state = carry(scenario, wanted, carried.hit_ratio)
    worst = np.zeros(wanted.shape)
    for (name, _), station in state.stations.items():
        if not isinstance(scenario.tiers[name], Queue):  # jobs may wait until the peak is over
            worst = np.maximum(worst, station.utilization)
    for name, tier in scenario.tiers.items():
        if isinstance(tier, Partner) and tier.limit_rps is not None:
            worst = np.maximum(worst, state.calls_rps[name] / np.asarray(tier.limit_rps))
    worst = np.maximum(worst, traffic_bytes(scenario, state)[0] / scenario.link_bytes_per_s)
    return Judged(objective=objective, value=worst, bound=1.0, holds=worst < 1.0)


def _users(scenario: Scenario, carried: Carried, objective: Users) -> Judged:
    """Load of the stated users, at each world's requests per user; holds where every latency objective of the peak hour does."""
    rate = scenario.traffic.requests_per_user_rps
    per_user = rate if rate is not None else 1 / 30
    wanted = np.broadcast_to(np.asarray(objective.above * per_user, dtype=float), (carried.rps.shape[0], 1))
    state = carry(scenario, wanted, carried.hit_ratio)
    judged = _unsaturated(objective, scenario, carried, wanted)
    holds = judged.holds
    for other in scenario.objectives.values():
        if isinstance(other, Latency):
            slow = exceeds(state.journeys[other.journey], other.below_s, wanted.shape)
            holds = holds & (slow <= (1 - np.asarray(other.percentile)) * (1 + 1e-9))
    return Judged(
        objective=objective, value=judged.value + 0 * carried.rps, bound=1.0, holds=np.broadcast_to(holds, carried.rps.shape),
    )  # fmt: skip
