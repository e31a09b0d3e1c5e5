"""Scenario -> Plan: the one place where the models meet. Pure; cannot tell one world from ten thousand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfplan.models.capacity import SPARE_LIMIT, usable_limit
from perfplan.models.cost import traffic_month_usd
from perfplan.models.growth import (
    burst_backlog,
    concurrent_users,
    grown,
    in_flight,
    peak_rps,
    requests_of_month,
    usual_week,
    with_events,
)
from perfplan.models.latency import percentiles_s
from perfplan.models.queueing import MMc, drain_time_s
from perfplan.plan.loads import ByLoad, Loads
from perfplan.plan.paths import Carried, carry, hit_ratios, traffic_bytes
from perfplan.plan.promises import Judged, judge
from perfplan.quantity import DAY, MONTH, FloatArray, Value
from perfplan.record import but
from perfplan.scenario import Objective, Scenario, Throughput
from perfplan.tiers import bought_of, kind_of

MONTHS = 37  # months 0 .. 36
PERCENTILES = (0.5, 0.95, 0.99)
FINE, NEARER = 14, 0.01  # loads a world at which percentiles are known, and how near the highest load they get close together
STORAGE_LIMIT, LINK_LIMIT, PARTNER_LIMIT = 0.85, 0.70, 0.90  # planned for at most; the checklist alerts disks at 90 %


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Something that is bought or booked, and can run out."""

    tier: str
    field: str
    count: float
    unit: str
    utilization: FloatArray  # (worlds, months)
    limit: FloatArray  # highest utilization that is planned for, N + 1 included
    used: str  # how much of it is used, in words
    trust: str  # how far that can be trusted
    ours: bool = False  # whether its count is ours to choose

    @property
    def path(self) -> str:
        """The field of the scenario that states it."""
        return f"tiers.{self.tier}.{self.field}" if self.tier else self.field

    @property
    def formula(self) -> Any:
        """What computes how much of it is used."""
        return {"storage_limit": _stored, "limit": carry, "link": traffic_bytes}.get(self.field, MMc.utilization)

    @property
    def label(self) -> str:
        """Its name in sentences."""
        return f"{self.tier} {self.unit}".strip()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All answers, each over (worlds, months)."""

    scenario: Scenario
    rps: FloatArray
    carried: Carried
    percentile_s: Mapping[str, Mapping[float, FloatArray]]
    judged: Mapping[str, Judged]
    resources: Mapping[str, Resource]
    stored_bytes: Mapping[str, FloatArray]
    sent_bytes: FloatArray  # out of the data centre, per second at the peak
    received_bytes: FloatArray
    edge_bytes: FloatArray  # out of the content network, per second at the peak
    month_requests: FloatArray  # in each month, over its weeks; events on their days
    cost_usd: Mapping[str, FloatArray]  # per month
    first: int = 0  # month of the first column

    @property
    def all_hold(self) -> NDArray[np.bool_]:
        """Whether every objective that still counts holds, (worlds, months).

        An objective counts until its own end; those that reach furthest count to the end of the plan.
        """
        furthest = max(until(o) for o in self.scenario.objectives.values())
        months = self.first + np.arange(self.rps.shape[1])
        hold = np.ones(self.rps.shape, dtype=bool)
        for one in self.judged.values():
            end = until(one.objective)
            hold &= one.holds | ((months > end) & (end < furthest))
        return hold

    @property
    def cost_month_usd(self) -> FloatArray:
        """Cost of everything, per month."""
        return np.asarray(sum(self.cost_usd.values(), np.zeros(self.rps.shape)))

    @property
    def second_rps(self) -> FloatArray:
        """Rate of the busiest second inside the busiest hour."""
        return np.asarray(self.rps * self.scenario.traffic.peak_second)


def until(objective: Objective) -> int:
    """The month up to which *objective* must hold."""
    return round(float(np.median(objective.until_s)) / MONTH)


def demand_rps(scenario: Scenario, months: int = MONTHS) -> FloatArray:
    """Requests per second in the busiest hour of each month, events included; shape (worlds, months)."""
    traffic = scenario.traffic
    if traffic.peak_users is not None and traffic.requests_per_user_rps is not None:
        now = peak_rps(traffic.peak_users, traffic.requests_per_user_rps)
    else:
        now = traffic.peak_rps if traffic.peak_rps is not None else np.nan
    growth = traffic.growth_per_month if traffic.growth_per_month is not None else 0.0
    factors: dict[int, Value] = {}
    for event in traffic.events:
        month = month_index(scenario, event.month)
        factors[month] = factors.get(month, 1.0) * event.factor
    return np.atleast_2d(grown(now, growth, np.arange(months, dtype=float)) * with_events(months, factors))


def today_rps(scenario: Scenario) -> float:
    """Peak hour of the first month without its events, at the median: what "today" means."""
    return float(np.median(demand_rps(but(scenario, traffic=but(scenario.traffic, events=())), 1)))


def month_factors(scenario: Scenario, months: int = MONTHS) -> FloatArray:
    """Load of a whole month over that of its busiest week, (worlds, months): an event lasts days, its month does not."""
    factors: dict[int, Value] = {}
    for event in scenario.traffic.events:
        part = np.minimum(event.lasts_s / MONTH, 1.0)
        month = month_index(scenario, event.month)
        factors[month] = factors.get(month, 1.0) * (1 + (np.asarray(event.factor, dtype=float) - 1) * part) / event.factor
    return np.atleast_2d(with_events(months, factors))


def worlds_in(scenario: Scenario) -> int:
    """In how many worlds a scenario was drawn: 1 where nothing in it is uncertain."""
    return max([1, *(int(a.shape[0]) for a in arrays_of(scenario) if a.ndim == 2)])


def arrays_of(value: object) -> Iterator[FloatArray]:
    """Every array in nested records, maps and tuples."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from arrays_of(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from arrays_of(one)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            yield from arrays_of(getattr(value, one.name))


