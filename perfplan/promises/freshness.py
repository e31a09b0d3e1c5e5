"""What jobs make anew at intervals is never older than a target, in a share of all looks at it."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from perfplan.promises.kind import (
    Budgeting,
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
from perfplan.quantity import Fraction, Rps, Seconds
from perfplan.record import Reference, field, record
from perfplan.tiers import words_of


@record
class Freshness:
    """What jobs make anew at intervals is younger than a target, in a share of all looks at it."""

    kind: Literal["freshness"]
    queue: Annotated[str, Reference(section="tiers", kinds=words_of(lambda kind: any(one.waits for one in kind.owned.bought)))] = field(
        "queue whose jobs make it"
    )
    every_s: Seconds = field("how often a job is published that makes it anew", least="1s", most="30d")
    below_s: Seconds = field("how old it may be: since its job was published", least="1us", most="60d")
    above: Fraction = field("share of the looks at which it is younger", "99%", reason="one look in a hundred may see old data")
    probes_rps: Rps = field("how often it is looked at, by readers or probes that are counted", "1/min", reason="a probe a minute")
    confidence: Fraction = confidence_field()
    until_s: Seconds = until_field()
    window: Window | None = window_field()
    budgeting: Budgeting = budgeting_field()
    slice_s: Seconds = slice_field()
    slice_good: Fraction = slice_good_field()


NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


def judged(objective: Freshness, state: State, both: bool) -> Judged:
    """The share of looks at which it is older: its age is an even share of the interval and the time of the job, P(age > x) the mean of
    P(job > s) over s from x - interval to x; before 0 no job is done."""
    below, every = np.asarray(objective.below_s, dtype=float), np.asarray(objective.every_s, dtype=float)
    start = np.maximum(below - every, 0.0)
    length, found = below - start, 0.0 * state.rps
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        found = found + 0.5 * weight * state.late(objective.queue, start + length * 0.5 * (1 + node))
    found = found * length / every + 1 - length / every
    return bad_share(objective, np.clip(found, 0.0, 1.0), 1 - objective.above)


KIND: Kind[Freshness] = Kind(
    judges=Judges(judged=judged, peak_second=False, elsewhere=never),
    says=Says(
        timed=nothing,
        counted=nothing,
        jobs=nothing,
        users=nothing,
        pages=nothing,
        budget=lambda one: budgeted(one, tier=one.queue, probes_rps=one.probes_rps),
    ),
)
