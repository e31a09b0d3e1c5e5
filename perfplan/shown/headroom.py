"""How much more today's fleet takes: where promises break and what saturates."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan.promises import timed
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, short
from perfplan.shown.frames import (
    Rows,
    duration_or_none,
    frame_of,
    rate_or_any,
)
from perfplan.study import Study, once
from perfplan.study.sweeps import (
    NOWHERE,
    TRIED,
    latency_band,
    latency_targets,
    todays_knee,
)
from perfplan.study.sweeps import latency_by_load as sweep
from perfplan.subjects.headroom import MINIMUM, RECOMMENDED
from perfplan.tiers import bought_of
from perfplan.tiers.place import Place
from perfplan.words import (
    capital,
    duration,
    number,
    rate,
)


def _times(value: float) -> str:
    return number(value) if np.isfinite(value) else "–"


def _or_beyond(value: float) -> str:
    return rate(value) if np.isfinite(value) else f"beyond {TRIED:g} times"


HEADROOM = (
    Column("what", "Promise or rule"),
    Column("load_rps", "Load", rate_or_any),
    Column("multiple", "Times today's peak", _times, bar=True),
)


@once
def headroom(study: Study) -> Table:
    """The checklist's multipliers against the load at which each promise really breaks."""
    found = todays_knee(study)
    rows: Rows = [{"what": name, "load_rps": load, "multiple": load / found.peak_rps} for name, load in found.objectives.items()]
    rows.sort(key=lambda r: float(r["multiple"]))
    rows.append({"what": "peak second of today", "load_rps": found.second_rps, "multiple": float(study.scenario.traffic.peak_second)})
    for times, what in ((MINIMUM, "minimum"), (RECOMMENDED, "recommendation")):
        rows.append({"what": f"{times:g} times, {what} of the checklist", "load_rps": times * found.peak_rps, "multiple": times})
    title = "No load that was tried breaks an objective"
    if np.isfinite(found.rps):
        title = f"The first objective breaks at {number(found.rps / found.peak_rps)} times today's peak"
    return Table(
        name="headroom",
        title=title,
        subtitle="Highest load at the peak hour at which each objective holds, today's fleet, every input at its median.",
        frame=frame_of(rows),
        columns=HEADROOM,
        first=True,
    )


BREAKPOINTS = (
    Column("resource", "Resource"),
    Column("demand_s", "Demand", duration_or_none),
    Column("limit_rps", "Limit at", _or_beyond),
    Column("saturated_rps", "Saturated at", _or_beyond),
    Column("multiple", "Times today's peak", _times),
)


@once
def breakpoints(study: Study) -> Table:
    """Where each resource reaches its limit and where it saturates, as the load grows."""
    found = todays_knee(study)
    rows: Rows = [
        {
            "resource": place.words,
            "limit_rps": found.resources[place],
            "saturated_rps": load,
            "multiple": load / found.peak_rps,
            "demand_s": _demand_s(study, place),
        }
        for place, load in found.saturated.items()
    ]
    rows.sort(key=lambda r: (r["resource"] != found.first.words, float(r["saturated_rps"])))
    title, soonest = capital(NOWHERE), found.saturated[found.soonest] / found.peak_rps
    if np.isfinite(soonest):
        title = f"{capital(found.named)}, at {number(soonest)} times today's peak"
    return Table(
        name="breakpoints",
        title=title,
        subtitle="Load of the whole service at which each resource reaches its planned limit and full use, today's fleet, at the median; "
        "demand is how long a request of the average kind keeps one of its servers. "
        "A service whose threads wait for a saturated tier saturates with it.",
        frame=frame_of(rows),
        columns=BREAKPOINTS,
        stack=3,
        first=True,
    )


def _demand_s(study: Study, place: Place) -> float:
    """Busy time of the servers of a resource for each request of the whole service: the utilization law; nan: it has no servers."""
    one = study.middle.resources[place]
    station = study.middle.carried.stations.get(place)
    if station is None:
        return float("nan")
    nodes = one.count if bought_of(study.scenario.tiers[place.tier], place.field).each else 1.0
    busy = station.utilization * station.servers * nodes / study.middle.rps
    return float(np.ravel(busy)[0])


# ---- figures ----


HEIGHT = 320  # of what is drawn in, in pixels


def latency_by_load(study: Study, p: float = 0.95) -> go.Figure:
    """A percentile of each journey against load, with targets, knee and today's peak."""
    loads, lines = sweep(study, p)
    found = todays_knee(study)
    aims = latency_targets(study.scenario)
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
        height=HEIGHT + 60,
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
    at = loads.size // 8  # where lines are flat, and thresholds have no names
    rows = [(1e3 * float(v[at]), f"<b>{short(n, 14)}</b>", "ink") for n, v in lines.items() if 1e3 * v[at] <= top]
    look.ends(fig, float(loads[at]), rows, HEIGHT / top, bgcolor=look.colour("paper"), borderpad=1)
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
    look.moment(fig, found.peak_rps, f"today’s peak {number(found.peak_rps)}", high=True, yanchor="bottom")
    fig.update_layout(
        xaxis=dict(ticksuffix=" rps", nticks=6, range=[0, 1.15 * max([r[2] for r in rows] or [1.0])]),
        yaxis=dict(showgrid=False),
        hovermode="closest",
    )
    return fig
