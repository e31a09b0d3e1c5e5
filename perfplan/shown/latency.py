"""What response times are made of, and what would change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan.plan.paths import EDGE, ROUND_TRIP
from perfplan.quantity import FloatArray
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, short, shorts
from perfplan.shown.frames import (
    Rows,
    band_of,
    frame_of,
    more_dollars_if_any,
    number_text,
)
from perfplan.study import Study, once
from perfplan.study.changes import WhatIf
from perfplan.study.changes import what_ifs as tried
from perfplan.study.sweeps import (
    TAIL,
    TRIED,
    flat_percentiles,
    parts_of_the_tail,
    shares_of_latency,
    slowest_part,
    todays_knee,
)
from perfplan.words import (
    band,
    capital,
    duration,
    number,
    share,
)

MOST_JOURNEYS = 4  # the slowest, whose bars one figure holds


@once
def latencies(study: Study) -> Table:
    """p50, p95 and p99 of each journey: now and in the last month asked for, today's fleet."""
    ends = (("now", 0), ("then", study.last))
    rows: Rows = []
    for name, ps in study.worlds.percentile_s.items():
        row: dict[str, Any] = {"journey": name}
        for p, values in ps.items():
            for label, month in ends:
                low, middle, high = band_of(values, month)
                row[f"p{p * 100:g}_{label}_s"] = middle
                row[f"p{p * 100:g}_{label}"] = band(duration(middle), duration(low), duration(high)) if np.isfinite(middle) else "saturated"
        rows.append(row)
    slowest = max(rows, key=lambda r: float(r["p95_now_s"]))
    heads = (
        Column(f"p{p * 100:g}_{label}", f"p{p * 100:g} {study.named(month, short=True)}", number_text)
        for p in (0.5, 0.95, 0.99)
        for label, month in ends
    )
    return Table(
        name="latencies",
        title=f"{capital(slowest['journey'])} is the slowest journey: p95 {duration(slowest['p95_now_s'])} at today's peak",
        subtitle="P50 (P5 … P95) over all worlds of each percentile, as the user sees it: round trip, waits and service. "
        f"Parts along a path are taken as independent.{_gaps(study)}",
        frame=frame_of(rows),
        columns=(Column("journey", "Journey"), *heads),
    )


def _gaps(study: Study) -> str:
    """What is said of percentiles that lie in a gap of the response times, where one number says little."""
    return "".join(
        f" p{p * 100:g} of {journey} lies in a gap that hardly any response falls into: "
        f"{duration(low)} or {duration(high)} today, if a fiftieth more or fewer were slow."
        for journey, p, low, high in flat_percentiles(study)
    )


BOTTLENECKS = (
    Column("journey", "Journey"),
    Column("tier", "Tier", str),
    Column("wait_s", "Waiting", duration),
    Column("service_s", "Being served", duration),
    Column("share", "Share of the mean", share, bar=True),
)
SATURATED = {"journey": "every journey", "tier": "is saturated today", "wait_s": np.inf, "service_s": np.nan, "share": np.nan}


@once
def bottlenecks(study: Study) -> Table:
    """Where the time of each journey goes on average, and where it waits."""
    rows: Rows = []
    for journey, parts in shares_of_latency(study).items():
        total = sum(w + s for w, s in parts.values())
        rows += [
            {"journey": journey, "tier": tier, "wait_s": w, "service_s": s, "share": (w + s) / total}
            for tier, (w, s) in parts.items()
            if np.isfinite(total) and (w + s) / total > 0.001
        ]
    rows.sort(key=lambda r: -float(r["share"]))
    title = "Every journey is saturated today"
    if rows:
        title = f"The largest part of a {rows[0]['journey']} request is {rows[0]['tier']}: {share(rows[0]['share'], 2)} of its mean time"
    return Table(
        name="bottlenecks",
        title=title,
        subtitle="Mean time of one request in each tier at today's peak, at the median, edge answers left out. "
        "Means add; percentiles do not.",
        frame=frame_of(rows or [SATURATED]),
        columns=BOTTLENECKS,
    )


