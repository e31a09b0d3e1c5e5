"""Decisions as a table: asked for, and taken."""

from __future__ import annotations

import datetime

import numpy as np

from perfplan.shown.blocks import Column, Table
from perfplan.shown.frames import frame_of, more_dollars_if_any
from perfplan.study import Study, once
from perfplan.subjects.decisions import asked, taken
from perfplan.words import day_name, money


def _money(value: float) -> str:
    return "–" if np.isnan(value) else money(value)


DECISIONS = (
    Column("what", "Decision"),
    Column("state", "State", str),
    Column("by", "By", str),
    Column("cost_month_usd", "$ per month", more_dollars_if_any),
    Column("once_usd", "$ once", _money),
    Column("without", "Without it, or why", str),
)


@once
def decisions(study: Study) -> Table:
    """What is to be decided, with its price and what happens without; what was decided, and when it is due again."""
    rows = [
        {
            "what": one.order.text,
            "state": "asked for",
            "by": day_name(one.order.by),
            "cost_month_usd": one.order.monthly_usd,
            "once_usd": one.order.once_usd,
            "without": one.without or "–",
        }
        for one in asked(study)
    ]
    for one in taken(study):
        review = one.decided.review
        until = "" if review is None else day_name(datetime.date.fromisoformat(str(review)))
        rows.append(
            {
                "what": f"{one.name}: {one.decided.choice}",
                "state": "due for review" if one.due else f"taken by {one.decided.owner}",
                "by": until or "stands",
                "cost_month_usd": np.nan,
                "once_usd": np.nan,
                "without": one.decided.reason,
            }
        )
    due = sum(one.due for one in taken(study))
    title = f"{len(asked(study))} decisions are asked for" + (
        f", {due} of {len(taken(study))} taken ones are due again" if taken(study) else ""
    )
    nothing = {"what": "nothing", "state": "", "by": "", "cost_month_usd": np.nan, "once_usd": np.nan, "without": ""}
    recorded = "What was decided stands in the scenario under `decisions`: owner, date, choice, reason, review"
    return Table(
        name="decisions",
        title=title,
        subtitle=f"Prices in {study.named(study.last)}. {recorded}.",
        frame=frame_of(rows or [nothing]),
        columns=DECISIONS,
    )
