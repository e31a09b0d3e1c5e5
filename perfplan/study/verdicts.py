"""The words of a verdict, each by one rule: promises and what runs out, with the confidence that is asked for."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perfplan.plan import State, until, with_counts
from perfplan.plan.resources import RATE, lead_time_s, limit_of
from perfplan.quantity import FloatArray, median
from perfplan.scenario import Scenario
from perfplan.study import RunOut, Study, once
from perfplan.study.search.worlds import with_options
from perfplan.study.worlds import confidence
from perfplan.tiers import bought_of
from perfplan.tiers.place import LINK, Place

BROKEN, RISK, HOLDS = "broken", "at risk", "holds"
SOON = 6  # months after its end in which a promise that breaks is at risk: about as long as one order lasts


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A promise: P(it holds) by month with today's fleet, what is asked, until when, and from when it does not hold."""

    p: FloatArray
    asked: float
    last: int
    start: float  # first month in which it holds with less than what is asked; inf: never

    @property
    def word(self) -> str:
        """BROKEN, RISK or HOLDS."""
        return BROKEN if self.start <= self.last else RISK if self.start <= self.last + SOON else HOLDS


def of_promise(study: Study, name: str) -> Verdict:
    """The verdict of a promise."""
    p, asked = holds_with(study, name)
    return Verdict(p=p, asked=asked, last=min(until(study.worlds.judged[name].objective), p.size - 1), start=first_below(p, asked))


def holds_with(study: Study, name: str) -> tuple[FloatArray, float]:
    """P(objective holds) by month with today's fleet, and the confidence it asks for."""
    judged = study.worlds.judged[name]
    return np.asarray(judged.holds.mean(axis=0)), median(judged.objective.confidence)


def first_below(p: FloatArray, asked: float) -> float:
    """First month in which a probability is below what was asked; inf where it never is."""
    below = np.flatnonzero(p < asked)
    return float(below[0]) if below.size else float("inf")


def when_below(p: FloatArray, asked: float, named: Callable[[int], str]) -> str:
    """In which months a probability is below what was asked, in words; "" where in none. An event breaks a month, growth all from one on.

    >>> [when_below(np.array(p), 0.95, str) for p in ([1.0, 0.9, 1.0], [1.0, 0.9, 0.9], [0.9, 0.9, 1.0], [0.9, 1.0, 0.9], [1.0, 0.9])]
    ['in 1 alone', 'from 1 to the end asked for', 'from 0 to 1', 'in 0 and 1 later month', 'in 1']
    """
    below = np.flatnonzero(p < asked)
    if not below.size:
        return ""
    first, last = int(below[0]), int(below[-1])
    if below.size < last - first + 1:
        return f"in {named(first)} and {below.size - 1} later month{'s' if below.size > 2 else ''}"
    if last == p.size - 1:
        return f"in {named(first)}" if first == last else f"from {named(first)} to the end asked for"
    return f"in {named(first)} alone" if first == last else f"from {named(first)} to {named(last)}"


def early(scenario: Scenario, out: RunOut) -> tuple[float, str]:
    """The month before which a resource runs out in no more worlds than the asked confidence leaves, and the name of that percentile."""
    left = 1 - confidence(scenario)
    return out.quantile(left), f"P{round(100 * left, 1):g}"


def of_run_out(study: Study, out: RunOut) -> str:
    """BROKEN: it may be over its limit today; RISK: within the months asked for; HOLDS."""
    month, _ = early(study.scenario, out)
    return BROKEN if month < 1 else RISK if month <= study.last else HOLDS


def order_by(study: Study, out: RunOut) -> datetime.date | str:
    """By when more of a resource that runs out is ordered, or why it is not.

    As the plan orders it; of what is ours, and no order adds to, none until the last month asked for; else the run-out less lead time.
    """
    place, (month, _) = out.resource.place, early(study.scenario, out)
    if (ordered := _first_orders(study).get(place)) is not None:
        return ordered
    if not np.isfinite(month):
        return "not within the plan"
    if month <= study.last and place in limits_kept(study):
        return "not with the plan"
    return study.order_by(month, lead_time_s(study.scenario, place))


@once
def _first_orders(study: Study) -> dict[Place, datetime.date]:
    """Of each resource that the plan adds to the day by which that must be ordered first."""
    found: dict[Place, datetime.date] = {}
    for order in study.fleet.orders:
        for place in order.changes:
            found.setdefault(place, study.order_by(order.month, lead_time_s(study.scenario, place)))
    return found


@once
def limits_kept(study: Study) -> dict[Place, float]:
    """Of what is ours P that it keeps its utilization limit with the plan: the lowest of the months that nothing comes too late for."""
    kept, starts = dict.fromkeys(study.worlds.carried.stations, 1.0), [0, *(o.month for o in study.fleet.orders)]
    for start, stop in zip(starts, [*starts[1:], study.last + 1], strict=True):
        months = slice(max(start, study.fleet.lost), stop)
        options = study.fleet.options_at(start)
        drawn = with_options(study.statement, options).at(study.worlds.rps.shape[0], study.seed)
        state = State(with_counts(drawn, study.fleet.counts_at(start)), study.demand(options)[:, months])
        for place, station in state.carried.stations.items() if state.rps.shape[1] else ():
            within = np.broadcast_to(station.utilization <= limit_of(state.scenario, place, state.carried), state.rps.shape)
            kept[place] = min(kept[place], float(within.mean(axis=0).min()))
    return kept


@dataclass(frozen=True)
class Cause:
    """The resource that is nearest to saturation in a month's peak second."""

    label: str
    place: Place
    utilization: float


def cause(study: Study, month: int) -> Cause:
    """Which resource saturates, or comes nearest to it, in the peak second of *month*; the called before the caller."""
    one = study.middle
    state = one.state.at(one.rps[:, month : month + 1]).second.carried
    tiers = one.scenario.tiers
    used = {
        place: float(np.ravel(station.utilization)[0])
        for place, station in state.stations.items()
        if not bought_of(tiers[place.tier], place.field).waits
    }
    worst = max(used.values(), default=0.0)
    fixed = [r for r in one.resources.values() if r.place.field == RATE or r.place == LINK]  # a partner's rate limit, the network
    tightest = max(fixed, key=lambda r: float(r.utilization[0, month]))
    share_used = float(tightest.utilization[0, month]) * median(one.scenario.traffic.peak_second)
    if not used or share_used > worst:
        return Cause(label=f"the {tightest.label}", place=tightest.place, utilization=share_used)
    near = [place for place, value in used.items() if value >= min(worst, 1.0) * 0.98]
    depth = list(state.responses)  # the called first
    place = min(near, key=lambda p: (depth.index(p.tier), bought_of(tiers[p.tier], p.field).order))
    return Cause(label=one.resources[place].label, place=place, utilization=used[place])
