"""What the figures share: a frame whose title is the finding, months, fans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go

from perfplan.plan import month_names
from perfplan.quantity import FloatArray, quantiles
from perfplan.shown import look
from perfplan.shown.blocks import safe
from perfplan.study import Study

QUANTILES = (5, 25, 50, 75, 95)


def figure(title: str, subtitle: str, *, height: int = 360, **layout: Any) -> go.Figure:
    """A figure with its finding as title; text from outside is escaped on the way."""
    meta = {"height": height} | layout.pop("meta", {})
    fig = go.Figure()
    fig.update_layout(
        template=look.template(),
        title=dict(text=str(safe(title)), subtitle=dict(text=str(safe(subtitle)))),
        height=height + 70,
        meta=meta,
        **layout,
    )
    return fig


def nothing(title: str, needed: str) -> go.Figure:
    """A figure of which there is nothing to draw: why, and what would change that."""
    fig = figure(title, needed, height=20)
    fig.update_layout(xaxis=dict(visible=False), yaxis=dict(visible=False))
    return fig


def months_of(study: Study) -> list[str]:
    """The first day of each month of the plan, as text."""
    return [str(m) + "-01" for m in month_names(study.scenario, study.worlds.rps.shape[1])]


def fan_of(values: FloatArray) -> dict[int, list[float]]:
    """Quantiles over worlds by month, for `look.fan`."""
    found = quantiles(values, [q / 100 for q in QUANTILES])
    return {q: [float(v) for v in row] for q, row in zip(QUANTILES, found, strict=True)}


def shorts(names: Iterable[str], width: int = 22) -> dict[str, str]:
    """Each of *names* as `short` writes it; those that would look alike are numbered, as a figure joins what has one name."""
    found: dict[str, str] = {}
    for name in names:
        text, number = short(name, width), 1
        while text in found.values():
            number += 1
            text = f"{short(name, width - 3)} {number}"
        found[name] = text
    return found


def short(name: str, width: int = 22) -> str:
    """A name cut to *width*, as markup that is safe in a figure."""
    return str(safe(look.fit(name, width)))
