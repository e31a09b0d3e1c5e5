"""Figures of architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan import look
from perfplan.figures.common import figure, short, shorts
from perfplan.promises import timed
from perfplan.quantity import FloatArray
from perfplan.study import Study
from perfplan.study.levels import LEVELS
from perfplan.study.sweeps import TAIL, by_memory, latency_band, parts_of_the_tail, shares_of_latency, slowest_part, targets, todays_knee
from perfplan.study.sweeps import latency_by_load as sweep
from perfplan.words import capital, duration, number, rate, share

MOST_JOURNEYS = 4  # the slowest, whose bars one figure holds


def latency_by_load(study: Study, p: float = 0.95) -> go.Figure:
    """A percentile of each journey against load, with targets, knee and today's peak."""
    loads, lines = sweep(study, p)
    found = todays_knee(study)
    aims = targets(study.scenario)
    slowest = max(lines, key=lambda n: lines[n][0])
    top = 1.6e3 * max([aims.get(n, 0.0) for n in lines] + [2 * float(lines[n][0]) for n in lines if np.isfinite(lines[n][0])] + [0.001])
    latest = _latency_knee(study, found)
    title = (
        f"{capital(latest[0])} breaks its target at {rate(latest[1])}, {number(latest[1] / found.peak_rps)} times today’s peak"
        if latest
        else "No load that was tried breaks a latency target"
    )
    fig = figure(
        title,
        f"p{p * 100:g} response time (ms) against load at the peak hour, today’s fleet; band: P5–P95 and P25–P75 of {slowest} over worlds",
        height=380,
        margin=dict(t=28, r=80),
        meta=dict(narrow=dict(layout={"xaxis.nticks": 4, "margin.r": 12}, height=340)),
    )
    bands = {
        q: [min(1e3 * float(v), 4 * top) if np.isfinite(v) else 4 * top for v in values]
        for q, values in latency_band(study, slowest, loads, p).items()
    }
    look.fan(fig, [float(x) for x in loads], bands, short(slowest), "ms")
    for i, (name, values) in enumerate(((n, v) for n, v in lines.items() if n != slowest), 1):
        fig.add_scatter(
            x=[float(x) for x in loads],
            y=[1e3 * float(v) if np.isfinite(v) else None for v in values],
            name=short(name),
            mode="lines",
            line=dict(color=look.colour(look.SERIES[i % 6]), dash=look.DASHES[i % 6]),
            hovertemplate="%{y:,.3r} ms",
        )
    _name_lines(fig, loads, lines, top)
    for target in sorted(set(aims.values())):
        names = [n for n, t in aims.items() if t == target]
        look.threshold(fig, target * 1e3, f"{', '.join(short(n, 12) for n in names)} {duration(target)}")
    look.moment(fig, found.peak_rps, f"today’s peak {number(found.peak_rps)}", xanchor="right", xshift=-5)
    if np.isfinite(found.rps):
        look.moment(fig, found.rps, f"first promise breaks {number(found.rps)}")
    fig.update_layout(xaxis=dict(range=[0, float(loads[-1])], ticksuffix=" rps"), yaxis=dict(range=[0, top], ticksuffix=" ms"))
    return fig


def _latency_knee(study: Study, found: Any) -> tuple[str, float] | None:
    loads = {n: v for n, v in found.objectives.items() if timed(study.scenario.objectives[n]) and np.isfinite(v) and v > 0}
    name = min(loads, key=lambda n: loads[n], default=None)
    return None if name is None else (name, loads[name])


