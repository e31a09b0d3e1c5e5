"""The ladder of time-outs: whether every caller outlasts what it calls."""

from __future__ import annotations

from collections.abc import Iterator

from perfplan.study import Study
from perfplan.study.ladder import broken, ladder
from perfplan.study.verdicts import RISK
from perfplan.subjects.kind import IMPLEMENTATION, Finding, Found, Item
from perfplan.tiers.rungs import CLIENT, POOL, REQUEST
from perfplan.words import capital, duration


def findings(study: Study) -> Iterator[Finding]:
    """Each relation of the ladder that does not hold."""
    for one in broken(ladder(study)):
        low, high = one.lower, one.upper
        times = f" x {one.times:g}" if one.times != 1 else ""
        yield Finding(
            kind=RISK,
            phase=3,
            about=str(low.place if low.stated else high.place),
            month=0,
            title=f"{capital(low.label)} may last longer than {high.label}",
            rule=one.rule,
            value=f"{low.place} {duration(low.value_s)}{times} against {high.place} {duration(high.value_s)}",
            reason=f"{low.place}: {low.why}; {high.place}: {high.why}",
            remedy=f"state {low.place} below {duration(high.value_s / one.times)}, or {high.place} above "
            f"{duration(low.value_s * one.times)}",
        )


def _ladder(study: Study) -> Found | None:
    made = ladder(study)
    if not any(rung.role == POOL for rung in made.rungs):
        return None
    wrong = [r for r in made.relations if not r.holds]
    steps = ", ".join(f"{r.label} {duration(r.value_s)}" for r in made.rungs if r.role in (POOL, REQUEST, CLIENT))
    return Found(f"{steps}; {len(wrong)} of {len(made.relations)} relations are wrong", "not met" if wrong else "met")


def _idle(study: Study) -> Found | None:
    rows = [one for one in ladder(study).relations if "idle" in one.rule]
    said = [f"{r.lower.label} {duration(r.lower.value_s)} < {r.upper.label} {duration(r.upper.value_s)}" for r in rows]
    return Found("; ".join(said), "met" if all(one.holds for one in rows) else "not met") if rows else None


ITEMS = (
    Item("2.3.3.b", _ladder, IMPLEMENTATION, ladder),
    Item("2.3.3.c", _idle, IMPLEMENTATION, ladder),
)
