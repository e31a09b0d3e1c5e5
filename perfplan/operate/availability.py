"""A promised share of good requests: in words, as an indicator and as an alert."""

from __future__ import annotations

from perfplan.operate.kind import Gauged, Spoken, Watched, bad_and_allowed, nothing
from perfplan.operate.series import answered, by_code
from perfplan.promises.availability import Availability
from perfplan.promises.kind import Judged
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.words import share


def _reason(one: Availability, study: Study, judged: Judged, month: int, word: str) -> str:
    return "every tier on the path must be up, each for the share of requests that reach it; failures are taken as independent"


WATCHED: Watched[Availability] = Watched(
    spoken=Spoken(
        sentence=lambda one: f"{share(median(one.above))} of {one.journey} requests are answered",
        miss=lambda one, study, month, will: f"{one.journey.capitalize()} {will} fall below {share(median(one.above))} availability",
        value=bad_and_allowed,
        reason=_reason,
    ),
    measured=Gauged(
        indicator=lambda one: answered(one.journey),
        counters=lambda one, below_s: by_code(one.journey),
        threshold=nothing,  # a load test is too short to see what fails by itself
        bad="failed requests",
    ),
)
