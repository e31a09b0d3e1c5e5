"""What is measured: the table of signals by the names of the scenario's metrics, and how the dashboards are laid out."""

from __future__ import annotations

import plotly.graph_objects as go

from perfplan.artifacts.grafana import WIDTH, Board, boards
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table, safe
from perfplan.shown.drawing import figure, short
from perfplan.shown.frames import Rows, frame_of
from perfplan.study import Study, once
from perfplan.subjects.signals import asked
from perfplan.words import count

SIGNALS = (
    Column("about", "Of"),
    Column("signal", "Signal"),
    Column("method", "Kind"),
    Column("exporter", "Exporter"),
    Column("series", "Series, about", count),
    Column("query", "Query"),
    Column("items", "Item"),
)


@once
def signals(study: Study) -> Table:
    """Every signal of every journey, tier and host."""
    rows: Rows = [
        {
            "about": one.name or one.kind,
            "signal": one.row.signal,
            "method": one.row.method,
            "exporter": one.row.exporter,
            "metric": one.metric,
            "type": one.row.type,
            "unit": one.row.unit,
            "labels": one.row.labels,
            "series": one.series,
            "query": one.query,
            "items": one.row.items,
        }
        for one in asked(study)
    ]
    total = sum(int(row["series"]) for row in rows)
    return Table(
        name="signals",
        title=f"{len(rows)} signals, about {count(total)} series",
        subtitle="Requests by rate, errors and duration; resources by utilization, saturation and faults. Rules, scrapes and dashboards "
        "are made of this table; series are estimated from planned instances and usual values of labels.",
        frame=frame_of(rows, SIGNALS),
        columns=SIGNALS,
        stack=1,
        detail=True,
        screen=True,
        rows=6,
    )


# ---- how dashboards look ----

ROW, GAP = 4.2, 2.5  # pixels a row of a dashboard's grid; rows between two dashboards


def dashboards(study: Study) -> go.Figure:
    """The layout of each dashboard: its panels where they stand, and what they are called."""
    found = boards(study)
    heights = [max(one.y + one.high for one in board.panels) for board in found]
    fig = figure(
        f"{len(found)} dashboards with {sum(len(board.panels) for board in found)} panels",
        "Each panel where it stands, by its title; files configs/grafana-*.json. Blue: how things are now; grey: over time",
        height=int(ROW * (sum(heights) + (GAP + 2) * len(found))) + 60,
        margin=dict(t=8, r=8, l=8, b=8),
    )
    top = 0.0
    for board, high in zip(found, heights, strict=True):
        _board(fig, board, top)
        top -= high + GAP + 2
    fig.update_layout(
        xaxis=dict(visible=False, range=[-0.2, WIDTH + 0.2], fixedrange=True),
        yaxis=dict(visible=False, range=[top, 1.5], fixedrange=True),
        hovermode="closest",
    )
    return fig


def _board(fig: go.Figure, board: Board, top: float) -> None:
    look.label(fig, 0, top + 0.4, f"<b>{board.title}</b>", xanchor="left", yanchor="bottom")
    for one in board.panels:
        x, y = [one.x + 0.1, one.x + one.wide - 0.1], [top - one.y - 0.1, top - one.y - one.high + 0.1]
        fig.add_scatter(
            x=[x[0], x[1], x[1], x[0], x[0]],
            y=[y[0], y[0], y[1], y[1], y[0]],
            mode="lines",
            fill="toself",
            fillcolor=look.colour("wash"),
            line=dict(color=look.colour("blue" if one.kind == "stat" else "line"), width=1.5, dash="solid"),
            hoverinfo="text",
            text=str(safe(one.title)),
            showlegend=False,
        )
        look.label(fig, x[0] + 0.15, y[0] - 0.3, short(one.title, max(int(one.wide * 4.6), 12)), xanchor="left", yanchor="top")