TAILS = (
    Column("journey", "Journey"),
    Column("part", "Spent in", str),
    *(Column(f"p{p * 100:g}_s", f"At p{p * 100:g}", duration) for p in TAIL),
    Column("share", "Share of p95", share, bar=True),
)


@once
def tail(study: Study) -> Table:
    """What requests are made of that take as long as p50, p95 and p99 of their journey."""
    rows: Rows = []
    found = parts_of_the_tail(study)
    for journey, parts in found.items():
        total = sum(parts.values(), np.zeros(3))
        named = sorted(parts.items(), key=lambda part: -float(part[1][1]))
        rows += [{"journey": journey, "part": part} | _of_tail(values, total) for part, values in named if np.any(values > 0.001 * total)]
        rows.append({"journey": journey, "part": "together"} | _of_tail(total, total))
    return Table(
        name="tail",
        title=slowest_part(found, 2),
        subtitle="Mean time in each tier of those requests that take just as long as the percentile, today’s peak, at the median. "
        "These parts add up; percentiles of parts do not.",
        frame=frame_of(rows),
        columns=TAILS,
    )


def _of_tail(values: FloatArray, total: FloatArray) -> dict[str, float]:
    row = {f"p{p * 100:g}_s": float(v) for p, v in zip(TAIL, values, strict=True)}
    return row | {"share": float(values[1] / total[1]) if np.isfinite(total[1]) and total[1] > 0 else float("nan")}


# ---- what if ----


def _multiple(value: float) -> str:
    return "–" if np.isnan(value) else f"beyond {TRIED:g}" if np.isinf(value) else number(value) if value > 0 else "none"


WHAT_IFS = (
    Column("change", "What if"),
    Column("journey", "Journey", str),
    Column("before_s", "p95 now", duration),
    Column("after_s", "p95 then", duration),
    Column("carries", "Carries, × today’s peak", _multiple),
    Column("cost_change_usd", "$ per month", more_dollars_if_any),
)


@once
def what_ifs(study: Study) -> Table:
    """What half or twice of each thing would do to latency, to the load that is carried, and to the cost."""
    found, knee = tried(study), todays_knee(study)
    kept = min((load for load in knee.objectives.values() if load > 0), default=float("nan")) / knee.peak_rps
    aside = "; those that no load keeps aside" if knee.always else ""
    return Table(
        name="what_ifs",
        title=_what_if_title(found, kept),
        subtitle="One change at a time, today’s peak, at the median: p95 of the journey it moves most, and the highest load with every "
        "promise kept "
        f"(today {_multiple(kept)}{aside}). What moves neither by 1 % is left out. "
        "The first row is the bound, an empty service: more of anything brings no p95 below that, unless it is a cache that then "
        "holds more. "
        "–: no price of its own, or no promise that a load can break.",
        frame=frame_of([_what_if(one) for one in (found[-1], *found[:-1]) if not one.tier or _does_something(one, kept)]),
        columns=WHAT_IFS,
        first=True,
    )


def _what_if(one: WhatIf) -> dict[str, Any]:
    return {
        "change": f"{one.change} of {one.tier}" if one.tier else one.change,
        "journey": one.journey,
        "before_s": one.before_s,
        "after_s": one.after_s,
        "carries": one.carries,
        "cost_change_usd": one.cost_change_usd,
    }


def _does_something(one: WhatIf, kept: float) -> bool:
    return _moves(one.before_s, one.after_s) or _moves(min(kept, 2 * TRIED), min(one.carries, 2 * TRIED))


def _moves(before: float, after: float) -> bool:
    return bool(before != after and not np.isnan(after) and not abs(after / before - 1) < 0.01)


def _what_if_title(found: list[WhatIf], kept: float) -> str:
    fast, carrier = found[0], max(found[:-1], key=lambda r: np.nan_to_num(r.carries))
    told = []
    if fast.after_s < 0.99 * fast.before_s:
        told.append(f"{fast.change} of {fast.tier} takes {fast.journey} from {duration(fast.before_s)} to {duration(fast.after_s)} at p95")
    if carrier.carries > 1.01 * kept:
        who = "it" if told and carrier is fast else f"{carrier.change} of {carrier.tier}"
        told.append(f"{who} carries {_multiple(carrier.carries)} times today’s peak instead of {_multiple(kept)}")
    return capital("; ".join(told)) if told else "Nothing that is halved or doubled lowers a p95 or carries more"


