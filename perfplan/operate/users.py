"""A promised number of concurrent users: in words and as an indicator."""

from __future__ import annotations

from perfplan.operate.kind import Gauged, Indicator, Spoken, Watched, nothing, tightest_place
from perfplan.promises.kind import Judged
from perfplan.promises.users import Users
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.words import number


def _reason(one: Users, study: Study, judged: Judged, month: int, word: str) -> str:
    return "judged at the load of that many users, whatever the forecast says"


WATCHED: Watched[Users] = Watched(
    spoken=Spoken(
        sentence=lambda one: f"carries {number(median(one.above))} users at once with every latency objective kept",
        miss=lambda one, study, month, will: f"{number(median(one.above))} users at once {will} be too many",
        value=tightest_place,
        reason=_reason,
    ),
    measured=Gauged(
        indicator=lambda one: Indicator(
            event="a load test at that many users",
            good="every latency objective of the peak hour holds",
            where="the load generator",
        ),
        counters=nothing,  # production has the users it has
        threshold=nothing,
        bad="",
    ),
)
