"""Figures of monitoring and optimization."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from perfplan import look
from perfplan.figures.common import figure, months_of, short
from perfplan.findings import left_of_budget as left
from perfplan.promises import counted, timed
from perfplan.quantity import HOUR, median
from perfplan.study import Study, confidence
from perfplan.subjects.alerts import ALERTS, burns, factor
from perfplan.words import capital, duration, money, month_name, percent, share


def burn(study: Study) -> go.Figure:
    """Time until an alert fires, and how much budget is then gone, against how bad an incident is."""
    bad = np.geomspace(0.001, 1.0, 80)
    promised = {name: counted(objective) for name, objective in study.scenario.objectives.items()}
    up = {name: median(one.good) for name, one in promised.items() if one is not None and one.down}
    name, above = next(iter(up.items()), ("an availability of 99.9 %", None))
    budget = 0.001 if above is None else 1 - above
    days = next((one.counters.days for one in burns(study) if one.objective == name), 30)
    outage_s = ALERTS[0][1] * HOUR * factor(*ALERTS[0][:2], days) * budget
    fig = figure(
        f"A full outage pages within {duration(outage_s)} and has then spent {100 * ALERTS[0][0]:g} % of the month’s budget",
        f"Minutes until each burn-rate alert of {name} fires (log scale) against the share of requests that fail (log scale); window {days} days",
        height=340,
        margin=dict(t=20, r=100),
    )
    for i, (spent, hours, _) in enumerate(ALERTS):
        label = f"{100 * spent:g} % in {f'{hours} h' if hours < 24 else f'{hours // 24} d'}"
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
        height=340,
        margin=dict(t=28, r=130),
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
        order = sorted(rows, key=lambda n: float(rows[n][0]))
        for i, name in enumerate(order):
            look.label(fig, 1, (i + 0.5) / len(order), short(name, 16), "wide", xref="paper", yref="paper", xshift=6)
        look.threshold(fig, 100 * freeze, f"deployments freeze at {share(freeze, 2)}")
    fig.update_layout(
        xaxis=dict(type="date", dtick="M3", tickformat="%b\n%Y", range=[months[0], months[-1]]),
        yaxis=dict(range=[-50, 104], ticksuffix=" %"),
    )
    return fig


def tornado(study: Study) -> go.Figure:
    """What each uncertain input moves, in months of the first broken promise."""
    rows = [m for m in study.moved if abs(m.months) > 0.05][:10][::-1]
    fig = figure(
        f"{study.moved[0].path} decides the date: measure it again first"
        if rows
        else "No uncertain input moves the date of the first broken promise",
        "Months by which the first broken promise moves between the upper and the lower third of each input; left: earlier when the input is high",
        height=36 * max(len(rows), 1) + 70,
        margin=dict(r=60),
    )
    if rows:
        names = [short(m.path, 30) for m in rows]
        fig.add_bar(
            y=names, x=[m.months for m in rows], orientation="h", marker=dict(color=look.colour("blue")), hovertemplate="%{x:.1f} months"
        )
        for name, m in zip(names, rows, strict=True):
            look.label(
                fig,
                m.months,
                name,
                f"{m.months:+.1f}".replace("-", "−"),
                xanchor="left" if m.months > 0 else "right",
                xshift=6 if m.months > 0 else -6,
            )
        wide = 1.35 * max(abs(m.months) for m in rows)
        fig.update_layout(xaxis=dict(range=[-wide, wide], ticksuffix=" months"), yaxis=dict(showgrid=False), hovermode="closest")
    else:
        fig.update_layout(xaxis=dict(visible=False), yaxis=dict(visible=False))
    return fig


def frontier(study: Study) -> go.Figure:
    """P(every promise holds) against cost per month, one mark an option."""
    base = median(study.worlds.cost_month_usd[:, study.last])
    asked = confidence(study.scenario)
    reach = [t for t in study.options if t.p_all >= asked]
    cheapest = min(reach, key=lambda t: t.cost_change_usd, default=None)
    then = month_name(str(study.scenario.as_of), study.last)
    title = (
        f"{capital(cheapest.name)} is the cheapest way to {percent(asked)}: {money(base + cheapest.cost_change_usd)} a month"
        if cheapest
        else f"No single option reaches {percent(asked)} in {then}"
    )
    fig = figure(
        title, f"P(every promise holds) in {then} against cost per month, options in the same worlds", height=360, margin=dict(t=28, r=30)
    )
    fig.add_scatter(
        x=[base + t.cost_change_usd for t in study.options],
        y=[100 * t.p_all for t in study.options],
        mode="markers",
        marker=dict(color=look.colour("blue"), size=10),
        text=[short(t.name, 40) for t in study.options],
        hovertemplate="%{text}: %{y:.0f} %<extra></extra>",
    )
    placed: list[float] = []
    for t in study.options:
        if all(abs(100 * t.p_all - y) > 7 for y in placed):
            look.label(fig, base + t.cost_change_usd, 100 * t.p_all, short(t.name, 30), "wide", xshift=9)
            placed.append(100 * t.p_all)
    look.threshold(fig, 100 * asked, f"asked for: {percent(asked)}")
    costs = [base + t.cost_change_usd for t in study.options]
    room = max(max(costs) - min(costs), 0.02 * base, 1.0)
    fig.update_layout(
        xaxis=dict(range=[min(costs) - 0.1 * room, max(costs) + 0.6 * room], ticksuffix=" USD", nticks=6),
        yaxis=dict(range=[-4, 106], ticksuffix=" %"),
        hovermode="closest",
    )
    return fig
