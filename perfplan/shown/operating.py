"""What whoever is called needs: what each page means and where to look first, who calls whom, and when to scale what."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from perfplan.artifacts.prometheus.words import (
    MISSING,
    MISSING_SUMMARY,
    name_of,
    page_of,
    signal_name,
    signal_summary,
    signals_of,
    summary_of,
    windows,
)
from perfplan.operate.kind import UNSEEN
from perfplan.operate.source import Source
from perfplan.operate.text import slug
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, short
from perfplan.shown.frames import Rows, frame_of
from perfplan.study import Study, once
from perfplan.study.inside import inside_rps
from perfplan.subjects.alerts import burns_of, rotation
from perfplan.subjects.flows import Flow, flows
from perfplan.subjects.scaling import starts
from perfplan.words import count, number, plural, rate, weeks

PAGES = (
    Column("alert", "Alert"),
    Column("says", "Says"),
    Column("look", "Look first at"),
    Column("page", "Page of the runbook"),
)


@once
def pages(study: Study) -> Table:
    """Every alert that calls somebody: what it says, what to look at first, and the page that it leads to."""
    source = Source(study=study)
    rows: Rows = [
        {
            "alert": name_of(one),
            "says": summary_of(one),
            "look": f'slo:bad:ratio_rate{windows(one)[1]}{{objective="{slug(one.objective)}"}}',
            "page": page_of(one),
        }
        for one in burns_of(source)
        if one.possible and one.rung.urgency == "page"
    ]
    rows += [
        {"alert": signal_name(tier, one), "says": signal_summary(one), "look": one.use, "page": one.page}
        for tier, one in signals_of(source)
        if one.severity == "page"
    ]
    rows.append({"alert": MISSING, "says": MISSING_SUMMARY, "look": "up == 0", "page": UNSEEN})
    return Table(
        name="pages",
        title=f"{plural(len(rows), 'alerts')} call somebody; each leads to a page of the runbook",
        subtitle="Of a cause and what it causes the cause alone fires. The query says how bad it is now; configs/runbook.md has the "
        f"steps. {_turns(study)}",
        frame=frame_of(rows, PAGES),
        columns=PAGES,
        stack=1,
        detail=True,
        screen=True,
        rows=6,
    )


def _turns(study: Study) -> str:
    found = rotation(study)
    if found is None:
        return "Nobody is stated to be on call (on_call)."
    false, out = number(found.false_a_week), number(found.outages_a_week)
    return f"Expected: {out} outages and {false} false pages a week, {number(found.each)} for each of {count(found.people)} people."


def _or_any(value: float) -> str:
    return rate(value) if np.isfinite(value) else "any that was tried"


SCALES = (
    Column("what", "Count"),
    Column("start_rps", "Start at", _or_any),
    Column("full_rps", "Its limit is reached at", _or_any),
    Column("lead_s", "Takes", weeks),
    Column("today", "Today", count),
    Column("planned", "By the plan", count),
)


@once
def scaling(study: Study) -> Table:
    """When to start to scale what."""
    rows: Rows = [
        {
            "what": f"{one.place.tier} {one.place.field}",
            "start_rps": one.start_rps,
            "full_rps": one.full_rps,
            "lead_s": one.lead_s,
            "today": one.today,
            "planned": one.planned,
        }
        for one in starts(study)
    ]
    now = float(np.median(inside_rps(study)[:, 0]))
    title = "Nothing is bought here"
    if rows:
        title = f"First to scale: {rows[0]['what']}, from {_or_any(rows[0]['start_rps'])} on; the peak hour is {rate(now)} there today"
    return Table(
        name="scaling",
        title=title,
        subtitle="Load in the peak hour of all requests that come to the balancer, as dashboards show it. Started there, what is ordered "
        "is in place before the limit of the plan is passed by growth; events of the plan have their own dates, in chapter 0. Commands and "
        "the way back are in configs/scaling.md.",
        frame=frame_of(rows, SCALES),
        columns=SCALES,
        stack=3,
    )


# ---- the system ----

HIGH = 64  # pixels a row


def system(study: Study) -> go.Figure:
    """Who calls whom and how often at today's peak, from users inwards."""
    found = flows(study)
    at = _places(found)
    rows = max((row for _, row in at.values()), default=0.0) + 1
    most = max((one.rps for one in found), default=1.0)
    busiest = max(found, key=lambda one: one.rps, default=None)
    fig = figure(
        f"Most calls go from {busiest.caller} to {busiest.called}: {rate(busiest.rps)}" if busiest else "Nobody calls anybody",
        "Who calls whom at today’s peak hour, at the median; a line is as wide as its calls are many",
        height=int(HIGH * rows) + 30,
        margin=dict(t=16, r=70, l=70, b=10),
        meta=dict(narrow=dict(layout={"margin.l": 40, "margin.r": 40})),
    )
    for one in found:
        (x0, y0), (x1, y1) = at[one.caller], at[one.called]
        wide = 1 + 5 * float(np.sqrt(one.rps / most))
        fig.add_scatter(
            x=[x0, x1], y=[-y0, -y1], mode="lines", line=dict(color=look.colour("line"), width=wide, dash="solid"), hoverinfo="skip"
        )
        look.label(
            fig,
            x0 + 0.62 * (x1 - x0),
            -(y0 + 0.62 * (y1 - y0)),
            rate(one.rps),
            xanchor="center",
            yanchor="middle",
            bgcolor=look.colour("paper"),
        )
    for name, (x, y) in at.items():
        look.label(fig, x, -y, f"<b>{short(name, 18)}</b>", xanchor="center", yanchor="middle", bgcolor=look.colour("wash"), borderpad=5)
    deepest = max((x for x, _ in at.values()), default=0.0)
    fig.update_layout(
        xaxis=dict(visible=False, range=[-0.15, deepest + 0.15], fixedrange=True),
        yaxis=dict(visible=False, range=[-rows + 0.4, 0.6], fixedrange=True),
    )
    return fig


def _places(found: list[Flow]) -> dict[str, tuple[float, float]]:
    """Column and row of each: as far from the users as its longest way, below those that are as far; rows are centred."""
    depth: dict[str, int] = {}
    for _ in range(len(found) + 1):
        for one in found:
            depth[one.called] = max(depth.get(one.called, 0), depth.setdefault(one.caller, 0) + 1)
    columns: dict[int, list[str]] = {}
    for name in dict.fromkeys(name for one in found for name in (one.caller, one.called)):
        columns.setdefault(depth[name], []).append(name)
    high = max(map(len, columns.values()), default=1)
    return {name: (float(x), row + (high - len(names)) / 2) for x, names in columns.items() for row, name in enumerate(names)}
