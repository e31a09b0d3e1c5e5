"""A promised percentile of jobs done in time: in words, as an indicator and as an alert."""

from __future__ import annotations

from perfplan.operate.kind import Counters, Gauged, Indicator, Spoken, Watched, bad_and_allowed, nothing, today
from perfplan.operate.series import buckets, default_bucket
from perfplan.operate.text import slug
from perfplan.promises.completion import Completion
from perfplan.promises.kind import Judged
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.words import duration, month_name, share


def _reason(one: Completion, study: Study, judged: Judged, month: int, word: str) -> str:
    place = study.middle.state.waiting(one.queue)
    used = today(study, study.middle.carried.stations[place].utilization, month)
    return f"{study.middle.resources[place].label} are {share(used)} busy in {month_name(str(study.scenario.as_of), month)}"


def _counters(one: Completion, below_s: float) -> Counters:
    labels = f'queue="{slug(one.queue)}"'
    bucket = f"job_duration_seconds_bucket{{{labels}"
    good, goods = buckets(bucket, one.below_s)
    nearest = default_bucket(bucket, median(one.below_s))
    return Counters(total=f"job_duration_seconds_count{{{labels}}}", good=good, goods=goods, nearest=nearest)


WATCHED: Watched[Completion] = Watched(
    spoken=Spoken(
        sentence=lambda one: f"p{median(one.percentile) * 100:g} of {one.queue} jobs done within {duration(median(one.below_s))}",
        miss=lambda one, study, month, will: f"{one.queue.capitalize()} {will} be done too late",
        value=bad_and_allowed,
        reason=_reason,
    ),
    measured=Gauged(
        indicator=lambda one: Indicator(
            event=f"a job of {one.queue}",
            good=f"done within {duration(median(one.below_s))} of being published",
            where="the worker: end of work less time of publishing",
        ),
        counters=_counters,
        threshold=nothing,  # a load test of requests sees no jobs
        bad="late jobs",
    ),
)
