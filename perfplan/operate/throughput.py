"""A promised rate, or the busiest second: in words and as an indicator."""

from __future__ import annotations

from perfplan.operate.kind import Gauged, Indicator, Spoken, Watched, nothing, tightest, tightest_place
from perfplan.promises.throughput import Throughput
from perfplan.quantity import median
from perfplan.study.verdicts import cause
from perfplan.words import rate


def _sentence(one: Throughput) -> str:
    return "no station saturates in the peak second" if one.above_rps is None else f"carries {rate(median(one.above_rps))}"


WATCHED: Watched[Throughput] = Watched(
    spoken=Spoken(
        sentence=_sentence,
        miss=lambda one, study, month, will: f"The busiest second {will} be more than {cause(study, month).label} can carry",
        value=tightest_place,
        reason=tightest,
    ),
    measured=Gauged(
        indicator=lambda one: Indicator(
            event="a second of the peak hour",
            good="no station that a request waits for is saturated",
            where="utilization of threads, cores and connections",
        ),
        counters=nothing,  # seconds are not counted as requests are
        threshold=nothing,
        bad="",
    ),
)
