"""Windows of maintenance: when they are, and how much of what comes they cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfplan.plan.demand import week_of
from perfplan.quantity import HOUR, FloatArray, median
from perfplan.scenario import DAYS, Maintenance, Scenario

WEEK_HOURS = 168


@dataclass(frozen=True, kw_only=True)
class Placed:
    """One window: where in the week it starts, in hours from Monday, whether the plan has placed it, and its shares."""

    start_h: float
    placed: bool
    requests: float  # share of all requests that come within it, in the long run
    time: float  # share of the time

    @property
    def when(self) -> str:
        """Day and time of its start, UTC."""
        day, hour = divmod(self.start_h, 24)
        return f"{DAYS[int(day)]} {int(hour):02d}:{round(hour % 1 * 60):02d}"


def placed(scenario: Scenario, one: Maintenance) -> Placed:
    """When a window is; where it says no day, it starts at the full hour at which fewest requests come within it."""
    week, hours, every = week_of(scenario), median(one.lasts_s) / HOUR, median(one.every_s) / HOUR
    if one.day is not None and one.start is not None:
        start = 24.0 * DAYS.index(one.day) + int(one.start[:2]) + int(one.start[3:]) / 60
        there = _within(week, start, hours)
    else:
        costs = [_within(week, float(start), hours) for start in range(WEEK_HOURS)]
        start, there = float(np.argmin(costs)), min(costs)
    return Placed(start_h=start, placed=one.day is None, requests=there / (week.mean() * every), time=hours / every)


def _within(week: FloatArray, start_h: float, hours: float) -> float:
    """Hours of the peak's load that come from *start_h* on within *hours*; the week begins again at its end."""
    edges = np.concatenate([[0.0], np.cumsum(np.concatenate([week, week]))])
    whole = hours // WEEK_HOURS * float(week.sum())
    ends = np.interp([start_h, start_h + hours % WEEK_HOURS], np.arange(edges.size), edges)
    return whole + float(ends[1] - ends[0])


def share_down(scenario: Scenario) -> float:
    """Share of all requests that come within windows that count against the budgets."""
    return min(sum(placed(scenario, one).requests for one in scenario.maintenance.values() if one.counted == "yes"), 1.0)