def month_index(scenario: Scenario, month: str) -> int:
    """Months from the plan's first month to *month* ("2027-11")."""
    return int((np.datetime64(month, "M") - np.datetime64(str(scenario.as_of)[:7], "M")).astype(int))


def month_names(scenario: Scenario, months: int = MONTHS) -> NDArray[np.datetime64]:
    """The months of the plan."""
    return np.datetime64(str(scenario.as_of)[:7], "M") + np.arange(months).astype("timedelta64[M]")


def plan(
    scenario: Scenario, rps: FloatArray | None = None, *, months: int = MONTHS, percentiles: Sequence[float] = PERCENTILES,
    at_months: Sequence[int] | None = None, objectives: Iterable[str] | None = None, both: bool = False, first: int = 0, month_factor: Value | None = None,
) -> Plan:  # fmt: skip
    """The plan of *scenario*, in as many worlds as it was drawn.

    *rps*: the load, shape (worlds, months); left out, the demand that the scenario states. *percentiles*: of the response
    times of each journey; empty: none. *at_months*: only there, nan elsewhere; left out, in all months. *first*: the month of the
    first column. *month_factor*: see `month_factors`; load that the cost of traffic is made of, over the peak's; left out, that of the
    scenario's own months, or 1 where *rps* is given. *objectives*: those
    to judge; left out, all. *both*: latency objectives judged over the peak hour and over 28 days.
    """
    if month_factor is None:
        month_factor = month_factors(scenario, months) if rps is None else 1.0
    rps = demand_rps(scenario, months) if rps is None else rps
    rps = np.broadcast_to(rps, (max(worlds_in(scenario), rps.shape[0]), rps.shape[1]))
    hits = hit_ratios(scenario)
    carried = carry(scenario, rps, hits)
    sent, received, edge = traffic_bytes(scenario, carried)
    stored = _stored(scenario, rps, first)
    return Plan(
        scenario=scenario,
        rps=rps,
        carried=carried,
        percentile_s=_percentiles(scenario, rps, hits, percentiles, at_months) if percentiles else {},
        judged=judge(scenario, carried, scenario.objectives if objectives is None else objectives, both=both),
        resources=_resources(scenario, carried, stored, sent),
        stored_bytes=stored,
        sent_bytes=sent,
        received_bytes=received,
        edge_bytes=edge,
        month_requests=rps * month_factor * _peak_seconds(scenario),
        cost_usd=_cost(scenario, carried, stored, sent, edge, month_factor),
        first=first,
    )


