"""The share of right results stays above a target. What is wrong does not follow from a load: it is stated, or measured."""

from __future__ import annotations

from typing import Literal

import numpy as np

from perfplan.promises.kind import (
    Budgeting,
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
    nothing,
    slice_field,
    slice_good_field,
    until_field,
    window_field,
)
from perfplan.quantity import Fraction, Rps, Seconds
from perfplan.record import field, record


@record
class Correctness:
    """The share of right results stays above a target."""

    kind: Literal["correctness"]
    journey: JourneyName = field("journey whose results are checked")
    above: Fraction = field("target")
    wrong: Fraction = field("share of the results that is wrong, as checks have shown; an interval where they were few")
    probes_rps: Rps = field("how many results are checked", "1/min", reason="a probe a minute")
    confidence: Fraction = confidence_field()
    until_s: Seconds = until_field()
    window: Window | None = window_field()
    budgeting: Budgeting = budgeting_field()
    slice_s: Seconds = slice_field()
    slice_good: Fraction = slice_good_field()


def judged(objective: Correctness, state: State, both: bool) -> Judged:
    """The share that is stated, whatever the load."""
    return bad_share(objective, np.asarray(objective.wrong) + 0 * state.rps, 1 - objective.above)


KIND: Kind[Correctness] = Kind(
    judges=Judges(judged=judged, peak_second=False, elsewhere=lambda one: True),
    says=Says(
        timed=nothing,
        counted=nothing,
        jobs=nothing,
        users=nothing,
        pages=nothing,
        budget=lambda one: budgeted(one, journeys=(one.journey,), probes_rps=one.probes_rps),
    ),
)
