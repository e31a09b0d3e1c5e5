"""Error budgets in time and in requests, and what is left of them."""

from __future__ import annotations

import calendar
from dataclasses import asdict

import numpy as np
import plotly.graph_objects as go

from perfplan.promises import counted, timed
from perfplan.quantity import median
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, months_of, short
from perfplan.shown.frames import (
    Below,
    Rows,
    frame_of,
)
from perfplan.study import Study, once
from perfplan.subjects.budgets import budgets as budgets_of
from perfplan.subjects.budgets import left
from perfplan.words import (
    capital,
    duration,
    number,
    percent,
    share,
)


@once
def budgets(study: Study) -> Table:
    """Error budgets in time and in requests, what is predicted to be left, and when deployments freeze."""
    rows: Rows = [asdict(one) for one in budgets_of(study)]
    low = min(rows, key=lambda r: float(r["left"]), default=None)
    title = "No promise has an error budget"
    if low:
        title = f"{capital(low['objective'])} spends most: {share(max(low['left'], 0.0), 2)} of its budget would be left"
    freeze = share(median(study.scenario.freeze_at))
    columns = _columns(f"{calendar.month_name[study.as_of.month]} {study.as_of.year}")
    return Table(
        name="budgets",
        title=title,
        subtitle="Budget in time for availability, in requests for all; left: predicted at today's load, "
        "in the long run; P(kept): outages drawn at random over 28 days. "
        f"Deployments freeze at {freeze} left.",
        frame=frame_of(rows, columns),
        columns=columns,
        stack=3,
    )


def _columns(month: str) -> tuple[Column, ...]:
    return (
        Column("objective", "Objective"),
        Column("target", "Good at least", share),
        Column("budget_28_days_s", "28 days", duration),
        Column("budget_30_days_s", "30 days", duration),
        Column("budget_month_s", month, duration),
        Column("requests_28_days", "Requests in 28 days", number),
        Column("requests_30_days", "in 30 days", number),
        Column("requests_month", f"in {month}", number),
        Column("left", "Left", _left, broken=Below(0.0)),
        Column("p_kept", "P(kept), 28 days", percent),
    )


def _left(value: float) -> str:
    return share(value) if value >= 0 else "overspent"


# ---- figures ----


LEAST_SHOWN = -0.5  # share of a budget
HEIGHT = 280  # of what is drawn in, in pixels


def budget_left(study: Study) -> go.Figure:
    """Share of each error budget that is predicted to be left, by month."""
    months = months_of(study)
    judged = study.worlds.judged.items()
    rows = {
        n: np.median(left(j), axis=0) for n, j in judged if timed(j.objective) or ((one := counted(j.objective)) is not None and one.down)
    }
    freeze = median(study.scenario.freeze_at)
    worst = min(rows, key=lambda n: float(rows[n][0]), default=None)
    fig = figure(
        (
            f"{capital(worst)} has the least room: {share(float(rows[worst][0]), 2)} of its budget is left today"
            if float(rows[worst][0]) > 0
            else f"{capital(worst)} overspends its budget today"
        )
        if worst
        else "No promise has an error budget",
        "Share of the error budget that is predicted to be left (%), by month, today’s fleet, P50; below 0: overspent",
        height=HEIGHT + 60,
        margin=dict(t=28, r=20),
        meta=dict(narrow=dict(layout={"xaxis.dtick": "M12", "xaxis.tickformat": "%Y", "margin.r": 12}, height=300)),
    )
    for i, (name, values) in enumerate(rows.items()):
        y = [100 * float(v) if v > -1 else -100.0 for v in values]
        fig.add_scatter(
            x=months,
            y=y,
            mode="lines",
            name=short(name),
            line=dict(color=look.colour(look.SERIES[i % 6]), dash=look.DASHES[i % 6]),
            hovertemplate="%{y:.0f} %",
        )
    if rows:
        at = len(months) // 5  # behind the name of the threshold
        named = [(100 * float(values[at]), short(name, 22), "ink") for name, values in rows.items() if values[at] > LEAST_SHOWN]
        look.ends(fig, months[at], named, HEIGHT / (104 - 100 * LEAST_SHOWN), bgcolor=look.colour("paper"), borderpad=1)
        look.threshold(fig, 100 * freeze, f"deployments freeze at {share(freeze, 2)}")
    fig.update_layout(
        xaxis=dict(type="date", dtick="M3", tickformat="%b\n%Y", range=[months[0], months[-1]]),
        yaxis=dict(range=[100 * LEAST_SHOWN, 104], ticksuffix=" %"),
    )
    return fig
