"""The share of good requests (or time) stays above a target."""

from __future__ import annotations

from typing import Literal

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
from perfplan.quantity import Fraction, Seconds
from perfplan.record import field, record


@record
class Availability:
    """The share of good requests (or time) stays above a target."""

    kind: Literal["availability"]
    journey: JourneyName = field("journey that is promised")
    above: Fraction = field("target")
    confidence: Fraction = confidence_field()
    until_s: Seconds = until_field()
    window: Window | None = window_field()
    budgeting: Budgeting = budgeting_field()
    slice_s: Seconds = slice_field()
    slice_good: Fraction = slice_good_field()


def judged(objective: Availability, state: State, both: bool) -> Judged:
    """The share of requests that meet a tier that is not up."""
    return bad_share(objective, state.failed(objective.journey), 1 - objective.above)


KIND: Kind[Availability] = Kind(
    judges=Judges(judged=judged, peak_second=False, elsewhere=never),
    says=Says(
        timed=nothing,
        counted=lambda one: Counted(journey=one.journey, good=one.above, bad=1 - one.above, down=True),
        jobs=nothing,
        users=nothing,
        pages=nothing,
        budget=lambda one: budgeted(one, journeys=(one.journey,)),
    ),
)
