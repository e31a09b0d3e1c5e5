"""Promised correctness: in words, as an indicator and as an alert on results that are checked."""

from __future__ import annotations

from perfplan.operate.kind import Counters, Gauged, Indicator, Spoken, Watched, bad_and_allowed, nothing
from perfplan.operate.text import slug
from perfplan.promises.correctness import Correctness
from perfplan.promises.kind import Judged
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.words import share


def _reason(one: Correctness, study: Study, judged: Judged, month: int, word: str) -> str:
    return "as checks have shown; it does not follow from the load, and no month is better or worse"


def _counters(one: Correctness, below_s: float) -> Counters:
    name = f'results_checked_total{{journey="{slug(one.journey)}"'
    return Counters(total=f"{name}}}", bad=f'{name},right="no"}}', by_code=(f'{name},right="no"}}', f'{name},right="yes"}}'))


WATCHED: Watched[Correctness] = Watched(
    spoken=Spoken(
        sentence=lambda one: f"{share(median(one.above))} of the results of {one.journey} are right",
        miss=lambda one, study, month, will: f"Results of {one.journey} {will} be wrong more often than they may",
        value=bad_and_allowed,
        reason=_reason,
    ),
    measured=Gauged(
        indicator=lambda one: Indicator(
            event=f"a result of {one.journey} that is checked", good="what it should be", where="a probe that knows the right answer"
        ),
        counters=_counters,
        threshold=nothing,  # a load test checks what it was told to
        bad="wrong results",
    ),
)
