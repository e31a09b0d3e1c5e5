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
from perfplan.subjects.alerts import ALERTS, CPU, DISK, SELDOM, Analysed, Burn, analysed, burns, factor, watched_resources
from perfplan.words import (
    NBSP,
    duration,
    number,
    plural,
    share,
)


def _bad(value: float) -> str:
    return share(value) if value < 1 else "never fires"


def _seen(value: float) -> str:
    return "–" if np.isnan(value) else duration(value) if np.isfinite(value) else "not seen"


def _any(value: float) -> str:
    return "–" if np.isnan(value) else number(value)


BURN_RATES = (
    Column("objective", "Objective"),
    Column("alert", "Alert"),
    Column("factor", "Burn rate", number),
    Column("bad_share", "Bad share", _bad),
    Column("needed_quiet", "Takes, at night", _any),
    Column("at_10", "Seen: 10 % bad", _seen),
    Column("at_100", "all bad", _seen),
    Column("quiet_s", "at night", _seen),
    Column("reset_s", "Stops", _seen),
    Column("false_month", "False, 30 days", _any),
)


@once
def burn_rates(study: Study) -> Table:
    """Burn-rate alerts: factor, windows, the share of bad requests at which they fire, and what they do at the planned traffic."""
    does = {(one.burn.objective, one.burn.rung): one for one in analysed(study)}
    rows: Rows = [_row(one, does.get((one.objective, one.rung))) for one in sorted(burns(study), key=lambda one: one.rung.priority)]
    dead = sum(not row["possible"] for row in rows)
    title = f"{plural(dead, 'alerts')} could never fire: the promise allows too much" if dead else "Every alert can fire"
    shown = ", ".join(f"{100 * one.spent:g} % in {_window(one.hours)}" for one in ALERTS)
    return Table(
        name="burn_rates",
        title=title if rows else "No promise to watch",
        subtitle=f"Factor = budget spent x window of the promise / alert window ({shown}), as in alerts.yml; alerts count events, whatever "
        "a budget counts. At today’s traffic, by hour of the week: bad ones it takes at the quietest hour, when an incident that goes on "
        "is seen. False: nothing is wrong, and half of what may fail does, one by one; an alert that this would set off more than "
        f"{number(SELDOM)} times in 30 days asks for more bad ones.",
        frame=frame_of(rows, BURN_RATES),
        columns=BURN_RATES,
        stack=3,
        rows=8,
    )


def _row(one: Burn, does: Analysed | None) -> dict[str, object]:
    """One alert; nan: it never fires."""
    nan = float("nan")
    row: dict[str, object] = {
        "objective": one.objective,
        "alert": f"{one.rung.priority}, {share(one.rung.spent)} in {_window(one.rung.hours)}".replace(" ", NBSP),
        "urgency": one.rung.urgency,
        "spent": one.rung.spent,
        "window_s": one.windows_s[0],
        "factor": one.factor,
        "bad_share": min(one.limit, 1.0),
        "possible": one.possible,
    }
    keys = ("needed_quiet", "needed_peak", "at_1", "at_10", "at_100", "quiet_s", "reset_s", "spent_then", "false_month")
    if does is None:
        return row | dict.fromkeys(keys, nan)
    values = (*does.needed, *does.detection_s, does.quiet_s, does.reset_s, does.spent, does.false_a_month)
    return row | dict(zip(keys, values, strict=True))


def _window(hours: int) -> str:
    return f"{hours} h" if hours < 24 else plural(hours // 24, "days")


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
        "alerts at the plan’s limits, too, of all that has a metric",
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
    fig.update_layout(xaxis=dict(type="log", ticksuffix=" %", dtick=1, range=[-1, 2]), yaxis=dict(type="log", ticksuffix=" min", dtick=1))
    return fig
