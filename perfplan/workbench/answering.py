"""What follows from a state: one plan in a few worlds, one at the medians, and what they say, as numbers."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perfplan.models.capacity import nodes_needed
from perfplan.models.times.contributions import contributions_s
from perfplan.plan import Plan, State, plan, spares, steady_limit, until
from perfplan.plan.paths import EDGE, ROUND_TRIP
from perfplan.plan.resources import Resource
from perfplan.promises import timed
from perfplan.quantity import FloatArray, median
from perfplan.scenario.statement import Statement
from perfplan.study.sweeps import Knee, knee
from perfplan.study.verdicts import when_below
from perfplan.study.worlds import confidence, horizon, run_outs
from perfplan.tiers.place import Place
from perfplan.words import month_name

QUICK, WORLDS = 60, 200  # for the verdict, and for all
SEED = 7
TAIL = 0.95
LOADS = 48  # at which the response time is drawn, up to KNEES times where the first promise breaks
KNEES = 1.15


@dataclass(frozen=True, eq=False)
class Answer:
    """A scenario as stated, in so many worlds."""

    statement: Statement
    worlds: int

    @functools.cached_property
    def made(self) -> Plan:
        """The plan in all worlds, to the last month asked for."""
        drawn = self.statement.at(self.worlds, SEED)
        return plan(drawn, percentiles=(), months=horizon(drawn) + 1)

    @functools.cached_property
    def middle(self) -> Plan:
        """The plan with each input at its median."""
        scenario = self.statement.at()
        return plan(scenario, percentiles=(TAIL,), months=horizon(scenario) + 1, objectives=())

    @functools.cached_property
    def knee(self) -> Knee:
        """How far the load can grow with today's fleet, at the median."""
        return knee(self.middle.scenario)

    # ---- verdict ----

    @property
    def asked(self) -> float:
        """The confidence that is asked for."""
        return confidence(self.made.scenario)

    @functools.cached_property
    def p(self) -> FloatArray:
        """P(every promise holds) by month."""
        return np.asarray(self.made.all_hold.mean(axis=0))

    @property
    def last(self) -> int:
        """The last month asked for."""
        return self.p.size - 1

    @property
    def breaks(self) -> int | None:
        """The first month in which the promises hold with less than the confidence asked for; None where none does."""
        bad = np.flatnonzero(self.p < self.asked)
        return int(bad[0]) if bad.size else None

    def month(self, index: float, short: bool = False) -> str:
        """The name of a month."""
        return month_name(str(self.made.scenario.as_of), index, short=short)

    @property
    def broken_when(self) -> str:
        """The months in which they do, in words."""
        return when_below(self.p, self.asked, self.month)

    @functools.cached_property
    def promises(self) -> Mapping[str, FloatArray]:
        """P that each promise holds, by month."""
        return {name: np.asarray(one.holds.mean(axis=0)) for name, one in self.made.judged.items()}

    def breaks_of(self, name: str) -> int | None:
        """The first month, up to its own last one, in which a promise holds with less than its own confidence."""
        one = self.made.scenario.objectives[name]
        bad = np.flatnonzero(self.promises[name][: until(one) + 1] < median(one.confidence))
        return int(bad[0]) if bad.size else None

    def cost_usd(self, month: int) -> float:
        """What a month costs, at the median."""
        return median(self.made.cost_month_usd[:, month])

    # ---- fleet ----

    @functools.cached_property
    def runs_out(self) -> list[tuple[Resource, float]]:
        """Every resource with the month it passes its limit at the median; the first first."""
        return [(one.resource, one.quantile(0.5)) for one in run_outs(self.made)]

    def needed(self, place: Place, month: int) -> float:
        """How many the utilization limit and what may be lost ask for in *month*, at the median; today's count where it is not ours."""
        one, scenario = self.made.resources[place], self.middle.scenario
        if not one.ours:
            return one.count
        return median(nodes_needed(one.utilization[:, month] * one.count, 1.0, steady_limit(scenario, place), spares(scenario, place)))

    @functools.cached_property
    def used(self) -> Mapping[Place, tuple[float, float]]:
        """Of each resource its use in the last month asked for, and its limit, at the median."""
        return {
            place: (median(r.utilization[:, -1]), median(np.broadcast_to(r.limit, r.utilization.shape)[:, -1]))
            for place, r in self.made.resources.items()
        }

    # ---- response times, at the medians ----

    @property
    def p95_s(self) -> Mapping[str, FloatArray]:
        """The p95 of each journey by month."""
        return {name: ps[TAIL][0] for name, ps in self.middle.percentile_s.items()}

    @property
    def targets_s(self) -> Mapping[str, float]:
        """What is promised of a journey's p95, the strictest."""
        found: dict[str, float] = {}
        for one in self.middle.scenario.objectives.values():
            target = timed(one)
            if target is not None and abs(median(target.percentile) - TAIL) < 1e-9:
                found[target.journey] = min(found.get(target.journey, np.inf), median(target.below_s))
        return found

    @property
    def slowest(self) -> str:
        """The journey nearest to its promise; without promises the slowest."""
        now = {name: float(values[0]) for name, values in self.p95_s.items()}
        return max(now, key=lambda name: (np.nan_to_num(now[name] / self.targets_s.get(name, np.inf), posinf=1e9), now[name]))

    @functools.cached_property
    def by_load(self) -> tuple[FloatArray, FloatArray]:
        """Loads, and the p95 of the journey nearest to its promise, with today's fleet."""
        now = float(self.middle.rps[0, 0])
        top = KNEES * min(max(self.knee.rps, now), min(self.knee.saturated.values(), default=np.inf), 4 * now)
        loads = np.linspace(top / LOADS, top, LOADS)
        return loads, State(self.middle.scenario, loads[None, :]).percentiles_s(self.slowest, (TAIL,))[0][0]

    @functools.cached_property
    def parts_s(self) -> Mapping[str, float]:
        """What a request of the slowest journey that takes as long as its p95 spends where, today; empty where it is saturated."""
        state = self.middle.state.at(self.middle.rps[:1, :1]).carried
        names = dict.fromkeys([ROUND_TRIP, *state.responses, EDGE])
        found = {name: float(values[0]) for name, values in contributions_s(state.journeys[self.slowest], names, (TAIL,)).items()}
        return {name: value for name, value in found.items() if np.isfinite(value) and value > 0}
