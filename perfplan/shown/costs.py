"""What it costs, by tier."""

from __future__ import annotations

from typing import Any

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
from perfplan.words import (
    capital,
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
        title=f"{capital(rows[0]['tier'])} is {share(part, 2)} of the cost in {study.named(last)}",
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
        f"{capital(rows[-1][0])} is {share(rows[-1][2] / total, 2)} of the cost in {then}",
        f"Cost per month in US dollars at list prices, today’s fleet; upper bar: {then}, lower bar: now",
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
