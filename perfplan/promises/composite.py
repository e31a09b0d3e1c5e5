"""Requests of several journeys together, as their users are the same people: the share that is answered stays above a target."""

from __future__ import annotations

from collections.abc import Sequence
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
class Composite:
    """The share of answered requests of several journeys together stays above a target."""

    kind: Literal["composite"]
    journeys: Sequence[JourneyName] = field("journeys that are promised together, each by its requests")
    above: Fraction = field("target")
    confidence: Fraction = confidence_field()
    until_s: Seconds = until_field()
    window: Window | None = window_field()
    budgeting: Budgeting = budgeting_field()
    slice_s: Seconds = slice_field()
    slice_good: Fraction = slice_good_field()


def judged(objective: Composite, state: State, both: bool) -> Judged:
    """The share of their requests that meets a tier that is not up, each journey by how many requests it has."""
    weights = [state.part(name) for name in objective.journeys]
    failed = sum(np.asarray(weight) * state.failed(name) for weight, name in zip(weights, objective.journeys, strict=True))
    return bad_share(objective, np.asarray(failed / sum(weights)), 1 - objective.above)


KIND: Kind[Composite] = Kind(
    judges=Judges(judged=judged, peak_second=False, elsewhere=never),
    says=Says(
        timed=nothing,
        counted=nothing,
        jobs=nothing,
        users=nothing,
        pages=nothing,
        budget=lambda one: budgeted(one, journeys=tuple(one.journeys)),
    ),
)
