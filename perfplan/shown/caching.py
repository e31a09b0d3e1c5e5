"""What memory does for caches."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, nothing
from perfplan.shown.frames import (
    Rows,
    frame_of,
)
from perfplan.study import Study, once
from perfplan.study.levels import LEVELS
from perfplan.study.sweeps import (
    by_memory,
)
from perfplan.words import (
    capital,
    duration,
    number,
    rate,
    share,
    size,
)

CACHES = (
    Column("cache", "Cache"),
    Column("memory_bytes", "Memory", size),
    Column("hit_ratio", "Hit ratio", share, bar=True),
    Column("origin_rps", "Calls to the origin", rate),
    Column("p99_s", "p99, slowest journey", duration),
)
SIZES = (0.25, 0.5, 1, 2, 3.9)  # of the memory there is


@once
def caches(study: Study) -> Table:
    """What memory does: hit ratio, load on the origin, p99, for every cache whose hit ratio is computed."""
    rows: Rows = []
    for name in study.scenario.tiers:
        if (swept := by_memory(study, name)) is not None:
            chosen = np.searchsorted(swept.memory_bytes, swept.now_bytes * np.array(SIZES)).clip(0, len(swept.memory_bytes) - 1)
            rows += [{"cache": name, **{k: float(v[i]) for k, v in swept.columns().items()}} for i in chosen]
    title = "No cache whose hit ratio follows from its size"
    if rows:
        here = rows[SIZES.index(1)]
        title = f"{capital(here['cache'])} hits {share(here['hit_ratio'])} with what there is"
    return Table(
        name="caches",
        title=title,
        subtitle="LRU under Zipf popularity (Che's characteristic time), today's peak, at the median; memory of all nodes.",
        frame=frame_of(rows, CACHES),
        columns=CACHES,
    )


# ---- figures ----


def hit_ratio(study: Study) -> go.Figure:
    """Hit ratio against memory, and what reaches the origin, for the first cache whose hit ratio is computed."""
    found = ((name, by_memory(study, name)) for name in study.scenario.tiers)
    name, swept = next(((name, swept) for name, swept in found if swept is not None), ("", None))
    if swept is None:
        return nothing(
            "No cache whose hit ratio follows from its size", "State items, popularity and memory instead of a hit ratio to see its curve"
        )
    here, twice = (float(np.interp(times * swept.now_bytes, swept.memory_bytes, swept.hit_ratio)) for times in (1, 2))
    fig = figure(
        f"Twice the memory would raise {name}’s hit ratio from {share(here)} to {share(twice)}",
        f"LRU hit ratio (%) against memory of all nodes; today it holds {share(min(swept.held_items / swept.items, 1.0), 2)} of "
        f"{number(swept.items)} items",
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
