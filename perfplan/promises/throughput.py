"""The service can carry a rate of requests in its peak second with no station saturated."""

from __future__ import annotations

from typing import Literal

from perfplan.promises.kind import Judged, Judges, Kind, Says, State, confidence_field, nothing, until_field
from perfplan.quantity import Fraction, Rps, Seconds
from perfplan.record import field, record


@record
class Throughput:
    """The service can carry a rate of requests in its peak second with no station saturated."""

    kind: Literal["throughput"]
    above_rps: Rps | None = field("rate it must carry; left out, the forecast peak second", optional=True, least="1/day")
    confidence: Fraction = confidence_field()
    until_s: Seconds = until_field()


def judged(objective: Throughput, state: State, both: bool) -> Judged:
    """How much of the tightest place is used in the peak second, or at the stated rate."""
    there = state.second if objective.above_rps is None else state.at(objective.above_rps + 0 * state.rps)
    return Judged(objective=objective, value=there.used, bound=1.0, holds=there.used < 1.0)


KIND: Kind[Throughput] = Kind(
    judges=Judges(judged=judged, peak_second=True, elsewhere=lambda one: one.above_rps is not None),
    says=Says(timed=nothing, counted=nothing, jobs=nothing, users=nothing, pages=nothing, budget=nothing),
)
