"""A promised share of failed requests: in words, as an indicator, as an alert and as a threshold of a load test."""

from __future__ import annotations

from perfplan.operate.kind import Gauged, Spoken, Threshold, Watched, bad_and_allowed, tightest
from perfplan.operate.series import answered, by_code
from perfplan.promises.errors import Errors
from perfplan.promises.kind import Judged
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.words import share


def _reason(one: Errors, study: Study, judged: Judged, month: int, word: str) -> str:
    if any(other.down for other in study.middle.state.counted(one.journey)):
        return "availability counted in requests is the stricter promise; see that finding"
    return tightest(one, study, judged, month, word)


def _value(one: Errors, study: Study, judged: Judged, month: int) -> str:
    stricter = median(judged.bound) < median(one.below) * (1 - 1e-9)
    said = bad_and_allowed(one, study, judged, month)
    return said.replace(" allowed; ", " allowed (the availability promise of this journey binds); ", 1) if stricter else said


WATCHED: Watched[Errors] = Watched(
    spoken=Spoken(
        sentence=lambda one: f"fewer than {share(median(one.below))} of {one.journey} requests fail",
        miss=lambda one, study, month, will: f"{one.journey.capitalize()} {will} fail more often than it may",
        value=_value,
        reason=_reason,
    ),
    measured=Gauged(
        indicator=lambda one: answered(one.journey),
        counters=lambda one, below_s: by_code(one.journey),
        threshold=lambda one: Threshold(journey=one.journey, metric="http_req_failed", rule=f"rate<{median(one.below):.6g}"),
        bad="failed requests",
    ),
)
