"""Figures of requirements."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from perfplan import look
from perfplan.figures.common import fan_of, figure, months_of, short
from perfplan.models.growth import usual_week
from perfplan.quantity import median
from perfplan.study import Study
from perfplan.study.sweeps import targets
from perfplan.words import duration, number, share


def week(study: Study) -> go.Figure:
    """The week's shape: load of each hour over the busiest hour's."""
    shape = study.scenario.week if study.scenario.week is not None else usual_week()
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    top = int(np.argmax(shape))
    full = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    source = study.statement.history.file if study.statement.history is not None else "the usual week of a consumer service (a default)"
    fig = figure(
        f"The week peaks on {full[top // 24]} at {top % 24}:00; the mean hour carries {share(float(np.mean(shape)), 2)} of that",
        f"Requests of each hour of the week, % of the busiest hour; from {source}, UTC",
        height=300,
        meta=dict(narrow=dict(height=260)),
    )
    fig.add_scatter(
        x=list(range(168)),
        y=[100 * float(v) for v in shape],
        mode="lines",
        name="load",
        line=dict(color=look.colour("blue")),
        hovertemplate="%{y:.0f} %",
    )
    fig.update_layout(
        xaxis=dict(tickvals=[24 * i + 12 for i in range(7)], ticktext=list(days), range=[0, 167]),
        yaxis=dict(range=[0, 105], ticksuffix=" %"),
    )
    return fig


def growth(study: Study) -> go.Figure:
    """Weekly peaks so far, and the demand to come as a fan."""
    months = months_of(study)
    fan = fan_of(study.worlds.rps)
    factor = median(study.worlds.rps[:, 12] / study.worlds.rps[:, 0])
    fig = figure(
        f"The peak hour grows to {number(factor)} times today’s in a year",
        "Requests per second at the peak hour: weekly peaks of the history, then P5–P95, P25–P75 and P50 of all worlds, events included",
        height=360,
        margin=dict(r=90, t=20),
        meta=dict(narrow=dict(layout={"margin.r": 8}, height=300)),
    )
    look.fan(fig, months, fan, "demand", "rps")
    history = study.statement.history
    if history is not None:
        days = [str(np.datetime64(int(t), "s").astype("datetime64[D]")) for t in history.times]
        fig.add_scatter(
            x=days,
            y=[float(v) for v in history.weekly_peak_rps],
            mode="markers",
            name="weekly peak",
            marker=dict(color=look.colour("ink"), size=4),
            hovertemplate="%{y:,.0f} rps",
        )
    look.moment(fig, months[0], "today")
    rows = [(fan[q][-1], f"P{q} {number(fan[q][-1])}", "ink") for q in (5, 50, 95)]
    look.ends(fig, months[-1], rows, 300 / max(fan[95]), only="wide", xshift=6)
    fig.update_layout(xaxis=dict(type="date", tickformat="%Y", dtick="M12"), yaxis=dict(rangemode="tozero", ticksuffix=" rps", nticks=6))
    return fig


def regions(study: Study) -> go.Figure:
    """Share of users and the floor that the round trip sets, by region, against the strictest latency target."""
    rows = sorted(((n, median(r.share), median(r.round_trip_s)) for n, r in study.scenario.regions.items()), key=lambda r: r[2])
    strictest = min(targets(study.scenario).values(), default=float("nan"))
    far = rows[-1]
    part = f": {share(far[2] / strictest, 2)} of the strictest target" if np.isfinite(strictest) else ""
    fig = figure(
        f"{far[0]} spends {duration(far[2])} on the way before any work is done{part}",
        "Round trip to the service by region; beside each bar the share of users",
        height=56 * len(rows) + 70,
        margin=dict(r=90, t=28),
    )
    names = [short(r[0]) for r in rows]
    fig.add_bar(y=names, x=[r[2] * 1e3 for r in rows], orientation="h", marker=dict(color=look.colour("blue")), hovertemplate="%{x:.3r} ms")
    for name, row in zip(names, rows, strict=True):
        look.label(fig, row[2] * 1e3, name, f"{duration(row[2])}, {share(row[1], 2)} of users", xshift=6)
    top = max(far[2] * 1e3 * 1.6, strictest * 1.1e3 if np.isfinite(strictest) else 0)
    if np.isfinite(strictest):
        fig.add_vline(x=strictest * 1e3, line=dict(color=look.colour("ink"), width=1.25, dash="6px,3px"))
        look.label(fig, strictest * 1e3, 1, f"strictest target {duration(strictest)}", yref="y domain", xanchor="right", yanchor="bottom")
    fig.update_layout(xaxis=dict(ticksuffix=" ms", range=[0, top], nticks=6), yaxis=dict(showgrid=False), hovermode="closest")
    return fig
