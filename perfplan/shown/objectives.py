"""Every promise: rule, probability, until when; its indicator; availability composed from tiers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan.models.slo import DAYS_30, error_budget_s
from perfplan.operate import watched
from perfplan.plan import until
from perfplan.plan.uptime import availabilities as availabilities_of
from perfplan.promises import timed
from perfplan.promises.kind import PEAK_HOUR
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, months_of
from perfplan.shown.frames import (
    Rows,
    frame_of,
    month_of,
)
from perfplan.study import Study, confidence, once, sampling_error
from perfplan.study.verdicts import first_below, holds_with
from perfplan.words import (
    capital,
    count,
    duration,
    number,
    percent,
    share,
)


@once
def objectives(study: Study) -> Table:
    """Every promise: rule, probability now and later, until when it holds."""
    rows = sorted((_promise(study, name) for name in study.worlds.judged), key=lambda r: (r["holds_until"], r["p_last"]))
    broken, end = [r for r in rows if r["holds_until"] < r["end"]], study.named(study.last)
    month = month_of(study)
    return Table(
        name="objectives",
        title=f"{len(broken)} of {len(rows)} promises do not hold to {end} with today's fleet"
        if broken
        else f"All {len(rows)} promises hold to {end}",
        subtitle="Probability over all worlds that a promise holds in a month, today's fleet. Last column: the same promise judged the "
        "other way.",
        frame=frame_of(rows),
        columns=(
            Column("objective", "Objective"),
            Column("promise", "Promise"),
            Column("asked", "Confidence", percent),
            Column("p_now", "P now", percent),
            Column("p_last", "P at its end", percent, bar=True, broken="shown_broken"),
            Column("end", "Asked until", month),
            Column("holds_until", "Holds until", Until(month)),
            Column("also", "Judged the other way", str),
        ),
        first=True,
    )


@dataclass(frozen=True)
class Until:
    """Writes the last month in which a promise holds."""

    month: Callable[[float], str]

    def __call__(self, value: float) -> str:
        return "not now" if value < 0 else self.month(value) if np.isfinite(value) else "end of plan"


def _promise(study: Study, name: str) -> dict[str, Any]:
    judged = study.worlds.judged[name]
    p, asked = holds_with(study, name)
    last = min(until(judged.objective), p.size - 1)
    also = ""
    if (way := timed(judged.objective)) is not None and judged.also is not None:
        other = judged.also <= np.asarray(judged.bound) * (1 + 1e-9)
        also = f"{percent(float(other[:, last].mean()))} over {'28 days' if way.over == PEAK_HOUR else 'the peak hour'}"
    return {
        "objective": name,
        "promise": watched(judged.objective).spoken.sentence(judged.objective),
        "asked": asked,
        "p_now": float(p[0]),
        "p_last": float(p[last]),
        "holds_until": first_below(p, asked) - 1,
        "end": last,
        "also": also,
        "shown_broken": p[last] < asked,
    }


INDICATORS = (Column("objective", "Objective"), Column("event", "Event"), Column("good", "Good"), Column("where", "Counted at"))


@once
def indicators(study: Study) -> Table:
    """What is measured for each promise: the event, what is good, where it is counted."""
    return Table(
        name="indicators",
        title="Each promise says what is counted, and what is good",
        subtitle="Definition of the service level indicator of each objective.",
        frame=frame_of([{"objective": n, **asdict(watched(o).measured.indicator(o))} for n, o in study.scenario.objectives.items()]),
        columns=INDICATORS,
        stack=1,
    )


AVAILABILITIES = (
    Column("journey", "Journey"),
    Column("availability", "Availability", share),
    Column("down_30_days_s", "Down in 30 days", duration),
)


@once
def availabilities(study: Study) -> Table:
    """Availability of each journey, composed from its tiers."""
    up = availabilities_of(study.scenario, study.middle.carried)
    worst = min(up, key=lambda name: up[name])
    rows: Rows = [
        {"journey": n, "availability": up[n], "down_30_days_s": float(error_budget_s(up[n], DAYS_30))}
        for n in sorted(up, key=lambda n: up[n])
    ]
    return Table(
        name="availabilities",
        title=f"{capital(worst)} is the least available journey: {share(up[worst])}",
        subtitle="Tiers in series, each for the share of requests that reach it; instances N of M needed at the peak. Independent "
        "failures.",
        frame=frame_of(rows),
        columns=AVAILABILITIES,
    )


# ---- figures ----


def promise_by_month(study: Study) -> go.Figure:
    """P(every promise holds) by month: today's fleet, and the recommended one."""
    months = months_of(study)
    asked = confidence(study.scenario)
    start = first_below(study.p_all, asked)
    title = (
        f"Today’s fleet keeps every promise with {percent(asked)} until {study.named(start - 1)}"
        if start >= 1
        else f"Today’s fleet does not reach the {percent(asked)} asked for"
    )
    if not np.isfinite(start):
        title = f"Today’s fleet keeps every promise with {percent(asked)} for the whole plan"
    error = number(100 * sampling_error(0.5, study.worlds.rps.shape[0]), 2)
    fig = figure(
        title,
        f"P(every promise holds) by month, {count(study.worlds.rps.shape[0])} worlds (sampling error at most {error} points)",
        height=320,
        margin=dict(t=28, r=20),
        meta=dict(narrow=dict(layout={"xaxis.dtick": "M12", "xaxis.tickformat": "%Y", "margin.r": 12}, height=300)),
    )
    fig.add_scatter(
        x=months,
        y=[100 * float(p) for p in study.p_all],
        mode="lines",
        name="today’s fleet",
        line=dict(color=look.colour("blue"), width=2.5),
        hovertemplate="%{y:.0f} %",
    )
    fig.add_scatter(
        x=months,
        y=[100 * float(p) for p in study.fleet.p_all],
        mode="lines",
        name="with the plan",
        line=dict(color=look.colour("ink"), width=2.5, dash="dash"),
        hovertemplate="%{y:.0f} %",
    )
    look.threshold(fig, asked * 100, f"asked for: {percent(asked)}", side="top")
    today, planned = (100 * np.asarray(p, dtype=float) for p in (study.p_all, study.fleet.p_all))
    for name, line, other in (("today’s fleet", today, planned), ("with the plan", planned, today)):
        at = int(np.argmax(np.minimum(np.abs(line - other), np.abs(line - 100 * asked))))  # where it is furthest from the others
        look.label(fig, months[at], float(line[at]), name, yanchor="bottom", xshift=6, yshift=2)
    fig.update_layout(
        xaxis=dict(type="date", dtick="M3", tickformat="%b\n%Y", range=[months[0], months[-1]]), yaxis=dict(range=[0, 104], ticksuffix=" %")
    )
    return fig
