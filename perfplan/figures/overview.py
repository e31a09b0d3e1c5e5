"""Figures of the overview."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan import look
from perfplan.blocks import safe
from perfplan.figures.common import fan_of, figure, months_of, short
from perfplan.plan import with_counts
from perfplan.quantity import MONTH, median
from perfplan.story import due_of, story
from perfplan.study import Study, confidence
from perfplan.study.sweeps import knee, todays_knee
from perfplan.study.verdicts import first_below
from perfplan.words import capital, count, month_name, number, percent, share, short_money

MONTH_PX, LETTER_PX = 27, 7  # at 1,280 pixels a month of the picture is about 27 wide, a letter 7


def demand(study: Study) -> go.Figure:
    """Demand (fan) against the load at which every objective still holds, today and with each order (steps)."""
    months = months_of(study)
    fan = fan_of(study.worlds.rps)
    today = todays_knee(study).rps
    orders = study.fleet.orders
    capacity = [(0, today)] + [(o.month, knee(with_counts(study.scenario, o.counts)).rps) for o in orders]
    asked = [c for c in capacity if c[0] <= study.last]
    bottom = 0.7 * min(fan[5])
    top = 1.08 * max(fan[95] + [min(c, 3 * max(fan[95])) for _, c in capacity if np.isfinite(c)])
    fig = figure(
        story(study).verdict, "Requests per second at the peak hour: demand (P5–P95, P25–P75, P50) against the load at which every objective still holds",
        height=366, margin=dict(l=64, r=90), meta=dict(narrow=dict(layout={"margin.l": 8, "margin.r": 6, "xaxis.dtick": "M12", "xaxis.tickformat": "%Y"}, height=330, below=800)),
    )  # fmt: skip
    look.fan(fig, months, fan, "demand", "rps")
    step = dict(mode="lines", hoverinfo="skip")
    if np.isfinite(today):
        fig.add_scatter(x=[months[0], months[-1]], y=[today] * 2, line=dict(color=look.colour("ink"), width=1.25, dash="6px,3px"), **step)
        look.label(fig, months[-1], today, f"today’s fleet holds {number(today)}", yanchor="top", xanchor="right")
    _steps(fig, months, capacity, len(asked), step)
    _order_lane(study, fig, months)
    start = first_below(study.p_all, confidence(study.scenario))
    if np.isfinite(start) and start <= study.last:
        at = int(start)
        red = look.colour("broken")
        fig.add_scatter(x=[months[at]], y=[fan[50][at]], mode="markers", marker=dict(color=red, size=11, symbol="square"), hoverinfo="skip")
        when = month_name(str(study.scenario.as_of), at)
        p = percent(float(study.p_all[at]))
        for only, rise, text in (
            ("wide", 150, f"<b>{when}:</b> P(every promise<br>holds) falls to {p}"),
            ("narrow", 120, f"<b>{when}</b>"),
        ):
            look.label(
                fig,
                months[at],
                fan[50][at],
                text,
                only,
                "broken",
                showarrow=True,
                ax=0,
                ay=-min(rise, max(228 * (top - fan[50][at]) / (top - bottom) - 12, 40)),
                arrowhead=0,
                arrowwidth=1,
                arrowcolor=red,
                standoff=7,
            )
    rows = [(fan[q][-1], text.format(number(fan[q][-1])), "ink" if q == 50 else "muted") for q, text in ((95, "P95 {}"), (50, "<b>demand</b><br>P50 {}"), (5, "P5 {}"))]  # fmt: skip
    look.ends(fig, months[-1], rows, 0.76 * 300 / (top - bottom), only="wide", xshift=8)
    look.label(fig, months[-1], fan[95][-1], "<b>demand</b> P5–P95", "narrow", xanchor="right", yanchor="bottom")
    fig.update_layout(
        xaxis=dict(type="date", range=[months[0], months[-1]], dtick="M3", tickformat="%b\n%Y", hoverformat="%B %Y", anchor="y2"),
        yaxis=dict(domain=[0.24, 1], range=[bottom, top], ticksuffix=" rps", nticks=6), yaxis2=dict(domain=[0, 0.2], range=[-0.5, 1.8], visible=False),
    )  # fmt: skip
    return fig


def _steps(fig: go.Figure, months: list[str], capacity: list[tuple[int, float]], asked: int, step: dict[str, Any]) -> None:
    """What is asked for as thick steps, later orders dotted."""
    styles = (
        (capacity[:asked], dict(color=look.colour("ink"), width=3, dash="solid"), "asked"),
        (capacity[asked - 1 :], dict(color=look.colour("muted"), width=2, dash="2px,3px"), "later"),
    )
    for points, style, kind in styles:
        if len(points) < 2:
            continue
        x, y = [], []
        for (start, load), after in zip(
            points,
            [*[p[0] for p in points[1:]], capacity[asked][0] if kind == "asked" and asked < len(capacity) else len(months) - 1],
            strict=True,
        ):
            x += [months[start], months[after]]
            y += [load, load]
        first = 2 if kind == "later" else 0
        fig.add_scatter(x=x[max(first - 1, 0) :], y=y[max(first - 1, 0) :], line=style, **step)
        at = points[-1]
        look.label(
            fig,
            months[at[0]],
            at[1],
            f"<b>asked</b> {number(at[1])}" if kind == "asked" else "later",
            None if kind == "asked" else "wide",
            "ink" if kind == "asked" else "muted",
            yanchor="bottom",
            xshift=4,
        )


def _order_lane(study: Study, fig: go.Figure, months: list[str]) -> None:
    """The lane under the picture: from the last day to order until the thing works.

    Labels by a rule: wide, each order has as much text as fits before the next one of its row; narrow, a row has one
    label with all its dates, after its last order.
    """
    for row, now, tint in ((1, True, "ink"), (0, False, "muted")):
        orders = [o for o in study.fleet.orders if (o.month <= study.last) == now]
        dates = []
        starts = [o.month - due_of(study, o)[2] / MONTH for o in orders]  # where the bars begin
        for order, after in zip(orders, [*starts[1:], len(months) + 3.0], strict=False):
            text, due, lead = due_of(study, order)
            works = months[order.month]
            fig.add_scatter(
                x=[str(study.order_by(order.month, lead)), works], y=[row] * 2, yaxis="y2", mode="lines+markers", hoverinfo="text", text=[str(safe(text))] * 2,
                line=dict(color=look.colour(tint), width=4 if now else 1.5, dash="solid"),
                marker=dict(opacity=1, size=[14, 0], symbol="line-ns", line=dict(width=[4, 0], color=look.colour(tint))),
            )  # fmt: skip
            day, month, *_ = due.split()
            dates.append(f"{day} {month[:3]}")
            room = int(((after - order.month) * MONTH_PX - 12) // LETTER_PX) - (0 if now else 8)
            what = short(text, room) if room >= 12 else ""
            if room >= 5 - 8 * (not now):
                look.label(
                    fig, works, row, f"<b>{dates[-1]}</b><br>{what}" if now else f"{dates[-1]} {what}", "wide", tint, yref="y2", xshift=6
                )
        if orders:
            right = orders[-1].month > len(months) // 2
            joined = ", ".join(dates[:3]) + (" …" if len(dates) > 3 else "")
            at = months[orders[0].month if right else orders[-1].month]
            look.label(
                fig,
                at,
                row,
                f"<b>{joined}</b>" if now else joined,
                "narrow",
                tint,
                yref="y2",
                xanchor="right" if right else "left",
                xshift=-6 if right else 6,
            )
    for row, text in ((1, "order by"), (0, "later")):
        look.label(fig, 0, row, text, "wide", "muted", xref="paper", yref="y2", xanchor="right", xshift=-6)


def utilization(study: Study) -> go.Figure:
    """Utilization of every resource over its limit, by month: where it is over, reversed."""
    until = min(study.last + 6, study.worlds.rps.shape[1] - 1) + 1
    months = months_of(study)[:until]
    outs = study.run_outs[:9]
    z = np.array(
        [
            [
                float(v)
                for v in np.median(
                    o.resource.utilization[:, :until]
                    / np.maximum(np.broadcast_to(o.resource.limit, o.resource.utilization.shape)[:, :until], 1e-9),
                    axis=0,
                )
                * 100
            ]
            for o in outs
        ]
    )
    z = np.where(np.isfinite(z), z, 999.0)
    names = [short(o.resource.label) for o in outs]
    text = [[f"{v:.0f}" if v < 999 else "full" for v in row] for row in z]
    over = [o for o, row in zip(outs, z, strict=True) if row.max() > 100]
    title = (
        f"{len(over)} of {len(study.run_outs)} resources pass their limit within {until - 1} months at the median"
        if over
        else f"No resource passes its limit within {until - 1} months at the median"
    )
    fig = figure(title, "Utilization at the peak hour (% of the limit that is planned for, N + 1 included), P50, today’s fleet; reversed: over the limit", height=40 * len(names) + 60,
                  meta=dict(narrow=dict(layout={"yaxis.showticklabels": False, "xaxis.tickformat": "%b %y", "margin.l": 0, "margin.r": 0, "margin.t": 16}, data={"ygap": 19}, height=44 * len(names) + 60)))  # fmt: skip
    common = dict(x=months, y=names, texttemplate="%{text}", hovertemplate="%{y}, %{x|%b %Y}: %{text} %<extra></extra>")
    fig.add_heatmap(z=z, text=text, zmin=0, zmax=100, textfont=dict(color=look.colour("ink"), size=11), **common)
    red, hot = look.colour("broken"), np.where(z > 100, z, np.nan)
    hot_text = [[t if v > 100 else "" for t, v in zip(*rows, strict=True)] for rows in zip(text, z, strict=True)]
    fig.add_heatmap(
        z=[[None if np.isnan(v) else v for v in row] for row in hot],
        text=hot_text,
        colorscale=[[0, red], [1, red]],
        textfont=dict(color=look.colour("paper"), weight=700, size=11),
        **common,
    )
    for name in names:
        look.label(fig, 0, name, name, "narrow", xref="paper", yshift=12, yanchor="bottom", xanchor="left")
    fig.update_layout(
        yaxis=dict(autorange="reversed", showgrid=False, ticks=""),
        xaxis=dict(type="date", tickformat="%b\n%Y", dtick="M3", showline=False, ticks=""),
        hovermode="closest",
    )
    return fig


def promise_by_month(study: Study) -> go.Figure:
    """P(every promise holds) by month: today's fleet, and the recommended one."""
    months = months_of(study)
    asked = confidence(study.scenario)
    start = first_below(study.p_all, asked)
    title = (
        f"Today’s fleet keeps every promise with {percent(asked)} until {month_name(str(study.scenario.as_of), start - 1)}"
        if start >= 1
        else f"Today’s fleet does not reach the {percent(asked)} asked for"
    )
    if not np.isfinite(start):
        title = f"Today’s fleet keeps every promise with {percent(asked)} for the whole plan"
    error = number(196 * np.sqrt(0.25 / study.worlds.rps.shape[0]), 2)
    fig = figure(
        title,
        f"P(every promise holds) by month, {count(study.worlds.rps.shape[0])} worlds (sampling error at most {error} points)",
        height=320,
        margin=dict(t=28, r=110),
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
    rows = [(100 * float(study.p_all[-1]), "today’s fleet", "ink"), (100 * float(study.fleet.p_all[-1]), "with the plan", "ink")]
    look.ends(fig, months[-1], rows, 300 / 104, only="wide", xshift=6)
    fig.update_layout(
        xaxis=dict(type="date", dtick="M3", tickformat="%b\n%Y", range=[months[0], months[-1]]), yaxis=dict(range=[0, 104], ticksuffix=" %")
    )
    return fig


def cost_by_tier(study: Study) -> go.Figure:
    """Cost per month of each tier, today and in the last month asked for."""
    rows = sorted(((n, median(u[:, 0]), median(u[:, study.last])) for n, u in study.worlds.cost_usd.items()), key=lambda r: r[2])
    then = month_name(str(study.scenario.as_of), study.last)
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
