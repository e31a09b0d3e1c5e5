"""What happens when something fails at the peak."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, nothing, shorts
from perfplan.shown.frames import Rows, frame_of
from perfplan.study import Study, once
from perfplan.study.cures import cures, wanted
from perfplan.study.failures import Failed, ahead, busiest, failures
from perfplan.subjects.failures import cost, costliness, cured, full, named, price_of
from perfplan.words import duration, money, percent, plural, share

LATE = "until it is given up"
SHOWN, ROW_PX = 7, 34
LEFT, LITTLE = 0.1, 0.001  # of what fails, and of all requests: less than that left is cured


def _two(value: float) -> str:
    return share(value, 2)


def _span(value_s: float) -> str:
    return duration(value_s, 2) if np.isfinite(value_s) else "not computed" if np.isnan(value_s) else "does not by itself"


@once
def table(study: Study) -> Table:
    """Each failure with what it does, the one that costs most requests first."""
    month = study.named(busiest(study), short=True)
    rows: Rows = []
    for row, later in zip(failures(study), ahead(study), strict=True):
        rows.append(
            {
                "failure": named(row),
                "first": full(row) or "nothing is left to do",
                "tier": row.tier,
                "takes": row.failure.takes,
                "used": row.used,
                "p_full": row.p_breaks,
                "slowest": _slowest(study, row),
                "p95_s": row.p95_s,
                "failed": row.share,
                "without_need": row.beyond,
                "fails_s": row.fails_s,
                "heals_s": row.heals_s,
                "requests": row.requests,
                "lost_usd": row.lost_usd,
                "planned": later[0].share if later else float("nan"),
                "shown_cost": _in_all(row),
                "shown_breaks": row.breaks,
            }
        )
    rows.sort(key=lambda one: -float(one["requests"]))
    breaks = sum(bool(one["shown_breaks"]) for one in rows)
    return Table(
        name="failures",
        title=f"{plural(breaks, 'failures')} of {len(rows)} fill something at today's peak",
        subtitle="Each alone, with today's fleet at today's peak hour, inputs at their medians. A failed call ends its request; what is "
        "too much for what is full is refused; “with the plan” is its fleet in its busiest month. "
        "Not in it: seconds until a health check has seen it, requests that users repeat, sessions that a cache loses.",
        frame=frame_of(rows),
        columns=(
            Column("failure", "What fails"),
            Column("first", "Fullest then", str, broken="shown_breaks"),
            Column("p_full", "P(full)", percent),
            Column("slowest", "Slowest p95 then", str),
            Column("failed", "Fail at first", _two),
            Column("shown_cost", "Fail in all", str),
            Column("heals_s", "All as before after", _span),
            Column("planned", f"Fail in {month}, planned", _two),
        ),
        stack=2,
        rows=SHOWN,
    )


@once
def cure_table(study: Study) -> Table:
    """What would cure the failures that fill something, and those of all that stands in one zone."""
    rows: Rows = []
    for row, cure in zip(failures(study), cures(study), strict=True):
        if wanted(study.scenario, row):
            rows.append(
                {
                    "failure": named(row),
                    "cure": cured(cure),
                    "price": price_of(cure),
                    "monthly_usd": cure.monthly_usd if cure is not None else float("nan"),
                    "once_usd": cure.once_usd if cure is not None else float("nan"),
                    "p_full": cure.after.p_breaks if cure is not None else float("nan"),
                    "failed": row.share,
                    "after": cure.after.share if cure is not None else float("nan"),
                    "shown_requests": row.requests,
                }
            )
    rows.sort(key=lambda one: -float(one["shown_requests"]))
    found = [one for one in rows if one["after"] == one["after"]]
    cured_ones = [one for one in found if float(one["after"]) <= max(LEFT * float(one["failed"]), LITTLE)]
    free = sum(not one["monthly_usd"] and not one["once_usd"] for one in cured_ones)
    eased = len(found) - len(cured_ones)
    return Table(
        name="cures",
        title=f"Of {plural(len(rows), 'failures')} that fill something or take a zone, {len(cured_ones)} can be cured ({free} free), "
        f"{eased} eased",
        subtitle="The cheapest of what was tried, each alone: a shorter time-out of what hangs, more of what is full, the options, "
        "three zones. After it nothing is full at today's peak, at the median nor in more of 200 worlds than may fail, and no promise on "
        "failures is broken by what a shorter time-out gives up; look again as traffic grows. “Free” is not the work, nor traffic "
        "between zones.",
        frame=frame_of(
            rows or [{"failure": "none", "cure": "", "price": "", "monthly_usd": 0.0, "p_full": 0.0, "failed": 0.0, "after": 0.0}]
        ),
        columns=(
            Column("failure", "What fails"),
            Column("cure", "Cheapest cure found", str),
            Column("price", "Price", str),
            Column("p_full", "P(full) then", percent),
            Column("failed", "Fail without it", _two),
            Column("after", "With it", _two),
        ),
        stack=2,
        rows=SHOWN,
    )


def _slowest(study: Study, row: Failed) -> str:
    if not row.journey:
        return "only the edge answers" if study.scenario.cdn is not None else "nobody is served"
    if np.isfinite(row.p95_s):
        return f"{row.journey} {duration(row.p95_s, 2)}"
    return f"{row.journey} late, not refused" if row.share < LITTLE else f"{row.journey} {LATE}"


def _in_all(row: Failed) -> str:
    """What fails, and within what time."""
    if np.isnan(row.fails_s):
        return cost(row)
    return f"{cost(row)} in {_span(row.fails_s)}" if row.requests >= 1 else "none"


def chart(study: Study) -> go.Figure:
    """The share of all requests that fail in each failure: those that need what failed, and those that need not."""
    rows = sorted((row for row in failures(study) if row.share > 0), key=costliness)[-SHOWN:]
    if not rows:
        return nothing("No failure makes requests fail", "Share of all requests that fail, by what has failed")
    top = rows[-1]
    fig = figure(
        f"The costliest failure is “{named(top)}”: {cost(top)} until all is as before",
        "Share of all requests that fail meanwhile, at today’s peak; dark: they need what failed, hatched: only because something is full",
        height=ROW_PX * len(rows) + 40,
        margin=dict(t=20, r=170),
        meta=dict(narrow=dict(layout={"margin.r": 70, "xaxis.nticks": 3})),
    )
    names = list(shorts((named(row) for row in rows), 34).values())
    parts = (
        ("need it", [row.share - row.beyond for row in rows], dict(color=look.colour("blue"))),
        ("need not", [row.beyond for row in rows], dict(color=look.colour("orange"), pattern=dict(shape="/"))),
    )
    for name, values, marker in parts:
        fig.add_bar(y=names, x=values, orientation="h", name=name, marker=marker, hovertemplate="%{x:.1%}", showlegend=False)
    for name, row in zip(names, rows, strict=True):
        price = f", {money(row.lost_usd)}" if row.lost_usd > 0 else ""
        falling = " at first, none after" if row.failure.refills else " for"
        look.label(fig, row.share, name, f"{_two(row.share)}{falling} {_span(row.fails_s)}{price}", "wide", xshift=6)
        look.label(fig, row.share, name, _two(row.share), "narrow", xshift=6)
    fig.update_layout(
        barmode="stack",
        xaxis=dict(tickformat=".0%", range=[0, 1], nticks=6),
        yaxis=dict(showgrid=False),
        hovermode="closest",
    )
    return fig
