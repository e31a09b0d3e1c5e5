"""What it costs, by tier."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan.quantity import FloatArray, median
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, short
from perfplan.shown.frames import (
    Rows,
    frame_of,
)
from perfplan.study import Study, once
from perfplan.study.remedy import bridge
from perfplan.words import (
    capital,
    change,
    money,
    share,
    short_money,
)


@once
def costs(study: Study) -> Table:
    """Cost per month by tier, today's fleet, and with the plan."""
    last, shown = study.last, (0, study.last, 36)
    rows: Rows = [_months(name, usd, shown) for name, usd in study.worlds.cost_usd.items()]
    rows.sort(key=lambda r: -float(r[f"month_{last}"]))
    total = _months("all, today's fleet", study.worlds.cost_month_usd, shown)
    planned = _months("all, with the plan", study.fleet.cost_usd, shown)
    part = rows[0][f"month_{last}"] / max(total[f"month_{last}"], 1e-9)
    heads = (Column(f"month_{m}", f"$ {study.named(m, short=True)}", money, bar=m == last) for m in dict.fromkeys(shown))
    return Table(
        name="costs",
        title=f"{capital(rows[0]['tier'])} is {share(part, 2)} of the cost in {study.named(last)} with today's fleet",
        subtitle="Median cost per month in US dollars at list prices, no discounts.",
        frame=frame_of([planned, total, *rows]),
        columns=(Column("tier", "Tier"), *heads),
        stack=3,
        first=True,
    )


def _months(name: str, usd: FloatArray, months: tuple[int, ...]) -> dict[str, Any]:
    return {"tier": name, **{f"month_{m}": median(usd[:, m]) for m in months}}


# ---- figures ----


def cost_by_tier(study: Study) -> go.Figure:
    """Cost per month of each tier, today and in the last month asked for."""
    rows = sorted(((n, median(u[:, 0]), median(u[:, study.last])) for n, u in study.worlds.cost_usd.items()), key=lambda r: r[2])
    then = study.named(study.last)
    total = median(study.worlds.cost_month_usd[:, study.last]) or 1.0
    fig = figure(
        f"{capital(rows[-1][0])} is {share(rows[-1][2] / total, 2)} of the cost in {then} with today’s fleet",
        f"Cost per month in US dollars at list prices, today’s fleet; upper bar: {then}, lower bar: now",
        meta=dict(detail=True),
        height=46 * len(rows) + 50,
        margin=dict(r=70),
    )
    names = [short(r[0]) for r in rows]
    fig.add_bar(
        y=names, x=[r[1] for r in rows], orientation="h", name="now", marker=dict(color=look.colour("sky")), hovertemplate="%{x:,.0f} USD"
    )
    fig.add_bar(
        y=names,
        x=[r[2] for r in rows],
        orientation="h",
        name=then,
        marker=dict(color=look.colour("blue"), pattern=dict(shape="/")),
        hovertemplate="%{x:,.0f} USD",
    )
    for name, row in zip(names, rows, strict=True):
        look.label(fig, max(row[1:]), name, short_money(row[2]), xshift=6)
    fig.update_layout(
        barmode="group",
        xaxis=dict(ticksuffix=" USD", nticks=5, range=[0, 1.12 * max(max(r[1:]) for r in rows) or 1]),
        yaxis=dict(showgrid=False),
        hovermode="closest",
    )
    return fig


def cost_bridge(study: Study) -> go.Figure:
    """From today's bill to the plan's, step by step."""
    rows = bridge(study)
    total = sum(usd for _, usd in rows)
    then = study.named(study.last)
    more = total - rows[0][1]
    most = max(rows[1:], key=lambda row: row[1], default=("nothing", 0.0))
    fig = figure(
        f"{capital(most[0])} add{'' if most[0].endswith('s') else 's'} most to the bill: {money(most[1])} of {money(more)} a month"
        if most[1] > 0
        else "The bill does not grow",
        f"Cost per month in US dollars, mean over worlds: from today’s to that of {then} with the plan",
        height=34 * (len(rows) + 1) + 60,
        margin=dict(r=80),
        meta=dict(narrow=dict(layout={"xaxis.nticks": 3, "margin.r": 50})),
    )
    names = [*(short(name, 28) for name, _ in rows), f"{then}, with the plan"]
    starts = [0.0, *np.cumsum([usd for _, usd in rows])[:-1], 0.0]
    values = [*(usd for _, usd in rows), total]
    roles = ["sky", *("orange" if usd > 0 else "green" for _, usd in rows[1:]), "blue"]
    fig.add_bar(
        y=names,
        x=values,
        base=starts,
        orientation="h",
        marker=dict(color=[look.colour(role) for role in roles]),
        hovertemplate="%{x:,.0f} USD",
    )
    for i, (name, start, usd) in enumerate(zip(names, starts, values, strict=True)):
        text = short_money(usd) if i in (0, len(rows)) else change(round(usd), short_money)
        look.label(fig, start + max(usd, 0.0), name, text, xshift=6)
    fig.update_layout(
        xaxis=dict(ticksuffix=" USD", nticks=5, range=[0, 1.15 * max(s + max(v, 0.0) for s, v in zip(starts, values, strict=True)) or 1]),
        yaxis=dict(showgrid=False, autorange="reversed"),
        hovermode="closest",
        showlegend=False,
    )
    return fig
