"""A promised time of pages: in words, as an indicator and as an alert on what browsers report."""

from __future__ import annotations

from perfplan.operate.kind import Counters, Gauged, Indicator, Spoken, Watched, holds_now_and, nothing
from perfplan.operate.series import buckets, default_bucket
from perfplan.operate.text import slug
from perfplan.promises.kind import Judged
from perfplan.promises.page import Page
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.words import duration, number, share


def _value(one: Page, study: Study, judged: Judged, month: int) -> str:
    late, allowed = median(judged.value[:, 0]), median(judged.bound)
    return f"{share(late)} of pages later than the target today, {share(allowed)} allowed; {holds_now_and(study, judged, month)}"


def _reason(one: Page, study: Study, judged: Judged, month: int, word: str) -> str:
    journey = study.middle.scenario.journeys[one.journey]
    carried_s = (median(journey.response_bytes) + median(journey.static_bytes)) / median(one.bandwidth_bytes_per_s)
    return (
        f"beside the response: {number(median(one.round_trips))} more round trips, {duration(carried_s)} on the user's line, "
        f"{duration(median(one.render_s))} of the browser; static files are taken as fetched from the origin's distance"
    )


def _counters(one: Page, below_s: float) -> Counters:
    labels = f'journey="{slug(one.journey)}"'
    bucket = f"page_load_seconds_bucket{{{labels}"
    good, goods = buckets(bucket, one.below_s)
    return Counters(
        total=f"page_load_seconds_count{{{labels}}}", good=good, goods=goods, nearest=default_bucket(bucket, median(one.below_s))
    )


WATCHED: Watched[Page] = Watched(
    spoken=Spoken(
        sentence=lambda one: f"p{median(one.percentile) * 100:g} of {one.journey} pages are there within {duration(median(one.below_s))}",
        miss=lambda one, study, month, will: f"Pages of {one.journey} {will} be there later than {duration(median(one.below_s))}",
        value=_value,
        reason=_reason,
    ),
    measured=Gauged(
        indicator=lambda one: Indicator(
            event=f"a page of {one.journey} that is opened",
            good=f"there within {duration(median(one.below_s))}: its largest part is painted",
            where="the browser (real user monitoring)",
        ),
        counters=_counters,
        threshold=nothing,  # a load generator paints no pages
        bad="late pages",
    ),
)
