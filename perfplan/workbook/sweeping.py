"""`perfplan sweep`: one month of a scenario at many values of some of its fields, at the median: a table, and figures of it.

Points lie on the axis of worlds, so that many cost little more than one; points that differ in their load alone lie on the axis of
months. Only counts, of which a station has one, are gone through.
"""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfplan.plan import Plan, demand_rps, month_factors, plan
from perfplan.quantity import FloatArray, Misread, Quantity
from perfplan.reading import BadScenario, Problem
from perfplan.scenario.statement import Statement
from perfplan.stated import parse
from perfplan.tiers.place import Place

At = tuple[NDArray[np.intp], NDArray[np.intp] | int]  # world and column of each point
MOST = 1_000_000  # points of one sweep
MOST_COUNTS = 2_000  # different mixes of counts, each of which is planned by itself
CORNERS = 8  # fields up to which every corner is checked to be a scenario
AXIS = re.compile(r"(.+):(.+):(log|lin)(\d{1,6})")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One field that is varied, and its values, as numbers and as a scenario states them."""

    path: str
    kind: Quantity
    values: FloatArray

    def text(self, value: float) -> str:
        """A value as a scenario states it."""
        return self.kind.exact(value)


def axes(statement: Statement, varied: Sequence[str]) -> list[Axis]:
    """The fields to vary, from texts such as "traffic.peak_users=50k:500k:log20" or "tiers.redis.memory=1GiB,4GiB,16GiB"."""
    found, problems = [], []
    for text in varied:
        path, _, stated = text.partition("=")
        try:
            found.append(_axis(statement, path.strip(), stated.strip()))
        except Misread as error:
            problems.append(Problem(0, f"--vary {path.strip()}", str(error)))
    twice = {one.path for one in found if sum(one.path == other.path for other in found) > 1}
    problems += [Problem(0, f"--vary {path}", "must be varied once") for path in sorted(twice)]
    if not varied:
        problems.append(Problem(0, "--vary", "must name a field and its values, such as traffic.peak_users=50k:500k:log20"))
    if problems:
        raise BadScenario("perfplan sweep", problems)
    return found


def _axis(statement: Statement, path: str, stated: str) -> Axis:
    entry = statement.entries.get(path)
    if entry is None or entry.law is None or not isinstance(entry.declared.kind, Quantity):
        raise Misread("must be a number that the scenario states or has a default for; perfplan fields lists them")
    kind, span = entry.declared.kind, AXIS.fullmatch(stated)
    if span is None:
        laws = [parse(one.strip(), kind) for one in stated.split(",") if one.strip()]
        if not all(law.certain for law in laws):
            raise Misread(f"must be single values, no intervals; got {stated!r}")
        values = [law.mid for law in laws]
        if not values:
            raise Misread(f"must be values parted by commas, or LOW:HIGH:log20 or lin20; got {stated!r}")
    else:
        low, high, count = parse(span[1], kind).mid, parse(span[2], kind).mid, int(span[4])
        if not (low < high and count >= 2) or (span[3] == "log" and low <= 0):
            raise Misread(f"must go from a lower to a higher value in 2 steps or more, above 0 where it is log; got {stated!r}")
        values = (np.geomspace if span[3] == "log" else np.linspace)(low, high, count).tolist()
    values = list(dict.fromkeys(float(round(one)) for one in values)) if kind.whole else values
    return Axis(path=path, kind=kind, values=np.array(values))


def grid(found: Sequence[Axis]) -> dict[str, FloatArray]:
    """Every mix of the values."""
    mixed = np.meshgrid(*(one.values for one in found), indexing="ij")
    return {one.path: values.ravel() for one, values in zip(found, mixed, strict=True)}


def hypercube(found: Sequence[Axis], points: int, seed: int = 7) -> dict[str, FloatArray]:
    """As many *points*, each field's values spread evenly over its span and mixed at random (a Latin hypercube)."""
    rng = np.random.default_rng(seed)
    spread = {}
    for one in found:
        at = (rng.permutation(points) + rng.uniform(size=points)) / points * (one.values.size - 1)
        between = np.interp(at, np.arange(one.values.size), one.values)
        spread[one.path] = np.round(between) if one.kind.whole else between
    return spread