def _percentiles(
    scenario: Scenario, rps: FloatArray, hits: Mapping[str, Value], percentiles: Sequence[float], at_months: Sequence[int] | None
) -> dict[str, dict[float, FloatArray]]:
    columns = list(range(rps.shape[1])) if at_months is None else [m for m in at_months if m < rps.shape[1]]
    some, loads = rps[:, columns], Loads(scenario, hits)
    found: dict[str, dict[float, FloatArray]] = {}
    for name in scenario.journeys:
        found[name] = {}
        for p, values in zip(percentiles, _of_journey(loads, name, some, percentiles), strict=True):
            found[name][p] = np.full(rps.shape, np.nan)
            found[name][p][:, columns] = values
    return found


def _of_journey(loads: Loads, name: str, rps: FloatArray, percentiles: Sequence[float]) -> list[FloatArray]:
    """Percentiles at every load; at more than FINE loads a world by interpolation of what they are times the distance to saturation.

    Within 1 % in 98 of 100 cells (tests/test_plan.py).
    """
    if rps.shape[1] <= FINE:
        return percentiles_s(loads.at(rps).journeys[name], percentiles, rps.shape)
    by_load = ByLoad(loads, name, rps, grid=FINE, near=NEARER)
    known = percentiles_s(by_load.state.journeys[name], percentiles, by_load.state.rps.shape)
    near, here = np.log(by_load.room(by_load.state.rps)), by_load.room(rps)
    return [by_load.curve(np.log(np.maximum(values, 1e-12)) + near, np.exp, np.inf)(rps) / here for values in known]


def with_counts(scenario: Scenario, counts: Mapping[str, float]) -> Scenario:
    """The scenario with other counts, such as {"tiers.api.instances": 30}."""
    tiers = dict(scenario.tiers)
    for path, count in counts.items():
        _, tier, name = path.split(".")
        tiers[tier] = but(tiers[tier], **{name: float(count)})
    return but(scenario, tiers=tiers)


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
    return backlog, np.asarray(drain_time_s(backlog, made.rps, 1.0, capacity)), " ".join(name)


def tightest(made: Plan) -> tuple[str, str] | None:
    """The station of highest utilization in the first month, at the median; None where there is none."""
    used = {key: float(np.median(np.broadcast_to(s.utilization, made.rps.shape)[:, 0])) for key, s in made.carried.stations.items()}
    return max(used, key=lambda key: used[key], default=None)


def _resources(scenario: Scenario, carried: Carried, stored: Mapping[str, FloatArray], sent: FloatArray) -> dict[str, Resource]:
    found: list[Resource] = []
    for (name, bought), station in carried.stations.items():
        tier = scenario.tiers[name]
        count = float(getattr(tier, bought))
        found.append(
            Resource(
                tier=name,
                field=bought,
                count=count,
                unit=bought_of(tier, bought).unit,
                utilization=station.utilization + 0 * carried.rps,
                limit=_limit(scenario, bought, count, carried, name),
                used=f"arrivals x time held / {name} {bought_of(tier, bought).unit}",
                trust="Utilization is offered load over what there is: exact for any arrivals and service times.",
                ours=True,
            )
        )
    for name, tier in scenario.tiers.items():
        if (held := kind_of(tier).owned.held(tier)) is None:
            continue
        full = stored[name] / held.limit_bytes
        found.append(
            Resource(
                tier=name,
                field="storage_limit",
                count=1.0,
                unit="storage",
                utilization=full,
                limit=np.asarray(STORAGE_LIMIT),
                used=f"data today and what each month since adds, at its traffic / size of the volume of {name}",
                trust="What a month adds grows with the traffic of that month; nothing is taken for deleted or compacted.",
            )
        )
    for name, tier in scenario.tiers.items():
        if (accepted := kind_of(tier).owned.rate_limit(tier)) is not None:
            used = carried.calls_rps[name] / np.asarray(accepted) + 0 * carried.rps
            found.append(
                Resource(
                    tier=name,
                    field="limit",
                    count=1.0,
                    unit="rate limit",
                    utilization=used,
                    limit=np.asarray(PARTNER_LIMIT),
                    used=f"calls to {name} / rate that it accepts",
                    trust="Calls follow from the journeys' shares and their calls; retries are not among them.",
                )
            )
    found.append(
        Resource(
            tier="",
            field="link",
            count=1.0,
            unit="network link",
            utilization=sent / scenario.link_bytes_per_s,
            limit=np.asarray(LINK_LIMIT),
            used="bytes sent per second / what the link carries",
            trust="Bytes follow from the sizes of responses and files as stated; protocol overhead is not among them.",
        )
    )
    return {one.path: one for one in found}


