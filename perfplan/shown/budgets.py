"""Error budgets in time and in requests, and what is left of them."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import plotly.graph_objects as go

from perfplan.quantity import median
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, months_of, short
from perfplan.shown.frames import (
    Above,
    Below,
    Rows,
    duration_or_none,
    frame_of,
)
from perfplan.study import Study, once
from perfplan.study.budget import behind, budgeted, left, remaining
from perfplan.subjects.budgets import budgets as budgets_of
from perfplan.subjects.budgets import eaters
from perfplan.words import (
    capital,
    day_name,
    duration,
    number,
    percent,
    share,
)


def _left(value: float) -> str:
    return share(value) if value >= 0 else "overspent"


BUDGETS = (
    Column("objective", "Objective"),
    Column("target", "Good at least", share),
    Column("window", "Window"),
    Column("method", "Counted"),
    Column("budget_s", "Budget in time", duration_or_none),
    Column("budget_requests", "in events", number),
    Column("outage_peak_s", "An outage at the peak spends it in", duration),
    Column("outage_quiet_s", "at the quietest hour", duration),
    Column("left", "Left", _left, broken=Below(0.0)),
    Column("p_kept", "P(kept), from today", percent),
    Column("p_later", "from the last month", percent),
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
    return Table(
        name="budgets",
        title=title,
        subtitle="Budget in time for availability, in requests or jobs for all; left: predicted at today's load, in the long run; P(kept) "
        "over one window, outages drawn at random. The forecast counts events, whatever a budget counts. Deployments freeze at "
        f"{freeze} left.",
        frame=frame_of(rows, BUDGETS),
        columns=BUDGETS,
        stack=3,
    )


EATERS = (
    Column("objective", "Objective"),
    Column("cause", "What eats its budget"),
    Column("share", "Share of one window’s budget", share, broken=Above(1.0)),
    Column("comes", "Comes"),
)


@once
def budget_eaters(study: Study) -> Table:
    """What is expected to eat each budget, and what one drill would."""
    rows: Rows = [
        {"objective": one.objective, "cause": one.cause, "share": one.share, "comes": "once" if one.once else "in each window"}
        for one in eaters(study)
    ]
    usual = [row for row in rows if row["comes"] != "once"]
    most = max(usual, key=lambda row: float(row["share"]), default=None)
    title = "Nothing eats a budget"
    if most is not None:
        verb = "eat" if most["cause"].startswith("failures of") or most["cause"].endswith("s") else "eats"
        title = f"{capital(most['cause'])} {verb} most: {share(most['share'], 2)} of the budget of {most['objective']}"
    return Table(
        name="budget_eaters",
        title=title,
        subtitle="Expected in one window at today’s load, at the median; a drill is the failure that costs most of this budget where it "
        "happens once at the peak.",
        frame=frame_of(rows, EATERS),
        columns=EATERS,
        stack=3,
        rows=6,
    )


def _good(value: float) -> str:
    return share(value, 4)


MEASURED = (
    Column("objective", "Objective"),
    Column("window", "Window"),
    Column("method", "Counted"),
    Column("measured", "Measured"),
    Column("target", "Good at least", share),
    Column("good", "Good", _good),
    Column("low", "90 % from", _good),
    Column("high", "to", _good),
    Column("left", "Left", _left, broken=Below(0.0)),
    Column("left_low", "at least", _left),
    Column("gone", "Gone at this pace"),
)


@once
def budgets_measured(study: Study) -> Table | None:
    """What was measured against the budgets; None where nothing was."""
    rows: Rows = [
        {
            "objective": one.objective,
            "window": one.window,
            "method": one.method,
            "measured": f"{day_name(one.start)} to {day_name(one.end.date())}, {share(one.covered, 2)} of it",
            "target": one.target,
            "good": one.good,
            "low": one.low,
            "high": one.high,
            "left": one.left,
            "left_low": one.left_low,
            "gone": day_name(one.exhausted) if one.exhausted is not None else "not within the window",
        }
        for one in behind(study)
    ]
    if not rows:
        return None
    low = min(rows, key=lambda row: float(row["left"]))
    title = f"As measured {low['objective']} has {'nothing' if low['left'] <= 0 else share(low['left'], 2)} left of its budget"
    return Table(
        name="budgets_measured",
        title=title,
        subtitle="Of what came within the window, as each budget counts it; the interval is that of the sums of days, as failures "
        "come together.",
        frame=frame_of(rows, MEASURED),
        columns=MEASURED,
        stack=3,
    )


# ---- figures ----


LEAST_SHOWN = -0.5  # share of a budget
HEIGHT = 280  # of what is drawn in, in pixels


def budget_left(study: Study) -> go.Figure:
    """Share of each error budget that is predicted to be left, by month."""
    months = months_of(study)
    rows = {name: np.median(left(study.worlds.judged[name]), axis=0) for name in budgeted(study)}
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


def budget_kept(study: Study) -> go.Figure:
    """Probability that each error budget is kept over a window from each month on."""
    months, last = months_of(study), study.last
    rows = {name: (after >= 0).mean(axis=0) for name, after in remaining(study).items()}
    low = min(rows, key=lambda name: float(rows[name][: last + 1].min()), default=None)
    title = "No promise has an error budget"
    if low:
        worst = int(rows[low][: last + 1].argmin())
        title = f"{capital(low)} is kept with {percent(float(rows[low][worst]))} probability in {study.named(worst)}, its lowest"
    fig = figure(
        title,
        "P(the budget holds over one window from a month on) (%), today’s fleet: outages drawn at random, slow and late ones as "
        f"predicted; until {study.named(last)}",
        height=HEIGHT,
        margin=dict(t=20, r=20),
        meta=dict(narrow=dict(layout={"xaxis.dtick": "M12", "xaxis.tickformat": "%Y", "margin.r": 12}, height=300)),
    )
    for i, (name, values) in enumerate(rows.items()):
        fig.add_scatter(
            x=months[: last + 1],
            y=[100 * float(v) for v in values[: last + 1]],
            mode="lines",
            name=short(name),
            line=dict(color=look.colour(look.SERIES[i % 6]), dash=look.DASHES[i % 6]),
            hovertemplate="%{y:.0f} %",
        )
    if rows:
        at = last // 4
        named = [(100 * float(values[at]), short(name, 22), "ink") for name, values in rows.items()]
        look.ends(fig, months[at], named, HEIGHT / 104, bgcolor=look.colour("paper"), borderpad=1)
    fig.update_layout(
        xaxis=dict(type="date", dtick="M3", tickformat="%b\n%Y", range=[months[0], months[last]]),
        yaxis=dict(range=[0, 104], ticksuffix=" %"),
    )
    return fig
