"""The first screen's picture, and what changed since an earlier plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan.document import document
from perfplan.document.comparison import compare
from perfplan.document.story import story
from perfplan.quantity import MONTH
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table, safe
from perfplan.shown.drawing import fan_of, figure, months_of, short
from perfplan.shown.frames import (
    frame_of,
)
from perfplan.study import Study, confidence
from perfplan.study.remedy import Position, bought, positions
from perfplan.study.sweeps import (
    Knee,
    knee,
    todays_knee,
)
from perfplan.study.verdicts import first_below
from perfplan.words import (
    day_name,
    number,
    percent,
)

CHANGES = (Column("what", "What"), Column("then", "Then", str), Column("now", "Now", str), Column("change", "Change", str))


def changes(study: Study, before: dict[str, Any] | None) -> Table | None:
    """What changed since an earlier plan.json; None where there is none."""
    if before is None:
        return None
    rows = compare(before, document(study))
    what = f"{len(rows)} number{'s' if len(rows) != 1 else ''}" if rows else "Nothing"
    return Table(
        name="changes",
        title=f"{what} changed since the plan of {before['as_of']}",
        subtitle="Inputs first, then demand, fleet, cost and dates.",
        frame=frame_of(rows or [{"what": "nothing", "then": "", "now": "", "change": ""}]),
        columns=CHANGES,
        stack=3,
    )


MONTH_PX, LETTER_PX = 27, 7  # at 1,280 pixels a month of the picture is about 27 wide, a letter 7


# ---- figures ----


def lead(study: Study) -> go.Figure:
    """Demand (fan) against the load at which every objective still holds, today and with each order (steps)."""
    months = months_of(study)
    fan = fan_of(study.worlds.rps)
    today = _carries(study, todays_knee(study))
    capacity = [(0, today)] + [(o.month, _carries(study, knee(study.planned(o.month)))) for o in study.fleet.orders]
    bottom = 0.7 * min(fan[5])
    top = 1.08 * max(fan[95] + [min(c, 3 * max(fan[95])) for _, c in capacity if np.isfinite(c)])
    fig = figure(
        story(study).verdict,
        "Requests per second at the peak hour: demand (P5–P95, P25–P75, P50) against the load at which every objective still holds",
        height=366,
        margin=dict(l=64, r=90),
        meta=dict(
            leads=True,
            narrow=dict(layout={"margin.l": 8, "margin.r": 6, "xaxis.dtick": "M12", "xaxis.tickformat": "%Y"}, height=330, below=800),
        ),
    )
    look.fan(fig, months, fan, "demand", "rps")
    step = dict(mode="lines", hoverinfo="skip")
    if today == 0:
        look.label(fig, months[-1], bottom, "today’s fleet breaks a promise at any load", yanchor="bottom", xanchor="right")
    elif np.isfinite(today):
        fig.add_scatter(x=[months[0], months[-1]], y=[today] * 2, line=dict(color=look.colour("ink"), width=1.25, dash="6px,3px"), **step)
        look.label(fig, months[-1], today, f"today’s fleet holds {number(today)}", yanchor="top", xanchor="right")
    _steps(fig, months, capacity, step)
    _order_lane(study, fig, months)
    start = first_below(study.p_all, confidence(study.scenario))
    if np.isfinite(start) and start <= study.last:
        at = int(start)
        red = look.colour("broken")
        fig.add_scatter(x=[months[at]], y=[fan[50][at]], mode="markers", marker=dict(color=red, size=11, symbol="square"), hoverinfo="skip")
        when = study.named(at)
        p = percent(float(study.p_all[at]))
        for only, rise, text in (
            ("wide", 150, f"<b>{when}:</b> P(every promise<br>holds) falls to {p}"),
            ("narrow", 120, f"<b>{when}</b>"),
        ):
            look.label(
                fig,
                months[at],
                fan[50][at],
                text,
                only,
                "broken",
                showarrow=True,
                ax=0,
                ay=-min(rise, max(228 * (top - fan[50][at]) / (top - bottom) - 12, 40)),
                arrowhead=0,
                arrowwidth=1,
                arrowcolor=red,
                standoff=7,
            )
    rows = [
        (fan[q][-1], text.format(number(fan[q][-1])), "ink" if q == 50 else "muted")
        for q, text in ((95, "P95 {}"), (50, "<b>demand</b><br>P50 {}"), (5, "P5 {}"))
    ]
    look.ends(fig, months[-1], rows, 0.76 * 300 / (top - bottom), only="wide", xshift=8)
    look.label(fig, months[-1], fan[95][-1], "<b>demand</b> P5–P95", "narrow", xanchor="right", yanchor="bottom")
    fig.update_layout(
        xaxis=dict(type="date", range=[months[0], months[-1]], dtick="M3", tickformat="%b\n%Y", hoverformat="%B %Y", anchor="y2"),
        yaxis=dict(domain=[0.2, 1], range=[bottom, top], ticksuffix=" rps", nticks=6),
        yaxis2=dict(domain=[0, 0.14], range=[-0.5, 0.8], visible=False),
    )
    return fig


def _carries(study: Study, found: Knee) -> float:
    """The highest load at which every promise holds that is not set aside; 0 where one of them breaks at any load."""
    return 0.0 if set(found.always) - set(study.fleet.aside) else found.rps


def _steps(fig: go.Figure, months: list[str], capacity: list[tuple[int, float]], step: dict[str, Any]) -> None:
    """What is there with each order, as thick steps, to the end of the plan."""
    if len(capacity) < 2:
        return
    x, y = [], []
    for (start, load), (after, _) in zip(capacity, [*capacity[1:], (len(months) - 1, 0.0)], strict=True):
        x += [months[start], months[after]]
        y += [load, load]
    fig.add_scatter(x=x, y=y, line=dict(color=look.colour("ink"), width=3, dash="solid"), **step)
    month, load = capacity[-1]
    look.label(fig, months[month], load, f"<b>planned</b> {number(load)}", None, "ink", yanchor="bottom", xshift=4)


def _order_lane(study: Study, fig: go.Figure, months: list[str]) -> None:
    """The lane under the picture: from the last day to order until it works, a bar for all that works from the same month.

    Labels by a rule: wide, each bar has as much text as fits before the next one; narrow, one label with all dates, after the last bar.
    """
    bars: dict[int, list[Position]] = {}
    for row in positions(study):
        bars.setdefault(row.month, []).append(row)
    dates, ink = [], look.colour("ink")
    starts = [month - max(row.lead_s for row in rows) / MONTH for month, rows in sorted(bars.items())]
    for (month, rows), after in zip(sorted(bars.items()), [*starts[1:], len(months) + 3.0], strict=False):
        due, text = min(row.by for row in rows), bought(study, rows)
        works = max(str(due), months[month])  # a setting works on the day that it is made
        fig.add_scatter(
            x=[str(due), works],
            y=[0, 0],
            yaxis="y2",
            mode="lines+markers",
            hoverinfo="text",
            text=[str(safe(text))] * 2,
            line=dict(color=ink, width=4, dash="solid"),
            marker=dict(opacity=1, size=[14, 0], symbol="line-ns", line=dict(width=[4, 0], color=ink)),
        )
        day, name, *_ = day_name(due).split()
        dates.append(f"{day} {name[:3]}")
        room = int(((after - month) * MONTH_PX - 12) // LETTER_PX)
        what = short(text, room) if room >= 12 else ""
        if room >= 5:
            look.label(fig, works, 0, f"<b>{dates[-1]}</b><br>{what}", "wide", "ink", yref="y2", xshift=6)
    if bars:
        right = max(bars) > len(months) // 2
        joined = ", ".join(dates[:3]) + (" …" if len(dates) > 3 else "")
        at, side = (months[min(bars)], "right") if right else (months[max(bars)], "left")
        shift = -6 if right else 6
        look.label(fig, at, 0, f"<b>{joined}</b>", "narrow", "ink", yref="y2", xanchor=side, xshift=shift)
    look.label(fig, 0, 0, "order by", "wide", "muted", xref="paper", yref="y2", xanchor="right", xshift=-6)
