"""Objectives judged at a load: the value of each, and whether it holds, in every world and month."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perfplan.models.availability import in_series
from perfplan.models.growth import load_levels, usual_week
from perfplan.models.latency import exceeds
from perfplan.models.slo import binding_error_limit
from perfplan.plan.loads import GRID, ByLoad, Loads
from perfplan.plan.paths import Carried, traffic_bytes
from perfplan.quantity import FloatArray, Value
from perfplan.scenario import Availability, Completion, Errors, Latency, Objective, Scenario, Throughput, Users
from perfplan.scenario.rules import call_order
from perfplan.tiers import bought_of, kind_of

LEVELS = 32  # load levels of the week


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One objective over worlds x months: the share or rate it is judged by, its bound, and whether it holds."""

    objective: Objective
    value: FloatArray  # share of bad requests, or the rate that is carried
    bound: Value
    holds: NDArray[np.bool_]
    also: FloatArray | None = field(default=None)  # a latency objective judged the other way (28 days or peak hour)


def judge(scenario: Scenario, carried: Carried, names: Iterable[str], *, both: bool = False) -> dict[str, Judged]:
    """The named objectives at the load of *carried*; *both*: latency over the peak hour and over 28 days."""
    loads = Loads(scenario, carried.hit_ratio)
    return {name: _judge(loads, carried, scenario.objectives[name], both) for name in names}


def _judge(loads: Loads, carried: Carried, objective: Objective, both: bool) -> Judged:
    scenario = loads.scenario
    if isinstance(objective, Latency):
        return _latency(loads, carried, objective, both)
    if isinstance(objective, Availability):
        bad = 1 - path_availability(scenario, carried, objective.journey)
        return _bad_share(objective, bad, 1 - objective.above)
    if isinstance(objective, Errors):
        bad = 1 - path_availability(scenario, carried, objective.journey)
        return _bad_share(objective, bad, _binding(scenario, objective))
    if isinstance(objective, Throughput):
        wanted = carried.rps * scenario.traffic.peak_second if objective.above_rps is None else objective.above_rps + 0 * carried.rps
        return _unsaturated(objective, loads.at(wanted), scenario)
    if isinstance(objective, Users):
        return _users(loads, carried, objective)
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


def _latency(loads: Loads, carried: Carried, objective: Latency, both: bool) -> Judged:
    scenario = loads.scenario
    week = both or objective.over == "28 days"
    level, time = _levels(scenario)
    ways = {}
    slow = _slow_by_load(loads, carried, objective, float(level.min()) if week else 1.0) if week or carried.rps.shape[1] > GRID else None
    if slow is not None and week:
        ways["28 days"] = (slow(carried.rps[..., None] * level) * level * time).sum(axis=-1) / (level * time).sum()
    if both or objective.over == "peak hour":
        ways["peak hour"] = slow(carried.rps) if slow else _slow(carried, objective)
    judged = _bad_share(objective, ways.pop(objective.over), 1 - objective.percentile)
    return Judged(**{**judged.__dict__, "also": ways.popitem()[1]}) if both else judged


def share_slow(scenario: Scenario, carried: Carried, objective: Latency) -> FloatArray:
    """Share of the requests of four weeks that are slower than the target: over load levels of the week, weighted by time and rate."""
    level, time = _levels(scenario)
    slow = _slow_by_load(Loads(scenario, carried.hit_ratio), carried, objective, float(level.min()))
    return np.asarray((slow(carried.rps[..., None] * level) * level * time).sum(axis=-1) / (level * time).sum())


def _slow_by_load(loads: Loads, carried: Carried, objective: Latency, least: float) -> Callable[[FloatArray], FloatArray]:
    """The share of requests slower than the target as a function of the load, from *least* of the lowest month to the highest.

    99 of 100 cells within 1 % of the share where that is 1 to 30 %. Above the load that saturates the path every request is slow.
    """
    by_load = ByLoad(loads, objective.journey, carried.rps, least=least)
    slow = _slow(by_load.state, objective)
    return by_load.curve(np.log(np.maximum(slow, 1e-12)), lambda log: np.exp(np.minimum(log, 0.0)), 1.0)


