"""The plan over a range of something else than months: load, cache memory, pool size.

A sweep puts its range on the second axis of the plan, where the months are otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from perfplan import promises
from perfplan.models.stations.service import Station
from perfplan.models.times.contributions import contributions_s
from perfplan.models.times.latency import sides_s
from perfplan.plan import PERCENTILES, Plan, State, judge, plan, today_rps
from perfplan.plan.paths import EDGE, ROUND_TRIP, round_trip
from perfplan.plan.resources import STORAGE
from perfplan.quantity import FloatArray, Value, median, quantiles
from perfplan.record import but
from perfplan.scenario import Scenario
from perfplan.scenario.rules import all_called
from perfplan.study import Study, once
from perfplan.study.worlds import take_worlds
from perfplan.tiers import bought_of, count_of, kind_of
from perfplan.tiers.kind import ByMemory
from perfplan.tiers.place import Place
from perfplan.words import duration, rate, spelled

TRIED = 8.0  # highest load that is tried, over today's peak
NO_LOAD = 1e-9  # of today's, at which nobody waits
SPAN = np.geomspace(0.02, TRIED, 240)
NEAR = 0.05  # of a load, within which two resources saturate together
NOWHERE = f"nothing saturates within {spelled(TRIED)} times today's peak"


@dataclass(frozen=True, kw_only=True)
class Knee:
    """How far the load can grow with a fleet, at the median: where each promise breaks and each resource reaches its limit."""

    peak_rps: float
    second_rps: float  # in the busiest second of such an hour
    objectives: Mapping[str, float]  # highest load that keeps it; inf: beyond the span; 0: broken at any load
    resources: Mapping[Place, float]  # load at which it reaches its limit
    saturated: Mapping[Place, float]  # load at which it saturates
    called: Mapping[Place, frozenset[Place]]  # those that each waits for, however far

    @property
    def rps(self) -> float:
        """Highest load at which every promise that a load can break still holds; those broken at any load are in `always`."""
        return min((v for v in self.objectives.values() if v > 0), default=float("inf"))

    @property
    def saturates(self) -> str:
        """What saturates first, and where, as a sentence without its capital and stop."""
        return f"{self.named}, at {rate(self.saturated[self.soonest])}" if np.isfinite(self.saturated[self.soonest]) else NOWHERE

    @property
    def named(self) -> str:
        """What saturates first, and what it waits for that is as good as full by then."""
        waiting = "" if self.first == self.soonest else f" and, waiting for them, {self.soonest.words}"
        return f"{self.first.words}{waiting} saturate first"

    @property
    def always(self) -> list[str]:
        """Promises that are broken at any load."""
        return [name for name, load in self.objectives.items() if load == 0]

    @property
    def soonest(self) -> Place:
        """The resource that saturates at the lowest load."""
        return min(self.saturated, key=lambda place: self.saturated[place])

    @property
    def first(self) -> Place:
        """What to look at first: what saturates at the lowest load, or what that waits for, where it saturates within NEAR of it."""
        return soonest(self.saturated, self.called)


def waited_for(scenario: Scenario, places: Iterable[Place]) -> dict[Place, frozenset[Place]]:
    """Of each of *places* those that it waits for, however far: of the tiers that its tier calls, and in its tier what a pool is for."""
    called, places = all_called(scenario), list(places)
    order = {Place(name, one.field): one.order for name, tier in scenario.tiers.items() for one in kind_of(tier).owned.bought}

    def waits(one: Place, other: Place) -> bool:
        behind = other.tier == one.tier and one in order and order.get(other, order[one]) < order[one]
        return behind or other.tier in called.get(one.tier, ())

    return {one: frozenset(other for other in places if waits(one, other)) for one in places}


def soonest(full: Mapping[Place, float], called: Mapping[Place, frozenset[Place]]) -> Place:
    """Of what is full at some load the one to look at first: the lowest, or what that waits for, where it is full within NEAR of it."""
    found = min(full, key=lambda place: full[place])
    least = full[found]
    while True:
        near = {p: full[p] for p in called[found] if full[p] <= (1 + NEAR) * least < np.inf}
        if not near:
            return found
        found = min(near, key=lambda place: near[place])


class Alike(State):
    """A state of one of many scenarios that differ little: a path with the mean and variance of another's at all loads is answered as
    there."""

    answered: dict[Any, Any]

    @classmethod
    def among(cls, state: State, answered: dict[Any, Any]) -> Alike:
        """*state*, with what others like it have *answered*."""
        made = cls(state.scenario, state.rps, hits=state.carried.hit_ratio)
        made.__dict__["carried"], made.answered = state.carried, answered
        return made

    def at(self, rps: FloatArray) -> State:
        """The same scenario at another load."""
        return Alike.among(super().at(rps), self.answered)

    def percentiles_s(self, journey: str, percentiles: Sequence[float]) -> list[FloatArray]:
        """As `State.percentiles_s`."""
        return cast(list[FloatArray], self._once(State.percentiles_s, journey, tuple(percentiles)))

    def slow(self, journey: str, below_s: Value, allowed: Value, over: Collection[str]) -> Mapping[str, FloatArray]:
        """As `State.slow`."""
        return cast(Mapping[str, FloatArray], self._once(State.slow, journey, median(below_s), median(allowed), tuple(over)))

    def _once(self, answer: Callable[..., Any], journey: str, *asked: Any) -> Any:
        law = self.path(journey)
        key = answer, journey, asked, *(np.asarray(v).tobytes() for v in (self.rps, law.mean_s, law.variance))
        if key not in self.answered:
            self.answered[key] = answer(self, journey, *asked)
        return self.answered[key]


def knee(middle: Scenario, answered: dict[Any, Any] | None = None) -> Knee:
    """Where *middle*, a scenario at its median, breaks as the load grows; *answered*: see `Alike`."""
    now = today_rps(middle)
    loads = (now * SPAN)[None, :]
    made = plan(middle, loads, percentiles=(), objectives=())
    judged = judge(Alike.among(made.state, {} if answered is None else answered), middle.objectives)
    loaded = {place: one for place, one in made.resources.items() if place.field != STORAGE}  # data grow with months, not with the load
    return Knee(
        peak_rps=now,
        second_rps=now * float(middle.traffic.peak_second),
        objectives={name: _last_true(j.holds[0], loads[0]) for name, j in judged.items()},
        resources={
            place: _crossing(r.utilization[0] / np.maximum(np.broadcast_to(r.limit, r.utilization.shape)[0], 1e-9), loads[0])
            for place, r in loaded.items()
        },
        saturated={place: _crossing(r.utilization[0], loads[0]) for place, r in loaded.items()},
        called=waited_for(middle, loaded),
    )


def _last_true(holds: FloatArray, loads: FloatArray) -> float:
    broken = np.flatnonzero(~np.asarray(holds, dtype=bool))
    if broken.size == 0:
        return float("inf")
    return 0.0 if broken[0] == 0 else float(loads[broken[0] - 1])


def _crossing(used: FloatArray, loads: FloatArray) -> float:
    over = np.flatnonzero(used >= 1.0)
    if over.size == 0:
        return float("inf")
    i = over[0]
    if i == 0 or not np.isfinite(used[i]):
        return float(loads[i] / max(used[i], 1.0) if np.isfinite(used[i]) else loads[i])
    part = (1 - used[i - 1]) / (used[i] - used[i - 1])
    return float(loads[i - 1] + part * (loads[i] - loads[i - 1]))


def latency_by_load(study: Study, p: float = 0.95, points: int = 60) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Loads, and the percentile *p* of each journey at the median."""
    middle = study.scenario
    top = min(2.2 * knee(middle).rps, 4 * float(study.middle.rps[0, 0]))
    loads = np.linspace(top / 40, top, points)
    state = State(middle, loads[None, :])
    return loads, {name: state.percentiles_s(name, (p,))[0][0] for name in middle.journeys}


