"""Figures of the last chapter: models against theory, simulation and measurement."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from perfplan import look
from perfplan.figures.common import figure, short
from perfplan.study import Study
from perfplan.study.verify import measured as compare
from perfplan.tables.trust import accuracy as accuracies
from perfplan.tables.trust import error_text
from perfplan.words import percent

LEAST = 1e-12  # where errors below are drawn


def accuracy(study: Study) -> go.Figure:
    """Worst and median error of each kind of model, on a log scale."""
    frame = accuracies(study).frame
    servers = frame["worst"][frame["group"].str.contains("servers")]
    names = list(frame["group"])
    fig = figure(
        f"Exact where a formula is exact; real servers within {percent(float(servers.max()))} in the worst case",
        "Relative error, log scale: the median (dot) and the worst case (square) of each group",
        height=44 * len(names) + 60,
        margin=dict(t=12, r=20),
        meta=dict(
            narrow=dict(
                layout={
                    "yaxis.showticklabels": False,
                    "margin.l": 6,
                    "xaxis.tickvals": [1e-9, 1e-4, 1e-1],
                    "xaxis.ticktext": ["1e-9", "0.01 %", "10 %"],
                }
            )
        ),
    )
    for _, row in frame.iterrows():
        low, high = (max(float(row[c]), LEAST) for c in ("median", "worst"))
        y = row["group"]
        fig.add_scatter(
            x=[low, high], y=[y, y], mode="lines", line=dict(color=look.colour("line"), width=2, dash="solid"), hoverinfo="skip"
        )
        fig.add_scatter(x=[low], y=[y], mode="markers", marker=dict(color=look.colour("blue"), symbol="circle"), hovertemplate=f"median {error_text(float(row['median']))}<extra></extra>")  # fmt: skip
        fig.add_scatter(x=[high], y=[y], mode="markers", marker=dict(color=look.colour("orange"), symbol="square"), hovertemplate=f"worst {error_text(float(row['worst']))}<extra></extra>")  # fmt: skip
        look.label(fig, 0, y, short(str(row["group"]), 44), "narrow", xref="paper", yshift=12, yanchor="bottom", xanchor="left")
    ticks = [1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 1e-1]
    fig.update_layout(
        hovermode="closest",
        xaxis=dict(type="log", range=[-12.3, 0], tickvals=ticks, ticktext=["1e-12 or less", "1e-9", "1e-6", "0.01 %", "1 %", "10 %"]),
        yaxis=dict(autorange="reversed", showgrid=False, tickvals=names, ticktext=[short(n, 48) for n in names]),
    )
    return fig


def measured(study: Study) -> go.Figure | None:
    """Measured percentiles with their intervals beside the predicted ones; None where the scenario names no measurement."""
    found = compare(study)
    if not found:
        return None
    groups = list(dict.fromkeys((r.name, r.percentile) for r in found))
    worst = max(r.beyond for r in found)
    fig = figure(
        f"Predictions lie within {percent(max(worst, 0.01))} of what was measured, its own error aside",
        "Predicted response (line) and measured (marks with their 95 % intervals), ms on a log scale, against the rate of the journey",
        height=360,
        margin=dict(t=28, r=110),
        meta=dict(narrow=dict(layout={"margin.r": 80})),
    )
    rows, names = [], list(dict.fromkeys(r.name for r in found))
    for i, (name, p) in enumerate(groups):
        points = [r for r in found if (r.name, r.percentile) == (name, p)]
        tint = look.colour(look.SERIES[names.index(name) % 6])
        fig.add_scatter(
            x=[r.rps for r in points], y=[1e3 * r.predicted_s for r in points], mode="lines", name=f"predicted p{p * 100:g}", hovertemplate="%{y:,.3r} ms",
            line=dict(color=tint, dash=look.DASHES[i % 3]),
        )  # fmt: skip
        half = [0.0 if np.isnan(r.half_s) else 1e3 * r.half_s for r in points]
        fig.add_scatter(
            x=[r.rps for r in points], y=[1e3 * r.found_s for r in points], mode="markers", name=f"measured p{p * 100:g}", hovertemplate="%{y:,.3r} ms",
            marker=dict(color=tint, symbol=look.SYMBOLS[names.index(name) % 6]), error_y=dict(type="data", array=half, color=tint, thickness=1.25, width=4),
        )  # fmt: skip
        rows.append((points[-1], f"{short(points[-1].journey, 12)} p{p * 100:g}"))
    for point, text in rows:
        look.label(fig, point.rps, float(np.log10(1e3 * point.predicted_s)), text, xshift=8)
    top = max(r.rps for r in found)
    fig.update_layout(
        xaxis=dict(ticksuffix=" rps", range=[0, 1.02 * top]), yaxis=dict(type="log", ticksuffix=" ms", nticks=6), hovermode="closest"
    )
    return fig