def _slow(state: Carried, objective: Latency) -> FloatArray:
    """Share of the requests in *state* that are slower than the target; precise where it is a hundredth of what is allowed, or more."""
    least = 0.01 * float(np.min(1 - np.asarray(objective.percentile)))
    return exceeds(state.journeys[objective.journey], objective.below_s, state.rps.shape, least=least)


def tier_availability(scenario: Scenario, carried: Carried, name: str) -> FloatArray:
    """Probability that *name* is up with enough nodes for the load."""
    tier, station = scenario.tiers[name], carried.stations.get((name, "instances"))
    accepted = kind_of(tier).owned.rate_limit(tier)
    refused = 0.0 if accepted is None else _refused(scenario, carried.calls_rps[name], accepted)
    return np.asarray(kind_of(tier).kept.available(tier, 0.0 if station is None else station.utilization, refused))


def _levels(scenario: Scenario) -> tuple[FloatArray, FloatArray]:
    """Loads of the week over its peak hour's, and the time at each."""
    return load_levels(scenario.week if scenario.week is not None else usual_week(), LEVELS)


def _refused(scenario: Scenario, calls_rps: Value, limit_rps: Value) -> FloatArray:
    """Share of all calls of a week beyond a rate limit, *calls_rps* at its peak hour."""
    level, time = _levels(scenario)
    calls = np.asarray(calls_rps, dtype=float)[..., None] * level
    over = np.maximum(calls - np.asarray(limit_rps, dtype=float)[..., None], 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nan_to_num((over * time).sum(axis=-1) / (calls * time).sum(axis=-1), nan=0.0))


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
        for called, times in kind_of(tier).carries.passes(tier, hits.get(name, 0.0)).items() if name in visits else ():
            visits[called] = visits.get(called, 0.0) + visits[name] * times
    return visits


def _unsaturated(objective: Objective, state: Carried, scenario: Scenario) -> Judged:
    """Whether no station that a request waits for is saturated in *state*."""
    worst = np.zeros(state.rps.shape)
    for (name, bought), station in state.stations.items():
        if not bought_of(scenario.tiers[name], bought).waits:  # jobs may wait until the peak is over
            worst = np.maximum(worst, station.utilization)
    for name, tier in scenario.tiers.items():
        if (accepted := kind_of(tier).owned.rate_limit(tier)) is not None:
            worst = np.maximum(worst, state.calls_rps[name] / np.asarray(accepted))
    worst = np.maximum(worst, traffic_bytes(scenario, state)[0] / scenario.link_bytes_per_s)
    return Judged(objective=objective, value=worst, bound=1.0, holds=worst < 1.0)


def _per_user_rps(scenario: Scenario) -> Value:
    """Requests that one user sends: as stated, else one in a pause of the journeys, each at its share."""
    if scenario.traffic.requests_per_user_rps is not None:
        return scenario.traffic.requests_per_user_rps
    journeys = scenario.journeys.values()
    return 1 / (sum(j.share * j.think_time_s for j in journeys) / sum(j.share for j in journeys))


def per_user(scenario: Scenario) -> tuple[float, str]:
    """Requests per second of one user at the median, and the field that says so."""
    stated = scenario.traffic.requests_per_user_rps is not None
    return float(np.median(_per_user_rps(scenario))), "traffic.requests_per_user" if stated else "one in a think_time of the journeys"


def _users(loads: Loads, carried: Carried, objective: Users) -> Judged:
    """Load of the stated users, at each world's requests per user; holds where every latency objective of the peak hour does."""
    scenario = loads.scenario
    wanted = np.broadcast_to(np.asarray(objective.above * _per_user_rps(scenario), dtype=float), (carried.rps.shape[0], 1))
    state = loads.at(wanted)
    judged = _unsaturated(objective, state, scenario)
    holds = judged.holds
    for other in scenario.objectives.values():
        if isinstance(other, Latency):
            slow = _slow(state, other)
            holds = holds & (slow <= (1 - np.asarray(other.percentile)) * (1 + 1e-9))
    return Judged(
        objective=objective, value=judged.value + 0 * carried.rps, bound=1.0, holds=np.broadcast_to(holds, carried.rps.shape),
    )  # fmt: skip