def latency_band(study: Study, journey: str, loads: FloatArray, p: float = 0.95, worlds: int = 200) -> dict[int, FloatArray]:
    """Quantiles (5, 25, 50, 75, 95) over worlds of the percentile *p* of *journey* at *loads*."""
    few = take_worlds(study.worlds.scenario, worlds)
    many = np.broadcast_to(loads, (min(worlds, study.worlds.rps.shape[0]), loads.size))
    values = State(few, many).percentiles_s(journey, (p,))[0]
    shown = (5, 25, 50, 75, 95)
    return dict(zip(shown, quantiles(values, [q / 100 for q in shown]), strict=True))


@dataclass(frozen=True, kw_only=True)
class Swept(ByMemory):
    """What the memory of a tier does: beside its hit ratio, calls to the origin and the slowest journey's p99, at today's load, at the
    median."""

    origin_rps: FloatArray
    p99_s: FloatArray

    def columns(self) -> dict[str, FloatArray]:
        """What depends on the memory."""
        return {"memory_bytes": self.memory_bytes, "hit_ratio": self.hit_ratio, "origin_rps": self.origin_rps, "p99_s": self.p99_s}


def by_memory(study: Study, name: str) -> Swept | None:
    """What a tenth to four times of its memory does; None where its hit ratio does not follow from it."""
    scale = np.geomspace(0.1, 4.0, 25)
    tier = study.scenario.tiers[name]
    found = kind_of(tier).varied.by_memory(tier, scale)
    if found is None:
        return None
    rps = study.middle.rps[:, :1] * np.ones_like(scale)
    state = State(study.scenario, rps, hits=dict(study.middle.carried.hit_ratio) | {name: found.hit_ratio[None, :]})
    p99 = [state.percentiles_s(journey, (0.99,))[0][0] for journey in study.scenario.journeys]
    origin_rps = np.asarray(state.carried.calls_rps[found.origin] + 0 * rps)[0]
    return Swept(**vars(found), origin_rps=origin_rps, p99_s=np.max(p99, axis=0))


