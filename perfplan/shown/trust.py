"""How far the models are from theory, simulation and measurement."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any

import numpy as np
import plotly.graph_objects as go

from perfplan.models.stations.service import Station
from perfplan.plan.paths import held_by_others
from perfplan.quantity import median
from perfplan.scenario import Scenario
from perfplan.shown import look
from perfplan.shown.blocks import Column, Table
from perfplan.shown.drawing import figure, short
from perfplan.shown.frames import (
    Rows,
    frame_of,
)
from perfplan.study import Study, once
from perfplan.study.verify import ERROR, Compared
from perfplan.study.verify import measured as compare
from perfplan.tiers import bought_of
from perfplan.words import (
    NBSP,
    count,
    duration,
    percent,
    rate,
)


def error_text(value: float) -> str:
    """A relative error as it is read."""
    if value == 0:
        return "within its own error"
    return percent(value) if value >= 0.01 else f"{value * 100:.1g} %" if value >= 1e-5 else f"{value:.0e}"


ACCURACY = (
    Column("group", "Models"),
    Column("against", "Against", str),
    Column("cases", "Cases", count),
    Column("median", "Median error", error_text),
    Column("worst", "Worst error", error_text),
)


@once
def accuracy(_: Study) -> Table:
    """The kinds of models against theory, simulation and real servers, as measured by the project's benchmarks."""
    rows: Rows = [
        {"group": r["group"], "against": r["against"], "cases": int(r["cases"]), "median": float(r["median"]), "worst": float(r["worst"])}
        for r in csv.DictReader(files("perfplan").joinpath("trust.csv").read_text(encoding="utf-8").splitlines())
    ]
    cases, servers = sum(r["cases"] for r in rows), max(r["worst"] for r in rows if "servers" in r["group"])
    return Table(
        name="accuracy",
        title=f"{cases:,} cases of theory, simulation and measurement: real servers are met within {percent(servers)}",
        subtitle="Error of a value relative to the reference, less the reference's own half width; benchmarks of this version of perfplan.",
        frame=frame_of(rows),
        columns=ACCURACY,
    )


MODELS = (Column("station", "Station"), Column("model", "Model", str), Column("because", "Because", str), Column("error", "Error", str))


@once
def models(study: Study) -> Table:
    """Which model answers for each station, why, and how good it is."""
    rows: Rows = []
    for place, station in study.middle.carried.stations.items():
        what = bought_of(study.scenario.tiers[place.tier], place.field).servers or place.field
        model, why, error = model_of(study.scenario, place.tier, station)
        rows.append({"station": f"{place.tier} {what}", "model": model, "because": why, "error": error})
    return Table(
        name="models",
        title="Which model stands behind each station",
        subtitle="Errors of p95 and p99 of the response against long simulations; p50 where it is named.",
        frame=frame_of(rows, MODELS),
        columns=MODELS,
        stack=3,
    )


def model_of(scenario: Scenario, name: str, station: Station) -> tuple[str, str, str]:
    """Name of a station's model, why it is used, and its error: the worst of `benchmarks/laws.py` and `benchmarks/held.py`."""
    shape = station.shape
    if station.sharing:
        why = "all who are there share its cores" + ("" if station.crew is None else ", which hinder each other")
        why += "" if shape is None else f"; service times vary {np.sqrt(shape.scv):.2g} times their mean"
        return f"M/{'M' if shape is None else 'G'}/c processor sharing", why, f"within 3{NBSP}%"
    if held_by_others(scenario, name):
        return (
            "M/G/c by two moments (Allen, Cunneen)",
            "threads are held while other tiers answer",
            f"p95 and p99 within 7{NBSP}%, p50 up to 22{NBSP}% too high, at the load that breaks a promise (a shop simulated whole)",
        )
    if shape is None:
        return "M/M/c", "no spread of its service times is stated", "exact where they are exponential"
    scv = f"service times vary {np.sqrt(shape.scv):.2g} times their mean"
    if median(station.servers) == 1:
        return "M/G/1 (Pollaczek, Khinchine)", scv, "exact"
    if shape.scv > 1:
        model = "M/G/c by an exact two-phase queue with the same three moments"
        return model, scv, f"within 4{NBSP}%" if shape.scv <= 4 else f"within 13{NBSP}% to a variation of 3; beyond that, simulate"
    return "M/G/c by residual services (Tijms, Cosmetatos)", scv, f"within 3{NBSP}%"


def _percentile(p: float) -> str:
    return f"p{p * 100:g}"


def _signed(error: float) -> str:
    return f"{error:+.1%}".replace("%", " %")


