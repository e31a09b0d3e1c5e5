"""The service can carry a number of concurrent users with every latency objective kept at the peak hour's load."""

from __future__ import annotations

from typing import Literal

import numpy as np

from perfplan.promises.kind import PEAK_HOUR, Judged, Judges, Kind, Says, State, bad_share, confidence_field, nothing, until_field
from perfplan.quantity import Count, Fraction, Seconds
from perfplan.record import field, record


@record
class Users:
    """The service can carry a number of concurrent users with every latency objective kept at the peak hour's load."""

    kind: Literal["users"]
    above: Count = field("concurrent users it must carry", least="1")
    confidence: Fraction = confidence_field()
    until_s: Seconds = until_field()


def judged(objective: Users, state: State, both: bool) -> Judged:
    """Load of the stated users, at each world's requests per user; holds where every latency objective does in such an hour."""
    wanted = np.broadcast_to(np.asarray(objective.above * state.per_user_rps, dtype=float), (state.rps.shape[0], 1))
    there = state.at(wanted)
    holds = there.used < 1.0
    for one in state.timed:
        allowed = 1 - np.asarray(one.percentile)
        holds = holds & bad_share(objective, there.slow(one.journey, one.below_s, allowed, (PEAK_HOUR,))[PEAK_HOUR], allowed).holds
    return Judged(objective=objective, value=there.used + 0 * state.rps, bound=1.0, holds=np.broadcast_to(holds, state.rps.shape))


KIND: Kind[Users] = Kind(
    judges=Judges(judged=judged, peak_second=False, elsewhere=lambda one: True),
    says=Says(timed=nothing, counted=nothing, jobs=nothing, users=lambda one: one.above, pages=nothing, budget=nothing),
)
