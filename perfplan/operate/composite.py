"""A promised share of good requests of several journeys: in words, as an indicator and as an alert."""

from __future__ import annotations

import re

from perfplan.operate.kind import Counters, Gauged, Indicator, Spoken, Watched, bad_and_allowed, nothing
from perfplan.operate.text import slug
from perfplan.promises.composite import Composite
from perfplan.promises.kind import Judged
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.words import capital, listed, share


def _reason(one: Composite, study: Study, judged: Judged, month: int, word: str) -> str:
    return f"{listed(list(one.journeys))} by their requests; every tier on each path must be up, failures are taken as independent"


def _miss(one: Composite, study: Study, month: int, will: str) -> str:
    return capital(f"{listed(list(one.journeys))} together {will} fall below {share(median(one.above))}")


def _counters(one: Composite, below_s: float) -> Counters:
    names = [slug(name) for name in one.journeys]
    matched = "|".join(re.escape(name).replace("\\", "\\\\") for name in names)
    name, first = f'http_requests_total{{journey=~"{matched}"', f'http_requests_total{{journey="{names[0]}"'
    return Counters(total=f"{name}}}", bad=f'{name},code=~"5.."}}', by_code=(f'{first},code="500"}}', f'{first},code="200"}}'))


WATCHED: Watched[Composite] = Watched(
    spoken=Spoken(
        sentence=lambda one: f"{share(median(one.above))} of the requests of {listed(list(one.journeys))} together are answered",
        miss=_miss,
        value=bad_and_allowed,
        reason=_reason,
    ),
    measured=Gauged(
        indicator=lambda one: Indicator(
            event=f"a request of {listed(list(one.journeys))}",
            good="answered, and not with an error of the server's (5xx, time-out)",
            where="the load balancer",
        ),
        counters=_counters,
        threshold=nothing,  # each journey has its own
        bad="failed requests",
    ),
)
