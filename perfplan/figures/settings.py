"""Figures of implementation and testing."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from perfplan import look
from perfplan.figures.common import figure, short
from perfplan.quantity import MINUTE
from perfplan.study import Study
from perfplan.study.sweeps import latency_by_load as sweep
from perfplan.study.sweeps import pools, steady_knee, todays_knee, wait_by_pool
from perfplan.subjects.loadtest import Stage
from perfplan.subjects.loadtest import stages as test_stages
from perfplan.words import count, duration, listed, month_name, number

SOAK_STAGE = "soak"  # hours long: it would leave no room for the others


def pool_wait(study: Study) -> go.Figure:
    """p99 wait for a connection against the size of the pool, today and later."""
    place = next(iter(pools(study)), None)
    if place is None:
        return figure("No connection pool in this scenario", "State a tier of kind database to see its waits", height=120)
    swept, now = wait_by_pool(study, place), study.middle.resources[place].count
    asked = study.fleet.counts_at(study.last).get(place, now)
    then = month_name(str(study.scenario.as_of), study.last)
    enough = next((float(c) for c, w in zip(swept["connections"], swept["later_p99_s"], strict=True) if w == 0), float("inf"))
    title = (
        f"From {count(enough)} connections on, 99 of 100 calls find one free in {then}"
        if np.isfinite(enough)
        else f"No pool that was tried is enough in {then}"
    )
    fig = figure(
        title,
        f"p99 wait for a connection of {place.tier} (ms, log scale) against the size of the pool, at the median; no line: nobody in 100 waits",
        height=330,
        margin=dict(t=28, r=90),
    )
    for i, (key, label) in enumerate((("today_p99_s", "today"), ("later_p99_s", then))):
        y = [1e3 * float(v) if np.isfinite(v) and v > 1e-6 else None for v in swept[key]]
        fig.add_scatter(
            x=[float(v) for v in swept["connections"]],
            y=y,
            mode="lines",
            name=label,
            line=dict(color=look.colour(look.SERIES[i]), dash=look.DASHES[i]),
            hovertemplate="%{y:,.3r} ms",
        )
        ends = [(x, v) for x, v in zip(swept["connections"], y, strict=True) if v is not None]
        if ends:
            look.label(fig, float(ends[-1][0]), float(np.log10(ends[-1][1])), label, xshift=6)
    look.moment(fig, now, f"today {count(now)}", high=True)
    if asked != now:
        look.moment(fig, asked, f"plan {count(asked)}", high=True)
    fig.update_layout(xaxis=dict(nticks=8), yaxis=dict(type="log", ticksuffix=" ms", dtick=1))
    return fig


def threads(study: Study) -> go.Figure:
    """Busy against available servers at every station."""
    shape = study.middle.rps.shape
    rows = [
        (
            f"{t} {'threads' if f == 'instances' else f}",
            100 * float(np.broadcast_to(np.asarray(s.utilization), shape)[0, 0]),
            100 * float(np.broadcast_to(np.asarray(s.utilization), shape)[0, study.last]),
        )
        for (t, f), s in study.middle.carried.stations.items()
    ]
    rows = sorted(((n, a, min(b, 120.0) if np.isfinite(b) else 120.0) for n, a, b in rows), key=lambda r: r[2])
    then = month_name(str(study.scenario.as_of), study.last)
    full = [r for r in rows if r[2] >= 100]
    fig = figure(
        f"{len(full)} of {len(rows)} stations are full in {then} with today’s settings"
        if full
        else f"No station is full in {then} with today’s settings",
        f"Utilization at the peak hour (%), at the median: square now, line to {then}; cut at 120 %",
        height=38 * len(rows) + 70,
        margin=dict(t=28, r=60),
    )
    names = [short(r[0], 26) for r in rows]
    for name, row in zip(names, rows, strict=True):
        fig.add_scatter(
            x=[row[1], row[2]],
            y=[name, name],
            mode="lines+markers",
            line=dict(color=look.colour("broken" if row[2] >= 100 else "blue"), width=3, dash="solid"),
            marker=dict(size=[9, 0], symbol="square", color=look.colour("ink")),
            hovertemplate="%{x:.0f} %",
        )
        look.label(fig, row[2], name, f"{row[2]:.0f} %" if row[2] < 120 else "over 120 %", xshift=6)
    fig.add_vline(x=100, line=dict(color=look.colour("ink"), width=1.25, dash="6px,3px"))
    fig.update_layout(xaxis=dict(range=[0, 135], ticksuffix=" %"), yaxis=dict(showgrid=False), hovermode="closest")
    return fig


def stages(study: Study) -> go.Figure:
    """The stages of a load test against the predicted knee."""
    limit, drawn = steady_knee(study), [one for one in test_stages(study) if one.name != SOAK_STAGE]
    soak = next(one for one in test_stages(study) if one.name == SOAK_STAGE)
    stress = next(one for one in drawn if one.name == "stress")
    fig = figure(
        f"The stress stage runs to {number(stress.most_rps)} rps and crosses the predicted knee at {number(limit)}",
        f"Arrival rate of the load generator: {listed([one.name for one in drawn])}, one after the other as in load_test.js; {soak.name}, {duration(soak.lasts_s)} at {number(soak.most_rps)} rps, is left out",
        height=320,
        margin=dict(t=28),
    )
    x, y, start_s = [0.0], [0.0], 0.0
    for one in drawn:
        points = _course(one, start_s)
        x += [at for at, _ in points]
        y += [rps for _, rps in points]
        if not one.constant:  # too small to be pointed at
            look.label(fig, (start_s + one.lasts_s / 2) / MINUTE, one.most_rps, one.name, xanchor="center", yanchor="bottom")
        start_s += one.lasts_s
    fig.add_scatter(x=x, y=y, mode="lines", name="rate", line=dict(color=look.colour("blue"), width=2.5), hovertemplate="%{y:,.0f} rps")
    look.threshold(fig, limit, f"first promise breaks {number(limit)}")
    fig.update_layout(
        xaxis=dict(ticksuffix=" min", range=[0, start_s / MINUTE + 1]), yaxis=dict(ticksuffix=" rps", range=[0, 1.2 * max(y)], nticks=6)
    )
    return fig


def _course(one: Stage, start_s: float) -> list[tuple[float, float]]:
    """(minutes, rate) along a stage: a constant rate from its start, else straight from one rate to the next; then nothing."""
    end = start_s + one.lasts_s
    if one.constant:
        return [(start_s / MINUTE, one.most_rps), (end / MINUTE, one.most_rps), (end / MINUTE, 0.0)]
    points, at = [(start_s / MINUTE, 0.0)], start_s
    for rps, seconds in one.steps:
        at += seconds
        points.append((at / MINUTE, rps))
    return [*points, (end / MINUTE, 0.0)]


def prediction(study: Study) -> go.Figure:
    """p50, p95 and p99 of the slowest journey against load: what a test should measure."""
    found = todays_knee(study)
    sweeps = {p: sweep(study, p) for p in (0.5, 0.95, 0.99)}
    loads, lines = sweeps[0.95]
    slowest = max(lines, key=lambda n: lines[n][0])
    now = float(np.interp(found.peak_rps, loads, np.nan_to_num(lines[slowest], posinf=1e9)))
    top = 2.5e3 * float(sweeps[0.99][1][slowest][0])
    fig = figure(
        f"At today’s peak a test should find {slowest} at p95 {duration(now)}",
        f"Predicted response time of {slowest} (ms) against load, at the median; a test that disagrees by more than a fifth disproves the model",
        height=340,
        margin=dict(t=28, r=60),
    )
    for i, (p, swept) in enumerate(sweeps.items()):
        y = [1e3 * float(v) if np.isfinite(v) else None for v in swept[1][slowest]]
        fig.add_scatter(
            x=[float(x) for x in swept[0]],
            y=y,
            mode="lines",
            name=f"p{p * 100:g}",
            line=dict(color=look.colour(look.SERIES[i]), dash=look.DASHES[i]),
            hovertemplate="%{y:,.3r} ms",
        )
        look.label(fig, float(swept[0][2]), float(y[2] or 0), f"p{p * 100:g}", yanchor="bottom")
    look.moment(fig, found.peak_rps, f"today’s peak {number(found.peak_rps)}")
    fig.update_layout(xaxis=dict(ticksuffix=" rps", range=[0, float(loads[-1])]), yaxis=dict(range=[0, top], ticksuffix=" ms"))
    return fig