# ---- figures ----


def tail_figure(study: Study) -> go.Figure:
    """What requests are made of that take as long as p50, p95 and p99 of their journey."""
    rows = {j: parts for j, parts in parts_of_the_tail(study).items() if np.isfinite(sum(parts.values(), np.zeros(3))).all()}
    slowest = sorted(rows, key=lambda j: -float(sum(v[1] for v in rows[j].values())))[:MOST_JOURNEYS]
    named = shorts([j for j in rows if j in slowest], 14)
    spent = {
        f"{label} p{p * 100:g}": {t: float(v[k]) for t, v in rows[j].items()} for j, label in named.items() for k, p in enumerate(TAIL)
    }
    totals = {bar: sum(parts.values()) for bar, parts in spent.items()}
    fig = figure(
        slowest_part(rows),
        "Share of each tier in the time of the requests that take as long as the percentile: parts of one bar add up, "
        "percentiles of parts do not; today’s peak, at the median",
        height=34 * max(len(spent), 1) + 70,
        margin=dict(r=80),
    )
    shares = {bar: {t: 100 * v / totals[bar] for t, v in parts.items()} for bar, parts in spent.items()}
    _stack(study, fig, shares, {b: duration(t) for b, t in totals.items()}, "%")
    return fig


def waterfall(study: Study) -> go.Figure:
    """Mean time of one request by tier, stacked by journey."""
    rows = shares_of_latency(study)
    journeys = list(rows)
    totals = {j: sum(sum(v) for v in rows[j].values()) for j in journeys}
    slow = max(totals, key=lambda j: totals[j])
    part = max(rows[slow], key=lambda t: sum(rows[slow][t]))
    fig = figure(
        f"{capital(slow)} spends most of its {duration(totals[slow])} in {part}",
        "Mean time of a request by tier, ms, today’s peak, at the median, edge answers left out; "
        "parts under 3 % of the longest bar are not named",
        height=70 * len(journeys) + 60,
        margin=dict(r=80),
    )
    named = shorts(journeys)
    bars = {named[j]: {t: 1e3 * sum(v) for t, v in rows[j].items()} for j in journeys}
    _stack(study, fig, bars, {named[j]: duration(totals[j]) for j in journeys}, "ms")
    return fig


def _stack(study: Study, fig: go.Figure, bars: Mapping[str, Mapping[str, float]], ends: Mapping[str, str], unit: str) -> None:
    """A bar for each key of *bars*, of a piece for each tier in *unit*; *ends* stand behind them."""
    marks = look.marks([ROUND_TRIP, EDGE, *study.scenario.tiers])
    tiers = [tier for tier in marks if any(tier in parts for parts in bars.values())]
    longest = max((sum(parts.values()) for parts in bars.values()), default=1.0)
    for tier in tiers:
        fig.add_bar(
            y=list(bars),
            x=[parts.get(tier, 0.0) for parts in bars.values()],
            orientation="h",
            name=short(tier),
            marker=marks[tier],
            hovertemplate=f"%{{x:,.3r}} {unit}",
        )
    for bar, parts in bars.items():
        start = 0.0
        for tier in tiers:
            width = parts.get(tier, 0.0)
            if width > 0.12 * longest:
                look.label(
                    fig,
                    start + width / 2,
                    bar,
                    f"<b>{short(tier, 14)}</b>",
                    "wide" if width < 0.4 * longest else None,
                    xanchor="center",
                    bgcolor=look.colour("paper"),
                    borderpad=2,
                )
            start += width
        look.label(fig, start, bar, ends[bar], xshift=6)
    fig.update_layout(
        barmode="stack",
        xaxis=dict(ticksuffix=f" {unit}", range=[0, 1.12 * longest], nticks=6),
        yaxis=dict(showgrid=False, autorange="reversed"),
        hovermode="closest",
    )