def pools(study: Study) -> list[Place]:
    """What callers wait for and keep while they are served."""
    tiers = study.scenario.tiers
    return [Place(name, one.field) for name, tier in tiers.items() for one in kind_of(tier).owned.bought if one.pool]


def wait_by_pool(study: Study, place: Place, month: int | None = None) -> dict[str, FloatArray]:
    """Mean and p99 wait for one of a pool against its size, today and in *month*."""
    month = study.last if month is None else month
    now = count_of(study.scenario.tiers[place.tier], place.field)
    pool = study.middle.carried.stations[place]
    sizes = np.arange(max(2, int(now * 0.4)), int(now * 2.5) + 1, dtype=float)
    found = {"connections": sizes}
    for label, index in (("today", 0), ("later", month)):
        rate, hold = (float(np.ravel(v + 0 * study.middle.rps)[index]) for v in (pool.arrival_rps, pool.service_s))
        stations = [Station(arrival_rps=rate, service_s=hold, servers=size, shape=pool.shape) for size in sizes]
        found[f"{label}_mean_s"] = np.array([float(s.mean_wait_s) for s in stations])
        found[f"{label}_p99_s"] = np.array([float(s.wait_quantile_s(0.99)) for s in stations])
    return found


FLAT = 1.25  # sides of a percentile that lie further apart than this are told apart


@once
def flat_percentiles(study: Study) -> list[tuple[str, float, float, float]]:
    """Percentiles, shown or promised, in a gap of a journey's response times, such as between hits and misses, today at the median.

    (journey, percentile, below the gap, above it), the sides being those of `sides_s`.
    """
    state, found = study.middle.state.at(study.middle.rps[:1, :1]), []
    promised = {(one.journey, median(one.percentile)) for one in state.timed}
    for journey, p in sorted({(j, p) for j in study.scenario.journeys for p in PERCENTILES} | promised):
        low, high = (float(side[0, 0]) for side in sides_s(state.carried.journeys[journey], p, (1, 1)))
        if np.isfinite(high) and high > FLAT * low:
            found.append((journey, p, low, high))
    return found


