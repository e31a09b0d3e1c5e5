"""A percentile of a journey's response time stays below a target."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from perfplan.promises.kind import (
    PEAK_HOUR,
    WEEKS,
    Budgeted,
    Budgeting,
    JourneyName,
    Judged,
    Judges,
    Kind,
    Says,
    State,
    Timed,
    Window,
    bad_share,
    budgeted,
    budgeting_field,
    confidence_field,
    never,
    nothing,
    slice_field,
    slice_good_field,
    until_field,
    window_field,
)
from perfplan.quantity import Fraction, Percentile, Seconds
from perfplan.record import Choice, field, record


@record
class Latency:
    """A percentile of a journey's response time stays below a target."""

    kind: Literal["latency"]
    journey: JourneyName = field("journey that is promised")
    percentile: Percentile = field("percentile that is promised", "p95", reason="the quick reference promises p95")
    below_s: Seconds = field("target", least="1us", most="1d")
    over: Annotated[str, Choice(words=(PEAK_HOUR, WEEKS))] = field(
        "over what it is judged: the load of the peak hour, or the share of slow requests in 28 days",
        "peak hour",
        reason="users remember the worst hour",
    )
    confidence: Fraction = confidence_field()
    until_s: Seconds = until_field()
    window: Window | None = window_field()
    budgeting: Budgeting = budgeting_field()
    slice_s: Seconds = slice_field()
    slice_good: Fraction = slice_good_field()


def judged(objective: Latency, state: State, both: bool) -> Judged:
    """The share of requests slower than the target, which may be what the percentile leaves."""
    allowed = 1 - objective.percentile
    slow = state.slow(objective.journey, objective.below_s, allowed, (PEAK_HOUR, WEEKS) if both else (objective.over,))
    found = bad_share(objective, slow[objective.over], allowed)
    return dataclasses.replace(found, also=slow[WEEKS if objective.over == PEAK_HOUR else PEAK_HOUR]) if both else found


def _timed(one: Latency) -> Timed:
    return Timed(journey=one.journey, percentile=one.percentile, below_s=one.below_s, over=one.over)


def _budget(one: Latency) -> Budgeted:
    return budgeted(one, WEEKS if one.over == WEEKS else "30 days", journeys=(one.journey,))


KIND: Kind[Latency] = Kind(
    judges=Judges(judged=judged, peak_second=False, elsewhere=never),
    says=Says(timed=_timed, counted=nothing, jobs=nothing, users=nothing, pages=nothing, budget=_budget),
)
