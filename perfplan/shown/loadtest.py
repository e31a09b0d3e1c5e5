"""The load test that proves or disproves the plan."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan.quantity import MINUTE, quantiles
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, short
from perfplan.shown.frames import (
    Rows,
    frame_of,
)
from perfplan.study import Study, once
from perfplan.study.sweeps import latency_by_load as sweep
from perfplan.study.sweeps import (
    steady_knee,
    todays_knee,
)
from perfplan.subjects.loadtest import Stage, inside_s, limits
from perfplan.subjects.loadtest import predictions as predicted
from perfplan.subjects.loadtest import stages as test_stages
from perfplan.words import (
    duration,
    listed,
    number,
    rate,
)

STAGES = (Column("stage", "Stage"), Column("load_rps", "Rate", rate, bar=True), Column("proves", "What it proves"))
PREDICTIONS = (
    Column("journey", "Journey"),
    Column("load_rps", "Rate", rate),
    Column("p50_s", "p50", duration),
    Column("p95_s", "p95", duration),
    Column("p99_s", "p99", duration),
)
SMOKE_STAGE = "smoke"
SOAK_STAGE = "soak"  # hours long: it would leave no room for the others


@once
def stages(study: Study) -> Table:
    """Load-test stages around the predicted knee."""
    last = float(quantiles(study.worlds.rps[:, study.last], (0.95,))[0])
    rows: Rows = [{"stage": one.name, "load_rps": one.most_rps, "proves": one.proves} for one in test_stages(study)]
    later = f"the fleet of {study.named(study.last, short=True)} carries P95 of its demand"
    return Table(
        name="stages",
        title=f"A steady test supports the plan if the first promise breaks near {rate(steady_knee(study))}",
        subtitle="Arrival rates for an open load generator; the knee is the highest steady load at which every promise "
        "but that of the peak second holds, at the median.",
        frame=frame_of([*rows, {"stage": study.named(study.last), "load_rps": last, "proves": later}]),
        columns=STAGES,
        stack=1,
    )


@once
def predictions(study: Study) -> Table:
    """What a load test should measure, stage by stage: the prediction that is to be proved wrong."""
    return Table(
        name="predictions",
        title="What a test should measure, written down before it is run",
        subtitle="Response times as the user sees them, every input at its median, today's fleet.",
        frame=frame_of([asdict(one) for one in predicted(study)]),
        columns=PREDICTIONS,
    )


# ---- figures ----


def stages_figure(study: Study) -> go.Figure:
    """The stages of a load test against the predicted knee."""
    limit, drawn = steady_knee(study), [one for one in test_stages(study) if one.name != SOAK_STAGE]
    soak = next(one for one in test_stages(study) if one.name == SOAK_STAGE)
    stress = next(one for one in drawn if one.name == "stress")
    fig = figure(
        f"The stress stage runs to {number(stress.most_rps)} rps and crosses the predicted knee at {number(limit)}",
        f"Arrival rate of the load generator: {listed([one.name for one in drawn])}, one after the other as in load_test.js; "
        f"{soak.name}, {duration(soak.lasts_s)} at {number(soak.most_rps)} rps, is left out",
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
    look.threshold(fig, limit, f"first promise breaks under a steady load of {number(limit)}")
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


PX_PER_LIMIT = 230  # how wide 100 % is on a desk
CUT = 2.0  # of what the script allows: beyond it does not matter by how much


def script(study: Study) -> go.Figure:
    """What the plan predicts in each stage of the script, over what the script allows."""
    stages = [one for one in test_stages(study) if one.name not in (SMOKE_STAGE, SOAK_STAGE)]
    rows = _over_limits(study, [one.most_rps for one in stages])
    broken = [f"{sum(row[i] > 1 for row in rows.values())} of {len(rows)} limits in {one.name}" for i, one in enumerate(stages)]
    fig = figure(
        f"The script should break {listed(broken)}" if rows else "No response time is promised: load_test.js has no limit",
        f"Predicted percentile at the highest rate of each stage, % of what load_test.js allows, at the median; cut at {100 * CUT:.0f} %",
        height=44 * max(len(rows), 1) + 60,
        margin=dict(t=28, r=60),
    )
    names = [short(name, 26) for name in rows]
    for i, one in enumerate(stages):
        fig.add_scatter(
            x=[100 * row[i] for row in rows.values()],
            y=names,
            mode="markers",
            name=one.name,
            marker=dict(size=11, symbol=look.SYMBOLS[i], color=look.colour(look.SERIES[i])),
            hovertemplate=f"{one.name}: %{{x:.0f}} %",
        )
    for row in list(rows.values())[:1]:  # stages are named once, above the first
        placed = look.apart([PX_PER_LIMIT * value for value in row], [50] * len(row))
        for one, value, px in zip(stages, row, placed, strict=True):
            at: dict[str, Any] = dict(xanchor="center", yanchor="bottom", yshift=8, xshift=px - PX_PER_LIMIT * value)
            look.label(fig, 100 * value, names[0], one.name, **at)
    fig.add_vline(x=100, line=dict(color=look.colour("ink"), width=1.25, dash="6px,3px"))
    fig.update_layout(
        xaxis=dict(range=[0, 100 * CUT + 10], ticksuffix=" %"), yaxis=dict(showgrid=False, autorange="reversed"), hovermode="closest"
    )
    return fig


def _over_limits(study: Study, loads: list[float]) -> dict[str, list[float]]:
    """Of each response time that is promised what is predicted at *loads* beside the origin, over what is allowed there, CUT at most."""
    found = {}
    for one in limits(study):
        times = inside_s(study, one, np.array(loads))
        found[one.objective] = [min(float(t) / one.below_s, CUT) if np.isfinite(t) else CUT for t in times]
    return found


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
        f"Predicted response time of {slowest} (ms) against load, at the median; a test that disagrees by more than a fifth "
        "disproves the model",
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