def sweep(statement: Statement, found: Sequence[Axis], points: Mapping[str, FloatArray], month: int = 0) -> dict[str, Any]:
    """What follows at each of *points* in *month*: columns of a table, in the order of the points."""
    _refuse(statement, found, points)
    counts = [one.path for one in found if one.kind.whole]
    smooth = [one.path for one in found if not one.kind.whole]
    size = next(iter(points.values())).size
    mixes, which = np.unique(np.array([points[path] for path in counts]).T.reshape(size, len(counts)), axis=0, return_inverse=True)
    which = which.reshape(size)
    columns: dict[str, Any] = {path: points[path] for path in points}
    stated = statement.but(*(f"{one.path}={one.text(float(one.values[0]))}" for one in found))  # what is varied beats what was measured
    for i, mix in enumerate(mixes):
        here = np.flatnonzero(which == i)
        sets = [f"{one.path}={one.text(value)}" for one, value in zip([a for a in found if a.kind.whole], mix.tolist(), strict=True)]
        made, at = _planned(stated.but(*sets), {path: points[path][here] for path in smooth}, month)
        for name, values in _answers(made, at, here.size).items():
            columns.setdefault(name, np.empty(size, dtype=np.asarray(values).dtype if name != "tightest" else object))[here] = values
    return columns


LOADS = ("traffic.peak_users", "traffic.peak")  # fields that are the load and nothing else
FEW = 50  # loads of a point, from which on they are interpolated, within 1 % in 98 of 100


def _planned(statement: Statement, points: Mapping[str, FloatArray], month: int) -> tuple[Plan, At]:
    """The plan of *points*, and where in it each of them lies."""
    size = next(iter(points.values())).size if points else 1
    scenario = statement.at_points({path: values.reshape(-1, 1) for path, values in points.items()})
    others = [path for path in points if path not in LOADS]
    rows, row = np.unique(np.array([points[path] for path in others]).T.reshape(size, len(others)), axis=0, return_inverse=True)
    row = row.reshape(size)
    many = np.bincount(row).max()
    if many < FEW or many * len(rows) > 2 * size:
        return plan(scenario, percentiles=(0.95,), months=month + 1, at_months=[month]), (np.arange(size), month)
    order = np.argsort(row, kind="stable")
    column = np.empty(size, dtype=np.intp)
    column[order] = np.arange(size) - np.searchsorted(row[order], row[order])
    demand = np.broadcast_to(demand_rps(scenario, month + 1)[:, month], (size,))
    rps = np.full((len(rows), many), float(demand.min()))
    rps[row, column] = demand
    alike = statement.at_points({path: rows[:, [i]] for i, path in enumerate(others)})
    factor = month_factors(alike, month + 1)[:, month:]
    return plan(alike, rps, percentiles=(0.95,), first=month, loads=True, month_factor=factor), (row, column)


def _refuse(statement: Statement, found: Sequence[Axis], points: Mapping[str, FloatArray]) -> None:
    """Raise `BadScenario` where the points are too many, or a corner of them is no scenario."""
    size = next(iter(points.values())).size
    counts = [points[one.path] for one in found if one.kind.whole]
    mixes = np.unique(np.array(counts), axis=1).shape[1] if counts else 1
    if size > MOST or mixes > MOST_COUNTS:
        said = f"{size:,} points and {mixes:,} mixes of counts; at most {MOST:,} and {MOST_COUNTS:,}"
        raise BadScenario("perfplan sweep", [Problem(0, "--vary", f"must be fewer: {said}")])
    ends = [(float(one.values.min()), float(one.values.max())) for one in found]
    corners = itertools.product(*ends) if len(found) <= CORNERS else zip(*ends, strict=True)
    for corner in corners:
        statement.but(*(f"{one.path}={one.text(value)}" for one, value in zip(found, corner, strict=True)))


def _answers(made: Plan, place: At, size: int) -> dict[str, Any]:
    """Numbers of each point at its *place* in the plan; names have their unit at the end."""
    worlds, column = place

    def at(values: Any) -> FloatArray:
        here = np.broadcast_to(np.asarray(values, dtype=float), made.rps.shape)
        found: FloatArray = here[worlds if here.shape[0] > 1 else 0, column]
        return found + np.zeros(size)

    used = {place: at(one.utilization) / np.maximum(at(one.limit), 1e-9) for place, one in made.resources.items()}
    table = np.array(list(used.values()))
    tightest: list[Place] = list(used)
    return {
        "peak_rps": at(made.rps),
        "holds": at(made.all_hold) > 0.5,
        **{f"{name} p95_s": at(values[0.95]) for name, values in made.percentile_s.items()},
        "tightest": np.array([tightest[i].words for i in np.argmax(np.nan_to_num(table, posinf=1e9), axis=0)], dtype=object),
        "tightest_of_limit": table.max(axis=0),
        "cost_month_usd": at(made.cost_month_usd),
    }


