"""Scenario -> Plan: the one place where the models meet. Pure; cannot tell one world from ten thousand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfplan import promises
from perfplan.models.growth import burst_backlog, concurrent_users, in_flight
from perfplan.models.stations.queueing import drain_time_s
from perfplan.plan.demand import MONTHS, demand_rps, month_factors, month_index, month_names, peak_seconds, today_rps, worlds_in
from perfplan.plan.money import cost_usd
from perfplan.plan.paths import Carried, traffic_bytes
from perfplan.plan.resources import Resource, resources, spares, steady_limit, stored_bytes
from perfplan.plan.state import State
from perfplan.promises import until
from perfplan.promises.kind import Judged
from perfplan.quantity import FloatArray, Value, median
from perfplan.record import but
from perfplan.scenario import Scenario
from perfplan.tiers.place import Place

__all__ = [
    "MONTHS",
    "PERCENTILES",
    "Plan",
    "Resource",
    "State",
    "burst",
    "by_tier",
    "concurrency",
    "counts",
    "demand_rps",
    "judge",
    "month_factors",
    "month_index",
    "month_names",
    "plan",
    "spares",
    "steady_limit",
    "tightest",
    "today_rps",
    "until",
    "with_counts",
    "with_fields",
    "worlds_in",
]
PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All answers, each over (worlds, months)."""

    scenario: Scenario
    rps: FloatArray
    carried: Carried
    percentile_s: Mapping[str, Mapping[float, FloatArray]]
    judged: Mapping[str, Judged]
    resources: Mapping[Place, Resource]
    stored_bytes: Mapping[str, FloatArray]
    sent_bytes: FloatArray  # out of the data centre, per second at the peak
    received_bytes: FloatArray
    edge_bytes: FloatArray  # out of the content network, per second at the peak
    month_requests: FloatArray  # in each month, over its weeks; events on their days
    cost_usd: Mapping[str, FloatArray]  # per month
    first: int = 0  # month of the first column
    loads: bool = False  # whether the columns are loads of that month, not the months after it
    aside: Mapping[str, frozenset[int]] = dataclasses.field(default_factory=dict)  # months in which a promise does not count

    @property
    def all_hold(self) -> NDArray[np.bool_]:
        """Whether every objective that still counts holds, (worlds, months).

        Which of them count when, see `counts`; those set aside do not.
        """
        months = [self.first + m * (not self.loads) for m in range(self.rps.shape[1])]
        hold = np.ones(self.rps.shape, dtype=bool)
        for name, one in self.judged.items():
            hold &= one.holds | [not counts(self.scenario, name, m) or m in self.aside.get(name, ()) for m in months]
        return hold

    @property
    def cost_month_usd(self) -> FloatArray:
        """Cost of everything, per month."""
        return np.asarray(sum(self.cost_usd.values(), np.zeros(self.rps.shape)))

    @property
    def state(self) -> State:
        """The scenario at the load of the plan, and the door to others."""
        return State.of(self.scenario, self.carried)

    @property
    def second_rps(self) -> FloatArray:
        """Rate of the busiest second inside the busiest hour."""
        return np.asarray(self.rps * self.scenario.traffic.peak_second)


def plan(
    scenario: Scenario,
    rps: FloatArray | None = None,
    *,
    months: int = MONTHS,
    percentiles: Sequence[float] = PERCENTILES,
    at_months: Sequence[int] | None = None,
    objectives: Iterable[str] | None = None,
    both: bool = False,
    first: int = 0,
    loads: bool = False,
    month_factor: Value | None = None,
) -> Plan:
    """The plan of *scenario*, in as many worlds as it was drawn.

    *rps*: the load, shape (worlds, months); left out, the demand that the scenario states. *percentiles*: of the response
    times of each journey; empty: none. *at_months*: only there, nan elsewhere; left out, in all months. *first*: the month of the
    first column; *loads*: all columns are that month, at different loads. *month_factor*: see `month_factors`; load that the cost of
    traffic is made of, over the peak's; left out, that of the scenario's own months, or 1 where *rps* is given. *objectives*: those to
    judge; left out, all. *both*: latency objectives judged over the peak hour and over 28 days.
    """
    if month_factor is None:
        month_factor = month_factors(scenario, months) if rps is None else 1.0
    rps = demand_rps(scenario, months) if rps is None else rps
    rps = np.broadcast_to(rps, (max(worlds_in(scenario), rps.shape[0]), rps.shape[1]))
    state = State(scenario, rps)
    carried = state.carried
    sent, received, edge = traffic_bytes(scenario, carried)
    stored = stored_bytes(scenario, rps[:, :1] if loads else rps, first)
    stored = {name: np.broadcast_to(held, rps.shape) for name, held in stored.items()}
    return Plan(
        scenario=scenario,
        rps=rps,
        carried=carried,
        percentile_s=_percentiles(scenario, carried, percentiles, at_months) if percentiles else {},
        judged=judge(state, scenario.objectives if objectives is None else objectives, both=both),
        resources=resources(scenario, carried, stored, sent),
        stored_bytes=stored,
        sent_bytes=sent,
        received_bytes=received,
        edge_bytes=edge,
        month_requests=rps * month_factor * peak_seconds(scenario),
        cost_usd=cost_usd(scenario, carried, stored, sent, edge, month_factor),
        first=first,
        loads=loads,
    )


