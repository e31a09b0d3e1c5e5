"""A percentile of the time in which a page is there for its user stays below a target."""

from __future__ import annotations

from typing import Literal

from perfplan.promises.kind import (
    Budgeting,
    JourneyName,
    Judged,
    Judges,
    Kind,
    Says,
    State,
    Window,
    bad_share,
    budgeted,
    budgeting_field,
    confidence_field,
    never,
    nothing,
    slice_field,
    slice_good_field,
    until_field,
    window_field,
)
from perfplan.quantity import BytesPerSecond, Fraction, Percentile, Ratio, Seconds
from perfplan.record import field, record


@record
class Page:
    """A percentile of the time in which a page is there for its user stays below a target."""

    kind: Literal["page load"]
    journey: JourneyName = field("journey whose response is a page")
    percentile: Percentile = field("percentile that is promised", "p75", reason="what search engines judge pages by")
    below_s: Seconds = field("target", least="1us", most="1d")
    round_trips: Ratio = field(
        "round trips beside the request's own: to connect, to agree on keys, to fetch what the page names",
        "4",
        reason="TCP and TLS 1.3 take two, pages have about two waves of files",
        most="100",
    )
    bandwidth_bytes_per_s: BytesPerSecond = field("what a user's line carries", "10Mbit/s", reason="a usual mobile line", least="1kB/s")
    render_s: Seconds = field("work of the browser until the page is there", "300ms", reason="a mid-range phone", most="1min")
    confidence: Fraction = confidence_field()
    until_s: Seconds = until_field()
    window: Window | None = window_field()
    budgeting: Budgeting = budgeting_field()
    slice_s: Seconds = slice_field()
    slice_good: Fraction = slice_good_field()


def judged(objective: Page, state: State, both: bool) -> Judged:
    """The share of pages that are there later, in the peak hour."""
    allowed = 1 - objective.percentile
    travel = objective.round_trips, objective.bandwidth_bytes_per_s
    late = state.pages_slow(objective.journey, objective.below_s, allowed, *travel, objective.render_s)
    return bad_share(objective, late, allowed)


KIND: Kind[Page] = Kind(
    judges=Judges(judged=judged, peak_second=False, elsewhere=never),
    says=Says(
        timed=nothing,
        counted=nothing,
        jobs=nothing,
        users=nothing,
        pages=lambda one: one.journey,
        budget=lambda one: budgeted(one, journeys=(one.journey,)),
    ),
)