def _name_lines(fig: go.Figure, loads: FloatArray, lines: dict[str, FloatArray], top: float) -> None:
    """Each line is named where it leaves through the top, or at the right; lines that leave together share a label."""
    ends: dict[tuple[str, int], list[str]] = {}
    for name, values in lines.items():
        shown = np.flatnonzero(np.nan_to_num(values * 1e3, posinf=1e12) > top)
        ends.setdefault(
            ("top", int(shown[0]) // 3) if shown.size else ("right", int(1e3 * values[-1] / top * 12) if np.isfinite(values[-1]) else -1),
            [],
        ).append(name)
    for (side, _), names in ends.items():
        text = ", ".join(f"<b>{short(n, 12)}</b>" for n in names)
        first = lines[names[0]]
        if side == "top":
            at = int(np.flatnonzero(np.nan_to_num(first * 1e3, posinf=1e12) > top)[0])
            look.label(fig, float(loads[at]), top, text, xanchor="right", yanchor="bottom")
        else:
            look.label(fig, float(loads[-1]), float(first[-1]) * 1e3, text, "wide", xshift=6)


def waterfall(study: Study) -> go.Figure:
    """Mean time of one request by tier, stacked by journey."""
    rows = shares_of_latency(study)
    tiers = list(dict.fromkeys(t for parts in rows.values() for t in parts))
    journeys = list(rows)
    totals = {j: sum(sum(v) for v in rows[j].values()) for j in journeys}
    slow = max(totals, key=lambda j: totals[j])
    part = max(rows[slow], key=lambda t: sum(rows[slow][t]))
    fig = figure(
        f"{capital(slow)} spends most of its {duration(totals[slow])} in {part}",
        "Mean time of a request by tier, ms, today’s peak, at the median; parts under 3 % of the longest bar are not named",
        height=70 * len(journeys) + 60,
        margin=dict(r=80),
    )
    named = shorts(journeys)
    bars = {named[j]: {t: 1e3 * sum(v) for t, v in rows[j].items()} for j in journeys}
    _stack(fig, bars, tiers, {named[j]: duration(totals[j]) for j in journeys}, "ms")
    return fig


def tail(study: Study) -> go.Figure:
    """What requests are made of that take as long as p50, p95 and p99 of their journey."""
    rows = {j: parts for j, parts in parts_of_the_tail(study).items() if np.isfinite(sum(parts.values(), np.zeros(3))).all()}
    slowest = sorted(rows, key=lambda j: -float(sum(v[1] for v in rows[j].values())))[:MOST_JOURNEYS]
    named = shorts([j for j in rows if j in slowest], 14)
    spent = {
        f"{label} p{p * 100:g}": {t: float(v[k]) for t, v in rows[j].items()} for j, label in named.items() for k, p in enumerate(TAIL)
    }
    totals = {bar: sum(parts.values()) for bar, parts in spent.items()}
    fig = figure(
        slowest_part(rows),
        "Share of each tier in the time of the requests that take as long as the percentile: parts of one bar add up, percentiles of parts do not; today’s peak, at the median",
        height=34 * max(len(spent), 1) + 70,
        margin=dict(r=80),
    )
    shares = {bar: {t: 100 * v / totals[bar] for t, v in parts.items()} for bar, parts in spent.items()}
    _stack(fig, shares, list(dict.fromkeys(t for parts in rows.values() for t in parts)), {b: duration(t) for b, t in totals.items()}, "%")
    return fig


def _stack(fig: go.Figure, bars: Mapping[str, Mapping[str, float]], tiers: Sequence[str], ends: Mapping[str, str], unit: str) -> None:
    """A bar for each key of *bars*, of a piece for each tier in *unit*; *ends* stand behind them."""
    longest = max((sum(parts.values()) for parts in bars.values()), default=1.0)
    for i, tier in enumerate(tiers):
        fig.add_bar(
            y=list(bars),
            x=[parts.get(tier, 0.0) for parts in bars.values()],
            orientation="h",
            name=short(tier),
            marker=dict(color=look.colour(look.SERIES[i % 6]), pattern=dict(shape=("", "/", "x", ".", "-", "|")[i % 6])),
            hovertemplate=f"%{{x:,.3r}} {unit}",
        )
    for bar, parts in bars.items():
        start = 0.0
        for tier in tiers:
            width = parts.get(tier, 0.0)
            if width > 0.12 * longest:
                look.label(
                    fig,
                    start + width / 2,
                    bar,
                    f"<b>{short(tier, 14)}</b>",
                    "wide" if width < 0.4 * longest else None,
                    xanchor="center",
                    bgcolor=look.colour("paper"),
                    borderpad=2,
                )
            start += width
        look.label(fig, start, bar, ends[bar], xshift=6)
    fig.update_layout(
        barmode="stack",
        xaxis=dict(ticksuffix=f" {unit}", range=[0, 1.12 * longest], nticks=6),
        yaxis=dict(showgrid=False, autorange="reversed"),
        hovermode="closest",
    )


def saturation(study: Study) -> go.Figure:
    """The load at which each resource reaches its limit and saturates."""
    found = todays_knee(study)
    rows = sorted(((p, found.resources[p], v) for p, v in found.saturated.items() if np.isfinite(v)), key=lambda r: -r[2])
    said = found.saturates.replace("'", "’")
    title = f"{capital(said)}"
    fig = figure(
        title,
        "Load of the whole service at which each resource is fully used (bar) and reaches its planned limit (mark), at the median",
        height=40 * max(len(rows), 1) + 70,
        margin=dict(t=28, r=80),
    )
    names = [short(r[0].words, 26) for r in rows]
    fig.add_bar(y=names, x=[r[2] for r in rows], orientation="h", marker=dict(color=look.colour("sky")), hovertemplate="%{x:,.0f} rps")
    fig.add_scatter(
        y=names,
        x=[r[1] for r in rows],
        mode="markers",
        marker=dict(color=look.colour("ink"), symbol="line-ns", size=16, line=dict(width=3, color=look.colour("ink"))),
        hovertemplate="limit %{x:,.0f} rps",
    )
    for label, row in zip(names, rows, strict=True):
        look.label(fig, row[2], label, number(row[2]), xshift=6)
    look.moment(fig, found.peak_rps, f"today’s peak {number(found.peak_rps)}", xanchor="right", xshift=-5, yshift=-2)
    fig.update_layout(
        xaxis=dict(ticksuffix=" rps", nticks=6, range=[0, 1.15 * max([r[2] for r in rows] or [1.0])]),
        yaxis=dict(showgrid=False),
        hovermode="closest",
    )
    return fig


def hit_ratio(study: Study) -> go.Figure:
    """Hit ratio against memory, and what reaches the origin, for the first cache whose hit ratio is computed."""
    found = ((name, by_memory(study, name)) for name in study.scenario.tiers)
    name, swept = next(((name, swept) for name, swept in found if swept is not None), ("", None))
    if swept is None:
        return figure(
            "No cache whose hit ratio follows from its size",
            "State items, popularity and memory instead of a hit ratio to see its curve",
            height=120,
        )
    here, twice = (float(np.interp(times * swept.now_bytes, swept.memory_bytes, swept.hit_ratio)) for times in (1, 2))
    fig = figure(
        f"Twice the memory would raise {name}’s hit ratio from {share(here)} to {share(twice)}",
        f"LRU hit ratio (%) against memory of all nodes; today it holds {share(min(swept.held_items / swept.items, 1.0), 2)} of {number(swept.items)} items",
        height=320,
        margin=dict(t=28, r=20),
    )
    fig.add_scatter(
        x=[v / 1e9 for v in swept.memory_bytes],
        y=[100 * float(v) for v in swept.hit_ratio],
        mode="lines",
        name="hit ratio",
        line=dict(color=look.colour("blue"), width=2.5),
        hovertemplate="%{y:.1f} %",
    )
    look.moment(fig, swept.now_bytes / 1e9, f"today {number(swept.now_bytes / 1e9)} GB")
    for level in reversed(LEVELS):
        look.threshold(fig, round(100 * level.hits), f"{level.name} {share(level.hits)}")
    fig.update_layout(
        xaxis=dict(ticksuffix=" GB", rangemode="tozero", nticks=6),
        yaxis=dict(range=[max(0.0, 100 * float(swept.hit_ratio.min()) - 5), 101], ticksuffix=" %"),
    )
    return fig
