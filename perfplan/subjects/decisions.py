"""Decisions: those that the plan asks for, with what happens without, and those that were taken, with when they are due again."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perfplan.scenario import Decided
from perfplan.study import Study
from perfplan.study.remedy import Position, positions
from perfplan.study.verdicts import RISK
from perfplan.subjects.kind import Finding
from perfplan.words import day_name


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A decision that the plan asks for."""

    order: Position
    without: str  # what becomes of the resource with today's count; "" where the order is an option


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A decision that was taken, and whether it is to be looked at again by the day of the plan."""

    name: str
    decided: Decided
    due: bool


def asked(study: Study) -> list[Asked]:
    """What is to be ordered or done, the first due first."""
    return [Asked(order=one, without=_without(study, one)) for one in positions(study)]


def _without(study: Study, one: Position) -> str:
    """When the resource passes its limit with today's count."""
    out = next((out for out in study.run_outs if out.resource.label == one.name), None)
    if out is None:
        return ""
    middle, early = out.quantile(0.5), out.quantile(0.05)
    if not np.isfinite(early):
        return f"{one.name} pass their limit in fewer than 5 % of the worlds"
    when = f"in {study.named(int(middle))} at the median" if np.isfinite(middle) else "in fewer than half of the worlds"
    return f"{one.name} pass their limit {when} (P5 {study.named(int(early))})"


def taken(study: Study) -> list[Taken]:
    """What the scenario records, those due for review first."""
    rows = [Taken(name=name, decided=one, due=_due(one, study.as_of)) for name, one in study.scenario.decisions.items()]
    return sorted(rows, key=lambda row: not row.due)


def _due(one: Decided, day: datetime.date) -> bool:
    return one.review is not None and datetime.date.fromisoformat(str(one.review)) <= day


def findings(study: Study) -> Iterator[Finding]:
    """Decisions that are due again."""
    for one in taken(study):
        if one.due:
            review = day_name(datetime.date.fromisoformat(str(one.decided.review)))
            yield Finding(
                kind=RISK,
                phase=6,
                about=one.name,
                month=0,
                title=f"The decision “{one.name}” is due for review",
                rule=f"to be looked at again by {review}",
                value=f"{one.decided.choice} ({one.decided.owner}, {day_name(datetime.date.fromisoformat(str(one.decided.date)))})",
                reason=one.decided.reason,
                remedy="decide again, and state the new date and review under `decisions`",
            )