def steady_limit(scenario: Scenario, name: str, bought: str) -> Value:
    """Highest utilization in the peak hour that is planned for: as stated, and so that the peak second is carried where that is promised."""
    tier = scenario.tiers[name]
    one = bought_of(tier, bought)
    if one.waits or not any(isinstance(o, Throughput) for o in scenario.objectives.values()):
        return one.limit(tier)
    return np.minimum(one.limit(tier), 1 / np.asarray(scenario.traffic.peak_second, dtype=float))


def spares(scenario: Scenario, name: str, bought: str) -> int:
    """How many may be lost: one of what a load balancer or broker spreads over."""
    return bought_of(scenario.tiers[name], bought).spare


def _limit(scenario: Scenario, bought: str, count: float, carried: Carried, name: str) -> FloatArray:
    """Highest utilization that is planned for; with one lost, the rest must carry the load (a lone replica's goes to the primary)."""
    steady = steady_limit(scenario, name, bought)
    if bought == "replicas" and count == 1:
        return np.asarray(np.minimum(steady, SPARE_LIMIT - carried.stations[name, "cores"].utilization))
    return usable_limit(count, steady, spares(scenario, name, bought))


def _stored(scenario: Scenario, rps: FloatArray, first: int) -> dict[str, FloatArray]:
    """Data held at the start of each month: it grows with the traffic of the months before, events aside."""
    growth = scenario.traffic.growth_per_month if scenario.traffic.growth_per_month is not None else 0.0
    size = grown(1.0, growth, np.arange(first + rps.shape[-1], dtype=float))
    before = np.concatenate([np.zeros_like(size[..., :1]), np.cumsum(size[..., :-1], axis=-1)], axis=-1)[..., first:]
    held = {name: kind_of(tier).owned.held(tier) for name, tier in scenario.tiers.items()}
    return {name: np.broadcast_to(one.now_bytes + before * one.growth_bytes, rps.shape) for name, one in held.items() if one is not None}


def _peak_seconds(scenario: Scenario) -> float:
    """Seconds at the peak hour's rate that make the requests of a month of the usual week."""
    return float(requests_of_month(1.0, scenario.week if scenario.week is not None else usual_week(), MONTH / DAY))


def _cost(
    scenario: Scenario, carried: Carried, stored: Mapping[str, FloatArray], sent: FloatArray, edge: FloatArray, month_factor: Value
) -> dict[str, FloatArray]:
    flat = 0 * carried.rps
    seconds = month_factor * _peak_seconds(scenario)
    cost: dict[str, FloatArray] = {}
    for name, tier in scenario.tiers.items():
        cost[name] = kind_of(tier).owned.month_usd(tier, stored.get(name, 0.0), carried.calls_rps[name] * seconds) + flat
    cost["egress"] = traffic_month_usd(sent * seconds, scenario.egress_usd_per_byte)
    if scenario.cdn:
        cost["cdn"] = traffic_month_usd(edge * seconds, scenario.cdn.egress_usd_per_byte)
    return cost
