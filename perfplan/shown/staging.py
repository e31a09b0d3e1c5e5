"""What is there when: counts and settings, staged by the dates of the orders."""

from __future__ import annotations

import plotly.graph_objects as go

from perfplan.shown import look
from perfplan.shown.drawing import figure, months_of, nothing, short
from perfplan.study import Study
from perfplan.study.remedy import positions
from perfplan.words import count, day_name, listed, plural

ROW_PX = 34


def staging(study: Study) -> go.Figure:
    """Each thing that the plan changes, with what there is of it by month."""
    orders, months = study.fleet.orders, months_of(study)[: study.last + 2]
    places = list(dict.fromkeys(place for order in orders for place in order.changes))
    options = [(name, order.month) for order in orders for name in order.options]
    rows = positions(study)
    if not rows:
        return nothing(f"Nothing changes until {study.named(study.last)}", "What the plan sets, buys and does, by month")
    free = [row.text for row in rows if row.free]
    settings = f"free of cost: {listed(free)}" if free else "none of them is free of cost"
    fig = figure(
        f"{plural(len(rows), 'changes')} until {study.named(study.last)}, the first by {day_name(rows[0].by)}; {settings}",
        "What there is by month, with the plan; a count changes in the month it must work from, and is set or ordered its lead time before",
        height=ROW_PX * (len(places) + len(options)) + 40,
        margin=dict(t=20, r=20),
        meta=dict(narrow=dict(layout={"xaxis.dtick": "M6"})),
    )
    names = [short(study.worlds.resources[place].label, 26) for place in places]
    for name, place in zip(names, places, strict=True):
        counts = [study.fleet.counts_at(m).get(place, study.worlds.resources[place].count) for m in range(study.last + 1)]
        steps = [0, *(m for m in range(1, study.last + 1) if counts[m] != counts[m - 1])]
        for start, stop in zip(steps, [*steps[1:], study.last + 1], strict=True):
            _span(fig, name, months, start, stop, count(counts[start]), counts[start] != study.worlds.resources[place].count)
    for option, month in options:
        _span(fig, short(option, 26), months, month, study.last + 1, "done", True)
    every = [*names, *(short(option, 26) for option, _ in options)]
    fig.update_layout(
        xaxis=dict(type="date", dtick="M3", tickformat="%b\n%Y", range=[months[0], months[-1]]),
        yaxis=dict(showgrid=False, autorange="reversed", categoryorder="array", categoryarray=every),
        hovermode="closest",
    )
    return fig


def _span(fig: go.Figure, name: str, months: list[str], start: int, stop: int, text: str, changed: bool) -> None:
    """A thick line while there is so much of a thing, with its count at its beginning."""
    fig.add_scatter(
        x=[months[start], months[min(stop, len(months) - 1)]],
        y=[name, name],
        mode="lines",
        line=dict(color=look.colour("blue" if changed else "line"), width=5, dash="solid"),
        hovertemplate=f"{text}",
    )
    look.label(fig, months[start], name, text, yanchor="bottom", xshift=2)
