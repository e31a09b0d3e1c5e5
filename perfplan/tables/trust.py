"""Tables of the last chapter: how far the models are from other evidence."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from perfplan.blocks import Column, Table
from perfplan.models.service import Station
from perfplan.plan.paths import held_by_others
from perfplan.quantity import median
from perfplan.scenario import Scenario
from perfplan.study import Study
from perfplan.study.verify import ERROR, Compared
from perfplan.study.verify import measured as compare
from perfplan.tables.common import frame_of
from perfplan.tiers import bought_of
from perfplan.words import NBSP, count, duration, percent, rate


def accuracy(_: Study) -> Table:
    """The kinds of models against theory, simulation and real servers, as measured by the project's benchmarks."""
    rows: list[dict[str, Any]] = [
        {"group": r["group"], "against": r["against"], "cases": int(r["cases"]), "median": float(r["median"]), "worst": float(r["worst"])}
        for r in csv.DictReader(files("perfplan").joinpath("trust.csv").read_text(encoding="utf-8").splitlines())
    ]
    total, servers = sum(r["cases"] for r in rows), [r for r in rows if "servers" in r["group"]]
    return Table(
        name="accuracy", title=f"{total:,} cases of theory, simulation and measurement: real servers are met within {percent(max(r['worst'] for r in servers))}",
        subtitle="Error of a value relative to the reference, less the reference's own half width; benchmarks of this version of perfplan.", frame=frame_of(rows),
        columns=(Column(key="group", header="Models"), Column(key="against", header="Against", write=str), Column(key="cases", header="Cases", write=count), Column(key="median", header="Median error", write=error_text), Column(key="worst", header="Worst error", write=error_text)), stack=2,
    )  # fmt: skip


def error_text(value: float) -> str:
    """A relative error as it is read."""
    if value == 0:
        return "within its own error"
    return percent(value) if value >= 0.01 else f"{value * 100:.1g} %" if value >= 1e-5 else f"{value:.0e}"


def models(study: Study) -> Table:
    """Which model answers for each station, why, and how good it is."""
    rows = [
        {"station": f"{tier} {bought_of(study.scenario.tiers[tier], bought).servers or bought}", "model": model, "because": why, "error": error}
        for (tier, bought), station in study.middle.carried.stations.items()
        for model, why, error in [model_of(study.scenario, tier, station)]
    ]  # fmt: skip
    return Table(
        name="models", title="Which model stands behind each station", subtitle="Errors of p95 and p99 of the response against long simulations.",
        frame=frame_of(rows or [{"station": "none", "model": "", "because": "", "error": ""}]),
        columns=(Column(key="station", header="Station"), Column(key="model", header="Model", write=str), Column(key="because", header="Because", write=str), Column(key="error", header="Error", write=str)), stack=3,
    )  # fmt: skip


def model_of(scenario: Scenario, name: str, station: Station) -> tuple[str, str, str]:
    """Name of a station's model, why it is used, and its error: the worst of `benchmarks/laws.py`."""
    shape = station.shape
    if station.sharing:
        why = "all who are there share its cores" + ("" if station.crew is None else ", which hinder each other")
        why += "" if shape is None else f"; service times vary {np.sqrt(shape.scv):.2g} times their mean"
        return f"M/{'M' if shape is None else 'G'}/c processor sharing", why, f"within 3{NBSP}%"
    if held_by_others(scenario, name):
        return (
            "M/G/c by two moments (Allen, Cunneen)",
            "threads are held while other tiers answer",
            f"within 6{NBSP}% (a shop simulated whole)",
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


def measured(study: Study) -> Table | None:
    """Predicted against measured, point by point; None where the scenario names no measurement."""
    found = compare(study)
    if not found:
        return None
    worst = max(found, key=lambda r: r.beyond)
    title = (
        f"{sum(r.beyond > ERROR for r in found)} of {len(found)} measured points are missed by more than {percent(ERROR)}, their own error aside"
        if worst.beyond > ERROR
        else f"All {len(found)} measured points are met within {percent(max(worst.beyond, 0.01))}, their own error aside"
    )
    said = [f"{name}: {points.about[0][:160]}." for name, points in study.statement.points.items() if points.about]
    return _compared(
        "measured", title, " ".join(["Predicted at the measured rate, every input at its median, today's fleet.", *said]), found, "Measured"
    )


def verified(rows: Sequence[Mapping[str, Any]] | None) -> Table | None:
    """The formulas against the simulation of the plan's worst months; None where nothing was simulated."""
    if not rows:
        return None
    found = [Compared(**r) for r in rows]
    worst = max(found, key=lambda r: r.beyond)
    title = f"The simulation of the worst months agrees within {percent(max(worst.beyond, 0.01))}, its own error aside"
    return _compared("verified", title, "Requests simulated through pools of threads, connections and cores, inputs at their medians; ± half width of the 95 % interval.", found, "Simulated")  # fmt: skip


def _compared(name: str, title: str, subtitle: str, found: Sequence[Compared], header: str) -> Table:
    rows = [
        {"name": r.name, "journey": r.journey, "rps": r.rps, "percentile": r.percentile, "predicted_s": r.predicted_s, "found_s": r.found_s, "half_s": r.half_s, "error": r.error, "shown_half": "" if np.isnan(r.half_s) else f"± {duration(r.half_s)}" if r.half_s > 0 else "± 0"}
        for r in found
    ]  # fmt: skip
    columns = (
        Column(key="name", header="Where"), Column(key="journey", header="Journey", write=str), Column(key="rps", header="Rate", write=rate),
        Column(key="percentile", header="Percentile", write=lambda p: f"p{float(p) * 100:g}"), Column(key="predicted_s", header="Predicted", write=duration),
        Column(key="found_s", header=header, write=duration), Column(key="shown_half", header="±", write=str), Column(key="error", header="Error", write=lambda e: f"{float(e):+.1%}".replace("%", " %"), broken=lambda e: abs(float(e)) > ERROR),
    )  # fmt: skip
    return Table(name=name, title=title, subtitle=subtitle, frame=frame_of(rows), columns=columns, stack=3)
