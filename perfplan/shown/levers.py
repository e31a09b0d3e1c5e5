"""The picture that the levers of the page move: demand against what is kept, and P below it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan.quantity import FloatArray
from perfplan.shown import look
from perfplan.shown.drawing import fan_of, figure, months_of
from perfplan.study import Study, confidence, sampling_error
from perfplan.study.levers import FORECAST, LOADS, Levers, levers
from perfplan.words import number, percent, plural

NARROW = {"margin.l": 8, "margin.r": 6, "xaxis.dtick": "M12", "xaxis.tickformat": "%Y"}
LOAD, KEPT, P = "load", "kept", "p"  # what the page's script moves


def moved(study: Study, found: Levers) -> go.Figure:
    """The picture at the forecast with today's count; a trace says in its meta what moves it."""
    months, fan, asked = months_of(study), fan_of(study.worlds.rps), confidence(study.scenario)
    fig = figure(
        "",
        "",
        height=366,
        margin=dict(l=64, r=24, t=8),
        meta=dict(narrow=dict(layout=NARROW, height=330, below=800)),
    )
    look.fan(fig, months, fan, "demand", "rps")
    fig.update_traces(meta=LOAD)
    kept, top = float(found.kept_rps[found.today]), 1.05 * LOADS[-1] * max(fan[95])
    ink = dict(color=look.colour("ink"), dash="solid")
    edge = dict(x=[months[0], months[-1]], mode="lines", hoverinfo="skip")
    fig.add_scatter(y=[_drawn(kept)] * 2, meta=KEPT, line=ink | dict(width=1.25, dash="6px,3px"), **edge)
    p = found.p[found.today, FORECAST]
    fig.add_scatter(
        x=months[: p.size], y=p.tolist(), yaxis="y2", meta=P, mode="lines", line=ink | dict(width=2), hovertemplate="P %{y:.0%}", name="P"
    )
    fig.add_scatter(x=[months[0], months[p.size - 1]], y=[asked] * 2, yaxis="y2", mode="lines", hoverinfo="skip", line=ink | dict(width=1))
    look.label(fig, months[-1], _drawn(kept) or 0.0, KEPT, role="ink", xanchor="right", yanchor="bottom")
    look.label(fig, months[p.size - 1], asked, f"{percent(asked)} asked for", None, "muted", yref="y2", xshift=6)
    fig.update_layout(
        xaxis=dict(type="date", range=[months[0], months[-1]], dtick="M3", tickformat="%b\n%Y", hoverformat="%B %Y", anchor="y2"),
        yaxis=dict(domain=[0.36, 1], range=[0, top], ticksuffix=" rps", nticks=6),
        yaxis2=dict(domain=[0, 0.26], range=[0, 1.04], tickformat=".0%", nticks=3),
    )
    return fig


def _drawn(rps: float) -> float | None:
    """What lies on no picture is not drawn."""
    return rps if math.isfinite(rps) else None


def told(study: Study) -> dict[str, Any] | None:
    """All that the page's script needs, as plain numbers and words; None where there are no levers."""
    found = levers(study)
    if found is None:
        return None
    places = list(dict.fromkeys(place for row in found.first for place in row))
    months = [[[_drawn(when) for when in at] for at in row] for row in found.months.tolist()]
    return {
        "label": study.worlds.resources[found.place].label if found.place else "",
        "counts": found.counts.tolist(),
        "loads": LOADS.tolist(),
        "today": found.today,
        "forecast": FORECAST,
        "asked": confidence(study.scenario),
        "p": (found.p * 1000).round().astype(int).tolist(),
        "errors": [[round(100 * _error(found, row, study), 1) for row in rows] for rows in found.p],
        "out": [[places.index(place) for place in row] for row in found.first],
        "when": months,
        "labels": [study.worlds.resources[place].label for place in places],
        "names": [study.named(m, short=True) for m in range(study.worlds.rps.shape[1])],
        "caption": "Above: requests per second at the peak hour (P5–P95, P25–P75, P50); dashed: up to where every promise holds in half "
        "of the worlds. Below: P(every promise holds), until the last month asked for.",
        "kept": [_drawn(rps) for rps in found.kept_rps.tolist()],
        "kept_text": [f"kept in half of all worlds: {number(rps)}" for rps in found.kept_rps.tolist()],
    }


def _error(found: Levers, p: FloatArray, study: Study) -> float:
    """The sampling error of P in the first month in which it is below what is asked, else in the last."""
    below = np.flatnonzero(p < confidence(study.scenario))
    return sampling_error(float(p[below[0] if below.size else -1]), found.worlds)


def trusted(study: Study) -> str:
    """How far what is moved can be trusted, and what stays as it is."""
    found = levers(study)
    if found is None:
        return "No sliders are offered: what lies between the plans made for them could not be told within 3 points and a month."
    off = f"{100 * found.off:.1f} points of P and {plural(round(found.off_months), 'months')} in what runs out first"
    return (
        f"Moved numbers are of {found.worlds:,} of the plan’s {study.worlds.rps.shape[0]:,} worlds, with all else as it is today. Loads "
        f"are interpolated: a plan made to check that differs by {off}. Cost, orders and sentences stay as planned."
    )
