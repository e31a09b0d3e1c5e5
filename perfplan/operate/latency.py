"""A promised percentile of a response time: in words, as an indicator, as an alert and as a threshold of a load test."""

from __future__ import annotations

from perfplan.operate.kind import Counters, Gauged, Indicator, Spoken, Threshold, Watched, holds_now_and, tightest
from perfplan.operate.series import buckets, default_bucket
from perfplan.operate.source import ms
from perfplan.operate.text import slug
from perfplan.promises.kind import PEAK_HOUR, WEEKS, Judged
from perfplan.promises.latency import Latency
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.words import duration, share

OVER = {PEAK_HOUR: "the peak hour", WEEKS: "28 days"}


def _sentence(one: Latency) -> str:
    return f"p{median(one.percentile) * 100:g} of {one.journey} below {duration(median(one.below_s))} over {OVER[one.over]}"


def _value(one: Latency, study: Study, judged: Judged, month: int) -> str:
    """Both ways of judging it, today: a reader asks for the other one."""
    slow, allowed = median(judged.value[:, 0]), median(judged.bound)
    other = median(judged.also[:, 0]) if judged.also is not None else float("nan")
    return (
        f"{share(slow)} of requests slower than the target today ({share(other)} judged over "
        f"{OVER[PEAK_HOUR if one.over == WEEKS else WEEKS]}), {share(allowed)} allowed; {holds_now_and(study, judged, month)}"
    )


def _counters(one: Latency, below_s: float) -> Counters:
    labels = f'journey="{slug(one.journey)}"'
    bucket = f"http_request_duration_seconds_bucket{{{labels}"
    good, goods = buckets(bucket, below_s)
    return Counters(
        total=f"http_request_duration_seconds_count{{{labels}}}",
        good=good,
        goods=goods,
        nearest=default_bucket(bucket, below_s),
    )


WATCHED: Watched[Latency] = Watched(
    spoken=Spoken(
        sentence=_sentence,
        miss=lambda one, study, month, will: f"{one.journey.capitalize()} {will} miss its {duration(median(one.below_s))} objective",
        value=_value,
        reason=tightest,
    ),
    measured=Gauged(
        indicator=lambda one: Indicator(
            event=f"a request of {one.journey}",
            good=f"answered within {duration(median(one.below_s))}, round trip included",
            where="the user (real user monitoring), or the balancer at its own bound, without round trip and edge (alerts.yml)",
        ),
        counters=_counters,
        threshold=lambda one: Threshold(
            journey=one.journey, metric="http_req_duration", rule=f"p({median(one.percentile) * 100:g})<{ms(median(one.below_s))}"
        ),
        bad="slow requests",
    ),
)