def counts(scenario: Scenario, name: str, month: int) -> bool:
    """Whether an objective still counts in *month*: until its own end, or, where it reaches furthest, to the end of the plan."""
    end = until(scenario.objectives[name])
    return month <= end or end == max(until(one) for one in scenario.objectives.values())


def judge(state: State, names: Iterable[str], *, both: bool = False) -> dict[str, Judged]:
    """The named objectives at the load of *state*; *both*: those that can be judged over the peak hour and over 28 days, over both."""
    objectives = {name: state.scenario.objectives[name] for name in names}
    return {name: promises.kind_of(one).judges.judged(one, state, both) for name, one in objectives.items()}


def _percentiles(
    scenario: Scenario, carried: Carried, percentiles: Sequence[float], at_months: Sequence[int] | None
) -> dict[str, dict[float, FloatArray]]:
    rps = carried.rps
    columns = list(range(rps.shape[1])) if at_months is None else [m for m in at_months if m < rps.shape[1]]
    some = State(scenario, rps[:, columns], hits=carried.hit_ratio)
    found: dict[str, dict[float, FloatArray]] = {}
    for name in scenario.journeys:
        found[name] = {}
        for p, values in zip(percentiles, some.quick_percentiles_s(name, percentiles), strict=True):
            found[name][p] = np.full(rps.shape, np.nan)
            found[name][p][:, columns] = values
    return found


def with_fields(scenario: Scenario, fields: Mapping[str, Mapping[str, Value]]) -> Scenario:
    """The scenario with other values, by tier and field, such as {"api": {"instances": 30.0}}; other draws stay as they are."""
    return but(scenario, tiers={**scenario.tiers, **{tier: but(scenario.tiers[tier], **values) for tier, values in fields.items()}})


def with_counts(scenario: Scenario, counts: Mapping[Place, float]) -> Scenario:
    """The scenario with other counts, such as {Place("api", "instances"): 30}."""
    return with_fields(scenario, by_tier(counts))


def by_tier(counts: Mapping[Place, float]) -> dict[str, dict[str, float]]:
    """Numbers by tier, then field."""
    found: dict[str, dict[str, float]] = {}
    for (tier, field), count in counts.items():
        found.setdefault(tier, {})[field] = float(count)
    return found


def concurrency(made: Plan) -> tuple[FloatArray, FloatArray]:
    """Concurrent users, and requests in flight, at the peak hour (Little's law over all journeys)."""
    users, flying = np.zeros(made.rps.shape), np.zeros(made.rps.shape)
    for name, journey in made.scenario.journeys.items():
        response = made.carried.journeys[name].mean_s
        users = users + concurrent_users(made.carried.journey_rps[name], response, journey.think_time_s)
        flying = flying + in_flight(made.carried.journey_rps[name], response)
    return users, flying


def burst(made: Plan) -> tuple[FloatArray, FloatArray, str]:
    """Requests that queue in the peak seconds at the tightest tier, the time to drain them, and the tier's name."""
    name = tightest(made)
    if name is None:
        return np.zeros(made.rps.shape), np.zeros(made.rps.shape), "no station"
    station = made.carried.stations[name]
    capacity = made.rps / np.maximum(station.utilization, 1e-12)
    traffic = made.scenario.traffic
    backlog = burst_backlog(made.rps, capacity, traffic.peak_second, traffic.burst_s)
    return backlog, np.asarray(drain_time_s(backlog, made.rps, 1.0, capacity)), name.words


def tightest(made: Plan) -> Place | None:
    """The station of highest utilization in the first month, at the median; None where there is none."""
    used = {key: median(np.broadcast_to(s.utilization, made.rps.shape)[:, 0]) for key, s in made.carried.stations.items()}
    return max(used, key=lambda key: used[key], default=None)
