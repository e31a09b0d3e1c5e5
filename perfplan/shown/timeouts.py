"""The ladder of time-outs."""

from __future__ import annotations

from perfplan.shown.blocks import Column, Table
from perfplan.shown.frames import (
    Rows,
    frame_of,
)
from perfplan.study import Study, once
from perfplan.study.ladder import ladder
from perfplan.words import (
    duration,
)

WRONG = "wrong order"


def _is_wrong(value: str) -> bool:
    return value == WRONG


TIMEOUTS = (
    Column("timeout", "Time-out"),
    Column("value_s", "Value", duration),
    Column("why", "Why", str),
    Column("order", "Order", str, broken=_is_wrong),
)


@once
def timeouts(study: Study) -> Table:
    """The ladder of time-outs, callees first."""
    made = ladder(study)
    wrong = {r.place for one in made.relations if not one.holds for r in (one.lower, one.upper)}
    rows: Rows = [
        {"timeout": r.label, "field": str(r.place), "value_s": r.value_s, "why": r.why, "order": WRONG if r.place in wrong else "in order"}
        for r in made.rungs
    ]
    return Table(
        name="timeouts",
        title=f"{len(wrong)} time-outs stand in the wrong order" if wrong else "Every time-out lies within that of its caller",
        subtitle="Callees first. What is not stated follows from today's peak hour, at the median: "
        "a caller must outlast what it calls, and drop idle connections first.",
        frame=frame_of(rows),
        columns=TIMEOUTS,
        stack=3,
    )
