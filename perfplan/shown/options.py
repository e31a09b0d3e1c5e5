"""Options in the same worlds, and what each input moves."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from perfplan.quantity import median
from perfplan.scenario import Option
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, short
from perfplan.shown.frames import (
    Below,
    frame_of,
    more_dollars,
    more_months,
    of_field,
)
from perfplan.study import Study, Tried, confidence, once
from perfplan.words import (
    capital,
    change,
    count,
    money,
    percent,
    weeks,
)


def _effort(value: float) -> str:
    return weeks(value) if value else "–"


def _milliseconds(value: float) -> str:
    return change(round(value * 1e3, 1))


def _whole_months(value: float) -> str:
    return change(value, count)


@once
def options(study: Study) -> Table:
    """Options in the same worlds, ranked by P, then by months gained."""
    asked = confidence(study.scenario)
    return Table(
        name="options",
        title=_title(study, study.options[0], asked),
        subtitle=f"Planned in the same worlds. P: every promise holds in {study.named(study.last)}; "
        f"months gained until P falls below {percent(asked)}; ms: mean over journeys of p95 at today's load. Hollow bars: less "
        "than asked for.",
        frame=frame_of([_option(one) for one in study.options]),
        columns=(
            Column("option", "Option"),
            Column("p_all", f"P {study.named(study.last, short=True)}", percent, bar=True, hollow=Below(asked)),
            Column("months_gained", "Months gained", _whole_months),
            Column("p95_change_s", "p95, ms", _milliseconds),
            Column("cost_change_usd", "$ per month", more_dollars),
            of_field(Option, "price_usd", money),
            of_field(Option, "effort_s", _effort),
            Column("by", "From"),
        ),
        stack=3,
        first=True,
    )


def _option(one: Tried) -> dict[str, Any]:
    return {
        "option": one.name,
        "p_all": one.p_all,
        "months_gained": one.months_gained,
        "p95_change_s": one.p95_change_s,
        "cost_change_usd": one.cost_change_usd,
        "price_usd": one.price_usd,
        "effort_s": one.effort_s,
        "lead_time_s": one.lead_time_s,
        "by": "proposed" if one.proposed else "stated" if one.overrides else "",
    }


def _title(study: Study, best: Tried, asked: float) -> str:
    """What the best option reaches."""
    good, month = best.p_all >= asked, study.named(study.last)
    if not best.overrides:
        return "Nothing has to be done: no option is needed" if good else "No option that was tried helps"
    if good:
        return f"{capital(best.name)} reaches {percent(best.p_all)} in {month}"
    return f"No option alone reaches {percent(asked)}; {best.name} comes nearest, with {percent(best.p_all)} in {month}"


SENSITIVITIES = (
    Column("input", "Input"),
    Column("months", "Months", more_months, bar=True),
    Column("cost_usd", "$ per month", more_dollars),
)


@once
def sensitivities(study: Study) -> Table:
    """What each uncertain input moves."""
    top, title = study.moved[0] if study.moved else None, "No uncertain input moves the date of the first broken promise"
    if top and top.months:
        title = f"{top.path} moves the first broken promise most: measure it again first"
    return Table(
        name="sensitivities",
        title=title,
        subtitle="Mean over worlds where the input is in its upper third, less its lower third (– : within sampling error): "
        f"months until a promise breaks, and cost in {study.named(study.last)}.",
        frame=frame_of([{"input": m.path, "months": m.months, "cost_usd": m.cost_usd} for m in study.moved], SENSITIVITIES),
        columns=SENSITIVITIES,
    )


# ---- figures ----


def frontier(study: Study) -> go.Figure:
    """P(every promise holds) against cost per month, one mark an option."""
    base = median(study.worlds.cost_month_usd[:, study.last])
    asked = confidence(study.scenario)
    reach = [t for t in study.options if t.p_all >= asked]
    cheapest = min(reach, key=lambda t: t.cost_change_usd, default=None)
    then = study.named(study.last)
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


def tornado(study: Study) -> go.Figure:
    """What each uncertain input moves, in months of the first broken promise."""
    rows = [m for m in study.moved if abs(m.months) > 0.05][:10][::-1]
    fig = figure(
        f"{study.moved[0].path} decides the date: measure it again first"
        if rows
        else "No uncertain input moves the date of the first broken promise",
        "Months by which the first broken promise moves between the upper and the lower third of each input; left: earlier when "
        "the input is high",
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
