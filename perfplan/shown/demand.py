"""What comes: demand, rates, the week, growth, regions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan.models.growth import peak_rps
from perfplan.plan import burst, concurrency, today_rps
from perfplan.plan.demand import week_of
from perfplan.quantity import FloatArray, Law, Value, median, quantiles
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import fan_of, figure, months_of, nothing, short
from perfplan.shown.frames import (
    HORIZONS,
    band_of,
    first_of,
    frame_of,
    number_text,
)
from perfplan.study import Study, once
from perfplan.study.sweeps import latency_targets
from perfplan.words import (
    band,
    capital,
    duration,
    listed,
    number,
    rate,
    share,
    size,
)


@once
def demand(study: Study) -> Table:
    """Peak rates, users, requests in flight, bandwidth and storage, now and at 6, 12 and 36 months."""
    traffic, made = study.scenario.traffic, study.worlds
    factor = median(made.rps[:, : study.last + 1].max(axis=1)) / today_rps(study.scenario)
    return Table(
        name="demand",
        title=f"Until {study.named(study.last)} the peak hour reaches {number(factor)} times today's, events included",
        subtitle="P50 (P5 … P95) over all worlds, at the busiest hour of the month. "
        f"A burst: {number(median(traffic.peak_second))} times that rate for {duration(median(traffic.burst_s))}.",
        frame=frame_of([_bands(*line) for line in _lines(study) if np.any(np.nan_to_num(line[2], posinf=1.0))]),
        columns=(Column("what", "At the peak"), *(Column(f"shown_{m}", study.named(m, short=True), number_text) for m in HORIZONS)),
        first=True,
    )


def _lines(study: Study) -> list[tuple[str, str, FloatArray, Callable[[float], str]]]:
    """Name, unit, values over worlds and months, and how they are written."""
    made = study.worlds
    users, flying = concurrency(made)
    backlog, drain, place = burst(made)
    stored = sum(made.stored_bytes.values(), np.zeros(made.rps.shape))
    return [
        ("peak hour", "1/s", made.rps, rate),
        ("peak second", "1/s", made.second_rps, rate),
        ("concurrent users", "", users, number),
        ("requests in flight", "", flying, number),
        ("bandwidth out", "bytes/s", made.sent_bytes, _a_second),
        ("bandwidth in", "bytes/s", made.received_bytes, _a_second),
        ("from the edge", "bytes/s", made.edge_bytes, _a_second),
        ("data stored", "bytes", stored, size),
        (f"queued by a burst at {place}", "", backlog, number),
        ("time until it has drained", "s", drain, duration),
    ]


def _a_second(value: float) -> str:
    return f"{size(value)}/s"


def _bands(name: str, unit: str, values: FloatArray, write: Callable[[float], str]) -> dict[str, Any]:
    row: dict[str, Any] = {"what": name, "unit": unit}
    for m in HORIZONS:
        low, middle, high = band_of(values, m)
        row |= {f"month_{m}_p05": low, f"month_{m}_p50": middle, f"month_{m}_p95": high}
        row[f"shown_{m}"] = band(write(middle), write(low), write(high)) if np.isfinite(middle) else "saturated"
    return row


@once
def rates(study: Study) -> Table:
    """Peak rates by journey and tier through their visit counts, at the median."""
    made = study.middle
    named = [(f"journey {n}", v) for n, v in made.carried.journey_rps.items()] + [
        (f"tier {n}", v) for n, v in made.carried.calls_rps.items()
    ]
    calls = {name: first_of(v, made.rps.shape) for name, v in made.carried.calls_rps.items()}
    busiest = max(calls, key=lambda name: calls[name])
    heads = (Column(f"month_{m}", f"{study.named(m, short=True)}, /s", number, bar=m == 0) for m in HORIZONS)
    return Table(
        name="rates",
        title=f"{capital(busiest)} gets the most calls: {number(calls[busiest] / float(made.rps[0, 0]))} for each request",
        subtitle="Requests or calls per second at the peak hour, every input at its median.",
        frame=frame_of([{"what": name, **{f"month_{m}": first_of(v, made.rps.shape, m) for m in HORIZONS}} for name, v in named]),
        columns=(Column("what", "Journey or tier"), *heads),
        stack=4,
    )


# ---- figures ----


def week(study: Study) -> go.Figure:
    """The week's shape: load of each hour over the busiest hour's."""
    shape = week_of(study.scenario)
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    top = int(np.argmax(shape))
    full = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    source = study.statement.history.file if study.statement.history is not None else "the usual week of a consumer service (a default)"
    fig = figure(
        f"The week peaks on {full[top // 24]} at {top % 24}:00; the mean hour carries {share(float(np.mean(shape)), 2)} of that",
        f"Requests of each hour of the week, % of the busiest hour; from {source}, UTC",
        height=300,
        meta=dict(narrow=dict(height=260)),
    )
    fig.add_scatter(
        x=list(range(168)),
        y=[100 * float(v) for v in shape],
        mode="lines",
        name="load",
        line=dict(color=look.colour("blue")),
        hovertemplate="%{y:.0f} %",
    )
    fig.update_layout(
        xaxis=dict(tickvals=[24 * i + 12 for i in range(7)], ticktext=list(days), range=[0, 167]),
        yaxis=dict(range=[0, 105], ticksuffix=" %"),
    )
    return fig


def growth(study: Study) -> go.Figure:
    """Weekly peaks so far, and the demand to come as a fan."""
    months = months_of(study)
    fan = fan_of(study.worlds.rps)
    factor = median(study.worlds.rps[:, 12] / study.worlds.rps[:, 0])
    fig = figure(
        f"The peak hour grows to {number(factor)} times today’s in a year",
        "Requests per second at the peak hour: weekly peaks of the history, then P5–P95, P25–P75 and P50 of all worlds, events included",
        height=360,
        margin=dict(r=90, t=20),
        meta=dict(narrow=dict(layout={"margin.r": 8}, height=300)),
    )
    look.fan(fig, months, fan, "demand", "rps")
    history = study.statement.history
    if history is not None:
        days = [str(np.datetime64(int(t), "s").astype("datetime64[D]")) for t in history.times]
        fig.add_scatter(
            x=days,
            y=[float(v) for v in history.weekly_peak_rps],
            mode="markers",
            name="weekly peak",
            marker=dict(color=look.colour("ink"), size=4),
            hovertemplate="%{y:,.0f} rps",
        )
    look.moment(fig, months[0], "today")
    rows = [(fan[q][-1], f"P{q} {number(fan[q][-1])}", "ink") for q in (5, 50, 95)]
    look.ends(fig, months[-1], rows, 300 / max(fan[95]), only="wide", xshift=6)
    fig.update_layout(xaxis=dict(type="date", tickformat="%Y", dtick="M12"), yaxis=dict(rangemode="tozero", ticksuffix=" rps", nticks=6))
    return fig


def sources(study: Study) -> go.Figure:
    """What the history says beside what is stated: peak hour and growth."""
    rows = _compared(study)
    if not rows:
        return nothing("Nothing of the demand is both stated and measured", "State users and requests beside a history to compare them")
    fig = figure(
        capital(listed([f"{name} {unit(float(m[1]))} measured and {unit(float(s[1]))} stated" for name, _, s, m, unit in rows])),
        "P5 to P95 and the middle, % of the stated middle: square what is stated, circle what the history says; filled: what the plan uses",
        height=60 * len(rows) + 60,
        margin=dict(t=28, r=40),
    )
    for name, used, stated, measured, _ in rows:
        for source, values, symbol, role in (("stated", stated, "square", "orange"), ("measured", measured, "circle", "blue")):
            x, where = [100 * float(v / stated[1]) for v in values], [f"{name}, {source}"]
            line = dict(color=look.colour(role), width=3, dash="solid")
            marker = dict(size=11, symbol=symbol if source == used else f"{symbol}-open", color=look.colour(role))
            fig.add_scatter(x=x[::2], y=where * 2, mode="lines", line=line, hoverinfo="skip")
            fig.add_scatter(x=[x[1]], y=where, mode="markers", marker=marker, hovertemplate="%{x:.0f} %")
    fig.update_layout(xaxis=dict(ticksuffix=" %"), yaxis=dict(showgrid=False, autorange="reversed"), hovermode="closest")
    return fig


def _compared(study: Study) -> list[tuple[str, str, FloatArray, FloatArray, Callable[[float], str]]]:
    """What is both stated and measured: its name, which is used, both as P5, P50 and P95, and how they are written."""
    history, traffic, entries = study.statement.history, study.worlds.scenario.traffic, study.statement.entries
    rows: list[tuple[str, str, FloatArray, FloatArray, Callable[[float], str]]] = []
    if history is not None and traffic.peak_users is not None and traffic.requests_per_user_rps is not None:
        stated = peak_rps(traffic.peak_users, traffic.requests_per_user_rps)
        rows.append(("peak hour", *_both(study, "traffic.peak", stated, history.peak), rate))
    grows = "traffic.growth" in entries and entries["traffic.growth"].source != "fitted"
    if grows and history is not None and history.growth is not None and traffic.growth_per_month is not None:
        rows.append(("growth a month", *_both(study, "traffic.growth", traffic.growth_per_month, history.growth), share))
    return rows


def _both(study: Study, path: str, stated: Value, measured: Law) -> tuple[str, FloatArray, FloatArray]:
    """Which of the two the plan uses, and P5, P50 and P95 of what is stated and what was measured."""
    ps, entries = (0.05, 0.5, 0.95), study.statement.entries
    used = "measured" if path in entries and entries[path].source == "fitted" else "stated"
    return used, quantiles(np.ravel(np.asarray(stated, dtype=float)), ps), np.array([float(measured.quantile(p)) for p in ps])


def regions(study: Study) -> go.Figure:
    """Share of users and the floor that the round trip sets, by region, against the strictest latency target."""
    rows = sorted(((n, median(r.share), median(r.round_trip_s)) for n, r in study.scenario.regions.items()), key=lambda r: r[2])
    strictest = min(latency_targets(study.scenario).values(), default=float("nan"))
    far = rows[-1]
    part = f": {share(far[2] / strictest, 2)} of the strictest target" if np.isfinite(strictest) else ""
    fig = figure(
        f"{far[0]} spends {duration(far[2])} on the way before any work is done{part}",
        "Round trip to the service by region; beside each bar the share of users",
        height=56 * len(rows) + 70,
        margin=dict(r=90, t=28),
    )
    names = [short(r[0]) for r in rows]
    fig.add_bar(y=names, x=[r[2] * 1e3 for r in rows], orientation="h", marker=dict(color=look.colour("blue")), hovertemplate="%{x:.3r} ms")
    for name, row in zip(names, rows, strict=True):
        look.label(fig, row[2] * 1e3, name, f"{duration(row[2])}, {share(row[1], 2)} of users", xshift=6)
    top = max(far[2] * 1e3 * 1.6, strictest * 1.1e3 if np.isfinite(strictest) else 0)
    if np.isfinite(strictest):
        fig.add_vline(x=strictest * 1e3, line=dict(color=look.colour("ink"), width=1.25, dash="6px,3px"))
        look.label(fig, strictest * 1e3, 1, f"strictest target {duration(strictest)}", yref="y domain", xanchor="right", yanchor="bottom")
    fig.update_layout(xaxis=dict(ticksuffix=" ms", range=[0, top], nticks=6), yaxis=dict(showgrid=False), hovermode="closest")
    return fig