@once
def measured(study: Study) -> Table | None:
    """Predicted against measured, point by point; None where the scenario names no measurement."""
    found = compare(study)
    if not found:
        return None
    missed = sum(r.beyond > ERROR for r in found)
    title = f"{missed} of {len(found)} measured points are missed by more than {percent(ERROR)}, their own error aside; {_worst(found)}"
    said = [f"{name}: {points.about[0][:160]}." for name, points in study.statement.points.items() if points.about]
    subtitle = " ".join(["Predicted at the measured rate, every input at its median, today's fleet.", *said])
    return _compared("measured", title, subtitle, found, "Measured")


def verified(rows: Sequence[Mapping[str, Any]] | None) -> Table | None:
    """The formulas against the simulation of the plan's worst months; None where nothing was simulated."""
    if not rows:
        return None
    found = [Compared(**r) for r in rows]
    net = percent(max(*(r.beyond for r in found), 0.01))
    title = f"The simulation of the worst months agrees within {net}, its own error aside; {_worst(found)}"
    subtitle = (
        "Requests simulated through pools of threads, connections and cores, inputs at their medians; ± half width of the 95 % interval."
    )
    return _compared("verified", title, subtitle, found, "Simulated")


def _worst(found: Sequence[Compared]) -> str:
    """The point that is off most as it stands, before its own error is taken off."""
    one = max(found, key=lambda r: abs(r.error))
    return f"at worst {_signed(one.error)} as it stands, {_percentile(one.percentile)} of {one.journey} at {rate(one.rps)}"


def _compared(name: str, title: str, subtitle: str, found: Sequence[Compared], header: str) -> Table:
    columns = (
        Column("name", "Where"),
        Column("journey", "Journey", str),
        Column("rps", "Rate", rate),
        Column("percentile", "Percentile", _percentile),
        Column("predicted_s", "Predicted", duration),
        Column("found_s", header, duration),
        Column("shown_half", "±", str),
        Column("error", "Error", _signed),
        Column("beyond", "Beyond ±", percent, broken="shown_missed"),
    )
    rows: Rows = [
        asdict(one) | {"error": one.error, "beyond": one.beyond, "shown_half": _half(one.half_s), "shown_missed": one.beyond > ERROR}
        for one in found
    ]
    return Table(name=name, title=title, subtitle=subtitle, frame=frame_of(rows), columns=columns, stack=3)


def _half(half_s: float) -> str:
    return "" if np.isnan(half_s) else f"± {duration(half_s)}" if half_s > 0 else "± 0"


LEAST = 1e-12  # where errors below are drawn


# ---- figures ----


def accuracy_figure(study: Study) -> go.Figure:
    """Worst and median error of each kind of model, on a log scale."""
    frame = accuracy(study).frame
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
        fig.add_scatter(
            x=[low],
            y=[y],
            mode="markers",
            marker=dict(color=look.colour("blue"), symbol="circle"),
            hovertemplate=f"median {error_text(float(row['median']))}<extra></extra>",
        )
        fig.add_scatter(
            x=[high],
            y=[y],
            mode="markers",
            marker=dict(color=look.colour("orange"), symbol="square"),
            hovertemplate=f"worst {error_text(float(row['worst']))}<extra></extra>",
        )
        look.label(fig, 0, y, short(str(row["group"]), 44), "narrow", xref="paper", yshift=12, yanchor="bottom", xanchor="left")
    ticks = [1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 1e-1]
    fig.update_layout(
        hovermode="closest",
        xaxis=dict(type="log", range=[-12.3, 0], tickvals=ticks, ticktext=["1e-12 or less", "1e-9", "1e-6", "0.01 %", "1 %", "10 %"]),
        yaxis=dict(autorange="reversed", showgrid=False, tickvals=names, ticktext=[short(n, 48) for n in names]),
    )
    return fig


def measured_figure(study: Study) -> go.Figure | None:
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
            x=[r.rps for r in points],
            y=[1e3 * r.predicted_s for r in points],
            mode="lines",
            name=f"predicted p{p * 100:g}",
            hovertemplate="%{y:,.3r} ms",
            line=dict(color=tint, dash=look.DASHES[i % 3]),
        )
        half = [0.0 if np.isnan(r.half_s) else 1e3 * r.half_s for r in points]
        fig.add_scatter(
            x=[r.rps for r in points],
            y=[1e3 * r.found_s for r in points],
            mode="markers",
            name=f"measured p{p * 100:g}",
            hovertemplate="%{y:,.3r} ms",
            marker=dict(color=tint, symbol=look.SYMBOLS[names.index(name) % 6]),
            error_y=dict(type="data", array=half, color=tint, thickness=1.25, width=4),
        )
        rows.append((points[-1], f"{short(points[-1].journey, 12)} p{p * 100:g}"))
    for point, text in rows:
        look.label(fig, point.rps, float(np.log10(1e3 * point.predicted_s)), text, xshift=8)
    top = max(r.rps for r in found)
    fig.update_layout(
        xaxis=dict(ticksuffix=" rps", range=[0, 1.02 * top]), yaxis=dict(type="log", ticksuffix=" ms", nticks=6), hovermode="closest"
    )
    return fig
