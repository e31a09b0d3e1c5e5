"""A scenario planned in many worlds, and everything that a presentation needs of it."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np

from perfplan.plan import Plan, demand_rps, plan, with_counts
from perfplan.quantity import DAY, FloatArray
from perfplan.scenario import Scenario
from perfplan.scenario.statement import Statement
from perfplan.study.fleet import Fleet, Order, Way, recommend, room
from perfplan.study.options import Tried, try_options
from perfplan.study.search.worlds import with_options
from perfplan.study.sensitivity import Moved, sensitivities
from perfplan.study.worlds import SHOWN, RunOut, confidence, horizon, run_outs, sampling_error
from perfplan.words import month_name

__all__ = [
    "SHOWN",
    "Fleet",
    "Moved",
    "Order",
    "RunOut",
    "Study",
    "Tried",
    "Way",
    "confidence",
    "horizon",
    "once",
    "run_outs",
    "sampling_error",
    "study",
]
T = TypeVar("T")


def once(make: Callable[[Study], T]) -> Callable[[Study], T]:
    """*make* of a study is made once: the study keeps it, as long as it lives."""

    @functools.wraps(make)
    def made(study: Study) -> T:
        kept = study.kept
        if made not in kept:
            kept[made] = make(study)
        return cast(T, kept[made])

    return made


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """One statement planned: at the median, in many worlds, with the recommended fleet and with every option."""

    statement: Statement
    seed: int
    middle: Plan  # one world, every input at its median
    worlds: Plan  # many worlds, today's fleet; percentiles in the months of SHOWN and the last asked for
    run_outs: Sequence[RunOut]
    fleet: Fleet
    options: Sequence[Tried]
    moved: Sequence[Moved]

    @functools.cached_property
    def kept(self) -> dict[Callable[[Study], Any], Any]:
        """What was made of it, see `once`; stored with it, so that the notebooks of a run find what the run has made."""
        return {}

    @property
    def scenario(self) -> Scenario:
        """The scenario at its median."""
        return self.middle.scenario

    def planned(self, month: int) -> Scenario:
        """The scenario at its median with the counts of the fleet, and the options that then work, in *month*."""
        return with_counts(with_options(self.statement, self.fleet.options_at(month)).at(), self.fleet.counts_at(month))

    def demand(self, options: frozenset[str]) -> FloatArray:
        """The load with *options*, (worlds, months)."""
        if not options:
            return self.worlds.rps
        rps = demand_rps(with_options(self.statement, options).at(self.worlds.rps.shape[0], self.seed), self.worlds.rps.shape[1])
        return np.broadcast_to(rps, self.worlds.rps.shape)

    @property
    def last(self) -> int:
        """The last month asked for."""
        return horizon(self.scenario)

    @property
    def p_all(self) -> FloatArray:
        """P(every objective holds) by month, today's fleet."""
        return np.asarray(self.worlds.all_hold.mean(axis=0))

    @property
    def as_of(self) -> datetime.date:
        """Day of the plan."""
        return datetime.date.fromisoformat(str(self.scenario.as_of))

    def named(self, month: float, short: bool = False) -> str:
        """The name of a month of the plan, counted from today's; "later" where it has no end."""
        return month_name(str(self.scenario.as_of), month, short)

    def order_by(self, month: float, lead_time_s: float) -> datetime.date:
        """The last day to order what must work at the start of *month*; the day of the plan where that has passed."""
        start = np.datetime64(str(self.scenario.as_of)[:7], "M") + np.timedelta64(int(month), "M")
        due = cast(datetime.date, (start.astype("datetime64[D]") - np.timedelta64(round(lead_time_s / DAY), "D")).astype(datetime.date))
        return max(due, self.as_of)


def study(statement: Statement, worlds: int = 2000, seed: int = 7) -> Study:
    """Plan *statement* at its median and in *worlds* worlds; size the fleet; try the options."""
    drawn = statement.at(worlds, seed)
    shown = sorted({*SHOWN, horizon(drawn)})
    made = plan(drawn, both=True, at_months=shown)
    searched = room(statement, made, seed)
    fleet, middle = recommend(searched, made), statement.at()
    made = replace(made, aside=fleet.aside)
    return Study(
        statement=statement,
        seed=seed,
        middle=replace(plan(middle, both=True), aside=fleet.aside),
        worlds=made,
        run_outs=run_outs(made),
        fleet=fleet,
        options=try_options(searched, made, fleet),
        moved=sensitivities(statement, made, seed),
    )
