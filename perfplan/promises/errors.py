"""The share of failed requests stays below a target."""

from __future__ import annotations

from typing import Literal

from perfplan.models.slo import binding_error_limit
from perfplan.promises.kind import (
    Budgeting,
    Counted,
    JourneyName,
    Judged,
    Judges,
    Kind,
    Says,
    State,
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
from perfplan.quantity import Fraction, Seconds, Value, median
from perfplan.record import field, record


@record
class Errors:
    """The share of failed requests stays below a target."""

    kind: Literal["errors"]
    journey: JourneyName = field("journey that is promised")
    below: Fraction = field("target")
    confidence: Fraction = confidence_field()
    until_s: Seconds = until_field()
    window: Window | None = window_field()
    budgeting: Budgeting = budgeting_field()
    slice_s: Seconds = slice_field()
    slice_good: Fraction = slice_good_field()


def judged(objective: Errors, state: State, both: bool) -> Judged:
    """The share of requests that meet a tier that is not up; an availability of the same journey may allow fewer than this does."""
    limit: Value = objective.below
    for other in state.counted(objective.journey):
        if other.down:
            limit = binding_error_limit(median(limit), median(other.good))
    return bad_share(objective, state.failed(objective.journey), limit)


KIND: Kind[Errors] = Kind(
    judges=Judges(judged=judged, peak_second=False, elsewhere=never),
    says=Says(
        timed=nothing,
        counted=lambda one: Counted(journey=one.journey, good=1 - one.below, bad=one.below, down=False),
        jobs=nothing,
        users=nothing,
        pages=nothing,
        budget=lambda one: budgeted(one, journeys=(one.journey,)),
    ),
)