def shares_of_latency(study: Study, month: int = 0) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean time a request of each journey spends in each tier: (waiting, being served), in seconds, at the median.

    Means add; percentiles do not.
    """
    state = study.middle.carried
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for name, journey in study.scenario.journeys.items():
        rows = {"round trip": (0.0, _at(round_trip(study.scenario).mean_s, month))}
        for called, visits in journey.calls.items():
            mean = _at(state.responses[called].mean_s, month, study.middle) * float(visits)
            wait = sum(
                _at(s.mean_wait_s, month, study.middle)
                for place, s in state.stations.items()
                if place.tier == called and bought_of(study.scenario.tiers[called], place.field).first
            )
            wait = min(wait * float(visits), mean)
            rows[called] = (wait, mean - wait)
        found[name] = rows
    return found


TAIL = (0.5, 0.95, 0.99)


@once
def parts_of_the_tail(study: Study) -> dict[str, dict[str, FloatArray]]:
    """Mean time in each tier of those requests of a journey that take as long as its p50, p95 and p99, today at the median; they add up.

    By journey, then tier (round trip and edge beside them); shape (3,). inf where the journey is saturated.
    """
    state = study.middle.state.at(study.middle.rps[:1, :1]).carried
    names = dict.fromkeys([*state.responses, ROUND_TRIP, EDGE])
    found = {name: contributions_s(whole, names, TAIL) for name, whole in state.journeys.items()}
    return {name: {part: values for part, values in parts.items() if np.any(values > 0)} for name, parts in found.items()}


def slowest_part(rows: Mapping[str, Mapping[str, FloatArray]], k: int = 1) -> str:
    """What `parts_of_the_tail` says of the slowest journey's percentile *k* of TAIL, as a sentence."""
    totals = {j: float(sum(parts.values(), np.zeros(3))[k]) for j, parts in rows.items()}
    settled = {j: t for j, t in totals.items() if np.isfinite(t) and t > 0}
    if not settled:
        return "Every journey is saturated"
    slow = max(settled, key=lambda j: settled[j])
    part = max(rows[slow], key=lambda t: float(rows[slow][t][k]))
    return f"At p{TAIL[k] * 100:g} a {slow} request of {duration(settled[slow])} spends {duration(float(rows[slow][part][k]))} in {part}"


def _at(value: object, month: int, made: Plan | None = None) -> float:
    array = np.asarray(value, dtype=float)
    if made is not None:
        array = array + 0 * made.rps
    return float(np.ravel(array)[month if array.size > 1 else 0])


def latency_targets(scenario: Scenario) -> dict[str, float]:
    """Latency targets by journey, the strictest of each."""
    found: dict[str, float] = {}
    for one in scenario.objectives.values():
        if (timed := promises.timed(one)) is not None:
            found[timed.journey] = min(found.get(timed.journey, np.inf), median(timed.below_s))
    return found


@once
def todays_knee(study: Study) -> Knee:
    """The knee of today's fleet."""
    return knee(study.scenario)


@once
def steadys_knee(study: Study) -> Knee:
    """The knee of today's fleet under a steady load, without its peak seconds."""
    return knee(steady(study.scenario))


def steady_knee(study: Study) -> float:
    """Highest steady load that breaks no promise, its peak seconds aside; where no load does, where the first station saturates."""
    found = steadys_knee(study)
    first = min(found.saturated.values())
    return found.rps if np.isfinite(found.rps) else first if np.isfinite(first) else 3 * found.peak_rps


def steady(scenario: Scenario) -> Scenario:
    """The scenario without its promises of the busiest second: what a steady load can break."""
    kept = {name: one for name, one in scenario.objectives.items() if not promises.kind_of(one).judges.peak_second}
    return but(scenario, objectives=kept)
