"""Promised freshness: in words, as an indicator and as an alert on looks at the data."""

from __future__ import annotations

from perfplan.operate.kind import Counters, Gauged, Indicator, Spoken, Watched, bad_and_allowed, nothing
from perfplan.operate.text import slug
from perfplan.promises.freshness import Freshness
from perfplan.promises.kind import Judged
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.words import duration, share


def _sentence(one: Freshness) -> str:
    return f"what {one.queue} makes is younger than {duration(median(one.below_s))} in {share(median(one.above))} of looks"


def _reason(one: Freshness, study: Study, judged: Judged, month: int, word: str) -> str:
    return f"made anew every {duration(median(one.every_s))}; its age is the time since then and the time of the job, taken as independent"


def _counters(one: Freshness, below_s: float) -> Counters:
    name = f'data_reads_total{{queue="{slug(one.queue)}"'
    return Counters(total=f"{name}}}", bad=f'{name},stale="yes"}}', by_code=(f'{name},stale="yes"}}', f'{name},stale="no"}}'))


WATCHED: Watched[Freshness] = Watched(
    spoken=Spoken(
        sentence=_sentence,
        miss=lambda one, study, month, will: f"What {one.queue} makes {will} be older than it may",
        value=bad_and_allowed,
        reason=_reason,
    ),
    measured=Gauged(
        indicator=lambda one: Indicator(
            event=f"a look at what {one.queue} makes",
            good=f"younger than {duration(median(one.below_s))} since its job was published",
            where="whoever reads it, or a probe",
        ),
        counters=_counters,
        threshold=nothing,  # a load test of requests sees no jobs
        bad="stale data",
    ),
)
