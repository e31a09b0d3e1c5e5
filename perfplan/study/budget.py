"""Error budgets of a study: how they are counted, what of them is expected to be left, and what is left as measured."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perfplan.models import slo
from perfplan.models.slo import budget_left, complement, window_days, window_start
from perfplan.plan.demand import week_of
from perfplan.promises import budget_of, counted, timed
from perfplan.promises.kind import PEAK_HOUR, Budgeted, Judged
from perfplan.quantity import DAY, FloatArray, median
from perfplan.reading.outcomes import Outcomes
from perfplan.scenario import Scenario
from perfplan.scenario.statement import Statement
from perfplan.study import Study, once
from perfplan.study.outages import Journey, failing


def target(judged: Judged) -> float:
    """The share that must be good, as if written in decimals."""
    return float(complement(round(median(judged.bound), 12)))


def left(judged: Judged) -> FloatArray:
    """Share of the error budget that is left at the predicted share of bad requests in the long run, (worlds, months)."""
    one = timed(judged.objective)
    other_way = judged.also is not None and one is not None and one.over == PEAK_HOUR
    return budget_left(1 - np.asarray(judged.bound), judged.also if judged.also is not None and other_way else judged.value)


def budgeted(study: Study) -> dict[str, Budgeted]:
    """Every promise that has an error budget, and how it is counted."""
    found = {name: budget_of(judged.objective) for name, judged in study.worlds.judged.items()}
    return {name: one for name, one in found.items() if one is not None}


def promised(study: Study) -> dict[str, float]:
    """The availabilities that are promised, at the median."""
    found = {name: counted(one) for name, one in study.scenario.objectives.items()}
    return {name: median(one.good) for name, one in found.items() if one is not None and one.down}


@once
def fails(study: Study) -> dict[str, Journey]:
    """Of each promise that requests do not fail: what fails in its window, outages drawn."""
    found = {}
    for name, one in budgeted(study).items():
        about = counted(study.scenario.objectives[name])
        if about is not None:
            found[name] = failing(study, about.journey, window_days(one.window, study.as_of))
    return found


@once
def remaining(study: Study) -> dict[str, FloatArray]:
    """Share of each budget that is left after a window from each month on, (worlds, months): outages drawn, the rest as predicted."""
    found = {}
    for name in budgeted(study):
        judged = study.worlds.judged[name]
        drawn = fails(study).get(name)
        found[name] = left(judged) if drawn is None else np.asarray(budget_left(1 - np.asarray(judged.bound), drawn.drawn))
    return found


def events_rps(study: Study, name: str) -> float:
    """Requests, jobs or probes a second of a promise at today's peak hour."""
    one, made = budget_of(study.scenario.objectives[name]), study.middle
    if one is None:
        return 0.0
    if one.probes_rps is not None:
        return one.probes_rps
    rates = [made.carried.calls_rps[one.tier]] if one.tier else [made.carried.journey_rps[journey] for journey in one.journeys]
    return sum(float(np.broadcast_to(np.asarray(rate, dtype=float), made.rps.shape)[0, 0]) for rate in rates)


def week_of_events(study: Study, name: str) -> FloatArray:
    """What is counted of a promise in each hour of the week over the busiest hour, (168,): probes come evenly."""
    one, week = budget_of(study.scenario.objectives[name]), week_of(study.scenario)
    return np.ones_like(week) if one is not None and one.probes_rps is not None else week


@dataclass(frozen=True, kw_only=True)
class Behind:
    """What was measured of a promise within its window, and the budget that is left of it."""

    objective: str
    target: float
    window: str
    method: str
    start: datetime.date
    end: datetime.datetime  # of what was measured
    covered: float  # share of the window so far that was measured
    events: float  # that came
    good: float  # share, as its budget is counted
    low: float  # 90 % interval of it
    high: float
    left: float  # of the whole window's budget, what is spent being spent
    left_low: float
    left_high: float
    exhausted: datetime.date | None  # when it would be gone at this pace, within the window of the calendar; None: not before its end

    @property
    def spent(self) -> float:
        """Share of the budget that is gone."""
        return 1 - self.left


@once
def behind(study: Study) -> list[Behind]:
    """Of each promise with outcomes."""
    return behind_of(study.statement, study.scenario, study.worlds.judged)


def behind_of(statement: Statement, scenario: Scenario, judged: Mapping[str, Judged]) -> list[Behind]:
    """The same of a statement, by what its promises allow."""
    found = []
    for name, measured in scenario.measured.items():
        outcomes = statement.outcomes.get(name)
        if outcomes is not None and measured.objective is not None:
            one = budget_of(scenario.objectives[measured.objective])
            assert one is not None  # by the rules of a scenario
            found.append(_behind(measured.objective, target(judged[measured.objective]), outcomes, one))
    return found


def _behind(name: str, good_at_least: float, outcomes: Outcomes, one: Budgeted) -> Behind:
    end = datetime.datetime.fromtimestamp(outcomes.end_s, tz=datetime.UTC)
    last = datetime.datetime.fromtimestamp(float(outcomes.seconds[-1]), tz=datetime.UTC).date()
    start, days = window_start(one.window, last), window_days(one.window, last)
    start_s = datetime.datetime.combine(start, datetime.time(), tzinfo=datetime.UTC).timestamp()
    if one.window in slo.ROLLING:
        start_s = outcomes.end_s - days * DAY
    there = outcomes.seconds >= start_s - 1e-6
    at, good, total = _sliced(outcomes.seconds[there], outcomes.good[there], outcomes.total[there], outcomes.slice_s, one)
    bad, allowed = float(slo.bad_share(one.method, total - good, total, one.slice_good)), float(complement(good_at_least))
    half = 1.645 * slo.bad_share_error(one.method, at, total - good, total, one.slice_good)
    so_far = min((outcomes.end_s - start_s) / (days * DAY), 1.0)  # of the whole window; what of it was not measured is as what was

    def remains(share_bad: float) -> float:
        return float(1 - share_bad * so_far / allowed)

    pace = bad / allowed  # of the budget, in a whole window
    gone = start + datetime.timedelta(days=days / pace) if pace > 1 and one.window not in slo.ROLLING else None
    return Behind(
        objective=name,
        target=good_at_least,
        window=one.window,
        method=one.method,
        start=start,
        end=end,
        covered=min(int(there.sum()) * outcomes.slice_s / (so_far * days * DAY), 1.0),
        events=float(total.sum()),
        good=1 - bad,
        low=max(1 - bad - half, 0.0),
        high=min(1 - bad + half, 1.0),
        left=remains(bad),
        left_low=remains(min(bad + half, 1.0)),
        left_high=remains(max(bad - half, 0.0)),
        exhausted=gone,
    )


def _sliced(at: FloatArray, good: FloatArray, total: FloatArray, step_s: float, one: Budgeted) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows added up to the slices that the budget counts, where they are finer than those."""
    if one.method == slo.OCCURRENCES or step_s >= one.slice_s:
        return at, good, total
    slot = np.floor(at / one.slice_s)
    starts = np.flatnonzero(np.diff(slot, prepend=slot[0] - 1))
    return at[starts], np.add.reduceat(good, starts), np.add.reduceat(total, starts)
