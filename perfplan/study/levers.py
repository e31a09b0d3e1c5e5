"""The two levers of the page: P, and what runs out first, under other loads and with another count than today's.

The more load, the more breaks: so for each count that is planned, each world has a load at which its promises break and one at which each
resource is full, and which month that is follows for any demand.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfplan.models.capacity import first_month, month_quantile
from perfplan.plan import Plan, counts, plan, with_counts
from perfplan.plan.resources import STORAGE, unit_price_usd
from perfplan.quantity import FloatArray
from perfplan.reading import BadScenario
from perfplan.study import Order, Study, once
from perfplan.study.worlds import pick_worlds
from perfplan.tiers import count_of
from perfplan.tiers.place import Place

WORLDS = 220
LOADS = np.round(np.linspace(0.6, 1.6, 41), 3)  # over the forecast's
FORECAST = int(np.argmin(np.abs(LOADS - 1)))
COUNTS = 5  # that are planned, at two sets of loads each; with a plan to check them, eleven
COARSE, FINE = 24, 16  # loads of each world among which its break is looked for, and then between two of them
P_OFF, MONTHS_OFF = 0.03, 1.0  # how far what is told may be from the plan that checks it
QUANTILES = (0.05, 0.5, 0.95)
Counted = frozenset[str]  # promises that count in the same months


@dataclass(frozen=True, kw_only=True, eq=False)
class Levers:
    """What follows from each count and each load: P of the months asked for, what runs out first and when."""

    place: Place | None  # whose count is moved; None: nothing is ours
    counts: FloatArray
    today: int  # which of them
    p: FloatArray  # (counts, loads, months)
    first: Sequence[Sequence[Place]]  # (counts, loads)
    months: FloatArray  # (counts, loads, QUANTILES): when it runs out; inf: not within the plan
    kept_rps: FloatArray  # (counts,): the load up to which half of the worlds keep every promise that counts today
    worlds: int
    off: float  # how far P, and the month, of a plan that was not used are from what is told
    off_months: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Breaks:
    """The load at which each world breaks, (worlds,) each: 0 at any, inf at none that is offered."""

    promises: Mapping[Counted, FloatArray]
    resources: Mapping[Place, FloatArray]


@once
def levers(study: Study) -> Levers | None:
    """The levers of the page; None where what lies between the loads that are planned cannot be told well enough, see P_OFF, MONTHS_OFF."""
    few = Few(study)
    known = {count: few.breaks(count) for count in few.planned()}
    off, off_months = few.off(known[few.today], few.today)
    if off > P_OFF or off_months > MONTHS_OFF:
        return None
    outs = [few.first(one, LOADS) for one in known.values()]
    return Levers(
        place=few.place,
        counts=np.array(list(known)),
        today=list(known).index(few.today),
        p=np.stack([few.p(one, LOADS) for one in known.values()]),
        first=[places for places, _ in outs],
        months=np.stack([when for _, when in outs]),
        kept_rps=np.array([np.median(one.promises[few.counted[0]]) for one in known.values()]),
        worlds=few.rps.shape[0],
        off=off,
        off_months=off_months,
    )


class Few:
    """Some worlds of a study, evenly spread over how well they keep its promises."""

    def __init__(self, study: Study) -> None:
        made, last = study.worlds, study.last
        at = _spread(made, last)
        self.study, self.scenario, self.rps = study, pick_worlds(made.scenario, at), made.rps[at]
        self.counted = [
            frozenset(n for n in made.judged if counts(made.scenario, n, m) and m not in made.aside.get(n, ())) for m in range(last + 1)
        ]
        self.stored = {
            place: first_month(np.broadcast_to(one.utilization > one.limit, made.rps.shape))[at]
            for place, one in made.resources.items()
            if place.field == STORAGE  # data grow with months, whatever the load
        }
        self.place = _place(study)
        self.today = count_of(self.scenario.tiers[self.place.tier], self.place.field) if self.place else 1.0

    def planned(self) -> list[float]:
        """Counts that are planned: today's and the plan's, fewer, more, and the middle of the widest gaps."""
        if self.place is None:
            return [self.today]
        bought = max([self.today, *(o.changes[self.place][1] for o in self.study.fleet.orders if self.place in o.changes)])
        low, high = max(1.0, np.floor(0.75 * self.today)), np.ceil(max(1.2 * bought, 1.5 * self.today))
        found = {float(one) for one in (self.today, bought, low, high)}
        while len(found) < min(COUNTS, high - low + 1):
            a, b = max(itertools.pairwise(sorted(found)), key=lambda ends: ends[1] - ends[0])
            if (middle := float(np.floor((a + b) / 2))) in found:
                break
            found.add(middle)
        return [count for count in sorted(found) if count == self.today or self._stated(count)]

    def _stated(self, count: float) -> bool:
        """Whether the scenario may state it."""
        try:
            self.study.statement.but(f"{self.place}={count:g}")
        except BadScenario:
            return False
        return True

    def plan(self, count: float, rps: FloatArray, at: NDArray[np.intp] | None = None, names: Counted | None = None) -> Plan:
        """The plan of a count at any loads; *at*: in these worlds alone; *names*: with these promises alone."""
        scenario = self.scenario if at is None else pick_worlds(self.scenario, at)
        return plan(with_counts(scenario, {self.place: count}) if self.place else scenario, rps, percentiles=(), objectives=names)

    def breaks(self, count: float) -> Breaks:
        """At which load each world breaks with *count*."""
        asked = self.rps[:, : len(self.counted)]
        loads = _steps(LOADS[0] * asked.min(axis=1, keepdims=True), LOADS[-1] * asked.max(axis=1, keepdims=True), COARSE)
        made = self.plan(count, loads)
        full = {
            place: _crossing(one.utilization / np.maximum(one.limit, 1e-9) + np.zeros(loads.shape), loads)
            for place, one in made.resources.items()
            if place not in self.stored
        }
        return Breaks(promises={names: self._break(count, made, names) for names in dict.fromkeys(self.counted)}, resources=full)

    def _break(self, count: float, made: Plan, names: Counted) -> FloatArray:
        """The load at which *names* break: between two of those *made*; only what breaks there is asked again, between them."""
        low, high = _last_kept(_kept(made, names), made.rps)
        known = np.where(low[:, 0] <= 0, 0.0, np.inf)
        at = np.flatnonzero((low[:, 0] > 0) & np.isfinite(high[:, 0]))
        if at.size:
            loads = _steps(low[at], high[at], FINE + 2)
            there = (made.rps <= high)[at]
            broken = frozenset(one for one in names if (there & ~np.broadcast_to(made.judged[one].holds, made.rps.shape)[at]).any())
            kept = _kept(self.plan(count, loads[:, 1:-1], at, broken), broken)
            a, b = _last_kept(np.pad(kept, ((0, 0), (1, 1)), constant_values=((0, 0), (True, False))), loads)
            known[at] = np.sqrt(a * b)[:, 0]
        return known

    def p(self, one: Breaks, loads: FloatArray) -> FloatArray:
        """P(every promise that counts holds), (loads, months asked for)."""
        limit = np.stack([one.promises[names] for names in self.counted], axis=1) / self.rps[:, : len(self.counted)]
        return np.asarray((loads[:, None, None] <= limit).mean(axis=1))

    def first(self, one: Breaks, loads: FloatArray) -> tuple[list[Place], FloatArray]:
        """What runs out first at each of *loads*, and when: (loads, QUANTILES)."""
        highest = np.maximum.accumulate(self.rps, axis=1)
        table = {place: np.broadcast_to(when, (loads.size, when.size)) for place, when in self.stored.items()}
        for place, full in one.resources.items():
            month = (loads[:, None, None] * highest <= full[:, None]).sum(axis=-1).astype(float)
            table[place] = np.where(month < highest.shape[1], month, np.inf)
        places = list(table)
        months = np.array([[[month_quantile(row, q) for q in QUANTILES] for row in table[place]] for place in places])
        least = [min(range(len(places)), key=lambda i: (months[i, k, 1], months[i, k, 0])) for k in range(loads.size)]
        return [places[i] for i in least], np.array([months[i, k] for k, i in enumerate(least)])

    def off(self, one: Breaks, count: float) -> tuple[float, float]:
        """How far P, and the month of what runs out first, are from a plan of *count*, at a load of which P is neither 0 nor 1."""
        load = LOADS[np.argmin(np.abs(self.p(one, LOADS).mean(axis=1) - 0.5))]
        made = self.plan(count, self.rps * load)
        kept = np.stack([_kept(made, names)[:, m] for m, names in enumerate(self.counted)], axis=1)
        (place,), ((_, told, _),) = self.first(one, np.array([load]))
        planned = month_quantile(first_month(made.resources[place].utilization > made.resources[place].limit), QUANTILES[1])
        apart = 0.0 if planned == told else abs(planned - told)
        return float(np.abs(kept.mean(axis=0) - self.p(one, np.array([load]))[0]).max()), apart


def _spread(made: Plan, last: int) -> NDArray[np.intp]:
    """Worlds of *made*: every so manyth by the months in which they keep all promises, then by how much they use."""
    size = made.rps.shape[0]
    held = made.all_hold[:, : last + 1].sum(axis=1)
    used = [np.broadcast_to(one.utilization / np.maximum(one.limit, 1e-9), made.rps.shape) for one in made.resources.values()]
    order = np.lexsort((np.sum(used, axis=0)[:, : last + 1].mean(axis=1), -held))
    return np.asarray(order[((np.arange(min(WORLDS, size)) + 0.5) * size / min(WORLDS, size)).astype(np.intp)])


def _place(study: Study) -> Place | None:
    """What costs money and is ordered first, of several the dearest; without orders what is ours and runs out first."""

    def usd(order: Order, place: Place) -> float:
        return (order.changes[place][1] - order.changes[place][0]) * unit_price_usd(study.scenario, place)

    ordered = [(o.month if usd(o, place) > 0 else np.inf, -usd(o, place), place) for o in study.fleet.orders for place in o.changes]
    ours = [one.resource.place for one in study.run_outs if one.resource.ours]
    return min(ordered)[2] if ordered else next(iter(ours), None)


def _steps(low: FloatArray, high: FloatArray, number: int) -> FloatArray:
    """As many loads from *low* to *high*, (worlds, 1) each, evenly spread in their logarithm."""
    return np.asarray(low * (high / low) ** np.linspace(0, 1, number))


def _kept(made: Plan, names: Counted) -> NDArray[np.bool_]:
    """Whether all of *names* hold, in the shape of the plan."""
    kept = [np.broadcast_to(made.judged[name].holds, made.rps.shape) for name in sorted(names)]
    return np.asarray(np.logical_and.reduce(kept)) if kept else np.ones(made.rps.shape, dtype=bool)


def _last_kept(kept: NDArray[np.bool_], loads: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of each world the highest load before the first that is not *kept*, and that one; (0, lowest) and (highest, inf) at the ends."""
    index = np.where(kept.all(axis=1), loads.shape[1], kept.argmin(axis=1))[:, None]
    wide = np.pad(loads, ((0, 0), (1, 1)), constant_values=((0, 0), (0.0, np.inf)))
    return np.take_along_axis(wide, index, axis=1), np.take_along_axis(wide, index + 1, axis=1)


def _crossing(used: FloatArray, loads: FloatArray) -> FloatArray:
    """The load at which *used*, over its limit, passes 1, on straight lines: 0 where it does before the first, inf where never."""
    over = used > 1
    i = np.clip(over.argmax(axis=1), 1, None)[:, None]
    (u0, u1), (x0, x1) = ([np.take_along_axis(a, i - 1, axis=1), np.take_along_axis(a, i, axis=1)] for a in (used, loads))
    part = np.clip((1 - u0) / np.where(u1 > u0, u1 - u0, 1.0), 0, 1)
    return np.where(over[:, 0], 0.0, np.where(over.any(axis=1), (x0 + part * (x1 - x0))[:, 0], np.inf))
