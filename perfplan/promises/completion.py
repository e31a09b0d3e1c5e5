"""A percentile of a queue's jobs is done within a time after publishing."""

from __future__ import annotations

from typing import Annotated, Literal

from perfplan.promises.kind import (
    Budgeting,
    Jobs,
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
from perfplan.quantity import Fraction, Percentile, Seconds
from perfplan.record import Reference, field, record
from perfplan.tiers import words_of


@record
class Completion:
    """A percentile of a queue's jobs is done within a time after publishing."""

    kind: Literal["completion"]
    queue: Annotated[str, Reference(section="tiers", kinds=words_of(lambda kind: any(one.waits for one in kind.owned.bought)))] = field(
        "queue that is promised"
    )
    percentile: Percentile = field("percentile that is promised", "p99", reason="a late job is seen by its user")
    below_s: Seconds = field("target", least="1us", most="30d")
    confidence: Fraction = confidence_field()
    until_s: Seconds = until_field()
    window: Window | None = window_field()
    budgeting: Budgeting = budgeting_field()
    slice_s: Seconds = slice_field()
    slice_good: Fraction = slice_good_field()


def judged(objective: Completion, state: State, both: bool) -> Judged:
    """The share of jobs that are done later."""
    return bad_share(objective, state.late(objective.queue, objective.below_s), 1 - objective.percentile)


KIND: Kind[Completion] = Kind(
    judges=Judges(judged=judged, peak_second=False, elsewhere=never),
    says=Says(
        timed=nothing,
        counted=nothing,
        jobs=lambda one: Jobs(tier=one.queue, below_s=one.below_s),
        users=nothing,
        pages=nothing,
        budget=lambda one: budgeted(one, tier=one.queue),
    ),
)
