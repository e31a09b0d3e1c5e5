"""When it is known: burn-rate alerts, and what to watch."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import plotly.graph_objects as go

from perfplan.promises import counted
from perfplan.quantity import HOUR, median
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, short
from perfplan.shown.frames import (
    Rows,
    frame_of,
)
from perfplan.study import Study, once
from perfplan.subjects.alerts import ALERTS, CPU, DISK, SELDOM, analysed, burns, factor, watched_resources
from perfplan.words import (
    duration,
    number,
    share,
)


def _bad(value: float) -> str:
    return share(value) if value < 1 else "never fires"


def _seen(value: float) -> str:
    return duration(value) if np.isfinite(value) else "not seen"


BURN_RATES = (
    Column("objective", "Objective"),
    Column("urgency", "Urgency"),
    Column("spent", "Budget spent", share),
    Column("window_s", "In", duration),
    Column("factor", "Burn rate", number),
    Column("bad_share", "Bad requests", _bad),
)


@once
def burn_rates(study: Study) -> Table:
    """Burn-rate alerts: factor, windows, and the share of bad requests at which they fire."""
    rows: Rows = [
        {
            "objective": one.objective,
            "urgency": f"{one.rung.priority}, {one.rung.urgency}",
            "spent": one.rung.spent,
            "window_s": one.rung.hours * HOUR,
            "factor": one.factor,
            "bad_share": min(one.limit, 1.0),
            "possible": one.possible,
        }
        for one in burns(study)
    ]
    dead = sum(not r["possible"] for r in rows)
    title = f"{dead} alerts could never fire: their promise allows too much" if dead else "Every alert can fire"
    shown = ", ".join(f"{100 * one.spent:g} % in {_window(one.hours)}" for one in ALERTS)
    return Table(
        name="burn_rates",
        title=title if rows else "No promise to watch",
        subtitle=f"Factor = budget spent x window of the promise / alert window ({shown}), as in alerts.yml.",
        frame=frame_of(rows, BURN_RATES),
        columns=BURN_RATES,
        stack=3,
    )


DOES = (
    Column("objective", "Objective"),
    Column("window_s", "In", duration),
    Column("priority", "Priority"),
    Column("needed_quiet", "Bad ones it takes, quietest hour", number),
    Column("needed_peak", "at the peak", number),
    Column("at_1", "Seen after, 1 % bad", _seen),
    Column("at_10", "10 %", _seen),
    Column("at_100", "all", _seen),
    Column("quiet_s", "all, quietest hour", _seen),
    Column("reset_s", "Stops after", duration),
    Column("spent", "Budget spent then", share),
    Column("false_month", "False ones in 30 days", number),
)


@once
def alerting(study: Study) -> Table:
    """What each alert does at the planned traffic: when it is seen, when it stops, how often it is false."""
    rows: Rows = [
        {
            "objective": one.burn.objective,
            "window_s": one.burn.windows_s[0],
            "priority": one.burn.rung.priority,
            "needed_quiet": one.needed[0],
            "needed_peak": one.needed[1],
            "at_1": one.detection_s[0],
            "at_10": one.detection_s[1],
            "at_100": one.detection_s[2],
            "quiet_s": one.quiet_s,
            "reset_s": one.reset_s,
            "spent": one.spent,
            "false_month": one.false_a_month,
        }
        for one in analysed(study)
    ]
    pages = [row for row in rows if row["priority"] == "P0"]
    last = max(pages, key=lambda row: float(row["at_100"]), default=None)
    title = (
        "No alert can fire"
        if last is None
        else f"A full outage at the peak pages within {duration(last['at_100'])}, of any promise with a P0 alert"
    )
    return Table(
        name="alerting",
        title=title,
        subtitle="At today’s traffic, by hour of the week; an incident that goes on. False: nothing is wrong, and half of what may fail "
        f"does, one by one. An alert that this would set off more than {number(SELDOM)} times in 30 days asks for more bad requests.",
        frame=frame_of(rows, DOES),
        columns=DOES,
        stack=3,
    )


def _window(hours: int) -> str:
    return f"{hours} h" if hours < 24 else f"{hours // 24} days"


WATCH = (
    Column("resource", "Resource"),
    Column("now", "Today", share, bar=True),
    Column("limit", "Limit of the plan", share),
    Column("usual", "Usual alert", share),
)


@once
def watch(study: Study) -> Table:
    """What to watch: the utilization at which each resource must be ordered, against the usual alert thresholds."""
    rows: Rows = [asdict(one) | {"earlier": one.earlier} for one in watched_resources(study)]
    return Table(
        name="watch",
        title=f"{sum(r['earlier'] for r in rows)} of {len(rows)} resources must be watched below the usual alert threshold",
        subtitle="Utilization today, the limit this plan works with, and the threshold that checklists name "
        f"({share(CPU)}; disks {share(DISK)}).",
        frame=frame_of(rows),
        columns=WATCH,
        stack=3,
    )


# ---- figures ----


def coverage(study: Study) -> go.Figure:
    """Of each resource what is used, the limit that the plan works with, and where the usual alert fires."""
    rows = list(reversed(watched_resources(study)))
    names = [short(one.resource, 26) for one in rows]
    fig = figure(
        f"{sum(one.earlier for one in rows)} of {len(rows)} resources pass the plan’s limit before a usual alert fires",
        "Square: used at today’s peak; bar: the plan’s limit; circle: the usual alert, red where it comes later; alerts.yml has "
        "alerts on CPU, memory and disk of hosts, none on pools, threads, workers and rate limits",
        height=34 * len(rows) + 60,
        margin=dict(t=28, r=30),
    )
    for name, one in zip(names, rows, strict=True):
        line = dict(color=look.colour("broken" if one.earlier else "line"), width=3, dash="solid")
        fig.add_scatter(x=[100 * one.limit, 100 * one.usual], y=[name, name], mode="lines", line=line, hoverinfo="skip")
    marks = (
        ("used", [one.now for one in rows], dict(size=9, symbol="square")),
        ("limit", [one.limit for one in rows], dict(size=16, symbol="line-ns", line=dict(width=3, color=look.colour("ink")))),
        ("usual alert", [one.usual for one in rows], dict(size=10, symbol="circle-open")),
    )
    for label, values, marker in marks:
        fig.add_scatter(
            x=[100 * v for v in values],
            y=names,
            mode="markers",
            marker=dict(color=look.colour("ink")) | marker,
            hovertemplate=f"{label} %{{x:.0f}} %",
        )
        look.label(fig, 100 * values[-1], names[-1], label, xanchor="center", yanchor="bottom", yshift=9)
    fig.update_layout(xaxis=dict(range=[0, 104], ticksuffix=" %"), yaxis=dict(showgrid=False), hovermode="closest")
    return fig


def burn(study: Study) -> go.Figure:
    """Time until an alert fires, and how much budget is then gone, against how bad an incident is."""
    bad = np.geomspace(0.001, 1.0, 80)
    promised = {name: counted(objective) for name, objective in study.scenario.objectives.items()}
    up = {name: median(one.good) for name, one in promised.items() if one is not None and one.down}
    name, above = next(iter(up.items()), ("an availability of 99.9 %", None))
    budget = 0.001 if above is None else 1 - above
    days = next((one.days for one in burns(study) if one.objective == name), 30)
    spent_first, first_hours = ALERTS[0].spent, ALERTS[0].hours
    outage = first_hours * HOUR * factor(spent_first, first_hours, days) * budget
    title = f"A full outage pages within {duration(outage)} and has then spent {100 * spent_first:g} % of the budget"
    if outage > first_hours * HOUR:
        title = f"Not even a full outage sets off the alert over {_window(first_hours)}: the promise allows too much"
    fig = figure(
        title,
        f"Minutes until each burn-rate alert of {name} fires (log scale) against the share of requests that fail (log scale); "
        f"window {days} days",
        height=340,
        margin=dict(t=20, r=100),
    )
    for i, (spent, hours) in enumerate((one.spent, one.hours) for one in ALERTS):
        label = f"{100 * spent:g} % in {_window(hours)}"
        need = factor(spent, hours, days) * budget
        minutes = [60 * hours * need / b if b >= need else None for b in bad]
        fig.add_scatter(
            x=[100 * float(b) for b in bad],
            y=minutes,
            mode="lines",
            name=label,
            line=dict(color=look.colour(look.SERIES[i]), dash=look.DASHES[i]),
            hovertemplate="%{y:,.3r} min",
        )
        look.label(fig, 2.0, float(np.log10(60 * hours * need)), label, xshift=6)
    fig.update_layout(xaxis=dict(type="log", ticksuffix=" %", dtick=1), yaxis=dict(type="log", ticksuffix=" min", dtick=1))
    return fig