def write(folder: Path, name: str, columns: Mapping[str, Any], found: Sequence[Axis]) -> list[str]:
    """sweep.csv, sweep.parquet where pyarrow is installed, sweep.html; what was left out, and why."""
    import pandas as pd

    frame, html = pd.DataFrame(columns), folder / "sweep.html"
    folder.mkdir(parents=True, exist_ok=True)
    names = [one for one in ("sweep.csv", "sweep.parquet") if (folder / one).exists()]
    if names and not (html.is_file() and OURS in html.read_text(encoding="utf-8", errors="replace")[:2000]):
        raise BadScenario("perfplan sweep", [Problem(0, "--out", f"holds a {names[0]} that no sweep has written; name another folder")])
    with tempfile.TemporaryDirectory(dir=folder) as room:
        made = Path(room)
        frame.to_csv(made / "sweep.csv", index=False, lineterminator="\n")
        said = []
        try:
            frame.to_parquet(made / "sweep.parquet", index=False)
        except ImportError:
            said.append("sweep.parquet was left out: pyarrow is not installed")
            (folder / "sweep.parquet").unlink(missing_ok=True)  # an older one would stand beside another table
        (made / "sweep.html").write_text(page(name, frame, found), encoding="utf-8", newline="\n")
        for one in sorted(made.iterdir()):
            os.replace(one, folder / one.name)
    return said


OURS = "a sweep by perfplan"


SHOWN = 4_000  # points in figures: more cannot be told apart


def page(name: str, frame: Any, found: Sequence[Axis]) -> str:
    """A contour of the slowest p95 over the first two fields, and all columns as parallel coordinates, in one offline file."""
    import plotly.graph_objects as go

    from perfplan.shown import look
    from perfplan.shown.blocks import safe

    seconds = [column for column in frame.columns if str(column).endswith("p95_s")]
    slowest = frame[seconds].max(axis=1).where(lambda v: np.isfinite(v)) * 1e3
    figures = []
    whole = len(frame) == int(np.prod([one.values.size for one in found]))  # a grid; a hypercube has no two points in a row
    if whole and len(found) > 1 and all(one.values.size > 1 for one in found[:2]):
        x, y = found[0].path, found[1].path
        table = frame.assign(slowest=slowest).groupby([y, x])["slowest"].median().unstack()
        fig = go.Figure(go.Contour(z=table.to_numpy(), x=table.columns, y=table.index, colorbar={"title": {"text": "ms"}}))
        fig.update_layout(title={"text": "Slowest p95, ms; saturated where it is white"}, template=look.template(), height=420)
        for draw, axis in ((fig.update_xaxes, found[0]), (fig.update_yaxes, found[1])):
            draw(title={"text": str(safe(axis.path))}, type="log" if _far(axis) else "linear")
        figures.append(fig)
    few = frame.iloc[:: max(1, len(frame) // SHOWN)]
    numbers = [c for c in few.columns if c not in ("tightest", "holds")]
    lines = [{"label": str(safe(c)), "values": few[c].astype(float).replace([np.inf], np.nan)} for c in numbers]
    figures.append(go.Figure(go.Parcoords(dimensions=lines, line={"color": few["holds"].astype(float), "cmin": 0, "cmax": 1})))
    figures[-1].update_layout(
        title={"text": "Every point: light where all promises hold"},
        template=look.template(),
        height=420,
        margin={"l": 90, "r": 90, "t": 90},
    )
    parts = "".join(fig.to_html(full_html=False, include_plotlyjs=i == 0) for i, fig in enumerate(figures))
    kept = f"{int(frame['holds'].sum()):,} of them keep every promise"
    head = f"<h1>{safe(name)}: {len(frame):,} points, {kept} with every other input at its median</h1>"
    meta = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{safe(name)}: {OURS}</title><style>{STYLE}</style></head>'
    return f"{meta}<body>{head}{parts}</body></html>\n"


STYLE = "body { font: 16px system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem } h1 { font-size: 1.4rem }"


def _far(axis: Axis) -> bool:
    """Whether its values are spread as a geometric series."""
    low, high = float(axis.values.min()), float(axis.values.max())
    return low > 0 and high / low >= 8
